//! The loop that makes a backup a day and removes the old ones.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::backups::Backups,
    pulse::Pulse,
    store::{
        Store,
        backup::{self, BackupError},
    },
};

/// Between two looks at the folder.
const POLL: Duration = Duration::from_mins(1);
/// After a fault: a full disk is not emptied within a minute.
const REST: Duration = Duration::from_mins(10);

/// Makes one whenever the newest is older than `every`, until `shutdown`.
///
/// # Errors
/// None yet that would end the loop.
pub async fn run(
    store: Store,
    backups: Backups,
    every: TimeDelta,
    clock: Clock,
    pulse: Pulse,
    shutdown: CancellationToken,
) -> Result<(), BackupError> {
    loop {
        let turn = pulse.turn();
        // what is begun is not finished for a service that ends: the next one makes another
        let made = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            made = make_if_due(&store, &backups, every, clock.now()) => made,
        };
        turn.ends(made.is_ok());
        let rest = match made {
            Ok(()) => POLL,
            Err(error) => {
                tracing::error!(event = "backup_failed", retryable = error.is_retryable(), "{error}");
                REST
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(rest) => {}
        }
    }
}

async fn make_if_due(store: &Store, backups: &Backups, every: TimeDelta, now: DateTime<Utc>) -> Result<(), BackupError> {
    if !is_due(backups, every, now)? {
        return Ok(());
    }
    // of two processes one makes it, and the other finds it made
    let Some(job) = store.job("backup").await? else { return Ok(()) };
    let outcome = make(store, backups, every, now).await;
    job.release().await;
    outcome
}

async fn make(store: &Store, backups: &Backups, every: TimeDelta, now: DateTime<Utc>) -> Result<(), BackupError> {
    if !is_due(backups, every, now)? {
        return Ok(());
    }
    let began = Instant::now();
    let made = store.backup(&backups.folder, now).await?;
    let removed = backup::prune(&backups.folder, backups.keep_days, now)?.len();
    let rows: u64 = made.content.iter().map(|table| table.rows).sum();
    let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(event = "backup_made", file = %made.path.display(), rows, bytes = made.bytes, removed, duration_ms);
    Ok(())
}

fn is_due(backups: &Backups, every: TimeDelta, now: DateTime<Utc>) -> Result<bool, BackupError> {
    Ok(backup::list(&backups.folder)?.last().is_none_or(|newest| now - newest.made_at >= every))
}
