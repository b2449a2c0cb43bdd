//! Reads what people wrote: which cards it names, and of which far more people write than usual. Those are flagged, and
//! where several are, their pages are wished for.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::Changed;
use crate::{
    clock::Clock,
    domain::{
        card::CardId,
        event::EventKind,
        talk::{Post, TalkCount},
    },
    events::{
        names::{Names, folded},
        spikes::{MULTIPLIER, Mention, PAST, Spike, Talk, is_spike},
    },
    pulse::Pulse,
    store::{
        ServiceTx, Store, StoreError, catalogue,
        event_flags::{self, Raised},
        talk, wishes,
    },
};

/// Between two looks at what came in.
const IDLE: TimeDelta = TimeDelta::minutes(1);
/// What was posted earlier is no news; it says what is usual.
const NEWS: TimeDelta = TimeDelta::hours(1);
/// So long a card is watched after a spike.
const LASTS: TimeDelta = TimeDelta::hours(4);
const SOURCE: &str = "social";

/// What reads, and needs for it.
pub struct Social {
    pub store: Store,
    pub clock: Clock,
    /// With so many spikes at a time, pages are wished for.
    pub least_spikes: usize,
    /// Hears of cards that were flagged.
    pub changed: broadcast::Sender<Arc<Changed>>,
}

/// What a look found.
#[derive(Debug, Default)]
pub struct Found {
    pub posts: usize,
    pub spikes: Vec<Spike>,
    /// Every print of the names.
    pub cards: Vec<CardId>,
    /// Pages that are wished for.
    pub wished: u64,
}

impl Social {
    /// Reads what nobody has read.
    ///
    /// # Errors
    /// The database refuses or is gone; then nothing counts as read.
    pub async fn step(&self) -> Result<Found, StoreError> {
        let Some(job) = self.store.job(SOURCE).await? else { return Ok(Found::default()) };
        let found = self.alone(self.clock.now()).await;
        job.release().await;
        let found = found?;
        for spike in &found.spikes {
            info!(event = "social_spike", name = spike.name, frequency = spike.frequency, strength = %spike.strength(), at = %spike.at);
        }
        if !found.cards.is_empty() {
            let changed =
                Changed { source: SOURCE, recorded_at: self.clock.now(), series: Vec::new(), cards: found.cards.iter().cloned().collect() };
            // nobody listening is no fault
            let _ = self.changed.send(Arc::new(changed));
        }
        Ok(found)
    }

    async fn alone(&self, now: DateTime<Utc>) -> Result<Found, StoreError> {
        let mut tx = self.store.service().await?;
        let (posts, counts) = (talk::unread(&mut tx).await?, talk::take_counts(&mut tx).await?);
        if posts.is_empty() && counts.is_empty() {
            return Ok(Found::default());
        }
        let names = names(&mut tx).await?;
        let mut new = Vec::new();
        for post in &posts {
            let found: Vec<String> = names.found_in(&post.text).into_iter().map(str::to_owned).collect();
            talk::read(&mut tx, post, &found).await?;
            new.push((post, found));
        }
        let mut heard = Talk::default();
        for said in talk::said(&mut tx, now - PAST - NEWS).await? {
            heard.hear(said.names.iter().map(String::as_str), &Mention { at: said.at, author: said.author });
        }
        let spikes = spikes(&heard, &new, &counts, now);
        let mut found = Found { posts: posts.len(), ..Found::default() };
        for spike in &spikes {
            let cards = names.cards(&spike.name);
            let note = format!("{} people wrote of {} within half an hour", spike.frequency, spike.name);
            let strength = Some(spike.strength()).filter(|strength| *strength > Decimal::ZERO);
            let raised = Raised { kind: EventKind::SocialSpike, source: SOURCE, strength, note: Some(&note), until: now + LASTS };
            event_flags::raise(&mut tx, cards, &raised, now).await?;
            found.cards.extend_from_slice(cards);
        }
        if spikes.len() >= self.least_spikes {
            let event = format!("{SOURCE}:{}", now.format("%FT%TZ"));
            found.wished = wishes::ask(&mut tx, &event, &found.cards, wishes::Which::All, now).await?;
        }
        tx.commit().await?;
        found.spikes = spikes;
        Ok(found)
    }
}

/// The names of all cards that are known.
///
/// # Errors
/// The database refuses or is gone, or holds more names than can be looked for at once.
pub async fn names(tx: &mut ServiceTx) -> Result<Names, StoreError> {
    let cards = catalogue::names(tx).await?;
    let names = Names::of(cards.iter().map(|(card, name)| (name.as_str(), card.clone())));
    names.map_err(|error| StoreError::BadRow { table: "card_metadata", fault: error.to_string() })
}

/// Of each name the strongest spike among the news.
fn spikes(heard: &Talk, posts: &[(&Post, Vec<String>)], counts: &[TalkCount], now: DateTime<Utc>) -> Vec<Spike> {
    let is_news = |at: DateTime<Utc>| at > now - NEWS && at <= now;
    let written = posts.iter().filter(|(post, _)| is_news(post.posted_at));
    let written = written.flat_map(|(post, names)| names.iter().filter_map(|name| heard.spike(name, post.posted_at)));
    let counted = counts.iter().filter(|count| is_news(count.at) && is_spike(count.frequency, count.baseline, MULTIPLIER));
    let counted =
        counted.map(|count| Spike { name: folded(&count.name), at: count.at, frequency: count.frequency, baseline: count.baseline });
    let mut strongest: BTreeMap<String, Spike> = BTreeMap::new();
    for spike in written.chain(counted) {
        match strongest.get_mut(&spike.name) {
            Some(known) if known.strength() >= spike.strength() => {}
            Some(known) => *known = spike,
            None => {
                strongest.insert(spike.name.clone(), spike);
            }
        }
    }
    strongest.into_values().collect()
}

/// Reads on until `shutdown`.
pub async fn run(social: Social, pulse: Pulse, shutdown: CancellationToken) {
    loop {
        let turn = pulse.turn();
        let read = social.step().await;
        if let Err(fault) = &read {
            error!(event = "social_failed", retryable = fault.is_retryable(), "{fault}");
        }
        turn.ends(read.is_ok());
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = social.clock.sleep(IDLE.to_std().unwrap_or_default()) => {}
        }
    }
}
