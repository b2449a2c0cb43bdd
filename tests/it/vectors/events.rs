//! Decks, tournaments and bursts of talk: asked of the code that counts them.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use tcg_radar::{
    domain::talk::discord_moment,
    events::{
        spikes::{Mention, frequency, is_spike},
        synergy::Synergy,
        tournament::{Placed, targets},
    },
};

use super::{Answer, Packs, Refusal, adapters::Answers};

fn list(value: &Json) -> &[Json] {
    value.as_array().expect("a list")
}

fn text(value: &Json) -> &str {
    value.as_str().expect("a text")
}

pub fn synergy(_: &Packs, input: &Json, _: &Json) -> Answers {
    let mut synergy = Synergy::default();
    for deck in list(&input["decklists"]) {
        synergy.add(list(deck).iter().map(|card| text(&card["card_name"])), 1);
    }
    let target = text(&input["target"]);
    let most = usize::try_from(input["top_n"].as_u64().expect("a number")).unwrap();
    let counts: Vec<u32> = synergy.partners(target, most).into_iter().map(|(_, count)| count).collect();
    let pairs: Vec<_> = synergy.pairs().collect();
    let ranked = synergy.partners(target, usize::MAX);
    let answer = [("pairs", json!(pairs)), ("partners_ranked", json!(ranked)), ("top_n_counts", json!(counts))];
    Answers::of_reference(Ok(answer.into()))
}

pub fn tournament_targets(_: &Packs, input: &Json, _: &Json) -> Answers {
    let placed = |result: &Json| Placed {
        placing: result["placement"].as_u64().and_then(|place| u32::try_from(place).ok()),
        deck: list(&result["decklist"]).iter().map(|name| text(name).to_owned()).collect(),
    };
    let results: Vec<Placed> = list(&input["results"]).iter().map(placed).collect();
    Answers::of_reference(Ok([("targets_ranked", json!(targets(&results)))].into()))
}

pub fn social_spike(_: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_reference(if input["kind"] == "snowflake" { moment(input) } else { Ok(spike(input)) })
}

fn moment(input: &Json) -> Answer {
    let moment = discord_moment(text(&input["id"])).ok_or_else(|| Refusal::Input("no number of a message".to_owned()))?;
    Ok([("unix", json!(moment.timestamp()))].into())
}

fn spike(input: &Json) -> BTreeMap<&'static str, Json> {
    let now: DateTime<Utc> = text(&input["now"]).parse().unwrap();
    let number = |value: &Json| value.to_string().trim_matches('"').parse::<Decimal>().ok();
    let mention = |(author, age): (usize, &Json)| {
        let seconds = number(age).expect("seconds") * Decimal::ONE_THOUSAND;
        let milliseconds = i64::try_from(seconds.normalize()).unwrap();
        Mention { at: now - TimeDelta::milliseconds(milliseconds), author: author.to_string() }
    };
    let mentions: Vec<Mention> = list(&input["mention_ages_s"]).iter().enumerate().map(mention).collect();
    let frequency = frequency(&mentions, now);
    let multiplier = number(&input["multiplier"]).expect("a multiplier");
    let is_spike = is_spike(frequency, number(&input["baseline"]), multiplier);
    [("frequency", json!(frequency)), ("is_spike", json!(is_spike))].into()
}
