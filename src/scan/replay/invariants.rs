//! Invariants held against the decisions of a step, in columns as the decisions themselves.
//!
//! Each becomes a formula of a copy of the pack. As one more gate behind all others it lets every signal through that was
//! there before; one that is missing then is looked at by the interpreter. As the only gate it rejects what holds, so that
//! few are left; there a rejected route is judged as if its seller offered nothing else.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Plan, step::chance};
use crate::{
    domain::{book::CardIndex, market::Direction, observation::day_of},
    rules::{
        graph::FactId,
        lower::Answer,
        pack::{Gate, Pack},
        testing::invariants::{Held, Invariant},
    },
    scan::{
        ScanError,
        columns::{self, Prepared},
        findings::Findings,
        judge::{Case, Judged},
        part::Part,
        routes::Route,
    },
};

/// Rejected routes of a step that are drawn where the columns can't tell an invariant.
const INTERPRETED: usize = 200;
/// Rejected decisions that the columns tell in the time in which the interpreter tells a signal.
const AS_MANY: usize = 1_000;
/// Broken decisions of a step that are looked at one by one: fewer are told.
const LOOKED_AT: usize = 10;

/// What is decided: the best route of a tenant, card and direction.
type Decision = (usize, CardIndex, Direction);

/// The packs that ask.
pub struct Checks<'a> {
    invariants: &'a [Invariant],
    seed: u64,
    /// Rejected decisions of a step that there is time for.
    room: usize,
    /// All gates, then one for each invariant; nothing where there is none.
    signals: Option<Pack>,
    /// For each invariant that the rejected may break, a pack that has no other gate.
    others: Vec<Option<(FactId, Pack)>>,
}

impl<'a> Checks<'a> {
    /// # Errors
    /// The pack's own text is refused.
    pub fn of(plan: &Plan<'a>) -> Result<Self, ScanError> {
        let copy = || Pack::from_source(plan.pack.source.clone()).map_err(ScanError::Copy);
        let gate = |invariant: &Invariant, when| Gate { reason: "INVARIANT".into(), when, side: None, place: invariant.place.clone() };
        let mut checks = Self {
            invariants: plan.invariants,
            seed: plan.seed,
            room: plan.in_full.saturating_mul(AS_MANY),
            signals: None,
            others: Vec::new(),
        };
        for invariant in plan.invariants {
            if checks.signals.is_none() {
                checks.signals = Some(copy()?);
            }
            if let Some(pack) = &mut checks.signals {
                let broken = invariant.add_to(pack, true);
                pack.gates.extend(broken.map(|broken| gate(invariant, broken)));
            }
            let mut only = if invariant.is_of_signals() { None } else { Some(copy()?) };
            let holds = only.as_mut().and_then(|pack| invariant.add_to(pack, false));
            checks.others.push(holds.zip(only).map(|(holds, mut pack)| {
                (pack.gates, pack.aggregates, pack.score) = (vec![gate(invariant, holds)], Vec::new(), None);
                (holds, pack)
            }));
        }
        Ok(checks)
    }

    /// Holds every signal of a step against every invariant, and as many of the other decisions as there is time for.
    pub fn hold(&self, case: &Case<'_>, findings: &Findings) -> Vec<Held> {
        let Some(pack) = &self.signals else { return Vec::new() };
        let signals: Vec<Judged> = findings.signals().collect();
        let suspects = suspects(&case.by(pack), &signals);
        let decisions: usize = findings.counts().map(|(.., count)| count).sum();
        let drawn = Drawn { one_in: decisions.div_ceil(self.room.max(1)).max(1), seed: [self.seed, moment(case)] };
        let routes: Vec<Route>;
        let some = if drawn.one_in == 1 {
            case.about(case.routes)
        } else {
            routes = case.routes.iter().filter(|route| drawn.has(route.card)).cloned().collect();
            case.about(&routes)
        };
        let is_drawn = |one: &&Judged| drawn.has(case.routes[one.route].card);
        let known: HashSet<Decision> = signals.iter().filter(is_drawn).map(|one| decision(case, one)).collect();
        let hold = |(invariant, other): (&Invariant, &Option<(FactId, Pack)>)| {
            let mut held = Held { held: signals.len() - suspects.len(), ..Held::default() };
            let mut lacking = 0;
            for one in &suspects {
                let untold = held.untold;
                check(case, invariant, one, &mut held);
                lacking += usize::from(held.untold > untold && is_drawn(&one));
            }
            if !invariant.is_of_signals() {
                let told = other.as_ref().and_then(|(holds, pack)| ask(&some, &some.by(pack), (invariant, *holds), &known, lacking));
                held.add(told.unwrap_or_else(|| self.interpret(case, findings, invariant)));
            }
            held
        };
        self.invariants.iter().zip(&self.others).map(hold).collect()
    }

    /// Some of the rejected, by the interpreter: those behind rare stops, and others by chance.
    fn interpret(&self, case: &Case<'_>, findings: &Findings, invariant: &Invariant) -> Held {
        let mut held = Held::default();
        let (routes, tenants) = (case.routes.len() as u64, case.profiles.len() as u64);
        if routes == 0 || tenants == 0 {
            return held;
        }
        let told = findings.behind().take(INTERPRETED).map(|(behind, _)| (behind.route, behind.tenant));
        let by_chance = (0..INTERPRETED as u64).map(|number| {
            let place = |what, of: u64| usize::try_from(chance(&[self.seed, moment(case), number, what]) % of).unwrap_or(0);
            (place(0, routes), place(1, tenants))
        });
        for (route, tenant) in told.chain(by_chance) {
            let one = case.judge_one(route, tenant, Vec::new());
            if !one.is_signal() {
                check(case, invariant, &one, &mut held);
            }
        }
        held
    }
}

/// Cards that are drawn by chance where there is no time for all.
struct Drawn {
    one_in: usize,
    seed: [u64; 2],
}

impl Drawn {
    fn has(&self, card: CardIndex) -> bool {
        let [seed, step] = self.seed;
        self.one_in == 1 || chance(&[seed, step, card.0 as u64]).is_multiple_of(self.one_in as u64)
    }
}

/// Signals that are none, or others, where a broken invariant rejects.
fn suspects(asking: &Case<'_>, signals: &[Judged]) -> Vec<Judged> {
    let cards: BTreeSet<CardIndex> = signals.iter().map(|one| asking.routes[one.route].card).collect();
    let part = Part::of(&cards, asking.book, asking.routes, asking.pack);
    let case = asking.about(part.as_ref().map_or(asking.routes, |part| &part.routes));
    let found = Prepared::new(&case).map_or_else(|_| columns::judge(&case, 0, &|_| ()), |prepared| prepared.judge_part(&case, &cards));
    // a part has its routes in the order of all
    let mut all = (0..).zip(asking.routes);
    let places: Vec<usize> = case.routes.iter().filter_map(|route| all.find(|(_, one)| *one == route).map(|(place, _)| place)).collect();
    let kept = found.signals().filter_map(|one| Some(Judged { route: *places.get(one.route)?, ..one }));
    let kept: HashMap<(usize, usize), Judged> = kept.map(|one| ((one.tenant, one.route), one)).collect();
    signals.iter().filter(|one| kept.get(&(one.tenant, one.route)) != Some(*one)).cloned().collect()
}

/// What is said of everything but the signals, by a case whose only gate rejects what holds; nothing where the columns
/// can't tell. `lacking` signals are untold.
fn ask(
    case: &Case<'_>,
    asking: &Case<'_>,
    (invariant, holds): (&Invariant, FactId),
    signals: &HashSet<Decision>,
    lacking: usize,
) -> Option<Held> {
    let prepared = Prepared::new(asking).ok().filter(|prepared| !prepared.refuses(holds))?;
    let found = prepared.judge(asking, 0, &|_| ());
    let count = |is_meant: fn(&Answer) -> bool| -> usize {
        found.counts().filter(|(_, _, answer, _)| is_meant(answer)).map(|(.., count)| count).sum()
    };
    let rejected = count(|_| true).saturating_sub(signals.len());
    let mut held = Held { untold: count(|answer| matches!(answer, Answer::Unknown(_))).saturating_sub(lacking), ..Held::default() };
    let passing: Vec<Judged> = found.signals().filter(|one| !signals.contains(&decision(case, one))).collect();
    for one in passing.iter().take(LOOKED_AT) {
        check(case, invariant, one, &mut held);
    }
    held.broken += passing.len().saturating_sub(LOOKED_AT);
    // a rule failed: the invariant's own is a break, another's leaves it untold
    for (behind, count) in found.behind().filter(|(behind, _)| matches!(behind.answer, Answer::Failed(_) | Answer::Open(_))) {
        let mut once = Held::default();
        check(case, invariant, &case.judge_one(behind.route, behind.tenant, Vec::new()), &mut once);
        held.add(Held { untold: once.untold * count, broken: once.broken * count, ..once });
    }
    held.held = rejected.saturating_sub(held.untold + held.broken);
    Some(held)
}

/// Holds one decision against an invariant, by the interpreter.
fn check(case: &Case<'_>, invariant: &Invariant, one: &Judged, held: &mut Held) {
    let route = &case.routes[one.route];
    let card = case.book.card(route.card).map_or("?", |card| card.card_id.as_str());
    let whose = format!("{card} {} for tenant {} as of {}", route.direction, one.tenant + 1, day_of(case.book.as_of));
    invariant.check(&mut case.replay(one.route, one.tenant, &one.aggregates), &whose, held);
}

fn decision(case: &Case<'_>, one: &Judged) -> Decision {
    let route = &case.routes[one.route];
    (one.tenant, route.card, route.direction)
}

fn moment(case: &Case<'_>) -> u64 {
    case.book.as_of.timestamp().unsigned_abs()
}
