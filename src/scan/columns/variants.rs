//! The values that tenants counted for a row: a lane for each, of which every tenant reads its own.

use std::ops::Range;

use super::{
    grouped::Grouped,
    groups::{Counted, Groups},
};
use crate::rules::lower::{Batch, LANES};

/// Rows, each with what was counted for it.
#[derive(Debug)]
pub struct Lanes {
    /// Positions among the rows that are counted together with others.
    pub rows: Vec<usize>,
    /// By aggregate.
    pub counts: Vec<Vec<i64>>,
}

impl Lanes {
    pub fn new(aggregates: usize) -> Self {
        Self { rows: Vec::new(), counts: vec![Vec::new(); aggregates] }
    }

    pub fn push(&mut self, row: usize, counts: &[i64]) {
        self.rows.push(row);
        self.counts.iter_mut().zip(counts).for_each(|(all, count)| all.push(*count));
    }

    /// All lanes, in blocks.
    pub fn blocks(&self) -> Vec<Range<usize>> {
        let count = self.rows.len();
        (0..count).step_by(LANES).map(|start| start..(start + LANES).min(count)).collect()
    }
}

/// Rows all of whose lanes are judged together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantBlock {
    pub rows: Range<usize>,
    pub lanes: Range<usize>,
}

/// Which of a row's lanes is a tenant's.
#[derive(Debug)]
pub struct Variants {
    /// The first lane of each row, and the end of the last.
    first: Vec<u32>,
    /// By aggregate.
    of: Vec<Axis>,
}

/// The values that one aggregate counted.
#[derive(Debug)]
struct Axis {
    /// The group of each row among those of all aggregates; rows that belong to none have one of their own.
    group: Vec<u32>,
    /// How far a row's lanes of two neighbouring values stand apart.
    stride: Vec<u32>,
    /// By group and size, from 0 on: which of the group's values it is.
    place: Vec<Vec<u32>>,
}

/// By tenant of a batch and group, which of its values the tenant counted.
#[derive(Debug)]
pub struct Choices {
    choices: Vec<u32>,
    groups: usize,
}

impl Choices {
    pub fn of(&self, position: usize) -> &[u32] {
        &self.choices[position * self.groups..][..self.groups]
    }
}

impl Variants {
    /// Lanes for what the tenants of a batch counted.
    pub fn of(counted: &Counted<'_>, groups: &Groups, grouped: &Grouped) -> (Self, Lanes) {
        let alone = vec![1];
        let mut values: Vec<Vec<i64>> = Vec::new();
        let mut before = 0;
        let mut axes: Vec<Axis> = Vec::new();
        for ((aggregate, count), of) in groups.counts().enumerate().zip(&grouped.group_of) {
            let mut of_aggregate = Vec::with_capacity(count + 1);
            let mut place = Vec::with_capacity(count + 1);
            for of_size in counted.sizes_seen(aggregate, groups) {
                // a group of nobody is one of one
                let found: Vec<i64> = of_size.iter().zip(0..).filter(|(seen, _)| **seen).map(|(_, size)| size).collect();
                let mut next = 0;
                let places = of_size.iter().map(|seen| {
                    next += u32::from(*seen);
                    next.saturating_sub(1)
                });
                place.push(places.collect());
                of_aggregate.push(found.into_iter().map(|size: i64| size.max(1)).collect());
            }
            of_aggregate.push(alone.clone());
            place.push(vec![0]);
            let group = of.iter().map(|group| u32::try_from(before + group.unwrap_or(count)).unwrap_or(u32::MAX)).collect();
            values.extend(of_aggregate);
            before += count + 1;
            axes.push(Axis { group, stride: Vec::with_capacity(grouped.count()), place });
        }
        let place = |lanes: &Lanes| u32::try_from(lanes.rows.len()).unwrap_or(u32::MAX);
        let mut lanes = Lanes::new(axes.len());
        let mut first = Vec::with_capacity(grouped.count() + 1);
        for row in 0..grouped.count() {
            first.push(place(&lanes));
            // every combination; the last aggregate's values change fastest
            let of_row: Vec<&Vec<i64>> = axes.iter().map(|axis| &values[axis.group[row] as usize]).collect();
            let count: usize = of_row.iter().map(|values| values.len()).product();
            lanes.rows.extend(std::iter::repeat_n(row, count));
            let mut stride = count;
            for ((counts, values), axis) in lanes.counts.iter_mut().zip(of_row).zip(&mut axes) {
                stride /= values.len().max(1);
                counts.extend((0..count).map(|lane| values[lane / stride.max(1) % values.len()]));
                axis.stride.push(u32::try_from(stride).unwrap_or(u32::MAX));
            }
        }
        first.push(place(&lanes));
        (Self { first, of: axes }, lanes)
    }

    /// Which of the values each tenant of a batch counted.
    pub fn choices(&self, batch: &Batch, counted: &Counted<'_>) -> Choices {
        let groups = self.of.iter().map(|axis| axis.place.len()).sum();
        let mut choices = Vec::with_capacity(groups * batch.tenants.len());
        for position in 0..batch.tenants.len() {
            for (aggregate, axis) in self.of.iter().enumerate() {
                let sizes = counted.sizes(position, aggregate).iter().map(|size| usize::try_from(*size).unwrap_or(0));
                choices.extend(sizes.chain([0]).zip(&axis.place).map(|(size, place)| place[size]));
            }
        }
        Choices { choices, groups }
    }

    /// Of a block's lanes those of a tenant who counted so, one for each row.
    pub fn own(&self, choice: &[u32], block: &VariantBlock, own: &mut Vec<u32>) {
        let rows = block.rows.clone();
        let start = self.first[rows.start];
        own.clear();
        own.extend(self.first[rows.clone()].iter().map(|first| first - start));
        for axis in &self.of {
            for ((lane, group), stride) in own.iter_mut().zip(&axis.group[rows.clone()]).zip(&axis.stride[rows.clone()]) {
                *lane += choice[*group as usize] * stride;
            }
        }
    }

    /// All rows, in blocks of about so many lanes as are judged at a time.
    pub fn blocks(&self) -> Vec<VariantBlock> {
        let rows = self.first.len() - 1;
        let mut blocks = Vec::new();
        let mut start = 0;
        while start < rows {
            let lane = |row: usize| self.first[row] as usize;
            let fits = |row: &usize| lane(row + 1) - lane(start) <= LANES;
            let end = (start + 1..rows).take_while(fits).last().unwrap_or(start) + 1;
            blocks.push(VariantBlock { rows: start..end, lanes: lane(start)..lane(end) });
            start = end;
        }
        blocks
    }
}
