//! Discord's Markdown: every letter that could mean something is escaped, and nobody is called by name.

use crate::domain::message::Span;

pub fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len() + 8), |mut safe, letter| {
        if "\\*_~`|>#-+[]()<@:!.".contains(letter) {
            safe.push('\\');
        }
        safe.push(letter);
        safe
    })
}

/// A bracket would end the link, and Discord knows no escape there.
fn escaped_url(url: &str) -> String {
    url.replace('(', "%28").replace(')', "%29").replace('<', "%3C").replace('>', "%3E")
}

pub fn formed(span: &Span) -> String {
    match span {
        Span::Plain(text) => escaped(text),
        Span::Strong(text) => format!("**{}**", escaped(text)),
        Span::Link { text, url } => format!("[{}]({})", escaped(text), escaped_url(url)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_calls_nobody_and_ends_no_link() {
        assert_eq!(formed(&Span::Plain("@everyone <@1> **x**".into())), "\\@everyone \\<\\@1\\> \\*\\*x\\*\\*");
        let span = Span::Link { text: "a](b".into(), url: "https://x.example/a)b(c".into() };
        assert_eq!(formed(&span), "[a\\]\\(b](https://x.example/a%29b%28c)");
    }
}
