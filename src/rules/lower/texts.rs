//! Texts as numbers: the same text has the same number, in formulas, tables and rows.

use std::collections::HashMap;

/// The numbers of texts.
#[derive(Debug, Clone, Default)]
pub struct Texts(HashMap<String, i64>);

impl Texts {
    /// The text's number; a text that was never seen gets the next.
    pub fn code(&mut self, text: &str) -> i64 {
        if let Some(code) = self.0.get(text) {
            return *code;
        }
        let code = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        self.0.insert(text.to_owned(), code);
        code
    }
}
