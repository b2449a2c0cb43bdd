//! Scans and what they decided. Rows are added and never changed; what is on offer moves on in its own file.

use std::{fmt::Display, str::FromStr};

use serde_json::Value as Json;
use uuid::Uuid;

use super::{ServiceTx, StoreError, opportunities};
use crate::domain::{
    card::{CardId, Finish},
    decision::{Change, Decision, Opportunity, ReasonCount, Scan, StoredDecision},
    profile::TenantId,
};

/// Keeps a rule pack whole under its hash; a known hash is left alone.
///
/// # Errors
/// The database refuses or is gone.
pub async fn keep_pack(tx: &mut ServiceTx, hash: &str, files: &Json, now: chrono::DateTime<chrono::Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO rule_packs (hash, files, engine_version, first_live_at) VALUES ($1, $2, $3, $4) ON CONFLICT (hash) DO NOTHING",
        hash,
        files,
        env!("CARGO_PKG_VERSION"),
        now,
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// What a scan wants to be kept.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rows<'a> {
    /// The new ones.
    pub opportunities: &'a [Opportunity],
    pub decisions: &'a [Decision],
    /// Of what is on offer, or is from now on.
    pub changes: &'a [Change],
    /// On offer, and found to hold as it stood.
    pub kept: &'a [Uuid],
    pub reasons: &'a [ReasonCount],
}

/// Writes a scan with its new opportunities, its decisions and counts. The pack must be kept already. Each decision
/// follows the last one about the same opportunity for the same tenant, and is about the prices that stand there.
///
/// # Errors
/// The database refuses or is gone.
pub async fn record(tx: &mut ServiceTx, scan: &Scan, rows: &Rows<'_>) -> Result<(), StoreError> {
    let reasons = rows.reasons;
    sqlx::query!(
        "INSERT INTO scans (scan_id, as_of, started_at, finished_at, pack_hash, shift, summary, kind, customs_regime, engine_version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        scan.scan_id,
        scan.as_of,
        scan.started_at,
        scan.finished_at,
        scan.pack_hash,
        scan.shift.as_deref(),
        scan.summary,
        scan.kind.as_str(),
        scan.customs_regime.as_deref(),
        env!("CARGO_PKG_VERSION"),
    )
    .execute(tx.db())
    .await?;
    write_opportunities(tx, scan, rows.opportunities).await?;
    opportunities::settle(tx, scan, rows.changes, rows.kept).await?;
    write_decisions(tx, scan, rows.decisions).await?;
    sqlx::query!(
        "INSERT INTO scan_reasons (scan_id, tenant_id, direction, reason, count)
        SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[])",
        scan.scan_id,
        &reasons.iter().map(|row| row.tenant.0).collect::<Vec<_>>(),
        &reasons.iter().map(|row| row.direction.as_str().to_owned()).collect::<Vec<_>>(),
        &reasons.iter().map(|row| row.reason.clone()).collect::<Vec<_>>(),
        &reasons.iter().map(|row| row.count).collect::<Vec<_>>(),
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

async fn write_opportunities(tx: &mut ServiceTx, scan: &Scan, rows: &[Opportunity]) -> Result<(), StoreError> {
    let text = |of: fn(&Opportunity) -> &str| rows.iter().map(|row| of(row).to_owned()).collect::<Vec<_>>();
    sqlx::query!(
        "INSERT INTO opportunities (scan_id, created_at, opportunity_id, card_id, card_name, printing, edition, language, direction, buy_market,
            sell_market, buy_price, sell_price, buy_source, sell_source, buy_observed_at, sell_observed_at, seller_id, condition, route, route_key)
        SELECT $1, $2, * FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
            $12::numeric[], $13::numeric[], $14::text[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::text[], $19::text[], $20::jsonb[], $21::text[])",
        scan.scan_id,
        scan.finished_at,
        &rows.iter().map(|row| row.opportunity_id).collect::<Vec<_>>(),
        &text(|row| row.card_id.as_str()),
        &text(|row| &row.card_name),
        &text(|row| row.finish.printing.as_str()),
        &text(|row| row.finish.edition.as_str()),
        &text(|row| row.finish.language.as_str()),
        &text(|row| row.direction.as_str()),
        &text(|row| row.buy_market.as_str()),
        &text(|row| row.sell_market.as_str()),
        &rows.iter().map(|row| row.buy_price).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.sell_price).collect::<Vec<_>>(),
        &text(|row| &row.buy_source),
        &text(|row| &row.sell_source),
        &rows.iter().map(|row| row.buy_observed_at).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.sell_observed_at).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.seller_id.clone()).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.condition.map(|grade| grade.as_str().to_owned())).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.route.clone()).collect::<Vec<_>>(),
        &text(|row| &row.route_key),
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

async fn write_decisions(tx: &mut ServiceTx, scan: &Scan, rows: &[Decision]) -> Result<(), StoreError> {
    // flags travel as JSON lists: PostgreSQL's unnest would flatten a list of lists
    sqlx::query!(
        "INSERT INTO decisions (scan_id, pack_hash, created_at, decision_id, tenant_id, opportunity_id, verdict, reason, signal_type, score,
            net_profit, flags, facts, buy_price, sell_price, buy_observed_at, sell_observed_at, follows)
        SELECT $1, $2, $3, made.decision_id, made.tenant_id, opportunity_id, made.verdict, made.reason, made.signal_type, made.score,
            made.net_profit, ARRAY(SELECT jsonb_array_elements_text(made.flags)), made.facts, buy_price, sell_price, buy_observed_at,
            sell_observed_at,
            (SELECT decision_id FROM decisions AS last WHERE last.opportunity_id = made.opportunity_id AND last.tenant_id = made.tenant_id
                AND NOT EXISTS (SELECT FROM decisions AS later WHERE later.follows = last.decision_id) LIMIT 1)
        FROM unnest($4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::numeric[], $11::numeric[], $12::jsonb[],
            $13::jsonb[]) AS made (decision_id, tenant_id, opportunity_id, verdict, reason, signal_type, score, net_profit, flags, facts)
            JOIN opportunities USING (opportunity_id)",
        scan.scan_id,
        scan.pack_hash,
        scan.finished_at,
        &rows.iter().map(|row| row.decision_id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.tenant.0).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.opportunity_id).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.outcome.as_str().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.reason.clone()).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.signal_type.clone()).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.score).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| row.net_profit).collect::<Vec<_>>() as _,
        &rows.iter().map(|row| serde_json::json!(row.flags)).collect::<Vec<_>>(),
        &rows.iter().map(|row| row.facts.clone()).collect::<Vec<_>>(),
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// A decision with the pack and facts that it was made of.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn decision(tx: &mut ServiceTx, id: Uuid) -> Result<Option<StoredDecision>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT decision_id, tenant_id, decision.scan_id, verdict, reason, signal_type, score, net_profit, flags, facts,
            decision.created_at AS decided_at, opportunity_id, card_id, card_name, printing, edition, language, direction, buy_market,
            sell_market, decision.buy_price, decision.sell_price, buy_source, sell_source, decision.buy_observed_at,
            decision.sell_observed_at, seller_id, condition, route, route_key, as_of, shift, pack.hash, files, scan.engine_version
        FROM decisions AS decision
        JOIN opportunities AS opportunity USING (opportunity_id)
        JOIN scans AS scan ON scan.scan_id = decision.scan_id
        JOIN rule_packs AS pack ON pack.hash = decision.pack_hash
        WHERE decision_id = $1"#,
        id
    )
    .fetch_optional(tx.db())
    .await?;
    let Some(row) = row else { return Ok(None) };
    let opportunity = Opportunity {
        opportunity_id: row.opportunity_id,
        card_id: CardId::new(&row.card_id).map_err(bad)?,
        card_name: row.card_name.unwrap_or_default(),
        finish: Finish { printing: member(&row.printing)?, edition: member(&row.edition)?, language: member(&row.language)? },
        direction: member(&row.direction)?,
        buy_market: member(&row.buy_market)?,
        sell_market: member(&row.sell_market)?,
        buy_price: row.buy_price,
        sell_price: row.sell_price,
        buy_source: row.buy_source,
        sell_source: row.sell_source,
        buy_observed_at: row.buy_observed_at,
        sell_observed_at: row.sell_observed_at,
        seller_id: row.seller_id,
        condition: row.condition.as_deref().map(member).transpose()?,
        route: row.route,
        route_key: row.route_key.unwrap_or_default(),
    };
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
    Ok(Some(StoredDecision {
        decision,
        opportunity,
        scan_id: row.scan_id,
        decided_at: row.decided_at,
        as_of: row.as_of,
        shift: row.shift,
        pack_hash: row.hash,
        pack_files: row.files,
        engine_version: row.engine_version,
    }))
}

pub(super) fn member<T: FromStr<Err: Display>>(text: &str) -> Result<T, StoreError> {
    text.parse().map_err(bad)
}

fn bad(error: impl Display) -> StoreError {
    StoreError::BadRow { table: "decisions", fault: error.to_string() }
}
