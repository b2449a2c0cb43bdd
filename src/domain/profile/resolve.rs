//! Where a setting comes from: the tenant, its preset, the operator's variable, or else the rules.

use std::fmt;

use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    Category, Country, Currency, Directions, ForwarderTerms, Grade, Market, Preset, QuietHours, Settings, Tenant, TenantId, Tier,
    TimeOfDay, TimeZone, Zone,
};

/// The guide's `DEFAULT_*` variables, where they are set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Dollars, of the forwarder in the US.
    pub forwarder_receiving_fee: Option<Decimal>,
    /// Dollars, of the forwarder in the US.
    pub forwarder_consolidation_fee: Option<Decimal>,
    pub insurance_rate: Option<Decimal>,
    pub forex_buffer: Option<Decimal>,
    pub min_seller_rating: Option<Decimal>,
    pub min_seller_sales: Option<i64>,
    /// Read in the tenant's own currency, as every threshold.
    pub min_profit_threshold: Option<Decimal>,
    pub min_headache_score: Option<Decimal>,
}

/// The level that a value was found at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    Tenant,
    /// The preset's name.
    Preset(String),
    /// The variable's name.
    Variable(&'static str),
    /// Nobody set it: the rule pack's parameters decide.
    Rules,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::Preset(name) => write!(f, "preset {name}"),
            Self::Variable(name) => f.write_str(name),
            Self::Rules => f.write_str("rules"),
        }
    }
}

/// A value and where it comes from. No value means that the rules decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting<T> {
    pub value: Option<T>,
    pub origin: Origin,
}

/// A forwarder that the tenant has, with each term's origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Forwarder {
    pub receiving_fee: Setting<Decimal>,
    pub consolidation_fee: Setting<Decimal>,
    pub outbound: Setting<Decimal>,
    /// Of all three.
    pub currency: Setting<Currency>,
}

/// A tenant's settings, all levels applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    pub tenant: TenantId,
    pub tier: Tier,
    pub country: Country,
    pub currency: Setting<Currency>,
    pub seller_level: Setting<String>,
    pub sell_platforms: Setting<Vec<Market>>,
    pub direction: Setting<Directions>,
    pub min_profit_threshold: Setting<Decimal>,
    pub min_headache_score: Setting<Decimal>,
    pub min_score: Setting<Decimal>,
    pub min_seller_rating: Setting<Decimal>,
    pub min_seller_sales: Setting<i64>,
    pub forex_buffer: Setting<Decimal>,
    pub condition_floor: Setting<Grade>,
    pub excluded_sets: Setting<Vec<String>>,
    pub card_categories: Setting<Vec<Category>>,
    pub import_duty_rate: Setting<Decimal>,
    pub vat_registered: Setting<bool>,
    pub wants_investment: Setting<bool>,
    pub insurance_rate: Setting<Decimal>,
    /// `None`: the tenant has nobody who receives for it there.
    pub eu_forwarder: Option<Forwarder>,
    pub us_forwarder: Option<Forwarder>,
    /// UTC where nobody says.
    pub time_zone: Setting<TimeZone>,
    pub quiet_hours: Setting<QuietHours>,
    /// Where nobody says, the plan does.
    pub daily_batch_at: Setting<TimeOfDay>,
}

impl Profile {
    /// Applies the levels in order: tenant, preset, variable, rules.
    pub fn resolve(tenant: &Tenant, preset: Option<&Preset>, defaults: &Defaults) -> Self {
        let empty = Settings::default();
        let levels = Levels {
            own: &tenant.overrides,
            preset: preset.map_or(&empty, |preset| &preset.settings),
            preset_name: tenant.preset.as_deref().unwrap_or_default(),
        };
        Self {
            tenant: tenant.id,
            tier: tenant.tier,
            country: tenant.country,
            currency: levels.pick(|level| level.currency),
            seller_level: levels.pick(|level| level.seller_level.clone()),
            sell_platforms: levels.pick(|level| level.sell_platforms.clone()),
            direction: levels.pick(|level| level.direction),
            min_profit_threshold: levels
                .pick(|level| level.min_profit_threshold)
                .or("DEFAULT_MIN_PROFIT_THRESHOLD", defaults.min_profit_threshold),
            min_headache_score: levels.pick(|level| level.min_headache_score).or("DEFAULT_MIN_HEADACHE_SCORE", defaults.min_headache_score),
            min_score: levels.pick(|level| level.min_score),
            min_seller_rating: levels.pick(|level| level.min_seller_rating).or("DEFAULT_MIN_SELLER_RATING", defaults.min_seller_rating),
            min_seller_sales: levels.pick(|level| level.min_seller_sales).or("DEFAULT_MIN_SELLER_SALES", defaults.min_seller_sales),
            forex_buffer: levels.pick(|level| level.forex_buffer).or("DEFAULT_FOREX_BUFFER", defaults.forex_buffer),
            condition_floor: levels.pick(|level| level.condition_floor),
            excluded_sets: levels.pick(|level| level.excluded_sets.clone()),
            card_categories: levels.pick(|level| level.card_categories.clone()),
            import_duty_rate: levels.pick(|level| level.import_duty_rate),
            vat_registered: levels.pick(|level| level.vat_registered),
            wants_investment: levels.pick(|level| level.wants_investment),
            insurance_rate: levels.pick(|level| level.insurance_rate).or("DEFAULT_INSURANCE_RATE", defaults.insurance_rate),
            eu_forwarder: levels.forwarder(Zone::Eu, defaults),
            us_forwarder: levels.forwarder(Zone::Us, defaults),
            time_zone: levels.pick(|level| level.time_zone),
            quiet_hours: levels.pick(|level| level.quiet_hours),
            daily_batch_at: levels.pick(|level| level.daily_batch_at),
        }
    }

    /// The zone of the tenant's clock.
    pub fn clock(&self) -> TimeZone {
        self.time_zone.value.unwrap_or(TimeZone::UTC)
    }

    /// Who receives for the tenant in a zone. A tenant at home in the zone needs nobody.
    pub fn forwarder(&self, zone: Zone) -> Option<&Forwarder> {
        match zone {
            Zone::Eu => self.eu_forwarder.as_ref(),
            Zone::Us => self.us_forwarder.as_ref(),
            Zone::Uk | Zone::Sea | Zone::Other => None,
        }
    }
}

struct Levels<'a> {
    own: &'a Settings,
    preset: &'a Settings,
    preset_name: &'a str,
}

impl Levels<'_> {
    fn pick<T>(&self, read: impl Fn(&Settings) -> Option<T>) -> Setting<T> {
        if let Some(value) = read(self.own) {
            return Setting { value: Some(value), origin: Origin::Tenant };
        }
        match read(self.preset) {
            Some(value) => Setting { value: Some(value), origin: Origin::Preset(self.preset_name.to_owned()) },
            None => Setting { value: None, origin: Origin::Rules },
        }
    }

    /// The guide knows a forwarder in the US only: its columns and variables are that one's, in dollars. A level whose
    /// terms are in another currency does not mix with them: all fees come from the levels of the first stated currency.
    fn forwarder(&self, zone: Zone, defaults: &Defaults) -> Option<Forwarder> {
        let in_us = zone == Zone::Us;
        let switch = self.own.use_forwarder.filter(|_| in_us);
        let stated =
            self.own.forwarders.in_zone(zone).is_some() || (switch != Some(false) && self.preset.forwarders.in_zone(zone).is_some());
        if !stated && switch != Some(true) {
            return None;
        }
        let currency = match self.pick(|level| level.forwarders.in_zone(zone).and_then(|terms| terms.currency)) {
            Setting { value: None, .. } if in_us => Setting { value: Some(Currency::Usd), origin: Origin::Rules },
            found => found,
        };
        let in_currency = |level: &Settings, read: fn(&ForwarderTerms) -> Option<Decimal>| {
            let terms = level.forwarders.in_zone(zone)?;
            if terms.currency.is_some() && terms.currency != currency.value { None } else { read(terms) }
        };
        let guide = in_us && currency.value == Some(Currency::Usd);
        let receiving = self.pick(|level| in_currency(level, |terms| terms.receiving_fee).or(level.us_receiving_fee.filter(|_| guide)));
        let consolidation =
            self.pick(|level| in_currency(level, |terms| terms.consolidation_fee).or(level.us_consolidation_fee.filter(|_| guide)));
        Some(Forwarder {
            receiving_fee: receiving.or("DEFAULT_FORWARDER_RECEIVING_FEE", defaults.forwarder_receiving_fee.filter(|_| guide)),
            consolidation_fee: consolidation
                .or("DEFAULT_FORWARDER_CONSOLIDATION_FEE", defaults.forwarder_consolidation_fee.filter(|_| guide)),
            outbound: self.pick(|level| in_currency(level, |terms| terms.outbound)),
            currency,
        })
    }
}

impl<T> Setting<T> {
    /// The next level, asked only where the ones above said nothing.
    fn or(self, variable: &'static str, value: Option<T>) -> Self {
        match (&self.value, value) {
            (None, Some(value)) => Self { value: Some(value), origin: Origin::Variable(variable) },
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use uuid::Uuid;

    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn tenant(preset: Option<&str>, overrides: Settings) -> Tenant {
        Tenant {
            id: TenantId(Uuid::nil()),
            tier: Tier::Free,
            country: "US".parse().unwrap(),
            telegram_chat_id: Some(1),
            discord_channel_id: None,
            preset: preset.map(str::to_owned),
            overrides,
            paused_at: None,
        }
    }

    fn preset() -> Preset {
        let text = "doc: x\nsettings:\n  min_profit_threshold: \"8.00\"\n  forwarders:\n    EU: { receiving_fee: \"2.50\", currency: EUR }\n    \
                    US: { outbound: \"16.00\", currency: USD }\n";
        Preset::parse("x.yaml", text).unwrap()
    }

    #[test]
    fn the_first_level_that_says_something_wins() {
        let defaults = Defaults { min_profit_threshold: Some(d("5.00")), insurance_rate: Some(d("0.025")), ..Defaults::default() };
        let own = Settings { min_profit_threshold: Some(d("0")), ..Settings::default() };
        let both = Profile::resolve(&tenant(Some("x"), own), Some(&preset()), &defaults);
        assert_eq!(both.min_profit_threshold, Setting { value: Some(d("0")), origin: Origin::Tenant });

        let inherited = Profile::resolve(&tenant(Some("x"), Settings::default()), Some(&preset()), &defaults);
        assert_eq!(inherited.min_profit_threshold, Setting { value: Some(d("8.00")), origin: Origin::Preset("x".into()) });
        assert_eq!(inherited.insurance_rate, Setting { value: Some(d("0.025")), origin: Origin::Variable("DEFAULT_INSURANCE_RATE") });
        assert_eq!(inherited.min_score, Setting { value: None, origin: Origin::Rules });
    }

    #[test]
    fn the_guides_fees_belong_to_the_forwarder_in_the_us_only() {
        let defaults = Defaults { forwarder_consolidation_fee: Some(d("7.50")), ..Defaults::default() };
        let own = Settings { us_receiving_fee: Some(d("4.00")), ..Settings::default() };
        let profile = Profile::resolve(&tenant(Some("x"), own), Some(&preset()), &defaults);
        let us = profile.forwarder(Zone::Us).unwrap();
        assert_eq!((us.receiving_fee.value, &us.receiving_fee.origin), (Some(d("4.00")), &Origin::Tenant));
        assert_eq!(us.consolidation_fee.value, Some(d("7.50")));
        let eu = profile.forwarder(Zone::Eu).unwrap();
        assert_eq!((eu.receiving_fee.value, eu.currency.value), (Some(d("2.50")), Some(Currency::Eur)));
        assert_eq!(eu.consolidation_fee.value, None);
    }

    #[test]
    fn a_fee_alone_is_no_forwarder_and_the_guides_switch_has_the_last_word() {
        let fee = Settings { us_receiving_fee: Some(d("3.50")), ..Settings::default() };
        assert!(Profile::resolve(&tenant(None, fee.clone()), None, &Defaults::default()).us_forwarder.is_none());
        let on = Settings { use_forwarder: Some(true), ..fee };
        let us = Profile::resolve(&tenant(None, on), None, &Defaults::default()).us_forwarder.unwrap();
        assert_eq!((us.receiving_fee.value, us.currency.value), (Some(d("3.50")), Some(Currency::Usd)));
        let off = Settings { use_forwarder: Some(false), ..Settings::default() };
        assert!(Profile::resolve(&tenant(Some("x"), off), Some(&preset()), &Defaults::default()).us_forwarder.is_none());
    }

    #[test]
    fn fees_of_two_currencies_are_not_mixed() {
        let own: Settings = serde_yaml::from_str("forwarders: { US: { receiving_fee: \"3.00\", currency: EUR } }").unwrap();
        let defaults = Defaults { forwarder_consolidation_fee: Some(d("7.50")), ..Defaults::default() };
        let us = Profile::resolve(&tenant(Some("x"), own), Some(&preset()), &defaults).us_forwarder.unwrap();
        assert_eq!((us.receiving_fee.value, us.currency.value), (Some(d("3.00")), Some(Currency::Eur)));
        assert_eq!((us.consolidation_fee.value, us.outbound.value), (None, None));
    }
}
