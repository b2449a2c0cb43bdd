//! Shows that no decision rests on what came after it: sampled decisions are made again on history that ends there, and on
//! history that is garbage from there on. They must be the same to the byte.
//!
//! What counts as known is [`Row::counts_from`] here, whatever the clock of the plan says.
//!
//! [`Row::counts_from`]: crate::domain::history::Row::counts_from

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Plan, cursor::Cursor, step::chance, summary::Replay};
use crate::{
    domain::{card::CardId, history::History, market::Direction, observation::day_of, profile::Profile},
    rules::{
        interpret::{Evaluation, Slot},
        lower::Answer,
    },
    scan::{
        ScanError, columns,
        ground::Ground,
        judge::{Case, Judged},
        windows::Windows,
    },
};

/// What a passing route is sampled as, beside the reasons.
const SIGNAL: &str = "signal";
/// Moments that are looked at, at least.
const LEAST_STEPS: usize = 3;
/// Differences that are told.
const MOST_TOLD: usize = 20;

/// What a look-ahead check found.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    pub steps: usize,
    /// Decisions that were made three times.
    pub decisions: usize,
    /// Whether something passed or fell to each of these: all that the replay knows.
    pub reasons: BTreeSet<String>,
    /// None where no decision looks ahead.
    pub differences: Vec<Difference>,
    /// How many there are.
    pub found: usize,
}

/// A decision that came out otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub at: DateTime<Utc>,
    /// Position, from 1.
    pub tenant: usize,
    pub card_id: Option<CardId>,
    pub direction: Option<Direction>,
    /// What it was held against.
    pub against: &'static str,
    /// The fact, or what else differs.
    pub what: String,
    pub replayed: String,
    pub again: String,
}

/// A decision, wherever its route stands in a book: card, direction, both courses, tenant.
type Key = (usize, Direction, usize, usize, usize);

/// Everything that was decided at a moment for some tenants.
struct Decided {
    /// By reason.
    by_reason: BTreeMap<String, Vec<Key>>,
    readings: HashMap<Key, Vec<(String, String)>>,
    /// By tenant and reason: how many cards.
    counts: BTreeMap<(usize, String), usize>,
    signals: BTreeMap<usize, usize>,
}

/// Checks about `wanted` decisions of a replay, at least one for every reason that it gave.
///
/// # Errors
/// As the replay.
pub fn check(plan: &Plan<'_>, replay: &Replay, wanted: usize) -> Result<Checked, ScanError> {
    let chosen = choose(plan, replay);
    let pairs: usize = chosen.values().map(BTreeMap::len).sum();
    let quota = wanted.div_ceil(pairs.max(1)).max(1);
    let mut checked = Checked { steps: chosen.len(), ..Checked::default() };
    for (step, reasons) in &chosen {
        let at = plan.times[*step];
        let tenants: Vec<usize> = reasons.values().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let whole = decide(plan, plan.history, at, &tenants, &|decided| sample(plan, decided, quota))?;
        let keys: Vec<Key> = sample(plan, &whole, quota);
        checked.decisions += keys.len();
        checked.reasons.extend(whole.by_reason.keys().cloned());
        let mut found = Vec::new();
        for (tenant, signals) in &whole.signals {
            let replayed = replay.steps[*step].by_tenant[*tenant];
            if replayed != *signals {
                found.push(difference(at, *tenant, "the same history", "signals", replayed.to_string(), signals.to_string()));
            }
        }
        for (against, history) in
            [("history that ends there", cut(plan.history, at)), ("garbage from there on", garbled(plan.history, at, plan.seed))]
        {
            let again = decide(plan, &history, at, &tenants, &|_| keys.clone())?;
            compare(plan, at, against, (&whole, &again), &keys, &mut found);
        }
        checked.found += found.len();
        checked.differences.extend(found);
        checked.differences.truncate(MOST_TOLD);
    }
    Ok(checked)
}

/// By step: reasons that are looked at there, each with a tenant of whom it was said. Few steps that have all reasons.
fn choose(plan: &Plan<'_>, replay: &Replay) -> BTreeMap<usize, BTreeMap<String, usize>> {
    let mut places: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    for (step, seen) in replay.seen.iter().enumerate() {
        for (reason, tenant) in seen {
            places.entry(reason).or_default().push((step, *tenant));
        }
        if let Some(tenant) = replay.steps[step].by_tenant.iter().position(|signals| *signals > 0) {
            places.entry(SIGNAL).or_default().push((step, tenant));
        }
    }
    let mut reasons: Vec<(&str, Vec<(usize, usize)>)> = places.into_iter().collect();
    // the rarest first: the others are there, too
    reasons.sort_by_key(|(reason, places)| (places.len(), *reason));
    let mut chosen: BTreeMap<usize, BTreeMap<String, usize>> = BTreeMap::new();
    for (number, (reason, places)) in reasons.iter().enumerate() {
        let by_chance = || places.get(usize::try_from(chance(&[plan.seed, number as u64]) % places.len() as u64).unwrap_or(0));
        let place = places.iter().find(|(step, _)| chosen.contains_key(step) && chosen.len() >= LEAST_STEPS).or_else(by_chance);
        if let Some((step, tenant)) = place {
            chosen.entry(*step).or_default().insert((*reason).to_owned(), *tenant);
        }
    }
    chosen
}

/// A few decisions of every reason.
fn sample(plan: &Plan<'_>, decided: &Decided, quota: usize) -> Vec<Key> {
    let mut keys = Vec::new();
    for some in decided.by_reason.values() {
        let mut some: Vec<&Key> = some.iter().collect();
        some.sort_by_key(|key| (chance(&[plan.seed, key.0 as u64, key.2 as u64, key.3 as u64, key.4 as u64]), **key));
        keys.extend(some.into_iter().take(quota).copied());
    }
    keys
}

/// Decides a moment of a history from its beginning, and reads the decisions that are wanted.
fn decide(
    plan: &Plan<'_>,
    history: &History,
    at: DateTime<Utc>,
    tenants: &[usize],
    wanted: &dyn Fn(&Decided) -> Vec<Key>,
) -> Result<Decided, ScanError> {
    let windows = Windows::read(plan.pack, day_of(at))?;
    let mut cursor = Cursor::new(history, plan.clock);
    cursor.advance(at, windows.longest());
    let ground = Ground::of(cursor.book(), &windows, plan.pack, plan.settings)?;
    let profiles: Vec<Profile> = tenants.iter().map(|tenant| plan.profiles[*tenant].clone()).collect();
    let routes = plan.routes(history, &ground.routes);
    let case = ground.case(plan.pack, cursor.book(), &routes, &profiles);
    let findings = columns::judge(&case, usize::MAX, &|_| ());
    let stopped = findings.behind().filter(|(behind, _)| !matches!(behind.answer, Answer::Rejected(_)));
    let stopped = stopped.map(|(behind, _)| case.judge_one(behind.route, behind.tenant, Vec::new()));
    let all: Vec<Judged> = findings.signals().chain(findings.near_misses.iter().cloned()).chain(stopped).collect();
    let key = |one: &Judged| -> Key {
        let route = &case.routes[one.route];
        (route.card.0, route.direction, cursor.course_of(route.buy), cursor.course_of(route.sell), tenants[one.tenant])
    };
    let mut decided = Decided { by_reason: BTreeMap::new(), readings: HashMap::new(), counts: BTreeMap::new(), signals: BTreeMap::new() };
    let name = |answer: Answer| answer.reason(plan.pack).unwrap_or(SIGNAL).to_owned();
    for (tenant, _, answer, count) in findings.counts() {
        *decided.counts.entry((tenants[tenant], name(answer))).or_default() += count;
    }
    for one in crate::scan::report::best_signals(&case, &findings) {
        *decided.signals.entry(tenants[one.tenant]).or_default() += 1;
    }
    let mut judged: HashMap<Key, &Judged> = HashMap::with_capacity(all.len());
    for one in &all {
        decided.by_reason.entry(name(one.answer)).or_default().push(key(one));
        judged.insert(key(one), one);
    }
    for key in wanted(&decided) {
        if let Some(one) = judged.get(&key) {
            decided.readings.insert(key, reading(&case, one));
        }
    }
    Ok(decided)
}

/// Every fact of a decision as text, known or not.
fn reading(case: &Case<'_>, one: &Judged) -> Vec<(String, String)> {
    let mut evaluation: Evaluation<'_> = case.replay(one.route, one.tenant, &one.aggregates);
    let graph = &case.pack.graph;
    let mut lines = vec![("the verdict".to_owned(), one.answer.reason(case.pack).unwrap_or(SIGNAL).to_owned())];
    lines.extend(graph.ids().map(|id| {
        let text = match evaluation.slot(id) {
            Slot::Known(value) => value.to_string(),
            Slot::Unknown(root) => format!("unknown, for want of {}", graph.fact(*root).name),
            Slot::Fault(fault) => format!("a fault: {fault}"),
            Slot::Pending => "not computed".to_owned(),
        };
        (graph.fact(id).name.clone(), text)
    }));
    lines
}

fn difference(at: DateTime<Utc>, tenant: usize, against: &'static str, what: &str, replayed: String, again: String) -> Difference {
    Difference { at, tenant: tenant + 1, card_id: None, direction: None, against, what: what.to_owned(), replayed, again }
}

fn compare(
    plan: &Plan<'_>,
    at: DateTime<Utc>,
    against: &'static str,
    (whole, again): (&Decided, &Decided),
    keys: &[Key],
    found: &mut Vec<Difference>,
) {
    for key in keys {
        let about = |what: &str, replayed: String, other: String| Difference {
            card_id: plan.history.cards.get(key.0).map(|card| card.card_id.clone()),
            direction: Some(key.1),
            ..difference(at, key.4, against, what, replayed, other)
        };
        match (whole.readings.get(key), again.readings.get(key)) {
            (Some(lines), Some(others)) => {
                // the first that differs is the deepest: a fact stands after those that it reads
                let differs = lines.iter().zip(others).skip(1).chain(lines.iter().zip(others).take(1)).find(|(line, other)| line != other);
                found.extend(differs.map(|(line, other)| about(&line.0, line.1.clone(), other.1.clone())));
            }
            (Some(_), None) => found.push(about("the decision", "made".to_owned(), "another route, or none".to_owned())),
            (None, _) => {}
        }
    }
    let all: BTreeSet<&(usize, String)> = whole.counts.keys().chain(again.counts.keys()).collect();
    for count in all {
        let of = |decided: &Decided| decided.counts.get(count).copied().unwrap_or(0);
        if of(whole) != of(again) {
            found.push(difference(
                at,
                count.0,
                against,
                &format!("cards that are {}", count.1),
                of(whole).to_string(),
                of(again).to_string(),
            ));
        }
    }
}

/// The history as it was when it had come to a moment.
fn cut(history: &History, at: DateTime<Utc>) -> History {
    let now = at.timestamp_micros();
    let mut cut = history.clone();
    for course in &mut cut.courses {
        let known = course.rows.partition_point(|row| row.counts_from() <= now);
        course.rows.truncate(known);
        course.terms.truncate(known);
    }
    for counted in &mut cut.activity {
        counted.rows.retain(|row| row.known <= now);
    }
    cut.rates.retain(|rate| rate.known_at <= at);
    cut.flags.retain(|flag| flag.started_at <= at);
    cut
}

/// The history with nonsense after a moment.
fn garbled(history: &History, at: DateTime<Utc>, seed: u64) -> History {
    let now = at.timestamp_micros();
    let mut garbled = history.clone();
    for (index, course) in garbled.courses.iter_mut().enumerate() {
        let known = course.rows.partition_point(|row| row.counts_from() <= now);
        for (number, row) in course.rows[known..].iter_mut().enumerate() {
            row.spoil(chance(&[seed, index as u64, number as u64]));
        }
        for terms in course.terms.iter_mut().skip(known) {
            (terms.seller_rating, terms.seller_sales) = (None, Some(i64::from(u8::MAX)));
        }
    }
    for row in garbled.activity.iter_mut().flat_map(|counted| &mut counted.rows).filter(|row| row.known > now) {
        (row.sales_30d, row.active_listings) = (row.active_listings, row.sales_30d.map(|sales| sales + 1_000));
    }
    for rate in garbled.rates.iter_mut().filter(|rate| rate.known_at > at) {
        rate.units_per_eur += rate.units_per_eur;
    }
    garbled
}
