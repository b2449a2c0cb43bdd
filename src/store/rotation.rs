//! Each tenant's place in the rotation: its priority, what it was given today, and which cards it called wrong.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{ServiceTx, StoreError};
use crate::domain::{card::CardId, plan::Rotation, profile::TenantId};

/// A tenant's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub priority: Decimal,
    /// The day, by the tenant's clock, that `given_today` counts.
    pub given_on: Option<NaiveDate>,
    pub given_today: u32,
    pub last_given_at: Option<DateTime<Utc>>,
    pub batched_at: DateTime<Utc>,
    pub digested_at: DateTime<Utc>,
}

impl Place {
    /// How many signals the tenant was given on a day.
    pub fn given(&self, day: NaiveDate) -> u32 {
        if self.given_on == Some(day) { self.given_today } else { 0 }
    }
}

/// Every active tenant's place; who is new starts where the rules say.
///
/// # Errors
/// The database refuses or is gone.
pub async fn places(tx: &mut ServiceTx, rules: &Rotation, now: DateTime<Utc>) -> Result<HashMap<TenantId, Place>, StoreError> {
    sqlx::query!(
        "INSERT INTO tenant_rotation (tenant_id, priority, batched_at, digested_at) SELECT id, $1, $2, $2 FROM users
        WHERE is_active AND NOT EXISTS (SELECT FROM tenant_rotation WHERE tenant_id = users.id) ON CONFLICT (tenant_id) DO NOTHING",
        rules.start_priority,
        now
    )
    .execute(tx.db())
    .await?;
    let rows = sqlx::query!(
        "SELECT tenant_id, priority, given_on, given_today, last_given_at, batched_at, digested_at FROM tenant_rotation
        JOIN users ON users.id = tenant_id WHERE is_active"
    )
    .fetch_all(tx.db())
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let place = Place {
                priority: row.priority,
                given_on: row.given_on,
                given_today: u32::try_from(row.given_today).unwrap_or_default(),
                last_given_at: row.last_given_at,
                batched_at: row.batched_at,
                digested_at: row.digested_at,
            };
            (TenantId(row.tenant_id), place)
        })
        .collect())
}

/// Counts one more signal of a tenant's day. False where the plan's number of the day is reached: nothing is counted then.
///
/// # Errors
/// The database refuses or is gone.
pub async fn count(
    tx: &mut ServiceTx,
    tenant: TenantId,
    day: NaiveDate,
    most: Option<u32>,
    now: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let counted = sqlx::query!(
        "UPDATE tenant_rotation SET given_today = CASE WHEN given_on = $2 THEN given_today + 1 ELSE 1 END, given_on = $2, last_given_at = $4
        WHERE tenant_id = $1 AND coalesce($3 > CASE WHEN given_on = $2 THEN given_today ELSE 0 END, true)",
        tenant.0,
        day,
        most.map(|most| i32::try_from(most).unwrap_or(i32::MAX)),
        now,
    )
    .execute(tx.db())
    .await?;
    Ok(counted.rows_affected() == 1)
}

/// Moves a tenant's priority.
///
/// # Errors
/// The database refuses or is gone.
pub async fn step(tx: &mut ServiceTx, tenant: TenantId, rules: &Rotation, step: Decimal) -> Result<(), StoreError> {
    let found = sqlx::query_scalar!("SELECT priority FROM tenant_rotation WHERE tenant_id = $1 FOR UPDATE", tenant.0);
    let Some(priority) = found.fetch_optional(tx.db()).await? else { return Ok(()) };
    sqlx::query!("UPDATE tenant_rotation SET priority = $2 WHERE tenant_id = $1", tenant.0, rules.moved(priority, step))
        .execute(tx.db())
        .await?;
    Ok(())
}

/// What a list is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    Batch,
    Digest,
}

/// Takes the making of a tenant's list that was due at a moment. False where another worker made it, or makes it.
///
/// # Errors
/// The database refuses or is gone.
pub async fn take_listing(tx: &mut ServiceTx, tenant: TenantId, listing: Listing, due: DateTime<Utc>) -> Result<bool, StoreError> {
    let taken = match listing {
        Listing::Batch => {
            sqlx::query!("UPDATE tenant_rotation SET batched_at = $2 WHERE tenant_id = $1 AND batched_at < $2", tenant.0, due)
                .execute(tx.db())
                .await?
        }
        Listing::Digest => {
            sqlx::query!("UPDATE tenant_rotation SET digested_at = $2 WHERE tenant_id = $1 AND digested_at < $2", tenant.0, due)
                .execute(tx.db())
                .await?
        }
    };
    Ok(taken.rows_affected() == 1)
}

/// A tenant says that a card is another one: it never gets it again, and nobody does once enough say so.
///
/// # Errors
/// The database refuses or is gone.
pub async fn wrong_card(
    tx: &mut ServiceTx,
    tenant: TenantId,
    card_id: &str,
    signal_id: Uuid,
    rules: &Rotation,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    // two who say so at once must see each other
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('public.wrong_cards'), hashtext($1))", card_id).fetch_one(tx.db()).await?;
    sqlx::query!(
        "INSERT INTO wrong_cards (tenant_id, card_id, signal_id, said_at) VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, card_id) DO NOTHING",
        tenant.0,
        card_id,
        signal_id,
        now
    )
    .execute(tx.db())
    .await?;
    sqlx::query!(
        "INSERT INTO hidden_cards (card_id, said_by, hidden_at)
        SELECT $1, 'tenants', $3 FROM wrong_cards WHERE card_id = $1 HAVING count(*) >= $2 ON CONFLICT (card_id) DO NOTHING",
        card_id,
        rules.wrong_card_tenants,
        now
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// A card that somebody called wrong, or that is hidden.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct WrongCard {
    pub card_id: String,
    pub name: Option<String>,
    /// How many said so.
    pub tenants: i64,
    /// The operator, or enough tenants.
    pub hidden_by: Option<String>,
}

/// Every card that somebody called wrong or that is hidden, the most doubted first.
///
/// # Errors
/// The database refuses or is gone.
pub async fn wrong_cards(tx: &mut ServiceTx) -> Result<Vec<WrongCard>, StoreError> {
    let rows = sqlx::query_as!(
        WrongCard,
        r#"SELECT card_id AS "card_id!", max(name) AS name, count(tenant_id) AS "tenants!", max(said_by) AS hidden_by
        FROM wrong_cards FULL JOIN hidden_cards USING (card_id) LEFT JOIN card_metadata USING (card_id)
        GROUP BY card_id ORDER BY count(tenant_id) DESC, card_id"#
    );
    Ok(rows.fetch_all(tx.db()).await?)
}

/// The operator's word: nobody gets a card any more.
///
/// # Errors
/// The database refuses or is gone.
pub async fn hide_card(tx: &mut ServiceTx, card: &CardId, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO hidden_cards (card_id, said_by, hidden_at) VALUES ($1, 'operator', $2) ON CONFLICT (card_id) DO NOTHING",
        card.as_str(),
        now
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// The operator's word: whatever was said of a card is forgotten.
///
/// # Errors
/// The database refuses or is gone.
pub async fn restore_card(tx: &mut ServiceTx, card: &CardId) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM hidden_cards WHERE card_id = $1", card.as_str()).execute(tx.db()).await?;
    sqlx::query!("DELETE FROM wrong_cards WHERE card_id = $1", card.as_str()).execute(tx.db()).await?;
    Ok(())
}
