//! Thresholds: comparisons in formulas and bounds of table bands, each to be met from below, exactly and from above.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use rust_decimal::Decimal;

use super::{Item, Threshold, place};
use crate::{
    domain::money::Currency,
    rules::{
        diagnostic::Place,
        interpret::Evaluation,
        pack::Pack,
        tables::{self, Cell, Otherwise, Row, Table, day, ordinal},
        tree::{Binary, Expr, ExprKind},
        value::Value,
    },
};

const SIDES: [Ordering; 3] = [Ordering::Less, Ordering::Equal, Ordering::Greater];

/// Whether a comparison has sides worth trying: one against zero, or a name against a bare number, guards against what
/// cannot be.
pub(super) fn is_threshold(expr: &Expr) -> bool {
    let ExprKind::Binary { operator, left, right } = &expr.kind else { return false };
    let is_literal = |expr: &Expr| matches!(expr.kind, ExprKind::Literal(_));
    let is_name = |expr: &Expr| matches!(expr.kind, ExprKind::Local(_));
    let is_zero = |expr: &Expr| matches!(&expr.kind, ExprKind::Literal(literal) if literal.number().is_some_and(|number| number.is_zero()));
    let guards = [(left, right), (right, left)].into_iter().any(|(one, other)| is_zero(one) || is_literal(one) && is_name(other));
    matches!(operator, Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual) && !guards
}

/// A bound of a band.
type Bound = (Decimal, Option<Currency>);

fn bounds(cell: &Cell) -> Vec<Bound> {
    match cell {
        Cell::Band(band) => [band.low, band.high].into_iter().flatten().map(|bound| (bound.value, band.currency)).collect(),
        Cell::Any | Cell::Unknown | Cell::Members(_) => Vec::new(),
    }
}

/// Where one band ends and no other begins, the table answers nothing: a figure that holds since ever has no threshold.
fn decides(table: &Table, key: usize, (value, currency): Bound) -> bool {
    let bands = || {
        table.rows.iter().filter_map(|row| match row.cells.get(key) {
            Some(Cell::Band(band)) if band.currency == currency => Some(band),
            _ => None,
        })
    };
    let is_it = |bound: Option<tables::Bound>| bound.is_some_and(|bound| bound.value == value);
    bands().any(|band| is_it(band.low)) && bands().any(|band| is_it(band.high)) || matches!(table.otherwise, Some(Otherwise::Values(_)))
}

/// Every side of every threshold of a pack.
pub(super) fn all(pack: &Pack, all: &mut BTreeMap<Item, (String, Place)>) {
    for (index, script) in pack.scripts.iter().enumerate() {
        for function in &script.functions {
            function.body.walk(&mut |expr| {
                if is_threshold(expr) {
                    let threshold = Threshold::Comparison(index, expr.span);
                    add(all, &threshold, &format!("{}: `{expr}`", function.name), &place(script, expr));
                }
            });
        }
    }
    for (index, table) in pack.tables.iter().enumerate() {
        for row in &table.rows {
            for (key, cell) in row.cells.iter().enumerate() {
                for (value, currency) in bounds(cell).into_iter().filter(|bound| decides(table, key, *bound)) {
                    let threshold = Threshold::Bound { table: index, key, value, currency };
                    let name = table.key.get(key).map_or("", |fact| fact.name.as_str());
                    let shown = if name == "date" { day(value).map(|day| day.to_string()) } else { None };
                    let shown = shown.unwrap_or_else(|| value.to_string());
                    let money = currency.map(|currency| format!(" {currency}")).unwrap_or_default();
                    add(all, &threshold, &format!("{}: {name} at {shown}{money}", table.name), row.cell_place(key));
                }
            }
        }
    }
}

fn add(all: &mut BTreeMap<Item, (String, Place)>, threshold: &Threshold, what: &str, place: &Place) {
    for side in SIDES {
        let words = match side {
            Ordering::Less => "from below",
            Ordering::Equal => "exactly",
            Ordering::Greater => "from above",
        };
        let item = Item::Side(threshold.clone(), side);
        all.entry(item).or_insert_with(|| (format!("{what}, {words}"), place.clone()));
    }
}

/// The sides that an evaluation has met of the bounds of a table that it asked.
pub(super) fn reached(evaluation: &mut Evaluation<'_>, index: usize, found: &mut BTreeSet<Item>) {
    let pack = evaluation.pack();
    let table = &pack.tables[index];
    let key: Vec<Value> =
        table.key.iter().map(|fact| pack.graph.id(&fact.name).and_then(|id| evaluation.known(id)).unwrap_or_default()).collect();
    for row in &table.rows {
        for (position, cell) in row.cells.iter().enumerate() {
            let Some(number) = key.get(position).and_then(ordinal) else { continue };
            if bounds(cell).is_empty() || !others_match(evaluation, row, &key, position) {
                continue;
            }
            for (value, currency) in bounds(cell) {
                let rate = currency.map_or(Some(Decimal::ONE), |currency| evaluation.market_rate(currency));
                let Some(bound) = rate.and_then(|rate| value.checked_mul(rate)) else { continue };
                found.insert(Item::Side(Threshold::Bound { table: index, key: position, value, currency }, number.cmp(&bound)));
            }
        }
    }
}

/// Whether the rest of a row is meant by the key, so that this bound is what matters.
fn others_match(evaluation: &mut Evaluation<'_>, row: &Row, key: &[Value], position: usize) -> bool {
    let mut cells = row.cells.iter().zip(key).enumerate().filter(|(index, _)| *index != position);
    cells.all(|(_, (cell, value))| cell.matches(value, &mut |currency| evaluation.market_rate(currency)).unwrap_or(false))
}
