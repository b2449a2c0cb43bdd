//! Puts the nodes that outputs need into an order and gives each a register.
//!
//! What two tenants need is computed once for a block of rows; what one tenant needs alone is computed in registers that
//! the next tenant uses again.

use super::{
    dag::{Dag, NodeId, Op},
    machine::{Instruction, Source},
};

/// Nodes that a tenant's answer consists of.
#[derive(Debug, Clone, Default)]
pub struct Outputs {
    pub nodes: Vec<NodeId>,
}

/// A sequence of instructions for all rows of a block, in two parts.
#[derive(Debug, Default)]
pub struct Program {
    pub common: Vec<Instruction>,
    /// Of each tenant.
    pub own: Vec<Part>,
    /// Registers of each width that a block needs.
    pub narrow: usize,
    pub wide: usize,
}

/// One tenant's instructions and where its answer stands then.
#[derive(Debug, Default, Clone)]
pub struct Part {
    pub instructions: Vec<Instruction>,
    pub outputs: Vec<Source>,
}

const COMMON: u32 = u32::MAX;
const NOBODY: u32 = u32::MAX - 1;

/// Builds the program. `per_tenant` tells input columns whose values differ by tenant.
pub fn plan(dag: &Dag, outputs: &[Outputs], per_tenant: &dyn Fn(u32) -> bool) -> Program {
    let varies = varying(dag, per_tenant);
    let owners = owners(dag, outputs, &varies);
    let mut registers = Registers::default();
    let mut sources: Vec<Option<Source>> = vec![None; dag.size()];
    let mut program = Program::default();
    let last_use = last_uses(dag, outputs, &owners, &varies);
    for index in 0..dag.size() {
        if owners[index] == COMMON && !varies[index] {
            place(dag, node(index), &mut sources, &mut registers, &mut program.common);
            for operand in dag.op(node(index)).operands() {
                if last_use[operand.0 as usize] == Some(index) {
                    registers.free(sources[operand.0 as usize]);
                }
            }
        }
    }
    let mut pending: Vec<bool> = vec![false; dag.size()];
    let base = registers.clone();
    for (tenant, wanted) in outputs.iter().enumerate() {
        let mut own = Vec::new();
        let mut open: Vec<NodeId> = wanted.nodes.clone();
        while let Some(next) = open.pop() {
            let index = next.0 as usize;
            let mine = owners[index] == u32::try_from(tenant).unwrap_or(NOBODY) || varies[index];
            if mine && !std::mem::replace(&mut pending[index], true) {
                own.push(index);
                open.extend(dag.op(next).operands());
            }
        }
        own.sort_unstable();
        let mut part = Part::default();
        let mut registers_of_tenant = base.clone();
        let ends = ends_of(dag, &own, &wanted.nodes);
        for (position, index) in own.iter().enumerate() {
            place(dag, node(*index), &mut sources, &mut registers_of_tenant, &mut part.instructions);
            for operand in dag.op(node(*index)).operands() {
                if ends.get(&operand) == Some(&position) {
                    registers_of_tenant.free(sources[operand.0 as usize]);
                }
            }
        }
        part.outputs = wanted.nodes.iter().filter_map(|output| sources[output.0 as usize]).collect();
        program.narrow = program.narrow.max(registers_of_tenant.narrow.peak);
        program.wide = program.wide.max(registers_of_tenant.wide.peak);
        for index in own {
            pending[index] = false;
        }
        program.own.push(part);
    }
    program.narrow = program.narrow.max(registers.narrow.peak);
    program.wide = program.wide.max(registers.wide.peak);
    program
}

fn node(index: usize) -> NodeId {
    NodeId(u32::try_from(index).unwrap_or(u32::MAX))
}

/// Nodes that depend on a column which differs by tenant.
fn varying(dag: &Dag, per_tenant: &dyn Fn(u32) -> bool) -> Vec<bool> {
    let mut varies = vec![false; dag.size()];
    for index in 0..dag.size() {
        varies[index] = match dag.op(node(index)) {
            Op::Input(column) => per_tenant(column),
            op => op.operands().any(|operand| varies[operand.0 as usize]),
        };
    }
    varies
}

/// The only tenant that needs a node, or that several do.
fn owners(dag: &Dag, outputs: &[Outputs], varies: &[bool]) -> Vec<u32> {
    let mut owners = vec![NOBODY; dag.size()];
    for (tenant, wanted) in outputs.iter().enumerate() {
        let tenant = u32::try_from(tenant).unwrap_or(NOBODY);
        let mut open: Vec<NodeId> = wanted.nodes.clone();
        while let Some(next) = open.pop() {
            let owner = &mut owners[next.0 as usize];
            if *owner == tenant || *owner == COMMON {
                continue;
            }
            *owner = if *owner == NOBODY { tenant } else { COMMON };
            open.extend(dag.op(next).operands());
        }
    }
    // what a varying node reads must be there for every tenant that computes it
    for index in (0..dag.size()).rev() {
        if owners[index] == COMMON && varies[index] {
            for operand in dag.op(node(index)).operands() {
                owners[operand.0 as usize] = COMMON;
            }
        }
    }
    owners
}

/// For each common node the common node that reads it last; `None` where a tenant's part reads it.
fn last_uses(dag: &Dag, outputs: &[Outputs], owners: &[u32], varies: &[bool]) -> Vec<Option<usize>> {
    let mut last: Vec<Option<usize>> = vec![None; dag.size()];
    let mut kept = vec![false; dag.size()];
    for index in 0..dag.size() {
        let common = owners[index] == COMMON && !varies[index];
        for operand in dag.op(node(index)).operands() {
            if common {
                last[operand.0 as usize] = Some(index);
            } else if owners[index] != NOBODY {
                kept[operand.0 as usize] = true;
            }
        }
    }
    for output in outputs.iter().flat_map(|wanted| &wanted.nodes) {
        kept[output.0 as usize] = true;
    }
    last.into_iter().zip(kept).map(|(last, kept)| if kept { None } else { last }).collect()
}

/// Positions in a tenant's part where its own nodes are read for the last time; outputs stay to the end.
fn ends_of(dag: &Dag, own: &[usize], outputs: &[NodeId]) -> std::collections::HashMap<NodeId, usize> {
    let mut ends = std::collections::HashMap::new();
    for (position, index) in own.iter().enumerate() {
        for operand in dag.op(node(*index)).operands() {
            if own.binary_search(&(operand.0 as usize)).is_ok() && !outputs.contains(&operand) {
                ends.insert(operand, position);
            }
        }
    }
    ends
}

/// Gives a node its source: a constant needs no instruction, anything else a register.
fn place(dag: &Dag, node: NodeId, sources: &mut [Option<Source>], registers: &mut Registers, into: &mut Vec<Instruction>) {
    let op = dag.op(node);
    let index = node.0 as usize;
    if let Some(value) = dag.constant_of(node) {
        sources[index] = Some(Source::constant(value));
        return;
    }
    let narrow = dag.range(node).is_narrow();
    let target = registers.take(narrow);
    let of = |node: NodeId| match dag.constant_of(node) {
        Some(value) => Source::constant(value),
        None => sources[node.0 as usize].unwrap_or(Source::Narrow(0)),
    };
    into.push(Instruction::new(op, target, of));
    sources[index] = Some(target);
}

/// Registers in use, of both widths.
#[derive(Debug, Clone, Default)]
struct Registers {
    narrow: File,
    wide: File,
}

#[derive(Debug, Clone, Default)]
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

    fn free(&mut self, source: Option<Source>) {
        match source {
            Some(Source::Narrow(register)) => self.narrow.free.push(register),
            Some(Source::Wide(register)) => self.wide.free.push(register),
            Some(Source::Constant(_)) | None => {}
        }
    }
}
