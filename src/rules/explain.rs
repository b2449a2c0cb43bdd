//! Why a card is a deal or is not: the path through the gates, every value behind it, and what would flip the verdict.
//!
//! Made from an [`Evaluation`], so it says what the evaluation says: nothing is computed a second way.

pub(super) mod facts;
mod flip;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    graph::FactId,
    interpret::{Evaluation, Slot, Verdict},
    pack::{Pack, Side},
    value::Value,
};

pub use facts::{FactLine, InForce, Origin, RowLine};
pub use flip::{Flip, Then, Whose};

/// One evaluation, told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    pub pack: String,
    pub pack_hash: String,
    pub date: Option<NaiveDate>,
    pub outcome: Outcome,
    /// The reason code of anything but a signal.
    pub reason: Option<String>,
    /// Position of the gate that ended it.
    pub gate: Option<usize>,
    /// Of signals only.
    pub signal_type: Option<String>,
    pub score: Option<Decimal>,
    pub score_fact: Option<String>,
    pub flags: Vec<FlagLine>,
    pub gates: Vec<GateLine>,
    /// Names of facts: a total, what is taken off, what is left.
    pub waterfall: Vec<String>,
    /// Everything that the above rests on, each fact after those it reads.
    pub facts: Vec<FactLine>,
    /// The rows that tables chose.
    pub rows: Vec<RowLine>,
    /// What alone would let the gate pass that ended it, the smallest relative change first.
    pub flips: Vec<Flip>,
}

/// How the gates ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Signal,
    Rejected,
    /// A gate could not be answered.
    Incomplete,
    /// A rule failed.
    Failed,
}

impl Outcome {
    pub const fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Signal => Self::Signal,
            Verdict::Rejected { .. } => Self::Rejected,
            Verdict::Incomplete { .. } => Self::Incomplete,
            Verdict::Failed { .. } => Self::Failed,
        }
    }
}

/// A flag that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlagLine {
    pub flag: String,
    pub fact: String,
    pub doc: String,
}

/// One gate and what it said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GateLine {
    pub reason: String,
    pub fact: String,
    pub doc: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub side: Option<&'static str>,
    pub answer: Answer,
    /// The gate stands behind the one that ended it; its answer is what it would say if asked alone.
    pub beyond: bool,
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Passed,
    Rejected,
    /// This fact is missing to tell.
    Unknown(String),
    Fault(String),
    NotAsked,
}

impl Answer {
    /// Whether the gate would end the way here.
    pub const fn stops(&self) -> bool {
        matches!(self, Self::Rejected | Self::Unknown(_) | Self::Fault(_))
    }
}

impl Explanation {
    /// The fact of that name, if the explanation needed it.
    pub fn fact(&self, name: &str) -> Option<&FactLine> {
        self.facts.iter().find(|fact| fact.name == name)
    }

    /// The facts that some rest on, themselves included, each after those it reads.
    pub fn behind<'a>(&'a self, roots: impl IntoIterator<Item = &'a str>) -> Vec<&'a FactLine> {
        let mut open: Vec<&str> = roots.into_iter().collect();
        let mut wanted = BTreeSet::new();
        while let Some(name) = open.pop() {
            if wanted.insert(name) {
                open.extend(self.fact(name).iter().flat_map(|fact| fact.reads.iter().map(String::as_str)));
            }
        }
        self.facts.iter().filter(|fact| wanted.contains(fact.name.as_str())).collect()
    }

    /// The gate that ended it.
    pub fn stopped_at(&self) -> Option<&GateLine> {
        self.gates.get(self.gate?)
    }
}

/// Tells an evaluation. With `why_not`, the gates behind the first that stopped it are asked too, each alone.
pub fn explain(evaluation: &mut Evaluation<'_>, why_not: bool) -> Explanation {
    let pack = evaluation.pack();
    let verdict = evaluation.verdict();
    let stopped = match &verdict {
        Verdict::Signal => None,
        Verdict::Rejected { gate } | Verdict::Incomplete { gate, .. } | Verdict::Failed { gate, .. } => Some(*gate),
    };
    let gates: Vec<GateLine> = (0..pack.gates.len()).map(|gate| line_of(evaluation, gate, stopped, why_not)).collect();
    let flags: Vec<&super::pack::Flag> = pack.flags.iter().filter(|flag| evaluation.holds(flag.when)).collect();
    let asked = gates.iter().zip(&pack.gates).filter(|(line, _)| line.answer != Answer::NotAsked).map(|(_, gate)| gate.when);
    let rests_on: Vec<FactId> =
        asked.chain(pack.waterfall.iter().copied()).chain(pack.score).chain(flags.iter().map(|flag| flag.when)).collect();
    let (facts, rows) = facts::behind(evaluation, &rests_on);
    let date = match pack.graph.id("date").and_then(|id| evaluation.known(id)) {
        Some(Value::Date(date)) => Some(date),
        _ => None,
    };
    Explanation {
        pack: pack.name.clone(),
        pack_hash: pack.hash.clone(),
        date,
        outcome: Outcome::of(&verdict),
        reason: verdict.reason(pack).map(str::to_owned),
        gate: stopped,
        signal_type: if stopped.is_none() { evaluation.signal_type().map(|name| name.to_string()) } else { None },
        score: evaluation.score(),
        score_fact: pack.score.map(|id| pack.graph.fact(id).name.clone()),
        flags: flags
            .into_iter()
            .map(|flag| {
                let fact = pack.graph.fact(flag.when);
                FlagLine { flag: flag.flag.to_string(), fact: fact.name.clone(), doc: fact.doc.clone() }
            })
            .collect(),
        gates,
        waterfall: pack.waterfall.iter().map(|id| pack.graph.fact(*id).name.clone()).collect(),
        facts,
        rows,
        flips: stopped.map(|gate| flip::find(evaluation, gate)).unwrap_or_default(),
    }
}

fn line_of(evaluation: &mut Evaluation<'_>, gate: usize, stopped: Option<usize>, why_not: bool) -> GateLine {
    let pack: &Pack = evaluation.pack();
    let definition = &pack.gates[gate];
    let beyond = stopped.is_some_and(|stopped| gate > stopped);
    let answer = if beyond && !why_not { Answer::NotAsked } else { answer(evaluation, definition.when) };
    let fact = pack.graph.fact(definition.when);
    GateLine {
        reason: definition.reason.to_string(),
        fact: fact.name.clone(),
        doc: fact.doc.clone(),
        side: definition.side.map(|side| match side {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }),
        answer,
        beyond,
    }
}

fn answer(evaluation: &mut Evaluation<'_>, when: FactId) -> Answer {
    let graph = &evaluation.pack().graph;
    match evaluation.slot(when) {
        Slot::Known(Value::Bool(false)) => Answer::Passed,
        Slot::Known(Value::Bool(true)) => Answer::Rejected,
        Slot::Unknown(missing) => Answer::Unknown(graph.fact(*missing).name.clone()),
        Slot::Fault(fault) => Answer::Fault(fault.to_string()),
        Slot::Known(_) | Slot::Pending => Answer::Fault("the result is not true or false".to_owned()),
    }
}
