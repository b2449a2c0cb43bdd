//! What is on offer, and what a scan or a review makes of it: still good, worth something else, or withdrawn.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{
    judge::Case,
    report::{self, Found},
};
use crate::{
    domain::{
        decision::{Before, Change, ChangeKind, Decision, Opportunity, Outcome, Standing},
        profile::TenantId,
    },
    rules::{eval, graph::FactId, pack::Aggregate},
};

/// The reason of a withdrawal where there is no price any more to judge, or nobody to judge for.
pub const ROUTE_GONE: &str = "ROUTE_GONE";

/// The case's routes that are on offer, and under which id.
pub fn routes_of(case: &Case<'_>, standing: &[Standing]) -> HashMap<usize, Uuid> {
    let ids: HashMap<&str, Uuid> = standing.iter().map(|one| (&*one.opportunity.route_key, one.opportunity.opportunity_id)).collect();
    let cards: HashSet<&str> = standing.iter().map(|one| one.opportunity.card_id.as_str()).collect();
    let routes = case.routes.iter().enumerate();
    let of_cards = routes.filter(|(_, route)| case.book.card(route.card).is_some_and(|card| cards.contains(card.card_id.as_str())));
    of_cards.filter_map(|(index, route)| Some((index, *ids.get(&*route.key(case.book))?))).collect()
}

/// Answers for all who get an opportunity already and are not among those `told`, be it that a better route of the same
/// card was found for them: what is on offer stays so for as long as it holds.
pub fn held(case: &Case<'_>, standing: &[Standing], told: &[&[Found]], ids: &mut report::Opportunities) -> Vec<Found> {
    let routes: HashMap<Uuid, usize> = routes_of(case, standing).into_iter().map(|(route, id)| (id, route)).collect();
    let tenants: HashMap<TenantId, usize> = case.profiles.iter().enumerate().map(|(index, profile)| (profile.tenant, index)).collect();
    let answered: HashSet<(Uuid, TenantId)> =
        told.iter().copied().flatten().map(|found| (found.decision.opportunity_id, found.decision.tenant)).collect();
    let open = standing.iter().flat_map(|one| &one.held).filter(|held| !answered.contains(&(held.opportunity_id, held.tenant)));
    open.filter_map(|held| {
        let (route, tenant) = (*routes.get(&held.opportunity_id)?, *tenants.get(&held.tenant)?);
        let judged = case.judge_one(route, tenant, counted_with(case, route, tenant, told));
        let outcome = if judged.is_signal() { Outcome::Signal } else { Outcome::Rejected };
        report::found(case, &judged, outcome, ids)
    })
    .collect()
}

/// What is counted over the route's cards, as it was for the tenant's signals that share it; alone, it is one of its kind.
fn counted_with(case: &Case<'_>, route: usize, tenant: usize, told: &[&[Found]]) -> Vec<(FactId, i64)> {
    let mut evaluation = case.replay(route, tenant, &[]);
    let name = |id: FactId| case.pack.graph.fact(id).name.as_str();
    let mut count = |aggregate: &Aggregate| {
        let over = eval::write(&evaluation.known(aggregate.over)?);
        let like = told.iter().copied().flatten().filter(|found| {
            let decision = &found.decision;
            decision.outcome == Outcome::Signal
                && decision.tenant == case.profiles[tenant].tenant
                && found.opportunity.direction == case.routes[route].direction
                && decision.facts.get(name(aggregate.over)) == Some(&over)
        });
        let counted = like.filter_map(|found| found.decision.facts.get(name(aggregate.fact))?.as_i64()).max();
        Some((aggregate.fact, counted.unwrap_or(1)))
    };
    case.pack.aggregates.iter().filter_map(&mut count).collect()
}

/// What became of every opportunity, given all decisions about them.
#[derive(Debug, Default)]
pub struct Changes {
    pub changed: Vec<Change>,
    /// They hold as they stood.
    pub kept: Vec<Uuid>,
}

/// Compares what stood with what was decided. `opportunities` are at the prices of now; one that stands and is not among
/// them has no route any more.
pub fn changes(standing: &[Standing], opportunities: &[Opportunity], decisions: &[Decision]) -> Changes {
    let mut by_opportunity: HashMap<Uuid, Vec<&Decision>> = HashMap::new();
    for decision in decisions {
        by_opportunity.entry(decision.opportunity_id).or_default().push(decision);
    }
    let stood: HashSet<Uuid> = standing.iter().map(|one| one.opportunity.opportunity_id).collect();
    let now: HashMap<Uuid, &Opportunity> = opportunities.iter().map(|one| (one.opportunity_id, one)).collect();
    let mut found = Changes::default();
    for one in standing {
        let id = one.opportunity.opportunity_id;
        let decided = by_opportunity.get(&id).map_or(&[][..], Vec::as_slice);
        let opportunity = now.get(&id).copied().unwrap_or(&one.opportunity);
        let tenants_after = signals(decided);
        let same = |held: &Decision| decided.iter().any(|decision| decision.tenant == held.tenant && decision.says_the_same(held));
        let moved = (opportunity.buy_price, opportunity.sell_price) != (one.opportunity.buy_price, one.opportunity.sell_price);
        let kind = if tenants_after == 0 {
            ChangeKind::Withdrawn
        } else if moved || tenants_after != one.held.len() || !one.held.iter().all(same) {
            ChangeKind::Repriced
        } else {
            found.kept.push(id);
            continue;
        };
        let reason = decided.iter().find_map(|decision| decision.reason.clone()).unwrap_or_else(|| ROUTE_GONE.to_owned());
        found.changed.push(Change {
            kind,
            opportunity: opportunity.clone(),
            reason: (kind == ChangeKind::Withdrawn).then_some(reason),
            before: Some(Before {
                pack_hash: one.pack_hash.clone(),
                customs_regime: one.customs_regime.clone(),
                buy_price: one.opportunity.buy_price,
                sell_price: one.opportunity.sell_price,
                tenants: one.held.len(),
            }),
            tenants_after,
        });
    }
    for opportunity in opportunities.iter().filter(|one| !stood.contains(&one.opportunity_id)) {
        let tenants_after = by_opportunity.get(&opportunity.opportunity_id).map_or(0, |decided| signals(decided));
        if tenants_after > 0 {
            let kind = ChangeKind::Offered;
            found.changed.push(Change { kind, opportunity: opportunity.clone(), reason: None, before: None, tenants_after });
        }
    }
    found
}

fn signals(decisions: &[&Decision]) -> usize {
    decisions.iter().filter(|decision| decision.outcome == Outcome::Signal).count()
}
