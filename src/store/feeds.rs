//! How live feeds stand, which products were asked for when, and which are the next to be asked for.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::Value as Json;

use super::{ServiceTx, StoreError};
use crate::domain::{
    feed::{Feed, Spent},
    market::Market,
};

/// Signals and near misses of the last day are what matters.
const LATELY: TimeDelta = TimeDelta::days(1);

fn bad(_: std::num::TryFromIntError) -> StoreError {
    StoreError::BadRow { table: "feeds", fault: "a count that is too large".into() }
}

fn count(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(bad)
}

/// The feed, which no other transaction changes until this one ends; a new one where there is none.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn load(tx: &mut ServiceTx, source: &str, now: DateTime<Utc>) -> Result<Feed, StoreError> {
    let row = sqlx::query!(
        "SELECT state, run_began, express, run_left, last_run, not_before, failures, last_fault, day, day_used, day_allowed, month, month_used,
            month_allowed, spacing_ms, batch
        FROM feeds WHERE source = $1 FOR UPDATE",
        source,
    )
    .fetch_optional(tx.db())
    .await?;
    let Some(row) = row else { return Ok(Feed::new(source, now)) };
    let spent = |from: NaiveDate, used: i64, allowed: Option<i64>| {
        Ok::<_, StoreError>(Spent { from, used: count(used)?, allowed: allowed.map(count).transpose()? })
    };
    Ok(Feed {
        source: source.to_owned(),
        state: row.state,
        run_began: row.run_began,
        express: row.express,
        run_left: count(row.run_left)?,
        last_run: row.last_run,
        not_before: row.not_before,
        failures: u32::try_from(row.failures).map_err(bad)?,
        last_fault: row.last_fault,
        day: spent(row.day, row.day_used, row.day_allowed)?,
        month: spent(row.month, row.month_used, row.month_allowed)?,
        spacing_ms: row.spacing_ms,
        batch: row.batch.map(count).transpose()?,
    })
}

/// Keeps the feed.
///
/// # Errors
/// The database refuses or is gone.
pub async fn save(tx: &mut ServiceTx, feed: &Feed) -> Result<(), StoreError> {
    let wide = |number: Option<u32>| number.map(i64::from);
    sqlx::query!(
        "INSERT INTO feeds AS known (source, state, run_began, run_left, last_run, not_before, failures, last_fault, day, day_used, day_allowed,
            month, month_used, month_allowed, spacing_ms, batch, express)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
        ON CONFLICT (source) DO UPDATE
        SET state = excluded.state, run_began = excluded.run_began, run_left = excluded.run_left, last_run = excluded.last_run,
            not_before = excluded.not_before, failures = excluded.failures, last_fault = excluded.last_fault, day = excluded.day,
            day_used = excluded.day_used, day_allowed = excluded.day_allowed, month = excluded.month, month_used = excluded.month_used,
            month_allowed = excluded.month_allowed, spacing_ms = excluded.spacing_ms, batch = excluded.batch, express = excluded.express",
        feed.source,
        feed.state,
        feed.run_began,
        i64::from(feed.run_left),
        feed.last_run,
        feed.not_before,
        i32::try_from(feed.failures).map_err(bad)?,
        feed.last_fault,
        feed.day.from,
        i64::from(feed.day.used),
        wide(feed.day.allowed),
        feed.month.from,
        i64::from(feed.month.used),
        wide(feed.month.allowed),
        feed.spacing_ms,
        wide(feed.batch),
        feed.express,
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// Keeps what a run told; the rows of its later answers are added to the earlier ones by the caller.
///
/// # Errors
/// The database refuses or is gone.
pub async fn save_report(tx: &mut ServiceTx, source: &str, report: &Json) -> Result<(), StoreError> {
    sqlx::query!("UPDATE feeds SET report = $2 WHERE source = $1", source, report).execute(tx.db()).await?;
    Ok(())
}

/// Products of a market that are known cards, the most urgent first: cards with a signal, then near misses, then those
/// that were asked for longest ago. What was asked for since `since` is left out.
///
/// # Errors
/// The database refuses or is gone.
pub async fn wanted(
    tx: &mut ServiceTx,
    source: &str,
    market: Market,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    most: usize,
) -> Result<Vec<String>, StoreError> {
    let wanted = sqlx::query_scalar!(
        r#"WITH lately AS (
            SELECT opportunity.card_id, CASE decision.verdict WHEN 'signal' THEN 0 ELSE 1 END AS rank
            FROM decisions AS decision JOIN opportunities AS opportunity USING (opportunity_id)
            WHERE decision.verdict <> 'rejected'
              AND decision.scan_id IN (SELECT scan_id FROM scans WHERE started_at > $4 AND started_at <= $6)
            UNION ALL
            SELECT card_id, 0 FROM opportunities WHERE state = 'live'
        ), urgent AS (
            SELECT card_id, min(rank) AS rank FROM lately GROUP BY card_id
        ), product AS (
            SELECT pair.external_id AS id, min(coalesce(urgent.rank, 2)) AS rank
            FROM card_products AS pair LEFT JOIN urgent ON urgent.card_id = pair.card_id
            WHERE pair.market = $2
            GROUP BY pair.external_id
        )
        SELECT product.id AS "id!"
        FROM product
        LEFT JOIN feed_asked AS asked ON asked.source = $1 AND asked.product_id = product.id
        WHERE asked.asked_at IS NULL OR asked.asked_at < $3
        ORDER BY product.rank, asked.asked_at NULLS FIRST, product.id
        LIMIT $5"#,
        source,
        market.as_str(),
        since,
        now - LATELY,
        i64::try_from(most).map_err(bad)?,
        now,
    )
    .fetch_all(tx.db())
    .await?;
    Ok(wanted)
}

/// Products of cards that something moves, the most strongly moved first. What was asked for after `since` is left out.
///
/// # Errors
/// The database refuses or is gone.
pub async fn flagged(
    tx: &mut ServiceTx,
    source: &str,
    market: Market,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    most: usize,
) -> Result<Vec<String>, StoreError> {
    let flagged = sqlx::query_scalar!(
        r#"SELECT pair.external_id
        FROM event_flags AS flag
        JOIN card_products AS pair ON pair.card_id = flag.card_id AND pair.market = $2
        LEFT JOIN feed_asked AS asked ON asked.source = $1 AND asked.product_id = pair.external_id
        WHERE flag.started_at <= $4 AND flag.expires_at > $4 AND (asked.asked_at IS NULL OR asked.asked_at <= $3)
        GROUP BY pair.external_id ORDER BY max(flag.strength) DESC NULLS LAST, pair.external_id LIMIT $5"#,
        source,
        market.as_str(),
        since,
        now,
        i64::try_from(most).map_err(bad)?,
    )
    .fetch_all(tx.db())
    .await?;
    Ok(flagged)
}

/// Names of cards that are on offer or flagged, those that bring most first. What was asked for since `since` is left out.
///
/// # Errors
/// The database refuses or is gone.
pub async fn names_wanted(
    tx: &mut ServiceTx,
    source: &str,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
    most: usize,
) -> Result<Vec<String>, StoreError> {
    let names = sqlx::query_scalar!(
        r#"WITH interest AS (
            SELECT opportunity.card_id, decision.net_profit FROM opportunities AS opportunity
            JOIN decisions AS decision USING (opportunity_id)
            WHERE opportunity.state = 'live' AND decision.verdict = 'signal' AND decision.created_at > $2::timestamptz - interval '1 day'
            UNION ALL
            SELECT card_id, NULL FROM event_flags WHERE started_at <= $2 AND expires_at > $2
        )
        SELECT card.name
        FROM interest JOIN card_metadata AS card USING (card_id)
        LEFT JOIN feed_asked AS asked ON asked.source = $1 AND asked.product_id = card.name
        WHERE asked.asked_at IS NULL OR asked.asked_at < $3
        GROUP BY card.name ORDER BY max(interest.net_profit) DESC NULLS LAST, card.name LIMIT $4"#,
        source,
        now,
        since,
        i64::try_from(most).map_err(bad)?,
    )
    .fetch_all(tx.db())
    .await?;
    Ok(names)
}

/// Notes that products were asked for.
///
/// # Errors
/// The database refuses or is gone.
pub async fn asked(tx: &mut ServiceTx, source: &str, products: &[String], now: DateTime<Utc>) -> Result<(), StoreError> {
    sqlx::query!(
        "INSERT INTO feed_asked (source, product_id, asked_at) SELECT DISTINCT $1, id, $3::timestamptz FROM unnest($2::text[]) AS id
        ON CONFLICT (source, product_id) DO UPDATE SET asked_at = excluded.asked_at",
        source,
        products,
        now,
    )
    .execute(tx.db())
    .await?;
    Ok(())
}

/// A feed as `doctor` shows it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Standing {
    pub source: String,
    pub last_run: Option<DateTime<Utc>>,
    pub not_before: Option<DateTime<Utc>>,
    pub failures: i32,
    pub last_fault: Option<String>,
    pub used_today: i64,
    pub used_this_month: i64,
    pub report: Json,
}

/// Every feed that ever ran.
///
/// # Errors
/// The database refuses or is gone.
pub async fn standings(tx: &mut ServiceTx, today: NaiveDate) -> Result<Vec<Standing>, StoreError> {
    Ok(sqlx::query_as!(
        Standing,
        r#"SELECT source, last_run, not_before, failures, last_fault, CASE WHEN day = $1 THEN day_used ELSE 0 END AS "used_today!",
            CASE WHEN month = date_trunc('month', $1::date::timestamp)::date THEN month_used ELSE 0 END AS "used_this_month!", report
        FROM feeds ORDER BY source"#,
        today,
    )
    .fetch_all(tx.db())
    .await?)
}

/// A feed as somebody watches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    pub source: String,
    pub last_run: Option<DateTime<Utc>>,
    /// In a row.
    pub failures: i32,
    pub day: Spent,
    pub month: Spent,
}

/// Every feed that ever ran.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn watched(tx: &mut ServiceTx) -> Result<Vec<Watched>, StoreError> {
    let rows = sqlx::query!("SELECT source, last_run, failures, day, day_used, day_allowed, month, month_used, month_allowed FROM feeds")
        .fetch_all(tx.db())
        .await?;
    let spent = |from: NaiveDate, used: i64, allowed: Option<i64>| {
        Ok::<_, StoreError>(Spent { from, used: count(used)?, allowed: allowed.map(count).transpose()? })
    };
    rows.into_iter()
        .map(|row| {
            let (day, month) = (spent(row.day, row.day_used, row.day_allowed)?, spent(row.month, row.month_used, row.month_allowed)?);
            Ok(Watched { source: row.source, last_run: row.last_run, failures: row.failures, day, month })
        })
        .collect()
}

/// Products with prices that no crosswalk ties to a card.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Unmapped {
    pub source: String,
    pub products: i64,
    /// A few of them, with the market's name for each where it is known.
    pub samples: Vec<String>,
}

/// What nobody has mapped, by source.
///
/// # Errors
/// The database refuses or is gone.
pub async fn unmapped(tx: &mut ServiceTx) -> Result<Vec<Unmapped>, StoreError> {
    Ok(sqlx::query_as!(
        Unmapped,
        r#"WITH product AS (
            SELECT DISTINCT source, product_market, product_id FROM price_series AS series
            WHERE product_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM card_products AS pair WHERE pair.market = series.product_market AND pair.external_id = series.product_id)
        ), counted AS (
            SELECT *, count(*) OVER (PARTITION BY source) AS products,
                row_number() OVER (PARTITION BY source ORDER BY length(product_id), product_id) AS place
            FROM product
        )
        SELECT source AS "source!", products AS "products!",
            array_agg(concat_ws(' ', counted.product_market, counted.product_id, named.name) ORDER BY place) AS "samples!"
        FROM counted
        LEFT JOIN market_products AS named ON named.market = counted.product_market AND named.product_id = counted.product_id
        WHERE place <= 3
        GROUP BY source, products ORDER BY source"#
    )
    .fetch_all(tx.db())
    .await?)
}

/// Thins old history out to one price a day; says how many rows went.
///
/// # Errors
/// The database refuses or is gone, or `before` is less than thirty days ago.
pub async fn fold(tx: &mut ServiceTx, since: NaiveDate, before: NaiveDate) -> Result<u64, StoreError> {
    let folded = sqlx::query_scalar!(r#"SELECT fold_price_history($1, $2) AS "folded!""#, since, before).fetch_one(tx.db()).await?;
    Ok(folded.unsigned_abs())
}
