//! One step of a replay: a scan of what was known, and its signals in full, as far as there is room for them.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    Plan,
    cursor::Cursor,
    invariants::Checks,
    outcome::{After, HORIZONS, TOLERANCE_DAYS},
};
use crate::{
    domain::{
        book::CardIndex,
        market::Direction,
        money::{Currency, Rates, cents},
        observation::day_of,
    },
    rules::{graph::FactId, interpret::Evaluation, testing::invariants::Held, value::Value},
    scan::{
        ScanError, columns,
        findings::Findings,
        ground::Ground,
        judge::{Case, Judged},
        report::best_signals,
        windows::Windows,
    },
};

/// A signal in full.
#[derive(Debug, Clone, Serialize)]
pub struct Signal {
    pub at: DateTime<Utc>,
    /// Position among the replay's tenants.
    pub tenant: usize,
    #[serde(skip)]
    pub card: CardIndex,
    pub direction: Direction,
    /// Courses of both sides.
    #[serde(skip)]
    pub buy: usize,
    #[serde(skip)]
    pub sell: usize,
    /// It was none at the step before.
    pub is_new: bool,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub score: Option<Decimal>,
    /// In the tenant's currency.
    pub net_profit: Option<Decimal>,
    pub home: String,
    /// The same in euros.
    pub predicted: Option<Decimal>,
    /// In the currency of its market.
    pub buy_price: Decimal,
    /// What the rules hope to sell for, in the currency of its market.
    pub sell_price: Decimal,
    /// Of the pack's lines, in their order.
    pub waterfall: Vec<Option<Decimal>>,
    pub flags: Vec<String>,
    pub after: [After; HORIZONS.len()],
}

/// What a step came to.
#[derive(Debug)]
pub struct Taken {
    pub at: DateTime<Utc>,
    pub routes: usize,
    pub rates: Rates,
    pub regime: Option<String>,
    /// Verdicts: tenants × cards × directions with a route.
    pub decisions: usize,
    /// By tenant, best route of each card.
    pub by_tenant: Vec<usize>,
    pub new: usize,
    /// How many cards fell to each reason, by direction, and the first tenant that did.
    pub reasons: BTreeMap<String, ([usize; 2], usize)>,
    /// Cards that were a signal for somebody, and for how many.
    pub cards: BTreeMap<CardIndex, usize>,
    /// As many as there was room for.
    pub signals: Vec<Signal>,
    /// What was decided of the card that was asked for, by tenant and direction.
    pub asked: Vec<(usize, Direction, String)>,
    pub held: Vec<Held>,
}

/// Goes through moments one after the other.
pub struct Stepper<'a> {
    plan: &'a Plan<'a>,
    checks: &'a Checks<'a>,
    cursor: Cursor<'a>,
    /// Signals of the step before.
    before: HashSet<(usize, CardIndex)>,
    facts: Named,
}

/// Facts that a replay asks for by name.
struct Named {
    net_profit: Option<FactId>,
    home_currency: Option<FactId>,
    /// With everything that rests on it.
    sell_price: Option<(FactId, Vec<FactId>)>,
}

impl<'a> Stepper<'a> {
    pub fn new(plan: &'a Plan<'a>, checks: &'a Checks<'a>) -> Self {
        let graph = &plan.pack.graph;
        let facts = Named {
            net_profit: graph.id("net_profit"),
            home_currency: graph.id("home_currency"),
            sell_price: graph.id("sell_price").map(|id| (id, graph.dependents(id))),
        };
        Self { plan, checks, cursor: Cursor::new(plan.history, plan.clock), before: HashSet::new(), facts }
    }

    /// Decides everything as of a moment, later than the one before.
    ///
    /// # Errors
    /// The pack or the configuration lacks something that every scan needs.
    pub fn take(&mut self, at: DateTime<Utc>) -> Result<Taken, ScanError> {
        let plan = self.plan;
        let windows = Windows::read(plan.pack, day_of(at))?;
        self.cursor.advance(at, windows.longest());
        let book = self.cursor.book();
        let ground = Ground::of(book, &windows, plan.pack, plan.settings)?;
        let routes = plan.routes(plan.history, &ground.routes);
        let case = ground.case(plan.pack, book, &routes, plan.profiles);
        let findings = columns::judge(&case, 0, &|_| ());
        let signals = best_signals(&case, &findings);
        let key = |one: &Judged| (one.tenant, case.routes[one.route].card);
        let now: HashSet<(usize, CardIndex)> = signals.iter().map(key).collect();
        let mut taken = Taken {
            at,
            routes: case.routes.len(),
            rates: ground.rates.clone(),
            regime: ground.regime.clone(),
            decisions: 0,
            by_tenant: vec![0; plan.profiles.len()],
            new: signals.iter().filter(|one| !self.before.contains(&key(one))).count(),
            reasons: BTreeMap::new(),
            cards: BTreeMap::new(),
            signals: Vec::new(),
            asked: Vec::new(),
            held: self.checks.hold(&case, &findings),
        };
        for (tenant, direction, answer, count) in findings.counts() {
            taken.decisions += count;
            if let Some(reason) = answer.reason(plan.pack) {
                taken.reasons.entry(reason.to_owned()).or_insert(([0; 2], tenant)).0[direction as usize] += count;
            }
        }
        for one in &signals {
            taken.by_tenant[one.tenant] += 1;
            *taken.cards.entry(case.routes[one.route].card).or_default() += 1;
        }
        // new ones go first, among equals chance decides
        let mut chosen: Vec<(bool, u64, &Judged)> = signals
            .iter()
            .map(|one| {
                (
                    self.before.contains(&key(one)),
                    chance(&[plan.seed, one.tenant as u64, key(one).1.0 as u64, at.timestamp().unsigned_abs()]),
                    one,
                )
            })
            .collect();
        if chosen.len() > plan.in_full {
            chosen.select_nth_unstable_by_key(plan.in_full, |(stood, chance, _)| (*stood, *chance));
            chosen.truncate(plan.in_full);
        }
        chosen.sort_by_key(|(_, _, one)| key(one));
        for (stood, _, one) in chosen {
            let evaluation = case.replay(one.route, one.tenant, &one.aggregates);
            taken.signals.extend(self.signal(&case, &ground, one, evaluation, !stood));
        }
        if let Some(card) = plan.card.and_then(|card| book.cards.binary_search_by(|known| known.card_id.cmp(card)).ok()) {
            taken.asked = asked(&case, CardIndex(card), &findings);
        }
        self.before = now;
        Ok(taken)
    }

    /// The signal with its waterfall, and what became of it.
    fn signal(&self, case: &Case<'_>, ground: &Ground, one: &Judged, mut evaluation: Evaluation<'_>, is_new: bool) -> Option<Signal> {
        let route = &case.routes[one.route];
        let (bought, sold) = (&case.book.series[route.buy], &case.book.series[route.sell]);
        let net_profit = self.net_profit(&mut evaluation);
        let home = evaluation.known(self.facts.home_currency?)?.to_string();
        let per_euro = home.parse::<Currency>().ok().and_then(|home| ground.rates.market(Currency::Eur, home).ok())?;
        let in_euros = |amount: Option<Decimal>| amount?.checked_div(per_euro).map(cents);
        let waterfall = case.pack.waterfall.iter().map(|line| evaluation.known(*line)?.as_decimal()).collect();
        let flags = evaluation.flags().iter().map(ToString::to_string).collect();
        let kind = evaluation.signal_type().map(|name| name.to_string());
        let course = &self.plan.history.courses[self.cursor.course_of(route.sell)];
        let after = HORIZONS.map(|days| {
            let until = case.book.as_of + TimeDelta::days(days);
            let since = (until - TimeDelta::days(TOLERANCE_DAYS)).max(sold.latest.observed_at);
            let price = course.price_between(since, until);
            let sold = price.zip(self.facts.sell_price.as_ref()).and_then(|(price, (id, dependents))| {
                evaluation.pin(*id, Value::Decimal(cents(price)), dependents).ok()?;
                self.net_profit(&mut evaluation)
            });
            After { price, profit: in_euros(sold) }
        });
        Some(Signal {
            at: case.book.as_of,
            tenant: one.tenant,
            card: route.card,
            direction: route.direction,
            buy: self.cursor.course_of(route.buy),
            sell: self.cursor.course_of(route.sell),
            is_new,
            kind,
            score: one.score,
            net_profit,
            predicted: in_euros(net_profit),
            home,
            buy_price: bought.latest.price?,
            sell_price: sold.latest.price?,
            waterfall,
            flags,
            after,
        })
    }

    fn net_profit(&self, evaluation: &mut Evaluation<'_>) -> Option<Decimal> {
        evaluation.known(self.facts.net_profit?)?.as_decimal()
    }
}

/// What was decided of one card, by tenant and direction: the best of its routes.
fn asked(case: &Case<'_>, card: CardIndex, findings: &Findings) -> Vec<(usize, Direction, String)> {
    let mut best: BTreeMap<(usize, Direction), Judged> = BTreeMap::new();
    for (route, _) in case.routes.iter().enumerate().filter(|(_, route)| route.card == card) {
        for tenant in 0..case.profiles.len() {
            let signal = findings.signals().find(|one| (one.route, one.tenant) == (route, tenant));
            let one = signal.unwrap_or_else(|| case.judge_one(route, tenant, Vec::new()));
            let key = (tenant, case.routes[route].direction);
            if best.get(&key).is_none_or(|known| one.rank(case.pack) > known.rank(case.pack)) {
                best.insert(key, one);
            }
        }
    }
    let said = |one: &Judged| one.answer.reason(case.pack).unwrap_or("signal").to_owned();
    best.iter().map(|((tenant, direction), one)| (*tenant, *direction, said(one))).collect()
}

/// A number that looks like chance and is the same on every machine (splitmix64).
pub fn chance(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |state: u64, number| {
        let mut mixed = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}
