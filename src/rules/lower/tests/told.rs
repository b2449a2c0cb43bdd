//! Every fact in columns, compared with what the interpreter says of it.

use rust_decimal::Decimal;

use super::{
    fuzz::Seen,
    ground::{Ground, density, today},
};
use crate::rules::{
    graph::{FactId, Kind},
    interpret::{Evaluation, Slot},
    lower::{
        Column, Setting, Settings,
        body::Outcome,
        dag::{NodeId, Op},
        facts::{Builder, State},
        program::Planner,
        rows,
        value::{Kind as NumberKind, Shape, day},
    },
    value::Value,
};

/// Every fact of every tenant, in columns.
pub struct Told {
    /// By tenant.
    facts: Vec<Vec<Option<Lanes>>>,
    texts: State,
    pub refused: usize,
}

/// A fact in columns: what it is, and by row its value in two halves, and whether it is known, at fault, in doubt.
struct Lanes {
    shape: Shape,
    columns: [Vec<i64>; 5],
}

/// Values are told in halves that fit a column.
const HALF: i128 = 1 << 60;

impl Told {
    pub fn of(ground: &Ground<'_>) -> Self {
        let pack = ground.pack;
        let mut state = State::new(today(), &ground.constants);
        let mut outcomes: Vec<Vec<Option<Outcome>>> = Vec::new();
        for (number, tenant) in ground.tenants.iter().enumerate() {
            let mut builder = Builder::new(pack, &mut state);
            builder.bind(&tenant.settings).unwrap();
            let counted: Settings =
                pack.aggregates.iter().map(|aggregate| (aggregate.fact, Setting::Is(Value::Integer(density(0, number))))).collect();
            builder.bind(&counted).unwrap();
            outcomes.push(pack.graph.ids().map(|id| builder.fact(id).ok()).collect());
        }
        let interpreted: Vec<FactId> = state.columns.iter().filter(|column| column.interpreted).map(|column| column.fact).collect();
        let mut filling = state.rows(0);
        for row in 0..ground.rows.len() {
            state.push(pack, &mut filling, &ground.given(row, &interpreted));
        }
        let facts = outcomes
            .into_iter()
            .map(|outcomes| outcomes.into_iter().map(|outcome| outcome.map(|outcome| Lanes::of(&mut state, &filling, outcome))).collect())
            .collect();
        let refused = state.refused.len();
        Self { facts, texts: state, refused }
    }

    pub fn compare(
        &self,
        ground: &Ground<'_>,
        evaluation: &mut Evaluation<'_>,
        (row, tenant): (usize, usize),
        about: &str,
        seen: &mut Seen,
    ) {
        for id in ground.pack.graph.ids() {
            let fact = ground.pack.graph.fact(id);
            if matches!(fact.kind, Kind::Input(_)) {
                continue;
            }
            seen.facts += 1;
            let Some(lanes) = &self.facts[tenant][id.0] else {
                seen.facts_open += 1;
                continue;
            };
            let [low, high, known, fault, doubt] = [0, 1, 2, 3, 4].map(|column| lanes.columns[column][row]);
            if doubt != 0 {
                seen.facts_open += 1;
                continue;
            }
            let found = i128::from(high) * HALF + i128::from(low).rem_euclid(HALF);
            let agrees = match evaluation.slot(id) {
                Slot::Fault(_) => {
                    seen.facts_failed += 1;
                    fault != 0
                }
                Slot::Unknown(_) => fault == 0 && known == 0,
                Slot::Pending => false,
                Slot::Known(value) => {
                    seen.facts_known += 1;
                    fault == 0 && known != 0 && self.means(lanes.shape, found, value)
                }
            };
            let slot = evaluation.slot(id).clone();
            assert!(
                agrees,
                "{} is {slot:?}, in columns {:?} {found} known {known} fault {fault}\n{}",
                fact.name,
                lanes.shape,
                ground.described(about, row, tenant)
            );
        }
    }

    fn means(&self, shape: Shape, found: i128, value: &Value) -> bool {
        match (shape, value) {
            (Shape::Number(number), Value::Integer(whole)) => {
                number.kind != NumberKind::Decimal && Decimal::from_i128_with_scale(found, number.places) == Decimal::from(*whole)
            }
            (Shape::Number(number), Value::Decimal(decimal)) => {
                number.kind != NumberKind::Whole && Decimal::from_i128_with_scale(found, number.places) == *decimal
            }
            (Shape::Truth(_), Value::Bool(truth)) => (found != 0) == *truth,
            (Shape::Text(_), Value::Text(text)) => found == i128::from(self.texts.texts.code(text)),
            (Shape::Date(_), Value::Date(date)) => found == day(*date),
            _ => false,
        }
    }
}

impl Lanes {
    fn of(state: &mut State, filling: &rows::Rows, outcome: Outcome) -> Self {
        let value = match outcome.value.shape {
            Shape::Number(number) => number.node,
            Shape::Truth(node) | Shape::Text(node) | Shape::Date(node) => node,
            Shape::Nothing | Shape::Quotient(..) => state.dag.constant(0),
        };
        let half = state.dag.constant(HALF);
        let high = state.dag.put(Op::DivideFloor(value, half)).unwrap();
        let low = state.dag.put(Op::Remainder(value, half)).unwrap();
        let question: Vec<NodeId> = vec![half, low, high, outcome.value.known, outcome.fault, outcome.doubt];
        let positions = &state.positions;
        let program = Planner::default().plan(&state.dag, &|node| positions.get(&node).map(|position| (*position, false)), &[question]);
        let columns = rows::screen(&program, filling, 0).columns.into_iter();
        let columns: Vec<Vec<i64>> = columns
            .map(|column| match column {
                Column::Bytes(bytes) => bytes.into_iter().map(i64::from).collect(),
                Column::Numbers(numbers) => numbers,
            })
            .collect();
        Self { shape: outcome.value.shape, columns: columns.try_into().unwrap() }
    }
}
