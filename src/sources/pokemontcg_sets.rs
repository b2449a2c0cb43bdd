//! pokemontcg.io's sets, from the API and from dumps of it.

use chrono::NaiveDate;
use serde::Deserialize;

use super::{
    Body, Emit, Entry, Format, Outcome, Phase, SourceError,
    figure::{day, moment, shortened},
    json,
};
use crate::domain::card::CardSet;

pub const FORMAT: Format = Format {
    name: "pokemontcg.io sets JSON",
    phase: Phase::Sets,
    recognises: |head| head.has_keys(&["id", "series", "printedTotal"]) && !head.has_keys(&["supertype"]),
    read,
};

/// A set as the vendor writes it; keys that we do not use may be anything.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VendorSet {
    id: String,
    name: String,
    series: Option<String>,
    printed_total: Option<i32>,
    total: Option<i32>,
    ptcgo_code: Option<String>,
    release_date: Option<String>,
    updated_at: Option<String>,
}

impl VendorSet {
    /// Days that are no days (`---`) are unknown.
    ///
    /// # Errors
    /// An id that cannot be the first half of a card id.
    pub fn into_set(self) -> Result<CardSet, String> {
        Ok(CardSet {
            set_code: set_code(&self.id)?.to_owned(),
            release_date: self.release_date(),
            updated_at: self.updated_at.as_deref().and_then(moment),
            name: self.name,
            series: self.series,
            printed_total: self.printed_total,
            total: self.total,
            ptcgo_code: self.ptcgo_code,
        })
    }

    fn release_date(&self) -> Option<NaiveDate> {
        self.release_date.as_deref().and_then(day)
    }
}

/// A set's id: visible ASCII without a dash, which separates set and number in a card's id.
///
/// # Errors
/// Any other text.
pub fn set_code(text: &str) -> Result<&str, String> {
    let text = text.trim();
    if text.is_empty() || text.len() > 32 || !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'-') {
        return Err(format!("\"{}\" is not a set id: expected something like sv3pt5", shortened(text)));
    }
    Ok(text)
}

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let content = body.whole(json::LIMIT)?;
    let rows = json::listed(&content)?;
    json::each_row(&content, &rows, emit, |set: VendorSet| {
        vec![set.into_set().map_or_else(Outcome::Refused, |set| Outcome::Values(vec![Entry::Set(set)]))]
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn a_set_without_days_keeps_the_rest_and_a_bad_id_is_refused() {
        let text = r#"[
            {"id": "sv1", "name": "Scarlet & Violet", "series": "Scarlet & Violet", "printedTotal": 198, "releaseDate": "2023/03/31", "updatedAt": "2023/03/31 15:00:00", "images": {}},
            {"id": "mep", "name": "Promos", "series": "Mega Evolution", "printedTotal": 13, "releaseDate": "---", "updatedAt": "---"},
            {"id": "a-b", "name": "Odd", "series": "Odd", "printedTotal": 1},
            {"id": "x1", "series": "Odd", "printedTotal": 1}]"#;
        insta::assert_snapshot!(told(&read_all(text)), @r#"
        2: set sv1 Scarlet & Violet of Some("2023-03-31")
        3: set mep Promos of None
        4: refused: "a-b" is not a set id: expected something like sv3pt5
        5: refused: unexpected JSON (missing field `name`)
        "#);
    }

    #[test]
    fn the_real_sets_are_all_read() {
        let Some(path) = real_data("1-card-metadata/sets-en.json") else { return };
        let told = told(&read_path(&path));
        assert_eq!(told.lines().count(), 172);
        assert!(!told.contains("refused"), "{told}");
    }
}
