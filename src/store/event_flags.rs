//! Cards that something moves beyond their prices, and until when.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    ServiceTx, StoreError,
    book::{card_id, member},
};
use crate::domain::{
    book::CardIndex,
    card::{Card, CardId},
    event::{EventKind, Flag},
};

const TABLE: &str = "event_flags";

/// What is flagged, beside the cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised<'a> {
    pub kind: EventKind,
    /// Who says so.
    pub source: &'a str,
    /// How strongly, in units of the kind: how many times its baseline, in how many decks.
    pub strength: Option<Decimal>,
    pub note: Option<&'a str>,
    pub until: DateTime<Utc>,
}

/// Flags cards from now on; a flag of the same kind and source that lives already lasts longer. How many are new.
///
/// # Errors
/// The database refuses or is gone.
pub async fn raise(tx: &mut ServiceTx, cards: &[CardId], raised: &Raised<'_>, now: DateTime<Utc>) -> Result<u64, StoreError> {
    // two that raise the same must see each other
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('public.event_flags'))").fetch_one(tx.db()).await?;
    let cards: Vec<&str> = cards.iter().map(CardId::as_str).collect();
    let written = sqlx::query!(
        "WITH prolonged AS (
            UPDATE event_flags SET expires_at = greatest(expires_at, $6), strength = greatest(strength, $4), note = coalesce($7, note)
            WHERE card_id = ANY($1) AND kind = $2 AND source = $3 AND started_at <= $5 AND expires_at > $5
            RETURNING card_id
        )
        INSERT INTO event_flags (card_id, kind, source, strength, started_at, expires_at, note)
        SELECT DISTINCT card_id, $2, $3, $4::numeric, $5::timestamptz, $6::timestamptz, $7 FROM unnest($1::text[]) AS told (card_id)
        WHERE card_id NOT IN (SELECT card_id FROM prolonged)",
        &cards as _,
        raised.kind.as_str(),
        raised.source,
        raised.strength,
        now,
        raised.until,
        raised.note,
    )
    .execute(tx.db())
    .await?;
    Ok(written.rows_affected())
}

/// Ends what is flagged of cards, of one kind or of all. How many were ended.
///
/// # Errors
/// The database refuses or is gone.
pub async fn end(tx: &mut ServiceTx, cards: &[CardId], kind: Option<EventKind>, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let cards: Vec<&str> = cards.iter().map(CardId::as_str).collect();
    let ended = sqlx::query!(
        "UPDATE event_flags SET expires_at = $3 WHERE card_id = ANY($1) AND ($2::text IS NULL OR kind = $2) AND started_at <= $3 AND expires_at > $3",
        &cards as _,
        kind.map(EventKind::as_str),
        now,
    )
    .execute(tx.db())
    .await?;
    Ok(ended.rows_affected())
}

/// A flag as the operator sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    pub card_id: String,
    pub name: Option<String>,
    pub kind: String,
    pub source: String,
    pub strength: Option<Decimal>,
    pub note: Option<String>,
    pub started_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

/// What is flagged at a moment, or ever was, the newest first.
///
/// # Errors
/// The database refuses or is gone.
pub async fn list(tx: &mut ServiceTx, now: DateTime<Utc>, ever: bool) -> Result<Vec<Shown>, StoreError> {
    Ok(sqlx::query_as!(
        Shown,
        r#"SELECT card_id, card.name AS "name?", kind, source, strength, note, started_at, expires_at
        FROM event_flags LEFT JOIN card_metadata AS card USING (card_id)
        WHERE $2 OR (started_at <= $1 AND expires_at > $1) ORDER BY started_at DESC, card_id COLLATE "C", kind, source"#,
        now,
        ever,
    )
    .fetch_all(tx.db())
    .await?)
}

/// The cards of a set, ascending.
///
/// # Errors
/// The database refuses or is gone, or holds an id that this program does not know.
pub async fn cards_of_set(tx: &mut ServiceTx, set: &str) -> Result<Vec<CardId>, StoreError> {
    let ids = sqlx::query_scalar!(r#"SELECT card_id FROM card_metadata WHERE set_code = $1 ORDER BY card_id COLLATE "C""#, set);
    ids.fetch_all(tx.db()).await?.iter().map(|id| card_id(id, "card_metadata")).collect()
}

/// One row: the card's id, and its flag.
type Row = (String, EventKind, DateTime<Utc>, DateTime<Utc>);

/// What is flagged at a moment, or all that ever was, ascending by card. A flag of a card that nobody knows is left out.
pub(super) async fn of_cards(
    tx: &mut ServiceTx,
    at: Option<DateTime<Utc>>,
    index: impl Fn(&str) -> Option<CardIndex>,
) -> Result<Vec<Flag>, StoreError> {
    let mut flags = Vec::new();
    for (card, kind, started_at, expires_at) in rows(tx, at).await? {
        flags.extend(index(&card).map(|card| Flag { card, kind, started_at, expires_at }));
    }
    flags.sort_unstable();
    Ok(flags)
}

async fn rows(tx: &mut ServiceTx, at: Option<DateTime<Utc>>) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query!(
        "SELECT card_id, kind, started_at, expires_at FROM event_flags WHERE $1::timestamptz IS NULL OR (started_at <= $1 AND expires_at > $1)",
        at
    );
    let rows = rows.fetch_all(tx.db()).await?;
    rows.into_iter().map(|row| Ok((row.card_id, member(&row.kind, TABLE)?, row.started_at, row.expires_at))).collect()
}

/// All that was ever flagged, of cards that stand in a list ascending by id.
pub(super) async fn ever(tx: &mut ServiceTx, cards: &[Card]) -> Result<Vec<Flag>, StoreError> {
    let index: HashMap<&str, CardIndex> = cards.iter().enumerate().map(|(place, card)| (card.card_id.as_str(), CardIndex(place))).collect();
    of_cards(tx, None, |card| index.get(card).copied()).await
}
