//! Lowers the body of one function: every branch is computed, and conditions say which one counts.
//!
//! What would be an error in the interpreter becomes a condition under which the fact is faulty. An
//! expression is strict, so an error in it counts only where control would have come to it: on its `path`.

use super::{
    dag::{Dag, NodeId, Op},
    refusal::Refusal,
    texts::Texts,
    value::{Number, Shape, Value},
};
use crate::rules::{
    ast::Function,
    tree::{Binary, Case, Chain, Expr, ExprKind, Literal, Unary},
};

/// Helpers are followed this deep; the interpreter's own limit is not far above.
const MAX_DEPTH: usize = 12;

/// A function being lowered.
pub struct Body<'a> {
    pub(super) dag: &'a mut Dag,
    texts: &'a Texts,
    /// All functions of the file; helpers are found by position.
    functions: &'a [Function],
    locals: Vec<Option<Value>>,
    /// Where control is, if no `return` or `throw` has ended the function.
    path: NodeId,
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
    texts: &Texts,
    functions: &[Function],
    position: usize,
    arguments: &[Value],
    path: NodeId,
    depth: usize,
) -> Result<Outcome, Refusal> {
    if depth > MAX_DEPTH {
        return Err(Refusal::Depth(MAX_DEPTH));
    }
    let function = &functions[position];
    let mut locals = vec![None; function.locals];
    for (slot, argument) in arguments.iter().enumerate() {
        locals[slot] = Some(*argument);
    }
    let (fault, doubt) = (dag.truth(false), dag.truth(false));
    let mut body = Body { dag, texts, functions, locals, path, fault, doubt, returned: Vec::new(), depth };
    let mut value = body.expr(&function.body)?;
    // a later return was taken only where no earlier one was
    while let Some((taken, early)) = body.returned.pop() {
        value = Value::select(body.dag, taken, early, value)?;
    }
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
    fn doubt_where_bounded(&mut self) {
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

    /// Evaluates on a part of the path; afterwards control is where it was, less what returned.
    fn within<T>(&mut self, condition: NodeId, run: impl FnOnce(&mut Self) -> Result<T, Refusal>) -> Result<(T, NodeId), Refusal> {
        let before = self.path;
        self.path = self.dag.and(before, condition);
        let result = run(self)?;
        let after = std::mem::replace(&mut self.path, before);
        Ok((result, after))
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Result<Value, Refusal> {
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
            ExprKind::If { condition, then, otherwise } => {
                let condition = self.truth(condition)?;
                self.branch(condition, |body| body.expr(then), |body| body.optional(otherwise.as_deref()))
            }
            ExprKind::Switch { subject, cases, default } => {
                let subject = self.expr(subject)?;
                self.switch(subject, cases, default.as_deref())
            }
            ExprKind::Unary { operator, operand } => self.unary(*operator, operand),
            ExprKind::Binary { operator, left, right } => {
                let (left, right) = (self.expr(left)?, self.expr(right)?);
                let value = self.binary(*operator, left, right)?;
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
            ExprKind::Unsupported(what) => Err(Refusal::Unsupported(what)),
        }
    }

    /// What is not written is unknown.
    fn optional(&mut self, expr: Option<&Expr>) -> Result<Value, Refusal> {
        match expr {
            Some(expr) => self.expr(expr),
            None => Ok(self.nothing()),
        }
    }

    fn literal(&mut self, literal: &Literal) -> Value {
        let shape = match literal {
            Literal::Unknown => return self.nothing(),
            Literal::Bool(truth) => Shape::Truth(self.dag.truth(*truth)),
            Literal::Integer(number) => Shape::Number(Number::constant(self.dag, (*number).into(), true)),
            Literal::Decimal(number) => Shape::Number(Number::constant(self.dag, *number, false)),
            Literal::Text(text) => Shape::Text(self.text(text)),
        };
        Value::known(self.dag, shape)
    }

    fn text(&mut self, text: &str) -> NodeId {
        let code = self.texts.code(text);
        self.dag.constant(code.into())
    }

    /// A condition: anything but a known truth is an error.
    fn truth(&mut self, expr: &Expr) -> Result<NodeId, Refusal> {
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
            Shape::Quotient(..) => Err(Refusal::Unrounded),
            Shape::Truth(_) | Shape::Text(_) | Shape::Date(_) | Shape::Nothing => {
                self.fail();
                Ok(None)
            }
        }
    }

    fn branch(
        &mut self,
        condition: NodeId,
        then: impl FnOnce(&mut Self) -> Result<Value, Refusal>,
        otherwise: impl FnOnce(&mut Self) -> Result<Value, Refusal>,
    ) -> Result<Value, Refusal> {
        match self.dag.constant_of(condition) {
            Some(0) => return otherwise(self),
            Some(_) => return then(self),
            None => {}
        }
        let ((one, after_one), not) = (self.within(condition, then)?, self.dag.not(condition));
        let (two, after_two) = self.within(not, otherwise)?;
        let whole = {
            let (first, second) = (self.dag.and(self.path, condition), self.dag.and(self.path, not));
            after_one == first && after_two == second
        };
        // a branch that always returns has no value of its own
        let never = |dag: &Dag, node: NodeId| dag.constant_of(node) == Some(0);
        let value = match (never(self.dag, after_one), never(self.dag, after_two)) {
            (true, false) => two,
            (false, true) => one,
            _ => Value::select(self.dag, condition, one, two)?,
        };
        self.doubt_where_bounded();
        if !whole {
            self.path = self.dag.or(after_one, after_two);
        }
        Ok(value)
    }

    fn switch(&mut self, subject: Value, cases: &[Case], default: Option<&Expr>) -> Result<Value, Refusal> {
        let Some((case, rest)) = cases.split_first() else {
            return self.optional(default);
        };
        let mut matches = self.dag.truth(false);
        for label in &case.labels {
            let same = self.is_label(subject, label)?;
            matches = self.dag.or(matches, same);
        }
        // the unknown matches no label
        let matches = self.dag.and(matches, subject.known);
        self.branch(matches, |body| body.expr(&case.body), |body| body.switch(subject, rest, default))
    }

    fn is_label(&mut self, subject: Value, label: &Literal) -> Result<NodeId, Refusal> {
        Ok(match (subject.shape, label) {
            (Shape::Text(node), Literal::Text(text)) => {
                let code = self.text(text);
                self.dag.put(Op::Equal(node, code))?
            }
            (Shape::Truth(node), Literal::Bool(truth)) => {
                if *truth {
                    node
                } else {
                    self.dag.not(node)
                }
            }
            (Shape::Number(number), Literal::Integer(label)) if number.whole => {
                let label = self.dag.constant((*label).into());
                self.dag.put(Op::Equal(number.node, label))?
            }
            (Shape::Number(_) | Shape::Quotient(..), Literal::Integer(_) | Literal::Decimal(_)) => return Err(Refusal::DecimalSwitch),
            _ => self.dag.truth(false),
        })
    }

    fn unary(&mut self, operator: Unary, operand: &Expr) -> Result<Value, Refusal> {
        let value = self.expr(operand)?;
        let shape = match operator {
            Unary::Not => {
                let truth = self.truth_of(value);
                Shape::Truth(self.dag.not(truth))
            }
            Unary::Negate => match self.number_of(value)? {
                Some(number) => {
                    let zero = self.dag.constant(0);
                    Shape::Number(Number { node: self.dag.put(Op::Subtract(zero, number.node))?, ..number })
                }
                None => return Ok(self.nothing()),
            },
        };
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
                return Err(Refusal::Unrounded);
            }
            _ => {
                self.fail();
                // the value no longer matters, but what is built on it should still make sense
                let compares = !matches!(operator, Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Remainder);
                let zero = self.dag.constant(0);
                if compares { Shape::Truth(zero) } else { Shape::Number(Number { node: zero, places: 0, whole: false }) }
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
                Shape::Number(Number { whole: false, ..Number::combine(self.dag, one, two, Op::Remainder)? })
            }
            Binary::Divide => {
                self.fail_where_zero(two)?;
                // by one, the quotient is the dividend; any other has no places that could be told beforehand
                if two.places == 0 && self.dag.constant_of(two.node) == Some(1) {
                    return Ok(Shape::Number(Number { whole: false, ..one }));
                }
                Shape::Quotient(one, two)
            }
        })
    }

    pub(super) fn fail_where_zero(&mut self, number: Number) -> Result<(), Refusal> {
        let zero = self.dag.constant(0);
        let is_zero = self.dag.put(Op::Equal(number.node, zero))?;
        self.fail_where(is_zero);
        Ok(())
    }

    fn chain(&mut self, operator: Chain, operands: &[Expr]) -> Result<Value, Refusal> {
        let Some((first, rest)) = operands.split_first() else { return Ok(self.nothing()) };
        if operator == Chain::Coalesce {
            let value = self.expr(first)?;
            if rest.is_empty() {
                return Ok(value);
            }
            return self.branch(value.known, |_| Ok(value), |body| body.chain(operator, rest));
        }
        let decided = self.truth(first)?;
        if rest.is_empty() {
            return Ok(Value::known(self.dag, Shape::Truth(decided)));
        }
        if operator == Chain::And {
            self.branch(decided, |body| body.chain(operator, rest), |body| Ok(body.literal(&Literal::Bool(false))))
        } else {
            self.branch(decided, |body| Ok(body.literal(&Literal::Bool(true))), |body| body.chain(operator, rest))
        }
    }

    fn helper(&mut self, position: usize, arguments: &[Expr]) -> Result<Value, Refusal> {
        let arguments = arguments.iter().map(|argument| self.expr(argument)).collect::<Result<Vec<_>, _>>()?;
        let outcome = function(self.dag, self.texts, self.functions, position, &arguments, self.path, self.depth + 1)?;
        self.fault = self.dag.or(self.fault, outcome.fault);
        self.doubt = self.dag.or(self.doubt, outcome.doubt);
        Ok(outcome.value)
    }
}
