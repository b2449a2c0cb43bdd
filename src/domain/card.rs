//! What a card is: its id, and the printing, language and edition that make it a variant with a price of its own.

use std::{fmt, str::FromStr, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::market::closed_set;

/// The pokemontcg.io id, `{set}-{number}`: `sv1-25`, `swsh12pt5gg-GG01`. Compared byte-exact after trimming.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CardId(Arc<str>);

impl CardId {
    /// Trims; an id has at most 64 visible ASCII characters.
    ///
    /// # Errors
    /// An empty id, or one with blanks, control or non-ASCII characters.
    pub fn new(text: &str) -> Result<Self, BadCardId> {
        let text = text.trim();
        if text.is_empty() || text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(BadCardId(text.chars().take(80).collect()));
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that cannot be a card id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a card id: expected something like sv1-25")]
pub struct BadCardId(pub String);

closed_set! {
    /// How the card is printed. The same id has a price for each.
    Printing, "printing" {
        Normal = "normal",
        Holofoil = "holofoil",
        ReverseHolofoil = "reverse_holofoil",
        /// The source does not say which of normal and holofoil it means (Cardmarket's guide); never reverse.
        Plain = "plain",
    }
}

closed_set! {
    /// The print run, where a set has several.
    Edition, "edition" {
        Standard = "standard",
        First = "first",
        Unlimited = "unlimited",
    }
}

closed_set! {
    /// The language that is printed on the card.
    Language, "language" {
        English = "en",
        Japanese = "ja",
        German = "de",
        French = "fr",
        Italian = "it",
        Spanish = "es",
        Portuguese = "pt",
        Korean = "ko",
        Chinese = "zh",
    }
}

/// Printing, language and edition of a priced thing, whatever card or product it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Finish {
    pub printing: Printing,
    pub edition: Edition,
    pub language: Language,
}

impl Finish {
    /// An English card of the ordinary run.
    pub const fn english(printing: Printing) -> Self {
        Self { printing, edition: Edition::Standard, language: Language::English }
    }

    /// Reads TCGplayer's `subTypeName` (`Reverse Holofoil`, `1st Edition Holofoil`) and pokemontcg.io's price key
    /// (`reverseHolofoil`, `1stEditionHolofoil`).
    ///
    /// # Errors
    /// A name that neither vendor uses.
    pub fn parse_vendor(name: &str) -> Result<Self, UnknownFinish> {
        let compact: String = name.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect();
        let (edition, rest) = match compact.as_str() {
            text if text.starts_with("1stedition") => (Edition::First, &text["1stedition".len()..]),
            text if text.starts_with("unlimited") => (Edition::Unlimited, &text["unlimited".len()..]),
            text => (Edition::Standard, text),
        };
        let printing = match (rest, edition) {
            ("normal", _) | ("", Edition::First | Edition::Unlimited) => Printing::Normal,
            ("holofoil", _) => Printing::Holofoil,
            ("reverseholofoil", Edition::Standard) => Printing::ReverseHolofoil,
            _ => return Err(UnknownFinish(name.to_owned())),
        };
        Ok(Self { printing, edition, language: Language::English })
    }
}

/// A printing name that no vendor uses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown printing \"{0}\"")]
pub struct UnknownFinish(pub String);

/// A card in one finish: the thing that is bought and sold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Variant {
    pub card_id: CardId,
    #[serde(flatten)]
    pub finish: Finish,
}

/// A set's metadata, as pokemontcg.io describes it. A missing field is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardSet {
    /// The pokemontcg.io id: `sv3pt5`.
    pub set_code: String,
    pub name: String,
    pub series: Option<String>,
    /// The number printed behind the slash on the cards.
    pub printed_total: Option<i32>,
    /// With the secret cards.
    pub total: Option<i32>,
    /// What decklists call the set; a main set and its gallery share it.
    pub ptcgo_code: Option<String>,
    pub release_date: Option<NaiveDate>,
    /// When the vendor last changed its description: of two descriptions the later one holds.
    pub updated_at: Option<DateTime<Utc>>,
}

/// A card's metadata, as pokemontcg.io describes it. A missing field is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    pub card_id: CardId,
    pub name: String,
    pub set_code: String,
    pub set_name: Option<String>,
    pub card_number: Option<String>,
    pub rarity: Option<String>,
    pub supertype: Option<String>,
    /// Upper-case letter.
    pub regulation_mark: Option<String>,
    pub set_release_date: Option<NaiveDate>,
    pub legality_standard: Option<String>,
    pub legality_expanded: Option<String>,
    pub tcgplayer_url: Option<String>,
    pub cardmarket_url: Option<String>,
    pub image_url: Option<String>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn both_vendors_names_give_one_finish() {
        for name in ["Reverse Holofoil", "reverseHolofoil"] {
            assert_eq!(Finish::parse_vendor(name).unwrap(), Finish::english(Printing::ReverseHolofoil));
        }
        for name in ["1st Edition Holofoil", "1stEditionHolofoil"] {
            let finish = Finish::parse_vendor(name).unwrap();
            assert_eq!((finish.printing, finish.edition), (Printing::Holofoil, Edition::First));
        }
        assert_eq!(Finish::parse_vendor("1st Edition").unwrap().printing, Printing::Normal);
        assert!(Finish::parse_vendor("Gold Star").is_err());
    }

    #[test]
    fn an_id_is_trimmed_and_its_case_kept() {
        assert_eq!(CardId::new(" SV1-25 ").unwrap().as_str(), "SV1-25");
        assert!(CardId::new("sv1\u{2011}25").is_err());
        assert!(CardId::new("").is_err());
    }
}
