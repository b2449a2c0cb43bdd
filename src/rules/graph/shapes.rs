//! Fills in what follows from the formulas: stage, type, unit and possible values of every fact.

use super::{FactId, Graph, Kind, Parts};
use crate::rules::{
    diagnostic::Sink,
    facts::{Domain, Stage},
    infer::{self, Quantity, Shape, Types},
    tables::{Otherwise, Table},
    tree::Literal,
    units::Unit,
    value::{Type, Value},
};

impl Graph {
    /// In an order where what is read comes first; faults of the formulas go to `sink`.
    pub(super) fn infer(&mut self, order: &[FactId], parts: &Parts<'_>, sink: &Sink) {
        let mut shapes = vec![Shape::untold(); self.facts.len()];
        for id in order {
            let fact = self.fact(*id);
            let latest = fact.reads.iter().map(|read| self.fact(read.fact).stage).max().unwrap_or(Stage::Constant);
            let shape = match fact.kind {
                Kind::Derived { script, function } => {
                    let script = &parts.scripts[script];
                    let of = |name: &str| self.id(name).map_or_else(Shape::untold, |id| shapes[id.0].clone());
                    let params = script.functions[function].params.iter().map(|param| of(&param.fact)).collect();
                    infer::function(script, function, params, sink)
                }
                kind => {
                    let possible = possible_of(kind, parts);
                    let shape = fact.value_type.map_or_else(Shape::untold, Shape::of_type);
                    let unit = fact.unit.filter(|_| shape.types.outside(Types::NUMBER).is_none());
                    Shape { unit: unit.map_or(shape.unit, Quantity::Is), possible: possible.or(shape.possible), types: shape.types }
                }
            };
            let fact = &mut self.facts[id.0];
            fact.stage = fact.stage.max(latest);
            fact.value_type = shape.types.only().or(fact.value_type);
            fact.unit = match shape.unit {
                Quantity::Is(unit) => Some(unit),
                Quantity::Any if fact.value_type.is_some_and(|found| !matches!(found, Type::Decimal | Type::Integer)) => Some(Unit::NONE),
                Quantity::Any | Quantity::Untold => None,
            };
            fact.possible.clone_from(&shape.possible);
            shapes[id.0] = shape;
        }
    }
}

/// What an input, parameter or column can be, where that is a closed set.
fn possible_of(kind: Kind, parts: &Parts<'_>) -> Option<std::collections::BTreeSet<Literal>> {
    let truth = |value: &Value| if let Value::Bool(truth) = value { Some(Literal::Bool(*truth)) } else { None };
    match kind {
        Kind::Input(input) => match input.domain {
            Domain::Enum(members) => Some(members.iter().map(|member| Literal::Text((*member).into())).collect()),
            _ => None,
        },
        Kind::Parameter(index) => {
            let parameter = &parts.parameters[index];
            (parameter.measure.value_type == Type::Bool).then(|| parameter.values.iter().filter_map(|dated| truth(&dated.value)).collect())
        }
        Kind::Column { table, column } => {
            let table: &Table = &parts.tables[table];
            let one_of = &table.columns[column].one_of;
            if !one_of.is_empty() {
                return Some(one_of.iter().map(|text| Literal::Text(text.as_str().into())).collect());
            }
            let rows = table.rows.iter().filter_map(|row| row.values.get(column));
            let rest = if let Some(Otherwise::Values(values)) = &table.otherwise { values.get(column) } else { None };
            (table.columns[column].measure.value_type == Type::Bool)
                .then(|| rows.chain(rest).filter_map(|entry| truth(&entry.value)).collect())
        }
        Kind::Derived { .. } | Kind::Aggregate => None,
    }
}
