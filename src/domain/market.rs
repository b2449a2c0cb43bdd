//! Where a card is bought and sold, in which currency and customs zone, and in which direction.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::money::Currency;

/// Declares a closed set whose members have one text form, for JSON, SQL, rules and the command line.
macro_rules! closed_set {
    ($(#[$meta:meta])* $name:ident, $what:literal { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_meta])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The text form of every member, in declaration order.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = $crate::domain::market::UnknownMember;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($text => Ok(Self::$variant),)+
                    _ => Err($crate::domain::market::UnknownMember { what: $what, text: text.to_owned(), known: Self::NAMES }) }
            }
        }
    };
}
pub(crate) use closed_set;

/// A text that is not a member of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} \"{text}\": use one of {}", known.join(", "))]
pub struct UnknownMember {
    pub what: &'static str,
    pub text: String,
    pub known: &'static [&'static str],
}

closed_set! {
    /// A marketplace with listings of its own.
    Market, "market" {
        Cardmarket = "cardmarket",
        Tcgplayer = "tcgplayer",
        Ebay = "ebay",
    }
}

impl Market {
    /// As it calls itself.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Cardmarket => "Cardmarket",
            Self::Tcgplayer => "TCGplayer",
            Self::Ebay => "eBay",
        }
    }

    /// The currency of its prices.
    pub const fn currency(self) -> Currency {
        match self {
            Self::Cardmarket => Currency::Eur,
            Self::Tcgplayer | Self::Ebay => Currency::Usd,
        }
    }

    /// Where its goods are sent from.
    pub const fn zone(self) -> Zone {
        match self {
            Self::Cardmarket => Zone::Eu,
            Self::Tcgplayer | Self::Ebay => Zone::Us,
        }
    }
}

closed_set! {
    /// A customs territory, as far as the shipped lanes tell them apart.
    Zone, "zone" {
        Eu = "EU",
        Us = "US",
        Uk = "UK",
        Sea = "SEA",
        Other = "OTHER",
    }
}

/// ISO 3166 codes of the European Union's customs territory.
const EU: [&str; 27] = [
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT",
    "RO", "SK", "SI", "ES", "SE",
];
/// South-East Asia.
const SEA: [&str; 11] = ["BN", "KH", "ID", "LA", "MY", "MM", "PH", "SG", "TH", "TL", "VN"];

impl Zone {
    /// The zone of an ISO 3166 alpha-2 country, upper-case.
    pub fn of_country(country: &str) -> Self {
        match country {
            "US" => Self::Us,
            "GB" => Self::Uk,
            code if EU.contains(&code) => Self::Eu,
            code if SEA.contains(&code) => Self::Sea,
            _ => Self::Other,
        }
    }
}

closed_set! {
    /// Which side of the Atlantic is bought.
    Direction, "direction" {
        EuUs = "eu_us",
        UsEu = "us_eu",
    }
}

impl Direction {
    pub const fn buy_market(self) -> Market {
        match self {
            Self::EuUs => Market::Cardmarket,
            Self::UsEu => Market::Tcgplayer,
        }
    }

    pub const fn sell_market(self) -> Market {
        match self {
            Self::EuUs => Market::Tcgplayer,
            Self::UsEu => Market::Cardmarket,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_belongs_to_one_zone() {
        assert_eq!(Zone::of_country("DE"), Zone::Eu);
        assert_eq!(Zone::of_country("GB"), Zone::Uk);
        assert_eq!(Zone::of_country("SG"), Zone::Sea);
        assert_eq!(Zone::of_country("JP"), Zone::Other);
    }

    #[test]
    fn an_unknown_market_error_lists_the_known_ones() {
        let error = "cardmarkt".parse::<Market>().map_err(|error| error.to_string());
        assert_eq!(error, Err("unknown market \"cardmarkt\": use one of cardmarket, tcgplayer, ebay".into()));
    }
}
