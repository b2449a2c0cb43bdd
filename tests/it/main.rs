//! One binary holds every integration test: it links once.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

mod book;
mod cluster;
mod db;
mod db_embedded;
mod db_security;
mod import;
mod rules_bench;
mod rules_cli;
mod scan;
mod series;
mod shipped_packs;
mod simulate;
mod simulated_write;
mod structure;
mod twin;
mod user;
mod vectors;
