//! Why a formula is left to the interpreter, and where in its text that is.

use std::fmt;

use super::dag::TooLarge;
use crate::rules::diagnostic::Span;

/// A formula, column or parameter that can't be lowered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub why: Why,
    /// Where it stands in the fact's file, if it is an expression of a formula.
    pub span: Option<Span>,
}

/// A reason that a fact can't be lowered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    #[error("a quotient is not rounded: write ratio(a, b, places)")]
    Unrounded,
    #[error("its branches have values of unlike types")]
    UnlikeBranches,
    #[error("a switch compares decimals by their written form: compare with == instead")]
    DecimalSwitch,
    #[error("the number of decimal places is no constant: write it out")]
    PlacesVary,
    #[error("helpers are called deeper within each other than is lowered, or than the pack allows")]
    Depth,
    #[error("it may take more steps than the pack allows")]
    Steps,
    #[error("it has more names than a formula can hold at once")]
    Names,
    #[error("it reads {fact}, which can't be lowered")]
    Reads { fact: String },
    #[error("rules do without {0}")]
    Unsupported(&'static str),
}

impl Refusal {
    /// The same, standing there unless its place is known already.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        Self { span: self.span.or(Some(span)), ..self }
    }
}

impl<W: Into<Why>> From<W> for Refusal {
    fn from(why: W) -> Self {
        Self { why: why.into(), span: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.why.fmt(f)
    }
}
