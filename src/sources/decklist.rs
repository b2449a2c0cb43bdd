//! Limitless's decklists, as its API and files made of it write them.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Body, Emit, Entry, Format, Outcome, Phase, Row, SourceError, json};
use crate::domain::deck::{Deck, DeckCard, Tournament};

pub const FORMAT: Format = Format {
    name: "Limitless decks JSON lines",
    phase: Phase::Ids,
    recognises: |head| head.has_keys(&["tournament_id", "decklist", "pokemon"]),
    read,
};

/// What basic energy is called, after `Basic` or without it.
const ENERGIES: [&str; 9] = ["Grass", "Fire", "Water", "Lightning", "Psychic", "Fighting", "Darkness", "Metal", "Fairy"];

/// `{pokemon: [{count, name, set, number}], trainer: […], energy: […]}`.
#[derive(Debug, Default, Deserialize)]
pub struct DeckList {
    #[serde(default)]
    pokemon: Vec<VendorCard>,
    #[serde(default)]
    trainer: Vec<VendorCard>,
    #[serde(default)]
    energy: Vec<VendorCard>,
}

#[derive(Debug, Deserialize)]
struct VendorCard {
    name: String,
    set: String,
    /// A text or a whole number.
    number: Json,
}

impl DeckList {
    /// Each card once, basic energy left out.
    pub fn cards(self) -> Vec<DeckCard> {
        let all = self.pokemon.into_iter().chain(self.trainer).chain(self.energy);
        let cards: BTreeSet<DeckCard> = all.filter(|card| !is_basic_energy(&card.name)).map(VendorCard::into_card).collect();
        cards.into_iter().collect()
    }
}

impl VendorCard {
    fn into_card(self) -> DeckCard {
        let number = self.number.as_str().map_or_else(|| self.number.to_string(), str::to_owned);
        DeckCard { name: self.name.trim().to_owned(), set: self.set.trim().to_owned(), number }
    }
}

fn is_basic_energy(name: &str) -> bool {
    let kind = name.trim().strip_suffix(" Energy").map(|kind| kind.strip_prefix("Basic ").unwrap_or(kind));
    // the API writes {G} in place of Grass
    kind.is_some_and(|kind| ENERGIES.contains(&kind) || (kind.starts_with('{') && kind.ends_with('}')))
}

/// One line of a file.
#[derive(Debug, Deserialize)]
struct Line {
    tournament_id: String,
    tournament: String,
    date: String,
    #[serde(default = "one")]
    copies: u32,
    decklist: DeckList,
}

const fn one() -> u32 {
    1
}

/// A tournament is handed over when the next one begins: its decks stand together.
fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let content = body.whole(json::LIMIT)?;
    let text = std::str::from_utf8(&content).map_err(|error| SourceError::Malformed { line: 1, reason: error.to_string() })?;
    let mut held: Option<(u64, Tournament)> = None;
    let mut over = BTreeSet::new();
    for (line, number) in text.lines().zip(1_u64..).filter(|(line, _)| !line.trim().is_empty()) {
        let told = serde_json::from_str::<Line>(line).map_err(|error| json::unexpected(&error)).and_then(deck);
        let (tournament, deck) = match told {
            Ok(told) => told,
            Err(reason) => {
                emit(Row::new(number, Outcome::Refused(reason)))?;
                continue;
            }
        };
        match &mut held {
            Some((_, known)) if known.id == tournament.id => known.decks.push(deck),
            _ => {
                if !over.insert(tournament.id.clone()) {
                    let reason = format!("decks of {} stand apart: sort the file by tournament", tournament.id);
                    return Err(SourceError::Malformed { line: number, reason });
                }
                hand_over(held.replace((number, Tournament { decks: vec![deck], ..tournament })), emit)?;
            }
        }
    }
    hand_over(held, emit)
}

fn hand_over(held: Option<(u64, Tournament)>, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let Some((line, tournament)) = held else { return Ok(()) };
    emit(Row::new(line, Outcome::Values(vec![Entry::Tournament(Box::new(tournament))])))
}

/// The tournament without decks, and the deck.
fn deck(line: Line) -> Result<(Tournament, Deck), String> {
    let held_on = day(&line.date).ok_or_else(|| format!("\"{}\" is no day such as 13th June 2025", line.date))?;
    if line.tournament_id.trim().is_empty() {
        return Err("a deck of no tournament".into());
    }
    let id = format!("limitless-events:{}", line.tournament_id.trim());
    let tournament = Tournament { id, name: line.tournament, held_on, players: None, decks: Vec::new() };
    Ok((tournament, Deck { placing: None, copies: line.copies.max(1), cards: line.decklist.cards() }))
}

/// `2025-06-13` or `13th June 2025`; of days from one to another (`13th–15th June 2025`) the last.
fn day(text: &str) -> Option<NaiveDate> {
    if let Ok(day) = text.trim().parse() {
        return Some(day);
    }
    let mut words = text.rsplit(' ');
    let (year, month, day) = (words.next()?, words.next()?, words.next()?);
    let day: String = day.rsplit(['-', '–']).next()?.chars().take_while(char::is_ascii_digit).collect();
    NaiveDate::parse_from_str(&format!("{day} {month} {year}"), "%d %B %Y").ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::sources::Input;

    fn line(tournament: &str, date: &str, names: &[&str]) -> String {
        let cards: Vec<Json> =
            names.iter().map(|name| serde_json::json!({ "count": 4, "name": name, "set": "SVI", "number": 7 })).collect();
        serde_json::json!({ "tournament_id": tournament, "tournament": "T", "date": date, "copies": 2, "decklist": { "pokemon": cards } })
            .to_string()
    }

    fn read_all(text: &str) -> Result<Vec<Row>, SourceError> {
        let mut rows = Vec::new();
        let input = Input::stream("x", text.as_bytes()).unwrap();
        assert!((FORMAT.recognises)(input.head()));
        read(input.into_body("2026-11-24T00:00:00Z".parse().unwrap()), &mut |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    #[test]
    fn the_decks_of_a_tournament_stand_together_and_basic_energy_is_left_out() {
        let names = ["Mew", "Fire Energy", "Basic Grass Energy", "Basic {W} Energy", "Jet Energy", "Mew"];
        let text =
            [line("1", "13th June 2025", &names), line("1", "13th June 2025", &["Iono"]), line("2", "2026-05-03", &["Mew"])].join("\n");
        let rows = read_all(&text).unwrap();
        assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [1, 3]);
        let Outcome::Values(entries) = &rows[0].outcome else { panic!("{rows:?}") };
        let Entry::Tournament(tournament) = &entries[0] else { panic!("{entries:?}") };
        assert_eq!((tournament.id.as_str(), tournament.held_on.to_string().as_str()), ("limitless-events:1", "2025-06-13"));
        assert_eq!((tournament.decks.len(), tournament.decks[0].copies), (2, 2));
        let names: Vec<&str> = tournament.decks[0].cards.iter().map(|card| card.name.as_str()).collect();
        assert_eq!(names, ["Jet Energy", "Mew"]);
        assert_eq!(tournament.decks[0].cards[0].number, "7");
    }

    #[test]
    fn a_bad_deck_is_refused_by_itself_and_torn_tournaments_as_a_whole() {
        let rows = read_all(&[line("1", "soon", &["Mew"]), line("1", "1st May 2026", &["Mew"])].join("\n")).unwrap();
        assert!(matches!(&rows[0].outcome, Outcome::Refused(reason) if reason == "\"soon\" is no day such as 13th June 2025"));
        let torn = ["1", "2", "1"].map(|tournament| line(tournament, "1st May 2026", &["Mew"])).join("\n");
        let fault = read_all(&torn).unwrap_err().to_string();
        assert_eq!(fault, "line 3: decks of limitless-events:1 stand apart: sort the file by tournament");
    }
}
