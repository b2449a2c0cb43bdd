//! Is it one card, and are its prices real?

use rust_decimal::Decimal;
use tcg_radar::domain::card::Printing;

use super::{
    Fact, Verdict,
    figures::{
        CONFIRMED_JUMP, FROZEN_DAYS, FROZEN_SHARE, ID_MAX_CLAIMS, MAX_AGE_HOURS, MAX_CROSS_SOURCE, MAX_JUMP, MAX_LOW_OVER_PRICE,
        MAX_PRICE_OVER_LOW, MAX_SPREAD, MIN_SELLER_RATING, MIN_SELLER_SALES, SUSPECT_BATCH_SHARE,
    },
    gate,
    inputs::{Route, Tenant},
    need,
};

/// The gates from 0 to 11.
pub fn gates(route: &Route, tenant: &Tenant) -> Result<(), Verdict> {
    gate(0, Ok(route.variant_mismatch()))?;
    gate(1, Ok(route.shared_product_id()))?;
    gate(2, Ok(route.data_incomplete()))?;
    gate(3, need(route.buy_age_hours).map(|age| age > MAX_AGE_HOURS))?;
    gate(4, need(route.sell_age_hours).map(|age| age > MAX_AGE_HOURS))?;
    gate(5, Ok(frozen(route.buy_feed_frozen_share, route.buy_days_unchanged)))?;
    gate(6, Ok(frozen(route.sell_feed_frozen_share, route.sell_days_unchanged)))?;
    gate(7, Ok(suspect(route.buy_feed_jump_share, route.buy_jump_ratio)))?;
    gate(8, Ok(suspect(route.sell_feed_jump_share, route.sell_jump_ratio)))?;
    gate(9, Ok(route.buy_implausible()))?;
    gate(10, Ok(route.sell_implausible()))?;
    gate(11, spread_absurd(route, tenant))
}

/// None of the gates about identity and plausibility that a seller's density looks at rejects.
pub fn sound(route: &Route, tenant: &Tenant) -> bool {
    !route.variant_mismatch()
        && !route.shared_product_id()
        && !route.data_incomplete()
        && !suspect(route.buy_feed_jump_share, route.buy_jump_ratio)
        && !suspect(route.sell_feed_jump_share, route.sell_jump_ratio)
        && !route.buy_implausible()
        && !route.sell_implausible()
        && spread_absurd(route, tenant) == Ok(false)
}

/// A ratio further from 1 than the limit, up or down.
fn far_off(found: Decimal, limit: Decimal) -> bool {
    found > limit || found * limit < Decimal::ONE
}

/// A feed that repeats old prices, this one among them.
fn frozen(share: Option<Decimal>, days_unchanged: Option<i64>) -> bool {
    share.is_some_and(|share| share >= FROZEN_SHARE) && days_unchanged.is_some_and(|days| days >= FROZEN_DAYS)
}

/// A delivery in which too much jumped, and a price that its own history does not confirm.
fn suspect(share: Option<Decimal>, jump: Option<Decimal>) -> bool {
    share.is_some_and(|share| share > SUSPECT_BATCH_SHARE) && jump.is_none_or(|jump| far_off(jump, CONFIRMED_JUMP))
}

fn spread_absurd(route: &Route, tenant: &Tenant) -> Fact<bool> {
    let paid = need(route.buy_price)? * need(tenant.buy_rate)?;
    let received = need(route.sell_price)? * need(tenant.sell_rate)?;
    Ok(received > paid * MAX_SPREAD)
}

fn is_equal<T: PartialEq + Copy>(one: Option<T>, other: Option<T>) -> bool {
    one.is_some() && one == other
}

impl Route {
    fn variant_mismatch(&self) -> bool {
        let same_card = is_equal(self.buy_card_id, self.sell_card_id) && self.buy_card_id != Some("");
        !(same_card
            && self.same_printing()
            && is_equal(self.buy_language, self.sell_language)
            && is_equal(self.buy_edition, self.sell_edition))
    }

    /// Plain is what a source says that does not tell normal from holofoil.
    fn same_printing(&self) -> bool {
        use Printing::{Holofoil, Normal, Plain};
        match (self.buy_printing, self.sell_printing) {
            (Some(bought), Some(sold)) => {
                bought == sold || matches!((bought, sold), (Plain, Normal | Holofoil) | (Normal | Holofoil, Plain))
            }
            _ => false,
        }
    }

    fn shared_product_id(&self) -> bool {
        [self.buy_id_claims, self.sell_id_claims].into_iter().flatten().any(|claims| claims > ID_MAX_CLAIMS)
    }

    fn data_incomplete(&self) -> bool {
        let priced = |price: Option<Decimal>| price.is_some_and(|price| price > Decimal::ZERO);
        !priced(self.buy_price) || !priced(self.sell_price) || self.condition.is_none()
    }

    fn buy_implausible(&self) -> bool {
        self.buy_jump_ratio.is_some_and(|jump| far_off(jump, MAX_JUMP))
            || self.buy_cross_source_ratio.is_some_and(|ratio| far_off(ratio, MAX_CROSS_SOURCE))
            || matches!((self.buy_low, self.buy_price), (Some(low), Some(price)) if low > price * MAX_LOW_OVER_PRICE)
    }

    fn sell_implausible(&self) -> bool {
        self.sell_jump_ratio.is_some_and(|jump| far_off(jump, MAX_JUMP))
            || self.sell_cross_source_ratio.is_some_and(|ratio| far_off(ratio, MAX_CROSS_SOURCE))
            || self.offered_below(MAX_PRICE_OVER_LOW)
    }

    /// The sell price is more than so many times the lowest offer.
    pub fn offered_below(&self, times: Decimal) -> bool {
        matches!((self.sell_low, self.sell_price), (Some(low), Some(price)) if low > Decimal::ZERO && price > low * times)
    }

    /// Neither history nor a second source confirms one of the prices.
    pub fn price_unverified(&self) -> bool {
        (self.buy_jump_ratio.is_none() && self.buy_cross_source_ratio.is_none())
            || (self.sell_jump_ratio.is_none() && self.sell_cross_source_ratio.is_none())
    }

    /// A concrete offer of a seller below the tenant's floors, or of one about whom nothing is known.
    pub fn seller_quality_fail(&self, tenant: &Tenant) -> bool {
        let good = match (self.seller_rating, self.seller_sales) {
            (Some(rating), Some(sales)) => {
                rating >= tenant.min_seller_rating.unwrap_or(MIN_SELLER_RATING)
                    && sales >= tenant.min_seller_sales.unwrap_or(MIN_SELLER_SALES)
            }
            _ => false,
        };
        self.seller_known == Some(true) && !good
    }

    pub fn banned(&self) -> bool {
        self.standard_legality == Some("Banned")
    }
}
