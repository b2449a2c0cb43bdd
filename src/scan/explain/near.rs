//! Cards that may be meant by an id or a name that none has.

use crate::{domain::card::Card, rules::diagnostic::nearest};

/// Cards that are told.
const TOLD: usize = 5;

/// Those whose id or name is the same but for its case, else those whose name holds the words, else the one that is spelt
/// most alike: each with its name.
pub fn near(cards: &[Card], asked: &str) -> Vec<String> {
    let asked = asked.trim().to_lowercase();
    let told = |card: &Card| format!("{} ({})", card.card_id, card.name);
    let those = |is_meant: &dyn Fn(&Card) -> bool| cards.iter().filter(|card| is_meant(card)).take(TOLD).map(told).collect::<Vec<_>>();
    let holds_words = |card: &Card| {
        let name = card.name.to_lowercase();
        asked.split_whitespace().all(|word| name.contains(word))
    };
    if asked.is_empty() {
        return Vec::new();
    }
    let same = those(&|card| card.card_id.as_str().eq_ignore_ascii_case(&asked) || card.name.to_lowercase() == asked);
    let found = if same.is_empty() { those(&holds_words) } else { same };
    if !found.is_empty() {
        return found;
    }
    let names: Vec<String> = cards.iter().map(|card| card.name.to_lowercase()).collect();
    // a name that is spelt alike says more than an id
    if let Some(name) = nearest(&asked, names.iter().map(String::as_str)) {
        return those(&|card| card.name.to_lowercase() == name);
    }
    let id = nearest(&asked, cards.iter().map(|card| card.card_id.as_str()));
    id.map(|id| those(&|card| card.card_id.as_str() == id)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::domain::card::CardId;

    fn cards() -> Vec<Card> {
        let card = |(id, name): (&str, &str)| Card {
            card_id: CardId::new(id).unwrap(),
            name: name.to_owned(),
            set_code: String::new(),
            set_name: None,
            card_number: None,
            rarity: None,
            supertype: None,
            regulation_mark: None,
            set_release_date: None,
            legality_standard: None,
            legality_expanded: None,
            tcgplayer_url: None,
            cardmarket_url: None,
            image_url: None,
        };
        [
            ("sv1-25", "Pikachu"),
            ("sv3-125", "Charizard ex"),
            ("sv3-223", "Charizard ex"),
            ("sv4-1", "Flabébé"),
            ("swsh3-20", "Charizard VMAX"),
        ]
        .map(card)
        .into()
    }

    #[test]
    fn a_card_is_found_by_part_of_its_name_by_a_slip_and_by_its_id() {
        let found = |asked: &str| near(&cards(), asked);
        assert_eq!(found("charizard"), ["sv3-125 (Charizard ex)", "sv3-223 (Charizard ex)", "swsh3-20 (Charizard VMAX)"]);
        assert_eq!(found("CHARIZARD EX"), ["sv3-125 (Charizard ex)", "sv3-223 (Charizard ex)"]);
        assert_eq!(found("vmax char"), ["swsh3-20 (Charizard VMAX)"]);
        assert_eq!(found("pikahcu"), ["sv1-25 (Pikachu)"]);
        assert_eq!(found("FLABÉBÉ"), ["sv4-1 (Flabébé)"]);
        assert_eq!(found("SV1-25"), ["sv1-25 (Pikachu)"]);
        assert_eq!(found("swsh3-21"), ["swsh3-20 (Charizard VMAX)"]);
        assert!(found("energy retrieval").is_empty() && found(" ").is_empty());
    }
}
