//! The rule pack: text in `rules/` becomes a checked graph of facts that any number of cards and tenants are judged by.
//!
//! Pure: no clock, no randomness, and no I/O but reading the pack's own folder.

pub mod ast;
pub mod bench;
mod broken;
pub mod customs;
pub mod diagnostic;
pub mod eval;
pub mod explain;
pub mod facts;
pub mod graph;
mod infer;
pub mod inputs;
pub mod interpret;
mod lint;
pub mod live;
pub mod lower;
mod names;
pub mod pack;
pub mod params;
mod review;
pub mod sandbox;
pub mod source;
pub mod tables;
pub mod testing;
#[cfg(test)]
mod tests;
pub mod tree;
pub mod units;
pub mod value;
pub mod yaml;
