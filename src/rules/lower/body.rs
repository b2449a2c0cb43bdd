//! Lowers the body of one function: every branch is computed, and conditions say which one counts.
//!
//! What would be an error in the interpreter becomes a condition under which the fact is faulty. An
//! expression is strict, so an error in it counts only where control would have come to it: on its `path`.

use std::cell::{Cell, RefCell};

use rhai::Engine;

use super::{
    dag::{Dag, NodeId, Op},
    refusal::{Refusal, Why},
    texts::Texts,
    value::{Kind, Number, Shape, Value},
};
use crate::rules::{
    ast::Function,
    diagnostic::Span,
    tree::{Binary, Expr, ExprKind, Literal, Unary},
};

/// Helpers are followed this deep; the interpreter's own limit is not far above.
const MAX_DEPTH: usize = 12;
/// Steps that the interpreter counts for one expression at most: as statement, operand, call, and body of a function.
const STEPS: u64 = 8;

/// What the functions of a file are lowered with.
pub struct Script<'a> {
    pub texts: &'a Texts,
    /// All functions of the file; helpers are found by position.
    pub functions: &'a [Function],
    limits: Limits,
    /// Where the quotients stand that were not rounded when they were made.
    quotients: RefCell<Vec<(Shape, Span)>>,
}

/// What the interpreter stops at with an error. Formulas that might come near are its own.
struct Limits {
    depth: usize,
    names: usize,
    /// Steps that are left, if every branch were taken.
    steps: Cell<u64>,
}

impl<'a> Script<'a> {
    pub const fn new(texts: &'a Texts, functions: &'a [Function], engine: &Engine) -> Self {
        let depth = engine.max_call_levels();
        let depth = if depth < MAX_DEPTH { depth } else { MAX_DEPTH };
        let limits = Limits { depth, names: engine.max_variables(), steps: Cell::new(engine.max_operations()) };
        Self { texts, functions, limits, quotients: RefCell::new(Vec::new()) }
    }

    /// A quotient, one of these, is needed as a number.
    pub fn unrounded(&self, shapes: &[Shape]) -> Refusal {
        let span = self.quotients.borrow().iter().find(|(quotient, _)| shapes.contains(quotient)).map(|(_, span)| *span);
        Refusal { why: Why::Unrounded, span }
    }

    fn step(&self) -> Result<(), Refusal> {
        let left = self.limits.steps.get().checked_sub(STEPS).ok_or(Why::Steps)?;
        self.limits.steps.set(left);
        Ok(())
    }
}

/// A function being lowered.
pub struct Body<'a> {
    pub(super) dag: &'a mut Dag,
    script: &'a Script<'a>,
    locals: Vec<Option<Value>>,
    /// Where control is, if no `return` or `throw` has ended the function.
    pub(super) path: NodeId,
    /// Where an error ended the evaluation.
    fault: NodeId,
    /// Where a number was too large for the columns, so that nothing here is to be believed.
    doubt: NodeId,
    /// The values of `return`s, and where each was taken.
    returned: Vec<(NodeId, Value)>,
    depth: usize,
}

/// What a function or fact came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Outcome {
    pub value: Value,
    /// Where it ended in an error, as the interpreter would.
    pub fault: NodeId,
    /// Where only the interpreter can tell.
    pub doubt: NodeId,
}

/// Lowers a function whose parameters have these values, where `path` holds.
pub fn function(
    dag: &mut Dag,
    script: &Script<'_>,
    position: usize,
    arguments: &[Value],
    path: NodeId,
    depth: usize,
) -> Result<Outcome, Refusal> {
    let function = &script.functions[position];
    if depth >= script.limits.depth {
        return Err(Why::Depth.into());
    }
    if function.locals > script.limits.names {
        return Err(Why::Names.into());
    }
    let mut locals = vec![None; function.locals];
    for (slot, argument) in arguments.iter().enumerate() {
        locals[slot] = Some(*argument);
    }
    let (fault, doubt) = (dag.truth(false), dag.truth(false));
    let mut body = Body { dag, script, locals, path, fault, doubt, returned: Vec::new(), depth };
    let mut value = body.expr(&function.body)?;
    // a later return was taken only where no earlier one was
    while let Some((taken, early)) = body.returned.pop() {
        value = body.select(taken, early, value)?;
    }
    // the results were brought together for every path that led here
    body.path = path;
    body.doubt_where_bounded();
    Ok(Outcome { value, fault: body.fault, doubt: body.doubt })
}

impl Body<'_> {
    /// Ends the evaluation in an error where `condition` holds on the present path.
    fn fail_where(&mut self, condition: NodeId) {
        let here = self.dag.and(self.path, condition);
        self.fault = self.dag.or(self.fault, here);
    }

    pub(super) fn fail(&mut self) {
        let always = self.dag.truth(true);
        self.fail_where(always);
    }

    /// Numbers too large for the columns are the interpreter's.
    pub(super) fn doubt_where_bounded(&mut self) {
        let bounded = self.dag.take_bounded();
        let here = self.dag.and(self.path, bounded);
        self.doubt = self.dag.or(self.doubt, here);
    }

    /// The value must be known: an operator that meets the unknown is an error.
    pub(super) fn needed(&mut self, value: Value) -> Shape {
        let unknown = self.dag.not(value.known);
        self.fail_where(unknown);
        value.shape
    }

    pub(super) fn nothing(&mut self) -> Value {
        Value::unknown(self.dag)
    }

    /// The one value where the condition holds, else the other.
    pub(super) fn select(&mut self, condition: NodeId, one: Value, two: Value) -> Result<Value, Refusal> {
        Value::select(self.dag, condition, one, two).map_err(|refusal| match refusal.why {
            Why::Unrounded => self.script.unrounded(&[one.shape, two.shape]),
            _ => refusal,
        })
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Result<Value, Refusal> {
        self.script.step().and_then(|()| self.value(expr)).map_err(|refusal| refusal.at(expr.span))
    }

    fn value(&mut self, expr: &Expr) -> Result<Value, Refusal> {
        match &expr.kind {
            ExprKind::Literal(literal) => Ok(self.literal(literal)),
            ExprKind::Local(local) => Ok(match self.locals.get(local.slot).copied().flatten() {
                Some(value) => value,
                None => self.nothing(),
            }),
            ExprKind::Let { local, value } => {
                let value = self.expr(value)?;
                self.locals[local.slot] = Some(value);
                Ok(self.nothing())
            }
            ExprKind::Block(inner) => {
                let mut last = self.nothing();
                for expr in inner {
                    last = self.expr(expr)?;
                }
                Ok(last)
            }
            ExprKind::If { condition, then, otherwise } => self.choose(condition, then, otherwise.as_deref()),
            ExprKind::Switch { subject, cases, default } => self.switch(subject, cases, default.as_deref()),
            ExprKind::Unary { operator, operand } => self.unary(*operator, operand),
            ExprKind::Binary { operator, left, right } => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                let value = self.binary(*operator, left, right)?;
                if matches!(value.shape, Shape::Quotient(..)) {
                    self.script.quotients.borrow_mut().push((value.shape, expr.span));
                }
                self.doubt_where_bounded();
                Ok(value)
            }
            ExprKind::Chain { operator, operands } => self.chain(*operator, operands),
            ExprKind::Host { function, arguments } => {
                let value = self.host(*function, arguments)?;
                self.doubt_where_bounded();
                Ok(value)
            }
            ExprKind::Helper { function, arguments, .. } => self.helper(*function, arguments),
            ExprKind::Return(value) => {
                let value = self.optional(value.as_deref())?;
                self.returned.push((self.path, value));
                self.path = self.dag.truth(false);
                Ok(self.nothing())
            }
            ExprKind::Throw(value) => {
                if let Some(value) = value {
                    self.expr(value)?;
                }
                self.fail();
                self.path = self.dag.truth(false);
                Ok(self.nothing())
            }
            ExprKind::Unsupported(what) => Err(Why::Unsupported(what).into()),
        }
    }

    /// What is not written is unknown.
    pub(super) fn optional(&mut self, expr: Option<&Expr>) -> Result<Value, Refusal> {
        match expr {
            Some(expr) => self.expr(expr),
            None => Ok(self.nothing()),
        }
    }

    pub(super) fn literal(&mut self, literal: &Literal) -> Value {
        let shape = match literal {
            Literal::Unknown => return self.nothing(),
            Literal::Bool(truth) => Shape::Truth(self.dag.truth(*truth)),
            Literal::Integer(number) => Shape::Number(Number::constant(self.dag, (*number).into(), Kind::Whole)),
            Literal::Decimal(number) => Shape::Number(Number::constant(self.dag, *number, Kind::Decimal)),
            Literal::Text(text) => Shape::Text(self.text(text)),
        };
        Value::known(self.dag, shape)
    }

    pub(super) fn text(&mut self, text: &str) -> NodeId {
        let code = self.script.texts.code(text);
        self.dag.constant(code.into())
    }

    /// A condition: anything but a known truth is an error.
    pub(super) fn truth(&mut self, expr: &Expr) -> Result<NodeId, Refusal> {
        let value = self.expr(expr)?;
        Ok(self.truth_of(value))
    }

    fn truth_of(&mut self, value: Value) -> NodeId {
        if let Shape::Truth(node) = self.needed(value) {
            return node;
        }
        self.fail();
        self.dag.truth(false)
    }

    pub(super) fn number_of(&mut self, value: Value) -> Result<Option<Number>, Refusal> {
        match self.needed(value) {
            Shape::Number(number) => Ok(Some(number)),
            Shape::Quotient(..) => Err(self.script.unrounded(&[value.shape])),
            Shape::Truth(_) | Shape::Text(_) | Shape::Date(_) | Shape::Nothing => {
                self.fail();
                Ok(None)
            }
        }
    }

    fn unary(&mut self, operator: Unary, operand: &Expr) -> Result<Value, Refusal> {
        let value = self.expr(operand)?;
        let shape = match operator {
            Unary::Not => {
                let truth = self.truth_of(value);
                Shape::Truth(self.dag.not(truth))
            }
            Unary::Negate => match self.number_of(value)? {
                Some(number) => Shape::Number(number.negated(self.dag)?),
                None => return Ok(self.nothing()),
            },
        };
        self.doubt_where_bounded();
        Ok(Value::known(self.dag, shape))
    }

    fn binary(&mut self, operator: Binary, left: Value, right: Value) -> Result<Value, Refusal> {
        let (one, two) = (self.needed(left), self.needed(right));
        let equality = matches!(operator, Binary::Equal | Binary::Unequal);
        let shape = match (one, two) {
            (Shape::Number(one), Shape::Number(two)) => self.on_numbers(operator, one, two)?,
            (Shape::Text(one), Shape::Text(two)) | (Shape::Truth(one), Shape::Truth(two)) if equality => {
                let same = self.dag.put(Op::Equal(one, two))?;
                Shape::Truth(if operator == Binary::Equal { same } else { self.dag.not(same) })
            }
            (Shape::Quotient(..), Shape::Number(_) | Shape::Quotient(..)) | (Shape::Number(_), Shape::Quotient(..)) => {
                return Err(self.script.unrounded(&[one, two]));
            }
            _ => {
                self.fail();
                // the value no longer matters, but what is built on it should still make sense
                let compares = !matches!(operator, Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder);
                let zero = self.dag.constant(0);
                if compares { Shape::Truth(zero) } else { Shape::Number(Number { node: zero, places: 0, kind: Kind::Decimal }) }
            }
        };
        Ok(Value::known(self.dag, shape))
    }

    fn on_numbers(&mut self, operator: Binary, one: Number, two: Number) -> Result<Shape, Refusal> {
        let dag = &mut *self.dag;
        Ok(match operator {
            Binary::Add => Shape::Number(Number::combine(dag, one, two, Op::Add)?.sound(dag)?),
            Binary::Subtract => Shape::Number(Number::combine(dag, one, two, Op::Subtract)?.sound(dag)?),
            Binary::Multiply => Shape::Number(Number::multiplied(dag, one, two)?.sound(dag)?),
            Binary::Less => Shape::Truth(Number::compared(dag, one, two, Op::Less)?),
            Binary::LessOrEqual => Shape::Truth(Number::compared(dag, one, two, Op::LessOrEqual)?),
            Binary::Greater => Shape::Truth(Number::compared(dag, two, one, Op::Less)?),
            Binary::GreaterOrEqual => Shape::Truth(Number::compared(dag, two, one, Op::LessOrEqual)?),
            Binary::Equal => Shape::Truth(Number::compared(dag, one, two, Op::Equal)?),
            Binary::Unequal => {
                let same = Number::compared(dag, one, two, Op::Equal)?;
                Shape::Truth(dag.not(same))
            }
            Binary::Remainder => {
                self.fail_where_zero(two)?;
                Shape::Number(Number { kind: Kind::Decimal, ..Number::combine(self.dag, one, two, Op::Remainder)? })
            }
            Binary::Divide => {
                self.fail_where_zero(two)?;
                // other quotients have no number of places that could be told beforehand
                match Number::by_constant(self.dag, one, two) {
                    Some(number) => Shape::Number(number),
                    None => Shape::Quotient(one, two),
                }
            }
        })
    }

    pub(super) fn fail_where_zero(&mut self, number: Number) -> Result<(), Refusal> {
        let zero = self.dag.constant(0);
        let is_zero = self.dag.put(Op::Equal(number.node, zero))?;
        self.fail_where(is_zero);
        Ok(())
    }

    fn helper(&mut self, position: usize, arguments: &[Expr]) -> Result<Value, Refusal> {
        let arguments = arguments.iter().map(|argument| self.expr(argument)).collect::<Result<Vec<_>, _>>()?;
        let outcome = function(self.dag, self.script, position, &arguments, self.path, self.depth + 1)?;
        self.fault = self.dag.or(self.fault, outcome.fault);
        self.doubt = self.dag.or(self.doubt, outcome.doubt);
        Ok(outcome.value)
    }
}
