//! Everything that a scan looks at, as it was known at one moment: cards, crosswalk, prices, rates.

use std::{ops::Range, sync::Arc};

use chrono::{DateTime, Days, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{
    card::{Card, CardSet, Finish},
    condition::Condition,
    market::Market,
    money::{Currency, DailyRate},
    observation::{Activity, PriceKind, Subject},
    product::CardProduct,
    series::Point,
};

/// Moves the history of one source in time, so that windows that do not overlap can be looked at together. Every report
/// that rests on it has to say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceShift {
    pub source: String,
    /// Added to `observed_at` and `known_at`; negative moves into the past.
    pub days: i64,
}

impl SourceShift {
    /// How far the clocks of `source` are moved.
    pub fn of(shifts: &[Self], source: &str) -> TimeDelta {
        shifts.iter().find(|shift| shift.source == source).map_or(TimeDelta::zero(), |shift| TimeDelta::days(shift.days))
    }
}

/// The latest that was known of a series, whatever its age. Clocks are shifted already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latest {
    pub price: Option<Decimal>,
    pub low: Option<Decimal>,
    pub mid: Option<Decimal>,
    pub high: Option<Decimal>,
    pub shipping: Option<Decimal>,
    pub seller_rating: Option<Decimal>,
    pub seller_sales: Option<i64>,
    pub observed_at: DateTime<Utc>,
    pub known_at: DateTime<Utc>,
    /// Written long after it could be known: history that was imported, not watched.
    pub is_imported: bool,
}

/// One thing that one source prices in one way.
#[derive(Debug, Clone)]
pub struct PriceSeries {
    pub series_id: i32,
    pub subject: Subject,
    /// Shared by all series of the source.
    pub source: Arc<str>,
    pub market: Market,
    pub currency: Currency,
    pub finish: Finish,
    pub condition: Option<Condition>,
    pub kind: PriceKind,
    pub seller_id: Option<String>,
    pub latest: Latest,
    /// Where its recent history stands in [`BookData::points`].
    pub history: Range<usize>,
}

/// What is known at `as_of`. Every list is in a fixed order, so that a scan repeats itself exactly.
#[derive(Debug, Clone)]
pub struct BookData {
    pub as_of: DateTime<Utc>,
    /// By card id.
    pub cards: Vec<Card>,
    /// By set code.
    pub sets: Vec<CardSet>,
    /// By market, product, card.
    pub card_products: Vec<CardProduct>,
    /// Series with an observation, by id.
    pub series: Vec<PriceSeries>,
    /// The recent history of all series, one series after the other, ascending in time, one point a moment.
    pub points: Vec<Point>,
    /// The latest count of each thing and source.
    pub activity: Vec<Activity>,
    /// By date, currency, source.
    pub rates: Vec<DailyRate>,
}

impl BookData {
    /// A series' points within the days that were asked for.
    pub fn history(&self, series: &PriceSeries) -> &[Point] {
        self.points.get(series.history.clone()).unwrap_or_default()
    }
}

/// An import writes history; a live feed writes within the day that a price becomes known.
pub fn is_imported(known_at: DateTime<Utc>, recorded_at: DateTime<Utc>) -> bool {
    recorded_at > known_at + Days::new(1)
}
