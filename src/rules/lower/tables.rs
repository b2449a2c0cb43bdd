//! Lowers tables: for each row the condition under which it is the one, and from these a column's value.

use chrono::NaiveDate;

use super::{
    body::Outcome,
    dag::{NodeId, Op},
    facts::{Builder, reads},
    refusal::{Refusal, Why},
    value::{Kind, Number, Shape, Value, day},
};
use crate::{
    domain::money::Currency,
    rules::{
        params::Figure,
        tables::{Band, Cell, Literal, Otherwise},
        value::Value as Fact,
    },
};

/// How a table chooses.
struct Choice {
    /// For each row, where it matches; the first that does is the one.
    matched: Vec<NodeId>,
    missing_rate: NodeId,
    unknown_key: NodeId,
    fault: NodeId,
    doubt: NodeId,
}

impl Builder<'_> {
    /// A column of the table's chosen row.
    pub(super) fn column(&mut self, table: usize, column: usize) -> Result<Outcome, Refusal> {
        let choice = self.choose(table)?;
        let definition = &self.pack.tables[table];
        let figure = match definition.columns[column].measure.figure {
            Figure::Money(currency) => Some(currency),
            Figure::Unit(_) => None,
        };
        let otherwise = match &definition.otherwise {
            Some(Otherwise::Values(values)) => values.get(column),
            Some(Otherwise::Unknown) | None => None,
        };
        let mut value = match otherwise {
            Some(entry) => {
                let found = self.entry(&entry.value, entry.currency.or(figure))?;
                // nothing matched because a key is unknown: then nobody knows
                let unknown = Value::unknown(&mut self.state.dag);
                Value::select(&mut self.state.dag, choice.unknown_key, unknown, found)?
            }
            None => Value::unknown(&mut self.state.dag),
        };
        for (row, matched) in definition.rows.iter().zip(&choice.matched).rev() {
            if self.state.dag.constant_of(*matched) == Some(0) {
                continue;
            }
            let entry = &row.values[column];
            let found = self.entry(&entry.value, entry.currency.or(figure))?;
            value = Value::select(&mut self.state.dag, *matched, found, value)?;
        }
        let unknown = Value::unknown(&mut self.state.dag);
        let value = Value::select(&mut self.state.dag, choice.missing_rate, unknown, value)?;
        Ok(Outcome { value, fault: choice.fault, doubt: choice.doubt })
    }

    fn entry(&mut self, value: &Fact, currency: Option<Currency>) -> Result<Value, Refusal> {
        match (value, currency) {
            (Fact::Decimal(amount), Some(currency)) => {
                let rate = self.cost_rate(currency)?;
                self.money(*amount, rate)
            }
            (value, _) => Ok(self.written(value)),
        }
    }

    /// Which row of a table matches, if any.
    fn choose(&mut self, table: usize) -> Result<Choice, Refusal> {
        let definition = &self.pack.tables[table];
        let mut choice = Choice {
            matched: Vec::new(),
            missing_rate: self.state.dag.truth(false),
            unknown_key: self.state.dag.truth(false),
            fault: self.state.dag.truth(false),
            doubt: self.state.dag.truth(false),
        };
        let mut key = Vec::with_capacity(definition.key.len());
        for fact in &definition.key {
            let lowered = match self.pack.graph.id(&fact.name) {
                Some(id) => self.fact(id).map_err(|_| reads(&fact.name))?,
                None => self.nothing(),
            };
            let unknown = self.state.dag.not(lowered.value.known);
            choice.unknown_key = self.state.dag.or(choice.unknown_key, unknown);
            choice.fault = self.state.dag.or(choice.fault, lowered.fault);
            choice.doubt = self.state.dag.or(choice.doubt, lowered.doubt);
            key.push(lowered.value);
        }
        let mut earlier = self.state.dag.truth(false);
        for row in &definition.rows {
            let mut so_far = self.state.dag.truth(true);
            for (cell, value) in row.cells.iter().zip(&key) {
                let (matches, missing) = self.cell(cell, *value)?;
                let stuck = self.state.dag.and(so_far, missing);
                // a rate is missed only where no row before matched
                let first = self.state.dag.not(earlier);
                let stuck = self.state.dag.and(stuck, first);
                choice.missing_rate = self.state.dag.or(choice.missing_rate, stuck);
                so_far = self.state.dag.and(so_far, matches);
            }
            choice.matched.push(so_far);
            earlier = self.state.dag.or(earlier, so_far);
        }
        Ok(choice)
    }

    /// Whether a key cell matches, and where that cannot be told for want of an exchange rate.
    fn cell(&mut self, cell: &Cell, value: Value) -> Result<(NodeId, NodeId), Refusal> {
        let never = self.state.dag.truth(false);
        Ok(match cell {
            Cell::Any => (self.state.dag.truth(true), never),
            Cell::Unknown => (self.state.dag.not(value.known), never),
            Cell::Members(members) => {
                let mut any = never;
                for member in members {
                    let same = self.member(member, value.shape)?;
                    any = self.state.dag.or(any, same);
                }
                (self.state.dag.and(any, value.known), never)
            }
            Cell::Band(band) => {
                let number = match value.shape {
                    Shape::Number(number) => number,
                    Shape::Date(node) => Number { node, places: 0, kind: Kind::Whole },
                    Shape::Quotient(..) => return Err(Why::Unrounded.into()),
                    Shape::Truth(_) | Shape::Text(_) | Shape::Nothing => return Ok((never, never)),
                };
                let rate = band.currency.map(|currency| self.market_rate(currency)).transpose()?;
                let inside = self.inside(band, number, rate)?;
                match rate {
                    None => (self.state.dag.and(inside, value.known), never),
                    Some(rate) => {
                        let no_rate = self.state.dag.not(rate.known);
                        let known = self.state.dag.and(rate.known, value.known);
                        (self.state.dag.and(inside, known), self.state.dag.and(no_rate, value.known))
                    }
                }
            }
        })
    }

    fn inside(&mut self, band: &Band, number: Number, rate: Option<Value>) -> Result<NodeId, Refusal> {
        let mut inside = self.state.dag.truth(true);
        for (bound, lower) in [(band.low, true), (band.high, false)] {
            let Some(bound) = bound else { continue };
            let mut limit = Number::constant(&mut self.state.dag, bound.value, Kind::Decimal);
            match rate.map(|rate| rate.shape) {
                Some(Shape::Number(rate)) => limit = Number::multiplied(&mut self.state.dag, limit, rate)?,
                Some(_) => return Ok(self.state.dag.truth(false)),
                None => {}
            }
            let op = if bound.inclusive { Op::LessOrEqual } else { Op::Less };
            let (one, two) = if lower { (limit, number) } else { (number, limit) };
            let holds = Number::compared(&mut self.state.dag, one, two, op)?;
            inside = self.state.dag.and(inside, holds);
        }
        Ok(inside)
    }

    fn member(&mut self, member: &Literal, shape: Shape) -> Result<NodeId, Refusal> {
        Ok(match shape {
            Shape::Text(node) => {
                let code = self.state.texts.code(&member.text);
                let code = self.state.dag.constant(code.into());
                self.state.dag.put(Op::Equal(node, code))?
            }
            Shape::Truth(node) => match member.text.as_str() {
                "true" => node,
                "false" => self.state.dag.not(node),
                _ => self.state.dag.truth(false),
            },
            Shape::Date(node) => match member.text.parse::<NaiveDate>() {
                Ok(date) if date.to_string() == member.text => {
                    let day = self.state.dag.constant(day(date));
                    self.state.dag.put(Op::Equal(node, day))?
                }
                _ => self.state.dag.truth(false),
            },
            Shape::Number(number) => match member.number {
                Some(decimal) => {
                    let wanted = Number::constant(&mut self.state.dag, decimal, Kind::Decimal);
                    Number::compared(&mut self.state.dag, number, wanted, Op::Equal)?
                }
                None => self.state.dag.truth(false),
            },
            Shape::Quotient(..) => return Err(Why::Unrounded.into()),
            Shape::Nothing => self.state.dag.truth(false),
        })
    }
}
