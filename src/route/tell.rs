//! What is told of a decision, and what is kept for its audit.

use serde_json::{Map, Value as Json, json};

use crate::{
    domain::{
        decision::{Decision, Opportunity, Standing},
        market::Market,
        profile::Profile,
    },
    rules::pack::Pack,
    store::signals::Record,
};

/// Everything that a decision rests on. It can be computed again from this alone, together with the pack of that hash.
pub fn record(pack: &Pack, standing: &Standing, decision: &Decision, profile: &Profile) -> Record {
    let Opportunity { buy_market, buy_price, buy_source, buy_observed_at, sell_market, sell_price, sell_source, sell_observed_at, .. } =
        &standing.opportunity;
    let facts = |names: &mut dyn Iterator<Item = &str>| {
        names.filter_map(|name| Some((name.to_owned(), decision.facts.get(name)?.clone()))).collect::<Map<_, _>>()
    };
    let side = |market: &Market, price, source, observed_at| json!({ "market": market, "price": price, "currency": market.currency().code(), "source": source, "observed_at": observed_at });
    let rates = ["buy_rate", "sell_rate", "cost_rate", "proceeds_rate", "forex_buffer"];
    Record {
        prices: json!({
            "buy": side(buy_market, buy_price, buy_source, buy_observed_at),
            "sell": side(sell_market, sell_price, sell_source, sell_observed_at),
            "rates": facts(&mut rates.into_iter()),
        }),
        fees: Json::Object(facts(&mut pack.waterfall.iter().map(|id| pack.graph.fact(*id).name.as_str()))),
        snapshot: json!({
            "decision_id": decision.decision_id, "pack_hash": standing.pack_hash, "customs_regime": standing.customs_regime,
            "signal_type": decision.signal_type, "score": decision.score, "net_profit": decision.net_profit, "flags": decision.flags,
            "profile": profile, "facts": decision.facts,
        }),
    }
}

/// A reason code in a tenant's words.
pub fn reason(code: &str) -> String {
    code.to_lowercase().replace('_', " ")
}
