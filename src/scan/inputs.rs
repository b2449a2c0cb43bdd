//! The input facts of a card, a route and a tenant, by the names of the input table.

use std::collections::HashMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{feeds::Health, routes::Route};
use crate::{
    domain::{
        book::{Book, CardActivity, CardIndex, PriceSeries},
        card::{Card, Printing},
        condition::{Grade, Scale},
        market::{Direction, Market, Zone},
        money::{Currency, RateError, Rates, cents, round_half_up},
        observation::PriceKind,
        profile::{Category, Directions, Profile},
    },
    rules::value::Value,
};

/// Facts of one stage.
pub type Facts = Vec<(&'static str, Value)>;

fn text(text: impl AsRef<str>) -> Value {
    Value::Text(text.as_ref().into())
}

fn or_unknown<T>(value: Option<T>, known: impl FnOnce(T) -> Value) -> Value {
    value.map_or(Value::Unknown, known)
}

fn count(number: usize) -> Value {
    i64::try_from(number).map_or(Value::Unknown, Value::Integer)
}

fn money(amount: Option<Decimal>) -> Value {
    or_unknown(amount, |amount| Value::Decimal(cents(amount)))
}

/// Finds what a card's sales and offers were counted to be on a market; the freshest source speaks.
pub struct ActivityIndex<'a>(HashMap<(CardIndex, Market), Vec<&'a CardActivity>>);

impl<'a> ActivityIndex<'a> {
    pub fn of(book: &'a Book) -> Self {
        let mut index: HashMap<_, Vec<&CardActivity>> = HashMap::new();
        for counted in &book.activity {
            index.entry((counted.card, counted.market)).or_default().push(counted);
        }
        Self(index)
    }

    fn find(&self, card: CardIndex, market: Market, printing: Option<Printing>) -> Option<&'a CardActivity> {
        let fits = |counted: &&&CardActivity| {
            let finish = counted.finish.printing;
            finish == Printing::Plain || printing.is_none_or(|printing| printing == Printing::Plain || printing == finish)
        };
        self.0.get(&(card, market))?.iter().filter(fits).max_by_key(|counted| counted.observed_at).copied()
    }
}

/// Facts of the card alone on the day that is decided for. Nobody tells of reprints or events yet: those stay unknown.
pub fn card_facts(card: &Card, date: NaiveDate) -> Facts {
    let age = card.set_release_date.map(|release| (date - release).num_days());
    vec![
        ("card_id", text(card.card_id.as_str())),
        ("set_code", text(&card.set_code)),
        ("set_age_days", or_unknown(age, Value::Integer)),
        ("card_category", or_unknown(Category::of(card), |category| text(category.as_str()))),
        ("regulation_mark", or_unknown(card.regulation_mark.as_deref(), text)),
        ("standard_legality", or_unknown(card.legality_standard.as_deref(), text)),
    ]
}

/// Facts of the route: both prices, what their feeds say about them, the seller.
pub fn route_facts(book: &Book, health: &Health, activity: &ActivityIndex<'_>, route: &Route) -> Facts {
    let (buy, sell) = (&book.series[route.buy], &book.series[route.sell]);
    let (buy_signs, sell_signs) = (&health.signs[route.buy], &health.signs[route.sell]);
    let card_id = book.card(route.card).map(|card| card.card_id.as_str());
    let counted = activity.find(route.card, sell.market, route.sell_printing);
    let hours = |one: &PriceSeries| {
        let seconds = (book.as_of - one.latest.observed_at).num_seconds().max(0);
        Value::Decimal(round_half_up(Decimal::from(seconds) / Decimal::from(3_600), 4))
    };
    let ratio = |ratio: Option<Decimal>| or_unknown(ratio, Value::Decimal);
    let days = |days: Option<i64>| or_unknown(days, |days| Value::Integer(days.max(0)));
    let seller_known = buy.seller_id.is_some();
    let (scale, grade) = condition(buy);
    vec![
        ("direction", text(route.direction.as_str())),
        ("buy_market", text(buy.market.as_str())),
        ("sell_market", text(sell.market.as_str())),
        ("origin", text(buy.market.zone().as_str())),
        ("sales_30d", or_unknown(counted.and_then(|counted| counted.sales_30d), Value::Integer)),
        ("active_listings", or_unknown(counted.and_then(|counted| counted.active_listings), Value::Integer)),
        ("buy_card_id", or_unknown(card_id, text)),
        ("sell_card_id", or_unknown(card_id, text)),
        ("buy_id_claims", count(route.buy_claims)),
        ("sell_id_claims", count(route.sell_claims)),
        ("id_verified", Value::Bool(!buy.doubted && !sell.doubted)),
        ("buy_printing", or_unknown(route.buy_printing, |printing| text(printing.as_str()))),
        ("sell_printing", or_unknown(route.sell_printing, |printing| text(printing.as_str()))),
        ("buy_edition", text(buy.finish.edition.as_str())),
        ("sell_edition", text(sell.finish.edition.as_str())),
        ("buy_language", text(buy.finish.language.as_str())),
        ("sell_language", text(sell.finish.language.as_str())),
        ("buy_source", text(&buy.source)),
        ("sell_source", text(&sell.source)),
        ("buy_price_kind", text(buy.kind.as_str())),
        ("condition_scale", text(scale.as_str())),
        ("condition", or_unknown(grade, |grade| text(grade.as_str()))),
        ("buy_price", money(buy.latest.price)),
        ("buy_shipping", money(buy.latest.shipping)),
        ("buy_low", money(buy.latest.low)),
        ("sell_price", money(sell.latest.price)),
        ("sell_low", money(sell.latest.low)),
        ("buy_age_hours", hours(buy)),
        ("sell_age_hours", hours(sell)),
        ("seller_known", Value::Bool(seller_known)),
        ("seller_id", or_unknown(buy.seller_id.as_ref(), text)),
        ("seller_rating", or_unknown(buy.latest.seller_rating, |rating| Value::Decimal(round_half_up(rating, 2)))),
        ("seller_sales", or_unknown(buy.latest.seller_sales, Value::Integer)),
        ("sell_price_changes_30d", count(sell_signs.changes_30d)),
        ("sell_points_30d", count(sell_signs.points_30d)),
        ("sell_daily_change_7d", or_unknown((sell_signs.trend_points >= 2).then_some(sell_signs.daily_change_7d), Value::Decimal)),
        ("sell_trend_points", count(sell_signs.trend_points)),
        ("sell_trend_hours", Value::Decimal(sell_signs.trend_hours.into())),
        ("buy_jump_ratio", ratio(buy_signs.jump_ratio)),
        ("sell_jump_ratio", ratio(sell_signs.jump_ratio)),
        ("buy_days_unchanged", days(buy_signs.days_unchanged)),
        ("sell_days_unchanged", days(sell_signs.days_unchanged)),
        ("buy_cross_source_ratio", ratio(buy_signs.cross_source_ratio)),
        ("sell_cross_source_ratio", ratio(sell_signs.cross_source_ratio)),
        ("buy_feed_jump_share", ratio(health.jump_share(buy))),
        ("sell_feed_jump_share", ratio(health.jump_share(sell))),
        ("buy_feed_frozen_share", ratio(health.frozen_share(buy))),
        ("sell_feed_frozen_share", ratio(health.frozen_share(sell))),
    ]
}

/// An aggregate price stands for a near-mint copy; a listing without a condition is unknown.
fn condition(buy: &PriceSeries) -> (Scale, Option<Grade>) {
    let scale = match buy.market {
        Market::Cardmarket => Scale::Cardmarket,
        Market::Tcgplayer | Market::Ebay => Scale::Tcgplayer,
    };
    match buy.condition {
        Some(condition) => (condition.scale, Some(condition.grade)),
        None if buy.kind == PriceKind::Listing => (scale, None),
        None => (scale, Some(Grade::NearMint)),
    }
}

/// Facts of a tenant that trades in a direction; the rate of a currency that nobody knows is unknown.
pub fn tenant_facts(profile: &Profile, direction: Direction, rates: &Rates, default_buffer: Decimal) -> Facts {
    let home = home_currency(profile);
    let (buy, sell) = (direction.buy_market(), direction.sell_market());
    let buffer = profile.forex_buffer.value.unwrap_or(default_buffer);
    let rate = |rate: Result<Decimal, RateError>| rate.map_or(Value::Unknown, Value::Decimal);
    let destination = Zone::of_country(profile.country.as_str());
    let forwarder = profile.forwarder(buy.zone());
    let fee = |read: fn(&crate::domain::profile::Forwarder) -> Option<Decimal>| {
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
pub fn home_currency(profile: &Profile) -> Currency {
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
