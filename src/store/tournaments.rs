//! Tournaments, each counted once, and which cards their decks play together.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{ServiceTx, StoreError, book::card_id};
use crate::domain::{
    card::CardId,
    deck::{DeckCard, Tournament},
};

/// Pairs of one statement.
const CHUNK: usize = 20_000;
/// Sets of promos that the game's client calls otherwise than pokemontcg.io does.
const ALIASES: [(&str, &str); 2] = [("SVP", "PR-SV"), ("SP", "PR-SW")];

/// Notes a tournament; false where it was counted before.
///
/// # Errors
/// The database refuses or is gone.
pub async fn note(tx: &mut ServiceTx, tournament: &Tournament, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let noted = sqlx::query!(
        "INSERT INTO tournaments (tournament_id, name, held_on, decks, processed_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        tournament.id,
        tournament.name,
        tournament.held_on,
        i32::try_from(tournament.decks.len()).unwrap_or(i32::MAX),
        now,
    );
    Ok(noted.execute(tx.db()).await?.rows_affected() > 0)
}

/// Adds decks to those that hold both cards of each pair, the smaller name first.
///
/// # Errors
/// The database refuses or is gone.
pub async fn add_pairs(tx: &mut ServiceTx, pairs: &[(&str, &str, u32)], now: DateTime<Utc>) -> Result<(), StoreError> {
    for pairs in pairs.chunks(CHUNK) {
        let column = |read: fn(&(&str, &str, u32)) -> String| pairs.iter().map(read).collect::<Vec<_>>();
        let counts: Vec<i32> = pairs.iter().map(|(_, _, count)| i32::try_from(*count).unwrap_or(i32::MAX)).collect();
        sqlx::query!(
            "INSERT INTO synergy_cooccurrence AS known (card_a, card_b, count, last_updated)
            SELECT card_a, card_b, decks, $4 FROM unnest($1::text[], $2::text[], $3::integer[]) AS told (card_a, card_b, decks)
            ON CONFLICT (card_a, card_b) DO UPDATE SET count = known.count + excluded.count, last_updated = excluded.last_updated",
            &column(|pair| pair.0.to_owned()),
            &column(|pair| pair.1.to_owned()),
            &counts,
            now,
        )
        .execute(tx.db())
        .await?;
    }
    Ok(())
}

/// A card that is played together with another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Partner {
    pub name: String,
    pub decks: i32,
}

/// With whom a card is played most; equals in the order of their names.
///
/// # Errors
/// The database refuses or is gone.
pub async fn partners(tx: &mut ServiceTx, name: &str, most: i64) -> Result<Vec<Partner>, StoreError> {
    Ok(sqlx::query_as!(
        Partner,
        r#"SELECT CASE WHEN card_a = $1 THEN card_b ELSE card_a END AS "name!", count AS decks FROM synergy_cooccurrence
        WHERE card_a = $1 OR card_b = $1 ORDER BY count DESC, CASE WHEN card_a = $1 THEN card_b ELSE card_a END COLLATE "C" LIMIT $2"#,
        name,
        most
    )
    .fetch_all(tx.db())
    .await?)
}

/// Which cards these are: by set and number where the catalogue has them, else every print of the name.
///
/// # Errors
/// The database refuses or is gone, or holds an id that this program does not know.
pub async fn resolve(tx: &mut ServiceTx, cards: &[DeckCard]) -> Result<BTreeMap<String, Vec<CardId>>, StoreError> {
    let code = |set: &str| ALIASES.iter().find(|(theirs, _)| *theirs == set).map_or(set, |(_, ours)| ours).to_owned();
    let column = |read: fn(&DeckCard) -> &str| cards.iter().map(|card| read(card).to_owned()).collect::<Vec<_>>();
    let codes: Vec<String> = cards.iter().map(|card| code(&card.set)).collect();
    let rows = sqlx::query!(
        r#"SELECT DISTINCT asked.name AS "name!", card.card_id AS "card_id!", card.name = asked.name AND card_set.set_code IS NOT NULL AND card.card_number = asked.number AS "is_exact!"
        FROM unnest($1::text[], $2::text[], $3::text[]) AS asked (name, ptcgo_code, number)
        JOIN card_metadata AS card ON card.name = asked.name
        LEFT JOIN card_sets AS card_set ON card_set.set_code = card.set_code AND card_set.ptcgo_code = asked.ptcgo_code"#,
        &column(|card| &card.name),
        &codes,
        &column(|card| &card.number),
    )
    .fetch_all(tx.db())
    .await?;
    let exact: BTreeSet<&str> = rows.iter().filter(|row| row.is_exact).map(|row| row.name.as_str()).collect();
    let mut found: BTreeMap<String, Vec<CardId>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_exact || !exact.contains(row.name.as_str())) {
        found.entry(row.name.clone()).or_default().push(card_id(&row.card_id, "card_metadata")?);
    }
    Ok(found)
}
