//! Where only signals are asked for: what passes of some rows and of those beside them, which are there to be counted, and
//! what is left of it when the others of a group have fallen through.

use std::ops::Range;

use super::{
    super::{Side, counts::Sizes, groups::Groups, tally::code, variants::Lanes},
    Again, Grouped, Passing,
};
use crate::{
    rules::lower::{Answer, Column, Kinds, Left, Machine, Part, Slice, Suits},
    scan::judge::Judged,
};

/// What tenants counted.
#[derive(Clone, Copy)]
pub struct Counted<'s> {
    pub side: &'s Side<'s>,
    pub kinds: &'s Kinds,
    pub groups: &'s Groups,
    pub sizes: &'s Sizes,
}

/// Rows with a lane for each value that was counted for one, block by block as kinds of tenants read them.
pub struct Laid<'g> {
    rows: &'g Grouped,
    lanes: Lanes,
    blocks: Vec<(Range<usize>, Vec<Column>)>,
}

impl<'g> Laid<'g> {
    pub fn of(rows: &'g Grouped, counted: Counted<'_>) -> Self {
        Self::new(rows, counted, rows.lanes(counted.sizes))
    }

    fn new(rows: &'g Grouped, Counted { side, kinds, .. }: Counted<'_>, lanes: Lanes) -> Self {
        let blocks = lanes.blocks().into_iter().map(|block| {
            let picked: Vec<usize> = lanes.rows[block.clone()].iter().map(|row| rows.rows[*row]).collect();
            (block, side.pick_read(kinds, &picked))
        });
        Self { rows, blocks: blocks.collect(), lanes }
    }

    /// Tells the lanes that are left for tenants of a part.
    fn left(&self, part: &Part<'_>, machine: &mut Machine, mut found: impl FnMut(usize, Left<'_>)) {
        for (block, columns) in &self.blocks {
            let counts = self.lanes.counts.iter().map(|counts| Slice::Numbers(&counts[block.clone()]));
            let columns: Vec<Slice<'_>> = columns.iter().map(Column::slice).chain(counts).collect();
            part.left(machine, &columns, block.len(), |left| found(block.start + left.lane, left));
        }
    }

    /// What some tenants of a part make of the rows with what they counted, by place in the part and in the order of the rows.
    fn passing(
        &self,
        Counted { side, groups, sizes, .. }: Counted<'_>,
        (part, tenants): (&Part<'_>, &[usize]),
        machine: &mut Machine,
        is_asked: impl Fn(usize) -> bool,
    ) -> Vec<Vec<Passing>> {
        let (rows, lanes) = (self.rows, &self.lanes);
        let is_own = |lane: usize, tenant: usize| {
            (0..rows.group_of.len()).all(|aggregate| match rows.group_of[aggregate][lanes.rows[lane]] {
                Some(group) => sizes.get(aggregate, group, tenant).max(1) == lanes.counts[aggregate][lane],
                None => true,
            })
        };
        let mut passing = vec![Vec::new(); tenants.len()];
        self.left(part, machine, |lane, left| {
            let row = lanes.rows[lane];
            for place in left.places().filter(|place| is_asked(*place) && is_own(lane, tenants[*place])) {
                let score = match left.suits {
                    Suits::Signal(score) => Some(score),
                    Suits::Open => {
                        let counts = sizes.told(side, groups, rows.rows[row], tenants[place]);
                        let judged = side.case.judge_one(side.routes[rows.rows[row]], tenants[place], counts);
                        judged.is_signal().then_some(judged.score)
                    }
                };
                passing[place].extend(score.map(|score| Passing { row, score }));
            }
        });
        passing
    }
}

impl Grouped {
    /// For tenants of a part the best signal of each card. Rows beside are there to be counted.
    pub fn signals(counted: Counted<'_>, part: &Part<'_>, machine: &mut Machine, asked: &Laid<'_>, beside: &Laid<'_>) -> Vec<Judged> {
        let Counted { side, groups, sizes, .. } = counted;
        let (rows, tenants) = (asked.rows, part.tenants());
        let passing = asked.passing(counted, (part, &tenants), machine, |_| true);
        if passing.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        let is_counted = |one: &Passing| rows.group_of.iter().any(|group_of| group_of[one.row].is_some());
        let others = beside.passing(counted, (part, &tenants), machine, |place| passing[place].iter().any(is_counted));
        let size = |place: usize, aggregate: usize, group: usize| sizes.get(aggregate, group, tenants[place]);
        let (lanes, mut again) = rows.fallen(groups, size, &passing, Some((beside.rows, &others)));
        let again_laid = Laid::new(rows, counted, lanes);
        again_laid.pass_again(side, (part, &tenants), machine, &mut again);
        let signal = code(Answer::Signal { scored: false }, side.case.pack.gates.len());
        let mut signals = Vec::new();
        let mut left: Vec<(Passing, Option<&Again>)> = Vec::new();
        for (place, passing) in passing.into_iter().enumerate().filter(|(_, passing)| !passing.is_empty()) {
            let again_at = |row: usize| again[place].binary_search_by_key(&row, |again| again.row).ok().map(|at| &again[place][at]);
            left.clear();
            left.extend(passing.into_iter().filter_map(|one| match again_at(one.row) {
                Some(again) => (again.code >= signal).then_some((Passing { score: again.score, ..one }, Some(again))),
                None => Some((one, None)),
            }));
            // the rows of the side stand in the order of their cards
            left.sort_by_key(|(one, _)| rows.rows[one.row]);
            let card_of = |one: &Passing| side.card_of(rows.rows[one.row]);
            for of_card in left.chunk_by(|(one, _), (next, _)| card_of(one) == card_of(next)) {
                // of equals the first
                let Some((best, again)) = of_card.iter().rev().max_by_key(|(one, _)| one.score) else { continue };
                let row = rows.rows[best.row];
                let counts = again.map(|one| rows.counts_again(side, &again_laid.lanes, one));
                signals.push(Judged {
                    route: side.routes[row],
                    tenant: tenants[place],
                    answer: Answer::Signal { scored: best.score.is_some() },
                    score: best.score,
                    aggregates: counts.unwrap_or_else(|| sizes.told(side, groups, row, tenants[place])),
                });
            }
        }
        signals
    }

    /// A lane for each value that was counted for a row.
    fn lanes(&self, sizes: &Sizes) -> Lanes {
        let mut lanes = Lanes::new(self.group_of.len());
        let mut seen: Vec<Vec<Option<Vec<i64>>>> = self.group_of.iter().map(|_| Vec::new()).collect();
        for row in 0..self.rows.len() {
            let mut of_row: Vec<Vec<i64>> = vec![Vec::new()];
            for (aggregate, (group_of, seen)) in self.group_of.iter().zip(&mut seen).enumerate() {
                let values = match group_of[row] {
                    Some(group) => {
                        seen.resize(seen.len().max(group + 1), None);
                        seen[group].get_or_insert_with(|| sizes.seen(aggregate, group)).clone()
                    }
                    None => vec![1],
                };
                of_row = of_row.iter().flat_map(|counts| values.iter().map(|value| [counts.as_slice(), &[*value]].concat())).collect();
            }
            for counts in &of_row {
                lanes.push(row, counts);
            }
        }
        lanes
    }
}

impl Laid<'_> {
    /// Whether rows still pass with what is left of their groups.
    fn pass_again(&self, side: &Side<'_>, (part, tenants): (&Part<'_>, &[usize]), machine: &mut Machine, again: &mut [Vec<Again>]) {
        let gates = side.case.pack.gates.len();
        let (stopped, through) = (code(Answer::Failed(0), gates), code(Answer::Signal { scored: true }, gates));
        // by lane: whose it is
        let mut whose: Vec<Vec<(usize, usize)>> = vec![Vec::new(); self.lanes.rows.len()];
        for (place, again) in again.iter_mut().enumerate() {
            for (number, one) in again.iter_mut().enumerate() {
                one.code = stopped;
                whose[one.lane].push((place, number));
            }
        }
        self.left(part, machine, |lane, left| {
            let mut whose = whose[lane].iter().copied().peekable();
            for left_for in left.places() {
                while whose.next_if(|(place, _)| *place < left_for).is_some() {}
                if let Some((place, number)) = whose.next_if(|(place, _)| *place == left_for) {
                    let one = &mut again[place][number];
                    (one.code, one.score) = match left.suits {
                        Suits::Signal(score) => (through, score),
                        Suits::Open => (code(Answer::Open(0), gates), None),
                    };
                }
            }
        });
        self.rows.ask_again(side, tenants.iter().copied(), &self.lanes, again);
    }
}
