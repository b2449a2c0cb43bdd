//! Draws typical values, and now and then one at a bound, beside a bound, or none at all.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use rust_decimal::Decimal;
use tcg_radar::{
    domain::money::RateError,
    rules::facts::{Domain, input},
};

fn domain(name: &str) -> Domain {
    input(name).unwrap_or_else(|| panic!("{name} is no input")).domain
}

pub struct Draw {
    dice: ChaCha8Rng,
    /// Of a thousand values, how many are odd.
    odd: i64,
}

impl Draw {
    pub fn new(seed: u64, number: u64, odd: i64) -> Self {
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(number);
        Self { dice, odd }
    }

    /// Uniform in `low..=high`.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low).unwrap() + 1;
        low + i64::try_from(self.dice.next_u64() % width).unwrap()
    }

    pub fn chance(&mut self, per_mille: i64) -> bool {
        self.between(1, 1_000) <= per_mille
    }

    /// Something in so many cases of a thousand.
    pub fn often(&mut self, per_mille: i64) -> Option<()> {
        self.chance(per_mille).then_some(())
    }

    pub fn among<'a, T>(&mut self, members: &'a [T]) -> &'a T {
        let last = i64::try_from(members.len()).unwrap() - 1;
        &members[usize::try_from(self.between(0, last)).unwrap()]
    }

    /// The usual value, or sometimes one of the others.
    pub fn odd<T: Copy>(&mut self, usual: T, others: &[T]) -> T {
        if self.chance(self.odd) { *self.among(others) } else { usual }
    }

    /// The usual value, sometimes one of the others, sometimes nothing.
    pub fn exactly<T: Copy>(&mut self, usual: T, others: &[T]) -> Option<T> {
        if self.chance(self.odd / 3) { None } else { Some(self.odd(usual, others)) }
    }

    pub fn member<T: Copy>(&mut self, usual: T, all: &[T]) -> Option<T> {
        self.exactly(usual, all)
    }

    pub fn text(&mut self, usual: &'static str, others: &[&'static str]) -> Option<&'static str> {
        self.exactly(usual, others)
    }

    /// True in so many cases of a thousand.
    pub fn truth(&mut self, per_mille: i64) -> Option<bool> {
        let truth = self.chance(per_mille);
        self.exactly(truth, &[true, false])
    }

    pub fn mark(&mut self) -> Option<&'static str> {
        let mark = *self.among(&["F", "G", "H", "H", "H", "I", "J"]);
        self.text(mark, &["D", "E", "F", "G", "K", "g", ""])
    }

    /// A whole number: a bound, or one beside it.
    fn near(&mut self, usual: i64, bounds: &[i64]) -> Option<i64> {
        let bound = *self.among(bounds) + self.between(-1, 1);
        self.exactly(usual, &[bound])
    }

    /// A whole number that the input admits.
    pub fn count(&mut self, input: &str, low: i64, high: i64, bounds: &[i64]) -> Option<i64> {
        let Domain::Integer { min, max } = domain(input) else { panic!("{input} is no whole number") };
        let usual = self.between(low, high);
        Some(self.near(usual, bounds)?.clamp(min, max))
    }

    /// A decimal that the input admits; all figures are in units of its last place.
    pub fn decimal(&mut self, input: &str, low: i64, high: i64, bounds: &[i64]) -> Option<Decimal> {
        let Domain::Decimal { places, min, max } = domain(input) else { panic!("{input} is no decimal") };
        let (usual, unit) = (self.between(low, high), 10_i64.pow(places));
        Some(Decimal::new(self.near(usual, bounds)?.clamp(min * unit, max * unit), places))
    }

    /// Money, in cents.
    pub fn cents(&mut self, usual: i64, bounds: &[i64]) -> Option<Decimal> {
        Some(Decimal::new(self.near(usual, bounds)?.clamp(0, 1_000_000_000), 2))
    }

    /// A price in cents, spread over its magnitudes as prices are.
    pub fn price(&mut self) -> i64 {
        let floor = 100 << self.between(0, 9);
        self.between(floor, floor * 2)
    }

    /// An amount times so many thousandths.
    pub fn scaled(&mut self, amount: i64, low: i64, high: i64) -> i64 {
        amount * self.between(low, high) / 1_000
    }

    pub fn rate(&mut self, rate: Result<Decimal, RateError>) -> Option<Decimal> {
        self.exactly(rate.unwrap(), &[Decimal::ZERO, Decimal::ONE, Decimal::new(1, 10), Decimal::from(1_000_000)])
    }
}
