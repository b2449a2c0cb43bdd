//! What is known of a card and of a tenant, as input facts, by the names of the input table.

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{pack::Pack, value::Value};
use crate::domain::{
    card::Card,
    event::{EventKind, Flag},
    market::{Direction, Zone},
    money::{Currency, RateError, Rates, cents},
    profile::{Category, Directions, Forwarder, Profile},
};

/// What pokemontcg.io says of a card that may not be played.
const BANNED: &str = "Banned";

/// Facts of one stage.
pub type Facts = Vec<(&'static str, Value)>;

fn text(text: impl AsRef<str>) -> Value {
    Value::Text(text.as_ref().into())
}

fn or_unknown<T>(value: Option<T>, known: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Unknown, known)
}

/// The safety buffer that holds where a tenant sets none; `None` where the pack has no `forex_default_buffer` on that day.
pub fn default_buffer(pack: &Pack, date: NaiveDate) -> Option<Decimal> {
    pack.parameters.iter().find(|parameter| parameter.name == "forex_default_buffer")?.at(date)?.value.as_decimal()
}

/// Facts of the card alone on the day that is decided for; `flags` are what moves it then.
pub fn card_facts(card: &Card, flags: &[Flag], date: NaiveDate) -> Facts {
    let is_flagged = |kind| flags.iter().any(|flag| flag.kind == kind);
    // the metadata says so weeks later
    let standard = if is_flagged(EventKind::Ban) { Some(BANNED) } else { card.legality_standard.as_deref() };
    let age = card.set_release_date.map(|release| (date - release).num_days());
    vec![
        ("card_id", text(card.card_id.as_str())),
        ("set_code", text(&card.set_code)),
        ("set_age_days", or_unknown(age, Value::Integer)),
        ("card_category", or_unknown(Category::of(card), |category| text(category.as_str()))),
        ("regulation_mark", or_unknown(card.regulation_mark.as_deref(), text)),
        ("standard_legality", or_unknown(standard, text)),
        ("reprint_rumored", Value::Bool(is_flagged(EventKind::ReprintRumour))),
        ("event_live", Value::Bool(!flags.is_empty())),
    ]
}

/// Facts of a tenant that trades in a direction; the rate of a currency that nobody knows is unknown.
pub fn tenant_facts(profile: &Profile, direction: Direction, rates: &Rates, default_buffer: Decimal) -> Facts {
    let home = home_currency(profile);
    let (buy, sell) = (direction.buy_market(), direction.sell_market());
    let buffer = profile.forex_buffer.value.unwrap_or(default_buffer);
    let rate = |rate: Result<Decimal, RateError>| rate.map_or(Value::Unknown, Value::Decimal);
    let destination = Zone::of_country(profile.country.as_str());
    let forwarder = profile.forwarder(buy.zone());
    let fee = |read: fn(&Forwarder) -> Option<Decimal>| {
        let Some(forwarder) = forwarder else { return Value::Unknown };
        let rate = forwarder.currency.value.map(|currency| rates.cost(currency, home, buffer));
        match (read(forwarder), rate) {
            (Some(amount), Some(Ok(rate))) => amount.checked_mul(rate).map_or(Value::Unknown, |product| Value::Decimal(cents(product))),
            _ => Value::Unknown,
        }
    };
    let sells_there = profile.sell_platforms.value.as_ref().is_none_or(|markets| markets.contains(&sell));
    let wanted = profile.direction.value.unwrap_or(Directions::Both).includes(direction) && sells_there;
    let number = |value: Option<Decimal>| or_unknown(value, Value::Decimal);
    vec![
        ("tenant_country", text(profile.country.as_str())),
        ("destination", text(destination.as_str())),
        ("home_currency", text(home.code())),
        ("buy_rate", rate(rates.market(buy.currency(), home))),
        ("sell_rate", rate(rates.market(sell.currency(), home))),
        ("cost_rate", rate(rates.cost(buy.currency(), home, buffer))),
        ("proceeds_rate", rate(rates.proceeds(sell.currency(), home, buffer))),
        ("rate_eur", rate(rates.market(Currency::Eur, home))),
        ("rate_usd", rate(rates.market(Currency::Usd, home))),
        ("rate_gbp", rate(rates.market(Currency::Gbp, home))),
        ("forex_buffer", Value::Decimal(buffer)),
        ("seller_level", or_unknown(profile.seller_level.value.as_deref(), text)),
        ("vat_registered", Value::Bool(profile.vat_registered.value.unwrap_or(false))),
        ("import_duty_rate", number(profile.import_duty_rate.value)),
        ("use_forwarder", Value::Bool(forwarder.is_some())),
        ("forwarder_receiving_fee", fee(|forwarder| forwarder.receiving_fee.value)),
        ("forwarder_consolidation_fee", fee(|forwarder| forwarder.consolidation_fee.value)),
        ("forwarder_outbound", fee(|forwarder| forwarder.outbound.value)),
        ("insurance_rate", number(profile.insurance_rate.value)),
        ("direction_wanted", Value::Bool(wanted)),
        ("investment_wanted", Value::Bool(profile.wants_investment.value.unwrap_or(false))),
        ("condition_floor", or_unknown(profile.condition_floor.value, |grade| text(grade.as_str()))),
        ("min_profit_threshold", number(profile.min_profit_threshold.value)),
        ("min_headache_score", number(profile.min_headache_score.value)),
        ("min_seller_rating", number(profile.min_seller_rating.value)),
        ("min_seller_sales", or_unknown(profile.min_seller_sales.value, Value::Integer)),
        ("min_score", number(profile.min_score.value)),
    ]
}

/// Facts of a tenant about one card.
pub fn taste_facts(profile: &Profile, card: &Card) -> Facts {
    let excluded = profile.excluded_sets.value.as_ref().is_some_and(|sets| sets.contains(&card.set_code));
    let wanted = profile
        .card_categories
        .value
        .as_ref()
        .is_none_or(|wanted| wanted.is_empty() || Category::of(card).is_some_and(|category| wanted.contains(&category)));
    vec![("set_excluded", Value::Bool(excluded)), ("category_wanted", Value::Bool(wanted))]
}

/// The account's currency: what the tenant set, or what its country pays with.
fn home_currency(profile: &Profile) -> Currency {
    profile.currency.value.unwrap_or_else(|| match Zone::of_country(profile.country.as_str()) {
        Zone::Eu => Currency::Eur,
        Zone::Uk => Currency::Gbp,
        Zone::Us | Zone::Sea | Zone::Other => Currency::Usd,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::{
        domain::profile::{Country, Defaults, Settings, Tenant, TenantId, Tier},
        rules::facts::input,
    };

    fn profile(country: &str) -> Profile {
        let tenant = Tenant {
            id: TenantId(uuid::Uuid::nil()),
            tier: Tier::Free,
            country: country.parse::<Country>().unwrap(),
            telegram_chat_id: None,
            discord_channel_id: None,
            preset: None,
            overrides: Settings::default(),
            paused_at: None,
        };
        Profile::resolve(&tenant, None, &Defaults::default())
    }

    fn rates() -> Rates {
        let origin = crate::domain::money::RateOrigin { date: "2026-05-01".parse().unwrap(), source: "test".into() };
        Rates { usd_per_eur: "1.08".parse().unwrap(), gbp_per_eur: None, origin }
    }

    #[test]
    fn every_tenant_fact_is_an_input_and_admitted() {
        for country in ["US", "DE", "GB", "SG"] {
            for direction in Direction::ALL {
                for (name, value) in tenant_facts(&profile(country), *direction, &rates(), Decimal::new(2, 2)) {
                    let input = input(name).unwrap_or_else(|| panic!("{name} is no input"));
                    assert_eq!(input.admit(&value), Ok(()), "{name}");
                }
            }
        }
    }

    #[test]
    fn the_rate_of_a_currency_that_nobody_knows_is_unknown() {
        let facts = tenant_facts(&profile("GB"), Direction::EuUs, &rates(), Decimal::ZERO);
        let cost = facts.iter().find(|(name, _)| *name == "cost_rate").map(|(_, value)| value.clone());
        assert_eq!(cost, Some(Value::Unknown));
    }
}
