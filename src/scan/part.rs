//! The part of the market that a change concerns: the cards, and the routes that it takes to judge them as a whole scan would.

use std::collections::{BTreeSet, HashSet};

use super::routes::Route;
use crate::{
    domain::book::{Book, CardIndex},
    rules::pack::Pack,
};

/// What offers are counted over, by the name of its fact. A pack that counts over anything else is judged whole.
const SELLER: &str = "seller_id";

/// See the module.
#[derive(Debug, PartialEq, Eq)]
pub struct Part {
    /// They are decided again: those that changed, and what their sellers offer beside them.
    pub cards: BTreeSet<CardIndex>,
    /// All routes of these cards, and for the sake of the counts every other offer of a seller of theirs.
    pub routes: Vec<Route>,
}

impl Part {
    /// `None` where it comes to most of the market, or where the pack counts over other things than sellers.
    pub fn of(changed: &BTreeSet<CardIndex>, book: &Book, routes: &[Route], pack: &Pack) -> Option<Self> {
        if pack.aggregates.iter().any(|aggregate| pack.graph.fact(aggregate.over).name != SELLER) {
            return None;
        }
        let sellers = |cards: &BTreeSet<CardIndex>| if pack.aggregates.is_empty() { HashSet::new() } else { sellers(book, cards) };
        let is_by =
            |sellers: &HashSet<&str>, series: usize| book.series[series].seller_id.as_deref().is_some_and(|one| sellers.contains(one));
        let theirs = sellers(changed);
        let beside = (0..book.series.len()).filter(|series| is_by(&theirs, *series)).flat_map(|series| &book.series[series].cards);
        let cards: BTreeSet<CardIndex> = changed.iter().chain(beside).copied().collect();
        if cards.len() * 2 > book.cards.len() {
            return None;
        }
        let counted = sellers(&cards);
        let routes = routes.iter().filter(|route| cards.contains(&route.card) || is_by(&counted, route.buy)).cloned().collect();
        Some(Self { cards, routes })
    }
}

/// Who offers one of the cards, or did.
fn sellers<'a>(book: &'a Book, cards: &BTreeSet<CardIndex>) -> HashSet<&'a str> {
    let offers = book.series.iter().filter(|one| one.cards.iter().any(|card| cards.contains(card)));
    offers.filter_map(|one| one.seller_id.as_deref()).collect()
}
