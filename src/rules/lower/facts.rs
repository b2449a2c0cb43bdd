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

    fn bound(&mut self, fact: &Fact) -> Lowered {
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

    fn nothing(&mut self) -> Lowered {
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
    fn money(&mut self, amount: Decimal, rate: Value) -> Result<Lowered, Refusal> {
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

    fn market_rate(&mut self, currency: Currency) -> Result<Value, Refusal> {
        let (at_home, one) = (self.is_home(currency)?, self.one());
        let rate = self.named(rate_input(currency))?;
        Value::select(&mut self.dag, at_home, one, rate)
    }

    /// What one unit of a currency costs, the buffer inside.
    fn cost_rate(&mut self, currency: Currency) -> Result<Value, Refusal> {
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

    fn column(&mut self, table: usize, column: usize) -> Result<Lowered, Refusal> {
        let choice = self.choose(table)?;
        let definition = &self.pack.tables[table];
        let figure = match definition.columns[column].measure.figure {
            Figure::Money(currency) => Some(currency),
            Figure::Unit(_) => None,
        };
        let otherwise = match &definition.otherwise {
            Some(crate::rules::tables::Otherwise::Values(values)) => values.get(column),
            Some(crate::rules::tables::Otherwise::Unknown) | None => None,
        };
        let mut value = match otherwise {
            Some(entry) => {
                let found = self.entry(&entry.value, entry.currency.or(figure))?;
                // nothing matched because a key is unknown: then nobody knows
                let unknown = Value::unknown(&mut self.dag);
                Value::select(&mut self.dag, choice.unknown_key, unknown, found)?
            }
            None => Value::unknown(&mut self.dag),
        };
        for (row, matched) in definition.rows.iter().zip(&choice.matched).rev() {
            if self.dag.constant_of(*matched) == Some(0) {
                continue;
            }
            let entry = &row.values[column];
            let found = self.entry(&entry.value, entry.currency.or(figure))?;
            value = Value::select(&mut self.dag, *matched, found, value)?;
        }
        let unknown = Value::unknown(&mut self.dag);
        let value = Value::select(&mut self.dag, choice.missing_rate, unknown, value)?;
        Ok(Lowered { value, fault: choice.fault })
    }

    fn entry(&mut self, value: &Fact, currency: Option<Currency>) -> Result<Value, Refusal> {
        match (value, currency) {
            (Fact::Decimal(amount), Some(currency)) => {
                let rate = self.cost_rate(currency)?;
                Ok(self.money(*amount, rate)?.value)
            }
            (value, _) => Ok(self.bound(value).value),
        }
    }

    /// Which row of a table matches, if any.
    fn choose(&mut self, table: usize) -> Result<Choice, Refusal> {
        let definition = &self.pack.tables[table];
        let mut choice = Choice {
            matched: Vec::new(),
            missing_rate: self.dag.truth(false),
            unknown_key: self.dag.truth(false),
            fault: self.dag.truth(false),
        };
        let mut key = Vec::with_capacity(definition.key.len());
        for fact in &definition.key {
            let lowered = match self.pack.graph.id(&fact.name) {
                Some(id) => self.fact(id).map_err(|because| reads(&fact.name, because))?,
                None => self.nothing(),
            };
            let unknown = self.dag.not(lowered.value.known);
            choice.unknown_key = self.dag.or(choice.unknown_key, unknown);
            choice.fault = self.dag.or(choice.fault, lowered.fault);
            key.push(lowered.value);
        }
        let mut searching = self.dag.truth(true);
        for row in &definition.rows {
            let mut so_far = searching;
            for (cell, value) in row.cells.iter().zip(&key) {
                let (matches, missing) = self.cell(cell, *value)?;
                let stuck = self.dag.and(so_far, missing);
                choice.missing_rate = self.dag.or(choice.missing_rate, stuck);
                so_far = self.dag.and(so_far, matches);
            }
            let (not_found, not_stuck) = (self.dag.not(so_far), self.dag.not(choice.missing_rate));
            choice.matched.push(so_far);
            searching = self.dag.and(searching, not_found);
            searching = self.dag.and(searching, not_stuck);
        }
        Ok(choice)
    }

    /// Whether a key cell matches, and where that cannot be told for want of an exchange rate.
    fn cell(&mut self, cell: &crate::rules::tables::Cell, value: Value) -> Result<(NodeId, NodeId), Refusal> {
        use crate::rules::tables::Cell;
        let never = self.dag.truth(false);
        Ok(match cell {
            Cell::Any => (self.dag.truth(true), never),
            Cell::Unknown => (self.dag.not(value.known), never),
            Cell::Members(members) => {
                let mut any = never;
                for member in members {
                    let same = self.member(member, value.shape)?;
                    any = self.dag.or(any, same);
                }
                (self.dag.and(any, value.known), never)
            }
            Cell::Band(band) => {
                let number = match value.shape {
                    Shape::Number(number) => number,
                    Shape::Date(node) => Number { node, places: 0, whole: true },
                    Shape::Quotient(..) => return Err(Refusal::Unrounded),
                    Shape::Truth(_) | Shape::Text(_) | Shape::Nothing => return Ok((never, never)),
                };
                let rate = band.currency.map(|currency| self.market_rate(currency)).transpose()?;
                let inside = self.inside(band, number, rate)?;
                match rate {
                    None => (self.dag.and(inside, value.known), never),
                    Some(rate) => {
                        let no_rate = self.dag.not(rate.known);
                        let known = self.dag.and(rate.known, value.known);
                        (self.dag.and(inside, known), self.dag.and(no_rate, value.known))
                    }
                }
            }
        })
    }

    fn inside(&mut self, band: &crate::rules::tables::Band, number: Number, rate: Option<Value>) -> Result<NodeId, Refusal> {
        let mut inside = self.dag.truth(true);
        for (bound, lower) in [(band.low, true), (band.high, false)] {
            let Some(bound) = bound else { continue };
            let mut limit = Number::constant(&mut self.dag, bound.value, false);
            match rate.map(|rate| rate.shape) {
                Some(Shape::Number(rate)) => limit = Number::multiplied(&mut self.dag, limit, rate)?,
                Some(_) => return Ok(self.dag.truth(false)),
                None => {}
            }
            let op = if bound.inclusive { Op::LessOrEqual } else { Op::Less };
            let (one, two) = if lower { (limit, number) } else { (number, limit) };
            let holds = Number::compared(&mut self.dag, one, two, op)?;
            inside = self.dag.and(inside, holds);
        }
        Ok(inside)
    }

    fn member(&mut self, member: &crate::rules::tables::Literal, shape: Shape) -> Result<NodeId, Refusal> {
        Ok(match shape {
            Shape::Text(node) => {
                let code = self.texts.code(&member.text);
                let code = self.dag.constant(code.into());
                self.dag.put(Op::Equal(node, code))?
            }
            Shape::Truth(node) => match member.text.as_str() {
                "true" => node,
                "false" => self.dag.not(node),
                _ => self.dag.truth(false),
            },
            Shape::Date(node) => match member.text.parse::<NaiveDate>() {
                Ok(date) if date.to_string() == member.text => {
                    let day = self.dag.constant(day(date));
                    self.dag.put(Op::Equal(node, day))?
                }
                _ => self.dag.truth(false),
            },
            Shape::Number(number) => match member.number {
                Some(decimal) => {
                    let wanted = Number::constant(&mut self.dag, decimal, false);
                    Number::compared(&mut self.dag, number, wanted, Op::Equal)?
                }
                None => self.dag.truth(false),
            },
            Shape::Quotient(..) => return Err(Refusal::Unrounded),
            Shape::Nothing => self.dag.truth(false),
        })
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

fn reads(fact: &str, because: Refusal) -> Refusal {
    match because {
        // the root of the trouble is what the analyst can mend
        Refusal::Reads { .. } => because,
        because => Refusal::Reads { fact: fact.to_owned(), because: Box::new(because) },
    }
}

/// How a table chooses.
struct Choice {
    /// For each row, where it is the one; at most one is.
    matched: Vec<NodeId>,
    missing_rate: NodeId,
    unknown_key: NodeId,
    fault: NodeId,
}
