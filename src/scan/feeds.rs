//! What a price's own history says about it, and what a whole feed's behaviour says about each of its prices.

use std::sync::Arc;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use rayon::prelude::*;
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::windows::{ACTIVITY_DAYS, TREND_DAYS, Windows};
use crate::domain::{
    book::{Book, ByCard, PriceSeries},
    market::Market,
    money::{Currency, round_half_up},
    observation::PriceKind,
    page::SCRAPED,
    series::{self, Point, SERIES_PLACES},
};

/// The history facts of one series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signs {
    pub jump_ratio: Option<Decimal>,
    pub days_unchanged: Option<i64>,
    pub changes_30d: usize,
    pub points_30d: usize,
    pub daily_change_7d: Decimal,
    pub trend_points: usize,
    pub trend_hours: i64,
    pub cross_source_ratio: Option<Decimal>,
}

/// One source's prices of one market, seen as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    pub source: Arc<str>,
    pub market: Market,
    pub currency: Currency,
    pub series: usize,
    /// Series whose last row has a price.
    pub priced: usize,
    pub newest: DateTime<Utc>,
    /// Of the newest batch's series with a history, how many jumped.
    pub jumped: Share,
    /// Of the series that were told lately, how many stand still.
    pub frozen: Share,
}

/// A part of a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Share {
    pub part: usize,
    pub whole: usize,
}

impl Share {
    fn add(&mut self, counts: bool) {
        self.whole += 1;
        self.part += usize::from(counts);
    }

    /// The share, unless the whole is too small to say.
    pub fn ratio(self, at_least: usize) -> Option<Decimal> {
        if self.whole < at_least.max(1) {
            return None;
        }
        Some(round_half_up(Decimal::from(self.part) / Decimal::from(self.whole), SERIES_PLACES))
    }
}

type FeedKey = (Arc<str>, Market);

/// The health of every series and feed of a book.
#[derive(Debug)]
pub struct Health {
    /// By position in [`crate::domain::book::Book::series`].
    pub signs: Vec<Signs>,
    /// The same of its feed.
    pub shares: Vec<FeedShares>,
    jumped: FxHashMap<(FeedKey, NaiveDate), Share>,
    frozen: FxHashMap<FeedKey, Share>,
    feeds: FxHashMap<FeedKey, Feed>,
}

/// What a price's feed does as a whole; nothing of a feed that is too small to say.
#[derive(Debug, Clone, Copy, Default)]
pub struct FeedShares {
    /// Of the series of the same source and day, those that jumped.
    pub jumped: Option<Decimal>,
    /// Of the source's series, those that stand still.
    pub frozen: Option<Decimal>,
}

impl Health {
    /// Looks at every series of the book.
    pub fn of(book: &Book, windows: &Windows) -> Self {
        let aggregates = ByCard::of(book, |one| is_aggregate(one) && one.condition.is_none());
        let signs: Vec<Signs> =
            book.series.par_iter().enumerate().map(|(index, one)| signs(book, &aggregates, index, one, windows)).collect();
        let shares = Vec::with_capacity(signs.len());
        let mut health = Self { signs, shares, jumped: FxHashMap::default(), frozen: FxHashMap::default(), feeds: FxHashMap::default() };
        let lately = book.as_of - Duration::days(windows.frozen_days);
        for (one, signs) in book.series.iter().zip(&health.signs).filter(|(one, _)| is_aggregate(one)) {
            let key: FeedKey = (one.source.clone(), one.market);
            let batch = (key.clone(), one.latest.observed_at.date_naive());
            if let Some(ratio) = signs.jump_ratio {
                health.jumped.entry(batch).or_default().add(is_jump(ratio, windows.jump_factor));
            }
            // a feed that has ended is stale, not frozen
            if let Some(days) = signs.days_unchanged
                && one.latest.observed_at >= lately
            {
                health.frozen.entry(key.clone()).or_default().add(days >= windows.frozen_days);
            }
            let feed = health.feeds.entry(key).or_insert_with(|| Feed {
                source: one.source.clone(),
                market: one.market,
                currency: one.currency,
                series: 0,
                priced: 0,
                newest: one.latest.observed_at,
                jumped: Share::default(),
                frozen: Share::default(),
            });
            feed.series += 1;
            feed.priced += usize::from(one.latest.price.is_some());
            feed.newest = feed.newest.max(one.latest.observed_at);
        }
        health.share(book, windows.min_feed);
        health
    }

    /// Tells every series what its feed does.
    fn share(&mut self, book: &Book, min_feed: usize) {
        let ratio = |share: &Share| share.ratio(min_feed);
        let jumped: FxHashMap<_, _> = self.jumped.iter().map(|(key, share)| (key, ratio(share))).collect();
        let frozen: FxHashMap<_, _> = self.frozen.iter().map(|(key, share)| (key, ratio(share))).collect();
        let of = |one: &PriceSeries| {
            let key: FeedKey = (one.source.clone(), one.market);
            let frozen = frozen.get(&key).copied().flatten();
            FeedShares { jumped: jumped.get(&(key, one.latest.observed_at.date_naive())).copied().flatten(), frozen }
        };
        self.shares.extend(book.series.iter().map(of));
    }

    /// Every feed, the most recent first.
    pub fn feeds(&self) -> Vec<Feed> {
        let mut feeds: Vec<Feed> = self
            .feeds
            .iter()
            .map(|(key, feed)| Feed {
                jumped: self.jumped.get(&(key.clone(), feed.newest.date_naive())).copied().unwrap_or_default(),
                frozen: self.frozen.get(key).copied().unwrap_or_default(),
                ..feed.clone()
            })
            .collect();
        feeds.sort_by(|left, right| right.newest.cmp(&left.newest).then_with(|| left.source.cmp(&right.source)));
        feeds
    }
}

/// Whether the price is one for the thing as such, not one seller's offer.
pub fn is_aggregate(one: &PriceSeries) -> bool {
    one.kind != PriceKind::Listing && one.seller_id.is_none() && !is_look(one)
}

/// Whether it says when somebody has looked at what all sellers ask.
pub fn is_look(one: &PriceSeries) -> bool {
    one.kind == PriceKind::Page && &*one.source == SCRAPED
}

fn is_jump(ratio: Decimal, factor: Decimal) -> bool {
    ratio > factor || ratio * factor < Decimal::ONE
}

/// The other aggregate series of the same card, market and finish: what one price can be held against.
fn others<'a>(book: &'a Book, aggregates: &'a ByCard, index: usize) -> impl Iterator<Item = usize> + 'a {
    let one = &book.series[index];
    let of_card = one.cards.first().map_or(&[][..], |card| aggregates.get(*card)).iter().copied();
    of_card.filter(move |other| *other != index && book.series[*other].market == one.market && book.series[*other].finish == one.finish)
}

fn signs(book: &Book, aggregates: &ByCard, index: usize, one: &PriceSeries, windows: &Windows) -> Signs {
    let now = book.as_of;
    let latest = Point { at: one.latest.observed_at, price: one.latest.price };
    let history = &*one.history;
    let own = series::jump_ratio(history, latest, windows.history_days, windows.min_points);
    Signs {
        jump_ratio: own.or_else(|| {
            let mut merged: Vec<Point> =
                others(book, aggregates, index).flat_map(|other| book.series[other].history.iter()).chain(history).copied().collect();
            merged.sort_by_key(|point| point.at);
            series::jump_ratio(&merged, latest, windows.history_days, windows.min_points)
        }),
        days_unchanged: series::days_unchanged(history, now),
        changes_30d: series::price_changes(history, now, ACTIVITY_DAYS),
        points_30d: series::price_count(history, now, ACTIVITY_DAYS),
        daily_change_7d: series::daily_change(history, now, TREND_DAYS),
        trend_points: series::price_count(history, now, TREND_DAYS),
        trend_hours: series::span_hours(history, now, TREND_DAYS),
        cross_source_ratio: cross_source(others(book, aggregates, index).map(|other| &book.series[other]), one, windows),
    }
}

/// This price over the freshest price of another source that was told about the same time.
fn cross_source<'a>(others: impl Iterator<Item = &'a PriceSeries>, one: &PriceSeries, windows: &Windows) -> Option<Decimal> {
    let price = one.latest.price?;
    let fresh = Duration::days(windows.fresh_days);
    let other = others
        .filter(|other| {
            other.source != one.source && other.latest.price.is_some() && (other.latest.observed_at - one.latest.observed_at).abs() <= fresh
        })
        .max_by(|left, right| left.latest.observed_at.cmp(&right.latest.observed_at).then_with(|| right.source.cmp(&left.source)))?;
    Some(round_half_up(price.checked_div(other.latest.price?)?, SERIES_PLACES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_too_few_says_nothing() {
        let share = Share { part: 3, whole: 4 };
        assert_eq!(share.ratio(5), None);
        assert_eq!(share.ratio(4), Some(Decimal::new(75, 2)));
        assert_eq!(Share::default().ratio(0), None);
    }

    #[test]
    fn a_jump_is_one_either_way() {
        let three = Decimal::from(3);
        assert!(is_jump(Decimal::new(301, 2), three) && is_jump(Decimal::new(33, 2), three));
        assert!(!is_jump(three, three) && !is_jump(Decimal::new(34, 2), three));
    }
}
