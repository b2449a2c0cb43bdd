//! Which words can name a fact: those that a formula can take as a parameter and nobody mistakes for another.

use super::sandbox::FUNCTIONS;

/// Letters that a name may have.
const LONGEST: usize = 64;

/// Words of the script language, which no parameter can be called.
const KEYWORDS: &[&str] = &[
    "as",
    "async",
    "await",
    "break",
    "call",
    "case",
    "catch",
    "const",
    "continue",
    "curry",
    "debug",
    "default",
    "do",
    "else",
    "eval",
    "exit",
    "export",
    "false",
    "fn",
    "for",
    "global",
    "go",
    "goto",
    "if",
    "import",
    "in",
    "is",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "let",
    "loop",
    "match",
    "module",
    "new",
    "nil",
    "null",
    "package",
    "print",
    "private",
    "protected",
    "public",
    "return",
    "shared",
    "spawn",
    "static",
    "super",
    "switch",
    "sync",
    "this",
    "thread",
    "throw",
    "true",
    "try",
    "type_of",
    "unless",
    "until",
    "use",
    "val",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// Why a word cannot name a fact, and what to do; `None` if it can.
pub fn fault(name: &str) -> Option<(String, &'static str)> {
    let word = name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && name.bytes().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_');
    if name.len() > LONGEST {
        let start: String = name.chars().take(20).collect();
        return Some((format!("the name \"{start}…\" has more than {LONGEST} letters"), "give it a shorter name"));
    }
    if !word {
        let advice = "write plain small letters, digits and `_`, a letter first, such as `net_profit`";
        // an escaped form shows a letter that only looks like a plain one
        return Some((format!("\"{}\" cannot name a fact", name.escape_default()), advice));
    }
    if FUNCTIONS.iter().any(|(function, ..)| *function == name) {
        return Some((format!("\"{name}\" is a function at hand, which a fact of that name would hide"), "give the fact another name"));
    }
    if name.starts_with("maybe_") {
        let advice = "leave `maybe_` off: it is how a parameter says that the fact may be unknown";
        return Some((format!("no formula could read \"{name}\""), advice));
    }
    KEYWORDS.contains(&name).then(|| (format!("\"{name}\" is a word of the script language"), "give the fact another name"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::facts::INPUTS;

    #[test]
    fn a_name_is_a_word_that_a_formula_can_take_as_a_parameter() {
        for name in ["", "Price", "net profit", "1st", "_x", "n\u{435}t", "a-b", "cents", "maybe_price", "switch", &"a".repeat(65)] {
            assert!(fault(name).is_some(), "{name}");
        }
        for name in ["net_profit", "sales_30d", &"a".repeat(64)] {
            assert_eq!(fault(name), None);
        }
    }

    #[test]
    fn every_input_has_a_name_that_formulas_can_take() {
        for input in INPUTS {
            assert_eq!(fault(input.name), None, "{}", input.name);
        }
    }
}
