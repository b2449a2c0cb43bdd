//! Lowers facts: inputs become columns or constants, parameters constants, tables chains of choices, formulas their body.

use std::collections::HashMap;

use chrono::{Datelike, NaiveDate};
use rust_decimal::Decimal;

use super::{
    body,
    dag::{Dag, NodeId, Op, Range},
    refusal::Refusal,
    texts::Texts,
    value::{Number, Shape, Value, power},
};
use crate::{
    domain::money::Currency,
    rules::{
        facts::{Domain, Stage},
        graph::{FactId, Kind, rate_input},
        pack::Pack,
        params::Figure,
        value::Value as Fact,
    },
};

/// A fact in the graph.
#[derive(Debug, Clone, Copy)]
pub struct Lowered {
    pub value: Value,
    /// Where the rule that computes it, or one that it reads, ends in an error.
    pub fault: NodeId,
}

/// The columns of an input: its value, and whether it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub fact: FactId,
    pub value: u32,
    pub known: u32,
    /// Decimal places of the value.
    pub places: u32,
}

/// The graph under construction, for one day and one set of constants.
pub struct Builder<'p> {
    pub pack: &'p Pack,
    pub dag: Dag,
    pub texts: Texts,
    pub columns: Vec<Column>,
    date: NaiveDate,
    /// Facts that no tenant changes, once lowered.
    shared: HashMap<FactId, Result<Lowered, Refusal>>,
    /// Facts of the tenant at hand.
    own: HashMap<FactId, Result<Lowered, Refusal>>,
    inputs: u32,
}

/// What an aggregate can count to.
const MOST_COUNTED: Domain = Domain::Integer { min: 1, max: 1_000_000 };

/// The number that a date is in the graph.
pub fn day(date: NaiveDate) -> i128 {
    date.num_days_from_ce().into()
}

impl<'p> Builder<'p> {
    /// `constants` hold for every row and tenant: the date, the regime, the operator's switches.
    pub fn new(pack: &'p Pack, date: NaiveDate, constants: &[(FactId, Fact)]) -> Self {
        let mut builder = Self {
            pack,
            dag: Dag::default(),
            texts: Texts::default(),
            columns: Vec::new(),
            date,
            shared: HashMap::new(),
            own: HashMap::new(),
            inputs: 0,
        };
        for (fact, value) in constants {
            let lowered = builder.bound(value);
            builder.shared.insert(*fact, Ok(lowered));
        }
        builder
    }

    /// Forgets the tenant at hand and binds the settings of the next.
    pub fn bind(&mut self, settings: &[(FactId, Fact)]) {
        self.own.clear();
        self.bind_more(settings);
    }

    /// Binds further settings of the tenant at hand.
    pub fn bind_more(&mut self, settings: &[(FactId, Fact)]) {
        for (fact, value) in settings {
            let lowered = self.bound(value);
            self.own.insert(*fact, Ok(lowered));
        }
    }

    pub(super) fn bound(&mut self, fact: &Fact) -> Lowered {
        let shape = match fact {
            Fact::Unknown => None,
            Fact::Decimal(number) => Some(Shape::Number(Number::constant(&mut self.dag, *number, false))),
            Fact::Integer(number) => Some(Shape::Number(Number::constant(&mut self.dag, (*number).into(), true))),
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
        Lowered { value, fault: self.dag.truth(false) }
    }

    /// The fact's nodes; lowered when it is first asked for.
    pub fn fact(&mut self, id: FactId) -> Result<Lowered, Refusal> {
        if let Some(found) = self.own.get(&id).or_else(|| self.shared.get(&id)) {
            return found.clone();
        }
        let fact = self.pack.graph.fact(id);
        let lowered = match fact.kind {
            Kind::Input(input) => Ok(self.input(id, input.domain)),
            Kind::Aggregate => {
                let lowered = self.input(id, MOST_COUNTED);
                // one column for all tenants, filled anew for each
                self.shared.insert(id, Ok(lowered));
                Ok(lowered)
            }
            Kind::Parameter(parameter) => self.parameter(parameter),
            Kind::Column { table, column } => self.column(table, column),
            Kind::Derived { script, function } => self.derived(id, script, function),
        };
        let lowered = lowered.map(|lowered| {
            let bounded = self.dag.take_bounded();
            Lowered { fault: self.dag.or(lowered.fault, bounded), ..lowered }
        });
        let facts = if fact.stage < Stage::Tenant { &mut self.shared } else { &mut self.own };
        facts.insert(id, lowered.clone());
        lowered
    }

    fn input(&mut self, id: FactId, domain: Domain) -> Lowered {
        let scaled = |places: u32, bound: i64| i128::from(bound) * power(places).unwrap_or(1);
        let (places, range) = match domain {
            Domain::Decimal { places, min, max } => (places, Range { low: scaled(places, min), high: scaled(places, max) }),
            Domain::Integer { min, max } => (0, Range { low: min.into(), high: max.into() }),
            Domain::Bool => (0, Range::TRUTH),
            Domain::Enum(_) | Domain::Text => (0, Range { low: -1, high: i128::from(u32::MAX) }),
            Domain::Date => (0, Range { low: 0, high: 4_000_000 }),
        };
        let (value, known) = (self.dag.input(range), self.dag.input(Range::TRUTH));
        self.columns.push(Column { fact: id, value: self.inputs, known: self.inputs + 1, places });
        self.inputs += 2;
        let shape = match domain {
            Domain::Decimal { places, .. } => Shape::Number(Number { node: value, places, whole: false }),
            Domain::Integer { .. } => Shape::Number(Number { node: value, places: 0, whole: true }),
            Domain::Bool => Shape::Truth(value),
            Domain::Enum(_) | Domain::Text => Shape::Text(value),
            Domain::Date => Shape::Date(value),
        };
        Lowered { value: Value { shape, known }, fault: self.dag.truth(false) }
    }

    pub(super) fn nothing(&mut self) -> Lowered {
        Lowered { value: Value::unknown(&mut self.dag), fault: self.dag.truth(false) }
    }

    fn parameter(&mut self, index: usize) -> Result<Lowered, Refusal> {
        let parameter = &self.pack.parameters[index];
        let Some(dated) = parameter.at(self.date) else { return Ok(self.nothing()) };
        match (parameter.measure.figure, &dated.value) {
            (Figure::Money(currency), Fact::Decimal(amount)) => {
                let rate = self.market_rate(currency)?;
                self.money(*amount, rate)
            }
            (_, value) => Ok(self.bound(value)),
        }
    }

    /// A written amount at a rate, in cents.
    pub(super) fn money(&mut self, amount: Decimal, rate: Value) -> Result<Lowered, Refusal> {
        let fault = self.dag.truth(false);
        let Shape::Number(rate_number) = rate.shape else { return Ok(self.nothing()) };
        let amount = Number::constant(&mut self.dag, amount, false);
        let number = Number::multiplied(&mut self.dag, amount, rate_number)?.rounded(&mut self.dag, 2)?;
        Ok(Lowered { value: Value { shape: Shape::Number(number), known: rate.known }, fault })
    }

    fn named(&mut self, name: &str) -> Result<Value, Refusal> {
        match self.pack.graph.id(name) {
            Some(id) => Ok(self.fact(id)?.value),
            None => Ok(Value::unknown(&mut self.dag)),
        }
    }

    /// Where the tenant's account is in that currency.
    fn is_home(&mut self, currency: Currency) -> Result<NodeId, Refusal> {
        let home = self.named("home_currency")?;
        let Shape::Text(home_node) = home.shape else { return Ok(self.dag.truth(false)) };
        let code = self.texts.code(currency.code());
        let code = self.dag.constant(code.into());
        let same = self.dag.put(Op::Equal(home_node, code))?;
        Ok(self.dag.and(home.known, same))
    }

    fn one(&mut self) -> Value {
        let one = Number::constant(&mut self.dag, Decimal::ONE, false);
        Value::known(&mut self.dag, Shape::Number(one))
    }

    pub(super) fn market_rate(&mut self, currency: Currency) -> Result<Value, Refusal> {
        let (at_home, one) = (self.is_home(currency)?, self.one());
        let rate = self.named(rate_input(currency))?;
        Value::select(&mut self.dag, at_home, one, rate)
    }

    /// What one unit of a currency costs, the buffer inside.
    pub(super) fn cost_rate(&mut self, currency: Currency) -> Result<Value, Refusal> {
        let (at_home, one) = (self.is_home(currency)?, self.one());
        let (rate, buffer) = (self.named(rate_input(currency))?, self.named("forex_buffer")?);
        let abroad = match (rate.shape, buffer.shape) {
            (Shape::Number(rate_number), Shape::Number(buffer_number)) => {
                let whole = Number::constant(&mut self.dag, Decimal::ONE, false);
                let factor = Number::combine(&mut self.dag, whole, buffer_number, Op::Add)?;
                let number = Number::multiplied(&mut self.dag, rate_number, factor)?;
                Value { shape: Shape::Number(number), known: self.dag.and(rate.known, buffer.known) }
            }
            _ => Value::unknown(&mut self.dag),
        };
        Value::select(&mut self.dag, at_home, one, abroad)
    }

    fn derived(&mut self, id: FactId, script: usize, function: usize) -> Result<Lowered, Refusal> {
        let reads_of = &self.pack.graph.fact(id).reads;
        let (mut running, mut fault) = (self.dag.truth(true), self.dag.truth(false));
        let mut arguments = Vec::with_capacity(reads_of.len());
        for read in reads_of {
            let name = &self.pack.graph.fact(read.fact).name;
            let lowered = self.fact(read.fact).map_err(|because| reads(name, because))?;
            // the first that is faulty or unknown decides, as in the interpreter
            let failing = self.dag.and(running, lowered.fault);
            fault = self.dag.or(fault, failing);
            let sound = self.dag.not(lowered.fault);
            running = self.dag.and(running, sound);
            let mut argument = lowered.value;
            if !read.maybe {
                running = self.dag.and(running, argument.known);
                argument.known = self.dag.truth(true);
            }
            arguments.push(argument);
        }
        let functions = &self.pack.scripts[script].functions;
        let always = self.dag.truth(true);
        let outcome = body::function(&mut self.dag, &mut self.texts, functions, function, &arguments, always, 0)?;
        let value = match outcome.value.shape {
            Shape::Quotient(..) => return Err(Refusal::Unrounded),
            _ => outcome.value,
        };
        let failing = self.dag.and(running, outcome.fault);
        let sound = self.dag.not(outcome.fault);
        let answered = self.dag.and(running, sound);
        Ok(Lowered { value: Value { known: self.dag.and(answered, value.known), ..value }, fault: self.dag.or(fault, failing) })
    }
}

/// Names the fact that stands in the way.
pub(super) fn reads(fact: &str, because: Refusal) -> Refusal {
    match because {
        // the root of the trouble is what the analyst can mend
        Refusal::Reads { .. } => because,
        because => Refusal::Reads { fact: fact.to_owned(), because: Box::new(because) },
    }
}
