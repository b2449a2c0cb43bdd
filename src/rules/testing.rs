//! The pack's own tests: the files of `tests/`, read against the pack and put to it.

mod cases;
pub mod course;
pub mod coverage;
mod expect;
mod format;
pub mod invariants;
pub mod junit;
pub mod mutate;
mod picture;
pub mod replays;
pub mod series;
pub mod update;
mod walk;

use chrono::NaiveDate;
use rayon::prelude::*;
use serde::Serialize;

use super::{
    diagnostic::{Diagnostics, Place, Sink},
    graph::FactId,
    pack::Pack,
    value::Value,
};
use coverage::Reached;
pub use expect::{Expected, Failure, Wanted, What};
use invariants::Invariant;
use replays::Replay;
use series::Series;

/// Everything that the test files of a pack ask.
#[derive(Debug, Default)]
pub struct Suite {
    pub cases: Vec<Case>,
    pub series: Vec<Series>,
    pub replays: Vec<Replay>,
    /// Of every decision of a series or a replay.
    pub invariants: Vec<Invariant>,
}

/// Facts that are given, and what must follow.
#[derive(Debug, Clone)]
pub struct Case {
    /// Unique among all files; a row of a table has its number in it.
    pub name: String,
    /// Where the case, or its row, stands.
    pub place: Place,
    pub as_of: NaiveDate,
    /// Each fact once.
    pub given: Vec<(FactId, Value)>,
    pub expected: Vec<Expected>,
}

impl Suite {
    /// Reads the test files that came with the pack.
    ///
    /// # Errors
    /// Everything that is wrong with them, at once.
    pub fn read(pack: &Pack) -> Result<Self, Diagnostics> {
        let sink = Sink::default();
        let suite = format::read(pack, &sink);
        let diagnostics = sink.finish(|file, line| pack.source.line(file, line));
        if diagnostics.has_errors() { Err(diagnostics) } else { Ok(suite) }
    }

    /// How many tests there are.
    pub fn len(&self) -> usize {
        self.cases.len() + self.series.len() + self.replays.len() + self.invariants.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keeps the tests that are asked for, by file and name.
    pub fn retain(&mut self, wanted: impl Fn(&str, &str) -> bool) {
        self.cases.retain(|case| wanted(&case.place.file, &case.name));
        self.series.retain(|series| wanted(&series.place.file, &series.name));
        self.replays.retain(|replay| wanted(&replay.place.file, &replay.name));
        self.invariants.retain(|invariant| wanted(&invariant.place.file, &invariant.text));
    }

    /// What the point cases reach of a pack.
    pub fn reach_of_cases(&self, pack: &Pack) -> Reached {
        self.cases.par_iter().map(|case| case.reach(pack)).reduce(Reached::default, Reached::and)
    }

    /// Puts the point cases to a pack, in the order of the files.
    pub fn run_cases(&self, pack: &Pack) -> Vec<Ran> {
        self.cases.par_iter().map(|case| case.run(pack)).collect()
    }
}

/// The kinds of test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Case,
    Series,
    Replay,
    Invariant,
}

/// A test that ran.
#[derive(Debug, Clone, Serialize)]
pub struct Ran {
    pub kind: Kind,
    pub name: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// None where it came out as expected.
    pub failures: Vec<Failure>,
}

/// What became of some tests.
#[derive(Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Outcome {
    pub ran: Vec<Ran>,
}

impl Outcome {
    /// The tests that did not come out as expected.
    pub fn failed(&self) -> impl Iterator<Item = &Ran> {
        self.ran.iter().filter(|ran| !ran.failures.is_empty())
    }
}

/// Puts every point case to the pack: what a new version must pass before it decides anything.
///
/// Reads nothing but what the pack was loaded from. A pack without tests passes, with nothing run.
///
/// # Errors
/// The test files cannot be read.
pub fn run_cases(pack: &Pack) -> Result<Outcome, Diagnostics> {
    Ok(Outcome { ran: Suite::read(pack)?.run_cases(pack) })
}
