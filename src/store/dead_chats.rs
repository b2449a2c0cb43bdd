//! Chats that take nothing from us, until they speak.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{ServiceTx, StoreError, outbox::Missed, routings};
use crate::domain::message::Channel;

/// A chat takes nothing from us: what waits for it ends, and nobody is told there until it speaks again.
///
/// # Errors
/// The database refuses or is gone.
pub async fn bury(tx: &mut ServiceTx, channel: Channel, chat_id: i64, fault: &str, now: DateTime<Utc>) -> Result<Vec<Missed>, StoreError> {
    sqlx::query!(
        "INSERT INTO dead_chats (channel, chat_id, since, fault) VALUES ($1, $2, $3, $4) ON CONFLICT (channel, chat_id) DO NOTHING",
        channel.as_str(),
        chat_id,
        now,
        fault
    )
    .execute(tx.db())
    .await?;
    let waiting = sqlx::query_scalar!(
        r#"SELECT array_remove(with_signals || signal_id, NULL) AS "signals!" FROM outbox
        WHERE channel = $1 AND chat_id = $2 AND state IN ('waiting', 'doubtful')"#,
        channel.as_str(),
        chat_id
    );
    let signals: Vec<Vec<Uuid>> = waiting.fetch_all(tx.db()).await?;
    routings::lock(tx, &signals.concat()).await?;
    let rows = sqlx::query_as!(
        Missed,
        r#"UPDATE outbox SET state = 'parked', settled_at = $3, fault = $4
        WHERE channel = $1 AND chat_id = $2 AND state IN ('waiting', 'doubtful')
        RETURNING id, signal_id, with_signals, kind = 'edit' AS "is_edit!", doubts > 0 AS "doubtful!""#,
        channel.as_str(),
        chat_id,
        now,
        fault
    );
    Ok(rows.fetch_all(tx.db()).await?)
}

/// A chat spoke: it can be told again.
///
/// # Errors
/// The database refuses or is gone.
pub async fn revive(tx: &mut ServiceTx, channel: Channel, chat_id: i64) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM dead_chats WHERE channel = $1 AND chat_id = $2", channel.as_str(), chat_id).execute(tx.db()).await?;
    Ok(())
}

/// The chats of a channel that take nothing from us.
///
/// # Errors
/// The database refuses or is gone.
pub async fn of(tx: &mut ServiceTx, channel: Channel) -> Result<Vec<i64>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT chat_id FROM dead_chats WHERE channel = $1 ORDER BY chat_id", channel.as_str())
        .fetch_all(tx.db())
        .await?)
}
