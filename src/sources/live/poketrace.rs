//! PokeTrace: how often a card sells, and on paid plans what it costs in Europe.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{About, Asks, Fault, Run, Source, Step, document, good, understood};
use crate::{
    config::outbound::BaseUrl,
    domain::{
        card::Finish,
        condition::{Condition, Scale},
        feed::{Budget, Told},
        market::Market,
        observation::{Activity, PriceKind, Subject},
    },
    sources::{
        Emit, Entry, NO_PRICE, Outcome,
        figure::Literal,
        http::{Address, Answer, Request},
        json,
        quote::{Figures, Quote, product_id},
    },
};

const NAME: &str = "poketrace";
const KEY: &str = "correct POKETRACE_API_KEY";
/// The free plan's.
const A_DAY: u32 = 250;
const BATCH: u32 = 20;

pub struct PokeTrace {
    about: About,
    base: BaseUrl,
    key: SecretString,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Products whose European prices are still to be asked for.
    europe: Vec<String>,
    /// The plan has no European prices.
    america_only: bool,
}

impl PokeTrace {
    pub fn new(base: BaseUrl, key: SecretString, cadence: TimeDelta) -> Self {
        let budget = Budget { spacing: TimeDelta::milliseconds(2_100), day: Some(A_DAY), month: None };
        let about =
            About { name: NAME, cadence, budget, asks_for: Some(Asks::Products(Market::Tcgplayer)), batch: BATCH, is_archive: false };
        Self { about, base, key }
    }
}

impl Source for PokeTrace {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let state: State = run.state();
        let (ids, market) = if state.europe.is_empty() { (run.batch(), "US") } else { (state.europe.as_slice(), "EU") };
        if ids.is_empty() {
            return None;
        }
        let address = Address::of(&self.base).path("cards").query("tcgplayer_ids", ids.join(",")).query("market", market);
        let address = address.query("limit", BATCH);
        Some(Request { key: Some(("x-api-key", self.key.clone())), ..Request::get(address) })
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        let mut state: State = run.state();
        let europe = !state.europe.is_empty();
        // only the European half is refused: the plan does not have it
        if europe && answer.status == 403 {
            state.america_only = true;
        } else {
            good(&answer, KEY)?;
            let cards: Cards<'_> = document(&answer)?;
            understood(run.now, emit, |emit| {
                json::each_row(&answer.body, &cards.data, emit, |card: VendorCard<'_>| {
                    let outcomes = if europe { prices(&card) } else { sales(&card, run.now) };
                    outcomes.unwrap_or_else(|reason| vec![Outcome::Refused(reason)])
                })
            })?;
        }
        let told = told(&answer);
        if !europe && !state.america_only {
            state.europe = run.batch().to_vec();
            return Ok(Step { told, ..Step::to(&state, true)? });
        }
        let asked = if europe { std::mem::take(&mut state.europe) } else { run.batch().to_vec() };
        Ok(Step { told, asked, ..Step::to(&state, true)? })
    }
}

fn told(answer: &Answer) -> Told {
    let left = answer.header("x-ratelimit-daily-remaining").and_then(|text| text.trim().parse().ok());
    Told { day_allowed: left.map(|left| A_DAY.max(left)), day_left: left, ..Told::default() }
}

#[derive(Deserialize)]
struct Cards<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VendorCard<'a> {
    variant: Option<String>,
    refs: Refs,
    currency: Option<String>,
    /// By market, then by grade.
    #[serde(borrow, default)]
    prices: BTreeMap<String, BTreeMap<String, Grade<'a>>>,
    last_updated: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refs {
    tcgplayer_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Grade<'a> {
    #[serde(borrow, default)]
    avg: Literal<'a>,
    #[serde(borrow, default)]
    low: Literal<'a>,
    #[serde(borrow, default)]
    high: Literal<'a>,
    #[serde(borrow, default)]
    sale_count: Literal<'a>,
}

/// What the answer is about. The product is TCGplayer's also where the prices are Cardmarket's.
fn subject(card: &VendorCard<'_>) -> Result<(Subject, Finish, DateTime<Utc>), String> {
    let id = product_id(card.refs.tcgplayer_id.as_deref().ok_or("a card without a TCGplayer number")?)?;
    let finish = Finish::parse_vendor(card.variant.as_deref().ok_or("a card without its printing")?).map_err(|error| error.to_string())?;
    let observed_at = card.last_updated.ok_or("figures without their moment")?;
    Ok((Subject::Product { market: Market::Tcgplayer, id }, finish, observed_at))
}

/// Sales of near-mint copies. The vendor counts no offers, and does not say over how long it counts sales; its longest
/// figure is of 30 days.
fn sales(card: &VendorCard<'_>, now: DateTime<Utc>) -> Result<Vec<Outcome>, String> {
    let (subject, finish, observed_at) = subject(card)?;
    let count = card.prices.get("tcgplayer").and_then(|grades| grades.get("NEAR_MINT")).map(|grade| grade.sale_count.count());
    let Some(sales_30d) = count.transpose()?.flatten() else { return Ok(vec![Outcome::Skipped("no count of sales")]) };
    let activity = Activity {
        subject,
        source: NAME.to_owned(),
        market: Market::Tcgplayer,
        finish,
        sales_30d: Some(sales_30d),
        active_listings: None,
        observed_at,
        known_at: now,
    };
    Ok(vec![Outcome::Values(vec![Entry::Activity(Box::new(activity))])])
}

/// Cardmarket's prices by grade.
fn prices(card: &VendorCard<'_>) -> Result<Vec<Outcome>, String> {
    let (subject, finish, observed_at) = subject(card)?;
    let Some(grades) = card.prices.get("cardmarket") else { return Ok(vec![Outcome::Skipped(NO_PRICE)]) };
    if card.currency.as_deref() != Some("EUR") {
        return Err(format!("prices of Cardmarket in {}, not in EUR", card.currency.as_deref().unwrap_or("no currency")));
    }
    let each = |name: &str, grade: &Grade<'_>| {
        // graded cards are another thing than the card
        let Ok(condition) = Condition::parse(Scale::Cardmarket, name) else { return Ok(Outcome::Skipped("a graded card")) };
        let figures = Figures { price: grade.avg.price()?, low: grade.low.price()?, high: grade.high.price()?, mid: None };
        let quote = Quote {
            subject: subject.clone(),
            source: NAME,
            market: Market::Cardmarket,
            finish,
            condition: Some(condition),
            kind: PriceKind::Page,
            clocks: (observed_at, observed_at),
        };
        Ok(quote.outcome(figures))
    };
    Ok(grades.iter().map(|(name, grade)| each(name, grade).unwrap_or_else(Outcome::Refused)).collect())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};
    use crate::sources::testing::{observations, told as rows_told};

    fn source() -> PokeTrace {
        let (base, key, cadence) = parts(&configured().poketrace);
        PokeTrace::new(base, key, cadence)
    }

    const US: &str = r#"{"data":[{"id":"x","variant":"Holofoil","refs":{"tcgplayerId":"42"},"currency":"USD","lastUpdated":"2026-11-22T06:00:00Z",
        "prices":{"tcgplayer":{"NEAR_MINT":{"avg":2.5,"saleCount":"17"}},"ebay":{"PSA_10":{"avg":99,"saleCount":3}}}},
        {"id":"y","variant":"Normal","refs":{"tcgplayerId":"43"},"currency":"USD","lastUpdated":"2026-11-22T06:00:00Z","prices":{}}]}"#;
    const EU: &str = r#"{"data":[{"id":"x","variant":"Holofoil","refs":{"tcgplayerId":"42"},"currency":"EUR","lastUpdated":"2026-11-22T06:00:00Z",
        "prices":{"cardmarket":{"NEAR_MINT":{"avg":1.75,"low":1.2},"PSA_10":{"avg":99}}}}]}"#;

    #[test]
    fn sales_are_counted_and_then_europe_is_asked_for_the_same_products() {
        let source = source();
        let first = run(serde_json::Value::Null, &["42", "43"]);
        assert_eq!(asked(&source, &first).unwrap().0, "https://api.poketrace.com/v1/cards?tcgplayer_ids=42%2C43&market=US&limit=20");
        let (step, rows) = read(&source, &first, answer(200, US)).unwrap();
        insta::assert_snapshot!(rows_told(&rows), @r#"
        1: Some(17) sales of Product { market: Tcgplayer, id: "42" }
        3: skipped: no count of sales
        "#);
        assert!(step.asked.is_empty(), "half of it is still to be asked");
        let second = run(step.state, &["44"]);
        assert!(asked(&source, &second).unwrap().0.contains("ids=42%2C43&market=EU"));
        let (step, rows) = read(&source, &second, answer(200, EU)).unwrap();
        assert_eq!(rows_told(&rows), "1: page of 42\n1: skipped: a graded card\n");
        assert_eq!(observations(&rows)[0].price.unwrap().to_string(), "1.75");
        assert_eq!(step.asked, ["42", "43"]);
    }

    #[test]
    fn a_plan_without_europe_is_asked_for_it_once() {
        let source = source();
        let (step, _) = read(&source, &run(serde_json::Value::Null, &["42"]), answer(200, US)).unwrap();
        let (step, _) = read(&source, &run(step.state, &["43"]), answer(403, "{}")).unwrap();
        assert_eq!(step.asked, ["42"]);
        let (step, _) = read(&source, &run(step.state, &["43"]), answer(200, US)).unwrap();
        assert_eq!(step.asked, ["43"]);
        assert!(matches!(read(&source, &run(step.state, &["43"]), answer(403, "{}")), Err(Fault::Key { .. })));
    }

    #[test]
    fn prices_of_cardmarket_in_dollars_are_refused() {
        let state = serde_json::to_value(State { europe: vec!["42".into()], america_only: false }).unwrap();
        let fault = read(&source(), &run(state, &[]), answer(200, EU.replace("EUR", "USD"))).unwrap_err();
        assert!(fault.to_string().contains("in USD, not in EUR"), "{fault}");
    }
}
