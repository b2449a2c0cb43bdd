//! Faults in formulas: a comparison that takes its edge the wrong way or is turned round, `&&` for `||`.

use super::{Edit, Mutant};
use crate::rules::{
    diagnostic::Place,
    pack::Pack,
    tree::{Binary, Chain, Expr, ExprKind},
};

pub(super) fn mutants(pack: &Pack) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for script in &pack.scripts {
        for function in &script.functions {
            function.body.walk(&mut |expr| {
                for (from, to) in flips(expr) {
                    mutants.push(Mutant {
                        what: format!("{}: `{to}` for `{from}` in `{expr}`", function.name),
                        place: Place { file: script.file.clone(), span: expr.span },
                        edits: vec![Edit { span: expr.span, from: from.to_owned(), to: to.to_owned() }],
                    });
                }
            });
        }
    }
    mutants
}

fn flips(expr: &Expr) -> Vec<(&'static str, &'static str)> {
    match &expr.kind {
        ExprKind::Binary { operator, .. } => match operator {
            Binary::Less => vec![("<", "<="), ("<", ">")],
            Binary::LessOrEqual => vec![("<=", "<"), ("<=", ">=")],
            Binary::Greater => vec![(">", ">="), (">", "<")],
            Binary::GreaterOrEqual => vec![(">=", ">"), (">=", "<=")],
            Binary::Equal => vec![("==", "!=")],
            Binary::Unequal => vec![("!=", "==")],
            _ => Vec::new(),
        },
        // of a longer chain only one operator has a place
        ExprKind::Chain { operator, operands } if operands.len() == 2 => match operator {
            Chain::And => vec![("&&", "||")],
            Chain::Or => vec![("||", "&&")],
            Chain::Coalesce => Vec::new(),
        },
        _ => Vec::new(),
    }
}
