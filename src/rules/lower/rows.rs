//! Rows as columns: what the card part reads, and what it leaves for the tenants.

use rhai::ImmutableString;
use rust_decimal::Decimal;

use super::{
    facts::{self, State},
    machine::{LANES, Machine},
    program::Program,
    registers::{Column as Values, Slice, Source},
    texts::Texts,
    value::{day, power},
};
use crate::rules::{
    facts::Domain,
    graph::{FactId, Kind},
    pack::Pack,
    value::{Given, Value},
};

/// A fact that rows tell: two inputs of the graph, one for its value and one for what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub fact: FactId,
    /// Decimal places of the value.
    pub places: u32,
    /// The interpreter computes it, since its formula can't be lowered.
    pub interpreted: bool,
}

/// What a row says of a fact, beside its value.
pub mod told {
    pub const UNKNOWN: i64 = 0;
    pub const KNOWN: i64 = 1;
    /// It is something that it cannot be.
    pub const FAULTY: i64 = 2;
    /// Its value has no place in a column.
    pub const UNTOLD: i64 = 3;
}

/// Rows as their sources tell them: two columns for each fact that formulas read. What is told of a fact holds for every row
/// that is closed afterwards, until something else is told.
#[derive(Debug)]
pub struct Rows {
    /// Value and what is known of it, in turns.
    columns: Vec<Vec<i64>>,
    /// By fact, what holds.
    current: Vec<Current>,
    count: usize,
}

/// What holds of a fact.
#[derive(Debug, Clone, Default)]
struct Current {
    value: i64,
    told: i64,
    /// The word that this is.
    word: Option<&'static str>,
    /// The last text that was told, and its number. Most rows tell the same as one before.
    last: Option<(ImmutableString, i64)>,
}

impl Rows {
    pub(super) fn new(columns: &[Column], capacity: usize) -> Self {
        let column = || Vec::with_capacity(capacity);
        Self {
            columns: std::iter::repeat_with(column).take(columns.len() * 2).collect(),
            current: vec![Current::default(); columns.len()],
            count: 0,
        }
    }

    pub const fn count(&self) -> usize {
        self.count
    }

    /// Forgets all rows and what was told, but keeps the room.
    pub fn clear(&mut self) {
        self.columns.iter_mut().for_each(Vec::clear);
        for current in &mut self.current {
            (current.value, current.told, current.word) = (0, told::UNKNOWN, None);
        }
        self.count = 0;
    }

    /// Tells a fact; nothing where it is something that it cannot be.
    pub(super) fn tell(&mut self, pack: &Pack, columns: &[Column], texts: &Texts, place: usize, given: Option<Given<'_>>) {
        let (Some(column), Some(current)) = (columns.get(place), self.current.get_mut(place)) else { return };
        let word = if let Some(Given::Word(word)) = given { Some(word) } else { None };
        // it is the very word that holds
        if word.is_some_and(|word| current.word.is_some_and(|known| std::ptr::eq(word, known))) {
            return;
        }
        current.word = word;
        let text = if let Some(Given::Word(text) | Given::Name(text) | Given::Text(text)) = given { Some(text) } else { None };
        if let (Some(text), Some((known, code))) = (text, &current.last)
            && text == known.as_str()
        {
            (current.value, current.told) = (*code, told::KNOWN);
            return;
        }
        let value = given.map(Value::from);
        (current.value, current.told) = encode(pack, *column, texts, value.as_ref());
        if current.told != told::KNOWN {
            current.word = None;
        } else if let Some(Value::Text(text)) = value {
            current.last = Some((text, current.value));
        }
    }

    /// Adds a row of which everything is told.
    pub(super) fn close(&mut self) {
        for (pair, current) in self.columns.chunks_exact_mut(2).zip(&self.current) {
            pair[0].push(current.value);
            pair[1].push(current.told);
        }
        self.count += 1;
    }
}

/// A fact as its columns hold it.
fn encode(pack: &Pack, column: Column, texts: &Texts, value: Option<&Value>) -> (i64, i64) {
    let fact = pack.graph.fact(column.fact);
    let value = match value {
        None => return (0, told::FAULTY),
        Some(Value::Unknown) => return (0, told::UNKNOWN),
        Some(value) => value,
    };
    let widened;
    let value = match (fact.value_type, value) {
        (Some(super::super::value::Type::Decimal), Value::Integer(number)) if !column.interpreted => {
            widened = Value::Decimal((*number).into());
            &widened
        }
        _ => value,
    };
    if let Kind::Input(input) = fact.kind {
        if let (Domain::Decimal { places, min, max }, Value::Decimal(number)) = (input.domain, value) {
            // as it is admitted, on the number that the column takes
            let scaled = scaled(*number, places)
                .filter(|number| power(places).is_ok_and(|power| (i128::from(min) * power..=i128::from(max) * power).contains(number)));
            let scaled = scaled.and_then(|number| i64::try_from(number).ok());
            return scaled.map_or((0, told::FAULTY), |number| (number, told::KNOWN));
        }
        if input.admit(value).is_err() {
            return (0, told::FAULTY);
        }
    }
    let fits = value.value_type() == fact.value_type && (!column.interpreted || is_likely(value));
    match number(value, column.places, texts).filter(|_| fits) {
        Some(number) => (number, told::KNOWN),
        None => (0, told::UNTOLD),
    }
}

/// Whether an interpreted fact lies within what columns take it to be. Inputs were held against their declaration.
fn is_likely(value: &Value) -> bool {
    let (places, range) = match value {
        Value::Decimal(_) => (facts::INTERPRETED_PLACES, facts::INTERPRETED),
        Value::Integer(_) => (0, facts::INTERPRETED),
        Value::Date(date) => return (0..=facts::LAST_DAY).contains(&day(*date)),
        Value::Unknown | Value::Bool(_) | Value::Text(_) => return true,
    };
    let limit = Decimal::from(range);
    value.as_decimal().is_some_and(|number| number.normalize().scale() <= places && number.abs() <= limit)
}

fn number(value: &Value, places: u32, texts: &Texts) -> Option<i64> {
    match value {
        Value::Unknown => None,
        Value::Decimal(number) => i64::try_from(scaled(*number, places)?).ok(),
        Value::Integer(number) => Some(*number),
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::Text(text) => Some(texts.code(text)),
        Value::Date(date) => i64::try_from(day(*date)).ok(),
    }
}

/// A decimal as a whole number at that many places, if it has no more.
fn scaled(number: Decimal, places: u32) -> Option<i128> {
    // zeros at the end are no places
    let number = if number.scale() > places { number.normalize() } else { number };
    number.mantissa().checked_mul(power(places.checked_sub(number.scale())?).ok()?)
}

/// What is known of rows before any tenant: how far each comes, and the columns that tenants' rules read.
#[derive(Debug, Clone, Default)]
pub struct Cards {
    /// The row's code, after the gates that depend on no tenant.
    pub codes: Vec<i64>,
    /// For each aggregate the number of the row's group, or [`ALONE`].
    pub groups: Vec<Vec<i64>>,
    pub columns: Vec<Values>,
}

/// The group of a row that is counted with no other.
pub const ALONE: i64 = -1;

impl Cards {
    /// Columns for what a program puts out.
    fn new(aggregates: usize, outputs: &[Source]) -> Self {
        let columns = outputs.iter().skip(1 + aggregates).map(|output| Values::new(matches!(output, Source::Byte(_))));
        Self { codes: Vec::new(), groups: vec![Vec::new(); aggregates], columns: columns.collect() }
    }

    pub fn count(&self) -> usize {
        self.codes.len()
    }

    /// These rows alone.
    #[must_use]
    pub fn pick(&self, rows: &[usize]) -> Self {
        let of = |numbers: &Vec<i64>| rows.iter().map(|row| numbers[*row]).collect();
        Self {
            codes: of(&self.codes),
            groups: self.groups.iter().map(of).collect(),
            columns: self.columns.iter().map(|column| column.pick(rows.iter().copied())).collect(),
        }
    }

    /// Adds other rows behind these.
    pub fn append(&mut self, other: &mut Self) {
        self.codes.append(&mut other.codes);
        for (all, more) in self.groups.iter_mut().zip(&mut other.groups) {
            all.append(more);
        }
        for (all, more) in self.columns.iter_mut().zip(&mut other.columns) {
            all.append(more);
        }
    }
}

/// Runs the card part. Its outputs are the code, a group for each aggregate, then the columns.
pub(super) fn screen(program: &Program, rows: &Rows, aggregates: usize) -> Cards {
    let outputs = program.answers.first().map_or(&[][..], |answer| &answer.outputs);
    let mut cards = Cards::new(aggregates, outputs);
    let mut machine = Machine::default();
    let mut inputs: Vec<Slice<'_>> = Vec::with_capacity(rows.columns.len());
    for first in (0..rows.count).step_by(LANES) {
        let end = (first + LANES).min(rows.count);
        inputs.clear();
        inputs.extend(rows.columns.iter().map(|column| Slice::Numbers(&column[first..end])));
        machine.run(program, &inputs, end - first, |_, _, told| {
            let number = |output: Source, lane: usize| i64::try_from(told.read(output, lane)).unwrap_or(0);
            let (numbers, columns) = outputs.split_at(outputs.len().min(1 + aggregates));
            for (target, output) in std::iter::once(&mut cards.codes).chain(&mut cards.groups).zip(numbers) {
                target.extend((0..end - first).map(|lane| number(*output, lane)));
            }
            for (target, output) in cards.columns.iter_mut().zip(columns) {
                match (target, told.bytes(*output), told.numbers(*output)) {
                    (Values::Bytes(target), Some(bytes), _) => target.extend_from_slice(bytes),
                    (Values::Numbers(target), _, Some(numbers)) => target.extend_from_slice(numbers),
                    (Values::Numbers(target), ..) => target.extend((0..end - first).map(|lane| number(*output, lane))),
                    // a column of bytes is given bytes
                    (Values::Bytes(_), None, _) => {}
                }
            }
        });
    }
    cards
}

impl State {
    /// Rows to be filled.
    pub fn rows(&self, capacity: usize) -> Rows {
        Rows::new(&self.columns, capacity)
    }

    /// Adds a row by all of its facts, by position; nothing where a fact is something that it cannot be.
    pub fn push(&self, pack: &Pack, rows: &mut Rows, facts: &[Option<Value>]) {
        for (place, column) in self.columns.iter().enumerate() {
            rows.tell(pack, &self.columns, &self.texts, place, facts[column.fact.0].as_ref().map(Given::from));
        }
        rows.close();
    }
}
