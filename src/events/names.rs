//! Finds the names of cards in what people write: all names in one pass, whole words, the longest first.

use std::collections::{BTreeMap, BTreeSet};

use aho_corasick::{AhoCorasick, BuildError};

use crate::domain::card::CardId;

/// Names that mean something else in most posts.
const ORDINARY: &str = include_str!("names/ordinary.txt");

/// Every name that is looked for, and whose it is.
#[derive(Debug)]
pub struct Names {
    automaton: AhoCorasick,
    /// Ascending by name; a match's pattern is a place here.
    named: Vec<(String, Vec<CardId>)>,
}

impl Names {
    /// # Errors
    /// More names than an automaton holds.
    pub fn of<'c>(cards: impl IntoIterator<Item = (&'c str, CardId)>) -> Result<Self, BuildError> {
        let ordinary: BTreeSet<String> = ORDINARY.lines().filter(|line| !line.starts_with('#')).map(folded).collect();
        let mut named: BTreeMap<String, Vec<CardId>> = BTreeMap::new();
        for (name, card) in cards {
            let name = folded(name);
            if !name.is_empty() && !ordinary.contains(&name) {
                named.entry(name).or_default().push(card);
            }
        }
        let automaton = AhoCorasick::new(named.keys())?;
        Ok(Self { automaton, named: named.into_iter().collect() })
    }

    /// How many names are looked for.
    pub const fn count(&self) -> usize {
        self.named.len()
    }

    /// Every print of a name as [`Names::found_in`] gives it.
    pub fn cards(&self, name: &str) -> &[CardId] {
        let place = self.named.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok();
        place.map_or(&[], |place| &self.named[place].1)
    }

    /// The names in a text, each once. Where two share letters the longer one stands there.
    pub fn found_in(&self, text: &str) -> BTreeSet<&str> {
        let text = folded(text);
        let is_whole = |found: &aho_corasick::Match| {
            let (before, after) = (text[..found.start()].chars().next_back(), text[found.end()..].chars().next());
            // Cynthia's Garchomp is no Cynthia
            let owns = text[found.end()..].starts_with("'s");
            !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric) && !owns
        };
        let mut found: Vec<_> = self.automaton.find_overlapping_iter(&text).filter(is_whole).collect();
        found.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.start().cmp(&other.start())));
        let mut taken: Vec<std::ops::Range<usize>> = Vec::new();
        for one in found {
            if taken.iter().all(|other| one.end() <= other.start || other.end <= one.start()) {
                taken.push(one.range());
            }
        }
        taken
            .into_iter()
            .filter_map(|range| self.named.binary_search_by(|(name, _)| name.as_str().cmp(&text[range.clone()])).ok())
            .map(|place| self.named[place].0.as_str())
            .collect()
    }
}

/// As names are compared: small letters, no accents, one kind of apostrophe and of blank.
pub fn folded(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.trim().chars().flat_map(char::to_lowercase) {
        match letter {
            'à' | 'á' | 'â' | 'ä' | 'ã' => folded.push('a'),
            'è' | 'é' | 'ê' | 'ë' => folded.push('e'),
            'ì' | 'í' | 'î' | 'ï' => folded.push('i'),
            'ò' | 'ó' | 'ô' | 'ö' | 'õ' => folded.push('o'),
            'ù' | 'ú' | 'û' | 'ü' => folded.push('u'),
            'ñ' => folded.push('n'),
            'ç' => folded.push('c'),
            '’' | '‘' | '`' | '´' => folded.push('\''),
            // an accent that stands by itself
            '\u{300}'..='\u{36f}' => {}
            blank if blank.is_whitespace() => {
                if !folded.ends_with(' ') {
                    folded.push(' ');
                }
            }
            other => folded.push(other),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn found(names: &[&str], text: &str) -> Vec<String> {
        let cards = names.iter().enumerate().map(|(number, name)| (*name, CardId::new(&format!("a-{number}")).unwrap()));
        Names::of(cards).unwrap().found_in(text).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn mew_is_not_mewtwo_and_the_longest_name_stands_where_several_do() {
        let names = ["Mew", "Mewtwo", "Mew ex", "Mewtwo ex", "Mewtwo & Mew-GX"];
        assert_eq!(found(&names, "Pulled a Mewtwo today"), ["mewtwo"]);
        assert_eq!(found(&names, "mew, and MEWTWO EX!"), ["mew", "mewtwo ex"]);
        assert_eq!(found(&names, "Mewtwo & Mew-GX alt art"), ["mewtwo & mew-gx"]);
        assert_eq!(found(&names, "mew express mewing"), ["mew"], "no \"mew ex\" in a mew express");
        assert_eq!(found(&names, "homework, mewtwos"), [""; 0]);
        assert_eq!(found(&["Cynthia"], "Cynthia’s Garchomp, and Cynthia"), ["cynthia"]);
        assert_eq!(found(&["Cynthia"], "Cynthia’s Garchomp"), [""; 0]);
    }

    #[test]
    fn accents_case_and_apostrophes_make_no_difference() {
        let names = ["Flabébé", "Boss's Orders", "N's Zoroark ex", "N"];
        assert_eq!(found(&names, "FLABEBE"), ["flabebe"]);
        assert_eq!(found(&names, "Boss’s  Orders and n`s zoroark EX"), ["boss's orders", "n's zoroark ex"]);
    }

    #[test]
    fn an_ordinary_word_is_no_name_but_may_be_part_of_one() {
        let names = ["Will", "Switch", "Pokémon Center", "Pokémon Center Lady"];
        assert_eq!(found(&names, "Will the Pokemon center switch its lineup?"), [""; 0]);
        assert_eq!(found(&names, "Pokémon Center Lady full art"), ["pokemon center lady"]);
    }

    #[test]
    fn a_name_is_all_its_prints() {
        let cards = ["a-1", "b-2"].map(|id| ("Iono", CardId::new(id).unwrap()));
        assert_eq!(Names::of(cards.clone()).unwrap().cards("iono"), cards.map(|(_, id)| id));
    }
}
