//! TCGCSV prices of many days as one CSV, a row a product, printing and day.

use chrono::{DateTime, Utc};

use super::{
    Body, Emit, Format, Outcome, Phase, SourceError,
    figure::{price, price_day},
    quote::{Figures, market, product_id},
    table,
    tcgcsv::{self, CATEGORY, OTHER_GAME},
};
use crate::domain::market::Market;

pub const FORMAT: Format = Format { name: "TCGCSV price CSV", phase: Phase::Prices, recognises: |head| head.has_columns(&COLUMNS), read };

const COLUMNS: [&str; 11] =
    ["date", "source", "market", "currency", "category_id", "product_id", "variant", "low", "mid", "high", "market_price"];

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    table::each_row(body, COLUMNS, emit, |fields| outcome(fields, now).unwrap_or_else(Outcome::Refused))
}

fn outcome(fields: [&str; 11], now: DateTime<Utc>) -> Result<Outcome, String> {
    let [date, source, place, currency, category, product, variant, low, mid, high, headline] = fields;
    if source != tcgcsv::SOURCE || market(place, currency)? != Market::Tcgplayer {
        return Err("not a row of tcgcsv's TCGplayer prices".into());
    }
    if category != CATEGORY {
        return Ok(Outcome::Skipped(OTHER_GAME));
    }
    let figures = Figures { price: price(headline)?, low: price(low)?, mid: price(mid)?, high: price(high)? };
    Ok(tcgcsv::quote(product_id(product)?, variant, price_day(date, now)?)?.outcome(figures))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn a_product_row_is_read_and_its_headline_is_the_market_price() {
        let rows = read_all(
            "date,source,market,currency,category_id,group_id,product_id,variant,low,mid,high,market_price,direct_low\n\
             2025-09-21,tcgcsv,US,USD,3,604,42346,1st Edition Holofoil,999.0,1000.0,1001.0,,\n\
             2025-09-21,tcgcsv,US,USD,1,604,42346,Normal,1,1,1,1,\n\
             2025-09-21,tcgcsv,US,USD,3,604,x42,Normal,1,1,1,1,\n\
             2025-09-21,tcgcsv,US,USD,3,604,42347,Normal,,,,,5\n",
        );
        insta::assert_snapshot!(told(&rows), @r#"
        2: market of 42346
        3: skipped: another game than Pokémon
        4: refused: "x42" is not a product number
        5: skipped: no price
        "#);
        let observation = only_observation(&rows);
        assert_eq!((observation.price, observation.low.map(|low| low.to_string())), (None, Some("999.0".to_owned())));
    }
}
