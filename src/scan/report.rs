//! What a scan found: signals and near misses with every fact, and how many cards fell to which reason.

use std::collections::{BTreeMap, HashMap};

use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::{
    feeds::Feed,
    findings::{Behind, Findings},
    judge::{Case, Judged},
};
use crate::{
    domain::{
        card::Finish,
        condition::Grade,
        decision::{Decision, Opportunity, Outcome, ReasonCount, Scan},
        market::Direction,
        money::Rates,
        profile::TenantId,
    },
    rules::{
        eval,
        interpret::{Evaluation, Slot, Verdict},
        lower::Answer,
        pack::{Pack, Side},
    },
};

/// A fact and its value, as text.
pub type Line = (String, Option<Decimal>);

/// A decision with what a reader wants to see of it.
#[derive(Debug, Clone)]
pub struct Found {
    pub opportunity: Opportunity,
    pub decision: Decision,
    pub home_currency: String,
    /// The pack's waterfall, in its order.
    pub waterfall: Vec<Line>,
}

/// How often a reason was given, and which side's feed is behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReasonLine {
    pub by_direction: [usize; 2],
    /// How often each detail was behind it: a missing fact, a feed.
    pub details: BTreeMap<String, usize>,
}

/// What a scan looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Full,
    /// Some cards of which something was told; reasons are not counted and near misses not kept.
    Changed,
}

impl Scope {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Changed => "changed",
        }
    }
}

/// What a scan found.
#[derive(Debug)]
pub struct Report {
    pub scan: Scan,
    pub scope: Scope,
    pub rates: Rates,
    pub customs_regime: Option<String>,
    pub cards: usize,
    pub routes: usize,
    pub one_sided: usize,
    /// Series whose product no crosswalk ties to a card.
    pub unmapped: usize,
    pub tenants: usize,
    pub feeds: Vec<Feed>,
    /// Best first.
    pub signals: Vec<Found>,
    pub near_misses: Vec<Found>,
    /// The rest of what those are answered who got an opportunity before.
    pub held: Vec<Found>,
    /// By reason code, over all tenants.
    pub reasons: BTreeMap<String, ReasonLine>,
    pub counts: Vec<ReasonCount>,
}

impl Report {
    /// Everything that was decided with all facts.
    pub fn all(&self) -> impl Iterator<Item = &Found> {
        self.signals.iter().chain(&self.near_misses).chain(&self.held)
    }

    pub(super) fn all_mut(&mut self) -> impl Iterator<Item = &mut Found> {
        self.signals.iter_mut().chain(&mut self.near_misses).chain(&mut self.held)
    }
}

/// The opportunity of each route that somebody gets or nearly gets: one, however many tenants share it.
#[derive(Debug, Default)]
pub struct Opportunities(HashMap<usize, Uuid>);

impl Opportunities {
    /// Routes that are on offer already keep their id.
    pub fn standing(ids: impl IntoIterator<Item = (usize, Uuid)>) -> Self {
        Self(ids.into_iter().collect())
    }

    fn id(&mut self, route: usize) -> Uuid {
        *self.0.entry(route).or_insert_with(Uuid::now_v7)
    }
}

/// Per tenant and card the best passing route, by tenant and card.
pub fn best_signals(case: &Case<'_>, findings: &Findings) -> Vec<Judged> {
    let mut best: Vec<Judged> = Vec::with_capacity(findings.signal_count());
    let card = |one: &Judged| (one.tenant, case.routes[one.route].card);
    // a card's two directions follow each other
    for one in findings.signals() {
        match best.last_mut().filter(|last| card(last) == card(&one)) {
            Some(last) if one.score > last.score => *last = one,
            Some(_) => {}
            None => best.push(one),
        }
    }
    best
}

/// Per tenant and card the best passing route; best score first, then profit, then card.
pub fn signals(case: &Case<'_>, findings: &Findings, ids: &mut Opportunities) -> Vec<Found> {
    let mut found: Vec<Found> = best_signals(case, findings).iter().filter_map(|one| found(case, one, Outcome::Signal, ids)).collect();
    found.sort_by(|left, right| {
        let key = |found: &Found| (found.decision.score, found.decision.net_profit);
        key(right).cmp(&key(left)).then_with(|| left.opportunity.card_id.cmp(&right.opportunity.card_id))
    });
    found
}

/// Per tenant the rejections that got furthest.
pub fn near_misses(case: &Case<'_>, findings: &Findings, ids: &mut Opportunities) -> Vec<Found> {
    findings.near_misses.iter().filter_map(|one| found(case, one, Outcome::NearMiss, ids)).collect()
}

/// Evaluates a judged route once more, now for every fact.
pub fn found(case: &Case<'_>, one: &Judged, outcome: Outcome, ids: &mut Opportunities) -> Option<Found> {
    let route = &case.routes[one.route];
    let (buy, sell) = (&case.book.series[route.buy], &case.book.series[route.sell]);
    let card = case.book.card(route.card)?;
    let mut evaluation = case.replay(one.route, one.tenant, &one.aggregates);
    let pack = case.pack;
    let waterfall = pack
        .waterfall
        .iter()
        .map(|id| (pack.graph.fact(*id).name.clone(), evaluation.known(*id).and_then(|value| value.as_decimal())))
        .collect();
    let opportunity = Opportunity {
        opportunity_id: ids.id(one.route),
        card_id: card.card_id.clone(),
        card_name: card.name.clone(),
        finish: Finish { printing: route.sell_printing.unwrap_or(sell.finish.printing), ..buy.finish },
        direction: route.direction,
        buy_market: buy.market,
        sell_market: sell.market,
        buy_price: buy.latest.price?,
        sell_price: sell.latest.price?,
        buy_source: buy.source.to_string(),
        sell_source: sell.source.to_string(),
        buy_observed_at: buy.latest.observed_at,
        sell_observed_at: sell.latest.observed_at,
        seller_id: buy.seller_id.as_deref().map(str::to_owned),
        condition: grade_of(&mut evaluation, pack),
        route: json!({ "buy": buy.subject, "sell": sell.subject }),
        route_key: route.key(case.book),
    };
    let tenant = case.profiles[one.tenant].tenant;
    let decision = decision(&mut evaluation, tenant, opportunity.opportunity_id, outcome, one.answer.reason(pack));
    let home = evaluation.known(pack.graph.id("home_currency")?)?;
    Some(Found { opportunity, decision, home_currency: home.to_string(), waterfall })
}

/// An evaluation as the answer to a tenant, with every fact.
pub fn decision(
    evaluation: &mut Evaluation<'_>,
    tenant: TenantId,
    opportunity_id: Uuid,
    outcome: Outcome,
    reason: Option<&str>,
) -> Decision {
    let pack = evaluation.pack();
    Decision {
        decision_id: Uuid::now_v7(),
        tenant,
        opportunity_id,
        outcome,
        reason: reason.map(str::to_owned),
        signal_type: if outcome == Outcome::Signal { evaluation.signal_type().map(|name| name.to_string()) } else { None },
        score: evaluation.score(),
        net_profit: pack.graph.id("net_profit").and_then(|id| evaluation.known(id)?.as_decimal()),
        flags: evaluation.flags().iter().map(ToString::to_string).collect(),
        facts: all_facts(evaluation, pack),
    }
}

fn grade_of(evaluation: &mut Evaluation<'_>, pack: &Pack) -> Option<Grade> {
    evaluation.known(pack.graph.id("condition")?)?.to_string().parse().ok()
}

/// Every fact that is known.
fn all_facts(evaluation: &mut Evaluation<'_>, pack: &Pack) -> Json {
    let facts: Map<String, Json> = pack
        .graph
        .ids()
        .filter_map(|id| match evaluation.slot(id) {
            Slot::Known(value) => Some((pack.graph.fact(id).name.clone(), eval::write(value))),
            _ => None,
        })
        .collect();
    Json::Object(facts)
}

/// Counts every reason, with what is behind it.
pub fn count_reasons(case: &Case<'_>, findings: &Findings) -> BTreeMap<String, ReasonLine> {
    let mut reasons: BTreeMap<String, ReasonLine> = BTreeMap::new();
    for (_, direction, answer, count) in findings.counts() {
        if let Some(reason) = answer.reason(case.pack) {
            let line = reasons.entry(reason.to_owned()).or_default();
            line.by_direction[direction as usize] += count;
        }
    }
    for (behind, count) in findings.behind() {
        if let Some(reason) = behind.answer.reason(case.pack)
            && let Some(detail) = detail(case, behind)
            && let Some(line) = reasons.get_mut(reason)
        {
            *line.details.entry(detail).or_default() += count;
        }
    }
    reasons
}

/// Counts of each tenant, for the database.
pub fn counts(case: &Case<'_>, findings: &Findings) -> Vec<ReasonCount> {
    let mut counted: BTreeMap<(usize, Direction, &str), usize> = BTreeMap::new();
    for (tenant, direction, answer, count) in findings.counts() {
        if let Some(reason) = answer.reason(case.pack) {
            *counted.entry((tenant, direction, reason)).or_default() += count;
        }
    }
    let row = |((tenant, direction, reason), count): ((usize, Direction, &str), usize)| ReasonCount {
        tenant: case.profiles[tenant].tenant,
        direction,
        reason: reason.to_owned(),
        count: i64::try_from(count).unwrap_or(i64::MAX),
    };
    counted.into_iter().map(row).collect()
}

/// What is behind a reason: the fact that is missing, the rule that failed, or the feed of the side that the gate is about.
fn detail(case: &Case<'_>, behind: Behind) -> Option<String> {
    let route = &case.routes[behind.route];
    if let Answer::Rejected(gate) = behind.answer {
        let index = match case.pack.gates[gate].side? {
            Side::Buy => route.buy,
            Side::Sell => route.sell,
        };
        let one = &case.book.series[index];
        return Some(format!("{} {} ({})", one.source, one.currency, one.latest.observed_at.date_naive()));
    }
    match case.replay(behind.route, behind.tenant, &[]).verdict() {
        Verdict::Incomplete { missing, .. } => Some(format!("{} unknown", case.pack.graph.fact(missing).name)),
        Verdict::Failed { fault, .. } => Some(fault.to_string()),
        Verdict::Signal | Verdict::Rejected { .. } => None,
    }
}
