//! Tables: rows chosen by a key, whose columns are facts. A folder of files may supply the rows.

mod coverage;
mod folder;
mod read;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    diagnostic::Place,
    params::Measure,
    value::{Type, Value},
};
use crate::domain::money::Currency;

pub use coverage::{Axis, check};
pub(super) use coverage::{meet, reachable};
pub use folder::{Folder, Taken, read_folder, report_unread_folder};
pub use read::read;

/// A table of the pack.
#[derive(Debug, Clone)]
pub struct Table {
    pub name: String,
    pub doc: String,
    pub key: Vec<KeyFact>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    pub otherwise: Option<Otherwise>,
    /// Rows are missing because a file that should supply them has errors.
    pub incomplete: bool,
    /// Where the rows begin.
    pub place: Place,
}

/// A fact that chooses the row.
#[derive(Debug, Clone)]
pub struct KeyFact {
    pub name: String,
    pub place: Place,
}

/// A column: a fact that the chosen row knows.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub doc: String,
    pub measure: Measure,
    /// The only texts that it can hold; any, where there are none.
    pub one_of: Vec<String>,
    pub place: Place,
}

/// One row: a cell for each key fact, a value for each column.
#[derive(Debug, Clone)]
pub struct Row {
    pub cells: Vec<Cell>,
    /// Where each cell stands; the row itself where it has none.
    pub cell_places: Vec<Place>,
    pub values: Vec<Entry>,
    pub source: Option<String>,
    /// Where it, or its file, says `verified: false`.
    pub unverified: Option<Place>,
    pub place: Place,
}

impl Row {
    /// Where the cell of a key fact stands.
    pub fn cell_place(&self, key: usize) -> &Place {
        self.cell_places.get(key).unwrap_or(&self.place)
    }
}

/// A column's value in a row; money may state a currency of its own.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Entry {
    pub value: Value,
    pub currency: Option<Currency>,
}

/// What a table answers where no row matches.
#[derive(Debug, Clone)]
pub enum Otherwise {
    Unknown,
    Values(Vec<Entry>),
}

/// What a key fact must be for the row to match.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Matches everything, the unknown too.
    Any,
    /// Matches only the unknown.
    Unknown,
    Members(Vec<Literal>),
    Band(Band),
}

/// A written value, compared by the key fact's own type.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    pub text: String,
    pub number: Option<Decimal>,
    pub place: Place,
}

/// An interval; dates count as days. Bounds in a currency are compared in `home` money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Band {
    pub low: Option<Bound>,
    pub high: Option<Bound>,
    pub currency: Option<Currency>,
}

/// One end of a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    pub value: Decimal,
    pub inclusive: bool,
}

impl Bound {
    fn scaled(self, rate: Decimal) -> Option<Self> {
        Some(Self { value: self.value.checked_mul(rate)?, ..self })
    }
}

impl Band {
    /// Whether the number lies in the band.
    pub fn contains(&self, number: Decimal) -> bool {
        self.low.is_none_or(|low| number > low.value || (low.inclusive && number == low.value))
            && self.high.is_none_or(|high| number < high.value || (high.inclusive && number == high.value))
    }

    /// The band in another currency.
    fn converted(&self, rate: Decimal) -> Option<Self> {
        let convert = |bound: Option<Bound>| bound.map_or(Some(None), |bound| bound.scaled(rate).map(Some));
        Some(Self { low: convert(self.low)?, high: convert(self.high)?, currency: None })
    }
}

/// The number that bands compare: a date is its day.
pub fn ordinal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Date(date) => {
            use chrono::Datelike;
            Some(Decimal::from(date.num_days_from_ce()))
        }
        value => value.as_decimal(),
    }
}

/// The day that a bound of a band of dates means.
pub fn day(number: Decimal) -> Option<NaiveDate> {
    i32::try_from(number).ok().and_then(NaiveDate::from_num_days_from_ce_opt)
}

/// What a key asks about money: the market rate of a currency in `home`.
pub type RateOf<'a> = dyn FnMut(Currency) -> Option<Decimal> + 'a;

impl Cell {
    /// Whether the value matches; `None` if that needs an exchange rate that nobody knows.
    pub fn matches(&self, value: &Value, rate_of: &mut RateOf<'_>) -> Option<bool> {
        Some(match (self, value) {
            (Self::Any, _) | (Self::Unknown, Value::Unknown) => true,
            (Self::Unknown, _) | (_, Value::Unknown) => false,
            (Self::Members(members), value) => members.iter().any(|member| member.equals(value)),
            (Self::Band(band), value) => match (ordinal(value), band.currency) {
                (None, _) => false,
                (Some(number), None) => band.contains(number),
                (Some(number), Some(currency)) => band.converted(rate_of(currency)?)?.contains(number),
            },
        })
    }
}

impl Literal {
    /// Whether the written text means this value.
    pub fn equals(&self, value: &Value) -> bool {
        match value {
            Value::Unknown => false,
            Value::Text(text) => self.text == text.as_str(),
            Value::Bool(truth) => self.text == truth.to_string(),
            Value::Date(date) => self.text == date.to_string(),
            Value::Decimal(_) | Value::Integer(_) => self.number.is_some() && self.number == value.as_decimal(),
        }
    }

    /// Whether a fact of this type could have the written value at all.
    pub fn fits(&self, value_type: Type) -> bool {
        match value_type {
            Type::Text => true,
            Type::Bool => matches!(self.text.as_str(), "true" | "false"),
            Type::Date => self.text.parse::<chrono::NaiveDate>().is_ok(),
            Type::Decimal | Type::Integer => self.number.is_some(),
        }
    }
}

impl Table {
    /// The row that matches a key; the first, should there be several.
    ///
    /// # Errors
    /// An exchange rate is missing to tell.
    pub fn find(&self, key: &[Value], rate_of: &mut RateOf<'_>) -> Result<Option<usize>, MissingRate> {
        for (index, row) in self.rows.iter().enumerate() {
            let mut all = true;
            for (cell, value) in row.cells.iter().zip(key) {
                if !cell.matches(value, rate_of).ok_or(MissingRate)? {
                    all = false;
                    break;
                }
            }
            if all {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}

/// A band in a currency whose rate is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingRate;
