//! What stops a row for every tenant of a batch: where only signals are asked for, nobody has to be asked about it one by one.
//!
//! Tenants differ most in numbers: the same fact is held against the bound of each. A row that misses the easiest of these
//! bounds misses all of them. So tenants who hold the same facts against bounds are asked as one, with the easiest of each.

use std::collections::BTreeMap;

use rustc_hash::FxHashMap;

use super::{
    dag::{Dag, NodeId, Op},
    gates::{code, kind, passed},
};

/// What a term says of a row.
#[derive(Debug, Clone, Copy)]
enum Condition {
    /// Where it holds, only the interpreter can tell.
    Doubt(NodeId),
    /// Where it holds, the row stops: the smaller the number, the easier the bound.
    Bound(Bound, (i128, NodeId)),
    /// Where it holds, the row stops.
    Other(NodeId),
}

/// A fact that is held against a bound, and what stops a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    fact: NodeId,
    is: Against,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Against {
    Below,
    NotAbove,
    Above,
    NotBelow,
}

/// What stops rows for all tenants who hold the same facts against bounds.
#[derive(Debug, Default)]
struct Alike {
    /// The easiest bound of each fact.
    bounds: Vec<(i128, NodeId)>,
    /// What they have in common beside, in order.
    others: Vec<NodeId>,
}

/// Two nodes: where every tenant with these terms stops a row, and where only the interpreter can tell for one of them.
/// `is_given` are computed already and not taken apart.
pub fn of(dag: &mut Dag, gates: usize, tenants: &[&[NodeId]], is_given: impl Fn(NodeId) -> bool) -> [NodeId; 2] {
    let mut known: FxHashMap<NodeId, Vec<Condition>> = FxHashMap::default();
    let mut doubts: Vec<NodeId> = Vec::new();
    let mut alike: BTreeMap<Vec<Bound>, Alike> = BTreeMap::new();
    for terms in tenants {
        let mut bounds: Vec<(Bound, (i128, NodeId))> = Vec::new();
        let mut others: Vec<NodeId> = Vec::new();
        for term in *terms {
            for condition in known.entry(*term).or_insert_with(|| conditions(dag, gates, *term, &is_given)) {
                match *condition {
                    Condition::Doubt(node) => doubts.push(node),
                    Condition::Bound(of, bound) => bounds.push((of, bound)),
                    Condition::Other(node) => others.push(node),
                }
            }
        }
        bounds.sort_unstable();
        bounds.dedup_by_key(|(of, _)| *of);
        others.sort_unstable();
        others.dedup();
        let (of, bounds): (Vec<Bound>, Vec<(i128, NodeId)>) = bounds.into_iter().unzip();
        match alike.get_mut(&of) {
            Some(alike) => {
                alike.bounds.iter_mut().zip(bounds).for_each(|(easiest, bound)| *easiest = bound.min(*easiest));
                alike.others.retain(|other| others.binary_search(other).is_ok());
            }
            None => drop(alike.insert(of, Alike { bounds, others })),
        }
    }
    doubts.sort_unstable();
    doubts.dedup();
    [stopped(dag, alike.into_values().map(Alike::stops).collect()), fold(dag, &doubts, Op::Max)]
}

impl Alike {
    fn stops(self) -> Vec<NodeId> {
        self.others.into_iter().chain(self.bounds.into_iter().map(|(_, node)| node)).collect()
    }
}

/// Where one of the conditions of each kind of tenants holds. What all have in common is computed once.
fn stopped(dag: &mut Dag, mut kinds: Vec<Vec<NodeId>>) -> NodeId {
    let mut common: Vec<NodeId> = kinds.first().cloned().unwrap_or_default();
    common.retain(|stop| kinds.iter().all(|stops| stops.contains(stop)));
    let each: Vec<NodeId> = kinds
        .iter_mut()
        .map(|stops| {
            stops.retain(|stop| !common.contains(stop));
            fold(dag, stops, Op::Max)
        })
        .collect();
    common.push(fold(dag, &each, Op::Min));
    fold(dag, &common, Op::Max)
}

/// Truths taken together; of none, nothing holds. Least and greatest, unlike `and` and `or`, take nothing apart.
fn fold(dag: &mut Dag, nodes: &[NodeId], join: fn(NodeId, NodeId) -> Op) -> NodeId {
    let Some((first, others)) = nodes.split_first() else { return dag.truth(false) };
    // truths never grow
    others.iter().fold(*first, |joined, node| dag.put(join(joined, *node)).unwrap_or(joined))
}

fn conditions(dag: &mut Dag, gates: usize, term: NodeId, is_given: impl Fn(NodeId) -> bool) -> Vec<Condition> {
    let (through, signal) = (i128::from(passed(gates)), i128::from(code(gates, kind::UNKNOWN)));
    let value = |dag: &Dag, node: NodeId| dag.constant_of(node);
    let (holds, stops_at) = match (value(dag, term), dag.op(term)) {
        (Some(stops_at), _) => (dag.truth(true), Some(stops_at)),
        (None, Op::Select(condition, one, two)) if value(dag, two) == Some(through) => (condition, value(dag, one)),
        // compared with nothing, a condition is not taken apart
        (None, Op::Select(condition, one, two)) if value(dag, one) == Some(through) => (dag.equals(condition, 0), value(dag, two)),
        _ => (dag.truth(true), None),
    };
    match stops_at {
        Some(stops_at) if stops_at >= signal => Vec::new(),
        Some(stops_at) if stops_at % i128::from(kind::COUNT) != i128::from(kind::OPEN) => {
            dag.alternatives(holds, is_given).into_iter().map(|condition| bounded(dag, condition)).collect()
        }
        _ => vec![Condition::Doubt(holds)],
    }
}

fn bounded(dag: &Dag, condition: NodeId) -> Condition {
    let value = |node: NodeId| dag.constant_of(node);
    let (fact, is, ease) = match dag.op(condition) {
        Op::Less(fact, bound) if let Some(bound) = value(bound) => (fact, Against::Below, bound),
        Op::LessOrEqual(fact, bound) if let Some(bound) = value(bound) => (fact, Against::NotAbove, bound),
        Op::Less(bound, fact) if let Some(bound) = value(bound) => (fact, Against::Above, -bound),
        Op::LessOrEqual(bound, fact) if let Some(bound) = value(bound) => (fact, Against::NotBelow, -bound),
        _ => return Condition::Other(condition),
    };
    Condition::Bound(Bound { fact, is }, (ease, condition))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{
        super::{dag::Range, machine::Machine, program::Planner, registers::Slice},
        *,
    };

    const GATES: usize = 2;

    /// Where nobody has hope, for rows of two facts.
    fn hopeless(rows: &[(i64, i64)], terms: impl Fn(&mut Dag, [NodeId; 2]) -> Vec<Vec<NodeId>>) -> Vec<bool> {
        let mut dag = Dag::default();
        let facts = [(); 2].map(|()| dag.input(Range { low: 0, high: 100 }));
        let tenants = terms(&mut dag, facts);
        let tenants: Vec<&[NodeId]> = tenants.iter().map(Vec::as_slice).collect();
        let asked = of(&mut dag, GATES, &tenants, |_| false);
        let given = |node| facts.iter().position(|fact| *fact == node).map(|column| (u32::try_from(column).unwrap(), false));
        let program = Planner::default().plan(&dag, &given, &[asked.to_vec()]);
        let columns: [Vec<i64>; 2] = [rows.iter().map(|row| row.0).collect(), rows.iter().map(|row| row.1).collect()];
        let columns = [Slice::Numbers(&columns[0]), Slice::Numbers(&columns[1])];
        let mut found = Vec::new();
        Machine::default().run(&program, &columns, rows.len(), |_, answer, told| {
            let holds = |output: usize, lane: usize| told.read(answer.outputs[output], lane) != 0;
            found = (0..rows.len()).map(|lane| holds(0, lane) && !holds(1, lane)).collect();
        });
        found
    }

    /// A term that stops rows below a bound.
    fn below(dag: &mut Dag, fact: NodeId, bound: i128) -> NodeId {
        let bound = dag.constant(bound);
        let condition = dag.put(Op::Less(fact, bound)).unwrap();
        stop(dag, condition, kind::TOLD)
    }

    fn stop(dag: &mut Dag, condition: NodeId, how: i64) -> NodeId {
        let (stopped, through) = (dag.constant(code(0, how).into()), dag.constant(passed(GATES).into()));
        dag.put(Op::Select(condition, stopped, through)).unwrap()
    }

    #[test]
    fn a_row_that_misses_the_easiest_bound_suits_nobody() {
        let both = |dag: &mut Dag, [x, y]: [NodeId; 2]| {
            vec![vec![below(dag, x, 10), below(dag, y, 40)], vec![below(dag, x, 30), below(dag, y, 20)]]
        };
        // the second row suits neither tenant, but no single bound tells so
        assert_eq!(hopeless(&[(9, 50), (15, 25), (50, 19), (10, 40)], both), [true, false, true, false]);
    }

    #[test]
    fn tenants_who_look_at_other_facts_have_to_be_stopped_each() {
        let apart = |dag: &mut Dag, [x, y]: [NodeId; 2]| vec![vec![below(dag, x, 10)], vec![below(dag, y, 10)]];
        assert_eq!(hopeless(&[(5, 50), (50, 5), (5, 5)], apart), [false, false, true]);
        let one_takes_all = |dag: &mut Dag, [x, _]: [NodeId; 2]| vec![vec![below(dag, x, 10)], Vec::new()];
        assert_eq!(hopeless(&[(5, 5)], one_takes_all), [false]);
    }

    #[test]
    fn where_only_the_interpreter_can_tell_there_is_hope() {
        let doubted = |dag: &mut Dag, [x, y]: [NodeId; 2]| {
            let is_seven = dag.equals(x, 7);
            let is_not_eight = dag.equals(y, 8);
            let is_not_eight = dag.not(is_not_eight);
            vec![vec![below(dag, x, 10), stop(dag, is_seven, kind::OPEN)], vec![below(dag, x, 10), stop(dag, is_not_eight, kind::OPEN)]]
        };
        assert_eq!(hopeless(&[(7, 8), (6, 8), (6, 9)], doubted), [false, true, false]);
    }
}
