//! The data that a page fetches for itself, in the two shapes that are known.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};

use super::{
    figures::{self, Refusal},
    offers::{self, Refused},
};
use crate::domain::{
    card::CardId,
    page::{Method, Offer, Reach, Sight, USUAL},
};

/// Ids of a seller's other cards that are read.
const MOST_OTHERS: usize = 50;
/// Offers that are read.
const MOST_OFFERS: usize = 200;
/// What the page says to have seen longer ago is not what it offers now.
const OLDEST: TimeDelta = TimeDelta::hours(1);

/// A page's own data about its best offer, as it stands there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flat {
    pub price: Option<Decimal>,
    pub seller: Option<String>,
    pub rating: Option<Decimal>,
    pub sales: Option<i64>,
    pub condition: Option<String>,
    pub shipping: Option<Decimal>,
    pub others: Vec<String>,
}

/// Whether a response is worth reading: a JSON object that speaks of prices or sellers. Later ones overlay earlier ones.
pub fn merge(into: &mut Map<String, Json>, body: &[u8]) {
    let lower = body.to_ascii_lowercase();
    let speaks_of = |word: &[u8]| lower.windows(word.len()).any(|part| part == word);
    if (speaks_of(b"price") || speaks_of(b"seller"))
        && let Ok(Json::Object(object)) = serde_json::from_slice(body)
    {
        into.extend(object);
    }
}

/// What the data of a card's page tells.
///
/// # Errors
/// It holds no price, or one that cannot be; then another method is to be tried.
pub fn sight(object: &Map<String, Json>, card: &CardId, now: DateTime<Utc>) -> Result<Sight, Refusal> {
    if let Some(Json::Array(listings)) = object.get("listings") {
        return of_listings(listings, card, now);
    }
    let flat = flat(object)?;
    let others = flat.others.iter().filter_map(|id| CardId::new(id).ok()).filter(|id| id != card).collect();
    let offer = Offer {
        seller: flat.seller.as_deref().map(offers::seller).transpose()?,
        rating: flat.rating.map(figures::plausible_rating).transpose()?,
        sales: flat.sales.map(figures::plausible_sales).transpose()?,
        condition: flat.condition.as_deref().map(offers::condition).transpose()?,
        finish: USUAL,
        price: figures::plausible_price(flat.price.ok_or("the data holds no price")?)?,
        shipping: flat.shipping.map(figures::plausible_postage).transpose()?,
    };
    Ok(Sight { method: Method::Interception, offers: vec![offer], reach: Reach::Some, averages: Vec::new(), others })
}

/// The flat shape: of two spellings the first that holds something counts.
///
/// # Errors
/// A number of sales that cannot be read.
pub fn flat(object: &Map<String, Json>) -> Result<Flat, Refusal> {
    let first = |names: [&str; 2]| names.iter().find_map(|name| object.get(*name).filter(|value| holds_something(value)));
    let sales = first(["sellerSales", "seller_sales"]).map(|value| {
        let whole = figure(value).and_then(|figure| i64::try_from(figure).ok().filter(|_| figure.fract().is_zero()));
        whole.ok_or_else(|| format!("{} is no number of sales", figures::shortened(&value.to_string())))
    });
    let others = match first(["sellerOtherCards", "otherCards"]) {
        Some(Json::Array(ids)) => ids.iter().filter_map(text).take(MOST_OTHERS).collect(),
        _ => Vec::new(),
    };
    Ok(Flat {
        price: first(["price", "priceEUR"]).and_then(figure),
        seller: first(["sellerId", "seller_id"]).and_then(text),
        rating: first(["sellerRating", "seller_rating"]).and_then(figure),
        sales: sales.transpose()?,
        condition: object.get("condition").filter(|value| holds_something(value)).and_then(Json::as_str).map(str::to_owned),
        shipping: first(["shippingPrice", "shipping"]).and_then(figure),
        others,
    })
}

/// The shape with a list: what is in stock of this card.
fn of_listings(listings: &[Json], card: &CardId, now: DateTime<Utc>) -> Result<Sight, Refusal> {
    let mut refused = Refused::default();
    let mut read = Vec::new();
    for listing in listings.iter().take(MOST_OFFERS) {
        if listing["in_stock"] == Json::Bool(false) || listing["card_id"].as_str().is_some_and(|id| id != card.as_str()) {
            continue;
        }
        refused.keep(offer(listing, now), &mut read);
    }
    let is_whole = refused.is_none() && listings.len() <= MOST_OFFERS;
    if read.is_empty() {
        return Err(refused.reason.unwrap_or_else(|| "the data lists no offer of the card".to_owned()));
    }
    let reach = if is_whole { Reach::All } else { Reach::Some };
    Ok(Sight { method: Method::Interception, offers: offers::cheapest_of_each(read), reach, averages: Vec::new(), others: Vec::new() })
}

fn offer(listing: &Json, now: DateTime<Utc>) -> Result<Offer, Refusal> {
    let number = |name: &str| match &listing[name] {
        Json::Null => Ok(None),
        value => figure(value).map(Some).ok_or_else(|| format!("{name} {} is not a number", figures::shortened(&value.to_string()))),
    };
    if let Some(seen) = listing["scraped_at"].as_str().and_then(|text| text.parse::<DateTime<Utc>>().ok())
        && seen < now - OLDEST
    {
        return Err(format!("the offer was seen at {seen}, too long ago"));
    }
    let sales = number("seller_sales")?.map(|sales| i64::try_from(sales).map_err(|_| format!("{sales} is no number of sales")));
    Ok(Offer {
        seller: text(&listing["seller_id"]).map(|id| offers::seller(&id)).transpose()?,
        rating: number("seller_rating")?.map(figures::plausible_rating).transpose()?,
        sales: sales.transpose()?.map(figures::plausible_sales).transpose()?,
        condition: listing["condition"].as_str().map(offers::condition).transpose()?,
        finish: USUAL,
        price: figures::plausible_price(number("price_eur")?.ok_or("an offer without a price")?)?,
        shipping: number("shipping_eur")?.map(figures::plausible_postage).transpose()?,
    })
}

/// Null, nothing, false and 0 count as absent, so that the other spelling is looked at.
fn holds_something(value: &Json) -> bool {
    match value {
        Json::Null | Json::Bool(false) => false,
        Json::String(text) => !text.is_empty(),
        Json::Number(_) => figure(value).is_none_or(|figure| !figure.is_zero()),
        Json::Bool(true) | Json::Array(_) | Json::Object(_) => true,
    }
}

/// A number, or a text that is one with a dot; digit for digit.
pub(super) fn figure(value: &Json) -> Option<Decimal> {
    let text = match value {
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.trim().to_owned(),
        _ => return None,
    };
    if text.contains(['e', 'E']) { Decimal::from_scientific(&text).ok() } else { Decimal::from_str_exact(&text).ok() }
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) if !text.is_empty() => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use serde_json::json;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse().unwrap()
    }

    fn told(json: &Json) -> Result<Sight, Refusal> {
        sight(json.as_object().unwrap(), &CardId::new("sv1-25").unwrap(), now())
    }

    #[test]
    fn later_objects_overlay_earlier_ones_and_what_speaks_of_nothing_is_left_out() {
        let mut merged = Map::new();
        for body in [
            r#"{"price": 3.10, "sellerId": "a"}"#,
            r#"{"PRICE": 1}"#,
            r#"{"other": 1}"#,
            r#"[{"price": 1}]"#,
            r#"{"price": 2"#,
            r#"{"price": 3.05}"#,
        ] {
            merge(&mut merged, body.as_bytes());
        }
        assert_eq!(Json::Object(merged), json!({ "price": 3.05, "sellerId": "a", "PRICE": 1 }));
    }

    #[test]
    fn a_price_keeps_every_digit_and_one_that_cannot_be_fails_the_method() {
        let sight =
            told(&serde_json::from_str(r#"{"price": 12.10, "sellerSales": "12", "otherCards": ["sv1-25", "sv1-26"]}"#).unwrap()).unwrap();
        assert_eq!(sight.offers[0].price.to_string(), "12.10");
        assert_eq!((sight.offers[0].sales, sight.offers[0].seller.as_deref()), (Some(12), None));
        assert_eq!(sight.others, [CardId::new("sv1-26").unwrap()]);
        for bad in ["-1", "0", "1000000000000", "\"1.234,56\"", "true", "{}", "null", "1e400", "0.001"] {
            assert!(told(&serde_json::from_str(&format!(r#"{{"price": {bad}}}"#)).unwrap()).is_err(), "{bad}");
        }
        assert!(told(&json!({ "price": 5, "sellerSales": "many" })).unwrap_err().contains("no number of sales"));
        assert!(told(&json!({ "price": 5, "sellerRating": 101 })).unwrap_err().contains("no percentage"));
    }

    #[test]
    fn of_a_list_what_is_in_stock_of_the_card_counts_and_a_bad_line_makes_it_incomplete() {
        let line = |seller: &str, price: Json| {
            json!({ "id": 1, "card_id": "sv1-25", "price_eur": price, "condition": "EX", "seller_id": seller, "seller_rating": 99.5,
                "seller_sales": 120, "shipping_eur": "1.15", "in_stock": true, "scraped_at": "2026-11-24T11:59:00Z" })
        };
        let mut gone = line("gone", json!(1));
        gone["in_stock"] = json!(false);
        let mut other = line("other", json!(1));
        other["card_id"] = json!("sv1-26");
        let good =
            json!({ "status": "success", "listings": [line("a", json!("3.20")), gone, other, line("a", json!(3.1)), line("b", json!(4))] });
        let sight = told(&good).unwrap();
        let read: Vec<_> = sight.offers.iter().map(|offer| (offer.seller.clone().unwrap(), offer.price.to_string())).collect();
        assert_eq!(read, [("a".to_owned(), "3.1".to_owned()), ("b".to_owned(), "4".to_owned())]);
        assert_eq!((sight.reach, sight.best().unwrap().shipping.unwrap().to_string()), (Reach::All, "1.15".to_owned()));

        let mut old = line("c", json!(2));
        old["scraped_at"] = json!("2026-11-20T11:59:00Z");
        let bad = told(&json!({ "listings": [line("a", json!(3)), line("b", json!(-4)), old] })).unwrap();
        assert_eq!((bad.offers.len(), bad.reach), (1, Reach::Some));
        assert!(told(&json!({ "listings": [line("b", json!(-4))] })).unwrap_err().contains("no price"));
        assert!(told(&json!({ "listings": [] })).is_err());
    }
}
