//! What is to be told: put in with what it tells of, leased, sent with no transaction open, settled.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::types::Json;
use uuid::Uuid;

use super::{ServiceTx, StoreError, routings, scans::member};
use crate::domain::{
    message::{Channel, Message},
    profile::TenantId,
};

/// A message to be.
#[derive(Debug, Clone)]
pub struct NewMessage<'a> {
    /// The operator's, if none.
    pub tenant: Option<TenantId>,
    /// The signal that it tells of; its delivery and its edits hang on it.
    pub signal_id: Option<Uuid>,
    /// More signals that the same message tells of: a basket.
    pub with_signals: &'a [Uuid],
    pub channel: Channel,
    pub chat_id: i64,
    pub message: &'a Message,
    /// Higher goes first; among equals, the earlier deadline.
    pub priority: i32,
    /// No send begins then or later.
    pub deadline: DateTime<Utc>,
    pub not_before: DateTime<Utc>,
}

/// Puts a first message in. The caller commits it together with what it tells of.
///
/// # Errors
/// The signal has one on that channel already, or the database refuses.
pub async fn enqueue(tx: &mut ServiceTx, new: &NewMessage<'_>, now: DateTime<Utc>) -> Result<Uuid, StoreError> {
    let id = Uuid::now_v7();
    sqlx::query!(
        "INSERT INTO outbox (id, tenant_id, signal_id, with_signals, channel, chat_id, step, kind, message, priority, deadline, not_before, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, 0, 'send', $7, $8, $9, $10, $11)",
        id,
        new.tenant.map(|tenant| tenant.0),
        new.signal_id,
        new.with_signals,
        new.channel.as_str(),
        new.chat_id,
        Json(new.message) as _,
        new.priority,
        new.deadline,
        new.not_before,
        now,
    )
    .execute(tx.db())
    .await?;
    Ok(id)
}

/// Changes what a signal's messages say, on every channel that has one. What arrived is edited, and an edit that nobody
/// saw yet is overtaken by this one. A first message that was never sent is sent in its new words, or not at all where
/// the signal is over. How many channels will hear of it.
///
/// # Errors
/// The database refuses or is gone.
pub async fn edit(
    tx: &mut ServiceTx,
    signal_id: Uuid,
    message: &Message,
    deadline: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<usize, StoreError> {
    // the same lock as a lease takes: nobody begins to send the old words meanwhile
    let last = sqlx::query!(
        r#"SELECT DISTINCT ON (channel) id, step, state, message AS "message: Json<Message>"
        FROM (SELECT * FROM outbox WHERE signal_id = $1 AND chat_id IS NOT NULL ORDER BY channel, step FOR UPDATE) AS mine ORDER BY channel, step DESC"#,
        signal_id
    )
    .fetch_all(tx.db())
    .await?;
    let mut channels = 0;
    for row in last {
        match (row.state.as_str(), row.step) {
            ("waiting", 0) => {
                let Some(message) = message.instead_of(&row.message.0) else {
                    overtake(tx, row.id, now).await?;
                    continue;
                };
                replace(tx, row.id, &message).await?;
            }
            // in doubt: whoever saw the old words will see these, too
            ("waiting" | "doubtful", _) => replace(tx, row.id, message).await?,
            ("leased" | "sent", _) | ("late" | "refused", 1..) => {
                sqlx::query!(
                    "INSERT INTO outbox (id, tenant_id, signal_id, channel, chat_id, step, kind, message, priority, deadline, not_before, created_at)
                    SELECT $2, tenant_id, signal_id, channel, chat_id, step + 1, 'edit', $3, priority, $4, $5, $5 FROM outbox WHERE id = $1",
                    row.id,
                    Uuid::now_v7(),
                    Json(message) as _,
                    deadline,
                    now,
                )
                .execute(tx.db())
                .await?;
            }
            _ => continue,
        }
        channels += 1;
    }
    Ok(channels)
}

async fn overtake(tx: &mut ServiceTx, id: Uuid, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!("UPDATE outbox SET state = 'overtaken', settled_at = $2 WHERE id = $1", id, now).execute(tx.db()).await?;
    Ok(())
}

async fn replace(tx: &mut ServiceTx, id: Uuid, message: &Message) -> Result<(), StoreError> {
    sqlx::query!("UPDATE outbox SET message = $2 WHERE id = $1", id, Json(message) as _).execute(tx.db()).await?;
    Ok(())
}

/// A message that is ours to send until the lease ends.
#[derive(Debug, Clone, PartialEq)]
pub struct Leased {
    pub id: Uuid,
    pub tenant: Option<TenantId>,
    pub signal_id: Option<Uuid>,
    pub with_signals: Vec<Uuid>,
    pub channel: Channel,
    pub chat_id: i64,
    pub message: Message,
    pub deadline: DateTime<Utc>,
    /// This one included.
    pub attempts: i32,
    /// Earlier sends of it whose answer was lost.
    pub doubts: i32,
    /// The parts that arrived already.
    pub arrived: Vec<i64>,
    /// The parts that are shown now and that this one changes; none on a first message.
    pub edits: Option<Vec<i64>>,
}

/// Leases what is due on a channel, the most urgent first, at most one for each chat: a chat's messages go one after the
/// other. Chats that are `busy` are left alone. A lease that ran out was cut off in the middle of a send, so that one is
/// in doubt. An edit waits until the message that it changes has arrived.
///
/// # Errors
/// The database refuses or is gone, or holds a message that this program does not know.
pub async fn lease(
    tx: &mut ServiceTx,
    channel: Channel,
    most: i64,
    busy: &[i64],
    now: DateTime<Utc>,
    length: TimeDelta,
) -> Result<Vec<Leased>, StoreError> {
    let rows = sqlx::query!(
        r#"WITH due AS (
            SELECT o.id, o.priority, o.deadline, row_number() OVER (PARTITION BY o.chat_id ORDER BY o.priority DESC, o.deadline, o.id) AS place
            FROM outbox AS o
            WHERE o.channel = $1 AND o.settled_at IS NULL AND o.not_before <= $2 AND o.deadline > $2 AND o.chat_id <> ALL ($3)
                AND (o.state <> 'leased' OR o.lease_until <= $2)
                -- under an OR, as else it becomes a join, which a table that grew fast is not known well enough for
                AND (o.kind = 'send'
                    OR EXISTS (SELECT FROM outbox AS first WHERE first.signal_id = o.signal_id AND first.channel = o.channel
                        AND first.step = 0 AND first.state = 'sent')
                    AND NOT EXISTS (SELECT FROM outbox AS earlier WHERE earlier.signal_id = o.signal_id AND earlier.channel = o.channel
                        AND earlier.step BETWEEN 1 AND o.step - 1 AND earlier.settled_at IS NULL))
        ), mine AS (
            SELECT o.id FROM outbox AS o JOIN (SELECT id, priority, deadline FROM due WHERE place = 1 ORDER BY priority DESC, deadline, id LIMIT $4) AS first USING (id)
            WHERE o.settled_at IS NULL AND (o.state <> 'leased' OR o.lease_until <= $2)
            FOR UPDATE OF o SKIP LOCKED
        )
        UPDATE outbox AS o SET state = 'leased', lease_until = $5, attempts = attempts + 1, doubts = doubts + (o.state = 'leased')::int
        FROM mine WHERE o.id = mine.id
        RETURNING o.id, tenant_id, signal_id, with_signals, channel, chat_id AS "chat_id!", message AS "message: Json<Message>", priority, deadline,
            attempts, doubts, platform_message_ids,
            CASE WHEN kind = 'edit' THEN (SELECT platform_message_ids FROM outbox AS shown WHERE shown.signal_id = o.signal_id
                AND shown.channel = o.channel AND shown.step < o.step AND shown.state = 'sent' ORDER BY step DESC LIMIT 1) END AS edits"#,
        channel.as_str(),
        now,
        busy,
        most,
        now + length,
    )
    .fetch_all(tx.db())
    .await?;
    let mut leased: Vec<(i32, Leased)> = rows
        .into_iter()
        .map(|row| {
            Ok((
                row.priority,
                Leased {
                    id: row.id,
                    tenant: row.tenant_id.map(TenantId),
                    signal_id: row.signal_id,
                    with_signals: row.with_signals,
                    channel: member(&row.channel)?,
                    chat_id: row.chat_id,
                    message: row.message.0,
                    deadline: row.deadline,
                    attempts: row.attempts,
                    doubts: row.doubts,
                    arrived: row.platform_message_ids,
                    edits: row.edits,
                },
            ))
        })
        .collect::<Result<_, StoreError>>()?;
    leased.sort_by_key(|(priority, one)| (std::cmp::Reverse(*priority), one.deadline, one.id));
    Ok(leased.into_iter().map(|(_, one)| one).collect())
}

/// How a lease ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All of it arrived, as these.
    Sent,
    /// To be tried again; in doubt where the answer was lost.
    Again { not_before: DateTime<Utc>, doubtful: bool, fault: Option<String> },
    /// The chat takes nothing from us.
    Parked { fault: String },
    /// The platform will not have this message.
    Refused { fault: String },
}

/// Ends a lease, with the parts that arrived. False if it was no longer ours: somebody else took it over meanwhile.
///
/// # Errors
/// The database refuses or is gone.
pub async fn settle(tx: &mut ServiceTx, leased: &Leased, arrived: &[i64], end: &End, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let (state, not_before, doubtful, fault) = match end {
        End::Sent => ("sent", None, false, None),
        End::Again { not_before, doubtful, fault } => {
            let in_doubt = *doubtful || leased.doubts > 0;
            (if in_doubt { "doubtful" } else { "waiting" }, Some(*not_before), *doubtful, fault.as_ref())
        }
        End::Parked { fault } => ("parked", None, false, Some(fault)),
        End::Refused { fault } => ("refused", None, false, Some(fault)),
    };
    if leased.edits.is_none() {
        let signals: Vec<Uuid> = leased.signal_id.into_iter().chain(leased.with_signals.iter().copied()).collect();
        routings::lock(tx, &signals).await?;
    }
    let settled = sqlx::query!(
        "UPDATE outbox SET state = $2, lease_until = NULL, not_before = coalesce($3, not_before), doubts = doubts + $4::bool::int, fault = $5,
            platform_message_ids = $6, settled_at = CASE WHEN $3::timestamptz IS NULL THEN $7::timestamptz END
        WHERE id = $1 AND state = 'leased' AND attempts = $8",
        leased.id,
        state,
        not_before,
        doubtful,
        fault,
        arrived,
        now,
        leased.attempts,
    )
    .execute(tx.db())
    .await?;
    Ok(settled.rows_affected() == 1)
}

/// What ended without being sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    pub id: Uuid,
    pub signal_id: Option<Uuid>,
    pub with_signals: Vec<Uuid>,
    pub is_edit: bool,
    /// It, or a part of it, may have arrived nevertheless.
    pub doubtful: bool,
}

/// Settles everything whose deadline has passed unsent, edits of what never arrived, and what waits for a channel that no
/// platform is configured for.
///
/// # Errors
/// The database refuses or is gone.
pub async fn settle_missed(tx: &mut ServiceTx, reachable: &[Channel], now: DateTime<Utc>) -> Result<Vec<Missed>, StoreError> {
    let reachable: Vec<String> = reachable.iter().map(|channel| channel.as_str().to_owned()).collect();
    let over = sqlx::query!(
        r#"SELECT o.id, array_remove(with_signals || signal_id, NULL) AS "signals!" FROM outbox AS o
        WHERE o.settled_at IS NULL AND (o.state <> 'leased' OR o.lease_until <= $1)
            AND (o.deadline <= $1 OR o.channel <> ALL ($2) OR o.kind = 'edit' AND EXISTS (SELECT FROM outbox AS first
                WHERE first.signal_id = o.signal_id AND first.channel = o.channel AND first.step = 0 AND first.settled_at IS NOT NULL
                    AND first.state <> 'sent'))
        ORDER BY o.id LIMIT 500"#,
        now,
        &reachable
    )
    .fetch_all(tx.db())
    .await?;
    if over.is_empty() {
        return Ok(Vec::new());
    }
    let (ids, signals): (Vec<Uuid>, Vec<Vec<Uuid>>) = over.into_iter().map(|row| (row.id, row.signals)).unzip();
    routings::lock(tx, &signals.concat()).await?;
    let rows = sqlx::query_as!(
        Missed,
        r#"WITH missed AS (
            SELECT o.id, o.state AS was FROM outbox AS o
            WHERE o.id = ANY ($2) AND o.settled_at IS NULL AND (o.state <> 'leased' OR o.lease_until <= $1)
            FOR UPDATE OF o SKIP LOCKED
        )
        UPDATE outbox AS o SET settled_at = $1, lease_until = NULL, doubts = doubts + (missed.was = 'leased')::int,
            state = CASE WHEN o.deadline <= $1 THEN 'late' WHEN o.kind = 'edit' THEN 'overtaken' ELSE 'parked' END
        FROM missed WHERE o.id = missed.id
        RETURNING o.id, o.signal_id, o.with_signals, o.kind = 'edit' AS "is_edit!",
            o.doubts > 0 OR cardinality(o.platform_message_ids) > 0 AS "doubtful!""#,
        now,
        &ids
    );
    Ok(rows.fetch_all(tx.db()).await?)
}

/// Whether all first messages of a signal ended without arriving anywhere.
///
/// # Errors
/// The database refuses or is gone.
pub async fn reached_nobody(tx: &mut ServiceTx, signal_id: Uuid) -> Result<bool, StoreError> {
    let nobody = sqlx::query_scalar!(
        r#"SELECT NOT EXISTS (SELECT FROM outbox WHERE (signal_id = $1 OR with_signals @> ARRAY[$1]::uuid[]) AND step = 0
            AND (settled_at IS NULL OR state = 'sent' OR state = 'late' AND doubts > 0)) AS "nobody!""#,
        signal_id
    );
    Ok(nobody.fetch_one(tx.db()).await?)
}

/// What waits for a tenant ends unsent, and where it and all before went is forgotten.
///
/// # Errors
/// The database refuses or is gone.
pub async fn erase(tx: &mut ServiceTx, tenant: TenantId, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE outbox SET chat_id = NULL, lease_until = NULL, state = CASE WHEN settled_at IS NULL THEN 'overtaken' ELSE state END,
            settled_at = coalesce(settled_at, $2), platform_message_ids = '{}' WHERE tenant_id = $1",
        tenant.0,
        now
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// When the next message may be due; `None` where nothing waits.
///
/// # Errors
/// The database refuses or is gone.
pub async fn next_due(tx: &mut ServiceTx) -> Result<Option<DateTime<Utc>>, StoreError> {
    let next = sqlx::query_scalar!(
        "SELECT min(least(greatest(not_before, coalesce(lease_until, not_before)), deadline)) FROM outbox WHERE settled_at IS NULL"
    );
    Ok(next.fetch_one(tx.db()).await?)
}
