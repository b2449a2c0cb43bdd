//! Puts the nodes that answers need into an order and gives each a register.
//!
//! A program answers several questions in a row, such as "what becomes of this route for that tenant?". What two of them
//! need is computed when the first one asks, and its register is free again once the last one has read it. So questions
//! that have much in common should stand next to each other.

use rustc_hash::FxHashMap;

use super::{
    dag::{Dag, NodeId, Op},
    instruction::Instruction,
    registers::{Constant, Source},
};

/// Instructions for all rows of a block, and where the answers are.
#[derive(Debug, Default, Clone)]
pub struct Program {
    pub instructions: Vec<Instruction>,
    pub answers: Vec<Answer>,
    pub constants: Vec<Constant>,
    /// Registers of each width that a block needs.
    pub bytes: usize,
    pub narrow: usize,
    pub wide: usize,
}

impl Program {
    /// The columns that are read.
    pub fn inputs(&self) -> impl Iterator<Item = usize> + '_ {
        let operands = self.instructions.iter().flat_map(|instruction| instruction.operands);
        let outputs = self.answers.iter().flat_map(|answer| answer.outputs.iter().copied());
        operands.chain(outputs).filter_map(|source| if let Source::Input(column) = source { Some(column as usize) } else { None })
    }
}

/// Where an answer stands once the instructions before `end` have run, and until the next one runs.
#[derive(Debug, Clone)]
pub struct Answer {
    pub end: usize,
    pub outputs: Vec<Source>,
}

/// Plans programs. What it allocates for one serves the next.
#[derive(Debug, Default)]
pub struct Planner {
    steps: FxHashMap<NodeId, Step>,
    nodes: Vec<NodeId>,
    /// For each question, how many nodes are computed before it is answered.
    ends: Vec<usize>,
    /// Where constants of the program stand.
    constants: FxHashMap<i128, u32>,
}

/// The column of a node that somebody else computes, and whether it is of bytes.
pub type Outside<'a> = &'a dyn Fn(NodeId) -> Option<(u32, bool)>;

/// A node that is computed.
#[derive(Debug, Clone, Copy, Default)]
struct Step {
    /// When it is read for the last time.
    last: usize,
    /// Where it stands, from when it is computed until it was read for the last time.
    source: Option<Source>,
}

/// Moments count instructions and answers alike, in the order in which they happen: this is that of an instruction before
/// the answer to a question, and the end of these instructions that of the answer itself.
const fn moment(position: usize, question: usize) -> usize {
    position + question
}

impl Planner {
    /// Plans a program. `given` tells the column of a node that somebody else computes.
    pub fn plan(&mut self, dag: &Dag, given: Outside<'_>, questions: &[Vec<NodeId>]) -> Program {
        self.order(dag, &|node| dag.constant_of(node).is_some() || given(node).is_some(), questions);
        self.constants.clear();
        let mut registers = Registers::default();
        let mut program = Program::default();
        // what an instruction of fewer operands has in the others' place
        self.constant(0, &mut program);
        for (number, question) in questions.iter().enumerate() {
            let end = self.ends[number];
            for position in program.instructions.len()..end {
                let node = self.nodes[position];
                let op = dag.op(node);
                debug_assert!(!matches!(op, Op::Input(_)), "a program reads a column that nobody gives it");
                let is_byte = self.is_byte(dag, given, op);
                let mut instruction = Instruction::new(op, Source::Constant(0), |operand| self.source(dag, given, operand, &mut program));
                for operand in op.operands() {
                    self.release(operand, moment(position, number), &mut registers);
                }
                // a result is computed aside and then put in place, so it may take the register of an operand
                instruction.target = registers.take(is_byte, dag.range(node).is_narrow());
                if let Some(step) = self.steps.get_mut(&node) {
                    step.source = Some(instruction.target);
                }
                program.instructions.push(instruction);
            }
            let outputs = question.iter().map(|node| self.source(dag, given, *node, &mut program)).collect();
            program.answers.push(Answer { end, outputs });
            for node in question {
                self.release(*node, moment(end, number), &mut registers);
            }
        }
        (program.bytes, program.narrow, program.wide) = (registers.bytes.peak, registers.narrow.peak, registers.wide.peak);
        program
    }

    /// Whether an operation's result is kept as bytes: truths, and what is chosen from bytes.
    fn is_byte(&self, dag: &Dag, given: Outside<'_>, op: Op) -> bool {
        let is_byte = |node: NodeId| match dag.constant_of(node) {
            Some(value) => (0..=255).contains(&value),
            None => match given(node) {
                Some((_, is_byte)) => is_byte,
                None => matches!(self.steps.get(&node).and_then(|step| step.source), Some(Source::Byte(_))),
            },
        };
        match op {
            Op::Less(..) | Op::LessOrEqual(..) | Op::Equal(..) | Op::And(..) | Op::Or(..) | Op::Not(_) => true,
            Op::Select(_, one, two) | Op::Min(one, two) | Op::Max(one, two) => is_byte(one) && is_byte(two),
            Op::Constant(_)
            | Op::Input(_)
            | Op::Add(..)
            | Op::Subtract(..)
            | Op::Multiply(..)
            | Op::DivideRounded(..)
            | Op::DivideFloor(..)
            | Op::Remainder(..) => false,
        }
    }

    fn constant(&mut self, value: i128, program: &mut Program) -> Source {
        let next = u32::try_from(program.constants.len()).unwrap_or(u32::MAX);
        let place = *self.constants.entry(value).or_insert(next);
        if place == next {
            program.constants.push(Constant::new(value));
        }
        Source::Constant(place)
    }

    /// Puts the nodes to be computed into an order, each after those that it reads.
    fn order(&mut self, dag: &Dag, is_outside: &dyn Fn(NodeId) -> bool, questions: &[Vec<NodeId>]) {
        self.nodes.clear();
        self.ends.clear();
        self.steps.clear();
        let (mut open, mut fresh) = (Vec::new(), Vec::new());
        for (number, question) in questions.iter().enumerate() {
            open.extend(question.iter().copied());
            while let Some(node) = open.pop() {
                if !self.steps.contains_key(&node) && !is_outside(node) {
                    self.steps.insert(node, Step::default());
                    fresh.push(node);
                    open.extend(dag.op(node).operands());
                }
            }
            // operands have lower numbers than their readers
            fresh.sort_unstable();
            for node in fresh.drain(..) {
                for operand in dag.op(node).operands() {
                    self.read(operand, moment(self.nodes.len(), number));
                }
                self.nodes.push(node);
            }
            for node in question {
                self.read(*node, moment(self.nodes.len(), number));
            }
            self.ends.push(self.nodes.len());
        }
    }

    fn read(&mut self, node: NodeId, moment: usize) {
        if let Some(step) = self.steps.get_mut(&node) {
            step.last = moment;
        }
    }

    fn source(&mut self, dag: &Dag, given: Outside<'_>, node: NodeId, program: &mut Program) -> Source {
        if let Some(value) = dag.constant_of(node) {
            return self.constant(value, program);
        }
        if let Some((column, _)) = given(node) {
            return Source::Input(column);
        }
        self.steps.get(&node).and_then(|step| step.source).unwrap_or(Source::Constant(0))
    }

    /// Frees the node's register if this is the last time that it is read.
    fn release(&mut self, node: NodeId, moment: usize, registers: &mut Registers) {
        if let Some(step) = self.steps.get_mut(&node)
            && step.last == moment
            && let Some(source) = step.source.take()
        {
            registers.free(source);
        }
    }
}

/// Registers in use, of each width.
#[derive(Debug, Default)]
struct Registers {
    bytes: File,
    narrow: File,
    wide: File,
}

#[derive(Debug, Default)]
struct File {
    free: Vec<u32>,
    peak: usize,
}

impl File {
    fn take(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.peak += 1;
            u32::try_from(self.peak - 1).unwrap_or(u32::MAX)
        })
    }
}

impl Registers {
    fn take(&mut self, byte: bool, narrow: bool) -> Source {
        if byte {
            Source::Byte(self.bytes.take())
        } else if narrow {
            Source::Narrow(self.narrow.take())
        } else {
            Source::Wide(self.wide.take())
        }
    }

    fn free(&mut self, source: Source) {
        match source {
            Source::Byte(register) => self.bytes.free.push(register),
            Source::Narrow(register) => self.narrow.free.push(register),
            Source::Wide(register) => self.wide.free.push(register),
            Source::Constant(_) | Source::Input(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{
        super::{
            dag::{Op, Range},
            machine::Machine,
            registers::Slice,
        },
        *,
    };

    /// Many questions that share much, planned together, and each alone: the answers are the same.
    #[test]
    fn a_register_is_not_taken_before_it_was_read_for_the_last_time() {
        let mut dag = Dag::default();
        let inputs: Vec<NodeId> = (0..3).map(|_| dag.input(Range { low: 0, high: 1_000 })).collect();
        let mut nodes = inputs.clone();
        // each node reads earlier ones in a fixed pattern, so that lifetimes are short, long and shared
        for step in 0..200_usize {
            let (one, two) = (nodes[step * 7 % nodes.len()], nodes[step * 3 % nodes.len()]);
            let op = match step % 4 {
                0 => Op::Min(one, two),
                1 => Op::Max(one, two),
                2 => Op::Less(one, two),
                _ => Op::Select(nodes[step % nodes.len()], one, two),
            };
            nodes.push(dag.put(op).unwrap());
        }
        // some ask what another has asked just before
        let asked = |question: usize| vec![nodes[question * 5 % nodes.len()], nodes[200 - question]];
        let questions: Vec<Vec<NodeId>> = (0..60).map(|question| asked(question / 2 + question % 2 * (question % 3))).collect();
        let columns: [&[i64]; 3] = [&[1, 500, 3, 0], &[7, 2, 1_000, 0], &[0, 4, 4, 1]];
        let columns = columns.map(Slice::Numbers);
        let given = |node: NodeId| inputs.iter().position(|input| *input == node).map(|column| (u32::try_from(column).unwrap(), false));
        let answers = |questions: &[Vec<NodeId>]| -> Vec<Vec<i128>> {
            let program = Planner::default().plan(&dag, &given, questions);
            let mut machine = Machine::default();
            let mut found = Vec::new();
            machine.run(&program, &columns, 4, |_, answer, told| {
                found.extend(answer.outputs.iter().map(|output| (0..4).map(|lane| told.read(*output, lane)).collect()));
            });
            found
        };
        let together = answers(&questions);
        let alone: Vec<Vec<i128>> = questions.iter().flat_map(|question| answers(std::slice::from_ref(question))).collect();
        assert_eq!(together, alone);
        assert!(Planner::default().plan(&dag, &given, &questions).narrow < 60, "registers are used again");
    }
}
