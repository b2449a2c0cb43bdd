//! Judges some cards for their signals alone. What none of them can hang on is left out.
//!
//! Few rows suit anybody, whatever is counted for them. So before anything is counted, it is asked which rows may suit
//! somebody, with every number that may be counted. Only such rows and those that are counted together with them are left.
//! Then all tenants count at once ([`super::counts`]), and are asked at once, by kind ([`Kinds`]), what suits them.

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::{
    Side,
    counts::Sizes,
    grouped::{
        Grouped,
        signals::{Counted, Laid},
    },
    groups::Groups,
    variants::Lanes,
};
use crate::{
    domain::book::CardIndex,
    rules::lower::{ALONE, Answer, ByKind, Column, Kinds, LANES, Machine, Part, Slice},
    scan::judge::Judged,
};

/// So many rows, each with every number that may be counted for it, are asked about. Where there are more, it is cheaper to
/// count first.
const MOST: usize = 2 * LANES;

/// The part of a side that matters to the signals of some cards.
pub struct Hopes<'a> {
    /// The rows that there is hope for, and those that are counted together with one of them.
    side: Side<'a>,
    kinds: &'a ByKind,
    /// By card: the rows that may suit somebody.
    rows: Vec<Vec<usize>>,
    /// By card that is not asked for: the rows that are there for what is counted.
    beside: Vec<Vec<usize>>,
}

impl<'a> Hopes<'a> {
    pub fn of(side: Side<'a>, kinds: &'a ByKind, is_asked: impl Fn(CardIndex) -> bool) -> Self {
        let through = Answer::Signal { scored: true }.code(side.case.pack.gates.len());
        let is_open = |row: &usize| side.cards.codes[*row] == through;
        let open: Vec<usize> = (0..side.routes.len()).filter(is_open).filter(|row| is_asked(side.card_of(*row))).collect();
        let mut is_hoping = vec![false; side.routes.len()];
        let hoping = side.possible(&open).map_or(open, |lanes| side.hoped(&kinds.judging, &lanes));
        for row in hoping {
            is_hoping[row] = true;
        }
        let kept = side.kept(&is_hoping);
        let side = side.keep(&kept);
        let rows = side.by_card(&(0..kept.len()).filter(|row| is_hoping[kept[*row]]).collect::<Vec<_>>());
        let is_beside = |row: &usize| side.cards.codes[*row] == through && !is_asked(side.card_of(*row));
        let beside = side.by_card(&(0..kept.len()).filter(is_beside).collect::<Vec<_>>());
        Self { side, kinds, rows, beside }
    }

    /// The signals of the cards.
    pub fn signals(self) -> Vec<Judged> {
        let Self { side, kinds, rows, beside } = self;
        if rows.is_empty() {
            return Vec::new();
        }
        let groups = Groups::of(&side);
        // columns are picked as they are read
        let [rows, beside] = [rows, beside].map(|rows| Grouped::of(&side, &rows, &groups, |_| false));
        let sizes = Sizes::of(&side, &kinds.counting, &groups);
        let counted = Counted { side: &side, kinds: &kinds.judging, groups: &groups, sizes: &sizes };
        let [rows, beside] = [&rows, &beside].map(|rows| Laid::of(rows, counted));
        let parts = kinds.judging.parts();
        let signals = |machine: &mut Machine, part: &Part<'_>| Grouped::signals(counted, part, machine, &rows, &beside);
        parts.par_iter().map_init(Machine::default, |machine, part| signals(machine, part)).flatten_iter().collect()
    }
}

impl Side<'_> {
    /// The rows that there is hope for.
    fn hoped(&self, kinds: &Kinds, lanes: &Lanes) -> Vec<usize> {
        let blocks: Vec<Vec<Column>> = lanes.blocks().into_iter().map(|block| self.pick_read(kinds, &lanes.rows[block])).collect();
        let hoped = kinds.parts().into_par_iter().map_init(Machine::default, |machine, part| {
            let mut hoping = Vec::new();
            for (columns, block) in blocks.iter().zip(lanes.blocks()) {
                let counts = lanes.counts.iter().map(|counts| Slice::Numbers(&counts[block.clone()]));
                let columns: Vec<Slice<'_>> = columns.iter().map(Column::slice).chain(counts).collect();
                part.hope(machine, &columns, block.len(), |lane| hoping.push(lanes.rows[block.start + lane]));
            }
            hoping.dedup();
            hoping
        });
        hoped.flatten_iter().collect()
    }

    /// What the cards' columns hold of some rows, where kinds read it.
    pub fn pick_read(&self, kinds: &Kinds, rows: &[usize]) -> Vec<Column> {
        let pick = |(number, column): (usize, &Column)| {
            if kinds.reads(number) { column.pick(rows.iter().copied()) } else { Column::new(true) }
        };
        self.cards.columns.iter().enumerate().map(pick).collect()
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

    /// The rows that there is hope for and those that are counted together with one of them.
    fn kept(&self, hoping: &[bool]) -> Vec<usize> {
        let of_hoping = |groups: &Vec<i64>| {
            groups.iter().zip(hoping).filter(|(group, hoping)| **hoping && **group != ALONE).map(|(group, _)| *group).collect()
        };
        let wanted: Vec<FxHashSet<i64>> = self.cards.groups.iter().map(of_hoping).collect();
        let is_counted = |row: usize| self.cards.groups.iter().zip(&wanted).any(|(groups, wanted)| wanted.contains(&groups[row]));
        (0..self.routes.len()).filter(|row| hoping[*row] || is_counted(*row)).collect()
    }

    fn keep(self, rows: &[usize]) -> Self {
        Self { routes: rows.iter().map(|row| self.routes[*row]).collect(), cards: self.cards.pick(rows), ..self }
    }

    /// Rows, in their order, by card.
    fn by_card(&self, rows: &[usize]) -> Vec<Vec<usize>> {
        rows.chunk_by(|one, next| self.card_of(*one) == self.card_of(*next)).map(<[usize]>::to_vec).collect()
    }
}
