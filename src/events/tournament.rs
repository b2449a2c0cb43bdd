//! What a tournament makes sought-after: the cards that the best decks play, and those that are played with them.

use std::collections::{BTreeMap, BTreeSet};

use super::synergy::{Synergy, rank};

/// Places that make a deck one that others copy.
const TOP: std::ops::RangeInclusive<u32> = 1..=8;
/// Of each card of such a deck, so many partners.
const PARTNERS: usize = 5;
const MOST: usize = 50;

/// A player's result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Nothing where the player dropped out, or nobody says.
    pub placing: Option<u32>,
    /// The names of the deck, each at least once.
    pub deck: Vec<String>,
}

impl Placed {
    fn is_top(&self) -> bool {
        self.placing.is_some_and(|place| TOP.contains(&place))
    }
}

/// The cards that stand in the decks of the first eight, with how many of those hold each; the most frequent first.
pub fn played(results: &[Placed]) -> Vec<(String, u32)> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for result in results.iter().filter(|result| result.is_top()) {
        for name in names(result) {
            *counts.entry(name).or_default() += 1;
        }
    }
    ranked(counts, usize::MAX)
}

/// The partners of those cards over all decks, each with how many decks hold it and one of them; the most frequent first.
pub fn targets(results: &[Placed]) -> Vec<(String, u32)> {
    let mut synergy = Synergy::default();
    for result in results {
        synergy.add(names(result), 1);
    }
    let top: BTreeSet<&str> = results.iter().filter(|result| result.is_top()).flat_map(names).collect();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for name in top {
        for (partner, count) in synergy.partners(name, PARTNERS) {
            let highest = counts.entry(partner).or_default();
            *highest = count.max(*highest);
        }
    }
    ranked(counts, MOST)
}

fn names(result: &Placed) -> BTreeSet<&str> {
    result.deck.iter().map(String::as_str).filter(|name| !name.is_empty()).collect()
}

fn ranked(counts: BTreeMap<&str, u32>, most: usize) -> Vec<(String, u32)> {
    let mut ranked: Vec<(&str, u32)> = counts.into_iter().collect();
    rank(&mut ranked);
    ranked.into_iter().take(most).map(|(name, count)| (name.to_owned(), count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(placing: Option<u32>, deck: &[&str]) -> Placed {
        Placed { placing, deck: deck.iter().map(|name| (*name).to_owned()).collect() }
    }

    fn told(ranked: &[(String, u32)]) -> Vec<(&str, u32)> {
        ranked.iter().map(|(name, count)| (name.as_str(), *count)).collect()
    }

    #[test]
    fn the_partners_of_what_the_first_eight_play_are_counted_over_all_decks() {
        let results =
            [placed(Some(1), &["A", "B"]), placed(Some(9), &["A", "B", "C"]), placed(Some(32), &["C", "D"]), placed(None, &["A", "D"])];
        // A: B 2, C 1, D 1; B: A 2, C 1
        assert_eq!(told(&targets(&results)), [("A", 2), ("B", 2), ("C", 1), ("D", 1)]);
        assert_eq!(told(&played(&results)), [("A", 1), ("B", 1)]);
    }

    #[test]
    fn who_has_no_place_is_not_among_the_first_eight() {
        assert!(targets(&[placed(None, &["A", "B"]), placed(Some(0), &["A", "B"]), placed(Some(9), &["A", "B"])]).is_empty());
    }
}
