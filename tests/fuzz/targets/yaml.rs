#![no_main]
//! Entry point `yaml`, driven by libFuzzer.

#[path = "../entry.rs"]
#[expect(dead_code, reason = "the other target uses the rest")]
mod entry;

libfuzzer_sys::fuzz_target!(|data: &[u8]| entry::yaml(data));
