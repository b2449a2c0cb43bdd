//! Everything that was ever told, each row with the moment at which it could first be known: what a replay reads.
//!
//! A year of a large market is forty million rows, so a row is six numbers, not a struct of decimals.

mod builder;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{
    book::{CardActivity, PriceSeries, Quote, SourceShift},
    card::Card,
    event::Flag,
    money::Currency,
    money::{DailyRate, RateOrigin, Rates},
};

pub use builder::{Builder, TooManyDigits};

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// Ascending by id.
    pub cards: Vec<Card>,
    pub courses: Vec<Course>,
    pub activity: Vec<Counted>,
    pub rates: Vec<DailyRate>,
    /// What ever moved a card, ascending by card.
    pub flags: Vec<Flag>,
    /// How many rows were read from files or written later than they could have been known.
    pub imported: u64,
}

/// All that one source told of one price.
#[derive(Debug, Clone)]
pub struct Course {
    /// As it stood at its first row, without history.
    pub first: PriceSeries,
    /// Ascending by the moment at which each could be known.
    pub rows: Vec<Row>,
    /// What offers state beside their price, row by row; empty on aggregate prices.
    pub terms: Vec<Terms>,
}

/// One row, its times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    pub observed: i64,
    pub known: i64,
    pub price: Figure,
    pub low: Figure,
    pub mid: Figure,
    pub high: Figure,
}

/// What an offer states beside its price.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    pub shipping: Option<Decimal>,
    pub seller_rating: Option<Decimal>,
    pub seller_sales: Option<i64>,
}

/// All that one source counted of one thing.
#[derive(Debug, Clone)]
pub struct Counted {
    /// The thing as each of its cards, without figures.
    pub cards: Vec<CardActivity>,
    /// Ascending by the moment at which each could be known.
    pub rows: Vec<Count>,
}

/// One count, its times in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub observed: i64,
    pub known: i64,
    pub sales_30d: Option<i64>,
    pub active_listings: Option<i64>,
}

/// A decimal in eight bytes: digits and scale side by side. Unknown is a figure of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figure(i64);

const SCALE_BITS: u32 = 5;

impl Figure {
    pub const UNKNOWN: Self = Self(i64::MIN);

    /// `None` for more digits than fit: seventeen always do.
    pub fn new(amount: Option<Decimal>) -> Option<Self> {
        let Some(amount) = amount else { return Some(Self::UNKNOWN) };
        let digits = i64::try_from(amount.mantissa()).ok()?;
        let packed = digits.checked_mul(1 << SCALE_BITS)?.checked_add(i64::from(amount.scale()))?;
        (packed != i64::MIN).then_some(Self(packed))
    }

    pub fn get(self) -> Option<Decimal> {
        if self == Self::UNKNOWN {
            return None;
        }
        let scale = u32::try_from(self.0 & ((1 << SCALE_BITS) - 1)).unwrap_or(0);
        Some(Decimal::new(self.0 >> SCALE_BITS, scale))
    }
}

/// Ahead of ours a source's clock may be by less than this.
const CLOCK_AHEAD: i64 = 86_400_000_000;

impl Row {
    /// Before anything was told.
    pub const BLANK: Self =
        Self { observed: 0, known: 0, price: Figure::UNKNOWN, low: Figure::UNKNOWN, mid: Figure::UNKNOWN, high: Figure::UNKNOWN };

    /// When the row counts: once it is known, and no day before the time that it is of.
    pub fn counts_from(&self) -> i64 {
        self.known.max(self.observed - CLOCK_AHEAD + 1)
    }

    /// Other prices in place of those that were told: what a check of look-ahead puts into the future.
    pub fn spoil(&mut self, chance: u64) {
        let price = Decimal::new(i64::try_from(chance % 1_000_000).unwrap_or(0) + 1, 2);
        let figure = Figure::new(Some(price)).unwrap_or(Figure::UNKNOWN);
        (self.price, self.low, self.mid, self.high) = (figure, figure, figure, figure);
    }

    /// The row as the book has it.
    pub fn quote(&self, terms: Option<&Terms>) -> Quote {
        let terms = terms.copied().unwrap_or_default();
        Quote {
            price: self.price.get(),
            low: self.low.get(),
            mid: self.mid.get(),
            high: self.high.get(),
            shipping: terms.shipping,
            seller_rating: terms.seller_rating,
            seller_sales: terms.seller_sales,
            observed_at: moment(self.observed),
            known_at: moment(self.known),
        }
    }
}

/// A time as rows have it.
pub fn moment(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}

impl Course {
    /// Puts the rows into the order in which they became known; of one moment the one that was told later is the later.
    pub fn sort(&mut self) {
        let key = |row: &Row| (row.counts_from(), row.observed, row.known);
        if self.terms.is_empty() {
            self.rows.sort_by_key(key);
            return;
        }
        let mut both: Vec<(Row, Terms)> = self.rows.drain(..).zip(self.terms.drain(..)).collect();
        both.sort_by_key(|(row, _)| key(row));
        (self.rows, self.terms) = both.into_iter().unzip();
    }

    /// The last price of a stretch of time, whoever knew it then: what came after a decision.
    pub fn price_between(&self, after: DateTime<Utc>, until: DateTime<Utc>) -> Option<Decimal> {
        let (after, until) = (after.timestamp_micros(), until.timestamp_micros());
        let rows = self.rows.iter().filter(|row| after < row.observed && row.observed <= until && row.price != Figure::UNKNOWN);
        rows.max_by_key(|row| (row.observed, row.known))?.price.get()
    }
}

impl History {
    /// Moves sources in time, both of their clocks.
    pub fn shift(&mut self, shifts: &[SourceShift]) {
        let by = |source: &str| {
            let days = shifts.iter().find(|shift| shift.source == source).map_or(0, |shift| shift.days.clamp(-36_500, 36_500));
            (days != 0).then(|| TimeDelta::days(days))
        };
        for course in &mut self.courses {
            let Some(delta) = by(&course.first.source) else { continue };
            let micros = delta.num_microseconds().unwrap_or(0);
            for row in &mut course.rows {
                row.observed += micros;
                row.known += micros;
            }
            course.first.latest.observed_at += delta;
            course.first.latest.known_at += delta;
        }
        for counted in &mut self.activity {
            let Some(delta) = counted.cards.first().and_then(|one| by(&one.source)) else { continue };
            let micros = delta.num_microseconds().unwrap_or(0);
            for row in &mut counted.rows {
                row.observed += micros;
                row.known += micros;
            }
        }
    }

    /// The rates as they were known at a time: of the last day with dollars, with the pounds of the same publication.
    pub fn rates_at(&self, now: DateTime<Utc>) -> Option<Rates> {
        let known = |currency| self.rates.iter().filter(move |rate| rate.currency == currency && rate.known_at <= now);
        let usd = known(Currency::Usd).max_by(|left, right| left.date.cmp(&right.date).then_with(|| right.source.cmp(&left.source)))?;
        let gbp = known(Currency::Gbp).find(|rate| rate.date == usd.date && rate.source == usd.source);
        Some(Rates {
            usd_per_eur: usd.units_per_eur,
            gbp_per_eur: gbp.map(|rate| rate.units_per_eur),
            origin: RateOrigin { date: usd.date, source: usd.source.clone() },
        })
    }

    /// How many rows of prices there are.
    pub fn rows(&self) -> usize {
        self.courses.iter().map(|course| course.rows.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_figure_keeps_every_digit_and_its_scale() {
        for text in ["0.01", "12.50", "-3.1", "9999.99", "0.30000000000000004", "123456789012345.67", "7"] {
            let amount: Decimal = text.parse().unwrap();
            assert_eq!(Figure::new(Some(amount)).unwrap().get().unwrap().to_string(), text);
        }
        assert_eq!(Figure::new(None).unwrap().get(), None);
        assert_eq!(Figure::new(Some("1234567890.1234567890".parse().unwrap())), None);
    }
}
