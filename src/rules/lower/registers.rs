//! Where the machine's values stand: columns of rows, registers of three widths, constants.
//!
//! Truths and codes are *bytes*: sixty-four of them fit into one of the processor's vectors, so what formulas ask costs
//! little beside what they compute. A *narrow* register never holds more than 64 bits: that was proved while the graph was
//! built. What might hold more, a price at its greatest times a rate with many places, say, is a *wide* register: rows
//! where it really does are kept beside it and computed one by one with 128 bits.

use super::{loops::Reciprocal, program::Program};

/// Where an operand comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A column of the rows.
    Input(u32),
    Byte(u32),
    Narrow(u32),
    Wide(u32),
    /// One of the program's constants.
    Constant(u32),
}

/// A constant of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Constant {
    pub value: i128,
    /// The value, or what of 64 bits is nearest to it: beyond them, a value is compared with as the last that there is.
    pub nearest: i64,
    /// For dividing by it, where it is above zero.
    pub reciprocal: Option<Reciprocal>,
}

impl Constant {
    pub fn new(value: i128) -> Self {
        let nearest = i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX });
        let reciprocal = (1..1 << 61).contains(&value).then(|| Reciprocal::of(nearest.unsigned_abs()));
        Self { value, nearest, reciprocal }
    }

    /// Whether sums with it stay within 64 bits.
    pub const fn is_narrow(self) -> bool {
        self.value >= -(1 << 62) && self.value <= 1 << 62
    }
}

/// A column of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Column {
    /// Truths, 0 or 1.
    Bytes(Vec<u8>),
    Numbers(Vec<i64>),
}

impl Column {
    pub fn new(bytes: bool) -> Self {
        if bytes { Self::Bytes(Vec::new()) } else { Self::Numbers(Vec::new()) }
    }

    /// The column of these rows.
    #[must_use]
    pub fn pick(&self, rows: impl Iterator<Item = usize>) -> Self {
        match self {
            Self::Bytes(column) => Self::Bytes(rows.map(|row| column[row]).collect()),
            Self::Numbers(column) => Self::Numbers(rows.map(|row| column[row]).collect()),
        }
    }

    pub fn append(&mut self, other: &mut Self) {
        match (self, other) {
            (Self::Bytes(all), Self::Bytes(more)) => all.append(more),
            (Self::Numbers(all), Self::Numbers(more)) => all.append(more),
            // columns of one program have the same widths
            (Self::Bytes(_), Self::Numbers(_)) | (Self::Numbers(_), Self::Bytes(_)) => {}
        }
    }

    pub fn slice(&self) -> Slice<'_> {
        match self {
            Self::Bytes(column) => Slice::Bytes(column),
            Self::Numbers(column) => Slice::Numbers(column),
        }
    }
}

/// A column of the rows of a block.
#[derive(Debug, Clone, Copy)]
pub enum Slice<'a> {
    Bytes(&'a [u8]),
    Numbers(&'a [i64]),
}

impl Slice<'_> {
    fn read(self, lane: usize) -> i64 {
        match self {
            Self::Bytes(column) => column[lane].into(),
            Self::Numbers(column) => column[lane],
        }
    }
}

/// The registers of one block.
#[derive(Debug, Default)]
pub struct Registers {
    /// Rows of a block at most.
    lanes: usize,
    pub bytes: Vec<Vec<u8>>,
    pub narrow: Vec<Vec<i64>>,
    pub wide: Vec<Wide>,
}

/// A register whose values are mostly, but not always, within [`LIMIT`].
#[derive(Debug, Clone)]
pub struct Wide {
    pub lanes: Vec<i64>,
    /// Lanes beyond the limit, ascending.
    pub odd: Vec<(usize, i128)>,
}

/// The greatest magnitude that 64-bit lanes are trusted with: the sum of two still fits.
pub const LIMIT: u64 = 1 << 61;

impl Registers {
    /// Makes room for a program and blocks of that many rows.
    pub fn fit(&mut self, program: &Program, lanes: usize) {
        if lanes > self.lanes {
            *self = Self { lanes, ..Self::default() };
        }
        let lanes = self.lanes;
        let more = |there: usize, wanted: usize| 0..wanted.saturating_sub(there);
        self.bytes.extend(more(self.bytes.len(), program.bytes).map(|_| vec![0; lanes]));
        self.narrow.extend(more(self.narrow.len(), program.narrow).map(|_| vec![0; lanes]));
        self.wide.extend(more(self.wide.len(), program.wide).map(|_| Wide { lanes: vec![0; lanes], odd: Vec::new() }));
    }

    /// Rows of a block at most.
    pub const fn lanes(&self) -> usize {
        self.lanes
    }

    /// A value in one lane.
    pub fn read(&self, source: Source, given: Given<'_>, lane: usize) -> i128 {
        match source {
            Source::Input(column) => given.inputs[column as usize].read(lane).into(),
            Source::Byte(register) => self.bytes[register as usize][lane].into(),
            Source::Narrow(register) => self.narrow[register as usize][lane].into(),
            Source::Wide(register) => self.wide[register as usize].read(lane),
            Source::Constant(constant) => given.constants[constant as usize].value,
        }
    }
}

impl Wide {
    fn read(&self, lane: usize) -> i128 {
        match self.odd.binary_search_by_key(&lane, |(odd, _)| *odd) {
            Ok(place) => self.odd[place].1,
            Err(_) => self.lanes[lane].into(),
        }
    }
}

/// What a program finds: the columns of a block and its own constants.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    pub inputs: &'a [Slice<'a>],
    pub constants: &'a [Constant],
    pub lanes: usize,
}
