//! What every judgement of a book rests on, made ready once: its feeds' health, routes, rates and the regime in force.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{
    ScanError, Settings,
    feeds::Health,
    inputs::{self, ActivityIndex, Facts},
    judge::Case,
    routes::{Route, Routes},
    windows::Windows,
};
use crate::{
    domain::{
        book::{Book, SourceShift},
        market::Direction,
        money::{RateOrigin, Rates},
        observation::day_of,
        profile::Profile,
    },
    rules::{inputs::default_buffer, pack::Pack, value::Value},
    store::{Store, book},
};

/// See the module.
#[derive(Debug)]
pub struct Ground {
    pub health: Health,
    pub routes: Vec<Route>,
    /// Cards with a price on one market only.
    pub one_sided: usize,
    pub rates: Rates,
    pub regime: Option<String>,
    constants: Facts,
    buffer: Decimal,
}

/// Whether a pack states all that every scan needs of it.
///
/// # Errors
/// What is missing.
pub fn fits(pack: &Pack, now: DateTime<Utc>) -> Result<(), ScanError> {
    Windows::read(pack, day_of(now))?;
    default_buffer(pack, day_of(now)).map(|_| ()).ok_or(ScanError::NoBuffer)
}

/// Loads the book as it was known, with the history that the pack's windows ask for.
///
/// # Errors
/// The database is gone, the pack lacks a window, or the shifts contradict each other or name a source that told nothing.
pub async fn load_book(store: &Store, pack: &Pack, as_of: DateTime<Utc>, shifts: &[SourceShift]) -> Result<(Book, Windows), ScanError> {
    if let Some((_, again)) = shifts.iter().enumerate().find(|(place, one)| shifts[..*place].iter().any(|other| other.source == one.source))
    {
        return Err(ScanError::ShiftedTwice(again.source.clone()));
    }
    let windows = Windows::read(pack, day_of(as_of))?;
    let history_days = u32::try_from(windows.longest()).unwrap_or(u32::MAX);
    let mut tx = store.service().await?;
    let book = book::load(&mut tx, as_of, shifts, history_days).await?;
    tx.commit().await?;
    let known: BTreeSet<&str> = book.series.iter().map(|one| &*one.source).collect();
    if let Some(unknown) = shifts.iter().find(|shift| !known.contains(shift.source.as_str())) {
        let known = known.into_iter().map(str::to_owned).collect();
        return Err(ScanError::UnknownSource { name: unknown.source.clone(), known });
    }
    Ok((book, windows))
}

impl Ground {
    /// # Errors
    /// The pack or configuration lacks something that every judgement needs.
    pub fn of(book: &Book, windows: &Windows, pack: &Pack, settings: &Settings) -> Result<Self, ScanError> {
        let date = day_of(book.as_of);
        let Routes { routes, one_sided } = Routes::of(book);
        let rates = book.rates.clone().unwrap_or_else(|| Rates {
            usd_per_eur: settings.eur_usd_rate,
            gbp_per_eur: None,
            origin: RateOrigin { date, source: "EUR_USD_RATE".to_owned() },
        });
        let regime = pack.customs.as_ref().map(|customs| customs.at(settings.customs_regime.as_deref(), book.as_of)).transpose()?;
        let mut constants = vec![("date", Value::Date(date)), ("bundle_logic_enabled", Value::Bool(settings.bundle_logic))];
        constants.extend(regime.map(|regime| ("customs_regime", Value::Text(regime.into()))));
        Ok(Self {
            health: Health::of(book, windows),
            routes,
            one_sided,
            rates,
            regime: regime.map(str::to_owned),
            constants,
            buffer: default_buffer(pack, date).ok_or(ScanError::NoBuffer)?,
        })
    }

    /// The case of these tenants. `routes` are all of the ground's, or some of them.
    pub fn case<'a>(&'a self, pack: &'a Pack, book: &'a Book, routes: &'a [Route], profiles: &'a [Profile]) -> Case<'a> {
        let facts_of = |profile| {
            [Direction::EuUs, Direction::UsEu].map(|direction| inputs::tenant_facts(profile, direction, &self.rates, self.buffer))
        };
        Case {
            pack,
            book,
            health: &self.health,
            routes,
            profiles,
            constants: self.constants.clone(),
            tenants: profiles.iter().map(facts_of).collect::<Vec<_>>().into(),
            activity: ActivityIndex::of(book).into(),
        }
    }
}
