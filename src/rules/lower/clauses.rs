//! Takes what stops a row apart into clauses: each stops it alone, and holds where all of its parts do.
//!
//! Tenants differ most in numbers: the same fact is held against the limit of each. So a part that compares with a
//! constant is told by what is compared and, apart from it, by the number: tenants whose clauses have the same shape
//! differ in nothing else.

use rustc_hash::FxHashMap;

use super::dag::{Dag, NodeId, Op};

/// So many clauses a condition is taken apart into; what would be more stays whole.
const MOST: usize = 64;

/// Conditions of conditions are taken apart so far down.
const DEPTH: usize = 32;

/// Numbers are compared with limits up to this; greater ones stay in the graph.
const FURTHEST: i128 = 1 << 62;

/// Holds where all truths do and every fact is below its limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clause {
    pub shape: Shape,
    /// By fact of the shape. The smaller, the easier for a row.
    pub limits: Vec<i64>,
}

/// What a clause says but for its limits.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shape {
    pub truths: Vec<NodeId>,
    pub facts: Vec<Fact>,
}

/// A number that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fact {
    pub node: NodeId,
    /// It is the negated number that is below its limit.
    pub negated: bool,
}

impl Clause {
    /// Holds where a truth does.
    pub fn of(truth: NodeId) -> Self {
        Self { shape: Shape { truths: vec![truth], facts: Vec::new() }, limits: Vec::new() }
    }

    fn below(node: NodeId, negated: bool, limit: i128) -> Option<Self> {
        let limit = i64::try_from(limit).ok().filter(|limit| i128::from(*limit).abs() <= FURTHEST)?;
        Some(Self { shape: Shape { truths: Vec::new(), facts: vec![Fact { node, negated }] }, limits: vec![limit] })
    }

    /// Holds where both do.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let facts = |one: &Self| one.shape.facts.iter().copied().zip(one.limits.iter().copied()).collect::<Vec<_>>();
        let mut together = [facts(self), facts(other)].concat();
        together.sort_unstable();
        let (facts, limits) = together.into_iter().unzip();
        let mut truths = [self.shape.truths.as_slice(), &other.shape.truths].concat();
        truths.sort_unstable();
        truths.dedup();
        Self { shape: Shape { truths, facts }, limits }
    }
}

/// Takes conditions apart. What was taken apart once is known.
#[derive(Debug, Default)]
pub struct Clauses {
    known: FxHashMap<(NodeId, bool), Vec<Clause>>,
}

impl Clauses {
    /// Clauses one of which holds where the truth does, or where it does not. Nodes that `is_given` are computed already and
    /// not taken apart.
    pub fn of(&mut self, dag: &mut Dag, truth: NodeId, holds: bool, is_given: &impl Fn(NodeId) -> bool) -> Vec<Clause> {
        self.apart(dag, truth, holds, is_given, DEPTH)
    }

    fn apart(&mut self, dag: &mut Dag, truth: NodeId, holds: bool, is_given: &impl Fn(NodeId) -> bool, depth: usize) -> Vec<Clause> {
        if let Some(known) = self.known.get(&(truth, holds)) {
            return known.clone();
        }
        let is_whole = depth == 0 || is_given(truth);
        let mut clauses = match (dag.constant_of(truth), dag.op(truth)) {
            (Some(value), _) if (value != 0) == holds => vec![Clause::default()],
            (Some(_), _) => Vec::new(),
            (None, Op::Not(one)) if !is_whole => self.apart(dag, one, !holds, is_given, depth - 1),
            (None, Op::And(one, two) | Op::Or(one, two)) if !is_whole => {
                let both = matches!(dag.op(truth), Op::And(..)) == holds;
                let [one, two] = [one, two].map(|part| self.apart(dag, part, holds, is_given, depth - 1));
                if both { each_with_each(&one, &two) } else { [one, two].concat() }
            }
            (None, op) => {
                let clause = if is_whole { None } else { compared(dag, op, holds) };
                vec![clause.unwrap_or_else(|| Clause::of(literal(dag, truth, holds)))]
            }
        };
        clauses.sort_unstable();
        clauses.dedup();
        if clauses.len() > MOST {
            clauses = vec![Clause::of(literal(dag, truth, holds))];
        }
        self.known.insert((truth, holds), clauses.clone());
        clauses
    }
}

/// A truth or its negation. Compared with nothing, it is not taken apart: what it is made of may be given to nobody.
pub fn literal(dag: &mut Dag, truth: NodeId, holds: bool) -> NodeId {
    if holds { truth } else { dag.equals(truth, 0) }
}

fn each_with_each(one: &[Clause], two: &[Clause]) -> Vec<Clause> {
    one.iter().flat_map(|one| two.iter().map(|two| one.and(two))).collect()
}

fn compared(dag: &Dag, op: Op, holds: bool) -> Option<Clause> {
    let value = |node: NodeId| dag.constant_of(node);
    // whole numbers: what is at most 3 is below 4
    let (node, negated, limit) = match op {
        Op::Less(node, limit) if let Some(limit) = value(limit) => (node, false, limit),
        Op::LessOrEqual(node, limit) if let Some(limit) = value(limit) => (node, false, limit + 1),
        Op::Less(limit, node) if let Some(limit) = value(limit) => (node, true, -limit),
        Op::LessOrEqual(limit, node) if let Some(limit) = value(limit) => (node, true, 1 - limit),
        _ => return None,
    };
    // what is not below 4 is, negated, below -3
    if holds { Clause::below(node, negated, limit) } else { Clause::below(node, !negated, 1 - limit) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use proptest::prelude::*;

    use super::{super::dag::Range, *};

    fn facts(dag: &mut Dag) -> [NodeId; 2] {
        [(); 2].map(|()| dag.input(Range { low: -20, high: 20 }))
    }

    #[test]
    fn tenants_whose_limits_differ_have_clauses_of_one_shape() {
        let mut dag = Dag::default();
        let [rating, sales] = facts(&mut dag);
        let is_offer = dag.equals(sales, 7);
        let mut asked = |least: i128, most: i128| {
            let (least, most) = (dag.constant(least), dag.constant(most));
            let (good, few) = (dag.put(Op::LessOrEqual(least, rating)).unwrap(), dag.put(Op::LessOrEqual(sales, most)).unwrap());
            // an offer, and not by a seller who is good enough and sells little
            let is_sound = dag.and(good, few);
            let is_bad = dag.not(is_sound);
            let stops = dag.and(is_offer, is_bad);
            Clauses::default().of(&mut dag, stops, true, &|_| false)
        };
        let (one, two) = (asked(3, 5), asked(4, 9));
        let shapes = |clauses: &[Clause]| clauses.iter().map(|clause| clause.shape.clone()).collect::<Vec<_>>();
        assert_eq!(shapes(&one), shapes(&two));
        let limits: Vec<&[i64]> = one.iter().chain(&two).map(|clause| clause.limits.as_slice()).collect();
        // a rating below 3 or 4, sales above 5 or 9: negated, below -5 or -9
        assert_eq!(limits, [[3], [-5], [4], [-9]]);
        assert_eq!(one[0].shape, Shape { truths: vec![is_offer], facts: vec![Fact { node: rating, negated: false }] });
    }

    #[test]
    fn a_limit_beyond_64_bits_stays_in_the_graph() {
        let mut dag = Dag::default();
        let far = dag.input(Range { low: 0, high: 1 << 70 });
        let limit = dag.constant(1 << 65);
        let stops = dag.put(Op::Less(far, limit)).unwrap();
        assert_eq!(Clauses::default().of(&mut dag, stops, true, &|_| false), [Clause::of(stops)]);
    }

    /// Whether a node holds of a row.
    fn holds(dag: &Dag, node: NodeId, [one, two]: [(NodeId, i128); 2]) -> i128 {
        if node == one.0 || node == two.0 {
            return if node == one.0 { one.1 } else { two.1 };
        }
        let of = |node| holds(dag, node, [one, two]);
        match dag.op(node) {
            Op::Constant(value) => value,
            Op::Less(one, two) => (of(one) < of(two)).into(),
            Op::LessOrEqual(one, two) => (of(one) <= of(two)).into(),
            Op::Equal(one, two) => (of(one) == of(two)).into(),
            Op::And(one, two) => of(one) & of(two),
            Op::Or(one, two) => of(one) | of(two),
            Op::Not(one) => 1 - of(one),
            op => unreachable!("{op:?} is no condition"),
        }
    }

    proptest! {
        /// Conditions of all forms, nested, on rows near their limits.
        #[test]
        fn a_clause_holds_where_the_condition_does(steps in prop::collection::vec((0_u8..7, any::<prop::sample::Index>(), any::<prop::sample::Index>(), -9_i128..9), 1..24), row in (-10_i128..10, -10_i128..10)) {
            let mut dag = Dag::default();
            let [x, y] = facts(&mut dag);
            let mut truths = vec![dag.equals(x, 1)];
            for (form, one, two, limit) in steps {
                let fact = if limit % 2 == 0 { x } else { y };
                let limit = dag.constant(limit);
                let (one, two) = (truths[one.index(truths.len())], truths[two.index(truths.len())]);
                let op = match form {
                    0 => Op::Less(fact, limit),
                    1 => Op::LessOrEqual(fact, limit),
                    2 => Op::Less(limit, fact),
                    3 => Op::LessOrEqual(limit, fact),
                    4 => Op::And(one, two),
                    5 => Op::Or(one, two),
                    _ => Op::Not(one),
                };
                truths.push(dag.put(op).unwrap());
            }
            let condition = truths[truths.len() - 1];
            let row = [(x, row.0), (y, row.1)];
            let clauses = Clauses::default().of(&mut dag, condition, true, &|_| false);
            let is_met = |clause: &Clause| {
                let below = |(fact, limit): (&Fact, &i64)| {
                    let value = holds(&dag, fact.node, row);
                    (if fact.negated { -value } else { value }) < i128::from(*limit)
                };
                clause.shape.truths.iter().all(|truth| holds(&dag, *truth, row) != 0) && clause.shape.facts.iter().zip(&clause.limits).all(below)
            };
            prop_assert_eq!(clauses.iter().any(is_met), holds(&dag, condition, row) != 0);
        }
    }
}
