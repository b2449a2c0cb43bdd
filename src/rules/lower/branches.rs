//! Lowers what chooses: `if`, `switch`, `&&`, `||`, `??`.
//!
//! Every branch is computed, each on the part of the path where control would come to it. Choices between many are
//! flat, not nested, however many cases a `switch` has.

use super::{
    body::Body,
    dag::{NodeId, Op},
    refusal::{Refusal, Why},
    value::{Kind, Shape, Value},
};
use crate::rules::tree::{Case, Chain, Expr, Literal};

/// Branches of a choice, in the order in which their conditions are asked.
struct Branches {
    /// Where control was before.
    before: NodeId,
    taken: Vec<Branch>,
    /// Control leaves every branch that it entered.
    whole: bool,
}

struct Branch {
    /// Where it is the one, if none before it is.
    condition: NodeId,
    value: Value,
    /// Where control is behind it.
    after: NodeId,
}

impl Branches {
    const fn from(before: NodeId) -> Self {
        Self { before, taken: Vec::new(), whole: true }
    }
}

impl Body<'_> {
    /// Adds a branch; from then on control is where it was not taken.
    fn branch(
        &mut self,
        branches: &mut Branches,
        condition: NodeId,
        run: impl FnOnce(&mut Self) -> Result<Value, Refusal>,
    ) -> Result<(), Refusal> {
        let (here, not) = (self.path, self.dag.not(condition));
        self.path = self.dag.and(here, condition);
        let entered = self.path;
        let value = run(self)?;
        branches.whole &= self.path == entered;
        branches.taken.push(Branch { condition, value, after: self.path });
        self.path = self.dag.and(here, not);
        Ok(())
    }

    /// Ends a choice with the branch that is left.
    fn otherwise(&mut self, mut branches: Branches, run: impl FnOnce(&mut Self) -> Result<Value, Refusal>) -> Result<Value, Refusal> {
        let entered = self.path;
        let mut value = run(self)?;
        branches.whole &= self.path == entered;
        let mut after = self.path;
        self.path = branches.before;
        for branch in branches.taken.into_iter().rev() {
            // a branch that always returns has no value of its own
            value = match (self.dag.constant_of(branch.after), self.dag.constant_of(after)) {
                (Some(0), rest) if rest != Some(0) => value,
                (first, Some(0)) if first != Some(0) => branch.value,
                _ => self.select(branch.condition, branch.value, value)?,
            };
            after = self.dag.or(branch.after, after);
        }
        self.doubt_where_bounded();
        if !branches.whole {
            self.path = after;
        }
        Ok(value)
    }

    pub(super) fn choose(&mut self, condition: &Expr, then: &Expr, otherwise: Option<&Expr>) -> Result<Value, Refusal> {
        let condition = self.truth(condition)?;
        match self.dag.constant_of(condition) {
            Some(0) => return self.optional(otherwise),
            Some(_) => return self.expr(then),
            None => {}
        }
        let mut branches = Branches::from(self.path);
        self.branch(&mut branches, condition, |body| body.expr(then))?;
        self.otherwise(branches, |body| body.optional(otherwise))
    }

    pub(super) fn switch(&mut self, subject: &Expr, cases: &[Case], default: Option<&Expr>) -> Result<Value, Refusal> {
        let subject = self.expr(subject)?;
        let mut branches = Branches::from(self.path);
        for case in cases {
            let mut matches = self.dag.truth(false);
            for label in &case.labels {
                let same = self.is_label(subject, label)?;
                matches = self.dag.or(matches, same);
            }
            match self.dag.constant_of(matches) {
                Some(0) => {}
                Some(_) => return self.otherwise(branches, |body| body.expr(&case.body)),
                None => self.branch(&mut branches, matches, |body| body.expr(&case.body))?,
            }
        }
        self.otherwise(branches, |body| body.optional(default))
    }

    /// Where the subject is known and the label.
    fn is_label(&mut self, subject: Value, label: &Literal) -> Result<NodeId, Refusal> {
        let same = match (subject.shape, label) {
            (_, Literal::Unknown) => return Ok(self.dag.not(subject.known)),
            (Shape::Text(node), Literal::Text(text)) => {
                let code = self.text(text);
                self.dag.put(Op::Equal(node, code))?
            }
            (Shape::Truth(node), Literal::Bool(true)) => node,
            (Shape::Truth(node), Literal::Bool(false)) => self.dag.not(node),
            (Shape::Number(number), Literal::Integer(label)) if number.kind == Kind::Whole => {
                let label = self.dag.constant((*label).into());
                self.dag.put(Op::Equal(number.node, label))?
            }
            (Shape::Number(_) | Shape::Quotient(..), Literal::Integer(_) | Literal::Decimal(_)) => return Err(Why::DecimalSwitch.into()),
            _ => self.dag.truth(false),
        };
        Ok(self.dag.and(same, subject.known))
    }

    pub(super) fn chain(&mut self, operator: Chain, operands: &[Expr]) -> Result<Value, Refusal> {
        let Some((last, operands)) = operands.split_last() else { return Ok(self.nothing()) };
        let mut branches = Branches::from(self.path);
        for operand in operands {
            // where the operand decides, and what it decides for
            let (decides, value) = match operator {
                Chain::Coalesce => {
                    let value = self.expr(operand)?;
                    (value.known, value)
                }
                Chain::Or => (self.truth(operand)?, self.literal(&Literal::Bool(true))),
                Chain::And => {
                    let truth = self.truth(operand)?;
                    (self.dag.not(truth), self.literal(&Literal::Bool(false)))
                }
            };
            match self.dag.constant_of(decides) {
                Some(0) => {}
                Some(_) => return self.otherwise(branches, |_| Ok(value)),
                None => self.branch(&mut branches, decides, |_| Ok(value))?,
            }
        }
        self.otherwise(branches, |body| match operator {
            Chain::Coalesce => body.expr(last),
            Chain::And | Chain::Or => {
                let truth = body.truth(last)?;
                Ok(Value::known(body.dag, Shape::Truth(truth)))
            }
        })
    }
}
