//! One step of a live feed: at most one request. What it spends is written down before it is sent; its rows and where the
//! run goes on are stored together. So a process may be killed at any moment: nothing is lost, doubled or spent twice.

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::json;
use tokio::sync::broadcast;
use tracing::{info, warn};

use super::{
    FileReport,
    rows::{self, Live},
};
use crate::{
    clock::Clock,
    config::{social::Social, sources::Sources},
    domain::{
        card::CardId,
        feed::{Feed, Period},
    },
    sources::{
        http::{Answer, Client, HttpError, Request},
        live::{self, About, Asks, Fault, Run, Source},
    },
    store::{ServiceTx, Store, StoreError, feeds, prices},
};

/// Another process is at it.
const BUSY: TimeDelta = TimeDelta::seconds(5);
/// A vendor's minute is over after this, where it does not say.
const MINUTE: TimeDelta = TimeDelta::seconds(60);
const NOW_AND_THEN: TimeDelta = TimeDelta::minutes(30);
/// A card that something moves is asked for again after this, at the next look of the loop: every half hour.
const FLAGGED: TimeDelta = TimeDelta::minutes(25);
/// Events that a slow listener may be behind.
const EVENTS: usize = 256;

/// Prices that have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub source: &'static str,
    /// Our clock's moment of the write: what is newer than this is in a later event.
    pub recorded_at: DateTime<Utc>,
    /// `price_series` with a new row, also those that nobody has mapped to a card.
    pub series: Vec<i32>,
    pub cards: BTreeSet<CardId>,
}

/// All live feeds and what they need.
pub struct Feeds {
    pub(super) store: Store,
    pub(super) sources: Vec<Arc<dyn Source>>,
    pub(super) clock: Clock,
    client: Client,
    jump: Decimal,
    changed: broadcast::Sender<Arc<Changed>>,
}

enum Prepared {
    Later(DateTime<Utc>),
    Ask(Box<(Feed, Run, Request)>),
}

impl Feeds {
    /// `jump`: how many times the last price a price may be before it waits for a second one.
    pub fn new(store: Store, client: Client, sources: Vec<Arc<dyn Source>>, jump: Decimal, clock: Clock) -> Self {
        Self { store, sources, clock, client, jump, changed: broadcast::Sender::new(EVENTS) }
    }

    /// Every source that the configuration has switched on.
    ///
    /// # Errors
    /// The system lacks what TLS needs.
    pub fn configured(store: Store, config: &Sources, clock: Clock) -> Result<Self, HttpError> {
        let client = Client::new(config.longest_answer)?;
        Ok(Self::new(store, client, live::all(config), config.quarantine_jump, clock))
    }

    /// And every platform that is listened to.
    #[must_use]
    pub fn listening(mut self, config: &Social) -> Self {
        self.sources.extend(live::social(config));
        self
    }

    pub fn sources(&self) -> &[Arc<dyn Source>] {
        &self.sources
    }

    /// Where others tell who listens of prices that they changed.
    pub fn teller(&self) -> broadcast::Sender<Arc<Changed>> {
        self.changed.clone()
    }

    /// Hears of every price that changes from now on. Who falls behind is told so and looks at everything once.
    pub fn changes(&self) -> broadcast::Receiver<Arc<Changed>> {
        self.changed.subscribe()
    }

    /// Does what the feed has to do now and says when to come again. `account` gathers what the run tells.
    ///
    /// # Errors
    /// The database refuses or is gone. A vendor's fault is none: it is logged, and waited out.
    pub async fn step(&self, source: &Arc<dyn Source>, account: &mut FileReport) -> Result<DateTime<Utc>, StoreError> {
        let Some(job) = self.store.job(source.about().name).await? else { return Ok(self.clock.now() + BUSY) };
        let again = self.alone(source, account).await;
        job.release().await;
        again
    }

    async fn alone(&self, source: &Arc<dyn Source>, account: &mut FileReport) -> Result<DateTime<Utc>, StoreError> {
        let (mut feed, run, request) = match self.prepare(source, account, self.clock.now()).await? {
            Prepared::Later(at) => return Ok(at),
            Prepared::Ask(ask) => *ask,
        };
        let sent = self.clock.now();
        let answer = self.client.send(&request, sent).await;
        let now = self.clock.now();
        let began = std::time::Instant::now();
        let outcome = match answer {
            Ok(answer) => self.take_in(source, &mut feed, Run { now, ..run }, answer, account).await?,
            Err(fault) => Err(fault.into()),
        };
        match outcome {
            Ok(()) => {
                account.took += began.elapsed();
                if feed.run_began.is_none() {
                    told(source.about().name, account);
                }
            }
            Err(fault) => self.fail(&mut feed, &fault, now).await?,
        }
        Ok(feed.due_at(now, source.about().cadence))
    }

    /// Decides what to ask and takes it out of the quota.
    async fn prepare(&self, source: &Arc<dyn Source>, account: &mut FileReport, now: DateTime<Utc>) -> Result<Prepared, StoreError> {
        let about = source.about();
        let mut tx = self.store.service().await?;
        let mut feed = feeds::load(&mut tx, about.name, now).await?;
        let due = feed.due_at(now, about.cadence);
        let batch = usize::try_from(feed.batch.unwrap_or(about.batch)).unwrap_or(usize::MAX);
        if due > now {
            let flagged = self.flagged(&mut tx, about, now, batch).await?;
            if flagged.is_empty() || !feed.begin_express(now, &about.budget, about.cadence) {
                return Ok(Prepared::Later(due));
            }
            *account = FileReport::new(about.name);
        }
        let began = feed.run_began.unwrap_or(now);
        if feed.run_began.is_none() {
            feed.begin(now, &about.budget, about.cadence);
            *account = FileReport::new(about.name);
        }
        let wanted = match about.asks_for {
            _ if feed.express => self.flagged(&mut tx, about, now, batch).await?,
            Some(Asks::Products(market)) => feeds::wanted(&mut tx, about.name, market, began, now, batch).await?,
            Some(Asks::Names) => feeds::names_wanted(&mut tx, about.name, began, now, batch).await?,
            None => Vec::new(),
        };
        let run = Run { now, began, state: feed.state.clone(), left: feed.run_left, batch, wanted };
        let request = if feed.run_left > 0 { source.next(&run) } else { None };
        let Some(request) = request else {
            feed.finish(now, None);
            feeds::save(&mut tx, &feed).await?;
            tx.commit().await?;
            told(about.name, account);
            return Ok(Prepared::Later(feed.due_at(now, about.cadence)));
        };
        if let Err(wait) = feed.take(now, &about.budget) {
            if let Some(period) = wait.spent {
                warn!(event = "quota_spent", source = about.name, %period, until = %wait.until, "the quota is spent: the feed waits");
                feed.finish(now, Some(wait.until));
            }
            feeds::save(&mut tx, &feed).await?;
            tx.commit().await?;
            return Ok(Prepared::Later(wait.until));
        }
        feeds::save(&mut tx, &feed).await?;
        tx.commit().await?;
        Ok(Prepared::Ask(Box::new((feed, run, request))))
    }

    /// Products of flagged cards whose turn it is again, however long the others wait.
    async fn flagged(&self, tx: &mut ServiceTx, about: &About, now: DateTime<Utc>, most: usize) -> Result<Vec<String>, StoreError> {
        match about.asks_for {
            Some(Asks::Products(market)) => feeds::flagged(tx, about.name, market, now - FLAGGED, now, most).await,
            Some(Asks::Names) | None => Ok(Vec::new()),
        }
    }

    /// Stores an answer's rows and the feed's new state, both or neither.
    async fn take_in(
        &self,
        source: &Arc<dyn Source>,
        feed: &mut Feed,
        run: Run,
        answer: Answer,
        account: &mut FileReport,
    ) -> Result<Result<(), Fault>, StoreError> {
        let (name, now) = (source.about().name, run.now);
        let live = Live { jump: self.jump, is_archive: source.about().is_archive };
        let mut part = FileReport::new(name);
        let mut tx = self.store.service_bulk().await?;
        let (sender, parcels) = rows::channel();
        let reading = Arc::clone(source);
        let reader = tokio::task::spawn_blocking(move || rows::send(&sender, |emit| reading.read(&run, answer, emit)));
        let stored = rows::store(&mut tx, parcels, now, Some(live), &|| {}, &mut part).await;
        let read = reader.await;
        let stored = stored?.unwrap_or_default();
        let step = match read {
            Ok(Ok(step)) => step,
            Ok(Err(fault)) => return Ok(Err(fault)),
            Err(died) => return Ok(Err(Fault::Format(format!("the reader died: {died}")))),
        };
        feed.state = step.state;
        feed.hear(&step.told, now);
        feed.succeed();
        if step.more {
            feed.not_before = feed.not_before.max(step.resume_at);
        } else {
            feed.finish(now, step.resume_at);
        }
        part.rekeyed = stored.counts.rekeyed;
        part.set_apart = stored.set_apart;
        part.store(stored.counts.total());
        account.add(&part);
        feeds::save(&mut tx, feed).await?;
        feeds::save_report(&mut tx, name, &json!(account)).await?;
        feeds::asked(&mut tx, name, &step.asked, now).await?;
        let cards = prices::cards_of(&mut tx, &stored.series).await?;
        tx.commit().await?;
        // a tournament flags cards
        if !stored.series.is_empty() || stored.counts.tournaments.is_change() {
            let changed = Changed { source: name, recorded_at: now, series: stored.series, cards };
            // nobody listening is no fault
            let _ = self.changed.send(Arc::new(changed));
        }
        Ok(Ok(()))
    }

    /// Writes down that nothing came of it, and until when to wait.
    async fn fail(&self, feed: &mut Feed, fault: &Fault, now: DateTime<Utc>) -> Result<(), StoreError> {
        // any fresh hasher is random enough to keep two processes apart
        let jitter = u32::try_from(RandomState::new().hash_one(&feed.source) % 1000).unwrap_or(0);
        let period = if let Fault::Quota { period, .. } = fault { Some(*period) } else { None };
        // where somebody has to change something, a try now and then finds out when it is done
        let least = if fault.is_retryable() { (period == Some(Period::Minute)).then_some(MINUTE) } else { Some(NOW_AND_THEN) };
        feed.fail(fault.to_string(), fault.retry_after().or(least), now, jitter);
        if let Some(period @ (Period::Day | Period::Month)) = period {
            feed.exhaust(period, fault.retry_after(), now);
        }
        let again = feed.not_before.unwrap_or(now);
        warn!(event = "feed_failed", source = feed.source, failures = feed.failures, again = %again, "{fault}");
        let mut tx = self.store.service().await?;
        feeds::save(&mut tx, feed).await?;
        tx.commit().await
    }
}

/// One line for a run that is over.
fn told(source: &str, account: &FileReport) {
    info!(
        event = "feed_done",
        source,
        rows = account.read,
        stored = account.stored,
        changed = account.changed,
        refused = account.refused_rows,
        set_apart = account.set_apart,
        duration_ms = u64::try_from(account.took.as_millis()).unwrap_or(u64::MAX),
        "the feed is up to date"
    );
}
