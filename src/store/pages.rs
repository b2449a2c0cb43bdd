//! Loads of pages: how often they may be, which is next, and how they ended. A load is written down before it is made.

use chrono::{DateTime, TimeDelta, Utc};

use super::{ServiceTx, StoreError};
use crate::domain::{card::CardId, pace::Pace};

/// Pages that one event may cost.
const MOST_AN_EVENT: i64 = 20;

fn bad(error: impl std::fmt::Display) -> StoreError {
    StoreError::BadRow { table: "scrape_pages", fault: error.to_string() }
}

/// How the loading of pages stands. No other transaction changes it until this one ends.
///
/// # Errors
/// The database refuses or is gone.
pub async fn pace(tx: &mut ServiceTx) -> Result<Pace, StoreError> {
    sqlx::query!("INSERT INTO scrape_pace DEFAULT VALUES ON CONFLICT (only_row) DO NOTHING").execute(tx.db()).await?;
    let row = sqlx::query!("SELECT loads, not_before, challenges FROM scrape_pace FOR UPDATE").fetch_one(tx.db()).await?;
    Ok(Pace { loads: row.loads, not_before: row.not_before, challenges: u32::try_from(row.challenges).map_err(bad)? })
}

/// Keeps it.
///
/// # Errors
/// The database refuses or is gone.
pub async fn save_pace(tx: &mut ServiceTx, pace: &Pace) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE scrape_pace SET loads = $1, not_before = $2, challenges = $3",
        &pace.loads,
        pace.not_before,
        i32::try_from(pace.challenges).map_err(bad)?
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// Until when it is worth waiting for a page; `None` while none will come.
///
/// # Errors
/// The database refuses or is gone.
pub async fn awake(tx: &mut ServiceTx, until: Option<DateTime<Utc>>) -> Result<(), StoreError> {
    sqlx::query!("INSERT INTO scrape_pace (awake_until) VALUES ($1) ON CONFLICT (only_row) DO UPDATE SET awake_until = $1", until)
        .execute(tx.db())
        .await?;
    Ok(())
}

/// A page that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub card: CardId,
    /// Cardmarket's number of it.
    pub product: String,
    pub event: String,
}

/// The page that is expected to bring most, of events that have not cost their pages yet. Wishes for cards of which nobody
/// knows the one product are given up.
///
/// # Errors
/// The database refuses or is gone.
pub async fn next(tx: &mut ServiceTx, now: DateTime<Utc>) -> Result<Option<Wanted>, StoreError> {
    sqlx::query!(
        "UPDATE scrape_wishes AS wish SET done_at = $1 WHERE done_at IS NULL AND (expires_at <= $1
            OR (SELECT count(*) FROM card_products AS pair WHERE pair.card_id = wish.card_id AND pair.market = 'cardmarket') <> 1)",
        now
    )
    .execute(tx.db())
    .await?;
    let row = sqlx::query!(
        r#"SELECT wish.card_id, wish.event, pair.external_id AS product
        FROM scrape_wishes AS wish JOIN card_products AS pair ON pair.card_id = wish.card_id AND pair.market = 'cardmarket'
        WHERE done_at IS NULL AND (SELECT count(*) FROM scrape_pages AS page WHERE page.event = wish.event) < $1
        ORDER BY expected DESC NULLS LAST, wished_at, wish_id LIMIT 1"#,
        MOST_AN_EVENT
    )
    .fetch_optional(tx.db())
    .await?;
    row.map(|row| Ok(Wanted { card: CardId::new(&row.card_id).map_err(bad)?, product: row.product, event: row.event })).transpose()
}

/// The one product of a card on Cardmarket; `None` where there is none, or more than one.
///
/// # Errors
/// The database refuses or is gone.
pub async fn product_of(tx: &mut ServiceTx, card: &CardId) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_scalar!("SELECT external_id FROM card_products WHERE market = 'cardmarket' AND card_id = $1", card.as_str());
    let mut products = found.fetch_all(tx.db()).await?;
    Ok(products.pop().filter(|_| products.is_empty()))
}

/// Writes down that a page is about to be loaded; its number.
///
/// # Errors
/// The database refuses or is gone.
pub async fn begin(tx: &mut ServiceTx, wanted: &Wanted, now: DateTime<Utc>) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar!(
        "INSERT INTO scrape_pages (card_id, event, loaded_at) VALUES ($1, $2, $3) RETURNING page_id",
        wanted.card.as_str(),
        wanted.event,
        now
    )
    .fetch_one(tx.db())
    .await?)
}

/// Writes down how it ended.
///
/// # Errors
/// The database refuses or is gone.
pub async fn end(tx: &mut ServiceTx, page: i64, outcome: &str, offers: usize, now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE scrape_pages SET outcome = $2, offers = $3, ended_at = $4 WHERE page_id = $1",
        page,
        outcome,
        i32::try_from(offers).map_err(bad)?,
        now
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// How many pages of the last day ended in each way.
///
/// # Errors
/// The database refuses or is gone.
pub async fn outcomes(tx: &mut ServiceTx, now: DateTime<Utc>) -> Result<Vec<(String, i64)>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT coalesce(outcome, 'under way') AS "outcome!", count(*) AS "pages!" FROM scrape_pages WHERE loaded_at > $1
        GROUP BY outcome ORDER BY count(*) DESC, outcome"#,
        now - TimeDelta::days(1)
    )
    .fetch_all(tx.db())
    .await?;
    Ok(rows.into_iter().map(|row| (row.outcome, row.pages)).collect())
}
