//! Where only some cards are asked for: which rows may suit anybody, and which pass of the cards beside them, which matters
//! only to groups of which a row passes.

use super::{
    super::{
        Side,
        groups::{Counted, Groups},
        tally::Tally,
        variants::Variants,
    },
    Grouped, Passing,
};
use crate::rules::lower::{Batch, Machine};

impl Grouped {
    /// Of these rows, by card, those that are counted together with one that passes, and for whom they pass.
    pub(super) fn beside(
        &self,
        side: &Side<'_>,
        batch: &Batch,
        machine: &mut Machine,
        (counted, groups): (&Counted<'_>, &Groups),
        (cards, passing): (&[Vec<usize>], &[Vec<Passing>]),
        tally: &Tally,
    ) -> (Self, Vec<Vec<Passing>>) {
        let mut wanted: Vec<Vec<bool>> = groups.counts().map(|count| vec![false; count]).collect();
        let mut whose = vec![false; batch.tenants.len()];
        for (whose, passing) in whose.iter_mut().zip(passing) {
            for (group_of, wanted) in self.group_of.iter().zip(&mut wanted) {
                for group in passing.iter().filter_map(|passing| group_of[passing.row]) {
                    (wanted[group], *whose) = (true, true);
                }
            }
        }
        let is_near = |row: &usize| {
            let place = groups.place(*row);
            place.is_some_and(|place| {
                wanted.iter().enumerate().any(|(aggregate, wanted)| groups.group(aggregate, place).is_some_and(|group| wanted[group]))
            })
        };
        let near = Self::of(side, &some(cards, is_near), groups);
        if near.rows.is_empty() {
            return (near, Vec::new());
        }
        let near = near.hoping(side, batch, machine, (counted, groups), cards, &whose);
        let told = near.first(side, batch, machine, (counted, groups), &whose, tally);
        (near, told.passing)
    }

    /// Of these rows those that may suit one of some tenants with what they counted. `cards` are all rows by card.
    pub(super) fn hoping(
        &self,
        side: &Side<'_>,
        batch: &Batch,
        machine: &mut Machine,
        (counted, groups): (&Counted<'_>, &Groups),
        cards: &[Vec<usize>],
        whose: &[bool],
    ) -> Self {
        let (_, lanes) = Variants::of(counted, groups, self, whose);
        let mut hoping: Vec<usize> = Vec::new();
        for block in lanes.blocks() {
            self.with_columns(batch, &lanes, block.clone(), |columns| {
                batch.hope(machine, columns, block.len(), |lane| hoping.push(self.rows[lanes.rows[block.start + lane]]));
            });
        }
        hoping.sort_unstable();
        Self::of(side, &some(cards, |row| hoping.binary_search(row).is_ok()), groups)
    }
}

/// Some of these rows, by card.
fn some(cards: &[Vec<usize>], is_one: impl Fn(&usize) -> bool) -> Vec<Vec<usize>> {
    cards.iter().map(|rows| rows.iter().copied().filter(&is_one).collect()).collect()
}
