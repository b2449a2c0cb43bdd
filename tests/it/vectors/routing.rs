//! Cases of the rotation and the cascade, put to the code that routes.

use chrono::{DateTime, SecondsFormat, Utc};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use tcg_radar::{
    domain::{
        plan::Plans,
        profile::{Category, Tier},
        signal::{Cascade, available_at, handed_over},
    },
    route::rotation::{Contender, is_interested, order},
};

use super::{Answer, Packs, Refusal, adapters::Answers};

fn plans() -> Plans {
    Plans::parse("plans.yaml", Plans::SHIPPED).unwrap()
}

fn moment(value: &Json) -> Result<DateTime<Utc>, Refusal> {
    value.as_str().and_then(|text| text.parse().ok()).ok_or_else(|| Refusal::Input(format!("{value} is no moment")))
}

pub fn cascade(_: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_reference(cascade_answer(input))
}

fn cascade_answer(input: &Json) -> Answer {
    let rules = plans().rotation;
    let count = u32::try_from(input["cascade_count"].as_u64().unwrap_or_default()).unwrap_or(u32::MAX);
    if input["kind"] == "increment" {
        let (count, limit_reached) = handed_over(&rules, count);
        return Ok([("count", json!(count)), ("limit_reached", json!(limit_reached))].into());
    }
    let expires_at = moment(&input["expires_at"])?;
    let acted_on = input["acted_on"].as_bool().unwrap_or_default();
    let found = Cascade::of(&rules, expires_at, acted_on, count, moment(&input["now"])?);
    let reason = match found {
        Cascade::ActedOn => "signal_acted_on",
        Cascade::LimitReached => "cascade_limit_reached",
        Cascade::CoolingDown => "cooldown_pending",
        Cascade::Ready => "cascade_ready",
    };
    // the recorder writes whole seconds without a fraction, and six places else
    let available = available_at(&rules, expires_at);
    let places = if available.timestamp_subsec_micros() == 0 { SecondsFormat::Secs } else { SecondsFormat::Micros };
    let available = available.to_rfc3339_opts(places, false);
    Ok([("cascade", json!(found == Cascade::Ready)), ("reason", json!(reason)), ("available_at", json!(available))].into())
}

pub fn tier_routing(_: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_reference(routing_answer(input))
}

fn routing_answer(input: &Json) -> Answer {
    let plans = plans();
    let category: Option<Category> = input["category"].as_str().and_then(|name| name.parse().ok());
    let mut contenders: Vec<Contender<String>> = input["candidates"]
        .as_array()
        .ok_or(Refusal::Input("no candidates".to_owned()))?
        .iter()
        .map(|one| Contender {
            who: one["user_id"].as_str().unwrap_or_default().to_owned(),
            first_look: plans.of(Tier::or_free(one["tier"].as_str().unwrap_or_default())).first_look_priority,
            priority: one["priority_score"].to_string().parse::<Decimal>().unwrap(),
            categories: one["categories"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().parse().unwrap()).collect(),
        })
        .collect();
    if input["kind"] == "filter" {
        contenders.retain(|one| is_interested(&one.categories, category));
        return Ok([("kept", json!(names(contenders)))].into());
    }
    order(&mut contenders, category);
    Ok([("order", json!(names(contenders)))].into())
}

fn names(contenders: Vec<Contender<String>>) -> Vec<String> {
    contenders.into_iter().map(|one| one.who).collect()
}
