#![no_main]
//! Entry point `evaluate`, driven by libFuzzer.

#[path = "../entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::evaluate(data));
