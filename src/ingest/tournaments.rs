//! Takes in tournaments: each is counted once, and one that has just been held makes cards sought-after.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::{
    domain::{
        card::CardId,
        deck::{Deck, DeckCard, Tournament},
        event::EventKind,
    },
    events::{
        synergy::Synergy,
        tournament::{Placed, played, targets},
    },
    store::{
        ServiceTx, StoreError, Written,
        event_flags::{self, Raised},
        tournaments,
        wishes::{self, Which},
    },
};

/// What was held before makes nobody buy now.
const NEWS: TimeDelta = TimeDelta::days(7);
/// Smaller ones say little about what others will play.
const PLAYERS: u32 = 32;
/// Names of each kind that are flagged.
const FLAGGED: usize = 10;
const LASTS: TimeDelta = TimeDelta::days(3);

/// Counts tournaments that were not counted before, and flags what the news among them make sought-after.
///
/// # Errors
/// The database refuses or is gone; the transaction is of no use then.
pub async fn write(tx: &mut ServiceTx, told: &[Tournament], now: DateTime<Utc>) -> Result<Written, StoreError> {
    let mut written = Written::default();
    let mut synergy = Synergy::default();
    for tournament in told {
        if !tournaments::note(tx, tournament, now).await? {
            written.unchanged += 1;
            continue;
        }
        written.new += 1;
        for deck in &tournament.decks {
            synergy.add(deck.cards.iter().map(|card| card.name.as_str()), deck.copies);
        }
        let held_at = tournament.held_on.and_time(chrono::NaiveTime::MIN).and_utc();
        if held_at > now - NEWS && tournament.players.is_some_and(|players| players >= PLAYERS) {
            flag(tx, tournament, now).await?;
        }
    }
    let pairs: Vec<_> = synergy.pairs().collect();
    tournaments::add_pairs(tx, &pairs, now).await?;
    Ok(written)
}

/// Flags what the first eight play and what is played with that, and wishes for the pages of all of it.
async fn flag(tx: &mut ServiceTx, tournament: &Tournament, now: DateTime<Utc>) -> Result<(), StoreError> {
    let result = |deck: &Deck| Placed { placing: deck.placing, deck: deck.cards.iter().map(|card| card.name.clone()).collect() };
    let results: Vec<Placed> = tournament.decks.iter().map(result).collect();
    let (played, targets) = (played(&results), targets(&results));
    let top: BTreeSet<&str> = played.iter().map(|(name, _)| name.as_str()).take(FLAGGED).collect();
    let partners = targets.iter().filter(|(name, _)| !top.contains(name.as_str()));
    let wanted: BTreeSet<&str> = targets.iter().map(|(name, _)| name.as_str()).chain(top.iter().copied()).collect();
    let prints: BTreeSet<&DeckCard> =
        tournament.decks.iter().flat_map(|deck| &deck.cards).filter(|card| wanted.contains(card.name.as_str())).collect();
    let prints: Vec<DeckCard> = prints.into_iter().cloned().collect();
    let cards = tournaments::resolve(tx, &prints).await?;
    for (name, decks) in played.iter().take(FLAGGED) {
        raise(tx, tournament, EventKind::Tournament, (name, *decks), &cards, now).await?;
    }
    for (name, decks) in partners.take(FLAGGED) {
        raise(tx, tournament, EventKind::Synergy, (name, *decks), &cards, now).await?;
    }
    let ranked = targets.iter().filter_map(|(name, _)| cards.get(name)).flatten().cloned();
    wishes::ask(tx, &tournament.id, &ranked.collect::<Vec<_>>(), Which::All, now).await?;
    Ok(())
}

async fn raise(
    tx: &mut ServiceTx,
    tournament: &Tournament,
    kind: EventKind,
    (name, decks): (&str, u32),
    cards: &BTreeMap<String, Vec<CardId>>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(cards) = cards.get(name) else { return Ok(()) };
    let note = format!("{name}: in {decks} decks of {}", tournament.name);
    let raised = Raised { kind, source: &tournament.id, strength: Some(Decimal::from(decks)), note: Some(&note), until: now + LASTS };
    event_flags::raise(tx, cards, &raised, now).await?;
    Ok(())
}
