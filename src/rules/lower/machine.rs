//! Runs a program on a block of rows: each instruction is one loop over a few hundred integers.
//!
//! Almost every value fits 64 bits and takes the narrow loops, which the compiler turns into vector instructions, the
//! widest that the processor has; the few that may not are computed with 128 bits. Ranges were proved while the graph was
//! built, so nothing here can overflow.

use pulp::Arch;

use super::{
    dag::{NodeId, Op, divide_rounded},
    program::{Answer, Program},
};

/// Rows of a block: few enough that the registers stay near the processor.
pub const LANES: usize = 256;

/// Where an operand comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A column of the rows.
    Input(u32),
    Narrow(u32),
    Wide(u32),
    Constant(i128),
}

/// One operation on registers.
#[derive(Debug, Clone, Copy)]
pub struct Instruction {
    kind: Kind,
    pub target: Source,
    operands: [Source; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Copy,
    Add,
    Subtract,
    Multiply,
    Min,
    Max,
    DivideRounded,
    DivideFloor,
    Remainder,
    Less,
    LessOrEqual,
    Equal,
    And,
    Or,
    Not,
    Select,
}

impl Instruction {
    /// `of` tells where operands stand; the target is set by whoever gives out registers.
    pub fn new(op: Op, of: impl Fn(NodeId) -> Source) -> Self {
        let none = Source::Constant(0);
        let two = |kind, one, two| (kind, [of(one), of(two), none]);
        let (kind, operands) = match op {
            Op::Constant(value) => (Kind::Copy, [Source::Constant(value), none, none]),
            Op::Input(column) => (Kind::Copy, [Source::Input(column), none, none]),
            Op::Add(one, other) => two(Kind::Add, one, other),
            Op::Subtract(one, other) => two(Kind::Subtract, one, other),
            Op::Multiply(one, other) => two(Kind::Multiply, one, other),
            Op::Min(one, other) => two(Kind::Min, one, other),
            Op::Max(one, other) => two(Kind::Max, one, other),
            Op::DivideRounded(one, other) => two(Kind::DivideRounded, one, other),
            Op::DivideFloor(one, other) => two(Kind::DivideFloor, one, other),
            Op::Remainder(one, other) => two(Kind::Remainder, one, other),
            Op::Less(one, other) => two(Kind::Less, one, other),
            Op::LessOrEqual(one, other) => two(Kind::LessOrEqual, one, other),
            Op::Equal(one, other) => two(Kind::Equal, one, other),
            Op::And(one, other) => two(Kind::And, one, other),
            Op::Or(one, other) => two(Kind::Or, one, other),
            Op::Not(one) => (Kind::Not, [of(one), none, none]),
            Op::Select(condition, one, other) => (Kind::Select, [of(condition), of(one), of(other)]),
        };
        Self { kind, target: none, operands }
    }
}

/// The registers of one block.
#[derive(Debug)]
pub struct Machine {
    arch: Arch,
    narrow: Vec<Vec<i64>>,
    wide: Vec<Vec<i128>>,
    /// A result is computed here and then changes places with its register.
    narrow_aside: Vec<i64>,
    wide_aside: Vec<i128>,
}

/// An operand's lanes in the narrow loops.
#[derive(Clone, Copy)]
enum Lanes<'a> {
    Column(&'a [i64]),
    Splat(i64),
}

impl Machine {
    /// Registers for a program, of blocks up to that many rows.
    pub fn new(program: &Program, lanes: usize) -> Self {
        Self {
            arch: Arch::new(),
            narrow: vec![vec![0; lanes]; program.narrow],
            wide: vec![vec![0; lanes]; program.wide],
            narrow_aside: vec![0; lanes],
            wide_aside: vec![0; lanes],
        }
    }

    /// Runs a program on columns of that many rows; `answered` is told each answer's position once it stands.
    pub fn run(&mut self, program: &Program, inputs: &[&[i64]], lanes: usize, mut answered: impl FnMut(usize, &Answer, &Self)) {
        let mut start = 0;
        for (position, answer) in program.answers.iter().enumerate() {
            let instructions = &program.instructions[start..answer.end];
            if !instructions.is_empty() {
                let arch = self.arch;
                arch.dispatch(Run { machine: self, instructions, inputs, lanes });
            }
            start = answer.end;
            answered(position, answer, self);
        }
    }

    /// A result's value in one lane.
    pub fn read(&self, source: Source, inputs: &[&[i64]], lane: usize) -> i128 {
        match source {
            Source::Input(column) => inputs[column as usize][lane].into(),
            Source::Narrow(register) => self.narrow[register as usize][lane].into(),
            Source::Wide(register) => self.wide[register as usize][lane],
            Source::Constant(value) => value,
        }
    }

    /// The lanes of a narrow result; `None` where it is a constant or wide.
    pub fn column<'a>(&'a self, source: Source, inputs: &[&'a [i64]]) -> Option<&'a [i64]> {
        match source {
            Source::Input(column) => Some(inputs[column as usize]),
            Source::Narrow(register) => Some(&self.narrow[register as usize]),
            Source::Wide(_) | Source::Constant(_) => None,
        }
    }

    #[inline(always)]
    fn operand<'a>(&'a self, source: Source, inputs: &[&'a [i64]], lanes: usize) -> Lanes<'a> {
        match source {
            Source::Input(column) => Lanes::Column(&inputs[column as usize][..lanes]),
            Source::Narrow(register) => Lanes::Column(&self.narrow[register as usize][..lanes]),
            Source::Constant(value) => Lanes::Splat(i64::try_from(value).unwrap_or(0)),
            Source::Wide(_) => Lanes::Splat(0),
        }
    }

    #[inline(always)]
    fn step(&mut self, instruction: &Instruction, inputs: &[&[i64]], lanes: usize) {
        match instruction.target {
            Source::Narrow(target) => {
                let mut aside = std::mem::take(&mut self.narrow_aside);
                if instruction.operands.iter().all(|operand| is_narrow(*operand)) {
                    self.narrow_loop(instruction, inputs, &mut aside[..lanes]);
                } else {
                    for (lane, result) in aside[..lanes].iter_mut().enumerate() {
                        *result = i64::try_from(self.wide_lane(instruction, inputs, lane)).unwrap_or(0);
                    }
                }
                self.narrow_aside = std::mem::replace(&mut self.narrow[target as usize], aside);
            }
            Source::Wide(target) => {
                let mut aside = std::mem::take(&mut self.wide_aside);
                for (lane, result) in aside[..lanes].iter_mut().enumerate() {
                    *result = self.wide_lane(instruction, inputs, lane);
                }
                self.wide_aside = std::mem::replace(&mut self.wide[target as usize], aside);
            }
            Source::Constant(_) | Source::Input(_) => {}
        }
    }

    fn wide_lane(&self, instruction: &Instruction, inputs: &[&[i64]], lane: usize) -> i128 {
        let [one, two, three] = instruction.operands.map(|operand| self.read(operand, inputs, lane));
        match instruction.kind {
            Kind::Copy => one,
            Kind::Add => one + two,
            Kind::Subtract => one - two,
            Kind::Multiply => one * two,
            Kind::Min => one.min(two),
            Kind::Max => one.max(two),
            Kind::DivideRounded => divide_rounded(one, two),
            Kind::DivideFloor => {
                if two == 0 {
                    0
                } else {
                    one.div_euclid(two)
                }
            }
            Kind::Remainder => {
                if two == 0 {
                    0
                } else {
                    one % two
                }
            }
            Kind::Less => i128::from(one < two),
            Kind::LessOrEqual => i128::from(one <= two),
            Kind::Equal => i128::from(one == two),
            Kind::And => one & two,
            Kind::Or => one | two,
            Kind::Not => 1 - one,
            Kind::Select => {
                if one == 0 {
                    three
                } else {
                    two
                }
            }
        }
    }

    #[inline(always)]
    fn narrow_loop(&self, instruction: &Instruction, inputs: &[&[i64]], target: &mut [i64]) {
        let lanes = target.len();
        let [one, two, three] = instruction.operands.map(|operand| self.operand(operand, inputs, lanes));
        match instruction.kind {
            Kind::Copy => each(target, one, one, |one, _| one),
            Kind::Add => each(target, one, two, |one, two| one + two),
            Kind::Subtract => each(target, one, two, |one, two| one - two),
            Kind::Multiply => each(target, one, two, |one, two| one * two),
            Kind::Min => each(target, one, two, i64::min),
            Kind::Max => each(target, one, two, i64::max),
            Kind::DivideRounded => match two {
                Lanes::Splat(divisor) if divisor > 0 => {
                    let by = Reciprocal::of(divisor.unsigned_abs());
                    each(target, one, two, move |one, _| by.rounded(one));
                }
                _ => each(target, one, two, |one, two| i64::try_from(divide_rounded(one.into(), two.into())).unwrap_or(0)),
            },
            Kind::DivideFloor => each(target, one, two, |one, two| if two == 0 { 0 } else { one.div_euclid(two) }),
            Kind::Remainder => each(target, one, two, |one, two| if two == 0 { 0 } else { one % two }),
            Kind::Less => each(target, one, two, |one, two| i64::from(one < two)),
            Kind::LessOrEqual => each(target, one, two, |one, two| i64::from(one <= two)),
            Kind::Equal => each(target, one, two, |one, two| i64::from(one == two)),
            Kind::And => each(target, one, two, |one, two| one & two),
            Kind::Or => each(target, one, two, |one, two| one | two),
            Kind::Not => each(target, one, one, |one, _| 1 - one),
            Kind::Select => select(target, one, two, three),
        }
    }
}

/// A run of instructions, compiled once for each width of vectors.
struct Run<'a> {
    machine: &'a mut Machine,
    instructions: &'a [Instruction],
    inputs: &'a [&'a [i64]],
    lanes: usize,
}

impl pulp::NullaryFnOnce for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for instruction in self.instructions {
            self.machine.step(instruction, self.inputs, self.lanes);
        }
    }
}

const fn is_narrow(source: Source) -> bool {
    match source {
        Source::Narrow(_) | Source::Input(_) => true,
        Source::Wide(_) => false,
        Source::Constant(value) => value >= -(1 << 62) && value <= 1 << 62,
    }
}

/// One loop for each way in which operands stand, so that each is as plain as can be.
#[inline(always)]
fn each(target: &mut [i64], one: Lanes<'_>, two: Lanes<'_>, apply: impl Fn(i64, i64) -> i64) {
    match (one, two) {
        (Lanes::Column(one), Lanes::Column(two)) => {
            for ((target, one), two) in target.iter_mut().zip(one).zip(two) {
                *target = apply(*one, *two);
            }
        }
        (Lanes::Column(one), Lanes::Splat(two)) => {
            for (target, one) in target.iter_mut().zip(one) {
                *target = apply(*one, two);
            }
        }
        (Lanes::Splat(one), Lanes::Column(two)) => {
            for (target, two) in target.iter_mut().zip(two) {
                *target = apply(one, *two);
            }
        }
        (Lanes::Splat(one), Lanes::Splat(two)) => target.fill(apply(one, two)),
    }
}

#[inline(always)]
fn select(target: &mut [i64], condition: Lanes<'_>, one: Lanes<'_>, two: Lanes<'_>) {
    let Lanes::Column(condition) = condition else { return };
    match (one, two) {
        (Lanes::Column(one), Lanes::Column(two)) => {
            for (((target, condition), one), two) in target.iter_mut().zip(condition).zip(one).zip(two) {
                *target = if *condition == 0 { *two } else { *one };
            }
        }
        (Lanes::Column(one), Lanes::Splat(two)) => {
            for ((target, condition), one) in target.iter_mut().zip(condition).zip(one) {
                *target = if *condition == 0 { two } else { *one };
            }
        }
        (Lanes::Splat(one), Lanes::Column(two)) => {
            for ((target, condition), two) in target.iter_mut().zip(condition).zip(two) {
                *target = if *condition == 0 { *two } else { one };
            }
        }
        (Lanes::Splat(one), Lanes::Splat(two)) => {
            for (target, condition) in target.iter_mut().zip(condition) {
                *target = if *condition == 0 { two } else { one };
            }
        }
    }
}

/// Division by a constant as a multiplication, exact for dividends below 2^62.
#[derive(Debug, Clone, Copy)]
struct Reciprocal {
    factor: u128,
    shift: u32,
    half: u64,
}

impl Reciprocal {
    /// `divisor` is at least 1 and below 2^62.
    fn of(divisor: u64) -> Self {
        let bits = u64::BITS - divisor.saturating_sub(1).leading_zeros();
        let shift = 62 + bits;
        // rounded up: the error, at most one divisor in 2^shift, stays below what a dividend could make of it
        let factor = (1_u128 << shift).div_ceil(divisor.into());
        Self { factor, shift, half: divisor / 2 }
    }

    /// The quotient, halves away from zero.
    fn rounded(self, dividend: i64) -> i64 {
        let magnitude = u128::from(dividend.unsigned_abs() + self.half);
        let quotient = i64::try_from((magnitude * self.factor) >> self.shift).unwrap_or(i64::MAX);
        if dividend < 0 { -quotient } else { quotient }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn multiplying_by_the_reciprocal_divides_exactly(dividend in -(1_i64 << 61)..(1 << 61), divisor in prop_oneof![1_i64..2_000, 1_i64..(1 << 60), Just(100), Just(1_000_000)]) {
            let expected = divide_rounded(dividend.into(), divisor.into());
            prop_assert_eq!(i128::from(Reciprocal::of(divisor.unsigned_abs()).rounded(dividend)), expected);
        }

        #[test]
        fn halves_go_away_from_zero(whole in -1_000_000_i64..1_000_000) {
            let half = whole * 100 + if whole < 0 { -50 } else { 50 };
            prop_assert_eq!(Reciprocal::of(100).rounded(half), whole + if whole < 0 { -1 } else { 1 });
        }
    }
}
