//! Units of facts: money by role, time and plain counts, as exponents that multiply and divide.

use std::{fmt, str::FromStr};

/// The base dimensions, in the order of [`Unit`]'s exponents.
const BASES: [&str; 5] = ["buy", "sell", "home", "days", "hours"];

/// A product of base dimensions with integer exponents: `home/buy` is `[-1, 0, 1, 0, 0]`, a ratio is all zero.
///
/// The three currencies are roles of a route: what is paid in (`buy`), what is sold in (`sell`), and the tenant's
/// account currency (`home`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Unit([i8; BASES.len()]);

impl Unit {
    /// A plain number: a ratio, a count, a percentage.
    pub const NONE: Self = Self([0; BASES.len()]);
    /// Money of the tenant's account.
    pub const HOME: Self = Self([0, 0, 1, 0, 0]);
    /// Whole days.
    pub const DAYS: Self = Self([0, 0, 0, 1, 0]);

    /// Unit of a product.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Self(std::array::from_fn(|base| self.0[base].saturating_add(other.0[base])))
    }

    /// Unit of a quotient.
    #[must_use]
    pub fn per(self, other: Self) -> Self {
        Self(std::array::from_fn(|base| self.0[base].saturating_sub(other.0[base])))
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |sign: i8| {
            BASES
                .iter()
                .zip(self.0)
                .filter(|(_, exponent)| exponent.signum() == sign)
                .flat_map(|(base, exponent)| std::iter::repeat_n(*base, usize::from(exponent.unsigned_abs())))
                .collect::<Vec<_>>()
                .join("*")
        };
        let (above, below) = (part(1), part(-1));
        match (above.is_empty(), below.is_empty()) {
            (true, true) => f.pad("ratio"),
            (_, true) => f.pad(&above),
            (true, false) => f.pad(&format!("1/{below}")),
            (false, false) => f.pad(&format!("{above}/{below}")),
        }
    }
}

impl FromStr for Unit {
    type Err = UnknownUnit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let base = |name: &str| -> Result<Self, UnknownUnit> {
            if matches!(name, "ratio" | "count" | "percent" | "1") {
                return Ok(Self::NONE);
            }
            let position = BASES.iter().position(|base| *base == name).ok_or_else(|| UnknownUnit(text.to_owned()))?;
            let mut exponents = [0; BASES.len()];
            exponents[position] = 1;
            Ok(Self(exponents))
        };
        match text.split_once('/') {
            Some((above, below)) => Ok(base(above)?.per(base(below)?)),
            None => base(text),
        }
    }
}

/// A unit name that no fact can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown unit \"{0}\": use ratio, count, percent, days, hours, buy, sell, home, home/buy, home/sell, EUR, USD or GBP")]
pub struct UnknownUnit(pub String);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_price_times_a_rate_is_home_money() {
        let price: Unit = "buy".parse().unwrap();
        let rate: Unit = "home/buy".parse().unwrap();
        assert_eq!(price.times(rate), Unit::HOME);
        assert_eq!(rate.to_string(), "home/buy");
        assert_eq!(Unit::HOME.per(Unit::HOME).to_string(), "ratio");
    }

    #[test]
    fn a_currency_is_no_unit_of_a_fact() {
        assert!("EURO".parse::<Unit>().is_err());
    }
}
