//! What must hold of every decision: an expression over facts, such as `signal implies net_profit > 0`.
//!
//! Whoever decides hands each decision over: a series, a replay.

use std::{ops::Range, sync::Arc};

use serde::Serialize;

use super::{
    Failure, Kind, Ran,
    picture::{self, Seen},
    walk,
};
use crate::rules::{
    ast::{self, Script},
    diagnostic::{Code, Diagnostic, Place, Sink},
    facts::Stage,
    graph::{Dependency, Fact, FactId, Kind as Computed},
    interpret::{Evaluation, Slot, Verdict},
    pack::Pack,
    sandbox::FUNCTIONS,
    value::{Type, Value},
    yaml::Node,
};

/// An invariant of a test file.
#[derive(Debug)]
pub struct Invariant {
    /// As it is written.
    pub text: String,
    pub place: Place,
    /// As Rhai has it.
    expanded: String,
    script: Script,
    asked: Vec<Asked>,
}

/// What a name in an invariant stands for.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Fact {
        fact: FactId,
        maybe: bool,
    },
    /// Whether the decision is a signal.
    Signal,
}

/// How an invariant has fared so far.
#[derive(Debug, Default, Clone, Serialize)]
pub struct Held {
    pub held: usize,
    /// Decisions that lacked a fact to tell.
    pub untold: usize,
    pub broken: usize,
    /// The first that broke it.
    pub failures: Vec<Failure>,
}

/// Broken decisions that are told of one invariant.
const MOST_TOLD: usize = 5;

/// Words of the language, and what stands for no fact.
const WORDS: [&str; 4] = ["true", "false", "if", "else"];

/// The name of the only function of an invariant's script.
const NAME: &str = "invariant";
fn is_of_signals(text: &str) -> bool {
    let condition = text.split_once(" implies ").map(|(condition, _)| condition.trim());
    // `signal && a || b` holds of others, too
    condition.is_some_and(|condition| condition == SIGNAL || condition.starts_with("signal && ") && !condition.contains("||"))
}

/// What stands for the verdict.
const SIGNAL: &str = "signal";

impl Invariant {
    /// Reads one; faults go to `sink`.
    pub(super) fn read(pack: &Pack, node: &Node, sink: &Sink) -> Option<Self> {
        let (text, place) = (node.text(sink, "an invariant")?, &node.place);
        let mut params: Vec<String> = Vec::new();
        let mut asked = Vec::new();
        let expanded = expand(pack, text);
        let mut sound = true;
        for word in names(&expanded) {
            let name = &expanded[word.clone()];
            if params.iter().any(|known| known == name) {
                continue;
            }
            let stands_for = if name == SIGNAL {
                Some(Asked::Signal)
            } else {
                let fact = name.strip_prefix("maybe_").unwrap_or(name);
                let place = text.find(name).map_or_else(|| place.clone(), |at| node.within(at, name));
                pack.graph.resolve(fact, &place, sink).map(|id| Asked::Fact { fact: id, maybe: fact != name })
            };
            sound &= stands_for.is_some();
            asked.extend(stands_for);
            params.push(name.to_owned());
        }
        if !sound {
            return None;
        }
        let (within, file) = (Sink::default(), Arc::from(format!("{}, an invariant", place.file)));
        let script = ast::compile(&pack.engine, &file, &format!("fn {NAME}({}) {{ {expanded} }}", params.join(", ")), &within);
        let faults = within.finish(|_, _| None);
        if let Some(fault) = faults.0.first() {
            let found = Diagnostic::error(Code::ScriptSyntax, place.clone(), format!("the invariant does not compile: {}", fault.message));
            sink.report(found.with_help("write an expression over facts, such as \"signal implies net_profit >= 0.10 * effective_buy\""));
            return None;
        }
        Some(Self { text: text.to_owned(), place: place.clone(), expanded, script: script?, asked })
    }

    /// Whether only signals can break it: `signal implies …`.
    pub fn is_of_signals(&self) -> bool {
        is_of_signals(&self.text)
    }

    /// Adds a formula to a copy of the pack that it was read for, so that it can be asked of all decisions at once, in
    /// columns: of signals whether it is broken, of all others whether it holds.
    pub fn add_to(&self, pack: &mut Pack, of_signals: bool) -> Option<FactId> {
        let mut text = self.expanded.clone();
        for word in names(&self.expanded).into_iter().rev().filter(|word| &self.expanded[word.clone()] == SIGNAL) {
            text.replace_range(word, if of_signals { "true" } else { "false" });
        }
        let asked = self.asked.iter().filter_map(|asked| match asked {
            Asked::Fact { fact, maybe } => Some(Dependency { fact: *fact, maybe: *maybe }),
            Asked::Signal => None,
        });
        let reads: Vec<Dependency> = asked.collect();
        let name = |read: &Dependency| format!("{}{}", if read.maybe { "maybe_" } else { "" }, pack.graph.fact(read.fact).name);
        let params: Vec<String> = reads.iter().map(name).collect();
        let not = if of_signals { "!" } else { "" };
        let text = format!("fn {NAME}({}) {{ {not}({text}) }}", params.join(", "));
        let script = ast::compile(&pack.engine, &self.script.file, &text, &Sink::default())?;
        let stage = reads.iter().map(|read| pack.graph.fact(read.fact).stage).max().unwrap_or(Stage::Constant);
        let id = FactId(pack.graph.facts.len());
        pack.graph.facts.push(Fact {
            name: self.text.clone(),
            kind: Computed::Derived { script: pack.scripts.len(), function: 0 },
            value_type: Some(Type::Bool),
            unit: None,
            possible: None,
            stage,
            doc: String::new(),
            place: Some(self.place.clone()),
            reads,
        });
        pack.scripts.push(script);
        for (from, changing) in [Stage::Constant, Stage::Card, Stage::Route, Stage::Tenant].into_iter().zip(&mut pack.from_stage) {
            changing.extend((stage >= from).then_some(id));
        }
        Some(id)
    }

    /// Holds a decision against it; `whose` says which, in a failure.
    pub fn check(&self, evaluation: &mut Evaluation<'_>, whose: &str, held: &mut Held) {
        let Some(arguments) = self.arguments(evaluation) else {
            held.untold += 1;
            return;
        };
        let mut seen = Seen::default();
        let answer = walk::run(&self.script, 0, arguments, &mut seen);
        let actual = match answer {
            Ok(Value::Bool(true)) => {
                held.held += 1;
                return;
            }
            Ok(Value::Unknown) => {
                held.untold += 1;
                return;
            }
            Ok(value) => value.to_string(),
            Err(fault) => format!("a fault: {fault}"),
        };
        held.broken += 1;
        if held.failures.len() < MOST_TOLD {
            let picture = self.script.functions.first().map(|rule| picture::statement("", &rule.body, &seen)).unwrap_or_default();
            held.failures.push(Failure {
                what: whose.to_owned(),
                expected: "true".to_owned(),
                actual,
                place: self.place.clone(),
                written: None,
                picture,
                trace: Vec::new(),
            });
        }
    }

    /// What its names stand for; `None` where one that is needed is not known.
    fn arguments(&self, evaluation: &mut Evaluation<'_>) -> Option<Vec<Value>> {
        self.asked
            .iter()
            .map(|asked| match asked {
                Asked::Signal => Some(Value::Bool(evaluation.verdict() == Verdict::Signal)),
                Asked::Fact { fact, maybe } => match evaluation.slot(*fact) {
                    Slot::Known(value) => Some(value.clone()),
                    Slot::Unknown(_) if *maybe => Some(Value::Unknown),
                    Slot::Unknown(_) | Slot::Fault(_) | Slot::Pending => None,
                },
            })
            .collect()
    }

    /// The invariant as a test, once all decisions were handed over; `None` where none of them could tell.
    pub fn ran(&self, held: &Held) -> Option<Ran> {
        (held.held + held.broken > 0).then(|| Ran {
            kind: Kind::Invariant,
            name: self.text.clone(),
            place: self.place.clone(),
            failures: held.failures.clone(),
        })
    }
}

impl Held {
    /// Two tallies as one.
    pub fn add(&mut self, other: Self) {
        self.held += other.held;
        self.untold += other.untold;
        self.broken += other.broken;
        self.failures.extend(other.failures);
        self.failures.truncate(MOST_TOLD);
    }
}

/// `sum(waterfall)` and `a implies b`, which Rhai does not have.
fn expand(pack: &Pack, text: &str) -> String {
    let lines: Vec<&str> = pack.waterfall.iter().map(|id| pack.graph.fact(*id).name.as_str()).collect();
    // the last line is what is left of the first
    let sum = lines.split_last().map(|(_, taken)| format!("({})", taken.join(" - "))).unwrap_or_default();
    let text = text.replace("sum(waterfall)", &sum);
    match text.split_once(" implies ") {
        Some((condition, consequence)) => format!("!({condition}) || ({consequence})"),
        None => text,
    }
}

/// Where the names of an expression stand: words that are not called, outside of texts.
fn names(text: &str) -> Vec<Range<usize>> {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let (mut found, mut quoted, mut begin) = (Vec::new(), false, None);
    for (at, letter) in text.char_indices().chain([(text.len(), ' ')]) {
        if letter == '"' {
            quoted = !quoted;
        }
        match (begin, is_letter(letter) && !quoted) {
            (None, true) => begin = Some(at),
            (Some(start), false) => {
                begin = None;
                let word = &text[start..at];
                let called = letter == '(' && FUNCTIONS.iter().any(|(name, ..)| *name == word);
                let number = word.starts_with(|letter: char| letter.is_ascii_digit());
                if !called && !number && !WORDS.contains(&word) {
                    found.push(start..at);
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_that_are_not_called() {
        let text = "!(signal) || (net_profit >= 0.10 * max(effective_buy, 1) && tier == \"tier_1\")";
        let found: Vec<&str> = names(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(found, ["signal", "net_profit", "effective_buy", "tier"]);
    }

    #[test]
    fn only_what_a_signal_alone_can_break_is_asked_of_signals_alone() {
        for text in ["signal implies net_profit > 0", "signal && tier == \"tier_1\" implies net_profit > 0"] {
            assert!(is_of_signals(text), "{text}");
        }
        for text in
            ["net_profit > 0", "signal || stale_buy_price implies net_profit > 0", "signal && a || b implies c", "!signal implies a"]
        {
            assert!(!is_of_signals(text), "{text}");
        }
    }
}
