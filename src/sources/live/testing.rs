//! What the sources' tests share: answers in, rows and the next request out.

#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use chrono::{DateTime, Utc};
use serde_json::Value as Json;

use super::{Fault, Run, Source, Step};
use crate::{
    config::{
        Config,
        sources::{Feed, Sources},
    },
    sources::{
        Row,
        http::{Answer, Request, Validators},
    },
};

pub fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Every source with a key.
pub fn configured() -> Sources {
    let get = |name: &str| name.ends_with("_API_KEY").then(|| "hunter2".to_owned());
    Config::from_lookup(get).unwrap().sources
}

/// The arguments of most sources.
pub fn parts(feed: &Feed) -> (crate::config::outbound::BaseUrl, secrecy::SecretString, chrono::TimeDelta) {
    (feed.base.clone(), feed.key.clone().unwrap(), feed.cadence)
}

pub fn run(state: Json, wanted: &[&str]) -> Run {
    let wanted = wanted.iter().map(|id| (*id).to_owned()).collect();
    Run { now: now(), began: now(), state, left: 9, batch: 20, wanted }
}

pub fn answer(status: u16, body: impl AsRef<[u8]>) -> Answer {
    Answer {
        status,
        validators: Validators::default(),
        retry_after: None,
        headers: reqwest::header::HeaderMap::default(),
        body: body.as_ref().into(),
        from: "https://vendor.example/x".into(),
    }
}

/// Method and address with its query, and the body.
pub fn asked(source: &dyn Source, run: &Run) -> Option<(String, Option<String>)> {
    source.next(run).map(|request: Request| (request.address.sent().to_owned(), request.body))
}

pub fn read(source: &dyn Source, run: &Run, answer: Answer) -> Result<(Step, Vec<Row>), Fault> {
    let mut rows = Vec::new();
    let step = source.read(run, answer, &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    Ok((step, rows))
}
