//! Lowering: the same rules as exact integer arithmetic over columns of rows, for all tenants at once.
//!
//! The interpreter is what a pack *means*; it costs about a microsecond a formula. Here the formulas of a pack become one
//! graph of integer operations in which equal nodes are one node ([`dag`]):
//!
//! 1. **Lower** ([`facts`], [`body`], [`tables`]). A decimal is an integer at a number of places known beforehand
//!    ([`value`]), an `if` is a choice between two computed values, a table a chain of choices, an error or an unknown a
//!    condition beside the value. A tenant's settings are constants, so what they decide folds away, and what two tenants
//!    have in common is one node.
//! 2. **Judge** ([`gates`]). The gates become one number that says how far a row comes.
//! 3. **Split** ([`split`]). What depends on cards and routes alone is computed once for a row; what it leaves is all that
//!    tenants' rules read ([`Cards`]).
//! 4. **Plan** ([`program`], [`tenants`]). Tenants who have much in common are put into one program. Where only signals are
//!    asked for, those who differ in limits alone are even asked as one ([`kinds`]).
//! 5. **Run** ([`machine`], [`registers`]). Each instruction is a loop over a block of rows.
//!
//! It answers verdicts only: [`Answer`]. A formula that can't be lowered is left to the interpreter ([`Lowered::refused`]):
//! if it depends on no tenant its values become a column like an input's, else the gates that need it are
//! [`Answer::Open`], as is a row with a number too large for the columns. That both agree is what the differential tests
//! hold.

mod algebra;
mod answer;
mod body;
mod branches;
mod clauses;
pub mod costs;
mod dag;
mod facts;
mod gates;
mod host;
mod instruction;
mod kinds;
mod loops;
mod machine;
mod money;
mod program;
mod refusal;
mod registers;
mod rows;
mod split;
mod tables;
mod tenants;
#[cfg(test)]
mod tests;
mod texts;
mod value;

use std::collections::BTreeSet;

use chrono::NaiveDate;
use rustc_hash::FxHashMap;

pub use self::{
    answer::Answer,
    kinds::{Kinds, Left, Part, Suits, add_marked},
    machine::{LANES, Machine},
    refusal::Refusal,
    registers::{Column, Slice},
    rows::{ALONE, Cards, Rows},
    tenants::{Batch, Codes, Scores},
};
use self::{
    body::Outcome,
    dag::{NodeId, Op},
    facts::{Builder, State},
    gates::{kind, passed},
    program::{Planner, Program},
    registers::Source,
    split::{Split, nodes_of},
    tenants::{Class, Counts, Tenant},
    value::Shape,
};
use super::{
    facts::Stage,
    graph::FactId,
    pack::Pack,
    value::{Given, Value},
};

/// What a tenant's fact is on every row.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    Is(Value),
    /// True where a fact of the row is one of these texts, else false.
    Among(FactId, Vec<Box<str>>),
    /// Something that it cannot be.
    Fault,
}

/// What a tenant sets.
pub type Settings = Vec<(FactId, Setting)>;

/// A pack for a set of tenants, ready to judge rows.
#[derive(Debug)]
pub struct Lowered {
    state: State,
    gates: usize,
    leading: usize,
    aggregates: usize,
    /// The card part: code, groups, then the cut.
    screen: Program,
    split: Split,
    /// Where tenants' programs find the nodes of the card part, and whether they are bytes.
    cut: FxHashMap<NodeId, (u32, bool)>,
    /// The graph's inputs that hold what was counted, by aggregate.
    counted: Vec<NodeId>,
    tenants: Vec<Tenant>,
    classes: Vec<Class>,
    class_of: FxHashMap<(usize, NodeId), usize>,
    /// For each term how many tenants have it, and for each condition of counting how many classes.
    popularity: FxHashMap<NodeId, u32>,
    batches: Vec<Batch>,
    /// For who asks for signals alone.
    kinds: Option<ByKind>,
}

/// All tenants, by who holds the same facts against limits.
#[derive(Debug)]
pub struct ByKind {
    pub judging: Kinds,
    /// By aggregate, by who counts alike: what is left is counted.
    pub counting: Vec<Kinds>,
}

/// A pack that the columns can't judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It depends on the tenant, or is no text.
    #[error("an aggregate counts over a fact that the columns don't hold")]
    Groups,
    #[error("there are more gates than the columns can tell apart")]
    Gates,
}

/// A tenant's change that reaches the card part: everything has to be lowered anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tenant's rules read facts of the row that no tenant's did before")]
pub struct Unprepared;

impl Lowered {
    /// Lowers a pack for tenants. `constants` hold for every row and tenant: the date, the regime, the operator's switches.
    ///
    /// # Errors
    /// A pack that only the interpreter can judge.
    pub fn new(pack: &Pack, date: NaiveDate, constants: &[(FactId, Value)], tenants: &[Settings]) -> Result<Self, Unfit> {
        if u8::try_from(passed(pack.gates.len())).is_err() {
            return Err(Unfit::Gates);
        }
        let mut lowered = Self {
            state: State::new(date, constants),
            gates: pack.gates.len(),
            leading: gates::leading(pack),
            aggregates: pack.aggregates.len(),
            screen: Program::default(),
            split: Split::default(),
            cut: FxHashMap::default(),
            counted: Vec::new(),
            tenants: Vec::new(),
            classes: Vec::new(),
            class_of: FxHashMap::default(),
            popularity: FxHashMap::default(),
            batches: Vec::new(),
            kinds: None,
        };
        lowered.counted = pack.aggregates.iter().map(|_| lowered.state.counted()).collect();
        let mut builder = Builder::new(pack, &mut lowered.state);
        let screen = builder.screen();
        let groups = pack.aggregates.iter().map(|aggregate| group(&mut builder, aggregate.over)).collect::<Result<Vec<_>, _>>()?;
        // what any tenant's formula may read is there for tenants who come later, too
        let mut read = Vec::new();
        for id in pack.graph.ids().filter(|id| pack.graph.fact(*id).stage == Stage::Tenant) {
            for dependency in pack.graph.fact(id).reads.iter().filter(|read| pack.graph.fact(read.fact).stage < Stage::Tenant) {
                read.extend(builder.fact(dependency.fact).ok());
            }
        }
        for settings in tenants {
            let tenant = lowered.tenant(pack, settings);
            lowered.tenants.push(tenant);
        }
        lowered.split(&screen, &groups, &read);
        lowered.count_terms();
        lowered.form_batches();
        Ok(lowered)
    }

    /// Lowers a tenant's rules.
    fn tenant(&mut self, pack: &Pack, settings: &Settings) -> Tenant {
        let mut builder = Builder::new(pack, &mut self.state);
        if builder.bind(settings).is_err() {
            // every row is the interpreter's
            let open = builder.state.dag.constant(gates::code(0, kind::OPEN).into());
            let classes = (0..pack.aggregates.len()).map(|aggregate| self.class_for(aggregate, None)).collect();
            return Tenant::new(gates::Terms { terms: vec![open], score: None }, classes);
        }
        let counts: Vec<Option<Counts>> = pack.aggregates.iter().map(|aggregate| counts(&mut builder, aggregate.count_where)).collect();
        let classes: Vec<usize> = counts.into_iter().enumerate().map(|(aggregate, counts)| self.class_for(aggregate, counts)).collect();
        let mut builder = Builder::new(pack, &mut self.state);
        // it went well before
        let _ = builder.bind(settings);
        for (aggregate, input) in pack.aggregates.iter().zip(&self.counted) {
            let counted = builder.state.count_of(*input);
            builder.bind_node(aggregate.fact, counted);
        }
        Tenant::new(builder.terms(), classes)
    }

    fn class_for(&mut self, aggregate: usize, counts: Option<Counts>) -> usize {
        let class = Class::of(&mut self.state.dag, aggregate, counts);
        let next = self.classes.len();
        let number = class.counts.map_or(next, |node| *self.class_of.entry((aggregate, node)).or_insert(next));
        if number == next {
            self.classes.push(class);
        }
        number
    }

    fn count_terms(&mut self) {
        self.popularity.clear();
        for term in self.tenants.iter().flat_map(|tenant| &tenant.terms.terms) {
            *self.popularity.entry(*term).or_default() += 1;
        }
        let conditions: Vec<NodeId> =
            self.classes.iter().filter_map(|class| class.counts).flat_map(|counts| self.conditions(counts)).collect();
        for condition in conditions {
            *self.popularity.entry(condition).or_default() += 1;
        }
    }

    /// Cuts the card part off and plans it.
    fn split(&mut self, screen: &[NodeId], groups: &[NodeId], read: &[Outcome]) {
        let through = self.state.dag.constant(passed(self.gates).into());
        let code = screen.iter().fold(through, |least, term| self.state.dag.put(Op::Min(least, *term)).unwrap_or(least));
        self.split = Split::of(&self.state.dag, self.state.shared());
        let cut = self.cut_for(read.iter().copied().flat_map(nodes_of).chain(self.tenants.iter().flat_map(|tenant| self.asked(tenant))));
        let outputs: Vec<NodeId> = std::iter::once(code).chain(groups.iter().copied()).chain(cut.iter().copied()).collect();
        let positions = &self.state.positions;
        let given = |node| positions.get(&node).map(|position| (*position, false));
        self.screen = Planner::default().plan(&self.state.dag, &given, &[outputs]);
        let columns = self.screen.answers.iter().flat_map(|answer| answer.outputs.iter().skip(1 + groups.len()));
        let columns = columns.zip(0..).map(|(output, column)| (column, matches!(output, Source::Byte(_))));
        self.cut = cut.into_iter().zip(columns).collect();
    }

    fn cut_for(&self, nodes: impl Iterator<Item = NodeId>) -> BTreeSet<NodeId> {
        let mut cut = BTreeSet::new();
        self.split.cut(&self.state.dag, nodes, &mut cut);
        cut
    }

    /// Every node that a tenant's programs compute in the end.
    fn asked<'a>(&'a self, tenant: &'a Tenant) -> impl Iterator<Item = NodeId> + 'a {
        let classes = tenant.classes.iter().map(|class| &self.classes[*class]);
        let counts = classes.flat_map(|class| class.counts.into_iter().chain(class.terms.terms.iter().copied()));
        tenant.terms.terms.iter().copied().chain(tenant.terms.score.map(|(node, _)| node)).chain(counts)
    }

    /// Gives a tenant other settings. Only its own batch is planned again.
    ///
    /// # Errors
    /// Its rules read what the cards' columns don't hold: the pack has to be lowered anew.
    pub fn set_tenant(&mut self, pack: &Pack, tenant: usize, settings: &Settings) -> Result<(), Unprepared> {
        let columns = self.state.columns.len();
        let changed = self.tenant(pack, settings);
        let cut = self.cut_for(self.asked(&changed));
        if self.state.columns.len() > columns || cut.iter().any(|node| !self.cut.contains_key(node)) {
            return Err(Unprepared);
        }
        self.tenants[tenant] = changed;
        self.change_kind(tenant);
        for batch in 0..self.batches.len() {
            if self.batches[batch].tenants.contains(&tenant) {
                self.plan_batch(batch);
            }
        }
        Ok(())
    }

    fn passed(&self) -> i64 {
        passed(self.gates)
    }

    /// How many gates, from the first on, depend on no tenant: the card part judges these.
    pub const fn leading(&self) -> usize {
        self.leading
    }

    /// The tenants, in batches that are planned together.
    pub fn batches(&self) -> &[Batch] {
        &self.batches
    }

    /// The tenants by kind, once they are formed: see [`Lowered::form_kinds`].
    pub const fn kinds(&self) -> Option<&ByKind> {
        self.kinds.as_ref()
    }

    /// What the columns of counts stand for: the aggregate, and whether columns can count it.
    pub fn class(&self, class: usize) -> (usize, bool) {
        (self.classes[class].aggregate, self.classes[class].counts.is_some())
    }

    /// The classes in which a tenant counts, by aggregate.
    pub fn classes_of(&self, tenant: usize) -> &[usize] {
        &self.tenants[tenant].classes
    }

    /// Formulas that the columns can't compute, and why.
    pub fn refused(&self) -> &[(FactId, Refusal)] {
        &self.state.refused
    }

    /// Formulas that the interpreter computes for every row, to be told with its facts.
    pub fn interpreted(&self) -> impl Iterator<Item = FactId> + '_ {
        self.state.columns.iter().filter(|column| column.interpreted).map(|column| column.fact)
    }

    /// So many rows, to be filled by [`Lowered::tell`] and [`Lowered::close`].
    pub fn rows(&self, capacity: usize) -> Rows {
        self.state.rows(capacity)
    }

    /// Where rows are told a fact; nothing where no formula reads it.
    pub fn place_of(&self, fact: FactId) -> Option<usize> {
        self.state.columns.iter().position(|column| column.fact == fact)
    }

    /// Tells the rows that follow a fact, by its place; nothing where it is something that it cannot be.
    pub fn tell(&self, pack: &Pack, rows: &mut Rows, place: usize, given: Option<Given<'_>>) {
        rows.tell(pack, &self.state.columns, &self.state.texts, place, given);
    }

    /// Adds a row of which everything is told.
    pub fn close(rows: &mut Rows) {
        rows.close();
    }

    /// Adds a row by all of its facts, by position.
    pub fn push(&self, pack: &Pack, rows: &mut Rows, facts: &[Option<Value>]) {
        self.state.push(pack, rows, facts);
    }

    /// Runs the card part.
    pub fn screen(&self, rows: &Rows) -> Cards {
        rows::screen(&self.screen, rows, self.aggregates)
    }

    /// Nodes of the graph, instructions for a row, and columns that they leave for the tenants.
    pub fn size(&self) -> (usize, usize, usize) {
        (self.state.dag.size(), self.screen.instructions.len(), self.cut.len())
    }
}

/// Where a row counts; nothing if only the interpreter can tell, wherever it is.
fn counts(builder: &mut Builder<'_>, fact: FactId) -> Option<Counts> {
    let outcome = builder.fact(fact).ok()?;
    let dag = &mut builder.state.dag;
    let truth = match outcome.value.shape {
        Shape::Truth(node) => node,
        _ => dag.truth(false),
    };
    let sound = dag.not(outcome.fault);
    let told = dag.and(outcome.value.known, sound);
    Some(Counts { truth: dag.and(told, truth), doubt: outcome.doubt })
}

/// The number of a row's group: that of the text that is counted over, where it is known.
fn group(builder: &mut Builder<'_>, over: FactId) -> Result<NodeId, Unfit> {
    if builder.pack.graph.fact(over).stage == Stage::Tenant {
        return Err(Unfit::Groups);
    }
    let outcome = builder.fact(over).map_err(|_| Unfit::Groups)?;
    let dag = &mut builder.state.dag;
    let node = match outcome.value.shape {
        Shape::Text(node) | Shape::Truth(node) | Shape::Date(node) => node,
        Shape::Nothing => return Ok(dag.constant(ALONE.into())),
        Shape::Number(_) | Shape::Quotient(..) => return Err(Unfit::Groups),
    };
    let sound = dag.not(outcome.fault);
    let told = dag.and(outcome.value.known, sound);
    let alone = dag.constant(ALONE.into());
    dag.put(Op::Select(told, node, alone)).map_err(|_| Unfit::Groups)
}
