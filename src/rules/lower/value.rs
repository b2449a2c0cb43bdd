//! What a fact or expression is while a pack is lowered: a node for its value, one for "is it known".

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;

use super::{
    dag::{Dag, NodeId, Op, TooLarge},
    refusal::Refusal,
};

/// A number: an integer node and how many decimal places it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Number {
    pub node: NodeId,
    pub places: u32,
    /// A whole number of the script's, not a decimal that happens to be whole.
    pub whole: bool,
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
    if places > MOST_PLACES { Err(TooLarge) } else { Ok(10_i128.pow(places)) }
}

impl Number {
    /// A decimal as a constant, without trailing zeros.
    pub fn constant(dag: &mut Dag, decimal: Decimal, whole: bool) -> Self {
        let decimal = decimal.normalize();
        Self { node: dag.constant(decimal.mantissa()), places: decimal.scale(), whole }
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
        Ok(Self { node: dag.put(op(one, two))?, places, whole: left.whole && right.whole })
    }

    pub fn multiplied(dag: &mut Dag, left: Self, right: Self) -> Result<Self, TooLarge> {
        let places = left.places + right.places;
        power(places)?;
        Ok(Self { node: dag.put(Op::Multiply(left.node, right.node))?, places, whole: left.whole && right.whole })
    }

    /// The interpreter's whole numbers have 64 bits; beyond them it stops with an error.
    pub fn sound(self, dag: &Dag) -> Result<Self, TooLarge> {
        let range = dag.range(self.node);
        if self.whole && (range.low < i64::MIN.into() || range.high > i64::MAX.into()) { Err(TooLarge) } else { Ok(self) }
    }

    /// Rounds to fewer places, halves away from zero; a number with no more places stays.
    pub fn rounded(self, dag: &mut Dag, places: u32) -> Result<Self, TooLarge> {
        if self.places <= places {
            return Ok(Self { whole: false, ..self });
        }
        let factor = dag.constant(power(self.places - places)?);
        Ok(Self { node: dag.put(Op::DivideRounded(self.node, factor))?, places, whole: false })
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
        Ok(Self { node: dag.put(Op::DivideRounded(dividend, divisor))?, places, whole: false })
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
                Shape::Number(Number { node, places, whole: left.whole && right.whole })
            }
            (Shape::Truth(left), Shape::Truth(right)) => Shape::Truth(dag.put(Op::Select(condition, left, right))?),
            (Shape::Text(left), Shape::Text(right)) => Shape::Text(dag.put(Op::Select(condition, left, right))?),
            (Shape::Date(left), Shape::Date(right)) => Shape::Date(dag.put(Op::Select(condition, left, right))?),
            (left, right) if left == right => left,
            _ => return Err(Refusal::UnlikeBranches),
        };
        Ok(Self { shape, known })
    }
}
