//! What a pack costs in columns: who computes each fact, with how many instructions, and why not the columns.

use std::collections::HashMap;

use chrono::NaiveDate;

use super::{
    Lowered, Refusal, Setting, Settings, Unfit,
    body::Outcome,
    dag::{Dag, NodeId, Op},
    facts::{Builder, State},
    program::Planner,
    split::nodes_of,
};
use crate::rules::{
    diagnostic::{Place, Span},
    facts::{INPUTS, Stage},
    graph::{FactId, Kind},
    pack::Pack,
    value::Value,
};

/// Who computes a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Columns,
    /// The interpreter, once a route; from then on it is a column.
    InterpreterOnceARoute,
    /// The interpreter, for every route that comes to ask for it and every tenant.
    InterpreterForEachPair,
}

impl Engine {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::InterpreterOnceARoute => "interpreter, once a route",
            Self::InterpreterForEachPair => "interpreter, for each route and tenant",
        }
    }
}

/// A formula, column or parameter.
#[derive(Debug, Clone)]
pub struct FactCost {
    pub fact: FactId,
    pub engine: Engine,
    /// Beyond those of the facts that it reads; none where it is the same for every route.
    pub instructions: usize,
    /// Why the columns don't compute it.
    pub refused: Option<Refused>,
}

/// Why the columns don't compute a fact.
#[derive(Debug, Clone)]
pub struct Refused {
    pub why: Refusal,
    pub place: Option<Place>,
    /// For how many of the tenants: a quotient by a tenant's own figure may be exact for some.
    pub tenants: usize,
}

/// What a pack costs.
#[derive(Debug, Clone)]
pub struct Costs {
    pub facts: Vec<FactCost>,
    /// Instructions for a route before any tenant, and the columns that they leave for tenants.
    pub route: usize,
    pub columns: usize,
    /// Instructions for a route and the first tenant, if it is the only one.
    pub tenant: usize,
    /// Instructions for a route and all tenants together, and how many they are.
    pub together: (usize, usize),
}

/// A tenant of whom everything is known: each input is what its declaration gives as an example.
pub fn usual_tenant(pack: &Pack) -> Settings {
    let told = INPUTS.iter().filter(|input| input.stage == Stage::Tenant);
    let setting = |input: &crate::rules::facts::Input| {
        let value = Value::parse(input.domain.value_type(), input.example).ok()?;
        Some((pack.graph.id(input.name)?, Setting::Is(value)))
    };
    told.filter_map(setting).collect()
}

/// Lowers the pack for tenants, of whom there must be one, and counts; single facts are counted for the first.
///
/// # Errors
/// A pack that is left to the interpreter whole.
pub fn costs(pack: &Pack, date: NaiveDate, constants: &[(FactId, Value)], tenants: &[Settings]) -> Result<Costs, Unfit> {
    let (lowered, first) = (Lowered::new(pack, date, constants, tenants)?, tenants.get(..1).unwrap_or_default());
    let alone = Lowered::new(pack, date, constants, first)?;
    let instructions = |lowered: &Lowered| lowered.batches.iter().map(super::Batch::size).sum();
    let (_, route, columns) = lowered.size();
    Ok(Costs {
        facts: facts(pack, date, constants, tenants),
        route,
        columns,
        tenant: instructions(&alone),
        together: (instructions(&lowered), tenants.len()),
    })
}

fn facts(pack: &Pack, date: NaiveDate, constants: &[(FactId, Value)], tenants: &[Settings]) -> Vec<FactCost> {
    let mut state = State::new(date, constants);
    let mut failed = vec![0; pack.graph.facts.len()];
    let mut outcomes: Vec<Result<Outcome, Refusal>> = Vec::new();
    for settings in tenants {
        let mut builder = Builder::new(pack, &mut state);
        // what can't be bound is asked for below, and refused there
        let _ = builder.bind(settings);
        let found = pack.graph.ids().map(|id| builder.fact(id)).collect::<Vec<_>>();
        for (failed, outcome) in failed.iter_mut().zip(&found) {
            *failed += usize::from(outcome.is_err());
        }
        if outcomes.is_empty() {
            outcomes = found;
        }
    }
    let refused: HashMap<FactId, &Refusal> = state.refused.iter().map(|(id, refusal)| (*id, refusal)).collect();
    let computed = |id: &FactId| matches!(pack.graph.fact(*id).kind, Kind::Parameter(_) | Kind::Column { .. } | Kind::Derived { .. });
    let cost = |id: FactId| {
        let fact = pack.graph.fact(id);
        let refusal = refused.get(&id).copied().cloned();
        let engine = match (failed[id.0], &refusal) {
            (0, None) => Engine::Columns,
            (0, Some(_)) => Engine::InterpreterOnceARoute,
            _ => Engine::InterpreterForEachPair,
        };
        let place = |span: Option<Span>| fact.place.as_ref().map(|place| Place { span: span.unwrap_or(place.span), ..place.clone() });
        let tenants = if failed[id.0] > 0 { failed[id.0] } else { tenants.len() };
        let refused = refusal.map(|why| Refused { place: place(why.span), why, tenants });
        let read = fact.reads.iter().filter_map(|read| outcomes[read.fact.0].as_ref().ok());
        let instructions = match outcomes.get(id.0) {
            Some(Ok(outcome)) if engine == Engine::Columns => own(&state.dag, *outcome, read),
            _ => 0,
        };
        FactCost { fact: id, engine, instructions, refused }
    };
    pack.graph.ids().filter(computed).map(cost).collect()
}

/// Instructions for a fact where those that it reads are at hand.
fn own<'o>(dag: &Dag, outcome: Outcome, read: impl Iterator<Item = &'o Outcome>) -> usize {
    let at_hand: HashMap<NodeId, u32> = read.flat_map(|outcome| nodes_of(*outcome)).zip(0..).collect();
    // what the row tells is at hand, too
    let is_told = |node: NodeId| matches!(dag.op(node), Op::Input(_)).then_some(0);
    let given = |node: NodeId| Some((at_hand.get(&node).copied().or_else(|| is_told(node))?, false));
    Planner::default().plan(dag, &given, &[nodes_of(outcome).collect()]).instructions.len()
}
