//! Rows in blocks: all cards of a block have as many open routes, so that the best of each card is a comparison of lanes.

use std::collections::BTreeMap;

use super::{Side, groups::Groups};
use crate::rules::lower::{Answer, Column, LANES};

/// Rows that are judged together, none of which is counted with others.
#[derive(Debug)]
pub struct Block {
    /// The row of each lane: first the first route of every card, then the second of every card, and so on.
    pub rows: Vec<usize>,
    /// How many cards there are.
    pub cards: usize,
    /// The cards' columns, lane by lane.
    pub columns: Vec<Column>,
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
    /// The open rows of each card of which one is counted together with others.
    pub grouped: Vec<Vec<usize>>,
    /// Cards none of whose routes is open: the code and row of the one that came furthest.
    pub closed: Vec<(u8, usize)>,
}

impl Layout {
    pub fn of(side: &Side<'_>, groups: &Groups) -> Self {
        let through = Answer::Signal { scored: true }.code(side.case.pack.gates.len());
        let mut layout = Self::default();
        // cards by their number of open routes
        let mut open: BTreeMap<usize, Vec<Vec<usize>>> = BTreeMap::new();
        let mut first = 0;
        while first < side.routes.len() {
            let count = (first..side.routes.len()).take_while(|row| side.card_of(*row) == side.card_of(first)).count();
            let rows: Vec<usize> = (first..first + count).filter(|row| side.cards.codes[*row] == through).collect();
            if rows.is_empty() {
                let furthest = (first..first + count).map(|row| (u8::try_from(side.cards.codes[row]).unwrap_or(u8::MAX), row));
                layout.closed.extend(furthest.reduce(|best, next| if next.0 > best.0 { next } else { best }));
            } else if rows.iter().any(|row| groups.place(*row).is_some()) {
                layout.grouped.push(rows);
            } else {
                open.entry(rows.len()).or_default().push(rows);
            }
            first += count;
        }
        for (routes, cards) in open {
            layout.blocks.extend(cards.chunks((LANES / routes).max(1)).map(|cards| block(side, cards, routes)));
        }
        layout
    }

    /// How many rows are open.
    pub fn open(&self) -> usize {
        self.blocks.iter().map(|block| block.rows.len()).chain(self.grouped.iter().map(Vec::len)).sum()
    }

    /// Rows of the longest block.
    pub fn longest(&self) -> usize {
        self.blocks.iter().map(|block| block.rows.len()).max().unwrap_or(0)
    }
}

fn block(side: &Side<'_>, cards: &[Vec<usize>], routes: usize) -> Block {
    let rows: Vec<usize> = (0..routes).flat_map(|route| cards.iter().map(move |rows| rows[route])).collect();
    let columns = side.cards.columns.iter().map(|column| column.pick(rows.iter().copied())).collect();
    Block { rows, cards: cards.len(), columns }
}
