//! Texts as numbers: the same text has the same number, in formulas, tables and rows.

use std::sync::{Mutex, PoisonError};

use rustc_hash::FxHashMap;

/// The numbers of texts. Rows are filled while others are judged, so the list may grow behind a shared reference.
#[derive(Debug, Default)]
pub struct Texts(Mutex<FxHashMap<Box<str>, i64>>);

impl Texts {
    /// The text's number; a text that was never seen gets the next.
    pub fn code(&self, text: &str) -> i64 {
        // nothing is half-done if a holder panics
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(code) = texts.get(text) {
            return *code;
        }
        let code = i64::try_from(texts.len()).unwrap_or(i64::MAX);
        texts.insert(text.into(), code);
        code
    }
}
