//! Crosswalk CSVs: which marketplace product is which card, with the method that found it.

use super::{Body, Emit, Entry, Format, Outcome, Phase, SourceError, long_csv::card_id, quote::product_id, table};
use crate::domain::{
    card::CardId,
    market::Market,
    product::{CardProduct, SUSPICIOUS},
};

pub const TCGPLAYER: Format = Format {
    name: "TCGplayer crosswalk CSV",
    phase: Phase::Ids,
    recognises: |head| head.has_columns(&TCGPLAYER_COLUMNS),
    read: |body, emit| table::each_row(body, TCGPLAYER_COLUMNS, emit, |fields| tcgplayer(fields).unwrap_or_else(Outcome::Refused)),
};

const TCGPLAYER_COLUMNS: [&str; 4] = ["card_id", "tcgplayer_product_id", "method", "order_check"];

pub const BOTH_MARKETS: Format =
    Format { name: "market crosswalk CSV", phase: Phase::Ids, recognises: |head| head.has_columns(&BOTH_COLUMNS), read: both_markets };

const BOTH_COLUMNS: [&str; 6] =
    ["card_id", "tcgplayer_product_id", "tcgplayer_method", "tcgplayer_order_check", "cardmarket_id_product", "cardmarket_method"];

const NO_PRODUCT: &str = "no product";

fn tcgplayer([card, product, method, check]: [&str; 4]) -> Result<Outcome, String> {
    let pair = pair(Market::Tcgplayer, &card_id(card)?, product, method, check, "TCGplayer crosswalk")?;
    Ok(pair.map_or(Outcome::Skipped(NO_PRODUCT), |pair| Outcome::Values(vec![pair])))
}

fn both_markets(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    table::each_row(body, BOTH_COLUMNS, emit, |fields| both(fields).unwrap_or_else(Outcome::Refused))
}

fn both([card, us, us_method, us_check, eu, eu_method]: [&str; 6]) -> Result<Outcome, String> {
    const SOURCE: &str = "market crosswalk";
    let card = card_id(card)?;
    let us = pair(Market::Tcgplayer, &card, us, us_method, us_check, SOURCE)?;
    let eu = pair(Market::Cardmarket, &card, eu, eu_method, "", SOURCE)?;
    let pairs: Vec<_> = us.into_iter().chain(eu).collect();
    Ok(if pairs.is_empty() { Outcome::Skipped(NO_PRODUCT) } else { Outcome::Values(pairs) })
}

fn pair(market: Market, card: &CardId, product: &str, method: &str, check: &str, source: &str) -> Result<Option<Entry>, String> {
    if product.is_empty() {
        return Ok(None);
    }
    let doubt = if check == "off" { SUSPICIOUS } else { "" };
    Ok(Some(Entry::CardProduct(CardProduct {
        market,
        external_id: product_id(product)?,
        card_id: card.clone(),
        method: format!("{method}{doubt}"),
        source: source.to_owned(),
    })))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn a_pair_keeps_its_method_and_the_crosswalks_own_doubt() {
        let rows = read_all(
            "card_id,name,tcgplayer_product_id,method,order_check\nsv1-25,A,0042,unique,off\nsv1-26,\"B, C\",43,unique,ok-name\nsv1-27,D,,,\nsv1-28,E,x1,unique,\n",
        );
        insta::assert_snapshot!(told(&rows), @r#"
        2: tcgplayer 42 is sv1-25 by unique (order off)
        3: tcgplayer 43 is sv1-26 by unique
        4: skipped: no product
        5: refused: "x1" is not a product number
        "#);
    }

    #[test]
    fn one_row_may_name_a_product_on_each_market() {
        let rows = read_all(
            "card_id,name,set_id,number,tcgplayer_product_id,tcgplayer_method,tcgplayer_order_check,cardmarket_id_product,cardmarket_method\n\
             base1-1,Alakazam,base1,1,42346,unique,,273696,ordered\nbase1-2,B,base1,2,,,,273697,unique\n",
        );
        insta::assert_snapshot!(told(&rows), @"
        2: tcgplayer 42346 is base1-1 by unique
        2: cardmarket 273696 is base1-1 by ordered
        3: cardmarket 273697 is base1-2 by unique
        ");
    }
}
