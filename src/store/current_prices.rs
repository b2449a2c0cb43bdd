//! The guide's table of current prices: for each card and source its latest price on either side.

use super::{ServiceTx, StoreError};

/// A card of several printings has one line here: the latest moment counts, then the commonest printing, then the lower
/// price. The rules never read this table, so nothing is decided by that choice.
const REFRESH: &str = "
WITH line AS (
    SELECT DISTINCT coalesce(series.card_id, pair.card_id) AS card_id, series.source
    FROM touched_series AS touched
    JOIN price_series AS series ON series.series_id = touched.series_id
    LEFT JOIN card_products AS pair ON pair.market = series.product_market AND pair.external_id = series.product_id
    WHERE coalesce(series.card_id, pair.card_id) IS NOT NULL
), candidate AS (
    SELECT line.card_id, line.source, series.series_id, series.currency, series.printing, series.condition, series.seller_id
    FROM line
    JOIN price_series AS series ON series.card_id = line.card_id AND series.source = line.source
    UNION ALL
    SELECT line.card_id, line.source, series.series_id, series.currency, series.printing, series.condition, series.seller_id
    FROM line
    JOIN card_products AS pair ON pair.card_id = line.card_id
    JOIN price_series AS series ON series.product_market = pair.market AND series.product_id = pair.external_id AND series.source = line.source
), best AS (
    SELECT DISTINCT ON (card_id, source, currency) card_id, source, currency, condition, seller_id, latest.*
    FROM candidate
    CROSS JOIN LATERAL (
        SELECT price, observed_at, seller_rating, seller_sales FROM price_history AS history
        WHERE history.series_id = candidate.series_id AND history.price < 100000000
        ORDER BY history.observed_at DESC, history.revision DESC LIMIT 1
    ) AS latest
    ORDER BY card_id, source, currency, observed_at DESC, array_position(ARRAY['normal', 'holofoil', 'plain', 'reverse_holofoil'], printing),
        price, series_id
), side AS (
    SELECT card_id, source, max(price) FILTER (WHERE currency = 'USD') AS price_usd, max(price) FILTER (WHERE currency = 'EUR') AS price_eur,
        max(condition) AS condition, max(seller_id) AS seller_id, max(seller_rating) AS seller_rating,
        max(least(seller_sales, 2147483647)::integer) AS seller_sales, max(observed_at) AS last_updated
    FROM best GROUP BY card_id, source
)
INSERT INTO market_prices AS known (card_id, source, price_usd, price_eur, condition, seller_id, seller_rating, seller_sales, last_updated)
SELECT card_id, source, price_usd::numeric(10, 2), price_eur::numeric(10, 2), condition, seller_id, seller_rating::numeric(5, 2), seller_sales, last_updated
FROM side
ON CONFLICT (card_id, source) DO UPDATE
SET price_usd = excluded.price_usd, price_eur = excluded.price_eur, condition = excluded.condition, seller_id = excluded.seller_id,
    seller_rating = excluded.seller_rating, seller_sales = excluded.seller_sales, last_updated = excluded.last_updated
WHERE (known.price_usd, known.price_eur, known.condition, known.seller_id, known.seller_rating, known.seller_sales, known.last_updated)
    IS DISTINCT FROM (excluded.price_usd, excluded.price_eur, excluded.condition, excluded.seller_id, excluded.seller_rating,
        excluded.seller_sales, excluded.last_updated)";

/// Renews the lines of every card that one of the touched series prices; `touched` creates the temporary table
/// `touched_series (series_id)`.
pub(super) async fn refresh(tx: &mut ServiceTx, touched: &'static str) -> Result<(), StoreError> {
    sqlx::raw_sql(touched).execute(tx.db()).await?;
    sqlx::raw_sql("ANALYZE touched_series").execute(tx.db()).await?;
    sqlx::query(REFRESH).execute(tx.db()).await?;
    sqlx::raw_sql("DROP TABLE touched_series").execute(tx.db()).await?;
    Ok(())
}
