//! Rows in blocks: all cards of a block have as many open routes, so that the best of each card is a comparison of lanes.

use std::collections::BTreeMap;

use super::{Side, counts::Groups};
use crate::rules::lower::LANES;

/// Rows that are judged together.
#[derive(Debug)]
pub struct Block {
    /// The row of each lane: first the first route of every card, then the second of every card, and so on.
    pub rows: Vec<usize>,
    /// How many cards there are.
    pub cards: usize,
    /// The cards' columns, lane by lane.
    pub columns: Vec<Vec<i64>>,
    /// Lanes whose rows are counted together with others, and their places among these.
    pub grouped: Vec<(usize, usize)>,
}

impl Block {
    /// The lanes of a card's routes, in their order.
    pub fn lanes(&self, card: usize) -> impl Iterator<Item = usize> + use<> {
        (card..self.rows.len()).step_by(self.cards.max(1))
    }
}

/// All rows of a side.
#[derive(Debug, Default)]
pub struct Layout {
    pub blocks: Vec<Block>,
    /// Cards none of whose routes is open: the code and row of the one that came furthest.
    pub closed: Vec<(i64, usize)>,
}

impl Layout {
    pub fn of(side: &Side<'_>, groups: &Groups) -> Self {
        let through = crate::rules::lower::Answer::Signal { scored: true }.code(side.case.pack.gates.len());
        let mut layout = Self::default();
        // cards by their number of open routes
        let mut open: BTreeMap<usize, Vec<Vec<usize>>> = BTreeMap::new();
        let card_of = |row: usize| side.case.routes[side.routes[row]].card;
        let mut first = 0;
        while first < side.routes.len() {
            let count = side.routes[first..].iter().take_while(|route| side.case.routes[**route].card == card_of(first)).count();
            let rows: Vec<usize> = (first..first + count).filter(|row| side.cards.codes[*row] == through).collect();
            if rows.is_empty() {
                let furthest = (first..first + count).map(|row| (side.cards.codes[row], row));
                layout.closed.extend(furthest.reduce(|best, next| if next.0 > best.0 { next } else { best }));
            } else {
                open.entry(rows.len()).or_default().push(rows);
            }
            first += count;
        }
        for (routes, cards) in open {
            layout.blocks.extend(cards.chunks((LANES / routes).max(1)).map(|cards| block(side, groups, cards, routes)));
        }
        layout
    }
}

fn block(side: &Side<'_>, groups: &Groups, cards: &[Vec<usize>], routes: usize) -> Block {
    let rows: Vec<usize> = (0..routes).flat_map(|route| cards.iter().map(move |rows| rows[route])).collect();
    let columns = side.cards.columns.iter().map(|column| rows.iter().map(|row| column[*row]).collect()).collect();
    let grouped = rows.iter().enumerate().filter_map(|(lane, row)| Some((lane, groups.place(*row)?))).collect();
    Block { rows, cards: cards.len(), columns, grouped }
}
