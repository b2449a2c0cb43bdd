//! Lowers amounts that are written in a currency: what they are in the tenant's own.

use rust_decimal::Decimal;

use super::{
    dag::{NodeId, Op},
    facts::Builder,
    refusal::Refusal,
    value::{Kind, Number, Shape, Value},
};
use crate::{domain::money::Currency, rules::graph::rate_input};

impl Builder<'_> {
    /// A written amount at a rate, in cents.
    pub(super) fn money(&mut self, amount: Decimal, rate: Value) -> Result<Value, Refusal> {
        let dag = &mut self.state.dag;
        let Shape::Number(rate_number) = rate.shape else { return Ok(Value::unknown(dag)) };
        let amount = Number::constant(dag, amount, Kind::Decimal);
        let number = Number::multiplied(dag, amount, rate_number)?.rounded(dag, 2)?;
        Ok(Value { shape: Shape::Number(number), known: rate.known })
    }

    fn named(&mut self, name: &str) -> Result<Value, Refusal> {
        match self.pack.graph.id(name) {
            Some(id) => Ok(self.fact(id)?.value),
            None => Ok(Value::unknown(&mut self.state.dag)),
        }
    }

    /// Where the tenant's account is in that currency.
    fn is_home(&mut self, currency: Currency) -> Result<NodeId, Refusal> {
        let home = self.named("home_currency")?;
        let Shape::Text(home_node) = home.shape else { return Ok(self.state.dag.truth(false)) };
        let code = self.state.texts.code(currency.code());
        let same = self.state.dag.equals(home_node, code.into());
        Ok(self.state.dag.and(home.known, same))
    }

    fn one(&mut self) -> Value {
        let one = Number::constant(&mut self.state.dag, Decimal::ONE, Kind::Decimal);
        Value::known(&mut self.state.dag, Shape::Number(one))
    }

    pub(super) fn market_rate(&mut self, currency: Currency) -> Result<Value, Refusal> {
        let (at_home, one) = (self.is_home(currency)?, self.one());
        let rate = self.named(rate_input(currency))?;
        Value::select(&mut self.state.dag, at_home, one, rate)
    }

    /// What one unit of a currency costs, the buffer inside.
    pub(super) fn cost_rate(&mut self, currency: Currency) -> Result<Value, Refusal> {
        let (at_home, one) = (self.is_home(currency)?, self.one());
        let (rate, buffer) = (self.named(rate_input(currency))?, self.named("forex_buffer")?);
        let dag = &mut self.state.dag;
        let abroad = match (rate.shape, buffer.shape) {
            (Shape::Number(rate_number), Shape::Number(buffer_number)) => {
                let whole = Number::constant(dag, Decimal::ONE, Kind::Decimal);
                let factor = Number::combine(dag, whole, buffer_number, Op::Add)?;
                let number = Number::multiplied(dag, rate_number, factor)?;
                Value { shape: Shape::Number(number), known: dag.and(rate.known, buffer.known) }
            }
            _ => Value::unknown(dag),
        };
        Value::select(dag, at_home, one, abroad)
    }
}
