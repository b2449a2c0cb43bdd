//! Names that files with errors would have defined: nobody is told twice that they are missing.

use std::collections::BTreeSet;

use super::{
    diagnostic::{Code, Sink},
    params,
    source::PackSource,
};

/// What the files with errors would have defined, as far as their text tells.
#[derive(Debug, Default)]
pub struct Broken {
    /// A file could not even be read, so it may define anything.
    all: bool,
    names: BTreeSet<String>,
}

impl Broken {
    /// Looks at the files that have errors so far.
    pub fn of(source: &PackSource, sink: &Sink) -> Self {
        let mut broken = Self { all: sink.has(Code::UnreadableFile), names: BTreeSet::new() };
        for file in sink.faulty_files() {
            let Some(text) = source.files.get(&file) else { continue };
            if file.starts_with("facts/") {
                broken.names.extend(words(text, "fn ", "("));
            } else {
                let prefix = if file.starts_with("params/") { format!("{}_", params::stem(&file)) } else { String::new() };
                broken.names.extend(keys(text).map(|key| format!("{prefix}{key}")));
            }
        }
        broken
    }

    /// Whether a name that nobody defines may stand in one of the files.
    pub fn may_define(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }
}

/// Words between two texts.
fn words<'a>(text: &'a str, before: &'static str, after: &'static str) -> impl Iterator<Item = String> + 'a {
    text.split(before).skip(1).filter_map(move |rest| Some(rest.split_once(after)?.0.trim().to_owned()))
}

/// Words before a colon.
fn keys(text: &str) -> impl Iterator<Item = &str> {
    text.split(':').filter_map(|before| {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        before.rsplit(|letter| !is_word(letter)).next().filter(|word| !word.is_empty())
    })
}
