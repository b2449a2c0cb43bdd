//! Lowering: the same rules as exact integer arithmetic over columns of rows, for all tenants at once.
//!
//! The interpreter is what a pack *means*; it costs about a microsecond a formula. Here the formulas of a pack become one
//! graph of integer operations ([`dag`]): a decimal is an integer at a number of places known beforehand ([`value`]), an
//! `if` is a choice between two computed values, an error is a condition ([`body`]), a table is a chain of choices
//! ([`facts`]). A tenant's settings enter as constants, so what they decide folds away, and what two tenants have in
//! common is one node. The graph is put into an order with registers ([`program`]) and run on blocks of rows
//! ([`machine`]).
//!
//! It answers verdicts only. A row that meets an error or an unknown, or holds a value outside of what the columns can
//! carry, is left to the interpreter ([`Answer::Ask`]); so is a whole pack with a formula that cannot be lowered, and
//! [`Refused`] says which and why. That both agree is what the differential tests hold.

mod body;
pub mod dag;
mod facts;
mod host;
mod machine;
mod program;
mod refusal;
mod tables;
#[cfg(test)]
mod tests;
mod texts;
mod value;

use std::ops::Range;

use chrono::NaiveDate;
use rust_decimal::Decimal;

pub use machine::LANES;

use self::{
    dag::{NodeId, Op},
    facts::{Builder, Column, day},
    machine::Machine,
    program::{Outputs, Program, plan},
    refusal::Refusal,
    texts::Texts,
    value::{Number, Shape},
};
use super::{
    facts::Stage,
    graph::{FactId, Kind},
    pack::Pack,
    value::Value,
};

/// Settings of one tenant: facts with the values that they have on every row.
pub type Settings = Vec<(FactId, Value)>;

/// A pack for a set of tenants, ready to judge rows.
#[derive(Debug)]
pub struct Lowered {
    program: Program,
    columns: Vec<Column>,
    texts: Texts,
    /// Position of the aggregates' columns among the inputs, by fact.
    aggregates: Vec<(FactId, u32)>,
    score_places: u32,
    has_score: bool,
    gates: usize,
}

/// Why a pack is left to the interpreter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fact} cannot be lowered: {because}")]
pub struct Refused {
    pub fact: String,
    pub because: String,
}

/// What the columns say about a row and a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It passed every gate, with this score.
    Signal(Option<Decimal>),
    /// The gate of that position rejected it.
    Rejected(usize),
    /// The interpreter has to be asked.
    Ask,
}

/// The code of a row that is left to the interpreter.
const ASK: i64 = -1;

impl Lowered {
    /// Lowers a pack for tenants that settle every tenant fact but those that differ by row.
    ///
    /// `constants` hold for all; `single` binds every aggregate to 1, for rows that belong to no group.
    ///
    /// # Errors
    /// A fact that cannot be lowered.
    pub fn new(pack: &Pack, date: NaiveDate, constants: &Settings, tenants: &[Settings], single: bool) -> Result<Self, Refused> {
        let mut builder = Builder::new(pack, date, constants);
        let mut outputs = Vec::with_capacity(tenants.len());
        let mut score_places = 0;
        for settings in tenants {
            builder.bind(settings);
            if single {
                let one: Settings = pack.aggregates.iter().map(|aggregate| (aggregate.fact, Value::Integer(1))).collect();
                builder.bind_more(&one);
            }
            let (nodes, places) = answer(&mut builder)?;
            score_places = score_places.max(places);
            outputs.push((nodes, places));
        }
        // one scale for all tenants' scores
        let mut aligned = Vec::with_capacity(outputs.len());
        for ((code, score), places) in outputs {
            let score = match score {
                Some(score) => {
                    let number = Number { node: score, places, whole: false };
                    Some(number.with_places(&mut builder.dag, score_places).map_err(|error| refused("the score", &error.into()))?)
                }
                None => None,
            };
            aligned.push(Outputs { nodes: std::iter::once(code).chain(score).collect() });
        }
        let aggregates: Vec<(FactId, u32)> = builder
            .columns
            .iter()
            .filter(|column| matches!(pack.graph.fact(column.fact).kind, Kind::Aggregate))
            .map(|column| (column.fact, column.value))
            .collect();
        let known_aggregates: Vec<u32> = aggregates.iter().flat_map(|(_, column)| [*column, *column + 1]).collect();
        let program = plan(&builder.dag, &aligned, &|column| known_aggregates.contains(&column));
        Ok(Self {
            program,
            columns: builder.columns,
            texts: builder.texts,
            aggregates,
            score_places,
            has_score: pack.score.is_some(),
            gates: pack.gates.len(),
        })
    }

    /// Instructions that all tenants share, and those of each tenant alone, added up.
    pub fn size(&self) -> (usize, usize) {
        (self.program.common.len(), self.program.own.iter().map(|part| part.instructions.len()).sum())
    }

    /// Columns for rows that are filled with [`Rows::push`].
    pub fn rows(&mut self) -> Rows<'_> {
        Rows { values: vec![Vec::new(); self.columns.len() * 2], ask: Vec::new(), columns: &self.columns, texts: &mut self.texts }
    }

    /// Judges a range of rows for all tenants, block by block; `answer` is told row, tenant and what was found.
    pub fn judge(&self, rows: &Filled, range: Range<usize>, answer: impl FnMut(usize, usize, Answer)) {
        self.judge_counted(rows, range, &|_, _, _| 1, answer);
    }

    /// As [`Lowered::judge`]; `counted` gives an aggregate's value for a row and tenant.
    fn judge_counted(
        &self,
        rows: &Filled,
        range: Range<usize>,
        counted: &dyn Fn(FactId, usize, usize) -> i64,
        mut answer: impl FnMut(usize, usize, Answer),
    ) {
        let mut machine = Machine::new(self.program.narrow, self.program.wide);
        let mut groups: Vec<Vec<i64>> = vec![Vec::new(); self.aggregates.len()];
        let ones = [1_i64; LANES];
        for first in range.clone().step_by(LANES) {
            let end = (first + LANES).min(range.end);
            machine.run(&self.program.common, |column| &rows.values[column as usize][first..end]);
            for (tenant, part) in self.program.own.iter().enumerate() {
                for ((fact, _), group) in self.aggregates.iter().zip(&mut groups) {
                    group.clear();
                    group.extend((first..end).map(|row| counted(*fact, row, tenant)));
                }
                machine.run(&part.instructions, |column| match self.aggregates.iter().position(|(_, value)| *value == column) {
                    Some(position) => &groups[position],
                    None if self.aggregates.iter().any(|(_, value)| *value + 1 == column) => &ones[..end - first],
                    None => &rows.values[column as usize][first..end],
                });
                for row in first..end {
                    let found = if rows.ask[row] { Answer::Ask } else { self.decode(&machine, part, row - first) };
                    answer(row, tenant, found);
                }
            }
        }
    }

    fn decode(&self, machine: &Machine, part: &program::Part, lane: usize) -> Answer {
        let Some(code) = part.outputs.first().map(|code| machine.read(*code, lane)) else { return Answer::Ask };
        match usize::try_from(code) {
            Ok(gate) if gate < self.gates => Answer::Rejected(gate),
            Ok(_) if !self.has_score => Answer::Signal(None),
            Ok(_) => {
                let score = part.outputs.get(1).map(|score| machine.read(*score, lane));
                score.map_or(Answer::Ask, |score| Answer::Signal(Some(Decimal::from_i128_with_scale(score, self.score_places))))
            }
            Err(_) => Answer::Ask,
        }
    }
}

fn refused(fact: &str, because: &Refusal) -> Refused {
    Refused { fact: fact.to_owned(), because: because.to_string() }
}

type Nodes = (NodeId, Option<NodeId>);

/// The nodes of a tenant's answer: a code, and the score with its places.
fn answer(builder: &mut Builder<'_>) -> Result<(Nodes, u32), Refused> {
    let pack = builder.pack;
    let number = |value: usize| i128::try_from(value).unwrap_or(i128::MAX);
    let ask = builder.dag.constant(ASK.into());
    let mut code = builder.dag.constant(number(pack.gates.len()));
    let mut score = None;
    let mut places = 0;
    if let Some(fact) = pack.score {
        let name = &pack.graph.fact(fact).name;
        let lowered = builder.fact(fact).map_err(|because| refused(name, &because))?;
        if let Shape::Number(number) = lowered.value.shape {
            (score, places) = (Some(number.node), number.places);
        }
        let sound = builder.dag.not(lowered.fault);
        let told = builder.dag.and(lowered.value.known, sound);
        code = select(builder, told, code, ask, name)?;
    }
    for (position, gate) in pack.gates.iter().enumerate().rev() {
        let name = &pack.graph.fact(gate.when).name;
        let lowered = builder.fact(gate.when).map_err(|because| refused(name, &because))?;
        let truth = match lowered.value.shape {
            Shape::Truth(node) => node,
            Shape::Nothing => builder.dag.truth(false),
            Shape::Number(_) | Shape::Quotient(..) | Shape::Text(_) | Shape::Date(_) => return Err(refused(name, &Refusal::NotBoolean)),
        };
        let rejected = builder.dag.constant(number(position));
        let judged = select(builder, truth, rejected, code, name)?;
        let sound = builder.dag.not(lowered.fault);
        let told = builder.dag.and(lowered.value.known, sound);
        code = select(builder, told, judged, ask, name)?;
    }
    Ok(((code, score), places))
}

fn select(builder: &mut Builder<'_>, condition: NodeId, one: NodeId, two: NodeId, fact: &str) -> Result<NodeId, Refused> {
    builder.dag.put(Op::Select(condition, one, two)).map_err(|error| refused(fact, &error.into()))
}

/// Rows being filled.
#[derive(Debug)]
pub struct Rows<'l> {
    values: Vec<Vec<i64>>,
    ask: Vec<bool>,
    columns: &'l [Column],
    texts: &'l mut Texts,
}

/// Filled columns.
#[derive(Debug)]
pub struct Filled {
    values: Vec<Vec<i64>>,
    ask: Vec<bool>,
}

impl Filled {
    pub fn count(&self) -> usize {
        self.ask.len()
    }
}

impl Rows<'_> {
    /// Adds a row; `value_of` gives a fact's value. A value that its declaration does not admit leaves the row to the
    /// interpreter.
    pub fn push(&mut self, pack: &Pack, value_of: &dyn Fn(FactId) -> Value) {
        let mut ask = false;
        for (index, column) in self.columns.iter().enumerate() {
            let fact = pack.graph.fact(column.fact);
            let value = if fact.stage < Stage::Tenant { value_of(column.fact) } else { Value::Unknown };
            let value = match (fact.value_type, value) {
                (Some(super::value::Type::Decimal), Value::Integer(number)) => Value::Decimal(number.into()),
                (_, value) => value,
            };
            if let Kind::Input(input) = fact.kind {
                ask |= input.admit(&value).is_err();
            }
            let encoded = encode(&value, column.places, self.texts);
            ask |= value.is_known() && encoded.is_none();
            self.values[2 * index].push(encoded.unwrap_or(0));
            self.values[2 * index + 1].push(i64::from(value.is_known()));
        }
        self.ask.push(ask);
    }

    pub fn finish(self) -> Filled {
        Filled { values: self.values, ask: self.ask }
    }
}

/// A value as its column holds it.
fn encode(value: &Value, places: u32, texts: &mut Texts) -> Option<i64> {
    match value {
        Value::Unknown => None,
        Value::Decimal(number) => {
            let number = number.normalize();
            let factor = value::power(places.checked_sub(number.scale())?).ok()?;
            i64::try_from(number.mantissa().checked_mul(factor)?).ok()
        }
        Value::Integer(number) => Some(*number),
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::Text(text) => Some(texts.code(text)),
        Value::Date(date) => i64::try_from(day(*date)).ok(),
    }
}
