//! Lowers facts: inputs become columns or constants, parameters constants, tables chains of choices, formulas their body.

use chrono::NaiveDate;
use rustc_hash::FxHashMap;

use super::{
    Setting, Settings,
    body::{self, Outcome},
    dag::{Dag, NodeId, Op, Range},
    refusal::{Refusal, Why},
    rows::{Column, told},
    texts::Texts,
    value::{Kind as NumberKind, Number, Shape, Value, day, power},
};
use crate::rules::{
    facts::{Domain, Stage},
    graph::{FactId, Kind},
    pack::Pack,
    params::Figure,
    value::{Type, Value as Fact},
};

/// What lowering keeps from one tenant to the next.
#[derive(Debug)]
pub struct State {
    pub dag: Dag,
    pub texts: Texts,
    /// The row's facts that formulas ask for, in the order in which a row gives them.
    pub columns: Vec<Column>,
    /// Formulas that the columns can't compute, and why.
    pub refused: Vec<(FactId, Refusal)>,
    /// The position of an input among the columns of a row: two for each of the facts above.
    pub positions: FxHashMap<NodeId, u32>,
    date: NaiveDate,
    /// Facts that no tenant changes.
    shared: FxHashMap<FactId, Result<Outcome, Refusal>>,
    /// What a fact comes to where the facts that it reads are these: tenants who are alike share it.
    memo: FxHashMap<(FactId, Vec<Outcome>), Result<Outcome, Refusal>>,
}

/// Lowers the facts of one tenant, or those of none.
pub struct Builder<'b> {
    pub pack: &'b Pack,
    pub state: &'b mut State,
    /// Facts of the tenant at hand, by position.
    own: Vec<Option<Result<Outcome, Refusal>>>,
}

/// What an aggregate can count to.
const MOST_COUNTED: Range = Range { low: 1, high: 1_000_000 };

/// What an interpreted number is taken to be at most, and its decimal places.
pub const INTERPRETED: i64 = 1_000_000_000_000;
pub const INTERPRETED_PLACES: u32 = 6;
/// The last day that a column of dates holds: the end of the year 9999 is before it.
pub const LAST_DAY: i128 = 4_000_000;

impl State {
    /// `constants` hold for every row and tenant: the date, the regime, the operator's switches.
    pub fn new(date: NaiveDate, constants: &[(FactId, Fact)]) -> Self {
        let mut state = Self {
            dag: Dag::default(),
            texts: Texts::default(),
            columns: Vec::new(),
            refused: Vec::new(),
            positions: FxHashMap::default(),
            date,
            shared: FxHashMap::default(),
            memo: FxHashMap::default(),
        };
        for (fact, value) in constants {
            let outcome = state.bound(value);
            state.shared.insert(*fact, Ok(outcome));
        }
        state
    }

    /// An input that is no fact of the row: what an aggregate counted.
    pub fn counted(&mut self) -> NodeId {
        self.dag.input(MOST_COUNTED)
    }

    /// What such an input tells.
    pub fn count_of(&mut self, node: NodeId) -> Outcome {
        let value = Value::known(&mut self.dag, Shape::Number(Number { node, places: 0, kind: NumberKind::Whole }));
        self.sound(value)
    }

    /// All that is known of cards and routes.
    pub fn shared(&self) -> impl Iterator<Item = &Outcome> {
        self.shared.values().filter_map(|outcome| outcome.as_ref().ok())
    }

    /// A value that comes about without an error.
    fn sound(&mut self, value: Value) -> Outcome {
        let never = self.dag.truth(false);
        Outcome { value, fault: never, doubt: never }
    }

    fn bound(&mut self, fact: &Fact) -> Outcome {
        let shape = match fact {
            Fact::Unknown => None,
            Fact::Decimal(number) => Some(Shape::Number(Number::constant(&mut self.dag, *number, NumberKind::Decimal))),
            Fact::Integer(number) => Some(Shape::Number(Number::constant(&mut self.dag, (*number).into(), NumberKind::Whole))),
            Fact::Bool(truth) => Some(Shape::Truth(self.dag.truth(*truth))),
            Fact::Text(text) => {
                let code = self.texts.code(text);
                Some(Shape::Text(self.dag.constant(code.into())))
            }
            Fact::Date(date) => Some(Shape::Date(self.dag.constant(day(*date)))),
        };
        let value = match shape {
            Some(shape) => Value::known(&mut self.dag, shape),
            None => Value::unknown(&mut self.dag),
        };
        self.sound(value)
    }
}

impl<'b> Builder<'b> {
    pub fn new(pack: &'b Pack, state: &'b mut State) -> Self {
        let own = vec![None; pack.graph.facts.len()];
        Self { pack, state, own }
    }

    /// Binds settings of the tenant at hand.
    ///
    /// # Errors
    /// A setting that rests on a fact of the row that can't be lowered.
    pub fn bind(&mut self, settings: &Settings) -> Result<(), Refusal> {
        for (fact, setting) in settings {
            let outcome = match setting {
                Setting::Is(value) => self.state.bound(value),
                Setting::Among(of, members) => self.among(*of, members)?,
                Setting::Fault => Outcome { fault: self.state.dag.truth(true), ..self.nothing() },
            };
            self.own[fact.0] = Some(Ok(outcome));
        }
        Ok(())
    }

    /// Gives a fact of the tenant at hand its nodes.
    pub fn bind_node(&mut self, fact: FactId, outcome: Outcome) {
        self.own[fact.0] = Some(Ok(outcome));
    }

    /// Whether a fact of the row is one of these texts; an unknown one is none.
    fn among(&mut self, of: FactId, members: &[Box<str>]) -> Result<Outcome, Refusal> {
        let found = self.fact(of)?;
        let mut any = self.state.dag.truth(false);
        if let Shape::Text(node) = found.value.shape {
            for member in members {
                let code = self.state.texts.code(member);
                let code = self.state.dag.constant(code.into());
                let same = self.state.dag.put(Op::Equal(node, code))?;
                any = self.state.dag.or(any, same);
            }
        }
        let shape = Shape::Truth(self.state.dag.and(any, found.value.known));
        let value = Value::known(&mut self.state.dag, shape);
        Ok(Outcome { value, ..found })
    }

    /// The fact's nodes; lowered when it is first asked for.
    pub fn fact(&mut self, id: FactId) -> Result<Outcome, Refusal> {
        if let Some(found) = self.own[id.0].as_ref().or_else(|| self.state.shared.get(&id)) {
            return found.clone();
        }
        let fact = self.pack.graph.fact(id);
        let outcome = match fact.kind {
            // what a tenant does not tell is unknown
            Kind::Input(_) if fact.stage == Stage::Tenant => Ok(self.nothing()),
            Kind::Input(input) => Ok(self.input(id, input.domain, false)),
            // a route that nobody counted is one of its kind
            Kind::Aggregate => Ok(self.state.bound(&Fact::Integer(1))),
            Kind::Parameter(_) | Kind::Column { .. } | Kind::Derived { .. } => self.computed(id),
        };
        if fact.stage == Stage::Tenant {
            self.own[id.0] = Some(outcome.clone());
        } else {
            self.state.shared.insert(id, outcome.clone());
        }
        outcome
    }

    fn computed(&mut self, id: FactId) -> Result<Outcome, Refusal> {
        let fact = self.pack.graph.fact(id);
        let refusal = match self.memoised(id) {
            Ok(outcome) => return Ok(outcome),
            Err(refusal) => refusal,
        };
        if !self.state.refused.iter().any(|(refused, _)| *refused == id) {
            self.state.refused.push((id, refusal.clone()));
        }
        // what depends on no tenant is asked of the interpreter once a route, and then is a column like any other
        match fact.value_type {
            Some(value_type) if fact.stage < Stage::Tenant => Ok(self.input(id, interpreted(value_type), true)),
            _ => Err(refusal),
        }
    }

    fn memoised(&mut self, id: FactId) -> Result<Outcome, Refusal> {
        let fact = self.pack.graph.fact(id);
        let mut reads_of = Vec::with_capacity(fact.reads.len());
        for read in &fact.reads {
            let name = &self.pack.graph.fact(read.fact).name;
            reads_of.push(self.fact(read.fact).map_err(|_| reads(name))?);
        }
        let key = (id, reads_of);
        if let Some(found) = self.state.memo.get(&key) {
            return found.clone();
        }
        let outcome = match fact.kind {
            Kind::Parameter(parameter) => self.parameter(parameter),
            Kind::Column { table, column } => self.column(table, column),
            Kind::Derived { script, function } => self.derived(id, script, function, &key.1),
            Kind::Input(_) | Kind::Aggregate => Ok(self.nothing()),
        };
        // of a formula that was given up, they belong to nobody
        let bounded = self.state.dag.take_bounded();
        let outcome = outcome.map(|outcome| Outcome { doubt: self.state.dag.or(outcome.doubt, bounded), ..outcome });
        self.state.memo.insert(key, outcome.clone());
        outcome
    }

    fn input(&mut self, id: FactId, domain: Domain, interpreted: bool) -> Outcome {
        let scaled = |places: u32, bound: i64| i128::from(bound) * power(places).unwrap_or(1);
        let (places, range) = match domain {
            Domain::Decimal { places, min, max } => (places, Range { low: scaled(places, min), high: scaled(places, max) }),
            Domain::Integer { min, max } => (0, Range { low: min.into(), high: max.into() }),
            Domain::Bool => (0, Range::TRUTH),
            Domain::Enum(_) | Domain::Text => (0, Range { low: 0, high: i128::from(u32::MAX) }),
            Domain::Date => (0, Range { low: 0, high: LAST_DAY }),
        };
        let state = &mut *self.state;
        let most = if interpreted { told::UNTOLD } else { told::FAULTY };
        let (value, told) = (state.dag.input(range), state.dag.input(Range { low: 0, high: most.into() }));
        let position = u32::try_from(2 * state.columns.len()).unwrap_or(u32::MAX);
        state.positions.extend([(value, position), (told, position + 1)]);
        state.columns.push(Column { fact: id, places, interpreted });
        let shape = match domain {
            Domain::Decimal { places, .. } => Shape::Number(Number { node: value, places, kind: NumberKind::Decimal }),
            Domain::Integer { .. } => Shape::Number(Number { node: value, places: 0, kind: NumberKind::Whole }),
            Domain::Bool => Shape::Truth(value),
            Domain::Enum(_) | Domain::Text => Shape::Text(value),
            Domain::Date => Shape::Date(value),
        };
        let [known, fault, doubt] = [told::KNOWN, told::FAULTY, told::UNTOLD].map(|wanted| state.dag.equals(told, wanted.into()));
        Outcome { value: Value { shape, known }, fault, doubt }
    }

    pub(super) fn nothing(&mut self) -> Outcome {
        let value = Value::unknown(&mut self.state.dag);
        self.state.sound(value)
    }

    fn parameter(&mut self, index: usize) -> Result<Outcome, Refusal> {
        let parameter = &self.pack.parameters[index];
        let Some(dated) = parameter.at(self.state.date) else { return Ok(self.nothing()) };
        match (parameter.measure.figure, &dated.value) {
            (Figure::Money(currency), Fact::Decimal(amount)) => {
                let rate = self.market_rate(currency)?;
                let value = self.money(*amount, rate)?;
                Ok(self.state.sound(value))
            }
            (_, value) => Ok(self.state.bound(value)),
        }
    }

    /// A written value.
    pub(super) fn written(&mut self, value: &Fact) -> Value {
        self.state.bound(value).value
    }

    fn derived(&mut self, id: FactId, script: usize, function: usize, read: &[Outcome]) -> Result<Outcome, Refusal> {
        let dag = &mut self.state.dag;
        let never = dag.truth(false);
        let (mut running, mut fault, mut doubt) = (dag.truth(true), never, never);
        let mut arguments = Vec::with_capacity(read.len());
        for (dependency, found) in self.pack.graph.fact(id).reads.iter().zip(read) {
            // the first that is faulty or unknown decides, as in the interpreter
            let (failing, doubtful) = (dag.and(running, found.fault), dag.and(running, found.doubt));
            (fault, doubt) = (dag.or(fault, failing), dag.or(doubt, doubtful));
            let sound = dag.not(found.fault);
            running = dag.and(running, sound);
            let mut argument = found.value;
            if !dependency.maybe {
                running = dag.and(running, argument.known);
                argument.known = dag.truth(true);
            }
            arguments.push(argument);
        }
        let functions = &self.pack.scripts[script].functions;
        let always = dag.truth(true);
        let script = body::Script::new(&self.state.texts, functions, &self.pack.engine);
        let outcome = body::function(dag, &script, function, &arguments, always, 0)?;
        if matches!(outcome.value.shape, Shape::Quotient(..)) {
            return Err(script.unrounded(&[outcome.value.shape]));
        }
        let (failing, doubtful) = (dag.and(running, outcome.fault), dag.and(running, outcome.doubt));
        let sound = dag.not(outcome.fault);
        let answered = dag.and(running, sound);
        Ok(Outcome {
            value: Value { known: dag.and(answered, outcome.value.known), ..outcome.value },
            fault: dag.or(fault, failing),
            doubt: dag.or(doubt, doubtful),
        })
    }
}

/// What the interpreter's answer is taken to be, if it can be told so.
const fn interpreted(value_type: Type) -> Domain {
    match value_type {
        Type::Bool => Domain::Bool,
        Type::Text => Domain::Text,
        Type::Date => Domain::Date,
        Type::Integer => Domain::Integer { min: -INTERPRETED, max: INTERPRETED },
        Type::Decimal => Domain::Decimal { places: INTERPRETED_PLACES, min: -INTERPRETED, max: INTERPRETED },
    }
}

/// The fact that stands in the way; why it does is told of itself.
pub(super) fn reads(fact: &str) -> Refusal {
    Why::Reads { fact: fact.to_owned() }.into()
}
