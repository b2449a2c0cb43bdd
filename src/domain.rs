//! Values and their laws: money, cards, conditions, markets, observations. No I/O, no clock, no randomness.

pub mod book;
pub mod card;
pub mod condition;
pub mod decision;
pub mod deck;
pub mod event;
pub mod feed;
pub mod history;
pub mod live_rate;
pub mod market;
pub mod message;
pub mod money;
pub mod observation;
pub mod pace;
pub mod page;
pub mod plan;
pub mod product;
pub mod profile;
pub mod series;
pub mod signal;
pub mod talk;
