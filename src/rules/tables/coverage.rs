//! Proves that a table's rows neither overlap nor leave a key uncovered.
//!
//! Every bound of every row cuts its axis into points and open intervals. Within one such atom all rows answer alike,
//! so trying one representative of each atom of each axis is a complete check.

use rust_decimal::Decimal;

use super::{Band, Bound, Cell, Literal, Place, Row, Table, day};
use crate::rules::diagnostic::{Code, Diagnostic, Sink};

/// The values that a key fact can take, as far as its declaration says.
#[derive(Debug, Clone, PartialEq)]
pub enum Axis {
    /// Inclusive range, if the declaration has one.
    Number { min: Option<Decimal>, max: Option<Decimal> },
    /// A closed set.
    Members(Vec<String>),
    /// Any text: the written ones, and one that nobody wrote.
    Text,
    /// Dates, as days.
    Date,
}

/// Combinations beyond which the search for gaps is given up; no shipped table comes near.
const MAX_COMBINATIONS: usize = 500_000;

/// Reports overlapping rows, and keys that no row covers unless the table says `otherwise`.
pub fn check(table: &Table, axes: &[Axis], sink: &Sink) {
    let overlapping = report_overlaps(table, sink);
    if table.otherwise.is_none() && !overlapping {
        report_gap(table, axes, sink);
    }
}

fn report_overlaps(table: &Table, sink: &Sink) -> bool {
    let mut found = false;
    for (index, row) in table.rows.iter().enumerate() {
        for earlier in &table.rows[..index] {
            if row.cells.iter().zip(&earlier.cells).all(|(left, right)| meet(left, right)) {
                found = true;
                // with one key there is no doubt which cell is meant
                let place = if table.key.len() == 1 { row.cell_place(0) } else { &row.place }.clone();
                let message =
                    format!("this row of {} matches keys that the row at line {} matches too", table.name, earlier.place.span.line);
                let fault = Diagnostic::error(Code::TableOverlap, place, message);
                sink.report(
                    fault.with_help(
                        "let each key fall into one row: `below` excludes its bound, `to` includes it, `until` excludes its day",
                    ),
                );
            }
        }
    }
    found
}

/// Whether some value satisfies both cells. Bands in different currencies meet or not by the day's rate: not told.
pub fn meet(left: &Cell, right: &Cell) -> bool {
    match (left, right) {
        (Cell::Any, _) | (_, Cell::Any) => true,
        (Cell::Unknown, other) | (other, Cell::Unknown) => *other == Cell::Unknown,
        (Cell::Members(left), Cell::Members(right)) => left.iter().any(|one| right.iter().any(|other| one.text == other.text)),
        (Cell::Members(members), Cell::Band(band)) | (Cell::Band(band), Cell::Members(members)) => {
            members.iter().filter_map(|member| member.number).any(|number| band.contains(number))
        }
        (Cell::Band(left), Cell::Band(right)) => left.currency == right.currency && bands_meet(left, right),
    }
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
    if combinations > MAX_COMBINATIONS {
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
        Axis::Number { min, max } => numbers(cells, *min, *max, &|number| number.to_string()),
        Axis::Date => numbers(cells, None, None, &|number| day(number).map_or_else(|| number.to_string(), |date| date.to_string())),
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
        .collect();
    cuts.sort();
    cuts.dedup();
    let mut atoms = Vec::new();
    let (Some(first), Some(last)) = (cuts.first().copied(), cuts.last().copied()) else {
        return vec![Atom::Number(Decimal::ZERO, "of any value".into())];
    };
    if min.is_none() {
        atoms.push(Atom::Number(first - Decimal::ONE, format!("below {}", show(first))));
    }
    for (position, cut) in cuts.iter().enumerate() {
        atoms.push(Atom::Number(*cut, format!("= {}", show(*cut))));
        if let Some(next) = cuts.get(position + 1) {
            atoms.push(Atom::Number((cut + next) / Decimal::TWO, format!("between {} and {}", show(*cut), show(*next))));
        }
    }
    if max.is_none() {
        atoms.push(Atom::Number(last + Decimal::ONE, format!("above {}", show(last))));
    }
    atoms
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
        Axis::Number { min: Some(Decimal::ZERO), max: None }
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
}
