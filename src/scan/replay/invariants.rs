//! Invariants held against every decision of a step, in columns as the decisions themselves.
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
    },
};

/// Routes of a step that are drawn where the columns can't tell an invariant.
const DRAWN: u64 = 200;
/// Broken decisions of a step that are looked at one by one: fewer are told.
const LOOKED_AT: usize = 10;

/// What is decided: the best route of a tenant, card and direction.
type Decision = (usize, CardIndex, Direction);

/// The packs that ask.
pub struct Checks<'a> {
    invariants: &'a [Invariant],
    seed: u64,
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
        let mut checks = Self { invariants: plan.invariants, seed: plan.seed, signals: None, others: Vec::new() };
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

    /// Holds every decision of a step against every invariant.
    pub fn hold(&self, case: &Case<'_>, findings: &Findings) -> Vec<Held> {
        let mut all = vec![Held::default(); self.invariants.len()];
        let Some(pack) = &self.signals else { return all };
        let signals: Vec<Judged> = findings.signals().collect();
        let decisions: usize = findings.counts().map(|(.., count)| count).sum();
        let places: HashSet<Decision> = signals.iter().map(|one| decision(case, one)).collect();
        let suspects = suspects(&case.by(pack), &signals);
        for ((invariant, other), held) in self.invariants.iter().zip(&self.others).zip(&mut all) {
            held.held = signals.len() - suspects.len();
            for one in &suspects {
                check(case, invariant, one, held);
            }
            if !invariant.is_of_signals() {
                let rejected = decisions - signals.len();
                let asked = other.as_ref().is_some_and(|(holds, pack)| ask(case, pack, (invariant, *holds), (&places, rejected), held));
                if !asked {
                    self.draw(case, findings, invariant, held);
                }
            }
        }
        all
    }

    /// Some of the rejected, by the interpreter: those behind rare stops, and others by chance.
    fn draw(&self, case: &Case<'_>, findings: &Findings, invariant: &Invariant, held: &mut Held) {
        let (routes, tenants) = (case.routes.len() as u64, case.profiles.len() as u64);
        if routes == 0 || tenants == 0 {
            return;
        }
        let told = findings.behind().take(usize::try_from(DRAWN).unwrap_or(0)).map(|(behind, _)| (behind.route, behind.tenant));
        let step = case.book.as_of.timestamp().unsigned_abs();
        let by_chance = (0..DRAWN).map(|number| {
            let place = |what, of: u64| usize::try_from(chance(&[self.seed, step, number, what]) % of).unwrap_or(0);
            (place(0, routes), place(1, tenants))
        });
        for (route, tenant) in told.chain(by_chance) {
            let one = case.judge_one(route, tenant, Vec::new());
            if !one.is_signal() {
                check(case, invariant, &one, held);
            }
        }
    }
}

/// Signals that are none, or others, where a broken invariant rejects.
fn suspects(asking: &Case<'_>, signals: &[Judged]) -> Vec<Judged> {
    let cards: BTreeSet<CardIndex> = signals.iter().map(|one| asking.routes[one.route].card).collect();
    let found = Prepared::new(asking).map_or_else(|_| columns::judge(asking, 0, &|_| ()), |prepared| prepared.judge_part(asking, &cards));
    let kept: HashMap<(usize, usize), Judged> = found.signals().map(|one| ((one.tenant, one.route), one)).collect();
    signals.iter().filter(|one| kept.get(&(one.tenant, one.route)) != Some(*one)).cloned().collect()
}

/// Asks of all that is no signal at once; false where the columns can't tell.
fn ask(
    case: &Case<'_>,
    pack: &Pack,
    (invariant, holds): (&Invariant, FactId),
    (signals, rejected): (&HashSet<Decision>, usize),
    held: &mut Held,
) -> bool {
    let asking = case.by(pack);
    let Some(prepared) = Prepared::new(&asking).ok().filter(|prepared| !prepared.refuses(holds)) else { return false };
    let found = prepared.judge(&asking, 0, &|_| ());
    let lacking = found.counts().filter(|(_, _, answer, _)| matches!(answer, Answer::Unknown(_)));
    let untold = lacking.map(|(.., count)| count).sum::<usize>().saturating_sub(held.untold);
    let mut others = Held { untold, ..Held::default() };
    let is_other = |one: &Judged| !signals.contains(&decision(case, one));
    let passing: Vec<Judged> = found.signals().filter(is_other).collect();
    for one in passing.iter().take(LOOKED_AT) {
        check(case, invariant, one, &mut others);
    }
    others.broken += passing.len().saturating_sub(LOOKED_AT);
    // a rule failed: the invariant's own is a break, another's leaves it untold
    for (behind, count) in found.behind().filter(|(behind, _)| matches!(behind.answer, Answer::Failed(_) | Answer::Open(_))) {
        let one = case.judge_one(behind.route, behind.tenant, Vec::new());
        let mut once = Held::default();
        check(case, invariant, &one, &mut once);
        others.add(Held { untold: once.untold * count, broken: once.broken * count, ..once });
    }
    others.held = rejected.saturating_sub(others.untold + others.broken);
    held.add(others);
    true
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
