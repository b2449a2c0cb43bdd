//! The recorded cases of messages: links and escapes.

use serde_json::{Value as Json, json};
use tcg_radar::{
    domain::{market::Market, message::deep_link},
    notify::telegram::markdown::escaped,
};

use super::{Packs, adapters::Answers, folder};

pub fn links(_: &Packs, input: &Json, _: &Json) -> Answers {
    let [tcgplayer, cardmarket] = links_of(input);
    Answers::of_reference(Ok([("tcgplayer_url", json!(tcgplayer)), ("cardmarket_url", json!(cardmarket))].into()))
}

/// To TCGplayer and to Cardmarket.
fn links_of(input: &Json) -> [String; 2] {
    [(Market::Tcgplayer, "tcgplayer_url"), (Market::Cardmarket, "cardmarket_url")].map(|(market, field)| {
        let name = input["name"].as_str().unwrap_or_default();
        deep_link(market, input[field].as_str(), name, input["set_name"].as_str()).unwrap_or_default()
    })
}

pub fn escapes(_: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_reference(Ok([("escaped", json!(escaped(input["text"].as_str().unwrap_or_default())))].into()))
}

fn cases(file: &str) -> Option<Vec<Json>> {
    let path = folder().join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("SKIPPED: no {}; set TCG_RADAR_DATA to the folder that holds vectors/", path.display());
        return None;
    };
    let document: Json = serde_json::from_str(&text).unwrap();
    document["cases"].as_array().cloned()
}

/// Where we differ on purpose from what was recorded, we differ in that and in nothing else.
#[test]
fn a_quirk_is_the_only_difference() {
    let Some(links) = cases("deep_link.json") else { return };
    for case in &links {
        let [tcgplayer, cardmarket] = links_of(&case["input"]);
        assert_eq!(tcgplayer, case["expected"]["tcgplayer_url"], "{case}");
        assert_eq!(cardmarket.replace("/Products/Search?", "/Cards?"), case["expected"]["cardmarket_url"], "{case}");
    }
    let Some(escapes) = cases("telegram_escape.json") else { return };
    assert!(links.len() > 40 && escapes.len() > 40);
    for case in &escapes {
        let (text, expected) = (case["input"]["text"].as_str().unwrap(), case["expected"]["escaped"].as_str().unwrap());
        // theirs leaves a backslash as it is; without any, both must agree
        let (text, expected) = if text.contains('\\') {
            let text = text.replace('\\', "");
            let expected =
                text.chars().map(|letter| if "_*[]()~`>#+-=|{}.!".contains(letter) { format!("\\{letter}") } else { letter.into() });
            (text.clone(), expected.collect::<String>())
        } else {
            (text.to_owned(), expected.to_owned())
        };
        assert_eq!(escaped(&text), expected, "{case}");
    }
}
