//! JustTCG v1: TCGplayer's prices by condition and printing, in dollars and of North America only.
//!
//! A run asks first whether the game has changed at all. Where the plan is large enough it then pages through what has
//! changed since the last run; else it asks for the products that matter, as many as the quota allows.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};

use super::{About, Asks, Fault, Run, Source, Step, document, good, understood};
use crate::{
    config::outbound::BaseUrl,
    domain::{
        card::Finish,
        condition::{Condition, Scale},
        feed::{Budget, Period, Told},
        market::Market,
        observation::{PriceKind, Subject},
    },
    sources::{
        Emit, Outcome,
        figure::Literal,
        http::{Address, Answer, Request},
        json,
        quote::{Figures, Quote, product_id},
        tcgcsv::OTHER_GAME,
    },
};

const NAME: &str = "justtcg";
const GAME: &str = "pokemon";
const KEY: &str = "correct JUSTTCG_API_KEY";
/// What the free plan allows; the first answer tells what ours does.
const FREE: Budget = Budget { spacing: spacing(10), day: Some(100), month: Some(1_000) };
const FREE_BATCH: u32 = 20;
/// A run pages through changes only if it can reach this part of all cards.
const CHANGED_PART: u32 = 4;

/// A little more than the minute's share: the vendor's clock is not ours.
const fn spacing(a_minute: u32) -> TimeDelta {
    TimeDelta::milliseconds(65_000 / if a_minute == 0 { 1 } else { a_minute as i64 })
}

pub struct JustTcg {
    about: About,
    base: BaseUrl,
    key: SecretString,
}

/// What a run is at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Asking whether anything has changed.
    #[default]
    Games,
    /// Paging through what has changed.
    Pages { offset: u32 },
    /// Asking for products by number.
    Products,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    stage: Stage,
    /// The run that the stage belongs to.
    run: Option<DateTime<Utc>>,
    /// The game's clock up to which everything is held.
    complete: Option<i64>,
    /// The game's clock in this run.
    now: Option<i64>,
}

/// What the last answer left; a new run begins anew, wherever the last one ended.
fn state(run: &Run) -> State {
    let held: State = run.state();
    let stage = if held.run == Some(run.began) { held.stage } else { Stage::Games };
    State { stage, run: Some(run.began), ..held }
}

impl JustTcg {
    pub fn new(base: BaseUrl, key: SecretString, cadence: TimeDelta) -> Self {
        let about = About {
            name: NAME,
            cadence,
            budget: FREE,
            asks_for: Some(Asks::Products(Market::Tcgplayer)),
            batch: FREE_BATCH,
            is_archive: false,
        };
        Self { about, base, key }
    }

    fn get(&self, address: Address) -> Request {
        Request { key: Some(("x-api-key", self.key.clone())), ..Request::get(address) }
    }

    /// The game's clock decides what the rest of the run does.
    fn games(answer: &Answer, run: &Run, mut state: State) -> Result<Step, Fault> {
        #[derive(Deserialize)]
        struct Games {
            data: Vec<Game>,
            #[serde(rename = "_metadata")]
            metadata: Option<Metadata>,
        }
        #[derive(Deserialize)]
        struct Game {
            id: String,
            /// A text, although the vendor's own types call it a number.
            last_updated: serde_json::Value,
            cards_count: Option<u32>,
        }
        let games: Games = document(answer)?;
        let told = told(games.metadata.as_ref());
        let game = games.data.iter().find(|game| game.id == GAME);
        let game = game.ok_or_else(|| Fault::Format(format!("{} lists no game \"{GAME}\"", answer.from)))?;
        let text = game.last_updated.as_str().map_or_else(|| game.last_updated.to_string(), str::to_owned);
        let clock = text.parse().map_err(|_| Fault::Format(format!("{}: \"{text}\" is no moment", answer.from)))?;
        let unchanged = state.complete == Some(clock);
        let batch = told.batch.unwrap_or_else(|| u32::try_from(run.batch).unwrap_or(FREE_BATCH));
        let reach = run.left.saturating_sub(1).saturating_mul(batch);
        let part = if state.complete.is_some() { CHANGED_PART } else { 1 };
        let pages = game.cards_count.is_some_and(|cards| reach >= cards / part);
        state.now = Some(clock);
        state.stage = match (unchanged, pages) {
            (true, _) => Stage::Games,
            (false, true) => Stage::Pages { offset: 0 },
            (false, false) => Stage::Products,
        };
        Ok(Step { told, ..Step::to(&state, !unchanged)? })
    }

    fn page(answer: &Answer, run: &Run, mut state: State, offset: u32, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        let cards: Cards<'_> = document(answer)?;
        let told = told(cards.metadata.as_ref());
        let meta = cards.meta.as_ref().ok_or_else(|| Fault::Format(format!("{} sent a page without meta", answer.from)))?;
        let batch = u32::try_from(run.batch).unwrap_or(FREE_BATCH);
        let rest = meta.total.saturating_sub(offset).div_ceil(batch);
        each(answer, &cards.data, run.now, emit)?;
        state.stage = if rest > run.left {
            // more has changed than this run can reach
            Stage::Products
        } else if meta.has_more && !cards.data.is_empty() {
            Stage::Pages { offset: offset + batch }
        } else {
            state.complete = state.now;
            Stage::Games
        };
        Ok(Step { told, ..Step::to(&state, state.stage != Stage::Games)? })
    }
}

impl Source for JustTcg {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let state = state(run);
        let base = Address::of(&self.base);
        match state.stage {
            Stage::Games => Some(self.get(base.path("games"))),
            Stage::Pages { offset } => {
                let address = base.path("cards").query("game", GAME).query("limit", run.batch).query("offset", offset);
                let address = address.query("include_price_history", false);
                Some(self.get(match state.complete {
                    Some(complete) => address.query("updated_after", complete),
                    None => address,
                }))
            }
            Stage::Products if run.batch().is_empty() => None,
            Stage::Products => {
                let asked: Vec<_> = run.batch().iter().map(|id| json!({ "tcgplayerId": id, "include_price_history": "false" })).collect();
                Some(Request { body: Some(serde_json::Value::from(asked).to_string()), ..self.get(base.path("cards")) })
            }
        }
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        refused(&answer)?;
        good(&answer, KEY)?;
        let state = state(run);
        match state.stage {
            Stage::Games => Self::games(&answer, run, state),
            Stage::Pages { offset } => Self::page(&answer, run, state, offset, emit),
            Stage::Products => {
                let cards: Cards<'_> = document(&answer)?;
                each(&answer, &cards.data, run.now, emit)?;
                let asked = run.batch().to_vec();
                Ok(Step { told: told(cards.metadata.as_ref()), asked, ..Step::to(&state, true)? })
            }
        }
    }
}

/// The three kinds of 429, and the 403 of a request that is too large for the plan.
fn refused(answer: &Answer) -> Result<(), Fault> {
    #[derive(Deserialize)]
    struct Refusal {
        code: Option<String>,
    }
    let from = answer.from.clone();
    if answer.status == 403 {
        return Err(Fault::Refused { from, status: 403 });
    }
    if answer.status != 429 {
        return Ok(());
    }
    let code = serde_json::from_slice::<Refusal>(&answer.body).ok().and_then(|refusal| refusal.code);
    let period = match code.as_deref() {
        Some("DAILY_LIMIT_EXCEEDED") => Period::Day,
        Some("REQUEST_LIMIT_EXCEEDED") => Period::Month,
        _ => Period::Minute,
    };
    Err(Fault::Quota { from, period, retry_after: answer.retry_after })
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "apiPlan")]
    plan: Option<String>,
    #[serde(rename = "apiRequestLimit")]
    month_limit: Option<u32>,
    #[serde(rename = "apiDailyLimit")]
    day_limit: Option<u32>,
    #[serde(rename = "apiRateLimit")]
    minute_limit: Option<u32>,
    #[serde(rename = "apiRequestsRemaining")]
    month_left: Option<u32>,
    #[serde(rename = "apiDailyRequestsRemaining")]
    day_left: Option<u32>,
}

fn told(metadata: Option<&Metadata>) -> Told {
    let Some(metadata) = metadata else { return Told::default() };
    let batch = metadata.plan.as_ref().map(|plan| match plan.to_ascii_lowercase() {
        plan if plan.contains("enterprise") => 200,
        plan if plan.contains("starter") || plan.contains("professional") => 100,
        _ => FREE_BATCH,
    });
    Told {
        day_allowed: metadata.day_limit,
        day_left: metadata.day_left,
        month_allowed: metadata.month_limit,
        month_left: metadata.month_left,
        spacing: metadata.minute_limit.map(spacing),
        batch,
    }
}

#[derive(Deserialize)]
struct Cards<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    meta: Option<Meta>,
    #[serde(rename = "_metadata")]
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    total: u32,
    has_more: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorCard<'a> {
    game: Option<String>,
    tcgplayer_id: Option<String>,
    #[serde(borrow, default)]
    variants: Vec<VendorVariant<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorVariant<'a> {
    condition: Option<String>,
    printing: Option<String>,
    language: Option<String>,
    #[serde(borrow, default)]
    price: Literal<'a>,
    last_updated: Option<i64>,
}

fn each(answer: &Answer, cards: &[&RawValue], now: DateTime<Utc>, emit: &mut Emit<'_>) -> Result<(), Fault> {
    understood(now, emit, |emit| {
        json::each_row(&answer.body, cards, emit, |card: VendorCard<'_>| {
            if card.game.as_deref().is_some_and(|game| !game.eq_ignore_ascii_case(GAME)) {
                return vec![Outcome::Skipped(OTHER_GAME)];
            }
            let Some(product) = card.tcgplayer_id.as_deref() else {
                return vec![Outcome::Skipped("a card without a TCGplayer number")];
            };
            card.variants.iter().map(|variant| price(product, variant).unwrap_or_else(Outcome::Refused)).collect()
        })
    })
}

fn price(product: &str, variant: &VendorVariant<'_>) -> Result<Outcome, String> {
    let id = product_id(product)?;
    let condition = variant.condition.as_deref().ok_or("a price without a condition")?;
    let printing = variant.printing.as_deref().ok_or("a price without a printing")?;
    if condition.eq_ignore_ascii_case("sealed") {
        return Ok(Outcome::Skipped("a sealed product"));
    }
    if printing.contains(" - ") || variant.language.as_deref().is_some_and(|language| language != "English") {
        return Ok(Outcome::Skipped("another language than English"));
    }
    let Some(price) = variant.price.price()? else { return Ok(Outcome::Skipped(crate::sources::NO_PRICE)) };
    let observed = variant.last_updated.and_then(|unix| DateTime::from_timestamp(unix, 0)).ok_or("a price without its moment")?;
    let quote = Quote {
        subject: Subject::Product { market: Market::Tcgplayer, id },
        source: NAME,
        market: Market::Tcgplayer,
        finish: Finish::parse_vendor(printing).map_err(|error| error.to_string())?,
        condition: Some(Condition::parse(Scale::Tcgplayer, condition).map_err(|error| error.to_string())?),
        kind: PriceKind::Market,
        clocks: (observed, observed),
    };
    Ok(quote.outcome(Figures { price: Some(price), ..Figures::default() }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};
    use crate::sources::testing::{observations, real_data, told as rows_told};

    fn source() -> JustTcg {
        let (base, key, cadence) = parts(&configured().justtcg);
        JustTcg::new(base, key, cadence)
    }

    const METADATA: &str = r#""_metadata":{"apiPlan":"Free Tier","apiRequestLimit":1000,"apiDailyLimit":100,"apiRateLimit":10,"apiRequestsUsed":4,"apiDailyRequestsUsed":3,"apiRequestsRemaining":996,"apiDailyRequestsRemaining":97}"#;

    fn games(clock: &str, cards: u32) -> Answer {
        answer(200, format!(r#"{{"data":[{{"id":"pokemon","cards_count":{cards},"last_updated":{clock}}}],{METADATA}}}"#))
    }

    /// A run that has come to asking for products.
    fn asking(wanted: &[&str]) -> Run {
        let state = State { stage: Stage::Products, run: Some(now()), complete: None, now: Some(1) };
        run(serde_json::to_value(state).unwrap(), wanted)
    }

    #[test]
    fn a_run_asks_for_the_games_clock_first_and_then_for_what_matters() {
        let source = source();
        let first = run(serde_json::Value::Null, &["1", "2"]);
        assert_eq!(asked(&source, &first).unwrap().0, "https://api.justtcg.com/v1/games");
        let (step, rows) = read(&source, &first, games("\"1773037475\"", 28_230)).unwrap();
        assert!(rows.is_empty() && step.more);
        assert_eq!((step.told.month_left, step.told.day_left, step.told.batch), (Some(996), Some(97), Some(20)));
        assert_eq!(step.told.spacing, Some(TimeDelta::milliseconds(6_500)));
        let next = run(step.state, &["1", "2"]);
        let (address, body) = asked(&source, &next).unwrap();
        assert_eq!(address, "https://api.justtcg.com/v1/cards");
        assert_eq!(
            body.unwrap(),
            r#"[{"tcgplayerId":"1","include_price_history":"false"},{"tcgplayerId":"2","include_price_history":"false"}]"#
        );
        assert_eq!(asked(&source, &Run { wanted: Vec::new(), ..next }), None, "nothing is left to ask for");
    }

    #[test]
    fn a_plan_that_reaches_everything_pages_through_what_has_changed() {
        let source = source();
        // 8 more requests of 20 cards reach all 160
        let (step, _) = read(&source, &run(serde_json::Value::Null, &[]), games("1773037475", 160)).unwrap();
        let second = run(step.state, &[]);
        assert_eq!(
            asked(&source, &second).unwrap().0,
            "https://api.justtcg.com/v1/cards?game=pokemon&limit=20&offset=0&include_price_history=false"
        );
        let page =
            |more| answer(200, format!(r#"{{"data":[{CARD}],"meta":{{"total":21,"limit":20,"offset":0,"hasMore":{more}}},{METADATA}}}"#));
        let (step, _) = read(&source, &second, page(true)).unwrap();
        let third = run(step.state, &[]);
        assert!(asked(&source, &third).unwrap().0.contains("offset=20"));
        let (step, _) = read(&source, &third, page(false)).unwrap();
        assert!(!step.more);
        // the next run asks for what came after, and not at all where nothing did
        let later = Run { began: now() + TimeDelta::hours(6), ..run(step.state, &[]) };
        let (same, _) = read(&source, &later, games("1773037475", 160)).unwrap();
        assert!(!same.more);
        let (newer, _) = read(&source, &later, games("1773099999", 160)).unwrap();
        let next = Run { state: newer.state, ..later };
        assert!(asked(&source, &next).unwrap().0.ends_with("&updated_after=1773037475"));
    }

    #[test]
    fn more_changes_than_the_run_can_reach_fall_back_to_what_matters() {
        let source = source();
        let (step, _) = read(&source, &run(serde_json::Value::Null, &[]), games("1", 160)).unwrap();
        let page = answer(200, format!(r#"{{"data":[{CARD}],"meta":{{"total":9000,"limit":20,"offset":0,"hasMore":true}},{METADATA}}}"#));
        let (step, _) = read(&source, &run(step.state, &["7"]), page).unwrap();
        assert!(asked(&source, &run(step.state, &["7"])).unwrap().1.unwrap().contains("\"7\""));
    }

    const CARD: &str = r#"{"id":"a","game":"Pokemon","tcgplayerId":"42","variants":[
        {"condition":"Near Mint","printing":"Holofoil","language":"English","price":16.625,"lastUpdated":1773099181},
        {"condition":"Lightly Played","printing":"Holofoil","language":"English","price":null,"lastUpdated":1773099181},
        {"condition":"Near Mint","printing":"Holofoil - Japanese","language":"Japanese","price":3,"lastUpdated":1773099181},
        {"condition":"Near Mint","printing":"Normal","language":"English","price":3,"lastUpdated":null},
        {"condition":"Pristine","printing":"Normal","language":"English","price":3,"lastUpdated":1773099181}]}"#;

    #[test]
    fn a_price_keeps_its_digits_condition_and_moment_and_a_doubtful_one_is_no_price() {
        let body = format!(r#"{{"data":[{CARD},{{"id":"b","game":"Pokemon","tcgplayerId":null,"variants":[]}}],{METADATA}}}"#);
        let (step, rows) = read(&source(), &asking(&["42", "43"]), answer(200, body)).unwrap();
        insta::assert_snapshot!(rows_told(&rows), @r#"
        1: market of 42
        1: skipped: no price
        1: skipped: another language than English
        1: refused: a price without its moment
        1: refused: unknown tcgplayer condition "Pristine"
        6: skipped: a card without a TCGplayer number
        "#);
        let seen = observations(&rows)[0];
        assert_eq!(seen.price.unwrap().to_string(), "16.625");
        assert_eq!(seen.observed_at.timestamp(), 1_773_099_181);
        assert_eq!(seen.condition.unwrap().to_string(), "NM (tcgplayer)");
        assert_eq!(step.asked, ["42", "43"], "also what the vendor does not know was asked for");
    }

    #[test]
    fn the_three_kinds_of_429_are_told_apart_and_a_renamed_price_is_no_answer() {
        let refused = |code: &str| {
            let answer = Answer { retry_after: Some(TimeDelta::seconds(7)), ..answer(429, format!(r#"{{"error":"x","code":"{code}"}}"#)) };
            match read(&source(), &asking(&["1"]), answer) {
                Err(Fault::Quota { period, retry_after, .. }) => (period, retry_after),
                other => panic!("{other:?}"),
            }
        };
        let wait = Some(TimeDelta::seconds(7));
        assert_eq!(refused("RATE_LIMIT_EXCEEDED"), (Period::Minute, wait));
        assert_eq!(refused("DAILY_LIMIT_EXCEEDED"), (Period::Day, wait));
        assert_eq!(refused("REQUEST_LIMIT_EXCEEDED"), (Period::Month, wait));
        let renamed = format!(r#"{{"data":[{}],{METADATA}}}"#, CARD.replace("\"price\"", "\"amount\""));
        let fault = read(&source(), &asking(&["42"]), answer(200, renamed)).unwrap_err();
        assert!(fault.to_string().contains("none of its"), "{fault}");
        assert!(matches!(read(&source(), &asking(&["1"]), answer(401, "{}")), Err(Fault::Key { .. })));
        assert!(matches!(read(&source(), &asking(&["1"]), answer(403, "{}")), Err(Fault::Refused { status: 403, .. })));
    }

    #[test]
    fn the_real_answers_are_read() {
        let Some(path) = real_data("4-justtcg/captured/cards_batch_post.json") else { return };
        let (_, rows) = read(&source(), &asking(&["219042"]), answer(200, std::fs::read(path).unwrap())).unwrap();
        insta::assert_snapshot!(rows_told(&rows), @r"
        3: market of 219042
        71: skipped: another game than Pokémon
        ");
        let Some(path) = real_data("4-justtcg/captured/games.json") else { return };
        let (step, _) = read(&source(), &run(serde_json::Value::Null, &[]), answer(200, std::fs::read(path).unwrap())).unwrap();
        assert_eq!((step.more, step.told.day_left), (true, Some(100)));
    }
}
