//! What aggregates count: the rows of a seller, say, and how many of his cards count for a tenant.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::Side;
use crate::{
    domain::book::CardIndex,
    rules::{
        graph::FactId,
        lower::{ALONE, Batch, Codes, Column, LANES, Machine, Slice},
    },
};

/// The rows of a side that are counted together with others. A row's *place* is its position among these.
#[derive(Debug, Default)]
pub struct Groups {
    rows: Vec<usize>,
    cards: Vec<CardIndex>,
    /// By row of the side.
    places: FxHashMap<usize, usize>,
    /// By aggregate and group: how many places belong to it.
    members: Vec<Vec<usize>>,
    /// By aggregate: the group of each place, if it belongs to one.
    group_of: Vec<Vec<Option<usize>>>,
    /// What the cards' columns hold of these rows, block by block.
    blocks: Vec<Vec<Column>>,
}

impl Groups {
    pub fn of(side: &Side<'_>) -> Self {
        let mut groups = Self::default();
        // rows stand in the order of their cards
        groups.rows = (0..side.routes.len()).filter(|row| side.is_grouped(*row)).collect();
        groups.places = groups.rows.iter().zip(0..).map(|(row, place)| (*row, place)).collect();
        groups.cards = groups.rows.iter().map(|row| side.case.routes[side.routes[*row]].card).collect();
        for numbers in &side.cards.groups {
            let mut known: FxHashMap<i64, usize> = FxHashMap::default();
            let mut members: Vec<usize> = Vec::new();
            let mut group_of = Vec::with_capacity(groups.rows.len());
            for row in &groups.rows {
                let group = (numbers[*row] != ALONE).then(|| *known.entry(numbers[*row]).or_insert(members.len()));
                if let Some(group) = group {
                    members.resize(members.len().max(group + 1), 0);
                    members[group] += 1;
                }
                group_of.push(group);
            }
            groups.members.push(members);
            groups.group_of.push(group_of);
        }
        let pick = |rows: &[usize]| side.cards.columns.iter().map(|column| column.pick(rows.iter().copied())).collect();
        groups.blocks = groups.rows.chunks(LANES).map(pick).collect();
        groups
    }

    /// A row's place, if it is counted together with others.
    pub fn place(&self, row: usize) -> Option<usize> {
        self.places.get(&row).copied()
    }

    /// The group of an aggregate that a place belongs to.
    pub fn group(&self, aggregate: usize, place: usize) -> Option<usize> {
        self.group_of[aggregate][place]
    }

    /// How many groups each aggregate has.
    pub fn counts(&self) -> impl Iterator<Item = usize> + '_ {
        self.members.iter().map(Vec::len)
    }

    /// The rows of an aggregate's groups, each with its group.
    pub fn members(&self, aggregate: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.rows.iter().zip(&self.group_of[aggregate]).filter_map(|(row, group)| Some((*row, (*group)?)))
    }

    /// Counts for the tenants of a batch.
    pub fn count<'b>(&self, side: &Side<'_>, batch: &'b Batch, machine: &mut Machine) -> Counted<'b> {
        let empty = |class: &usize| vec![Size::default(); self.members[side.lowered.class(*class).0].len()];
        let mut sizes: Vec<Vec<Size>> = batch.classes.iter().map(empty).collect();
        if !self.rows.is_empty() {
            for (block, first) in self.blocks.iter().zip((0..).step_by(LANES)) {
                let columns: Vec<Slice<'_>> = block.iter().map(Column::slice).collect();
                let places = first..(first + LANES).min(self.rows.len());
                batch.count(machine, &columns, places.len(), |position, codes| {
                    self.take(side, batch, position, codes, places.clone(), &mut sizes[position]);
                });
            }
        }
        let sizes = sizes.into_iter().map(|sizes| sizes.into_iter().map(|size| size.cards.into()).collect()).collect();
        Counted { batch, sizes }
    }

    /// Adds the rows of a block that count for a class.
    fn take(&self, side: &Side<'_>, batch: &Batch, position: usize, codes: Codes<'_>, places: Range<usize>, sizes: &mut [Size]) {
        let (aggregate, in_columns) = side.lowered.class(batch.classes[position]);
        let of = self.group_of[aggregate][places.clone()].iter().zip(&self.cards[places.clone()]);
        for ((lane, place), (group, card)) in places.enumerate().zip(of) {
            let code = codes.of(lane);
            if code == 0 && in_columns {
                continue;
            }
            if let Some(group) = group
                && (in_columns && code == 1 || self.ask(side, batch, batch.classes[position], place))
            {
                let of_group = &mut sizes[*group];
                let card = u32::try_from(card.0 + 1).unwrap_or(u32::MAX);
                of_group.cards += u32::from(std::mem::replace(&mut of_group.last, card) != card);
            }
        }
    }

    /// Whether a row counts, by the interpreter.
    fn ask(&self, side: &Side<'_>, batch: &Batch, class: usize, place: usize) -> bool {
        let aggregate = side.lowered.class(class).0;
        let of_class = |tenant: &&usize| side.lowered.classes_of(**tenant).get(aggregate) == Some(&class);
        let tenant = batch.tenants.iter().find(of_class);
        tenant.is_some_and(|tenant| side.case.counts(side.routes[self.rows[place]], *tenant, aggregate))
    }
}

/// How many cards of a group count, and the last of them: rows stand in the order of their cards.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    cards: u32,
    /// Counted from 1 on.
    last: u32,
}

/// What the tenants of a batch counted: for each of its classes the size of each group.
#[derive(Debug)]
pub struct Counted<'b> {
    batch: &'b Batch,
    sizes: Vec<Vec<i64>>,
}

impl<'b> Counted<'b> {
    pub const fn nothing(batch: &'b Batch) -> Self {
        Self { batch, sizes: Vec::new() }
    }

    /// For each group of an aggregate, by size from 0 on: whether a tenant of the batch counted so many.
    pub fn sizes_seen(&self, aggregate: usize, groups: &Groups) -> Vec<Vec<bool>> {
        let mut seen: Vec<Vec<bool>> = groups.members[aggregate].iter().map(|places| vec![false; places + 1]).collect();
        let mut classes = vec![false; self.sizes.len()];
        let of_tenants = 0..self.batch.tenants.len();
        of_tenants.filter_map(|position| self.batch.class_of(position, aggregate)).for_each(|class| classes[class] = true);
        for (sizes, _) in self.sizes.iter().zip(classes).filter(|(_, is_theirs)| *is_theirs) {
            for (seen, size) in seen.iter_mut().zip(sizes) {
                if let Some(seen) = usize::try_from(*size).ok().and_then(|size| seen.get_mut(size)) {
                    *seen = true;
                }
            }
        }
        seen
    }

    /// The size of each group of an aggregate for the tenant of a position in the batch, from 0 on.
    pub fn sizes(&self, position: usize, aggregate: usize) -> &[i64] {
        let class = self.batch.class_of(position, aggregate).and_then(|class| self.sizes.get(class));
        class.map_or(&[], Vec::as_slice)
    }

    /// What was counted for a row and tenant, in the order of the aggregates that it belongs to a group of.
    pub fn told(&self, side: &Side<'_>, groups: &Groups, row: usize, position: usize) -> Vec<(FactId, i64)> {
        let Some(place) = groups.place(row) else { return Vec::new() };
        let of = |aggregate: usize| {
            let counted = *self.sizes(position, aggregate).get(groups.group(aggregate, place)?)?;
            Some(told(side, aggregate, counted.max(1)))
        };
        (0..groups.group_of.len()).filter_map(of).collect()
    }
}

/// A count as decisions tell it.
pub fn told(side: &Side<'_>, aggregate: usize, count: i64) -> (FactId, i64) {
    (side.case.pack.aggregates[aggregate].fact, count)
}
