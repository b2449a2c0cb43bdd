//! The replay: scans of the past one after the other, each with what was known at its time, and what happened next.
//!
//! 1. [`window`]: which moments, and whether history covers them.
//! 2. [`cursor`]: the book of each moment, moved on by what became known since the one before.
//! 3. [`step`]: a scan of that book, by the columns, and the signals that are looked at in full.
//! 4. [`invariants`]: what has to hold of every decision, held against each.
//! 5. [`outcome`]: prices afterwards, against what was predicted.
//! 6. [`summary`]: all steps as one report.
//!
//! [`lookahead`] shows that no decision rests on what came after it.

pub mod cursor;
mod invariants;
pub mod lookahead;
pub mod outcome;
pub mod report;
pub mod step;
pub mod summary;
pub mod window;

use std::{
    borrow::Cow,
    sync::atomic::{AtomicUsize, Ordering},
};

use chrono::{DateTime, Utc};
use rayon::prelude::*;

use self::{
    cursor::Clock,
    invariants::Checks,
    step::{Stepper, Taken},
    summary::Replay,
};
use super::{ScanError, Settings, routes::Route};
use crate::{
    domain::{card::CardId, history::History, profile::Profile},
    rules::{pack::Pack, testing::invariants::Invariant},
};

/// What is replayed, and for whom.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    pub pack: &'a Pack,
    pub profiles: &'a [Profile],
    pub settings: &'a Settings,
    /// Moved in time already.
    pub history: &'a History,
    /// Moments at which everything is decided, ascending.
    pub times: &'a [DateTime<Utc>],
    pub clock: Clock,
    /// Chooses the signals that are looked at in full where there are too many.
    pub seed: u64,
    /// Signals of a step that are looked at in full, and a thousandth of the rejected that are held against invariants.
    pub in_full: usize,
    pub invariants: &'a [Invariant],
    /// Only these are decided, though all are read; every one where it is empty.
    pub cards: &'a [CardId],
    /// A card whose decisions are told step by step.
    pub card: Option<&'a CardId>,
}

impl Plan<'_> {
    /// The routes that are decided.
    fn routes<'r>(&self, history: &History, all: &'r [Route]) -> Cow<'r, [Route]> {
        if self.cards.is_empty() {
            return Cow::Borrowed(all);
        }
        let is_wanted = |route: &&Route| {
            let card = history.cards.get(route.card.0);
            card.is_some_and(|card| self.cards.contains(&card.card_id))
        };
        all.iter().filter(is_wanted).cloned().collect()
    }
}

/// Signals of a whole replay that are looked at in full, where nobody says otherwise.
pub const IN_FULL: usize = 50_000;

/// Replays the plan on all cores. Told how many steps are done.
///
/// # Errors
/// The pack or the configuration lacks something that every scan needs.
pub fn run(plan: &Plan<'_>, progress: &(dyn Fn(usize, usize) + Sync)) -> Result<Replay, ScanError> {
    let done = AtomicUsize::new(0);
    let checks = Checks::of(plan)?;
    // each thread goes through a stretch of its own; what was a signal just before it has to be known
    let stretch = plan.times.len().div_ceil(rayon::current_num_threads()).max(1);
    let stretches: Vec<Result<Vec<Taken>, ScanError>> = plan
        .times
        .par_chunks(stretch)
        .enumerate()
        .map(|(number, times)| {
            let mut stepper = Stepper::new(plan, &checks);
            if let Some(before) = (number * stretch).checked_sub(1) {
                stepper.take(plan.times[before])?;
            }
            times
                .iter()
                .map(|at| {
                    let taken = stepper.take(*at);
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, plan.times.len());
                    taken
                })
                .collect()
        })
        .collect();
    let steps: Vec<Vec<Taken>> = stretches.into_iter().collect::<Result<_, _>>()?;
    Ok(Replay::of(plan, steps.into_iter().flatten().collect()))
}
