//! What judging comes to: the best route of each card and tenant, reduced to signals, near misses and counts.

mod signals;

use std::collections::BTreeMap;

pub use self::signals::Signals;
use super::{
    judge::{Judged, best_of_each},
    routes::Route,
};
use crate::{
    domain::market::Direction,
    rules::{lower::Answer, pack::Pack},
};

/// How many cards stopped where, for one tenant and direction, by [`Answer::code`]: there are few such places.
pub type Stops = Vec<(i64, usize)>;

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    gates: usize,
    /// Best routes that are signals.
    signals: Signals,
    /// Of each tenant the best routes that a gate rejected latest.
    pub near_misses: Vec<Judged>,
    /// By tenant and direction.
    stops: Vec<[Stops; 2]>,
    /// How many cards stand behind a stop that a report says more about: see [`says_more`].
    behind: BTreeMap<(usize, i64), (usize, usize)>,
}

/// A route that stopped many tenants alike, and one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behind {
    pub route: usize,
    pub answer: Answer,
    pub tenant: usize,
}

/// Whether it is told which feed, missing fact or failing rule is behind a stop.
pub fn says_more(answer: Answer, pack: &Pack) -> bool {
    match answer {
        Answer::Signal { .. } => false,
        Answer::Rejected(gate) => pack.gates[gate].side.is_some(),
        Answer::Unknown(_) | Answer::Failed(_) | Answer::Open(_) => true,
    }
}

impl Findings {
    pub fn new(pack: &Pack, tenants: usize) -> Self {
        Self {
            gates: pack.gates.len(),
            signals: Signals::new(tenants),
            near_misses: Vec::new(),
            stops: vec![[Stops::new(), Stops::new()]; tenants],
            behind: BTreeMap::new(),
        }
    }

    /// What the interpreter's judgements come to. Up to `keep` near misses are kept for each tenant.
    pub fn of(judged: &[Judged], routes: &[Route], pack: &Pack, tenants: usize, keep: usize) -> Self {
        let mut findings = Self::new(pack, tenants);
        for one in best_of_each(judged, routes, pack) {
            let code = one.answer.code(findings.gates);
            findings.count(one.tenant, routes[one.route].direction, code, 1);
            if says_more(one.answer, pack) {
                findings.stand_behind(one.route, code, one.tenant, 1);
            }
            match one.answer {
                Answer::Signal { .. } => findings.found(&one),
                Answer::Rejected(_) => findings.near_misses.push(one),
                Answer::Unknown(_) | Answer::Failed(_) | Answer::Open(_) => {}
            }
        }
        findings.settle(routes, keep);
        findings
    }

    pub fn count(&mut self, tenant: usize, direction: Direction, code: i64, cards: usize) {
        if cards > 0 {
            let stops = &mut self.stops[tenant][direction as usize];
            match stops.binary_search_by_key(&code, |(code, _)| *code) {
                Ok(place) => stops[place].1 += cards,
                Err(place) => stops.insert(place, (code, cards)),
            }
        }
    }

    /// Takes over where cards stopped, in the order of their codes.
    pub fn take_stops(&mut self, tenant: usize, direction: Direction, stops: Stops) {
        let known = &mut self.stops[tenant][direction as usize];
        if known.is_empty() {
            *known = stops;
        } else {
            for (code, cards) in stops {
                self.count(tenant, direction, code, cards);
            }
        }
    }

    /// Takes a signal over.
    pub fn found(&mut self, signal: &Judged) {
        self.signals.push(signal.tenant, signal.route, signal.score, &signal.aggregates);
    }

    /// Takes signals over that were found for these tenants.
    pub fn take_signals(&mut self, signals: Signals, tenants: &[usize]) {
        self.signals.append(signals, tenants.iter().copied());
    }

    /// Best routes that are signals, by tenant, card and direction.
    pub fn signals(&self) -> impl Iterator<Item = Judged> + '_ {
        self.signals.iter()
    }

    pub fn signal_count(&self) -> usize {
        self.signals.count()
    }

    /// Tells that a route is what stopped a tenant, and that many others.
    pub fn stand_behind(&mut self, route: usize, code: i64, tenant: usize, cards: usize) {
        let (count, least) = self.behind.entry((route, code)).or_insert((0, tenant));
        *count += cards;
        *least = tenant.min(*least);
    }

    /// Puts everything into its order and keeps the near misses that got furthest.
    pub fn settle(&mut self, routes: &[Route], keep: usize) {
        let gates = self.gates;
        self.signals.sort(routes);
        self.near_misses.sort_by_key(|one| (one.tenant, std::cmp::Reverse(one.answer.code(gates)), one.route));
        let (mut tenant, mut kept) = (usize::MAX, 0);
        self.near_misses.retain(|one| {
            if one.tenant != tenant {
                (tenant, kept) = (one.tenant, 0);
            }
            kept += 1;
            kept <= keep
        });
    }

    /// Keeps the signals of some routes. How many cards stopped where says nothing of a part of the market.
    pub fn narrow(&mut self, keep: impl Fn(usize) -> bool) {
        self.signals.retain(&keep);
        self.near_misses.retain(|one| keep(one.route));
        self.forget_stops();
    }

    /// Forgets how many cards stopped where.
    pub fn forget_stops(&mut self) {
        self.stops.iter_mut().for_each(|stops| *stops = [Stops::new(), Stops::new()]);
        self.behind.clear();
    }

    /// How many cards stopped where, for each tenant and direction.
    pub fn counts(&self) -> impl Iterator<Item = (usize, Direction, Answer, usize)> + '_ {
        self.stops.iter().enumerate().flat_map(move |(tenant, both)| {
            Direction::ALL.iter().flat_map(move |direction| {
                let stops = both[*direction as usize].iter();
                stops.map(move |(code, count)| (tenant, *direction, Answer::of(*code, self.gates), *count))
            })
        })
    }

    /// Routes that stopped tenants at a place that a report says more about, and how often.
    pub fn behind(&self) -> impl Iterator<Item = (Behind, usize)> + '_ {
        self.behind.iter().map(|((route, code), (count, tenant))| {
            (Behind { route: *route, answer: Answer::of(*code, self.gates), tenant: *tenant }, *count)
        })
    }
}
