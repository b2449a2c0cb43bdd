//! The loops of the machine: plain enough for the compiler to turn them into vector instructions.
#![expect(
    clippy::inline_always,
    reason = "loops are compiled for the processor's vectors only where they stand inside of the machine's run"
)]

/// An operand's lanes.
#[derive(Clone, Copy)]
pub enum Lanes<'a, T> {
    Column(&'a [T]),
    Splat(T),
}

/// The loop for an operation of two.
#[inline(always)]
pub fn each<T: Copy, U: Copy>(target: &mut [U], one: Lanes<'_, T>, two: Lanes<'_, T>, apply: impl Fn(T, T) -> U) {
    each_also(target, one, two, |_, one, two| apply(one, two));
}

/// As [`each`], with what was there before: one loop for each way in which operands stand, so that each is as plain as can be.
#[inline(always)]
pub fn each_also<T: Copy, U: Copy>(target: &mut [U], one: Lanes<'_, T>, two: Lanes<'_, T>, apply: impl Fn(U, T, T) -> U) {
    match (one, two) {
        (Lanes::Column(one), Lanes::Column(two)) => {
            for ((target, one), two) in target.iter_mut().zip(one).zip(two) {
                *target = apply(*target, *one, *two);
            }
        }
        (Lanes::Column(one), Lanes::Splat(two)) => {
            for (target, one) in target.iter_mut().zip(one) {
                *target = apply(*target, *one, two);
            }
        }
        (Lanes::Splat(one), Lanes::Column(two)) => {
            for (target, two) in target.iter_mut().zip(two) {
                *target = apply(*target, one, *two);
            }
        }
        (Lanes::Splat(one), Lanes::Splat(two)) => target.iter_mut().for_each(|target| *target = apply(*target, one, two)),
    }
}

#[inline(always)]
pub fn select<T: Copy>(target: &mut [T], condition: Lanes<'_, u8>, one: Lanes<'_, T>, two: Lanes<'_, T>) {
    // a constant condition was chosen by while the graph was built
    let Lanes::Column(condition) = condition else { return };
    match (one, two) {
        (Lanes::Column(one), Lanes::Column(two)) => {
            for (((target, condition), one), two) in target.iter_mut().zip(condition).zip(one).zip(two) {
                *target = if *condition == 0 { *two } else { *one };
            }
        }
        (Lanes::Column(one), Lanes::Splat(two)) => {
            for ((target, condition), one) in target.iter_mut().zip(condition).zip(one) {
                *target = if *condition == 0 { two } else { *one };
            }
        }
        (Lanes::Splat(one), Lanes::Column(two)) => {
            for ((target, condition), two) in target.iter_mut().zip(condition).zip(two) {
                *target = if *condition == 0 { *two } else { one };
            }
        }
        (Lanes::Splat(one), Lanes::Splat(two)) => {
            for (target, condition) in target.iter_mut().zip(condition) {
                *target = if *condition == 0 { two } else { one };
            }
        }
    }
}

/// As [`divide_rounded`].
#[inline(always)]
pub fn divide_rounded_narrow(dividend: i64, divisor: i64) -> i64 {
    if divisor == 0 {
        return 0;
    }
    let (quotient, remainder) = (dividend.wrapping_div(divisor), dividend.wrapping_rem(divisor));
    let away = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
    if remainder.unsigned_abs() >= divisor.unsigned_abs() - remainder.unsigned_abs() { quotient + away } else { quotient }
}

/// Division by a constant as a multiplication, exact for dividends below 2^62.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reciprocal {
    factor: u64,
    bits: u32,
    half: u64,
}

impl Reciprocal {
    /// `divisor` is at least 1 and below 2^62.
    pub fn of(divisor: u64) -> Self {
        let bits = u64::BITS - divisor.saturating_sub(1).leading_zeros();
        // between 2^63 and 2^64, rounded up: the error stays below what a dividend could make of it
        let factor = (1_u128 << (63 + bits)).div_ceil(divisor.max(1).into());
        Self { factor: u64::try_from(factor).unwrap_or(u64::MAX), bits, half: divisor / 2 }
    }

    /// The quotient, halves away from zero. Only lanes that are computed again leave the range in which it is exact.
    #[inline(always)]
    pub const fn rounded(self, dividend: i64) -> i64 {
        let magnitude = dividend.unsigned_abs().wrapping_add(self.half);
        let quotient = (high_product(magnitude << 1, self.factor) >> self.bits).cast_signed();
        if dividend < 0 { -quotient } else { quotient }
    }
}

/// The upper half of a product, of 32-bit products, which vectors have.
#[inline(always)]
const fn high_product(one: u64, two: u64) -> u64 {
    const LOW: u64 = u32::MAX as u64;
    let (low, high) = ((one & LOW) * (two & LOW), (one >> 32) * (two >> 32));
    let (left, right) = ((one & LOW) * (two >> 32), (one >> 32) * (two & LOW));
    let carried = ((low >> 32) + (left & LOW) + (right & LOW)) >> 32;
    high + (left >> 32) + (right >> 32) + carried
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::dag::divide_rounded, *};

    proptest! {
        #[test]
        fn multiplying_by_the_reciprocal_divides_exactly(dividend in -(1_i64 << 61)..(1 << 61), divisor in prop_oneof![1_i64..2_000, 1_i64..(1 << 60), Just(100), Just(1_000_000)]) {
            let expected = divide_rounded(dividend.into(), divisor.into());
            prop_assert_eq!(i128::from(Reciprocal::of(divisor.unsigned_abs()).rounded(dividend)), expected);
        }

        #[test]
        fn narrow_division_is_the_wide_one(dividend in -(1_i64 << 62)..(1 << 62), divisor in prop_oneof![-2_000_i64..2_000, -(1_i64 << 61)..(1 << 61)]) {
            prop_assert_eq!(i128::from(divide_rounded_narrow(dividend, divisor)), divide_rounded(dividend.into(), divisor.into()));
        }

        #[test]
        fn halves_go_away_from_zero(whole in -1_000_000_i64..1_000_000) {
            let half = whole * 100 + if whole < 0 { -50 } else { 50 };
            prop_assert_eq!(Reciprocal::of(100).rounded(half), whole + if whole < 0 { -1 } else { 1 });
        }
    }
}
