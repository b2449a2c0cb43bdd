//! Proves that a table's rows neither overlap nor leave a key uncovered.
//!
//! Every bound of every row cuts its axis into points and open intervals. Within one such atom all rows answer alike,
//! so trying one representative of each atom of each axis is a complete check.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::{Band, Bound, Cell, Literal, Place, Row, Table, day};
use crate::rules::diagnostic::{Code, Diagnostic, Sink};

/// The values that a key fact can take, as far as its declaration says.
#[derive(Debug, Clone, PartialEq)]
pub enum Axis {
    /// Inclusive range, if the declaration has one; `whole` numbers have nothing between 1 and 2.
    Number { min: Option<Decimal>, max: Option<Decimal>, whole: bool },
    /// A closed set.
    Members(Vec<String>),
    /// Any text: the written ones, and one that nobody wrote.
    Text,
    /// Dates, as days.
    Date,
}

/// Rows times combinations beyond which the search for gaps is given up; no shipped table comes near.
const MAX_STEPS: usize = 20_000_000;
/// Rows of one table, and values written in its keys; every row is compared with every other.
const MAX_ROWS: usize = 2_000;
const MAX_KEY_VALUES: usize = 20_000;

/// Reports overlapping rows, and keys that no row covers unless the table says `otherwise`.
pub fn check(table: &Table, axes: &[Axis], sink: &Sink) {
    let values = table.rows.iter().flat_map(|row| &row.cells).map(|cell| members_of(cell).len()).sum::<usize>();
    if table.rows.len() > MAX_ROWS || values > MAX_KEY_VALUES {
        let message = format!("{} has more than {MAX_ROWS} rows or {MAX_KEY_VALUES} values in its keys", table.name);
        sink.report(Diagnostic::error(Code::TooLarge, table.place.clone(), message).with_help("split it by a key"));
        return;
    }
    let overlapping = report_overlaps(table, axes, sink);
    if table.otherwise.is_none() && !overlapping {
        report_gap(table, axes, sink);
    }
}

/// Reports each row that an earlier one overlaps. Of two files that say the same, the first such row stands for all.
fn report_overlaps(table: &Table, axes: &[Axis], sink: &Sink) -> bool {
    let numeric = |key: usize| matches!(axes.get(key), Some(Axis::Number { .. }));
    let mut found = false;
    let mut told = BTreeSet::new();
    for (index, row) in table.rows.iter().enumerate() {
        let meets =
            |earlier: &&Row| row.cells.iter().zip(&earlier.cells).enumerate().all(|(key, (one, other))| meet(one, other, numeric(key)));
        let Some(earlier) = table.rows[..index].iter().find(meets) else { continue };
        found = true;
        let same_file = row.place.file == earlier.place.file;
        if sink.is_full() || (!same_file && !told.insert((&row.place.file, &earlier.place.file))) {
            continue;
        }
        // with one key there is no doubt which cell is meant
        let place = if table.key.len() == 1 { row.cell_place(0) } else { &row.place }.clone();
        let at = if same_file { format!("line {}", earlier.place.span.line) } else { earlier.place.to_string() };
        let by_rate = row.cells.iter().zip(&earlier.cells).any(|(one, other)| currencies_differ(one, other));
        let (matches, help) = if by_rate {
            ("may match", "write the bands of both rows in one currency: which of them holds would depend on the day's rate")
        } else {
            ("matches", "let each key fall into one row: `below` excludes its bound, `to` includes it, `until` excludes its day")
        };
        let message = format!("this row of {} {matches} keys that the row at {at} matches too", table.name);
        sink.report(Diagnostic::error(Code::TableOverlap, place, message).with_help(help));
    }
    found
}

/// Whether some value satisfies both cells; `numeric` if 1 and 1.0 are the same. Bands in different currencies meet or
/// not by the day's rate: taken to meet.
pub fn meet(left: &Cell, right: &Cell, numeric: bool) -> bool {
    match (left, right) {
        (Cell::Any, _) | (_, Cell::Any) => true,
        (Cell::Unknown, other) | (other, Cell::Unknown) => *other == Cell::Unknown,
        (Cell::Members(left), Cell::Members(right)) => {
            let same = |one: &Literal, other: &Literal| if numeric { one.number == other.number } else { one.text == other.text };
            left.iter().any(|one| right.iter().any(|other| same(one, other)))
        }
        (Cell::Members(members), Cell::Band(band)) | (Cell::Band(band), Cell::Members(members)) => {
            members.iter().filter_map(|member| member.number).any(|number| band.contains(number))
        }
        (Cell::Band(one), Cell::Band(other)) => currencies_differ(left, right) || bands_meet(one, other),
    }
}

fn currencies_differ(left: &Cell, right: &Cell) -> bool {
    matches!((left, right), (Cell::Band(one), Cell::Band(other)) if one.currency != other.currency)
}

/// Whether some number of the inclusive range satisfies the cell. Bands in a currency depend on the day's rate: taken to be.
pub fn reachable(cell: &Cell, min: Option<Decimal>, max: Option<Decimal>, whole: bool) -> bool {
    let inclusive = |value: Option<Decimal>| value.map(|value| Bound { value, inclusive: true });
    let range = Band { low: inclusive(min), high: inclusive(max), currency: None };
    match cell {
        Cell::Any | Cell::Unknown | Cell::Band(Band { currency: Some(_), .. }) => true,
        // texts are told elsewhere
        Cell::Members(members) => {
            members.is_empty() || members.iter().any(|member| member.number.is_none_or(|number| range.contains(number)))
        }
        Cell::Band(band) => {
            let first = band.low.map(|low| {
                let next = low.value.floor() + Decimal::ONE;
                if low.inclusive && low.value.fract().is_zero() { low.value } else { next }
            });
            bands_meet(band, &range) && (!whole || first.is_none_or(|first| Band { low: None, ..*band }.contains(first)))
        }
    }
}

fn bands_meet(left: &Band, right: &Band) -> bool {
    let below = |one: &Band, other: &Band| match (one.high, other.low) {
        (Some(high), Some(low)) => high.value < low.value || (high.value == low.value && !(high.inclusive && low.inclusive)),
        _ => false,
    };
    !below(left, right) && !below(right, left)
}

/// One representative of an atom: what to compare with, and how to name it.
#[derive(Debug, Clone)]
enum Atom {
    Number(Decimal, String),
    Text(String),
}

fn report_gap(table: &Table, axes: &[Axis], sink: &Sink) {
    let atoms: Vec<Vec<Atom>> = axes.iter().enumerate().map(|(index, axis)| atoms_of(table, index, axis)).collect();
    let combinations = atoms.iter().map(Vec::len).try_fold(1_usize, usize::checked_mul).unwrap_or(usize::MAX);
    if combinations.saturating_mul(table.rows.len().max(1)) > MAX_STEPS {
        let fault = Diagnostic::error(Code::TableGap, table.place.clone(), format!("{} is too large to be proved complete", table.name));
        sink.report(fault.with_help("say what holds where no row matches: `otherwise: unknown`, or a mapping of columns"));
        return;
    }
    for combination in 0..combinations {
        let mut rest = combination;
        let positions: Vec<usize> = atoms
            .iter()
            .map(|axis| {
                let position = rest % axis.len();
                rest /= axis.len();
                position
            })
            .collect();
        if row_at(table, &atoms, &positions).is_none() {
            let chosen = positions.iter().zip(&atoms).filter_map(|(position, axis)| axis.get(*position));
            let key: Vec<String> = table.key.iter().zip(chosen).map(|(fact, atom)| format!("{} {}", fact.name, atom.name())).collect();
            let place = neighbour(table, &atoms, &positions);
            let fault = Diagnostic::error(Code::TableGap, place, format!("no row of {} covers {}", table.name, key.join(", ")));
            sink.report(fault.with_help("widen a row's band, add a row, or say `otherwise: unknown`"));
            return;
        }
    }
}

/// The row that covers one atom of each axis.
fn row_at<'t>(table: &'t Table, atoms: &[Vec<Atom>], positions: &[usize]) -> Option<&'t Row> {
    table.rows.iter().find(|row| {
        let axes = row.cells.iter().zip(atoms).zip(positions);
        axes.into_iter().all(|((cell, axis), position)| axis.get(*position).is_some_and(|atom| covers(cell, atom)))
    })
}

/// Where a gap is best shown: at the row just before it, else just after it, else where the rows begin.
fn neighbour(table: &Table, atoms: &[Vec<Atom>], gap: &[usize]) -> Place {
    let step = |axis: usize, position: usize| {
        let mut positions = gap.to_vec();
        positions[axis] = position;
        row_at(table, atoms, &positions).map(|row| row.cell_place(axis).clone())
    };
    let numeric = |axis: &usize| matches!(atoms[*axis].first(), Some(Atom::Number(..)));
    let before = (0..gap.len()).filter(numeric).find_map(|axis| step(axis, gap[axis].checked_sub(1)?));
    let after = || (0..gap.len()).filter(numeric).find_map(|axis| (gap[axis] + 1..atoms[axis].len()).find_map(|next| step(axis, next)));
    before.or_else(after).unwrap_or_else(|| table.place.clone())
}

fn atoms_of(table: &Table, index: usize, axis: &Axis) -> Vec<Atom> {
    let cells = table.rows.iter().filter_map(|row| row.cells.get(index));
    match axis {
        Axis::Members(members) => members.iter().cloned().map(Atom::Text).collect(),
        Axis::Text => {
            let mut texts: Vec<String> = cells.flat_map(members_of).map(|member| member.text.clone()).collect();
            texts.sort();
            texts.dedup();
            texts.push("anything else".to_owned());
            texts.into_iter().map(Atom::Text).collect()
        }
        Axis::Number { min, max, whole } => numbers(cells, *min, *max, *whole, &|number| number.to_string()),
        Axis::Date => numbers(cells, None, None, true, &|number| day(number).map_or_else(|| number.to_string(), |date| date.to_string())),
    }
}

fn members_of(cell: &Cell) -> &[Literal] {
    if let Cell::Members(members) = cell { members } else { &[] }
}

/// Points and open intervals that the bounds cut a number axis into, within the declared range.
fn numbers<'a>(
    cells: impl Iterator<Item = &'a Cell>,
    min: Option<Decimal>,
    max: Option<Decimal>,
    whole: bool,
    show: &dyn Fn(Decimal) -> String,
) -> Vec<Atom> {
    let mut cuts: Vec<Decimal> = cells
        .flat_map(|cell| match cell {
            Cell::Band(band) => [band.low, band.high].into_iter().flatten().map(|bound| bound.value).collect(),
            cell => members_of(cell).iter().filter_map(|member| member.number).collect::<Vec<_>>(),
        })
        .chain(min)
        .chain(max)
        .filter(|cut| min.is_none_or(|min| *cut >= min) && max.is_none_or(|max| *cut <= max))
        // a bound between two whole numbers cuts between them, as they do themselves
        .flat_map(|cut| if whole { [cut.floor(), cut.ceil()] } else { [cut, cut] })
        .collect();
    cuts.sort();
    cuts.dedup();
    let mut atoms = Vec::new();
    let (Some(first), Some(last)) = (cuts.first().copied(), cuts.last().copied()) else {
        return vec![Atom::Number(Decimal::ZERO, "of any value".into())];
    };
    if min.is_none() {
        atoms.extend(first.checked_sub(Decimal::ONE).map(|below| Atom::Number(below, format!("below {}", show(first)))));
    }
    for (position, cut) in cuts.iter().enumerate() {
        atoms.push(Atom::Number(*cut, format!("= {}", show(*cut))));
        if let Some(next) = cuts.get(position + 1) {
            atoms.extend(
                between(*cut, *next, whole).map(|middle| Atom::Number(middle, format!("between {} and {}", show(*cut), show(*next)))),
            );
        }
    }
    if max.is_none() {
        atoms.extend(last.checked_add(Decimal::ONE).map(|above| Atom::Number(above, format!("above {}", show(last)))));
    }
    atoms
}

/// A number strictly between two; `None` if none lies there.
fn between(low: Decimal, high: Decimal, whole: bool) -> Option<Decimal> {
    let middle = if whole { low.checked_add(Decimal::ONE)? } else { (low / Decimal::TWO).checked_add(high / Decimal::TWO)? };
    (low < middle && middle < high).then_some(middle)
}

impl Atom {
    fn name(&self) -> String {
        match self {
            Self::Number(_, name) => name.clone(),
            Self::Text(text) => format!("= {text}"),
        }
    }
}

fn covers(cell: &Cell, atom: &Atom) -> bool {
    match (cell, atom) {
        (Cell::Any, _) => true,
        (Cell::Members(members), Atom::Text(text)) => members.iter().any(|member| member.text == *text),
        (Cell::Members(members), Atom::Number(number, _)) => members.iter().any(|member| member.number == Some(*number)),
        (Cell::Band(band), Atom::Number(number, _)) => band.contains(*number),
        (Cell::Unknown, _) | (Cell::Band(_), Atom::Text(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::rules::{tables, yaml};

    fn faults(rows: &str, axes: &[Axis]) -> Vec<(Code, String)> {
        let sink = Sink::default();
        let key = if axes.len() == 2 { "[age, zone]" } else { "[age]" };
        let text = format!("table: t\nkey: {key}\ncolumns: {{ m: {{ type: decimal }} }}\nrows:\n{rows}");
        let root = yaml::parse(&"tables/t.yaml".into(), &text, &sink).unwrap();
        let table = tables::read(&root, &[].into(), &mut [].into(), &sink).unwrap();
        check(&table, axes, &sink);
        sink.finish(|_, _| None).0.into_iter().map(|fault| (fault.code, fault.message)).collect()
    }

    fn hours() -> Axis {
        Axis::Number { min: Some(Decimal::ZERO), max: None, whole: false }
    }

    #[test]
    fn bands_that_touch_without_gap_or_overlap_pass() {
        let rows = "  - { age: { below: \"1\" }, m: \"1\" }\n  - { age: { from: \"1\", to: \"4\" }, m: \"1\" }\n  - { age: { above: \"4\" }, m: \"1\" }\n";
        assert_eq!(faults(rows, &[hours()]), []);
    }

    #[test]
    fn a_missing_point_and_a_missing_stretch_are_named() {
        let point = "  - { age: { below: \"1\" }, m: \"1\" }\n  - { age: { above: \"1\" }, m: \"1\" }\n";
        assert_eq!(faults(point, &[hours()]), [(Code::TableGap, "no row of t covers age = 1".into())]);
        let stretch = "  - { age: { below: \"1\" }, m: \"1\" }\n  - { age: { from: \"2\" }, m: \"1\" }\n";
        assert_eq!(faults(stretch, &[hours()])[0].1, "no row of t covers age = 1");
        let end = "  - { age: { to: \"1\" }, m: \"1\" }\n";
        assert_eq!(faults(end, &[hours()])[0].1, "no row of t covers age above 1");
    }

    #[test]
    fn a_shared_bound_is_an_overlap() {
        let rows = "  - { age: { to: \"1\" }, m: \"1\" }\n  - { age: { from: \"1\" }, m: \"1\" }\n";
        assert_eq!(faults(rows, &[hours()])[0].0, Code::TableOverlap);
    }

    #[test]
    fn two_axes_are_covered_together() {
        let zones = Axis::Members(vec!["EU".into(), "US".into()]);
        let rows = "  - { age: { below: \"1\" }, zone: any, m: \"1\" }\n  - { age: { from: \"1\" }, zone: EU, m: \"1\" }\n";
        assert_eq!(faults(rows, &[hours(), zones])[0].1, "no row of t covers age = 1, zone = US");
    }

    #[test]
    fn whole_numbers_have_nothing_between_them() {
        let whole = || Axis::Number { min: Some(Decimal::ZERO), max: Some(Decimal::from(9)), whole: true };
        let rows = "  - { age: { to: \"2\" }, m: \"1\" }\n  - { age: { from: \"3\", below: \"4.5\" }, m: \"1\" }\n  - { age: { from: \"5\" }, m: \"1\" }\n";
        assert_eq!(faults(rows, &[whole()]), []);
        assert_eq!(faults(rows, &[hours()])[0].1, "no row of t covers age between 2 and 3");
        let gap = "  - { age: { to: \"2\" }, m: \"1\" }\n  - { age: { from: \"5\" }, m: \"1\" }\n";
        assert_eq!(faults(gap, &[whole()])[0].1, "no row of t covers age between 2 and 5");
    }

    #[test]
    fn numbers_that_are_written_differently_are_one_key_and_texts_are_not() {
        let rows = "  - { age: \"1\", m: \"1\" }\n  - { age: \"1.0\", m: \"1\" }\n  - { age: any, m: \"1\" }\n";
        assert_eq!(faults(rows, &[hours()]).len(), 2);
        assert_eq!(faults(rows, &[Axis::Text]).len(), 1);
    }

    #[test]
    fn bands_in_different_currencies_are_not_trusted_to_keep_apart() {
        let rows = "  - { age: { to: \"10\", currency: EUR }, m: \"1\" }\n  - { age: { above: \"10\" }, m: \"1\" }\n";
        assert_eq!(
            faults(rows, &[hours()]),
            [(Code::TableOverlap, "this row of t may match keys that the row at line 5 matches too".into())]
        );
        let apart = "  - { age: { to: \"10\", currency: EUR }, zone: EU, m: \"1\" }\n  - { age: { above: \"10\", currency: EUR }, zone: EU, m: \"1\" }\n  - { age: { to: \"8\", currency: GBP }, zone: UK, m: \"1\" }\n  - { age: { above: \"8\", currency: GBP }, zone: UK, m: \"1\" }\n";
        assert_eq!(faults(apart, &[hours(), Axis::Members(vec!["EU".into(), "UK".into()])]), []);
    }
}
