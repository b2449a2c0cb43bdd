//! What a test expects, and how what it found is held against that.

use std::collections::BTreeSet;

use serde::Serialize;

use super::picture;
use crate::rules::{
    diagnostic::Place,
    explain::{FactLine, facts::behind},
    graph::FactId,
    interpret::{Evaluation, Slot, Verdict},
    pack::Pack,
    value::Value,
};

/// One expectation.
#[derive(Debug, Clone)]
pub struct Expected {
    pub what: What,
    pub wanted: Wanted,
    /// Where it is written.
    pub place: Place,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Fact(FactId),
    /// Signal or rejected.
    Verdict,
    Reason,
    /// All flags, in any order.
    Flags,
    Type,
    /// The fact for want of which a gate could not be answered.
    Missing,
}

/// What must come out.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// A value, or that nobody knows.
    Value(Value),
    /// A rule fails, with this in its message.
    Fault(String),
    /// Of everything but facts.
    Word(String),
    Words(BTreeSet<String>),
}

/// An expectation that was not met.
#[derive(Debug, Clone, Serialize)]
pub struct Failure {
    pub what: String,
    pub expected: String,
    pub actual: String,
    /// Where the expectation is written.
    #[serde(flatten)]
    pub place: Place,
    /// What came out, as it would be written in the test file; `None` where that is for people to decide.
    #[serde(skip)]
    pub written: Option<String>,
    /// The formula that decided, with the values that it met under it.
    pub picture: Vec<String>,
    /// Facts that it came from, each after those that it reads.
    pub trace: Vec<FactLine>,
}

/// Lines of a trace that somebody reads.
const LONGEST_TRACE: usize = 40;

impl Expected {
    /// The name that stands in the test file.
    pub fn name(&self, pack: &Pack) -> String {
        match self.what {
            What::Fact(id) => pack.graph.fact(id).name.clone(),
            What::Verdict => "verdict".to_owned(),
            What::Reason => "reason".to_owned(),
            What::Flags => "flags".to_owned(),
            What::Type => "type".to_owned(),
            What::Missing => "missing".to_owned(),
        }
    }

    /// Computes what is asked, and nothing else.
    pub fn ask(&self, evaluation: &mut Evaluation<'_>) {
        Found::of(self.what, evaluation);
    }

    pub fn holds(&self, evaluation: &mut Evaluation<'_>) -> bool {
        Found::of(self.what, evaluation).meets(&self.wanted)
    }

    /// Holds the expectation against an evaluation; `None` where it is met. What was `given` is traced no further.
    pub fn check(&self, evaluation: &mut Evaluation<'_>, given: &BTreeSet<FactId>) -> Option<Failure> {
        let found = Found::of(self.what, evaluation);
        if found.meets(&self.wanted) {
            return None;
        }
        let pack = evaluation.pack();
        let roots = roots(self.what, evaluation);
        Some(Failure {
            what: self.name(pack),
            expected: self.wanted.shown(),
            actual: found.shown(),
            place: self.place.clone(),
            written: if matches!(self.wanted, Wanted::Value(_)) { found.written() } else { None },
            picture: roots.iter().flat_map(|root| picture::of_fact(evaluation, *root)).collect(),
            trace: trace(evaluation, &roots, given),
        })
    }
}

impl Wanted {
    fn shown(&self) -> String {
        match self {
            Self::Value(value) => value.to_string(),
            Self::Fault(message) => format!("a fault: {message}"),
            Self::Word(word) => word.clone(),
            Self::Words(words) => listed(words),
        }
    }
}

fn listed(words: &BTreeSet<String>) -> String {
    if words.is_empty() { "none".to_owned() } else { words.iter().cloned().collect::<Vec<_>>().join(" ") }
}

/// What an evaluation answered.
#[derive(Debug)]
enum Found {
    Known(Value),
    /// For want of this fact.
    Unknown(String),
    Fault(String),
    Word(Option<String>),
    Words(BTreeSet<String>),
}

impl Found {
    fn of(what: What, evaluation: &mut Evaluation<'_>) -> Self {
        let pack = evaluation.pack();
        let word = |text: &str| Self::Word(Some(text.to_owned()));
        match what {
            What::Fact(id) => match evaluation.slot(id) {
                Slot::Known(value) => Self::Known(value.clone()),
                Slot::Unknown(root) => Self::Unknown(pack.graph.fact(*root).name.clone()),
                Slot::Fault(fault) => Self::Fault(fault.to_string()),
                Slot::Pending => Self::Fault("the fact was not computed".to_owned()),
            },
            What::Verdict => word(if evaluation.verdict() == Verdict::Signal { "signal" } else { "rejected" }),
            What::Reason => Self::Word(evaluation.verdict().reason(pack).map(str::to_owned)),
            What::Flags => Self::Words(evaluation.flags().iter().map(ToString::to_string).collect()),
            What::Type => Self::Word(evaluation.signal_type().map(|name| name.to_string())),
            What::Missing => match evaluation.verdict() {
                Verdict::Incomplete { missing, .. } => word(&pack.graph.fact(missing).name),
                _ => Self::Word(None),
            },
        }
    }

    fn meets(&self, wanted: &Wanted) -> bool {
        match (self, wanted) {
            (Self::Known(found), Wanted::Value(wanted)) => match (found.as_decimal(), wanted.as_decimal()) {
                (Some(found), Some(wanted)) => found == wanted,
                _ => found == wanted,
            },
            (Self::Unknown(_), Wanted::Value(wanted)) => !wanted.is_known(),
            (Self::Fault(found), Wanted::Fault(wanted)) => found.contains(wanted.as_str()),
            (Self::Word(found), Wanted::Word(wanted)) => found.as_deref().unwrap_or(NONE) == wanted,
            (Self::Words(found), Wanted::Words(wanted)) => found == wanted,
            _ => false,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Known(value) => value.to_string(),
            Self::Unknown(root) => format!("unknown, for want of {root}"),
            Self::Fault(fault) => format!("a fault: {fault}"),
            Self::Word(word) => word.clone().unwrap_or_else(|| NONE.to_owned()),
            Self::Words(words) => listed(words),
        }
    }

    fn written(&self) -> Option<String> {
        match self {
            Self::Known(value @ Value::Decimal(_)) => Some(format!("\"{value}\"")),
            Self::Known(Value::Text(text)) if !is_plain(text) => Some(format!("\"{text}\"")),
            Self::Known(value) => Some(value.to_string()),
            Self::Unknown(_) => Some("unknown".to_owned()),
            Self::Fault(_) | Self::Word(_) | Self::Words(_) => None,
        }
    }
}

/// Whether YAML reads the text as itself without quotes.
fn is_plain(text: &str) -> bool {
    let letters = text.bytes().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, b'_' | b'-'));
    let begins = text.starts_with(|letter: char| letter.is_ascii_alphabetic());
    letters && begins && !["unknown", "true", "false", "null", "yes", "no", "on", "off"].contains(&text.to_ascii_lowercase().as_str())
}

/// What a test writes for the reason of a signal, and for what is missing where nothing is.
pub(super) const NONE: &str = "none";

/// The facts that decided: the one that was asked, or that of the gate where a route ended, or those of the flags.
fn roots(what: What, evaluation: &mut Evaluation<'_>) -> Vec<FactId> {
    let pack = evaluation.pack();
    match what {
        What::Fact(id) => vec![id],
        What::Flags => pack.flags.iter().filter(|flag| evaluation.holds(flag.when)).map(|flag| flag.when).collect(),
        What::Type => pack.types.iter().filter_map(|kind| kind.when).collect(),
        What::Verdict | What::Reason | What::Missing => {
            let passed = evaluation.verdict().passed(pack);
            pack.gates.get(passed).map(|gate| gate.when).into_iter().collect()
        }
    }
}

/// What they came from, nearest last.
fn trace(evaluation: &mut Evaluation<'_>, roots: &[FactId], given: &BTreeSet<FactId>) -> Vec<FactLine> {
    let graph = &evaluation.pack().graph;
    let mut reached = BTreeSet::new();
    let mut open = roots.to_vec();
    while let Some(id) = open.pop() {
        if reached.insert(id) && !given.contains(&id) {
            open.extend(graph.fact(id).reads.iter().map(|read| read.fact));
        }
    }
    let (mut lines, _) = behind(evaluation, roots);
    lines.retain(|line| graph.id(&line.name).is_some_and(|id| reached.contains(&id)));
    for line in &mut lines {
        if graph.id(&line.name).is_some_and(|id| given.contains(&id)) {
            (line.place, line.formula) = (Some("given".to_owned()), None);
        }
    }
    let surplus = lines.len().saturating_sub(LONGEST_TRACE);
    lines.drain(..surplus);
    lines
}
