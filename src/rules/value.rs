//! A fact's value: a decimal, integer, boolean, text or date, or the fact that nobody knows it.

use std::{cell::RefCell, fmt, str::FromStr};

use chrono::NaiveDate;
use rhai::{Dynamic, ImmutableString};
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

/// The type of a known value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    Decimal,
    Integer,
    Bool,
    /// Free text, or a member of an enum.
    Text,
    Date,
}

impl Type {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decimal => "decimal",
            Self::Integer => "integer",
            Self::Bool => "boolean",
            Self::Text => "text",
            Self::Date => "date",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A value that a fact has on one evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// Not zero, not false: nobody knows.
    #[default]
    Unknown,
    Decimal(Decimal),
    Integer(i64),
    Bool(bool),
    Text(ImmutableString),
    Date(NaiveDate),
}

/// A fact as its source has it: its text is not copied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Given<'a> {
    Unknown,
    Decimal(Decimal),
    Integer(i64),
    Bool(bool),
    Date(NaiveDate),
    /// A word of a closed set.
    Word(&'static str),
    /// A name of which there are few, as of sources.
    Name(&'a str),
    Text(&'a str),
}

impl<'a> From<&'a Value> for Given<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Unknown => Self::Unknown,
            Value::Decimal(number) => Self::Decimal(*number),
            Value::Integer(number) => Self::Integer(*number),
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Date(date) => Self::Date(*date),
            Value::Text(text) => Self::Text(text),
        }
    }
}

impl From<Given<'_>> for Value {
    fn from(given: Given<'_>) -> Self {
        match given {
            Given::Unknown => Self::Unknown,
            Given::Decimal(number) => Self::Decimal(number),
            Given::Integer(number) => Self::Integer(number),
            Given::Bool(truth) => Self::Bool(truth),
            Given::Date(date) => Self::Date(date),
            Given::Word(word) => Self::word(word),
            Given::Name(name) => Self::name(name),
            Given::Text(text) => Self::Text(text.into()),
        }
    }
}

thread_local! {
    /// Words of closed sets; a scan tells them millions of times.
    static WORDS: RefCell<FxHashMap<&'static str, ImmutableString>> = RefCell::default();
    /// Names of which there are few, too.
    static NAMES: RefCell<FxHashMap<Box<str>, ImmutableString>> = RefCell::default();
}

impl Value {
    /// A word of a closed set. Unlike another text it is allocated once.
    fn word(word: &'static str) -> Self {
        Self::Text(WORDS.with_borrow_mut(|words| words.entry(word).or_insert_with(|| word.into()).clone()))
    }

    /// A name of which there are few, as of sources. It is allocated once, too, and kept.
    fn name(name: &str) -> Self {
        NAMES.with_borrow_mut(|names| {
            if let Some(known) = names.get(name) {
                return Self::Text(known.clone());
            }
            Self::Text(names.entry(name.into()).or_insert_with(|| name.into()).clone())
        })
    }

    /// Reads a text form: `12.50`, `3`, `true`, `2026-07-01`.
    ///
    /// # Errors
    /// A text that the type does not have.
    pub fn parse(value_type: Type, text: &str) -> Result<Self, BadValue> {
        let bad = || BadValue { text: quoted(text), expected: value_type };
        Ok(match value_type {
            Type::Decimal => Self::Decimal(Decimal::from_str_exact(text).map_err(|_| bad())?),
            Type::Integer => Self::Integer(text.parse().map_err(|_| bad())?),
            Type::Bool => Self::Bool(text.parse().map_err(|_| bad())?),
            Type::Text => Self::Text(text.into()),
            Type::Date => Self::Date(NaiveDate::from_str(text).map_err(|_| bad())?),
        })
    }

    pub const fn is_known(&self) -> bool {
        !matches!(self, Self::Unknown)
    }

    /// The type of a known value.
    pub const fn value_type(&self) -> Option<Type> {
        Some(match self {
            Self::Unknown => return None,
            Self::Decimal(_) => Type::Decimal,
            Self::Integer(_) => Type::Integer,
            Self::Bool(_) => Type::Bool,
            Self::Text(_) => Type::Text,
            Self::Date(_) => Type::Date,
        })
    }

    /// A number as a decimal; `None` for anything else.
    pub fn as_decimal(&self) -> Option<Decimal> {
        match self {
            Self::Decimal(number) => Some(*number),
            Self::Integer(number) => Some(Decimal::from(*number)),
            _ => None,
        }
    }

    /// What a script receives; unknown is Rhai's unit.
    pub fn to_dynamic(&self) -> Dynamic {
        match self {
            Self::Unknown => Dynamic::UNIT,
            Self::Decimal(number) => Dynamic::from_decimal(*number),
            Self::Integer(number) => Dynamic::from_int(*number),
            Self::Bool(truth) => Dynamic::from_bool(*truth),
            Self::Text(text) => text.clone().into(),
            Self::Date(date) => Dynamic::from(*date),
        }
    }

    /// What a script returned; `Err` names a Rhai type that no fact can have.
    pub fn from_dynamic(value: Dynamic) -> Result<Self, &'static str> {
        if value.is_unit() {
            return Ok(Self::Unknown);
        }
        if let Ok(number) = value.as_decimal() {
            return Ok(Self::Decimal(number));
        }
        if let Ok(number) = value.as_int() {
            return Ok(Self::Integer(number));
        }
        if let Ok(truth) = value.as_bool() {
            return Ok(Self::Bool(truth));
        }
        if value.is_string() {
            return value.into_immutable_string().map(Self::Text);
        }
        let name = value.type_name();
        value.try_cast::<NaiveDate>().map(Self::Date).ok_or(name)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.pad("unknown"),
            Self::Decimal(number) => f.pad(&number.to_string()),
            Self::Integer(number) => f.pad(&number.to_string()),
            Self::Bool(truth) => f.pad(if *truth { "true" } else { "false" }),
            Self::Text(text) => f.pad(text),
            Self::Date(date) => f.pad(&date.to_string()),
        }
    }
}

/// As much of a text as an error quotes.
pub fn quoted(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text that is not a value of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a {expected}")]
pub struct BadValue {
    pub text: String,
    pub expected: Type,
}
