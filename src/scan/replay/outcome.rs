//! What happened next: the price that a signal hoped for, against the prices that came.

use rust_decimal::Decimal;
use serde::Serialize;

use super::step::Signal;
use crate::domain::money::cents;

/// Days after a decision at which it is looked at again.
pub const HORIZONS: [i64; 2] = [7, 30];
/// A price counts for a horizon if it was told within so many days before it.
pub const TOLERANCE_DAYS: i64 = 5;
const DECILES: usize = 10;

/// What became of a signal by one horizon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct After {
    /// Of the selling side, in its currency; `None` where nobody told one.
    pub price: Option<Decimal>,
    /// What the tenant would have kept, had it sold at that price, in euros.
    pub profit: Option<Decimal>,
}

/// All signals that were looked at, by one horizon.
#[derive(Debug, Clone, Serialize)]
pub struct Horizon {
    pub days: i64,
    /// How many have a price then.
    pub told: usize,
    /// How many could be sold for what was hoped for, or more.
    pub at_target: usize,
    /// How many would have lost money.
    pub lost: usize,
    /// Mean of the price then over the price hoped for.
    pub price_ratio: Option<Decimal>,
    /// Of those with a price, in euros.
    pub predicted: Option<Decimal>,
    pub realised: Option<Decimal>,
}

/// A tenth of the signals, by predicted profit; money in euros.
#[derive(Debug, Clone, Serialize)]
pub struct Decile {
    pub signals: usize,
    pub predicted: Option<Decimal>,
    /// By horizon: how many have a price, what they brought, how many lost money.
    pub after: [(usize, Option<Decimal>, usize); HORIZONS.len()],
}

/// What happened next.
#[derive(Debug, Clone, Serialize)]
pub struct Outcomes {
    /// New signals that were looked at, of how many.
    pub looked_at: usize,
    pub of: usize,
    pub horizons: Vec<Horizon>,
    /// The least predicted profit first.
    pub deciles: Vec<Decile>,
}

impl Outcomes {
    /// Of new signals; one that stands for weeks is bought once.
    pub fn of(signals: &[&Signal], of: usize) -> Self {
        let mut sorted: Vec<&Signal> = signals.iter().copied().filter(|signal| signal.predicted.is_some()).collect();
        sorted.sort_by_key(|signal| signal.predicted);
        let horizons = HORIZONS.iter().enumerate().map(|(place, days)| horizon(&sorted, place, *days)).collect();
        let tenth = |number: usize| &sorted[sorted.len() * number / DECILES..sorted.len() * (number + 1) / DECILES];
        let deciles = (0..DECILES).map(tenth).filter(|signals| !signals.is_empty()).map(decile).collect();
        Self { looked_at: signals.len(), of, horizons, deciles }
    }
}

fn horizon(signals: &[&Signal], place: usize, days: i64) -> Horizon {
    let told = || signals.iter().filter(|signal| signal.after[place].price.is_some());
    let ratio = |signal: &&&Signal| signal.after[place].price?.checked_div(signal.sell_price);
    Horizon {
        days,
        told: told().count(),
        at_target: told().filter(|signal| signal.after[place].price >= Some(signal.sell_price)).count(),
        lost: told().filter(|signal| has_lost(signal, place)).count(),
        price_ratio: mean(told().filter_map(|signal| ratio(&signal))).map(|mean| mean.round_dp(4)),
        predicted: mean(told().filter_map(|signal| signal.predicted)).map(cents),
        realised: mean(told().filter_map(|signal| signal.after[place].profit)).map(cents),
    }
}

fn decile(signals: &[&Signal]) -> Decile {
    let after = [0, 1].map(|place| {
        let told = || signals.iter().filter_map(move |signal| signal.after[place].profit);
        (told().count(), mean(told()).map(cents), signals.iter().filter(|signal| has_lost(signal, place)).count())
    });
    Decile { signals: signals.len(), predicted: mean(signals.iter().filter_map(|signal| signal.predicted)).map(cents), after }
}

fn has_lost(signal: &Signal, place: usize) -> bool {
    signal.after[place].profit.is_some_and(|profit| profit < Decimal::ZERO)
}

fn mean(amounts: impl Iterator<Item = Decimal>) -> Option<Decimal> {
    let (mut sum, mut count) = (Decimal::ZERO, 0_u64);
    for amount in amounts {
        sum = sum.checked_add(amount)?;
        count += 1;
    }
    sum.checked_div(count.into())
}
