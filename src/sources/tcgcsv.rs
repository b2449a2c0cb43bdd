//! TCGCSV's daily prices of TCGplayer: the JSON of one group, as it is published and as the archives hold it.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Body, Emit, Format, Outcome, Phase, SourceError,
    figure::{Literal, day, plausible},
    json,
    quote::{Figures, Quote},
};
use crate::domain::{
    card::Finish,
    market::Market,
    observation::{PriceKind, Subject},
    product::TCGCSV,
};

pub const SOURCE: &str = TCGCSV;
/// Pokémon, in English.
pub const CATEGORY: &str = "3";
pub const OTHER_GAME: &str = "another game than Pokémon";
/// The largest group has about 200 KB.
pub const GROUP_LIMIT: u64 = 64 * 1024 * 1024;

pub const FORMAT: Format =
    Format { name: "TCGCSV group prices JSON", phase: Phase::Prices, recognises: |head| head.has_keys(&["results", "success"]), read };

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    let place = Place::of_path(&body.name).ok_or_else(|| SourceError::Malformed {
        line: 1,
        reason: "the file does not say of which day it is: its path must end in DATE/CATEGORY/GROUP/prices".into(),
    })?;
    let content = body.whole(GROUP_LIMIT)?;
    group(&content, &place, now, emit)
}

/// Where prices stand in TCGCSV's tree: `2025-10-09/3/604/prices`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub date: NaiveDate,
    pub category: String,
}

impl Place {
    pub fn of_path(path: &str) -> Option<Self> {
        let mut parts = path.rsplit(['/', '\\']);
        let (name, group, category, date) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let fits = matches!(name, "prices" | "prices.json") && is_number(group) && is_number(category);
        if fits { Some(Self { date: day(date)?, category: category.to_owned() }) } else { None }
    }
}

/// A day's prices are published at about 20:00 UTC; the source has no finer clock.
pub fn clocks(date: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    const PUBLISHED_BEFORE_MIDNIGHT: TimeDelta = TimeDelta::hours(4);
    let published = date.and_time(NaiveTime::MIN).and_utc() + Days::new(1) - PUBLISHED_BEFORE_MIDNIGHT;
    (published, published)
}

#[derive(Deserialize)]
struct Answer<'a> {
    success: bool,
    #[serde(borrow)]
    results: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Price<'a> {
    product_id: u64,
    sub_type_name: &'a str,
    #[serde(borrow, default, rename = "lowPrice")]
    low: Literal<'a>,
    #[serde(borrow, default, rename = "midPrice")]
    mid: Literal<'a>,
    #[serde(borrow, default, rename = "highPrice")]
    high: Literal<'a>,
    #[serde(borrow, default, rename = "marketPrice")]
    market: Literal<'a>,
}

/// Reads the prices of one group on one day.
///
/// # Errors
/// An answer that is not complete JSON, or that reports a failure.
pub fn group(content: &[u8], place: &Place, now: DateTime<Utc>, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let date = plausible(place.date, now).map_err(|reason| SourceError::Malformed { line: 1, reason })?;
    let answer: Answer<'_> = json::document(content)?;
    if !answer.success {
        return Err(SourceError::Malformed { line: 1, reason: "the vendor's answer reports a failure: fetch it again".into() });
    }
    let other_game = place.category != CATEGORY;
    json::each_row(content, &answer.results, emit, |price: Price<'_>| {
        vec![if other_game { Outcome::Skipped(OTHER_GAME) } else { outcome(&price, date).unwrap_or_else(Outcome::Refused) }]
    })
}

fn outcome(price: &Price<'_>, date: NaiveDate) -> Result<Outcome, String> {
    let figures = Figures { price: price.market.price()?, low: price.low.price()?, mid: price.mid.price()?, high: price.high.price()? };
    Ok(quote(price.product_id.to_string(), price.sub_type_name, date)?.outcome(figures))
}

/// What every TCGCSV price is: a product's market price in one printing, on one evening.
pub fn quote(product: String, printing: &str, date: NaiveDate) -> Result<Quote<'static>, String> {
    Ok(Quote {
        subject: Subject::Product { market: Market::Tcgplayer, id: product },
        source: SOURCE,
        market: Market::Tcgplayer,
        finish: Finish::parse_vendor(printing).map_err(|error| error.to_string())?,
        condition: None,
        kind: PriceKind::Market,
        clocks: clocks(date),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::testing::*, *};

    const GROUP: &str = r#"{"success": true, "errors": [], "results": [
        {"productId": 42346, "lowPrice": 1.5, "midPrice": 2, "highPrice": 9999.0, "marketPrice": 1.87, "directLowPrice": null, "subTypeName": "Reverse Holofoil"},
        {"productId": 42347, "lowPrice": null, "midPrice": null, "highPrice": null, "marketPrice": null, "directLowPrice": 3, "subTypeName": "Normal"},
        {"productId": 42348, "lowPrice": -1, "midPrice": null, "highPrice": null, "marketPrice": 2, "directLowPrice": null, "subTypeName": "Normal"},
        {"productId": "x", "subTypeName": "Normal"}]}"#;

    #[test]
    fn a_group_is_read_by_its_path_and_content() {
        insta::assert_snapshot!(told(&read_named("down/2025-10-09/3/604/prices", GROUP)), @r#"
        2: market of 42346
        3: skipped: no price
        4: refused: the price -1 is negative
        5: refused: unexpected JSON (invalid type: string "x", expected u64)
        "#);
    }

    #[test]
    fn another_games_group_is_skipped() {
        assert!(told(&read_named("2025-10-09/1/604/prices", GROUP)).contains("2: skipped: another game than Pokémon"));
    }

    #[test]
    fn without_a_day_in_the_path_the_file_is_refused() {
        assert!(refusal("prices.json", GROUP.as_bytes()).contains("does not say of which day"));
        assert_eq!(Place::of_path("2025-10-09/3/x/prices"), None);
        assert_eq!(Place::of_path("2025-10-09/3/604/products"), None);
    }

    #[test]
    fn a_reported_failure_refuses_the_file() {
        let failed = GROUP.replace("\"success\": true", "\"success\": false");
        assert!(refusal("2025-10-09/3/604/prices", failed.as_bytes()).contains("reports a failure"));
    }
}
