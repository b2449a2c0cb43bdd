//! The book as it was known at one moment after the other, moved on by what became known between them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::{
    book::{Book, CardActivity, PriceSeries},
    history::{Count, History, Row, moment},
    series::Point,
};

/// Says since when a row counts. An honest one is [`Row::counts_from`]; the look-ahead check holds whichever it is
/// against the honest one.
pub type Clock = fn(&Row) -> i64;

/// A place in a history, and the book of it.
pub struct Cursor<'h> {
    history: &'h History,
    clock: Clock,
    book: Book,
    /// The course of each series of the book, ascending.
    held: Vec<usize>,
    /// The series of each course, as soon as there is one.
    places: Vec<Option<usize>>,
    /// The next row of each course, and of each thing that is counted.
    next: Vec<usize>,
    next_count: Vec<usize>,
    /// The count that holds of each thing.
    counts: Vec<Option<Count>>,
}

impl<'h> Cursor<'h> {
    /// Stands before the first row.
    pub fn new(history: &'h History, clock: Clock) -> Self {
        Self {
            history,
            clock,
            book: Book {
                as_of: DateTime::<Utc>::MIN_UTC,
                cards: history.cards.clone(),
                series: Vec::new(),
                activity: Vec::new(),
                flags: Vec::new(),
                rates: None,
            },
            held: Vec::new(),
            places: vec![None; history.courses.len()],
            next: vec![0; history.courses.len()],
            next_count: vec![0; history.activity.len()],
            counts: vec![None; history.activity.len()],
        }
    }

    /// The book as it was known at `now`, with `history_days` of history. Time only goes forward.
    pub fn advance(&mut self, now: DateTime<Utc>, history_days: i64) -> &Book {
        self.book.as_of = now;
        self.book.rates = self.history.rates_at(now);
        self.book.flags = self.history.flags.iter().filter(|flag| flag.is_live(now)).copied().collect();
        self.take_prices(now.timestamp_micros());
        self.take_counts(now.timestamp_micros());
        let since = now - TimeDelta::days(history_days);
        self.book.series.iter_mut().for_each(|series| series.history.forget_before(since));
        &self.book
    }

    /// The book where the cursor stands.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// The course behind a series of the book.
    pub fn course_of(&self, series: usize) -> usize {
        self.held[series]
    }

    fn take_prices(&mut self, now: i64) {
        let mut fresh: Vec<(usize, PriceSeries)> = Vec::new();
        for (index, course) in self.history.courses.iter().enumerate() {
            let from = self.next[index];
            let news = course.rows[from..].iter().take_while(|row| (self.clock)(row) <= now).count();
            if news == 0 {
                continue;
            }
            self.next[index] = from + news;
            let place = self.places[index];
            let series = if let Some(series) = place.and_then(|place| self.book.series.get_mut(place)) {
                series
            } else {
                fresh.push((index, course.first.clone()));
                let Some((_, series)) = fresh.last_mut() else { continue };
                series.latest = course.rows[from].quote(course.terms.get(from));
                series
            };
            for (row, terms) in course.rows[from..from + news].iter().zip((from..).map(|at| course.terms.get(at))) {
                if (row.observed, row.known) >= (series.latest.observed_at.timestamp_micros(), series.latest.known_at.timestamp_micros()) {
                    series.latest = row.quote(terms);
                }
                series.history.add(Point { at: moment(row.observed), price: row.price.get() });
            }
        }
        if !fresh.is_empty() {
            self.open(fresh);
        }
    }

    /// Puts new series between the others: their order settles ties.
    fn open(&mut self, fresh: Vec<(usize, PriceSeries)>) {
        let mut all: Vec<(usize, PriceSeries)> = self.held.drain(..).zip(self.book.series.drain(..)).chain(fresh).collect();
        all.sort_by_key(|(index, _)| *index);
        for (place, (index, _)) in all.iter().enumerate() {
            self.places[*index] = Some(place);
        }
        (self.held, self.book.series) = all.into_iter().unzip();
    }

    fn take_counts(&mut self, now: i64) {
        let mut has_news = false;
        for ((counted, next), holds) in self.history.activity.iter().zip(&mut self.next_count).zip(&mut self.counts) {
            for row in counted.rows[*next..].iter().take_while(|row| row.known <= now) {
                *next += 1;
                if holds.is_none_or(|known| known.observed <= row.observed) {
                    (*holds, has_news) = (Some(*row), true);
                }
            }
        }
        if !has_news {
            return;
        }
        self.book.activity.clear();
        for (counted, holds) in self.history.activity.iter().zip(&self.counts) {
            let Some(Count { sales_30d, active_listings, observed, .. }) = *holds else { continue };
            let filled = |card: &CardActivity| CardActivity { sales_30d, active_listings, observed_at: moment(observed), ..card.clone() };
            self.book.activity.extend(counted.cards.iter().map(filled));
        }
    }
}
