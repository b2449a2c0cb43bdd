//! What was written of prices and of what they hang on, in the order of the commits.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{ServiceTx, StoreError};

/// Whoever reads on later than this reads everything again.
const KEPT: TimeDelta = TimeDelta::days(1);

/// What a transaction touched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Price series with a new row.
    pub series: BTreeSet<i32>,
    /// Sales or offers were counted.
    pub counts: bool,
    /// Cards or their products were told, or history was taken away.
    pub everything: bool,
}

/// Writes down what the transaction touched.
///
/// # Errors
/// The database refuses or is gone.
pub async fn record(tx: &mut ServiceTx, touched: &Touched, now: DateTime<Utc>) -> Result<(), StoreError> {
    // from here to the commit, so that a higher number never commits before a lower one
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('public.price_history'))").fetch_one(tx.db()).await?;
    // the newest of the old ones stays: who has read as far as that has missed nothing
    sqlx::query!(
        "DELETE FROM price_writes WHERE write_id < (SELECT max(write_id) FROM price_writes AS old WHERE old.recorded_at < $1)",
        now - KEPT
    )
    .execute(tx.db())
    .await?;
    sqlx::query!(
        "INSERT INTO price_writes (recorded_at, series, counts, everything) VALUES ($1, $2, $3, $4)",
        now,
        &touched.series.iter().copied().collect::<Vec<_>>(),
        touched.counts,
        touched.everything,
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// The number of the last write; 0 before the first.
pub(super) async fn last(tx: &mut ServiceTx) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(r#"SELECT coalesce(max(write_id), 0) AS "last!" FROM price_writes"#).fetch_one(tx.db()).await?)
}

/// What was touched after a write, and the number of the last one.
pub(super) async fn since(tx: &mut ServiceTx, write: i64) -> Result<(Touched, i64), StoreError> {
    let rows = sqlx::query!("SELECT write_id, series, counts, everything FROM price_writes WHERE write_id >= $1 ORDER BY write_id", write)
        .fetch_all(tx.db())
        .await?;
    // for as long as nothing after it was thrown away, the one that was the last is there; before all, there was none
    let is_whole = rows.first().map_or(write == 0, |row| row.write_id == write.max(1));
    let mut touched = Touched { everything: !is_whole, ..Touched::default() };
    let mut last = write;
    for row in rows.into_iter().filter(|row| row.write_id > write) {
        touched.series.extend(row.series);
        touched.counts |= row.counts;
        touched.everything |= row.everything;
        last = row.write_id;
    }
    Ok((touched, last))
}
