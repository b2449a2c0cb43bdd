//! What the formats' tests share: a content in, its rows out as text.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop at once")]

use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use super::{Entry, Input, Outcome, Row, SourceError, recognise};
use crate::domain::observation::{Observation, Subject};

fn now() -> DateTime<Utc> {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

fn rows(input: Input) -> Result<Vec<Row>, SourceError> {
    let format = recognise(input.head())?;
    let mut rows = Vec::new();
    (format.read)(input.into_body(now()), &mut |row| {
        rows.push(row);
        Ok(())
    })?;
    Ok(rows)
}

pub fn read_named(name: &str, text: &str) -> Vec<Row> {
    rows(Input::stream(name, text.as_bytes()).unwrap()).expect("the file is understood")
}

pub fn read_all(text: &str) -> Vec<Row> {
    read_named("-", text)
}

pub fn read_path(path: &Path) -> Vec<Row> {
    rows(Input::file(path).unwrap()).expect("the file is understood")
}

/// Why a file is refused whole.
pub fn refusal(name: &str, bytes: &[u8]) -> String {
    let read = Input::stream(name, bytes).and_then(rows);
    read.expect_err("the file should be refused").to_string()
}

/// A file of the real data, or a plain word that the test is skipped.
pub fn real_data(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("TCG_RADAR_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let file = root.join(path);
    if file.exists() {
        return Some(file);
    }
    eprintln!("SKIPPED: {} is not there; set TCG_RADAR_DATA", file.display());
    None
}

pub fn observations(rows: &[Row]) -> Vec<&Observation> {
    rows.iter()
        .filter_map(|row| if let Outcome::Values(entries) = &row.outcome { Some(entries) } else { None })
        .flatten()
        .filter_map(|entry| if let Entry::Observation(observation) = entry { Some(&**observation) } else { None })
        .collect()
}

pub fn only_observation(rows: &[Row]) -> &Observation {
    let found = observations(rows);
    assert_eq!(found.len(), 1, "{}", told(rows));
    found[0]
}

/// A line for every thing that the rows say.
pub fn told(rows: &[Row]) -> String {
    let mut text = String::new();
    for row in rows {
        let line = row.line;
        match &row.outcome {
            Outcome::Values(entries) => entries.iter().for_each(|entry| writeln!(text, "{line}: {}", named(entry)).unwrap()),
            Outcome::Skipped(why) => writeln!(text, "{line}: skipped: {why}").unwrap(),
            Outcome::Refused(why) => writeln!(text, "{line}: refused: {why}").unwrap(),
        }
    }
    text
}

fn named(entry: &Entry) -> String {
    match entry {
        Entry::Set(set) => format!("set {} {} of {:?}", set.set_code, set.name, set.release_date.map(|date| date.to_string())),
        Entry::Card(card) => format!("card {} {} in {}", card.card_id, card.name, card.set_code),
        Entry::Product(product) => format!("product {} {} ({})", product.id, product.name, product.category),
        Entry::CardProduct(pair) => format!("{} {} is {} by {}", pair.market, pair.external_id, pair.card_id, pair.method),
        Entry::Rate(rate) => format!("{} {} on {}", rate.units_per_eur, rate.currency, rate.date),
        Entry::Observation(seen) => match &seen.subject {
            Subject::Card(card) => format!("{} of {card}", seen.kind),
            Subject::Product { id, .. } => format!("{} of {id}", seen.kind),
        },
        Entry::Tournament(tournament) => format!("{} decks of {}", tournament.decks.len(), tournament.id),
        Entry::Post(post) => format!("post {} of {}", post.id, post.platform),
        Entry::TalkCount(count) => format!("{} posts of {}", count.frequency, count.name),
        Entry::Activity(count) => format!("{:?} sales of {:?}", count.sales_30d, count.subject),
    }
}
