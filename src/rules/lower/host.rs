//! Lowers calls of the host's functions.

use super::{
    body::Body,
    dag::Op,
    refusal::{Refusal, Why},
    value::{Kind, Number, Shape, Value, power},
};
use crate::rules::tree::{Expr, Host};

impl Body<'_> {
    /// A call; its arguments are evaluated in order.
    pub(super) fn host(&mut self, function: Host, arguments: &[Expr]) -> Result<Value, Refusal> {
        let values = arguments.iter().map(|argument| self.expr(argument)).collect::<Result<Vec<_>, _>>()?;
        let [first, ..] = values[..] else { return Ok(self.nothing()) };
        if function == Host::Known {
            return Ok(Value::known(self.dag, Shape::Truth(first.known)));
        }
        if function == Host::DaysBetween {
            return self.days_between(first, values[1]);
        }
        let places = function.places().map(|at| self.places(values[at])).transpose()?;
        let places = match places {
            Some(None) => return Ok(self.nothing()),
            Some(Some(places)) => places,
            None => 2,
        };
        if let (Host::Cents | Host::RoundHalfUp, Shape::Quotient(one, two)) = (function, first.shape) {
            self.needed(first);
            let number = Number::divided(self.dag, one, two, places)?;
            return Ok(Value::known(self.dag, Shape::Number(number)));
        }
        let Some(one) = self.number_of(first)? else { return Ok(self.nothing()) };
        let number = match function {
            Host::Cents | Host::RoundHalfUp => one.rounded(self.dag, places)?,
            Host::Abs => {
                let negative = one.negated(self.dag)?;
                Number { node: self.dag.put(Op::Max(one.node, negative.node))?, ..one }
            }
            Host::Floor => {
                let unit = self.dag.constant(power(one.places)?);
                Number { node: self.dag.put(Op::DivideFloor(one.node, unit))?, places: 0, ..one }
            }
            Host::Min | Host::Max | Host::Ratio => {
                let Some(two) = self.number_of(values[1])? else { return Ok(self.nothing()) };
                match function {
                    Host::Min => Number::combine(self.dag, one, two, Op::Min)?,
                    Host::Max => Number::combine(self.dag, one, two, Op::Max)?,
                    _ => {
                        self.fail_where_zero(two)?;
                        Number::divided(self.dag, one, two, places)?
                    }
                }
            }
            Host::Known | Host::DaysBetween => one,
        };
        Ok(Value::known(self.dag, Shape::Number(number)))
    }

    /// A count of places, which must be written out; one outside of what rounding takes is an error.
    fn places(&mut self, value: Value) -> Result<Option<u32>, Refusal> {
        let Some(number) = self.number_of(value)? else { return Ok(None) };
        let places = self.dag.constant_of(number.node).ok_or(Why::PlacesVary)?;
        match u32::try_from(places) {
            Ok(places) if places <= 20 && number.kind == Kind::Whole => Ok(Some(places)),
            _ => Err(Why::PlacesVary.into()),
        }
    }

    fn days_between(&mut self, from: Value, to: Value) -> Result<Value, Refusal> {
        let (from, to) = (self.needed(from), self.needed(to));
        if let (Shape::Date(from), Shape::Date(to)) = (from, to) {
            let node = self.dag.put(Op::Subtract(to, from))?;
            return Ok(Value::known(self.dag, Shape::Number(Number { node, places: 0, kind: Kind::Whole })));
        }
        self.fail();
        Ok(self.nothing())
    }
}
