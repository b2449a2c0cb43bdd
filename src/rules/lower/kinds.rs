//! Tenants in kinds, who hold the same facts against limits of their own.
//!
//! Where only signals are asked for, nobody asks why the other rows are none: a row is a signal for those for whom no gate
//! stops it. Then tenants don't have to be judged one by one. What stops rows is taken apart into clauses
//! ([`super::clauses`]), and tenants whose clauses differ in limits alone are a kind: what these have in common is computed
//! once for a block of rows, and then each row is held against the limits of all in one loop over tenants ([`left`]).

mod left;

use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

pub use self::left::{Left, Part, Suits, add_marked};
use super::{
    clauses::{Clause, Clauses, Shape, literal},
    dag::{Dag, NodeId, Op},
    gates::{Terms, code, kind, passed},
    program::{Outside, Planner, Program},
};

/// Kinds that are planned together: what they have in common is computed once.
const TOGETHER: usize = 4;

/// All tenants, by kind.
#[derive(Debug, Default)]
pub struct Kinds {
    gates: usize,
    all: Vec<Kind>,
    known: FxHashMap<Common, usize>,
    /// By tenant.
    kind_of: Vec<usize>,
    /// By so many kinds as are planned together: an answer for each, whether a row stops for all, whether only the interpreter
    /// can tell, whether it has no score, the score, then what its stops read.
    programs: Vec<Program>,
    /// Columns that are read.
    reads: BTreeSet<usize>,
}

/// Tenants who hold the same facts against limits.
#[derive(Debug, Clone)]
struct Kind {
    tenants: Vec<u32>,
    stops: Vec<Stop>,
    question: Vec<NodeId>,
    /// The decimal places of the score.
    places: u32,
}

/// Stops a row for tenants for whom every number is below its limit.
#[derive(Debug, Clone)]
struct Stop {
    /// Where the answer tells whether it may.
    guard: Option<usize>,
    numbers: Vec<Limits>,
}

/// A number and what tenants hold it against.
#[derive(Debug, Clone)]
struct Limits {
    /// Where the answer tells it.
    output: usize,
    negated: bool,
    /// By tenant of the kind.
    of: Vec<i64>,
    easiest: i64,
}

/// What tenants of a kind have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Common {
    stops: Vec<Shape>,
    /// Where only the interpreter can tell.
    doubts: Vec<NodeId>,
    /// Where there is no score.
    unscored: Vec<NodeId>,
    score: Option<(NodeId, u32)>,
}

impl Kinds {
    /// Plans tenants, whose gates' terms these are. `given` tells the column of a node that is computed already.
    pub fn of<'t>(dag: &mut Dag, gates: usize, tenants: impl Iterator<Item = &'t Terms>, given: Outside<'_>) -> Self {
        let mut clauses = Clauses::default();
        let mut alike: BTreeMap<Common, Vec<(usize, Vec<i64>)>> = BTreeMap::new();
        for (tenant, terms) in tenants.enumerate() {
            let (common, limits) = common(dag, &mut clauses, gates, terms, given);
            alike.entry(common).or_default().push((tenant, limits));
        }
        let mut kinds = Self { gates, kind_of: vec![0; alike.values().map(Vec::len).sum()], ..Self::default() };
        for (common, tenants) in alike {
            let number = kinds.add(dag, common);
            for (tenant, limits) in tenants {
                kinds.kind_of[tenant] = number;
                kinds.all[number].push(tenant, &limits);
            }
        }
        let mut planner = Planner::default();
        for first in (0..kinds.all.len()).step_by(TOGETHER) {
            kinds.plan(dag, &mut planner, first, given);
        }
        kinds
    }

    /// Gives a tenant other terms.
    pub fn set(&mut self, dag: &mut Dag, tenant: usize, terms: &Terms, given: Outside<'_>) {
        let (common, limits) = common(dag, &mut Clauses::default(), self.gates, terms, given);
        let before = self.kind_of[tenant];
        self.all[before].remove(tenant);
        let number = if let Some(number) = self.known.get(&common) {
            *number
        } else {
            let number = if self.all[before].tenants.is_empty() { self.replace(dag, before, common) } else { self.add(dag, common) };
            self.plan(dag, &mut Planner::default(), number, given);
            number
        };
        self.kind_of[tenant] = number;
        self.all[number].push(tenant, &limits);
    }

    /// The kinds in parts that may be asked side by side.
    pub fn parts(&self) -> Vec<Part<'_>> {
        self.all.chunks(TOGETHER).zip(&self.programs).map(|(kinds, program)| Part { kinds, program }).collect()
    }

    /// Whether a column is read; it may be empty otherwise.
    pub fn reads(&self, column: usize) -> bool {
        self.reads.contains(&column)
    }

    fn add(&mut self, dag: &mut Dag, common: Common) -> usize {
        let number = self.all.len();
        self.all.push(Kind::of(dag, &common));
        self.known.insert(common, number);
        number
    }

    /// Puts a kind in the place of one that all have left: changes of one tenant don't pile up.
    fn replace(&mut self, dag: &mut Dag, number: usize, common: Common) -> usize {
        self.known.retain(|_, known| *known != number);
        self.all[number] = Kind::of(dag, &common);
        self.known.insert(common, number);
        number
    }

    /// Plans the part that a kind is in.
    fn plan(&mut self, dag: &Dag, planner: &mut Planner, number: usize, given: Outside<'_>) {
        let part = number / TOGETHER;
        let kinds = self.all.iter().skip(part * TOGETHER).take(TOGETHER);
        let program = planner.plan(dag, given, &kinds.map(|kind| kind.question.clone()).collect::<Vec<_>>());
        self.reads.extend(program.inputs());
        if part < self.programs.len() {
            self.programs[part] = program;
        } else {
            self.programs.push(program);
        }
    }
}

/// What a tenant has in common with others, and the limits of its own.
fn common(dag: &mut Dag, clauses: &mut Clauses, gates: usize, terms: &Terms, given: Outside<'_>) -> (Common, Vec<i64>) {
    let is_given = |node: NodeId| given(node).is_some();
    let is_open = |code: i64| code % i64::from(kind::COUNT) == kind::OPEN;
    let gate = |code: i64| code / i64::from(kind::COUNT);
    let ways: Vec<Way> = terms.terms.iter().map(|term| Way::of(dag, gates, *term)).collect();
    let mut literals = |is_it: &dyn Fn(&Way) -> bool| -> BTreeSet<(i64, NodeId)> {
        ways.iter().filter(|way| is_it(way)).map(|way| (way.code, literal(dag, way.truth, way.holds))).collect()
    };
    let signal = code(gates, kind::UNKNOWN);
    let doubts = literals(&|way| is_open(way.code));
    let unscored = literals(&|way| way.code == signal).into_iter().map(|(_, truth)| truth).collect();
    let mut stops: Vec<Clause> = Vec::new();
    for way in ways.iter().filter(|way| way.code < signal && !is_open(way.code)) {
        // what stops a row is sure only where the gate's own facts are
        let of_gate = doubts.iter().filter(|(doubt, _)| gate(*doubt) == gate(way.code));
        let sure = of_gate.fold(Clause::default(), |sure, (_, doubt)| sure.and(&Clause::of(literal(dag, *doubt, false))));
        stops.extend(clauses.of(dag, way.truth, way.holds, &is_given).iter().map(|clause| clause.and(&sure)));
    }
    stops.sort_unstable();
    stops.dedup();
    let (stops, limits): (_, Vec<Vec<i64>>) = stops.into_iter().map(|clause| (clause.shape, clause.limits)).unzip();
    let doubts = doubts.into_iter().map(|(_, holds)| holds).collect();
    (Common { stops, doubts, unscored, score: terms.score }, limits.concat())
}

/// What a term says of a row, and where: where a truth holds, or where it does not.
struct Way {
    code: i64,
    truth: NodeId,
    holds: bool,
}

impl Way {
    fn of(dag: &mut Dag, gates: usize, term: NodeId) -> Self {
        let value = |node: NodeId| dag.constant_of(node).and_then(|value| i64::try_from(value).ok());
        let through = Some(passed(gates));
        let chosen = match dag.op(term) {
            Op::Select(truth, one, two) if value(two) == through => value(one).map(|code| (code, truth, true)),
            Op::Select(truth, one, two) if value(one) == through => value(two).map(|code| (code, truth, false)),
            _ => None,
        };
        if let Some((code, truth, holds)) = chosen {
            return Self { code, truth, holds };
        }
        // of what has another form, only the interpreter can tell
        Self { code: value(term).unwrap_or(self::code(0, kind::OPEN)), truth: dag.truth(true), holds: true }
    }
}

impl Kind {
    /// A kind of nobody yet.
    fn of(dag: &mut Dag, common: &Common) -> Self {
        let never = dag.truth(false);
        let all = |dag: &mut Dag, truths: &[NodeId]| fold(dag, truths, Op::Min);
        let any = |dag: &mut Dag, truths: &[NodeId]| fold(dag, truths, Op::Max).unwrap_or(never);
        let mut stopped = Vec::new();
        let (mut read, mut stops) = (Vec::new(), Vec::new());
        for shape in &common.stops {
            let guard = all(dag, &shape.truths);
            if shape.facts.is_empty() {
                stopped.push(guard.unwrap_or_else(|| dag.truth(true)));
                continue;
            }
            let mut output = |node: NodeId| {
                read.push(node);
                left::SCORE + read.len()
            };
            let guard = guard.map(&mut output);
            let facts = shape.facts.iter();
            let numbers = facts.map(|fact| Limits { output: output(fact.node), negated: fact.negated, of: Vec::new(), easiest: i64::MAX });
            stops.push(Stop { guard, numbers: numbers.collect() });
        }
        let (stopped, doubt, unscored) = (any(dag, &stopped), any(dag, &common.doubts), any(dag, &common.unscored));
        let (score, places) = common.score.unwrap_or((never, 0));
        let question = [stopped, doubt, unscored, score].into_iter().chain(read).collect();
        Self { tenants: Vec::new(), stops, question, places }
    }

    fn limits(&mut self) -> impl Iterator<Item = &mut Limits> {
        self.stops.iter_mut().flat_map(|stop| &mut stop.numbers)
    }

    fn push(&mut self, tenant: usize, limits: &[i64]) {
        // a case has at most as many tenants as fit into memory
        self.tenants.push(u32::try_from(tenant).unwrap_or(u32::MAX));
        for (of, limit) in self.limits().zip(limits) {
            of.of.push(*limit);
            of.easiest = of.easiest.min(*limit);
        }
    }

    fn remove(&mut self, tenant: usize) {
        let Some(position) = self.tenants.iter().position(|one| *one as usize == tenant) else { return };
        self.tenants.swap_remove(position);
        for limits in self.limits() {
            limits.of.swap_remove(position);
            limits.easiest = limits.of.iter().copied().min().unwrap_or(i64::MAX);
        }
    }
}

/// Truths taken together. Least and greatest, unlike `and` and `or`, take nothing apart.
fn fold(dag: &mut Dag, truths: &[NodeId], join: fn(NodeId, NodeId) -> Op) -> Option<NodeId> {
    let (first, others) = truths.split_first()?;
    // truths never grow
    Some(others.iter().fold(*first, |joined, truth| dag.put(join(joined, *truth)).unwrap_or(joined)))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use rust_decimal::Decimal;

    use super::{
        super::{dag::Range, machine::Machine, registers::Slice},
        *,
    };

    const GATES: usize = 2;

    fn stop(dag: &mut Dag, holds: NodeId, gate: usize, how: i64) -> NodeId {
        let (stopped, through) = (dag.constant(code(gate, how).into()), dag.constant(passed(GATES).into()));
        dag.put(Op::Select(holds, stopped, through)).unwrap()
    }

    fn below(dag: &mut Dag, fact: NodeId, limit: i128) -> NodeId {
        let limit = dag.constant(limit);
        let holds = dag.put(Op::Less(fact, limit)).unwrap();
        stop(dag, holds, 0, kind::TOLD)
    }

    /// The kinds of tenants who look at two facts of rows; what suits whom, and the rows that there is hope for.
    fn asked(rows: &[[i64; 2]], tenants: impl Fn(&mut Dag, [NodeId; 2]) -> Vec<Terms>) -> (usize, Vec<(usize, usize, Suits)>, Vec<usize>) {
        let mut dag = Dag::default();
        let facts = [(); 2].map(|()| dag.input(Range { low: 0, high: 100 }));
        let terms = tenants(&mut dag, facts);
        let given = |node| facts.iter().position(|fact| *fact == node).map(|column| (u32::try_from(column).unwrap(), false));
        let kinds = Kinds::of(&mut dag, GATES, terms.iter(), &given);
        let columns = [0, 1].map(|fact| rows.iter().map(|row| row[fact]).collect::<Vec<i64>>());
        let columns = columns.each_ref().map(|column| Slice::Numbers(column));
        let (mut machine, mut suited, mut hoping) = (Machine::default(), Vec::new(), Vec::new());
        for part in kinds.parts() {
            let tenants = part.tenants();
            part.left(&mut machine, &columns, rows.len(), |left| {
                suited.extend(left.places().map(|place| (tenants[place], left.lane, left.suits)));
            });
            part.hope(&mut machine, &columns, rows.len(), |lane| hoping.push(lane));
        }
        suited.sort_unstable_by_key(|(tenant, lane, _)| (*tenant, *lane));
        hoping.sort_unstable();
        hoping.dedup();
        (kinds.all.len(), suited, hoping)
    }

    fn unscored(terms: Vec<NodeId>) -> Terms {
        Terms { terms, score: None }
    }

    #[test]
    fn tenants_with_limits_of_their_own_are_one_kind() {
        let limits = |dag: &mut Dag, [x, y]: [NodeId; 2]| {
            [(10, 40), (30, 20)].map(|(least, also)| unscored(vec![below(dag, x, least), below(dag, y, also)])).to_vec()
        };
        let (kinds, suited, hoping) = asked(&[[9, 50], [15, 25], [50, 19], [30, 40]], limits);
        // of the second row each tenant misses something, and none misses the easiest
        assert_eq!((kinds, hoping), (1, vec![1, 3]));
        assert_eq!(suited.iter().map(|(position, lane, _)| (*position, *lane)).collect::<Vec<_>>(), [(0, 3), (1, 3)]);
    }

    #[test]
    fn tenants_who_look_at_other_facts_are_stopped_by_their_own() {
        let apart = |dag: &mut Dag, [x, y]: [NodeId; 2]| vec![unscored(vec![below(dag, x, 10)]), unscored(vec![below(dag, y, 10)])];
        let (kinds, suited, _) = asked(&[[5, 50], [50, 5], [5, 5]], apart);
        assert_eq!(kinds, 2);
        let who: Vec<(usize, usize)> = suited.iter().map(|(position, lane, _)| (*position, *lane)).collect();
        assert_eq!(who, [(0, 1), (1, 0)]);
    }

    #[test]
    fn a_score_is_told_where_there_is_one() {
        let scored = |dag: &mut Dag, [x, y]: [NodeId; 2]| {
            let is_new = dag.equals(y, 0);
            vec![Terms { terms: vec![stop(dag, is_new, GATES, kind::UNKNOWN)], score: Some((x, 1)) }]
        };
        let (_, suited, _) = asked(&[[25, 1], [25, 0]], scored);
        assert_eq!(suited, [(0, 0, Suits::Signal(Some(Decimal::new(25, 1)))), (0, 1, Suits::Signal(None))]);
    }

    #[test]
    fn the_interpreter_is_asked_unless_another_gate_is_sure() {
        let doubted = |dag: &mut Dag, [x, y]: [NodeId; 2]| {
            let (is_seven, is_eight) = (dag.equals(x, 7), dag.equals(y, 8));
            // the doubt is of the gate that would stop rows of 7 and less, or of another one
            [0, 1]
                .map(|gate| unscored(vec![below(dag, x, 8), stop(dag, is_seven, gate, kind::OPEN), stop(dag, is_eight, 1, kind::TOLD)]))
                .to_vec()
        };
        let (_, suited, _) = asked(&[[7, 0], [7, 8], [6, 0]], doubted);
        assert_eq!(suited, [(0, 0, Suits::Open)]);
    }

    #[test]
    fn a_tenant_who_changes_again_and_again_leaves_no_kinds_behind() {
        let mut dag = Dag::default();
        let facts = [(); 2].map(|()| dag.input(Range { low: 0, high: 100 }));
        let given = |node| facts.iter().position(|fact| *fact == node).map(|column| (u32::try_from(column).unwrap(), false));
        let mut of_sum = |costs: i128| {
            let costs = dag.constant(costs);
            let after = dag.put(Op::Subtract(facts[0], costs)).unwrap();
            unscored(vec![below(&mut dag, after, 10)])
        };
        let terms: Vec<Terms> = (1..5).map(&mut of_sum).collect();
        let mut kinds = Kinds::of(&mut dag, GATES, terms[..2].iter(), &given);
        for changed in &terms[2..] {
            kinds.set(&mut dag, 0, changed, &given);
        }
        assert_eq!((kinds.all.len(), kinds.known.len()), (2, 2));
        let column = [13, 14];
        let columns = [Slice::Numbers(&column), Slice::Numbers(&column)];
        let mut suited = Vec::new();
        for part in kinds.parts() {
            let tenants = part.tenants();
            part.left(&mut Machine::default(), &columns, 2, |left| suited.extend(left.places().map(|place| (tenants[place], left.lane))));
        }
        suited.sort_unstable();
        // costs are 4 by now for the first, and 2 for the second
        assert_eq!(suited, [(0, 1), (1, 0), (1, 1)]);
    }
}
