#![no_main]
//! Entry point `yaml`, driven by libFuzzer.

#[path = "../entry.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::yaml(data));
