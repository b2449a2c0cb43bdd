//! Tournaments: who came in where, with which deck.

use chrono::NaiveDate;

/// A tournament that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tournament {
    /// Says whose number it is, such as `limitless:63e931d1`.
    pub id: String,
    pub name: String,
    pub held_on: NaiveDate,
    /// Players, where somebody says.
    pub players: Option<u32>,
    pub decks: Vec<Deck>,
}

/// A deck that was played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deck {
    /// Nothing where nobody says.
    pub placing: Option<u32>,
    /// So many players played just this one.
    pub copies: u32,
    /// Each card once; no basic energy, which is in every deck and is no news.
    pub cards: Vec<DeckCard>,
}

/// A card of a deck.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeckCard {
    pub name: String,
    /// Set and number as the game's own client writes them, such as TWM 95.
    pub set: String,
    pub number: String,
}
