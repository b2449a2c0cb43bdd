//! A stored decision, run again from its own pack and its own facts.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

use super::{ExplainError, RouteLine, Told};
use crate::{
    domain::{
        card::CardId,
        decision::{Decision, Outcome, StoredDecision},
    },
    rules::{eval, explain::explain, graph::Kind, interpret::Evaluation, pack::Pack, source::PackSource},
    scan::report,
    store::{Store, scans},
};

/// A decision, told.
#[derive(Debug, Serialize)]
pub struct StoredReport {
    pub decision_id: Uuid,
    pub scan_id: Uuid,
    pub decided_at: DateTime<Utc>,
    pub card_id: CardId,
    pub card_name: String,
    /// What was looked at, and moved in time.
    pub as_of: DateTime<Utc>,
    pub shift: Option<String>,
    pub stored: Answer,
    /// Of the program that wrote it, and of this one.
    pub engine: String,
    pub engine_today: &'static str,
    pub pack_hash: String,
    /// `None` where there is no pack today, or none that loads.
    pub pack_today: Option<String>,
    /// What came out differently when it was run again.
    pub differences: Vec<Difference>,
    /// What today's pack says to the same facts, where it is another one.
    pub by_todays_pack: Option<Answer>,
    pub told: Told,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    pub reason: Option<String>,
    pub signal_type: Option<String>,
    pub net_profit: Option<Decimal>,
    pub score: Option<Decimal>,
    pub flags: Vec<String>,
}

/// A value that is not what was stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub what: String,
    pub stored: String,
    pub again: String,
}

/// Runs a stored decision again with the pack and the facts that it was made of.
///
/// # Errors
/// There is no such decision, its pack no longer loads, or the database is gone.
pub async fn stored_decision(store: &Store, id: Uuid, today: Option<&Pack>, why_not: bool) -> Result<StoredReport, ExplainError> {
    let mut tx = store.service().await?;
    let found = scans::decision(&mut tx, id).await?;
    tx.commit().await?;
    let found = found.ok_or(ExplainError::UnknownDecision(id))?;
    let pack = Pack::from_source(PackSource::from_json(&found.pack_files)).map_err(|diagnostics| ExplainError::StoredPack {
        decision: id,
        hash: found.pack_hash.clone(),
        engine: found.engine_version.clone(),
        diagnostics,
    })?;
    Ok(report(&found, &pack, today, why_not))
}

fn report(found: &StoredDecision, pack: &Pack, today: Option<&Pack>, why_not: bool) -> StoredReport {
    let StoredDecision { decision, opportunity, .. } = found;
    let mut evaluation = again(pack, &decision.facts);
    let explanation = explain(&mut evaluation, why_not);
    let stored = Answer {
        reason: decision.reason.clone(),
        signal_type: decision.signal_type.clone(),
        net_profit: decision.net_profit,
        score: decision.score,
        flags: decision.flags.clone(),
    };
    let by_todays_pack = today.filter(|today| today.hash != found.pack_hash).map(|today| {
        let mut evaluation = again(today, &decision.facts);
        answer(&mut evaluation)
    });
    StoredReport {
        decision_id: decision.decision_id,
        scan_id: found.scan_id,
        decided_at: found.decided_at,
        card_id: opportunity.card_id.clone(),
        card_name: opportunity.card_name.clone(),
        as_of: found.as_of,
        shift: found.shift.clone(),
        differences: differences(pack, decision, &rerun(pack, decision)),
        stored,
        engine: found.engine_version.clone(),
        engine_today: env!("CARGO_PKG_VERSION"),
        pack_hash: found.pack_hash.clone(),
        pack_today: today.map(|today| today.hash.clone()),
        by_todays_pack,
        told: Told {
            tenant: decision.tenant,
            country: None,
            route: RouteLine {
                direction: opportunity.direction,
                finish: opportunity.finish,
                buy_market: opportunity.buy_market,
                buy_price: Some(opportunity.buy_price),
                buy_source: opportunity.buy_source.clone(),
                buy_observed_at: opportunity.buy_observed_at,
                buy_history: Vec::new(),
                seller_id: opportunity.seller_id.clone(),
                condition: opportunity.condition.map(|grade| grade.as_str().to_owned()),
                sell_market: opportunity.sell_market,
                sell_price: Some(opportunity.sell_price),
                sell_source: opportunity.sell_source.clone(),
                sell_observed_at: opportunity.sell_observed_at,
                sell_history: Vec::new(),
            },
            explanation,
        },
    }
}

/// An evaluation of what was handed to the pack then; what it computed is computed anew.
pub fn again<'p>(pack: &'p Pack, facts: &Json) -> Evaluation<'p> {
    let mut evaluation = Evaluation::new(pack);
    for id in pack.graph.ids() {
        let fact = pack.graph.fact(id);
        let Some(json) = facts.get(&fact.name).filter(|_| matches!(fact.kind, Kind::Input(_) | Kind::Aggregate)) else { continue };
        let set = match eval::read(&fact.name, fact.value_type, json) {
            Ok(value) => evaluation.set(id, value).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = set {
            evaluation.set_fault(id, &error);
        }
    }
    evaluation
}

fn answer(evaluation: &mut Evaluation<'_>) -> Answer {
    let pack = evaluation.pack();
    let reason = evaluation.verdict().reason(pack).map(str::to_owned);
    Answer {
        signal_type: if reason.is_none() { evaluation.signal_type().map(|name| name.to_string()) } else { None },
        reason,
        net_profit: pack.graph.id("net_profit").and_then(|id| evaluation.known(id)?.as_decimal()),
        score: evaluation.score(),
        flags: evaluation.flags().iter().map(ToString::to_string).collect(),
    }
}

/// The same decision, made anew of what was handed to the pack then.
pub fn rerun(pack: &Pack, stored: &Decision) -> Decision {
    let mut evaluation = again(pack, &stored.facts);
    let verdict = evaluation.verdict();
    let reason = verdict.reason(pack);
    // how near a miss was is the scan's to say, which saw all of them
    let outcome = match (reason, stored.outcome) {
        (None, _) => Outcome::Signal,
        (Some(_), Outcome::Signal) => Outcome::Rejected,
        (Some(_), missed) => missed,
    };
    let made = report::decision(&mut evaluation, stored.tenant, stored.opportunity_id, outcome, reason);
    Decision { decision_id: stored.decision_id, ..made }
}

/// The answer first, then the facts in the order in which they are computed: the first of them is where it began.
pub fn differences(pack: &Pack, stored: &Decision, again: &Decision) -> Vec<Difference> {
    let or_none = |text: Option<&str>| text.unwrap_or("none").to_owned();
    let number = |number: Option<Decimal>| or_none(number.map(|number| number.to_string()).as_deref());
    let pair = |what: &str, of: &dyn Fn(&Decision) -> String| (what.to_owned(), of(stored), of(again));
    let answers = [
        pair("the reason", &|one| or_none(one.reason.as_deref())),
        pair("the type", &|one| or_none(one.signal_type.as_deref())),
        pair("the net profit", &|one| number(one.net_profit)),
        pair("the score", &|one| number(one.score)),
        pair("the flags", &|one| one.flags.join(" ")),
    ];
    let text = |json: Option<&Json>| match json {
        None | Some(Json::Null) => "unknown".to_owned(),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let names = pack.graph.ids().map(|id| &pack.graph.fact(id).name);
    let values = names.map(|name| (name.clone(), text(stored.facts.get(name)), text(again.facts.get(name))));
    answers
        .into_iter()
        .chain(values)
        .filter(|(_, stored, again)| stored != again)
        .map(|(what, stored, again)| Difference { what, stored, again })
        .collect()
}
