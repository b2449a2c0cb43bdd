//! Lays lines into parts that a platform takes. A line goes whole where it fits, else span by span, else letter by letter.

use crate::domain::message::{Line, Span};

/// How much a part may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// UTF-16 units, which is how both platforms count at most.
    pub length: usize,
    /// Spans with a form of their own.
    pub formed: usize,
}

/// The parts, each a text. `form` gives a span its form; a link that no part can hold is written as plain text.
pub fn lay(lines: &[Line], limits: Limits, form: &dyn Fn(&Span) -> String) -> Vec<String> {
    let mut parts = Parts { limits, done: Vec::new(), text: String::new(), length: 0, formed: 0 };
    for line in lines {
        let formed: Vec<Piece> = line.iter().map(|span| Piece::of(span, form)).collect();
        let length: usize = formed.iter().map(|piece| piece.length).sum();
        let forms: usize = formed.iter().map(|piece| piece.formed).sum();
        let is_first = parts.text.is_empty();
        // a line that fits no part begins where it is, one that fits a new part begins that
        if length <= limits.length && forms <= limits.formed && !parts.holds(length + usize::from(!is_first), forms) {
            parts.turn();
        }
        if !parts.holds(1, 0) {
            parts.turn();
        }
        if !parts.text.is_empty() {
            parts.add("\n", 1, 0);
        }
        for (piece, span) in formed.into_iter().zip(line) {
            parts.put(&piece, span, form);
        }
    }
    parts.turn();
    parts.done
}

struct Piece {
    text: String,
    length: usize,
    formed: usize,
}

impl Piece {
    fn of(span: &Span, form: &dyn Fn(&Span) -> String) -> Self {
        let text = form(span);
        Self { length: units(&text), formed: usize::from(!matches!(span, Span::Plain(_))), text }
    }
}

struct Parts {
    limits: Limits,
    done: Vec<String>,
    text: String,
    length: usize,
    formed: usize,
}

impl Parts {
    fn holds(&self, length: usize, formed: usize) -> bool {
        self.length + length <= self.limits.length && self.formed + formed <= self.limits.formed
    }

    fn add(&mut self, text: &str, length: usize, formed: usize) {
        self.text.push_str(text);
        self.length += length;
        self.formed += formed;
    }

    fn turn(&mut self) {
        let text = std::mem::take(&mut self.text);
        (self.length, self.formed) = (0, 0);
        // a part of blanks is refused everywhere
        if !text.trim().is_empty() {
            self.done.push(text);
        }
    }

    fn put(&mut self, piece: &Piece, span: &Span, form: &dyn Fn(&Span) -> String) {
        if !self.holds(piece.length, piece.formed) && piece.length <= self.limits.length {
            self.turn();
        }
        if self.holds(piece.length, piece.formed) {
            return self.add(&piece.text, piece.length, piece.formed);
        }
        let (Span::Plain(words) | Span::Strong(words) | Span::Link { text: words, .. }) = span;
        for letter in words.chars() {
            let letter = Piece::of(&Span::Plain(letter.to_string()), form);
            if !self.holds(letter.length, 0) {
                self.turn();
            }
            self.add(&letter.text, letter.length, 0);
        }
    }
}

/// A text's length in UTF-16 units.
pub fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Line {
        vec![Span::Plain(text.to_owned())]
    }

    fn show(span: &Span) -> String {
        match span {
            Span::Plain(text) => text.replace('.', "\\."),
            Span::Strong(text) => format!("*{text}*"),
            Span::Link { text, url } => format!("[{text}]({url})"),
        }
    }

    #[test]
    fn whole_lines_go_together_as_long_as_they_fit() {
        let limits = Limits { length: 7, formed: 9 };
        let parts = lay(&[plain("abc"), plain("def"), plain("ghi"), plain("12.45")], limits, &show);
        assert_eq!(parts, ["abc\ndef", "ghi", "12\\.45"]);
    }

    #[test]
    fn a_line_that_is_too_long_is_split_and_no_letter_of_it_is_lost_nor_its_escape() {
        let limits = Limits { length: 5, formed: 9 };
        let long = "ab......cdefgh\u{1F600}\u{1F600}\u{1F600}";
        let parts = lay(&[plain(long)], limits, &show);
        assert!(parts.iter().all(|part| units(part) <= 5 && !part.ends_with('\\')), "{parts:?}");
        assert_eq!(parts.concat().replace('\\', ""), long);
    }

    #[test]
    fn forms_are_counted_and_a_link_that_fits_nowhere_becomes_plain() {
        let link = |url: &str| Span::Link { text: "x".into(), url: url.into() };
        let parts = lay(&[vec![link("u"), link("u"), link("u")]], Limits { length: 90, formed: 2 }, &show);
        assert_eq!(parts, ["[x](u)[x](u)", "[x](u)"]);
        let parts = lay(&[vec![link(&"u".repeat(99))]], Limits { length: 90, formed: 2 }, &show);
        assert_eq!(parts, ["x"]);
    }
}
