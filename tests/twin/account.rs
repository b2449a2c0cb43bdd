//! A tenant's money: what foreign amounts are worth, and what they cost.

use rust_decimal::Decimal;
use tcg_radar::domain::money::{Currency, cents, round_half_up};

use super::{Fact, Gap, inputs::Tenant, need};

impl Tenant {
    /// Home currency for one unit, without buffer.
    pub fn market_rate(&self, currency: Currency) -> Fact<Decimal> {
        if self.home_currency == Some(currency) {
            return Ok(Decimal::ONE);
        }
        need(match currency {
            Currency::Eur => self.rate_eur,
            Currency::Usd => self.rate_usd,
            Currency::Gbp => self.rate_gbp,
        })
    }

    /// A threshold in home money: no buffer.
    pub fn threshold(&self, amount: Decimal, currency: Currency) -> Fact<Decimal> {
        Ok(cents(amount * self.market_rate(currency)?))
    }

    /// Whether an amount of home money is at most a bound in another currency.
    pub fn within(&self, amount: Decimal, bound: Decimal, currency: Currency) -> Fact<bool> {
        Ok(amount <= bound * self.market_rate(currency)?)
    }

    /// A cost in home money: the buffer is against us.
    pub fn cost(&self, amount: Decimal, currency: Currency) -> Fact<Decimal> {
        let rate = self.market_rate(currency)?;
        if self.home_currency == Some(currency) {
            return Ok(cents(amount * rate));
        }
        Ok(cents(amount * (rate * (Decimal::ONE + need(self.forex_buffer)?))))
    }
}

/// A division that rounds once.
pub fn ratio(dividend: Decimal, divisor: Decimal, places: u32) -> Fact<Decimal> {
    if divisor.is_zero() { Err(Gap::Fault) } else { Ok(round_half_up(dividend / divisor, places)) }
}
