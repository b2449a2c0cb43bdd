//! Small faults planted in a pack, one at a time: a test suite that notices none of them holds nothing.

mod figures;
mod formulas;

use std::sync::Arc;

use rayon::prelude::*;
use serde::Serialize;

use super::{Suite, coverage::percent};
use crate::rules::{
    diagnostic::{Place, Span},
    pack::Pack,
    source::PackSource,
};

/// One planted fault.
#[derive(Debug, Clone, Serialize)]
pub struct Mutant {
    /// What was changed, in words.
    pub what: String,
    #[serde(flatten)]
    pub place: Place,
    /// Texts of one file to be replaced.
    #[serde(skip)]
    edits: Vec<Edit>,
}

/// A stretch of a line, and what stands there instead.
#[derive(Debug, Clone)]
struct Edit {
    span: Span,
    from: String,
    to: String,
}

/// How the tests did against some mutants.
#[derive(Debug, Default, Serialize)]
pub struct Mutation {
    pub killed: usize,
    pub survivors: Vec<Mutant>,
    /// Mutants that did not load: the pack's own checks notice them.
    pub refused: usize,
    /// All that could be planted.
    pub possible: usize,
}

impl Mutation {
    pub const fn ran(&self) -> usize {
        self.killed + self.survivors.len()
    }

    /// Whole percent of those that loaded, rounded down.
    pub const fn percent(&self) -> usize {
        percent(self.killed, self.ran())
    }
}

/// What became of one mutant.
enum Fate {
    Refused,
    Killed,
    Survived,
}

/// Plants `wanted` faults, chosen by the seed, and sees which the tests notice. `also` are tests of other kinds: whether
/// one of them fails. `told` hears of each mutant that is done.
pub fn run(
    pack: &Pack,
    suite: &Suite,
    wanted: usize,
    seed: u64,
    also: &(dyn Fn(&Pack) -> bool + Sync),
    told: &(dyn Fn() + Sync),
) -> Mutation {
    let mut mutants = formulas::mutants(pack);
    mutants.extend(figures::mutants(&pack.source));
    shuffle(&mut mutants, seed);
    let mut mutation = Mutation { possible: mutants.len(), ..Mutation::default() };
    let mut left = mutants.into_iter();
    // those that do not load are made up for
    while mutation.ran() < wanted {
        let next: Vec<Mutant> = left.by_ref().take(wanted - mutation.ran()).collect();
        if next.is_empty() {
            break;
        }
        let fates: Vec<Fate> = next
            .par_iter()
            .map(|mutant| {
                let fate = fate(pack, suite, mutant, also);
                told();
                fate
            })
            .collect();
        for (mutant, fate) in next.into_iter().zip(fates) {
            match fate {
                Fate::Refused => mutation.refused += 1,
                Fate::Killed => mutation.killed += 1,
                Fate::Survived => mutation.survivors.push(mutant),
            }
        }
    }
    mutation.survivors.sort_by(|left, right| left.place.cmp(&right.place));
    mutation
}

fn fate(pack: &Pack, suite: &Suite, mutant: &Mutant, also: &(dyn Fn(&Pack) -> bool + Sync)) -> Fate {
    let Some(mutated) = mutant.planted(&pack.source).and_then(|source| Pack::from_source(source).ok()) else { return Fate::Refused };
    // a mutant changes numbers and operators, never names: facts stay where they are
    if mutated.graph.facts.len() != pack.graph.facts.len() {
        return Fate::Refused;
    }
    if suite.cases.iter().any(|case| case.fails(&mutated)) || also(&mutated) { Fate::Killed } else { Fate::Survived }
}

impl Mutant {
    /// The source with the fault in it; `None` where the text is not what it was thought to be.
    fn planted(&self, source: &PackSource) -> Option<PackSource> {
        let text = source.files.get(&self.place.file)?;
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        let mut edits: Vec<&Edit> = self.edits.iter().collect();
        // from the right, so that places before an edit stay where they are
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.span));
        for edit in edits {
            let line = lines.get_mut(edit.span.line.checked_sub(1)?)?;
            let start = line.char_indices().nth(edit.span.column.checked_sub(1)?)?.0;
            if !line[start..].starts_with(&edit.from) {
                return None;
            }
            line.replace_range(start..start + edit.from.len(), &edit.to);
        }
        let mut planted = source.clone();
        planted.files.insert(self.place.file.clone(), Arc::from(lines.join("\n")));
        Some(planted)
    }
}

/// Fisher and Yates, by a generator that is never to be changed: a seed stands for the same mutants for ever.
fn shuffle(mutants: &mut [Mutant], seed: u64) {
    let mut state = seed;
    let mut roll = || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    for last in (1..mutants.len()).rev() {
        let range = u64::try_from(last).unwrap_or(u64::MAX).saturating_add(1);
        mutants.swap(last, usize::try_from(roll() % range).unwrap_or(last));
    }
}
