//! The moments of a replay, and the days of them that history says nothing of.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::Serialize;

use crate::domain::{
    history::{Course, Figure, History, Row, moment},
    market::{Direction, Market},
    observation::{day_of, end_of_day},
};

/// Which days are replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The last so many days that every market tells of.
    Last(i64),
    Between(NaiveDate, NaiveDate),
}

/// A market that told nothing for too long before some of the days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub market: Market,
    /// What is told of the market at other times, by source: first day and last day.
    pub sources: BTreeMap<String, (NaiveDate, NaiveDate)>,
    pub days: Vec<NaiveDate>,
}

/// A market that was not told for so many days has no history there. Feeds lose a week; rules doubt older prices themselves.
pub const SILENT_DAYS: i64 = 14;
const DAY: i64 = 86_400_000_000;

/// The days on which each market was told.
type Told = BTreeMap<Market, BTreeSet<i64>>;

impl Window {
    /// The moments that are decided, the end of the first day first; `None` where history holds no day that both markets
    /// tell of, or the window is empty.
    pub fn times(self, history: &History, every: TimeDelta) -> Option<Vec<DateTime<Utc>>> {
        let (from, to) = match self {
            Self::Between(from, to) => (from, to),
            Self::Last(days) => {
                let told = told(history);
                let last = markets().map(|market| told.get(&market)?.last().copied()).min()??;
                let to = moment(last * DAY).date_naive();
                (to - TimeDelta::days(days - 1), to)
            }
        };
        let last = end_of_day(to);
        let times: Vec<_> =
            std::iter::successors(Some(end_of_day(from)), |at| at.checked_add_signed(every)).take_while(|at| *at <= last).collect();
        (!times.is_empty()).then_some(times)
    }
}

/// Markets that a route needs.
fn markets() -> impl Iterator<Item = Market> {
    let markets: BTreeSet<Market> = Direction::ALL.iter().flat_map(|direction| [direction.buy_market(), direction.sell_market()]).collect();
    markets.into_iter()
}

fn told(history: &History) -> Told {
    let days_of = |mut told: FxHashMap<Market, FxHashSet<i64>>, course: &Course| {
        let priced = course.rows.iter().filter(|row| row.price != Figure::UNKNOWN);
        told.entry(course.first.market).or_default().extend(priced.map(|row| row.observed.div_euclid(DAY)));
        told
    };
    let both = |mut left: FxHashMap<Market, FxHashSet<i64>>, right: FxHashMap<Market, FxHashSet<i64>>| {
        for (market, days) in right {
            left.entry(market).or_default().extend(days);
        }
        left
    };
    let told = history.courses.par_iter().fold(FxHashMap::default, days_of).reduce(FxHashMap::default, both);
    told.into_iter().map(|(market, days)| (market, days.into_iter().collect())).collect()
}

/// What history lacks for some moments.
pub fn gaps(history: &History, times: &[DateTime<Utc>]) -> Vec<Gap> {
    let told = told(history);
    let lacking = |market: Market| {
        let none = BTreeSet::new();
        let days = told.get(&market).unwrap_or(&none);
        let silent = times.iter().filter(|at| {
            let today = at.timestamp_micros().div_euclid(DAY);
            days.range(today - SILENT_DAYS..=today).next().is_none()
        });
        let mut days: Vec<NaiveDate> = silent.map(|at| day_of(*at)).collect();
        days.dedup();
        (!days.is_empty()).then(|| Gap { market, sources: sources(history, Some(market)), days })
    };
    markets().filter_map(lacking).collect()
}

/// The first and the last day of every source, of one market or of all.
pub fn sources(history: &History, market: Option<Market>) -> BTreeMap<String, (NaiveDate, NaiveDate)> {
    let stretches = history.courses.par_iter().filter(|course| market.is_none_or(|market| course.first.market == market)).map(|course| {
        let stretch = |known: Option<(i64, i64)>, row: &Row| {
            let (first, last) = known.unwrap_or((row.observed, row.observed));
            Some((first.min(row.observed), last.max(row.observed)))
        };
        (&course.first.source, course.rows.iter().fold(None, stretch))
    });
    let stretches: Vec<_> = stretches.collect();
    let mut sources: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    for (source, stretch) in stretches {
        let Some((first, last)) = stretch else { continue };
        let entry = sources.entry(source.to_string()).or_insert((first, last));
        *entry = (entry.0.min(first), entry.1.max(last));
    }
    sources.into_iter().map(|(source, (first, last))| (source, (moment(first).date_naive(), moment(last).date_naive()))).collect()
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days: Vec<String> =
            stretches(&self.days).iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}..{to}") }).collect();
        write!(f, "{}: nothing was told in the {SILENT_DAYS} days before {}", self.market, days.join(", "))?;
        if self.sources.is_empty() {
            return write!(f, "; no source tells of this market at all");
        }
        let sources: Vec<String> = self.sources.iter().map(|(source, (from, to))| format!("{source} tells of {from}..{to}")).collect();
        write!(f, "; {}", sources.join(", "))
    }
}

/// Days in a row.
fn stretches(days: &[NaiveDate]) -> Vec<(NaiveDate, NaiveDate)> {
    let mut stretches: Vec<(NaiveDate, NaiveDate)> = Vec::new();
    for day in days {
        match stretches.last_mut() {
            Some((_, to)) if to.succ_opt() == Some(*day) => *to = *day,
            _ => stretches.push((*day, *day)),
        }
    }
    stretches
}
