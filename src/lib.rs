//! TCG Radar: is this card a deal for *you*, after fees, postage, customs, risk and work?
//!
//! # The map of the house
//!
//! | where | what |
//! |---|---|
//! | [`cli`] | the commands: what they read, and what they print |
//! | [`config`] | settings from the environment |
//! | [`domain`] | values and their laws: money, cards, markets, observations; no I/O, no clock |
//! | [`ingest`] | puts what files, feeds and the simulation tell into the database |
//! | [`simulate`] | a simulated market that knows its own faults and deals |
//! | [`sources`] | other people's files and feeds, one file a format |
//! | [`store`] | the database: two doors, and behind them the tables |
//! | `main.rs` | parses, runs, maps the outcome to an exit code |

pub mod cli;
pub mod config;
pub mod domain;
pub mod ingest;
pub mod simulate;
pub mod sources;
pub mod store;
