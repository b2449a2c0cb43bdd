//! Evaluates a formula over its tree, step by step: which values it met, which branches it took, what it compared.
//!
//! The interpreter gives a pack its meaning; this tells how a value came about. That both agree is a test's to hold.

use std::cmp::Ordering;

use rust_decimal::Decimal;

use crate::{
    domain::money::round_half_up,
    rules::{
        ast::Script,
        graph::FactId,
        interpret::{Evaluation, Slot},
        tree::{Binary, Chain, Expr, ExprKind, Host, Literal, Unary},
        value::Value,
    },
};

/// What happens while a formula runs. Functions and expressions are those of the script.
pub trait Watch {
    /// A function begins to run.
    fn function(&mut self, _function: usize) {}
    /// An expression had this value.
    fn value(&mut self, _expr: &Expr, _value: &Value) {}
    /// An `if`, `switch`, `&&`, `||` or `??` went this way, counted from 0.
    fn branch(&mut self, _expr: &Expr, _taken: usize) {}
    /// Two numbers were compared.
    fn compared(&mut self, _expr: &Expr, _order: Ordering) {}
}

/// Why a formula ends before its last expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    Return(Value),
    Fault(String),
}

type Step = Result<Value, Stop>;

/// How many ways an expression can go; 0 for those that do not branch.
pub fn ways(expr: &Expr) -> usize {
    match &expr.kind {
        ExprKind::If { .. } => 2,
        // what no case matches is a way even without a default
        ExprKind::Switch { cases, .. } => cases.len() + 1,
        // each operand but the last can decide, or the last does
        ExprKind::Chain { operator: Chain::Coalesce, operands } => operands.len(),
        ExprKind::Chain { operands, .. } => operands.len() + 1,
        _ => 0,
    }
}

/// What a formula was called with; `None` where it was not run.
pub fn arguments(evaluation: &Evaluation<'_>, id: FactId) -> Option<Vec<Value>> {
    let reads = &evaluation.pack().graph.fact(id).reads;
    reads
        .iter()
        .map(|read| match evaluation.peek(read.fact) {
            Slot::Known(value) => Some(value.clone()),
            Slot::Unknown(_) if read.maybe => Some(Value::Unknown),
            Slot::Unknown(_) | Slot::Fault(_) | Slot::Pending => None,
        })
        .collect()
}

/// Runs one function of a script.
pub fn run(script: &Script, function: usize, arguments: Vec<Value>, watch: &mut dyn Watch) -> Result<Value, String> {
    let Some(rule) = script.functions.get(function) else { return Err("there is no such function".to_owned()) };
    watch.function(function);
    let mut locals = arguments;
    locals.resize(rule.locals.max(locals.len()), Value::Unknown);
    let mut walker = Walker { script, locals, watch };
    match walker.step(&rule.body) {
        Ok(value) | Err(Stop::Return(value)) => Ok(value),
        Err(Stop::Fault(message)) => Err(message),
    }
}

struct Walker<'a> {
    script: &'a Script,
    locals: Vec<Value>,
    watch: &'a mut dyn Watch,
}

fn fault<T>(message: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fault(message.into()))
}

impl Walker<'_> {
    fn step(&mut self, expr: &Expr) -> Step {
        let value = self.value(expr)?;
        self.watch.value(expr, &value);
        Ok(value)
    }

    fn value(&mut self, expr: &Expr) -> Step {
        match &expr.kind {
            ExprKind::Literal(literal) => Ok(of_literal(literal)),
            ExprKind::Local(local) => Ok(self.locals.get(local.slot).cloned().unwrap_or_default()),
            ExprKind::Let { local, value } => {
                let value = self.step(value)?;
                if let Some(slot) = self.locals.get_mut(local.slot) {
                    *slot = value;
                }
                Ok(Value::Unknown)
            }
            ExprKind::Block(inner) => inner.iter().try_fold(Value::Unknown, |_, inner| self.step(inner)),
            ExprKind::If { condition, then, otherwise } => {
                let holds = truth(&self.step(condition)?)?;
                self.watch.branch(expr, usize::from(!holds));
                match (holds, otherwise) {
                    (true, _) => self.step(then),
                    (false, Some(otherwise)) => self.step(otherwise),
                    (false, None) => Ok(Value::Unknown),
                }
            }
            ExprKind::Switch { subject, cases, default } => {
                let subject = self.step(subject)?;
                let found = cases.iter().position(|case| case.labels.iter().any(|label| of_literal(label) == subject));
                self.watch.branch(expr, found.unwrap_or(cases.len()));
                match (found.and_then(|index| cases.get(index)), default) {
                    (Some(case), _) => self.step(&case.body),
                    (None, Some(default)) => self.step(default),
                    (None, None) => Ok(Value::Unknown),
                }
            }
            ExprKind::Unary { operator, operand } => unary(*operator, &self.step(operand)?),
            ExprKind::Binary { operator, left, right } => {
                let (left, right) = (self.step(left)?, self.step(right)?);
                if let (true, Some(left), Some(right)) = (is_order(*operator), left.as_decimal(), right.as_decimal()) {
                    self.watch.compared(expr, left.cmp(&right));
                }
                binary(*operator, &left, &right)
            }
            ExprKind::Chain { operator, operands } => self.chain(expr, *operator, operands),
            ExprKind::Host { function, arguments } => {
                let arguments: Vec<Value> = arguments.iter().map(|argument| self.step(argument)).collect::<Result<_, _>>()?;
                host(*function, &arguments)
            }
            ExprKind::Helper { function, arguments, .. } => {
                let arguments = arguments.iter().map(|argument| self.step(argument)).collect::<Result<_, _>>()?;
                run(self.script, *function, arguments, self.watch).map_err(Stop::Fault)
            }
            ExprKind::Return(value) => {
                let value = value.as_ref().map_or(Ok(Value::Unknown), |value| self.step(value))?;
                Err(Stop::Return(value))
            }
            ExprKind::Throw(value) => {
                let value = value.as_ref().map_or(Ok(Value::Unknown), |value| self.step(value))?;
                fault(value.to_string())
            }
            ExprKind::Unsupported(what) => fault(format!("{what} cannot be run")),
        }
    }

    fn chain(&mut self, expr: &Expr, operator: Chain, operands: &[Expr]) -> Step {
        let mut value = Value::Unknown;
        for (index, operand) in operands.iter().enumerate() {
            value = self.step(operand)?;
            let decides = match operator {
                Chain::Coalesce => value.is_known() || index + 1 == operands.len(),
                Chain::And => !truth(&value)?,
                Chain::Or => truth(&value)?,
            };
            if decides {
                self.watch.branch(expr, index);
                return Ok(value);
            }
        }
        self.watch.branch(expr, operands.len());
        Ok(value)
    }
}

const fn is_order(operator: Binary) -> bool {
    matches!(operator, Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual)
}

fn of_literal(literal: &Literal) -> Value {
    match literal {
        Literal::Unknown => Value::Unknown,
        Literal::Bool(truth) => Value::Bool(*truth),
        Literal::Integer(number) => Value::Integer(*number),
        Literal::Decimal(number) => Value::Decimal(*number),
        Literal::Text(text) => Value::Text((&**text).into()),
    }
}

fn truth(value: &Value) -> Result<bool, Stop> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        value => fault(format!("{value} is neither true nor false")),
    }
}

fn number(value: &Value) -> Result<Decimal, Stop> {
    value.as_decimal().map_or_else(|| fault(format!("{value} is no number")), Ok)
}

fn decimal(result: Option<Decimal>) -> Step {
    result.map_or_else(|| fault("the result is too large"), |number| Ok(Value::Decimal(number)))
}

fn integer(result: Option<i64>) -> Step {
    result.map_or_else(|| fault("the result is too large"), |number| Ok(Value::Integer(number)))
}

fn unary(operator: Unary, operand: &Value) -> Step {
    match (operator, operand) {
        (Unary::Not, value) => Ok(Value::Bool(!truth(value)?)),
        (Unary::Negate, Value::Integer(number)) => integer(number.checked_neg()),
        (Unary::Negate, value) => Ok(Value::Decimal(-number(value)?)),
    }
}

fn divide(left: Decimal, right: Decimal) -> Result<Decimal, Stop> {
    if right.is_zero() {
        return fault("division by zero");
    }
    left.checked_div(right).map_or_else(|| fault("the result is too large"), |quotient| Ok(quotient.normalize()))
}

fn binary(operator: Binary, left: &Value, right: &Value) -> Step {
    match (operator, left, right) {
        (Binary::Add, Value::Integer(left), Value::Integer(right)) => return integer(left.checked_add(*right)),
        (Binary::Subtract, Value::Integer(left), Value::Integer(right)) => return integer(left.checked_sub(*right)),
        (Binary::Multiply, Value::Integer(left), Value::Integer(right)) => return integer(left.checked_mul(*right)),
        (Binary::Equal | Binary::Unequal, Value::Text(_), Value::Text(_))
        | (Binary::Equal | Binary::Unequal, Value::Bool(_), Value::Bool(_)) => {
            return Ok(Value::Bool((left == right) == (operator == Binary::Equal)));
        }
        _ => {}
    }
    let (left, right) = (number(left)?, number(right)?);
    match operator {
        Binary::Add => decimal(left.checked_add(right)),
        Binary::Subtract => decimal(left.checked_sub(right)),
        Binary::Multiply => decimal(left.checked_mul(right)),
        Binary::Divide => divide(left, right).map(Value::Decimal),
        Binary::Remainder if right.is_zero() => fault("division by zero"),
        Binary::Remainder => decimal(left.checked_rem(right)),
        Binary::Less => Ok(Value::Bool(left < right)),
        Binary::LessOrEqual => Ok(Value::Bool(left <= right)),
        Binary::Greater => Ok(Value::Bool(left > right)),
        Binary::GreaterOrEqual => Ok(Value::Bool(left >= right)),
        Binary::Equal => Ok(Value::Bool(left == right)),
        Binary::Unequal => Ok(Value::Bool(left != right)),
    }
}

fn places(value: &Value) -> Result<u32, Stop> {
    match value {
        Value::Integer(places) if (0..=20).contains(places) => Ok(u32::try_from(*places).unwrap_or(0)),
        value => fault(format!("{value} is no count of decimal places")),
    }
}

fn host(function: Host, arguments: &[Value]) -> Step {
    match (function, arguments) {
        (Host::Known, [value]) => Ok(Value::Bool(value.is_known())),
        (Host::Cents, [value]) => Ok(Value::Decimal(round_half_up(number(value)?, 2))),
        (Host::RoundHalfUp, [value, kept]) => Ok(Value::Decimal(round_half_up(number(value)?, places(kept)?))),
        (Host::Ratio, [left, right, kept]) => Ok(Value::Decimal(round_half_up(divide(number(left)?, number(right)?)?, places(kept)?))),
        (Host::Min, [Value::Integer(left), Value::Integer(right)]) => Ok(Value::Integer(*left.min(right))),
        (Host::Max, [Value::Integer(left), Value::Integer(right)]) => Ok(Value::Integer(*left.max(right))),
        (Host::Min, [left, right]) => Ok(Value::Decimal(number(left)?.min(number(right)?))),
        (Host::Max, [left, right]) => Ok(Value::Decimal(number(left)?.max(number(right)?))),
        (Host::Abs, [Value::Integer(number)]) => integer(number.checked_abs()),
        (Host::Abs, [value]) => Ok(Value::Decimal(number(value)?.abs())),
        (Host::Floor, [Value::Integer(number)]) => Ok(Value::Integer(*number)),
        (Host::Floor, [value]) => Ok(Value::Decimal(number(value)?.floor())),
        (Host::DaysBetween, [Value::Date(from), Value::Date(to)]) => Ok(Value::Integer((*to - *from).num_days())),
        (function, _) => fault(format!("{} cannot take these values", function.as_str())),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use std::path::Path;

    use super::*;
    use crate::rules::{graph::Kind, pack::Pack, testing::Suite};

    struct Blind;

    impl Watch for Blind {}

    #[test]
    fn a_walk_comes_to_what_the_interpreter_computes_for_every_formula_of_every_shipped_case() {
        let pack = Pack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).unwrap();
        let (mut values, mut faults) = (0, 0);
        for case in Suite::read(&pack).unwrap().cases {
            let mut evaluation = case.evaluation(&pack);
            let given: Vec<FactId> = case.given.iter().map(|(fact, _)| *fact).collect();
            for id in pack.graph.ids().filter(|id| !given.contains(id)) {
                let Kind::Derived { script, function } = pack.graph.fact(id).kind else { continue };
                let slot = evaluation.slot(id).clone();
                let Some(arguments) = arguments(&evaluation, id) else { continue };
                let name = &pack.graph.fact(id).name;
                match (run(&pack.scripts[script], function, arguments, &mut Blind), slot) {
                    (Ok(found), Slot::Known(known)) => {
                        values += 1;
                        assert_eq!((found.value_type(), found), (known.value_type(), known), "{name} in {}", case.name);
                    }
                    (Ok(found), Slot::Unknown(_)) => assert!(!found.is_known(), "{name} in {}", case.name),
                    // in words of their own
                    (Err(_), Slot::Fault(_)) => faults += 1,
                    (found, slot) => panic!("{name} in {}: {found:?} is not {slot:?}", case.name),
                }
            }
        }
        assert!(values > 20_000 && faults > 5, "{values} values, {faults} faults");
    }
}
