//! A marketplace's own products, and which card each of them is.

use serde::{Deserialize, Serialize};

use super::{card::CardId, market::Market};

/// TCGCSV's daily prices of TCGplayer.
pub const TCGCSV: &str = "tcgcsv";
/// Cardmarket's public price guide.
pub const CARDMARKET_GUIDE: &str = "cardmarket_price_guide";
/// The feeds that price a product of their market, not a card. Where a file names only the card, the price belongs to the
/// product as soon as exactly one is known, so that the same observation from two files is one.
pub const PRODUCT_KEYED: [&str; 2] = [TCGCSV, CARDMARKET_GUIDE];

/// One line of a crosswalk: this product of that market is this card.
///
/// A crosswalk is somebody's judgement, so it says how it was reached; rules may distrust a method.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CardProduct {
    pub market: Market,
    /// The market's own number, without leading blanks.
    pub external_id: String,
    pub card_id: CardId,
    /// `unique`, `order-by-number`, `ordered`; a pair that its own crosswalk doubts ends in [`SUSPICIOUS`].
    pub method: String,
    /// The kind of file or feed that said so.
    pub source: String,
}

/// What a doubted pair's method ends in.
pub const SUSPICIOUS: &str = " (order off)";

impl CardProduct {
    /// Whether the crosswalk itself marks the pair as out of order.
    pub fn is_suspicious(&self) -> bool {
        self.method.ends_with(SUSPICIOUS)
    }
}

/// One line of a market's product list. It names the thing, but not the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    pub market: Market,
    pub id: String,
    pub name: String,
    /// `Pokémon Booster`, `Pokémon Single`.
    pub category: String,
    /// The market's number of the expansion.
    pub expansion_id: Option<String>,
    /// Cards of one name and text share it.
    pub metacard_id: Option<String>,
}
