//! A tenant and its settings. Every setting may be left to the preset, the operator or the rules.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Datelike, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    card::Card,
    condition::Grade,
    market::{Direction, Market, Zone, closed_set},
    money::Currency,
};

mod country;
mod field;
mod hours;
mod listed;
mod preset;
mod resolve;

pub(super) use self::preset::quoted;
pub use self::{
    country::{BadCountry, Country},
    field::{BadValue, Field},
    hours::{BadHours, QuietHours, TimeOfDay, TimeZone},
    listed::Listed,
    preset::{Preset, PresetError, Presets},
    resolve::{Defaults, Forwarder, Origin, Profile, Setting},
};

/// A reseller, in every table and log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TenantId(pub Uuid);

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

closed_set! {
    /// The plan that a tenant pays for.
    Tier, "tier" {
        Free = "free",
        Trader = "trader",
        Pro = "pro",
        Shop = "shop",
    }
}

impl Tier {
    /// A plan by its name or one of its former names, in any case.
    pub fn named(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "premium" => Some(Self::Pro),
            "standard" => Some(Self::Trader),
            name => name.parse().ok(),
        }
    }

    /// As [`Tier::named`]; who pays for nothing that we know has the free plan.
    pub fn or_free(text: &str) -> Self {
        Self::named(text).unwrap_or(Self::Free)
    }
}

closed_set! {
    /// What a tenant likes to trade in.
    Category, "card category" {
        Vintage = "vintage",
        ModernCompetitive = "modern_competitive",
        Japanese = "japanese",
        Sealed = "sealed",
    }
}

impl Category {
    /// The category that a single card belongs to. Sealed products are no cards.
    ///
    /// Vintage are the sets that Wizards of the Coast published, the last of them in early 2003.
    pub fn of(card: &Card) -> Option<Self> {
        const LAST_VINTAGE_YEAR: i32 = 2003;
        if card.set_release_date.is_some_and(|release| release.year() <= LAST_VINTAGE_YEAR) {
            return Some(Self::Vintage);
        }
        (card.legality_standard.as_deref() == Some("Legal")).then_some(Self::ModernCompetitive)
    }
}

closed_set! {
    /// Which way a tenant trades.
    Directions, "direction" {
        EuUs = "eu_us",
        UsEu = "us_eu",
        Both = "both",
    }
}

impl Directions {
    pub const fn includes(self, direction: Direction) -> bool {
        matches!((self, direction), (Self::Both, _) | (Self::EuUs, Direction::EuUs) | (Self::UsEu, Direction::UsEu))
    }
}

/// A forwarder's terms, as far as someone has stated them. A forwarder is an address in a zone that receives for the
/// tenant, boxes and sends on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwarderTerms {
    /// For one received package.
    #[serde(default, with = "preset::quoted", skip_serializing_if = "Option::is_none")]
    pub receiving_fee: Option<Decimal>,
    /// For one box that is sent on.
    #[serde(default, with = "preset::quoted", skip_serializing_if = "Option::is_none")]
    pub consolidation_fee: Option<Decimal>,
    /// Postage of the box from the forwarder to the tenant.
    #[serde(default, with = "preset::quoted", skip_serializing_if = "Option::is_none")]
    pub outbound: Option<Decimal>,
    /// The currency of these three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
}

/// The zones where a tenant can have goods received by someone else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forwarders {
    #[serde(default, rename = "EU", skip_serializing_if = "Option::is_none")]
    pub eu: Option<ForwarderTerms>,
    #[serde(default, rename = "US", skip_serializing_if = "Option::is_none")]
    pub us: Option<ForwarderTerms>,
}

impl Forwarders {
    pub fn in_zone(&self, zone: Zone) -> Option<&ForwarderTerms> {
        match zone {
            Zone::Eu => self.eu.as_ref(),
            Zone::Us => self.us.as_ref(),
            Zone::Uk | Zone::Sea | Zone::Other => None,
        }
    }
}

/// What one level, a tenant or a preset, says about a reseller. `None` leaves it to the next level.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The account's currency: thresholds and results are in it.
    pub currency: Option<Currency>,
    /// A level of a fee schedule, such as `tcgplayer_level_2` or `cardmarket_pro`.
    pub seller_level: Option<String>,
    /// Where the tenant sells, the preferred one first.
    pub sell_platforms: Option<Vec<Market>>,
    pub direction: Option<Directions>,
    /// Least net profit, in the account's currency.
    #[serde(with = "preset::quoted")]
    pub min_profit_threshold: Option<Decimal>,
    #[serde(with = "preset::quoted")]
    pub min_headache_score: Option<Decimal>,
    #[serde(with = "preset::quoted")]
    pub min_score: Option<Decimal>,
    /// Percent, 0 to 100.
    #[serde(with = "preset::quoted")]
    pub min_seller_rating: Option<Decimal>,
    pub min_seller_sales: Option<i64>,
    /// Share that an exchange rate is moved against us by.
    #[serde(with = "preset::quoted")]
    pub forex_buffer: Option<Decimal>,
    /// The worst grade to buy, on Cardmarket's scale.
    pub condition_floor: Option<Grade>,
    pub excluded_sets: Option<Vec<String>>,
    pub card_categories: Option<Vec<Category>>,
    /// Replaces the ad-valorem duty of the customs regime.
    #[serde(with = "preset::quoted")]
    pub import_duty_rate: Option<Decimal>,
    /// Import VAT is recovered, so it is no cost.
    pub vat_registered: Option<bool>,
    pub wants_investment: Option<bool>,
    /// Share of the declared value.
    #[serde(with = "preset::quoted")]
    pub insurance_rate: Option<Decimal>,
    pub forwarders: Forwarders,
    /// Of its quiet hours, its batch and its days.
    pub time_zone: Option<TimeZone>,
    pub quiet_hours: Option<QuietHours>,
    /// Once a day at this hour instead of each signal as it is found.
    pub daily_batch_at: Option<TimeOfDay>,
    /// The guide's switch for the forwarder in the US. Stored with a tenant, never in a preset.
    #[serde(skip)]
    pub use_forwarder: Option<bool>,
    /// The guide's fees of the forwarder in the US, in dollars. Stored with a tenant, never in a preset.
    #[serde(skip)]
    pub us_receiving_fee: Option<Decimal>,
    #[serde(skip)]
    pub us_consolidation_fee: Option<Decimal>,
}

/// A setting outside what it can mean.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}: expected {allowed}")]
pub struct BadSetting {
    pub setting: &'static str,
    pub value: String,
    pub allowed: &'static str,
}

impl Settings {
    /// Checks every value that is stated.
    ///
    /// # Errors
    /// The first one outside its range.
    pub fn validate(&self) -> Result<(), BadSetting> {
        const SHARE: &str = "a share from 0 to below 1, such as \"0.025\"";
        const AMOUNT: &str = "an amount from 0";
        let amounts = [
            ("min_profit_threshold", self.min_profit_threshold),
            ("min_headache_score", self.min_headache_score),
            ("min_score", self.min_score),
            ("forwarder_receiving_fee", self.us_receiving_fee),
            ("forwarder_consolidation_fee", self.us_consolidation_fee),
        ];
        for (setting, value) in amounts {
            within(setting, value, AMOUNT, |value| value >= Decimal::ZERO)?;
        }
        for (setting, value) in
            [("forex_buffer", self.forex_buffer), ("insurance_rate", self.insurance_rate), ("import_duty_rate", self.import_duty_rate)]
        {
            within(setting, value, SHARE, |value| value >= Decimal::ZERO && value < Decimal::ONE)?;
        }
        within("min_seller_rating", self.min_seller_rating, "a percentage from 0 to 100", |rating| {
            rating >= Decimal::ZERO && rating <= Decimal::ONE_HUNDRED
        })?;
        within("min_seller_sales", self.min_seller_sales, "a count from 0", |sales| sales >= 0)?;
        within("condition_floor", self.condition_floor, "a Cardmarket grade above PO: MT, NM, EXC, GD, LP or PL", is_floor)?;
        if self.sell_platforms.as_ref().is_some_and(Vec::is_empty) {
            return Err(BadSetting { setting: "sell_platforms", value: "empty".into(), allowed: "at least one market" });
        }
        for (setting, terms) in [("forwarders.EU", &self.forwarders.eu), ("forwarders.US", &self.forwarders.us)] {
            let Some(terms) = terms else { continue };
            let fees = [terms.receiving_fee, terms.consolidation_fee, terms.outbound];
            for fee in fees {
                within(setting, fee, AMOUNT, |fee| fee >= Decimal::ZERO)?;
            }
            if terms.currency.is_none() && fees.iter().any(Option::is_some) {
                return Err(BadSetting {
                    setting,
                    value: "without a currency".into(),
                    allowed: "currency: EUR, USD or GBP beside its fees",
                });
            }
        }
        Ok(())
    }
}

fn within<T: fmt::Display + Copy>(
    setting: &'static str,
    value: Option<T>,
    allowed: &'static str,
    good: impl Fn(T) -> bool,
) -> Result<(), BadSetting> {
    match value {
        Some(value) if !good(value) => Err(BadSetting { setting, value: value.to_string(), allowed }),
        _ => Ok(()),
    }
}

/// `PO` is never bought, and the other letters are not Cardmarket's.
fn is_floor(grade: Grade) -> bool {
    matches!(grade, Grade::Mint | Grade::NearMint | Grade::Excellent | Grade::Good | Grade::LightPlayed | Grade::Played)
}

/// A tenant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    pub tier: Tier,
    pub country: Country,
    /// Negative for a group.
    pub telegram_chat_id: Option<i64>,
    pub discord_channel_id: Option<i64>,
    /// The name of its preset.
    pub preset: Option<String>,
    /// What the tenant set itself.
    pub overrides: Settings,
    /// It gets nothing until it says otherwise.
    pub paused_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_setting_outside_its_range_is_named_with_what_is_allowed() {
        let settings = Settings { forex_buffer: Some(Decimal::TWO), ..Settings::default() };
        assert_eq!(
            settings.validate().unwrap_err().to_string(),
            "forex_buffer is 2: expected a share from 0 to below 1, such as \"0.025\""
        );
        let settings = Settings { condition_floor: Some(Grade::Damaged), ..Settings::default() };
        assert!(settings.validate().is_err());
        let settings = Settings { min_seller_sales: Some(-1), ..Settings::default() };
        assert!(settings.validate().is_err());
    }

    #[test]
    fn a_forwarders_fee_needs_a_currency() {
        let terms = ForwarderTerms { outbound: Some(Decimal::TEN), ..ForwarderTerms::default() };
        let settings = Settings { forwarders: Forwarders { eu: Some(terms), us: None }, ..Settings::default() };
        assert!(settings.validate().unwrap_err().to_string().contains("currency"));
    }

    #[test]
    fn both_directions_include_each() {
        assert!(Directions::Both.includes(Direction::UsEu));
        assert!(!Directions::EuUs.includes(Direction::UsEu));
    }
}
