//! The rule pack: text in `rules/` becomes a checked graph of facts that any number of cards and tenants are judged by.
//!
//! Pure: no clock, no randomness, and no I/O but reading the pack's own folder.

pub mod ast;
pub mod diagnostic;
pub mod facts;
pub mod sandbox;
pub mod source;
pub mod units;
pub mod value;
pub mod yaml;
