//! Takes a JSON file apart into its rows, each still its own text with its line, so that one bad row spoils no other.
//!
//! The whole text is held, within a limit: only so is it known before the first row is stored that the file is complete.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Emit, Outcome, Row, SourceError};

/// Cardmarket's price guide has 13 MB; all of pokemontcg.io with prices about 60.
pub const LIMIT: u64 = 256 * 1024 * 1024;

/// Reads a document; the fault of an incomplete one says so.
///
/// # Errors
/// A text that is not JSON of this shape.
pub fn document<'a, T: Deserialize<'a>>(content: &'a [u8]) -> Result<T, SourceError> {
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(content);
    serde_json::from_slice(content).map_err(|error| {
        if error.is_eof() {
            SourceError::Truncated(error.to_string())
        } else {
            SourceError::Malformed { line: error.line() as u64, reason: format!("unexpected JSON ({error})") }
        }
    })
}

/// Judges every row of an array that borrows from `content`; a row may hold several things, each judged by itself.
///
/// # Errors
/// The receiver's error.
pub fn each_row<'a, T: Deserialize<'a>>(
    content: &[u8],
    rows: &[&'a RawValue],
    emit: &mut Emit<'_>,
    mut read: impl FnMut(T) -> Vec<Outcome>,
) -> Result<(), SourceError> {
    let start = content.as_ptr() as usize;
    let (mut line, mut counted) = (1, 0);
    for raw in rows {
        let offset = (raw.get().as_ptr() as usize).saturating_sub(start).min(content.len());
        line += content[counted..offset].split(|byte| *byte == b'\n').count() as u64 - 1;
        counted = offset;
        let outcomes = match serde_json::from_str(raw.get()) {
            Ok(row) => read(row),
            Err(error) => vec![Outcome::Refused(unexpected(&error))],
        };
        for outcome in outcomes {
            emit(Row::new(line, outcome))?;
        }
    }
    Ok(())
}

/// What is wrong with a row's JSON; the position within the row would be taken for one in the file.
pub fn unexpected(error: &serde_json::Error) -> String {
    let text = error.to_string();
    format!("unexpected JSON ({})", text.rsplit_once(" at line ").map_or(text.as_str(), |(fault, _)| fault))
}

/// `[…]`, `{"data": […]}` or `{"data": {…}}`, as pokemontcg.io and its dumps write lists.
pub fn listed(content: &[u8]) -> Result<Vec<&RawValue>, SourceError> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        #[serde(borrow)]
        data: &'a RawValue,
    }
    let first = content.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'[') || content.starts_with(b"\xef\xbb\xbf") {
        return document(content);
    }
    let data = document::<Envelope<'_>>(content)?.data;
    if data.get().starts_with('{') { Ok(vec![data]) } else { document(data.get().as_bytes()) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn every_row_knows_its_line_and_a_bad_one_stands_alone() {
        #[derive(Deserialize)]
        struct Thing {
            id: u8,
        }
        let content = b"{\"data\": [\n{\"id\": 1},\n\n{\"id\": \"x\"},\n{\"id\": 3}]}";
        let mut seen = Vec::new();
        let rows = listed(content).unwrap();
        each_row(
            content,
            &rows,
            &mut |row| {
                seen.push((row.line, matches!(row.outcome, Outcome::Skipped(_))));
                Ok(())
            },
            |thing: Thing| vec![if thing.id > 0 { Outcome::Skipped("fine") } else { Outcome::Refused("zero".into()) }],
        )
        .unwrap();
        assert_eq!(seen, [(2, true), (4, false), (5, true)]);
    }

    #[test]
    fn an_unfinished_array_is_called_cut_off() {
        assert!(matches!(listed(b"[{\"id\": 1},"), Err(SourceError::Truncated(_))));
        assert!(matches!(listed(b"[{\"id\": 1}] <html>"), Err(SourceError::Malformed { .. })));
    }

    #[test]
    fn one_object_under_data_is_a_list_of_one() {
        assert_eq!(listed(b"{\"data\": {\"id\": 1}}").unwrap().len(), 1);
    }
}
