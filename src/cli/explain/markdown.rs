//! A reply to a tenant as Markdown.

use std::fmt::Write as _;

use crate::scan::explain::{
    CardReport, StoredReport,
    reply::{self, Paragraph},
};

pub fn card(report: &CardReport) -> String {
    written(&reply::card(report))
}

pub fn stored(report: &StoredReport) -> String {
    written(&reply::stored(report))
}

fn written(said: &[Paragraph]) -> String {
    said.iter().map(paragraph).collect::<Vec<_>>().join("\n")
}

fn paragraph(paragraph: &Paragraph) -> String {
    match paragraph {
        Paragraph::Title(text) => format!("**{}**\n", escaped(text)),
        Paragraph::Text(text) => format!("{}\n", escaped(text)),
        Paragraph::Aside(text) => format!("*{}*\n", escaped(text)),
        Paragraph::List(items) => items.iter().fold(String::new(), |mut text, item| {
            let _ = writeln!(text, "- {}", escaped(item));
            text
        }),
        Paragraph::Sum { unit, rows } => {
            let mut text = format!("| | {} |\n|---|---:|\n", escaped(unit));
            for (sign, what, amount) in rows {
                let _ = writeln!(text, "| {sign}{} | {} |", escaped(what), escaped(amount));
            }
            text
        }
    }
}

/// Text that no reader of Markdown takes for markup.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '!' => {
                safe.push('\\');
                safe.push(letter);
            }
            // a line of its own could begin a list, a heading or a table
            letter if letter.is_control() => safe.push(' '),
            letter => safe.push(letter),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_card_is_called_cannot_become_markup() {
        assert_eq!(escaped("Pikachu_*[x](http://y)`|\n# <b>"), "Pikachu\\_\\*\\[x\\](http://y)\\`\\| \\# \\<b\\>");
    }
}
