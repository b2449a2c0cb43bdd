//! Signals in few bytes each: a scan of many cards for many tenants finds millions.

use rayon::prelude::*;
use rust_decimal::Decimal;
use rustc_hash::FxHashMap;

use super::super::{judge::Judged, routes::Route};
use crate::rules::{graph::FactId, lower::Answer};

/// What was counted for a judgement.
type Counts = Vec<(FactId, i64)>;

/// A signal; whose it is, tells where it stands.
#[derive(Debug, Clone, Copy)]
struct Signal {
    route: u32,
    /// Where its counts are in the list, and in the uppermost bit whether there is a score.
    counts: u32,
    score: Decimal,
}

const SCORED: u32 = 1 << 31;

/// Room for so many more may stay.
const SPARE: usize = 8;

/// Signals by tenant.
#[derive(Debug, Clone)]
pub struct Signals {
    of: Vec<Vec<Signal>>,
    counts: Vec<Counts>,
    known: FxHashMap<Counts, u32>,
}

impl Signals {
    pub fn new(tenants: usize) -> Self {
        Self { of: vec![Vec::new(); tenants], counts: Vec::new(), known: FxHashMap::default() }
    }

    pub fn push(&mut self, tenant: usize, route: usize, score: Option<Decimal>, counts: &[(FactId, i64)]) {
        let counts = self.place(counts) | if score.is_some() { SCORED } else { 0 };
        let route = u32::try_from(route).unwrap_or(u32::MAX);
        self.of[tenant].push(Signal { route, counts, score: score.unwrap_or_default() });
    }

    fn place(&mut self, counts: &[(FactId, i64)]) -> u32 {
        if let Some(place) = self.known.get(counts) {
            return *place;
        }
        let place = u32::try_from(self.counts.len()).unwrap_or(SCORED - 1);
        self.counts.push(counts.to_vec());
        self.known.insert(counts.to_vec(), place);
        place
    }

    /// Takes others' signals over; the tenants there are these tenants here.
    pub fn append(&mut self, other: Self, tenants: impl IntoIterator<Item = usize>) {
        let places: Vec<u32> = other.counts.iter().map(|counts| self.place(counts)).collect();
        for (tenant, more) in tenants.into_iter().zip(other.of) {
            let moved =
                more.into_iter().map(|one| Signal { counts: places[(one.counts & !SCORED) as usize] | (one.counts & SCORED), ..one });
            self.of[tenant].extend(moved);
        }
    }

    /// Puts each tenant's signals into the order of cards.
    pub fn sort(&mut self, routes: &[Route]) {
        self.of.par_iter_mut().for_each(|signals| {
            signals.sort_by_key(|one| (routes[one.route as usize].card, routes[one.route as usize].direction));
            // a few bytes are not worth an allocation
            if signals.capacity() - signals.len() > SPARE {
                signals.shrink_to_fit();
            }
        });
    }

    /// Keeps those of some routes.
    pub fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        self.of.iter_mut().for_each(|signals| signals.retain(|one| keep(one.route as usize)));
    }

    pub fn count(&self) -> usize {
        self.of.iter().map(Vec::len).sum()
    }

    /// By tenant, then in their order.
    pub fn iter(&self) -> impl Iterator<Item = Judged> + '_ {
        self.of.iter().enumerate().flat_map(move |(tenant, signals)| {
            signals.iter().map(move |one| {
                let score = (one.counts & SCORED > 0).then_some(one.score);
                Judged {
                    route: one.route as usize,
                    tenant,
                    answer: Answer::Signal { scored: score.is_some() },
                    score,
                    aggregates: self.counts[(one.counts & !SCORED) as usize].clone(),
                }
            })
        })
    }
}

impl PartialEq for Signals {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}
