//! Groups of which some cards passed and others fell through: what passed is judged once more, with the count that is left.

use rustc_hash::FxHashMap;

use super::{
    super::{groups::Groups, variants::Lanes},
    Again, Grouped, Passing,
};

/// By aggregate and row the last tenant for whom its card was counted there.
struct Seen(Vec<Vec<Option<usize>>>);

impl Seen {
    fn of(rows: &Grouped) -> Self {
        Self(vec![vec![None; rows.rows.len()]; rows.group_of.len()])
    }

    /// Counts each card that passes for a tenant once in its group.
    fn count(&mut self, rows: &Grouped, aggregate: usize, tenant: usize, passing: &[Passing], left: &mut [i64]) {
        for passing in passing {
            if let Some(group) = rows.group_of[aggregate][passing.row] {
                let first = rows.first_of[aggregate][passing.row];
                left[group] += i64::from(self.0[aggregate][first].replace(tenant) != Some(tenant));
            }
        }
    }
}

impl Grouped {
    /// Signals of groups of which other cards fell through, with the count that is left, by tenant. `size` tells what a
    /// tenant counted for an aggregate's group. Of rows beside these some
    /// may pass, too.
    pub(super) fn fallen(
        &self,
        groups: &Groups,
        size: impl Fn(usize, usize, usize) -> i64,
        passing: &[Vec<Passing>],
        beside: Option<(&Self, &[Vec<Passing>])>,
    ) -> (Lanes, Vec<Vec<Again>>) {
        let aggregates = self.group_of.len();
        let mut lanes = Lanes::new(aggregates);
        let mut known: FxHashMap<(usize, Vec<i64>), usize> = FxHashMap::default();
        if passing.iter().all(Vec::is_empty) {
            return (lanes, passing.iter().map(|_| Vec::new()).collect());
        }
        // by aggregate and group: the cards that are left
        let mut left: Vec<Vec<i64>> = groups.counts().map(|count| vec![0; count]).collect();
        let (mut own, mut foreign) = (Seen::of(self), beside.map(|(rows, passing)| (Seen::of(rows), rows, passing)));
        let again = passing.iter().enumerate().map(|(tenant, passing)| {
            if passing.is_empty() {
                return Vec::new();
            }
            for (aggregate, left) in left.iter_mut().enumerate() {
                self.groups_of(aggregate, passing).for_each(|group| left[group] = 0);
                own.count(self, aggregate, tenant, passing, left);
                if let Some((seen, rows, others)) = &mut foreign {
                    seen.count(rows, aggregate, tenant, others.get(tenant).map_or(&[], Vec::as_slice), left);
                }
            }
            let mut again = Vec::new();
            for passing in passing {
                let shrunk = |aggregate: usize| {
                    let group = self.group_of[aggregate][passing.row];
                    group.is_some_and(|group| size(tenant, aggregate, group) > left[aggregate][group])
                };
                if !(0..aggregates).any(shrunk) {
                    continue;
                }
                let remaining = |aggregate: usize| self.group_of[aggregate][passing.row].map_or(1, |group| left[aggregate][group]);
                let counts: Vec<i64> = (0..aggregates).map(remaining).collect();
                let lane = *known.entry((passing.row, counts)).or_insert_with_key(|(row, counts)| {
                    lanes.push(*row, counts);
                    lanes.rows.len() - 1
                });
                again.push(Again { row: passing.row, lane, code: 0, score: None });
            }
            again
        });
        let again = again.collect();
        (lanes, again)
    }

    fn groups_of(&self, aggregate: usize, passing: &[Passing]) -> impl Iterator<Item = usize> {
        passing.iter().filter_map(move |passing| self.group_of[aggregate][passing.row])
    }
}
