//! Records as they were kept, read for an audit: whether each is as it was written, what became of a signal, and who had
//! its opportunity before.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{ServiceTx, StoreError, scans::member};
use crate::domain::{decision::Decision, message::Channel, profile::TenantId};

/// A decision as it was kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub decision: Decision,
    pub pack_hash: String,
    /// Of the program that decided.
    pub engine_version: String,
    /// It is what was written, to the byte.
    pub intact: bool,
}

/// Which records.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    /// In the order in which they were made, those behind an id.
    Page { after: Option<Uuid>, since: Option<DateTime<Utc>>, most: i64 },
    /// So many from anywhere, the same ones each time.
    Sample(i64),
}

/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn records(tx: &mut ServiceTx, which: Which) -> Result<Vec<Record>, StoreError> {
    let (after, since, most, sampled) = match which {
        Which::Page { after, since, most } => (after, since, most, false),
        Which::Sample(most) => (None, None, most, true),
    };
    let rows = sqlx::query!(
        r#"SELECT d.decision_id, d.tenant_id, d.opportunity_id, d.verdict, d.reason, d.signal_type, d.score, d.net_profit, d.flags, d.facts,
            d.pack_hash, scan.engine_version, decision_digest(d) = d.digest AS "intact!"
        FROM decisions AS d JOIN scans AS scan USING (scan_id)
        WHERE ($1::uuid IS NULL OR d.decision_id > $1) AND ($2::timestamptz IS NULL OR d.created_at >= $2)
            AND (NOT $4 OR d.decision_id IN (SELECT decision_id FROM decisions ORDER BY md5(decision_id::text) LIMIT $3))
        ORDER BY d.decision_id LIMIT $3"#,
        after,
        since,
        most,
        sampled,
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            let decision = Decision {
                decision_id: row.decision_id,
                tenant: TenantId(row.tenant_id),
                opportunity_id: row.opportunity_id,
                outcome: member(&row.verdict)?,
                reason: row.reason,
                signal_type: row.signal_type,
                score: row.score,
                net_profit: row.net_profit,
                flags: row.flags,
                facts: row.facts,
            };
            Ok(Record { decision, pack_hash: row.pack_hash, engine_version: row.engine_version, intact: row.intact })
        })
        .collect()
}

/// A pack's files, text by path.
///
/// # Errors
/// The database refuses or is gone.
pub async fn pack(tx: &mut ServiceTx, hash: &str) -> Result<Option<Json>, StoreError> {
    Ok(sqlx::query_scalar!("SELECT files FROM rule_packs WHERE hash = $1", hash).fetch_optional(tx.db()).await?)
}

/// Signals whose audit is not what was written, and how many audits there are.
///
/// # Errors
/// The database refuses or is gone.
pub async fn damaged_audits(tx: &mut ServiceTx, since: Option<DateTime<Utc>>) -> Result<(Vec<Uuid>, i64), StoreError> {
    let row = sqlx::query!(
        r#"SELECT coalesce(array_agg(signal_id ORDER BY signal_id) FILTER (WHERE signal_audit_digest(a) <> a.digest), '{}') AS "damaged!",
            count(*) AS "all!"
        FROM signal_audit AS a WHERE $1::timestamptz IS NULL OR created_at >= $1"#,
        since
    )
    .fetch_one(tx.db())
    .await?;
    Ok((row.damaged, row.all))
}

/// A signal's own row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SignalRow {
    pub signal_id: Uuid,
    pub short_id: Option<String>,
    /// A pseudonym where the person was erased.
    pub tenant_id: Uuid,
    pub card_id: String,
    pub kind: String,
    pub state: String,
    pub opportunity_id: Option<Uuid>,
    pub decision_id: Option<Uuid>,
    pub hand_overs: i32,
    pub created_at: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    pub end_reason: Option<String>,
    /// Its audit is what was written; nothing where it has none.
    pub audit_intact: Option<bool>,
}

/// Signals by an id, whole or short. Tenants may have the same short one.
///
/// # Errors
/// The database refuses or is gone.
pub async fn signals(tx: &mut ServiceTx, id: Option<Uuid>, short_id: &str) -> Result<Vec<SignalRow>, StoreError> {
    Ok(sqlx::query_as!(
        SignalRow,
        "SELECT s.id AS signal_id, short_id, s.tenant_id, card_id, kind, state, opportunity_id, decision_id, cascade_count AS hand_overs,
            s.created_at, delivered_at, expires_at, ended_at, end_reason,
            (SELECT bool_and(signal_audit_digest(a) = a.digest) FROM signal_audit AS a WHERE a.signal_id = s.id) AS audit_intact
        FROM signals AS s WHERE s.id = $1 OR ($1::uuid IS NULL AND short_id = $2) ORDER BY s.created_at LIMIT 20",
        id,
        short_id,
    )
    .fetch_all(tx.db())
    .await?)
}

/// Everybody's turn with an opportunity, in order.
///
/// # Errors
/// The database refuses or is gone.
pub async fn holders(tx: &mut ServiceTx, opportunity: Uuid) -> Result<Vec<SignalRow>, StoreError> {
    Ok(sqlx::query_as!(
        SignalRow,
        "SELECT s.id AS signal_id, short_id, s.tenant_id, card_id, kind, state, opportunity_id, decision_id, cascade_count AS hand_overs,
            s.created_at, delivered_at, expires_at, ended_at, end_reason,
            (SELECT bool_and(signal_audit_digest(a) = a.digest) FROM signal_audit AS a WHERE a.signal_id = s.id) AS audit_intact
        FROM signals AS s WHERE opportunity_id = $1 ORDER BY s.created_at, s.id",
        opportunity,
    )
    .fetch_all(tx.db())
    .await?)
}

/// One answer of the chain that a tenant got to an opportunity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    pub decision_id: Uuid,
    pub decided_at: DateTime<Utc>,
    /// Whether a scan, a review or a hand-over decided.
    pub by: String,
    pub verdict: String,
    pub reason: Option<String>,
    pub net_profit: Option<Decimal>,
    pub buy_price: Decimal,
    pub sell_price: Decimal,
    pub pack_hash: String,
    pub customs_regime: Option<String>,
    pub engine_version: String,
    pub intact: bool,
}

/// All that was decided for a tenant about an opportunity, in order.
///
/// # Errors
/// The database refuses or is gone.
pub async fn chain(tx: &mut ServiceTx, opportunity: Uuid, tenant: Uuid) -> Result<Vec<Step>, StoreError> {
    Ok(sqlx::query_as!(
        Step,
        r#"SELECT d.decision_id, d.created_at AS decided_at, scan.kind AS by, verdict, reason, net_profit, buy_price, sell_price, d.pack_hash,
            scan.customs_regime, scan.engine_version, decision_digest(d) = d.digest AS "intact!"
        FROM decisions AS d JOIN scans AS scan USING (scan_id)
        WHERE opportunity_id = $1 AND tenant_id = $2 ORDER BY d.created_at, d.decision_id"#,
        opportunity,
        tenant,
    )
    .fetch_all(tx.db())
    .await?)
}

/// A message that told of a signal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sent {
    pub delivery_id: Uuid,
    pub channel: Channel,
    /// 0 is the first message, each later step changed it.
    pub step: i32,
    pub state: String,
    pub created_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    pub attempts: i32,
    pub doubts: i32,
    pub fault: Option<String>,
    pub message: Json,
}

/// What was sent of a signal, in order.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn sent(tx: &mut ServiceTx, signal: Uuid) -> Result<Vec<Sent>, StoreError> {
    let rows = sqlx::query!(
        "SELECT id, channel, step, state, created_at, settled_at, attempts, doubts, fault, message FROM outbox
        WHERE signal_id = $1 OR with_signals @> ARRAY[$1] ORDER BY created_at, channel, step",
        signal
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Sent {
                delivery_id: row.id,
                channel: member(&row.channel)?,
                step: row.step,
                state: row.state,
                created_at: row.created_at,
                settled_at: row.settled_at,
                attempts: row.attempts,
                doubts: row.doubts,
                fault: row.fault,
                message: row.message,
            })
        })
        .collect()
}
