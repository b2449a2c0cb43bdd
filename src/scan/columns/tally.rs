//! Reduces what a batch of tenants makes of blocks of rows: the best route of each card, counted or kept.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use rust_decimal::Decimal;

use super::{
    Side,
    blocks::Block,
    groups::{Counted, Groups},
};
use crate::{
    rules::{
        graph::FactId,
        lower::{Answer, Batch, Codes, Scores},
    },
    scan::{
        findings::{Findings, Signals, Stops, says_more},
        judge::Judged,
    },
};

/// What the tenants of a batch came to, by position in the batch.
#[derive(Debug)]
pub struct Tally {
    /// How many cards stopped where.
    stops: Vec<u32>,
    codes: usize,
    signals: Signals,
    /// Rejections that got furthest.
    nearest: Vec<BinaryHeap<Reverse<Near>>>,
    near_misses: Vec<Judged>,
    /// How many cards stopped where.
    stopped: Vec<Stops>,
    keep: usize,
    /// By row and code: how many tenants, and the first of them.
    behind: HashMap<(usize, u8), (usize, usize)>,
    /// By code: whether a report says more about it.
    says_more: Vec<bool>,
    /// The least code of a signal.
    signal: u8,
    /// The best code of each card of the block at hand.
    best: Vec<u8>,
    /// Codes of which the interpreter told some.
    mended: Vec<u8>,
}

/// A rejection: a later gate is nearer, of equals the first route. Then its row, and what was counted when it was judged again.
type Near = (u8, Reverse<usize>, usize, Option<Vec<(FactId, i64)>>);

/// Cards that no tenant comes further with than the gates before all tenants.
#[derive(Debug, Default)]
pub struct Closed {
    /// By code.
    pub cards: Vec<(u8, u32)>,
    /// The code and row of those that a report says more about.
    pub behind: Vec<(u8, usize)>,
    /// The code and row of those that got furthest.
    pub furthest: Vec<(u8, usize)>,
}

/// A tenant, and its position in the batch.
#[derive(Debug, Clone, Copy)]
pub struct Seat {
    pub position: usize,
    pub tenant: usize,
}

impl Tally {
    pub fn new(side: &Side<'_>, batch: &Batch, keep: usize) -> Self {
        let gates = side.case.pack.gates.len();
        let codes = Answer::codes(gates);
        let says_more = (0..).take(codes).map(|code| says_more(Answer::of(code, gates), side.case.pack)).collect();
        Self {
            stops: vec![0; codes * batch.tenants.len()],
            codes,
            signals: Signals::new(batch.tenants.len()),
            nearest: vec![BinaryHeap::new(); if keep > 0 { batch.tenants.len() } else { 0 }],
            near_misses: Vec::new(),
            stopped: Vec::new(),
            keep,
            behind: HashMap::new(),
            says_more,
            signal: code(Answer::Signal { scored: false }, gates),
            best: Vec::new(),
            mended: Vec::new(),
        }
    }

    pub fn merged(mut self, other: Self) -> Self {
        for (mine, more) in self.stops.iter_mut().zip(&other.stops) {
            *mine += more;
        }
        self.signals.append(other.signals, 0..);
        for (mine, more) in self.nearest.iter_mut().zip(other.nearest) {
            for near in more {
                push(mine, near.0, self.keep);
            }
        }
        for (key, (count, tenant)) in other.behind {
            let entry = self.behind.entry(key).or_insert((0, tenant));
            *entry = (entry.0 + count, entry.1.min(tenant));
        }
        self
    }

    /// Whether a code is one of a signal.
    pub const fn is_signal(&self, code: u8) -> bool {
        code >= self.signal
    }

    /// Whether only the number of cards that have a code matters.
    pub fn is_settled(&self, code: u8) -> bool {
        !is_open(code) && !self.is_signal(code) && !self.asks_more(code)
    }

    /// Takes what one tenant makes of a block.
    pub fn take(&mut self, side: &Side<'_>, block: &Block, seat: Seat, codes: Codes<'_>, scores: Scores<'_>) {
        if let Codes::Same(code) = codes
            && self.is_settled(code)
        {
            self.count(seat, code, block.cards);
            return;
        }
        let mended = std::mem::take(&mut self.mended);
        let (mended, asked) = mend(mended, side, block, seat.tenant, codes);
        let codes = if let (Codes::Each(codes), true) = (codes, mended.is_empty()) { &codes[..block.rows.len()] } else { &mended };
        let score = |lane: usize| match asked.iter().find(|(at, _)| *at == lane) {
            Some((_, score)) => *score,
            None => scores.of(lane),
        };
        let mut best = std::mem::take(&mut self.best);
        best_of(codes, block.cards, &mut best);
        self.count_all(seat, &best);
        for (card, code) in best.iter().enumerate() {
            if *code >= self.signal {
                let lanes = block.lanes(card).map(|lane| (lane, codes[lane]));
                if let Some((lane, score)) = self.best_signal(lanes, score) {
                    self.signals.push(seat.position, side.routes[block.rows[lane]], score, &[]);
                }
            } else if self.asks_more(*code)
                && let Some(lane) = block.lanes(card).find(|lane| codes[*lane] == *code)
            {
                self.stop(side, seat, block.rows[lane], *code, None);
            }
        }
        (self.best, self.mended) = (best, mended);
    }

    /// Counts cards that stopped alike.
    pub fn count(&mut self, seat: Seat, code: u8, cards: usize) {
        self.stops[seat.position * self.codes + usize::from(code)] += u32::try_from(cards).unwrap_or(u32::MAX);
    }

    /// Counts cards by their codes.
    pub fn count_all(&mut self, seat: Seat, codes: &[u8]) {
        let stops = &mut self.stops[seat.position * self.codes..][..self.codes];
        for code in codes {
            stops[usize::from(*code)] += 1;
        }
    }

    /// Of a card's routes and their codes the best signal and its score: the highest score, of equals the first.
    pub fn best_signal<K: Copy>(
        &self,
        routes: impl Iterator<Item = (K, u8)>,
        score: impl Fn(K) -> Option<Decimal>,
    ) -> Option<(K, Option<Decimal>)> {
        let mut best: Option<(K, (u8, Option<Decimal>))> = None;
        for (route, code) in routes.filter(|(_, code)| *code >= self.signal) {
            let rank = (code, if code > self.signal { score(route) } else { None });
            if best.is_none_or(|(_, least)| rank > least) {
                best = Some((route, rank));
            }
        }
        best.map(|(route, (_, score))| (route, score))
    }

    pub fn found(&mut self, seat: Seat, route: usize, score: Option<Decimal>, counts: &[(FactId, i64)]) {
        self.signals.push(seat.position, route, score, counts);
    }

    /// Whether more is to be remembered of a stop than how often it was one.
    pub fn asks_more(&self, code: u8) -> bool {
        self.keep > 0 || self.says_more[usize::from(code)]
    }

    /// Remembers where a card stopped, and what was counted for it if it was judged again.
    pub fn stop(&mut self, side: &Side<'_>, seat: Seat, row: usize, code: u8, counts: Option<Vec<(FactId, i64)>>) {
        if self.says_more[usize::from(code)] {
            let entry = self.behind.entry((row, code)).or_insert((0, seat.tenant));
            *entry = (entry.0 + 1, entry.1.min(seat.tenant));
        }
        if self.keep > 0 && matches!(Answer::of(code.into(), side.case.pack.gates.len()), Answer::Rejected(_)) {
            push(&mut self.nearest[seat.position], (code, Reverse(side.routes[row]), row, counts), self.keep);
        }
    }

    /// Takes cards that no tenant comes further with: by code how many, and those that are near misses of whoever has
    /// nothing nearer.
    pub fn take_closed(&mut self, side: &Side<'_>, closed: &Closed) {
        for stops in self.stops.chunks_mut(self.codes) {
            closed.cards.iter().for_each(|(code, cards)| stops[usize::from(*code)] += cards);
        }
        for nearest in &mut self.nearest {
            for (code, row) in &closed.furthest {
                push(nearest, (*code, Reverse(side.routes[*row]), *row, None), self.keep);
            }
        }
    }

    /// Brings everything into the form of findings: the rejections that got furthest become judgements, with what was
    /// counted for them.
    pub fn close(&mut self, side: &Side<'_>, batch: &Batch, counted: &Counted<'_>, groups: &Groups) {
        let stops =
            |stops: &[u32]| (0..).zip(stops).filter(|(_, cards)| **cards > 0).map(|(code, cards)| (code, *cards as usize)).collect();
        self.stopped = self.stops.chunks(self.codes).map(stops).collect();
        let gates = side.case.pack.gates.len();
        for (position, (nearest, tenant)) in std::mem::take(&mut self.nearest).into_iter().zip(&batch.tenants).enumerate() {
            self.near_misses.extend(nearest.into_iter().map(|Reverse((code, Reverse(route), row, counts))| Judged {
                route,
                tenant: *tenant,
                answer: Answer::of(code.into(), gates),
                score: None,
                aggregates: counts.unwrap_or_else(|| counted.told(side, groups, row, position)),
            }));
        }
    }

    /// Tells everything that was found.
    pub fn settle(self, side: &Side<'_>, batch: &Batch, findings: &mut Findings) {
        for (stops, tenant) in self.stopped.into_iter().zip(&batch.tenants) {
            findings.take_stops(*tenant, side.direction, stops);
        }
        for ((row, code), (cards, tenant)) in self.behind {
            findings.stand_behind(side.routes[row], code.into(), tenant, cards);
        }
        findings.take_signals(self.signals, &batch.tenants);
        findings.near_misses.extend(self.near_misses);
    }
}

/// What all tenants make of a side.
pub struct Told<'a> {
    pub side: Side<'a>,
    pub closed: Closed,
    /// By batch of the side.
    pub tallies: Vec<Tally>,
}

impl Told<'_> {
    /// Tells everything that was found.
    pub fn settle(self, findings: &mut Findings) {
        let Self { side, closed, tallies } = self;
        let tenants = side.case.profiles.len();
        for (code, row) in closed.behind.into_iter().filter(|_| tenants > 0) {
            findings.stand_behind(side.routes[row], code.into(), 0, tenants);
        }
        for (tally, batch) in tallies.into_iter().zip(&side.batches) {
            tally.settle(&side, batch, findings);
        }
    }
}

/// The best of each card's codes, where first the first route of every card stands, then the second of every card, and so on.
pub fn best_of(codes: &[u8], cards: usize, best: &mut Vec<u8>) {
    best.clear();
    best.extend_from_slice(&codes[..cards]);
    for route in codes[cards..].chunks(cards.max(1)) {
        for (best, code) in best.iter_mut().zip(route) {
            *best = (*best).max(*code);
        }
    }
}

/// An answer's code; packs with more codes than bytes have are not judged in columns.
pub fn code(answer: Answer, gates: usize) -> u8 {
    u8::try_from(answer.code(gates)).unwrap_or(u8::MAX)
}

/// Whether only the interpreter can tell.
pub const fn is_open(code: u8) -> bool {
    code.is_multiple_of(4)
}

/// Scores that the interpreter told, by lane.
type Asked = Vec<(usize, Option<Decimal>)>;

/// Codes with those of rows that only the interpreter can judge; empty if there are none.
fn mend(mut mended: Vec<u8>, side: &Side<'_>, block: &Block, tenant: usize, codes: Codes<'_>) -> (Vec<u8>, Asked) {
    mended.clear();
    let mut asked = Asked::new();
    match codes {
        Codes::Each(codes) => {
            // a fold, unlike a search, becomes vector instructions
            let any_open = codes.iter().fold(false, |any, code| any | is_open(*code));
            if !any_open {
                return (mended, asked);
            }
            mended.extend_from_slice(codes);
        }
        Codes::Same(code) => mended.resize(block.rows.len(), code),
    }
    for (lane, row) in block.rows.iter().enumerate() {
        if is_open(mended[lane]) {
            let judged = side.case.judge_one(side.routes[*row], tenant, Vec::new());
            mended[lane] = code(judged.answer, side.case.pack.gates.len());
            asked.push((lane, judged.score));
        }
    }
    (mended, asked)
}

fn push(heap: &mut BinaryHeap<Reverse<Near>>, near: Near, keep: usize) {
    if heap.len() < keep {
        heap.push(Reverse(near));
    } else if heap.peek().is_some_and(|least| near > least.0) {
        heap.pop();
        heap.push(Reverse(near));
    }
}
