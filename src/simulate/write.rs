//! Puts a simulated market into the database, the way that real rows go.

use std::{collections::HashSet, str::FromStr};

use chrono::{DateTime, Utc};

use super::{Simulation, Tenant};
use crate::{
    domain::profile::{BadCountry, Country},
    ingest::{self, Batch},
    store::{
        Store, StoreError, Written,
        users::{self, NewTenant},
    },
};

/// Told after each transaction: days begun so far, and days in all.
pub type Progress<'a> = &'a (dyn Fn(u32, u32) + Send + Sync);

/// Rows that make a transaction worth its start: a small market's days travel together.
const ROWS_AT_ONCE: usize = 20_000;

/// Why a simulated market is not, or only partly, in the database. Writing it again goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Country(#[from] BadCountry),
}

impl WriteError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Store(error) => error.is_retryable(),
            Self::Country(_) => false,
        }
    }
}

/// Stores the market: its metadata, ids and rates, then each day's rows block by block, then its tenants.
///
/// `now` is stamped as the time of recording. Writing the same market twice changes nothing.
///
/// # Errors
/// The database refuses or is gone; the blocks before are stored then.
pub async fn write(store: &Store, simulation: &Simulation, now: DateTime<Utc>, progress: Progress<'_>) -> Result<Written, WriteError> {
    write_until(store, simulation, simulation.as_of(), now, progress).await
}

/// As [`write`], but only what was known at a moment.
///
/// # Errors
/// As [`write`].
pub async fn write_until(
    store: &Store,
    simulation: &Simulation,
    until: DateTime<Utc>,
    now: DateTime<Utc>,
    progress: Progress<'_>,
) -> Result<Written, WriteError> {
    let catalogue = Batch {
        sets: simulation.sets().cloned().collect(),
        cards: simulation.cards().cloned().collect(),
        card_products: simulation.links().collect(),
        rates: simulation.daily_rates().filter(|rate| rate.known_at <= until).collect(),
        ..Batch::default()
    };
    let mut written = put(store, &catalogue, now).await?;
    let first_day = simulation.parameters().first_day();
    let mut batch = Batch::default();
    let mut days = 0;
    for rows in simulation.batches().take_while(|rows| rows.date <= until.date_naive()) {
        days = u32::try_from((rows.date - first_day).num_days() + 1).unwrap_or(u32::MAX);
        batch.observations.extend(rows.observations.into_iter().filter(|seen| seen.known_at <= until));
        batch.activity.extend(rows.activity.into_iter().filter(|counted| counted.known_at <= until));
        if batch.observations.len() >= ROWS_AT_ONCE {
            written += put(store, &std::mem::take(&mut batch), now).await?;
            progress(days, simulation.parameters().days);
        }
    }
    written += put(store, &batch, now).await?;
    progress(days, simulation.parameters().days);
    add_tenants(store, simulation.tenants()).await?;
    Ok(written)
}

async fn put(store: &Store, batch: &Batch, now: DateTime<Utc>) -> Result<Written, StoreError> {
    let mut tx = store.service_bulk().await?;
    let counts = ingest::write_batch(&mut tx, batch, now).await?;
    tx.commit().await?;
    Ok(counts.total())
}

/// Adds the tenants whose chats nobody has yet.
///
/// # Errors
/// The database refuses or is gone; nobody is added then.
pub async fn add_tenants(store: &Store, tenants: impl Iterator<Item = Tenant>) -> Result<(), WriteError> {
    let mut tx = store.service().await?;
    let known: HashSet<i64> = users::active(&mut tx).await?.into_iter().filter_map(|tenant| tenant.telegram_chat_id).collect();
    for tenant in tenants.filter(|tenant| !known.contains(&tenant.telegram_chat_id)) {
        let new = NewTenant {
            id: tenant.id(),
            telegram_chat_id: Some(tenant.telegram_chat_id),
            discord_channel_id: tenant.discord_channel_id,
            country: Country::from_str(tenant.country)?,
            tier: tenant.tier,
            preset: Some(tenant.preset.to_owned()),
        };
        users::add(&mut tx, &new).await?;
    }
    tx.commit().await?;
    Ok(())
}
