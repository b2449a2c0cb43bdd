//! TCG Radar: is this card a deal for *you*, after fees, postage, customs, risk and work?
//!
//! # The map of the house
//!
//! | where | what |
//! |---|---|
//! | [`domain`] | values and their laws: money, cards, markets, observations; no I/O, no clock |
//! | [`simulate`] | a simulated market that knows its own faults and deals |
//! | [`sources`] | other people's files and feeds, one file a format |
//! | `store` | the database: roles and tables |
//! | `main.rs` | parses, runs, maps the outcome to an exit code |

pub mod domain;
pub mod simulate;
pub mod sources;
