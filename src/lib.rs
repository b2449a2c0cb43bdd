//! TCG Radar: is this card a deal for *you*, after fees, postage, customs, risk and work?

pub mod cli;
pub mod config;
pub mod domain;
pub mod ingest;
pub mod sources;
pub mod store;
