//! Keeps a price apart that is many times the last one, until a second one confirms it: one bad answer of a vendor must
//! not reach a decision, and a real jump must not be lost.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{ServiceTx, StoreError};

/// Two prices within this factor confirm each other. $1: now.
///
/// A waiting price that is confirmed by a staged one enters the history as known now: until now nobody believed it. Its month
/// has a partition since it was set apart.
const CONFIRM: &str = "
WITH confirmed AS (
    UPDATE price_quarantine AS waiting
    SET confirmed_at = $1
    FROM staged_prices AS staged JOIN staged_ids AS ids ON ids.local = staged.local
    WHERE waiting.series_id = ids.series_id AND waiting.confirmed_at IS NULL AND waiting.observed_at < staged.observed_at
      AND staged.price BETWEEN waiting.price / 2 AND waiting.price * 2
    RETURNING waiting.*
)
INSERT INTO price_history (series_id, observed_at, revision, price, low, mid, high, shipping, seller_rating, seller_sales, known_at,
    recorded_at)
SELECT DISTINCT ON (confirmed.series_id, confirmed.observed_at) confirmed.series_id, confirmed.observed_at,
    coalesce((SELECT max(known.revision) + 1 FROM price_history AS known
              WHERE known.series_id = confirmed.series_id AND known.observed_at = confirmed.observed_at), 0),
    price, low, mid, high, shipping, seller_rating, seller_sales, $1, $1
FROM confirmed
ORDER BY confirmed.series_id, confirmed.observed_at, confirmed.price
RETURNING series_id";

/// $1: the factor, $2: now. Below one unit of money no jump is remarkable: a cent more is twice a cent.
const SET_APART: &str = "
WITH odd AS (
    SELECT ids.series_id, staged.*, known.price AS expected
    FROM staged_prices AS staged
    JOIN staged_ids AS ids ON ids.local = staged.local
    CROSS JOIN LATERAL (
        SELECT price, observed_at FROM price_history AS history
        WHERE history.series_id = ids.series_id AND history.price IS NOT NULL
        ORDER BY history.observed_at DESC, history.revision DESC LIMIT 1
    ) AS known
    WHERE staged.price IS NOT NULL AND staged.observed_at > known.observed_at AND greatest(staged.price, known.price) >= 1
      AND (staged.price >= known.price * $1 OR staged.price * $1 <= known.price)
), gone AS (
    DELETE FROM staged_prices AS staged USING odd WHERE staged.place = odd.place
)
INSERT INTO price_quarantine (series_id, observed_at, price, low, mid, high, shipping, seller_rating, seller_sales, expected, known_at,
    recorded_at)
SELECT series_id, observed_at, price, low, mid, high, shipping, seller_rating, seller_sales, expected, known_at, $2
FROM odd
ON CONFLICT DO NOTHING";

/// Judges what is staged; says how many prices were newly set apart, and which series have a price that was confirmed.
pub(super) async fn judge(tx: &mut ServiceTx, jump: Decimal, now: DateTime<Utc>) -> Result<(u64, Vec<i32>), StoreError> {
    let confirmed = sqlx::query_scalar(CONFIRM).bind(now).fetch_all(tx.db()).await?;
    Ok((sqlx::query(SET_APART).bind(jump).bind(now).execute(tx.db()).await?.rows_affected(), confirmed))
}

/// A price that waits for a second one.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Waiting {
    pub source: String,
    pub subject: String,
    pub observed_at: DateTime<Utc>,
    pub price: Decimal,
    pub expected: Decimal,
}

/// How many prices wait, and the latest of them.
///
/// # Errors
/// The database refuses or is gone.
pub async fn waiting(tx: &mut ServiceTx, most: i64) -> Result<(i64, Vec<Waiting>), StoreError> {
    let count =
        sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM price_quarantine WHERE confirmed_at IS NULL"#).fetch_one(tx.db()).await?;
    let latest = sqlx::query_as!(
        Waiting,
        r#"SELECT source, coalesce(card_id, concat_ws(' ', product_market, product_id)) AS "subject!", observed_at, price, expected
        FROM price_quarantine JOIN price_series USING (series_id)
        WHERE confirmed_at IS NULL ORDER BY recorded_at DESC, series_id, observed_at LIMIT $1"#,
        most,
    )
    .fetch_all(tx.db())
    .await?;
    Ok((count, latest))
}
