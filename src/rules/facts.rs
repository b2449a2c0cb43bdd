//! The input table: every fact that Rust hands to a rule pack, with type, unit, decimal places, range and stage.
//!
//! A value outside its range is a data fault, found before any rule runs. Places and ranges are also what lets a
//! pack be compiled to exact integer arithmetic.

use rust_decimal::Decimal;

use super::value::{Type, Value};
use crate::domain::{condition, market, money, profile};

/// What a fact depends on, from the widest to the narrowest: a fact's stage is the latest of those it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The pack and the date alone.
    Constant,
    Card,
    /// A route: a card, a direction and the two prices.
    Route,
    Tenant,
}

impl Stage {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Constant => "constant",
            Self::Card => "card",
            Self::Route => "route",
            Self::Tenant => "tenant",
        }
    }
}

/// One input fact.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    pub name: &'static str,
    pub domain: Domain,
    /// As [`super::units::Unit`] reads it.
    pub unit: &'static str,
    pub stage: Stage,
    pub doc: &'static str,
    pub example: &'static str,
}

/// The values that an input can take.
#[derive(Debug, Clone, Copy)]
pub enum Domain {
    /// Places kept, and the inclusive range in whole units.
    Decimal {
        places: u32,
        min: i64,
        max: i64,
    },
    Integer {
        min: i64,
        max: i64,
    },
    Bool,
    Enum(&'static [&'static str]),
    Text,
    Date,
}

impl Domain {
    pub const fn value_type(self) -> Type {
        match self {
            Self::Decimal { .. } => Type::Decimal,
            Self::Integer { .. } => Type::Integer,
            Self::Bool => Type::Bool,
            Self::Enum(_) | Self::Text => Type::Text,
            Self::Date => Type::Date,
        }
    }
}

const fn money_of(min: i64) -> Domain {
    Domain::Decimal { places: 2, min, max: 10_000_000 }
}

const MONEY: Domain = money_of(0);
/// Exchange rates: a home currency is worth between a millionth and a million of another.
const RATE: Domain = Domain::Decimal { places: money::RATE_PLACES, min: 0, max: 1_000_000 };
const SHARE: Domain = Domain::Decimal { places: 6, min: 0, max: 1 };
const SERIES_RATIO: Domain = Domain::Decimal { places: 6, min: 0, max: 10_000_000 };
const COUNT: Domain = Domain::Integer { min: 0, max: 1_000_000_000 };
const PRINTINGS: &[&str] = crate::domain::card::Printing::NAMES;
const EDITIONS: &[&str] = crate::domain::card::Edition::NAMES;
const LANGUAGES: &[&str] = crate::domain::card::Language::NAMES;
const KINDS: &[&str] = crate::domain::observation::PriceKind::NAMES;

macro_rules! inputs {
    ($($stage:ident { $($name:literal: $domain:expr, $unit:literal, $doc:literal, $example:literal;)* })*) => {
        /// Every input fact, by stage.
        pub const INPUTS: &[Input] = &[$($(Input {
            name: $name, domain: $domain, unit: $unit, stage: Stage::$stage, doc: $doc, example: $example,
        }),*),*];
    };
}

inputs! {
    Constant {
        "date": Domain::Date, "ratio", "the day that is decided for; parameters and tables are read as of it", "2026-07-15";
        "customs_regime": Domain::Text, "ratio", "the customs regime in force, chosen by customs/active.yaml", "world";
        "bundle_logic_enabled": Domain::Bool, "ratio", "ENABLE_BUNDLE_LOGIC: off means that every card is a single", "true";
    }
    Card {
        "card_id": Domain::Text, "ratio", "pokemontcg.io id", "sv1-25";
        "set_code": Domain::Text, "ratio", "pokemontcg.io set id", "sv1";
        "set_age_days": Domain::Integer { min: -36_500, max: 36_500 }, "days", "whole days since the set's release; negative before it, unknown without a date", "120";
        "card_category": Domain::Enum(profile::Category::NAMES), "ratio", "what kind of collector's item it is; unknown where it is of no kind that tenants choose by", "vintage";
        "reprint_rumored": Domain::Bool, "ratio", "a reprint of this card or its set is rumoured", "false";
        "regulation_mark": Domain::Text, "ratio", "upper-case letter; unknown on cards that carry none", "H";
        "standard_legality": Domain::Text, "ratio", "Legal or Banned as the metadata says, or Banned where a ban is flagged; unknown if nobody says anything", "Legal";
        "event_live": Domain::Bool, "ratio", "a tournament, a burst of talk, a ban or another event is moving this card", "false";
    }
    Route {
        "direction": Domain::Enum(market::Direction::NAMES), "ratio", "eu_us buys on Cardmarket, us_eu on TCGplayer", "eu_us";
        "buy_market": Domain::Enum(market::Market::NAMES), "ratio", "where the card is bought", "cardmarket";
        "sell_market": Domain::Enum(market::Market::NAMES), "ratio", "where it is sold", "tcgplayer";
        "origin": Domain::Enum(market::Zone::NAMES), "ratio", "customs zone that the purchase is sent from", "EU";
        "buy_card_id": Domain::Text, "ratio", "card that the buy side's own id resolves to; unknown if it resolves to none", "sv1-25";
        "sell_card_id": Domain::Text, "ratio", "card that the sell side's own id resolves to; unknown if it resolves to none", "sv1-25";
        "buy_id_claims": COUNT, "count", "how many cards claim the buy side's product id; 1 is sane", "1";
        "sell_id_claims": COUNT, "count", "how many cards claim the sell side's product id; 1 is sane", "1";
        "id_verified": Domain::Bool, "ratio", "false where the crosswalk itself calls its match doubtful", "true";
        "buy_printing": Domain::Enum(PRINTINGS), "ratio", "printing of the buy price, resolved against the sell side; unknown if ambiguous", "holofoil";
        "sell_printing": Domain::Enum(PRINTINGS), "ratio", "printing of the sell price", "holofoil";
        "buy_edition": Domain::Enum(EDITIONS), "ratio", "print run of the buy price", "standard";
        "sell_edition": Domain::Enum(EDITIONS), "ratio", "print run of the sell price", "standard";
        "buy_language": Domain::Enum(LANGUAGES), "ratio", "language of the bought card", "en";
        "sell_language": Domain::Enum(LANGUAGES), "ratio", "language of the sold card", "en";
        "buy_source": Domain::Text, "ratio", "feed that told the buy price", "cardmarket_price_guide";
        "sell_source": Domain::Text, "ratio", "feed that told the sell price", "tcgcsv";
        "buy_price_kind": Domain::Enum(KINDS), "ratio", "what the buy price stands for", "trend";
        "condition_scale": Domain::Enum(condition::Scale::NAMES), "ratio", "vocabulary of the condition", "cardmarket";
        "condition": Domain::Enum(condition::Grade::NAMES), "ratio", "grade of the bought copy; near mint for aggregate prices, unknown for a listing without one", "NM";
        "buy_price": MONEY, "buy", "price to pay on the buy market, without postage", "40.00";
        "buy_shipping": MONEY, "buy", "postage that the listing asks; unknown for aggregate prices", "1.49";
        "buy_low": MONEY, "buy", "lowest offer that the feed knows", "36.50";
        "sell_price": MONEY, "sell", "near-mint price on the sell market", "100.00";
        "sell_price_lp": MONEY, "sell", "the sell market's own lightly-played price, if it gives one", "85.00";
        "sell_price_mp": MONEY, "sell", "the sell market's own moderately-played price, if it gives one", "75.00";
        "sell_price_hp": MONEY, "sell", "the sell market's own heavily-played price, if it gives one", "60.00";
        "sell_low": MONEY, "sell", "lowest offer on the sell market", "92.00";
        "buy_age_hours": Domain::Decimal { places: 4, min: 0, max: 1_000_000 }, "hours", "age of the buy price by its source's own clock", "3.5";
        "sell_age_hours": Domain::Decimal { places: 4, min: 0, max: 1_000_000 }, "hours", "age of the sell price by its source's own clock", "4";
        "seller_known": Domain::Bool, "ratio", "the buy price is one seller's offer, not an aggregate", "false";
        "seller_id": Domain::Text, "ratio", "the seller, if known", "alice-cards";
        "seller_rating": Domain::Decimal { places: 2, min: 0, max: 100 }, "percent", "the seller's rating", "99.1";
        "seller_sales": COUNT, "count", "the seller's lifetime sales", "2500";
        "sales_30d": COUNT, "count", "copies sold in 30 days on the sell side, if a source counts them", "30";
        "active_listings": COUNT, "count", "copies on offer on the sell side, if a source counts them", "25";
        "sell_price_changes_30d": COUNT, "count", "how often the sell price moved in 30 days: a proxy of sales where nobody counts them", "9";
        "sell_points_30d": COUNT, "count", "priced observations of the sell side in 30 days", "30";
        "sell_daily_change_7d": Domain::Decimal { places: 6, min: -1_000, max: 1_000 }, "ratio", "seven-day regression slope over the mean price, per day; unknown for fewer than two prices", "-0.012";
        "sell_trend_points": COUNT, "count", "priced observations that the slope rests on", "7";
        "sell_trend_hours": Domain::Decimal { places: 4, min: 0, max: 1_000_000 }, "hours", "time between the first and the last of them", "144";
        "buy_jump_ratio": SERIES_RATIO, "ratio", "buy price over the median of its own history; unknown without history", "1.04";
        "sell_jump_ratio": SERIES_RATIO, "ratio", "sell price over the median of its own history; unknown without history", "0.98";
        "buy_days_unchanged": COUNT, "days", "whole days since the buy price last moved", "1";
        "sell_days_unchanged": COUNT, "days", "whole days since the sell price last moved", "1";
        "buy_cross_source_ratio": SERIES_RATIO, "ratio", "buy price over another fresh source's price of the same market; unknown with one source", "1.01";
        "sell_cross_source_ratio": SERIES_RATIO, "ratio", "sell price over another fresh source's price of the same market; unknown with one source", "1.00";
        "buy_feed_jump_share": SHARE, "ratio", "share of the feed's cards that jumped in the same batch; unknown for a feed without history", "0.004";
        "sell_feed_jump_share": SHARE, "ratio", "share of the feed's cards that jumped in the same batch; unknown for a feed without history", "0.002";
        "buy_feed_frozen_share": SHARE, "ratio", "share of the feed's cards whose price has not moved for days; unknown for a feed without history", "0.31";
        "sell_feed_frozen_share": SHARE, "ratio", "share of the feed's cards whose price has not moved for days; unknown for a feed without history", "0.12";
    }
    Tenant {
        "tenant_country": Domain::Text, "ratio", "ISO 3166 code of the tenant's country", "US";
        "destination": Domain::Enum(market::Zone::NAMES), "ratio", "customs zone that the tenant's own address is in", "US";
        "home_currency": Domain::Enum(&["EUR", "USD", "GBP"]), "ratio", "the tenant's account currency", "USD";
        "buy_rate": RATE, "home/buy", "market rate: home currency for one unit of the buy currency", "1.08";
        "sell_rate": RATE, "home/sell", "market rate: home currency for one unit of the sell currency", "1";
        "cost_rate": RATE, "home/buy", "what one unit of the buy currency costs, the safety buffer inside", "1.1016";
        "proceeds_rate": RATE, "home/sell", "what one unit of the sell currency brings, the safety buffer inside", "1";
        "rate_eur": RATE, "ratio", "market rate: home currency for one euro; converts YAML money", "1.08";
        "rate_usd": RATE, "ratio", "market rate: home currency for one US dollar; converts YAML money", "1";
        "rate_gbp": RATE, "ratio", "market rate: home currency for one pound; converts YAML money", "1.27";
        "forex_buffer": Domain::Decimal { places: 4, min: 0, max: 1 }, "ratio", "safety margin on every conversion", "0.02";
        "seller_level": Domain::Text, "ratio", "the tenant's level on the sell market", "level_1";
        "vat_registered": Domain::Bool, "ratio", "import VAT is recovered, so it is no cost", "false";
        "import_duty_rate": Domain::Decimal { places: 4, min: 0, max: 1 }, "ratio", "the tenant's own ad-valorem duty rate, if set", "0.025";
        "use_forwarder": Domain::Bool, "ratio", "an address in the origin zone receives and re-ships", "true";
        "forwarder_receiving_fee": MONEY, "home", "forwarder's fee per package; unknown without a forwarder", "3.50";
        "forwarder_consolidation_fee": MONEY, "home", "forwarder's fee per box; unknown without a forwarder", "7.50";
        "forwarder_outbound": MONEY, "home", "postage of a box from the forwarder to the tenant; unknown without a forwarder", "12.00";
        "insurance_rate": Domain::Decimal { places: 4, min: 0, max: 1 }, "ratio", "premium on the declared value; unknown if the tenant set none", "0.025";
        "direction_wanted": Domain::Bool, "ratio", "the tenant trades in this direction", "true";
        "set_excluded": Domain::Bool, "ratio", "the tenant excluded the set or hides the card", "false";
        "category_wanted": Domain::Bool, "ratio", "the card is in a category that the tenant asked for", "true";
        "investment_wanted": Domain::Bool, "ratio", "the tenant takes slow sellers as investments", "false";
        "condition_floor": Domain::Enum(&["MT", "NM", "EXC", "GD", "LP", "PL"]), "ratio", "worst Cardmarket grade that the tenant buys; unknown if unset", "EXC";
        "min_profit_threshold": money_of(-10_000_000), "home", "the tenant's own profit floor; unknown if unset", "5.00";
        "min_headache_score": Domain::Decimal { places: 2, min: -1_000_000, max: 1_000_000 }, "home", "the tenant's own floor of profit per sale; unknown if unset", "5";
        "min_seller_rating": Domain::Decimal { places: 2, min: 0, max: 100 }, "percent", "the tenant's own floor of seller rating; unknown if unset", "97.0";
        "min_seller_sales": COUNT, "count", "the tenant's own floor of lifetime sales; unknown if unset", "100";
        "min_score": Domain::Decimal { places: 4, min: 0, max: 1_000_000 }, "ratio", "the tenant's own floor of the composite score; unknown if unset", "0.05";
    }
}

/// The input of that name.
pub fn input(name: &str) -> Option<&'static Input> {
    INPUTS.iter().find(|input| input.name == name)
}

impl Input {
    /// Checks a value against the declared type, places and range.
    ///
    /// # Errors
    /// What is wrong with it, fit to be shown to whoever delivered the data.
    pub fn admit(&self, value: &Value) -> Result<(), OutsideDomain> {
        let refuse = |expected: String| Err(OutsideDomain { name: self.name, value: value.to_string(), expected });
        match (self.domain, value) {
            (_, Value::Unknown) | (Domain::Bool, Value::Bool(_)) | (Domain::Text, Value::Text(_)) | (Domain::Date, Value::Date(_)) => {
                Ok(())
            }
            (Domain::Decimal { places, min, max }, Value::Decimal(number)) => {
                if number.normalize().scale() > places {
                    return refuse(format!("at most {places} decimal places"));
                }
                if *number < Decimal::from(min) || *number > Decimal::from(max) {
                    return refuse(format!("a number from {min} to {max}"));
                }
                Ok(())
            }
            (Domain::Integer { min, max }, Value::Integer(number)) if *number >= min && *number <= max => Ok(()),
            (Domain::Integer { min, max }, _) => refuse(format!("a whole number from {min} to {max}")),
            (Domain::Enum(members), Value::Text(text)) if members.contains(&text.as_str()) => Ok(()),
            (Domain::Enum(members), _) => refuse(format!("one of {}", members.join(", "))),
            (domain, _) => refuse(format!("a {}", domain.value_type())),
        }
    }
}

/// An input value that its declaration does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}: expected {expected}")]
pub struct OutsideDomain {
    pub name: &'static str,
    pub value: String,
    pub expected: String,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::rules::units::Unit;

    #[test]
    fn every_example_is_admitted_by_its_own_declaration() {
        for input in INPUTS {
            let value = Value::parse(input.domain.value_type(), input.example).unwrap();
            assert_eq!(input.admit(&value), Ok(()), "{}", input.name);
            assert!(input.unit.parse::<Unit>().is_ok(), "{}", input.name);
        }
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = INPUTS.iter().map(|input| input.name).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before);
    }

    #[test]
    fn a_value_outside_its_range_is_named() {
        let error = input("buy_price").unwrap().admit(&Value::Decimal("-1".parse().unwrap())).unwrap_err();
        assert_eq!(error.to_string(), "buy_price is -1: expected a number from 0 to 10000000");
        let error = input("buy_price").unwrap().admit(&Value::Decimal("1.005".parse().unwrap())).unwrap_err();
        assert_eq!(error.to_string(), "buy_price is 1.005: expected at most 2 decimal places");
    }
}
