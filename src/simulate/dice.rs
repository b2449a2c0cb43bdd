//! Random numbers that are the same on every run and platform: one independent stream for each purpose and card, so
//! that the order in which things are built cannot change what they are. Integers only: floats round by platform.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};

/// One millionth, the unit of every relative figure here.
pub const MILLION: i64 = 1_000_000;

/// What a stream of random numbers is for. A new purpose gets a new number; the old ones stay as they are.
#[derive(Debug, Clone, Copy)]
pub enum Purpose {
    Catalogue = 1,
    Plan = 2,
    Rates = 3,
    Sellers = 4,
    Walk = 5,
    Stock = 6,
    Activity = 7,
    Rows = 8,
    BadScrape = 9,
    Cast = 10,
}

/// A stream of random integers.
#[derive(Debug, Clone)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of one purpose and one index (a card, a set, 0 where there is only one).
    pub fn new(seed: u64, purpose: Purpose, index: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(((purpose as u64) << 48) | index as u64);
        Self(rng)
    }

    /// Uniform in `low..=high`; `low` where the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = i128::from(high) - i128::from(low) + 1;
        if width <= 1 {
            return low;
        }
        // the product's upper half is uniform over the width, without the division whose remainder favours small numbers
        let step = (i128::from(self.0.next_u64()) * width) >> 64;
        low + i64::try_from(step).unwrap_or(0)
    }

    /// Uniform over an index of a collection of `len`, which is not empty.
    pub fn index(&mut self, len: usize) -> usize {
        let last = i64::try_from(len).unwrap_or(i64::MAX) - 1;
        usize::try_from(self.between(0, last)).unwrap_or(0)
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.index(items.len())]
    }

    /// True in `per_mille` of 1,000 cases.
    pub fn chance(&mut self, per_mille: i64) -> bool {
        self.between(0, 999) < per_mille
    }

    /// Bell-shaped around zero, within `±reach`.
    pub fn around_zero(&mut self, reach: i64) -> i64 {
        i64::midpoint(self.between(-reach, reach), self.between(-reach, reach))
    }

    /// Spread evenly over the doublings between `low` and `high`, as prices are: as many from 1 to 2 as from 10 to 20.
    pub fn doublings(&mut self, low: i64, high: i64) -> i64 {
        let octaves = (high / low.max(1)).max(1).ilog2();
        let floor = low << self.between(0, i64::from(octaves));
        self.between(floor, (floor * 2).min(high))
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.index(last + 1));
        }
    }
}

/// `amount × ppm ÷ 1,000,000`, exact halves away from zero.
pub fn times(amount: i64, ppm: i64) -> i64 {
    ratio(amount, ppm, MILLION)
}

/// `amount × numerator ÷ denominator` with one rounding, exact halves away from zero; the denominator is positive.
pub fn ratio(amount: i64, numerator: i64, denominator: i64) -> i64 {
    let product = i128::from(amount) * i128::from(numerator);
    let (denominator, half) = (i128::from(denominator.max(1)), i128::from(denominator.max(1)) / 2);
    let rounded = if product < 0 { (product - half) / denominator } else { (product + half) / denominator };
    i64::try_from(rounded).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pinned_so_that_no_platform_or_update_can_move_them() {
        let mut dice = Dice::new(7, Purpose::Walk, 3);
        let drawn: Vec<i64> = (0..4).map(|_| dice.between(0, 999_999)).collect();
        assert_eq!(drawn, PINNED);
    }
    const PINNED: [i64; 4] = [661_571, 490_907, 797_470, 576_678];

    #[test]
    fn every_number_stays_in_its_range_and_the_ends_are_reached() {
        let mut dice = Dice::new(1, Purpose::Plan, 0);
        let drawn: Vec<i64> = (0..500).map(|_| dice.between(-2, 3)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&-2), Some(&3)));
        assert!((0..500).all(|_| (30..=700).contains(&dice.doublings(30, 700))));
        assert_eq!(dice.between(5, 5), 5);
    }

    #[test]
    fn a_ratio_rounds_exact_halves_away_from_zero() {
        assert_eq!((ratio(5, 1, 2), ratio(-5, 1, 2), ratio(4, 1, 3)), (3, -3, 1));
    }
}
