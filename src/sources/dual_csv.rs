//! A card's headline price a day, on either market, without printing and kind (`date,card_id,source,market,currency,price`).

use chrono::{DateTime, Utc};

use super::{
    Body, Emit, Format, Outcome, Phase, SourceError,
    figure::{price, price_day},
    long_csv::{card_id, clocks, source_name},
    quote::{Figures, Quote, market},
    table,
};
use crate::domain::{
    card::{Finish, Printing},
    market::Market,
    observation::{PriceKind, Subject},
};

/// The long CSV has all these columns and more, so it is tried first.
pub const FORMAT: Format = Format {
    name: "card price CSV",
    phase: Phase::Prices,
    recognises: |head| head.has_columns(&COLUMNS) && !head.has_columns(&["price_kind"]),
    read,
};

const COLUMNS: [&str; 6] = ["date", "card_id", "source", "market", "currency", "price"];

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    table::each_row(body, COLUMNS, emit, |fields| outcome(fields, now).unwrap_or_else(Outcome::Refused))
}

fn outcome([date, card, source, place, currency, headline]: [&str; 6], now: DateTime<Utc>) -> Result<Outcome, String> {
    let market = market(place, currency)?;
    let quote = Quote {
        subject: Subject::Card(card_id(card)?),
        source: source_name(source)?,
        market,
        finish: Finish::english(Printing::Plain),
        condition: None,
        kind: if market == Market::Cardmarket { PriceKind::Trend } else { PriceKind::Market },
        clocks: clocks(source, price_day(date, now)?),
    };
    Ok(quote.outcome(Figures { price: price(headline)?, ..Figures::default() }))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn the_market_says_which_kind_of_price_it_is() {
        let rows = read_all(
            "date,card_id,name,source,market,currency,price\n\
             2026-05-16,basep-1,Pikachu,pokemontcg.io cardmarket,EU,EUR,30.23\n2026-05-16,basep-1,Pikachu,pokemontcg.io tcgplayer,US,USD,46.58\n",
        );
        insta::assert_snapshot!(told(&rows), @"
        2: trend of basep-1
        3: market of basep-1
        ");
    }
}
