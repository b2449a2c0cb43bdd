//! Signals: who may have an opportunity, who has it, and what was decided for that.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{ServiceTx, StoreError, TenantTx, scans::member};
use crate::domain::{
    card::CardId,
    decision::{Decision, Opportunity},
    message::short_id,
    money::Currency,
    profile::TenantId,
    signal::{SignalKind, SignalState},
};

/// A tenant for which an opportunity is a signal by the last decision, and that never had it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    pub opportunity_id: Uuid,
    pub card_id: CardId,
    pub tenant: TenantId,
    pub decision_id: Uuid,
    pub decided_at: DateTime<Utc>,
    pub signal_type: Option<String>,
    pub seller_id: Option<String>,
}

/// A candidate as the database has it.
struct CandidateRow {
    opportunity_id: Uuid,
    card_id: String,
    seller_id: Option<String>,
    tenant_id: Uuid,
    decision_id: Uuid,
    created_at: DateTime<Utc>,
    signal_type: Option<String>,
}

impl TryFrom<CandidateRow> for Candidate {
    type Error = StoreError;

    fn try_from(row: CandidateRow) -> Result<Self, StoreError> {
        Ok(Self {
            opportunity_id: row.opportunity_id,
            card_id: card(&row.card_id)?,
            tenant: TenantId(row.tenant_id),
            decision_id: row.decision_id,
            decided_at: row.created_at,
            signal_type: row.signal_type,
            seller_id: row.seller_id,
        })
    }
}

/// Everybody who may have one of these opportunities. Cards that the tenant, or enough others, called wrong are left out.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn candidates(tx: &mut ServiceTx, opportunities: &[Uuid]) -> Result<Vec<Candidate>, StoreError> {
    let rows = sqlx::query_as!(
        CandidateRow,
        r#"SELECT d.opportunity_id, o.card_id, o.seller_id, d.tenant_id, d.decision_id, d.created_at, d.signal_type
        FROM decisions AS d JOIN opportunities AS o USING (opportunity_id)
        WHERE d.opportunity_id = ANY($1) AND o.state = 'live' AND d.verdict = 'signal'
            AND NOT EXISTS (SELECT FROM decisions AS later WHERE later.follows = d.decision_id)
            AND NOT EXISTS (SELECT FROM signals AS s WHERE s.opportunity_id = d.opportunity_id AND s.tenant_id = d.tenant_id)
            AND NOT EXISTS (SELECT FROM wrong_cards AS w WHERE w.tenant_id = d.tenant_id AND w.card_id = o.card_id)
            AND NOT EXISTS (SELECT FROM hidden_cards AS h WHERE h.card_id = o.card_id)
        ORDER BY d.opportunity_id, d.tenant_id"#,
        opportunities
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter().map(Candidate::try_from).collect()
}

/// A signal to be.
#[derive(Debug, Clone, Copy)]
pub struct NewSignal<'a> {
    pub id: Uuid,
    pub kind: SignalKind,
    pub opportunity: &'a Opportunity,
    pub decision: &'a Decision,
    /// How often the opportunity went on before.
    pub hand_overs: u32,
    pub window: TimeDelta,
    /// What the decision rests on, for the audit.
    pub record: &'a Record,
}

/// What is kept of a decision for good, beside the decision itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub prices: Json,
    pub fees: Json,
    pub snapshot: Json,
}

/// Adds a signal with its audit. The caller commits them with what is told of it.
///
/// # Errors
/// Somebody else holds the opportunity or the tenant had it before; or the database is gone.
pub async fn insert(tx: &mut ServiceTx, new: &NewSignal<'_>, now: DateTime<Utc>) -> Result<(), StoreError> {
    let NewSignal { opportunity, decision, .. } = new;
    let Figures { price_eur, price_usd, velocity, headache, maturity, margin, words } = Figures::of(opportunity, decision);
    let state = if new.kind == SignalKind::Exclusive { SignalState::Sending } else { SignalState::Listed };
    sqlx::query!(
        "INSERT INTO signals (id, tenant_id, card_id, card_name, signal_type, price_eur, price_usd, net_profit, margin_pct, velocity_score,
            velocity_tier, headache_score, headache_tier, maturity_multiplier, condition, regulation_mark, trend_classification, bundle_tier,
            cascade_count, opportunity_id, decision_id, kind, state, short_id, window_seconds, told_net_profit, created_at)
        VALUES ($1, $2, $3, $4, coalesce($5, 'arbitrage'), $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
            $23, $24, $25, $8, $26)",
        new.id,
        decision.tenant.0,
        opportunity.card_id.as_str(),
        opportunity.card_name,
        decision.signal_type.as_deref(),
        price_eur,
        price_usd,
        decision.net_profit,
        margin,
        velocity,
        words[0],
        headache,
        words[1],
        maturity,
        opportunity.condition.map(crate::domain::condition::Grade::as_str),
        words[2],
        words[3],
        words[4],
        i32::try_from(new.hand_overs).unwrap_or(i32::MAX),
        opportunity.opportunity_id,
        decision.decision_id,
        new.kind.as_str(),
        state.as_str(),
        short_id(new.id),
        i32::try_from(new.window.num_seconds()).unwrap_or(i32::MAX),
        now,
    )
    .execute(tx.db())
    .await?;
    audit(tx, new.id, decision.tenant, new.record, now).await
}

/// Keeps what a signal rests on, once more each time that it is told anew.
///
/// # Errors
/// The database refuses or is gone.
pub async fn audit(tx: &mut ServiceTx, signal_id: Uuid, tenant: TenantId, record: &Record, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO signal_audit (signal_id, tenant_id, source_prices, fee_calc, snapshot_data, calculation_version, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)",
        signal_id,
        tenant.0,
        record.prices,
        record.fees,
        record.snapshot,
        env!("CARGO_PKG_VERSION"),
        now,
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// The guide's columns, as far as the pack has such facts.
struct Figures {
    price_eur: Option<Decimal>,
    price_usd: Option<Decimal>,
    velocity: Option<Decimal>,
    headache: Option<Decimal>,
    maturity: Option<Decimal>,
    margin: Option<Decimal>,
    /// Velocity tier, headache tier, regulation mark, trend, bundle tier.
    words: [Option<String>; 5],
}

impl Figures {
    fn of(opportunity: &Opportunity, decision: &Decision) -> Self {
        let word = |name: &str| Some(decision.facts.get(name)?.as_str()?.to_owned());
        // the columns hold less than a formula may come to; what does not fit is in the decision
        let number = |name: &str, below: i64| {
            let value: Decimal = word(name)?.parse().ok()?;
            (value.abs() < Decimal::from(below)).then_some(value)
        };
        let in_currency = |currency| {
            let sides = [(opportunity.buy_market, opportunity.buy_price), (opportunity.sell_market, opportunity.sell_price)];
            sides.into_iter().find(|(market, _)| market.currency() == currency).map(|(_, price)| price)
        };
        Self {
            price_eur: in_currency(Currency::Eur),
            price_usd: in_currency(Currency::Usd),
            velocity: number("velocity_score", 1_000_000_000_000),
            headache: number("headache", 100_000_000),
            maturity: number("maturity", 1_000_000_000_000),
            margin: number("margin_pct", 1_000_000_000_000),
            words: ["velocity_tier", "headache_tier", "regulation_mark", "trend_class", "bundle_tier"].map(word),
        }
    }
}

/// A live signal of which something has changed since it was told.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    pub signal_id: Uuid,
    pub tenant: TenantId,
    pub opportunity_id: Uuid,
    pub state: SignalState,
    pub expires_at: Option<DateTime<Utc>>,
    /// The net profit that was last told aloud.
    pub told: Option<Decimal>,
    /// The decision that it was told by, and the one that holds now.
    pub was: Uuid,
    pub now: Uuid,
    /// Why it is no signal any more.
    pub dead: Option<String>,
}

/// Live signals whose opportunity, tenant or decision is not what it was.
///
/// # Errors
/// The database refuses or is gone.
pub async fn moved(tx: &mut ServiceTx, most: i64) -> Result<Vec<Moved>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT s.id, s.tenant_id, s.opportunity_id AS "opportunity_id!", s.state, s.expires_at, s.told_net_profit, s.decision_id AS "was!",
            last.decision_id AS "now!",
            CASE WHEN o.state <> 'live' THEN coalesce(o.state_reason, 'ROUTE_GONE') WHEN NOT u.is_active THEN 'TENANT_INACTIVE'
                WHEN last.verdict <> 'signal' THEN coalesce(last.reason, 'ROUTE_GONE') WHEN h.card_id IS NOT NULL THEN 'WRONG_CARD'
                END AS dead
        FROM signals AS s JOIN opportunities AS o USING (opportunity_id) JOIN users AS u ON u.id = s.tenant_id
            JOIN LATERAL (SELECT decision_id, verdict, reason FROM decisions AS d
                WHERE d.opportunity_id = s.opportunity_id AND d.tenant_id = s.tenant_id
                    AND NOT EXISTS (SELECT FROM decisions AS later WHERE later.follows = d.decision_id) LIMIT 1) AS last ON true
            LEFT JOIN hidden_cards AS h ON h.card_id = o.card_id
        WHERE s.kind = 'exclusive' AND s.state IN ('sending', 'held')
            AND (o.state <> 'live' OR NOT u.is_active OR last.decision_id <> s.decision_id OR h.card_id IS NOT NULL)
        ORDER BY s.created_at, s.id LIMIT $1"#,
        most
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Moved {
                signal_id: row.id,
                tenant: TenantId(row.tenant_id),
                opportunity_id: row.opportunity_id,
                state: member(&row.state)?,
                expires_at: row.expires_at,
                told: row.told_net_profit,
                was: row.was,
                now: row.now,
                dead: row.dead,
            })
        })
        .collect()
}

/// Whether two decisions would tell a tenant the same.
///
/// # Errors
/// The database refuses or is gone.
pub async fn say_the_same(tx: &mut ServiceTx, was: Uuid, now: Uuid) -> Result<bool, StoreError> {
    let same = sqlx::query_scalar!(
        r#"SELECT (was.verdict, was.reason, was.signal_type, was.score, was.net_profit, was.flags, was.buy_price, was.sell_price)
            IS NOT DISTINCT FROM (now.verdict, now.reason, now.signal_type, now.score, now.net_profit, now.flags, now.buy_price, now.sell_price)
            AS "same!"
        FROM decisions AS was, decisions AS now WHERE was.decision_id = $1 AND now.decision_id = $2"#,
        was,
        now
    );
    Ok(same.fetch_one(tx.db()).await?)
}

/// Moves a live signal on to the decision that holds now; `told` is the net profit that is told aloud with it. False where
/// somebody moved it first.
///
/// # Errors
/// The database refuses or is gone.
pub async fn follow(tx: &mut ServiceTx, moved: &Moved, net_profit: Option<Decimal>, told: Option<Decimal>) -> Result<bool, StoreError> {
    let followed = sqlx::query!(
        "UPDATE signals SET decision_id = $3, net_profit = $4, told_net_profit = $5
        WHERE id = $1 AND decision_id = $2 AND state IN ('sending', 'held')",
        moved.signal_id,
        moved.was,
        moved.now,
        net_profit,
        told,
    )
    .execute(tx.db())
    .await?;
    Ok(followed.rows_affected() == 1)
}

/// Opportunities that a list may tell a tenant of: on offer, nobody's, a signal for it by the last decision, never told it,
/// and first offered between two moments. The best by score first, or the widest by spread.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn listable(
    tx: &mut ServiceTx,
    tenant: TenantId,
    (from, until): (DateTime<Utc>, DateTime<Utc>),
    by_spread: bool,
) -> Result<Vec<Candidate>, StoreError> {
    let rows = sqlx::query_as!(
        CandidateRow,
        r#"SELECT d.opportunity_id, o.card_id, o.seller_id, d.tenant_id, d.decision_id, d.created_at, d.signal_type
        FROM decisions AS d JOIN opportunities AS o USING (opportunity_id) JOIN routings AS r USING (opportunity_id)
        WHERE d.tenant_id = $1 AND d.verdict = 'signal' AND o.state = 'live' AND r.state = 'released' AND o.created_at BETWEEN $2 AND $3
            AND NOT EXISTS (SELECT FROM decisions AS later WHERE later.follows = d.decision_id)
            AND NOT EXISTS (SELECT FROM signals AS s WHERE s.opportunity_id = d.opportunity_id AND s.tenant_id = d.tenant_id)
            AND NOT EXISTS (SELECT FROM wrong_cards AS w WHERE w.tenant_id = d.tenant_id AND w.card_id = o.card_id)
            AND NOT EXISTS (SELECT FROM hidden_cards AS h WHERE h.card_id = o.card_id)
        ORDER BY CASE WHEN $4 THEN (d.facts->>'spread')::numeric END DESC NULLS LAST, d.score DESC NULLS LAST, d.net_profit DESC NULLS LAST, o.card_id, d.opportunity_id"#,
        tenant.0,
        from,
        until,
        by_spread
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter().map(Candidate::try_from).collect()
}

/// A signal as its tenant may see it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Line {
    pub short_id: String,
    pub decision_id: Uuid,
    pub card_id: String,
    pub card_name: Option<String>,
    pub state: SignalState,
    pub net_profit: Option<Decimal>,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// The last signals of the transaction's tenant, the newest first.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn own(tx: &mut TenantTx, most: i64) -> Result<Vec<Line>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT short_id AS "short_id!", decision_id AS "decision_id!", card_id, card_name, state, net_profit, expires_at, created_at
        FROM signals WHERE opportunity_id IS NOT NULL ORDER BY created_at DESC, id LIMIT $1"#,
        most
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Line {
                short_id: row.short_id,
                decision_id: row.decision_id,
                card_id: row.card_id,
                card_name: row.card_name,
                state: member(&row.state)?,
                net_profit: row.net_profit,
                expires_at: row.expires_at,
                created_at: row.created_at,
            })
        })
        .collect()
}

/// A signal of the transaction's tenant by its short id. `None` where it has none of that id.
///
/// # Errors
/// The database refuses or is gone.
pub async fn own_decision(tx: &mut TenantTx, short_id: &str) -> Result<Option<Uuid>, StoreError> {
    let found = sqlx::query_scalar!(
        r#"SELECT decision_id AS "decision_id!" FROM signals WHERE short_id = $1 AND decision_id IS NOT NULL ORDER BY created_at DESC LIMIT 1"#,
        short_id
    );
    Ok(found.fetch_optional(tx.db()).await?)
}

fn card(id: &str) -> Result<CardId, StoreError> {
    CardId::new(id).map_err(|fault| StoreError::BadRow { table: "opportunities", fault: fault.to_string() })
}
