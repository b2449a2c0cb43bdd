//! One setting by its name and text, as an operator or a tenant types it.

use std::{fmt, fmt::Display, str::FromStr};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Category, Currency, Directions, ForwarderTerms, Grade, Market, Settings, closed_set};

closed_set! {
    /// A setting that can be stated for one tenant.
    Field, "setting" {
        Currency = "currency",
        SellerLevel = "seller_level",
        SellPlatforms = "sell_platforms",
        Direction = "direction",
        MinProfitThreshold = "min_profit_threshold",
        MinHeadacheScore = "min_headache_score",
        MinScore = "min_score",
        MinSellerRating = "min_seller_rating",
        MinSellerSales = "min_seller_sales",
        ForexBuffer = "forex_buffer",
        ConditionFloor = "condition_floor",
        ExcludedSets = "excluded_sets",
        CardCategories = "card_categories",
        ImportDutyRate = "import_duty_rate",
        VatRegistered = "vat_registered",
        WantsInvestment = "wants_investment",
        InsuranceRate = "insurance_rate",
        EuForwarder = "eu_forwarder",
        UsForwarder = "us_forwarder",
        UseForwarder = "use_forwarder",
        ForwarderReceivingFee = "forwarder_receiving_fee",
        ForwarderConsolidationFee = "forwarder_consolidation_fee",
        TimeZone = "time_zone",
        QuietHours = "quiet_hours",
        DailyBatchAt = "daily_batch_at",
    }
}

/// What takes a setting back, so that the next level decides again.
pub const DEFAULT: &str = "default";

/// A text that a setting cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} cannot be \"{value}\": expected {allowed}, or \"{DEFAULT}\" to leave it to the preset and the rules")]
pub struct BadValue {
    pub field: Field,
    pub value: String,
    pub allowed: String,
}

impl Settings {
    /// States a setting by its text; nothing is changed where the text is refused.
    ///
    /// # Errors
    /// The text is no value of the setting; the error says what is.
    pub fn set(&mut self, field: Field, text: &str) -> Result<(), BadValue> {
        let fault = |allowed: String| BadValue { field, value: text.to_owned(), allowed };
        let trimmed = text.trim();
        let value = (!trimmed.eq_ignore_ascii_case(DEFAULT)).then_some(trimmed);
        let mut changed = self.clone();
        changed.put(field, value).map_err(fault)?;
        changed.validate().map_err(|bad| fault(bad.allowed.to_owned()))?;
        *self = changed;
        Ok(())
    }

    fn put(&mut self, field: Field, value: Option<&str>) -> Result<(), String> {
        match field {
            Field::Currency => self.currency = member(value, &Currency::ALL.map(Currency::code))?,
            Field::SellerLevel => self.seller_level = parsed(value, "a level of a fee schedule, one word", word)?,
            Field::SellPlatforms => self.sell_platforms = members(value, Market::NAMES)?,
            Field::Direction => self.direction = member(value, Directions::NAMES)?,
            Field::MinProfitThreshold => self.min_profit_threshold = amount(value)?,
            Field::MinHeadacheScore => self.min_headache_score = amount(value)?,
            Field::MinScore => self.min_score = amount(value)?,
            Field::MinSellerRating => self.min_seller_rating = parsed(value, "a percentage from 0 to 100, such as 97.5", number)?,
            Field::MinSellerSales => self.min_seller_sales = parsed(value, "a count from 0", number)?,
            Field::ForexBuffer => self.forex_buffer = share(value)?,
            Field::ConditionFloor => self.condition_floor = member(value, &FLOORS.map(Grade::as_str))?,
            Field::ExcludedSets => self.excluded_sets = words(value),
            Field::CardCategories => self.card_categories = members(value, Category::NAMES)?,
            Field::ImportDutyRate => self.import_duty_rate = share(value)?,
            Field::VatRegistered => self.vat_registered = switch(value)?,
            Field::WantsInvestment => self.wants_investment = switch(value)?,
            Field::InsuranceRate => self.insurance_rate = share(value)?,
            Field::EuForwarder => self.forwarders.eu = terms(value)?,
            Field::UsForwarder => self.forwarders.us = terms(value)?,
            Field::UseForwarder => self.use_forwarder = switch(value)?,
            Field::ForwarderReceivingFee => self.us_receiving_fee = amount(value)?,
            Field::ForwarderConsolidationFee => self.us_consolidation_fee = amount(value)?,
            Field::TimeZone => self.time_zone = said(value)?,
            Field::QuietHours => self.quiet_hours = said(value)?,
            Field::DailyBatchAt => self.daily_batch_at = said(value)?,
        }
        Ok(())
    }
}

/// Cardmarket's grades that somebody may want to buy.
const FLOORS: [Grade; 6] = [Grade::Mint, Grade::NearMint, Grade::Excellent, Grade::Good, Grade::LightPlayed, Grade::Played];

fn parsed<T>(value: Option<&str>, allowed: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, String> {
    value.map(|text| read(text).ok_or_else(|| allowed.to_owned())).transpose()
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn word(text: &str) -> Option<String> {
    (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')).then(|| text.to_owned())
}

fn amount(value: Option<&str>) -> Result<Option<Decimal>, String> {
    parsed(value, "an amount from 0, such as 7.50", number)
}

fn share(value: Option<&str>) -> Result<Option<Decimal>, String> {
    parsed(value, "a share from 0 to below 1, such as 0.025", number)
}

fn switch(value: Option<&str>) -> Result<Option<bool>, String> {
    parsed(value, "true or false", number)
}

fn member<T: FromStr>(value: Option<&str>, names: &[&str]) -> Result<Option<T>, String> {
    parsed(value, &format!("one of {}", names.join(", ")), |text| names.contains(&text).then(|| text.parse().ok())?)
}

fn members<T: FromStr>(value: Option<&str>, names: &[&str]) -> Result<Option<Vec<T>>, String> {
    let allowed = || format!("one or more of {}, with commas between", names.join(", "));
    let read = |name: &str| names.contains(&name).then(|| name.parse().ok()).flatten().ok_or_else(allowed);
    words(value).map(|list| if list.is_empty() { Err(allowed()) } else { list.iter().map(|name| read(name)).collect() }).transpose()
}

fn words(value: Option<&str>) -> Option<Vec<String>> {
    let list = value?.split(',').map(str::trim).filter(|word| !word.is_empty());
    Some(list.map(str::to_owned).collect())
}

fn said<T: FromStr<Err: Display>>(value: Option<&str>) -> Result<Option<T>, String> {
    let expected = |error: T::Err| {
        let text = error.to_string();
        text.split_once("expected ").map_or(text.clone(), |(_, expected)| expected.to_owned())
    };
    value.map(|text| text.parse().map_err(expected)).transpose()
}

/// Terms as `receiving_fee=3.50, outbound=16.00, currency=USD`.
fn terms(value: Option<&str>) -> Result<Option<ForwarderTerms>, String> {
    let allowed = "terms with commas between, such as receiving_fee=3.50, consolidation_fee=7.50, outbound=16.00, currency=EUR";
    let Some(text) = value else { return Ok(None) };
    let mut terms = ForwarderTerms::default();
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or(allowed)?;
        let value = value.trim();
        let amount = || value.parse::<Decimal>().map(Some).map_err(|_| allowed);
        match name.trim() {
            "receiving_fee" => terms.receiving_fee = amount()?,
            "consolidation_fee" => terms.consolidation_fee = amount()?,
            "outbound" => terms.outbound = amount()?,
            "currency" => terms.currency = member(Some(value), &Currency::ALL.map(Currency::code))?,
            _ => return Err(allowed.to_owned()),
        }
    }
    Ok(Some(terms))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    /// A good value of each setting, a bad one, and what the error must say.
    const VALUES: &[(Field, &str, &str, &str)] = &[
        (Field::Currency, "EUR", "YEN", "EUR, USD, GBP"),
        (Field::SellerLevel, "ebay_top_rated", "a b", "one word"),
        (Field::SellPlatforms, "tcgplayer, ebay", "amazon", "cardmarket, tcgplayer, ebay"),
        (Field::Direction, "us_eu", "eu", "eu_us, us_eu, both"),
        (Field::MinProfitThreshold, "7.50", "-1", "an amount from 0"),
        (Field::MinHeadacheScore, "6", "x", "an amount from 0"),
        (Field::MinScore, "0.5", "x", "an amount from 0"),
        (Field::MinSellerRating, "98.5", "101", "from 0 to 100"),
        (Field::MinSellerSales, "200", "-3", "a count from 0"),
        (Field::ForexBuffer, "0.03", "3", "a share from 0"),
        (Field::ConditionFloor, "EXC", "PO", "MT, NM, EXC, GD, LP, PL"),
        (Field::ExcludedSets, "sv1, sv2", "", ""),
        (Field::CardCategories, "vintage", "new", "vintage, modern_competitive, japanese, sealed"),
        (Field::ImportDutyRate, "0", "1", "a share from 0"),
        (Field::VatRegistered, "true", "maybe", "true or false"),
        (Field::WantsInvestment, "false", "1", "true or false"),
        (Field::InsuranceRate, "0.02", "2 %", "a share from 0"),
        (Field::EuForwarder, "receiving_fee=3.50, currency=EUR", "fee=1", "currency=EUR"),
        (Field::UsForwarder, "outbound=16, currency=USD", "outbound=16", "currency: EUR, USD or GBP"),
        (Field::UseForwarder, "true", "on", "true or false"),
        (Field::ForwarderReceivingFee, "3.25", "-1", "an amount from 0"),
        (Field::ForwarderConsolidationFee, "7", "x", "an amount from 0"),
        (Field::TimeZone, "Europe/Berlin", "Berlin", "Europe/Berlin"),
        (Field::QuietHours, "22:00-07:00", "22-7", "22:00-07:00"),
        (Field::DailyBatchAt, "08:00", "8 am", "such as 08:00"),
    ];

    #[test]
    fn every_setting_takes_its_values_and_says_what_else_it_would_take() {
        assert_eq!(VALUES.iter().map(|row| row.0).collect::<Vec<_>>(), Field::ALL);
        for (field, good, bad, told) in VALUES {
            let mut settings = Settings::default();
            settings.set(*field, good).unwrap();
            assert_ne!(settings, Settings::default(), "{field}");
            let stated = settings.clone();
            if !bad.is_empty() {
                let error = settings.set(*field, bad).unwrap_err().to_string();
                assert!(error.starts_with(field.as_str()) && error.contains(told), "{field}: {error}");
                assert_eq!(settings, stated, "{field}: nothing is half-applied");
            }
            settings.set(*field, DEFAULT).unwrap();
            assert_eq!(settings, Settings::default(), "{field}");
        }
    }
}
