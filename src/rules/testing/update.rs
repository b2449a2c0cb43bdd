//! Writes what came out in place of what was expected: for figures that changed on purpose.
//!
//! Verdicts, reasons, types and flags are decisions, which nobody changes by the way: they stay failures.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{Failure, Outcome};
use crate::rules::diagnostic::Place;

/// Files with their new text, and how many expectations changed.
#[derive(Debug, Default)]
pub struct Update {
    pub files: BTreeMap<Arc<str>, String>,
    pub changed: usize,
    /// Failures that are left.
    pub left: usize,
}

/// What the test files would be if they expected what came out.
pub fn update(tests: &BTreeMap<Arc<str>, Arc<str>>, outcome: &Outcome) -> Update {
    let mut wanted: BTreeMap<&Place, BTreeSet<Option<&str>>> = BTreeMap::new();
    let failures: Vec<&Failure> = outcome.failed().flat_map(|ran| &ran.failures).collect();
    for failure in &failures {
        wanted.entry(&failure.place).or_default().insert(failure.written.as_deref());
    }
    let mut update = Update::default();
    // from the end, so that places before an edit stay where they are
    for (place, values) in wanted.into_iter().rev() {
        let mut values = values.into_iter();
        let text = update.files.get(&place.file).cloned().or_else(|| tests.get(&place.file).map(ToString::to_string));
        let edited = match (values.next().flatten(), values.next()) {
            // one expectation that several rows share and that came out differently has no new value
            (Some(value), None) => text.and_then(|text| replaced(&text, place, value)),
            _ => None,
        };
        match edited {
            Some(text) => {
                update.files.insert(place.file.clone(), text);
                update.changed += 1;
            }
            None => update.left += failures.iter().filter(|failure| failure.place == *place).count(),
        }
    }
    update
}

fn replaced(text: &str, place: &Place, value: &str) -> Option<String> {
    let start_of_line: usize = text.split_inclusive('\n').take(place.span.line.checked_sub(1)?).map(str::len).sum();
    let line = text[start_of_line..].split('\n').next()?;
    let at = |column: usize| line.char_indices().map(|(at, _)| at).chain([line.len()]).nth(column);
    let start = at(place.span.column.checked_sub(1)?)?;
    let end = at(place.span.column - 1 + place.span.length)?;
    // the parser counts blanks behind a quoted text to it
    let end = start + line[start..end].trim_end().len();
    Some(format!("{}{value}{}", &text[..start_of_line + start], &text[start_of_line + end..]))
}
