//! Judges the rows that are counted together with others.
//!
//! What was counted differs from tenant to tenant, but takes few values. So a row has a lane for each value that any
//! tenant of the batch has counted: then all tenants judge the same lanes, and what they have in common is computed once.
//! Each tenant reads its own. Where some of a group's cards fall through, the rest is judged once more with the smaller
//! count: once and no further, as [`super::super::judge`] has it.

use std::{collections::HashMap, ops::Range};

use rust_decimal::Decimal;

use super::{
    Side,
    blocks::Layout,
    groups::{self, Counted, Groups},
    tally::{Seat, Tally, code, is_open},
};
use crate::{
    domain::book::CardIndex,
    rules::{
        graph::FactId,
        lower::{Batch, Codes, Column, LANES, Scores, Slice},
    },
};

/// The open rows of cards of which at least one row is counted together with others.
#[derive(Debug)]
pub struct Grouped {
    rows: Vec<usize>,
    card_of: Vec<CardIndex>,
    /// The rows of each card.
    cards: Vec<Range<usize>>,
    /// By aggregate: the group of each row, if it belongs to one.
    group_of: Vec<Vec<Option<usize>>>,
    columns: Vec<Column>,
}

/// Rows, each with what was counted for it.
#[derive(Debug, Default)]
struct Lanes {
    /// Positions in [`Grouped::rows`].
    rows: Vec<usize>,
    /// By aggregate.
    counts: Vec<Vec<i64>>,
}

/// The lanes of a batch, and which of a row's lanes is a tenant's.
struct Variants {
    lanes: Lanes,
    /// The first lane of each row.
    first: Vec<usize>,
    /// By aggregate and group: the values that were counted.
    values: Vec<Vec<Vec<i64>>>,
}

/// By aggregate and group: which of the values is a tenant's.
type Choice = Vec<Vec<usize>>;

/// A signal that a tenant has, before it is known whether the rest of its group is one.
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
    pub fn of(side: &Side<'_>, layout: &Layout, groups: &Groups) -> Self {
        let rows: Vec<usize> = layout.grouped.iter().flatten().copied().collect();
        let mut start = 0;
        let cards = layout.grouped.iter().map(|rows| {
            start += rows.len();
            start - rows.len()..start
        });
        let group = |aggregate: usize| rows.iter().map(|row| groups.place(*row).and_then(|place| groups.group(aggregate, place))).collect();
        Self {
            cards: cards.collect(),
            card_of: rows.iter().map(|row| side.case.routes[side.routes[*row]].card).collect(),
            group_of: (0..side.cards.groups.len()).map(group).collect(),
            columns: side.cards.columns.iter().map(|column| column.pick(rows.iter().copied())).collect(),
            rows,
        }
    }

    /// Judges the rows for the tenants of a batch.
    pub fn judge(&self, side: &Side<'_>, batch: &Batch, counted: &Counted, groups: &Groups, tally: &mut Tally) {
        if self.rows.is_empty() {
            return;
        }
        let variants = self.variants(side, batch, counted, groups);
        let choices: Vec<Choice> = batch.tenants.iter().map(|tenant| variants.choice(side, counted, *tenant)).collect();
        let total = variants.lanes.rows.len();
        // of each tenant
        let mut codes = vec![0_u8; batch.tenants.len() * total];
        let mut passing: Vec<Vec<Passing>> = vec![Vec::new(); batch.tenants.len()];
        let mut open = vec![false; batch.tenants.len()];
        self.run(side, batch, &variants.lanes, |position, lanes, told, scores| {
            let target = &mut codes[position * total + lanes.start..][..lanes.len()];
            for (lane, target) in target.iter_mut().enumerate() {
                *target = told.of(lane);
                open[position] |= is_open(*target);
            }
            for lane in 0..lanes.len() {
                let row = variants.lanes.rows[lanes.start + lane];
                if tally.is_signal(target[lane]) && self.lane(&variants, &choices[position], row) == lanes.start + lane {
                    passing[position].push(Passing { row, score: scores.of(lane) });
                }
            }
        });
        // for each tenant the codes of its own lanes
        let mut own: Vec<Vec<u8>> = Vec::with_capacity(batch.tenants.len());
        for (position, tenant) in batch.tenants.iter().enumerate() {
            let codes = &codes[position * total..][..total];
            let mut mine: Vec<u8> = (0..self.rows.len()).map(|row| codes[self.lane(&variants, &choices[position], row)]).collect();
            if open[position] {
                self.ask(side, *tenant, (counted, groups), &mut mine, &mut passing[position], tally);
            }
            own.push(mine);
        }
        let (lanes, mut again) = self.fallen(side, batch, counted, groups, &passing);
        self.judge_again(side, batch, &lanes, &mut again);
        for (position, tenant) in batch.tenants.iter().enumerate() {
            let seat = Seat { position, tenant: *tenant };
            self.tell(side, seat, (counted, groups), &own[position], &passing[position], (&lanes, &again[position]), tally);
        }
    }

    /// A lane for each row and each value that was counted for it.
    fn variants(&self, side: &Side<'_>, batch: &Batch, counted: &Counted, groups: &Groups) -> Variants {
        let of_group = |(aggregate, count): (usize, usize)| (0..count).map(|group| counted.values(side, batch, aggregate, group)).collect();
        let values: Vec<Vec<Vec<i64>>> = groups.counts().enumerate().map(of_group).collect();
        let mut lanes = Lanes { rows: Vec::new(), counts: vec![Vec::new(); values.len()] };
        let mut first = Vec::with_capacity(self.rows.len());
        let alone = [1];
        for row in 0..self.rows.len() {
            first.push(lanes.rows.len());
            let of_row: Vec<&[i64]> =
                self.group_of.iter().zip(&values).map(|(of, values)| of[row].map_or(&alone[..], |group| &values[group])).collect();
            // every combination; the last aggregate's values change fastest
            let count: usize = of_row.iter().map(|values| values.len()).product();
            lanes.rows.extend(std::iter::repeat_n(row, count));
            let mut repeated = count;
            for (counts, values) in lanes.counts.iter_mut().zip(&of_row) {
                repeated /= values.len().max(1);
                counts.extend((0..count).map(|lane| values[lane / repeated.max(1) % values.len()]));
            }
        }
        Variants { lanes, first, values }
    }

    /// A tenant's lane of a row.
    fn lane(&self, variants: &Variants, choice: &Choice, row: usize) -> usize {
        let mut lane = 0;
        for ((of, values), choice) in self.group_of.iter().zip(&variants.values).zip(choice) {
            if let Some(group) = of[row] {
                lane = lane * values[group].len() + choice[group];
            }
        }
        variants.first[row] + lane
    }

    /// Judges lanes, block by block, and tells what each tenant makes of each block.
    fn run(&self, side: &Side<'_>, batch: &Batch, lanes: &Lanes, mut told: impl FnMut(usize, Range<usize>, Codes<'_>, Scores<'_>)) {
        let mut bench = batch.bench(LANES.min(lanes.rows.len()));
        for start in (0..lanes.rows.len()).step_by(LANES) {
            let block = start..(start + LANES).min(lanes.rows.len());
            let columns: Vec<Column> = self.columns.iter().map(|column| column.pick(lanes.rows[block.clone()].iter().copied())).collect();
            let counts = lanes.counts.iter().map(|counts| Slice::Numbers(&counts[block.clone()]));
            let columns: Vec<Slice<'_>> = columns.iter().map(Column::slice).chain(counts).collect();
            batch.judge(side.lowered, &mut bench, &columns, block.len(), |position, codes, scores| {
                told(position, block.clone(), codes, scores);
            });
        }
    }

    /// Asks the interpreter where only it can tell.
    fn ask(
        &self,
        side: &Side<'_>,
        tenant: usize,
        (counted, groups): (&Counted, &Groups),
        codes: &mut [u8],
        passing: &mut Vec<Passing>,
        tally: &Tally,
    ) {
        for (row, told) in codes.iter_mut().enumerate().filter(|(_, code)| is_open(**code)) {
            let judged = side.case.judge_one(side.routes[self.rows[row]], tenant, counted.told(side, groups, self.rows[row], tenant));
            *told = code(judged.answer, side.case.pack.gates.len());
            if tally.is_signal(*told) {
                passing.push(Passing { row, score: judged.score });
            }
        }
        passing.sort_by_key(|passing| passing.row);
    }

    /// Signals of groups of which other cards fell through, with the count that is left, by tenant.
    fn fallen(
        &self,
        side: &Side<'_>,
        batch: &Batch,
        counted: &Counted,
        groups: &Groups,
        passing: &[Vec<Passing>],
    ) -> (Lanes, Vec<Vec<Again>>) {
        let aggregates = self.group_of.len();
        let mut lanes = Lanes { rows: Vec::new(), counts: vec![Vec::new(); aggregates] };
        let mut known: HashMap<(usize, Vec<i64>), usize> = HashMap::new();
        // by aggregate and group: the cards that are left, and the last of them; the cards of `passing` ascend
        let mut left: Vec<Vec<(i64, Option<CardIndex>)>> = groups.counts().map(|count| vec![(0, None); count]).collect();
        let again = batch.tenants.iter().zip(passing).map(|(tenant, passing)| {
            left.iter_mut().for_each(|left| left.fill((0, None)));
            for (left, of) in left.iter_mut().zip(&self.group_of) {
                for passing in passing {
                    if let Some(group) = of[passing.row] {
                        let (count, last) = &mut left[group];
                        *count += i64::from(last.replace(self.card_of[passing.row]) != Some(self.card_of[passing.row]));
                    }
                }
            }
            let mut again = Vec::new();
            for passing in passing {
                let remaining = |aggregate: usize| self.group_of[aggregate][passing.row].map_or(1, |group| left[aggregate][group].0);
                let shrunk = |aggregate: usize| {
                    let group = self.group_of[aggregate][passing.row];
                    group.is_some_and(|group| {
                        counted.sizes(side, *tenant, aggregate).get(group).is_some_and(|size| *size > left[aggregate][group].0)
                    })
                };
                if !(0..aggregates).any(shrunk) {
                    continue;
                }
                let counts: Vec<i64> = (0..aggregates).map(remaining).collect();
                let lane = *known.entry((passing.row, counts)).or_insert_with_key(|(row, counts)| {
                    lanes.rows.push(*row);
                    lanes.counts.iter_mut().zip(counts).for_each(|(all, count)| all.push(*count));
                    lanes.rows.len() - 1
                });
                again.push(Again { row: passing.row, lane, code: 0, score: None });
            }
            again
        });
        let again = again.collect();
        (lanes, again)
    }

    fn judge_again(&self, side: &Side<'_>, batch: &Batch, lanes: &Lanes, again: &mut [Vec<Again>]) {
        if lanes.rows.is_empty() {
            return;
        }
        self.run(side, batch, lanes, |position, block, codes, scores| {
            for one in again[position].iter_mut().filter(|one| block.contains(&one.lane)) {
                one.code = codes.of(one.lane - block.start);
                one.score = scores.of(one.lane - block.start);
            }
        });
        for (again, tenant) in again.iter_mut().zip(&batch.tenants) {
            for one in again.iter_mut().filter(|one| is_open(one.code)) {
                let judged = side.case.judge_one(side.routes[self.rows[one.row]], *tenant, self.counts_again(side, lanes, one));
                one.code = code(judged.answer, side.case.pack.gates.len());
                one.score = judged.score;
            }
        }
    }

    fn counts_again(&self, side: &Side<'_>, lanes: &Lanes, one: &Again) -> Vec<(FactId, i64)> {
        let aggregates = (0..self.group_of.len()).filter(|aggregate| self.group_of[*aggregate][one.row].is_some());
        aggregates.map(|aggregate| groups::told(side, aggregate, lanes.counts[aggregate][one.lane])).collect()
    }

    /// Tells a tenant's best route of each card.
    #[expect(clippy::too_many_arguments, reason = "all that is known of a tenant, once")]
    fn tell(
        &self,
        side: &Side<'_>,
        seat: Seat,
        (counted, groups): (&Counted, &Groups),
        codes: &[u8],
        passing: &[Passing],
        (lanes, again): (&Lanes, &[Again]),
        tally: &mut Tally,
    ) {
        let judged_again = |row: usize| again.binary_search_by_key(&row, |one| one.row).ok().map(|place| &again[place]);
        let code_of = |row: usize| judged_again(row).map_or(codes[row], |one| one.code);
        let score_of = |row: usize| match judged_again(row) {
            Some(one) => one.score,
            None => passing.binary_search_by_key(&row, |one| one.row).ok().and_then(|place| passing[place].score),
        };
        for card in &self.cards {
            let best = card.clone().map(code_of).max().unwrap_or(0);
            tally.count(seat, best, 1);
            if tally.is_signal(best) {
                let routes = card.clone().map(|row| (row, code_of(row)));
                if let Some((row, score)) = tally.best_signal(routes, score_of) {
                    let counts = judged_again(row).map(|one| self.counts_again(side, lanes, one));
                    let counts = counts.unwrap_or_else(|| counted.told(side, groups, self.rows[row], seat.tenant));
                    tally.found(seat, side.routes[self.rows[row]], score, &counts);
                }
            } else if tally.asks_more(best)
                && let Some(row) = card.clone().find(|row| code_of(*row) == best)
            {
                let counts = judged_again(row).map(|one| self.counts_again(side, lanes, one));
                tally.stop(side, seat, self.rows[row], best, counts);
            }
        }
    }
}

impl Variants {
    fn choice(&self, side: &Side<'_>, counted: &Counted, tenant: usize) -> Choice {
        let of_aggregate = |(aggregate, values): (usize, &Vec<Vec<i64>>)| {
            let sizes = counted.sizes(side, tenant, aggregate);
            sizes.iter().zip(values).map(|(size, values)| values.binary_search(&(*size).max(1)).unwrap_or(0)).collect()
        };
        self.values.iter().enumerate().map(of_aggregate).collect()
    }
}
