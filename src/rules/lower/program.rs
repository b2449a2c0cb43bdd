//! Puts the nodes that answers need into an order and gives each a register.
//!
//! A program answers several questions in a row, such as "what becomes of this route for that tenant?". What two of them
//! need is computed when the first one asks, and its register is free again once the last one has read it. So questions
//! that have much in common should stand next to each other.

use std::collections::HashMap;

use super::{
    dag::{Dag, NodeId},
    machine::{Instruction, Source},
};

/// Instructions for all rows of a block, and where the answers are.
#[derive(Debug, Default, Clone)]
pub struct Program {
    pub instructions: Vec<Instruction>,
    pub answers: Vec<Answer>,
    /// Registers of each width that a block needs.
    pub narrow: usize,
    pub wide: usize,
}

/// Where an answer stands once the instructions before `end` have run, and until the next one runs.
#[derive(Debug, Clone)]
pub struct Answer {
    pub end: usize,
    pub outputs: Vec<Source>,
}

/// Plans a program. `given` tells the column of a node that somebody else computes.
pub fn plan(dag: &Dag, given: &dyn Fn(NodeId) -> Option<u32>, questions: &[Vec<NodeId>]) -> Program {
    let outside = |node: NodeId| dag.constant_of(node).map(Source::Constant).or_else(|| given(node).map(Source::Input));
    let mut order = Order::of(dag, &|node| outside(node).is_some(), questions);
    let mut registers = Registers::default();
    let mut program = Program::default();
    for (number, (question, end)) in questions.iter().zip(order.ends.clone()).enumerate() {
        for position in program.instructions.len()..end {
            let node = order.nodes[position];
            let op = dag.op(node);
            let mut instruction = Instruction::new(op, |operand| outside(operand).unwrap_or_else(|| order.source(operand)));
            for operand in op.operands() {
                order.release(operand, moment(position, number), &mut registers);
            }
            // a result is computed aside and then put in place, so it may take the register of an operand
            instruction.target = registers.take(dag.range(node).is_narrow());
            order.place(node, instruction.target);
            program.instructions.push(instruction);
        }
        let outputs = question.iter().map(|node| outside(*node).unwrap_or_else(|| order.source(*node))).collect();
        program.answers.push(Answer { end, outputs });
        for node in question {
            order.release(*node, moment(end, number), &mut registers);
        }
    }
    (program.narrow, program.wide) = (registers.narrow.peak, registers.wide.peak);
    program
}

/// Moments count instructions and answers alike, in the order in which they happen: this is that of an instruction before
/// the answer to a question, and the end of these instructions that of the answer itself.
const fn moment(position: usize, question: usize) -> usize {
    position + question
}

/// A node that is computed.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// When it is read for the last time.
    last: usize,
    /// Where it stands, from when it is computed until it was read for the last time.
    source: Option<Source>,
}

/// The nodes to be computed, each after those that it reads.
#[derive(Debug, Default)]
struct Order {
    nodes: Vec<NodeId>,
    /// For each question, how many nodes are computed before it is answered.
    ends: Vec<usize>,
    steps: HashMap<NodeId, Step>,
}

impl Order {
    fn of(dag: &Dag, is_outside: &dyn Fn(NodeId) -> bool, questions: &[Vec<NodeId>]) -> Self {
        let mut order = Self::default();
        let (mut open, mut fresh) = (Vec::new(), Vec::new());
        for (number, question) in questions.iter().enumerate() {
            open.extend(question.iter().copied());
            while let Some(node) = open.pop() {
                if !is_outside(node) && !order.steps.contains_key(&node) {
                    order.steps.insert(node, Step { last: 0, source: None });
                    fresh.push(node);
                    open.extend(dag.op(node).operands());
                }
            }
            // operands have lower numbers than their readers
            fresh.sort_unstable();
            for node in fresh.drain(..) {
                for operand in dag.op(node).operands() {
                    order.read(operand, moment(order.nodes.len(), number));
                }
                order.nodes.push(node);
            }
            for node in question {
                order.read(*node, moment(order.nodes.len(), number));
            }
            order.ends.push(order.nodes.len());
        }
        order
    }

    fn read(&mut self, node: NodeId, moment: usize) {
        if let Some(step) = self.steps.get_mut(&node) {
            step.last = moment;
        }
    }

    fn place(&mut self, node: NodeId, source: Source) {
        if let Some(step) = self.steps.get_mut(&node) {
            step.source = Some(source);
        }
    }

    fn source(&self, node: NodeId) -> Source {
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

/// Registers in use, of both widths.
#[derive(Debug, Default)]
struct Registers {
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
    fn take(&mut self, narrow: bool) -> Source {
        if narrow { Source::Narrow(self.narrow.take()) } else { Source::Wide(self.wide.take()) }
    }

    fn free(&mut self, source: Source) {
        match source {
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
        let given = |node: NodeId| inputs.iter().position(|input| *input == node).map(|column| u32::try_from(column).unwrap());
        let answers = |questions: &[Vec<NodeId>]| -> Vec<Vec<i128>> {
            let program = plan(&dag, &given, questions);
            let mut machine = Machine::new(&program, 4);
            let mut found = Vec::new();
            machine.run(&program, &columns, 4, |_, answer, machine| {
                found.extend(answer.outputs.iter().map(|output| (0..4).map(|lane| machine.read(*output, &columns, lane)).collect()));
            });
            found
        };
        let together = answers(&questions);
        let alone: Vec<Vec<i128>> = questions.iter().flat_map(|question| answers(std::slice::from_ref(question))).collect();
        assert_eq!(together, alone);
        assert!(plan(&dag, &given, &questions).narrow < 60, "registers are used again");
    }
}
