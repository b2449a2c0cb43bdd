//! What sellers offer, as it was last seen.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{ServiceTx, StoreError, scans::member};
use crate::domain::{
    card::{CardId, Finish},
    condition::{Condition, Scale},
    page::{Offer, Reach, UNNAMED},
};

/// One seller's offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The feed that told it.
    pub source: String,
    pub seller: String,
    pub rating: Option<Decimal>,
    pub sales: Option<i64>,
    pub condition: Option<Condition>,
    pub finish: Finish,
    pub price: Decimal,
    pub shipping: Option<Decimal>,
    pub seen_at: DateTime<Utc>,
}

/// Where offers are of.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub card: &'a CardId,
    pub product: &'a str,
    pub source: &'a str,
}

/// The name under which an offer is kept: two sellers that a page does not name never share a parcel.
pub fn seller_of(offer: &Offer, card: &CardId) -> String {
    offer.seller.clone().unwrap_or_else(|| format!("{UNNAMED}:{card}"))
}

/// Keeps what a page offers, and says which offers of before are gone. What the page does not reach stays as it was.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn renew(
    tx: &mut ServiceTx,
    place: Place<'_>,
    offers: &[Offer],
    reach: Reach,
    now: DateTime<Utc>,
) -> Result<Vec<Listing>, StoreError> {
    let card = place.card;
    let sellers: Vec<String> = offers.iter().map(|offer| seller_of(offer, card)).collect();
    let conditions: Vec<Option<&str>> = offers.iter().map(|offer| offer.condition.map(|condition| condition.grade.as_str())).collect();
    sqlx::query!(
        "INSERT INTO listings AS known (market, card_id, product_id, source, seller_id, condition, printing, edition, language, price, shipping,
            seller_rating, seller_sales, first_seen_at, seen_at)
        SELECT 'cardmarket', $1, $2, $3, *, $4, $4 FROM unnest($5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::numeric[],
            $11::numeric[], $12::numeric[], $13::bigint[])
        ON CONFLICT ON CONSTRAINT uq_listings DO UPDATE
        SET price = excluded.price, shipping = excluded.shipping, seller_rating = excluded.seller_rating, seller_sales = excluded.seller_sales,
            seen_at = excluded.seen_at, gone_at = NULL",
        card.as_str(),
        place.product,
        place.source,
        now,
        &sellers,
        &conditions as _,
        &offers.iter().map(|offer| offer.finish.printing.as_str().to_owned()).collect::<Vec<_>>(),
        &offers.iter().map(|offer| offer.finish.edition.as_str().to_owned()).collect::<Vec<_>>(),
        &offers.iter().map(|offer| offer.finish.language.as_str().to_owned()).collect::<Vec<_>>(),
        &offers.iter().map(|offer| offer.price).collect::<Vec<_>>(),
        &offers.iter().map(|offer| offer.shipping).collect::<Vec<_>>() as _,
        &offers.iter().map(|offer| offer.rating).collect::<Vec<_>>() as _,
        &offers.iter().map(|offer| offer.sales).collect::<Vec<_>>() as _,
    )
    .execute(tx.db())
    .await?;
    let (all, below) = match reach {
        Reach::All => (true, None),
        Reach::Below(price) => (false, Some(price)),
        Reach::Some => (false, None),
    };
    // of an unnamed seller's offers there is one, the best
    let unnamed = format!("{UNNAMED}:{card}");
    let one_unnamed = sellers.contains(&unnamed);
    let rows = sqlx::query_as!(
        Row,
        "UPDATE listings SET gone_at = $3 WHERE market = 'cardmarket' AND card_id = $1 AND product_id = $2 AND gone_at IS NULL AND seen_at < $3
            AND ($4 OR price < $5 OR ($6 AND seller_id = $7))
        RETURNING source, seller_id, condition, printing, edition, language, price, shipping, seller_rating, seller_sales, seen_at",
        card.as_str(),
        place.product,
        now,
        all,
        below,
        one_unnamed,
        unnamed
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter().map(Listing::try_from).collect()
}

/// What is offered of a card, the cheapest first, postage included.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn of_card(tx: &mut ServiceTx, card: &CardId) -> Result<Vec<Listing>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT source, seller_id, condition, printing, edition, language, price, shipping, seller_rating, seller_sales, seen_at FROM listings
        WHERE card_id = $1 AND gone_at IS NULL ORDER BY price + coalesce(shipping, 0), seller_id, condition",
        card.as_str()
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter().map(Listing::try_from).collect()
}

/// A listing as the database has it.
struct Row {
    source: String,
    seller_id: String,
    condition: Option<String>,
    printing: String,
    edition: String,
    language: String,
    price: Decimal,
    shipping: Option<Decimal>,
    seller_rating: Option<Decimal>,
    seller_sales: Option<i64>,
    seen_at: DateTime<Utc>,
}

impl TryFrom<Row> for Listing {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let grade = row.condition.as_deref().map(member).transpose()?;
        Ok(Self {
            source: row.source,
            seller: row.seller_id,
            rating: row.seller_rating,
            sales: row.seller_sales,
            condition: grade.map(|grade| Condition { scale: Scale::Cardmarket, grade }),
            finish: Finish { printing: member(&row.printing)?, edition: member(&row.edition)?, language: member(&row.language)? },
            price: row.price,
            shipping: row.shipping,
            seen_at: row.seen_at,
        })
    }
}
