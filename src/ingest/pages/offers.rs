//! What a page told on its way into the listings and the history of prices.

use chrono::{DateTime, Days, NaiveTime, Utc};
use rust_decimal::Decimal;

use crate::{
    domain::{
        card::Finish,
        condition::Condition,
        market::Market,
        observation::{Listing as Seller, Observation, PriceKind, Subject},
        page::{CHARTED, Ending, Method, Reach, SCRAPED, SEEN, Sight, USUAL},
    },
    store::{ServiceTx, StoreError, listings, pages::Wanted, prices::PriceWriter},
};

/// What was stored.
#[derive(Debug, Default)]
pub struct Told {
    /// Price series with a new row.
    pub series: Vec<i32>,
    /// Offers of before that are no more.
    pub gone: usize,
}

/// Stores offers, what became of those of before, and the chart. `jump`: how many times a seller's last price a price may be
/// before it waits for a second one.
///
/// # Errors
/// The database refuses or is gone.
pub async fn store(
    tx: &mut ServiceTx,
    wanted: &Wanted,
    outcome: &Result<Sight, Ending>,
    jump: Decimal,
    now: DateTime<Utc>,
) -> Result<Told, StoreError> {
    let empty = Sight { method: Method::Selectors, offers: Vec::new(), reach: Reach::All, averages: Vec::new(), others: Vec::new() };
    let sight = match outcome {
        Ok(sight) => sight,
        Err(Ending::Empty) => &empty,
        Err(_) => return Ok(Told::default()),
    };
    let source = if sight.method == Method::Vision { SEEN } else { SCRAPED };
    let place = listings::Place { card: &wanted.card, product: &wanted.product, source };
    let gone = listings::renew(tx, place, &sight.offers, sight.reach, now).await?;
    let mut rows = Vec::new();
    for offer in &sight.offers {
        let seller = Seller {
            seller_id: listings::seller_of(offer, &wanted.card),
            seller_rating: offer.rating,
            seller_sales: offer.sales,
            shipping: offer.shipping,
        };
        rows.push(row(wanted, source, offer.condition, offer.finish, Some(offer.price), Some(seller), now));
    }
    for offer in &gone {
        let seller = Seller { seller_id: offer.seller.clone(), seller_rating: None, seller_sales: None, shipping: None };
        rows.push(row(wanted, &offer.source, offer.condition, offer.finish, None, Some(seller), now));
    }
    for (day, price) in &sight.averages {
        let over = (*day + Days::new(1)).and_time(NaiveTime::MIN).and_utc();
        let mut average = row(wanted, CHARTED, None, USUAL, Some(*price), None, over);
        (average.kind, average.known_at) = (PriceKind::Market, now);
        rows.push(average);
    }
    if source == SCRAPED {
        // that somebody has looked, and what the cheapest asks; what one can buy at are the offers
        let mut look = row(wanted, SCRAPED, None, USUAL, None, None, now);
        (look.kind, look.low) = (PriceKind::Page, sight.offers.iter().map(|offer| offer.price).min());
        rows.push(look);
    }
    let mut writer = PriceWriter::begin(tx).await?;
    writer.set_apart_jumps(jump);
    for seen in &rows {
        if writer.add(seen)? {
            writer.flush(tx).await?;
        }
    }
    Ok(Told { series: writer.settle(tx, now).await?.series, gone: gone.len() })
}

fn row(
    wanted: &Wanted,
    source: &str,
    condition: Option<Condition>,
    finish: Finish,
    price: Option<Decimal>,
    listing: Option<Seller>,
    at: DateTime<Utc>,
) -> Observation {
    Observation {
        subject: Subject::Product { market: Market::Cardmarket, id: wanted.product.clone() },
        source: source.to_owned(),
        market: Market::Cardmarket,
        currency: Market::Cardmarket.currency(),
        finish,
        condition,
        kind: PriceKind::Listing,
        price,
        low: None,
        mid: None,
        high: None,
        listing,
        observed_at: at,
        known_at: at,
    }
}
