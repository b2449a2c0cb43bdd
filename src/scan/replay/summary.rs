//! All steps of a replay as one report.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::Serialize;

use super::{
    Plan,
    outcome::Outcomes,
    step::{Signal, Taken},
    window,
};
use crate::{
    domain::{
        book::CardIndex,
        card::{Card, CardId, Finish},
        history::moment,
        market::{Direction, Market},
        money::{Currency, Rates},
        observation::day_of,
    },
    rules::testing::{Ran, invariants::Held},
};

/// Waterfalls that are told.
const BEST: usize = 10;

/// What a replay found. Tenants are numbers: a report is shown around.
#[derive(Debug, Serialize)]
pub struct Replay {
    pub pack: String,
    pub pack_hash: String,
    pub from: NaiveDate,
    pub to: NaiveDate,
    /// Every source with the first and the last day that it tells of, moved in time already.
    pub sources: BTreeMap<String, (NaiveDate, NaiveDate)>,
    pub rows: usize,
    /// Rows whose moment of being known is the source's word, not our record.
    pub imported_rows: u64,
    /// Cards with a price.
    pub cards: usize,
    pub tenants: Vec<TenantLine>,
    pub decisions: usize,
    pub steps: Vec<Step>,
    /// How often each reason was given, by direction; the most frequent first.
    pub reasons: Vec<(String, [usize; 2])>,
    pub waterfall: Vec<String>,
    pub best: Vec<Best>,
    pub outcomes: Outcomes,
    pub invariants: Vec<Kept>,
    pub course: Option<CourseOfCard>,
    /// As many as there was room for, by time, tenant and card.
    #[serde(skip)]
    pub signals: Vec<Signal>,
    /// By step and reason: the first tenant of whom it was said.
    #[serde(skip)]
    pub seen: Vec<BTreeMap<String, usize>>,
}

/// One moment.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    pub at: DateTime<Utc>,
    pub routes: usize,
    pub signals: usize,
    pub new: usize,
    pub by_tenant: Vec<usize>,
    pub rates: Rates,
    pub customs_regime: Option<String>,
    pub reasons: BTreeMap<String, usize>,
}

/// One tenant's share.
#[derive(Debug, Clone, Serialize)]
pub struct TenantLine {
    /// Position, from 1.
    pub tenant: usize,
    pub country: String,
    /// Over all steps; of one step the least, the middle one and the most.
    pub signals: usize,
    pub least: usize,
    pub median: usize,
    pub most: usize,
}

/// A signal with the name of its card.
#[derive(Debug, Clone, Serialize)]
pub struct Best {
    pub card_id: CardId,
    pub card_name: String,
    pub finish: Finish,
    #[serde(flatten)]
    pub signal: Signal,
}

/// How an invariant fared.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    pub invariant: String,
    /// Only a signal can break it, so only signals are counted.
    pub of_signals: bool,
    pub held: usize,
    pub untold: usize,
    pub broken: usize,
    /// As a test; `None` where no decision could tell.
    #[serde(skip)]
    pub ran: Option<Ran>,
}

impl Kept {
    /// What it was held against, of so many decisions.
    pub fn scope(&self, decisions: usize) -> String {
        let told = self.held + self.broken + self.untold;
        match self.of_signals {
            true => format!("all {told} signals"),
            false if told < decisions => format!("{told} drawn of {decisions} decisions"),
            false => format!("all {told} decisions"),
        }
    }
}

/// One card's prices and decisions.
#[derive(Debug, Clone, Serialize)]
pub struct CourseOfCard {
    pub card_id: CardId,
    pub card_name: String,
    pub prices: Vec<PriceLine>,
    /// By step: for how many tenants it was a signal.
    pub signals: Vec<usize>,
    /// By step, where the card was asked for: what was said to how many tenants, by direction.
    pub said: Vec<BTreeMap<String, usize>>,
}

/// One series of the card.
#[derive(Debug, Clone, Serialize)]
pub struct PriceLine {
    pub source: String,
    pub market: Market,
    pub currency: Currency,
    pub finish: Finish,
    pub points: Vec<(DateTime<Utc>, Decimal)>,
}

impl Replay {
    pub fn of(plan: &Plan<'_>, taken: Vec<Taken>) -> Self {
        let history = plan.history;
        let mut reasons: BTreeMap<String, [usize; 2]> = BTreeMap::new();
        for (reason, (counts, _)) in taken.iter().flat_map(|step| &step.reasons) {
            let line = reasons.entry(reason.clone()).or_default();
            *line = [line[0] + counts[0], line[1] + counts[1]];
        }
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(reason, counts)| (std::cmp::Reverse(counts.iter().sum::<usize>()), reason.clone()));
        let mut held = vec![Held::default(); plan.invariants.len()];
        for step in &taken {
            for (held, more) in held.iter_mut().zip(&step.held) {
                held.add(more.clone());
            }
        }
        let best = best(plan, &taken);
        let chosen = plan.card.and_then(|card| history.cards.binary_search_by(|known| known.card_id.cmp(card)).ok()).map(CardIndex);
        let chosen =
            chosen.or_else(|| taken.iter().flat_map(|step| &step.signals).max_by_key(|signal| signal.predicted).map(|signal| signal.card));
        let new: Vec<&Signal> = taken.iter().flat_map(|step| &step.signals).filter(|signal| signal.is_new).collect();
        let priced: BTreeSet<CardIndex> = history.courses.iter().flat_map(|course| course.first.cards.iter().copied()).collect();
        Self {
            pack: plan.pack.name.clone(),
            pack_hash: plan.pack.hash.clone(),
            from: taken.first().map(|step| day_of(step.at)).unwrap_or_default(),
            to: taken.last().map(|step| day_of(step.at)).unwrap_or_default(),
            sources: window::sources(history, None),
            rows: history.rows(),
            imported_rows: history.imported,
            cards: priced.len(),
            tenants: (0..plan.profiles.len()).map(|tenant| tenant_line(plan, tenant, &taken)).collect(),
            decisions: taken.iter().map(|step| step.decisions).sum(),
            outcomes: Outcomes::of(&new, taken.iter().map(|step| step.new).sum()),
            course: chosen.and_then(|card| course(plan, card, &taken)),
            waterfall: plan.pack.waterfall.iter().map(|id| plan.pack.graph.fact(*id).name.clone()).collect(),
            best,
            reasons,
            invariants: plan
                .invariants
                .iter()
                .zip(held)
                .map(|(invariant, held)| Kept {
                    invariant: invariant.text.clone(),
                    of_signals: invariant.is_of_signals(),
                    held: held.held,
                    untold: held.untold,
                    broken: held.broken,
                    ran: invariant.ran(&held),
                })
                .collect(),
            seen: taken.iter().map(seen).collect(),
            steps: taken.iter().map(step).collect(),
            signals: taken.into_iter().flat_map(|step| step.signals).collect(),
        }
    }

    /// How many signals there were, those that stand counted at every step.
    pub fn signalled(&self) -> usize {
        self.steps.iter().map(|step| step.signals).sum()
    }
}

fn seen(taken: &Taken) -> BTreeMap<String, usize> {
    taken.reasons.iter().map(|(reason, (_, tenant))| (reason.clone(), *tenant)).collect()
}

fn step(taken: &Taken) -> Step {
    Step {
        at: taken.at,
        routes: taken.routes,
        signals: taken.by_tenant.iter().sum(),
        new: taken.new,
        by_tenant: taken.by_tenant.clone(),
        rates: taken.rates.clone(),
        customs_regime: taken.regime.clone(),
        reasons: taken.reasons.iter().map(|(reason, (counts, _))| (reason.clone(), counts.iter().sum())).collect(),
    }
}

fn tenant_line(plan: &Plan<'_>, tenant: usize, taken: &[Taken]) -> TenantLine {
    let mut days: Vec<usize> = taken.iter().map(|step| step.by_tenant[tenant]).collect();
    days.sort_unstable();
    let at = |place: usize| days.get(place).copied().unwrap_or(0);
    TenantLine {
        tenant: tenant + 1,
        country: plan.profiles[tenant].country.as_str().to_owned(),
        signals: days.iter().sum(),
        least: at(0),
        median: at(days.len() / 2),
        most: at(days.len().saturating_sub(1)),
    }
}

/// The best signal of each of the best cards.
fn best(plan: &Plan<'_>, taken: &[Taken]) -> Vec<Best> {
    let mut by_card: BTreeMap<CardIndex, &Signal> = BTreeMap::new();
    for signal in taken.iter().flat_map(|step| &step.signals) {
        let known = by_card.entry(signal.card).or_insert(signal);
        if (signal.score, signal.predicted) > (known.score, known.predicted) {
            *known = signal;
        }
    }
    let mut best: Vec<&Signal> = by_card.into_values().collect();
    best.sort_by(|left, right| (right.score, right.predicted).cmp(&(left.score, left.predicted)).then(left.card.cmp(&right.card)));
    best.into_iter().take(BEST).filter_map(|signal| named(plan, signal)).collect()
}

fn named(plan: &Plan<'_>, signal: &Signal) -> Option<Best> {
    let card: &Card = plan.history.cards.get(signal.card.0)?;
    let finish = plan.history.courses.get(signal.sell)?.first.finish;
    Some(Best { card_id: card.card_id.clone(), card_name: card.name.clone(), finish, signal: signal.clone() })
}

fn course(plan: &Plan<'_>, card: CardIndex, taken: &[Taken]) -> Option<CourseOfCard> {
    let (first, last) = (taken.first()?.at.timestamp_micros(), taken.last()?.at.timestamp_micros());
    let courses = plan.history.courses.iter().filter(|course| course.first.cards.contains(&card) && course.first.seller_id.is_none());
    let prices = courses.map(|course| {
        let rows = course.rows.iter().filter(|row| first <= row.known && row.known <= last);
        let mut points: Vec<_> = rows.filter_map(|row| Some((moment(row.observed), row.price.get()?))).collect();
        points.sort_by_key(|(at, _)| *at);
        PriceLine {
            source: course.first.source.to_string(),
            market: course.first.market,
            currency: course.first.currency,
            finish: course.first.finish,
            points,
        }
    });
    let said = |step: &Taken| {
        let mut said: BTreeMap<String, usize> = BTreeMap::new();
        for (_, direction, what) in &step.asked {
            *said.entry(format!("{}: {what}", arrow(*direction))).or_default() += 1;
        }
        said
    };
    let known = plan.history.cards.get(card.0)?;
    Some(CourseOfCard {
        card_id: known.card_id.clone(),
        card_name: known.name.clone(),
        prices: prices.filter(|line| !line.points.is_empty()).collect(),
        signals: taken.iter().map(|step| step.cards.get(&card).copied().unwrap_or(0)).collect(),
        said: if plan.card.is_some() { taken.iter().map(said).collect() } else { Vec::new() },
    })
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::EuUs => "EU→US",
        Direction::UsEu => "US→EU",
    }
}
