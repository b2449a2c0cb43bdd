//! What a fact or expression is while a pack is lowered: a node for its value, one for "is it known".

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;

use super::{
    dag::{Dag, NodeId, Op, TooLarge},
    refusal::{Refusal, Why},
};

/// A number: an integer node and how many decimal places it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    pub node: NodeId,
    pub places: u32,
    pub kind: Kind,
}

/// Which of the script's two kinds of number it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A whole number of 64 bits, not a decimal that happens to be whole.
    Whole,
    Decimal,
    /// The one on some rows, the other on others.
    Either,
}

impl Kind {
    /// Of what is computed from two numbers: a decimal, if either is one.
    pub const fn with(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole, Self::Whole) => Self::Whole,
            (Self::Decimal, _) | (_, Self::Decimal) => Self::Decimal,
            _ => Self::Either,
        }
    }

    /// Of what is the one number or the other.
    fn or(self, other: Self) -> Self {
        if self == other { self } else { Self::Either }
    }
}

/// A value's shape and nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    Number(Number),
    /// A quotient that nobody has rounded yet.
    Quotient(Number, Number),
    Truth(NodeId),
    Text(NodeId),
    /// Days since the common era.
    Date(NodeId),
    /// Never known.
    Nothing,
}

/// A value and when it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Value {
    pub shape: Shape,
    pub known: NodeId,
}

/// The most places that the interpreter's decimals keep.
const MOST_PLACES: u32 = 28;

/// The number that a date is in the graph.
pub fn day(date: NaiveDate) -> i128 {
    date.num_days_from_ce().into()
}

/// Ten to that power.
pub fn power(places: u32) -> Result<i128, TooLarge> {
    POWERS.get(places as usize).copied().ok_or(TooLarge)
}

/// Rows ask for them by the million.
const POWERS: [i128; MOST_PLACES as usize + 1] = {
    let mut powers = [1; MOST_PLACES as usize + 1];
    let mut place = 1;
    while place < powers.len() {
        powers[place] = powers[place - 1] * 10;
        place += 1;
    }
    powers
};

impl Number {
    /// A decimal as a constant, without trailing zeros.
    pub fn constant(dag: &mut Dag, decimal: Decimal, kind: Kind) -> Self {
        let decimal = decimal.normalize();
        Self { node: dag.constant(decimal.mantissa()), places: decimal.scale(), kind }
    }

    /// The same number with more places.
    pub fn with_places(self, dag: &mut Dag, places: u32) -> Result<NodeId, TooLarge> {
        let factor = dag.constant(power(places.saturating_sub(self.places))?);
        dag.put(Op::Multiply(self.node, factor))
    }

    /// Both numbers with the same places.
    pub fn aligned(dag: &mut Dag, left: Self, right: Self) -> Result<(NodeId, NodeId, u32), TooLarge> {
        let places = left.places.max(right.places);
        Ok((left.with_places(dag, places)?, right.with_places(dag, places)?, places))
    }

    /// Applies an operation that keeps the scale.
    pub fn combine(dag: &mut Dag, left: Self, right: Self, op: fn(NodeId, NodeId) -> Op) -> Result<Self, TooLarge> {
        let (one, two, places) = Self::aligned(dag, left, right)?;
        Ok(Self { node: dag.put(op(one, two))?, places, kind: left.kind.with(right.kind) })
    }

    pub fn multiplied(dag: &mut Dag, left: Self, right: Self) -> Result<Self, TooLarge> {
        let places = left.places + right.places;
        power(places)?;
        Ok(Self { node: dag.put(Op::Multiply(left.node, right.node))?, places, kind: left.kind.with(right.kind) })
    }

    /// The interpreter's whole numbers have 64 bits; beyond them it stops with an error, so such rows are its own.
    pub fn sound(self, dag: &mut Dag) -> Result<Self, TooLarge> {
        if self.kind == Kind::Decimal { Ok(self) } else { Ok(Self { node: dag.bound(self.node, i64::MAX.into())?, ..self }) }
    }

    pub fn negated(self, dag: &mut Dag) -> Result<Self, TooLarge> {
        let zero = dag.constant(0);
        Self { node: dag.put(Op::Subtract(zero, self.node))?, ..self }.sound(dag)
    }

    /// Rounds to fewer places, halves away from zero; a number with no more places stays.
    pub fn rounded(self, dag: &mut Dag, places: u32) -> Result<Self, TooLarge> {
        if self.places <= places {
            return Ok(Self { kind: Kind::Decimal, ..self });
        }
        let factor = dag.constant(power(self.places - places)?);
        Ok(Self { node: dag.put(Op::DivideRounded(self.node, factor))?, places, kind: Kind::Decimal })
    }

    /// The quotient rounded to that many places; 0 for a divisor of 0, which the caller has to make a fault.
    pub fn divided(dag: &mut Dag, left: Self, right: Self, places: u32) -> Result<Self, TooLarge> {
        // left/10^l ÷ right/10^r × 10^places
        let up = places + right.places;
        let (dividend, divisor) = if up >= left.places {
            let factor = dag.constant(power(up - left.places)?);
            (dag.put(Op::Multiply(left.node, factor))?, right.node)
        } else {
            let factor = dag.constant(power(left.places - up)?);
            (left.node, dag.put(Op::Multiply(right.node, factor))?)
        };
        // the interpreter's quotient has 28 digits: within these bounds they tell on which side of a half the exact one
        // lies, so that rounding it comes to the same; `divided_twice_is_rounded_once` says why
        let dividend = dag.bound(dividend, power(MOST_PLACES - 2)?)?;
        let divisor = dag.bound(divisor, power((MOST_PLACES - 2).saturating_sub(places))?)?;
        Ok(Self { node: dag.put(Op::DivideRounded(dividend, divisor))?, places, kind: Kind::Decimal })
    }

    /// The quotient by a constant such as 100 or 2.5, where it is an exact decimal whatever the dividend.
    pub fn by_constant(dag: &mut Dag, left: Self, right: Self) -> Option<Self> {
        let divisor = dag.constant_of(right.node).filter(|divisor| *divisor != 0)?;
        // left/10^l ÷ divisor/10^r = left × (10^k/divisor) / 10^(l + k − r)
        let extra = (0..=MOST_PLACES).find(|extra| power(*extra).is_ok_and(|power| power % divisor == 0))?;
        let (up, down) = (left.places + extra, right.places);
        let shift = power(down.saturating_sub(up)).ok()?;
        let factor = dag.constant((power(extra).ok()? / divisor).checked_mul(shift)?);
        let places = up.saturating_sub(down);
        power(places).ok()?;
        Some(Self { node: dag.put(Op::Multiply(left.node, factor)).ok()?, places, kind: Kind::Decimal })
    }

    /// Compares two numbers.
    pub fn compared(dag: &mut Dag, left: Self, right: Self, op: fn(NodeId, NodeId) -> Op) -> Result<NodeId, TooLarge> {
        let (one, two, _) = Self::aligned(dag, left, right)?;
        dag.put(op(one, two))
    }
}

impl Value {
    /// A value that is always known.
    pub fn known(dag: &mut Dag, shape: Shape) -> Self {
        Self { shape, known: dag.truth(true) }
    }

    pub fn unknown(dag: &mut Dag) -> Self {
        Self { shape: Shape::Nothing, known: dag.truth(false) }
    }

    /// The one where the condition holds, else the other.
    pub fn select(dag: &mut Dag, condition: NodeId, one: Self, two: Self) -> Result<Self, Refusal> {
        let known = dag.put(Op::Select(condition, one.known, two.known))?;
        if let Some(always) = dag.constant_of(condition) {
            return Ok(if always == 0 { two } else { one });
        }
        let shape = match (one.shape, two.shape) {
            (Shape::Nothing, other) | (other, Shape::Nothing) => other,
            (Shape::Number(left), Shape::Number(right)) => {
                let (left_node, right_node, places) = Number::aligned(dag, left, right)?;
                let node = dag.put(Op::Select(condition, left_node, right_node))?;
                Shape::Number(Number { node, places, kind: left.kind.or(right.kind) })
            }
            (Shape::Truth(left), Shape::Truth(right)) => Shape::Truth(dag.put(Op::Select(condition, left, right))?),
            (Shape::Text(left), Shape::Text(right)) => Shape::Text(dag.put(Op::Select(condition, left, right))?),
            (Shape::Date(left), Shape::Date(right)) => Shape::Date(dag.put(Op::Select(condition, left, right))?),
            (left, right) if left == right => left,
            (Shape::Quotient(..), Shape::Quotient(..) | Shape::Number(_)) | (Shape::Number(_), Shape::Quotient(..)) => {
                return Err(Why::Unrounded.into());
            }
            _ => return Err(Why::UnlikeBranches.into()),
        };
        Ok(Self { shape, known })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::dag::divide_rounded;
    use super::*;

    proptest! {
        /// The interpreter divides to 28 digits and rounds then; within the bounds of [`Number::divided`] that is what
        /// rounding the exact quotient gives, a hair's breadth from a half too.
        #[test]
        fn divided_twice_is_rounded_once(
            places in 0_u32..=20,
            digits in 0_u32..=26,
            seed in any::<u128>(),
            quotient in any::<u64>(),
            nudge in -1_i128..=1,
        ) {
            // a divisor of that many digits at most, and a dividend next to a half of it
            let largest = 10_i128.pow(26 - places);
            let divisor = i128::try_from(seed % 10_u128.pow(digits.min(26 - places))).unwrap_or(0).max(1);
            prop_assume!(divisor <= largest);
            let most = (10_i128.pow(26) / divisor / 2).max(1);
            let dividend = (2 * (i128::from(quotient) % most) + 1) * divisor / 2 + nudge;
            prop_assume!(dividend.abs() <= 10_i128.pow(26));
            let exact = divide_rounded(dividend, divisor);
            // dividend / divisor × 10^places, as the interpreter sees it
            let (one, two) = (Decimal::from_i128_with_scale(dividend, places), Decimal::from_i128_with_scale(divisor, 0));
            let found = one.checked_div(two).map(|found| found.round_dp_with_strategy(places, rust_decimal::RoundingStrategy::MidpointAwayFromZero));
            prop_assert_eq!(found, Some(Decimal::from_i128_with_scale(exact, places)), "{} / {}", one, two);
        }
    }
}
