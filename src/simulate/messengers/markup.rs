//! Reads `MarkdownV2` as Telegram does: what a reader sees, or why Telegram refuses it.

/// A text without its markup, with the links in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Read {
    pub text: String,
    pub links: Vec<String>,
    /// Stretches with a form.
    pub entities: usize,
}

/// Letters that must be escaped where they are no markup.
const RESERVED: &str = "_*[]()~`>#+-=|{}.!";
/// Markup that opens and closes with the same letter.
const PAIRED: &str = "*_~";

/// Reads a text.
pub fn read(markdown: &str) -> Result<Read, String> {
    let letters: Vec<char> = markdown.chars().collect();
    let mut read = Read::default();
    let mut open: Vec<char> = Vec::new();
    let mut at = 0;
    while let Some(letter) = letters.get(at) {
        match letter {
            '\\' => {
                let escaped = letters.get(at + 1).filter(|next| next.is_ascii() && !next.is_ascii_control() || **next == '\n');
                read.text.push(*escaped.unwrap_or(&'\\'));
                at += if escaped.is_some() { 2 } else { 1 };
                continue;
            }
            mark if PAIRED.contains(*mark) => {
                if open.last() == Some(mark) {
                    open.pop();
                    read.entities += 1;
                } else if open.contains(mark) {
                    return Err(format!("Can't find end of the entity starting at byte offset {at}"));
                } else {
                    open.push(*mark);
                }
            }
            '[' => {
                let (text, behind) = until(&letters, at + 1, ']').ok_or_else(|| unclosed(at))?;
                if letters.get(behind) != Some(&'(') {
                    return Err(reserved('['));
                }
                let (url, behind) = until(&letters, behind + 1, ')').ok_or_else(|| unclosed(at))?;
                read.text.push_str(&text);
                read.links.push(url);
                read.entities += 1;
                at = behind;
                continue;
            }
            letter if RESERVED.contains(*letter) => return Err(reserved(*letter)),
            letter => read.text.push(*letter),
        }
        at += 1;
    }
    if open.is_empty() { Ok(read) } else { Err(unclosed(letters.len())) }
}

fn reserved(letter: char) -> String {
    format!("Character '{letter}' is reserved and must be escaped with the preceding '\\'")
}

fn unclosed(at: usize) -> String {
    format!("Can't find end of the entity starting at byte offset {at}")
}

/// The text up to a letter that is not escaped, and where it goes on behind that.
fn until(letters: &[char], from: usize, end: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut at = from;
    loop {
        match letters.get(at)? {
            '\\' => {
                text.push(*letters.get(at + 1)?);
                at += 2;
            }
            letter if *letter == end => return Some((text, at + 1)),
            letter => {
                text.push(*letter);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use proptest::prelude::*;

    use super::*;
    use crate::notify::telegram::markdown::escaped;

    proptest! {
        #[test]
        fn whatever_is_escaped_is_read_as_it_was(text in "\\PC{0,60}|[-_*\\[\\]()~`>#+=|{}.!\\\\\n a]{0,40}") {
            prop_assert_eq!(read(&escaped(&text)).unwrap(), Read { text, ..Read::default() });
        }
    }

    #[test]
    fn markup_goes_and_what_is_not_escaped_is_refused() {
        let good = read("*Mew\\.* [a\\]b](https://x.example/1\\)\\\\) \\_").unwrap();
        assert_eq!(good, Read { text: "Mew. a]b _".into(), links: vec!["https://x.example/1)\\".into()], entities: 2 });
        assert!(read("1.5").unwrap_err().contains("'.' is reserved"));
        assert!(read("*open").is_err());
        assert!(read("[a](b").is_err());
    }
}
