//! Reads the test files: names become facts of the pack, a case inherits what another one says.

mod replays;
mod series;
mod subject;
mod value;

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use super::{Case, Expected, Suite, invariants::Invariant, replays::Replay, series::Series};
use crate::rules::{
    diagnostic::{Code, Diagnostic, Place, Sink, nearest},
    graph::FactId,
    pack::Pack,
    value::Value,
    yaml::{self, Fields, Node},
};
use subject::Subject;

/// Cases that all files of a pack may have, the rows of tables among them.
const MAX_CASES: usize = 20_000;
/// Cases that may be like each other in a row.
const MAX_LIKE: usize = 20;

/// Reads every test file of a pack.
pub(super) fn read(pack: &Pack, sink: &Sink) -> Suite {
    let reader = Reader { pack, sink };
    let files: Vec<File> = pack.source.tests.iter().filter_map(|(file, text)| reader.file(&yaml::parse(file, text, sink)?)).collect();
    let mut names: HashMap<&str, (usize, usize)> = HashMap::new();
    for (index, file) in files.iter().enumerate() {
        for (case, raw) in file.cases.iter().enumerate() {
            if names.insert(&raw.name, (index, case)).is_some() {
                let fault = Diagnostic::error(Code::DuplicateKey, raw.place.clone(), format!("two cases are called \"{}\"", raw.name));
                sink.report(fault.with_help("give one of them another name: `like` and filters find a case by it"));
            }
        }
    }
    let library = Library { reader: &reader, files: &files, names: &names };
    let mut suite = Suite::default();
    for (index, file) in files.iter().enumerate() {
        for (position, raw) in file.cases.iter().enumerate() {
            // each case holds a copy of what it is given
            if suite.cases.len() + raw.rows.as_ref().map_or(1, Vec::len) > MAX_CASES {
                let fault =
                    Diagnostic::error(Code::TooLarge, raw.place.clone(), format!("the test files have more than {MAX_CASES} cases"));
                sink.report(fault.with_help("a table needs a row for each side of a threshold, not for each value"));
                return suite;
            }
            if let Some(setting) = library.setting(index, position, &mut Vec::new()) {
                raw.cases(&reader, &setting, &mut suite.cases);
            }
        }
    }
    for file in files {
        suite.series.extend(file.series);
        suite.replays.extend(file.replays);
        suite.invariants.extend(file.invariants);
    }
    suite
}

/// Knows the names of the pack.
pub(super) struct Reader<'a> {
    pub pack: &'a Pack,
    pub sink: &'a Sink,
}

/// What a case, or the head of a file, states.
#[derive(Debug, Clone, Default)]
struct Setting {
    as_of: Option<NaiveDate>,
    regime: Option<Value>,
    subject: Subject,
    given: BTreeMap<FactId, Value>,
}

impl Setting {
    /// This one, and what `base` says beside it.
    fn over(&self, base: &Self) -> Self {
        let mut given = base.given.clone();
        given.extend(self.given.iter().map(|(fact, value)| (*fact, value.clone())));
        Self {
            as_of: self.as_of.or(base.as_of),
            regime: self.regime.clone().or_else(|| base.regime.clone()),
            subject: self.subject.over(&base.subject),
            given,
        }
    }
}

/// The name of a case, and where it is mentioned.
type Like = (String, Place);

struct File {
    like: Option<Like>,
    setting: Setting,
    cases: Vec<Raw>,
    series: Vec<Series>,
    replays: Vec<Replay>,
    invariants: Vec<Invariant>,
}

/// A case as it is written.
struct Raw {
    name: String,
    place: Place,
    like: Option<Like>,
    setting: Setting,
    expected: Vec<Expected>,
    rows: Option<Vec<Row>>,
}

/// A row of a table: what it gives and expects beside the case's own.
struct Row {
    place: Place,
    setting: Setting,
    expected: Vec<Expected>,
}

/// All cases, for `like`.
struct Library<'a> {
    reader: &'a Reader<'a>,
    files: &'a [File],
    names: &'a HashMap<&'a str, (usize, usize)>,
}

impl Library<'_> {
    /// What a case states, with everything that it inherits: from the case that it is like, else from its file.
    fn setting(&self, file: usize, case: usize, path: &mut Vec<(usize, usize)>) -> Option<Setting> {
        let (head, raw) = (&self.files[file], &self.files[file].cases[case]);
        if path.contains(&(file, case)) {
            let fault = Diagnostic::error(Code::Cycle, raw.place.clone(), format!("\"{}\" is like a case that is like it", raw.name));
            self.reader.sink.report(fault.with_help("let one of them say everything itself"));
            return None;
        }
        if path.len() >= MAX_LIKE {
            let message = format!("\"{}\" is the end of more than {MAX_LIKE} cases each like the next", raw.name);
            self.reader.sink.report(Diagnostic::error(Code::TooLarge, raw.place.clone(), message).with_help("let all be like the first"));
            return None;
        }
        path.push((file, case));
        if let Some(like) = &raw.like {
            let (file, case) = self.find(like)?;
            return Some(raw.setting.over(&self.setting(file, case, path)?));
        }
        let own = raw.setting.over(&head.setting);
        match &head.like {
            // a file may be like one of its own cases; that one stands for itself
            Some(like) => match self.find(like)? {
                found if found == (file, case) => Some(own),
                (file, case) => Some(own.over(&self.setting(file, case, path)?)),
            },
            None => Some(own),
        }
    }

    fn find(&self, (name, place): &Like) -> Option<(usize, usize)> {
        let found = self.names.get(name.as_str()).copied();
        if found.is_none() {
            let fault = Diagnostic::error(Code::BadValue, place.clone(), format!("no case is called \"{name}\""));
            self.reader.sink.report(match nearest(name, self.names.keys().copied()) {
                Some(near) => fault.with_help(format!("did you mean \"{near}\"?")),
                None => fault.with_help("`like` names another case, by the whole of its `name`"),
            });
        }
        found
    }
}

impl Reader<'_> {
    fn file(&self, root: &Node) -> Option<File> {
        let fields = root.fields(self.sink, "a test file")?;
        fields.optional_text("doc");
        let like = like(&fields);
        let setting = self.setting(&fields);
        let items = fields.optional("cases").and_then(|node| node.items(self.sink, "cases")).unwrap_or_default();
        let cases = items.iter().filter_map(|item| self.case(item)).collect();
        let items = fields.optional("series").and_then(|node| node.items(self.sink, "series")).unwrap_or_default();
        let series = items.iter().filter_map(|item| self.series(item, &setting)).collect();
        let items = fields.optional("replays").and_then(|node| node.items(self.sink, "replays")).unwrap_or_default();
        let replays = items.iter().filter_map(|item| self.replay(item, &setting)).collect();
        let items = fields.optional("invariants").and_then(|node| node.items(self.sink, "invariants")).unwrap_or_default();
        let invariants = items.iter().filter_map(|item| Invariant::read(self.pack, item, self.sink)).collect();
        fields.finish();
        Some(File { like, setting, cases, series, replays, invariants })
    }

    fn case(&self, node: &Node) -> Option<Raw> {
        let fields = node.fields(self.sink, "a case")?;
        let name = fields.required_text("name");
        fields.optional_text("doc");
        let (like, setting) = (like(&fields), self.setting(&fields));
        let expected = fields.optional("expect").and_then(|node| self.expectations(node)).unwrap_or_default();
        let rows = fields.optional("table").and_then(|node| self.table(node));
        let asks = fields.optional("expect").is_some() || fields.optional("table").is_some();
        fields.finish();
        if !asks {
            let fault = Diagnostic::error(Code::MissingKey, fields.place.clone(), "the case expects nothing");
            self.sink.report(fault.with_help("add `expect: { fact: value }`, or a `table:` of given and expected facts"));
        }
        let place = fields.required("name").map_or(fields.place, |node| &node.place).clone();
        Some(Raw { name: name?.to_owned(), place, like, setting, expected, rows })
    }

    fn setting(&self, fields: &Fields<'_>) -> Setting {
        let as_of = fields.optional("as_of").and_then(|node| node.date(self.sink, "as_of"));
        let regime = fields.optional("regime").and_then(|node| self.regime(node));
        let given = fields.optional("given").and_then(|node| node.fields(self.sink, "given"));
        let given = given.map(|given| {
            let entries = given.entries().iter();
            entries
                .filter_map(|(key, node)| Some((self.given_fact(&key.name, &key.place)?, node)))
                .filter_map(|(fact, node)| Some((fact, self.given_value(fact, node)?)))
                .collect()
        });
        Setting { as_of, regime, subject: Subject::read(fields), given: given.unwrap_or_default() }
    }

    /// `given` and `expect` name the columns; each row has a value for each.
    fn table(&self, node: &Node) -> Option<Vec<Row>> {
        let fields = node.fields(self.sink, "table")?;
        let names = |list: Option<&Node>, what: &str| -> Vec<(String, Place)> {
            let items = list.and_then(|node| node.items(self.sink, what)).unwrap_or_default();
            items.iter().filter_map(|node| Some((node.text(self.sink, "a column")?.to_owned(), node.place.clone()))).collect()
        };
        let given = names(fields.required("given"), "given");
        let expected = names(fields.required("expect"), "expect");
        let given: Vec<Option<Column>> = given.iter().map(|(name, place)| self.column(name, place)).collect();
        let expected: Vec<_> = expected.iter().map(|(name, place)| self.what(name, place)).collect();
        let rows = fields.required("rows").and_then(|node| node.items(self.sink, "rows")).unwrap_or_default();
        fields.finish();
        let rows = rows.iter().filter_map(|row| {
            let cells = row.items(self.sink, "a row")?;
            let columns = given.len() + expected.len();
            if cells.len() != columns {
                let fault = Diagnostic::error(
                    Code::WrongShape,
                    row.place.clone(),
                    format!("the row has {} values, but the table has {columns} columns", cells.len()),
                );
                self.sink.report(fault.with_help("write a value for each name of `given`, then for each of `expect`"));
                return None;
            }
            let mut setting = Setting::default();
            let (first, rest) = cells.split_at(given.len());
            for (column, cell) in given.iter().zip(first) {
                match column {
                    Some(Column::AsOf) => setting.as_of = cell.date(self.sink, "as_of"),
                    Some(Column::Regime) => setting.regime = self.regime(cell),
                    Some(Column::Fact(fact)) => setting.given.extend(self.given_value(*fact, cell).map(|value| (*fact, value))),
                    None => {}
                }
            }
            let expected = expected.iter().zip(rest).filter_map(|(what, cell)| self.expected((*what)?, cell)).collect();
            Some(Row { place: row.place.clone(), setting, expected })
        });
        Some(rows.collect())
    }

    fn column(&self, name: &str, place: &Place) -> Option<Column> {
        Some(match name {
            "as_of" => Column::AsOf,
            "regime" => Column::Regime,
            name => Column::Fact(self.given_fact(name, place)?),
        })
    }
}

/// What a column of a table gives.
#[derive(Clone, Copy)]
enum Column {
    AsOf,
    Regime,
    Fact(FactId),
}

fn like(fields: &Fields<'_>) -> Option<Like> {
    let node = fields.optional("like")?;
    Some((node.text(fields.sink, "like")?.to_owned(), node.place.clone()))
}

impl Raw {
    /// The case itself, and each row of its table.
    fn cases(&self, reader: &Reader<'_>, setting: &Setting, cases: &mut Vec<Case>) {
        if self.rows.is_none() {
            cases.extend(case(reader, self.name.clone(), &self.place, setting, &self.expected));
        }
        for (index, row) in self.rows.iter().flatten().enumerate() {
            let name = format!("{} (row {})", self.name, index + 1);
            let expected: Vec<Expected> = row.expected.iter().chain(&self.expected).cloned().collect();
            cases.extend(case(reader, name, &row.place, &row.setting.over(setting), &expected));
        }
    }
}

fn case(reader: &Reader<'_>, name: String, place: &Place, setting: &Setting, expected: &[Expected]) -> Option<Case> {
    let Some(as_of) = setting.as_of else {
        let fault = Diagnostic::error(Code::MissingKey, place.clone(), format!("\"{name}\" does not say which day it is"));
        reader.sink.report(fault.with_help("add `as_of: 2026-05-01` to the case or to the head of the file: figures are dated"));
        return None;
    };
    let graph = &reader.pack.graph;
    let mut given = setting.subject.facts(reader, place, as_of, &setting.given)?;
    given.extend(graph.id("date").map(|date| (date, Value::Date(as_of))));
    given.extend(graph.id("customs_regime").zip(setting.regime.clone()));
    given.extend(setting.given.iter().map(|(fact, value)| (*fact, value.clone())));
    Some(Case { name, place: place.clone(), as_of, given: given.into_iter().collect(), expected: expected.to_vec() })
}
