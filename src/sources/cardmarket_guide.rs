//! Cardmarket's public price guide, about once a day: the EU source that needs no key.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Body, Emit, Format, Outcome, Phase, SourceError,
    figure::{Literal, plausible, shortened},
    json,
    quote::{Figures, Quote},
};
use crate::domain::{
    card::{Finish, Printing},
    market::Market,
    observation::{PriceKind, Subject},
    product::CARDMARKET_GUIDE,
};

const SOURCE: &str = CARDMARKET_GUIDE;

pub const FORMAT: Format =
    Format { name: "Cardmarket price guide JSON", phase: Phase::Prices, recognises: |head| head.has_keys(&["priceGuides"]), read };

#[derive(Deserialize)]
struct Guide<'a> {
    version: u32,
    #[serde(rename = "createdAt")]
    created_at: &'a str,
    #[serde(borrow, rename = "priceGuides")]
    entries: Vec<&'a RawValue>,
}

/// One product; `…-holo` is its reverse print. The averages of 1, 7 and 30 days are not prices of a day and stay out.
#[derive(Deserialize)]
struct Product<'a> {
    #[serde(rename = "idProduct")]
    id: u64,
    #[serde(borrow, default)]
    trend: Literal<'a>,
    #[serde(borrow, default)]
    low: Literal<'a>,
    #[serde(borrow, default, rename = "trend-holo")]
    trend_reverse: Literal<'a>,
    #[serde(borrow, default, rename = "low-holo")]
    low_reverse: Literal<'a>,
}

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    let content = body.whole(json::LIMIT)?;
    let guide: Guide<'_> = json::document(&content)?;
    let created = created(guide.version, guide.created_at, now)?;
    json::each_row(&content, &guide.entries, emit, |product: Product<'_>| {
        [(Printing::Plain, product.trend, product.low), (Printing::ReverseHolofoil, product.trend_reverse, product.low_reverse)]
            .map(|(printing, trend, low)| outcome(product.id, printing, trend, low, created).unwrap_or_else(Outcome::Refused))
            .into_iter()
            // Most products have no reverse print; only a missing plain price is worth counting.
            .enumerate()
            .filter(|(place, outcome)| *place == 0 || !matches!(outcome, Outcome::Skipped(_)))
            .map(|(_, outcome)| outcome)
            .collect()
    })
}

/// The moment of a Cardmarket file, and with it the proof that we know its layout.
///
/// # Errors
/// Another version, or a moment that cannot be.
pub fn created(version: u32, created_at: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, SourceError> {
    let malformed = |reason| SourceError::Malformed { line: 1, reason };
    if version != 1 {
        return Err(malformed(format!("version {version} of Cardmarket's files is not known, only 1")));
    }
    // Cardmarket writes the offset without a colon, which RFC 3339 does not allow.
    let created = DateTime::parse_from_str(created_at, "%Y-%m-%dT%H:%M:%S%z")
        .map_err(|_| malformed(format!("\"{}\" is not a moment: expected 2026-06-29T02:55:18+0200", shortened(created_at))))?
        .with_timezone(&Utc);
    plausible(created.date_naive(), now).map_err(malformed)?;
    Ok(created)
}

fn outcome(id: u64, printing: Printing, trend: Literal<'_>, low: Literal<'_>, created: DateTime<Utc>) -> Result<Outcome, String> {
    let quote = Quote {
        subject: Subject::Product { market: Market::Cardmarket, id: id.to_string() },
        source: SOURCE,
        market: Market::Cardmarket,
        finish: Finish::english(printing),
        condition: None,
        kind: PriceKind::Trend,
        clocks: (created, created),
    };
    Ok(quote.outcome(Figures { price: trend.price()?, low: low.price()?, ..Figures::default() }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::domain::card::Printing;

    const GUIDE: &str = r#"{"version":1,"createdAt":"2026-06-29T02:55:18+0200","priceGuides":[
{"idProduct":1,"idCategory":51,"avg":null,"low":8.99,"trend":null},
{"idProduct":2,"idCategory":51,"avg":null,"low":null,"trend":null},
{"idProduct":3,"idCategory":51,"avg":16.98,"low":3.85,"trend":13,"low-holo":null,"trend-holo":0},
{"idProduct":4,"idCategory":51,"low":1,"trend":2.50,"low-holo":3,"trend-holo":4.75},
{"idProduct":5,"idCategory":51,"low":1,"trend":"abc"}]}"#;

    #[test]
    fn plain_and_reverse_are_two_prices_and_zero_is_no_data() {
        let rows = read_all(GUIDE);
        insta::assert_snapshot!(told(&rows), @r#"
        2: trend of 1
        3: skipped: no price
        4: trend of 3
        5: trend of 4
        5: trend of 4
        6: refused: "abc" is not a number
        "#);
        let seen = observations(&rows);
        assert_eq!(seen[3].finish.printing, Printing::ReverseHolofoil);
        assert_eq!(seen[2].price.map(|price| price.to_string()), Some("2.50".to_owned()));
        assert_eq!(seen[0].known_at.to_rfc3339(), "2026-06-29T00:55:18+00:00");
        assert_eq!(seen[0].observed_at, seen[0].known_at);
    }

    #[test]
    fn another_version_and_a_bad_clock_refuse_the_guide() {
        assert!(refusal("g", GUIDE.replace("\"version\":1", "\"version\":2").as_bytes()).contains("version 2"));
        assert!(refusal("g", GUIDE.replace("2026-06-29T", "2026-06-29 ").as_bytes()).contains("is not a moment"));
        assert!(refusal("g", &GUIDE.as_bytes()[..200]).contains("cut off"));
    }

    #[test]
    fn the_real_excerpt_is_read() {
        let Some(path) = real_data("5-cardmarket/price_guide_6_sample_2026-06-29.json") else { return };
        assert_eq!(observations(&read_path(&path)).len(), 3);
    }
}
