//! Judges the rows that are counted together with others.
//!
//! What was counted differs from tenant to tenant, but takes few values. So a row has a lane for each value that any
//! tenant of the batch has counted ([`variants`]): then all tenants judge the same lanes, and what they have in common is
//! computed once. Each tenant reads its own. Where some of a group's cards fall through, the rest is judged once more with
//! the smaller count: once and no further, as [`super::super::judge`] has it.
//!
//! [`variants`]: super::variants

mod fallen;
pub mod signals;

use std::{collections::BTreeMap, ops::Range};

use rust_decimal::Decimal;

use super::{
    Side,
    groups::{self, Counted, Groups},
    tally::{Seat, Tally, best_of, code, is_open},
    variants::{Lanes, Variants},
};
use crate::rules::{
    graph::FactId,
    lower::{Batch, Codes, Column, Machine, Scores, Slice},
};

/// The open rows of cards of which at least one row is counted together with others.
#[derive(Debug)]
pub struct Grouped {
    rows: Vec<usize>,
    /// Cards with as many rows stand together.
    shelves: Vec<Shelf>,
    /// By aggregate: the group of each row, if it belongs to one.
    pub group_of: Vec<Vec<Option<usize>>>,
    /// By aggregate: of the rows of a card that belong to one group, the first.
    first_of: Vec<Vec<usize>>,
    columns: Vec<Column>,
}

/// Cards with as many rows: first the first row of every card, then the second of every card, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shelf {
    rows: Range<usize>,
    cards: usize,
}

impl Shelf {
    /// The rows of a card, in their order.
    fn of(&self, card: usize) -> impl Iterator<Item = usize> + Clone + use<> {
        self.rows.clone().skip(card).step_by(self.cards)
    }
}

/// What the tenants of a batch make of the rows.
struct Told {
    /// The codes of each tenant's rows, one tenant after the other.
    codes: Vec<u8>,
    /// By tenant: signals, before it is known whether the rest of their groups are.
    passing: Vec<Vec<Passing>>,
    /// By tenant: whether only the interpreter could tell something.
    open: Vec<bool>,
}

#[derive(Debug, Clone, Copy)]
struct Passing {
    row: usize,
    score: Option<Decimal>,
}

/// A row that is judged again.
#[derive(Debug)]
struct Again {
    row: usize,
    lane: usize,
    code: u8,
    score: Option<Decimal>,
}

impl Grouped {
    /// `cards` are rows by card; only some columns are read.
    pub fn of(side: &Side<'_>, cards: &[Vec<usize>], groups: &Groups, is_read: impl Fn(usize) -> bool) -> Self {
        let mut by_count: BTreeMap<usize, Vec<&Vec<usize>>> = BTreeMap::new();
        cards.iter().filter(|rows| !rows.is_empty()).for_each(|rows| by_count.entry(rows.len()).or_default().push(rows));
        let (mut rows, mut shelves) = (Vec::new(), Vec::new());
        for (count, cards) in by_count {
            let start = rows.len();
            rows.extend((0..count).flat_map(|number| cards.iter().map(move |rows| rows[number])));
            shelves.push(Shelf { rows: start..rows.len(), cards: cards.len() });
        }
        let group = |aggregate: usize| rows.iter().map(|row| groups.place(*row).and_then(|place| groups.group(aggregate, place))).collect();
        let group_of: Vec<Vec<Option<usize>>> = (0..side.cards.groups.len()).map(group).collect();
        let first_of = |group_of: &Vec<Option<usize>>| {
            let of = |shelf: &Shelf, row: usize| {
                shelf.of((row - shelf.rows.start) % shelf.cards).find(|first| group_of[*first] == group_of[row])
            };
            shelves.iter().flat_map(|shelf| shelf.rows.clone().map(move |row| of(shelf, row).unwrap_or(row))).collect()
        };
        let pick = |(number, column): (usize, &Column)| {
            if is_read(number) { column.pick(rows.iter().copied()) } else { Column::new(true) }
        };
        Self {
            first_of: group_of.iter().map(first_of).collect(),
            shelves,
            group_of,
            columns: side.cards.columns.iter().enumerate().map(pick).collect(),
            rows,
        }
    }

    /// How many rows there are.
    pub const fn count(&self) -> usize {
        self.rows.len()
    }

    /// Judges the rows for the tenants of a batch.
    pub fn judge(
        &self,
        side: &Side<'_>,
        batch: &Batch,
        machine: &mut Machine,
        (counted, groups): (&Counted<'_>, &Groups),
        tally: &mut Tally,
    ) {
        if self.rows.is_empty() {
            return;
        }
        let mut told = self.first(side, batch, machine, (counted, groups), tally);
        let counts = |position: usize, aggregate: usize, group: usize| counted.sizes(position, aggregate).get(group).copied().unwrap_or(0);
        let (lanes, mut again) = self.fallen(groups, counts, &told.passing, None);
        self.judge_again(side, batch, machine, &lanes, &mut again);
        let mut best = Vec::new();
        for (position, tenant) in batch.tenants.iter().enumerate() {
            let seat = Seat { position, tenant: *tenant };
            let codes = &mut told.codes[position * self.rows.len()..][..self.rows.len()];
            again[position].iter().for_each(|one| codes[one.row] = one.code);
            self.tell(side, seat, (counted, groups), codes, &told.passing[position], (&lanes, &again[position]), &mut best, tally);
        }
    }

    /// Judges the rows for tenants whom none suits, whatever is counted. Those who are alike are judged once. False if more
    /// has to be told of a row than how often it stopped: then nothing was done.
    pub fn judge_uncounted(&self, batch: &Batch, machine: &mut Machine, tally: &mut Tally) -> bool {
        let count = self.rows.len();
        let lanes = Lanes { rows: (0..count).collect(), counts: vec![vec![1; count]; self.group_of.len()] };
        let mut codes: Vec<Vec<u8>> = vec![Vec::new(); batch.tenants.len()];
        for block in lanes.blocks() {
            self.run(batch, machine, &lanes, block.clone(), |position, told, _| {
                if batch.alike[position] == position {
                    codes[position].extend((0..block.len()).map(|lane| told.of(lane)));
                }
            });
        }
        if !codes.iter().flatten().all(|code| tally.is_settled(*code)) {
            return false;
        }
        let mut best = Vec::new();
        let stops: Vec<Vec<(u8, u32)>> = codes
            .iter()
            .map(|codes| {
                let mut stops: BTreeMap<u8, u32> = BTreeMap::new();
                for shelf in self.shelves.iter().filter(|_| !codes.is_empty()) {
                    best_of(&codes[shelf.rows.clone()], shelf.cards, &mut best);
                    for code in &best {
                        *stops.entry(*code).or_default() += 1;
                    }
                }
                stops.into_iter().collect()
            })
            .collect();
        for (position, tenant) in batch.tenants.iter().enumerate() {
            let seat = Seat { position, tenant: *tenant };
            stops[batch.alike[position]].iter().for_each(|(code, cards)| tally.count(seat, *code, *cards as usize));
        }
        true
    }

    /// Judges every row with what was counted for it.
    fn first(
        &self,
        side: &Side<'_>,
        batch: &Batch,
        machine: &mut Machine,
        (counted, groups): (&Counted<'_>, &Groups),
        tally: &Tally,
    ) -> Told {
        let (variants, lanes) = Variants::of(counted, groups, self);
        let choices = variants.choices(batch, counted);
        let tenants = batch.tenants.len();
        let mut told = Told { codes: vec![0; tenants * self.rows.len()], passing: vec![Vec::new(); tenants], open: vec![false; tenants] };
        let blocks = variants.blocks();
        let mut own = Vec::new();
        for block in &blocks {
            own.clear();
            self.run(batch, machine, &lanes, block.lanes.clone(), |position, codes, scores| {
                let target = &mut told.codes[position * self.rows.len()..][block.rows.clone()];
                if block.lanes.len() > block.rows.len() || own.len() != block.rows.len() {
                    variants.own(choices.of(position), block, &mut own);
                }
                match codes {
                    Codes::Same(code) => target.fill(code),
                    // every row has one lane
                    Codes::Each(codes) if codes.len() == target.len() => target.copy_from_slice(codes),
                    Codes::Each(codes) => {
                        target.iter_mut().zip(&own).for_each(|(target, lane)| *target = codes[*lane as usize]);
                    }
                }
                // folds, unlike searches, become vector instructions
                told.open[position] |= target.iter().fold(false, |any, code| any | is_open(*code));
                if tally.is_signal(target.iter().fold(0, |most, code| *code.max(&most))) {
                    let signals = block.rows.clone().zip(target.iter().zip(&own)).filter(|(_, (code, _))| tally.is_signal(**code));
                    told.passing[position].extend(signals.map(|(row, (_, lane))| Passing { row, score: scores.of(*lane as usize) }));
                }
            });
        }
        for (position, tenant) in batch.tenants.iter().enumerate().filter(|(position, _)| told.open[*position]) {
            let codes = &mut told.codes[position * self.rows.len()..][..self.rows.len()];
            self.ask(side, Seat { position, tenant: *tenant }, (counted, groups), codes, &mut told.passing[position], tally);
        }
        told
    }

    /// Judges some of the lanes, and tells what each tenant makes of them.
    fn run(
        &self,
        batch: &Batch,
        machine: &mut Machine,
        lanes: &Lanes,
        block: Range<usize>,
        told: impl FnMut(usize, Codes<'_>, Scores<'_>),
    ) {
        self.with_columns(batch, lanes, block.clone(), |columns| batch.judge(machine, columns, block.len(), told));
    }

    /// What a batch reads of some of the lanes.
    fn with_columns(&self, batch: &Batch, lanes: &Lanes, block: Range<usize>, read: impl FnOnce(&[Slice<'_>])) {
        let rows = &lanes.rows[block.clone()];
        let pick = |(number, column): (usize, &Column)| {
            if batch.reads(number) { column.pick(rows.iter().copied()) } else { Column::new(true) }
        };
        let columns: Vec<Column> = self.columns.iter().enumerate().map(pick).collect();
        let counts = lanes.counts.iter().map(|counts| Slice::Numbers(&counts[block.clone()]));
        let columns: Vec<Slice<'_>> = columns.iter().map(Column::slice).chain(counts).collect();
        read(&columns);
    }

    /// Asks the interpreter where only it can tell.
    fn ask(
        &self,
        side: &Side<'_>,
        seat: Seat,
        (counted, groups): (&Counted<'_>, &Groups),
        codes: &mut [u8],
        passing: &mut Vec<Passing>,
        tally: &Tally,
    ) {
        for (row, told) in codes.iter_mut().enumerate().filter(|(_, code)| is_open(**code)) {
            let counts = counted.told(side, groups, self.rows[row], seat.position);
            let judged = side.case.judge_one(side.routes[self.rows[row]], seat.tenant, counts);
            *told = code(judged.answer, side.case.pack.gates.len());
            if tally.is_signal(*told) {
                passing.push(Passing { row, score: judged.score });
            }
        }
        passing.sort_by_key(|passing| passing.row);
    }

    fn judge_again(&self, side: &Side<'_>, batch: &Batch, machine: &mut Machine, lanes: &Lanes, again: &mut [Vec<Again>]) {
        if lanes.rows.is_empty() {
            return;
        }
        for block in lanes.blocks() {
            self.run(batch, machine, lanes, block.clone(), |position, codes, scores| {
                for one in again[position].iter_mut().filter(|one| block.contains(&one.lane)) {
                    one.code = codes.of(one.lane - block.start);
                    one.score = scores.of(one.lane - block.start);
                }
            });
        }
        self.ask_again(side, batch.tenants.iter().copied(), lanes, again);
    }

    /// Asks the interpreter where only it can tell.
    fn ask_again(&self, side: &Side<'_>, tenants: impl IntoIterator<Item = usize>, lanes: &Lanes, again: &mut [Vec<Again>]) {
        for (again, tenant) in again.iter_mut().zip(tenants) {
            for one in again.iter_mut().filter(|one| is_open(one.code)) {
                let judged = side.case.judge_one(side.routes[self.rows[one.row]], tenant, self.counts_again(side, lanes, one));
                one.code = code(judged.answer, side.case.pack.gates.len());
                one.score = judged.score;
            }
        }
    }

    fn counts_again(&self, side: &Side<'_>, lanes: &Lanes, one: &Again) -> Vec<(FactId, i64)> {
        let aggregates = (0..self.group_of.len()).filter(|aggregate| self.group_of[*aggregate][one.row].is_some());
        aggregates.map(|aggregate| groups::told(side, aggregate, lanes.counts[aggregate][one.lane])).collect()
    }

    /// Counts cards by the best of their codes, and tells those of which more is to be remembered.
    fn special(&self, seat: Seat, codes: &[u8], best: &mut Vec<u8>, tally: &mut Tally) -> Vec<(&Shelf, usize, u8)> {
        let mut special = Vec::new();
        for shelf in &self.shelves {
            best_of(&codes[shelf.rows.clone()], shelf.cards, best);
            tally.count_all(seat, best);
            let asked = best.iter().enumerate().filter(|(_, code)| tally.is_signal(**code) || tally.asks_more(**code));
            special.extend(asked.map(|(card, code)| (shelf, card, *code)));
        }
        special
    }

    /// Tells a tenant's best route of each card.
    #[expect(clippy::too_many_arguments, reason = "all that is known of a tenant, once")]
    fn tell(
        &self,
        side: &Side<'_>,
        seat: Seat,
        (counted, groups): (&Counted<'_>, &Groups),
        codes: &[u8],
        passing: &[Passing],
        (lanes, again): (&Lanes, &[Again]),
        best: &mut Vec<u8>,
        tally: &mut Tally,
    ) {
        let judged_again = |row: usize| again.binary_search_by_key(&row, |one| one.row).ok().map(|place| &again[place]);
        let score_of = |row: usize| match judged_again(row) {
            Some(one) => one.score,
            None => passing.binary_search_by_key(&row, |one| one.row).ok().and_then(|place| passing[place].score),
        };
        for (shelf, card, best) in self.special(seat, codes, best, tally) {
            let rows = shelf.of(card);
            if tally.is_signal(best) {
                let routes = rows.map(|row| (row, codes[row]));
                if let Some((row, score)) = tally.best_signal(routes, score_of) {
                    let counts = judged_again(row).map(|one| self.counts_again(side, lanes, one));
                    let counts = counts.unwrap_or_else(|| counted.told(side, groups, self.rows[row], seat.position));
                    tally.found(seat, side.routes[self.rows[row]], score, &counts);
                }
            } else if tally.asks_more(best)
                && let Some(row) = rows.clone().find(|row| codes[*row] == best)
            {
                let counts = judged_again(row).map(|one| self.counts_again(side, lanes, one));
                tally.stop(side, seat, self.rows[row], best, counts);
            }
        }
    }
}
