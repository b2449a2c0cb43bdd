//! What can be wrong with a rule pack: a stable code, the place, a sentence, and what to do.

mod code;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::Serialize;

pub use code::Code;

/// A stretch of one line; lines and columns count from 1, line 0 stands for the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
pub struct Span {
    pub line: usize,
    pub column: usize,
    pub length: usize,
}

/// A file of the pack and a stretch in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// Relative to the pack's root, with forward slashes.
    pub file: Arc<str>,
    #[serde(flatten)]
    pub span: Span,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.span.column),
        }
    }
}

/// Whether a pack with this diagnostic may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Error,
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    #[serde(flatten)]
    pub place: Place,
    /// A lower-case fragment.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The faulty line's text, for display; of a long line, what stands around the fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
    /// Letters that the snippet leaves out before it begins.
    #[serde(skip)]
    pub cut: usize,
}

impl Diagnostic {
    /// A finding of the code's own severity.
    pub fn new(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { code, severity: code.severity(), place, message: message.into(), help: None, snippet: None, cut: 0 }
    }

    pub fn error(code: Code, place: Place, message: impl Into<String>) -> Self {
        Self { severity: Severity::Error, ..Self::new(code, place, message) }
    }

    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(f, "{severity}[{}]: {}", self.code.as_str(), self.message)?;
        let margin = self.place.span.line.to_string().len();
        write!(f, "{:margin$}--> {}", "", self.place)?;
        if let Some(snippet) = &self.snippet {
            let dots = usize::from(self.cut > 0);
            let before = self.place.span.column.saturating_sub(1 + self.cut) + dots;
            // a tab before the caret stays a tab, so that both lines indent alike
            let indent: String = snippet.chars().take(before).map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
            write!(
                f,
                "\n{:margin$} |\n{} | {snippet}\n{:margin$} | {indent}{}",
                "",
                self.place.span.line,
                "",
                "^".repeat(self.place.span.length.max(1))
            )?;
        }
        if let Some(help) = &self.help {
            write!(f, "\n{:margin$} = help: {help}", "")?;
        }
        Ok(())
    }
}

/// Everything that is wrong with a pack, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Two lists as one, in the order of the files.
    #[must_use]
    pub fn with(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self.0.sort_by(order);
        self
    }

    pub fn has_errors(&self) -> bool {
        self.errors().next().is_some()
    }

    /// What keeps the pack from loading.
    pub fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }
}

/// Warnings of one kind beyond which each is told on one line, and once what to do: a page of them would bury the rest.
const MOST_ALIKE: usize = 3;

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut alike: BTreeMap<Code, Vec<&Diagnostic>> = BTreeMap::new();
        for warning in self.0.iter().filter(|found| found.severity == Severity::Warning) {
            alike.entry(warning.code).or_default().push(warning);
        }
        alike.retain(|_, warnings| warnings.len() > MOST_ALIKE);
        for (code, warnings) in &alike {
            writeln!(f, "warning[{}]: in {} places, {}", code.as_str(), warnings.len(), code.description())?;
            for warning in warnings {
                writeln!(f, " --> {}: {}", warning.place, warning.message)?;
            }
            if let Some(help) = warnings.iter().find_map(|warning| warning.help.as_ref()) {
                writeln!(f, "  = help: {help}")?;
            }
            writeln!(f)?;
        }
        let told = |found: &&Diagnostic| found.severity == Severity::Warning && alike.contains_key(&found.code);
        for diagnostic in self.0.iter().filter(|found| !told(found)) {
            writeln!(f, "{diagnostic}\n")?;
        }
        let errors = self.errors().count();
        let plural = |count: usize, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
        write!(f, "{}, {}", plural(errors, "error"), plural(self.0.len() - errors, "warning"))
    }
}

impl std::error::Error for Diagnostics {}

/// Findings beyond which nobody reads on; a flood must not fill the memory.
const MAX_FINDINGS: usize = 500;
/// Letters of a message; names and values come from files and may be of any length.
const MAX_LETTERS: usize = 400;

/// Letters of a line that are shown; rows of tables are long.
const MAX_SNIPPET: usize = 160;

/// Collects findings while a pack is read, so that one fault does not hide the next.
#[derive(Debug, Default)]
pub struct Sink(RefCell<Vec<Diagnostic>>);

impl Sink {
    pub fn report(&self, mut diagnostic: Diagnostic) {
        let mut found = self.0.borrow_mut();
        // errors and warnings apart: a flood of warnings must not hide an error
        if found.iter().filter(|earlier| earlier.severity == diagnostic.severity).count() < MAX_FINDINGS {
            diagnostic.message = shown(&diagnostic.message, MAX_LETTERS);
            diagnostic.help = diagnostic.help.map(|help| shown(&help, MAX_LETTERS));
            found.push(diagnostic);
        }
    }

    /// Whether there is no room for another error: who searches for one at a cost may stop.
    pub fn is_full(&self) -> bool {
        self.0.borrow().iter().filter(|found| found.severity == Severity::Error).count() >= MAX_FINDINGS
    }

    pub fn error(&self, code: Code, place: &Place, message: impl Into<String>) {
        self.report(Diagnostic::error(code, place.clone(), message));
    }

    /// Whether anything so far refuses the pack.
    pub fn has_errors(&self) -> bool {
        self.0.borrow().iter().any(|found| found.severity == Severity::Error)
    }

    /// The files with errors so far.
    pub fn faulty_files(&self) -> BTreeSet<Arc<str>> {
        self.0.borrow().iter().filter(|found| found.severity == Severity::Error).map(|found| found.place.file.clone()).collect()
    }

    /// Whether a code was reported so far.
    pub fn has(&self, code: Code) -> bool {
        self.0.borrow().iter().any(|found| found.code == code)
    }

    /// The findings by file and line, each once, with the text of its line.
    pub fn finish<'s>(self, line_of: impl Fn(&str, usize) -> Option<&'s str>) -> Diagnostics {
        let full = self.is_full();
        let mut found = self.0.into_inner();
        found.sort_by(order);
        found.dedup();
        if full && let Some(last) = found.last().cloned() {
            let message = format!("more than {MAX_FINDINGS} findings: mend these first");
            found.push(Diagnostic { message, help: None, ..Diagnostic::error(Code::TooLarge, last.place, "") });
        }
        for diagnostic in &mut found {
            if diagnostic.place.span.line > 0 {
                let Some(line) = line_of(&diagnostic.place.file, diagnostic.place.span.line) else { continue };
                let Span { column, length, .. } = diagnostic.place.span;
                // a caret beyond the text that is shown would point at nothing
                if column.saturating_add(length) > MAX_SNIPPET {
                    diagnostic.cut = column.saturating_sub(MAX_SNIPPET / 2);
                }
                let rest = line.char_indices().nth(diagnostic.cut).map_or("", |(start, _)| &line[start..]);
                let dots = if diagnostic.cut > 0 { "…" } else { "" };
                diagnostic.snippet = Some(format!("{dots}{}", shown(rest, MAX_SNIPPET)));
            }
        }
        for diagnostic in found.iter_mut().filter(|diagnostic| diagnostic.help.is_none()) {
            let code = diagnostic.code.as_str();
            diagnostic.help = Some(format!("`tcg-radar rules check --explain {code}` shows how it is mended"));
        }
        Diagnostics(found)
    }
}

/// A text as it may be shown: not endless, and without control characters, which could steer a terminal.
fn shown(text: &str, letters: usize) -> String {
    let mut shown: String = text
        .chars()
        .take(letters)
        .map(|letter| if letter.is_control() && letter != '\t' || is_invisible(letter) { '\u{fffd}' } else { letter })
        .collect();
    if text.chars().nth(letters).is_some() {
        shown.push('…');
    }
    shown
}

/// Letters that turn the reading direction or take no room, so that a text looks like another.
const fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Names longer than this have no neighbour; the distance costs time and memory by the product of both lengths.
const MAX_COMPARED: usize = 64;

fn order(left: &Diagnostic, right: &Diagnostic) -> std::cmp::Ordering {
    (&left.place, left.code, &left.message).cmp(&(&right.place, right.code, &right.message))
}

/// "did you mean": the known name nearest to a mistyped one.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > MAX_COMPARED {
        return None;
    }
    let limit = (name.chars().count() / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| candidate.len() <= MAX_COMPARED)
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caret_stands_under_the_fault() {
        let place = Place { file: "facts/buy.rhai".into(), span: Span { line: 12, column: 9, length: 3 } };
        let mut diagnostic = Diagnostic::error(Code::UnknownFact, place, "no fact is called buy_pirce").with_help("did you mean buy_price");
        diagnostic.snippet = Some("fn cost(buy_pirce) {".into());
        let text = diagnostic.to_string();
        assert_eq!(
            text,
            "error[unknown-fact]: no fact is called buy_pirce\n  --> facts/buy.rhai:12:9\n   |\n12 | fn cost(buy_pirce) {\n   |         ^^^\n   = help: did you mean buy_price"
        );
    }

    #[test]
    fn of_a_long_line_the_part_around_the_fault_is_shown() {
        let sink = Sink::default();
        let line = format!("{} valu: \"1\" }}", "é".repeat(300));
        sink.error(Code::UnknownKey, &Place { file: "a.yaml".into(), span: Span { line: 1, column: 302, length: 4 } }, "x");
        let text = sink.finish(|_, _| Some(&line)).to_string();
        let lines: Vec<&str> = text.lines().collect();
        let caret = lines[4].chars().position(|letter| letter == '^').unwrap_or_default();
        let under: String = lines[3].chars().skip(caret).take(4).collect();
        assert_eq!((under.as_str(), lines[3].chars().nth(4)), ("valu", Some('…')));
    }

    #[test]
    fn a_flood_of_findings_ends_and_no_text_steers_the_terminal() {
        let sink = Sink::default();
        for line in 1..10_000 {
            let place = Place { file: "facts/a.rhai".into(), span: Span { line, column: 1, length: 1 } };
            sink.error(Code::UnknownFact, &place, format!("{}\u{1b}[2J\u{202e}{}", line, "x".repeat(10_000)));
        }
        assert!(sink.is_full());
        let found = sink.finish(|_, _| Some("\u{7}\u{7}\u{7}")).0;
        assert_eq!(found.len(), MAX_FINDINGS + 1);
        assert_eq!(found.last().map(|last| last.code), Some(Code::TooLarge));
        let letters = found.iter().flat_map(|fault| fault.message.chars().chain(fault.snippet.iter().flat_map(|text| text.chars())));
        assert!(letters.clone().all(|letter| !letter.is_control() && letter != '\u{202e}'));
        assert!(found.iter().all(|fault| fault.message.chars().count() <= MAX_LETTERS + 1));
    }

    #[test]
    fn many_warnings_of_one_kind_are_told_in_short_and_before_what_else_is_wrong() {
        let sink = Sink::default();
        let place = |line: usize| Place { file: "a.yaml".into(), span: Span { line, column: 1, length: 1 } };
        sink.error(Code::UnknownFact, &place(1), "no fact is called \"x\"");
        for line in 2..6 {
            sink.report(Diagnostic::new(Code::UnreadFact, place(line), format!("nobody reads \"y{line}\"")).with_help("delete it"));
        }
        let text = sink.finish(|_, _| Some("line")).to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "warning[unread-fact]: in 4 places, nobody reads a fact, and pack.yaml does not name it");
        assert_eq!(
            (lines[1], lines[5], lines[7]),
            (" --> a.yaml:2:1: nobody reads \"y2\"", "  = help: delete it", "error[unknown-fact]: no fact is called \"x\"")
        );
        assert_eq!(lines.last(), Some(&"1 error, 4 warnings"));
    }

    #[test]
    fn the_nearest_name_is_offered_only_if_it_is_near() {
        assert_eq!(nearest("net_proft", ["net_profit", "velocity"]), Some("net_profit"));
        assert_eq!(nearest("foo", ["net_profit", "velocity"]), None);
    }
}
