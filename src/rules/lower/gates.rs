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
        let term = match self.fact(fact) {
            Ok(outcome) => {
                if let Shape::Number(Number { node, places, .. }) = outcome.value.shape {
                    found.score = Some((node, places));
                }
                let (told, untold) = (self.constant(code(count, kind::TOLD)), self.constant(code(count, kind::UNKNOWN)));
                let has_number = self.state.dag.truth(found.score.is_some());
                let known = self.state.dag.and(outcome.value.known, has_number);
                let unsound = self.state.dag.or(outcome.fault, outcome.doubt);
                let sound = self.state.dag.not(unsound);
                let known = self.state.dag.and(known, sound);
                let settled = self.select(known, told, untold);
                let open = self.constant(code(count, kind::OPEN));
                self.select(outcome.doubt, open, settled)
            }
            Err(_) => self.constant(code(count, kind::OPEN)),
        };
        found.terms.push(term);
        found
    }

    /// Adds the terms of these gates; false if one of them stops every row, so that no later one matters.
    fn gates(&mut self, range: std::ops::Range<usize>, terms: &mut Vec<NodeId>) -> bool {
        for gate in range {
            let outcome = self.fact(self.pack.gates[gate].when);
            let term = self.term(gate, &outcome);
            let bounds = self.state.dag.range(term);
            let passed = i128::from(passed(self.pack.gates.len()));
            if bounds.low < passed {
                terms.push(term);
            }
            if bounds.high < passed {
                return false;
            }
        }
        true
    }

    fn term(&mut self, gate: usize, outcome: &Result<Outcome, Refusal>) -> NodeId {
        let [open, failed, unknown, rejected] =
            [kind::OPEN, kind::FAILED, kind::UNKNOWN, kind::TOLD].map(|kind| self.constant(code(gate, kind)));
        let Ok(outcome) = outcome else { return open };
        let through = self.constant(passed(self.pack.gates.len()));
        let answered = match outcome.value.shape {
            Shape::Truth(truth) => self.select(truth, rejected, through),
            // what is no truth fails the gate
            Shape::Number(_) | Shape::Quotient(..) | Shape::Text(_) | Shape::Date(_) | Shape::Nothing => failed,
        };
        let told = self.select(outcome.value.known, answered, unknown);
        let sound = self.select(outcome.fault, failed, told);
        self.select(outcome.doubt, open, sound)
    }

    fn constant(&mut self, value: i64) -> NodeId {
        self.state.dag.constant(value.into())
    }

    /// Codes are small.
    fn select(&mut self, condition: NodeId, one: NodeId, two: NodeId) -> NodeId {
        self.state.dag.put(Op::Select(condition, one, two)).unwrap_or(one)
    }
}
