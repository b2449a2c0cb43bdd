//! Which cards are played together: how many decks hold both of two names.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Decks by pair of names. Names are compared by code point: `arven` is not `Arven`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synergy {
    /// Both ways.
    partners: BTreeMap<Arc<str>, BTreeMap<Arc<str>, u32>>,
}

impl Synergy {
    /// Counts a deck, or several equal ones. However many copies of a card it holds, each pair counts once.
    pub fn add<'n>(&mut self, names: impl IntoIterator<Item = &'n str>, decks: u32) {
        let names: BTreeSet<Arc<str>> = names.into_iter().filter(|name| !name.is_empty()).map(Arc::from).collect();
        for name in &names {
            for other in names.iter().filter(|other| *other != name) {
                let count = self.partners.entry(Arc::clone(name)).or_default().entry(Arc::clone(other)).or_default();
                *count = count.saturating_add(decks);
            }
        }
    }

    /// Every pair once, the smaller name first.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str, u32)> {
        self.partners.iter().flat_map(|(name, partners)| {
            let later = partners.iter().filter(move |(other, _)| *other > name);
            later.map(move |(other, count)| (&**name, &**other, *count))
        })
    }

    /// With whom a card is played most; equals in the order of their names.
    pub fn partners(&self, name: &str, most: usize) -> Vec<(&str, u32)> {
        let partners = self.partners.get(name).into_iter().flatten();
        let mut ranked: Vec<(&str, u32)> = partners.map(|(other, count)| (&**other, *count)).collect();
        rank(&mut ranked);
        ranked.truncate(most);
        ranked
    }
}

/// The most frequent first; equals in the order of their names.
pub(super) fn rank(counted: &mut [(&str, u32)]) {
    counted.sort_unstable_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(other.0)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_decks_count_a_pair_twice_and_copies_count_nothing() {
        let mut synergy = Synergy::default();
        synergy.add(["A", "B", "C", "A"], 1);
        synergy.add(["A", "B", ""], 1);
        assert_eq!(synergy.pairs().collect::<Vec<_>>(), [("A", "B", 2), ("A", "C", 1), ("B", "C", 1)]);
        assert_eq!(synergy.partners("A", 20), [("B", 2), ("C", 1)]);
        assert_eq!(synergy.partners("A", 1), [("B", 2)]);
        assert!(synergy.partners("a", 20).is_empty());
    }
}
