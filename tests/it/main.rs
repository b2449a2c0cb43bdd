//! One binary holds every integration test: it links once.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

mod series;
mod shipped_packs;
mod simulate;
mod structure;
mod vectors;
