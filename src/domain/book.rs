//! The book: what was known at one moment about every price, loaded once and read by every decision.
//!
//! `store::book::load(tx, as_of, shifts, history_days)` fills it from the database in a handful of queries.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{
    card::{Card, Finish},
    condition::Condition,
    event::{self, Flag},
    market::Market,
    money::{Currency, Rates},
    observation::{PriceKind, Subject},
    series::Points,
};

/// A card's position in [`Book::cards`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CardIndex(pub usize);

/// Everything that a scan reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Book {
    /// Nothing in the book could be known later than this.
    pub as_of: DateTime<Utc>,
    /// Ascending by id.
    pub cards: Vec<Card>,
    pub series: Vec<PriceSeries>,
    pub activity: Vec<CardActivity>,
    /// What moves cards at `as_of`, ascending by card.
    pub flags: Vec<Flag>,
    /// The last exchange rates known; `None` where none were ever imported.
    pub rates: Option<Rates>,
}

/// One source's prices of one thing in one finish and condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceSeries {
    pub subject: Subject,
    /// The cards that the subject is said to be. One is sane, several are a data fault, none is a thing nobody mapped.
    pub cards: Vec<CardIndex>,
    /// The crosswalk itself doubts the match.
    pub doubted: bool,
    pub source: Arc<str>,
    pub market: Market,
    pub currency: Currency,
    pub finish: Finish,
    /// Absent on aggregate prices.
    pub condition: Option<Condition>,
    pub kind: PriceKind,
    /// The seller of a listing.
    pub seller_id: Option<Arc<str>>,
    /// The last row known, whatever its age; its price may be unknown.
    pub latest: Quote,
    /// Ascending, the latest row included, no older than the asked number of days before `as_of`.
    pub history: Points,
}

/// The figures of one row of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    pub price: Option<Decimal>,
    pub low: Option<Decimal>,
    pub mid: Option<Decimal>,
    pub high: Option<Decimal>,
    /// Postage of the first leg, on listings.
    pub shipping: Option<Decimal>,
    pub seller_rating: Option<Decimal>,
    pub seller_sales: Option<i64>,
    pub observed_at: DateTime<Utc>,
    pub known_at: DateTime<Utc>,
}

/// The last count of sales and offers of a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardActivity {
    pub card: CardIndex,
    pub market: Market,
    pub finish: Finish,
    pub source: Arc<str>,
    pub sales_30d: Option<i64>,
    pub active_listings: Option<i64>,
    pub observed_at: DateTime<Utc>,
}

/// Moves one source's history in time before anything else looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceShift {
    pub source: String,
    /// Whole days, forward if positive.
    pub days: i64,
}

/// Positions in [`Book::series`] by card, each card's ascending.
#[derive(Debug, Default)]
pub struct ByCard {
    /// Where each card's begin; one more at the end.
    starts: Vec<usize>,
    series: Vec<usize>,
}

impl ByCard {
    /// The series that are kept.
    pub fn of(book: &Book, keep: impl Fn(&PriceSeries) -> bool) -> Self {
        let kept = || book.series.iter().enumerate().filter(|(_, one)| keep(one));
        let pairs = || kept().flat_map(|(position, one)| one.cards.iter().map(move |card| (card.0, position)));
        let known = || pairs().filter(|(card, _)| *card < book.cards.len());
        let mut starts = vec![0; book.cards.len() + 1];
        known().for_each(|(card, _)| starts[card + 1] += 1);
        (1..starts.len()).for_each(|card| starts[card] += starts[card - 1]);
        let (mut free, mut series) = (starts.clone(), vec![0; starts.last().copied().unwrap_or_default()]);
        for (card, position) in known() {
            series[free[card]] = position;
            free[card] += 1;
        }
        Self { starts, series }
    }

    /// Those of a card.
    pub fn get(&self, card: CardIndex) -> &[usize] {
        let (Some(start), Some(end)) = (self.starts.get(card.0), self.starts.get(card.0 + 1)) else { return &[] };
        &self.series[*start..*end]
    }
}

impl Book {
    /// The card of a position.
    pub fn card(&self, index: CardIndex) -> Option<&Card> {
        self.cards.get(index.0)
    }

    /// What moves the card.
    pub fn flags_of(&self, card: CardIndex) -> &[Flag] {
        event::of_card(&self.flags, card)
    }
}
