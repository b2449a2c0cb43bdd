//! Random choices, and values of inputs: usual ones, edges, halves, unknown, and just outside of what is declared.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use rust_decimal::Decimal;

use crate::rules::{
    facts::{Domain, Input},
    value::Value,
};

pub struct Dice(ChaCha8Rng);

/// Amounts that formulas compare with, so that rows often hit them exactly.
pub const AMOUNTS: [&str; 12] = ["0", "0.005", "0.5", "1", "1.5", "2.345", "5", "9.995", "10", "25.50", "100", "1000"];
pub const COUNTS: [i64; 8] = [0, 1, 2, 3, 5, 10, 30, 100];
pub const TEXTS: [&str; 4] = ["alpha", "beta", "gamma", "EUR"];
pub const DATES: [&str; 5] = ["2020-02-29", "2026-07-14", "2026-07-15", "2026-07-16", "2027-01-01"];
/// The day that is judged.
pub const TODAY: &str = "2026-07-15";

impl Dice {
    pub fn seeded(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// From 0 to below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.0.next_u64() % end as u64).unwrap()
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn of<'a, T>(&mut self, some: &'a [T]) -> &'a T {
        &some[self.below(some.len())]
    }

    fn whole(&mut self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low).unwrap() + 1;
        low + i64::try_from(self.0.next_u64() % width).unwrap()
    }

    /// A value of an input. A tame one is mostly of a size at which formulas do not run into limits.
    pub fn value(&mut self, input: &Input, tame: bool) -> Value {
        let unknown = if tame { 4 } else { 10 };
        if self.chance(unknown) {
            return Value::Unknown;
        }
        let odd = !tame && self.chance(8);
        match input.domain {
            Domain::Bool => Value::Bool(self.chance(50)),
            Domain::Text => Value::Text((*self.of(&TEXTS)).into()),
            Domain::Date => Value::Date(self.of(&DATES).parse().unwrap()),
            Domain::Enum(_) if odd => Value::Text("nothing of the kind".into()),
            Domain::Enum(members) => Value::Text((*self.of(members)).into()),
            Domain::Integer { min, max } if odd => Value::Integer(*self.of(&[min - 1, max + 1])),
            Domain::Integer { min, max } => {
                let number = match self.below(if tame { 8 } else { 10 }) {
                    0..6 => *self.of(&COUNTS),
                    6 => -*self.of(&COUNTS),
                    7 => self.whole(0, 2_000),
                    8 => *self.of(&[min, max]),
                    _ => self.whole(min, max),
                };
                Value::Integer(number.clamp(min, max))
            }
            Domain::Decimal { places, min, max } if odd => {
                let beyond = Decimal::new(1, places);
                let outside = [
                    Decimal::from(min) - beyond,
                    Decimal::from(max) + beyond,
                    Decimal::new(5, places + 1),
                    Decimal::from(max) * Decimal::TEN,
                ];
                Value::Decimal(*self.of(&outside))
            }
            Domain::Decimal { places, min, max } => Value::Decimal(self.decimal(places, min, max, tame)),
        }
    }

    fn decimal(&mut self, places: u32, min: i64, max: i64, tame: bool) -> Decimal {
        let amount = |dice: &mut Self| dice.of(&AMOUNTS).parse::<Decimal>().unwrap();
        let number = match self.below(if tame { 10 } else { 14 }) {
            0..4 => amount(self),
            4 => -amount(self),
            5 => amount(self) + Decimal::new(self.whole(-1, 1), places),
            6 => Decimal::new(self.whole(-3_000, 30_000), 2),
            7 => Decimal::new(self.whole(0, 2_000), 3),
            8 => Decimal::new(self.whole(-5, 5), places),
            9 => Decimal::new(self.whole(0, 3) * 10 + 5, places.min(4)),
            10 => Decimal::from(*self.of(&[min, max])),
            11 => Decimal::from(max) - Decimal::new(1, places),
            12 => Decimal::from(min) + Decimal::new(1, places),
            _ => Decimal::from(self.whole(min, max - 1)) + Decimal::new(self.whole(0, 10_i64.pow(places) - 1), places),
        };
        let number = number.clamp(Decimal::from(min), Decimal::from(max)).round_dp(places);
        // the same number may be written with more zeros than are kept
        if self.chance(5) { Decimal::from_str_exact(&format!("{number:.12}")).unwrap_or(number) } else { number }
    }
}
