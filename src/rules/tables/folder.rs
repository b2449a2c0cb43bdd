//! The folders that supply the rows of tables, one file a schedule or regime, and what no table takes of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::rules::{
    diagnostic::{Code, Diagnostic, Place, Sink, Span, nearest},
    yaml::{Data, Key, Node},
};

/// A row as written: its own fields, then those of its file.
#[derive(Debug, Clone)]
pub struct RawRow {
    fields: Vec<(Key, Node)>,
    /// How many of the fields are its own.
    own: usize,
    place: Place,
}

/// The rows of one folder, such as `fees` or `customs`.
#[derive(Debug, Clone, Default)]
pub struct Folder {
    rows: Vec<RawRow>,
    pub files: Vec<FolderFile>,
    /// A file of the folder has errors.
    pub broken: bool,
}

/// What a folder's file says outside of its rows.
#[derive(Debug, Clone)]
pub struct FolderFile {
    pub file: Arc<str>,
    pub auto_from: Option<chrono::NaiveDate>,
    /// Whose midnight begins that day; UTC where none is named.
    pub time_zone: chrono_tz::Tz,
    /// Scalars that every row inherits.
    pub fields: BTreeMap<String, String>,
}

/// What the tables take of one folder.
#[derive(Debug, Default)]
pub struct Taken {
    /// The row fields that each table reads.
    readers: Vec<BTreeSet<String>>,
    /// For the position of each row that is taken, the tables that do, by their position in `readers`.
    rows: BTreeMap<usize, Vec<usize>>,
    /// By field, what the tables ask for with `where`.
    wanted: BTreeMap<String, BTreeSet<String>>,
}

/// Fields that a row of a folder may have, those of its file among them. All are copied into each row, so that without
/// a bound a file of 1 MB could fill the memory.
const MAX_FIELDS: usize = 64;
/// Rows that a folder may have; every table that reads the folder looks at all.
const MAX_FOLDER_ROWS: usize = 2_000;

impl RawRow {
    /// The row as a mapping.
    pub fn node(&self) -> Node {
        Node { place: self.place.clone(), data: Data::Mapping(self.fields.clone()) }
    }

    fn scalar(&self, field: &str) -> Option<(&Node, &str)> {
        self.fields.iter().find(|(key, _)| key.name == field).and_then(|(_, node)| match &node.data {
            Data::Scalar { text, .. } => Some((node, text.as_str())),
            _ => None,
        })
    }
}

/// Fields of a file that no row inherits.
const ABOUT_FILE: [&str; 4] = ["doc", "rows", "auto_from", "time_zone"];

/// Reads one file of a folder into it.
pub fn read_folder(file: &Arc<str>, root: &Node, sink: &Sink, folder: &mut Folder) {
    let Some(fields) = root.fields(sink, "the file") else { return };
    let auto_from = fields.optional("auto_from").and_then(|node| node.date(sink, "auto_from"));
    let time_zone = fields.optional("time_zone").and_then(|node| node.time_zone(sink)).unwrap_or(chrono_tz::UTC);
    let rows = fields.required("rows").and_then(|node| node.items(sink, "rows")).unwrap_or_default();
    let inherited: Vec<&(Key, Node)> = fields.entries().iter().filter(|(key, _)| !ABOUT_FILE.contains(&key.name.as_str())).collect();
    let texts = inherited.iter().filter_map(|(key, node)| match &node.data {
        Data::Scalar { text, .. } => Some((key.name.clone(), text.clone())),
        _ => None,
    });
    folder.files.push(FolderFile { file: file.clone(), auto_from, time_zone, fields: texts.collect() });
    if folder.rows.len() + rows.len() > MAX_FOLDER_ROWS {
        sink.error(Code::TooLarge, fields.place, format!("the files of this folder have more than {MAX_FOLDER_ROWS} rows"));
        return;
    }
    for row in rows {
        let Data::Mapping(own) = &row.data else {
            let fault = Diagnostic::error(Code::WrongShape, row.place.clone(), "a row must be a mapping");
            sink.report(fault.with_help("write it in braces: `- { key: value, … }`"));
            continue;
        };
        if own.len() + inherited.len() > MAX_FIELDS {
            sink.error(Code::TooLarge, &row.place, format!("a row has more than {MAX_FIELDS} fields, those of its file among them"));
            return;
        }
        let missing = inherited.iter().filter(|(key, _)| !own.iter().any(|(name, _)| name.name == key.name));
        let fields = own.iter().chain(missing.copied()).cloned().collect();
        folder.rows.push(RawRow { fields, own: own.len(), place: row.place.clone() });
    }
}

impl Taken {
    /// The rows that have the wanted texts, noted as taken by a table that reads `fields` of them.
    pub fn take<'f>(
        &mut self,
        folder: &'f Folder,
        wanted: &[(&str, &str)],
        fields: BTreeSet<String>,
    ) -> impl Iterator<Item = &'f RawRow> + use<'f> {
        for (field, text) in wanted {
            self.wanted.entry((*field).to_owned()).or_default().insert((*text).to_owned());
        }
        let reader = self.readers.len();
        self.readers.push(fields);
        let fits = |row: &RawRow| wanted.iter().all(|(field, text)| row.scalar(field).is_some_and(|(_, found)| found == *text));
        let taken: Vec<usize> = (0..folder.rows.len()).filter(|index| fits(&folder.rows[*index])).collect();
        for index in &taken {
            self.rows.entry(*index).or_default().push(reader);
        }
        taken.into_iter().map(|index| &folder.rows[index])
    }

    /// Reports the rows that no table takes, and the fields that none of the tables reads which take the row.
    pub fn report_rest(&self, folder: &Folder, sink: &Sink) {
        let mut inherited: BTreeMap<&Place, (&str, bool)> = BTreeMap::new();
        for (index, row) in folder.rows.iter().enumerate() {
            let Some(readers) = self.rows.get(&index) else {
                self.report_untaken(row, sink);
                continue;
            };
            let is_read = |name: &str| readers.iter().any(|reader| self.readers[*reader].contains(name));
            for (position, (key, _)) in row.fields.iter().enumerate() {
                if position >= row.own {
                    // a file may say something that not all of its rows need
                    inherited.entry(&key.place).or_insert((&key.name, false)).1 |= is_read(&key.name);
                } else if !is_read(&key.name) {
                    let fields = readers.iter().flat_map(|reader| &self.readers[*reader]).map(String::as_str).collect();
                    report_unread(&key.name, &key.place, &fields, sink);
                }
            }
            if sink.is_full() {
                return;
            }
        }
        for (place, (name, _)) in inherited.into_iter().filter(|(_, (_, read))| !read) {
            report_unread(name, place, &self.readers.iter().flatten().map(String::as_str).collect(), sink);
        }
    }

    fn report_untaken(&self, row: &RawRow, sink: &Sink) {
        let told = self.wanted.iter().find_map(|(field, texts)| match row.scalar(field) {
            None => Some((Code::MissingKey, &row.place, format!("no table takes this row: it has no `{field}`"), field, None)),
            Some((node, text)) if !texts.contains(text) => {
                let near = nearest(text, texts.iter().map(String::as_str));
                Some((Code::BadValue, &node.place, format!("no table takes a row whose {field} is \"{text}\""), field, near))
            }
            Some(_) => None,
        });
        sink.report(match told {
            Some((code, place, message, _, Some(near))) => {
                Diagnostic::error(code, place.clone(), message).with_help(format!("did you mean \"{near}\"?"))
            }
            Some((code, place, message, field, None)) => {
                let texts: Vec<&str> = self.wanted.get(field).into_iter().flatten().map(String::as_str).collect();
                Diagnostic::error(code, place.clone(), message).with_help(format!("`{field}` can be {}", texts.join(", ")))
            }
            None => Diagnostic::error(Code::DeadRow, row.place.clone(), "no table takes this row")
                .with_help("no table's `where:` asks for what it says: delete it, or mend it"),
        });
    }
}

fn report_unread(name: &str, place: &Place, fields: &BTreeSet<&str>, sink: &Sink) {
    let fault = Diagnostic::error(Code::UnknownKey, place.clone(), format!("no table that takes the row reads the field \"{name}\""));
    sink.report(match nearest(name, fields.iter().copied()) {
        Some(near) => fault.with_help(format!("did you mean \"{near}\"?")),
        None => fault.with_help(format!("fields that are read: {}", fields.iter().copied().collect::<Vec<_>>().join(", "))),
    });
}

/// Reports the files of a folder that no table reads. `known` are folders that are read.
pub fn report_unread_folder<'a>(name: &str, folder: &Folder, known: impl Iterator<Item = &'a str>, sink: &Sink) {
    let known: Vec<&str> = ["facts", "params", "tables"].into_iter().chain(known).collect();
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean {near}/?"),
        None => format!("rule files lie in {}/; a table takes rows from another folder by `rows_from:`", known.join("/, ")),
    };
    for file in &folder.files {
        let place = Place { file: file.file.clone(), span: Span::default() };
        let fault = Diagnostic::error(Code::StrayFile, place, format!("no table takes rows from the folder {name}/"));
        sink.report(fault.with_help(help.clone()));
    }
}
