//! Leaves out of a side what no signal of the cards that are asked for can hang on.
//!
//! Few rows suit anybody, whatever is counted for them. So before anything is counted, each batch is asked which rows may
//! suit one of its tenants ([`Batch::hope`]), with every number that may be counted. Only such rows, those that are counted
//! together with them, and the batches that have hope are left.

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{Side, variants::Lanes};
use crate::{
    domain::book::CardIndex,
    rules::lower::{ALONE, Answer, Batch, Column, LANES, Machine, Slice},
};

/// So many rows, each with every number that may be counted for it, are asked about. Where there are more, it is cheaper to
/// count first.
const MOST: usize = 2 * LANES;

impl Side<'_> {
    /// The part of the side that matters to the cards' signals.
    pub fn narrowed(mut self, is_asked: impl Fn(CardIndex) -> bool) -> Self {
        let through = Answer::Signal { scored: true }.code(self.case.pack.gates.len());
        let is_open = |row: &usize| self.cards.codes[*row] == through && is_asked(self.card_of(*row));
        let rows: Vec<usize> = (0..self.routes.len()).filter(is_open).collect();
        let mut hoping = vec![false; self.routes.len()];
        let Some(lanes) = self.possible(&rows) else {
            for row in rows {
                hoping[row] = true;
            }
            return self.keep(&hoping);
        };
        let blocks: Vec<Vec<Column>> = lanes.blocks().into_iter().map(|block| self.pick(&lanes.rows[block])).collect();
        let asked = |machine: &mut Machine, batch: &Batch| {
            let mut rows = Vec::new();
            for (columns, block) in blocks.iter().zip(lanes.blocks()) {
                let counts = lanes.counts.iter().map(|counts| Slice::Numbers(&counts[block.clone()]));
                let columns: Vec<Slice<'_>> = columns.iter().map(Column::slice).chain(counts).collect();
                batch.hope(machine, &columns, block.len(), |lane| rows.push(lanes.rows[block.start + lane]));
            }
            rows.dedup();
            rows
        };
        let hoped: Vec<Vec<usize>> = self.batches.par_iter().map_init(Machine::default, |machine, batch| asked(machine, batch)).collect();
        self.batches = self.batches.into_iter().zip(&hoped).filter(|(_, rows)| !rows.is_empty()).map(|(batch, _)| batch).collect();
        hoped.into_iter().flatten().for_each(|row| hoping[row] = true);
        self.keep(&hoping)
    }

    /// Rows with every number that may be counted for them, unless there are too many.
    fn possible(&self, rows: &[usize]) -> Option<Lanes> {
        let sizes: Vec<FxHashMap<i64, usize>> = self.cards.groups.iter().map(|groups| self.sizes(groups)).collect();
        let mut lanes = Lanes::new(sizes.len());
        for row in rows {
            let most = self.cards.groups.iter().zip(&sizes).map(|(groups, sizes)| sizes.get(&groups[*row]).copied().unwrap_or(1));
            let most: Vec<usize> = most.collect();
            let together = most.iter().try_fold(1, |all: usize, most| all.checked_mul(*most))?;
            if lanes.rows.len().checked_add(together)? > MOST {
                return None;
            }
            for mut number in 0..together {
                let counts = most.iter().map(|most| {
                    let count = number % most + 1;
                    number /= most;
                    i64::try_from(count).unwrap_or(i64::MAX)
                });
                lanes.push(*row, &counts.collect::<Vec<_>>());
            }
        }
        Some(lanes)
    }

    /// How many cards each group has.
    fn sizes(&self, groups: &[i64]) -> FxHashMap<i64, usize> {
        let mut cards: FxHashMap<i64, (usize, Option<CardIndex>)> = FxHashMap::default();
        // rows stand in the order of their cards
        for (row, group) in groups.iter().enumerate().filter(|(_, group)| **group != ALONE) {
            let (count, last) = cards.entry(*group).or_default();
            *count += usize::from(last.replace(self.card_of(row)) != Some(self.card_of(row)));
        }
        cards.into_iter().map(|(group, (count, _))| (group, count)).collect()
    }

    /// Keeps the rows that there is hope for and those that are counted together with one of them.
    fn keep(mut self, hoping: &[bool]) -> Self {
        let of_hoping = |groups: &Vec<i64>| {
            groups.iter().zip(hoping).filter(|(group, hoping)| **hoping && **group != ALONE).map(|(group, _)| *group).collect()
        };
        let wanted: Vec<FxHashSet<i64>> = self.cards.groups.iter().map(of_hoping).collect();
        let is_counted = |row: usize| self.cards.groups.iter().zip(&wanted).any(|(groups, wanted)| wanted.contains(&groups[row]));
        let rows: Vec<usize> = (0..self.routes.len()).filter(|row| hoping[*row] || is_counted(*row)).collect();
        self.routes = rows.iter().map(|row| self.routes[*row]).collect();
        self.cards = self.cards.pick(&rows);
        self.hoping = Some(rows.into_iter().map(|row| hoping[row]).collect());
        self
    }
}
