//! Checks a table's key cells against the facts that they are compared with, and finds the currencies a table needs.

use std::{collections::BTreeSet, sync::Arc};

use rust_decimal::Decimal;

use super::Graph;
use crate::{
    domain::money::Currency,
    rules::{
        diagnostic::{Code, Diagnostic, Sink, nearest},
        facts::{Domain, Input},
        graph::Kind,
        infer,
        params::Figure,
        tables::{self, Axis, Band, Cell, Otherwise, Table},
        tree::Literal,
        units::Unit,
        value::Type,
    },
};

impl Graph {
    /// Reports key cells that can never match, overlaps and gaps.
    pub(super) fn check_table(&self, index: usize, table: &Table, sink: &Sink) {
        let axes: Vec<Axis> = (0..table.key.len()).map(|key| self.axis(table, key)).collect();
        let mut sound = !has_faulty_rows(table, &sink.faulty_files());
        for (key, fact) in table.key.iter().enumerate() {
            let Some(fact) = self.id(&fact.name).map(|id| self.fact(id)) else { continue };
            for member in table.rows.iter().filter_map(|row| row.cells.get(key)).flat_map(literals) {
                let wrong = match &axes[key] {
                    Axis::Members(known) if !known.contains(&member.text) => {
                        Some(match nearest(&member.text, known.iter().map(String::as_str)) {
                            Some(near) => format!("did you mean \"{near}\"?"),
                            None => format!("it can be {}", known.join(", ")),
                        })
                    }
                    _ if fact.value_type.is_some_and(|value_type| !member.fits(value_type)) => {
                        Some("compare it with a value of its own type".to_owned())
                    }
                    _ => None,
                };
                if let Some(help) = wrong {
                    sound = false;
                    let fault =
                        Diagnostic::error(Code::BadValue, member.place.clone(), format!("{} is never \"{}\"", fact.name, member.text));
                    sink.report(fault.with_help(help));
                }
            }
        }
        sound &= self.check_bands(table, &axes, sink);
        // the columns of a table whose name clashes are not its own, and a key that does not exist has no axis
        let complete = table.key.iter().all(|key| self.id(&key.name).is_some());
        let owned = self.facts.iter().any(|fact| matches!(fact.kind, Kind::Column { table, .. } if table == index));
        if complete && owned && sound {
            tables::check(table, &axes, sink);
        }
    }

    /// Whether every band can match its fact; reports those that can't.
    fn check_bands(&self, table: &Table, axes: &[Axis], sink: &Sink) -> bool {
        let mut sound = true;
        for (key, (written, axis)) in table.key.iter().zip(axes).enumerate() {
            let Some(fact) = self.id(&written.name).map(|id| self.fact(id)) else { continue };
            for row in &table.rows {
                let Some(cell) = row.cells.get(key) else { continue };
                let (code, message, help) = match (cell, axis) {
                    (Cell::Band(_), Axis::Members(_)) => {
                        let found = fact.value_type.map_or("text", Type::as_str);
                        let message = format!("a band needs a number or a date, but \"{}\" is a {found}", fact.name);
                        (Code::TypeMismatch, message, "write the values themselves, such as `[EU, UK]`".to_owned())
                    }
                    (Cell::Band(Band { currency: Some(currency), .. }), _) if fact.unit.is_some_and(|unit| unit != Unit::HOME) => {
                        let unit = fact.unit.unwrap_or_default();
                        let unit = infer::in_words(unit);
                        let message = format!("the band is in {}, but \"{}\" is {unit}", currency.code(), fact.name);
                        (
                            Code::UnitMismatch,
                            message,
                            "a band with a currency compares home money; take `currency:` away, or another key".to_owned(),
                        )
                    }
                    (cell, Axis::Number { min, max, whole }) if !tables::reachable(cell, *min, *max, *whole) => {
                        let message = format!("this row of {} never matches: no \"{}\" is like that", table.name, fact.name);
                        let whole = if *whole { "whole number" } else { "number" };
                        let help = match (min, max) {
                            (Some(min), Some(max)) => format!("\"{}\" is a {whole} from {min} to {max}", fact.name),
                            _ => format!("\"{}\" is a {whole}", fact.name),
                        };
                        (Code::DeadRow, message, help)
                    }
                    (Cell::Members(members), _) if members.is_empty() => {
                        let message = format!("this row of {} never matches: its list for \"{}\" is empty", table.name, fact.name);
                        (Code::DeadRow, message, "name the values, or write `any`".to_owned())
                    }
                    _ => continue,
                };
                sound = false;
                sink.report(Diagnostic::error(code, row.cell_place(key).clone(), message).with_help(help));
            }
        }
        sound
    }

    fn axis(&self, table: &Table, key: usize) -> Axis {
        let fact = self.id(&table.key[key].name).map(|id| self.fact(id));
        let banded = table.rows.iter().any(|row| matches!(row.cells.get(key), Some(Cell::Band(_))));
        let value_type = fact.and_then(|fact| fact.value_type);
        let number = |min: Option<Decimal>, max: Option<Decimal>| Axis::Number { min, max, whole: value_type == Some(Type::Integer) };
        match (fact.map(|fact| fact.kind), value_type) {
            (Some(Kind::Input(Input { domain: Domain::Enum(members), .. })), _) => {
                Axis::Members(members.iter().map(|member| (*member).to_owned()).collect())
            }
            (Some(Kind::Input(Input { domain: Domain::Decimal { min, max, .. } | Domain::Integer { min, max }, .. })), _) => {
                number(Some((*min).into()), Some((*max).into()))
            }
            (Some(_), Some(Type::Text)) if fact.is_some_and(|fact| fact.possible.is_some()) => {
                let texts = fact.and_then(|fact| fact.possible.as_ref()).into_iter().flatten();
                Axis::Members(
                    texts.filter_map(|value| if let Literal::Text(text) = value { Some(text.to_string()) } else { None }).collect(),
                )
            }
            (Some(_), Some(Type::Bool)) => Axis::Members(vec!["false".into(), "true".into()]),
            (Some(_), Some(Type::Date)) => Axis::Date,
            (Some(_), Some(Type::Decimal | Type::Integer)) => number(None, None),
            (Some(_), None) if banded => number(None, None),
            _ => Axis::Text,
        }
    }
}

/// Whether a row comes from a file that has errors: it may not say what its author meant.
fn has_faulty_rows(table: &Table, faulty: &BTreeSet<Arc<str>>) -> bool {
    faulty.contains(&table.place.file) || table.rows.iter().any(|row| faulty.contains(&row.place.file)) || table.incomplete
}

fn literals(cell: &Cell) -> &[tables::Literal] {
    if let Cell::Members(members) = cell { members } else { &[] }
}

/// Currencies that a column's money is written in.
pub(super) fn cost_currencies(table: &Table, column: usize) -> Vec<Currency> {
    let declared = match table.columns[column].measure.figure {
        Figure::Money(currency) => Some(currency),
        Figure::Unit(_) => None,
    };
    let rest = if let Some(Otherwise::Values(values)) = &table.otherwise { values.get(column) } else { None };
    let entries = table.rows.iter().filter_map(|row| row.values.get(column)).chain(rest);
    let mut currencies: Vec<Currency> = entries.filter_map(|entry| entry.currency).chain(declared).collect();
    currencies.sort_unstable();
    currencies.dedup();
    currencies
}

/// Currencies that a table's bands are written in.
pub(super) fn band_currencies(table: &Table) -> Vec<Currency> {
    let bands = table.rows.iter().flat_map(|row| &row.cells);
    let mut currencies: Vec<Currency> = bands
        .filter_map(|cell| match cell {
            Cell::Band(band) => band.currency,
            _ => None,
        })
        .collect();
    currencies.sort_unstable();
    currencies.dedup();
    currencies
}
