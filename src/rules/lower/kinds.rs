//! Signals alone, where nobody asks why the other rows are none: a row is one for whom no gate stops it.
//!
//! Then tenants don't have to be asked one by one. A batch has few *kinds* of tenants, who hold the same facts against
//! limits of their own ([`super::clauses`]). What a kind has in common is computed once for a block of rows
//! ([`Kinds::hope`] needs no more: a row that misses the easiest limit misses all), and then each row that is left is held
//! against all limits of a fact in one loop over tenants ([`Kinds::signals`]).

use std::collections::{BTreeMap, BTreeSet};

use pulp::Arch;
use rust_decimal::Decimal;

use super::{
    clauses::{Clause, Clauses, Shape},
    dag::{Dag, NodeId, Op},
    gates::{Terms, code, kind, passed},
    loops::{Lanes, each_also},
    machine::{Machine, Told},
    program::{Outside, Planner, Program},
    registers::{Slice, Source},
};

/// The kinds of a batch.
#[derive(Debug, Clone, Default)]
pub struct Kinds {
    /// An answer for each kind: whether a row stops for all, whether only the interpreter can tell, whether it has no score,
    /// the score, then what its stops read.
    program: Program,
    kinds: Vec<Kind>,
}

/// Tenants who hold the same facts against limits.
#[derive(Debug, Clone)]
struct Kind {
    /// Their positions in the batch.
    positions: Vec<usize>,
    stops: Vec<Stop>,
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
    easiest: i64,
    /// By tenant of the kind.
    of: Vec<i64>,
}

/// What a row that nothing stops is to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suits {
    Signal(Option<Decimal>),
    /// Only the interpreter can tell.
    Open,
}

/// What tenants of a kind have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Common {
    stops: Vec<Shape>,
    /// Where only the interpreter can tell.
    doubts: Vec<NodeId>,
    /// Where there is no score.
    unscored: Vec<NodeId>,
    score: Option<(NodeId, u32)>,
}

impl Kinds {
    /// Plans a batch of tenants. `given` tells the column of a node that is computed already.
    pub fn of(dag: &mut Dag, planner: &mut Planner, gates: usize, tenants: &[&Terms], given: Outside<'_>) -> Self {
        let mut clauses = Clauses::default();
        let mut alike: BTreeMap<Common, Vec<(usize, Vec<Vec<i64>>)>> = BTreeMap::new();
        for (position, terms) in tenants.iter().enumerate() {
            let (common, limits) = common(dag, &mut clauses, gates, terms, given);
            alike.entry(common).or_default().push((position, limits));
        }
        let (questions, kinds): (Vec<_>, Vec<_>) = alike.into_iter().map(|(common, tenants)| Kind::of(dag, &common, tenants)).unzip();
        Self { program: planner.plan(dag, given, &questions), kinds }
    }

    /// The columns that are read.
    pub fn inputs(&self) -> impl Iterator<Item = usize> + '_ {
        self.program.inputs()
    }

    /// Tells the lanes that may hold a signal for one of the tenants, some of them several times; no other does.
    pub fn hope(&self, machine: &mut Machine, columns: &[Slice<'_>], lanes: usize, mut hoping: impl FnMut(usize)) {
        let mut room = Room::default();
        machine.run(&self.program, columns, lanes, |kind, answer, told| {
            self.kinds[kind].left(told, &answer.outputs, lanes, &mut room).into_iter().for_each(&mut hoping);
        });
    }

    /// Tells by a tenant's position what suits it of a block of rows, and how; the lanes of a tenant ascend.
    pub fn signals(&self, machine: &mut Machine, columns: &[Slice<'_>], lanes: usize, mut found: impl FnMut(usize, usize, Suits)) {
        let mut room = Room::default();
        machine.run(&self.program, columns, lanes, |number, answer, told| {
            let (kind, outputs) = (&self.kinds[number], &answer.outputs);
            let holds = |output: usize, lane: usize| told.read(outputs[output], lane) != 0;
            for lane in kind.left(told, outputs, lanes, &mut room) {
                let suits = if holds(DOUBT, lane) {
                    Suits::Open
                } else if holds(UNSCORED, lane) {
                    Suits::Signal(None)
                } else {
                    Suits::Signal(Some(Decimal::from_i128_with_scale(told.read(outputs[SCORE], lane), kind.places)))
                };
                let stopped = kind.stopped(told, outputs, lane, &mut room);
                let suited = kind.positions.iter().zip(stopped).filter(|(_, stopped)| **stopped == 0);
                suited.for_each(|(position, _)| found(*position, lane, suits));
            }
        });
    }
}

const STOPPED: usize = 0;
const DOUBT: usize = 1;
const UNSCORED: usize = 2;
const SCORE: usize = 3;

/// What a tenant has in common with others, and by clause the limits of its own.
fn common(dag: &mut Dag, clauses: &mut Clauses, gates: usize, terms: &Terms, given: Outside<'_>) -> (Common, Vec<Vec<i64>>) {
    let is_given = |node: NodeId| given(node).is_some();
    let ways: Vec<(i64, NodeId)> = terms.terms.iter().map(|term| way(dag, gates, *term)).collect();
    let doubts: BTreeSet<(i64, NodeId)> =
        ways.iter().filter(|(code, _)| code % i64::from(kind::COUNT) == kind::OPEN).map(|(code, holds)| (*code, *holds)).collect();
    let signal = code(gates, kind::UNKNOWN);
    let mut stops: Vec<Clause> = Vec::new();
    for (code, holds) in ways.iter().filter(|(code, _)| *code < signal && code % i64::from(kind::COUNT) != kind::OPEN) {
        // what stops a row is sure only where the gate's own facts are
        let of_gate = doubts.iter().filter(|(doubt, _)| doubt / i64::from(kind::COUNT) == code / i64::from(kind::COUNT));
        let sure = of_gate.fold(dag.truth(true), |sure, (_, doubt)| {
            let no_doubt = dag.not(*doubt);
            dag.and(sure, no_doubt)
        });
        let sure = if dag.constant_of(sure) == Some(1) { Clause::default() } else { Clause::of(sure) };
        stops.extend(clauses.of(dag, *holds, &is_given).iter().map(|clause| clause.and(&sure)));
    }
    stops.sort_unstable();
    stops.dedup();
    let unscored = ways.iter().filter(|(code, _)| *code == signal).map(|(_, holds)| *holds).collect();
    let (stops, limits) = stops.into_iter().map(|clause| (clause.shape, clause.limits)).unzip();
    let doubts = doubts.into_iter().map(|(_, holds)| holds).collect();
    (Common { stops, doubts, unscored, score: terms.score }, limits)
}

/// What a term says of a row, and where.
fn way(dag: &mut Dag, gates: usize, term: NodeId) -> (i64, NodeId) {
    let value = |node: NodeId| dag.constant_of(node).and_then(|value| i64::try_from(value).ok());
    let through = Some(passed(gates));
    let (code, holds) = match (value(term), dag.op(term)) {
        (Some(code), _) => (Some(code), None),
        (None, Op::Select(holds, one, two)) if value(two) == through => (value(one), Some((holds, true))),
        (None, Op::Select(holds, one, two)) if value(one) == through => (value(two), Some((holds, false))),
        _ => (None, None),
    };
    let holds = match holds {
        Some((holds, true)) => holds,
        Some((holds, false)) => dag.not(holds),
        None => dag.truth(true),
    };
    // of what has another form, only the interpreter can tell
    code.map_or_else(|| (self::code(0, kind::OPEN), dag.truth(true)), |code| (code, holds))
}

impl Kind {
    /// The question that its tenants ask, and the kind.
    fn of(dag: &mut Dag, common: &Common, tenants: Vec<(usize, Vec<Vec<i64>>)>) -> (Vec<NodeId>, Self) {
        let never = dag.truth(false);
        let all = |dag: &mut Dag, truths: &[NodeId]| fold(dag, truths, Op::Min);
        let any = |dag: &mut Dag, truths: &[NodeId]| fold(dag, truths, Op::Max).unwrap_or(never);
        let mut stopped = Vec::new();
        let (mut read, mut stops) = (Vec::new(), Vec::new());
        for (number, shape) in common.stops.iter().enumerate() {
            let guard = all(dag, &shape.truths);
            if shape.facts.is_empty() {
                stopped.push(guard.unwrap_or_else(|| dag.truth(true)));
                continue;
            }
            let mut output = |node: NodeId| {
                read.push(node);
                SCORE + read.len()
            };
            let guard = guard.map(&mut output);
            let numbers = shape.facts.iter().enumerate().map(|(place, fact)| {
                let of: Vec<i64> = tenants.iter().map(|(_, limits)| limits[number][place]).collect();
                let easiest = of.iter().copied().min().unwrap_or(i64::MIN);
                Limits { output: output(fact.node), negated: fact.negated, easiest, of }
            });
            stops.push(Stop { guard, numbers: numbers.collect() });
        }
        let (stopped, doubt, unscored) = (any(dag, &stopped), any(dag, &common.doubts), any(dag, &common.unscored));
        let (score, places) = common.score.unwrap_or((never, 0));
        let question = [stopped, doubt, unscored, score].into_iter().chain(read).collect();
        (question, Self { positions: tenants.into_iter().map(|(position, _)| position).collect(), stops, places })
    }

    /// By tenant whether something stops the row of a lane.
    fn stopped<'r>(&self, told: Told<'_>, outputs: &[Source], lane: usize, room: &'r mut Room) -> &'r [u8] {
        let Room { stopped, held, .. } = room;
        fill(stopped, self.positions.len(), 0);
        for stop in &self.stops {
            if stop.guard.is_some_and(|guard| told.read(outputs[guard], lane) == 0) {
                continue;
            }
            fill(held, stopped.len(), 1);
            for numbers in &stop.numbers {
                let number = Lanes::Splat(numbers.number(told, outputs, lane));
                Arch::new().dispatch(Below { one: number, two: Lanes::Column(&numbers.of), held: &mut *held });
            }
            stopped.iter_mut().zip(held.iter()).for_each(|(stopped, held)| *stopped |= held);
        }
        stopped
    }

    /// The lanes of rows that nothing stops that is easy for one of the tenants.
    fn left(&self, told: Told<'_>, outputs: &[Source], lanes: usize, room: &mut Room) -> Vec<usize> {
        let Room { stopped, held, numbers } = room;
        truths(told, outputs[STOPPED], lanes, stopped);
        for stop in &self.stops {
            match stop.guard {
                Some(guard) => truths(told, outputs[guard], lanes, held),
                None => fill(held, lanes, 1),
            }
            for limits in &stop.numbers {
                limits.numbers(told, outputs, lanes, numbers);
                Arch::new().dispatch(Below { one: Lanes::Column(numbers), two: Lanes::Splat(limits.easiest), held: &mut *held });
            }
            stopped.iter_mut().zip(held.iter()).for_each(|(stopped, held)| *stopped |= held);
        }
        (0..lanes).filter(|lane| stopped[*lane] == 0).collect()
    }
}

impl Limits {
    fn numbers(&self, told: Told<'_>, outputs: &[Source], lanes: usize, room: &mut Vec<i64>) {
        room.clear();
        match told.numbers(outputs[self.output]) {
            Some(numbers) if !self.negated => room.extend_from_slice(numbers),
            _ => room.extend((0..lanes).map(|lane| self.number(told, outputs, lane))),
        }
    }

    fn number(&self, told: Told<'_>, outputs: &[Source], lane: usize) -> i64 {
        let number = told.read(outputs[self.output], lane);
        // limits are nearer than what 64 bits may not hold
        let nearest = i64::try_from(number).unwrap_or(if number < 0 { -i64::MAX } else { i64::MAX }).max(-i64::MAX);
        if self.negated { -nearest } else { nearest }
    }
}

/// Truths taken together. Least and greatest, unlike `and` and `or`, take nothing apart.
fn fold(dag: &mut Dag, truths: &[NodeId], join: fn(NodeId, NodeId) -> Op) -> Option<NodeId> {
    let (first, others) = truths.split_first()?;
    // truths never grow
    Some(others.iter().fold(*first, |joined, truth| dag.put(join(joined, *truth)).unwrap_or(joined)))
}

/// Room for the lanes of a block, or the tenants of a kind.
#[derive(Debug, Default)]
struct Room {
    stopped: Vec<u8>,
    held: Vec<u8>,
    numbers: Vec<i64>,
}

fn fill(room: &mut Vec<u8>, count: usize, value: u8) {
    room.clear();
    room.resize(count, value);
}

fn truths(told: Told<'_>, source: Source, lanes: usize, room: &mut Vec<u8>) {
    room.clear();
    match told.bytes(source) {
        Some(truths) => room.extend_from_slice(truths),
        None => room.extend((0..lanes).map(|lane| u8::from(told.read(source, lane) != 0))),
    }
}

/// Leaves what is held where one is below the other.
struct Below<'a> {
    one: Lanes<'a, i64>,
    two: Lanes<'a, i64>,
    held: &'a mut [u8],
}

impl pulp::NullaryFnOnce for Below<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        each_also(self.held, self.one, self.two, |held, one, two| held & u8::from(one < two));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::dag::Range, *};

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
        let kinds = Kinds::of(&mut dag, &mut Planner::default(), GATES, &terms.iter().collect::<Vec<_>>(), &given);
        let columns = [0, 1].map(|fact| rows.iter().map(|row| row[fact]).collect::<Vec<i64>>());
        let columns = columns.each_ref().map(|column| Slice::Numbers(column));
        let (mut machine, mut suited, mut hoping) = (Machine::default(), Vec::new(), Vec::new());
        kinds.signals(&mut machine, &columns, rows.len(), |position, lane, suits| suited.push((position, lane, suits)));
        kinds.hope(&mut machine, &columns, rows.len(), |lane| hoping.push(lane));
        suited.sort_unstable_by_key(|(position, lane, _)| (*position, *lane));
        hoping.sort_unstable();
        hoping.dedup();
        (kinds.kinds.len(), suited, hoping)
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
}
