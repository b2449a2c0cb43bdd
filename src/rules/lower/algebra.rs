//! What is known of operations without computing them: a graph takes the simplest node that means the same.

use super::dag::{Dag, NodeId, Op};

/// Operands of operations that do not care for their order, in one order.
pub fn ordered(op: Op) -> Op {
    match op {
        Op::Add(one, two) if one > two => Op::Add(two, one),
        Op::Multiply(one, two) if one > two => Op::Multiply(two, one),
        Op::Min(one, two) if one > two => Op::Min(two, one),
        Op::Max(one, two) if one > two => Op::Max(two, one),
        Op::Equal(one, two) if one > two => Op::Equal(two, one),
        Op::And(one, two) if one > two => Op::And(two, one),
        Op::Or(one, two) if one > two => Op::Or(two, one),
        op => op,
    }
}

impl Dag {
    /// A node that is equal by the laws of arithmetic, without looking at ranges beyond constants.
    pub(super) fn simplify(&mut self, op: Op) -> Option<NodeId> {
        let value = |node: NodeId| self.constant_of(node);
        match op {
            Op::Add(one, two) if value(one) == Some(0) => Some(two),
            Op::Add(one, two) | Op::Subtract(one, two) if value(two) == Some(0) => Some(one),
            Op::Multiply(one, two) if value(one) == Some(1) => Some(two),
            Op::Multiply(one, two) | Op::DivideRounded(one, two) | Op::DivideFloor(one, two) if value(two) == Some(1) => Some(one),
            Op::Min(one, two) | Op::Max(one, two) | Op::And(one, two) | Op::Or(one, two) if one == two => Some(one),
            Op::Min(one, two) if self.range(one).high <= self.range(two).low => Some(one),
            Op::Min(one, two) if self.range(two).high <= self.range(one).low => Some(two),
            Op::Max(one, two) if self.range(one).low >= self.range(two).high => Some(one),
            Op::Max(one, two) if self.range(two).low >= self.range(one).high => Some(two),
            Op::And(one, two) => match (value(one), value(two)) {
                (Some(0), _) | (_, Some(1)) => Some(one),
                (_, Some(0)) | (Some(1), _) => Some(two),
                _ if self.absurd(one, two) => Some(self.truth(false)),
                _ => self.absorbed(one, two, true),
            },
            Op::Or(one, two) => match (value(one), value(two)) {
                (Some(1), _) | (_, Some(0)) => Some(one),
                (_, Some(1)) | (Some(0), _) => Some(two),
                _ if self.opposite(one, two) => Some(self.truth(true)),
                _ => self.absorbed(one, two, false),
            },
            Op::Not(one) => match self.op(one) {
                Op::Not(inner) => Some(inner),
                Op::Less(left, right) => self.put(Op::LessOrEqual(right, left)).ok(),
                Op::LessOrEqual(left, right) => self.put(Op::Less(right, left)).ok(),
                _ => None,
            },
            Op::Equal(one, two) if one == two => Some(self.truth(true)),
            Op::LessOrEqual(one, two) if one == two => Some(self.truth(true)),
            Op::Less(one, two) if one == two => Some(self.truth(false)),
            Op::Select(condition, one, two) => match value(condition) {
                Some(0) => Some(two),
                Some(_) => Some(one),
                None if one == two => Some(one),
                None => self.simplify_choice(condition, one, two),
            },
            _ => None,
        }
    }

    /// A choice between truths is made of truths.
    fn simplify_choice(&mut self, condition: NodeId, one: NodeId, two: NodeId) -> Option<NodeId> {
        let (first, second) = (self.constant_of(one), self.constant_of(two));
        if [one, two].iter().any(|node| self.range(*node).low < 0 || self.range(*node).high > 1) {
            // the other way round it may be a choice that there is already
            return match self.op(condition) {
                Op::Not(inner) => self.put(Op::Select(inner, two, one)).ok(),
                _ => None,
            };
        }
        match (first, second) {
            (Some(1), Some(0)) => Some(condition),
            (Some(0), Some(1)) => Some(self.not(condition)),
            (Some(1), _) => Some(self.or(condition, two)),
            (_, Some(0)) => Some(self.and(condition, one)),
            (Some(0), _) => {
                let otherwise = self.not(condition);
                Some(self.and(otherwise, two))
            }
            (_, Some(1)) => {
                let otherwise = self.not(condition);
                Some(self.or(otherwise, one))
            }
            _ => None,
        }
    }

    /// Whether one is the negation of the other.
    fn opposite(&self, one: NodeId, two: NodeId) -> bool {
        let negates = |one: NodeId, two: NodeId| match (self.op(one), self.op(two)) {
            (Op::Not(inner), _) => inner == two,
            (Op::Less(a, b), Op::LessOrEqual(c, d)) => a == d && b == c,
            _ => false,
        };
        negates(one, two) || negates(two, one)
    }

    /// Whether both can't be.
    fn absurd(&self, one: NodeId, two: NodeId) -> bool {
        let excludes = |one: NodeId, two: NodeId| match (self.op(one), self.op(two)) {
            (Op::Less(a, b), Op::Equal(c, d)) => (a, b) == (c, d) || (a, b) == (d, c),
            (Op::Less(a, b), Op::Less(c, d)) => (a, b) == (d, c),
            (Op::Equal(a, b), Op::Equal(c, d)) => {
                let apart = |one, two| matches!((self.constant_of(one), self.constant_of(two)), (Some(one), Some(two)) if one != two);
                (a == c && apart(b, d)) || (b == d && apart(a, c))
            }
            // one that says more than the negation of the other
            (Op::And(a, b), _) => self.opposite(a, two) || self.opposite(b, two),
            _ => false,
        };
        self.opposite(one, two) || excludes(one, two) || excludes(two, one)
    }

    /// `a and (a and b)`, `a and (a or b)`, `a and (not a or b)`, and the same with both words exchanged.
    fn absorbed(&mut self, one: NodeId, two: NodeId, and: bool) -> Option<NodeId> {
        for (one, two) in [(one, two), (two, one)] {
            let (same, (a, b)) = match self.op(two) {
                Op::And(a, b) => (and, (a, b)),
                Op::Or(a, b) => (!and, (a, b)),
                _ => continue,
            };
            if one == a || one == b {
                return Some(if same { two } else { one });
            }
            for (a, b) in [(a, b), (b, a)] {
                if !same && self.opposite(one, a) {
                    return Some(if and { self.and(one, b) } else { self.or(one, b) });
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use proptest::prelude::*;

    use super::{
        super::{dag::Range, instruction::Instruction, registers::Source},
        *,
    };

    /// What an operation says of its operands' values, by arithmetic alone.
    fn plainly(op: Op, values: &[i128]) -> i128 {
        let mut operands = [0; 3];
        operands.iter_mut().zip(op.operands()).for_each(|(operand, node)| *operand = values[node.0 as usize]);
        Instruction::new(op, Source::Constant(0), |_| Source::Constant(0)).kind.apply(operands)
    }

    fn op(kind: u8, [one, two, three]: [NodeId; 3]) -> Op {
        match kind {
            0..4 => Op::And(one, two),
            4..8 => Op::Or(one, two),
            8..10 => Op::Not(one),
            10..12 => Op::Select(one, two, three),
            12 => Op::Less(one, two),
            13 => Op::LessOrEqual(one, two),
            _ => Op::Equal(one, two),
        }
    }

    proptest! {
        /// A random formula over three truths: each node that the graph gives back has, for every row, the value that was asked for.
        #[test]
        fn whatever_is_simplified_means_the_same(steps in prop::collection::vec((0_u8..15, [any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()]), 1..40)) {
            let mut dag = Dag::default();
            let mut asked: Vec<(NodeId, [i128; 8])> = Vec::new();
            for input in 0..3 {
                asked.push((dag.input(Range::TRUTH), std::array::from_fn(|row| (row >> input & 1) as i128)));
            }
            for (kind, operands) in &steps {
                let chosen = operands.map(|index| asked[index.index(asked.len())]);
                // the operation on positions of the three, so that it can be computed for each row
                let places = op(*kind, [NodeId(0), NodeId(1), NodeId(2)]);
                let values = std::array::from_fn(|row| plainly(places, &chosen.map(|(_, values)| values[row])));
                let node = dag.put(op(*kind, chosen.map(|(node, _)| node))).unwrap();
                asked.push((node, values));
            }
            // nodes in their order, by what they are in the graph
            for row in 0..8 {
                let mut values: Vec<i128> = Vec::new();
                for number in 0..dag.size() {
                    let node = NodeId(u32::try_from(number).unwrap());
                    values.push(match dag.op(node) {
                        Op::Constant(value) => value,
                        Op::Input(column) => (row >> column & 1) as i128,
                        op => plainly(op, &values),
                    });
                }
                for (node, expected) in &asked {
                    prop_assert_eq!(values[node.0 as usize], expected[row], "row {}", row);
                }
            }
        }
    }
}
