//! What each tenant counts, where only signals are asked for: all tenants at once.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    Side,
    groups::{self, Groups},
};
use crate::{
    domain::book::CardIndex,
    rules::{
        graph::FactId,
        lower::{Column, Kinds, LANES, Machine, Part, Slice, Suits, add_marked},
    },
};

/// By aggregate, group and tenant how many cards count.
#[derive(Debug)]
pub struct Sizes(Vec<Vec<Vec<u32>>>);

impl Sizes {
    pub fn of(side: &Side<'_>, counting: &[Kinds], groups: &Groups) -> Self {
        let of_aggregate = |(aggregate, count): (usize, usize)| {
            // rows of a group stand in the order of their cards
            let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
            groups.members(aggregate).for_each(|(row, group)| members[group].push(row));
            let parts: Vec<(Part<'_>, Vec<usize>)> = counting[aggregate].parts().into_iter().map(|part| (part, part.tenants())).collect();
            let counted = |machine: &mut Machine, rows: &[usize]| counted(side, (aggregate, &counting[aggregate]), &parts, machine, rows);
            members.par_iter().map_init(Machine::default, |machine, rows| counted(machine, rows)).collect()
        };
        Self(groups.counts().enumerate().map(of_aggregate).collect())
    }

    /// How many cards of a group count for a tenant.
    pub fn get(&self, aggregate: usize, group: usize, tenant: usize) -> i64 {
        self.0[aggregate][group][tenant].into()
    }

    /// The values that tenants counted for a group, ascending; a group of nobody is one of one.
    pub fn seen(&self, aggregate: usize, group: usize) -> Vec<i64> {
        let sizes = &self.0[aggregate][group];
        let most = sizes.iter().copied().max().unwrap_or(0);
        let mut seen = vec![false; most as usize + 1];
        for size in sizes {
            seen[*size as usize] = true;
        }
        let mut values: Vec<i64> = (0..).zip(seen).filter(|(_, seen)| *seen).map(|(size, _)| i64::max(size, 1)).collect();
        values.dedup();
        values
    }

    /// What was counted for a row and tenant, in the order of the aggregates that it belongs to a group of.
    pub fn told(&self, side: &Side<'_>, groups: &Groups, row: usize, tenant: usize) -> Vec<(FactId, i64)> {
        let Some(place) = groups.place(row) else { return Vec::new() };
        let of =
            |aggregate: usize| Some(groups::told(side, aggregate, self.get(aggregate, groups.group(aggregate, place)?, tenant).max(1)));
        (0..self.0.len()).filter_map(of).collect()
    }
}

/// How many cards of a group count, by tenant.
fn counted(
    side: &Side<'_>,
    (aggregate, kinds): (usize, &Kinds),
    parts: &[(Part<'_>, Vec<usize>)],
    machine: &mut Machine,
    rows: &[usize],
) -> Vec<u32> {
    let mut sizes = vec![0; side.case.profiles.len()];
    for (part, tenants) in parts {
        let (mut sums, mut marked) = (vec![0; tenants.len()], vec![0; tenants.len()]);
        // by kind: the card for which tenants are marked of whom one of its rows counts
        let mut at_hand: Vec<(Option<CardIndex>, Range<usize>)> = vec![(None, 0..0); part.kinds()];
        for rows in rows.chunks(LANES) {
            let columns = side.pick_read(kinds, rows);
            let columns: Vec<Slice<'_>> = columns.iter().map(Column::slice).collect();
            part.left(machine, &columns, rows.len(), |left| {
                let (row, of_kind) = (rows[left.lane], left.range());
                if at_hand[left.kind].0.replace(side.card_of(row)) != Some(side.card_of(row)) {
                    add_marked(&mut sums[of_kind.clone()], &mut marked[of_kind.clone()]);
                    at_hand[left.kind].1 = of_kind;
                }
                if left.suits == Suits::Open {
                    let counts = |place: &usize| side.case.counts(side.routes[row], tenants[*place], aggregate);
                    left.places().filter(counts).for_each(|place| marked[place] = 1);
                } else {
                    left.mark(&mut marked);
                }
            });
        }
        for (_, of_kind) in at_hand {
            add_marked(&mut sums[of_kind.clone()], &mut marked[of_kind]);
        }
        tenants.iter().zip(sums).for_each(|(tenant, sum)| sizes[*tenant] = sum);
    }
    sizes
}
