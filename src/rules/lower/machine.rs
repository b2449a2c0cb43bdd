//! Runs a program on a block of rows: each instruction is one loop over a few hundred integers, which the compiler turns
//! into vector instructions, the widest that the processor has. See [`super::registers`] for what the integers are.

#![expect(clippy::inline_always, reason = "loops are compiled for the processor's vectors only where they stand inside of `Run::call`")]

use pulp::Arch;

use super::{
    instruction::{Instruction, Kind},
    loops::{Lanes, Reciprocal, divide_rounded_narrow, each, select},
    program::{Answer, Program},
    registers::{Given, LIMIT, Registers, Slice, Source},
};

/// Rows of a block: few enough that the registers stay near the processor.
pub const LANES: usize = 256;

/// Runs programs on blocks. Its registers serve one program after the other.
#[derive(Debug, Default)]
pub struct Machine {
    arch: Arch,
    registers: Registers,
    scratch: Scratch,
}

/// Room for one instruction. A result is computed here and then changes places with its register, so it may take the
/// register of an operand.
#[derive(Debug, Default)]
struct Scratch {
    numbers: Vec<i64>,
    bytes: Vec<u8>,
    /// Operands of another width than the operation's.
    widened: [Vec<i64>; 2],
    narrowed: [Vec<u8>; 3],
    /// Lanes that 64 bits may not do for.
    odd: Vec<usize>,
}

impl Scratch {
    fn fit(&mut self, lanes: usize) {
        if self.numbers.len() < lanes {
            std::iter::once(&mut self.numbers).chain(&mut self.widened).for_each(|room| room.resize(lanes, 0));
            std::iter::once(&mut self.bytes).chain(&mut self.narrowed).for_each(|room| room.resize(lanes, 0));
        }
    }
}

/// What stands in a machine once an answer is computed, and until it goes on.
#[derive(Clone, Copy)]
pub struct Told<'a> {
    registers: &'a Registers,
    given: Given<'a>,
}

impl<'a> Told<'a> {
    /// A result's value in one lane.
    pub fn read(&self, source: Source, lane: usize) -> i128 {
        self.registers.read(source, self.given, lane)
    }

    /// The lanes of a result of bytes.
    pub fn bytes(&self, source: Source) -> Option<&'a [u8]> {
        let column: &[u8] = match source {
            Source::Byte(register) => &self.registers.bytes[register as usize],
            Source::Input(column) => match self.given.inputs[column as usize] {
                Slice::Bytes(column) => column,
                Slice::Numbers(_) => return None,
            },
            Source::Narrow(_) | Source::Wide(_) | Source::Constant(_) => return None,
        };
        Some(&column[..self.given.lanes])
    }

    /// The lanes of a narrow result.
    pub fn numbers(&self, source: Source) -> Option<&'a [i64]> {
        let column: &[i64] = match source {
            Source::Narrow(register) => &self.registers.narrow[register as usize],
            Source::Input(column) => match self.given.inputs[column as usize] {
                Slice::Numbers(column) => column,
                Slice::Bytes(_) => return None,
            },
            Source::Byte(_) | Source::Wide(_) | Source::Constant(_) => return None,
        };
        Some(&column[..self.given.lanes])
    }

    /// The value of a result that is the same in every lane.
    pub fn constant(&self, source: Source) -> Option<i128> {
        match source {
            Source::Constant(constant) => Some(self.given.constants[constant as usize].value),
            _ => None,
        }
    }
}

impl Machine {
    /// Runs a program on columns of that many rows; `answered` is told each answer's position once it stands.
    pub fn run(&mut self, program: &Program, inputs: &[Slice<'_>], lanes: usize, mut answered: impl FnMut(usize, &Answer, Told<'_>)) {
        self.registers.fit(program, lanes);
        self.scratch.fit(self.registers.lanes());
        let given = Given { inputs, constants: &program.constants, lanes };
        let mut start = 0;
        for (position, answer) in program.answers.iter().enumerate() {
            let instructions = &program.instructions[start..answer.end];
            if !instructions.is_empty() {
                let arch = self.arch;
                arch.dispatch(Run { machine: self, instructions, given });
            }
            start = answer.end;
            answered(position, answer, Told { registers: &self.registers, given });
        }
    }
}

/// A run of instructions, compiled once for each width of vectors.
struct Run<'a> {
    machine: &'a mut Machine,
    instructions: &'a [Instruction],
    given: Given<'a>,
}

impl pulp::NullaryFnOnce for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Machine { registers, scratch, .. } = self.machine;
        for instruction in self.instructions {
            match instruction.target {
                Source::Byte(target) => {
                    to_bytes(instruction, registers, scratch, self.given);
                    std::mem::swap(&mut scratch.bytes, &mut registers.bytes[target as usize]);
                }
                Source::Narrow(target) => {
                    to_narrow(instruction, registers, scratch, self.given);
                    std::mem::swap(&mut scratch.numbers, &mut registers.narrow[target as usize]);
                }
                Source::Wide(target) => {
                    let beyond = to_wide(instruction, registers, scratch, self.given);
                    let register = &mut registers.wide[target as usize];
                    register.odd = beyond;
                    std::mem::swap(&mut scratch.numbers, &mut register.lanes);
                }
                Source::Constant(_) | Source::Input(_) => {}
            }
        }
    }
}

/// An operand as 64-bit lanes; bytes are widened into the room.
#[inline(always)]
fn numbers<'a>(source: Source, registers: &'a Registers, given: Given<'a>, room: &'a mut [i64]) -> Lanes<'a, i64> {
    let bytes = match source {
        Source::Input(column) => match given.inputs[column as usize] {
            Slice::Numbers(column) => return Lanes::Column(&column[..given.lanes]),
            Slice::Bytes(column) => column,
        },
        Source::Narrow(register) => return Lanes::Column(&registers.narrow[register as usize][..given.lanes]),
        Source::Wide(register) => return Lanes::Column(&registers.wide[register as usize].lanes[..given.lanes]),
        Source::Constant(constant) => return Lanes::Splat(given.constants[constant as usize].nearest),
        Source::Byte(register) => &registers.bytes[register as usize],
    };
    let room = &mut room[..given.lanes];
    room.iter_mut().zip(bytes).for_each(|(number, byte)| *number = (*byte).into());
    Lanes::Column(room)
}

/// An operand as bytes. Numbers are narrowed into the room: the planner has seen that they are small.
#[inline(always)]
fn bytes<'a>(source: Source, registers: &'a Registers, given: Given<'a>, room: &'a mut [u8]) -> Lanes<'a, u8> {
    let numbers = match source {
        Source::Byte(register) => return Lanes::Column(&registers.bytes[register as usize][..given.lanes]),
        Source::Input(column) => match given.inputs[column as usize] {
            Slice::Bytes(column) => return Lanes::Column(&column[..given.lanes]),
            Slice::Numbers(column) => column,
        },
        Source::Narrow(register) => &registers.narrow[register as usize],
        Source::Wide(register) => &registers.wide[register as usize].lanes,
        Source::Constant(constant) => return Lanes::Splat(small(given.constants[constant as usize].nearest)),
    };
    let room = &mut room[..given.lanes];
    room.iter_mut().zip(numbers).for_each(|(byte, number)| *byte = small(*number));
    Lanes::Column(room)
}

/// A number that is known to be within a byte.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the planner has seen that it is small")]
const fn small(number: i64) -> u8 {
    number as u8
}

fn is_byte(source: Source, given: Given<'_>) -> bool {
    match source {
        Source::Byte(_) => true,
        Source::Input(column) => matches!(given.inputs[column as usize], Slice::Bytes(_)),
        Source::Constant(constant) => (0..=255).contains(&given.constants[constant as usize].value),
        Source::Narrow(_) | Source::Wide(_) => false,
    }
}

#[inline(always)]
fn to_bytes(instruction: &Instruction, registers: &Registers, scratch: &mut Scratch, given: Given<'_>) {
    let target = &mut scratch.bytes[..given.lanes];
    let operands = instruction.operands;
    let [first, second, third] = &mut scratch.narrowed;
    let compares = matches!(instruction.kind, Kind::Less | Kind::LessOrEqual | Kind::Equal);
    if compares && !(is_byte(operands[0], given) && is_byte(operands[1], given)) {
        let [one_room, two_room] = &mut scratch.widened;
        let (one, two) = (numbers(operands[0], registers, given, one_room), numbers(operands[1], registers, given, two_room));
        match instruction.kind {
            Kind::Less => each(target, one, two, |one, two| u8::from(one < two)),
            Kind::LessOrEqual => each(target, one, two, |one, two| u8::from(one <= two)),
            _ => each(target, one, two, |one, two| u8::from(one == two)),
        }
        if operands.iter().any(|operand| matches!(operand, Source::Wide(_))) {
            find_odd(instruction, registers, scratch, given);
            for lane in &scratch.odd {
                scratch.bytes[*lane] = u8::from(wide_lane(instruction, registers, given, *lane) != 0);
            }
        }
        return;
    }
    let (one, two) = (bytes(operands[0], registers, given, first), bytes(operands[1], registers, given, second));
    match instruction.kind {
        Kind::Less => each(target, one, two, |one, two| u8::from(one < two)),
        Kind::LessOrEqual => each(target, one, two, |one, two| u8::from(one <= two)),
        Kind::Equal => each(target, one, two, |one, two| u8::from(one == two)),
        Kind::And => each(target, one, two, |one, two| one & two),
        Kind::Or => each(target, one, two, |one, two| one | two),
        Kind::Not => each(target, one, one, |one, _| one ^ 1),
        Kind::Min => each(target, one, two, u8::min),
        Kind::Max => each(target, one, two, u8::max),
        Kind::Select => select(target, one, two, bytes(operands[2], registers, given, third)),
        // arithmetic has no bytes
        Kind::Copy | Kind::Add | Kind::Subtract | Kind::Multiply | Kind::DivideRounded | Kind::DivideFloor | Kind::Remainder => {}
    }
}

#[inline(always)]
fn to_narrow(instruction: &Instruction, registers: &Registers, scratch: &mut Scratch, given: Given<'_>) {
    to_numbers(instruction, registers, scratch, given);
    let is_odd = |operand: &Source| match operand {
        Source::Wide(_) => true,
        Source::Constant(constant) => !given.constants[*constant as usize].is_narrow(),
        Source::Byte(_) | Source::Narrow(_) | Source::Input(_) => false,
    };
    if instruction.operands.iter().any(is_odd) {
        find_odd(instruction, registers, scratch, given);
        for lane in &scratch.odd {
            // a narrow result is within 64 bits, whatever it is made of
            scratch.numbers[*lane] = i64::try_from(wide_lane(instruction, registers, given, *lane)).unwrap_or(0);
        }
    }
}

/// Returns the lanes that are beyond the limit.
#[inline(always)]
fn to_wide(instruction: &Instruction, registers: &Registers, scratch: &mut Scratch, given: Given<'_>) -> Vec<(usize, i128)> {
    to_numbers(instruction, registers, scratch, given);
    find_odd(instruction, registers, scratch, given);
    let mut beyond = Vec::new();
    for lane in &scratch.odd {
        let value = wide_lane(instruction, registers, given, *lane);
        scratch.numbers[*lane] = i64::try_from(value).unwrap_or(0);
        if value.unsigned_abs() > LIMIT.into() {
            beyond.push((*lane, value));
        }
    }
    // what is sound as a sum may be too large for the next
    let lanes = &scratch.numbers[..given.lanes];
    if greatest(lanes) > LIMIT {
        let sums =
            lanes.iter().enumerate().filter(|(lane, value)| value.unsigned_abs() > LIMIT && scratch.odd.binary_search(lane).is_err());
        let sums: Vec<(usize, i128)> = sums.map(|(lane, value)| (lane, i128::from(*value))).collect();
        beyond.extend(sums);
        beyond.sort_unstable();
    }
    beyond
}

/// Finds the lanes that 64 bits may not do for.
#[inline(always)]
fn find_odd(instruction: &Instruction, registers: &Registers, scratch: &mut Scratch, given: Given<'_>) {
    let odd = &mut scratch.odd;
    odd.clear();
    for operand in instruction.operands {
        match operand {
            Source::Wide(register) => odd.extend(registers.wide[register as usize].odd.iter().map(|(lane, _)| *lane)),
            Source::Constant(constant) => {
                let constant = given.constants[constant as usize];
                if !constant.is_narrow() && !instruction.kind.compares(constant.value) {
                    odd.extend(0..given.lanes);
                }
            }
            Source::Byte(_) | Source::Narrow(_) | Source::Input(_) => {}
        }
    }
    if instruction.kind == Kind::Multiply {
        let [one_room, two_room] = &mut scratch.widened;
        let one = numbers(instruction.operands[0], registers, given, one_room);
        let two = numbers(instruction.operands[1], registers, given, two_room);
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
                odd.extend((0..given.lanes).filter(|lane| too_much(*lane)));
            }
        }
    }
    odd.sort_unstable();
    odd.dedup();
}

fn wide_lane(instruction: &Instruction, registers: &Registers, given: Given<'_>, lane: usize) -> i128 {
    instruction.kind.apply(instruction.operands.map(|operand| registers.read(operand, given, lane)))
}

/// One loop for 64-bit lanes. Nothing is lost of narrow values; lanes of wide ones that are odd are computed again.
#[inline(always)]
fn to_numbers(instruction: &Instruction, registers: &Registers, scratch: &mut Scratch, given: Given<'_>) {
    let target = &mut scratch.numbers[..given.lanes];
    let [one, two, three] = instruction.operands;
    let [one_room, two_room] = &mut scratch.widened;
    if instruction.kind == Kind::Select {
        let condition = bytes(one, registers, given, &mut scratch.narrowed[0]);
        let (one, two) = (numbers(two, registers, given, one_room), numbers(three, registers, given, two_room));
        select(target, condition, one, two);
        return;
    }
    let (one, two) = (numbers(one, registers, given, one_room), numbers(two, registers, given, two_room));
    match instruction.kind {
        Kind::Copy => each(target, one, one, |one, _| one),
        Kind::Add => each(target, one, two, i64::wrapping_add),
        Kind::Subtract => each(target, one, two, i64::wrapping_sub),
        Kind::Multiply => each(target, one, two, i64::wrapping_mul),
        Kind::Min => each(target, one, two, i64::min),
        Kind::Max => each(target, one, two, i64::max),
        Kind::DivideRounded => match reciprocal(instruction.operands[1], given) {
            Some(by) => each(target, one, two, move |one, _| by.rounded(one)),
            None => each(target, one, two, divide_rounded_narrow),
        },
        Kind::DivideFloor => each(target, one, two, |one, two| if two == 0 { 0 } else { one.wrapping_div_euclid(two) }),
        Kind::Remainder => each(target, one, two, |one, two| if two == 0 { 0 } else { one.wrapping_rem(two) }),
        // what has two answers is bytes
        Kind::Less | Kind::LessOrEqual | Kind::Equal | Kind::And | Kind::Or | Kind::Not | Kind::Select => {}
    }
}

fn reciprocal(divisor: Source, given: Given<'_>) -> Option<Reciprocal> {
    match divisor {
        Source::Constant(constant) => given.constants[constant as usize].reciprocal,
        _ => None,
    }
}

/// The greatest magnitude; a fold, unlike a search, becomes vector instructions.
#[inline(always)]
fn greatest(lanes: &[i64]) -> u64 {
    lanes.iter().fold(0, |most, value| most.max(value.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::expect_used, reason = "a test may stop at once")]
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::{
        super::{
            dag::{Dag, NodeId, Op, Range, divide_rounded},
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
            let program = Planner::default().plan(&dag, &|node| if node == x { Some((0, false)) } else if node == y { Some((1, false)) } else { None }, std::slice::from_ref(&nodes));
            let columns: [Vec<i64>; 2] = [values.iter().map(|pair| pair.0).collect(), values.iter().map(|pair| pair.1).collect()];
            let columns: Vec<Slice<'_>> = columns.iter().map(|column| Slice::Numbers(column)).collect();
            let mut machine = Machine::default();
            machine.run(&program, &columns, values.len(), |_, answer, told| {
                for (lane, row) in values.iter().enumerate() {
                    let mut known = std::collections::HashMap::new();
                    for (node, output) in nodes.iter().zip(&answer.outputs) {
                        assert_eq!(told.read(*output, lane), meaning(&dag, *node, (x, y), *row, &mut known), "{:?}", dag.op(*node));
                    }
                }
            });
        }
    }
}
