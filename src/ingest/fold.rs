//! Thins old history out: of a day that is long over, the last price of each series is enough.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde_json::json;
use tracing::info;

use crate::store::{
    Store, StoreError, feeds,
    writes::{self, Touched},
};

/// As its row among the feeds is called.
const NAME: &str = "history";
const CADENCE: TimeDelta = TimeDelta::days(1);

/// Folds what has become older than `raw_days` since the last time, once a day, whichever process comes first; says when
/// to come again.
///
/// # Errors
/// The database refuses or is gone.
pub async fn fold_once(store: &Store, raw_days: u32, now: DateTime<Utc>) -> Result<DateTime<Utc>, StoreError> {
    let mut tx = store.service().await?;
    let mut job = feeds::load(&mut tx, NAME, now).await?;
    let due = job.due_at(now, CADENCE);
    if due > now {
        return Ok(due);
    }
    let before = now.date_naive() - Days::new(raw_days.into());
    let since = job.state.get("folded").and_then(|day| day.as_str()?.parse().ok()).unwrap_or_else(first);
    let rows = feeds::fold(&mut tx, since, before).await?;
    job.state = json!({ "folded": before });
    job.finish(now, None);
    feeds::save(&mut tx, &job).await?;
    if rows > 0 {
        writes::record(&mut tx, &Touched { everything: true, ..Touched::default() }, now).await?;
    }
    tx.commit().await?;
    info!(event = "history_folded", rows, before = %before, "of each day one price is kept");
    Ok(now + CADENCE)
}

/// No price is older.
fn first() -> NaiveDate {
    NaiveDate::from_ymd_opt(1996, 1, 1).unwrap_or_default()
}
