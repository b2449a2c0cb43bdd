//! The meaning of a pack: facts computed when they are asked for, gates tried in order, unknown never taken for zero.

use std::{fmt, sync::Arc};

use rhai::{CallFnOptions, Dynamic, Scope};
use rust_decimal::Decimal;

use super::{
    facts::{OutsideDomain, Stage},
    graph::{FactId, Kind, rate_input},
    pack::{DATA_INCOMPLETE, FAULT, Pack},
    params::Figure,
    tables::{Entry, MissingRate, Otherwise},
    value::Value,
};
use crate::domain::money::{Currency, cents};

/// What is known of a fact during one evaluation.
#[derive(Debug, Clone, Default)]
pub enum Slot {
    #[default]
    Pending,
    Known(Value),
    /// Nobody knows, because nobody knows this fact that it rests on.
    Unknown(FactId),
    Fault(Arc<Fault>),
}

/// Letters of a fault's message.
const MAX_MESSAGE: usize = 500;

/// A rule that failed on its facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fact}: {message}")]
pub struct Fault {
    pub fact: String,
    pub message: String,
}

/// How far a route came.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    Signal,
    /// The gate of that position rejected.
    Rejected {
        gate: usize,
    },
    /// The gate of that position could not be answered.
    Incomplete {
        gate: usize,
        missing: FactId,
    },
    /// A rule failed while that gate was asked.
    Failed {
        gate: usize,
        fault: Arc<Fault>,
    },
}

impl Verdict {
    /// How many gates were passed.
    pub fn passed(&self, pack: &Pack) -> usize {
        match self {
            Self::Signal => pack.gates.len(),
            Self::Rejected { gate } | Self::Incomplete { gate, .. } | Self::Failed { gate, .. } => *gate,
        }
    }

    /// The reason code; `None` for a signal.
    pub fn reason<'p>(&self, pack: &'p Pack) -> Option<&'p str> {
        match self {
            Self::Signal => None,
            Self::Rejected { gate } => Some(&pack.gates[*gate].reason),
            Self::Incomplete { .. } => Some(DATA_INCOMPLETE),
            Self::Failed { .. } => Some(FAULT),
        }
    }
}

/// One route and tenant being judged. Facts of earlier stages stay computed while later ones change.
#[derive(Clone)]
pub struct Evaluation<'p> {
    pack: &'p Pack,
    slots: Vec<Slot>,
    /// The row that each table chose.
    chosen: Vec<Option<usize>>,
    home_currency: Option<FactId>,
    forex_buffer: Option<FactId>,
}

impl fmt::Debug for Evaluation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evaluation").field("pack", &self.pack.name).finish_non_exhaustive()
    }
}

/// A fact that is not in the pack, or a value that it cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    #[error(transparent)]
    Outside(#[from] OutsideDomain),
    #[error("{name} is {value}: expected a {expected}")]
    WrongType { name: String, value: String, expected: super::value::Type },
}

impl<'p> Evaluation<'p> {
    pub fn new(pack: &'p Pack) -> Self {
        Self {
            pack,
            slots: vec![Slot::Pending; pack.graph.facts.len()],
            chosen: vec![None; pack.tables.len()],
            home_currency: pack.graph.id("home_currency"),
            forex_buffer: pack.graph.id("forex_buffer"),
        }
    }

    pub const fn pack(&self) -> &'p Pack {
        self.pack
    }

    /// Gives a fact another value and forgets what rests on it: `dependents`, as [`Graph::dependents`] tells them.
    ///
    /// # Errors
    /// A value outside the fact's declared type, places or range.
    ///
    /// [`Graph::dependents`]: super::graph::Graph::dependents
    pub fn pin(&mut self, id: FactId, value: Value, dependents: &[FactId]) -> Result<(), SetError> {
        for dependent in dependents {
            self.slots[dependent.0] = Slot::Pending;
        }
        self.set(id, value)
    }

    /// Forgets everything that depends on this stage or a later one.
    pub fn forget_from(&mut self, stage: Stage) {
        for id in &self.pack.from_stage[stage as usize] {
            self.slots[id.0] = Slot::Pending;
        }
    }

    /// Gives a fact its value; a formula, parameter or column that is given a value is not computed.
    ///
    /// # Errors
    /// A value outside the fact's declared type, places or range.
    pub fn set(&mut self, id: FactId, value: Value) -> Result<(), SetError> {
        let fact = self.pack.graph.fact(id);
        let value = match (fact.value_type, value) {
            (Some(super::value::Type::Decimal), Value::Integer(number)) => Value::Decimal(number.into()),
            (_, value) => value,
        };
        if let Kind::Input(input) = fact.kind {
            input.admit(&value)?;
        } else if let (Some(expected), Some(found)) = (fact.value_type, value.value_type())
            && expected != found
        {
            return Err(SetError::WrongType { name: fact.name.clone(), value: value.to_string(), expected });
        }
        self.slots[id.0] = if value.is_known() { Slot::Known(value) } else { Slot::Unknown(id) };
        Ok(())
    }

    /// Marks a fact as faulty: whoever delivered it delivered something that it cannot be.
    pub fn set_fault(&mut self, id: FactId, message: &str) {
        self.slots[id.0] = self.fault(id, message);
    }

    /// The fact's slot, computed if it was pending.
    pub fn slot(&mut self, id: FactId) -> &Slot {
        if matches!(self.slots[id.0], Slot::Pending) {
            self.slots[id.0] = self.compute(id);
        }
        &self.slots[id.0]
    }

    /// The fact's slot as it stands; pending where nobody has asked yet.
    pub fn peek(&self, id: FactId) -> &Slot {
        &self.slots[id.0]
    }

    /// The fact's value; unknown and faulty facts have none.
    pub fn known(&mut self, id: FactId) -> Option<Value> {
        match self.slot(id) {
            Slot::Known(value) => Some(value.clone()),
            _ => None,
        }
    }

    /// The row that a table chose, if it was asked.
    pub fn chosen_row(&self, table: usize) -> Option<usize> {
        self.chosen.get(table).copied().flatten()
    }

    /// Tries the gates in order.
    pub fn verdict(&mut self) -> Verdict {
        self.verdict_of(self.pack.gates.len())
    }

    /// Tries that many gates in order.
    pub fn verdict_of(&mut self, gates: usize) -> Verdict {
        for (gate, condition) in self.pack.gates.iter().enumerate().take(gates) {
            match self.slot(condition.when) {
                Slot::Known(Value::Bool(false)) => {}
                Slot::Known(Value::Bool(true)) => return Verdict::Rejected { gate },
                Slot::Unknown(missing) => return Verdict::Incomplete { gate, missing: *missing },
                Slot::Fault(fault) => return Verdict::Failed { gate, fault: fault.clone() },
                Slot::Known(_) | Slot::Pending => {
                    let fact = self.pack.graph.fact(condition.when).name.clone();
                    return Verdict::Failed {
                        gate,
                        fault: Arc::new(Fault { fact, message: "the result is not true or false".to_owned() }),
                    };
                }
            }
        }
        Verdict::Signal
    }

    /// The flags whose facts hold.
    pub fn flags(&mut self) -> Vec<Arc<str>> {
        let pack = self.pack;
        pack.flags.iter().filter(|flag| self.holds(flag.when)).map(|flag| flag.flag.clone()).collect()
    }

    /// The first type whose condition holds.
    pub fn signal_type(&mut self) -> Option<Arc<str>> {
        let pack = self.pack;
        pack.types.iter().find(|candidate| candidate.when.is_none_or(|when| self.holds(when))).map(|found| found.name.clone())
    }

    /// The pack's score, if it can be told.
    pub fn score(&mut self) -> Option<Decimal> {
        self.known(self.pack.score?)?.as_decimal()
    }

    /// Whether a boolean fact is known and true.
    pub fn holds(&mut self, id: FactId) -> bool {
        matches!(self.slot(id), Slot::Known(Value::Bool(true)))
    }

    fn compute(&mut self, id: FactId) -> Slot {
        let pack = self.pack;
        match pack.graph.fact(id).kind {
            Kind::Input(_) => Slot::Unknown(id),
            // a route alone is one of its seller's
            Kind::Aggregate => Slot::Known(Value::Integer(1)),
            Kind::Parameter(parameter) => self.parameter(id, parameter),
            Kind::Column { table, column } => self.column(id, table, column),
            Kind::Derived { script, function } => self.derived(id, script, function),
        }
    }

    fn parameter(&mut self, id: FactId, index: usize) -> Slot {
        let pack = self.pack;
        let parameter = &pack.parameters[index];
        let Some(date_id) = pack.graph.id("date") else { return Slot::Unknown(id) };
        let Some(Value::Date(date)) = self.known(date_id) else { return Slot::Unknown(date_id) };
        let Some(dated) = parameter.at(date) else { return Slot::Unknown(id) };
        match (parameter.measure.figure, &dated.value) {
            (Figure::Money(currency), Value::Decimal(amount)) => {
                self.market_rate(currency).map_or_else(|| self.missing_rate(currency, id), |rate| self.product(id, *amount, rate))
            }
            (_, value) => Slot::Known(value.clone()),
        }
    }

    fn product(&self, id: FactId, amount: Decimal, rate: Decimal) -> Slot {
        match amount.checked_mul(rate) {
            Some(product) => Slot::Known(Value::Decimal(cents(product))),
            None => self.fault(id, "the converted amount is too large"),
        }
    }

    fn missing_rate(&self, currency: Currency, id: FactId) -> Slot {
        Slot::Unknown(self.pack.graph.id(rate_input(currency)).unwrap_or(id))
    }

    /// Home currency for one unit, without buffer.
    pub(super) fn market_rate(&mut self, currency: Currency) -> Option<Decimal> {
        if let Some(Value::Text(home)) = self.known(self.home_currency?)
            && home == currency.code()
        {
            return Some(Decimal::ONE);
        }
        self.known(self.pack.graph.id(rate_input(currency))?)?.as_decimal()
    }

    /// What one unit of a foreign currency costs: the market rate with the buffer against us.
    fn cost_rate(&mut self, currency: Currency) -> Option<Decimal> {
        let rate = self.market_rate(currency)?;
        match self.known(self.home_currency?) {
            Some(Value::Text(home)) if home == currency.code() => Some(rate),
            _ => rate.checked_mul(Decimal::ONE + self.known(self.forex_buffer?)?.as_decimal()?),
        }
    }

    fn column(&mut self, id: FactId, index: usize, column: usize) -> Slot {
        let pack = self.pack;
        let table = &pack.tables[index];
        let mut key = Vec::with_capacity(table.key.len());
        let mut first_unknown = None;
        for fact in &table.key {
            let Some(key_id) = pack.graph.id(&fact.name) else { return Slot::Unknown(id) };
            match self.slot(key_id) {
                Slot::Known(value) => key.push(value.clone()),
                Slot::Fault(fault) => return Slot::Fault(fault.clone()),
                Slot::Unknown(root) => {
                    first_unknown = first_unknown.or(Some(*root));
                    key.push(Value::Unknown);
                }
                Slot::Pending => return self.fault(id, "a key fact was not computed"),
            }
        }
        let mut missing = None;
        let found = table.find(&key, &mut |currency| {
            let rate = self.market_rate(currency);
            if rate.is_none() {
                missing = Some(currency);
            }
            rate
        });
        // not the row of another route that was judged before
        self.chosen[index] = found.as_ref().ok().copied().flatten();
        let entry: &Entry = match (found, &table.otherwise) {
            (Err(MissingRate), _) => return missing.map_or(Slot::Unknown(id), |currency| self.missing_rate(currency, id)),
            (Ok(Some(row)), _) => &table.rows[row].values[column],
            (Ok(None), _) if first_unknown.is_some() => return Slot::Unknown(first_unknown.unwrap_or(id)),
            (Ok(None), Some(Otherwise::Values(values))) => &values[column],
            (Ok(None), Some(Otherwise::Unknown) | None) => return Slot::Unknown(id),
        };
        let currency = entry.currency.or(match table.columns[column].measure.figure {
            Figure::Money(currency) => Some(currency),
            Figure::Unit(_) => None,
        });
        match (&entry.value, currency) {
            (Value::Unknown, _) => Slot::Unknown(id),
            (Value::Decimal(amount), Some(currency)) => {
                self.cost_rate(currency).map_or_else(|| self.missing_rate(currency, id), |rate| self.product(id, *amount, rate))
            }
            (value, _) => Slot::Known(value.clone()),
        }
    }

    fn derived(&mut self, id: FactId, script: usize, function: usize) -> Slot {
        let pack = self.pack;
        let reads = &pack.graph.fact(id).reads;
        let mut arguments: Vec<Dynamic> = Vec::with_capacity(reads.len());
        for read in reads {
            match self.slot(read.fact) {
                Slot::Known(value) => arguments.push(value.to_dynamic()),
                Slot::Unknown(_) if read.maybe => arguments.push(Dynamic::UNIT),
                Slot::Unknown(root) => return Slot::Unknown(*root),
                Slot::Fault(fault) => return Slot::Fault(fault.clone()),
                Slot::Pending => return self.fault(id, "a fact that it reads was not computed"),
            }
        }
        let script = &pack.scripts[script];
        let name = script.functions[function].name.as_str();
        let options = CallFnOptions::new().eval_ast(false).rewind_scope(false);
        match pack.engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &script.ast, name, arguments) {
            Err(error) => self.fault(id, &format!("{error} in {}", script.file)),
            Ok(result) => match Value::from_dynamic(result) {
                Ok(Value::Unknown) => Slot::Unknown(id),
                Ok(value) => Slot::Known(value),
                Err(found) => self.fault(id, &format!("the result is a {found}, which no fact can be")),
            },
        }
    }

    fn fault(&self, id: FactId, message: &str) -> Slot {
        // what a script throws may be of any length
        let message = message.chars().take(MAX_MESSAGE).collect();
        Slot::Fault(Arc::new(Fault { fact: self.pack.graph.fact(id).name.clone(), message }))
    }
}
