//! Why a formula is left to the interpreter.

use super::dag::TooLarge;

/// A reason that a fact cannot be lowered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("a quotient is not rounded: write ratio(a, b, places)")]
    Unrounded,
    #[error("its branches have values of unlike types")]
    UnlikeBranches,
    #[error("it has a switch over decimals, which compare by their written form")]
    DecimalSwitch,
    #[error("the number of places is no constant")]
    PlacesVary,
    #[error("it calls helpers deeper than {0}")]
    Depth(usize),
    #[error("a gate's or flag's result is not true or false")]
    NotBoolean,
    #[error("it reads {fact}: {because}")]
    Reads { fact: String, because: Box<Self> },
    #[error("rules do without {0}")]
    Unsupported(&'static str),
}
