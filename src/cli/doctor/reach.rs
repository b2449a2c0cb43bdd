//! Whether whoever is asked or written to can be reached, and what its clock says.

use std::time::Duration;

use chrono::DateTime;
use tokio::task::JoinSet;

use super::check::{Check, of_clock};
use crate::{
    clock::Clock,
    config::{Config, outbound::BaseUrl},
    sources::http::{Address, Client, Request},
};

/// Whoever does not answer in this time will not be of use today.
const PATIENCE: Duration = Duration::from_secs(8);
/// Only the answer's head is of interest; a front page may be long.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Everybody who is on, all at once. Any answer at all is one.
pub async fn of_all(config: &Config) -> Vec<Check> {
    let client = match Client::new(PATIENCE) {
        Ok(client) => client,
        Err(error) => return vec![Check::fault("network", error.to_string(), "install the package ca-certificates")],
    };
    let mut asked = JoinSet::new();
    for (place, (name, base)) in targets(config).into_iter().enumerate() {
        let client = client.clone();
        let request = Request { timeout: PATIENCE, largest: LARGEST, ..Request::get(Address::of(&base)) };
        asked.spawn(async move {
            let answer = client.send(&request, Clock::machine().now()).await;
            let now = Clock::machine().now();
            let what = format!("reach {name}");
            match answer {
                Ok(answer) => {
                    let date = answer.headers.get("date").and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
                    let clock = date.map(|date| of_clock(name, date.to_utc(), now));
                    (place, Check::ok(what, format!("{} answers", answer.from)), clock)
                }
                Err(error) => {
                    let advice = "see the network, the proxy (HTTPS_PROXY) and the vendor's own status page";
                    (place, Check::fault(what, error.to_string(), advice), None)
                }
            }
        });
    }
    let mut found = asked.join_all().await;
    found.sort_by_key(|(place, ..)| *place);
    // one clock of somebody else is enough
    let clock = found.iter().find_map(|(_, _, clock)| clock.clone());
    found.into_iter().map(|(_, check, _)| check).chain(clock).collect()
}

fn targets(config: &Config) -> Vec<(&'static str, BaseUrl)> {
    let on: Vec<&str> = config.parts().iter().filter(|part| part.off.is_none()).map(|part| part.name).collect();
    let sources = &config.sources;
    let feeds = [
        &sources.cardmarket,
        &sources.tcgcsv,
        &sources.ecb,
        &sources.pokemontcg,
        &sources.justtcg,
        &sources.poketrace,
        &sources.exchangerate,
    ];
    let feeds = feeds.map(|feed| (feed.name, feed.base.clone()));
    let platforms = [("telegram", config.delivery.telegram.base.clone()), ("discord", config.delivery.discord.base.clone())];
    feeds.into_iter().chain(platforms).filter(|(name, _)| on.contains(name)).collect()
}
