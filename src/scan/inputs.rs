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
    rules::value::Given,
};

pub use crate::rules::inputs::{Facts, card_facts, taste_facts, tenant_facts};

fn or_unknown<'a, T>(value: Option<T>, known: impl FnOnce(T) -> Given<'a>) -> Given<'a> {
    value.map_or(Given::Unknown, known)
}

fn count(number: usize) -> Given<'static> {
    i64::try_from(number).map_or(Given::Unknown, Given::Integer)
}

fn money(amount: Option<Decimal>) -> Given<'static> {
    or_unknown(amount, |amount| Given::Decimal(cents(amount)))
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
pub fn route_facts<'a>(
    book: &'a Book,
    health: &Health,
    activity: &ActivityIndex<'_>,
    route: &Route,
) -> [(&'static str, Given<'a>); ROUTE_FACTS] {
    let (buy, sell) = (&book.series[route.buy], &book.series[route.sell]);
    let (buy_signs, sell_signs) = (&health.signs[route.buy], &health.signs[route.sell]);
    let (buy_feed, sell_feed) = (&health.shares[route.buy], &health.shares[route.sell]);
    let card_id = or_unknown(book.card(route.card), |card| Given::Text(card.card_id.as_str()));
    let counted = activity.find(route.card, sell.market, route.sell_printing);
    let hours = |one: &PriceSeries| {
        let seconds = (book.as_of - one.latest.observed_at).num_seconds().max(0);
        // rounded to four places, halves up
        Given::Decimal(Decimal::new((seconds * 10_000 + 1_800) / 3_600, 4).normalize())
    };
    let ratio = |ratio: Option<Decimal>| or_unknown(ratio, Given::Decimal);
    let days = |days: Option<i64>| or_unknown(days, |days| Given::Integer(days.max(0)));
    let seller_known = buy.seller_id.is_some();
    let (scale, grade) = condition(buy);
    [
        ("direction", Given::Word(route.direction.as_str())),
        ("buy_market", Given::Word(buy.market.as_str())),
        ("sell_market", Given::Word(sell.market.as_str())),
        ("origin", Given::Word(buy.market.zone().as_str())),
        ("sales_30d", or_unknown(counted.and_then(|counted| counted.sales_30d), Given::Integer)),
        ("active_listings", or_unknown(counted.and_then(|counted| counted.active_listings), Given::Integer)),
        ("buy_card_id", card_id),
        ("sell_card_id", card_id),
        ("buy_id_claims", count(route.buy_claims)),
        ("sell_id_claims", count(route.sell_claims)),
        ("id_verified", Given::Bool(!buy.doubted && !sell.doubted)),
        ("buy_printing", or_unknown(route.buy_printing, |printing| Given::Word(printing.as_str()))),
        ("sell_printing", or_unknown(route.sell_printing, |printing| Given::Word(printing.as_str()))),
        ("buy_edition", Given::Word(buy.finish.edition.as_str())),
        ("sell_edition", Given::Word(sell.finish.edition.as_str())),
        ("buy_language", Given::Word(buy.finish.language.as_str())),
        ("sell_language", Given::Word(sell.finish.language.as_str())),
        ("buy_source", Given::Name(&buy.source)),
        ("sell_source", Given::Name(&sell.source)),
        ("buy_price_kind", Given::Word(buy.kind.as_str())),
        ("condition_scale", Given::Word(scale.as_str())),
        ("condition", or_unknown(grade, |grade| Given::Word(grade.as_str()))),
        ("buy_price", money(buy.latest.price)),
        ("buy_shipping", money(buy.latest.shipping)),
        ("buy_low", money(buy.latest.low)),
        ("sell_price", money(sell.latest.price)),
        ("sell_low", money(sell.latest.low)),
        ("buy_age_hours", hours(buy)),
        ("sell_age_hours", hours(sell)),
        ("seller_known", Given::Bool(seller_known)),
        ("seller_id", or_unknown(buy.seller_id.as_deref(), Given::Text)),
        ("seller_rating", or_unknown(buy.latest.seller_rating, |rating| Given::Decimal(round_half_up(rating, 2)))),
        ("seller_sales", or_unknown(buy.latest.seller_sales, Given::Integer)),
        ("sell_price_changes_30d", count(sell_signs.changes_30d)),
        ("sell_points_30d", count(sell_signs.points_30d)),
        ("sell_daily_change_7d", or_unknown((sell_signs.trend_points >= 2).then_some(sell_signs.daily_change_7d), Given::Decimal)),
        ("sell_trend_points", count(sell_signs.trend_points)),
        ("sell_trend_hours", Given::Decimal(sell_signs.trend_hours.into())),
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
