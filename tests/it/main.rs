//! One binary holds every integration test: it links once.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

mod bad_packs;
mod book;
mod changed;
mod cluster;
mod db;
mod db_embedded;
mod db_security;
mod editor;
mod explain;
mod feeds;
mod fuzz_corpus;
mod hostile;
mod http_client;
mod import;
mod live;
mod planted_mistakes;
mod reload;
mod replay;
mod rules_bench;
mod rules_cli;
mod rules_readme;
mod rules_test;
mod scan;
mod series;
mod shipped_packs;
mod simulate;
mod simulated_write;
mod structure;
mod twin;
mod user;
mod vectors;
