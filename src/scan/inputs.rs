//! The input facts of a route, by the names of the input table; those of its card and tenant are [`rules::inputs`].
//!
//! [`rules::inputs`]: crate::rules::inputs

use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::{feeds::Health, routes::Route};
use crate::{
    domain::{
        book::{Book, CardActivity, CardIndex, PriceSeries},
        card::Printing,
        condition::{Grade, Scale},
        market::Market,
        money::{cents, round_half_up},
        observation::PriceKind,
    },
    rules::value::Value,
};

pub use crate::rules::inputs::{Facts, card_facts, taste_facts, tenant_facts};

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
pub struct ActivityIndex<'a>(FxHashMap<(CardIndex, Market), Vec<&'a CardActivity>>);

impl<'a> ActivityIndex<'a> {
    pub fn of(book: &'a Book) -> Self {
        let mut index: FxHashMap<_, Vec<&CardActivity>> = FxHashMap::default();
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

const ROUTE_FACTS: usize = 48;

/// Facts of the route: both prices, what their feeds say about them, the seller.
pub fn route_facts(book: &Book, health: &Health, activity: &ActivityIndex<'_>, route: &Route) -> [(&'static str, Value); ROUTE_FACTS] {
    let (buy, sell) = (&book.series[route.buy], &book.series[route.sell]);
    let (buy_signs, sell_signs) = (&health.signs[route.buy], &health.signs[route.sell]);
    let (buy_feed, sell_feed) = (&health.shares[route.buy], &health.shares[route.sell]);
    let card_id = or_unknown(book.card(route.card), |card| text(card.card_id.as_str()));
    let counted = activity.find(route.card, sell.market, route.sell_printing);
    let hours = |one: &PriceSeries| {
        let seconds = (book.as_of - one.latest.observed_at).num_seconds().max(0);
        // rounded to four places, halves up
        Value::Decimal(Decimal::new((seconds * 10_000 + 1_800) / 3_600, 4).normalize())
    };
    let ratio = |ratio: Option<Decimal>| or_unknown(ratio, Value::Decimal);
    let days = |days: Option<i64>| or_unknown(days, |days| Value::Integer(days.max(0)));
    let seller_known = buy.seller_id.is_some();
    let (scale, grade) = condition(buy);
    [
        ("direction", Value::word(route.direction.as_str())),
        ("buy_market", Value::word(buy.market.as_str())),
        ("sell_market", Value::word(sell.market.as_str())),
        ("origin", Value::word(buy.market.zone().as_str())),
        ("sales_30d", or_unknown(counted.and_then(|counted| counted.sales_30d), Value::Integer)),
        ("active_listings", or_unknown(counted.and_then(|counted| counted.active_listings), Value::Integer)),
        ("buy_card_id", card_id.clone()),
        ("sell_card_id", card_id),
        ("buy_id_claims", count(route.buy_claims)),
        ("sell_id_claims", count(route.sell_claims)),
        ("id_verified", Value::Bool(!buy.doubted && !sell.doubted)),
        ("buy_printing", or_unknown(route.buy_printing, |printing| Value::word(printing.as_str()))),
        ("sell_printing", or_unknown(route.sell_printing, |printing| Value::word(printing.as_str()))),
        ("buy_edition", Value::word(buy.finish.edition.as_str())),
        ("sell_edition", Value::word(sell.finish.edition.as_str())),
        ("buy_language", Value::word(buy.finish.language.as_str())),
        ("sell_language", Value::word(sell.finish.language.as_str())),
        ("buy_source", Value::name(&buy.source)),
        ("sell_source", Value::name(&sell.source)),
        ("buy_price_kind", Value::word(buy.kind.as_str())),
        ("condition_scale", Value::word(scale.as_str())),
        ("condition", or_unknown(grade, |grade| Value::word(grade.as_str()))),
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
        ("buy_feed_jump_share", ratio(buy_feed.jumped)),
        ("sell_feed_jump_share", ratio(sell_feed.jumped)),
        ("buy_feed_frozen_share", ratio(buy_feed.frozen)),
        ("sell_feed_frozen_share", ratio(sell_feed.frozen)),
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
