//! Dated scalars of `params/*.yaml`, and the measure (type, unit or currency) that parameters and table columns share.

use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    diagnostic::{Code, Diagnostic, Place, Sink, nearest},
    units::Unit,
    value::{Type, Value},
    yaml::{Data, Fields, Node},
};
use crate::domain::money::Currency;

/// What a figure of a YAML file is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Unit(Unit),
    /// Money that becomes `home` before formulas see it.
    Money(Currency),
}

/// Units by name, to be proposed instead of a misspelt one.
const UNITS: [&str; 8] = ["ratio", "count", "percent", "days", "hours", "buy", "sell", "home"];

impl Figure {
    /// The unit that formulas see.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Unit(unit) => unit,
            Self::Money(_) => Unit::HOME,
        }
    }

    /// Reads a unit or a currency.
    pub fn read(node: &Node, sink: &Sink) -> Option<Self> {
        let text = node.text(sink, "unit")?;
        if let Some(currency) = Currency::ALL.into_iter().find(|currency| currency.code() == text) {
            return Some(Self::Money(currency));
        }
        match text.parse() {
            Ok(unit) => Some(Self::Unit(unit)),
            Err(error) => {
                let error: super::units::UnknownUnit = error;
                let fault = Diagnostic::error(Code::UnknownUnit, node.place.clone(), error.to_string());
                let near = nearest(&text.to_ascii_uppercase(), Currency::ALL.map(Currency::code));
                sink.report(match near.or_else(|| nearest(&text.to_ascii_lowercase(), UNITS)) {
                    Some(near) => fault.with_help(format!("did you mean {near}?")),
                    None => {
                        fault.with_help("money is a currency (EUR, USD, GBP) or a role (buy, sell, home); a share or factor is a ratio")
                    }
                });
                None
            }
        }
    }
}

/// The inclusive range that a figure's author declares, in the figure's own unit or currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    pub min: Option<Decimal>,
    pub max: Option<Decimal>,
}

impl Range {
    /// Reads `min` and `max`, both of which may be missing.
    pub fn read(fields: &Fields<'_>) -> Self {
        let bound = |name: &str| fields.optional(name)?.decimal(fields.sink, name);
        Self { min: bound("min"), max: bound("max") }
    }

    fn contains(self, number: Decimal) -> bool {
        self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
    }

    /// The number, or a report that it lies outside. A `plain` number may have been meant as a percentage.
    fn admit(self, number: Decimal, plain: bool, node: &Node, sink: &Sink, what: &str) -> Option<Decimal> {
        if self.contains(number) {
            return Some(number);
        }
        let bound = |words: &str, bound: Option<Decimal>| bound.map(|bound| format!("{words} {bound}"));
        let range: Vec<String> = [bound("at least", self.min), bound("at most", self.max)].into_iter().flatten().collect();
        let message = format!("{what} is {number}, but is declared to be {}", range.join(" and "));
        let fault = Diagnostic::error(Code::OutOfRange, node.place.clone(), message);
        let share = number / Decimal::ONE_HUNDRED;
        sink.report(if plain && self.max == Some(Decimal::ONE) && self.contains(share) {
            fault.with_help(format!("a share is a part of 1: {number} % is written \"{}\"", share.normalize()))
        } else {
            fault.with_help("mend the figure, or the `min` and `max` of its declaration")
        });
        None
    }
}

/// Type, figure and range of a parameter or column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    pub value_type: Type,
    pub figure: Figure,
    pub range: Range,
}

impl Measure {
    fn plain(value_type: Type) -> Self {
        Self { value_type, figure: Figure::Unit(Unit::NONE), range: Range::default() }
    }

    /// Reads one value of this measure.
    pub fn read(self, node: &Node, sink: &Sink, what: &str) -> Option<Value> {
        let plain = self.figure == Figure::Unit(Unit::NONE);
        match self.value_type {
            Type::Decimal => self.range.admit(node.decimal(sink, what)?, plain, node, sink, what).map(Value::Decimal),
            Type::Integer => {
                let number = self.range.admit(node.decimal(sink, what)?, plain, node, sink, what)?;
                let whole = i64::try_from(number).ok().filter(|_| number.fract().is_zero());
                if whole.is_none() {
                    let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("{what} \"{number}\" is not a whole number"));
                    sink.report(fault.with_help("write a number without a fraction, or `type: decimal` in the declaration"));
                }
                whole.map(Value::Integer)
            }
            Type::Bool => node.boolean(sink, what).map(Value::Bool),
            Type::Text => node.text(sink, what).map(|text| Value::Text(text.into())),
            Type::Date => node.date(sink, what).map(Value::Date),
        }
    }
}

/// One value of a parameter and the day that it begins to hold.
#[derive(Debug, Clone)]
pub struct Dated {
    pub from: NaiveDate,
    pub value: Value,
    pub source: Option<String>,
    /// Where it says `verified: false`.
    pub unverified: Option<Place>,
    /// Where `from` stands.
    pub begins: Place,
}

/// A scalar with its history.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// File prefix and key: `velocity_liquid_gold`.
    pub name: String,
    pub doc: String,
    pub measure: Measure,
    /// Ascending by `from`.
    pub values: Vec<Dated>,
    pub place: Place,
}

impl Parameter {
    /// The value in force on a day: the last whose `from` is not after it.
    pub fn at(&self, date: NaiveDate) -> Option<&Dated> {
        self.values.iter().rev().find(|dated| dated.from <= date)
    }
}

/// Reads one file; `prefix` is its name without folder and ending.
pub fn read(prefix: &str, root: &Node, sink: &Sink) -> Vec<Parameter> {
    let Some(file) = root.fields(sink, "a parameter file") else { return Vec::new() };
    file.entries()
        .iter()
        .filter_map(|(key, node)| {
            let fields = node.fields(sink, &key.name)?;
            let parameter = read_one(format!("{prefix}_{}", key.name), &key.place, &fields);
            fields.finish();
            parameter
        })
        .collect()
}

fn read_one(name: String, place: &Place, fields: &Fields<'_>) -> Option<Parameter> {
    let sink = fields.sink;
    let doc = fields.optional_text("doc").unwrap_or_default().to_owned();
    let unit = fields.required("unit");
    // asked for before a faulty unit ends the reading, so that they do not count as unknown keys
    for name in ["values", "from", "value", "source", "verified", "min", "max"] {
        fields.optional(name);
    }
    let unit = unit?;
    let measure = match unit.text(sink, "unit")? {
        "bool" => Measure::plain(Type::Bool),
        "text" => Measure::plain(Type::Text),
        "date" => Measure::plain(Type::Date),
        _ => Measure { value_type: Type::Decimal, figure: Figure::read(unit, sink)?, range: Range::read(fields) },
    };
    let values = match fields.optional("values") {
        // one value may be written without a list
        None => vec![read_dated(measure, fields)?],
        Some(list) => list
            .items(sink, "values")?
            .iter()
            .filter_map(|item| {
                let fields = item.fields(sink, "a dated value")?;
                let dated = read_dated(measure, &fields);
                fields.finish();
                dated
            })
            .collect(),
    };
    for pair in values.windows(2) {
        if pair[0].from >= pair[1].from {
            let fault = Diagnostic::error(
                Code::UnsortedDates,
                pair[1].begins.clone(),
                format!("{} comes after {} but is not later", pair[1].from, pair[0].from),
            );
            sink.report(fault.with_help("write the values in ascending order of `from`, each date once"));
        }
    }
    // a value with errors of its own is no missing one
    if values.is_empty() && fields.optional("values").and_then(|list| list.items(sink, "values")).is_some_and(<[Node]>::is_empty) {
        let fault = Diagnostic::error(Code::MissingKey, place.clone(), format!("{name} has no value"));
        sink.report(fault.with_help("add one: `- { from: 2020-01-01, value: \"…\" }`"));
    }
    Some(Parameter { name, doc, measure, values, place: place.clone() })
}

fn read_dated(measure: Measure, fields: &Fields<'_>) -> Option<Dated> {
    let sink = fields.sink;
    let begins = fields.required("from");
    let from = begins.and_then(|node| node.date(sink, "from"));
    let value = fields.required("value").and_then(|node| measure.read(node, sink, "value"));
    let source = fields.optional_text("source").map(str::to_owned);
    let unverified = unverified(fields);
    let begins = begins?.place.clone();
    Some(Dated { from: from?, value: value?, source, unverified, begins })
}

/// Where a figure's mapping says that nobody has confirmed it.
pub fn unverified(fields: &Fields<'_>) -> Option<Place> {
    let node = fields.optional("verified")?;
    (node.boolean(fields.sink, "verified") == Some(false)).then(|| node.place.clone())
}

/// The name of a file without folder and ending.
pub fn stem(file: &Arc<str>) -> &str {
    let name = file.rsplit('/').next().unwrap_or(file);
    name.split('.').next().unwrap_or(name)
}

/// Whether a mapping's value is a list or mapping rather than a scalar.
pub const fn is_compound(node: &Node) -> bool {
    !matches!(node.data, Data::Scalar { .. })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::rules::yaml;

    fn read_text(text: &str) -> (Vec<Parameter>, Vec<Diagnostic>) {
        let sink = Sink::default();
        let parameters =
            yaml::parse(&"params/velocity.yaml".into(), text, &sink).map(|root| read("velocity", &root, &sink)).unwrap_or_default();
        (parameters, sink.finish(|_, _| None).0)
    }

    #[test]
    fn the_value_in_force_is_the_last_not_after_the_date() {
        let (parameters, faults) = read_text(
            "liquid_gold:\n  unit: ratio\n  values:\n    - { from: 2020-01-01, value: \"1.5\" }\n    - { from: 2026-07-01, value: \"1.6\" }\n",
        );
        assert_eq!(faults, []);
        let at = |date: &str| parameters[0].at(date.parse().unwrap()).map(|dated| dated.value.to_string());
        assert_eq!(at("2019-12-31"), None);
        assert_eq!(at("2026-06-30").as_deref(), Some("1.5"));
        assert_eq!(at("2026-07-01").as_deref(), Some("1.6"));
        assert_eq!(parameters[0].name, "velocity_liquid_gold");
    }

    #[test]
    fn every_fault_of_a_parameter_is_reported_at_its_line() {
        let text = "a:\n  unit: ratio\n  from: 2020-01-01\n  value: 1.5\nb:\n  unit: EURO\n  values: []\nc:\n  unit: days\n  values:\n    - { from: 2026-07-01, value: \"1\" }\n    - { from: 01/08/2026, value: \"2\" }\n    - { from: 2026-06-01, value: \"3\", sauce: x }\n";
        let (_, faults) = read_text(text);
        let found: Vec<_> = faults.iter().map(|fault| (fault.code, fault.place.span.line)).collect();
        assert_eq!(
            found,
            [(Code::UnquotedNumber, 4), (Code::UnknownUnit, 6), (Code::BadValue, 12), (Code::UnsortedDates, 13), (Code::UnknownKey, 13)]
        );
    }
}
