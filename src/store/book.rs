//! Loads what a scan looks at, in a handful of statements whatever the number of cards.

use std::{collections::HashMap, str::FromStr, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use super::{ServiceTx, StoreError};
use crate::domain::{
    book::{BookData, Latest, PriceSeries, SourceShift, is_imported},
    card::{Card, CardId, CardSet, Finish},
    condition::Condition,
    money::DailyRate,
    observation::{Activity, Subject},
    product::CardProduct,
    series::Point,
};

/// Loads the book as it was known at `as_of`, with `history_days` of history before it. `shift` moves sources in time
/// before anything is compared with `as_of`.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn load_book(tx: &mut ServiceTx, as_of: DateTime<Utc>, shift: &[SourceShift], history_days: u32) -> Result<BookData, StoreError> {
    let mut names = Names::default();
    let cards = cards(tx, &mut names).await?;
    let sets = sets(tx).await?;
    let card_products = card_products(tx, &mut names).await?;
    let mut series = series(tx, as_of, shift, &mut names).await?;
    let points = points(tx, as_of, shift, history_days, &mut series).await?;
    let activity = activity(tx, as_of, shift, &mut names).await?;
    let rates = rates(tx, as_of).await?;
    Ok(BookData { as_of, cards, sets, card_products, series, points, activity, rates })
}

/// Texts that many rows share are held once.
#[derive(Default)]
struct Names {
    cards: HashMap<String, CardId>,
    sources: HashMap<String, Arc<str>>,
}

impl Names {
    fn card(&mut self, text: String, table: &'static str) -> Result<CardId, StoreError> {
        if let Some(known) = self.cards.get(&text) {
            return Ok(known.clone());
        }
        let card = CardId::new(&text).map_err(|error| StoreError::BadRow { table, fault: error.to_string() })?;
        self.cards.insert(text, card.clone());
        Ok(card)
    }

    fn source(&mut self, text: String) -> Arc<str> {
        Arc::clone(self.sources.entry(text).or_insert_with_key(|text| text.as_str().into()))
    }

    fn subject(
        &mut self,
        card: Option<String>,
        market: Option<String>,
        product: Option<String>,
        table: &'static str,
    ) -> Result<Subject, StoreError> {
        match (card, market, product) {
            (Some(card), None, None) => Ok(Subject::Card(self.card(card, table)?)),
            (None, Some(market), Some(id)) => Ok(Subject::Product { market: member(&market, table)?, id }),
            _ => Err(StoreError::BadRow { table, fault: "neither a card nor a product".into() }),
        }
    }
}

fn member<T: FromStr<Err: std::fmt::Display>>(text: &str, table: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| StoreError::BadRow { table, fault: error.to_string() })
}

fn finish(printing: &str, edition: &str, language: &str, table: &'static str) -> Result<Finish, StoreError> {
    Ok(Finish { printing: member(printing, table)?, edition: member(edition, table)?, language: member(language, table)? })
}

async fn cards(tx: &mut ServiceTx, names: &mut Names) -> Result<Vec<Card>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT card_id, name, set_code, set_name, card_number, rarity, supertype, regulation_mark, set_release_date, legality_standard,
            legality_expanded, tcgplayer_url, cardmarket_url, image_url
        FROM card_metadata ORDER BY card_id COLLATE "C""#
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Card {
                card_id: names.card(row.card_id, "card_metadata")?,
                name: row.name,
                set_code: row.set_code,
                set_name: row.set_name,
                card_number: row.card_number,
                rarity: row.rarity,
                supertype: row.supertype,
                regulation_mark: row.regulation_mark,
                set_release_date: row.set_release_date,
                legality_standard: row.legality_standard,
                legality_expanded: row.legality_expanded,
                tcgplayer_url: row.tcgplayer_url,
                cardmarket_url: row.cardmarket_url,
                image_url: row.image_url,
            })
        })
        .collect()
}

async fn sets(tx: &mut ServiceTx) -> Result<Vec<CardSet>, StoreError> {
    Ok(sqlx::query_as!(
        CardSet,
        r#"SELECT set_code, name, series, printed_total, total, ptcgo_code, release_date, vendor_updated_at AS updated_at
        FROM card_sets ORDER BY set_code COLLATE "C""#
    )
    .fetch_all(tx.db())
    .await?)
}

async fn card_products(tx: &mut ServiceTx, names: &mut Names) -> Result<Vec<CardProduct>, StoreError> {
    const TABLE: &str = "card_products";
    let rows = sqlx::query!(
        r#"SELECT market, external_id, card_id, method, source FROM card_products
        ORDER BY market, external_id COLLATE "C", card_id COLLATE "C""#
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            let (market, card_id) = (member(&row.market, TABLE)?, names.card(row.card_id, TABLE)?);
            Ok(CardProduct { market, external_id: row.external_id, card_id, method: row.method, source: row.source })
        })
        .collect()
}

/// The shifts as two columns.
fn columns(shift: &[SourceShift]) -> (Vec<String>, Vec<i32>) {
    shift.iter().map(|shift| (shift.source.clone(), i32::try_from(shift.days).unwrap_or_default())).unzip()
}

/// Each series with the latest that was known of it. Of two tellings of one moment the one that was known later counts.
async fn series(
    tx: &mut ServiceTx,
    as_of: DateTime<Utc>,
    shift: &[SourceShift],
    names: &mut Names,
) -> Result<Vec<PriceSeries>, StoreError> {
    const TABLE: &str = "price_series";
    let (sources, days) = columns(shift);
    let rows = sqlx::query!(
        r#"SELECT series.series_id, series.source, market, currency, card_id, product_market, product_id, printing, edition, language,
            condition_scale, condition, kind, seller_id, latest.price AS "price?", latest.low AS "low?", latest.mid AS "mid?",
            latest.high AS "high?", latest.shipping AS "shipping?", latest.seller_rating AS "seller_rating?",
            latest.seller_sales AS "seller_sales?", latest.observed_at, latest.known_at, latest.recorded_at
        FROM price_series AS series
        LEFT JOIN unnest($2::text[], $3::integer[]) AS shift (source, days) ON shift.source = series.source
        CROSS JOIN LATERAL (SELECT $1::timestamptz - make_interval(hours => 24 * coalesce(shift.days, 0)) AS until) AS window_end
        CROSS JOIN LATERAL (
            SELECT price, low, mid, high, shipping, seller_rating, seller_sales, observed_at, known_at, recorded_at
            FROM price_history AS history
            -- a source's clock may be a little ahead of ours, never a day
            WHERE history.series_id = series.series_id AND history.known_at <= window_end.until
              AND history.observed_at < window_end.until + interval '1 day'
            ORDER BY history.observed_at DESC, history.known_at DESC, history.revision DESC LIMIT 1
        ) AS latest
        ORDER BY series.series_id"#,
        as_of,
        &sources,
        &days,
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            let shifted = SourceShift::of(shift, &row.source);
            let condition = match (row.condition_scale, row.condition) {
                (Some(scale), Some(grade)) => Some(Condition { scale: member(&scale, TABLE)?, grade: member(&grade, TABLE)? }),
                _ => None,
            };
            Ok(PriceSeries {
                series_id: row.series_id,
                subject: names.subject(row.card_id, row.product_market, row.product_id, TABLE)?,
                source: names.source(row.source),
                market: member(&row.market, TABLE)?,
                currency: member(&row.currency, TABLE)?,
                finish: finish(&row.printing, &row.edition, &row.language, TABLE)?,
                condition,
                kind: member(&row.kind, TABLE)?,
                seller_id: row.seller_id,
                latest: Latest {
                    price: row.price,
                    low: row.low,
                    mid: row.mid,
                    high: row.high,
                    shipping: row.shipping,
                    seller_rating: row.seller_rating,
                    seller_sales: row.seller_sales,
                    observed_at: row.observed_at + shifted,
                    known_at: row.known_at + shifted,
                    is_imported: is_imported(row.known_at, row.recorded_at),
                },
                history: 0..0,
            })
        })
        .collect()
}

/// The recent history of all series in one list; each series learns where its part is. A row of the answer is a whole
/// series, as a million small rows cost several times as much.
async fn points(
    tx: &mut ServiceTx,
    as_of: DateTime<Utc>,
    shift: &[SourceShift],
    history_days: u32,
    series: &mut [PriceSeries],
) -> Result<Vec<Point>, StoreError> {
    let (sources, days) = columns(shift);
    let window = TimeDelta::days(i64::from(history_days));
    let shifts = || days.iter().map(|days| TimeDelta::days(i64::from(*days))).chain([TimeDelta::zero()]);
    // Bounds over all sources let the server leave out whole months.
    let first = as_of - window - shifts().max().unwrap_or_default();
    let last = as_of + TimeDelta::days(1) - shifts().min().unwrap_or_default();
    let rows = sqlx::query!(
        r#"SELECT series_id AS "series_id!", array_agg(observed_at) AS "moments!", array_agg(price) AS "prices!: Vec<Option<Decimal>>"
        FROM (
            SELECT history.series_id, history.observed_at, history.price
            FROM price_history AS history
            JOIN price_series AS series ON series.series_id = history.series_id
            LEFT JOIN unnest($2::text[], $3::integer[]) AS shift (source, days) ON shift.source = series.source
            WHERE history.observed_at BETWEEN $4 AND $5
              AND history.known_at <= $1::timestamptz - make_interval(hours => 24 * coalesce(shift.days, 0))
              AND history.observed_at >= $1::timestamptz - make_interval(hours => 24 * (coalesce(shift.days, 0) + $6))
            ORDER BY history.series_id, history.observed_at, history.known_at, history.revision
        ) AS sorted
        GROUP BY series_id ORDER BY series_id"#,
        as_of,
        &sources,
        &days,
        first,
        last,
        i32::try_from(history_days).unwrap_or(36_500).min(36_500),
    )
    .fetch_all(tx.db())
    .await?;
    let mut points: Vec<Point> = Vec::with_capacity(rows.iter().map(|row| row.moments.len()).sum());
    for row in rows {
        let Ok(place) = series.binary_search_by_key(&row.series_id, |series| series.series_id) else { continue };
        let series = &mut series[place];
        let shifted = SourceShift::of(shift, &series.source);
        let start = points.len();
        for (moment, price) in row.moments.into_iter().zip(row.prices) {
            let point = Point { at: moment + shifted, price };
            // Rows of one moment come in the order in which they became known: the last one counts.
            match points[start..].last_mut() {
                Some(last) if last.at == point.at => *last = point,
                _ => points.push(point),
            }
        }
        series.history = start..points.len();
    }
    Ok(points)
}

async fn activity(tx: &mut ServiceTx, as_of: DateTime<Utc>, shift: &[SourceShift], names: &mut Names) -> Result<Vec<Activity>, StoreError> {
    const TABLE: &str = "activity_history";
    let (sources, days) = columns(shift);
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (card_id, product_market, product_id, counted.source, market, printing, edition, language)
            card_id, product_market, product_id, counted.source, market, printing, edition, language, sales_30d, active_listings,
            observed_at, known_at
        FROM activity_history AS counted
        LEFT JOIN unnest($2::text[], $3::integer[]) AS shift (source, days) ON shift.source = counted.source
        WHERE known_at <= $1::timestamptz - make_interval(hours => 24 * coalesce(shift.days, 0))
        ORDER BY card_id, product_market, product_id, counted.source, market, printing, edition, language, observed_at DESC"#,
        as_of,
        &sources,
        &days,
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            let shifted = SourceShift::of(shift, &row.source);
            Ok(Activity {
                subject: names.subject(row.card_id, row.product_market, row.product_id, TABLE)?,
                source: row.source,
                market: member(&row.market, TABLE)?,
                finish: finish(&row.printing, &row.edition, &row.language, TABLE)?,
                sales_30d: row.sales_30d,
                active_listings: row.active_listings,
                observed_at: row.observed_at + shifted,
                known_at: row.known_at + shifted,
            })
        })
        .collect()
}

async fn rates(tx: &mut ServiceTx, as_of: DateTime<Utc>) -> Result<Vec<DailyRate>, StoreError> {
    let rows = sqlx::query!(
        "SELECT date, currency, units_per_eur, source, known_at FROM exchange_rates WHERE known_at <= $1 ORDER BY date, currency, source",
        as_of
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            let currency = member(&row.currency, "exchange_rates")?;
            Ok(DailyRate { date: row.date, currency, units_per_eur: row.units_per_eur, source: row.source, known_at: row.known_at })
        })
        .collect()
}
