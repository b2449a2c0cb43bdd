//! Daily batches and digests: what went round, in one message, at the tenant's hour.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    RouteError, Router,
    give::decided,
    members::{Member, Members},
    rotation::is_interested,
    tell,
};
use crate::{
    domain::{
        card::Card,
        message::{Deal, Digest as List, Message},
        plan::{Digest, Plan, day_in, last_due},
        profile::Category,
        signal::SignalKind,
    },
    rules::live::Live,
    store::{
        ServiceTx, book,
        outbox::{self, NewMessage},
        rotation::{self, Listing},
        signals::{self, Candidate, NewSignal},
    },
};

/// A list that could not be sent for so long is not sent.
const SEND_WITHIN: TimeDelta = TimeDelta::hours(12);
/// A batch lists what was offered since so long ago; older deals are on offer for another reason than their worth.
const BATCH_SPAN: TimeDelta = TimeDelta::days(7);

/// One list that is to be made for one tenant.
struct Due<'a> {
    listing: Listing,
    at: DateTime<Utc>,
    /// Of what was first offered between these.
    offered: (DateTime<Utc>, DateTime<Utc>),
    most: usize,
    plan: &'a Plan,
}

impl Router {
    /// Makes every list that is due. How many batches and digests.
    pub(super) async fn list(&self, live: &Live, now: DateTime<Utc>) -> Result<(usize, usize), RouteError> {
        let members = Members::load(self, live, now).await?;
        let (mut batches, mut digests) = (0, 0);
        for member in members.iter().filter(|member| member.is_reachable() && !member.is_quiet(now)) {
            for due in member.lists_due(live, now) {
                if self.make(live, member, &due, now).await? {
                    match due.listing {
                        Listing::Batch => batches += 1,
                        Listing::Digest => digests += 1,
                    }
                }
            }
        }
        Ok((batches, digests))
    }

    /// True where there was something to list.
    async fn make(&self, live: &Live, member: &Member, due: &Due<'_>, now: DateTime<Utc>) -> Result<bool, RouteError> {
        let mut tx = self.scanner.store.service().await?;
        if !rotation::take_listing(&mut tx, member.tenant.id, due.listing, due.at).await? {
            return Ok(false);
        }
        let by_spread = due.listing == Listing::Digest;
        let found = signals::listable(&mut tx, member.tenant.id, due.offered, by_spread).await?;
        let ids: Vec<String> = found.iter().map(|one| one.card_id.to_string()).collect();
        let cards = book::cards_of(&mut tx, Some(&ids)).await?;
        let card = |one: &Candidate| cards.iter().find(|card| card.card_id == one.card_id);
        let wanted = |one: &&Candidate| {
            due.plan.includes(one.signal_type.as_deref()) && is_interested(member.categories(), card(one).and_then(Category::of))
        };
        let listed: Vec<&Candidate> = found.iter().filter(wanted).collect();
        let mut deals = Vec::new();
        for one in listed.iter().take(due.most) {
            deals.extend(self.add(&mut tx, live, member, due, one, card(one), now).await?);
        }
        if deals.is_empty() {
            // nothing to say; the hour has passed all the same
            tx.commit().await?;
            return Ok(false);
        }
        let list = List { at: now, left_out: listed.len().saturating_sub(deals.len()), deals };
        let message = if due.listing == Listing::Batch { Message::Batch(list) } else { Message::Digest(list) };
        for (channel, chat_id) in &member.chats {
            let new = NewMessage {
                tenant: Some(member.tenant.id),
                signal_id: None,
                with_signals: &[],
                channel: *channel,
                chat_id: *chat_id,
                message: &message,
                priority: 0,
                deadline: now + SEND_WITHIN,
                not_before: now,
            };
            outbox::enqueue(&mut tx, &new, now).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Writes down that a tenant is told of an opportunity, with its audit.
    #[expect(clippy::too_many_arguments, reason = "one step of `make`, in its transaction")]
    async fn add(
        &self,
        tx: &mut ServiceTx,
        live: &Live,
        member: &Member,
        due: &Due<'_>,
        one: &Candidate,
        card: Option<&Card>,
        now: DateTime<Utc>,
    ) -> Result<Option<Deal>, RouteError> {
        let tenant = member.tenant.id;
        let Some((standing, decision)) = decided(tx, one.opportunity_id, tenant).await? else { return Ok(None) };
        let Ok(deal) = Deal::of(&standing.opportunity, &decision, card) else { return Ok(None) };
        let (kind, most) = match due.listing {
            Listing::Batch => (SignalKind::Batch, due.plan.max_signals_per_day),
            Listing::Digest => (SignalKind::Digest, None),
        };
        if !rotation::count(tx, tenant, day_in(member.profile.clock(), now), most, now).await? {
            return Ok(None);
        }
        let record = tell::record(&live.pack, &standing, &decision, &member.profile);
        let new = NewSignal {
            id: Uuid::now_v7(),
            kind,
            opportunity: &standing.opportunity,
            decision: &decision,
            hand_overs: 0,
            window: self.window,
            record: &record,
        };
        signals::insert(tx, &new, now).await?;
        Ok(Some(deal))
    }
}

impl Member {
    fn lists_due<'p>(&self, live: &'p Live, now: DateTime<Utc>) -> Vec<Due<'p>> {
        let (plan, zone) = (live.plans.of(self.tenant.tier), self.profile.clock());
        let batch = self.batch_at(plan).and_then(|at| last_due(at, None, zone, now)).filter(|at| self.place.batched_at < *at);
        let digest = plan.digest.as_ref().and_then(|digest| Some((digest, digest.last_due(zone, now)?)));
        let digest = digest.filter(|(_, at)| self.place.digested_at < *at);
        let batch = batch.map(|at| Due {
            listing: Listing::Batch,
            at,
            offered: (now - BATCH_SPAN, now),
            most: self.left_today(plan, now).map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX)),
            plan,
        });
        let digest = digest.map(|(Digest { top, delay_hours, .. }, at)| Due {
            listing: Listing::Digest,
            at,
            offered: (now - TimeDelta::hours(i64::from(delay_hours.1)), now - TimeDelta::hours(i64::from(delay_hours.0))),
            most: usize::try_from(*top).unwrap_or(usize::MAX),
            plan,
        });
        batch.into_iter().chain(digest).collect()
    }
}
