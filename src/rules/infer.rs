//! Infers the type, unit and possible values of every formula before anything runs, through every branch and helper.
//!
//! What can't be told stays silent: an untold type or unit fits everything, so a finding is always a real mistake.
//! Units: × and ÷ combine them; + − % min max and comparisons need them equal; zero fits all; any other literal is a
//! plain number, because a figure with a unit belongs into YAML.

mod shape;

use std::{cell::Cell, collections::BTreeSet};

use super::{
    ast::Script,
    diagnostic::{Code, Diagnostic, Place, Sink, Span, nearest},
    tree::{Binary, Case, Chain, Expr, ExprKind, Host, Literal, Unary},
    units::Unit,
    value::Type,
};
pub(super) use shape::{Quantity, Shape, Types};

/// Calls of helpers are followed this deep.
const MAX_HELPER_DEPTH: usize = 8;
/// Expressions looked at for one formula: helpers that call each other many times multiply them. Beyond, nothing is told.
const MAX_STEPS: usize = 20_000;

/// What a function returns for parameters of these shapes. Faults go to `sink`.
pub(super) fn function(script: &Script, index: usize, params: Vec<Shape>, sink: &Sink) -> Shape {
    let budget = Cell::new(MAX_STEPS);
    Inference { script, sink, locals: params, returned: Shape::never(), depth: 0, budget: &budget }.run(index)
}

struct Inference<'a> {
    script: &'a Script,
    sink: &'a Sink,
    /// By slot.
    locals: Vec<Shape>,
    returned: Shape,
    depth: usize,
    budget: &'a Cell<usize>,
}

impl Inference<'_> {
    fn run(mut self, index: usize) -> Shape {
        let Some(function) = self.script.functions.get(index) else { return Shape::untold() };
        self.locals.resize(function.locals.max(self.locals.len()), Shape::untold());
        let body = self.shape(&function.body);
        let returned = std::mem::replace(&mut self.returned, Shape::never());
        self.join(returned, body, function.body.span, "results")
    }

    fn place(&self, span: Span) -> Place {
        Place { file: self.script.file.clone(), span }
    }

    fn report(&self, code: Code, span: Span, message: String, help: impl Into<String>) {
        self.sink.report(Diagnostic::error(code, self.place(span), message).with_help(help));
    }

    fn shape(&mut self, expr: &Expr) -> Shape {
        let Some(left) = self.budget.get().checked_sub(1) else { return Shape::untold() };
        self.budget.set(left);
        match &expr.kind {
            ExprKind::Literal(literal) => Shape::of_literal(literal),
            ExprKind::Local(local) => self.locals.get(local.slot).cloned().unwrap_or_else(Shape::untold),
            ExprKind::Let { local, value } => {
                let shape = self.shape(value);
                if let Some(slot) = self.locals.get_mut(local.slot) {
                    *slot = shape;
                }
                Shape::never()
            }
            ExprKind::Block(inner) => {
                let mut last = Shape::never();
                for expr in inner {
                    last = self.shape(expr);
                }
                last
            }
            ExprKind::If { condition, then, otherwise } => {
                self.truth(condition, "if", expr.span);
                let then = self.shape(then);
                let otherwise = otherwise.as_ref().map_or_else(Shape::never, |otherwise| self.shape(otherwise));
                self.join(then, otherwise, expr.span, "branches")
            }
            ExprKind::Switch { subject, cases, default } => self.switch(expr.span, subject, cases, default.as_deref()),
            ExprKind::Unary { operator: Unary::Not, operand } => self.truth(operand, "!", expr.span).negated(),
            ExprKind::Unary { operator: Unary::Negate, operand } => self.number(operand, "-", expr.span),
            ExprKind::Binary { operator, left, right } => self.binary(expr.span, *operator, left, right),
            ExprKind::Chain { operator: Chain::Coalesce, operands } => {
                let shapes: Vec<Shape> = operands.iter().map(|operand| self.shape(operand)).collect();
                shapes.into_iter().fold(Shape::never(), |so_far, next| self.join(so_far, next, expr.span, "sides of `??`"))
            }
            ExprKind::Chain { operator, operands } => {
                let shapes: Vec<Shape> = operands.iter().map(|operand| self.truth(operand, operator.as_str(), expr.span)).collect();
                Shape::decided(&shapes, *operator == Chain::Or)
            }
            ExprKind::Host { function, arguments } => self.host(expr.span, *function, arguments),
            ExprKind::Helper { function, arguments, .. } => {
                let params = arguments.iter().map(|argument| self.shape(argument)).collect();
                if self.depth >= MAX_HELPER_DEPTH {
                    return Shape::untold();
                }
                let returned = Shape::never();
                Inference { locals: params, returned, depth: self.depth + 1, ..*self }.run(*function)
            }
            ExprKind::Return(value) => {
                let shape = value.as_ref().map_or_else(Shape::never, |value| self.shape(value));
                let so_far = std::mem::replace(&mut self.returned, Shape::never());
                self.returned = self.join(so_far, shape, expr.span, "results");
                Shape::never()
            }
            ExprKind::Throw(value) => {
                if let Some(value) = value {
                    self.shape(value);
                }
                Shape::never()
            }
            ExprKind::Unsupported(_) => Shape::untold(),
        }
    }

    /// What has either of two shapes.
    fn join(&self, left: Shape, right: Shape, span: Span, what: &str) -> Shape {
        if let Some((one, other)) = left.types.conflict(right.types) {
            let message = format!("the {what} are of different types: {one} and {other}");
            self.report(Code::TypeMismatch, span, message, "a fact has one type: let both give the same, or `()` for \"unknown\"");
            return Shape::untold();
        }
        if let (Quantity::Is(one), Quantity::Is(other)) = (left.unit, right.unit)
            && one != other
        {
            let message = format!("the {what} have different units: {} and {}", in_words(one), in_words(other));
            self.report(Code::UnitMismatch, span, message, remedy(one, other));
        }
        left.or(right)
    }

    /// A condition.
    fn truth(&mut self, operand: &Expr, operator: &str, span: Span) -> Shape {
        let shape = self.shape(operand);
        if let Some(found) = shape.types.outside(Types::BOOL) {
            let message = format!("`{operator}` needs true or false, but {} is a {found}", Quoted(operand));
            let compared = if found == Type::Text { "== \"…\"" } else { "> floor" };
            self.report(Code::TypeMismatch, span, message, format!("compare it with something, such as `{operand} {compared}`"));
            return Shape::of_type(Type::Bool);
        }
        shape
    }

    /// An operand of arithmetic.
    fn number(&mut self, operand: &Expr, operator: &str, span: Span) -> Shape {
        let mut shape = self.shape(operand);
        if let Some(found) = shape.types.outside(Types::NUMBER) {
            let message = format!("`{operator}` needs numbers, but {} is a {found}", Quoted(operand));
            let chained = matches!(&operand.kind, ExprKind::Binary { operator, .. } if operator.compares());
            let help = if chained && found == Type::Bool { "compare twice: `low < x && x < high`" } else { type_remedy(found) };
            self.report(Code::TypeMismatch, span, message, help);
            return Shape::untold();
        }
        self.never_unknown(operand, operator, span);
        shape.possible = None;
        shape
    }

    /// Reports a written `()` among the operands: on every card the operation would fail.
    fn never_unknown(&self, operand: &Expr, operator: &str, span: Span) {
        if operand.kind == ExprKind::Literal(Literal::Unknown) {
            self.report(Code::TypeMismatch, span, format!("`{operator}` can't take `()`"), "ask `known(maybe_fact)`");
        }
    }

    fn binary(&mut self, span: Span, operator: Binary, left: &Expr, right: &Expr) -> Shape {
        let sign = operator.as_str();
        match operator {
            Binary::Equal | Binary::Unequal => {
                let (one, other) = (self.shape(left), self.shape(right));
                self.equality(span, sign, (left, &one), (right, &other));
                Shape::of_type(Type::Bool)
            }
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                let (one, other) = (self.number(left, sign, span), self.number(right, sign, span));
                self.same_unit(span, sign, (left, &one), (right, &other));
                Shape::of_type(Type::Bool)
            }
            Binary::Add | Binary::Subtract | Binary::Remainder => {
                let (one, other) = (self.number(left, sign, span), self.number(right, sign, span));
                let unit = self.same_unit(span, sign, (left, &one), (right, &other));
                Shape { types: one.types.arithmetic(other.types), unit, possible: None }
            }
            Binary::Multiply | Binary::Divide => {
                let (one, other) = (self.number(left, sign, span), self.number(right, sign, span));
                if operator == Binary::Multiply {
                    Shape { types: one.types.arithmetic(other.types), unit: one.unit.times(other.unit), possible: None }
                } else {
                    Shape { unit: one.unit.per(other.unit), ..Shape::of_type(Type::Decimal) }
                }
            }
        }
    }

    /// The common unit of two operands, or a report that they have none.
    fn same_unit(&self, span: Span, sign: &str, (left, one): (&Expr, &Shape), (right, other): (&Expr, &Shape)) -> Quantity {
        match (one.unit, other.unit) {
            (Quantity::Any, unit) | (unit, Quantity::Any) => unit,
            (Quantity::Is(one), Quantity::Is(other)) if one != other => {
                let message = format!(
                    "`{sign}` needs the same unit on both sides: {} is {}, {} is {}",
                    Quoted(left),
                    in_words(one),
                    Quoted(right),
                    in_words(other)
                );
                self.report(Code::UnitMismatch, span, message, remedy(one, other));
                Quantity::Untold
            }
            (Quantity::Is(unit), _) | (_, Quantity::Is(unit)) => Quantity::Is(unit),
            (Quantity::Untold, Quantity::Untold) => Quantity::Untold,
        }
    }

    fn equality(&self, span: Span, sign: &str, (left, one): (&Expr, &Shape), (right, other): (&Expr, &Shape)) {
        self.never_unknown(left, sign, span);
        self.never_unknown(right, sign, span);
        if let Some((first, second)) = one.types.conflict(other.types) {
            let message = format!("{} is a {first} and {} a {second}: `{sign}` can't compare them", Quoted(left), Quoted(right));
            self.report(Code::TypeMismatch, span, message, "compare values of the same type");
        } else if one.types == Types::DATE || other.types == Types::DATE {
            self.report(Code::TypeMismatch, span, format!("`{sign}` does not compare dates"), "write `days_between(from, to) == 0`");
        } else {
            self.same_unit(span, sign, (left, one), (right, other));
            for ((subject, shape), written) in [((left, one), right), ((right, other), left)] {
                if let ExprKind::Literal(literal) = &written.kind {
                    self.possible(written.span, subject, shape, literal);
                }
            }
        }
    }

    /// Reports a text that the subject never is.
    fn possible(&self, span: Span, subject: &Expr, shape: &Shape, literal: &Literal) {
        let (Some(possible), Literal::Text(text)) = (&shape.possible, literal) else { return };
        if possible.contains(literal) || shape.types != Types::TEXT {
            return;
        }
        let known: Vec<&str> =
            possible.iter().filter_map(|value| if let Literal::Text(text) = value { Some(&**text) } else { None }).collect();
        let help = match nearest(text, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("it can be {}", known.join(", ")),
        };
        self.report(Code::BadValue, span, format!("{} is never \"{text}\"", Quoted(subject)), help);
    }

    fn switch(&mut self, span: Span, subject: &Expr, cases: &[Case], default: Option<&Expr>) -> Shape {
        let asked = self.shape(subject);
        let mut joined = Shape::never();
        for case in cases {
            for label in &case.labels {
                let shape = Shape::of_literal(label);
                // labels have no place in the AST, so the caret stands under what they are compared with
                if !asked.types.is_untold() && !asked.types.is_empty() && !asked.types.contains(shape.types) {
                    let message = format!("{} is a {}, which is never the {} {label}", Quoted(subject), asked.types, shape.types);
                    self.report(Code::TypeMismatch, subject.span, message, "a label has the type of what it is compared with");
                } else {
                    self.possible(subject.span, subject, &asked, label);
                }
            }
            let body = self.shape(&case.body);
            joined = self.join(joined, body, span, "cases");
        }
        match default {
            Some(default) => {
                let body = self.shape(default);
                self.join(joined, body, span, "cases")
            }
            None => joined,
        }
    }

    fn host(&mut self, span: Span, function: Host, arguments: &[Expr]) -> Shape {
        let name = function.as_str();
        match (function, arguments) {
            (Host::Known, [operand]) => {
                self.shape(operand);
                Shape::of_type(Type::Bool)
            }
            (Host::DaysBetween, [from, to]) => {
                for operand in [from, to] {
                    if let Some(found) = self.shape(operand).types.outside(Types::DATE) {
                        let message = format!("`{name}` needs dates, but {} is a {found}", Quoted(operand));
                        self.report(Code::TypeMismatch, span, message, "take a fact that is a date, such as `date`");
                    }
                }
                Shape { unit: Quantity::Is(Unit::DAYS), ..Shape::of_type(Type::Integer) }
            }
            (Host::Min | Host::Max, [left, right]) => {
                let (one, other) = (self.number(left, name, span), self.number(right, name, span));
                let unit = self.same_unit(span, name, (left, &one), (right, &other));
                Shape { types: one.types.arithmetic(other.types), unit, possible: None }
            }
            (Host::Ratio, [left, right, places]) => {
                let (one, other) = (self.number(left, name, span), self.number(right, name, span));
                self.number(places, name, span);
                Shape { unit: one.unit.per(other.unit), ..Shape::of_type(Type::Decimal) }
            }
            (Host::Abs | Host::Floor, [operand]) => self.number(operand, name, span),
            (Host::Cents | Host::RoundHalfUp, [operand, places @ ..]) => {
                for places in places {
                    self.number(places, name, span);
                }
                Shape { unit: self.number(operand, name, span).unit, ..Shape::of_type(Type::Decimal) }
            }
            _ => Shape::untold(),
        }
    }
}

/// An expression as a message quotes it: not more than fits a line.
struct Quoted<'e>(&'e Expr);

impl std::fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        match text.char_indices().nth(60) {
            Some((end, _)) => write!(f, "`{}…`", &text[..end]),
            None => write!(f, "`{text}`"),
        }
    }
}

/// A unit as a message tells it.
pub(super) fn in_words(unit: Unit) -> String {
    match unit.to_string().as_str() {
        "ratio" => "a plain number".to_owned(),
        role @ ("buy" | "sell" | "home") => format!("in {role} money"),
        other => format!("in {other}"),
    }
}

/// How two figures of these units can be brought together.
fn remedy(one: Unit, other: Unit) -> &'static str {
    let both: BTreeSet<String> = [one.to_string(), other.to_string()].into();
    let has = |name: &str| both.contains(name);
    if has("days") && has("hours") {
        "bring both to days, or both to hours"
    } else if (has("buy") || has("sell")) && (has("home") || has("sell")) {
        "bring both into home money: `buy_price * cost_rate`, `sell_price * proceeds_rate`"
    } else if has("ratio") {
        "a figure with a unit belongs into params/ or tables/ with `unit:`; a share must be multiplied with what it is a share of"
    } else {
        "convert one side, or leave out a factor that does not belong here"
    }
}

fn type_remedy(found: Type) -> &'static str {
    match found {
        Type::Date => "dates allow `days_between(from, to)` only",
        Type::Text => "texts allow `==` and `!=` only",
        Type::Bool => "write `if condition { number } else { number }`",
        Type::Decimal | Type::Integer => "take a fact of another type",
    }
}

#[cfg(test)]
mod tests;
