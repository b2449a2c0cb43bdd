//! Cardmarket prices by card and day, with their kind and the guide's lowest offer.

use chrono::{DateTime, Utc};

use super::{
    Body, Emit, Format, Outcome, Phase, SourceError,
    figure::{price, price_day},
    long_csv::{card_id, clocks, price_kind, source_name},
    quote::{Figures, Quote, market},
    table,
};
use crate::domain::{
    card::{Finish, Printing},
    observation::Subject,
};

pub const FORMAT: Format = Format {
    name: "Cardmarket price CSV",
    phase: Phase::Prices,
    recognises: |head| head.has_columns(&COLUMNS) && head.has_columns(&["ptcgo_set"]),
    read,
};

const COLUMNS: [&str; 8] = ["date", "card_id", "source", "market", "currency", "price_kind", "price", "low"];

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    table::each_row(body, COLUMNS, emit, |fields| outcome(fields, now).unwrap_or_else(Outcome::Refused))
}

fn outcome([date, card, source, place, currency, kind, headline, low]: [&str; 8], now: DateTime<Utc>) -> Result<Outcome, String> {
    if card.is_empty() {
        return Ok(Outcome::Skipped("no card id"));
    }
    let quote = Quote {
        subject: Subject::Card(card_id(card)?),
        source: source_name(source)?,
        market: market(place, currency)?,
        finish: Finish::english(Printing::Plain),
        condition: None,
        kind: price_kind(kind)?,
        clocks: clocks(source, price_day(date, now)?),
    };
    Ok(quote.outcome(Figures { price: price(headline)?, low: price(low)?, ..Figures::default() }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn a_row_that_names_no_card_is_skipped() {
        let rows = read_all(
            "date,card_id,ptcgo_set,number,name,source,market,currency,price_kind,price,low,stamp\n\
             2026-03-16,,,,,limitless_cardmarket_link,EU,EUR,page_price,1.62,,x\n\
             2026-04-28,xy7-1,AOR,1,Oddish,cardmarket_price_guide,EU,EUR,trend,0.12,0.02,x\n",
        );
        insta::assert_snapshot!(told(&rows), @"
        2: skipped: no card id
        3: trend of xy7-1
        ");
    }
}
