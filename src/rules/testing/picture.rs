//! A formula on one line with each value under the letter where it begins.

use std::collections::HashMap;

use super::walk::{self, Watch};
use crate::rules::{
    ast::Function,
    diagnostic::Span,
    graph::{FactId, Kind},
    interpret::Evaluation,
    tree::{Expr, ExprKind},
    value::Value,
};

/// A longer formula is told by its trace alone.
const LONGEST: usize = 160;

/// The values that expressions had, by where they stand.
#[derive(Debug, Default)]
pub struct Seen(HashMap<Span, Value>);

impl Watch for Seen {
    fn value(&mut self, expr: &Expr, value: &Value) {
        self.0.insert(expr.span, value.clone());
    }
}

/// The formula of a fact, drawn; nothing for a fact that no formula computes, or whose formula is too long to be read so.
pub fn of_fact(evaluation: &mut Evaluation<'_>, id: FactId) -> Vec<String> {
    let pack = evaluation.pack();
    let Kind::Derived { script, function } = pack.graph.fact(id).kind else { return Vec::new() };
    let script = &pack.scripts[script];
    let rule = &script.functions[function];
    // a formula that lacked something has not run, and its trace says what
    let Some(arguments) = walk::arguments(evaluation, id) else { return Vec::new() };
    let mut seen = Seen::default();
    // a fault is told by the fact itself
    let _ = walk::run(script, function, arguments, &mut seen);
    draw(rule, &seen)
}

/// Statement by statement.
fn draw(rule: &Function, seen: &Seen) -> Vec<String> {
    match &rule.body.kind {
        ExprKind::Block(statements) => statements.iter().flat_map(|inner| statement("", inner, seen)).collect(),
        _ => statement(&format!("{} = ", rule.name), &rule.body, seen),
    }
}

/// One expression with what it met; nothing where the line would be too long to be read so.
pub fn statement(before: &str, statement: &Expr, seen: &Seen) -> Vec<String> {
    let line = format!("{before}{statement}");
    if line.chars().count() > LONGEST {
        return Vec::new();
    }
    let mut marks = Vec::new();
    let mut from = before.len();
    statement.walk(&mut |expr| {
        let ExprKind::Local(local) = &expr.kind else { return };
        // in the order of the text, each name where it stands next
        let Some(at) = find_word(&line, &local.name, from) else { return };
        from = at + local.name.len();
        // what was not reached has no value
        if let Some(value) = seen.0.get(&expr.span) {
            marks.push((line[..at].chars().count(), value.to_string()));
        }
    });
    let mut lines = vec![line];
    lines.extend(under(&marks));
    lines
}

fn find_word(line: &str, word: &str, from: usize) -> Option<usize> {
    let is_letter = |letter: char| letter.is_alphanumeric() || letter == '_';
    line.get(from..)?
        .match_indices(word)
        .map(|(at, _)| from + at)
        .find(|at| !line[..*at].ends_with(is_letter) && !line[at + word.len()..].starts_with(is_letter))
}

/// A row of bars, then the values, each on the lowest line where it does not run into another.
fn under(marks: &[(usize, String)]) -> Vec<String> {
    let put = |line: &mut String, column: usize, text: &str| {
        let length = line.chars().count();
        line.extend(std::iter::repeat_n(' ', column.saturating_sub(length)));
        line.push_str(text);
    };
    let mut open: Vec<&(usize, String)> = marks.iter().collect();
    let mut lines = Vec::new();
    if !open.is_empty() {
        let mut bars = String::new();
        for (column, _) in &open {
            put(&mut bars, *column, "|");
        }
        lines.push(bars);
    }
    while !open.is_empty() {
        let (mut line, mut left) = (String::new(), Vec::new());
        // from the right, a value is written where it does not reach the next one
        let mut end = usize::MAX;
        let mut written = Vec::new();
        for mark in open.iter().rev() {
            let (column, text) = mark;
            if column.saturating_add(text.chars().count() + 1) <= end {
                written.push((*column, text.as_str()));
            } else {
                left.push(*mark);
                written.push((*column, "|"));
            }
            end = *column;
        }
        for (column, text) in written.into_iter().rev() {
            put(&mut line, column, text);
        }
        lines.push(line);
        left.reverse();
        open = left;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_under_their_names_and_long_ones_on_lines_of_their_own() {
        let marks = [(0, "1.00".to_owned()), (3, "2".to_owned()), (6, "3.5".to_owned())];
        assert_eq!(under(&marks), ["|  |  |", "|  2  3.5", "1.00"]);
        assert_eq!(under(&[]), Vec::<String>::new());
    }

    #[test]
    fn a_name_is_found_as_a_whole_word() {
        assert_eq!(find_word("cost_rate * cost", "cost", 0), Some(12));
        assert_eq!(find_word("cost_rate", "cost", 0), None);
    }
}
