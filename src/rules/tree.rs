//! The body of a rule as a tree of our own: what types and units are inferred over, and what can be compiled further.
//!
//! It is complete: what a rule may say has a node here, and everything else became [`ExprKind::Unsupported`] (and an
//! error) while the script was read. Evaluation is strict and left to right; the value of a block is that of its last
//! expression; `()` is "unknown". No name is assigned twice, so a local is a value, not a variable.

use std::{fmt, sync::Arc};

use rust_decimal::Decimal;

use super::diagnostic::Span;

/// One expression and where it stands: an operation at its operator, a call at its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expr {
    pub kind: ExprKind,
    pub span: Span,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExprKind {
    Literal(Literal),
    /// A parameter or a `let`.
    Local(Local),
    /// Its own value is unknown.
    Let {
        local: Local,
        value: Box<Expr>,
    },
    /// In order; an empty block is unknown.
    Block(Vec<Expr>),
    /// Without `else`, the other branch is unknown.
    If {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
    /// A label matches a value of its own type only: the whole number 1 is not the decimal 1.0. Without a default,
    /// what no case matches is unknown.
    Switch {
        subject: Box<Expr>,
        cases: Vec<Case>,
        default: Option<Box<Expr>>,
    },
    Unary {
        operator: Unary,
        operand: Box<Expr>,
    },
    Binary {
        operator: Binary,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// Stops at the first operand that decides; two operands or more.
    Chain {
        operator: Chain,
        operands: Vec<Expr>,
    },
    /// A function of the host; the number of arguments is right.
    Host {
        function: Host,
        arguments: Vec<Expr>,
    },
    /// A private function of the same file, by its position in the script; the number of arguments is right.
    Helper {
        function: usize,
        name: Arc<str>,
        arguments: Vec<Expr>,
    },
    /// Ends the function.
    Return(Option<Box<Expr>>),
    /// Ends the evaluation as a data fault.
    Throw(Option<Box<Expr>>),
    /// Something that rules do without, and what it is.
    Unsupported(&'static str),
}

/// A written value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Literal {
    /// `()`.
    Unknown,
    Bool(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(Arc<str>),
}

impl Literal {
    /// A number as a decimal; `None` for anything else.
    pub fn number(&self) -> Option<Decimal> {
        match self {
            Self::Integer(number) => Some(Decimal::from(*number)),
            Self::Decimal(number) => Some(*number),
            Self::Unknown | Self::Bool(_) | Self::Text(_) => None,
        }
    }
}

/// A name within a function. Slots count from 0, the parameters first; each `let` has a slot of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    pub slot: usize,
    pub name: Arc<str>,
}

/// A branch of a `switch`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    pub labels: Vec<Literal>,
    pub body: Expr,
}

/// An enum of which every member has its text in the script.
macro_rules! written {
    ($(#[$about:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($variant),* }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// As it is written in a script.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// The member that is written so.
            pub fn find(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.as_str() == text)
            }
        }
    };
}

written! {
    /// Operators with one operand.
    Unary { Negate = "-", Not = "!" }
}

written! {
    /// Operators that take both operands, whatever the first is.
    Binary {
        Add = "+", Subtract = "-", Multiply = "*", Divide = "/", Remainder = "%",
        Less = "<", LessOrEqual = "<=", Greater = ">", GreaterOrEqual = ">=", Equal = "==", Unequal = "!=",
    }
}

impl Binary {
    /// Whether the result is true or false.
    pub const fn compares(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual | Self::Equal | Self::Unequal)
    }
}

written! {
    /// Operators that leave out what no longer matters.
    Chain { And = "&&", Or = "||", Coalesce = "??" }
}

written! {
    /// The functions of the host, as [`super::sandbox::FUNCTIONS`] documents them.
    Host {
        Cents = "cents", RoundHalfUp = "round_half_up", Ratio = "ratio", Min = "min", Max = "max", Abs = "abs", Floor = "floor",
        Known = "known", DaysBetween = "days_between",
    }
}

impl Host {
    /// How many arguments it takes.
    pub const fn arity(self) -> usize {
        match self {
            Self::Cents | Self::Abs | Self::Floor | Self::Known => 1,
            Self::RoundHalfUp | Self::Min | Self::Max | Self::DaysBetween => 2,
            Self::Ratio => 3,
        }
    }

    /// The position of the argument that says how many decimal places are kept, if there is one.
    pub const fn places(self) -> Option<usize> {
        match self {
            Self::RoundHalfUp => Some(1),
            Self::Ratio => Some(2),
            _ => None,
        }
    }
}

impl Expr {
    /// The expressions directly inside, in order of evaluation.
    pub fn children(&self) -> Vec<&Self> {
        match &self.kind {
            ExprKind::Literal(_) | ExprKind::Local(_) | ExprKind::Unsupported(_) => Vec::new(),
            ExprKind::Let { value: inner, .. } | ExprKind::Unary { operand: inner, .. } => vec![inner],
            ExprKind::Block(inner)
            | ExprKind::Chain { operands: inner, .. }
            | ExprKind::Host { arguments: inner, .. }
            | ExprKind::Helper { arguments: inner, .. } => inner.iter().collect(),
            ExprKind::If { condition, then, otherwise } => [condition, then].into_iter().chain(otherwise).map(AsRef::as_ref).collect(),
            ExprKind::Switch { subject, cases, default } => {
                let subject = std::iter::once(subject.as_ref());
                subject.chain(cases.iter().map(|case| &case.body)).chain(default.as_deref()).collect()
            }
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Return(inner) | ExprKind::Throw(inner) => inner.iter().map(AsRef::as_ref).collect(),
        }
    }

    /// Visits this expression and all inside, outermost first.
    pub fn walk<'e>(&'e self, visit: &mut dyn FnMut(&'e Self)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("()"),
            Self::Bool(truth) => write!(f, "{truth}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Decimal(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

/// The expression as an analyst would write it on one line.
impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Literal(literal) => write!(f, "{literal}"),
            ExprKind::Local(local) => f.write_str(&local.name),
            ExprKind::Let { local, value } => write!(f, "let {} = {value}", local.name),
            ExprKind::Block(inner) if inner.len() == 1 => list(f, inner, ""),
            ExprKind::Block(inner) => list(f, inner, "; "),
            ExprKind::If { condition, then, otherwise } => {
                write!(f, "if {condition} {{ {then} }}")?;
                otherwise.as_ref().map_or(Ok(()), |otherwise| write!(f, " else {{ {otherwise} }}"))
            }
            ExprKind::Switch { subject, .. } => write!(f, "switch {subject} {{ … }}"),
            ExprKind::Unary { operator, operand } => write!(f, "{}{}", operator.as_str(), Operand(operand)),
            ExprKind::Binary { operator, left, right } => write!(f, "{} {} {}", Operand(left), operator.as_str(), Operand(right)),
            ExprKind::Chain { operator, operands } => {
                for (index, operand) in operands.iter().enumerate() {
                    if index > 0 {
                        write!(f, " {} ", operator.as_str())?;
                    }
                    write!(f, "{}", Operand(operand))?;
                }
                Ok(())
            }
            ExprKind::Host { function, arguments } => call(f, function.as_str(), arguments),
            ExprKind::Helper { name, arguments, .. } => call(f, name, arguments),
            ExprKind::Return(value) => keyword(f, "return", value.as_deref()),
            ExprKind::Throw(value) => keyword(f, "throw", value.as_deref()),
            ExprKind::Unsupported(what) => write!(f, "<{what}>"),
        }
    }
}

/// An expression inside another: in parentheses where it is an operation itself.
struct Operand<'e>(&'e Expr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.kind {
            ExprKind::Binary { .. } | ExprKind::Chain { .. } | ExprKind::If { .. } | ExprKind::Switch { .. } => write!(f, "({})", self.0),
            _ => write!(f, "{}", self.0),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, items: &[Expr], between: &str) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

fn call(f: &mut fmt::Formatter<'_>, name: &str, arguments: &[Expr]) -> fmt::Result {
    write!(f, "{name}(")?;
    list(f, arguments, ", ")?;
    f.write_str(")")
}

fn keyword(f: &mut fmt::Formatter<'_>, word: &str, value: Option<&Expr>) -> fmt::Result {
    f.write_str(word)?;
    value.map_or(Ok(()), |value| write!(f, " {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::sandbox::FUNCTIONS;

    #[test]
    fn every_function_of_the_sandbox_is_known_with_its_number_of_arguments() {
        let ours: Vec<(&str, usize)> = Host::ALL.iter().map(|host| (host.as_str(), host.arity())).collect();
        let theirs: Vec<(&str, usize)> = FUNCTIONS.iter().map(|(name, params, _)| (*name, params.split(", ").count())).collect();
        assert_eq!(ours, theirs);
    }
}
