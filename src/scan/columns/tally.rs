//! Reduces what a batch of tenants makes of blocks of rows: the best route of each card, counted or kept.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
};

use rust_decimal::Decimal;

use super::{
    Side,
    blocks::Block,
    counts::{Counted, Groups, Patch, Patches},
};
use crate::{
    rules::{
        graph::FactId,
        lower::{Answer, Batch, Codes, Scores},
    },
    scan::{
        findings::{Findings, says_more},
        judge::Judged,
    },
};

/// What the tenants of a batch came to, by position in the batch.
#[derive(Debug)]
pub struct Tally {
    stops: Vec<u32>,
    codes: usize,
    signals: Vec<Judged>,
    /// Rejections that got furthest.
    nearest: Vec<BinaryHeap<Reverse<Near>>>,
    near_misses: Vec<Judged>,
    keep: usize,
    /// By row and code: how many tenants, and the first of them.
    behind: HashMap<(usize, i64), (usize, usize)>,
    /// By code: whether a report says more about it.
    says_more: Vec<bool>,
    /// The least code of a signal.
    signal: i64,
    /// The best code of each card of the block at hand.
    best: Vec<i64>,
    /// Codes that differ from what the columns say.
    mended: Vec<i64>,
}

/// A rejection: a later gate is nearer, of equals the first route. Then its row, and what was counted when it was judged again.
type Near = (i64, Reverse<usize>, usize, Option<Vec<(FactId, i64)>>);

impl Tally {
    pub fn new(side: &Side<'_>, batch: &Batch, keep: usize) -> Self {
        let gates = side.case.pack.gates.len();
        let codes = Answer::codes(gates);
        let says_more = (0..).take(codes).map(|code| says_more(Answer::of(code, gates), side.case.pack)).collect();
        Self {
            stops: vec![0; codes * batch.tenants.len()],
            codes,
            signals: Vec::new(),
            nearest: vec![BinaryHeap::new(); batch.tenants.len()],
            near_misses: Vec::new(),
            keep,
            behind: HashMap::new(),
            says_more,
            signal: Answer::Signal { scored: false }.code(gates),
            best: Vec::new(),
            mended: Vec::new(),
        }
    }

    pub fn merged(mut self, other: Self) -> Self {
        for (mine, more) in self.stops.iter_mut().zip(&other.stops) {
            *mine += more;
        }
        self.signals.extend(other.signals);
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

    /// Takes what one tenant makes of a block.
    #[expect(clippy::too_many_arguments, reason = "the block, the tenant and what is known of both come from the machine one by one")]
    pub fn take(
        &mut self,
        side: &Side<'_>,
        (block, number): (&Block, usize),
        position: usize,
        tenant: usize,
        codes: Codes<'_>,
        scores: Scores<'_>,
        counted: &Counted,
        groups: &Groups,
        patches: &Patches,
    ) {
        if let Codes::Same(code) = codes
            && self.keep == 0
            && self.is_plain(code)
        {
            self.stops[position * self.codes + index(code)] += count(block.cards);
            return;
        }
        let patches = patches.of(tenant, number);
        let mended = std::mem::take(&mut self.mended);
        let (mended, asked) = mend(mended, side, block, tenant, codes, counted, groups, patches);
        let codes = if let (Codes::Each(codes), true) = (codes, mended.is_empty()) { &codes[..block.rows.len()] } else { &mended };

        let mut best = std::mem::take(&mut self.best);
        best.clear();
        best.extend_from_slice(&codes[..block.cards]);
        for route in codes[block.cards..].chunks(block.cards) {
            for (best, code) in best.iter_mut().zip(route) {
                *best = (*best).max(*code);
            }
        }
        for (card, code) in best.iter().enumerate() {
            self.stops[position * self.codes + index(*code)] += 1;
            if *code >= self.signal {
                let lane = self.best_signal(block, card, codes, |lane| score(lane, scores, patches, &asked));
                let row = block.rows[lane];
                let counts = patches.iter().find(|(at, _)| *at == lane).map(|(_, patch)| patch.counts.clone());
                self.signals.push(Judged {
                    route: side.routes[row],
                    tenant,
                    answer: Answer::Signal { scored: *code > self.signal },
                    score: if *code > self.signal { score(lane, scores, patches, &asked) } else { None },
                    aggregates: counts.unwrap_or_else(|| counted.of(side, groups, row, tenant)),
                });
            } else if self.says_more[index(*code)] || self.keep > 0 {
                self.stop(side, block, (position, tenant), card, codes, *code, patches);
            }
        }
        (self.best, self.mended) = (best, mended);
    }

    /// Whether a code only needs to be counted.
    fn is_plain(&self, code: i64) -> bool {
        let told = matches!(code.rem_euclid(4), 1..);
        told && code < self.signal && !self.says_more[index(code)]
    }

    /// The lane of a card's best signal: the highest score, of equals the first.
    fn best_signal(&self, block: &Block, card: usize, codes: &[i64], score: impl Fn(usize) -> Option<Decimal>) -> usize {
        let mut best: Option<(usize, (i64, Option<Decimal>))> = None;
        for lane in block.lanes(card).filter(|lane| codes[*lane] >= self.signal) {
            let rank = (codes[lane], if codes[lane] > self.signal { score(lane) } else { None });
            if best.is_none_or(|(_, least)| rank > least) {
                best = Some((lane, rank));
            }
        }
        best.map_or(card, |(lane, _)| lane)
    }

    /// Remembers where a card stopped.
    #[expect(clippy::too_many_arguments, reason = "as for `Tally::take`")]
    fn stop(
        &mut self,
        side: &Side<'_>,
        block: &Block,
        (position, tenant): (usize, usize),
        card: usize,
        codes: &[i64],
        code: i64,
        patches: &[(usize, Patch)],
    ) {
        let Some(lane) = block.lanes(card).find(|lane| codes[*lane] == code) else { return };
        let row = block.rows[lane];
        if self.says_more[index(code)] {
            let entry = self.behind.entry((row, code)).or_insert((0, tenant));
            *entry = (entry.0 + 1, entry.1.min(tenant));
        }
        if self.keep > 0 && matches!(Answer::of(code, side.case.pack.gates.len()), Answer::Rejected(_)) {
            let counts = patches.iter().find(|(at, _)| *at == lane).map(|(_, patch)| patch.counts.clone());
            push(&mut self.nearest[position], (code, Reverse(side.routes[row]), row, counts), self.keep);
        }
    }

    /// Takes rows that no tenant comes further with: they are near misses of those who have nothing nearer.
    pub fn take_closed(&mut self, side: &Side<'_>, furthest: &[(i64, usize)]) {
        for nearest in &mut self.nearest {
            for (code, row) in furthest {
                push(nearest, (*code, Reverse(side.routes[*row]), *row, None), self.keep);
            }
        }
    }

    /// Turns the rejections that got furthest into judgements, with what was counted for them.
    pub fn close(&mut self, side: &Side<'_>, batch: &Batch, counted: &Counted, groups: &Groups) {
        let gates = side.case.pack.gates.len();
        for (nearest, tenant) in std::mem::take(&mut self.nearest).into_iter().zip(&batch.tenants) {
            self.near_misses.extend(nearest.into_iter().map(|Reverse((code, Reverse(route), row, counts))| Judged {
                route,
                tenant: *tenant,
                answer: Answer::of(code, gates),
                score: None,
                aggregates: counts.unwrap_or_else(|| counted.of(side, groups, row, *tenant)),
            }));
        }
    }

    /// Tells everything that was found.
    pub fn settle(self, side: &Side<'_>, batch: &Batch, findings: &mut Findings) {
        for (stops, tenant) in self.stops.chunks(self.codes).zip(&batch.tenants) {
            for (cards, code) in stops.iter().zip(0..) {
                findings.count(*tenant, side.direction, code, *cards as usize);
            }
        }
        for ((row, code), (cards, tenant)) in self.behind {
            findings.stand_behind(side.routes[row], code, tenant, cards);
        }
        findings.signals.extend(self.signals);
        findings.near_misses.extend(self.near_misses);
    }
}

/// Scores that the interpreter told, by lane.
type Asked = Vec<(usize, Option<Decimal>)>;

/// Codes with those of rows that were judged again, or that only the interpreter can judge; empty if there are none.
#[expect(clippy::too_many_arguments, reason = "as for `Tally::take`")]
fn mend(
    mut mended: Vec<i64>,
    side: &Side<'_>,
    block: &Block,
    tenant: usize,
    codes: Codes<'_>,
    counted: &Counted,
    groups: &Groups,
    patches: &[(usize, Patch)],
) -> (Vec<i64>, Asked) {
    mended.clear();
    let mut asked = Asked::new();
    let is_open = |code: &i64| *code % 4 == 0;
    match codes {
        Codes::Each(codes) if patches.is_empty() && !codes[..block.rows.len()].iter().any(is_open) => return (mended, asked),
        Codes::Each(codes) => mended.extend_from_slice(&codes[..block.rows.len()]),
        Codes::Same(code) => mended.resize(block.rows.len(), code),
    }
    for (lane, patch) in patches {
        mended[*lane] = patch.code;
    }
    for (lane, row) in block.rows.iter().enumerate() {
        if is_open(&mended[lane]) {
            let judged = side.case.judge_one(side.routes[*row], tenant, counted.of(side, groups, *row, tenant));
            mended[lane] = judged.answer.code(side.case.pack.gates.len());
            asked.push((lane, judged.score));
        }
    }
    (mended, asked)
}

fn score(lane: usize, scores: Scores<'_>, patches: &[(usize, Patch)], asked: &Asked) -> Option<Decimal> {
    if let Some((_, patch)) = patches.iter().find(|(at, _)| *at == lane) {
        return patch.score;
    }
    match asked.iter().find(|(at, _)| *at == lane) {
        Some((_, score)) => *score,
        None => scores.of(lane),
    }
}

fn push(heap: &mut BinaryHeap<Reverse<Near>>, near: Near, keep: usize) {
    if heap.len() < keep {
        heap.push(Reverse(near));
    } else if heap.peek().is_some_and(|least| near > least.0) {
        heap.pop();
        heap.push(Reverse(near));
    }
}

fn index(code: i64) -> usize {
    usize::try_from(code).unwrap_or(0)
}

fn count(cards: usize) -> u32 {
    u32::try_from(cards).unwrap_or(u32::MAX)
}
