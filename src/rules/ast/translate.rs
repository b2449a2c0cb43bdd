//! Turns the body of a function from Rhai's AST into a tree of our own, and reports what rules do without.

use std::{collections::BTreeMap, sync::Arc};

use rhai::{AST, ASTFlags, ASTNode, Dynamic, Expr as RhaiExpr, FnCallExpr, Position, Stmt, SwitchCasesCollection};

use super::{Signature, faults};
use crate::rules::{
    diagnostic::{Place, Sink, Span},
    tree::{Binary, Case, Chain, Expr, ExprKind, Host, Literal, Local, Unary},
};

/// The statements of the AST's only function; `walk` is the one public way to a body.
pub(super) fn statements(single: &AST) -> Vec<Stmt> {
    let mut statements = Vec::new();
    single.walk(&mut |path: &[ASTNode<'_>]| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push((*statement).clone());
        }
        true
    });
    statements
}

/// Translates one function.
pub(super) struct Translator<'a> {
    pub file: &'a Arc<str>,
    /// All functions of the file, in the order of the script.
    pub signatures: &'a [Signature],
    pub sink: &'a Sink,
    /// Names in scope, innermost last.
    scope: Vec<Local>,
    slots: usize,
}

impl<'a> Translator<'a> {
    pub fn new(file: &'a Arc<str>, signatures: &'a [Signature], sink: &'a Sink) -> Self {
        Self { file, signatures, sink, scope: Vec::new(), slots: 0 }
    }

    /// The body as one block, and the number of locals, parameters among them.
    pub fn function(mut self, params: &[&str], statements: &[Stmt]) -> (Expr, usize) {
        for name in params {
            self.declare(name);
        }
        let body = self.block(statements, Position::NONE);
        (body, self.slots)
    }

    fn declare(&mut self, name: &str) -> Local {
        let local = Local { slot: self.slots, name: name.into() };
        self.slots += 1;
        self.scope.push(local.clone());
        local
    }

    fn block(&mut self, statements: &[Stmt], position: Position) -> Expr {
        let outside = self.scope.len();
        let mut inner: Vec<Expr> = statements.iter().map(|statement| self.statement(statement)).collect();
        self.scope.truncate(outside);
        match inner.pop() {
            Some(only) if inner.is_empty() && !matches!(only.kind, ExprKind::Let { .. }) => only,
            Some(last) => {
                let span = last.span;
                inner.push(last);
                Expr { kind: ExprKind::Block(inner), span }
            }
            None => Expr { kind: ExprKind::Block(inner), span: span(position, 1) },
        }
    }

    fn statement(&mut self, statement: &Stmt) -> Expr {
        match statement {
            Stmt::Expr(expr) => self.expr(expr),
            Stmt::FnCall(call, position) => self.call(call, *position),
            Stmt::Block(block) => self.block(block.statements(), block.position()),
            Stmt::Noop(position) => self.block(&[], *position),
            Stmt::If(flow, position) => {
                let condition = Box::new(self.expr(&flow.expr));
                let then = Box::new(self.block(flow.body.statements(), flow.body.position()));
                let otherwise = (!flow.branch.is_empty()).then(|| Box::new(self.block(flow.branch.statements(), flow.branch.position())));
                Expr { kind: ExprKind::If { condition, then, otherwise }, span: span(*position, 2) }
            }
            Stmt::Switch(switch, position) => self.switch(&switch.0, &switch.1, *position),
            Stmt::Var(definition, _, position) => {
                let value = Box::new(self.expr(&definition.1));
                let local = self.declare(&definition.0.name);
                Expr { kind: ExprKind::Let { local, value }, span: span(*position, 3) }
            }
            Stmt::Return(value, flags, position) => {
                let value = value.as_deref().map(|value| Box::new(self.expr(value)));
                let thrown = flags.contains(ASTFlags::BREAK);
                let kind = if thrown { ExprKind::Throw(value) } else { ExprKind::Return(value) };
                Expr { kind, span: span(*position, if thrown { 5 } else { 6 }) }
            }
            Stmt::Assignment(assignment) => self.unsupported("an assignment", assignment.0.position()),
            other => self.unsupported("a loop or another statement of this kind", other.position()),
        }
    }

    fn expr(&mut self, expr: &RhaiExpr) -> Expr {
        let position = expr.position();
        match expr {
            RhaiExpr::Variable(variable, _, position) => {
                let name = variable.1.as_str();
                // strict variables: a name that is not in scope did not compile
                let Some(local) = self.scope.iter().rev().find(|local| &*local.name == name).cloned() else {
                    return self.unsupported("a name from outside of the function", *position);
                };
                Expr { span: span(*position, name.chars().count()), kind: ExprKind::Local(local) }
            }
            RhaiExpr::FnCall(call, position) => self.call(call, *position),
            RhaiExpr::And(operands, position) => self.chain(Chain::And, operands, *position),
            RhaiExpr::Or(operands, position) => self.chain(Chain::Or, operands, *position),
            RhaiExpr::Coalesce(operands, position) => self.chain(Chain::Coalesce, operands, *position),
            RhaiExpr::Stmt(block) => self.block(block.statements(), block.position()),
            RhaiExpr::InterpolatedString(..) => self.unsupported("a text with values inside", position),
            RhaiExpr::Array(..) => self.unsupported("an array", position),
            RhaiExpr::Map(..) => self.unsupported("an object map", position),
            RhaiExpr::Index(..) => self.unsupported("an index", position),
            RhaiExpr::Dot(..) | RhaiExpr::MethodCall(..) | RhaiExpr::Property(..) => self.unsupported("a method or property", position),
            RhaiExpr::DynamicConstant(..)
            | RhaiExpr::BoolConstant(..)
            | RhaiExpr::IntegerConstant(..)
            | RhaiExpr::StringConstant(..)
            | RhaiExpr::Unit(..) => match expr.get_literal_value(None).as_ref().and_then(literal) {
                Some(literal) => {
                    let length = literal.to_string().chars().count();
                    Expr { kind: ExprKind::Literal(literal), span: span(position, length) }
                }
                None => self.unsupported("a value that no fact can have", position),
            },
            _ => self.unsupported("an expression of this kind", position),
        }
    }

    fn chain(&mut self, operator: Chain, operands: &[RhaiExpr], position: Position) -> Expr {
        let operands = operands.iter().map(|operand| self.expr(operand)).collect();
        Expr { kind: ExprKind::Chain { operator, operands }, span: span(position, 2) }
    }

    fn switch(&mut self, subject: &RhaiExpr, written: &SwitchCasesCollection, position: Position) -> Expr {
        let subject = Box::new(self.expr(subject));
        let guarded = written.expressions.iter().any(|case| !matches!(case.lhs, RhaiExpr::BoolConstant(true, _)));
        if guarded || !written.ranges.is_empty() {
            return self.unsupported("a switch case with a condition or a range", position);
        }
        // a label that stands twice belongs to the first case that has it
        let mut labels: BTreeMap<usize, Vec<Literal>> = BTreeMap::new();
        for case in written.cases.values() {
            let (Some(label), Some(first)) = (literal(&case.value), case.blocks.first()) else {
                return self.unsupported("a switch label that no fact can have", position);
            };
            labels.entry(*first).or_default().push(label);
        }
        let mut cases = Vec::with_capacity(labels.len());
        for (index, mut labels) in labels {
            labels.sort();
            if let Some(case) = written.expressions.get(index) {
                cases.push(Case { labels, body: self.expr(&case.rhs) });
            }
        }
        let default = written.def_case.and_then(|index| written.expressions.get(index)).map(|case| Box::new(self.expr(&case.rhs)));
        Expr { kind: ExprKind::Switch { subject, cases, default }, span: span(position, 6) }
    }

    fn call(&mut self, call: &FnCallExpr, position: Position) -> Expr {
        let name = call.name.as_str();
        let mut arguments: Vec<Expr> = call.args.iter().map(|argument| self.expr(argument)).collect();
        let here = span(position, name.chars().count());
        if call.op_token.is_some() {
            let kind = match (arguments.pop(), arguments.pop()) {
                (Some(operand), None) => Unary::find(name).map(|operator| ExprKind::Unary { operator, operand: Box::new(operand) }),
                (Some(right), Some(left)) => {
                    Binary::find(name).map(|operator| ExprKind::Binary { operator, left: Box::new(left), right: Box::new(right) })
                }
                (None, _) => None,
            };
            return match kind {
                Some(kind) => Expr { kind, span: here },
                None => self.unsupported("an operator of this kind", position),
            };
        }
        let helper = self
            .signatures
            .iter()
            .enumerate()
            .find(|(_, function)| function.private && function.name == name && function.params.len() == arguments.len());
        if let Some((function, _)) = helper {
            return Expr { kind: ExprKind::Helper { function, name: name.into(), arguments }, span: here };
        }
        match Host::find(name) {
            Some(function) if function.arity() == arguments.len() => Expr { kind: ExprKind::Host { function, arguments }, span: here },
            _ => {
                let place = Place { file: self.file.clone(), span: here };
                self.sink.report(faults::unknown_call(name, arguments.len(), self.signatures, place));
                Expr { kind: ExprKind::Unsupported("a call of an unknown function"), span: here }
            }
        }
    }

    fn unsupported(&self, what: &'static str, position: Position) -> Expr {
        let span = span(position, 1);
        self.sink.report(faults::unsupported(what, Place { file: self.file.clone(), span }));
        Expr { kind: ExprKind::Unsupported(what), span }
    }
}

fn span(position: Position, length: usize) -> Span {
    Span { line: position.line().unwrap_or(0), column: position.position().unwrap_or(1).max(1), length }
}

fn literal(value: &Dynamic) -> Option<Literal> {
    if value.is_unit() {
        return Some(Literal::Unknown);
    }
    let number = value.as_decimal().map(Literal::Decimal).or_else(|_| value.as_int().map(Literal::Integer));
    let plain = number.or_else(|_| value.as_bool().map(Literal::Bool)).ok();
    plain.or_else(|| value.is_string().then(|| Literal::Text(value.to_string().into())))
}
