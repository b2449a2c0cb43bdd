//! Telegram's `MarkdownV2`: every letter that could mean something is escaped.

use crate::domain::message::Span;

/// A backslash before each letter of Telegram's list, and before the backslash itself.
pub fn escaped(text: &str) -> String {
    marked(text, |letter| "_*[]()~`>#+-=|{}.!\\".contains(letter))
}

/// Inside the brackets of a link only these two end it.
fn escaped_url(url: &str) -> String {
    marked(url, |letter| matches!(letter, ')' | '\\'))
}

fn marked(text: &str, special: impl Fn(char) -> bool) -> String {
    text.chars().fold(String::with_capacity(text.len() + 8), |mut safe, letter| {
        if special(letter) {
            safe.push('\\');
        }
        safe.push(letter);
        safe
    })
}

pub fn formed(span: &Span) -> String {
    match span {
        Span::Plain(text) => escaped(text),
        Span::Strong(text) => format!("*{}*", escaped(text)),
        Span::Link { text, url } => format!("[{}]({})", escaped(text), escaped_url(url)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_link_stays_one_link() {
        let span = Span::Link { text: "a](b".into(), url: "https://x.example/a)b\\".into() };
        assert_eq!(formed(&span), "[a\\]\\(b](https://x.example/a\\)b\\\\)");
    }
}
