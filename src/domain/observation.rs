//! A price that a source has told us, with the three clocks that make history honest.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    card::{CardId, Finish},
    condition::Condition,
    market::{Market, closed_set},
    money::Currency,
};
use std::{fmt, str::FromStr};

closed_set! {
    /// What a price stands for.
    PriceKind, "price kind" {
        /// TCGplayer's market price: recent sales.
        Market = "market",
        /// Cardmarket's smoothed trend.
        Trend = "trend",
        /// A price printed on a page, of unstated kind.
        Page = "page",
        /// One concrete offer of one seller.
        Listing = "listing",
    }
}

/// What a source calls the thing it prices.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The source uses pokemontcg.io ids.
    Card(CardId),
    /// A marketplace's own product number; a crosswalk says which card it is, or nobody knows yet.
    Product { market: Market, id: String },
}

/// A concrete offer's seller and postage. Absent on aggregate prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub seller_id: String,
    /// Percent, 0 to 100.
    pub seller_rating: Option<Decimal>,
    /// Lifetime sales.
    pub seller_sales: Option<i64>,
    /// Postage of the first leg, in the listing's currency.
    pub shipping: Option<Decimal>,
}

/// One row of price history. `price` is the headline figure; zero never stands for "no data".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    pub subject: Subject,
    /// The feed that told us: `tcgcsv`, `pokemontcg`, `cardmarket_price_guide`.
    pub source: String,
    pub market: Market,
    pub currency: Currency,
    pub finish: Finish,
    /// Absent on aggregate prices.
    pub condition: Option<Condition>,
    pub kind: PriceKind,
    pub price: Option<Decimal>,
    pub low: Option<Decimal>,
    pub mid: Option<Decimal>,
    pub high: Option<Decimal>,
    pub listing: Option<Listing>,
    /// The source's own clock.
    pub observed_at: DateTime<Utc>,
    /// When we could first have known it; replays filter on this.
    pub known_at: DateTime<Utc>,
}

/// How briskly a card sells, as a source counts it. `None` is unknown, zero is a count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Activity {
    pub subject: Subject,
    pub source: String,
    pub market: Market,
    pub finish: Finish,
    pub sales_30d: Option<i64>,
    pub active_listings: Option<i64>,
    pub observed_at: DateTime<Utc>,
    pub known_at: DateTime<Utc>,
}

/// `observed_at` and `known_at` of a source that gives a bare date: the price may be as old as that day's first
/// second, and could be known when the day was over.
pub fn clocks_of_bare_date(date: NaiveDate) -> (DateTime<Utc>, DateTime<Utc>) {
    let start = date.and_time(NaiveTime::MIN).and_utc();
    (start, start + Days::new(1))
}

/// The last moment of a day, as `--as-of 2026-05-02` means it: what was known when the day was over.
pub fn end_of_day(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc() + Days::new(1)
}

/// The day that is decided for at a moment: the end of a day still belongs to it.
pub fn day_of(as_of: DateTime<Utc>) -> NaiveDate {
    (as_of - TimeDelta::nanoseconds(1)).date_naive()
}

/// Zero, like null, is a feed's "no data"; a negative price is a fault that the caller reports.
pub fn known_price(price: Option<Decimal>) -> Option<Decimal> {
    price.filter(|price| !price.is_zero())
}
