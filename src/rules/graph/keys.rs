//! Checks a table's key cells against the facts that they are compared with, and finds the currencies a table needs.

use super::Graph;
use crate::{
    domain::money::Currency,
    rules::{
        diagnostic::{Code, Diagnostic, Sink, nearest},
        facts::{Domain, Input},
        graph::Kind,
        params::Figure,
        tables::{self, Axis, Cell, Table},
        value::Type,
    },
};

impl Graph {
    /// Reports key cells that can never match, overlaps and gaps.
    pub(super) fn check_table(&self, index: usize, table: &Table, sink: &Sink) {
        let axes: Vec<Axis> = (0..table.key.len()).map(|key| self.axis(table, key)).collect();
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
                    let fault =
                        Diagnostic::error(Code::BadValue, member.place.clone(), format!("{} is never \"{}\"", fact.name, member.text));
                    sink.report(fault.with_help(help));
                }
            }
        }
        // the columns of a table whose name clashes are not its own, and a key that does not exist has no axis
        let complete = table.key.iter().all(|key| self.id(&key.name).is_some());
        let owned = self.facts.iter().any(|fact| matches!(fact.kind, Kind::Column { table, .. } if table == index));
        if complete && owned {
            tables::check(table, &axes, sink);
        }
    }

    fn axis(&self, table: &Table, key: usize) -> Axis {
        let fact = self.id(&table.key[key].name).map(|id| self.fact(id));
        let banded = table.rows.iter().any(|row| matches!(row.cells.get(key), Some(Cell::Band(_))));
        match fact.map(|fact| (fact.kind, fact.value_type)) {
            Some((Kind::Input(Input { domain: Domain::Enum(members), .. }), _)) => {
                Axis::Members(members.iter().map(|member| (*member).to_owned()).collect())
            }
            Some((Kind::Input(Input { domain: Domain::Decimal { min, max, .. } | Domain::Integer { min, max }, .. }), _)) => {
                Axis::Number { min: Some((*min).into()), max: Some((*max).into()) }
            }
            Some((_, Some(Type::Bool))) => Axis::Members(vec!["false".into(), "true".into()]),
            Some((_, Some(Type::Date))) => Axis::Date,
            Some((_, Some(Type::Decimal | Type::Integer))) => Axis::Number { min: None, max: None },
            Some((_, None)) if banded => Axis::Number { min: None, max: None },
            _ => Axis::Text,
        }
    }
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
    let mut currencies: Vec<Currency> = table.rows.iter().filter_map(|row| row.values.get(column)?.currency).chain(declared).collect();
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
