//! Exact money: decimals, half-away-from-zero rounding, and conversions whose safety buffer works against us once.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

/// Rounds to `places` decimal places; an exact half goes away from zero (1.375 → 1.38, −1.375 → −1.38).
#[must_use]
pub fn round_half_up(amount: Decimal, places: u32) -> Decimal {
    amount.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}

/// Rounds to whole cents.
#[must_use]
pub fn cents(amount: Decimal) -> Decimal {
    round_half_up(amount, 2)
}

/// A currency that a market or an account uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    Eur,
    Usd,
    Gbp,
}

impl Currency {
    pub const ALL: [Self; 3] = [Self::Eur, Self::Usd, Self::Gbp];

    /// The ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Eur => "EUR",
            Self::Usd => "USD",
            Self::Gbp => "GBP",
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|currency| currency.code().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| UnknownCurrency(text.to_owned()))
    }
}

/// A currency code that we do not trade in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown currency \"{0}\": use EUR, USD or GBP")]
pub struct UnknownCurrency(pub String);

/// Where a rate came from; stored with every decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RateOrigin {
    /// The day that the rate is for.
    pub date: NaiveDate,
    /// `ecb`, `exchangerate-api`, `EUR_USD_RATE`.
    pub source: String,
}

/// Units of each currency for one euro, on one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rates {
    pub usd_per_eur: Decimal,
    /// `None` where no source was asked for pounds.
    pub gbp_per_eur: Option<Decimal>,
    pub origin: RateOrigin,
}

/// One published rate: units of `currency` for one euro.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DailyRate {
    /// The day that the rate is for.
    pub date: NaiveDate,
    pub currency: Currency,
    pub units_per_eur: Decimal,
    /// `ecb`, `exchangerate-api`.
    pub source: String,
    pub known_at: DateTime<Utc>,
}

/// Whether so many units of a currency can be one euro.
pub fn is_plausible_rate(units_per_eur: Decimal) -> bool {
    units_per_eur >= Decimal::new(1, 2) && units_per_eur <= Decimal::ONE_HUNDRED
}

/// Decimal places that a conversion rate keeps.
pub const RATE_PLACES: u32 = 10;

impl Rates {
    fn per_eur(&self, currency: Currency) -> Result<Decimal, RateError> {
        let rate = match currency {
            Currency::Eur => Some(Decimal::ONE),
            Currency::Usd => Some(self.usd_per_eur),
            Currency::Gbp => self.gbp_per_eur,
        };
        match rate {
            None => Err(RateError::Unknown(currency)),
            Some(rate) if rate <= Decimal::ZERO => Err(RateError::NotPositive),
            Some(rate) => Ok(rate),
        }
    }

    /// Units of `home` for one unit of `foreign`, unbuffered, rounded to [`RATE_PLACES`].
    ///
    /// # Errors
    /// A rate that is unknown, zero or negative.
    pub fn market(&self, foreign: Currency, home: Currency) -> Result<Decimal, RateError> {
        if foreign == home {
            return Ok(Decimal::ONE);
        }
        Ok(round_half_up(self.per_eur(home)? / self.per_eur(foreign)?, RATE_PLACES))
    }

    /// `home` to be paid per unit of `foreign`: the buffer makes the foreign cost dearer.
    ///
    /// # Errors
    /// A rate that is unknown, zero or negative.
    pub fn cost(&self, foreign: Currency, home: Currency, buffer: Decimal) -> Result<Decimal, RateError> {
        let rate = self.market(foreign, home)?;
        if foreign == home {
            return Ok(rate);
        }
        Ok(round_half_up(rate * (Decimal::ONE + buffer), RATE_PLACES))
    }

    /// `home` received per unit of `foreign`: the buffer makes the foreign proceeds smaller.
    ///
    /// # Errors
    /// A rate that is unknown, zero or negative.
    pub fn proceeds(&self, foreign: Currency, home: Currency, buffer: Decimal) -> Result<Decimal, RateError> {
        let rate = self.market(foreign, home)?;
        if foreign == home {
            return Ok(rate);
        }
        let divisor = Decimal::ONE + buffer;
        if divisor <= Decimal::ZERO {
            return Err(RateError::NotPositive);
        }
        Ok(round_half_up(rate / divisor, RATE_PLACES))
    }
}

/// Why a rate cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RateError {
    #[error("an exchange rate must be above zero")]
    NotPositive,
    #[error("nobody knows what one euro is in {0}: import the ECB's rates")]
    Unknown(Currency),
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use proptest::prelude::*;

    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn rates() -> Rates {
        Rates {
            usd_per_eur: d("1.08"),
            gbp_per_eur: Some(d("0.85")),
            origin: RateOrigin { date: NaiveDate::from_ymd_opt(2026, 2, 22).unwrap(), source: "test".into() },
        }
    }

    #[test]
    fn exact_halves_round_away_from_zero() {
        assert_eq!(cents(d("1.375")), d("1.38"));
        assert_eq!(cents(d("-1.375")), d("-1.38"));
        assert_eq!(cents(d("1.005")), d("1.01"));
    }

    #[test]
    fn the_buffer_works_against_us_in_both_directions() {
        let rates = rates();
        let cost = rates.cost(Currency::Eur, Currency::Usd, d("0.02")).unwrap();
        assert_eq!(cents(d("100") * cost), d("110.16"));
        let proceeds = rates.proceeds(Currency::Usd, Currency::Eur, d("0.02")).unwrap();
        assert_eq!(cents(d("108") * proceeds), d("98.04"));
    }

    #[test]
    fn money_in_the_home_currency_carries_no_buffer() {
        assert_eq!(rates().cost(Currency::Usd, Currency::Usd, d("0.02")).unwrap(), Decimal::ONE);
        assert_eq!(rates().proceeds(Currency::Usd, Currency::Usd, d("0.02")).unwrap(), Decimal::ONE);
    }

    #[test]
    fn a_rate_of_zero_is_refused() {
        let mut rates = rates();
        rates.usd_per_eur = Decimal::ZERO;
        assert_eq!(rates.market(Currency::Eur, Currency::Usd), Err(RateError::NotPositive));
    }

    proptest! {
        #[test]
        fn rounding_moves_an_amount_by_half_a_cent_at_most(mantissa in -1_000_000_000_i64..1_000_000_000, scale in 0_u32..8) {
            let amount = Decimal::new(mantissa, scale);
            let rounded = cents(amount);
            prop_assert!((rounded - amount).abs() <= d("0.005"));
            prop_assert!(rounded.scale() <= 2);
            prop_assert_eq!(cents(-amount), -rounded);
        }
    }
}
