//! Files as history in memory, for a replay that needs no database.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::files::{ImportError, recognised};
use crate::{
    domain::history::{Builder, History},
    sources::{self, Entry, Input, Outcome, SourceError},
};

/// Reads files of any kind that can be imported, in any order. Rows that are not understood are left out, as in an import.
///
/// # Errors
/// A file that cannot be read, that is of no known kind, or of which nothing is understood.
pub fn read_history(files: &[PathBuf], now: DateTime<Utc>, progress: &dyn Fn(&str)) -> Result<History, ImportError> {
    let fault = |path: &PathBuf| {
        let path = path.clone();
        move |source: SourceError| ImportError::File { path, source }
    };
    let mut known = Vec::new();
    for path in files {
        let (phase, whole) = recognised(path).map_err(fault(path))?;
        known.push((phase, path, whole));
    }
    known.sort_by(|(a, path_a, _), (b, path_b, _)| a.cmp(b).then(path_a.cmp(path_b)));
    let mut builder = Builder::default();
    for (_, path, whole) in known {
        progress(&path.display().to_string());
        let input = whole.map_or_else(|| Input::file(path), Ok).map_err(fault(path))?;
        read(input, now, &mut builder).map_err(fault(path))?;
    }
    Ok(builder.finish())
}

fn read(input: Input, now: DateTime<Utc>, builder: &mut Builder) -> Result<(), SourceError> {
    let format = sources::recognise(input.head())?;
    let (mut understood, mut refused, mut first) = (0_u64, 0, None);
    (format.read)(input.into_body(now), &mut |row| {
        match row.outcome {
            Outcome::Values(entries) => {
                for entry in entries {
                    understood += 1;
                    if let Err(reason) = take(entry, builder) {
                        refused += 1;
                        first.get_or_insert(reason);
                    }
                }
            }
            Outcome::Skipped(_) => {}
            Outcome::Refused(reason) => {
                refused += 1;
                first.get_or_insert(reason);
            }
        }
        Ok(())
    })?;
    match (understood, first) {
        (0, Some(first)) => Err(SourceError::NothingUnderstood { rows: refused, first }),
        _ => Ok(()),
    }
}

fn take(entry: Entry, builder: &mut Builder) -> Result<(), String> {
    match entry {
        Entry::Card(card) => builder.add_card(*card),
        Entry::CardProduct(link) => builder.add_link(&link),
        Entry::Rate(rate) => builder.add_rate(rate),
        Entry::Observation(seen) => return builder.add_imported(&seen).map_err(|error| error.to_string()),
        Entry::Set(set) => builder.add_set(set),
        Entry::Activity(counted) => builder.add_activity(*counted),
        // a list of products says nothing of cards, and what happens around them is flagged live only
        Entry::Product(_) | Entry::Tournament(_) | Entry::Post(_) | Entry::TalkCount(_) => {}
    }
    Ok(())
}
