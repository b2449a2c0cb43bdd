//! Turns gates into one number: how far a row comes, and how that was told.
//!
//! Each gate that may stop a row is a *term*: a number that is lower, the earlier the gate, or [`passed`] where the gate
//! lets the row through. The row's code is the least of its terms, so terms may be taken together in any order, and what
//! tenants have in common is taken together first.

use super::{
    body::Outcome,
    dag::{NodeId, Op},
    facts::Builder,
    refusal::Refusal,
    value::{Number, Shape},
};
use crate::rules::{facts::Stage, graph::FactId, pack::Pack};

/// How a row stopped at a gate. A higher one tells more, and is preferred among routes of a card that got equally far.
pub mod kind {
    /// Only the interpreter can tell.
    pub const OPEN: i64 = 0;
    /// A rule failed.
    pub const FAILED: i64 = 1;
    /// A fact is unknown; of signals, the score.
    pub const UNKNOWN: i64 = 2;
    /// The gate rejected; of signals, there is a score.
    pub const TOLD: i64 = 3;
    pub const COUNT: u8 = 4;
}

/// A code's parts.
pub fn code(gate: usize, kind: i64) -> i64 {
    // packs have a few dozen gates
    i64::try_from(gate).unwrap_or(i64::MAX >> 8) * i64::from(kind::COUNT) + kind
}

/// The code of a row that every gate lets through.
pub fn passed(gates: usize) -> i64 {
    code(gates, kind::TOLD)
}

/// What a tenant makes of rows.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Least is first; gates that never stop a row have none.
    pub terms: Vec<NodeId>,
    /// The score and its decimal places.
    pub score: Option<(NodeId, u32)>,
}

/// How many gates, from the first on, depend on no tenant.
pub fn leading(pack: &Pack) -> usize {
    let shared = |when: FactId| pack.graph.fact(when).stage < Stage::Tenant;
    pack.gates.iter().take_while(|gate| shared(gate.when)).count()
}

impl Builder<'_> {
    /// The terms of the gates that no tenant changes, from the first on.
    pub fn screen(&mut self) -> Vec<NodeId> {
        let mut terms = Vec::new();
        self.gates(0..leading(self.pack), &mut terms);
        terms
    }

    /// The terms of the other gates and the score, for the tenant at hand.
    pub fn terms(&mut self) -> Terms {
        let count = self.pack.gates.len();
        let mut found = Terms::default();
        if !self.gates(leading(self.pack)..count, &mut found.terms) {
            return found;
        }
        let Some(fact) = self.pack.score else {
            found.terms.push(self.constant(code(count, kind::UNKNOWN)));
            return found;
        };
        let ways = match self.fact(fact) {
            Ok(outcome) => {
                if let Shape::Number(Number { node, places, .. }) = outcome.value.shape {
                    found.score = Some((node, places));
                }
                let dag = &mut self.state.dag;
                let (has_number, sound) = (dag.truth(found.score.is_some()), dag.not(outcome.fault));
                let told = dag.and(outcome.value.known, sound);
                let told = dag.and(told, has_number);
                vec![(outcome.doubt, kind::OPEN), (dag.not(told), kind::UNKNOWN)]
            }
            Err(_) => vec![(self.state.dag.truth(true), kind::OPEN)],
        };
        let terms = self.terms_of(count, ways);
        found.terms.extend(terms);
        found
    }

    /// Adds the terms of these gates; false if one of them stops every row, so that no later one matters.
    fn gates(&mut self, range: std::ops::Range<usize>, terms: &mut Vec<NodeId>) -> bool {
        let passed = i128::from(passed(self.pack.gates.len()));
        for gate in range {
            let outcome = self.fact(self.pack.gates[gate].when);
            for term in self.stops(gate, &outcome) {
                let bounds = self.state.dag.range(term);
                if bounds.low < passed {
                    terms.push(term);
                }
                if bounds.high < passed {
                    return false;
                }
            }
        }
        true
    }

    /// The terms of a gate, one for each way in which it may stop a row. Of ways that hold together the one with the least
    /// code decides, so none of them asks for the others: what tells that a fact is known is shared among tenants even if
    /// the fact itself is not.
    fn stops(&mut self, gate: usize, outcome: &Result<Outcome, Refusal>) -> Vec<NodeId> {
        let Ok(outcome) = outcome else { return vec![self.constant(code(gate, kind::OPEN))] };
        let unknown = self.state.dag.not(outcome.value.known);
        let mut ways = vec![(outcome.doubt, kind::OPEN), (outcome.fault, kind::FAILED), (unknown, kind::UNKNOWN)];
        match outcome.value.shape {
            Shape::Truth(truth) => ways.push((truth, kind::TOLD)),
            // what is no truth fails the gate, where it is known
            Shape::Number(_) | Shape::Quotient(..) | Shape::Text(_) | Shape::Date(_) => ways.push((outcome.value.known, kind::FAILED)),
            Shape::Nothing => {}
        }
        self.terms_of(gate, ways)
    }

    /// A term for each condition, and what a row is called where it holds.
    fn terms_of(&mut self, gate: usize, ways: Vec<(NodeId, i64)>) -> Vec<NodeId> {
        let through = self.constant(passed(self.pack.gates.len()));
        let mut terms = Vec::with_capacity(ways.len());
        for (stops, kind) in ways {
            let stopped = self.constant(code(gate, kind));
            terms.push(self.select(stops, stopped, through));
        }
        terms
    }

    fn constant(&mut self, value: i64) -> NodeId {
        self.state.dag.constant(value.into())
    }

    /// Codes are small.
    fn select(&mut self, condition: NodeId, one: NodeId, two: NodeId) -> NodeId {
        self.state.dag.put(Op::Select(condition, one, two)).unwrap_or(one)
    }
}
