//! TCG Radar: is this card a deal for *you*, after fees, postage, customs, risk and work?

pub mod domain;
pub mod simulate;
