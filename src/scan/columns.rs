//! The fast road: routes that belong to no group are judged in columns, for all tenants at once.
//!
//! What the columns leave open, and tenants who have a taste about the card, go to the interpreter, route by route.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    inputs::{self, Facts},
    judge::{Case, Judged},
};
use crate::{
    domain::{market::Direction, observation::day_of},
    rules::{
        graph::FactId,
        interpret::Verdict,
        lower::{Answer, Filled, LANES, Lowered, Settings},
        value::Value,
    },
};

/// Routes that are encoded at a time: their facts are in memory together.
const AT_ONCE: usize = 4_096;

/// Judges routes of one direction; `None` where the pack cannot be lowered.
pub fn judge(case: &Case<'_>, direction: Direction, routes: &[usize], progress: &(dyn Fn(usize) + Sync)) -> Option<Vec<Judged>> {
    if routes.is_empty() || case.profiles.is_empty() {
        return Some(Vec::new());
    }
    let constants = resolve(case, &case.constants);
    let date = constants.iter().find_map(|(_, value)| if let Value::Date(date) = value { Some(*date) } else { None })?;
    let tenants: Vec<Settings> = case
        .tenants
        .iter()
        .map(|facts| {
            let mut settings = resolve(case, &facts[direction as usize]);
            settings.extend(resolve(case, &inputs::no_taste()));
            settings
        })
        .collect();
    let mut lowered = match Lowered::new(case.pack, date, &constants, &tenants, true) {
        Ok(lowered) => lowered,
        Err(refused) => {
            tracing::info!(event = "interpreted", pack = %case.pack.hash, "the pack is judged by the interpreter: {refused}");
            return None;
        }
    };
    let mut judged = Vec::with_capacity(routes.len() * case.profiles.len());
    for routes in routes.chunks(AT_ONCE) {
        let filled = encode(case, &mut lowered, routes);
        let blocks: Vec<Range<usize>> = (0..routes.len()).step_by(LANES).map(|first| first..(first + LANES).min(routes.len())).collect();
        let found: Vec<Vec<Judged>> = blocks.into_par_iter().map(|rows| block(case, &lowered, &filled, routes, rows)).collect();
        judged.extend(found.into_iter().flatten());
        progress(routes.len());
    }
    Some(judged)
}

fn resolve(case: &Case<'_>, facts: &Facts) -> Settings {
    facts.iter().filter_map(|(name, value)| Some((case.pack.graph.id(name)?, value.clone()))).collect()
}

fn encode(case: &Case<'_>, lowered: &mut Lowered, routes: &[usize]) -> Filled {
    let facts: Vec<Settings> = routes
        .par_iter()
        .map(|route| {
            let route = &case.routes[*route];
            let mut facts = resolve(case, &inputs::route_facts(case.book, case.health, &case.activity, route));
            if let Some(card) = case.book.card(route.card) {
                facts.extend(resolve(case, &inputs::card_facts(card, day_of(case.book.as_of))));
            }
            facts
        })
        .collect();
    let mut rows = lowered.rows();
    let mut values = vec![Value::Unknown; case.pack.graph.facts.len()];
    for facts in facts {
        let ids: Vec<FactId> = facts.iter().map(|(id, _)| *id).collect();
        for (id, value) in facts {
            values[id.0] = value;
        }
        rows.push(case.pack, &|id: FactId| values[id.0].clone());
        for id in ids {
            values[id.0] = Value::Unknown;
        }
    }
    rows.finish()
}

/// Answers of a block of rows, the open ones by the interpreter.
fn block(case: &Case<'_>, lowered: &Lowered, filled: &Filled, routes: &[usize], rows: Range<usize>) -> Vec<Judged> {
    let mut judged = Vec::with_capacity(rows.len() * case.profiles.len());
    let mut open: Vec<(usize, usize)> = Vec::new();
    lowered.judge(filled, rows, |row, tenant, answer| {
        let route = routes[row];
        let taste = case
            .book
            .card(case.routes[route].card)
            .is_some_and(|card| inputs::taste_facts(&case.profiles[tenant], card) != inputs::no_taste());
        let (verdict, score) = match answer {
            Answer::Signal(score) if !taste => (Verdict::Signal, score),
            Answer::Rejected(gate) if !taste => (Verdict::Rejected { gate }, None),
            Answer::Signal(_) | Answer::Rejected(_) | Answer::Ask => {
                open.push((route, tenant));
                return;
            }
        };
        judged.push(Judged { route, tenant, verdict, score, aggregates: Vec::new() });
    });
    open.sort_unstable();
    judged.extend(case.interpret(&open));
    judged
}
