//! What aggregates count, between two passes over the columns.
//!
//! The first pass tells which rows count, for all tenants of a class at once; the second judges with the counts. Where
//! some of a group's cards then fall through, the rest is judged once more with the smaller count: once and no further,
//! as [`super::super::judge`] has it.

use std::collections::{BTreeSet, HashMap};

use rust_decimal::Decimal;

use super::{
    Side,
    blocks::{Block, Layout},
};
use crate::{
    domain::book::CardIndex,
    rules::{
        graph::FactId,
        lower::{ALONE, Answer, Batch, LANES, Planner},
    },
};

/// The rows of a side that are counted together with others.
#[derive(Debug, Default)]
pub struct Groups {
    rows: Vec<usize>,
    /// By row of the side: its place above.
    places: HashMap<usize, usize>,
    cards: Vec<CardIndex>,
    /// By aggregate: the places of each group.
    members: Vec<HashMap<i64, Vec<usize>>>,
    /// By aggregate: the group of each place.
    group_of: Vec<Vec<i64>>,
}

impl Groups {
    pub fn of(side: &Side<'_>) -> Self {
        let mut groups = Self { members: vec![HashMap::new(); side.cards.groups.len()], ..Self::default() };
        groups.group_of = vec![Vec::new(); side.cards.groups.len()];
        for row in (0..side.routes.len()).filter(|row| side.is_grouped(*row)) {
            let place = groups.rows.len();
            groups.places.insert(row, place);
            groups.rows.push(row);
            groups.cards.push(side.case.routes[side.routes[row]].card);
            for (aggregate, group) in side.cards.groups.iter().enumerate() {
                groups.group_of[aggregate].push(group[row]);
                if group[row] != ALONE {
                    groups.members[aggregate].entry(group[row]).or_default().push(place);
                }
            }
        }
        groups
    }

    /// First pass for a batch.
    pub fn count(&self, side: &Side<'_>, batch: &Batch) -> Counted {
        let mut counts: Vec<Vec<bool>> = vec![Vec::with_capacity(self.rows.len()); batch.classes.len()];
        let mut bench = batch.bench(LANES);
        for (block, rows) in self.rows.chunks(LANES).enumerate() {
            let columns: Vec<Vec<i64>> = side.cards.columns.iter().map(|column| rows.iter().map(|row| column[*row]).collect()).collect();
            let columns: Vec<&[i64]> = columns.iter().map(Vec::as_slice).collect();
            batch.count(&mut bench, &columns, rows.len(), |position, codes| {
                let class = batch.classes[position];
                let (aggregate, in_columns) = side.lowered.class(class);
                for lane in 0..rows.len() {
                    let place = block * LANES + lane;
                    let counts_here = match codes.of(lane) {
                        code if in_columns && code != 2 => code == 1,
                        _ => self.group_of[aggregate][place] != ALONE && self.ask(side, batch, class, place),
                    };
                    counts[position].push(counts_here);
                }
            });
        }
        let by_class = counts.iter().zip(&batch.classes).map(|(counts, class)| self.sizes(side.lowered.class(*class).0, counts)).collect();
        Counted { by_class, position: batch.classes.iter().enumerate().map(|(position, class)| (*class, position)).collect() }
    }

    /// Whether a row counts, by the interpreter.
    fn ask(&self, side: &Side<'_>, batch: &Batch, class: usize, place: usize) -> bool {
        let aggregate = side.lowered.class(class).0;
        let of_class = |tenant: &&usize| side.lowered.classes_of(**tenant).get(aggregate) == Some(&class);
        let tenant = batch.tenants.iter().find(of_class);
        tenant.is_some_and(|tenant| side.case.counts(side.routes[self.rows[place]], *tenant, aggregate))
    }

    /// For each place the number of cards of its group that count.
    fn sizes(&self, aggregate: usize, counts: &[bool]) -> Vec<i64> {
        let mut sizes = vec![0; self.rows.len()];
        let mut cards: Vec<CardIndex> = Vec::new();
        for places in self.members[aggregate].values() {
            cards.clear();
            cards.extend(places.iter().filter(|place| counts[**place]).map(|place| self.cards[*place]));
            cards.sort_unstable();
            cards.dedup();
            for place in places {
                sizes[*place] = i64::try_from(cards.len()).unwrap_or(i64::MAX);
            }
        }
        sizes
    }

    /// A row's place, if it is counted together with others.
    pub fn place(&self, row: usize) -> Option<usize> {
        self.places.get(&row).copied()
    }
}

/// What the tenants of a batch counted: for each of its classes the size of the group at every place.
#[derive(Debug)]
pub struct Counted {
    by_class: Vec<Vec<i64>>,
    position: HashMap<usize, usize>,
}

impl Counted {
    /// The counts of a block's lanes, one column for each class of the batch. A row that belongs to no group is one.
    pub fn columns(&self, block: &Block) -> Vec<Vec<i64>> {
        let column = |sizes: &Vec<i64>| {
            let mut column = vec![1; block.rows.len()];
            for (lane, place) in &block.grouped {
                column[*lane] = sizes[*place].max(1);
            }
            column
        };
        self.by_class.iter().map(column).collect()
    }

    /// What was counted for a row and tenant, in the order of the aggregates that it belongs to a group of.
    pub fn of(&self, side: &Side<'_>, groups: &Groups, row: usize, tenant: usize) -> Vec<(FactId, i64)> {
        let Some(place) = groups.places.get(&row) else { return Vec::new() };
        let classes = side.lowered.classes_of(tenant).iter().enumerate();
        let counted = classes.filter(|(aggregate, _)| groups.group_of[*aggregate][*place] != ALONE).filter_map(|(aggregate, class)| {
            let position = self.position.get(class)?;
            Some((side.case.pack.aggregates[aggregate].fact, self.by_class[*position][*place].max(1)))
        });
        counted.collect()
    }

    fn size(&self, side: &Side<'_>, tenant: usize, aggregate: usize, place: usize) -> i64 {
        let position = side.lowered.classes_of(tenant).get(aggregate).and_then(|class| self.position.get(class));
        position.map_or(0, |position| self.by_class[*position][place])
    }

    /// Judges signals of groups once more whose other cards fell through.
    pub fn refine(&self, side: &Side<'_>, batch: &Batch, layout: &Layout, groups: &Groups) -> Patches {
        let mut patches = Patches::default();
        if groups.rows.is_empty() {
            return patches;
        }
        let mut passing: HashMap<usize, Vec<Lane>> = HashMap::new();
        let longest = layout.blocks.iter().map(|block| block.rows.len()).max().unwrap_or(0);
        let mut bench = batch.bench(longest);
        let gates = side.case.pack.gates.len();
        for (number, block) in layout.blocks.iter().enumerate().filter(|(_, block)| !block.grouped.is_empty()) {
            let counted = self.columns(block);
            let columns: Vec<&[i64]> = block.columns.iter().chain(&counted).map(Vec::as_slice).collect();
            batch.judge(side.lowered, &mut bench, &columns, block.rows.len(), |tenant, codes, _| {
                for (lane, place) in &block.grouped {
                    let row = groups.rows[*place];
                    let is_signal = match Answer::of(codes.of(*lane), gates) {
                        Answer::Signal { .. } => true,
                        Answer::Open(_) => side.case.judge_one(side.routes[row], tenant, self.of(side, groups, row, tenant)).is_signal(),
                        Answer::Rejected(_) | Answer::Unknown(_) | Answer::Failed(_) => false,
                    };
                    if is_signal {
                        passing.entry(tenant).or_default().push(Lane { block: number, at: *lane, place: *place });
                    }
                }
            });
        }
        let mut planner = Planner::default();
        for (tenant, lanes) in passing {
            self.refine_tenant(side, &mut planner, tenant, &lanes, layout, groups, &mut patches);
        }
        patches
    }

    #[expect(clippy::too_many_arguments, reason = "the planner's room is kept from tenant to tenant")]
    fn refine_tenant(
        &self,
        side: &Side<'_>,
        planner: &mut Planner,
        tenant: usize,
        lanes: &[Lane],
        layout: &Layout,
        groups: &Groups,
        patches: &mut Patches,
    ) {
        let aggregates = groups.members.len();
        let mut left: Vec<HashMap<i64, BTreeSet<CardIndex>>> = vec![HashMap::new(); aggregates];
        for lane in lanes {
            for (aggregate, left) in left.iter_mut().enumerate() {
                left.entry(groups.group_of[aggregate][lane.place]).or_default().insert(groups.cards[lane.place]);
            }
        }
        let remaining = |aggregate: usize, place: usize| {
            let group = groups.group_of[aggregate][place];
            if group == ALONE { 1 } else { left[aggregate].get(&group).map_or(1, |cards| i64::try_from(cards.len()).unwrap_or(i64::MAX)) }
        };
        let shrunk = |lane: &&Lane| {
            (0..aggregates).any(|aggregate| {
                groups.group_of[aggregate][lane.place] != ALONE
                    && self.size(side, tenant, aggregate, lane.place) > remaining(aggregate, lane.place)
            })
        };
        let again: Vec<&Lane> = lanes.iter().filter(shrunk).collect();
        if again.is_empty() {
            return;
        }
        let of_cards = (0..side.cards.columns.len())
            .map(|column| again.iter().map(|lane| layout.blocks[lane.block].columns[column][lane.at]).collect::<Vec<i64>>());
        let counted = (0..aggregates).map(|aggregate| again.iter().map(|lane| remaining(aggregate, lane.place)).collect::<Vec<i64>>());
        let columns: Vec<Vec<i64>> = of_cards.chain(counted).collect();
        let columns: Vec<&[i64]> = columns.iter().map(Vec::as_slice).collect();
        let gates = side.case.pack.gates.len();
        side.lowered.judge_alone(planner, tenant, &columns, again.len(), |codes, scores| {
            for (position, lane) in again.iter().enumerate() {
                let counts = (0..aggregates).filter(|aggregate| groups.group_of[*aggregate][lane.place] != ALONE);
                let counts: Vec<(FactId, i64)> =
                    counts.map(|aggregate| (side.case.pack.aggregates[aggregate].fact, remaining(aggregate, lane.place))).collect();
                let patch = match Answer::of(codes.of(position), gates) {
                    Answer::Open(_) => {
                        let judged = side.case.judge_one(side.routes[groups.rows[lane.place]], tenant, counts);
                        Patch { code: judged.answer.code(gates), score: judged.score, counts: judged.aggregates }
                    }
                    Answer::Signal { scored: true } => Patch { code: codes.of(position), score: scores.of(position), counts },
                    _ => Patch { code: codes.of(position), score: None, counts },
                };
                patches.0.entry((tenant, lane.block)).or_default().push((lane.at, patch));
            }
        });
    }
}

/// A signal of a row that belongs to a group.
#[derive(Debug, Clone, Copy)]
struct Lane {
    block: usize,
    at: usize,
    place: usize,
}

/// What became of a row when it was judged again.
#[derive(Debug, Clone)]
pub struct Patch {
    pub code: i64,
    pub score: Option<Decimal>,
    pub counts: Vec<(FactId, i64)>,
}

/// Rows that were judged again, by tenant and block.
#[derive(Debug, Default)]
pub struct Patches(HashMap<(usize, usize), Vec<(usize, Patch)>>);

impl Patches {
    /// The patches of a block for a tenant, by lane.
    pub fn of(&self, tenant: usize, block: usize) -> &[(usize, Patch)] {
        if self.0.is_empty() {
            return &[];
        }
        self.0.get(&(tenant, block)).map_or(&[], Vec::as_slice)
    }
}
