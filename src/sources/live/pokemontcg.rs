//! pokemontcg.io v2: sets, cards and both markets' price blocks, page by page. A key is not needed, it only allows more.

use std::time::Duration;

use chrono::TimeDelta;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{About, Fault, Run, Source, Step, document, file, good};
use crate::{
    config::outbound::BaseUrl,
    domain::feed::Budget,
    sources::{
        Emit, Entry, Outcome, Row,
        http::{Address, Answer, Request},
        pokemontcg_cards,
        pokemontcg_prices::CARDMARKET,
        pokemontcg_sets,
    },
};

const PAGE_SIZE: usize = 250;
/// Answers of half a minute are usual.
const TIMEOUT: Duration = Duration::from_mins(1);
const LARGEST: u64 = 32 * 1024 * 1024;
/// Cardmarket's block stood still for months in 2026; a price that old is no price.
const FROZEN_AFTER: TimeDelta = TimeDelta::days(7);
const FROZEN: &str = "Cardmarket's block is frozen: not renewed for a week";
const FIELDS: &str = "id,name,number,rarity,supertype,regulationMark,legalities,images,set,tcgplayer,cardmarket";

pub struct PokemonTcg {
    about: About,
    base: BaseUrl,
    key: Option<SecretString>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Sets come first: cards take their names and days from them.
    cards: bool,
    /// Pages that are read.
    pages: u32,
}

impl PokemonTcg {
    pub fn new(base: BaseUrl, key: Option<SecretString>, cadence: TimeDelta) -> Self {
        let budget = if key.is_some() {
            Budget { day: Some(20_000), ..Budget::default() }
        } else {
            // 30 a minute
            Budget { spacing: TimeDelta::milliseconds(2_100), day: Some(1_000), month: None }
        };
        Self { about: About { name: "pokemontcg", cadence, budget, asks_for: None, batch: 0, is_archive: false }, base, key }
    }
}

impl Source for PokemonTcg {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let state: State = run.state();
        let base = Address::of(&self.base);
        let address = if state.cards {
            base.path("cards").query("orderBy", "set.releaseDate,number").query("select", FIELDS)
        } else {
            base.path("sets").query("orderBy", "releaseDate")
        };
        let address = address.query("page", state.pages + 1).query("pageSize", PAGE_SIZE);
        let key = self.key.clone().map(|key| ("x-api-key", key));
        Some(Request { key, timeout: TIMEOUT, largest: LARGEST, ..Request::get(address) })
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        #[derive(Deserialize)]
        struct Page<'a> {
            #[serde(borrow)]
            data: Vec<&'a RawValue>,
        }
        good(&answer, "correct POKEMONTCG_API_KEY, or leave it empty to ask as a guest")?;
        let state: State = run.state();
        let rows = document::<Page<'_>>(&answer)?.data.len();
        // the vendor's total is not to be relied on: an empty page is the end
        if rows == 0 {
            return Step::to(&State { cards: !state.cards, pages: 0 }, !state.cards);
        }
        if state.cards {
            let oldest = run.now - FROZEN_AFTER;
            let is_frozen =
                |entry: &Entry| matches!(entry, Entry::Observation(seen) if seen.source == CARDMARKET && seen.observed_at < oldest);
            let mut thawed = |mut row: Row| {
                if matches!(&row.outcome, Outcome::Values(entries) if entries.iter().any(is_frozen)) {
                    row.outcome = Outcome::Skipped(FROZEN);
                }
                emit(row)
            };
            file(&pokemontcg_cards::FORMAT, &answer.from, &answer, run, &mut thawed)?;
        } else {
            file(&pokemontcg_sets::FORMAT, &answer.from, &answer, run, emit)?;
        }
        let last_of_sets = !state.cards && rows < PAGE_SIZE;
        Step::to(&State { cards: state.cards || last_of_sets, pages: if last_of_sets { 0 } else { state.pages + 1 } }, true)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};
    use crate::sources::testing::{observations, real_data, told};

    fn source() -> PokemonTcg {
        let (base, key, cadence) = parts(&configured().pokemontcg);
        PokemonTcg::new(base, Some(key), cadence)
    }

    fn at(cards: bool, pages: u32) -> Run {
        run(serde_json::to_value(State { cards, pages }).unwrap(), &[])
    }

    #[test]
    fn sets_come_before_cards_and_an_empty_page_ends() {
        let source = source();
        assert!(
            asked(&source, &at(false, 0))
                .unwrap()
                .0
                .starts_with("https://api.pokemontcg.io/v2/sets?orderBy=releaseDate&page=1&pageSize=250")
        );
        let sets = r#"{"data":[{"id":"tst1","name":"T","series":"S","printedTotal":2}],"page":1,"pageSize":250,"count":1,"totalCount":1}"#;
        let (step, _) = read(&source, &at(false, 0), answer(200, sets)).unwrap();
        assert!(asked(&source, &run(step.state, &[])).unwrap().0.contains("/v2/cards?orderBy="));
        // the vendor's total says that there is more
        let empty = r#"{"data":[],"page":3,"pageSize":250,"count":0,"totalCount":9999}"#;
        let (step, _) = read(&source, &at(true, 2), answer(200, empty)).unwrap();
        assert_eq!((step.more, step.state), (false, serde_json::json!({ "cards": false, "pages": 0 })));
    }

    #[test]
    fn a_block_of_cardmarket_that_is_a_week_old_is_frozen_and_no_price() {
        let card = |date: &str| {
            format!(
                r#"{{"data":[{{"id":"tst1-1","supertype":"P","name":"T","number":"1","set":{{"id":"tst1","name":"T"}},
                "tcgplayer":{{"updatedAt":"2026/11/21","prices":{{"normal":{{"market":2.5}}}}}},
                "cardmarket":{{"updatedAt":"{date}","prices":{{"trendPrice":1.5}}}}}}]}}"#
            )
        };
        let (_, rows) = read(&source(), &at(true, 0), answer(200, card("2026/11/21"))).unwrap();
        assert_eq!(observations(&rows).len(), 2);
        let (_, rows) = read(&source(), &at(true, 0), answer(200, card("2026/11/14"))).unwrap();
        assert_eq!(observations(&rows).len(), 1);
        assert!(told(&rows).contains("skipped: Cardmarket's block is frozen"), "{}", told(&rows));
    }

    #[test]
    fn the_real_answer_is_read_and_its_old_prices_of_cardmarket_are_not() {
        let Some(path) = real_data("2-pokemontcg-api/captured/cards_with_prices_2024-07-20.json") else { return };
        let body = format!(r#"{{"data":{}}}"#, std::fs::read_to_string(path).unwrap());
        let (_, rows) = read(&source(), &at(true, 0), answer(200, body)).unwrap();
        assert!(observations(&rows).iter().all(|seen| seen.source == "pokemontcg.io tcgplayer"));
        assert_eq!(told(&rows).matches("frozen").count(), 6);
    }
}
