//! What can be told of a value before anything runs: its types, its unit, and the texts or truths that it can be.

use std::{collections::BTreeSet, fmt};

use crate::rules::{tree::Literal, units::Unit, value::Type};

/// A set of types. Empty is the shape of `()` and of what never returns; untold fits everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Types(u8);

impl Types {
    const UNTOLD: Self = Self(1 << 7);
    const EMPTY: Self = Self(0);
    pub const NUMBER: Self = Self(Self::of(Type::Decimal).0 | Self::of(Type::Integer).0);
    pub const BOOL: Self = Self::of(Type::Bool);
    pub const TEXT: Self = Self::of(Type::Text);
    pub const DATE: Self = Self::of(Type::Date);
    const EACH: [Type; 5] = [Type::Decimal, Type::Integer, Type::Bool, Type::Text, Type::Date];

    pub const fn of(value_type: Type) -> Self {
        Self(match value_type {
            Type::Decimal => 1,
            Type::Integer => 2,
            Type::Bool => 4,
            Type::Text => 8,
            Type::Date => 16,
        })
    }

    pub const fn is_untold(self) -> bool {
        self.0 & Self::UNTOLD.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn first(self) -> Option<Type> {
        Self::EACH.into_iter().find(|value_type| self.contains(Self::of(*value_type)))
    }

    /// A type of this set, if none of them is among the allowed.
    pub fn outside(self, allowed: Self) -> Option<Type> {
        if self.is_untold() || self.0 & allowed.0 != 0 { None } else { self.first() }
    }

    /// A type of each set, if they have nothing in common; all numbers are alike.
    pub fn conflict(self, other: Self) -> Option<(Type, Type)> {
        let alike = |types: Self| if types.0 & Self::NUMBER.0 == 0 { types } else { types.or(Self::NUMBER) };
        if self.is_untold() || other.is_untold() || alike(self).0 & alike(other).0 != 0 {
            return None;
        }
        Some((self.first()?, other.first()?))
    }

    /// The types of a sum, difference or product.
    pub const fn arithmetic(self, other: Self) -> Self {
        let both = self.or(other);
        if both.contains(Self::of(Type::Decimal)) && !both.is_untold() {
            // one decimal is enough, unless the same side could be whole too
            let whole = self.contains(Self::of(Type::Integer)) && other.contains(Self::of(Type::Integer));
            return if whole { Self::NUMBER } else { Self::of(Type::Decimal) };
        }
        both
    }

    /// The one type, with whole numbers among decimals counted as decimals.
    pub fn only(self) -> Option<Type> {
        match self {
            Self::NUMBER => Some(Type::Decimal),
            types if !types.is_untold() && types.0.is_power_of_two() => types.first(),
            _ => None,
        }
    }
}

impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Self::EACH.into_iter().filter(|value_type| self.contains(Self::of(*value_type))).map(Type::as_str);
        f.write_str(&names.collect::<Vec<_>>().join(" or "))
    }
}

/// A unit, as far as it can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Zero, and what is no number: fits every unit.
    Any,
    Is(Unit),
    Untold,
}

impl Quantity {
    pub fn times(self, other: Self) -> Self {
        match (self, other) {
            (Self::Is(one), Self::Is(other)) => Self::Is(one.times(other)),
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            _ => Self::Untold,
        }
    }

    pub fn per(self, other: Self) -> Self {
        match (self, other) {
            (Self::Is(one), Self::Is(other)) => Self::Is(one.per(other)),
            (Self::Any, _) => Self::Any,
            _ => Self::Untold,
        }
    }

    const fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Any, unit) | (unit, Self::Any) => unit,
            (Self::Is(unit), Self::Is(_)) => Self::Is(unit),
            _ => Self::Untold,
        }
    }
}

/// All that can be told of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    pub types: Types,
    pub unit: Quantity,
    /// The only texts or truths that it can be; `None` if that can't be told.
    pub possible: Option<BTreeSet<Literal>>,
}

impl Shape {
    /// Of `()`, and of an expression that has no value because the function ends there.
    pub const fn never() -> Self {
        Self { types: Types::EMPTY, unit: Quantity::Any, possible: Some(BTreeSet::new()) }
    }

    pub const fn untold() -> Self {
        Self { types: Types::UNTOLD, unit: Quantity::Untold, possible: None }
    }

    pub fn of_type(value_type: Type) -> Self {
        let number = matches!(value_type, Type::Decimal | Type::Integer);
        let truths = || [true, false].map(Literal::Bool).into();
        Self {
            types: Types::of(value_type),
            unit: if number { Quantity::Untold } else { Quantity::Any },
            possible: (value_type == Type::Bool).then(truths),
        }
    }

    pub fn of_literal(literal: &Literal) -> Self {
        let value_type = match literal {
            Literal::Unknown => return Self::never(),
            Literal::Bool(_) => Type::Bool,
            Literal::Integer(_) => Type::Integer,
            Literal::Decimal(_) => Type::Decimal,
            Literal::Text(_) => Type::Text,
        };
        let (unit, possible) = match literal.number() {
            Some(number) if number.is_zero() => (Quantity::Any, None),
            Some(_) => (Quantity::Is(Unit::NONE), None),
            None => (Quantity::Any, Some([literal.clone()].into())),
        };
        Self { types: Types::of(value_type), unit, possible }
    }

    /// What has either of two shapes.
    pub fn or(self, other: Self) -> Self {
        let possible = self.possible.zip(other.possible).map(|(one, other)| one.union(&other).cloned().collect());
        Self { types: self.types.or(other.types), unit: self.unit.or(other.unit), possible }
    }

    /// Whether a truth is possible.
    fn can_be(&self, truth: bool) -> bool {
        self.possible.as_ref().is_none_or(|possible| possible.is_empty() || possible.contains(&Literal::Bool(truth)))
    }

    fn truths(truths: impl IntoIterator<Item = bool>) -> Self {
        Self { possible: Some(truths.into_iter().map(Literal::Bool).collect()), ..Self::of_type(Type::Bool) }
    }

    pub fn negated(&self) -> Self {
        Self::truths([true, false].into_iter().filter(|truth| self.can_be(!truth)))
    }

    /// The result of `||` (`decider` is true) or `&&` (false).
    pub fn decided(operands: &[Self], decider: bool) -> Self {
        let deciding = operands.iter().any(|operand| operand.can_be(decider));
        let passing = operands.iter().all(|operand| operand.can_be(!decider));
        Self::truths([(decider, deciding), (!decider, passing)].into_iter().filter(|(_, can)| *can).map(|(truth, _)| truth))
    }
}
