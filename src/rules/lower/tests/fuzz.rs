//! Interpreter and columns on random packs: the same verdict, score and facts, errors and unknowns among them.
//!
//! The same seed gives the same packs and rows. `TCG_RADAR_FUZZ_ROWS` and `TCG_RADAR_FUZZ_SEED` make a longer or another
//! run of it:
//!
//! ```sh
//! TCG_RADAR_FUZZ_ROWS=10000000 cargo test --release --lib lower::tests::fuzz -- --nocapture
//! ```

use std::{env, fmt::Write as _};

use rayon::prelude::*;

use super::{dice::Dice, generator, ground::Ground};
use crate::rules::{
    diagnostic::{Diagnostics, Severity},
    lower::Answer,
    pack::Pack,
    source::PackSource,
};

/// Rows, each for one tenant, that a pack is compared on.
const PAIRS: usize = 1_000;

/// What was seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub packs: usize,
    pub pairs: usize,
    pub signals: usize,
    pub rejected: usize,
    pub unknown: usize,
    pub failed: usize,
    /// Answers that only the interpreter can give.
    pub open: usize,
    /// Of packs in which nothing is hard to lower.
    pub open_of_tame: usize,
    pub facts: usize,
    pub facts_known: usize,
    pub facts_failed: usize,
    pub facts_open: usize,
    pub refused: usize,
    pub refused_of_tame: usize,
}

impl Seen {
    fn and(self, other: Self) -> Self {
        Self {
            packs: self.packs + other.packs,
            pairs: self.pairs + other.pairs,
            signals: self.signals + other.signals,
            rejected: self.rejected + other.rejected,
            unknown: self.unknown + other.unknown,
            failed: self.failed + other.failed,
            open: self.open + other.open,
            open_of_tame: self.open_of_tame + other.open_of_tame,
            facts: self.facts + other.facts,
            facts_known: self.facts_known + other.facts_known,
            facts_failed: self.facts_failed + other.facts_failed,
            facts_open: self.facts_open + other.facts_open,
            refused: self.refused + other.refused,
            refused_of_tame: self.refused_of_tame + other.refused_of_tame,
        }
    }

    pub fn count(&mut self, answer: Answer) {
        *match answer {
            Answer::Signal { .. } => &mut self.signals,
            Answer::Rejected(_) => &mut self.rejected,
            Answer::Unknown(_) => &mut self.unknown,
            Answer::Failed(_) => &mut self.failed,
            Answer::Open(_) => &mut self.open,
        } += 1;
    }
}

/// Rows, and which run of them.
fn asked() -> (usize, usize) {
    let number = |name: &str, usual: usize| env::var(name).map_or(usual, |text| text.replace('_', "").parse().unwrap());
    (number("TCG_RADAR_FUZZ_ROWS", 200_000), number("TCG_RADAR_FUZZ_SEED", 1))
}

#[test]
fn interpreter_and_columns_agree() {
    let (pairs, run) = asked();
    let first = run * 1_000_000;
    let packs = first..first + pairs.div_ceil(PAIRS);
    let seen = packs.into_par_iter().map(|number| random_pack(number as u64)).reduce(Seen::default, Seen::and);
    println!("{seen:?}");
    assert!(seen.pairs >= pairs, "{seen:?}");
    assert!(seen.facts_known * 4 > seen.facts && seen.facts_failed > 0 && seen.failed > 0 && seen.unknown > 0, "{seen:?}");
    assert!(seen.open_of_tame * 50 < seen.pairs, "the interpreter is asked seldom: {seen:?}");
}

fn random_pack(number: u64) -> Seen {
    let mut dice = Dice::seeded(number);
    let written = generator::pack(&mut dice);
    let pack = match Pack::from_source(written.source.clone()) {
        Ok(pack) => pack,
        Err(faults) => panic!("pack {number} is not sound: {}\n{}", errors(&faults), shown(&written.source)),
    };
    let ground = Ground::draw(&pack, &mut dice, PAIRS);
    let mut seen = ground.compare(&format!("pack {number}\n{}", shown(&written.source)));
    if !written.wild {
        seen.open_of_tame = seen.open;
        seen.refused_of_tame = seen.refused;
    }
    seen
}

/// What is wrong with a pack, without its warnings.
pub fn errors(faults: &Diagnostics) -> String {
    let errors = faults.0.iter().filter(|fault| fault.severity == Severity::Error);
    errors.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn shown(source: &PackSource) -> String {
    source.files.iter().fold(String::new(), |mut text, (name, content)| {
        let _ = writeln!(text, "--- {name}\n{content}");
        text
    })
}

#[test]
fn the_shipped_pack_means_the_same_fact_by_fact() {
    let pack = super::load("rules");
    let (pairs, run) = asked();
    let seen = Ground::draw(&pack, &mut Dice::seeded(run as u64), pairs / 500).compare("the shipped pack");
    assert_eq!((seen.refused, seen.open), (0, 0), "{seen:?}");
    assert!(seen.facts_known > seen.pairs, "{seen:?}");
}
