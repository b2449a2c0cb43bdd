//! The split between what is computed once for a row and what is computed for each tenant.
//!
//! Everything that facts of cards and routes come to is the card part. The nodes of it that tenants' rules read are the
//! *cut*: the card part leaves them as columns, and the tenants' programs begin with these.

use std::collections::BTreeSet;

use rustc_hash::FxHashSet;

use super::{
    body::Outcome,
    dag::{Dag, NodeId},
    value::Shape,
};

/// The card part of a graph.
#[derive(Debug, Default)]
pub struct Split {
    /// By node: whether it is computed from cards and routes alone.
    of_cards: Vec<bool>,
}

impl Split {
    pub fn of<'o>(dag: &Dag, shared: impl Iterator<Item = &'o Outcome>) -> Self {
        let mut split = Self { of_cards: vec![false; dag.size()] };
        let mut open: Vec<NodeId> = shared.flat_map(|outcome| nodes_of(*outcome)).collect();
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut split.of_cards[node.0 as usize], true) {
                open.extend(dag.op(node).operands());
            }
        }
        split
    }

    fn is_of_cards(&self, node: NodeId) -> bool {
        self.of_cards.get(node.0 as usize).copied().unwrap_or(false)
    }

    /// The nodes of the card part that these nodes rest on. A column holds 64 bits: what may be wider is cut further down.
    pub fn cut(&self, dag: &Dag, from: impl Iterator<Item = NodeId>, cut: &mut BTreeSet<NodeId>) {
        let mut seen = FxHashSet::default();
        let mut open: Vec<NodeId> = from.collect();
        while let Some(node) = open.pop() {
            if dag.constant_of(node).is_some() || !seen.insert(node) {
                continue;
            }
            if self.is_of_cards(node) && dag.range(node).is_narrow() {
                cut.insert(node);
            } else {
                open.extend(dag.op(node).operands());
            }
        }
    }
}

/// Every node of an outcome.
pub fn nodes_of(outcome: Outcome) -> impl Iterator<Item = NodeId> {
    let value = match outcome.value.shape {
        Shape::Number(number) => [Some(number.node), None],
        Shape::Quotient(one, two) => [Some(one.node), Some(two.node)],
        Shape::Truth(node) | Shape::Text(node) | Shape::Date(node) => [Some(node), None],
        Shape::Nothing => [None, None],
    };
    value.into_iter().flatten().chain([outcome.value.known, outcome.fault, outcome.doubt])
}
