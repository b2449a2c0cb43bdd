//! Cards whose page somebody wants to see. What is newly on offer of such a card may have to wait for it.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::{ServiceTx, StoreError};
use crate::domain::card::CardId;

/// A price that is older is looked at before anybody is told of a deal with it.
const STALE: TimeDelta = TimeDelta::hours(4);
/// So long a deal waits for that look, not longer.
const HOLD: TimeDelta = TimeDelta::minutes(10);
/// A wish that was not fulfilled by then never is.
const LASTS: TimeDelta = TimeDelta::hours(4);
/// One event wishes no more cards.
const MOST: i64 = 20;

/// Wishes for the cards of what is newly on offer at a stale price of Cardmarket's, those that bring most. In the
/// transaction that offers them, so that nobody is told before. Nothing where nobody is there to load pages.
///
/// # Errors
/// The database refuses or is gone.
pub async fn about_stale(tx: &mut ServiceTx, scan: Uuid, offered: &[Uuid], now: DateTime<Utc>) -> Result<u64, StoreError> {
    let wished = sqlx::query!(
        "INSERT INTO scrape_wishes (card_id, event, expected, wished_at, hold_until, expires_at)
        SELECT card_id, 'stale:' || $1::uuid, max(d.net_profit), $3, $4, $5
        FROM opportunities AS o JOIN decisions AS d USING (opportunity_id)
        WHERE o.opportunity_id = ANY($2) AND state = 'live' AND verdict = 'signal' AND buy_market = 'cardmarket' AND o.buy_observed_at < $6
            AND EXISTS (SELECT FROM scrape_pace WHERE awake_until > $3)
            AND NOT EXISTS (SELECT FROM scrape_pages AS page WHERE page.card_id = o.card_id AND page.loaded_at > $6)
            AND NOT EXISTS (SELECT FROM scrape_wishes AS wish WHERE wish.card_id = o.card_id AND wish.done_at IS NULL)
        GROUP BY card_id ORDER BY max(d.net_profit) DESC NULLS LAST, card_id LIMIT $7
        ON CONFLICT (card_id, event) WHERE done_at IS NULL DO NOTHING",
        scan,
        offered,
        now,
        now + HOLD,
        now + LASTS,
        now - STALE,
        MOST
    )
    .execute(tx.db())
    .await?;
    Ok(wished.rows_affected())
}

/// Which cards of an event are wished for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    All,
    /// Those that are, or nearly were, a deal for somebody.
    Promising,
}

/// Wishes for cards that an event is about, those first that are expected to bring most. A page of the last hours is good
/// enough. How many wishes there are of it now.
///
/// # Errors
/// The database refuses or is gone.
pub async fn ask(tx: &mut ServiceTx, event: &str, cards: &[CardId], which: Which, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let cards: Vec<&str> = cards.iter().map(CardId::as_str).collect();
    let wished = sqlx::query!(
        "INSERT INTO scrape_wishes (card_id, event, expected, wished_at, expires_at)
        SELECT card_id, $1, expected, $3, $4
        FROM unnest($2::text[]) WITH ORDINALITY AS asked (card_id, place)
        CROSS JOIN LATERAL (
            SELECT max(d.net_profit) AS expected FROM opportunities AS o JOIN decisions AS d USING (opportunity_id)
            WHERE o.card_id = asked.card_id AND d.verdict <> 'rejected' AND d.created_at > $5
        ) AS lately
        WHERE ($6 OR expected IS NOT NULL)
            AND NOT EXISTS (SELECT FROM scrape_pages AS page WHERE page.card_id = asked.card_id AND page.loaded_at > $7)
        ORDER BY expected DESC NULLS LAST, place LIMIT $8
        ON CONFLICT (card_id, event) WHERE done_at IS NULL DO UPDATE SET expires_at = excluded.expires_at, expected = excluded.expected",
        event,
        &cards as _,
        now,
        now + LASTS,
        now - TimeDelta::days(1),
        which == Which::All,
        now - STALE,
        MOST
    )
    .execute(tx.db())
    .await?;
    Ok(wished.rows_affected())
}

/// A page of the card was loaded: nobody wishes for it any more, and nothing waits for it.
///
/// # Errors
/// The database refuses or is gone.
pub async fn fulfil(tx: &mut ServiceTx, card: &CardId, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!("UPDATE scrape_wishes SET done_at = $2 WHERE card_id = $1 AND done_at IS NULL", card.as_str(), now)
        .execute(tx.db())
        .await?;
    sqlx::query!(
        "UPDATE routings SET due_at = $2 WHERE state = 'open' AND hand_overs = 0 AND due_at > $2
            AND opportunity_id IN (SELECT opportunity_id FROM opportunities WHERE card_id = $1)",
        card.as_str(),
        now
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// No page will come for a while: what waits for one goes on its way.
///
/// # Errors
/// The database refuses or is gone.
pub async fn wait_no_more(tx: &mut ServiceTx, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE routings SET due_at = $1 WHERE state = 'open' AND hand_overs = 0 AND due_at > $1 AND opportunity_id IN (
            SELECT opportunity_id FROM opportunities JOIN scrape_wishes USING (card_id) WHERE done_at IS NULL AND hold_until > $1)",
        now
    )
    .execute(tx.db())
    .await?;
    sqlx::query!("UPDATE scrape_wishes SET hold_until = NULL WHERE done_at IS NULL AND hold_until > $1", now).execute(tx.db()).await?;
    Ok(())
}
