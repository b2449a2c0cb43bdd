//! How an explanation is laid out on a terminal: colours, aligned columns, lines broken under their first word.

use std::fmt::Write as _;

use crate::rules::explain::Answer;

/// Columns that a line may have.
const WIDTH: usize = 120;

/// Colours, on a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    pub fn of(terminal: bool) -> Self {
        Self(terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()))
    }

    pub fn with(self, code: &str, text: &str) -> String {
        if self.0 && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub fn dim(self, text: &str) -> String {
        self.with("2", text)
    }

    pub fn answer(self, answer: &Answer, text: &str) -> String {
        match answer {
            Answer::Passed => self.with("32", text),
            Answer::NotAsked => self.dim(text),
            _ => self.with("31", text),
        }
    }
}

/// Rows with aligned columns; those in `right` stand to the right.
pub fn columns(rows: &[Vec<String>], right: &[usize]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, width))| if right.contains(&column) { format!("{cell:>width$}") } else { format!("{cell:<width$}") })
            .collect();
        let _ = writeln!(text, "  {}", cells.join("  ").trim_end());
    }
    text
}

/// Parts behind a start, broken where the line would be too long; later lines stand under the first part.
pub fn wrapped(start: &str, parts: &[&str], between: &str) -> String {
    let indent = start.chars().count();
    let (mut text, mut at) = (start.to_owned(), indent);
    for (position, part) in parts.iter().enumerate() {
        let separator = if position + 1 == parts.len() { "" } else { between };
        let length = part.chars().count() + separator.len();
        if at > indent && at + length > WIDTH {
            text.truncate(text.trim_end().len());
            let _ = write!(text, "\n{}", " ".repeat(indent));
            at = indent;
        }
        let _ = write!(text, "{part}{separator}");
        at += length;
    }
    text.trim_end().to_owned()
}
