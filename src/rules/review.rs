//! Findings about a pack that loads: gates that never reject, facts that nobody reads, figures that are doubtful or run out.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};

use super::{
    diagnostic::{Code, Diagnostic, Diagnostics, Place, Sink},
    graph::{FactId, Graph, Kind},
    pack::{Gate, Pack},
    params::Parameter,
    tables::{self, Cell, Otherwise, Row, Table},
    tree::Literal,
    value::{Type, Value},
};

/// A figure that ends within so many days is told.
const NOTICE: Days = Days::new(60);

/// Gates whose fact is never true, or was asked before.
pub(super) fn gates(gates: &[Gate], graph: &Graph, sink: &Sink) {
    for (index, gate) in gates.iter().enumerate() {
        let fact = graph.fact(gate.when);
        let earlier = gates[..index].iter().find(|earlier| earlier.when == gate.when);
        let never = fact.possible.as_ref().is_some_and(|possible| !possible.is_empty() && !possible.contains(&Literal::Bool(true)));
        let (message, help) = if let Some(earlier) = earlier {
            let line = earlier.place.span.line;
            let message = format!("this gate never rejects: \"{}\" was asked at line {line}, as {}", fact.name, earlier.reason);
            (message, "delete one of the two, or let it ask another fact")
        } else if never {
            (format!("this gate never rejects: \"{}\" is always false", fact.name), "delete the gate, or mend the fact")
        } else {
            continue;
        };
        sink.report(Diagnostic::new(Code::UnreachableGate, gate.place.clone(), message).with_help(help));
    }
}

/// Formulas, parameters and columns that neither a fact nor `named` uses.
pub(super) fn unread(graph: &Graph, named: &BTreeSet<FactId>, sink: &Sink) {
    let read: BTreeSet<FactId> = graph.facts.iter().flat_map(|fact| &fact.reads).map(|read| read.fact).collect();
    for id in graph.ids().filter(|id| !read.contains(id) && !named.contains(id)) {
        let fact = graph.fact(id);
        if let (Kind::Parameter(_) | Kind::Column { .. } | Kind::Derived { .. }, Some(place)) = (fact.kind, &fact.place) {
            let message = format!("nobody reads the {} \"{}\"", fact.kind.as_str(), fact.name);
            let fault = Diagnostic::new(Code::UnreadFact, place.clone(), message);
            sink.report(fault.with_help("delete it, or name it under `outputs:` in pack.yaml if people or the program read it"));
        }
    }
}

/// Figures that nobody has confirmed, told once a file.
pub(super) fn unverified(parameters: &[Parameter], tables: &[Table], sink: &Sink) {
    let dated = parameters.iter().flat_map(|parameter| &parameter.values).filter_map(|dated| dated.unverified.as_ref());
    let rows = tables.iter().flat_map(|table| &table.rows).filter_map(|row| row.unverified.as_ref());
    let mut files: BTreeMap<&str, Vec<&Place>> = BTreeMap::new();
    for place in dated.chain(rows) {
        files.entry(&place.file).or_default().push(place);
    }
    for mut places in files.into_values() {
        places.sort();
        let count = places.len();
        // the head of a file may say it for all of its rows
        places.dedup();
        let lines: Vec<String> = places.iter().map(|place| place.span.line.to_string()).collect();
        let message = match (count, lines.as_slice()) {
            (1, _) => "a figure of this file is unverified".to_owned(),
            (count, [line]) => format!("{count} figures of this file are unverified, by line {line}"),
            (count, lines) => format!("{count} figures of this file are unverified, at lines {}", lines.join(", ")),
        };
        let Some(first) = places.first() else { continue };
        let fault = Diagnostic::new(Code::UnverifiedFigure, (*first).clone(), message);
        sink.report(fault.with_help("look it up, name its `source:`, and delete `verified: false`"));
    }
}

impl Pack {
    /// Figures that on a day have ended without a successor, are about to, or have not begun.
    pub fn expiring(&self, as_of: NaiveDate) -> Diagnostics {
        let sink = Sink::default();
        for parameter in &self.parameters {
            if let (None, Some(first)) = (parameter.at(as_of), parameter.values.first()) {
                let message = format!("\"{}\" has no value on {as_of}: its first holds from {}", parameter.name, first.from);
                let fault = Diagnostic::new(Code::ExpiringTable, first.begins.clone(), message);
                sink.report(fault.with_help("add the value that holds until then"));
            }
        }
        for table in &self.tables {
            let numeric = |key: &tables::KeyFact| {
                self.graph
                    .id(&key.name)
                    .and_then(|id| self.graph.fact(id).value_type)
                    .is_some_and(|kind| matches!(kind, Type::Decimal | Type::Integer))
            };
            let numeric: Vec<bool> = table.key.iter().map(numeric).collect();
            expiring_rows(table, &numeric, as_of, &sink);
        }
        sink.finish(|file, line| self.source.line(file, line))
    }
}

fn expiring_rows(table: &Table, numeric: &[bool], as_of: NaiveDate, sink: &Sink) {
    let Some(axis) = table.key.iter().position(|key| key.name == "date") else { return };
    // what the table says for all other days is its successor
    if matches!(table.otherwise, Some(Otherwise::Values(_))) {
        return;
    }
    let end_of = |row: &Row| match row.cells.get(axis) {
        Some(Cell::Band(band)) => band.high.and_then(|high| tables::day(high.value)),
        _ => None,
    };
    let notice = as_of.checked_add_days(NOTICE).unwrap_or(NaiveDate::MAX);
    for row in &table.rows {
        let Some(until) = end_of(row).filter(|until| *until <= notice) else { continue };
        let holds_then =
            |other: &Row| other.cells.get(axis).is_some_and(|cell| cell.matches(&Value::Date(until), &mut |_| None) == Some(true));
        let same_key = |other: &Row| {
            let mut pairs = row.cells.iter().zip(&other.cells).zip(numeric).enumerate();
            pairs.all(|(key, ((one, other), numeric))| key == axis || tables::meet(one, other, *numeric))
        };
        if !table.rows.iter().any(|other| holds_then(other) && same_key(other)) {
            let ended = if until <= as_of { "has ended" } else { "ends soon" };
            let message = format!("this row of {} {ended}: it holds until {until}, and no row follows it", table.name);
            let fault = Diagnostic::new(Code::ExpiringTable, row.cell_place(axis).clone(), message);
            sink.report(fault.with_help(format!("add the row that holds `from: {until}`, or take `until` away")));
        }
    }
}
