//! Which rows are left for whom.

#![expect(clippy::inline_always, reason = "loops are compiled for the processor's vectors only where they stand inside of a dispatch")]

use std::ops::Range;

use pulp::Arch;
use rust_decimal::Decimal;

use super::{
    super::{
        loops::{Lanes, each_also},
        machine::{Machine, Told},
        program::Program,
        registers::{Slice, Source},
    },
    Kind, Limits, Stop,
};

const STOPPED: usize = 0;
const DOUBT: usize = 1;
const UNSCORED: usize = 2;
pub(super) const SCORE: usize = 3;

/// Some kinds, planned together.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub(super) kinds: &'a [Kind],
    pub(super) program: &'a Program,
}

/// A row that may be left for some tenants of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Left<'a> {
    pub lane: usize,
    pub suits: Suits,
    /// The kind, by its place in the part.
    pub kind: usize,
    /// Where the tenants of the kind stand among those of the part.
    first: usize,
    /// By tenant of the kind: whether it stops.
    stopped: &'a [u8],
}

/// What a row that nothing stops is to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suits {
    Signal(Option<Decimal>),
    /// Only the interpreter can tell.
    Open,
}

/// Tenants that are looked at as one: mostly, a row stops for all of them.
const AT_ONCE: usize = 32;

impl Left<'_> {
    /// For whom it is left, by place among the tenants of the part.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let chunks = self.stopped.chunks(AT_ONCE).zip((self.first..).step_by(AT_ONCE));
        let some = chunks.filter(|(stopped, _)| stopped.iter().fold(1, |all, stopped| all & stopped) == 0);
        some.flat_map(|(stopped, first)| stopped.iter().zip(first..).filter(|(stopped, _)| **stopped == 0).map(|(_, place)| place))
    }

    /// Remembers for whom it is left, by place among the tenants of the part.
    pub fn mark(&self, marked: &mut [u8]) {
        let marked = &mut marked[self.first..][..self.stopped.len()];
        marked.iter_mut().zip(self.stopped).for_each(|(marked, stopped)| *marked |= stopped ^ 1);
    }

    /// Where the tenants of the kind stand among those of the part.
    pub const fn range(&self) -> Range<usize> {
        self.first..self.first + self.stopped.len()
    }
}

impl Part<'_> {
    /// How many kinds there are.
    pub const fn kinds(&self) -> usize {
        self.kinds.len()
    }

    /// All tenants, kind by kind.
    pub fn tenants(&self) -> Vec<usize> {
        self.kinds.iter().flat_map(|kind| &kind.tenants).map(|tenant| *tenant as usize).collect()
    }

    /// Tells the lanes that may be left for one of the tenants, some of them several times; no other is. `columns` are as for
    /// [`Batch::judge`](super::super::Batch::judge).
    pub fn hope(&self, machine: &mut Machine, columns: &[Slice<'_>], lanes: usize, mut hoping: impl FnMut(usize)) {
        let mut room = Room::default();
        machine.run(self.program, columns, lanes, |kind, answer, told| {
            self.kinds[kind].left(told, &answer.outputs, lanes, &mut room).into_iter().for_each(&mut hoping);
        });
    }

    /// Tells what is left of a block of rows, and for whom; of a kind in the order of the lanes.
    pub fn left(&self, machine: &mut Machine, columns: &[Slice<'_>], lanes: usize, mut found: impl FnMut(Left<'_>)) {
        let (mut room, mut first) = (Room::default(), 0);
        machine.run(self.program, columns, lanes, |number, answer, told| {
            let (kind, outputs) = (&self.kinds[number], &answer.outputs);
            let holds = |output: usize, lane: usize| told.read(outputs[output], lane) != 0;
            for lane in kind.left(told, outputs, lanes, &mut room) {
                let suits = if holds(DOUBT, lane) {
                    Suits::Open
                } else if holds(UNSCORED, lane) {
                    Suits::Signal(None)
                } else {
                    Suits::Signal(Some(Decimal::from_i128_with_scale(told.read(outputs[SCORE], lane), kind.places)))
                };
                let stopped = kind.stopped(told, outputs, lane, &mut room);
                found(Left { lane, suits, kind: number, first, stopped });
            }
            first += kind.tenants.len();
        });
    }
}

impl Kind {
    /// By tenant whether something stops the row of a lane.
    fn stopped<'r>(&self, told: Told<'_>, outputs: &[Source], lane: usize, room: &'r mut Room) -> &'r [u8] {
        let Room { stopped, held, numbers } = room;
        fill(stopped, self.tenants.len(), 0);
        fill(held, self.tenants.len(), 0);
        numbers.clear();
        for stop in &self.stops {
            let may_stop = stop.guard.is_none_or(|guard| told.read(outputs[guard], lane) != 0);
            // the greatest number is below no limit
            let number = |limits: &Limits| if may_stop { limits.number(told, outputs, lane) } else { i64::MAX };
            numbers.extend(stop.numbers.iter().map(number));
        }
        Arch::new().dispatch(Stopped { stops: &self.stops, numbers, held, found: stopped });
        stopped
    }

    /// The lanes of rows that nothing stops that is easy for one of the tenants.
    fn left(&self, told: Told<'_>, outputs: &[Source], lanes: usize, room: &mut Room) -> Vec<usize> {
        if self.tenants.is_empty() {
            return Vec::new();
        }
        let Room { stopped, held, numbers } = room;
        truths(told, outputs[STOPPED], lanes, stopped);
        for stop in &self.stops {
            match stop.guard {
                Some(guard) => truths(told, outputs[guard], lanes, held),
                None => fill(held, lanes, 1),
            }
            for limits in &stop.numbers {
                limits.numbers(told, outputs, lanes, numbers);
                Arch::new().dispatch(Below { one: Lanes::Column(numbers), two: Lanes::Splat(limits.easiest), held: &mut *held });
            }
            stopped.iter_mut().zip(held.iter()).for_each(|(stopped, held)| *stopped |= held);
        }
        (0..lanes).filter(|lane| stopped[*lane] == 0).collect()
    }
}

impl Limits {
    fn numbers(&self, told: Told<'_>, outputs: &[Source], lanes: usize, room: &mut Vec<i64>) {
        room.clear();
        match told.numbers(outputs[self.output]) {
            Some(numbers) if !self.negated => room.extend_from_slice(numbers),
            _ => room.extend((0..lanes).map(|lane| self.number(told, outputs, lane))),
        }
    }

    fn number(&self, told: Told<'_>, outputs: &[Source], lane: usize) -> i64 {
        let number = told.read(outputs[self.output], lane);
        // limits are nearer than what 64 bits may not hold
        let nearest = i64::try_from(number).unwrap_or(if number < 0 { -i64::MAX } else { i64::MAX }).max(-i64::MAX);
        if self.negated { -nearest } else { nearest }
    }
}

/// Room for the lanes of a block, or the tenants of a kind.
#[derive(Debug, Default)]
struct Room {
    stopped: Vec<u8>,
    held: Vec<u8>,
    numbers: Vec<i64>,
}

fn fill(room: &mut Vec<u8>, count: usize, value: u8) {
    room.clear();
    room.resize(count, value);
}

fn truths(told: Told<'_>, source: Source, lanes: usize, room: &mut Vec<u8>) {
    room.clear();
    match told.bytes(source) {
        Some(truths) => room.extend_from_slice(truths),
        None => room.extend((0..lanes).map(|lane| u8::from(told.read(source, lane) != 0))),
    }
}

/// Adds one for each that is marked, and takes the marks away.
pub fn add_marked(sums: &mut [u32], marked: &mut [u8]) {
    Arch::new().dispatch(Added { sums, marked });
    marked.fill(0);
}

struct Added<'a> {
    sums: &'a mut [u32],
    marked: &'a [u8],
}

impl pulp::NullaryFnOnce for Added<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.sums.iter_mut().zip(self.marked).for_each(|(sum, marked)| *sum += u32::from(*marked));
    }
}

/// Stops tenants by the numbers of a row.
struct Stopped<'a> {
    stops: &'a [Stop],
    /// By stop and number.
    numbers: &'a [i64],
    held: &'a mut [u8],
    found: &'a mut [u8],
}

impl pulp::NullaryFnOnce for Stopped<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut numbers = self.numbers;
        for stop in self.stops {
            let (of_stop, others) = numbers.split_at(stop.numbers.len());
            numbers = others;
            if let ([limits], [number]) = (stop.numbers.as_slice(), of_stop) {
                each_also(self.found, Lanes::Splat(*number), Lanes::Column(&limits.of), |stopped, number, limit| {
                    stopped | u8::from(number < limit)
                });
                continue;
            }
            self.held.fill(1);
            for (limits, number) in stop.numbers.iter().zip(of_stop) {
                each_also(self.held, Lanes::Splat(*number), Lanes::Column(&limits.of), |held, number, limit| {
                    held & u8::from(number < limit)
                });
            }
            self.found.iter_mut().zip(&*self.held).for_each(|(stopped, held)| *stopped |= held);
        }
    }
}

/// Leaves what is held where one is below the other.
struct Below<'a> {
    one: Lanes<'a, i64>,
    two: Lanes<'a, i64>,
    held: &'a mut [u8],
}

impl pulp::NullaryFnOnce for Below<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        each_also(self.held, self.one, self.two, |held, one, two| held & u8::from(one < two));
    }
}
