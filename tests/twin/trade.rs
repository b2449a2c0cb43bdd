//! What the copy is, what it costs, and what it sells for.

use rust_decimal::Decimal;
use tcg_radar::domain::{
    condition::{Grade, Scale},
    market::Market,
    money::cents,
};

use super::{
    Case, Fact, Gap, Verdict,
    account::ratio,
    figures::{ROTATION_OVERRIDE_SPREAD, ROTATION_QUARANTINE, ROTATION_WINDOW, days_to_rotation, dec},
    gate,
    inputs::{Route, Tenant},
    need,
    pace::Pace,
    reach::Lane,
};

/// The bought copy as the sell market sees it.
#[derive(Debug)]
pub struct Copy {
    pub rejected: Fact<bool>,
    pub multiplier: Fact<Decimal>,
    /// 1 is mint, 6 is played; unknown for what is rejected.
    rank: Option<i64>,
    pub adjusted_sell: Fact<Decimal>,
}

impl Copy {
    pub fn of(route: &Route) -> Self {
        match route.grading() {
            None => {
                let gap = Gap::Unknown;
                Self { rejected: Err(gap), multiplier: Err(gap), rank: None, adjusted_sell: Err(gap) }
            }
            Some(Grading::Rejected) => {
                Self { rejected: Ok(true), multiplier: Err(Gap::Unknown), rank: None, adjusted_sell: Err(Gap::Unknown) }
            }
            Some(Grading::Sold { multiplier, own_price, rank }) => {
                let adjusted_sell = need(route.sell_price).map(|price| match own_price {
                    // a thin market sometimes asks more for a played copy than for a near-mint one
                    Some(own) => own.min(price),
                    None => cents(price * multiplier),
                });
                Self { rejected: Ok(false), multiplier: Ok(multiplier), rank: Some(rank), adjusted_sell }
            }
        }
    }

    /// The gates from 16 to 18.
    pub fn gates(&self, route: &Route, tenant: &Tenant) -> Result<(), Verdict> {
        gate(16, self.rejected)?;
        gate(17, Ok(self.below_floor(tenant)))?;
        gate(18, Ok(route.seller_quality_fail(tenant)))
    }

    /// Worse than the tenant takes; no floor, no miss.
    pub fn below_floor(&self, tenant: &Tenant) -> bool {
        let floor = match tenant.condition_floor {
            Some(Grade::Mint) => 1,
            Some(Grade::NearMint) => 2,
            Some(Grade::Excellent) => 3,
            Some(Grade::Good) => 4,
            Some(Grade::LightPlayed) => 5,
            Some(Grade::Played) => 6,
            _ => return false,
        };
        self.rank.is_some_and(|rank| rank > floor)
    }
}

/// What a grade is on the sell market.
enum Grading {
    Rejected,
    Sold { multiplier: Decimal, own_price: Option<Decimal>, rank: i64 },
}

impl Route {
    /// Nothing where a scale has no such grade, or a market can't sell what was graded on that scale.
    fn grading(&self) -> Option<Grading> {
        use Grade::{Damaged, Excellent, Good, HeavilyPlayed, LightPlayed, Mint, ModeratelyPlayed, NearMint, Played, Poor};
        let (scale, grade, market) = (self.condition_scale?, self.condition?, self.sell_market?);
        let (multiplier, own_price, rank) = match (scale, grade) {
            (Scale::Cardmarket, _) if market == Market::Cardmarket => return None,
            (Scale::Cardmarket, Poor) | (Scale::Tcgplayer, Damaged) => return Some(Grading::Rejected),
            (Scale::Cardmarket, Mint) => (Decimal::ONE, None, 1),
            (_, NearMint) => (Decimal::ONE, None, 2),
            (Scale::Cardmarket, Excellent) | (Scale::Tcgplayer, LightPlayed) => (dec(85, 2), self.sell_price_lp, 3),
            (Scale::Cardmarket, Good) | (Scale::Tcgplayer, ModeratelyPlayed) => (dec(75, 2), self.sell_price_mp, 4),
            (Scale::Cardmarket, LightPlayed) => (dec(75, 2), self.sell_price_mp, 5),
            (Scale::Cardmarket, Played) | (Scale::Tcgplayer, HeavilyPlayed) => (dec(60, 2), self.sell_price_hp, 6),
            _ => return None,
        };
        Some(Grading::Sold { multiplier, own_price, rank })
    }

    /// Whole days until the card's mark leaves Standard.
    pub fn days_to_rotation(&self) -> Option<i64> {
        self.regulation_mark.and_then(days_to_rotation)
    }

    pub fn death_spiral(&self) -> bool {
        self.days_to_rotation().is_some_and(|days| (0..=ROTATION_WINDOW).contains(&days))
    }

    fn rotation_quarantined(&self) -> bool {
        self.days_to_rotation().is_some_and(|days| (-ROTATION_QUARANTINE..0).contains(&days))
    }
}

/// Both sides of the trade in home money, before the market's fees.
#[derive(Debug)]
pub struct Trade {
    pub goods_value: Fact<Decimal>,
    pub effective_buy: Fact<Decimal>,
    gross_sale: Fact<Decimal>,
    pub spread: Fact<Decimal>,
}

impl Trade {
    pub fn of(case: &Case<'_>, lane: &Lane, copy: &Copy) -> Self {
        let (route, tenant) = (case.route, case.tenant);
        let goods_value = need(route.buy_price).and_then(|price| Ok(cents(price * need(tenant.buy_rate)?)));
        let effective_buy = effective_buy(case, lane, goods_value);
        let gross_sale = copy.adjusted_sell.and_then(|price| Ok(cents(price * need(tenant.proceeds_rate)?)));
        let spread = gross_sale.and_then(|sale| {
            let cost = effective_buy?;
            if cost > Decimal::ZERO { ratio(sale - cost, cost, 8) } else { Err(Gap::Unknown) }
        });
        Self { goods_value, effective_buy, gross_sale, spread }
    }

    /// The gates 21 and 22.
    pub fn gates(&self, case: &Case<'_>, pace: &Pace) -> Result<(), Verdict> {
        gate(21, self.rotation_suppressed(case.route))?;
        gate(22, pace.low_velocity().map(|low| low && case.tenant.investment_wanted != Some(true)))
    }

    /// Around its rotation, without a spread that makes up for it.
    fn rotation_suppressed(&self, route: &Route) -> Fact<bool> {
        let narrow = self.spread? <= ROTATION_OVERRIDE_SPREAD;
        Ok(narrow && (route.death_spiral() || route.rotation_quarantined()))
    }

    /// The copy sells for more than its bare price.
    pub fn gap_positive(&self, case: &Case<'_>) -> Fact<bool> {
        Ok(self.gross_sale? > need(case.route.buy_price)? * need(case.tenant.cost_rate)?)
    }
}

/// Price and this card's share of the parcel's postage, the currency buffer inside, rounded once.
fn effective_buy(case: &Case<'_>, lane: &Lane, goods_value: Fact<Decimal>) -> Fact<Decimal> {
    let price = need(case.route.buy_price)?;
    let rate = need(case.tenant.cost_rate)?;
    let first_leg = match case.route.buy_shipping {
        Some(asked) => asked * rate,
        None => lane.postage(case, goods_value)?,
    };
    let cards = Decimal::from(case.seller_density);
    ratio(price * rate * cards + first_leg, cards, 2)
}
