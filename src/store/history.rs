//! Loads everything that the database was ever told of prices, each row with the moment at which it could be known.

use std::{collections::BTreeSet, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::{
    ServiceTx, StoreError,
    book::{card_id, cards, finish, member, shared, subject},
    event_flags,
};
use crate::domain::{
    book::PriceSeries,
    condition::Condition,
    history::{Builder, Figure, History, Row, Terms, TooManyDigits},
    money::{Currency, DailyRate},
    observation::Activity,
    product::CardProduct,
    series::Points,
};

/// Series whose rows are asked for together.
const AT_ONCE: usize = 2_000;

/// Loads all of it, a few thousand series a statement. Told how many series of how many are read.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn load(tx: &mut ServiceTx, progress: &dyn Fn(usize, usize)) -> Result<History, StoreError> {
    let mut builder = Builder::default();
    for card in cards(tx).await? {
        builder.add_card(card);
    }
    links(tx, &mut builder).await?;
    rates(tx, &mut builder).await?;
    activity(tx, &mut builder).await?;
    let ids = series(tx, &mut builder).await?;
    for (number, some) in ids.chunks(AT_ONCE).enumerate() {
        rows(tx, some, number * AT_ONCE, &mut builder).await?;
        progress((number * AT_ONCE + some.len()).min(ids.len()), ids.len());
    }
    let mut history = builder.finish();
    history.flags = event_flags::ever(tx, &history.cards).await?;
    Ok(history)
}

async fn links(tx: &mut ServiceTx, builder: &mut Builder) -> Result<(), StoreError> {
    const TABLE: &str = "card_products";
    for row in sqlx::query!("SELECT market, external_id, card_id, method, source FROM card_products").fetch_all(tx.db()).await? {
        builder.add_link(&CardProduct {
            market: member(&row.market, TABLE)?,
            external_id: row.external_id,
            card_id: card_id(&row.card_id, TABLE)?,
            method: row.method,
            source: row.source,
        });
    }
    Ok(())
}

async fn rates(tx: &mut ServiceTx, builder: &mut Builder) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"SELECT date AS "date: NaiveDate", currency, units_per_eur AS "units_per_eur: Decimal", source, known_at FROM exchange_rates"#
    );
    for row in rows.fetch_all(tx.db()).await? {
        // currencies that no market of ours uses are no concern of a replay
        let Ok(currency) = Currency::from_str(&row.currency) else { continue };
        builder.add_rate(DailyRate {
            date: row.date,
            currency,
            units_per_eur: row.units_per_eur,
            source: row.source,
            known_at: row.known_at,
        });
    }
    Ok(())
}

async fn activity(tx: &mut ServiceTx, builder: &mut Builder) -> Result<(), StoreError> {
    const TABLE: &str = "activity_history";
    let rows = sqlx::query!(
        "SELECT card_id, product_market, product_id, source, market, printing, edition, language, sales_30d, active_listings, observed_at,
            known_at
        FROM activity_history"
    );
    for row in rows.fetch_all(tx.db()).await? {
        builder.add_activity(Activity {
            subject: subject(row.card_id, row.product_market, row.product_id, TABLE)?,
            source: row.source,
            market: member(&row.market, TABLE)?,
            finish: finish(&row.printing, &row.edition, &row.language, TABLE)?,
            sales_30d: row.sales_30d,
            active_listings: row.active_listings,
            observed_at: row.observed_at,
            known_at: row.known_at,
        });
    }
    Ok(())
}

/// Every series, in the order of its id; its place in the builder is its place in the answer.
async fn series(tx: &mut ServiceTx, builder: &mut Builder) -> Result<Vec<i32>, StoreError> {
    const TABLE: &str = "price_series";
    let rows = sqlx::query!(
        "SELECT series_id, source, market, currency, card_id, product_market, product_id, printing, edition, language, condition_scale,
            condition, kind, seller_id
        FROM price_series ORDER BY series_id"
    );
    let rows = rows.fetch_all(tx.db()).await?;
    let (mut texts, mut ids) = (BTreeSet::new(), Vec::with_capacity(rows.len()));
    for row in rows {
        let condition = match (row.condition_scale, row.condition) {
            (Some(scale), Some(grade)) => Some(Condition { scale: member(&scale, TABLE)?, grade: member(&grade, TABLE)? }),
            _ => None,
        };
        ids.push(row.series_id);
        builder.add_series(PriceSeries {
            subject: subject(row.card_id, row.product_market, row.product_id, TABLE)?,
            cards: Vec::new(),
            doubted: false,
            source: shared(&mut texts, &row.source),
            market: member(&row.market, TABLE)?,
            currency: member(&row.currency, TABLE)?,
            finish: finish(&row.printing, &row.edition, &row.language, TABLE)?,
            condition,
            kind: member(&row.kind, TABLE)?,
            seller_id: row.seller_id.map(|seller| shared(&mut texts, &seller)),
            latest: Row::BLANK.quote(None),
            history: Points::default(),
        });
    }
    Ok(ids)
}

/// The rows of some series, whose first has the place `first`. A row of the answer is a whole series, as a million small
/// rows cost several times as much.
async fn rows(tx: &mut ServiceTx, ids: &[i32], first: usize, builder: &mut Builder) -> Result<(), StoreError> {
    let found = sqlx::query!(
        r#"SELECT series_id AS "series_id!", array_agg(observed_at) AS "observed!: Vec<DateTime<Utc>>",
            array_agg(known_at) AS "known!: Vec<DateTime<Utc>>", array_agg(price) AS "prices!: Vec<Option<Decimal>>",
            array_agg(low) AS "lows!: Vec<Option<Decimal>>", array_agg(mid) AS "mids!: Vec<Option<Decimal>>",
            array_agg(high) AS "highs!: Vec<Option<Decimal>>", array_agg(shipping) AS "shipping!: Vec<Option<Decimal>>",
            array_agg(seller_rating) AS "ratings!: Vec<Option<Decimal>>", array_agg(seller_sales) AS "sales!: Vec<Option<i64>>",
            count(*) FILTER (WHERE known_at <> recorded_at) AS "imported!"
        FROM (
            SELECT * FROM price_history WHERE series_id = ANY ($1) ORDER BY series_id, observed_at, known_at, revision
        ) AS sorted
        GROUP BY series_id"#,
        ids
    )
    .fetch_all(tx.db())
    .await?;
    for series in found {
        let Ok(place) = ids.binary_search(&series.series_id) else { continue };
        let fault = || StoreError::BadRow {
            table: "price_history",
            fault: TooManyDigits { source_name: format!("series {}", series.series_id) }.to_string(),
        };
        let figure = |figures: &[Option<Decimal>], at: usize| Figure::new(figures.get(at).copied().flatten()).ok_or_else(fault);
        for (at, (observed, known)) in series.observed.iter().zip(&series.known).enumerate() {
            let row = Row {
                observed: observed.timestamp_micros(),
                known: known.timestamp_micros(),
                price: figure(&series.prices, at)?,
                low: figure(&series.lows, at)?,
                mid: figure(&series.mids, at)?,
                high: figure(&series.highs, at)?,
            };
            let terms = Terms {
                shipping: series.shipping.get(at).copied().flatten(),
                seller_rating: series.ratings.get(at).copied().flatten(),
                seller_sales: series.sales.get(at).copied().flatten(),
            };
            builder.push(first + place, row, (terms != Terms::default()).then_some(terms));
        }
        builder.count_imported(series.imported.unsigned_abs());
    }
    Ok(())
}
