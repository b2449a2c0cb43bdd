//! Whose turn it is: pure, so that the recorded cases can be put to it.

use std::cmp::Reverse;

use rust_decimal::Decimal;

use crate::domain::profile::Category;

/// One who may get an opportunity.
#[derive(Debug, Clone, PartialEq)]
pub struct Contender<T> {
    pub who: T,
    /// Of its plan.
    pub first_look: u8,
    pub priority: Decimal,
    pub categories: Vec<Category>,
}

/// Whether somebody with these categories wants a card of that one. None named means all.
pub fn is_interested(categories: &[Category], category: Option<Category>) -> bool {
    categories.is_empty() || category.is_some_and(|category| categories.contains(&category))
}

/// Puts those first who come first: by plan, then by priority, then who named the category. Equals stay as they were.
pub fn order<T>(contenders: &mut [Contender<T>], category: Option<Category>) {
    contenders.sort_by_key(|one| {
        let names_it = category.is_some_and(|category| one.categories.contains(&category));
        Reverse((one.first_look, one.priority, names_it))
    });
}
