//! TCG Radar: is this card a deal for *you*, after fees, postage, customs, risk and work?
//!
//! # The map of the house
//!
//! | where | what |
//! |---|---|
//! | [`app`] | the running service: wires the loops and drains them |
//! | [`bot`] | the loop that listens to tenants on Telegram |
//! | [`clock`] | the time, and waiting for it: the machine's, or a faster one |
//! | [`cli`] | the command line: one file a command group |
//! | [`config`] | settings from the environment, one struct a concern |
//! | [`deliver`] | the loop that brings messages to the platforms |
//! | [`demo`] | the whole service on a fast clock, among stand-ins of everybody |
//! | [`domain`] | values and their laws: money, cards, markets, observations; no I/O, no clock |
//! | [`events`] | what happens around cards: decks, tournaments, bursts of talk; pure |
//! | [`ingest`] | the loops that bring what files and live feeds say into the store |
//! | [`notify`] | the platforms that messages go to, one file each |
//! | [`pulse`] | signs of life: what each loop is at, and since when |
//! | [`reload`] | the loop that makes an edit live, or keeps what was good |
//! | [`route`] | the loop that gives each opportunity to one tenant at a time |
//! | [`rules`] | the rule pack: text becomes a checked graph of facts that routes are judged by |
//! | [`scan`] | the loop that judges every route for every tenant |
//! | [`scrape`] | pages in a browser: what they tell, by interception, selectors or vision |
//! | [`simulate`] | a simulated market that knows its own faults and deals, and stand-ins of the vendors that serve it |
//! | [`sources`] | other people's files and feeds, one file a format or vendor, and the HTTP client that they share |
//! | [`store`] | the database: roles and tables |
//! | [`web`] | health and metrics over HTTP, for whoever watches over the service |
//! | `main.rs` | parses, runs, maps the outcome to an exit code |

pub mod app;
pub mod bot;
pub mod cli;
pub mod clock;
pub mod config;
pub mod deliver;
pub mod demo;
pub mod domain;
pub mod events;
pub mod ingest;
pub mod notify;
pub mod pulse;
pub mod reload;
pub mod route;
pub mod rules;
pub mod scan;
pub mod scrape;
pub mod simulate;
pub mod sources;
pub mod store;
pub mod web;
