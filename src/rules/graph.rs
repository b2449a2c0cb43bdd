//! The graph of facts: who computes each, what it reads, at which stage it can be known.

mod keys;
mod shapes;

use std::collections::{BTreeSet, HashMap};

use super::{
    ast::Script,
    broken::Broken,
    diagnostic::{Code, Diagnostic, Place, Sink, Span, nearest},
    facts::{INPUTS, Input, Stage},
    names,
    params::{Figure, Parameter},
    tables::Table,
    tree::Literal,
    units::Unit,
    value::Type,
};
use crate::domain::money::Currency;
use keys::{band_currencies, cost_currencies};

/// Facts that a pack may have.
const MAX_FACTS: usize = 5_000;
/// Facts that may rest on each other in a row: computing the last takes so many calls within each other.
const MAX_CHAIN: usize = 200;

/// A fact's position in [`Graph::facts`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FactId(pub usize);

/// Who computes a fact.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Input(&'static Input),
    Parameter(usize),
    Column { table: usize, column: usize },
    Derived { script: usize, function: usize },
    Aggregate,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input(_) => "input",
            Self::Parameter(_) => "parameter",
            Self::Column { .. } => "table column",
            Self::Derived { .. } => "formula",
            Self::Aggregate => "aggregate",
        }
    }
}

/// A fact that another one reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    pub fact: FactId,
    /// The reader copes with its being unknown.
    pub maybe: bool,
}

/// One name of the flat namespace.
#[derive(Debug, Clone)]
pub struct Fact {
    pub name: String,
    pub kind: Kind,
    /// `None` where a formula's result cannot be told before it runs.
    pub value_type: Option<Type>,
    /// `None` where a formula's unit can't be told, such as a fact that is always 0.
    pub unit: Option<Unit>,
    /// The only texts or truths that it can be, where that follows from its declaration or formula.
    pub possible: Option<BTreeSet<Literal>>,
    pub stage: Stage,
    pub doc: String,
    /// `None` for inputs, which Rust declares.
    pub place: Option<Place>,
    pub reads: Vec<Dependency>,
}

/// All facts of a pack.
#[derive(Debug, Default)]
pub struct Graph {
    pub facts: Vec<Fact>,
    names: HashMap<String, FactId>,
    broken: Broken,
}

/// What the graph is made of.
pub struct Parts<'a> {
    pub parameters: &'a [Parameter],
    pub tables: &'a [Table],
    pub scripts: &'a [Script],
    /// Names and places of the aggregates.
    pub aggregates: &'a [(String, Place)],
}

/// The inputs that money of a currency needs to become `home`.
pub const fn rate_input(currency: Currency) -> &'static str {
    match currency {
        Currency::Eur => "rate_eur",
        Currency::Usd => "rate_usd",
        Currency::Gbp => "rate_gbp",
    }
}

impl Graph {
    pub fn id(&self, name: &str) -> Option<FactId> {
        self.names.get(name).copied()
    }

    pub fn fact(&self, id: FactId) -> &Fact {
        &self.facts[id.0]
    }

    /// Every fact's position.
    pub fn ids(&self) -> impl Iterator<Item = FactId> + use<> {
        (0..self.facts.len()).map(FactId)
    }

    /// The fact of that name, or a report that there is none.
    pub fn resolve(&self, name: &str, place: &Place, sink: &Sink) -> Option<FactId> {
        let found = self.id(name);
        if found.is_none() && !self.broken.may_define(name) {
            let fault = Diagnostic::error(Code::UnknownFact, place.clone(), format!("no fact is called \"{name}\""));
            // the search goes through every name
            let near = if sink.is_full() { None } else { self.nearest(name) };
            sink.report(match near {
                Some(near) => fault.with_help(format!("did you mean `{near}`?")),
                None => fault.with_help("`tcg-radar rules facts` lists every fact"),
            });
        }
        found
    }

    /// The fact that may be meant by a name that nobody has: one that is spelt alike, or whose file's prefix was left out.
    fn nearest(&self, name: &str) -> Option<&str> {
        let names = || self.names.keys().map(String::as_str);
        let prefixed = || names().filter(|known| known.strip_suffix(name).is_some_and(|prefix| prefix.ends_with('_'))).min();
        nearest(name, names()).or_else(prefixed)
    }

    /// Facts that read this one.
    pub fn readers(&self, id: FactId) -> impl Iterator<Item = FactId> + '_ {
        self.ids().filter(move |reader| self.fact(*reader).reads.iter().any(|read| read.fact == id))
    }

    /// Whether `from` depends on `on`, directly or through others.
    pub fn depends(&self, from: FactId, on: FactId) -> bool {
        self.basis(from, |id| id == on).is_some()
    }

    /// A fact of this kind that `from` depends on, directly or through others.
    pub fn basis(&self, from: FactId, is_it: impl Fn(FactId) -> bool) -> Option<FactId> {
        let mut seen = vec![false; self.facts.len()];
        let mut open = vec![from];
        while let Some(id) = open.pop() {
            if is_it(id) {
                return Some(id);
            }
            if !std::mem::replace(&mut seen[id.0], true) {
                open.extend(self.fact(id).reads.iter().map(|read| read.fact));
            }
        }
        None
    }

    /// Everything that rests on a fact, itself left out.
    pub fn dependents(&self, on: FactId) -> Vec<FactId> {
        self.ids().filter(|id| *id != on && self.depends(*id, on)).collect()
    }

    /// Builds and checks the graph; faults go to `sink`. What `broken` files may define is not missed.
    pub fn build(parts: &Parts<'_>, broken: Broken, sink: &Sink) -> Self {
        let mut graph = Self { broken, ..Self::default() };
        graph.declare(parts, sink);
        graph.connect(parts, sink);
        if let Some(order) = graph.order(sink) {
            graph.report_long_chain(&order, sink);
            graph.infer(&order, parts, sink);
        }
        for (table, definition) in parts.tables.iter().enumerate() {
            graph.check_table(table, definition, sink);
        }
        graph
    }

    fn add(&mut self, fact: Fact, sink: &Sink) {
        if let Some(place) = &fact.place {
            if self.facts.len() >= MAX_FACTS {
                sink.error(Code::TooLarge, place, format!("the pack has more than {MAX_FACTS} facts"));
                return;
            }
            if let Some((message, help)) = names::fault(&fact.name) {
                sink.report(Diagnostic::error(Code::BadValue, place.clone(), message).with_help(help));
                return;
            }
        }
        if let Some(existing) = self.id(&fact.name) {
            let place = fact.place.clone().unwrap_or_else(|| Place { file: "input".into(), span: Span::default() });
            let existing = self.fact(existing);
            let first =
                existing.place.as_ref().map_or_else(|| "an input that Rust hands over".to_owned(), |place| format!("defined at {place}"));
            let fault = Diagnostic::error(Code::DuplicateFact, place, format!("\"{}\" is already {first}", fact.name));
            sink.report(fault.with_help("give one of them another name: all facts share one namespace"));
            return;
        }
        self.names.insert(fact.name.clone(), FactId(self.facts.len()));
        self.facts.push(fact);
    }

    fn declare(&mut self, parts: &Parts<'_>, sink: &Sink) {
        for input in INPUTS {
            self.add(
                Fact {
                    name: input.name.to_owned(),
                    kind: Kind::Input(input),
                    value_type: Some(input.domain.value_type()),
                    unit: input.unit.parse().ok(),
                    possible: None,
                    stage: input.stage,
                    doc: input.doc.to_owned(),
                    place: None,
                    reads: Vec::new(),
                },
                sink,
            );
        }
        for (index, parameter) in parts.parameters.iter().enumerate() {
            let kind = Kind::Parameter(index);
            self.add(
                defined(
                    &parameter.name,
                    kind,
                    Some(parameter.measure.value_type),
                    Some(parameter.measure.figure.unit()),
                    &parameter.doc,
                    &parameter.place,
                ),
                sink,
            );
        }
        for (table, definition) in parts.tables.iter().enumerate() {
            for (column, declared) in definition.columns.iter().enumerate() {
                let kind = Kind::Column { table, column };
                let doc = if declared.doc.is_empty() { &definition.doc } else { &declared.doc };
                self.add(
                    defined(
                        &declared.name,
                        kind,
                        Some(declared.measure.value_type),
                        Some(declared.measure.figure.unit()),
                        doc,
                        &declared.place,
                    ),
                    sink,
                );
            }
        }
        for (script, compiled) in parts.scripts.iter().enumerate() {
            for (function, rule) in compiled.functions.iter().enumerate().filter(|(_, rule)| !rule.private) {
                self.add(defined(&rule.name, Kind::Derived { script, function }, None, None, &rule.doc, &rule.place), sink);
            }
        }
        for (name, place) in parts.aggregates {
            let doc = "counted between two passes over the routes";
            self.add(
                Fact { stage: Stage::Tenant, ..defined(name, Kind::Aggregate, Some(Type::Integer), Some(Unit::NONE), doc, place) },
                sink,
            );
        }
    }

    fn connect(&mut self, parts: &Parts<'_>, sink: &Sink) {
        let money = |graph: &Self, currencies: &[Currency], cost: bool| -> Vec<Dependency> {
            let mut names: Vec<&str> = currencies.iter().map(|currency| rate_input(*currency)).collect();
            if !names.is_empty() {
                names.push("home_currency");
                if cost {
                    names.push("forex_buffer");
                }
            }
            names.iter().filter_map(|name| graph.id(name)).map(|fact| Dependency { fact, maybe: true }).collect()
        };
        for index in 0..self.facts.len() {
            let reads = match self.facts[index].kind {
                Kind::Input(_) | Kind::Aggregate => Vec::new(),
                Kind::Parameter(parameter) => match parts.parameters[parameter].measure.figure {
                    Figure::Money(currency) => money(self, &[currency], false),
                    Figure::Unit(_) => Vec::new(),
                },
                Kind::Column { table, column } => {
                    let definition = &parts.tables[table];
                    let keys = definition.key.iter().filter_map(|key| self.resolve(&key.name, &key.place, sink));
                    let mut reads: Vec<Dependency> = keys.map(|fact| Dependency { fact, maybe: true }).collect();
                    reads.extend(money(self, &cost_currencies(definition, column), true));
                    reads.extend(money(self, &band_currencies(definition), false));
                    reads
                }
                Kind::Derived { script, function } => parts.scripts[script].functions[function]
                    .params
                    .iter()
                    .filter_map(|param| Some(Dependency { fact: self.resolve(&param.fact, &param.place, sink)?, maybe: param.maybe }))
                    .collect(),
            };
            self.facts[index].reads = reads;
        }
    }

    /// Facts with every one after those it reads; reports a circle.
    fn order(&self, sink: &Sink) -> Option<Vec<FactId>> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; self.facts.len()];
        let mut order = Vec::with_capacity(self.facts.len());
        let mut acyclic = true;
        for root in self.ids() {
            // an explicit stack: a pack's depth must not be our stack's
            let mut path: Vec<(FactId, usize)> = if marks[root.0] == Mark::New { vec![(root, 0)] } else { Vec::new() };
            while let Some((id, next)) = path.last_mut() {
                let id = *id;
                marks[id.0] = Mark::Open;
                if let Some(read) = self.fact(id).reads.get(*next) {
                    *next += 1;
                    match marks[read.fact.0] {
                        Mark::New => path.push((read.fact, 0)),
                        Mark::Done => {}
                        Mark::Open => {
                            acyclic = false;
                            let from = path.iter().position(|(open, _)| *open == read.fact).unwrap_or(0);
                            let circle: Vec<FactId> = path[from..].iter().map(|(open, _)| *open).collect();
                            self.report_circle(&circle, sink);
                        }
                    }
                } else {
                    marks[id.0] = Mark::Done;
                    order.push(id);
                    path.pop();
                }
            }
        }
        acyclic.then_some(order)
    }

    /// Reports the first fact that rests on too long a chain of others.
    fn report_long_chain(&self, order: &[FactId], sink: &Sink) {
        let mut lengths = vec![0_usize; self.facts.len()];
        for id in order {
            let fact = self.fact(*id);
            let length = 1 + fact.reads.iter().map(|read| lengths[read.fact.0]).max().unwrap_or(0);
            lengths[id.0] = length;
            if length > MAX_CHAIN
                && let Some(place) = &fact.place
            {
                let message = format!("\"{}\" rests on a chain of more than {MAX_CHAIN} facts", fact.name);
                sink.report(Diagnostic::error(Code::TooLarge, place.clone(), message).with_help("compute it from fewer steps"));
                return;
            }
        }
    }

    fn report_circle(&self, circle: &[FactId], sink: &Sink) {
        // begin with the smallest position, so that one circle is told once however it was entered
        let start = circle.iter().enumerate().min_by_key(|(_, id)| **id).map_or(0, |(position, _)| position);
        let names: Vec<&str> = circle[start..].iter().chain(&circle[..=start]).map(|id| self.fact(*id).name.as_str()).collect();
        if let Some(place) = circle.get(start).and_then(|id| self.fact(*id).place.clone()) {
            let fault = Diagnostic::error(Code::Cycle, place, format!("these facts need each other: {}", names.join(" ← ")));
            sink.report(fault.with_help("one of them must do without the next"));
        }
    }
}

fn defined(name: &str, kind: Kind, value_type: Option<Type>, unit: Option<Unit>, doc: &str, place: &Place) -> Fact {
    Fact {
        name: name.to_owned(),
        kind,
        value_type,
        unit,
        possible: None,
        stage: Stage::Constant,
        doc: doc.to_owned(),
        place: Some(place.clone()),
        reads: Vec::new(),
    }
}
