//! Streams a CSV with a header, row by row; a bad row is refused with its line and the rest goes on.

use std::io::{self, Read};

use csv::{ErrorKind, ReaderBuilder, StringRecord};

use super::{Body, Emit, Outcome, Row, SourceError};

/// Reads every row and hands the wanted columns to `read`, in the order of `columns`.
///
/// A last line without a line end may be cut off in the middle of a price, and nothing would show it: it is refused.
///
/// # Errors
/// A column that the header lacks, a stream that ends early, or the receiver's error.
pub fn each_row<const N: usize>(
    body: Body,
    columns: [&str; N],
    emit: &mut Emit<'_>,
    mut read: impl FnMut([&str; N]) -> Outcome,
) -> Result<(), SourceError> {
    let stream = LastByte { stream: body.unpacked(), last: None };
    let mut reader = ReaderBuilder::new().buffer_capacity(64 * 1024).from_reader(stream);
    let places = places(reader.headers().map_err(fatal)?, columns)?;

    // One row is held back: only at the end is it known whether it was the last one, and whole.
    let (mut held, mut next, mut holds) = (StringRecord::new(), StringRecord::new(), false);
    loop {
        let line = reader.position().line();
        let more = match reader.read_record(&mut next) {
            Ok(more) => more,
            Err(error) => {
                let refusal = refusal(error, line)?;
                if holds {
                    emit(judged(&held, places, &mut read))?;
                    holds = false;
                }
                emit(refusal)?;
                continue;
            }
        };
        if !more {
            break;
        }
        if holds {
            emit(judged(&held, places, &mut read))?;
        }
        std::mem::swap(&mut held, &mut next);
        holds = true;
    }
    if holds {
        let whole = reader.get_ref().last == Some(b'\n');
        let row = judged(&held, places, &mut read);
        emit(if whole { row } else { Row::new(row.line, Outcome::Refused(CUT_OFF.into())) })?;
    }
    Ok(())
}

const CUT_OFF: &str = "the last line has no line end, so it may be cut off: add one if the file is whole";

/// Where the wanted columns stand.
fn places<const N: usize>(header: &StringRecord, columns: [&str; N]) -> Result<[usize; N], SourceError> {
    let mut places = [0; N];
    for (place, column) in places.iter_mut().zip(columns) {
        *place = header
            .iter()
            .position(|name| name.trim().eq_ignore_ascii_case(column))
            .ok_or_else(|| SourceError::Malformed { line: 1, reason: format!("the header has no column \"{column}\"") })?;
    }
    Ok(places)
}

fn judged<const N: usize>(record: &StringRecord, places: [usize; N], read: &mut impl FnMut([&str; N]) -> Outcome) -> Row {
    let line = record.position().map_or(0, csv::Position::line);
    Row::new(line, read(places.map(|place| record.get(place).unwrap_or_default().trim())))
}

/// A fault of one row; a fault of the stream is the file's.
fn refusal(error: csv::Error, line: u64) -> Result<Row, SourceError> {
    let line = error.position().map_or(line, csv::Position::line);
    let reason = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => format!("{len} fields instead of {expected_len}"),
        ErrorKind::Utf8 { .. } => "not UTF-8 text".into(),
        _ => return Err(fatal(error)),
    };
    Ok(Row::new(line, Outcome::Refused(reason)))
}

fn fatal(error: csv::Error) -> SourceError {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(error) => error.into(),
        other => SourceError::Malformed { line, reason: format!("not a CSV row ({other:?})") },
    }
}

/// Remembers the last byte that was read.
struct LastByte<R> {
    stream: R,
    last: Option<u8>,
}

impl<R: Read> Read for LastByte<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.last = buffer[..count].last().copied().or(self.last);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use chrono::DateTime;

    use super::{super::Input, *};

    fn rows(text: &[u8]) -> Result<Vec<(u64, Outcome)>, SourceError> {
        let body = Input::stream("-", text).unwrap().into_body(DateTime::UNIX_EPOCH);
        let mut rows = Vec::new();
        each_row(
            body,
            ["b", "a"],
            &mut |row| {
                rows.push((row.line, row.outcome));
                Ok(())
            },
            |[b, a]| Outcome::Refused(format!("{a}+{b}")),
        )?;
        Ok(rows)
    }

    fn texts(text: &[u8]) -> Vec<(u64, String)> {
        rows(text)
            .unwrap()
            .into_iter()
            .map(|(line, outcome)| (line, if let Outcome::Refused(text) = outcome { text } else { String::new() }))
            .collect()
    }

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        assert_eq!(texts(b"a,x,b\n1,2,3\n"), [(2, "1+3".to_owned())]);
    }

    #[test]
    fn a_short_row_and_bad_text_are_refused_with_their_lines_and_the_rest_is_read() {
        let read = texts(b"a,b\n1,2\n3\n\xff,4\n5,6\n");
        let expected = [(2, "1+2"), (3, "1 fields instead of 2"), (4, "not UTF-8 text"), (5, "5+6")];
        assert_eq!(read, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn a_last_line_without_its_end_is_not_believed() {
        let read = texts(b"a,b\n1,2\n3,4");
        assert_eq!(read[0].1, "1+2");
        assert_eq!(read[1], (3, CUT_OFF.to_owned()));
    }

    #[test]
    fn a_missing_column_refuses_the_file_and_names_it() {
        assert_eq!(rows(b"a,c\n1,2\n").unwrap_err().to_string(), "line 1: the header has no column \"b\"");
    }
}
