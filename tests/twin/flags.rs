//! Remarks on a route, in the order of `pack.yaml`. What nobody knows raises no flag.

use rust_decimal::Decimal;
use tcg_radar::domain::market::{Market, Zone};

use super::{
    Case,
    figures::{
        CHEAP_OFFERS_ABOVE, DECAY_AFTER_DAYS, HYPE_BELOW_DAYS, PARTIAL_BUNDLE_FROM, ROTATION_RISK_WITHIN, ROTATION_WINDOW, is_promo_set,
    },
    outcome::{cheap_single, insurance_deadzone},
    pace::{Basis, Pace},
    reach::Lane,
    trade::{Copy, Trade},
};

/// Bit `n` is the flag at position `n`.
pub fn of(case: &Case<'_>, lane: &Lane, copy: &Copy, pace: &Pace, trade: &Trade) -> u32 {
    let route = case.route;
    let age = route.set_age_days;
    let days = route.days_to_rotation();
    let raised = [
        route.id_verified == Some(false),
        route.price_unverified(),
        route.set_code.is_some_and(is_promo_set),
        route.offered_below(CHEAP_OFFERS_ABOVE),
        route.stale() == Ok(true),
        route.seller_known != Some(true),
        copy.multiplier.is_ok_and(|multiplier| multiplier < Decimal::ONE),
        pace.basis == Basis::Estimated,
        pace.basis == Basis::Unknown,
        pace.low_velocity() == Ok(true),
        route.price_falling(),
        pace.speculative_spike(route) == Ok(true),
        age.is_some_and(|age| age < HYPE_BELOW_DAYS),
        age.is_some_and(|age| age > DECAY_AFTER_DAYS),
        days.is_some_and(|days| days > ROTATION_WINDOW && days <= ROTATION_RISK_WITHIN),
        route.death_spiral(),
        days.is_some_and(|days| days < 0),
        route.banned(),
        route.regulation_mark.is_some_and(|mark| !matches!(mark, "D" | "E" | "F" | "G" | "H" | "I" | "J")),
        insurance_deadzone(case, lane, trade) == Ok(true),
        cheap_single(case) == Ok(true),
        lane.crosses_border == Ok(true) && lane.via_forwarder == Ok(false) && case.seller_density >= PARTIAL_BUNDLE_FROM,
        route.sell_market == Some(Market::Cardmarket) && matches!(case.tenant.destination, Some(Zone::Us | Zone::Sea | Zone::Other)),
    ];
    raised.into_iter().enumerate().fold(0, |flags, (bit, raised)| flags | u32::from(raised) << bit)
}
