//! What a program does, step by step: one operation, where its operands stand, and where its result goes.

use super::{
    dag::{NodeId, Op, divide_rounded},
    registers::Source,
};

/// One operation on registers.
#[derive(Debug, Clone, Copy)]
pub struct Instruction {
    pub kind: Kind,
    pub target: Source,
    pub operands: [Source; 3],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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
    pub const fn compares(self, constant: i128) -> bool {
        match self {
            Self::Less | Self::LessOrEqual | Self::Equal => true,
            Self::Min => constant > 0,
            Self::Max => constant < 0,
            _ => false,
        }
    }

    /// The result in 128 bits, which hold whatever a node's range allows.
    pub fn apply(self, [one, two, three]: [i128; 3]) -> i128 {
        match self {
            Self::Copy => one,
            Self::Add => one + two,
            Self::Subtract => one - two,
            Self::Multiply => one * two,
            Self::Min => one.min(two),
            Self::Max => one.max(two),
            Self::DivideRounded => divide_rounded(one, two),
            Self::DivideFloor | Self::Remainder if two == 0 => 0,
            Self::DivideFloor => one.div_euclid(two),
            Self::Remainder => one % two,
            Self::Less => i128::from(one < two),
            Self::LessOrEqual => i128::from(one <= two),
            Self::Equal => i128::from(one == two),
            Self::And => one & two,
            Self::Or => one | two,
            Self::Not => 1 - one,
            Self::Select if one == 0 => three,
            Self::Select => two,
        }
    }
}

impl Instruction {
    /// `of` tells where operands stand.
    pub fn new(op: Op, target: Source, mut of: impl FnMut(NodeId) -> Source) -> Self {
        let mut operands = [Source::Constant(0); 3];
        for (operand, node) in operands.iter_mut().zip(op.operands()) {
            *operand = of(node);
        }
        let kind = match op {
            Op::Constant(_) => Kind::Copy,
            Op::Input(column) => {
                operands[0] = Source::Input(column);
                Kind::Copy
            }
            Op::Add(..) => Kind::Add,
            Op::Subtract(..) => Kind::Subtract,
            Op::Multiply(..) => Kind::Multiply,
            Op::Min(..) => Kind::Min,
            Op::Max(..) => Kind::Max,
            Op::DivideRounded(..) => Kind::DivideRounded,
            Op::DivideFloor(..) => Kind::DivideFloor,
            Op::Remainder(..) => Kind::Remainder,
            Op::Less(..) => Kind::Less,
            Op::LessOrEqual(..) => Kind::LessOrEqual,
            Op::Equal(..) => Kind::Equal,
            Op::And(..) => Kind::And,
            Op::Or(..) => Kind::Or,
            Op::Not(_) => Kind::Not,
            Op::Select(..) => Kind::Select,
        };
        Self { kind, target, operands }
    }
}
