//! What an import says about each file.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    sources::{Outcome, Row},
    store::Written,
};

/// Lines that are shown of each reason.
const EXAMPLES: usize = 3;
/// A foreign file may give every row a reason of its own.
const REASONS: usize = 100;

/// Why rows were refused, with the first places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    pub reason: String,
    pub rows: u64,
    /// `line 17`, or `2025-10-09/3/604/prices line 2`.
    pub examples: Vec<String>,
}

/// One file's account. `read = values + skipped + refused` in rows; `stored`, `changed` and `unchanged` count the values
/// in them, of which a row may hold several.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FileReport {
    pub file: String,
    /// The format's name, where it was recognised.
    pub kind: Option<&'static str>,
    pub read: u64,
    pub stored: u64,
    pub changed: u64,
    pub unchanged: u64,
    /// Good rows with nothing to store, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    pub refused: Vec<Refusal>,
    pub refused_rows: u64,
    /// Prices of a live feed that wait for a second one to confirm them.
    #[serde(skip_serializing_if = "is_none")]
    pub set_apart: u64,
    /// Price series that moved to their product because of this file.
    pub rekeyed: u64,
    /// Why nothing of the file was stored.
    pub refused_whole: Option<String>,
    #[serde(serialize_with = "seconds")]
    pub took: Duration,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
const fn is_none(count: &u64) -> bool {
    *count == 0
}

fn seconds<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}.{:03}", took.as_secs(), took.subsec_millis()))
}

impl FileReport {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// Counts a row.
    pub(super) fn count(&mut self, row: &Row) {
        self.read += 1;
        match &row.outcome {
            Outcome::Values(_) => {}
            Outcome::Skipped(reason) => *self.skipped.entry(reason).or_default() += 1,
            Outcome::Refused(reason) => self.refuse(reason, row),
        }
    }

    fn refuse(&mut self, reason: &str, row: &Row) {
        const OTHERS: &str = "other reasons";
        self.refused_rows += 1;
        let reason = if self.refused.len() < REASONS || self.refused.iter().any(|known| known.reason == reason) { reason } else { OTHERS };
        let place = self.refused.iter().position(|known| known.reason == reason).unwrap_or_else(|| {
            self.refused.push(Refusal { reason: reason.to_owned(), rows: 0, examples: Vec::new() });
            self.refused.len() - 1
        });
        let known = &mut self.refused[place];
        known.rows += 1;
        if known.examples.len() < EXAMPLES {
            let member = row.member.as_ref().map(|member| format!("{member} ")).unwrap_or_default();
            known.examples.push(format!("{member}line {}", row.line));
        }
    }

    pub(super) const fn store(&mut self, written: Written) {
        self.stored = written.new;
        self.changed = written.changed;
        self.unchanged = written.unchanged;
    }

    /// Adds what a later part of the same told.
    pub(super) fn add(&mut self, part: &Self) {
        self.read += part.read;
        self.stored += part.stored;
        self.changed += part.changed;
        self.unchanged += part.unchanged;
        self.set_apart += part.set_apart;
        self.rekeyed += part.rekeyed;
        self.refused_rows += part.refused_rows;
        self.took += part.took;
        for (reason, rows) in &part.skipped {
            *self.skipped.entry(reason).or_default() += rows;
        }
        for refusal in &part.refused {
            match self.refused.iter_mut().find(|known| known.reason == refusal.reason) {
                Some(known) => known.rows += refusal.rows,
                None => self.refused.push(refusal.clone()),
            }
        }
        self.refused.truncate(REASONS);
    }

    /// Nothing of the file is in the database.
    pub(super) fn refuse_whole(&mut self, reason: String) {
        self.refused_whole = Some(reason);
        self.store(Written::default());
        self.rekeyed = 0;
    }

    /// Rows that brought values.
    pub(super) fn values(&self) -> u64 {
        self.read - self.refused_rows - self.skipped.values().sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_bad_rows_of_one_reason_are_one_line_with_three_examples() {
        let mut report = FileReport::new("f");
        for line in 2..1002 {
            report.count(&Row::new(line, Outcome::Refused("bad".into())));
        }
        let expected = Refusal { reason: "bad".into(), rows: 1000, examples: ["line 2", "line 3", "line 4"].map(str::to_owned).into() };
        assert_eq!(report.refused, [expected]);
        assert_eq!((report.read, report.values()), (1000, 0));
    }

    #[test]
    fn a_foreign_file_cannot_fill_the_memory_with_reasons() {
        let mut report = FileReport::new("f");
        for line in 0..10_000 {
            report.count(&Row::new(line, Outcome::Refused(format!("bad {line}"))));
        }
        assert_eq!((report.refused.len(), report.refused_rows), (REASONS + 1, 10_000));
    }
}
