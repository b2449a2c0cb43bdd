//! Which exchange rate to count with: the one just asked for, one asked for lately, or the operator's own.
//!
//! The rate is the market's, unbuffered: the safety buffer is applied once, where money is converted.

use chrono::Duration;
use rust_decimal::Decimal;

/// A rate that the service told us earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub rate: Decimal,
    pub age: Duration,
}

/// Where the rate came from; decisions store it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The service, just now.
    Live,
    /// The service, so lately that it was not asked again.
    Held,
    /// The service, before it failed.
    LastGood,
    /// The operator's own rate.
    Fixed,
}

/// A rate and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    pub rate: Decimal,
    pub origin: Origin,
}

/// How long a rate is believed, and what holds without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// A rate younger than this is not asked for again.
    pub fresh_for: Duration,
    /// While the service fails, its last rate is used up to this age.
    pub usable_for: Duration,
    /// The operator's own rate.
    pub fixed: Decimal,
}

/// How long the last good rate serves while the service fails.
pub const USABLE_FOR: Duration = Duration::hours(24);

impl Policy {
    /// The rate, if nobody has to be asked: without a key it is the operator's, with a fresh one at hand that one.
    pub fn without_asking(&self, has_key: bool, held: Option<Held>) -> Option<Chosen> {
        if !has_key {
            return Some(self.fixed());
        }
        held.filter(|held| held.age < self.fresh_for).map(|held| Chosen { rate: held.rate, origin: Origin::Held })
    }

    /// The rate after the service was asked; `None` stands for any failure.
    pub fn after_asking(&self, answer: Option<Decimal>, held: Option<Held>) -> Chosen {
        if let Some(rate) = answer.filter(|rate| *rate > Decimal::ZERO) {
            return Chosen { rate, origin: Origin::Live };
        }
        let last = held.filter(|held| held.age <= self.usable_for);
        last.map_or_else(|| self.fixed(), |held| Chosen { rate: held.rate, origin: Origin::LastGood })
    }

    const fn fixed(&self) -> Chosen {
        Chosen { rate: self.fixed, origin: Origin::Fixed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy =
        Policy { fresh_for: Duration::seconds(900), usable_for: USABLE_FOR, fixed: Decimal::from_parts(108, 0, 0, false, 2) };

    fn held(seconds: i64) -> Held {
        Held { rate: Decimal::TWO, age: Duration::seconds(seconds) }
    }

    fn origin(chosen: Chosen) -> (Decimal, Origin) {
        (chosen.rate, chosen.origin)
    }

    #[test]
    fn nobody_is_asked_without_a_key_or_with_a_fresh_rate() {
        assert_eq!(POLICY.without_asking(false, Some(held(1))).map(origin), Some((POLICY.fixed, Origin::Fixed)));
        assert_eq!(POLICY.without_asking(true, Some(held(899))).map(origin), Some((Decimal::TWO, Origin::Held)));
        assert_eq!(POLICY.without_asking(true, Some(held(900))), None);
        assert_eq!(POLICY.without_asking(true, None), None);
    }

    #[test]
    fn a_failure_falls_back_to_the_last_good_rate_for_a_day() {
        assert_eq!(origin(POLICY.after_asking(Some(Decimal::ONE), Some(held(1)))), (Decimal::ONE, Origin::Live));
        assert_eq!(origin(POLICY.after_asking(None, Some(held(86_400)))), (Decimal::TWO, Origin::LastGood));
        assert_eq!(origin(POLICY.after_asking(None, Some(held(86_401)))), (POLICY.fixed, Origin::Fixed));
        assert_eq!(origin(POLICY.after_asking(Some(Decimal::ZERO), None)), (POLICY.fixed, Origin::Fixed));
    }
}
