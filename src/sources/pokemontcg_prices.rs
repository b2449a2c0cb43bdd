//! The price blocks that pokemontcg.io adds to a card. The Cardmarket one was frozen for months in 2026: its age is in its clock.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    Outcome,
    figure::{Literal, price_day},
    json,
    quote::{Figures, Quote},
};
use crate::domain::{
    card::{CardId, Finish, Printing},
    market::Market,
    observation::{PriceKind, Subject, clocks_of_bare_date},
};

pub const CARDMARKET: &str = "pokemontcg.io cardmarket";

/// A market's block on a card: figures by printing (TCGplayer) or by name (Cardmarket), each still its text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VendorPrices<'a> {
    pub url: Option<String>,
    updated_at: Option<String>,
    #[serde(borrow)]
    prices: Option<BTreeMap<String, Option<&'a RawValue>>>,
}

type Clocks = (DateTime<Utc>, DateTime<Utc>);

impl VendorPrices<'_> {
    /// Without a day a price is worth nothing: nobody could say how old it is.
    fn clocks(&self, now: DateTime<Utc>) -> Result<Clocks, String> {
        let text = self.updated_at.as_deref().ok_or("the prices have no updatedAt")?;
        price_day(text, now).map(clocks_of_bare_date)
    }
}

#[derive(Default, Deserialize)]
struct Listed<'a> {
    #[serde(borrow, default)]
    low: Literal<'a>,
    #[serde(borrow, default)]
    mid: Literal<'a>,
    #[serde(borrow, default)]
    high: Literal<'a>,
    #[serde(borrow, default)]
    market: Literal<'a>,
}

/// A quote for each printing that TCGplayer lists.
pub fn tcgplayer(card: &CardId, block: &VendorPrices<'_>, now: DateTime<Utc>) -> Vec<Outcome> {
    let each = |clocks: Clocks, printing: &str, raw: Option<&RawValue>| {
        let finish = Finish::parse_vendor(printing).map_err(|error| error.to_string())?;
        let listed: Option<Listed<'_>> =
            raw.map(|raw| serde_json::from_str(raw.get())).transpose().map_err(|error| json::unexpected(&error))?;
        let listed = listed.unwrap_or_default();
        let figures =
            Figures { price: listed.market.price()?, low: listed.low.price()?, mid: listed.mid.price()?, high: listed.high.price()? };
        Ok(quote(card, "pokemontcg.io tcgplayer", Market::Tcgplayer, finish, clocks).outcome(figures))
    };
    let Some(prices) = block.prices.as_ref().filter(|prices| !prices.is_empty()) else { return Vec::new() };
    match block.clocks(now) {
        Ok(clocks) => prices.iter().map(|(printing, raw)| each(clocks, printing, *raw).unwrap_or_else(Outcome::Refused)).collect(),
        Err(reason) => vec![Outcome::Refused(reason)],
    }
}

/// Cardmarket's figures, once for the reverse print and once for whichever other the card has.
pub fn cardmarket(card: &CardId, block: &VendorPrices<'_>, now: DateTime<Utc>) -> Vec<Outcome> {
    let Some(prices) = block.prices.as_ref().filter(|prices| !prices.is_empty()) else { return Vec::new() };
    let figure = |name: &str| Literal::of(prices.get(name).copied().flatten()).price();
    let each = |clocks: Clocks, printing: Printing, trend: &str, low: &str| {
        let figures = Figures { price: figure(trend)?, low: figure(low)?, ..Figures::default() };
        Ok(quote(card, CARDMARKET, Market::Cardmarket, Finish::english(printing), clocks).outcome(figures))
    };
    match block.clocks(now) {
        Ok(clocks) => [(Printing::Plain, "trendPrice", "lowPrice"), (Printing::ReverseHolofoil, "reverseHoloTrend", "reverseHoloLow")]
            .map(|(printing, trend, low)| each(clocks, printing, trend, low).unwrap_or_else(Outcome::Refused))
            .into(),
        Err(reason) => vec![Outcome::Refused(reason)],
    }
}

fn quote<'a>(card: &CardId, source: &'a str, market: Market, finish: Finish, clocks: Clocks) -> Quote<'a> {
    let kind = if market == Market::Cardmarket { PriceKind::Trend } else { PriceKind::Market };
    Quote { subject: Subject::Card(card.clone()), source, market, finish, condition: None, kind, clocks }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};

    fn block(text: &str) -> VendorPrices<'_> {
        serde_json::from_str(text).unwrap()
    }

    fn seen(outcomes: &[Outcome]) -> Vec<crate::sources::Row> {
        outcomes.iter().map(|outcome| crate::sources::Row::new(1, outcome.clone())).collect()
    }

    fn card() -> CardId {
        CardId::new("tst1-1").unwrap()
    }

    fn now() -> DateTime<Utc> {
        "2026-11-22T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn cardmarkets_zeros_are_no_data_and_reverse_has_its_own_series() {
        let text = r#"{"updatedAt": "2024/07/20", "prices": {"trendPrice": 1.63, "lowPrice": 0, "germanProLow": 0, "reverseHoloSell": 3.83, "reverseHoloTrend": 0, "reverseHoloLow": null}}"#;
        let rows = seen(&cardmarket(&card(), &block(text), now()));
        let observation = only_observation(&rows);
        assert_eq!((observation.price.unwrap().to_string(), observation.low), ("1.63".to_owned(), None));
        assert_eq!(told(&rows), "1: trend of tst1-1\n1: skipped: no price\n");
    }

    #[test]
    fn a_price_without_its_day_is_refused() {
        for text in [r#"{"updatedAt": "---", "prices": {"normal": {"market": 1}}}"#, r#"{"prices": {"normal": {"market": 1}}}"#] {
            assert!(told(&seen(&tcgplayer(&card(), &block(text), now()))).contains("refused"));
        }
        assert!(tcgplayer(&card(), &block(r#"{"updatedAt": "---"}"#), now()).is_empty());
    }

    #[test]
    fn every_printing_of_tcgplayer_is_a_quote_and_an_unknown_one_is_refused() {
        let text = r#"{"updatedAt": "2024/07/20", "prices": {"1stEditionHolofoil": {"market": 3, "low": 1.69}, "glitter": {"market": 1}, "normal": null}}"#;
        let rows = seen(&tcgplayer(&card(), &block(text), now()));
        assert_eq!(told(&rows), "1: market of tst1-1\n1: refused: unknown printing \"glitter\"\n1: skipped: no price\n");
        assert_eq!(only_observation(&rows).low.unwrap().to_string(), "1.69");
    }
}
