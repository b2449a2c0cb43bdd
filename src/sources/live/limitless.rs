//! Limitless: the community's online tournaments, and who played what.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{About, Fault, Run, Source, Step, document, good};
use crate::{
    config::outbound::BaseUrl,
    domain::{
        deck::{Deck, Tournament},
        feed::Budget,
    },
    sources::{
        Emit, Entry, Outcome, Row,
        decklist::DeckList,
        http::{Address, Answer, Request},
    },
};

const KEY: &str = "correct LIMITLESS_API_KEY";
const GAME: &str = "PTCG";
const PAGE: usize = 50;
/// The vendor does not say when a tournament is over; so long after its beginning it is.
const OVER: TimeDelta = TimeDelta::hours(12);
/// Older ones are no news.
const NEWS: TimeDelta = TimeDelta::days(7);
/// Numbers that are remembered. A week has fewer tournaments.
const REMEMBERED: usize = 1_000;

pub struct Limitless {
    about: About,
    base: BaseUrl,
    key: SecretString,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// The list was read in this run.
    is_listed: bool,
    todo: VecDeque<Listed>,
    /// Whose standings were read, the last of them last.
    done: VecDeque<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Listed {
    id: String,
    name: String,
    date: DateTime<Utc>,
    players: Option<u32>,
}

impl Limitless {
    pub fn new(base: BaseUrl, key: SecretString, cadence: TimeDelta) -> Self {
        let budget = Budget { spacing: TimeDelta::milliseconds(1_100), ..Budget::default() };
        Self { about: About { name: "limitless", cadence, budget, asks_for: None, batch: 0, is_archive: false }, base, key }
    }
}

impl Source for Limitless {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let state: State = run.state();
        let base = Address::of(&self.base);
        let address = if state.is_listed {
            // a number is not ours: it stays one segment
            let id: String = state.todo.front()?.id.chars().filter(char::is_ascii_alphanumeric).collect();
            base.path(&format!("tournaments/{id}/standings"))
        } else {
            base.path("tournaments").query("game", GAME).query("limit", PAGE)
        };
        Some(Request { key: Some(("x-access-key", self.key.clone())), ..Request::get(address) })
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        good(&answer, KEY)?;
        let mut state: State = run.state();
        if state.is_listed {
            if let Some(listed) = state.todo.pop_front() {
                standings(&answer, &listed, emit)?;
                state.done.push_back(listed.id);
            }
        } else {
            let listed: Vec<Listed> = document(&answer)?;
            let is_due = |one: &Listed| one.date + OVER <= run.now && one.date > run.now - NEWS && !state.done.contains(&one.id);
            state.todo = listed.into_iter().filter(is_due).collect();
            state.is_listed = true;
        }
        while state.done.len() > REMEMBERED {
            state.done.pop_front();
        }
        let more = !state.todo.is_empty();
        state.is_listed = more;
        Step::to(&state, more)
    }
}

fn standings(answer: &Answer, listed: &Listed, emit: &mut Emit<'_>) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Standing {
        placing: Option<u32>,
        decklist: Option<DeckList>,
    }
    let rows: Vec<&RawValue> = document(answer)?;
    let (mut decks, mut first) = (Vec::new(), None);
    for row in &rows {
        match serde_json::from_str::<Standing>(row.get()) {
            Ok(Standing { placing, decklist: Some(list) }) => decks.push(Deck { placing, copies: 1, cards: list.cards() }),
            Ok(_) => {}
            Err(error) => {
                first.get_or_insert_with(|| error.to_string());
            }
        }
    }
    if let (true, Some(first)) = (decks.is_empty(), first) {
        return Err(Fault::Format(format!("{} tells no deck that is understood ({first})", answer.from)));
    }
    let outcome = if decks.is_empty() {
        Outcome::Skipped("a tournament without decks")
    } else {
        let id = format!("limitless:{}", listed.id);
        let (name, held_on) = (listed.name.clone(), listed.date.date_naive());
        Outcome::Values(vec![Entry::Tournament(Box::new(Tournament { id, name, held_on, players: listed.players, decks }))])
    };
    Ok(emit(Row::new(1, outcome))?)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};

    const LIST: &str = r#"[{"id":"new","game":"PTCG","format":"STANDARD","name":"Now","date":"2026-11-22T11:00:00.000Z","players":9},
        {"id":"63e9","game":"PTCG","format":"STANDARD","name":"Cup #15","date":"2026-11-21T22:00:00.000Z","players":47},
        {"id":"old","game":"PTCG","format":"STANDARD","name":"Long ago","date":"2026-11-01T22:00:00.000Z","players":50}]"#;
    const STANDINGS: &str = r#"[{"player":"a","name":"A","country":"US","placing":1,"record":{"wins":8,"losses":0,"ties":0},
        "decklist":{"pokemon":[{"count":2,"name":"Munkidori","set":"TWM","number":"95"}],"trainer":[{"count":4,"name":"Iono","set":"PAL","number":185}],
        "energy":[{"count":9,"name":"Darkness Energy","set":"SVE","number":"7"}]},"deck":{"id":"x","name":"X","icons":[]},"drop":null},
        {"player":"b","name":"B","placing":2,"record":{},"drop":3}]"#;

    #[test]
    fn a_tournament_that_is_over_is_read_once() {
        let source = Limitless::new(BaseUrl::parse("https://play.limitlesstcg.com/api").unwrap(), "k".into(), TimeDelta::hours(1));
        let fresh = run(serde_json::Value::Null, &[]);
        assert_eq!(asked(&source, &fresh).unwrap().0, "https://play.limitlesstcg.com/api/tournaments?game=PTCG&limit=50");
        let (step, _) = read(&source, &fresh, answer(200, LIST)).unwrap();
        let second = run(step.state, &[]);
        assert_eq!(asked(&source, &second).unwrap().0, "https://play.limitlesstcg.com/api/tournaments/63e9/standings");
        let (step, rows) = read(&source, &second, answer(200, STANDINGS)).unwrap();
        let Outcome::Values(entries) = &rows[0].outcome else { panic!("{rows:?}") };
        let Entry::Tournament(tournament) = &entries[0] else { panic!("{entries:?}") };
        assert_eq!((tournament.id.as_str(), tournament.players, tournament.decks.len()), ("limitless:63e9", Some(47), 1));
        let deck = &tournament.decks[0];
        assert_eq!((deck.placing, deck.cards.len(), deck.cards[0].number.as_str()), (Some(1), 2, "185"));
        assert!(!step.more);
        let (step, _) = read(&source, &run(step.state, &[]), answer(200, LIST)).unwrap();
        assert!(!step.more, "it is done, and the others are not over or no news");
    }

    #[test]
    fn standings_whose_decks_nobody_understands_are_a_fault() {
        let source = Limitless::new(BaseUrl::parse("https://play.limitlesstcg.com/api").unwrap(), "k".into(), TimeDelta::hours(1));
        let (step, _) = read(&source, &run(serde_json::Value::Null, &[]), answer(200, LIST)).unwrap();
        let renamed = STANDINGS.replace("\"set\"", "\"expansion\"");
        assert!(matches!(read(&source, &run(step.state, &[]), answer(200, renamed)), Err(Fault::Format(_))));
    }
}
