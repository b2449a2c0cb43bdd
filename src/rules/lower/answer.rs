//! What columns answer, and the number that stands for it.

use super::gates::{self, kind};
use crate::rules::{
    interpret::Verdict,
    pack::{DATA_INCOMPLETE, FAULT, Pack},
};

/// How far a row came for a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It passed every gate; whether it has a score.
    Signal {
        scored: bool,
    },
    Rejected(usize),
    /// A fact that the gate needs is unknown.
    Unknown(usize),
    /// A rule that the gate needs failed.
    Failed(usize),
    /// The interpreter has to be asked; the gates before this one let the row through.
    Open(usize),
}

impl Answer {
    /// What a code means in a pack with that many gates.
    pub fn of(code: i64, gates: usize) -> Self {
        let (gate, kind) = (usize::try_from(code / i64::from(kind::COUNT)).unwrap_or(0), code % i64::from(kind::COUNT));
        match (kind, gate < gates) {
            (kind::TOLD, true) => Self::Rejected(gate),
            (kind::UNKNOWN, true) => Self::Unknown(gate),
            (kind::FAILED, true) => Self::Failed(gate),
            (kind::TOLD, false) => Self::Signal { scored: true },
            (kind::UNKNOWN, false) => Self::Signal { scored: false },
            _ => Self::Open(gate),
        }
    }

    /// Its code in a pack with that many gates: of two, the higher came further, or tells more.
    pub fn code(self, gates: usize) -> i64 {
        match self {
            Self::Rejected(gate) => gates::code(gate, kind::TOLD),
            Self::Unknown(gate) => gates::code(gate, kind::UNKNOWN),
            Self::Failed(gate) => gates::code(gate, kind::FAILED),
            Self::Open(gate) => gates::code(gate, kind::OPEN),
            Self::Signal { scored } => gates::code(gates, if scored { kind::TOLD } else { kind::UNKNOWN }),
        }
    }

    /// How many codes there are in a pack with that many gates.
    pub fn codes(gates: usize) -> usize {
        (gates + 1) * usize::from(kind::COUNT)
    }

    /// What is said of a verdict.
    pub const fn of_verdict(verdict: &Verdict, scored: bool) -> Self {
        match verdict {
            Verdict::Signal => Self::Signal { scored },
            Verdict::Rejected { gate } => Self::Rejected(*gate),
            Verdict::Incomplete { gate, .. } => Self::Unknown(*gate),
            Verdict::Failed { gate, .. } => Self::Failed(*gate),
        }
    }

    /// The reason code; nothing for a signal.
    pub fn reason(self, pack: &Pack) -> Option<&str> {
        match self {
            Self::Signal { .. } => None,
            Self::Rejected(gate) => Some(&pack.gates[gate].reason),
            Self::Unknown(_) => Some(DATA_INCOMPLETE),
            Self::Failed(_) | Self::Open(_) => Some(FAULT),
        }
    }
}
