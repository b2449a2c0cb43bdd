//! Runs a program on a block of rows: each instruction is one loop over a few hundred integers.
//!
//! Values are kept in 64 bits, and the compiler turns the loops into vector instructions, the widest that the processor
//! has. Ranges were proved while the graph was built: a *narrow* register never holds more. What might hold more, a price
//! at its greatest times a rate with many places, say, is a *wide* register: rows where it really does are kept beside it
//! and computed one by one with 128 bits.

#![expect(clippy::inline_always, reason = "loops are compiled for the processor's vectors only where they stand inside of `Run::call`")]

use pulp::Arch;

use super::{
    dag::{NodeId, Op, divide_rounded},
    loops::{Lanes, Reciprocal, divide_rounded_narrow, each, select},
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

impl Kind {
    /// Whether only it matters of a constant beyond 64 bits that lanes within the limit are below it, or above.
    const fn compares(self, constant: i128) -> bool {
        match self {
            Self::Less | Self::LessOrEqual | Self::Equal => true,
            Self::Min => constant > 0,
            Self::Max => constant < 0,
            _ => false,
        }
    }
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
    wide: Vec<Wide>,
    /// A result is computed here and then changes places with its register.
    aside: Vec<i64>,
    /// Lanes of the instruction at hand that 64 bits may not do for.
    odd: Vec<usize>,
}

/// A register whose values are mostly, but not always, within [`LIMIT`].
#[derive(Debug, Clone)]
struct Wide {
    lanes: Vec<i64>,
    /// Lanes beyond the limit, ascending.
    odd: Vec<(usize, i128)>,
}

/// The greatest magnitude that 64-bit lanes are trusted with: the sum of two still fits.
const LIMIT: u64 = 1 << 61;

impl Machine {
    /// Registers for a program, of blocks up to that many rows.
    pub fn new(program: &Program, lanes: usize) -> Self {
        Self {
            arch: Arch::new(),
            narrow: vec![vec![0; lanes]; program.narrow],
            wide: vec![Wide { lanes: vec![0; lanes], odd: Vec::new() }; program.wide],
            aside: vec![0; lanes],
            odd: Vec::new(),
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
            Source::Wide(register) => self.wide[register as usize].read(lane),
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
            Source::Wide(register) => Lanes::Column(&self.wide[register as usize].lanes[..lanes]),
            // beyond 64 bits, a value is compared with as the last that there is
            Source::Constant(value) => Lanes::Splat(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })),
        }
    }

    #[inline(always)]
    fn step(&mut self, instruction: &Instruction, inputs: &[&[i64]], lanes: usize) {
        let mut aside = std::mem::take(&mut self.aside);
        self.narrow_loop(instruction, inputs, &mut aside[..lanes]);
        let narrow = instruction.operands.iter().all(|operand| is_narrow(*operand));
        match instruction.target {
            Source::Narrow(target) => {
                if !narrow {
                    self.find_odd(instruction, inputs, lanes);
                    for lane in &self.odd {
                        // a narrow result is within 64 bits, whatever it is made of
                        aside[*lane] = i64::try_from(self.wide_lane(instruction, inputs, *lane)).unwrap_or(0);
                    }
                }
                self.aside = std::mem::replace(&mut self.narrow[target as usize], aside);
            }
            Source::Wide(target) => {
                self.find_odd(instruction, inputs, lanes);
                let mut beyond = Vec::new();
                for lane in &self.odd {
                    let value = self.wide_lane(instruction, inputs, *lane);
                    aside[*lane] = i64::try_from(value).unwrap_or(0);
                    if value.unsigned_abs() > LIMIT.into() {
                        beyond.push((*lane, value));
                    }
                }
                // what is sound as a sum may be too large for the next
                if greatest(&aside[..lanes]) > LIMIT {
                    let sums = aside[..lanes]
                        .iter()
                        .enumerate()
                        .filter(|(lane, value)| value.unsigned_abs() > LIMIT && self.odd.binary_search(lane).is_err());
                    let sums: Vec<(usize, i128)> = sums.map(|(lane, value)| (lane, i128::from(*value))).collect();
                    beyond.extend(sums);
                    beyond.sort_unstable();
                }
                let register = &mut self.wide[target as usize];
                register.odd = beyond;
                self.aside = std::mem::replace(&mut register.lanes, aside);
            }
            Source::Constant(_) | Source::Input(_) => self.aside = aside,
        }
    }

    /// Finds the lanes that 64 bits may not do for.
    #[inline(always)]
    fn find_odd(&mut self, instruction: &Instruction, inputs: &[&[i64]], lanes: usize) {
        let mut odd = std::mem::take(&mut self.odd);
        odd.clear();
        for operand in instruction.operands {
            match operand {
                Source::Wide(register) => odd.extend(self.wide[register as usize].odd.iter().map(|(lane, _)| *lane)),
                Source::Constant(value) if !is_narrow(operand) && !instruction.kind.compares(value) => odd.extend(0..lanes),
                Source::Constant(_) | Source::Narrow(_) | Source::Input(_) => {}
            }
        }
        if instruction.kind == Kind::Multiply {
            let [one, two, _] = instruction.operands.map(|operand| self.operand(operand, inputs, lanes));
            let (one, two, most) = match (one, two) {
                (Lanes::Splat(most), other) | (other, Lanes::Splat(most)) => (other, None, most.unsigned_abs()),
                (Lanes::Column(one), Lanes::Column(two)) => (Lanes::Column(one), Some(two), greatest(two)),
            };
            if let Lanes::Column(one) = one {
                let limit = LIMIT / most.max(1);
                if greatest(one) > limit {
                    let too_much = |lane: usize| {
                        let by = two.map_or(most, |two| two[lane].unsigned_abs());
                        u128::from(one[lane].unsigned_abs()) * u128::from(by) > LIMIT.into()
                    };
                    odd.extend((0..lanes).filter(|lane| too_much(*lane)));
                }
            }
        }
        odd.sort_unstable();
        odd.dedup();
        self.odd = odd;
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
            // nothing is lost of narrow values; lanes of wide ones that are odd are computed again
            Kind::Add => each(target, one, two, i64::wrapping_add),
            Kind::Subtract => each(target, one, two, i64::wrapping_sub),
            Kind::Multiply => each(target, one, two, i64::wrapping_mul),
            Kind::Min => each(target, one, two, i64::min),
            Kind::Max => each(target, one, two, i64::max),
            Kind::DivideRounded => match two {
                Lanes::Splat(divisor) if divisor > 0 => {
                    let by = Reciprocal::of(divisor.unsigned_abs());
                    each(target, one, two, move |one, _| by.rounded(one));
                }
                _ => each(target, one, two, divide_rounded_narrow),
            },
            Kind::DivideFloor => each(target, one, two, |one, two| if two == 0 { 0 } else { one.wrapping_div_euclid(two) }),
            Kind::Remainder => each(target, one, two, |one, two| if two == 0 { 0 } else { one.wrapping_rem(two) }),
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

/// The greatest magnitude; a fold, unlike a search, becomes vector instructions.
#[inline(always)]
fn greatest(lanes: &[i64]) -> u64 {
    lanes.iter().fold(0, |most, value| most.max(value.unsigned_abs()))
}

const fn is_narrow(source: Source) -> bool {
    match source {
        Source::Narrow(_) | Source::Input(_) => true,
        Source::Wide(_) => false,
        Source::Constant(value) => value >= -(1 << 62) && value <= 1 << 62,
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

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may stop at once")]
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{
        super::{
            dag::{Dag, Range},
            program::Planner,
        },
        *,
    };

    /// A node's value by 128-bit arithmetic alone.
    fn meaning(dag: &Dag, node: NodeId, inputs: (NodeId, NodeId), row: (i64, i64), known: &mut HashMap<NodeId, i128>) -> i128 {
        if node == inputs.0 {
            return row.0.into();
        }
        if node == inputs.1 {
            return row.1.into();
        }
        if let Some(value) = known.get(&node) {
            return *value;
        }
        let mut of = |node: NodeId| meaning(dag, node, inputs, row, known);
        let value = match dag.op(node) {
            Op::Constant(value) => value,
            Op::Input(_) => unreachable!("both inputs are told"),
            Op::Add(one, two) => of(one) + of(two),
            Op::Subtract(one, two) => of(one) - of(two),
            Op::Multiply(one, two) => of(one) * of(two),
            Op::Min(one, two) => of(one).min(of(two)),
            Op::Max(one, two) => of(one).max(of(two)),
            Op::DivideRounded(one, two) => divide_rounded(of(one), of(two)),
            Op::DivideFloor(one, two) => of(one).div_euclid(of(two)),
            Op::Remainder(one, two) => of(one) % of(two),
            Op::Less(one, two) => i128::from(of(one) < of(two)),
            Op::LessOrEqual(one, two) => i128::from(of(one) <= of(two)),
            Op::Equal(one, two) => i128::from(of(one) == of(two)),
            Op::And(one, two) => of(one) & of(two),
            Op::Or(one, two) => of(one) | of(two),
            Op::Not(one) => 1 - of(one),
            Op::Select(condition, one, two) => {
                if of(condition) == 0 {
                    of(two)
                } else {
                    of(one)
                }
            }
        };
        known.insert(node, value);
        value
    }

    proptest! {
        /// Lanes within and beyond 64 bits, side by side, through every operation.
        #[test]
        fn odd_lanes_are_computed_exactly(values in prop::collection::vec((any::<i64>(), 1_i64..(1 << 40)), 1..40), by in prop_oneof![1_i128..1_000, 1_i128 << 40..1 << 50]) {
            let mut dag = Dag::default();
            let most = i128::from(i64::MAX);
            let (x, y) = (dag.input(Range { low: -most - 1, high: most }), dag.input(Range { low: 1, high: 1 << 40 }));
            let factor = dag.constant(by);
            let million = dag.constant(1_000_000);
            let mut nodes = Vec::new();
            for op in [
                Op::Add(x, y), Op::Subtract(y, x), Op::Min(x, y), Op::Max(x, y), Op::DivideRounded(x, y), Op::DivideRounded(x, million),
                Op::DivideFloor(x, y), Op::Remainder(x, y), Op::Less(x, y), Op::Equal(x, y),
            ] {
                nodes.push(dag.put(op).expect("in range"));
            }
            if let Ok(product) = dag.put(Op::Multiply(nodes[4], factor)) {
                nodes.extend([Op::DivideRounded(product, million), Op::Subtract(product, y), Op::LessOrEqual(product, x)].map(|op| dag.put(op).expect("in range")));
            }
            let program = Planner::default().plan(&dag, &|node| if node == x { Some(0) } else if node == y { Some(1) } else { None }, std::slice::from_ref(&nodes));
            let columns: [Vec<i64>; 2] = [values.iter().map(|pair| pair.0).collect(), values.iter().map(|pair| pair.1).collect()];
            let columns: Vec<&[i64]> = columns.iter().map(Vec::as_slice).collect();
            let mut machine = Machine::new(&program, values.len());
            machine.run(&program, &columns, values.len(), |_, answer, machine| {
                for (lane, row) in values.iter().enumerate() {
                    let mut known = std::collections::HashMap::new();
                    for (node, output) in nodes.iter().zip(&answer.outputs) {
                        assert_eq!(machine.read(*output, &columns, lane), meaning(&dag, *node, (x, y), *row, &mut known), "{:?}", dag.op(*node));
                    }
                }
            });
        }
    }
}
