//! Sets, cards, products, and which product is which card. A field that a source leaves out keeps what is known.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::{ServiceTx, StoreError, Written, book::card_id};
use crate::domain::{
    card::{Card, CardId, CardSet},
    product::{CardProduct, Product},
};

/// Rows of one statement: a few megabytes of JSON.
const CHUNK: usize = 4000;

/// The last row of each key, as the JSON that a statement takes apart: told twice, the later telling holds.
fn chunks<K: Ord, T: Serialize>(rows: &[T], key: impl Fn(&T) -> K) -> Result<Vec<Value>, StoreError> {
    let last: BTreeMap<K, &T> = rows.iter().map(|row| (key(row), row)).collect();
    let last: Vec<&T> = last.into_values().collect();
    let as_json = |rows: &[&T]| serde_json::to_value(rows).map_err(|error| StoreError::Query(sqlx::Error::Encode(error.into())));
    last.chunks(CHUNK).map(as_json).collect()
}

/// Writes sets, and their names and dates into the cards that are known already.
///
/// # Errors
/// The database refuses or is gone.
pub async fn write_sets(tx: &mut ServiceTx, sets: &[CardSet], now: DateTime<Utc>) -> Result<Written, StoreError> {
    let mut touched = Vec::new();
    for rows in chunks(sets, |set| set.set_code.clone())? {
        let written = sqlx::query_scalar!(
            r#"INSERT INTO card_sets AS known (set_code, name, series, ptcgo_code, release_date, printed_total, total, vendor_updated_at, last_updated)
            SELECT set_code, name, series, ptcgo_code, release_date, printed_total, total, updated_at, $2
            FROM jsonb_to_recordset($1) AS told (set_code text, name text, series text, ptcgo_code text, release_date date,
                printed_total integer, total integer, updated_at timestamptz)
            ON CONFLICT (set_code) DO UPDATE
            SET name = excluded.name, series = coalesce(excluded.series, known.series),
                ptcgo_code = coalesce(excluded.ptcgo_code, known.ptcgo_code),
                release_date = coalesce(excluded.release_date, known.release_date),
                printed_total = coalesce(excluded.printed_total, known.printed_total), total = coalesce(excluded.total, known.total),
                vendor_updated_at = excluded.vendor_updated_at, last_updated = excluded.last_updated
            WHERE (known.vendor_updated_at IS NULL OR excluded.vendor_updated_at > known.vendor_updated_at)
              AND (known.name, known.series, known.ptcgo_code, known.release_date, known.printed_total, known.total, known.vendor_updated_at)
                IS DISTINCT FROM (excluded.name, coalesce(excluded.series, known.series), coalesce(excluded.ptcgo_code, known.ptcgo_code),
                coalesce(excluded.release_date, known.release_date), coalesce(excluded.printed_total, known.printed_total),
                coalesce(excluded.total, known.total), coalesce(excluded.vendor_updated_at, known.vendor_updated_at))
            RETURNING (xmax = 0) AS "is_new!""#,
            rows,
            now,
        )
        .fetch_all(tx.db())
        .await?;
        touched.extend(written);
    }
    let written = Written::of(sets.len(), touched);
    if written.is_change() {
        sqlx::query!(
            "UPDATE card_metadata AS card
            SET set_name = card_sets.name, set_release_date = coalesce(card_sets.release_date, card.set_release_date), last_updated = $1
            FROM card_sets
            WHERE card.set_code = card_sets.set_code
              AND (card.set_name, card.set_release_date)
                IS DISTINCT FROM (card_sets.name, coalesce(card_sets.release_date, card.set_release_date))",
            now,
        )
        .execute(tx.db())
        .await?;
    }
    Ok(written)
}

/// The name of every card.
///
/// # Errors
/// The database refuses or is gone, or holds an id that this program does not know.
pub async fn names(tx: &mut ServiceTx) -> Result<Vec<(CardId, String)>, StoreError> {
    let rows = sqlx::query!(r#"SELECT card_id, name FROM card_metadata ORDER BY card_id COLLATE "C""#).fetch_all(tx.db()).await?;
    rows.into_iter().map(|row| Ok((card_id(&row.card_id, "card_metadata")?, row.name))).collect()
}

/// Writes cards; set names and dates come from the stored sets where these know them.
///
/// # Errors
/// The database refuses or is gone.
pub async fn write_cards(tx: &mut ServiceTx, cards: &[Card], now: DateTime<Utc>) -> Result<Written, StoreError> {
    let mut touched = Vec::new();
    for rows in chunks(cards, |card| card.card_id.clone())? {
        let written = sqlx::query_scalar!(
            r#"INSERT INTO card_metadata AS known (card_id, name, set_code, set_name, card_number, rarity, supertype, regulation_mark,
                set_release_date, legality_standard, legality_expanded, tcgplayer_url, cardmarket_url, image_url, last_updated)
            SELECT told.card_id, told.name, told.set_code, coalesce(card_sets.name, told.set_name), told.card_number, told.rarity, told.supertype,
                told.regulation_mark, coalesce(card_sets.release_date, told.set_release_date), told.legality_standard, told.legality_expanded,
                told.tcgplayer_url, told.cardmarket_url, told.image_url, $2
            FROM jsonb_to_recordset($1) AS told (card_id text, name text, set_code text, set_name text, card_number text, rarity text,
                supertype text, regulation_mark text, set_release_date date, legality_standard text, legality_expanded text,
                tcgplayer_url text, cardmarket_url text, image_url text)
            LEFT JOIN card_sets ON card_sets.set_code = told.set_code
            ON CONFLICT (card_id) DO UPDATE
            SET name = excluded.name, set_code = excluded.set_code, set_name = coalesce(excluded.set_name, known.set_name),
                card_number = coalesce(excluded.card_number, known.card_number), rarity = coalesce(excluded.rarity, known.rarity),
                supertype = coalesce(excluded.supertype, known.supertype),
                regulation_mark = coalesce(excluded.regulation_mark, known.regulation_mark),
                set_release_date = coalesce(excluded.set_release_date, known.set_release_date),
                legality_standard = coalesce(excluded.legality_standard, known.legality_standard),
                legality_expanded = coalesce(excluded.legality_expanded, known.legality_expanded),
                tcgplayer_url = coalesce(excluded.tcgplayer_url, known.tcgplayer_url),
                cardmarket_url = coalesce(excluded.cardmarket_url, known.cardmarket_url),
                image_url = coalesce(excluded.image_url, known.image_url), last_updated = excluded.last_updated
            WHERE (known.name, known.set_code, known.set_name, known.card_number, known.rarity, known.supertype, known.regulation_mark,
                known.set_release_date, known.legality_standard, known.legality_expanded, known.tcgplayer_url, known.cardmarket_url, known.image_url)
                IS DISTINCT FROM (excluded.name, excluded.set_code, coalesce(excluded.set_name, known.set_name),
                coalesce(excluded.card_number, known.card_number), coalesce(excluded.rarity, known.rarity),
                coalesce(excluded.supertype, known.supertype), coalesce(excluded.regulation_mark, known.regulation_mark),
                coalesce(excluded.set_release_date, known.set_release_date), coalesce(excluded.legality_standard, known.legality_standard),
                coalesce(excluded.legality_expanded, known.legality_expanded), coalesce(excluded.tcgplayer_url, known.tcgplayer_url),
                coalesce(excluded.cardmarket_url, known.cardmarket_url), coalesce(excluded.image_url, known.image_url))
            RETURNING (xmax = 0) AS "is_new!""#,
            rows,
            now,
        )
        .fetch_all(tx.db())
        .await?;
        touched.extend(written);
    }
    Ok(Written::of(cards.len(), touched))
}

/// Writes a market's product list.
///
/// # Errors
/// The database refuses or is gone.
pub async fn write_products(tx: &mut ServiceTx, products: &[Product], now: DateTime<Utc>) -> Result<Written, StoreError> {
    let mut touched = Vec::new();
    for rows in chunks(products, |product| (product.market, product.id.clone()))? {
        let written = sqlx::query_scalar!(
            r#"INSERT INTO market_products AS known (market, product_id, name, category, expansion_id, metacard_id, last_updated)
            SELECT market, id, name, category, expansion_id, metacard_id, $2
            FROM jsonb_to_recordset($1) AS told (market text, id text, name text, category text, expansion_id text, metacard_id text)
            ON CONFLICT (market, product_id) DO UPDATE
            SET name = excluded.name, category = excluded.category, expansion_id = excluded.expansion_id,
                metacard_id = excluded.metacard_id, last_updated = excluded.last_updated
            WHERE (known.name, known.category, known.expansion_id, known.metacard_id)
                IS DISTINCT FROM (excluded.name, excluded.category, excluded.expansion_id, excluded.metacard_id)
            RETURNING (xmax = 0) AS "is_new!""#,
            rows,
            now,
        )
        .fetch_all(tx.db())
        .await?;
        touched.extend(written);
    }
    Ok(Written::of(products.len(), touched))
}

/// Writes crosswalk pairs. The source that named a pair first may change its method, another one may not: two crosswalks
/// that are imported again and again would otherwise overwrite each other for ever.
///
/// # Errors
/// The database refuses or is gone.
pub async fn write_card_products(tx: &mut ServiceTx, pairs: &[CardProduct]) -> Result<Written, StoreError> {
    let mut touched = Vec::new();
    for rows in chunks(pairs, |pair| (pair.market, pair.external_id.clone(), pair.card_id.clone()))? {
        let written = sqlx::query_scalar!(
            r#"INSERT INTO card_products AS known (market, external_id, card_id, method, source)
            SELECT market, external_id, card_id, method, source
            FROM jsonb_to_recordset($1) AS told (market text, external_id text, card_id text, method text, source text)
            ON CONFLICT (market, external_id, card_id) DO UPDATE SET method = excluded.method
            WHERE known.source = excluded.source AND known.method <> excluded.method
            RETURNING (xmax = 0) AS "is_new!""#,
            rows,
        )
        .fetch_all(tx.db())
        .await?;
        touched.extend(written);
    }
    Ok(Written::of(pairs.len(), touched))
}
