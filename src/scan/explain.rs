//! Explains one card as a scan would judge it, or a decision as it was stored.

pub mod near;
pub mod reply;
mod stored;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;
use uuid::Uuid;

use super::{
    ScanError, Settings, describe_shifts,
    ground::{Ground, load_book},
    judge::{Case, Judged, best_of_each},
    routes::Route,
};
use crate::{
    domain::{
        book::{Book, CardIndex, PriceSeries, SourceShift},
        card::{Card, CardId, Finish},
        market::{Direction, Market},
        money::{Currency, Rates},
        observation::PriceKind,
        profile::{Profile, TenantId},
    },
    rules::{
        diagnostic::Diagnostics,
        explain::{Explanation, Outcome, explain},
        pack::Pack,
    },
    store::{Store, StoreError},
};

pub use stored::{Answer, Difference, StoredReport, again, differences, rerun, stored_decision};

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    pub card: &'a str,
    /// Both if not given.
    pub direction: Option<Direction>,
    pub as_of: DateTime<Utc>,
    pub shifts: &'a [SourceShift],
    /// Ask the gates behind the first that stopped it, too.
    pub why_not: bool,
}

/// A card, told.
#[derive(Debug, Serialize)]
pub struct CardReport {
    pub card_id: CardId,
    pub card_name: String,
    pub set_name: Option<String>,
    pub card_number: Option<String>,
    pub as_of: DateTime<Utc>,
    pub shift: Option<String>,
    pub rates: Rates,
    pub customs_regime: Option<String>,
    /// Everything that is known of the card's prices, used or not.
    pub prices: Vec<PriceLine>,
    /// Ways to buy on one market and sell on the other.
    pub routes: usize,
    /// The best route of each tenant and direction.
    pub tenants: Vec<TenantLine>,
    /// The best of them, in full; `None` where there is no route.
    pub told: Option<Told>,
}

/// One series of the card.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PriceLine {
    pub market: Market,
    pub source: String,
    pub kind: PriceKind,
    pub finish: Finish,
    pub price: Option<Decimal>,
    pub currency: Currency,
    pub seller_id: Option<String>,
    pub observed_at: DateTime<Utc>,
    pub age_hours: i64,
}

/// How a tenant's best route of a direction ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TenantLine {
    pub tenant: TenantId,
    pub country: String,
    pub direction: Direction,
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub gates_passed: usize,
    pub net_profit: Option<Decimal>,
    pub home_currency: String,
    pub score: Option<Decimal>,
}

/// One route and tenant in full.
#[derive(Debug, Serialize)]
pub struct Told {
    pub tenant: TenantId,
    pub country: Option<String>,
    pub route: RouteLine,
    pub explanation: Explanation,
}

/// How the card would be traded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RouteLine {
    pub direction: Direction,
    pub finish: Finish,
    pub buy_market: Market,
    pub buy_price: Option<Decimal>,
    pub buy_source: String,
    pub buy_observed_at: DateTime<Utc>,
    /// The last prices that the same feed told, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buy_history: Vec<DayPrice>,
    pub seller_id: Option<String>,
    pub condition: Option<String>,
    pub sell_market: Market,
    pub sell_price: Option<Decimal>,
    pub sell_source: String,
    pub sell_observed_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sell_history: Vec<DayPrice>,
}

/// A price of a day.
pub type DayPrice = (NaiveDate, Option<Decimal>);

/// Prices of a feed that are shown beside the latest.
const HISTORY: usize = 6;

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error("no card has the id \"{card}\"{}", did_you_mean(near))]
    UnknownCard { card: String, near: Vec<String> },
    #[error(
        "no decision has the id {0}: a scan without --dry-run stores its signals and near misses, and `scan --format json` tells their cards"
    )]
    UnknownDecision(Uuid),
    #[error(
        "decision {decision} was made by pack {hash} under engine {engine}, and this program no longer loads that pack:\n{diagnostics}"
    )]
    StoredPack { decision: Uuid, hash: String, engine: String, diagnostics: Diagnostics },
}

impl From<StoreError> for ExplainError {
    fn from(error: StoreError) -> Self {
        Self::Scan(error.into())
    }
}

impl ExplainError {
    /// Whether the same call may succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Scan(error) if error.is_retryable())
    }
}

/// The end of a sentence that a card is not known.
pub fn did_you_mean(near: &[String]) -> String {
    match near {
        [] => ": ids look like sv1-25, the set's code and the card's number".to_owned(),
        [only] => format!(": did you mean {only}?"),
        several => format!(": did you mean one of {}?", several.join(", ")),
    }
}

/// Judges one card for these tenants as a scan would, and tells the best route of all in full.
///
/// # Errors
/// No card has that id, the database is gone, or the pack lacks something that every scan needs.
pub async fn card(
    store: &Store,
    pack: &Pack,
    profiles: &[Profile],
    settings: &Settings,
    question: &Question<'_>,
) -> Result<CardReport, ExplainError> {
    let (book, windows) = load_book(store, pack, question.as_of, question.shifts).await?;
    let index = find(&book, question.card)?;
    let ground = Ground::of(&book, &windows, pack, settings)?;
    let routes = routes_of(&ground.routes, &book, index, question.direction);
    let case = ground.case(pack, &book, &routes, profiles);
    let judged: Vec<Judged> =
        case.interpret(&|_| ()).into_iter().filter(|one| is_asked(&routes[one.route], index, question.direction)).collect();
    let mut best = best_of_each(&judged, &routes, pack);
    best.sort_by_key(|one| (one.tenant, routes[one.route].direction));
    let furthest = best.iter().rev().max_by_key(|one| one.rank(pack));
    let no_card = || ExplainError::UnknownCard { card: question.card.to_owned(), near: Vec::new() };
    let Card { card_id, name, set_name, card_number, .. } = book.card(index).ok_or_else(no_card)?.clone();
    Ok(CardReport {
        card_id,
        card_name: name,
        set_name,
        card_number,
        as_of: book.as_of,
        shift: describe_shifts(question.shifts),
        rates: ground.rates.clone(),
        customs_regime: ground.regime.clone(),
        prices: prices(&book, index),
        routes: routes.iter().filter(|route| is_asked(route, index, question.direction)).count(),
        tenants: best.iter().map(|one| tenant_line(&case, one)).collect(),
        told: furthest.map(|one| tell(&case, one, question.why_not)),
    })
}

/// The card of that id; else those that may be meant.
fn find(book: &Book, asked: &str) -> Result<CardIndex, ExplainError> {
    let asked = asked.trim();
    let found = book.cards.iter().position(|card| card.card_id.as_str() == asked).map(CardIndex);
    found.ok_or_else(|| ExplainError::UnknownCard { card: asked.to_owned(), near: near::near(&book.cards, asked) })
}

fn is_asked(route: &Route, card: CardIndex, direction: Option<Direction>) -> bool {
    route.card == card && direction.is_none_or(|direction| direction == route.direction)
}

/// The card's routes. If one of them buys from a seller, all offers of sellers come along: what is counted over a seller's
/// cards is then what a scan of everything counts.
fn routes_of(all: &[Route], book: &Book, card: CardIndex, direction: Option<Direction>) -> Vec<Route> {
    let from_seller = |route: &Route| book.series[route.buy].seller_id.is_some();
    let sellers = all.iter().any(|route| is_asked(route, card, direction) && from_seller(route));
    all.iter().filter(|route| is_asked(route, card, direction) || (sellers && from_seller(route))).cloned().collect()
}

fn prices(book: &Book, card: CardIndex) -> Vec<PriceLine> {
    let mut lines: Vec<PriceLine> = book
        .series
        .iter()
        .filter(|one| one.cards.contains(&card))
        .map(|one| PriceLine {
            market: one.market,
            source: one.source.to_string(),
            kind: one.kind,
            finish: one.finish,
            price: one.latest.price,
            currency: one.currency,
            seller_id: one.seller_id.as_deref().map(str::to_owned),
            observed_at: one.latest.observed_at,
            age_hours: (book.as_of - one.latest.observed_at).num_hours().max(0),
        })
        .collect();
    lines.sort_by(|left, right| {
        (left.market, right.observed_at, &left.source, left.finish).cmp(&(right.market, left.observed_at, &right.source, right.finish))
    });
    lines
}

fn history(one: &PriceSeries) -> Vec<DayPrice> {
    let skip = one.history.len().saturating_sub(HISTORY);
    one.history.iter().skip(skip).map(|point| (point.at.date_naive(), point.price)).collect()
}

fn tenant_line(case: &Case<'_>, one: &Judged) -> TenantLine {
    let mut evaluation = case.replay(one.route, one.tenant, &one.aggregates);
    let verdict = evaluation.verdict();
    let mut known = |name: &str| evaluation.known(case.pack.graph.id(name)?);
    let profile = &case.profiles[one.tenant];
    TenantLine {
        tenant: profile.tenant,
        country: profile.country.to_string(),
        direction: case.routes[one.route].direction,
        outcome: Outcome::of(&verdict),
        reason: verdict.reason(case.pack).map(str::to_owned),
        gates_passed: verdict.passed(case.pack),
        net_profit: known("net_profit").and_then(|value| value.as_decimal()),
        home_currency: known("home_currency").map(|value| value.to_string()).unwrap_or_default(),
        score: one.score,
    }
}

fn tell(case: &Case<'_>, one: &Judged, why_not: bool) -> Told {
    let route = &case.routes[one.route];
    let (buy, sell) = (&case.book.series[route.buy], &case.book.series[route.sell]);
    let mut evaluation = case.replay(one.route, one.tenant, &one.aggregates);
    let condition = case.pack.graph.id("condition").and_then(|id| evaluation.known(id)).map(|grade| grade.to_string());
    let profile = &case.profiles[one.tenant];
    Told {
        tenant: profile.tenant,
        country: Some(profile.country.to_string()),
        route: RouteLine {
            direction: route.direction,
            finish: Finish { printing: route.sell_printing.unwrap_or(sell.finish.printing), ..buy.finish },
            buy_market: buy.market,
            buy_price: buy.latest.price,
            buy_source: buy.source.to_string(),
            buy_observed_at: buy.latest.observed_at,
            buy_history: history(buy),
            seller_id: buy.seller_id.as_deref().map(str::to_owned),
            condition,
            sell_market: sell.market,
            sell_price: sell.latest.price,
            sell_source: sell.source.to_string(),
            sell_observed_at: sell.latest.observed_at,
            sell_history: history(sell),
        },
        explanation: explain(&mut evaluation, why_not),
    }
}
