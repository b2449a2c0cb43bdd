//! Finds where a function's name and parameters stand in the text of a script.

use crate::rules::diagnostic::Span;

/// Where a function's name and parameters stand in the text; the AST keeps neither.
pub(super) struct Header<'a> {
    pub name: Span,
    text: &'a str,
    /// Byte range of the parameter list.
    params: std::ops::Range<usize>,
}

impl<'a> Header<'a> {
    /// The header of the function of that name and number of parameters, or of that name at least.
    pub fn find(text: &'a str, name: &str, arity: usize) -> Self {
        let mut found = Self { name: Span::default(), text, params: 0..0 };
        for (start, _) in text.match_indices(name) {
            let before = text[..start].trim_end();
            let after = &text[start + name.len()..];
            let spaces = after.len() - after.trim_start().len();
            // asked last: it looks through the whole line
            let in_comment = || text[..start].rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with("//"));
            if before.ends_with("fn") && before.len() < start && after.trim_start().starts_with('(') && !in_comment() {
                let open = start + name.len() + spaces;
                let close = text[open..].find(')').map_or(text.len(), |length| open + length);
                let header = Self { name: span_of(text, start, name.chars().count()), text, params: open..close };
                if header.arity() == arity {
                    return header;
                }
                found = header;
            }
        }
        found
    }

    fn arity(&self) -> usize {
        let list = self.text[self.params.clone()].trim_start_matches('(');
        list.split(',').filter(|param| !param.trim().is_empty()).count()
    }

    pub fn param(&self, name: &str) -> Span {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let list = &self.text[self.params.clone()];
        list.match_indices(name)
            .find(|(start, _)| {
                !list[..*start].chars().next_back().is_some_and(is_word) && !list[start + name.len()..].chars().next().is_some_and(is_word)
            })
            .map_or(self.name, |(start, _)| span_of(self.text, self.params.start + start, name.chars().count()))
    }
}

fn span_of(text: &str, start: usize, length: usize) -> Span {
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Span { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1, length }
}

/// The parameters of the last function that begins on or before a line.
pub(super) fn params_before(text: &str, line: usize) -> Vec<&str> {
    let mut end = 0;
    for written in text.split_inclusive('\n').take(line) {
        end += written.len();
    }
    let Some(start) = text[..end].rfind("fn ") else { return Vec::new() };
    let list = text[start..].split_once('(').and_then(|(_, rest)| rest.split_once(')')).map_or("", |(list, _)| list);
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
}

/// The text with the function that a line belongs to blanked out, description and all, so that the others stay where they are.
pub(super) fn without_function(text: &str, line: usize) -> Option<String> {
    let begins = |line: &str| line.starts_with("fn ") || line.starts_with("private fn ");
    let describes = |line: &str| line.starts_with("///");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let head = (0..line.min(lines.len())).rev().find(|index| begins(lines[*index]))?;
    let end = lines[head + 1..].iter().position(|line| begins(line) || describes(line)).map_or(lines.len(), |length| head + 1 + length);
    // a description without a function below it is a fault of its own
    let start = (0..head).rev().take_while(|index| describes(lines[*index])).last().unwrap_or(head);
    let blank = |(index, line): (usize, &&str)| if (start..end).contains(&index) { "\n".to_owned() } else { (*line).to_owned() };
    Some(lines.iter().enumerate().map(blank).collect())
}
