//! A graph of exact integer operations in which equal nodes are one node and every node knows the range of its values.
//!
//! A decimal is an integer at a number of places that the builder keeps track of; a truth is 0 or 1; a text is a number
//! from a list of texts. Ranges follow from the declared ranges of the inputs, so overflow is ruled out while the graph
//! is built, and comparisons that can only end one way fold to constants.

use rustc_hash::FxHashMap;

use super::algebra::ordered;

/// A node's position in the graph; operands always stand before their users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u32);

/// What a node computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    Constant(i128),
    /// A column of the rows.
    Input(u32),
    Add(NodeId, NodeId),
    Subtract(NodeId, NodeId),
    Multiply(NodeId, NodeId),
    Min(NodeId, NodeId),
    Max(NodeId, NodeId),
    /// The quotient rounded to a whole number, halves away from zero; 0 where the divisor is 0.
    DivideRounded(NodeId, NodeId),
    /// The quotient rounded down.
    DivideFloor(NodeId, NodeId),
    /// The remainder with the dividend's sign; 0 where the divisor is 0.
    Remainder(NodeId, NodeId),
    Less(NodeId, NodeId),
    LessOrEqual(NodeId, NodeId),
    Equal(NodeId, NodeId),
    And(NodeId, NodeId),
    Or(NodeId, NodeId),
    Not(NodeId),
    /// The second where the first is true, else the third.
    Select(NodeId, NodeId, NodeId),
}

impl Op {
    /// The nodes that it reads.
    pub fn operands(self) -> impl Iterator<Item = NodeId> {
        let list = match self {
            Self::Constant(_) | Self::Input(_) => [None; 3],
            Self::Not(one) => [Some(one), None, None],
            Self::Select(one, two, three) => [Some(one), Some(two), Some(three)],
            Self::Add(one, two)
            | Self::Subtract(one, two)
            | Self::Multiply(one, two)
            | Self::Min(one, two)
            | Self::Max(one, two)
            | Self::DivideRounded(one, two)
            | Self::DivideFloor(one, two)
            | Self::Remainder(one, two)
            | Self::Less(one, two)
            | Self::LessOrEqual(one, two)
            | Self::Equal(one, two)
            | Self::And(one, two)
            | Self::Or(one, two) => [Some(one), Some(two), None],
        };
        list.into_iter().flatten()
    }
}

/// The least and the greatest value that a node can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range {
    pub low: i128,
    pub high: i128,
}

impl Range {
    pub const TRUTH: Self = Self { low: 0, high: 1 };

    pub const fn only(value: i128) -> Self {
        Self { low: value, high: value }
    }

    fn of(values: [i128; 4]) -> Self {
        let low = values.into_iter().fold(values[0], i128::min);
        Self { low, high: values.into_iter().fold(values[0], i128::max) }
    }

    /// Whether a 64-bit integer holds every value, with room for a doubling.
    pub const fn is_narrow(self) -> bool {
        self.low >= -(1 << 61) && self.high <= 1 << 61
    }
}

/// The largest mantissa of the interpreter's decimals: beyond it the interpreter rounds, so nothing may go there.
pub const LARGEST: i128 = (1 << 96) - 1;

/// A value that could leave the range in which the interpreter is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value may have more digits than a decimal keeps")]
pub struct TooLarge;

/// The graph.
#[derive(Debug, Clone, Default)]
pub struct Dag {
    ops: Vec<Op>,
    ranges: Vec<Range>,
    known: FxHashMap<Op, NodeId>,
    inputs: Vec<Range>,
    /// Conditions under which an operand was bounded since they were last taken.
    bounded: Vec<NodeId>,
}

impl Dag {
    /// How many nodes there are.
    pub fn size(&self) -> usize {
        self.ops.len()
    }

    pub fn op(&self, node: NodeId) -> Op {
        self.ops[node.0 as usize]
    }

    pub fn range(&self, node: NodeId) -> Range {
        self.ranges[node.0 as usize]
    }

    /// The node's value, if it is always the same.
    pub fn constant_of(&self, node: NodeId) -> Option<i128> {
        let range = self.range(node);
        (range.low == range.high).then_some(range.low)
    }

    /// A new input column with values in that range.
    pub fn input(&mut self, range: Range) -> NodeId {
        let column = u32::try_from(self.inputs.len()).unwrap_or(u32::MAX);
        self.inputs.push(range);
        self.insert(Op::Input(column), range)
    }

    pub fn constant(&mut self, value: i128) -> NodeId {
        self.insert(Op::Constant(value), Range::only(value))
    }

    pub fn truth(&mut self, value: bool) -> NodeId {
        self.constant(i128::from(value))
    }

    /// The node of an operation, simplified; an operation that exists already is not added again.
    ///
    /// # Errors
    /// A value that could be too large.
    pub fn put(&mut self, op: Op) -> Result<NodeId, TooLarge> {
        if let Some(simpler) = self.simplify(op) {
            return Ok(simpler);
        }
        let op = ordered(op);
        if let Some(node) = self.known.get(&op) {
            return Ok(*node);
        }
        let range = self.range_of(op);
        if range.low < -LARGEST || range.high > LARGEST {
            return self.put_bounded(op);
        }
        if range.low == range.high {
            return Ok(self.constant(range.low));
        }
        Ok(self.insert(op, range))
    }

    /// An operation on operands that are kept small enough; where that changes one of them, the row is no longer ours.
    fn put_bounded(&mut self, op: Op) -> Result<NodeId, TooLarge> {
        /// Two factors below this have a product in range.
        const ROOT: i128 = 1 << 47;
        let most = |dag: &Self, node: NodeId| dag.range(node).low.abs().max(dag.range(node).high.abs()).max(1);
        match op {
            Op::Add(one, two) | Op::Subtract(one, two) => {
                let (one, two) = (self.bound(one, LARGEST / 2)?, self.bound(two, LARGEST / 2)?);
                self.put(if matches!(op, Op::Add(..)) { Op::Add(one, two) } else { Op::Subtract(one, two) })
            }
            Op::Multiply(one, two) => {
                let (first, second) = (most(self, one), most(self, two));
                let (one, two) = match (first <= ROOT, second <= ROOT) {
                    (true, _) => (one, self.bound(two, LARGEST / first)?),
                    (_, true) => (self.bound(one, LARGEST / second)?, two),
                    _ => (self.bound(one, ROOT)?, self.bound(two, ROOT)?),
                };
                self.put(Op::Multiply(one, two))
            }
            _ => Err(TooLarge),
        }
    }

    /// The node, kept between `-limit` and `limit`.
    pub fn bound(&mut self, node: NodeId, limit: i128) -> Result<NodeId, TooLarge> {
        let (low, high) = (self.constant(-limit), self.constant(limit));
        let at_least = self.put(Op::Max(node, low))?;
        let within = self.put(Op::Min(at_least, high))?;
        let same = self.put(Op::Equal(within, node))?;
        let changed = self.not(same);
        if self.constant_of(changed) != Some(0) {
            self.bounded.push(changed);
        }
        Ok(within)
    }

    /// Where operands were bounded since this was last asked: there, results are not to be believed.
    pub fn take_bounded(&mut self) -> NodeId {
        let conditions = std::mem::take(&mut self.bounded);
        let never = self.truth(false);
        conditions.into_iter().fold(never, |any, condition| self.or(any, condition))
    }

    /// Truth operations never grow.
    pub fn and(&mut self, one: NodeId, two: NodeId) -> NodeId {
        self.put(Op::And(one, two)).unwrap_or(one)
    }

    pub fn or(&mut self, one: NodeId, two: NodeId) -> NodeId {
        self.put(Op::Or(one, two)).unwrap_or(one)
    }

    /// The conditions that have to hold together for a truth to hold. `is_given` are not taken apart.
    pub fn conditions(&self, truth: NodeId, is_given: impl Fn(NodeId) -> bool) -> Vec<NodeId> {
        let (mut conditions, mut open) = (Vec::new(), vec![truth]);
        while let Some(node) = open.pop() {
            match self.op(node) {
                Op::And(one, two) if !is_given(node) => open.extend([one, two]),
                _ if conditions.contains(&node) => {}
                _ => conditions.push(node),
            }
        }
        conditions
    }

    /// Where a node has that value.
    pub fn equals(&mut self, node: NodeId, value: i128) -> NodeId {
        let wanted = self.constant(value);
        self.put(Op::Equal(node, wanted)).unwrap_or(node)
    }

    pub fn not(&mut self, one: NodeId) -> NodeId {
        self.put(Op::Not(one)).unwrap_or(one)
    }

    fn insert(&mut self, op: Op, range: Range) -> NodeId {
        if let Some(node) = self.known.get(&op) {
            return *node;
        }
        let node = NodeId(u32::try_from(self.ops.len()).unwrap_or(u32::MAX));
        self.ops.push(op);
        self.ranges.push(range);
        self.known.insert(op, node);
        node
    }

    fn range_of(&self, op: Op) -> Range {
        let of = |node: NodeId| self.range(node);
        let compared = |always: bool, never: bool| match (always, never) {
            (true, _) => Range::only(1),
            (_, true) => Range::only(0),
            _ => Range::TRUTH,
        };
        match op {
            Op::Constant(value) => Range::only(value),
            Op::Input(column) => self.inputs[column as usize],
            Op::Add(one, two) => Range { low: of(one).low + of(two).low, high: of(one).high + of(two).high },
            Op::Subtract(one, two) => Range { low: of(one).low - of(two).high, high: of(one).high - of(two).low },
            Op::Multiply(one, two) => {
                let (one, two) = (of(one), of(two));
                let product = |a: i128, b: i128| a.saturating_mul(b);
                Range::of([product(one.low, two.low), product(one.low, two.high), product(one.high, two.low), product(one.high, two.high)])
            }
            // of truths, the smaller is `and`, the larger `or`
            Op::Min(one, two) | Op::And(one, two) => Range { low: of(one).low.min(of(two).low), high: of(one).high.min(of(two).high) },
            Op::Max(one, two) | Op::Or(one, two) => Range { low: of(one).low.max(of(two).low), high: of(one).high.max(of(two).high) },
            Op::DivideRounded(one, two) => quotients(of(one), of(two), divide_rounded),
            Op::DivideFloor(one, two) => quotients(of(one), of(two), i128::div_euclid),
            Op::Remainder(one, two) => {
                let most = (of(two).low.abs().max(of(two).high.abs()) - 1).max(0);
                let (dividend, zero) = (of(one), 0_i128);
                Range { low: (-most).max(dividend.low.min(zero)), high: most.min(dividend.high.max(zero)) }
            }
            Op::Less(one, two) => compared(of(one).high < of(two).low, of(one).low >= of(two).high),
            Op::LessOrEqual(one, two) => compared(of(one).high <= of(two).low, of(one).low > of(two).high),
            Op::Equal(one, two) => {
                let same = of(one).low == of(one).high && of(one) == of(two);
                compared(same, of(one).high < of(two).low || of(two).high < of(one).low)
            }
            Op::Not(one) => Range { low: 1 - of(one).high, high: 1 - of(one).low },
            Op::Select(_, one, two) => Range { low: of(one).low.min(of(two).low), high: of(one).high.max(of(two).high) },
        }
    }
}

/// Quotients of a range, rounded by `divide`: a divisor is at least 1 away from 0, and 0 gives 0.
fn quotients(dividend: Range, divisor: Range, divide: impl Fn(i128, i128) -> i128) -> Range {
    // a constant divisor keeps the dividend's order
    if divisor.low == divisor.high && divisor.low > 0 {
        return Range { low: divide(dividend.low, divisor.low), high: divide(dividend.high, divisor.low) };
    }
    let nearest = if divisor.low > 0 {
        divisor.low
    } else if divisor.high < 0 {
        -divisor.high
    } else {
        1
    };
    let most = (dividend.low.abs().max(dividend.high.abs()) / nearest) + 1;
    let positive = dividend.low >= 0 && divisor.low >= 0;
    Range { low: if positive { 0 } else { -most }, high: most }
}

/// `dividend / divisor` to a whole number, halves away from zero; 0 for a divisor of 0.
pub fn divide_rounded(dividend: i128, divisor: i128) -> i128 {
    if divisor == 0 {
        return 0;
    }
    let (quotient, remainder) = (dividend / divisor, dividend % divisor);
    let away = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
    if remainder.unsigned_abs() * 2 >= divisor.unsigned_abs() { quotient + away } else { quotient }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_operations_are_one_node_and_constants_fold() {
        let mut dag = Dag::default();
        let x = dag.input(Range { low: 0, high: 100 });
        let five = dag.constant(5);
        let sum = dag.put(Op::Add(x, five)).unwrap();
        assert_eq!(dag.put(Op::Add(five, x)).unwrap(), sum);
        let ten = dag.put(Op::Add(five, five)).unwrap();
        assert_eq!(dag.constant_of(ten), Some(10));
        let hundred = dag.constant(101);
        let always = dag.put(Op::Less(x, hundred)).unwrap();
        assert_eq!(dag.constant_of(always), Some(1));
    }

    #[test]
    fn a_condition_and_its_negation_meet_in_nothing() {
        let mut dag = Dag::default();
        let x = dag.input(Range { low: 0, high: 100 });
        let five = dag.constant(5);
        let below = dag.put(Op::Less(x, five)).unwrap();
        let not_below = dag.not(below);
        assert_eq!(dag.and(below, not_below), dag.truth(false));
        assert_eq!(dag.or(below, not_below), dag.truth(true));
    }

    #[test]
    fn what_could_leave_the_decimals_range_is_bounded_and_told() {
        let mut dag = Dag::default();
        let x = dag.input(Range { low: 0, high: 1 << 50 });
        let square = dag.put(Op::Multiply(x, x)).unwrap();
        assert!(dag.range(square).high <= LARGEST);
        let told = dag.take_bounded();
        assert_eq!(dag.range(told), Range::TRUTH);
        let nothing = dag.take_bounded();
        assert_eq!(dag.constant_of(nothing), Some(0));
    }

    proptest! {
        #[test]
        fn a_rounded_quotient_lies_in_its_range(low in -1000_i128..1000, span in 0_i128..1000, divisor in -50_i128..50, width in 0_i128..50, at in 0_i128..1000, by in 0_i128..50) {
            let dividends = Range { low, high: low + span };
            let divisors = Range { low: divisor, high: divisor + width };
            let (a, b) = (low + at.min(span), divisor + by.min(width));
            let floor = |a: i128, b: i128| if b == 0 { 0 } else { a.div_euclid(b) };
            for (range, found) in [(quotients(dividends, divisors, divide_rounded), divide_rounded(a, b)), (quotients(dividends, divisors, floor), floor(a, b))] {
                prop_assert!(range.low <= found && found <= range.high, "{a}/{b} = {found} not in {range:?}");
            }
        }
    }
}
