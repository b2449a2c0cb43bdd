//! What can be wrong with a formula by itself: parameters without use, fallbacks that are never taken, literals, no description.

use std::collections::BTreeSet;

use rust_decimal::Decimal;

use super::{
    ast::{Function, Script},
    diagnostic::{Code, Diagnostic, Place, Sink, Span},
    tree::{Chain, Expr, ExprKind, Host},
};

/// Numbers that formulas may hold: nothing, the whole, and what makes a percentage of it.
const FREE: [i64; 3] = [0, 1, 100];

/// Reports what is wrong with each function of a script.
pub(super) fn check(script: &Script, sink: &Sink) {
    for function in &script.functions {
        unused_parameters(function, sink);
        literals(script, function, sink);
        if !function.private {
            needless_fallbacks(script, function, sink);
            if function.doc.is_empty() {
                let fault = Diagnostic::new(Code::MissingDoc, function.place.clone(), format!("\"{}\" has no description", function.name));
                sink.report(fault.with_help("write a line `/// What it tells.` above it: explanations quote it"));
            }
        }
    }
}

fn unused_parameters(function: &Function, sink: &Sink) {
    let mut used = BTreeSet::new();
    let mut complete = true;
    function.body.walk(&mut |expr| match &expr.kind {
        ExprKind::Local(local) => drop(used.insert(local.slot)),
        ExprKind::Unsupported(_) => complete = false,
        _ => {}
    });
    // what could not be read may use them
    for (_, param) in function.params.iter().enumerate().filter(|(slot, _)| complete && !used.contains(slot)) {
        let message = format!("\"{}\" does not use its parameter \"{}\"", function.name, param.name);
        let fault = Diagnostic::error(Code::UnusedParameter, param.place.clone(), message);
        sink.report(fault.with_help("delete it: the fact would be unknown whenever the unused one is"));
    }
}

/// `known` and `??` about a parameter without which the function does not run.
fn needless_fallbacks(script: &Script, function: &Function, sink: &Sink) {
    let plain = |expr: &Expr| match &expr.kind {
        ExprKind::Local(local) => function.params.get(local.slot).filter(|param| !param.maybe),
        _ => None,
    };
    function.body.walk(&mut |expr| {
        let (asked, asking): (&[Expr], &str) = match &expr.kind {
            ExprKind::Chain { operator: Chain::Coalesce, operands } => (&operands[..operands.len().saturating_sub(1)], "??"),
            ExprKind::Host { function: Host::Known, arguments } => (arguments, "known"),
            _ => return,
        };
        for param in asked.iter().filter_map(plain) {
            let message = format!("`{asking}` asks about \"{}\", but without it \"{}\" is not run at all", param.name, function.name);
            let place = Place { file: script.file.clone(), span: expr.span };
            let fault = Diagnostic::error(Code::MissingMaybe, place, message);
            sink.report(fault.with_help(format!("call the parameter `maybe_{}`, in the list and wherever it is used", param.name)));
        }
    });
}

fn literals(script: &Script, function: &Function, sink: &Sink) {
    let report = |number: Decimal, span: Span| {
        if !FREE.map(Decimal::from).contains(&number) {
            let place = Place { file: script.file.clone(), span };
            let fault = Diagnostic::new(Code::LiteralInScript, place, format!("the number {number} stands in a formula"));
            sink.report(fault.with_help("put it into params/ with unit, date and source, and take it as a parameter"));
        }
    };
    let mut places = BTreeSet::new();
    function.body.walk(&mut |expr| match &expr.kind {
        // how many decimal places are kept is no figure
        ExprKind::Host { function, arguments } => {
            places.extend(function.places().and_then(|index| arguments.get(index)).map(|argument| argument.span));
        }
        ExprKind::Literal(literal) if !places.contains(&expr.span) => {
            if let Some(number) = literal.number() {
                report(number, expr.span);
            }
        }
        ExprKind::Switch { subject, cases, .. } => {
            for number in cases.iter().flat_map(|case| &case.labels).filter_map(super::tree::Literal::number) {
                report(number, subject.span);
            }
        }
        _ => {}
    });
}
