//! How delivery stands, channel by channel.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{ServiceTx, StoreError, scans::member};
use crate::domain::message::Channel;

/// One channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub channel: Channel,
    /// Messages that are still to be sent, and since when the oldest could be.
    pub waiting: i64,
    pub oldest: Option<DateTime<Utc>>,
    pub sent: i64,
    /// Sends of which no answer told, whatever became of their messages.
    pub doubts: i64,
    pub late: i64,
    pub parked: i64,
    pub refused: i64,
    pub dead_chats: i64,
}

/// What of a channel somebody has to know within minutes. It is found by small indexes, however much was ever sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Depth {
    pub channel: Channel,
    pub waiting: i64,
    /// Since when the oldest message that is still to be sent could be.
    pub oldest: Option<DateTime<Utc>>,
    pub doubts: i64,
    pub late: i64,
    pub parked: i64,
    pub refused: i64,
    pub dead_chats: i64,
}

/// Every channel, also one that nothing was ever sent to.
///
/// # Errors
/// The database refuses or is gone.
pub async fn depths(tx: &mut ServiceTx) -> Result<Vec<Depth>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT channel AS "channel!",
            (SELECT count(*) FROM outbox AS o WHERE o.channel = c.channel AND settled_at IS NULL) AS "waiting!",
            (SELECT min(not_before) FROM outbox AS o WHERE o.channel = c.channel AND settled_at IS NULL) AS oldest,
            (SELECT coalesce(sum(doubts), 0)::bigint FROM outbox AS o WHERE o.channel = c.channel AND doubts > 0) AS "doubts!",
            (SELECT count(*) FROM outbox AS o WHERE o.channel = c.channel AND state = 'late') AS "late!",
            (SELECT count(*) FROM outbox AS o WHERE o.channel = c.channel AND state = 'parked') AS "parked!",
            (SELECT count(*) FROM outbox AS o WHERE o.channel = c.channel AND state = 'refused') AS "refused!",
            (SELECT count(*) FROM dead_chats AS d WHERE d.channel = c.channel) AS "dead_chats!"
        FROM unnest(ARRAY['telegram', 'discord']) AS c (channel)"#
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            let (waiting, oldest, doubts) = (row.waiting, row.oldest, row.doubts);
            let (late, parked, refused, dead_chats) = (row.late, row.parked, row.refused, row.dead_chats);
            Ok(Depth { channel: member(&row.channel)?, waiting, oldest, doubts, late, parked, refused, dead_chats })
        })
        .collect()
}

/// Every channel that ever had a message.
///
/// # Errors
/// The database refuses or is gone.
pub async fn standings(tx: &mut ServiceTx) -> Result<Vec<Standing>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT channel, count(*) FILTER (WHERE settled_at IS NULL) AS "waiting!", min(not_before) FILTER (WHERE settled_at IS NULL) AS oldest,
            count(*) FILTER (WHERE state = 'sent') AS "sent!", sum(doubts)::bigint AS "doubts!", count(*) FILTER (WHERE state = 'late') AS "late!",
            count(*) FILTER (WHERE state = 'parked') AS "parked!", count(*) FILTER (WHERE state = 'refused') AS "refused!",
            (SELECT count(*) FROM dead_chats AS dead WHERE dead.channel = outbox.channel) AS "dead_chats!"
        FROM outbox GROUP BY channel ORDER BY channel"#
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Standing {
                channel: member(&row.channel)?,
                waiting: row.waiting,
                oldest: row.oldest,
                sent: row.sent,
                doubts: row.doubts,
                late: row.late,
                parked: row.parked,
                refused: row.refused,
                dead_chats: row.dead_chats,
            })
        })
        .collect()
}
