//! pokemontcg.io's cards: the API's objects with set and prices, and dumps that have neither.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{
    Body, Emit, Entry, Format, Outcome, Phase, SourceError, json,
    pokemontcg_prices::{self, VendorPrices},
    pokemontcg_sets::{VendorSet, set_code},
};
use crate::domain::card::{Card, CardId};

pub const FORMAT: Format = Format {
    name: "pokemontcg.io cards JSON",
    phase: Phase::Cards,
    recognises: |head| head.has_keys(&["id", "supertype"]) || head.has_keys(&["id", "number", "legalities"]),
    read,
};

/// A card as the vendor writes it. Keys that we do not use may be anything, as they are in real dumps.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorCard<'a> {
    id: String,
    name: String,
    number: Option<String>,
    rarity: Option<String>,
    supertype: Option<String>,
    regulation_mark: Option<String>,
    #[serde(default)]
    legalities: Option<Legalities>,
    #[serde(default)]
    images: Option<Images>,
    set: Option<VendorSet>,
    #[serde(borrow)]
    tcgplayer: Option<VendorPrices<'a>>,
    #[serde(borrow)]
    cardmarket: Option<VendorPrices<'a>>,
}

#[derive(Deserialize)]
struct Legalities {
    standard: Option<String>,
    expanded: Option<String>,
}

#[derive(Deserialize)]
struct Images {
    small: Option<String>,
    large: Option<String>,
}

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    let content = body.whole(json::LIMIT)?;
    let rows = json::listed(&content)?;
    json::each_row(&content, &rows, emit, |card: VendorCard<'_>| {
        outcomes(card, now).unwrap_or_else(|reason| vec![Outcome::Refused(reason)])
    })
}

/// The card with its set, and each price by itself: a bad price does not cost the card.
fn outcomes(card: VendorCard<'_>, now: DateTime<Utc>) -> Result<Vec<Outcome>, String> {
    let card_id = CardId::new(&card.id).map_err(|error| error.to_string())?;
    let (own_set, _) =
        card_id.as_str().rsplit_once('-').ok_or_else(|| format!("\"{card_id}\" names no set: expected something like sv1-25"))?;
    let set = card.set.map(VendorSet::into_set).transpose()?;
    let code = set.as_ref().map_or_else(|| set_code(own_set).map(str::to_owned), |set| Ok(set.set_code.clone()))?;
    let legalities = card.legalities.unwrap_or(Legalities { standard: None, expanded: None });
    let images = card.images.unwrap_or(Images { small: None, large: None });
    let mut outcomes = vec![Outcome::Values(Vec::new())];
    if let Some(block) = &card.tcgplayer {
        outcomes.extend(pokemontcg_prices::tcgplayer(&card_id, block, now));
    }
    if let Some(block) = &card.cardmarket {
        outcomes.extend(pokemontcg_prices::cardmarket(&card_id, block, now));
    }
    let url = |block: Option<VendorPrices<'_>>| block.and_then(|block| block.url).filter(|url| url.starts_with("https://"));
    let described = Card {
        card_id,
        name: card.name,
        set_code: code,
        set_name: set.as_ref().map(|set| set.name.clone()),
        card_number: card.number,
        rarity: card.rarity,
        supertype: card.supertype,
        regulation_mark: card.regulation_mark.as_deref().and_then(mark),
        set_release_date: set.as_ref().and_then(|set| set.release_date),
        legality_standard: legalities.standard,
        legality_expanded: legalities.expanded,
        tcgplayer_url: url(card.tcgplayer),
        cardmarket_url: url(card.cardmarket),
        image_url: images.large.or(images.small),
    };
    outcomes[0] = Outcome::Values(set.map(Entry::Set).into_iter().chain([Entry::Card(Box::new(described))]).collect());
    Ok(outcomes)
}

/// A regulation mark is one letter; anything else is unknown, and unknown marks never pass for legal ones.
fn mark(text: &str) -> Option<String> {
    let text = text.trim();
    (text.len() == 1 && text.bytes().all(|byte| byte.is_ascii_alphabetic())).then(|| text.to_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    const API: &str = include_str!("../../tests/fixtures/pokemontcg_cards_api.json");

    #[test]
    fn an_api_card_brings_its_set_and_every_price() {
        insta::assert_snapshot!(told(&read_all(API)), @r#"
        3: set tst1 Test Set of Some("2025-05-30")
        3: card tst1-1 Testmon in tst1
        3: market of tst1-1
        3: market of tst1-1
        3: trend of tst1-1
        3: trend of tst1-1
        27: set tst1 Test Set of Some("2025-05-30")
        27: card tst1-2 Pricemiss in tst1
        27: skipped: no price
        27: refused: the price -3 is negative
        40: refused: "tst1" names no set: expected something like sv1-25
        "#);
    }

    #[test]
    fn a_dumps_odd_keys_and_types_survive() {
        let rows = read_all(
            r#"[{"id": "mep-1", "supertype": "Pokémon", "hp": 160, "Craftable": 1, "Craftable Date": null, "name": "Meg", "number": "1", "attacks": [{"cost": "GG"}], "regulationMark": "i", "images": {"small": "s"}}]"#,
        );
        let Outcome::Values(entries) = &rows[0].outcome else { panic!("{}", told(&rows)) };
        let Entry::Card(card) = &entries[0] else { panic!("{}", told(&rows)) };
        assert_eq!((card.set_code.as_str(), card.regulation_mark.as_deref(), card.image_url.as_deref()), ("mep", Some("I"), Some("s")));
        assert_eq!((card.set_name.as_deref(), card.rarity.as_deref()), (None, None));
    }

    #[test]
    fn a_web_page_and_a_cut_file_are_refused_whole() {
        assert!(refusal("c.json", b"<!DOCTYPE html><html>").contains("a web page"));
        assert!(refusal("c.json", &API.as_bytes()[..API.len() - 40]).contains("cut off"));
    }

    #[test]
    fn every_real_card_is_read() {
        let Some(folder) = real_data("1-card-metadata/cards-en") else { return };
        let mut cards = 0;
        for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let told = told(&read_path(&file.path()));
            assert!(!told.contains("refused"), "{}: {told}", file.path().display());
            cards += told.lines().count();
        }
        assert_eq!(cards, 20_106);
    }
}
