//! Gives what is open to whoever's turn it is: signal, audit and message in one transaction, one opportunity after the other.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{
    RouteError, Router,
    members::{Member, Members, When},
    rotation::{self, Contender},
    tell,
};
use crate::{
    domain::{
        card::{Card, CardId},
        decision::{Decision, Standing},
        message::{Deal, InBasket, Message, Signal, Standing as Told, short_id},
        plan::day_in,
        profile::{Category, TenantId},
        signal::{Holder, SignalKind, SignalState},
    },
    rules::live::Live,
    store::{
        ServiceTx, book,
        opportunities::{self, Wanted},
        outbox::{self, NewMessage},
        rotation as places, routings, signals,
        signals::{Candidate, NewSignal},
    },
};

/// Opportunities that are looked at in one go: each may have thousands who want it.
const BATCH: i64 = 200;
/// What nobody may have yet is looked at again after this: quiet hours end, days begin.
const LATER: TimeDelta = TimeDelta::seconds(60);
/// A decision of so lately needs no second look.
const FRESH: TimeDelta = TimeDelta::seconds(60);
/// The pack's name of what shares one parcel.
const BUNDLE: &str = "bundle";

/// What one round of giving did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Given {
    pub signals: usize,
    pub released: usize,
}

/// Who may have what, at one moment.
struct Offers {
    cards: HashMap<CardId, Card>,
    by_opportunity: HashMap<Uuid, Vec<Candidate>>,
}

/// Whose turn it is for one opportunity.
#[derive(Debug, Default)]
struct Turn {
    now: Vec<Candidate>,
    later: bool,
}

impl Router {
    /// Gives away all that can be given now.
    pub(super) async fn give(&self, live: &Live, now: DateTime<Utc>) -> Result<Given, RouteError> {
        let mut given = Given::default();
        let mut members = None;
        loop {
            let mut tx = self.scanner.store.service().await?;
            let open = routings::openings(&mut tx, now, BATCH).await?;
            tx.commit().await?;
            if open.is_empty() {
                return Ok(given);
            }
            let members = match &mut members {
                Some(members) => members,
                none => none.insert(Members::load(self, live, now).await?),
            };
            let (before, last) = (given.clone(), open.len() < usize::try_from(BATCH).unwrap_or_default());
            self.give_some(live, open, members, now, &mut given).await?;
            // what could not be moved stands first in the next round, too
            if last || given == before {
                return Ok(given);
            }
        }
    }

    async fn give_some(
        &self,
        live: &Live,
        open: Vec<Uuid>,
        members: &mut Members,
        now: DateTime<Utc>,
        given: &mut Given,
    ) -> Result<(), RouteError> {
        let mut offers = self.offers(&open).await?;
        let stale: Vec<Uuid> = open.iter().copied().filter(|id| offers.turn(*id, live, members, now).is_stale(now)).collect();
        if !stale.is_empty() {
            self.scanner.decide_again(stale, now).await?;
            offers = self.offers(&open).await?;
        }
        let mut done = HashSet::new();
        for id in open {
            if done.contains(&id) {
                continue;
            }
            let turn = offers.turn(id, live, members, now);
            if turn.now.is_empty() {
                given.released += usize::from(self.wait_or_release(id, turn.later, now).await?);
                continue;
            }
            for candidate in &turn.now {
                let Some(member) = members.get(candidate.tenant) else { continue };
                let basket = offers.basket(candidate, live, member, now);
                let taken = match self.hand_over(live, member, candidate, &basket, &offers.cards, now).await {
                    Err(error) if !error.is_retryable() => {
                        // one that cannot be given must not hold up the others
                        tracing::error!(event = "hand_over_failed", tenant_id = %candidate.tenant, card_id = %candidate.card_id, "{error}");
                        continue;
                    }
                    outcome => outcome?,
                };
                if !taken.is_empty() {
                    given.signals += taken.len();
                    members.gave(candidate.tenant, taken.len(), now);
                    done.extend(taken);
                    break;
                }
            }
        }
        Ok(())
    }

    async fn offers(&self, open: &[Uuid]) -> Result<Offers, RouteError> {
        let mut tx = self.scanner.store.service().await?;
        let candidates = signals::candidates(&mut tx, open).await?;
        let ids: Vec<String> = candidates.iter().map(|one| one.card_id.to_string()).collect();
        let cards = book::cards_of(&mut tx, Some(&ids)).await?;
        tx.commit().await?;
        let mut by_opportunity: HashMap<Uuid, Vec<Candidate>> = HashMap::new();
        for one in candidates {
            by_opportunity.entry(one.opportunity_id).or_default().push(one);
        }
        Ok(Offers { cards: cards.into_iter().map(|card| (card.card_id.clone(), card)).collect(), by_opportunity })
    }

    /// Nobody may have it now: looked at again where somebody may later, else released to batches and digests.
    async fn wait_or_release(&self, id: Uuid, later: bool, now: DateTime<Utc>) -> Result<bool, RouteError> {
        let mut tx = self.scanner.store.service().await?;
        let Some(mut routing) = routings::claim(&mut tx, id, now).await? else { return Ok(false) };
        if later {
            routing.due_at = Some(now + LATER);
        } else {
            routing.release();
        }
        routings::save(&mut tx, &routing, now).await?;
        tx.commit().await?;
        Ok(!later)
    }

    /// Gives an opportunity to a member, and with it what else the same seller has for it. What was given: nothing where
    /// another worker was faster, the decision is no longer the last, or the day's number is reached.
    async fn hand_over(
        &self,
        live: &Live,
        member: &Member,
        candidate: &Candidate,
        basket: &[Candidate],
        cards: &HashMap<CardId, Card>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Uuid>, RouteError> {
        let mut tx = self.scanner.store.service().await?;
        let Some(head) = self.take(&mut tx, live, member, candidate, cards, now).await? else { return Ok(Vec::new()) };
        let mut rest = Vec::new();
        for one in basket {
            rest.extend(self.take(&mut tx, live, member, one, cards, now).await?);
        }
        // each is a signal of its own, which somebody looks for by its card
        let signals: Vec<(Uuid, CardId)> =
            std::iter::once(&head).chain(&rest).map(|one| (one.signal_id, one.deal.card_id.clone())).collect();
        let mut given = vec![candidate.opportunity_id];
        given.extend(rest.iter().map(|one| one.opportunity_id));
        let message = Message::Signal(Box::new(Signal {
            short_id: short_id(head.signal_id),
            deal: head.deal,
            basket: rest.iter().map(|one| InBasket { short_id: short_id(one.signal_id), deal: one.deal.clone() }).collect(),
            standing: Told::Offered { minutes: self.window.num_minutes() },
        }));
        let with_signals: Vec<Uuid> = rest.iter().map(|one| one.signal_id).collect();
        for (channel, chat_id) in &member.chats {
            let new = NewMessage {
                tenant: Some(member.tenant.id),
                signal_id: Some(head.signal_id),
                with_signals: &with_signals,
                channel: *channel,
                chat_id: *chat_id,
                message: &message,
                priority: i32::from(member.plan(&live.plans).first_look_priority),
                deadline: now + self.send_within,
                not_before: now,
            };
            outbox::enqueue(&mut tx, &new, now).await?;
        }
        tx.commit().await?;
        for (signal_id, card_id) in &signals {
            tracing::info!(event = "signal_generated", tenant_id = %member.tenant.id, %signal_id, %card_id);
        }
        Ok(given)
    }

    /// Makes an opportunity the member's, in the caller's transaction.
    async fn take(
        &self,
        tx: &mut ServiceTx,
        live: &Live,
        member: &Member,
        candidate: &Candidate,
        cards: &HashMap<CardId, Card>,
        now: DateTime<Utc>,
    ) -> Result<Option<Taken>, RouteError> {
        let tenant = member.tenant.id;
        let Some(mut routing) = routings::claim(tx, candidate.opportunity_id, now).await? else { return Ok(None) };
        let Some((standing, decision)) = decided(tx, candidate.opportunity_id, tenant).await? else { return Ok(None) };
        if decision.decision_id != candidate.decision_id {
            return Ok(None);
        }
        let deal = match Deal::of(&standing.opportunity, &decision, cards.get(&standing.opportunity.card_id)) {
            Ok(deal) => deal,
            Err(fault) => {
                tracing::error!(event = "untellable", tenant_id = %tenant, card_id = %standing.opportunity.card_id, "{fault}");
                return Ok(None);
            }
        };
        let day = day_in(member.profile.clock(), now);
        if !places::count(tx, tenant, day, member.plan(&live.plans).max_signals_per_day, now).await? {
            return Ok(None);
        }
        let signal_id = Uuid::now_v7();
        let hand_overs = routing.hand_overs;
        if !routing.give(holder(signal_id, tenant, self.window), now) {
            return Ok(None);
        }
        let record = tell::record(&live.pack, &standing, &decision, &member.profile);
        let new = NewSignal {
            id: signal_id,
            kind: SignalKind::Exclusive,
            opportunity: &standing.opportunity,
            decision: &decision,
            hand_overs,
            window: self.window,
            record: &record,
        };
        signals::insert(tx, &new, now).await?;
        routings::save(tx, &routing, now).await?;
        Ok(Some(Taken { opportunity_id: routing.opportunity_id, signal_id, deal }))
    }
}

struct Taken {
    opportunity_id: Uuid,
    signal_id: Uuid,
    deal: Deal,
}

const fn holder(signal_id: Uuid, tenant: TenantId, window: TimeDelta) -> Holder {
    Holder { signal_id, tenant, state: SignalState::Sending, window, expires_at: None }
}

/// What stands of an opportunity, and the last decision about it for a tenant; `None` where it is no signal for it any more.
pub(super) async fn decided(tx: &mut ServiceTx, opportunity: Uuid, tenant: TenantId) -> Result<Option<(Standing, Decision)>, RouteError> {
    let wanted = Wanted { ids: Some(&[opportunity]), tenant: Some(tenant), with_facts: true, ..Wanted::default() };
    let Some(mut standing) = opportunities::standing(tx, wanted).await?.pop() else { return Ok(None) };
    Ok(standing.held.pop().map(|decision| (standing, decision)))
}

impl Offers {
    fn turn(&self, id: Uuid, live: &Live, members: &Members, now: DateTime<Utc>) -> Turn {
        let mut turn = Turn::default();
        let mut contenders = Vec::new();
        let mut category = None;
        for candidate in self.by_opportunity.get(&id).into_iter().flatten() {
            let Some(member) = members.get(candidate.tenant) else { continue };
            let card = self.cards.get(&candidate.card_id);
            category = card.and_then(Category::of);
            let plan = member.plan(&live.plans);
            match member.when(plan, candidate, card, now) {
                When::Never => {}
                When::Later => turn.later = true,
                When::Now => contenders.push(Contender {
                    who: (candidate, (member.place.last_given_at, member.given_today(now))),
                    first_look: plan.first_look_priority,
                    priority: member.priority(),
                    categories: member.categories().to_vec(),
                }),
            }
        }
        // among equals, whoever has waited longest; within one round, whoever got least
        contenders.sort_by_key(|one| (one.who.1, one.who.0.tenant));
        rotation::order(&mut contenders, category);
        turn.now = contenders.into_iter().map(|one| one.who.0.clone()).collect();
        turn
    }

    /// More that a member may have of the same seller, where one parcel makes them a bundle.
    fn basket(&self, head: &Candidate, live: &Live, member: &Member, now: DateTime<Utc>) -> Vec<Candidate> {
        let is_bundle = |one: &Candidate| one.signal_type.as_deref() == Some(BUNDLE) && one.seller_id.is_some();
        if !is_bundle(head) {
            return Vec::new();
        }
        let all = self.by_opportunity.values().flatten().filter(|one| {
            one.tenant == head.tenant && one.opportunity_id != head.opportunity_id && is_bundle(one) && one.seller_id == head.seller_id
        });
        let plan = member.plan(&live.plans);
        let may = |one: &&Candidate| member.when(plan, one, self.cards.get(&one.card_id), now) == When::Now;
        let mut basket: Vec<Candidate> = all.filter(may).cloned().collect();
        basket.sort_by(|left, right| (&left.card_id, left.opportunity_id).cmp(&(&right.card_id, right.opportunity_id)));
        basket
    }
}

impl Turn {
    /// Whether whoever comes first was decided for so long ago that it has to be looked at again.
    fn is_stale(&self, now: DateTime<Utc>) -> bool {
        self.now.first().is_some_and(|first| now - first.decided_at > FRESH)
    }
}
