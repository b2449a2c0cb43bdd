//! What became of every signal, added up: the sums must hold together whatever happened on the way.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::{ServiceTx, StoreError, scans::member};
use crate::domain::{
    profile::TenantId,
    signal::{SignalKind, SignalState},
};

/// Signals that somebody had alone, by what became of them, and what was done beside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    pub signals: i64,
    pub acted: i64,
    pub passed: i64,
    pub wrong_card: i64,
    /// On their way, or in their window.
    pub pending: i64,
    pub expired: i64,
    pub withdrawn: i64,
    pub undeliverable: i64,
    /// Given to a second, third … tenant after others had let them go.
    pub handed_on: i64,
    /// Opportunities that two tenants had at the same time.
    pub double_holders: i64,
    pub sent: i64,
    /// Messages whose deadline passed before they could be sent.
    pub late: i64,
    pub edits: i64,
    /// Lines of batches and digests.
    pub batched: i64,
    pub digested: i64,
    /// Offers that a change of rules or regime did something to.
    pub repriced_by_rules: i64,
    pub withdrawn_by_rules: i64,
    pub scans: i64,
}

impl Ledger {
    /// Whether every signal is somewhere, no opportunity was with two tenants at once, and no message was late.
    pub const fn is_sound(&self) -> bool {
        self.adds_up() && self.double_holders == 0 && self.late == 0
    }

    /// Whether every signal is somewhere, and nowhere twice.
    const fn adds_up(&self) -> bool {
        let confirmed = self.acted + self.passed + self.wrong_card;
        self.signals == confirmed + self.pending + self.expired + self.withdrawn + self.undeliverable
    }
}

/// Everything since the database began.
///
/// # Errors
/// The database refuses or is gone.
pub async fn ledger(tx: &mut ServiceTx) -> Result<Ledger, StoreError> {
    // A holding begins when the signal is given and ends when it does; who acted has it for ever.
    let row = sqlx::query_as!(
        Ledger,
        r#"WITH held AS (
            SELECT opportunity_id, created_at, max(CASE WHEN state IN ('sending', 'held', 'acted') THEN 'infinity' ELSE ended_at END)
                OVER (PARTITION BY opportunity_id ORDER BY created_at, id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS taken_until
            FROM signals WHERE kind = 'exclusive'
        ), by_rules AS (
            SELECT DISTINCT opportunity_id, change FROM opportunity_changes WHERE from_pack <> to_pack OR from_regime IS DISTINCT FROM to_regime
        )
        SELECT count(*) FILTER (WHERE kind = 'exclusive') AS "signals!", count(*) FILTER (WHERE state = 'acted') AS "acted!",
            count(*) FILTER (WHERE state = 'passed') AS "passed!", count(*) FILTER (WHERE state = 'wrong_card') AS "wrong_card!",
            count(*) FILTER (WHERE state IN ('sending', 'held')) AS "pending!", count(*) FILTER (WHERE state = 'expired') AS "expired!",
            count(*) FILTER (WHERE state = 'withdrawn') AS "withdrawn!", count(*) FILTER (WHERE state = 'undeliverable') AS "undeliverable!",
            count(*) FILTER (WHERE kind = 'exclusive' AND cascade_count > 0) AS "handed_on!",
            count(*) FILTER (WHERE kind = 'batch') AS "batched!", count(*) FILTER (WHERE kind = 'digest') AS "digested!",
            (SELECT count(*) FROM held WHERE created_at < taken_until) AS "double_holders!",
            (SELECT count(*) FROM outbox WHERE state = 'sent' AND kind = 'send') AS "sent!",
            (SELECT count(*) FROM outbox WHERE state = 'late') AS "late!",
            (SELECT count(*) FROM outbox WHERE state = 'sent' AND kind = 'edit') AS "edits!",
            (SELECT count(*) FROM by_rules WHERE change = 'repriced') AS "repriced_by_rules!",
            (SELECT count(*) FROM by_rules WHERE change = 'withdrawn') AS "withdrawn_by_rules!",
            (SELECT count(*) FROM scans WHERE kind = 'scan') AS "scans!"
        FROM signals"#
    );
    Ok(row.fetch_one(tx.db()).await?)
}

/// A step of a signal's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub at: DateTime<Utc>,
    pub signal_id: Uuid,
    pub tenant: TenantId,
    pub card_name: Option<String>,
    pub kind: SignalKind,
    pub state: SignalState,
    /// How many had it before.
    pub before: i32,
    pub net_profit: Option<Decimal>,
}

/// The last step of every signal that took one since a moment, the oldest first.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn steps(tx: &mut ServiceTx, since: DateTime<Utc>) -> Result<Vec<Step>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT greatest(created_at, delivered_at, ended_at) AS "at!", id, tenant_id, card_name, kind, state, cascade_count, net_profit
        FROM signals WHERE created_at >= $1 OR delivered_at >= $1 OR ended_at >= $1 ORDER BY 1, id"#,
        since
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Step {
                at: row.at,
                signal_id: row.id,
                tenant: TenantId(row.tenant_id),
                card_name: row.card_name,
                kind: member(&row.kind)?,
                state: member(&row.state)?,
                before: row.cascade_count,
                net_profit: row.net_profit,
            })
        })
        .collect()
}
