//! How fast the card sells, and where its price is going.

use rust_decimal::Decimal;

use super::{
    Fact, Verdict,
    account::ratio,
    figures::{
        ESTIMATE_CAP, ESTIMATE_MIN_POINTS, ESTIMATE_WEIGHT, FALLING_AT_MOST, LIQUID_GOLD_FROM, REPRINT_AFTER_DAYS, REPRINT_MULTIPLIER,
        RISING_AT_LEAST, STALE_ABOVE_HOURS, STANDARD_FLIP, TREND_MIN_HOURS, TREND_MIN_POINTS, VELOCITY_WHEN_UNKNOWN, dec,
    },
    gate,
    inputs::Route,
    need,
};

/// Where the velocity comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    Counted,
    Estimated,
    Unknown,
}

/// Where the sell price is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trend {
    Momentum,
    Stable,
    Declining,
    Liquidation,
}

#[derive(Debug)]
pub struct Pace {
    pub basis: Basis,
    pub velocity: Fact<Decimal>,
    trend: Fact<Trend>,
}

impl Pace {
    pub fn of(route: &Route) -> Self {
        let (basis, sales, listings) = route.turnover();
        let velocity = route
            .staleness()
            .and_then(|staleness| ratio(sales * route.confidence() * route.maturity() * staleness, Decimal::from(listings), 8));
        let falls = route.price_falling() && route.trend_reliable();
        let trend = velocity.map(|velocity| match (falls, velocity >= LIQUID_GOLD_FROM) {
            (true, true) => Trend::Liquidation,
            (true, false) => Trend::Declining,
            (false, true) => Trend::Momentum,
            (false, false) => Trend::Stable,
        });
        Self { basis, velocity, trend }
    }

    /// The gates 19 and 20.
    pub fn gates(&self, route: &Route) -> Result<(), Verdict> {
        gate(19, self.liquidation())?;
        gate(20, Ok(route.banned()))
    }

    /// Everybody sells out while the price falls.
    pub fn liquidation(&self) -> Fact<bool> {
        self.trend.map(|trend| trend == Trend::Liquidation)
    }

    pub fn low_velocity(&self) -> Fact<bool> {
        self.velocity.map(|velocity| velocity <= STANDARD_FLIP)
    }

    pub fn speculative_spike(&self, route: &Route) -> Fact<bool> {
        let brisk = self.velocity? >= LIQUID_GOLD_FROM;
        Ok(!brisk && route.sell_daily_change_7d.is_some_and(|change| change >= RISING_AT_LEAST))
    }

    /// What the trend does to the score.
    pub fn trend_factor(&self) -> Fact<Decimal> {
        self.trend.map(|trend| match trend {
            Trend::Momentum => dec(125, 2),
            Trend::Stable => Decimal::ONE,
            Trend::Declining => dec(50, 2),
            Trend::Liquidation => Decimal::ZERO,
        })
    }
}

impl Route {
    /// Copies sold and on offer in 30 days, or what stands for them.
    fn turnover(&self) -> (Basis, Decimal, i64) {
        match (self.sales_30d, self.active_listings) {
            (Some(sales), Some(listings)) => return (Basis::Counted, Decimal::from(sales), listings.max(1)),
            // no sales at all are a count, however many listings there are
            (Some(0), None) => return (Basis::Counted, Decimal::ZERO, 1),
            _ => {}
        }
        match (self.sell_price_changes_30d, self.sell_points_30d) {
            (Some(changes), Some(points)) if points >= ESTIMATE_MIN_POINTS => {
                let sales = (Decimal::from(changes) * ESTIMATE_WEIGHT).min(Decimal::from(points) * ESTIMATE_CAP);
                (Basis::Estimated, sales, points)
            }
            _ => (Basis::Unknown, VELOCITY_WHEN_UNKNOWN, 1),
        }
    }

    /// Few sales say little.
    fn confidence(&self) -> Decimal {
        if self.sales_30d.is_some_and(|sales| sales < 3) { dec(7, 1) } else { Decimal::ONE }
    }

    fn maturity(&self) -> Decimal {
        let base = match self.set_age_days {
            Some(..=29) | None => Decimal::ONE,
            Some(30..=59) => dec(9, 1),
            Some(60..=89) => dec(8, 1),
            Some(90..) => dec(7, 1),
        };
        let reprint = self.reprint_rumored == Some(true) && self.set_age_days.is_some_and(|age| age > REPRINT_AFTER_DAYS);
        if reprint { base * REPRINT_MULTIPLIER } else { base }
    }

    /// Age of the older of the two prices.
    fn price_age_hours(&self) -> Fact<Decimal> {
        Ok(need(self.buy_age_hours)?.max(need(self.sell_age_hours)?))
    }

    fn staleness(&self) -> Fact<Decimal> {
        let age = self.price_age_hours()?;
        Ok(if age < Decimal::ONE {
            Decimal::ONE
        } else if age < Decimal::TWO {
            dec(95, 2)
        } else if age <= STALE_ABOVE_HOURS {
            dec(85, 2)
        } else {
            dec(70, 2)
        })
    }

    pub fn stale(&self) -> Fact<bool> {
        self.price_age_hours().map(|age| age > STALE_ABOVE_HOURS)
    }

    pub fn price_falling(&self) -> bool {
        self.sell_daily_change_7d.is_some_and(|change| change <= FALLING_AT_MOST)
    }

    /// Two points minutes apart give absurd rates.
    fn trend_reliable(&self) -> bool {
        self.sell_trend_points.is_some_and(|points| points >= TREND_MIN_POINTS)
            && self.sell_trend_hours.is_some_and(|hours| hours >= TREND_MIN_HOURS)
    }
}
