//! YAML with positions: a tree whose every key and value knows its line, column, and whether it was quoted.

use std::{cell::RefCell, collections::BTreeSet, sync::Arc};

use chrono::NaiveDate;
use chrono_tz::Tz;
use rust_decimal::Decimal;
use saphyr_parser::{Event, Parser, ScalarStyle, ScanError};

use super::diagnostic::{Code, Diagnostic, Place, Sink, Span, nearest};
use crate::domain::money::Currency;

/// A YAML value and where it stands.
#[derive(Debug, Clone)]
pub struct Node {
    pub place: Place,
    pub data: Data,
}

#[derive(Debug, Clone)]
pub enum Data {
    Scalar { text: String, quoted: bool },
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// A mapping's key.
#[derive(Debug, Clone)]
pub struct Key {
    pub name: String,
    pub place: Place,
}

/// Nesting that no rule file needs; deeper input is refused before it can exhaust the stack.
const MAX_DEPTH: usize = 16;

/// A longer list or mapping is pointed at by its first letter.
const LONGEST_CARET: usize = 60;

/// Parses one document. Anchors, aliases and tags are refused, so nothing can expand.
pub fn parse(file: &Arc<str>, text: &str, sink: &Sink) -> Option<Node> {
    let mut events = Events { parser: Parser::new_from_str(text), file, depth: 0, end: Span::default() };
    match events.document() {
        Ok(Some(node)) => Some(node),
        Ok(None) => {
            let place = Place { file: file.clone(), span: Span::default() };
            let fault = Diagnostic::error(Code::WrongShape, place, "the file holds nothing");
            sink.report(fault.with_help("write what belongs there, or remove the file"));
            None
        }
        Err(diagnostic) => {
            sink.report(*diagnostic);
            None
        }
    }
}

struct Events<'input> {
    parser: Parser<'input, saphyr_parser::StrInput<'input>>,
    file: &'input Arc<str>,
    depth: usize,
    /// Where the last list or mapping ended.
    end: Span,
}

type Parsed<T> = Result<T, Box<Diagnostic>>;

impl<'input> Events<'input> {
    fn next(&mut self) -> Parsed<Option<(Event<'input>, Place)>> {
        match self.parser.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => {
                let length = if span.start.line() == span.end.line() { span.end.col().saturating_sub(span.start.col()) } else { 1 };
                Ok(Some((event, self.place(span.start.line(), span.start.col() + 1, length))))
            }
            Some(Err(error)) => Err(Box::new(self.syntax(&error))),
        }
    }

    fn place(&self, line: usize, column: usize, length: usize) -> Place {
        Place { file: self.file.clone(), span: Span { line, column, length } }
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let mark = error.marker();
        let help = if error.info().contains("tab") {
            "indent with spaces: YAML takes no tabs"
        } else {
            "look just before this place for a quote or bracket that is not closed, a missing `,` or `: `, or lines that are not indented alike"
        };
        Diagnostic::error(Code::YamlSyntax, self.place(mark.line(), mark.col() + 1, 1), error.info()).with_help(help)
    }

    fn document(&mut self) -> Parsed<Option<Node>> {
        let mut root = None;
        while let Some((event, place)) = self.next()? {
            match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing => {}
                _ if root.is_some() => {
                    return Err(Box::new(Diagnostic::error(Code::YamlSyntax, place, "a rule file holds one document")));
                }
                event => root = Some(self.node(event, place)?),
            }
        }
        Ok(root)
    }

    fn node(&mut self, event: Event<'input>, place: Place) -> Parsed<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Box::new(Diagnostic::error(Code::YamlSyntax, place, format!("nested deeper than {MAX_DEPTH} levels"))));
        }
        let refuse = |place: Place, what: &str| -> Parsed<Node> {
            Err(Box::new(
                Diagnostic::error(Code::YamlFeature, place, format!("{what} are not used in rule files")).with_help("write the value out"),
            ))
        };
        let data = match event {
            Event::Alias(_) => return refuse(place, "aliases"),
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) if anchor > 0 => {
                return refuse(place, "anchors");
            }
            Event::Scalar(_, _, _, Some(_)) | Event::SequenceStart(_, Some(_)) | Event::MappingStart(_, Some(_)) => {
                return refuse(place, "tags");
            }
            Event::Scalar(text, style, ..) => Data::Scalar { text: text.into_owned(), quoted: style != ScalarStyle::Plain },
            Event::SequenceStart(..) => {
                let mut items = Vec::new();
                while let Some((event, place)) = self.next()? {
                    if event == Event::SequenceEnd {
                        self.end = place.span;
                        break;
                    }
                    items.push(self.node(event, place)?);
                }
                Data::Sequence(items)
            }
            Event::MappingStart(..) => Data::Mapping(self.entries()?),
            event => return Err(Box::new(Diagnostic::error(Code::YamlSyntax, place, format!("unexpected {event:?}")))),
        };
        self.depth -= 1;
        let mut place = place;
        if !matches!(data, Data::Scalar { .. }) {
            let length = (self.end.column + self.end.length).saturating_sub(place.span.column);
            let one_line = self.end.line == place.span.line && length <= LONGEST_CARET;
            place.span.length = if one_line { length } else { 1 };
        }
        Ok(Node { place, data })
    }

    fn entries(&mut self) -> Parsed<Vec<(Key, Node)>> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut seen = BTreeSet::new();
        while let Some((event, place)) = self.next()? {
            if event == Event::MappingEnd {
                self.end = place.span;
                break;
            }
            let key = self.node(event, place)?;
            let Data::Scalar { text: name, .. } = key.data else {
                return Err(Box::new(Diagnostic::error(Code::WrongShape, key.place, "a key must be a plain word")));
            };
            if !seen.insert(name.clone()) {
                let fault = Diagnostic::error(Code::DuplicateKey, key.place, format!("\"{name}\" stands here twice"));
                return Err(Box::new(fault.with_help("keep one of the two")));
            }
            let Some((event, place)) = self.next()? else { break };
            entries.push((Key { name, place: key.place }, self.node(event, place)?));
        }
        Ok(entries)
    }
}

impl Node {
    pub fn shape(&self) -> &'static str {
        match self.data {
            Data::Scalar { .. } => "a single value",
            Data::Sequence(_) => "a list",
            Data::Mapping(_) => "a mapping",
        }
    }

    /// The text of a mapping's entry, if there is one.
    pub fn entry(&self, name: &str) -> Option<&str> {
        let Data::Mapping(entries) = &self.data else { return None };
        entries.iter().find(|(key, _)| key.name == name).and_then(|(_, node)| match &node.data {
            Data::Scalar { text, .. } => Some(text.as_str()),
            _ => None,
        })
    }

    /// Where a part of a scalar's text stands, which begins so many bytes into it.
    pub fn within(&self, offset: usize, part: &str) -> Place {
        let Data::Scalar { text, quoted } = &self.data else { return self.place.clone() };
        let before = usize::from(*quoted) + text.get(..offset).map_or(0, |before| before.chars().count());
        let span = Span { column: self.place.span.column + before, length: part.chars().count(), ..self.place.span };
        Place { file: self.place.file.clone(), span }
    }

    fn wrong_shape(&self, sink: &Sink, what: &str, expected: &str) {
        let fault = Diagnostic::error(Code::WrongShape, self.place.clone(), format!("{what} must be {expected}, not {}", self.shape()));
        sink.report(fault.with_help(match expected {
            "a list" => "write it in brackets, such as `[one, other]`",
            "a mapping" => "write it in braces, such as `{ key: value }`",
            _ => "write the value itself, without brackets or braces",
        }));
    }

    /// The text of a scalar, whatever its quotes.
    pub fn text<'a>(&'a self, sink: &Sink, what: &str) -> Option<&'a str> {
        if let Data::Scalar { text, .. } = &self.data {
            return Some(text);
        }
        self.wrong_shape(sink, what, "a single value");
        None
    }

    pub fn items<'a>(&'a self, sink: &Sink, what: &str) -> Option<&'a [Node]> {
        if let Data::Sequence(items) = &self.data {
            return Some(items);
        }
        self.wrong_shape(sink, what, "a list");
        None
    }

    pub fn fields<'a>(&'a self, sink: &'a Sink, what: &str) -> Option<Fields<'a>> {
        if let Data::Mapping(entries) = &self.data {
            return Some(Fields { entries, place: &self.place, sink, read: RefCell::default() });
        }
        self.wrong_shape(sink, what, "a mapping");
        None
    }

    /// A quoted decimal.
    pub fn decimal(&self, sink: &Sink, what: &str) -> Option<Decimal> {
        let Data::Scalar { text, quoted } = &self.data else {
            self.wrong_shape(sink, what, "a quoted number");
            return None;
        };
        let number = Decimal::from_str_exact(text);
        match (number, quoted) {
            (Ok(number), true) => Some(number),
            (Ok(_), false) => {
                let fault = Diagnostic::error(Code::UnquotedNumber, self.place.clone(), format!("{what} is a number without quotes"));
                sink.report(fault.with_help(format!("write \"{text}\": quotes keep the exact decimal")));
                None
            }
            (Err(_), _) => {
                let fault = Diagnostic::error(Code::BadValue, self.place.clone(), format!("{what} \"{text}\" is not a decimal number"));
                let money = text.contains(['€', '$', '£']) || Currency::ALL.iter().any(|currency| text.contains(currency.code()));
                sink.report(fault.with_help(if money {
                    "write the digits alone, such as \"3.50\": the currency stands in `unit:`"
                } else {
                    "write digits with a dot, such as \"0.1075\"; a percentage of 10.75 % is \"0.1075\""
                }));
                None
            }
        }
    }

    pub fn date(&self, sink: &Sink, what: &str) -> Option<NaiveDate> {
        let text = self.text(sink, what)?;
        // chrono would also take 2026-7-1, which does not sort as text
        let date = (text.len() == 10).then(|| text.parse().ok()).flatten();
        if date.is_none() {
            let fault = Diagnostic::error(Code::BadValue, self.place.clone(), format!("{what} \"{text}\" is not a date"));
            sink.report(fault.with_help("write year-month-day, such as 2026-07-01"));
        }
        date
    }

    /// A name of the IANA list.
    pub fn time_zone(&self, sink: &Sink) -> Option<Tz> {
        let name = self.text(sink, "time_zone")?;
        let zone = name.parse().ok();
        if zone.is_none() {
            let near = nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
            let help = near.map_or_else(|| "write a place such as Europe/Brussels".to_owned(), |near| format!("did you mean \"{near}\"?"));
            let fault = Diagnostic::error(Code::BadValue, self.place.clone(), format!("no time zone is called \"{name}\""));
            sink.report(fault.with_help(help));
        }
        zone
    }

    pub fn boolean(&self, sink: &Sink, what: &str) -> Option<bool> {
        match &self.data {
            Data::Scalar { text, quoted: false } if text == "true" => Some(true),
            Data::Scalar { text, quoted: false } if text == "false" => Some(false),
            _ => {
                let fault = Diagnostic::error(Code::BadValue, self.place.clone(), format!("{what} must be true or false"));
                sink.report(fault.with_help("write `true` or `false`, without quotes"));
                None
            }
        }
    }
}

/// A mapping being read; what was never asked for is reported by [`Fields::finish`].
#[derive(Debug)]
pub struct Fields<'a> {
    entries: &'a [(Key, Node)],
    pub place: &'a Place,
    pub sink: &'a Sink,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Fields<'a> {
    pub fn optional(&self, name: &str) -> Option<&'a Node> {
        self.read.borrow_mut().insert(name.to_owned());
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    pub fn required(&self, name: &str) -> Option<&'a Node> {
        let node = self.optional(name);
        if node.is_none() {
            let fault = Diagnostic::error(Code::MissingKey, self.place.clone(), format!("\"{name}\" is missing"));
            self.sink.report(fault.with_help(format!("add `{name}: …` here")));
        }
        node
    }

    pub fn required_text(&self, name: &str) -> Option<&'a str> {
        self.required(name)?.text(self.sink, name)
    }

    pub fn optional_text(&self, name: &str) -> Option<&'a str> {
        self.optional(name)?.text(self.sink, name)
    }

    /// All entries, in the order of the file.
    pub const fn entries(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// Reports the keys that nobody has read.
    pub fn finish(&self) {
        let read = self.read.borrow();
        for (key, _) in self.entries.iter().filter(|(key, _)| !read.contains(&key.name)) {
            let fault = Diagnostic::error(Code::UnknownKey, key.place.clone(), format!("nobody reads the key \"{}\"", key.name));
            let known = read.iter().map(String::as_str);
            self.sink.report(match nearest(&key.name, known) {
                Some(name) => fault.with_help(format!("did you mean \"{name}\"?")),
                None => fault.with_help(format!("known keys here: {}", read.iter().cloned().collect::<Vec<_>>().join(", "))),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn check(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
        let sink = Sink::default();
        let node = parse(&"a.yaml".into(), text, &sink);
        (node, sink.finish(|_, _| None).0)
    }

    #[test]
    fn a_value_knows_its_line_and_column() {
        let (node, faults) = check("a:\n  b: \"1.50\"\n");
        assert_eq!(faults, []);
        let sink = Sink::default();
        let node = node.unwrap();
        let b = node.fields(&sink, "it").unwrap().optional("a").unwrap().fields(&sink, "a").unwrap().optional("b").unwrap();
        assert_eq!((b.place.span.line, b.place.span.column), (2, 6));
        assert_eq!(b.decimal(&sink, "b"), Some("1.50".parse().unwrap()));
    }

    #[test]
    fn what_can_expand_is_refused() {
        for text in ["a: &x [1]\nb: *x\n", "a: !!str 1\n", "- &a b\n"] {
            assert_eq!(check(text).1[0].code, Code::YamlFeature, "{text}");
        }
        let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
        assert_eq!(check(&deep).1[0].code, Code::YamlSyntax);
    }

    #[test]
    fn a_duplicate_key_and_broken_yaml_are_located() {
        let (_, faults) = check("a: 1\na: 2\n");
        assert_eq!((faults[0].code, faults[0].place.span.line), (Code::DuplicateKey, 2));
        let (_, faults) = check("a: [1\nb: 2\n");
        assert_eq!(faults[0].code, Code::YamlSyntax);
    }
}
