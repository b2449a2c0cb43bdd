//! Tenants in batches: those who have much in common are planned together.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::{
    ByKind, Lowered,
    dag::{Dag, NodeId, Op},
    gates::{Terms, code, kind, passed},
    kinds::Kinds,
    machine::{Machine, Told},
    program::{Planner, Program},
    registers::{Slice, Source},
};

/// Tenants of a batch: few enough that a changed one is planned again at once.
const TOGETHER: usize = 256;

/// How rows of a group are counted: tenants who count the same rows share the count.
#[derive(Debug, Clone)]
pub struct Class {
    pub aggregate: usize,
    /// 1 where a row counts, 2 where only the interpreter can tell; nothing if it has to be asked for every row.
    pub counts: Option<NodeId>,
    /// What keeps a row from being counted, as if a gate stopped it.
    pub terms: Terms,
}

/// Whether a row counts is told by one gate.
const COUNTING: usize = 1;

/// The conditions under which a row counts, and under which only the interpreter can tell.
#[derive(Debug, Clone, Copy)]
pub struct Counts {
    pub truth: NodeId,
    pub doubt: NodeId,
}

impl Class {
    /// Nothing where the interpreter has to be asked for every row.
    pub fn of(dag: &mut Dag, aggregate: usize, counts: Option<Counts>) -> Self {
        let through = dag.constant(passed(COUNTING).into());
        let stop = |dag: &mut Dag, holds: NodeId, how: i64| {
            let stopped = dag.constant(code(0, how).into());
            // codes are small
            dag.put(Op::Select(holds, stopped, through)).unwrap_or(through)
        };
        let (doubt, missed) = match counts {
            Some(counts) => (counts.doubt, dag.not(counts.truth)),
            None => (dag.truth(true), dag.truth(false)),
        };
        let terms = vec![stop(dag, doubt, kind::OPEN), stop(dag, missed, kind::TOLD)];
        let open = dag.constant(2);
        let node = counts.and_then(|counts| dag.put(Op::Select(counts.doubt, open, counts.truth)).ok());
        Self { aggregate, counts: node, terms: Terms { terms, score: None } }
    }
}

/// A tenant in the graph.
#[derive(Debug, Clone, Default)]
pub struct Tenant {
    pub terms: Terms,
    /// The class of each aggregate.
    pub classes: Vec<usize>,
    /// The nodes of its answer: the least of its terms, and the score.
    question: Vec<NodeId>,
}

impl Tenant {
    pub const fn new(terms: Terms, classes: Vec<usize>) -> Self {
        Self { terms, classes, question: Vec::new() }
    }
}

/// Tenants that are planned together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    pub tenants: Vec<usize>,
    /// The classes that its tenants count in.
    pub classes: Vec<usize>,
    /// By position and aggregate: which of the classes is the tenant's.
    class_of: Vec<u32>,
    /// By position: the decimal places of the score.
    places: Vec<u32>,
    /// By position: the first tenant who asks the same of every row.
    pub alike: Vec<usize>,
    /// No row suits any of its tenants, whatever is counted.
    pub hopeless: bool,
    /// An answer for each class: whether a row counts.
    counts: Program,
    /// An answer for each tenant: code and score.
    judges: Program,
    /// By column of the cards: whether its tenants' judging reads it.
    reads: Vec<bool>,
}

/// What a tenant makes of a block of rows.
#[derive(Debug, Clone, Copy)]
pub enum Codes<'a> {
    /// The same of each.
    Same(u8),
    Each(&'a [u8]),
}

impl Codes<'_> {
    pub const fn of(&self, lane: usize) -> u8 {
        match self {
            Self::Same(code) => *code,
            Self::Each(codes) => codes[lane],
        }
    }
}

/// Where the scores of a block stand.
#[derive(Clone, Copy)]
pub struct Scores<'a> {
    told: Told<'a>,
    source: Option<Source>,
    places: u32,
}

impl Scores<'_> {
    /// The score of a row that passed.
    pub fn of(&self, lane: usize) -> Option<Decimal> {
        self.source.map(|source| Decimal::from_i128_with_scale(self.told.read(source, lane), self.places))
    }
}

impl Batch {
    /// Tells for each class of the batch, by its place in [`Batch::classes`], which rows count: 1 for those that do, 2 for
    /// those that the interpreter has to be asked about.
    pub fn count(&self, machine: &mut Machine, cards: &[Slice<'_>], lanes: usize, mut counted: impl FnMut(usize, Codes<'_>)) {
        machine.run(&self.counts, cards, lanes, |position, answer, told| {
            if let Some(output) = answer.outputs.first() {
                counted(position, codes(told, *output));
            }
        });
    }

    /// Judges a block of rows for every tenant of the batch. `columns` are the cards' and, behind them, for each aggregate
    /// what was counted.
    pub fn judge(&self, machine: &mut Machine, columns: &[Slice<'_>], lanes: usize, mut judged: impl FnMut(usize, Codes<'_>, Scores<'_>)) {
        machine.run(&self.judges, columns, lanes, |position, answer, told| {
            let code = answer.outputs.first().map_or(Codes::Same(0), |source| codes(told, *source));
            judged(position, code, Scores { told, source: answer.outputs.get(1).copied(), places: self.places[position] });
        });
    }

    /// Whether tenants' judging reads a column of the cards; it may be empty otherwise.
    pub fn reads(&self, column: usize) -> bool {
        self.reads[column]
    }

    /// The place among the batch's classes of the one that a tenant counts an aggregate in.
    pub fn class_of(&self, position: usize, aggregate: usize) -> Option<usize> {
        let aggregates = self.class_of.len() / self.tenants.len().max(1);
        let place = (aggregate < aggregates).then(|| self.class_of[position * aggregates + aggregate])?;
        usize::try_from(place).ok()
    }

    /// Instructions for the tenants of the batch.
    pub fn size(&self) -> usize {
        self.judges.instructions.len()
    }
}

/// What is made of small constants, and so stands in bytes.
fn codes(told: Told<'_>, source: Source) -> Codes<'_> {
    match told.bytes(source) {
        Some(column) => Codes::Each(column),
        None => Codes::Same(told.constant(source).and_then(|code| u8::try_from(code).ok()).unwrap_or(0)),
    }
}

impl Lowered {
    /// The conditions under which rows count, down to what the cards' columns hold.
    pub(super) fn conditions(&self, counts: NodeId) -> Vec<NodeId> {
        self.state.dag.conditions(counts, |node| self.cut.contains_key(&node))
    }

    /// Puts tenants that have much in common into one batch.
    pub(super) fn form_batches(&mut self) {
        let mut order: Vec<usize> = (0..self.tenants.len()).collect();
        let ranked: Vec<Vec<NodeId>> = self.tenants.iter().map(|tenant| ranked(&self.popularity, &tenant.terms.terms)).collect();
        order.sort_by(|one, two| ranked[*one].cmp(&ranked[*two]));
        self.batches = order.chunks(TOGETHER).map(|tenants| Batch { tenants: tenants.to_vec(), ..Batch::default() }).collect();
        for batch in 0..self.batches.len() {
            self.plan_batch(batch);
        }
    }

    /// Puts tenants who hold the same facts against limits into one kind: for judging, and for each aggregate for counting.
    /// It costs as much as a scan of a small market, so that it is only done for who asks for signals alone.
    pub fn form_kinds(&mut self) {
        let given = |node| given(&self.cut, &self.counted, node);
        let (dag, tenants, classes) = (&mut self.state.dag, &self.tenants, &self.classes);
        let judging = Kinds::of(dag, self.gates, tenants.iter().map(|tenant| &tenant.terms), &given);
        let counting = |aggregate: usize| {
            let terms = tenants.iter().map(|tenant| &classes[tenant.classes[aggregate]].terms);
            Kinds::of(dag, COUNTING, terms, &given)
        };
        self.kinds = Some(ByKind { judging, counting: (0..self.aggregates).map(counting).collect() });
    }

    /// Puts a tenant who has changed into its kinds, where they are formed.
    pub(super) fn change_kind(&mut self, tenant: usize) {
        let Some(kinds) = &mut self.kinds else { return };
        let given = |node| given(&self.cut, &self.counted, node);
        let changed = &self.tenants[tenant];
        kinds.judging.set(&mut self.state.dag, tenant, &changed.terms, &given);
        for (counting, class) in kinds.counting.iter_mut().zip(&changed.classes) {
            counting.set(&mut self.state.dag, tenant, &self.classes[*class].terms, &given);
        }
    }

    /// Plans a batch again, after one of its tenants has changed.
    pub(super) fn plan_batch(&mut self, batch: usize) {
        let tenants = std::mem::take(&mut self.batches[batch].tenants);
        let classes: BTreeSet<usize> = tenants.iter().flat_map(|tenant| self.tenants[*tenant].classes.iter().copied()).collect();
        let classes: Vec<usize> = classes.into_iter().collect();
        let passed = self.passed();
        for tenant in &tenants {
            let question = question(&mut self.state.dag, &self.popularity, &self.tenants[*tenant], passed);
            self.tenants[*tenant].question = question;
        }
        let questions: Vec<Vec<NodeId>> = tenants.iter().map(|tenant| self.tenants[*tenant].question.clone()).collect();
        let never = self.state.dag.truth(false);
        let counts: Vec<Vec<NodeId>> = classes
            .iter()
            .map(|class| {
                let conditions = self.conditions(self.classes[*class].counts.unwrap_or(never));
                vec![fold(&mut self.state.dag, &ranked(&self.popularity, &conditions), Dag::and)]
            })
            .collect();
        let mut planner = Planner::default();
        let given = |node| given(&self.cut, &self.counted, node);
        let (counts, judges) = (planner.plan(&self.state.dag, &given, &counts), planner.plan(&self.state.dag, &given, &questions));
        let mut first = FxHashMap::default();
        let alike = questions.iter().enumerate().map(|(position, question)| *first.entry(question).or_insert(position)).collect();
        let untold = i128::from(code(self.gates, kind::UNKNOWN));
        let never_passes = |question: &Vec<NodeId>| question.first().is_some_and(|code| self.state.dag.range(*code).high < untold);
        let place = |class: &usize| classes.binary_search(class).ok().and_then(|place| u32::try_from(place).ok()).unwrap_or(u32::MAX);
        let class_of = tenants.iter().flat_map(|tenant| self.tenants[*tenant].classes.iter().map(place)).collect();
        let places = tenants.iter().map(|tenant| self.tenants[*tenant].terms.score.map_or(0, |(_, places)| places)).collect();
        let hopeless = questions.iter().all(never_passes) && !judges.inputs().any(|column| column >= self.cut.len());
        let mut reads = vec![false; self.cut.len()];
        for column in judges.inputs().filter(|column| *column < self.cut.len()) {
            reads[column] = true;
        }
        self.batches[batch] = Batch { tenants, classes, class_of, places, alike, hopeless, counts, judges, reads };
    }
}

/// The columns that tenants' programs find, and whether they are of bytes: the cards', then one for each aggregate.
fn given(cut: &FxHashMap<NodeId, (u32, bool)>, counted: &[NodeId], node: NodeId) -> Option<(u32, bool)> {
    let count = || {
        let aggregate = counted.iter().position(|input| *input == node)?;
        Some((u32::try_from(cut.len() + aggregate).unwrap_or(u32::MAX), false))
    };
    cut.get(&node).copied().or_else(count)
}

/// Terms that many tenants share before those that few do.
fn ranked(popularity: &FxHashMap<NodeId, u32>, terms: &[NodeId]) -> Vec<NodeId> {
    let mut terms = terms.to_vec();
    terms.sort_by_key(|term| (std::cmp::Reverse(popularity.get(term).copied().unwrap_or(0)), *term));
    terms
}

/// Takes nodes together, from the first on: nodes that begin with the same share what these come to.
fn fold(dag: &mut Dag, nodes: &[NodeId], join: impl Fn(&mut Dag, NodeId, NodeId) -> NodeId) -> NodeId {
    let (first, others) = nodes.split_first().map_or_else(|| (dag.truth(true), nodes), |(first, others)| (*first, others));
    others.iter().fold(first, |joined, node| join(dag, joined, *node))
}

fn question(dag: &mut Dag, popularity: &FxHashMap<NodeId, u32>, tenant: &Tenant, passed: i64) -> Vec<NodeId> {
    let through = dag.constant(passed.into());
    let mut terms = vec![through];
    terms.extend(ranked(popularity, &tenant.terms.terms));
    let code = fold(dag, &terms, |dag, one, two| dag.put(Op::Min(one, two)).unwrap_or(one));
    std::iter::once(code).chain(tenant.terms.score.map(|(node, _)| node)).collect()
}
