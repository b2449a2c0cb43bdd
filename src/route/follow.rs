//! Follows what becomes of a signal while somebody has it: gone, worth something else, or as it was.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{RouteError, Router, give::decided, members::Members, tell};
use crate::{
    domain::{
        message::{Deal, Standing},
        plan::Rotation,
        signal::{End, SignalState},
    },
    rules::live::Live,
    store::{
        book,
        outbox::{self, NewMessage},
        routings,
        signals::{self, Moved},
        told,
    },
};

/// Signals that are looked at in one go.
const BATCH: i64 = 1000;

/// What was followed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Followed {
    pub withdrawn: usize,
    pub edited: usize,
    pub told_again: usize,
}

impl Router {
    pub(super) async fn follow(&self, live: &Live, now: DateTime<Utc>) -> Result<Followed, RouteError> {
        let mut followed = Followed::default();
        let mut tx = self.scanner.store.service().await?;
        let moved = signals::moved(&mut tx, BATCH).await?;
        tx.commit().await?;
        if moved.is_empty() {
            return Ok(followed);
        }
        let members = Members::load(self, live, now).await?;
        for one in moved {
            match &one.dead {
                Some(reason) => followed.withdrawn += usize::from(self.withdraw(&one, reason, now).await?),
                None => self.tell_change(&one, live, &members, now, &mut followed).await?,
            }
        }
        Ok(followed)
    }

    async fn withdraw(&self, moved: &Moved, reason: &str, now: DateTime<Utc>) -> Result<bool, RouteError> {
        let mut tx = self.scanner.store.service().await?;
        if !routings::take_back(&mut tx, moved.signal_id, End::Withdrawn, Some(reason), now).await? {
            return Ok(false);
        }
        told::restand(&mut tx, moved.signal_id, &Standing::Withdrawn { reason: tell::reason(reason) }, true, now).await?;
        tx.commit().await?;
        tracing::info!(event = "signal_withdrawn", tenant_id = %moved.tenant, signal_id = %moved.signal_id, reason);
        Ok(true)
    }

    /// A change is said by an edit; one that is large enough also aloud, by a message of its own.
    async fn tell_change(
        &self,
        moved: &Moved,
        live: &Live,
        members: &Members,
        now: DateTime<Utc>,
        followed: &mut Followed,
    ) -> Result<(), RouteError> {
        let mut tx = self.scanner.store.service().await?;
        let Some((standing, decision)) = decided(&mut tx, moved.opportunity_id, moved.tenant).await? else { return Ok(()) };
        if decision.decision_id != moved.now {
            return Ok(());
        }
        let same = signals::say_the_same(&mut tx, moved.was, moved.now).await?;
        let aloud = !same && is_large(moved.told, decision.net_profit, &live.plans.rotation);
        let told_profit = if aloud { decision.net_profit } else { moved.told };
        if !signals::follow(&mut tx, moved, decision.net_profit, told_profit).await? {
            return Ok(());
        }
        let member = members.get(moved.tenant);
        if let Some(member) = member.filter(|_| !same) {
            let card = book::cards_of(&mut tx, Some(&[standing.opportunity.card_id.to_string()])).await?.pop();
            let Ok(deal) = Deal::of(&standing.opportunity, &decision, card.as_ref()) else { return Ok(()) };
            let record = tell::record(&live.pack, &standing, &decision, &member.profile);
            signals::audit(&mut tx, moved.signal_id, moved.tenant, &record, now).await?;
            let before = moved.told.unwrap_or(deal.net_profit);
            let repriced = Standing::Repriced { net_profit_before: before, until: moved.expires_at };
            let message = told::reprice(&mut tx, moved.signal_id, &deal, &repriced, now).await?;
            // what is still on its way goes in its new words
            let again = message.filter(|_| aloud && moved.state == SignalState::Held);
            for (channel, chat_id) in member.chats.iter().filter(|_| again.is_some()) {
                let Some(message) = &again else { continue };
                let latest = now + self.send_within;
                let new = NewMessage {
                    tenant: Some(moved.tenant),
                    signal_id: None,
                    with_signals: &[],
                    channel: *channel,
                    chat_id: *chat_id,
                    message,
                    priority: i32::from(member.plan(&live.plans).first_look_priority),
                    deadline: moved.expires_at.map_or(latest, |expires_at| expires_at.min(latest)),
                    not_before: now,
                };
                outbox::enqueue(&mut tx, &new, now).await?;
            }
            followed.edited += 1;
            followed.told_again += usize::from(again.is_some());
        }
        tx.commit().await?;
        Ok(())
    }
}

/// Whether a net profit moved by the configured share since it was last told aloud.
fn is_large(told: Option<Decimal>, now: Option<Decimal>, rules: &Rotation) -> bool {
    match (told, now) {
        (Some(told), Some(now)) => told != now && (now - told).abs() >= told.abs() * rules.tell_again_share,
        (told, now) => told != now,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::domain::plan::Plans;

    #[test]
    fn a_tenth_is_told_aloud_and_a_cent_less_is_edited() {
        let rules = Plans::parse("plans.yaml", Plans::SHIPPED).unwrap().rotation;
        let large = |told: &str, now: &str| is_large(Some(told.parse().unwrap()), Some(now.parse().unwrap()), &rules);
        assert!(large("10.00", "11.00") && large("10.00", "9.00"));
        assert!(!large("10.00", "10.99") && !large("10.00", "9.01") && !large("10.00", "10.00"));
        assert!(!large("0", "0") && large("0", "0.01"));
    }
}
