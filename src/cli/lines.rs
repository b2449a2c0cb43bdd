//! Lines of any input, each at most so long: one line without an end must not fill the memory.

use std::io::{self, BufRead, Read};

/// A line, without its end.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    Text(Vec<u8>),
    /// It was read to its end and thrown away.
    TooLong,
}

/// Splits an input into lines of at most `longest` bytes.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    longest: usize,
}

impl<R: BufRead> Lines<R> {
    pub const fn new(input: R, longest: usize) -> Self {
        Self { input, longest }
    }

    /// Reads on to the line's end, keeping nothing.
    fn skip(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let length = end.map_or(buffer.len(), |position| position + 1);
            self.input.consume(length);
            if end.is_some() || length == 0 {
                return Ok(());
            }
        }
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut text = Vec::new();
        let most = u64::try_from(self.longest).unwrap_or(u64::MAX).saturating_add(1);
        match self.input.by_ref().take(most).read_until(b'\n', &mut text) {
            Err(error) => Some(Err(error)),
            Ok(0) => None,
            Ok(_) if text.last() == Some(&b'\n') => {
                text.pop();
                Some(Ok(Line::Text(text)))
            }
            Ok(_) if text.len() > self.longest => Some(self.skip().map(|()| Line::TooLong)),
            Ok(_) => Some(Ok(Line::Text(text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<Line> {
        Lines::new(io::BufReader::with_capacity(3, text.as_bytes()), 5).map(Result::unwrap).collect()
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_the_next_is_read() {
        let text = |text: &str| Line::Text(text.into());
        assert_eq!(lines("12345\n123456\n\n1234567890\nab"), [text("12345"), Line::TooLong, text(""), Line::TooLong, text("ab")]);
        assert_eq!(lines(""), []);
        assert_eq!(lines("123456"), [Line::TooLong]);
        assert_eq!(lines("12345"), [text("12345")]);
    }
}
