//! `rules check --costs`: what of a pack is lowered to columns, what is not and why, and how many instructions it takes.

use std::fmt::Write as _;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::super::table;
use crate::{
    domain::money::round_half_up,
    rules::{
        bench::Workload,
        graph::FactId,
        lower::{
            Setting, Settings,
            costs::{Costs, Engine, FactCost, costs, usual_tenant},
        },
        pack::Pack,
        value::Value,
    },
};

/// Tenants that share a program, each with settings of its own.
const TENANTS: usize = 256;
const SEED: u64 = 1;
/// Facts that are listed as the dearest.
const DEAREST: usize = 10;

/// What a pack costs on a day; nothing where the columns can't judge it at all.
pub fn of(pack: &Pack, date: NaiveDate, mut constants: Vec<(FactId, Value)>) -> Option<Costs> {
    constants.extend(pack.graph.id("date").map(|id| (id, Value::Date(date))));
    let others = Workload::draw(pack, date, 0, TENANTS - 1, SEED).tenants;
    let drawn = others.into_iter().map(|facts| facts.into_iter().map(|(id, value)| (id, Setting::Is(value))).collect::<Settings>());
    let tenants: Vec<Settings> = std::iter::once(usual_tenant(pack)).chain(drawn).collect();
    costs(pack, date, &constants, &tenants).ok()
}

/// Instructions of a route and tenant, where all tenants are judged together.
fn pair(costs: &Costs) -> Decimal {
    let (instructions, tenants) = costs.together;
    round_half_up(Decimal::from(instructions) / Decimal::from(tenants.max(1)), 1)
}

pub fn json(pack: &Pack, costs: Option<&Costs>) -> Json {
    let Some(costs) = costs else { return Json::Null };
    let fact = |cost: &FactCost| {
        let fact = pack.graph.fact(cost.fact);
        json!({
            "fact": fact.name, "kind": fact.kind.as_str(), "place": fact.place, "lowered": cost.engine == Engine::Columns,
            "computed_by": cost.engine.as_str(), "instructions": cost.instructions,
            "refused": cost.refused.as_ref().map(|refused| {
                json!({ "reason": refused.why.to_string(), "place": refused.place, "tenants": refused.tenants })
            }),
        })
    };
    json!({
        "route": costs.route, "columns": costs.columns, "tenant": costs.tenant, "tenants": costs.together.1, "pair": pair(costs).to_string(),
        "facts": costs.facts.iter().map(fact).collect::<Vec<_>>(),
    })
}

pub fn pretty(pack: &Pack, costs: Option<&Costs>) -> String {
    let Some(costs) = costs else {
        return "costs: an aggregate counts over a number or over a tenant's fact, so the interpreter judges every route and tenant"
            .to_owned();
    };
    let mut text = String::new();
    let lowered = costs.facts.iter().filter(|cost| cost.engine == Engine::Columns).count();
    let _ = writeln!(text, "{lowered} of {} formulas, columns and parameters are lowered", costs.facts.len());
    for cost in &costs.facts {
        let Some(refused) = &cost.refused else { continue };
        let place = refused.place.as_ref().map_or_else(String::new, |place| format!("{place}: "));
        let name = &pack.graph.fact(cost.fact).name;
        let some = if refused.tenants == costs.together.1 { String::new() } else { format!(", for {} of these tenants", refused.tenants) };
        let _ = writeln!(text, "  {place}{name} is not: {}\n    computed by the {}{some}", refused.why, cost.engine.as_str());
    }
    let _ = writeln!(
        text,
        "instructions: {} for a route, which leave {} columns; {} for a tenant alone; {} for a pair of {} tenants together",
        costs.route,
        costs.columns,
        costs.tenant,
        pair(costs),
        costs.together.1
    );
    let mut dearest: Vec<&FactCost> = costs.facts.iter().filter(|cost| cost.instructions > 0).collect();
    dearest.sort_by_key(|cost| std::cmp::Reverse(cost.instructions));
    let rows = dearest.into_iter().take(DEAREST).map(|cost| {
        let fact = pack.graph.fact(cost.fact);
        let place = fact.place.as_ref().map_or_else(String::new, ToString::to_string);
        vec![fact.name.clone(), cost.instructions.to_string(), fact.stage.as_str().to_owned(), place]
    });
    text.push_str(&table(&["the dearest", "instructions", "stage", "place"], rows));
    text
}
