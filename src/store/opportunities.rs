//! What is on offer: one row a route, with who gets it, and the audit of every change.

use std::collections::HashMap;

use uuid::Uuid;

use super::{ServiceTx, StoreError, scans::member};
use crate::domain::{
    card::{CardId, Finish},
    decision::{Change, Decision, Opportunity, Outcome, Scan, Standing},
    profile::TenantId,
};

/// Whoever changes what is on offer takes turns with all others, until the end of the transaction.
///
/// # Errors
/// The database refuses or is gone.
pub async fn take_turn(tx: &mut ServiceTx) -> Result<(), StoreError> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('public.opportunities'))").fetch_one(tx.db()).await?;
    Ok(())
}

/// Which of what is on offer, and whose decisions about it. Their facts come along only if asked for: they are most of the
/// weight.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// All, if not given.
    pub ids: Option<&'a [Uuid]>,
    /// Of all cards, if not given.
    pub cards: Option<&'a [String]>,
    /// Everybody's, if not given.
    pub tenant: Option<TenantId>,
    pub with_facts: bool,
}

/// What is on offer, with the decisions of those that get it.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn standing(tx: &mut ServiceTx, wanted: Wanted<'_>) -> Result<Vec<Standing>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT opportunity_id, card_id, card_name, printing, edition, language, direction, buy_market, sell_market, buy_price, sell_price,
            buy_source, sell_source, buy_observed_at, sell_observed_at, seller_id, condition, route, route_key AS "route_key!",
            confirmed_pack AS "confirmed_pack!", confirmed_regime
        FROM opportunities WHERE state = 'live' AND ($1::uuid[] IS NULL OR opportunity_id = ANY($1))
            AND ($2::text[] IS NULL OR card_id = ANY($2))
        ORDER BY opportunity_id"#,
        wanted.ids as _,
        wanted.cards as _,
    )
    .fetch_all(tx.db())
    .await?;
    let mut held = held(tx, wanted).await?;
    rows.into_iter()
        .map(|row| {
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
                route_key: row.route_key,
            };
            let held = held.remove(&opportunity.opportunity_id).unwrap_or_default();
            Ok(Standing { opportunity, pack_hash: row.confirmed_pack, customs_regime: row.confirmed_regime, held })
        })
        .collect()
}

/// The last decision of each tenant about what is on offer, where it is a signal.
async fn held(tx: &mut ServiceTx, wanted: Wanted<'_>) -> Result<HashMap<Uuid, Vec<Decision>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT decision_id, tenant_id, opportunity_id, signal_type, score, net_profit, flags,
            CASE WHEN $1 THEN facts ELSE 'null' END AS "facts!"
        FROM decisions AS decision JOIN opportunities AS opportunity USING (opportunity_id)
        WHERE state = 'live' AND verdict = 'signal' AND NOT EXISTS (SELECT FROM decisions AS later WHERE later.follows = decision.decision_id)
            AND ($2::uuid[] IS NULL OR opportunity_id = ANY($2)) AND ($3::uuid IS NULL OR tenant_id = $3)
            AND ($4::text[] IS NULL OR card_id = ANY($4))
        ORDER BY tenant_id"#,
        wanted.with_facts,
        wanted.ids as _,
        wanted.tenant.map(|tenant| tenant.0),
        wanted.cards as _,
    )
    .fetch_all(tx.db())
    .await?;
    let mut held: HashMap<Uuid, Vec<Decision>> = HashMap::new();
    for row in rows {
        held.entry(row.opportunity_id).or_default().push(Decision {
            decision_id: row.decision_id,
            tenant: TenantId(row.tenant_id),
            opportunity_id: row.opportunity_id,
            outcome: Outcome::Signal,
            reason: None,
            signal_type: row.signal_type,
            score: row.score,
            net_profit: row.net_profit,
            flags: row.flags,
            facts: row.facts,
        });
    }
    Ok(held)
}

/// Gives opportunities their new prices and states, and writes the audit. What was withdrawn meanwhile stays so.
///
/// # Errors
/// The database refuses or is gone.
pub async fn settle(tx: &mut ServiceTx, scan: &Scan, changes: &[Change], kept: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE opportunities SET confirmed_pack = $2, confirmed_regime = $3 WHERE opportunity_id = ANY($1) AND state = 'live'",
        kept,
        scan.pack_hash,
        scan.customs_regime,
    )
    .execute(tx.db())
    .await?;
    if changes.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = changes.iter().map(|change| change.opportunity.opportunity_id).collect();
    let kinds: Vec<String> = changes.iter().map(|change| change.kind.as_str().to_owned()).collect();
    let reasons: Vec<Option<String>> = changes.iter().map(|change| change.reason.clone()).collect();
    let buy_prices: Vec<_> = changes.iter().map(|change| change.opportunity.buy_price).collect();
    let sell_prices: Vec<_> = changes.iter().map(|change| change.opportunity.sell_price).collect();
    sqlx::query!(
        "UPDATE opportunities AS o SET buy_price = c.buy_price, sell_price = c.sell_price, buy_observed_at = c.buy_observed_at,
            sell_observed_at = c.sell_observed_at, state = CASE c.kind WHEN 'withdrawn' THEN 'withdrawn' ELSE 'live' END,
            state_reason = c.reason, state_since = CASE c.kind WHEN 'repriced' THEN o.state_since ELSE $3 END,
            confirmed_pack = $1, confirmed_regime = $2
        FROM unnest($4::uuid[], $5::text[], $6::text[], $7::numeric[], $8::numeric[], $9::timestamptz[], $10::timestamptz[])
            AS c (id, kind, reason, buy_price, sell_price, buy_observed_at, sell_observed_at)
        WHERE o.opportunity_id = c.id AND o.state IS DISTINCT FROM 'withdrawn'",
        scan.pack_hash,
        scan.customs_regime.as_deref() as _,
        scan.finished_at,
        &ids,
        &kinds,
        &reasons as _,
        &buy_prices,
        &sell_prices,
        &changes.iter().map(|change| change.opportunity.buy_observed_at).collect::<Vec<_>>(),
        &changes.iter().map(|change| change.opportunity.sell_observed_at).collect::<Vec<_>>(),
    )
    .execute(tx.db())
    .await?;
    let before = || changes.iter().map(|change| change.before.as_ref());
    let count = |tenants: usize| i32::try_from(tenants).unwrap_or(i32::MAX);
    sqlx::query!(
        "INSERT INTO opportunity_changes (scan_id, changed_at, to_pack, to_regime, change_id, opportunity_id, change, reason, from_pack,
            from_regime, from_buy_price, to_buy_price, from_sell_price, to_sell_price, tenants_before, tenants_after)
        SELECT $1, $2, $3, $4, * FROM unnest($5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[], $11::numeric[],
            $12::numeric[], $13::numeric[], $14::numeric[], $15::integer[], $16::integer[])",
        scan.scan_id,
        scan.finished_at,
        scan.pack_hash,
        scan.customs_regime.as_deref() as _,
        &changes.iter().map(|_| Uuid::now_v7()).collect::<Vec<_>>(),
        &ids,
        &kinds,
        &reasons as _,
        &before().map(|before| Some(before?.pack_hash.clone())).collect::<Vec<_>>() as _,
        &before().map(|before| before?.customs_regime.clone()).collect::<Vec<_>>() as _,
        &before().map(|before| Some(before?.buy_price)).collect::<Vec<_>>() as _,
        &buy_prices,
        &before().map(|before| Some(before?.sell_price)).collect::<Vec<_>>() as _,
        &sell_prices,
        &before().map(|before| before.map_or(0, |before| count(before.tenants))).collect::<Vec<_>>(),
        &changes.iter().map(|change| count(change.tenants_after)).collect::<Vec<_>>(),
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

fn bad(error: impl std::fmt::Display) -> StoreError {
    StoreError::BadRow { table: "opportunities", fault: error.to_string() }
}
