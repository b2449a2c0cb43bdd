//! A book that stays: it is loaded once, and then takes over what has been written and what has become known since.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Index, Moved, activity, flags, rates, series_with_history, whole};
use crate::{
    domain::{
        book::{Book, CardActivity, CardIndex, PriceSeries},
        event::Flag,
    },
    store::{ServiceTx, StoreError, writes},
};

/// See the module. At any time it equals a book that is loaded then.
#[derive(Debug)]
pub struct Kept {
    book: Book,
    index: Index,
    /// The database's numbers of the series, ascending.
    ids: Vec<i32>,
    /// Series with rows that don't count yet, and when the first of them may.
    later: BTreeMap<i32, DateTime<Utc>>,
    /// When the first count that is not known yet will be.
    counted_later: Option<DateTime<Utc>>,
    /// The last write that is in the book.
    write: i64,
    history_days: u32,
}

/// What is new in a book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The whole book: it was loaded anew.
    Anew,
    /// The exchange rate, which bears on every card.
    Rate,
    /// Prices, sales, offers or events of these cards.
    Cards(BTreeSet<CardIndex>),
}

impl Kept {
    /// # Errors
    /// The database refuses or is gone, or holds a value that this program does not know.
    pub async fn load(tx: &mut ServiceTx, as_of: DateTime<Utc>, history_days: u32) -> Result<Self, StoreError> {
        // what is written while the book is read may be in it and is taken over once more
        let write = writes::last(tx).await?;
        let (book, index, ids) = whole(tx, &Moved::new(as_of, &[]), history_days).await?;
        let later = later(tx, as_of, None).await?;
        let counted_later = counted_later(tx, as_of).await?;
        Ok(Self { book, index, ids, later, counted_later, write, history_days })
    }

    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// Brings the book to a moment, with so many days of history, and says what is new in it. It is loaded anew where what
    /// it holds does not suffice.
    ///
    /// # Errors
    /// As [`Kept::load`]; the book is as it was.
    pub async fn advance(&mut self, tx: &mut ServiceTx, as_of: DateTime<Utc>, history_days: u32) -> Result<News, StoreError> {
        let (written, write) = writes::since(tx, self.write).await?;
        if written.everything || history_days > self.history_days || as_of < self.book.as_of {
            *self = Self::load(tx, as_of, history_days).await?;
            return Ok(News::Anew);
        }
        let is_due = |at: &DateTime<Utc>| *at <= as_of;
        let mut asked = written.series;
        asked.extend(self.later.iter().filter(|(_, at)| is_due(at)).map(|(id, _)| *id));
        let asked: Vec<i32> = asked.into_iter().collect();
        let moved = Moved::new(as_of, &[]);
        let rates = rates(tx, as_of).await?;
        let flags = flags(tx, as_of, &self.index).await?;
        let counts = if written.counts || self.counted_later.as_ref().is_some_and(is_due) {
            Some((activity(tx, &moved, &self.index).await?, counted_later(tx, as_of).await?))
        } else {
            None
        };
        let told = if asked.is_empty() {
            None
        } else {
            let told = series_with_history(tx, &moved, &self.index, history_days, Some(&asked)).await?;
            Some((told, later(tx, as_of, Some(&asked)).await?))
        };
        // from here on nothing can fail
        let mut cards = BTreeSet::new();
        if let Some(((series, ids), later)) = told {
            self.later.retain(|id, _| asked.binary_search(id).is_err());
            self.later.extend(later);
            self.take(&asked, ids.into_iter().zip(series).collect(), &mut cards);
        }
        if let Some((activity, counted_later)) = counts {
            self.counted_later = counted_later;
            cards.extend(differing(&self.book.activity, &activity, |counted: &CardActivity| counted.card));
            self.book.activity = activity;
        }
        cards.extend(differing(&self.book.flags, &flags, |flag: &Flag| flag.card));
        self.book.flags = flags;
        let same_rates = self.book.rates == rates;
        (self.book.as_of, self.book.rates) = (as_of, rates);
        (self.write, self.history_days) = (write, history_days);
        self.forget_before(as_of - TimeDelta::days(i64::from(history_days)));
        Ok(if same_rates { News::Cards(cards) } else { News::Rate })
    }

    /// Puts series in the place of what they were; those asked for and not told are gone.
    fn take(&mut self, asked: &[i32], mut told: BTreeMap<i32, PriceSeries>, cards: &mut BTreeSet<CardIndex>) {
        let mut gone = BTreeSet::new();
        let mut new = Vec::new();
        for id in asked {
            match (self.ids.binary_search(id), told.remove(id)) {
                (Ok(place), Some(series)) if self.book.series[place] == series => {}
                (Ok(place), Some(series)) => {
                    let before = std::mem::replace(&mut self.book.series[place], series);
                    cards.extend(before.cards.iter().chain(&self.book.series[place].cards));
                }
                (Ok(place), None) => {
                    cards.extend(&self.book.series[place].cards);
                    gone.insert(*id);
                }
                (Err(_), Some(series)) => {
                    cards.extend(&series.cards);
                    new.push((*id, series));
                }
                (Err(_), None) => {}
            }
        }
        if !gone.is_empty() || !new.is_empty() {
            // their order settles ties
            let known = self.ids.drain(..).zip(self.book.series.drain(..)).filter(|(id, _)| !gone.contains(id));
            let mut all: Vec<(i32, PriceSeries)> = known.chain(new).collect();
            all.sort_by_key(|(id, _)| *id);
            (self.ids, self.book.series) = all.into_iter().unzip();
        }
    }

    fn forget_before(&mut self, since: DateTime<Utc>) {
        self.book.series.iter_mut().for_each(|series| series.history.forget_before(since));
    }
}

/// Cards that one of two lists says something of that the other does not.
fn differing<T: PartialEq>(before: &[T], now: &[T], card: impl Fn(&T) -> CardIndex) -> BTreeSet<CardIndex> {
    let (before, now) = (by_card(before, &card), by_card(now, &card));
    let cards = before.keys().chain(now.keys()).copied();
    cards.filter(|card| before.get(card) != now.get(card)).collect()
}

fn by_card<T>(told: &[T], card: impl Fn(&T) -> CardIndex) -> BTreeMap<CardIndex, Vec<&T>> {
    let mut of: BTreeMap<CardIndex, Vec<&T>> = BTreeMap::new();
    for one in told {
        of.entry(card(one)).or_default().push(one);
    }
    of
}

/// Of all series, or of some, those with rows that don't count yet. A source's clock may be ahead by less than a day.
async fn later(tx: &mut ServiceTx, as_of: DateTime<Utc>, only: Option<&[i32]>) -> Result<BTreeMap<i32, DateTime<Utc>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT series_id, min(greatest(known_at, observed_at - interval '24 hours')) AS "at!" FROM price_history
        WHERE (known_at > $1 OR observed_at >= $1::timestamptz + interval '24 hours')
          AND ($2::integer[] IS NULL OR series_id = ANY ($2))
        GROUP BY series_id"#,
        as_of,
        only as _,
    );
    Ok(rows.fetch_all(tx.db()).await?.into_iter().map(|row| (row.series_id, row.at)).collect())
}

async fn counted_later(tx: &mut ServiceTx, as_of: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT min(known_at) FROM activity_history WHERE known_at > $1", as_of).fetch_one(tx.db()).await?)
}
