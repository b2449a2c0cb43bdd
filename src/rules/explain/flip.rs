//! What would flip a verdict: one figure at a time is moved until the gate passes, by asking the evaluation itself.
//!
//! A gate need not answer in one direction only (a ratio may be too high or too low), so the search first probes near and
//! far on both sides and then halves the step between the last value that fails and the first that passes.

use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    Outcome,
    facts::{doc_of, show, unit_of},
};
use crate::{
    domain::money::{RATE_PLACES, round_half_up},
    rules::{
        facts::{Domain, Stage},
        graph::{FactId, Kind},
        interpret::{Evaluation, Slot, Verdict},
        pack::Pack,
        units::Unit,
        value::{Type, Value},
    },
};

/// One figure that alone would let the gate pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flip {
    pub fact: String,
    pub doc: String,
    pub whose: Whose,
    /// Empty for plain numbers and truths.
    pub unit: String,
    /// `None` where it is unknown today.
    pub from: Option<String>,
    /// The nearest value at which the gate passes.
    pub to: String,
    /// The change over the value; `None` where there is no number to compare with.
    pub change: Option<Decimal>,
    /// What would then come of it.
    pub then: Then,
    /// The nearest value on the same side that makes it a signal, where `to` does not.
    pub signal_from: Option<String>,
}

/// Whose figure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The card's, its prices' or its feeds'.
    Market,
    Rate,
    /// A setting of the tenant.
    Tenant,
    /// A parameter of the pack.
    Rules,
    /// Counted over several cards.
    Count,
}

/// Where the route would end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Then {
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub gate: Option<usize>,
    /// What the gate there asks.
    pub doc: Option<String>,
}

/// A figure as whole steps of its last decimal place.
#[derive(Debug, Clone, Copy)]
struct Steps {
    places: u32,
    low: i128,
    high: i128,
    now: Option<i128>,
}

impl Steps {
    fn read(number: Decimal, places: u32) -> Option<i128> {
        let mut number = number.normalize();
        (number.scale() <= places).then(|| number.rescale(places))?;
        (number.scale() == places).then(|| number.mantissa())
    }

    fn value(&self, steps: i128) -> Option<Decimal> {
        Decimal::try_from_i128_with_scale(steps, self.places).ok()
    }
}

/// Asks of each figure behind the gate whether it alone would let the gate pass, and from where on.
pub fn find(evaluation: &Evaluation<'_>, gate: usize) -> Vec<Flip> {
    let pack = evaluation.pack();
    let mut found: Vec<(Option<Decimal>, Flip)> = pack
        .graph
        .ids()
        .filter(|id| pack.graph.depends(pack.gates[gate].when, *id))
        .filter_map(|id| Search::new(evaluation, id, gate)?.run())
        .map(|flip| (flip.change, flip))
        .collect();
    found.sort_by(|(left, one), (right, other)| (left.is_none(), left, &one.fact).cmp(&(right.is_none(), right, &other.fact)));
    found.into_iter().map(|(_, flip)| flip).collect()
}

struct Search<'p> {
    evaluation: Evaluation<'p>,
    fact: FactId,
    gate: usize,
    whose: Whose,
    dependents: Vec<FactId>,
    now: Value,
}

impl<'p> Search<'p> {
    /// `None` for facts that are no figure of anybody, such as formulas.
    fn new(evaluation: &Evaluation<'p>, fact: FactId, gate: usize) -> Option<Self> {
        let pack = evaluation.pack();
        let mut evaluation = evaluation.clone();
        let definition = pack.graph.fact(fact);
        let whose = match definition.kind {
            Kind::Parameter(_) => Whose::Rules,
            Kind::Aggregate => Whose::Count,
            Kind::Input(input) => match (input.stage, input.domain) {
                (Stage::Tenant, Domain::Decimal { places: RATE_PLACES, .. }) => Whose::Rate,
                (Stage::Tenant, _) => Whose::Tenant,
                _ => Whose::Market,
            },
            Kind::Column { .. } | Kind::Derived { .. } => return None,
        };
        if !matches!(definition.value_type, Some(Type::Decimal | Type::Integer | Type::Bool)) {
            return None;
        }
        let now = match evaluation.slot(fact) {
            // a currency's rate to itself cannot move
            Slot::Known(Value::Decimal(number)) if whose == Whose::Rate && number.normalize() == Decimal::ONE => return None,
            Slot::Known(value) => value.clone(),
            // an unset setting falls back on a parameter, which is a figure of its own
            Slot::Unknown(_) if whose == Whose::Market => Value::Unknown,
            _ => return None,
        };
        Some(Self { evaluation, fact, gate, whose, dependents: pack.graph.dependents(fact), now })
    }

    fn run(mut self) -> Option<Flip> {
        if let Value::Bool(truth) = self.now {
            let other = Value::Bool(!truth);
            return (self.pin(other.clone()) && self.passes()).then(|| self.flip(&other, None, None));
        }
        if self.pack().graph.fact(self.fact).value_type == Some(Type::Bool) {
            return None;
        }
        let steps = self.steps()?;
        let nearest = [1, -1].into_iter().filter_map(|side| Some((self.nearest(&steps, steps.now, side, Self::passes)?, side)));
        let (to, side) = nearest.collect::<Vec<_>>().into_iter().min_by_key(|(to, _)| steps.now.map_or(0, |now| (to - now).abs()))?;
        let number = steps.value(to)?;
        let change = steps.now.filter(|now| *now != 0).and_then(|now| {
            let ratio = steps.value((to - now).abs())?.checked_div(steps.value(now.abs())?)?;
            Some(round_half_up(ratio, 6))
        });
        let to_value = self.value(number);
        let at_once = self.pin(to_value.clone()) && self.evaluation.verdict() == Verdict::Signal;
        let signal =
            if at_once { None } else { self.nearest(&steps, Some(to), side, |search| search.evaluation.verdict() == Verdict::Signal) };
        let signal = signal.and_then(|steps_to| steps.value(steps_to)).map(|number| self.value(number));
        self.pin(to_value.clone());
        Some(self.flip(&to_value, change, signal.as_ref()))
    }

    const fn pack(&self) -> &'p Pack {
        self.evaluation.pack()
    }

    fn value(&self, number: Decimal) -> Value {
        match self.pack().graph.fact(self.fact).value_type {
            Some(Type::Integer) => i64::try_from(number).map_or(Value::Unknown, Value::Integer),
            _ => Value::Decimal(number),
        }
    }

    fn pin(&mut self, value: Value) -> bool {
        value.is_known() && self.evaluation.pin(self.fact, value, &self.dependents).is_ok()
    }

    fn passes(&mut self) -> bool {
        let when = self.pack().gates[self.gate].when;
        matches!(self.evaluation.slot(when), Slot::Known(Value::Bool(false)))
    }

    fn steps(&self) -> Option<Steps> {
        let whole = |number: i64, places: u32| i128::from(number) * 10_i128.pow(places);
        let now = self.now.as_decimal();
        let definition = self.pack().graph.fact(self.fact);
        let (places, low, high) = match definition.kind {
            Kind::Input(input) => match input.domain {
                Domain::Decimal { places, min, max } => (places, whole(min, places), whole(max, places)),
                Domain::Integer { min, max } => (0, min.into(), max.into()),
                _ => return None,
            },
            // beyond a thousand cards of one seller nobody looks
            Kind::Aggregate => (0, 1, 1_000),
            // a parameter declares no range: up to ten thousand times its value, below zero only where that has a meaning
            _ => {
                let now = now?;
                // what is written as a whole number is a count of something
                let places = match definition.unit {
                    Some(unit) if unit == Unit::HOME => 2,
                    _ if now.scale() == 0 => 0,
                    _ => now.scale() + 2,
                };
                let bound = Steps::read(now, places)?.abs().max(10_i128.pow(places)).checked_mul(10_000)?;
                let signed = definition.unit == Some(Unit::HOME) || now < Decimal::ZERO;
                (places, if signed { -bound } else { 0 }, bound)
            }
        };
        let now = match now {
            Some(now) => Some(Steps::read(now, places)?),
            None => None,
        };
        Some(Steps { places, low, high, now })
    }

    /// The value nearest to `from`, on one side of it, of which `good` holds. Without a `from`, the lowest of all.
    fn nearest(&mut self, steps: &Steps, from: Option<i128>, side: i128, good: impl Fn(&mut Self) -> bool) -> Option<i128> {
        let start = match from {
            Some(from) => from,
            None if side > 0 => steps.low - 1,
            None => return None,
        };
        let mut bad = start;
        let probes = probes(steps, start, side);
        let mut at =
            |position: i128| steps.value(position).map(|number| self.value(number)).is_some_and(|value| self.pin(value) && good(self));
        for probe in probes {
            if !at(probe) {
                bad = probe;
                continue;
            }
            let mut passing = probe;
            while (passing - bad).abs() > 1 {
                let middle = bad + (passing - bad) / 2;
                if at(middle) {
                    passing = middle;
                } else {
                    bad = middle;
                }
            }
            return Some(passing);
        }
        None
    }

    /// Tells the value that is pinned.
    fn flip(&mut self, to: &Value, change: Option<Decimal>, signal: Option<&Value>) -> Flip {
        let pack = self.pack();
        let definition = pack.graph.fact(self.fact);
        let unit = unit_of(&mut self.evaluation, self.fact);
        let verdict = self.evaluation.verdict();
        let gate = match &verdict {
            Verdict::Signal => None,
            Verdict::Rejected { gate } | Verdict::Incomplete { gate, .. } | Verdict::Failed { gate, .. } => Some(*gate),
        };
        Flip {
            fact: definition.name.clone(),
            doc: doc_of(pack, self.fact),
            whose: self.whose,
            from: self.now.is_known().then(|| show(&self.now, &unit)),
            to: show(to, &unit),
            change,
            then: Then {
                outcome: Outcome::of(&verdict),
                reason: verdict.reason(pack).map(str::to_owned),
                gate,
                doc: gate.map(|gate| pack.graph.fact(pack.gates[gate].when).doc.clone()),
            },
            signal_from: signal.map(|value| show(value, &unit)),
            unit,
        }
    }
}

/// Where to look on one side of a value: at distances that double, at multiples and parts of the value, and at the end.
fn probes(steps: &Steps, from: i128, side: i128) -> Vec<i128> {
    let doubling = (0..100).map(|power| from + side * (1_i128 << power));
    // a window of values that is at least a quarter wide is not stepped over
    let mut scaled = Vec::new();
    for sign in [1, -1] {
        let mut scale = 1_i128;
        while scale <= steps.high.abs().max(steps.low.abs()) {
            scaled.push(sign * scale);
            scale += (scale / 4).max(1);
        }
    }
    let mut probes: Vec<i128> = doubling
        .chain(scaled)
        .chain([0, steps.low, steps.high])
        .filter(|probe| (probe - from) * side > 0 && (steps.low..=steps.high).contains(probe))
        .collect();
    probes.sort_unstable_by_key(|probe| (probe - from).abs());
    probes.dedup();
    probes
}
