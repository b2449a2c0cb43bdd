//! The long price CSV: one row a card, source and day, whatever the market.

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Body, Emit, Format, Outcome, Phase, SourceError,
    figure::{price, price_day, shortened},
    quote::{Figures, Quote, market},
    table, tcgcsv,
};
use crate::domain::{
    card::{CardId, Finish, Printing},
    condition::{Condition, Scale},
    market::Market,
    observation::{PriceKind, Subject, clocks_of_bare_date},
};

pub const FORMAT: Format = Format { name: "long price CSV", phase: Phase::Prices, recognises: |head| head.has_columns(&COLUMNS), read };

const COLUMNS: [&str; 12] =
    ["date", "card_id", "source", "market", "currency", "variant", "condition", "price_kind", "price", "low", "mid", "high"];

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    table::each_row(body, COLUMNS, emit, |fields| outcome(fields, now).unwrap_or_else(Outcome::Refused))
}

fn outcome(fields: [&str; 12], now: DateTime<Utc>) -> Result<Outcome, String> {
    let [date, card, source, place, currency, variant, condition, kind, headline, low, mid, high] = fields;
    let market = market(place, currency)?;
    let quote = Quote {
        subject: Subject::Card(card_id(card)?),
        source: source_name(source)?,
        market,
        finish: finish(variant)?,
        condition: stated_condition(market, condition)?,
        kind: price_kind(kind)?,
        clocks: clocks(source, price_day(date, now)?),
    };
    Ok(quote.outcome(Figures { price: price(headline)?, low: price(low)?, mid: price(mid)?, high: price(high)? }))
}

pub fn card_id(text: &str) -> Result<CardId, String> {
    CardId::new(text).map_err(|error| error.to_string())
}

/// The source's name as given; it separates series, so it may not be missing.
pub fn source_name(text: &str) -> Result<&str, String> {
    if text.is_empty() || text.len() > 80 || text.chars().any(char::is_control) {
        return Err(format!("\"{}\" is not a source's name", shortened(text)));
    }
    Ok(text)
}

/// The printing, or [`Printing::Plain`] where the row does not state it.
fn finish(variant: &str) -> Result<Finish, String> {
    if variant.is_empty() {
        return Ok(Finish::english(Printing::Plain));
    }
    Finish::parse_vendor(variant).map_err(|error| error.to_string())
}

fn stated_condition(market: Market, text: &str) -> Result<Option<Condition>, String> {
    let scale = match market {
        Market::Cardmarket => Scale::Cardmarket,
        Market::Tcgplayer | Market::Ebay => Scale::Tcgplayer,
    };
    if text.is_empty() {
        return Ok(None);
    }
    Condition::parse(scale, text).map(Some).map_err(|error| error.to_string())
}

pub fn price_kind(text: &str) -> Result<PriceKind, String> {
    match text {
        "page_price" => Ok(PriceKind::Page),
        other => other.parse().map_err(|error: crate::domain::market::UnknownMember| error.to_string()),
    }
}

/// TCGCSV's day ends with its publication; any other bare date is known when the day is over.
pub fn clocks(source: &str, date: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    if source == tcgcsv::SOURCE { tcgcsv::clocks(date) } else { clocks_of_bare_date(date) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};

    const HEADER: &str = "date,card_id,source,market,currency,variant,condition,price_kind,price,low,mid,high\n";

    #[test]
    fn a_us_row_has_its_printing_and_tcgcsvs_evening_clock() {
        let rows = read_all(&format!("{HEADER}2025-09-21,base1-4,tcgcsv,US,USD,Holofoil,,market,350.5,300,,999.99\n"));
        let observation = only_observation(&rows);
        assert_eq!(observation.finish, Finish::english(Printing::Holofoil));
        assert_eq!(observation.price.unwrap().to_string(), "350.5");
        assert_eq!((observation.mid, observation.high.unwrap().to_string()), (None, "999.99".to_owned()));
        assert_eq!(observation.observed_at.to_rfc3339(), "2025-09-21T20:00:00+00:00");
        assert_eq!(observation.known_at, observation.observed_at);
    }

    #[test]
    fn an_eu_row_is_plain_and_known_at_the_end_of_its_day() {
        let rows = read_all(&format!("{HEADER}2026-03-16,base1-1,limitless_cardmarket_link,EU,EUR,,,page_price,62.03,,,\n"));
        let observation = only_observation(&rows);
        assert_eq!((observation.finish.printing, observation.kind), (Printing::Plain, PriceKind::Page));
        assert_eq!(observation.observed_at.to_rfc3339(), "2026-03-16T00:00:00+00:00");
        assert_eq!(observation.known_at.to_rfc3339(), "2026-03-17T00:00:00+00:00");
    }

    #[test]
    fn every_bad_field_is_refused_with_its_reason_and_the_good_rows_stay() {
        let row = |fields: &str| format!("{fields}\n");
        let text = [
            HEADER.to_owned(),
            row("2026-03-16,base1-1,a,EU,EUR,,,trend,1.00,,,"),
            row("2026-03-16,base1-1,a,EU,USD,,,trend,1.00,,,"),
            row("2026-03-16,base1-1,a,JP,JPY,,,trend,1.00,,,"),
            row("2026-03-16,base1-1,a,EU,EUR,Gold,,trend,1.00,,,"),
            row("2026-03-16,base1-1,a,EU,EUR,,,median,1.00,,,"),
            row("2026-03-16,base1-1,a,EU,EUR,,,trend,-1.00,,,"),
            row("2026-03-16,base 1,a,EU,EUR,,,trend,1.00,,,"),
            row("1990-03-16,base1-1,a,EU,EUR,,,trend,1.00,,,"),
            row("2026-03-16,base1-1,,EU,EUR,,,trend,1.00,,,"),
            row("2026-03-16,base1-1,a,EU,EUR,,XX,trend,1.00,,,"),
            row("2026-03-16,base1-1,a,EU,EUR,,,trend,0,--,N/A,"),
        ]
        .concat();
        insta::assert_snapshot!(told(&read_all(&text)), @"
        2: trend of base1-1
        3: refused: a price of market EU in \"USD\", not in EUR
        4: refused: unknown market \"JP\": expected US or EU
        5: refused: unknown printing \"Gold\"
        6: refused: unknown price kind \"median\": use one of market, trend, page, listing
        7: refused: the price -1.00 is negative
        8: refused: \"base 1\" is not a card id: expected something like sv1-25
        9: refused: the date 1990-03-16 is before 1996
        10: refused: \"\" is not a source's name
        11: refused: unknown cardmarket condition \"XX\"
        12: skipped: no price
        ");
    }
}
