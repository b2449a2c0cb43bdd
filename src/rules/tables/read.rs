//! Reads tables.

use std::collections::{BTreeMap, BTreeSet};

use rust_decimal::Decimal;

use super::{
    Band, Bound, Cell, Column, Entry, KeyFact, Literal, Otherwise, Row, Table,
    folder::{Folder, Taken},
    ordinal,
};
use crate::{
    domain::money::Currency,
    rules::{
        diagnostic::{Code, Diagnostic, Sink, nearest},
        params::{Figure, Measure, Range, is_compound, unverified},
        units::Unit,
        value::{Type, Value},
        yaml::{Data, Fields, Key, Node},
    },
};

/// Row fields that say something about the row itself.
const ABOUT: [&str; 3] = ["source", "verified", "note"];

/// Facts that may choose a table's row.
const MAX_KEYS: usize = 12;
/// Columns that a table may have: each costs room in every row.
const MAX_COLUMNS: usize = 32;
/// Reads a table. `folders` supply rows; `taken` learns what this table takes of them.
pub fn read(root: &Node, folders: &BTreeMap<String, Folder>, taken: &mut BTreeMap<String, Taken>, sink: &Sink) -> Option<Table> {
    let fields = root.fields(sink, "a table")?;
    let name = fields.required_text("table")?.to_owned();
    let doc = fields.optional_text("doc").unwrap_or_default().to_owned();
    let prefix = fields.optional_text("prefix").unwrap_or_default().to_owned();
    let key: Vec<KeyFact> = fields
        .required("key")?
        .items(sink, "key")?
        .iter()
        .filter_map(|node| Some(KeyFact { name: node.text(sink, "a key")?.to_owned(), place: node.place.clone() }))
        .collect();
    report_bad_key(&key, sink);
    let columns_node = fields.required("columns")?.fields(sink, "columns")?;
    if let Some((first, _)) = columns_node.entries().get(MAX_COLUMNS) {
        sink.error(Code::TooLarge, &first.place, format!("a table has at most {MAX_COLUMNS} columns"));
        return None;
    }
    let columns: Vec<Column> = columns_node.entries().iter().filter_map(|(key, node)| column(key, node, sink)).collect();
    let faulty = columns_node.entries().iter().map(|(key, _)| key.name.clone());
    let faulty = faulty.filter(|name| columns.iter().all(|column| column.name != *name)).collect();
    let shape = Shape { prefix, key, columns, faulty, sink };
    let rows_node = fields.optional("rows");
    let rows_from = fields.optional("rows_from");
    let place = rows_node.or(rows_from).unwrap_or(root).place.clone();
    let rows = match (rows_node, rows_from) {
        (Some(node), None) => shape.own_rows(node),
        (None, Some(node)) => shape.folder_rows(node, folders, taken),
        _ => {
            let fault = Diagnostic::error(Code::MissingKey, fields.place.clone(), "a table needs either `rows` or `rows_from`");
            sink.report(fault.with_help("write its rows below `rows:`, or `rows_from: { folder: … }`"));
            Vec::new()
        }
    };
    let otherwise = fields.optional("otherwise").and_then(|node| shape.otherwise(node));
    fields.finish();
    let supplied = rows_from.and_then(|node| node.entry("folder")).and_then(|name| folders.get(name));
    let incomplete = supplied.is_some_and(|folder| folder.broken);
    Some(Table { name, doc, key: shape.key, columns: shape.columns, rows, otherwise, incomplete, place })
}

fn report_bad_key(key: &[KeyFact], sink: &Sink) {
    if let Some(first) = key.get(MAX_KEYS) {
        let fault = Diagnostic::error(Code::TooLarge, first.place.clone(), format!("a table has at most {MAX_KEYS} key facts"));
        sink.report(fault.with_help("compute a fact that stands for several of them"));
    }
    let mut seen = BTreeSet::new();
    for again in key.iter().filter(|fact| !seen.insert(fact.name.as_str())) {
        sink.error(Code::DuplicateKey, &again.place, format!("\"{}\" stands in the key twice", again.name));
    }
}

fn column(key: &Key, node: &Node, sink: &Sink) -> Option<Column> {
    let fields = node.fields(sink, &key.name)?;
    let value_type = match fields.required_text("type")? {
        "decimal" => Type::Decimal,
        "integer" => Type::Integer,
        "bool" => Type::Bool,
        "text" => Type::Text,
        "date" => Type::Date,
        other => {
            let fault = Diagnostic::error(Code::BadValue, fields.place.clone(), format!("there is no column type \"{other}\""));
            sink.report(fault.with_help("use decimal, integer, bool, text or date"));
            return None;
        }
    };
    let figure = fields.optional("unit").map_or(Some(Figure::Unit(Unit::NONE)), |unit| Figure::read(unit, sink))?;
    if let (Figure::Money(currency), true) = (figure, value_type != Type::Decimal) {
        let message = format!("\"{}\" is money in {}, but its type is {value_type}", key.name, currency.code());
        sink.report(Diagnostic::error(Code::TypeMismatch, key.place.clone(), message).with_help("write `type: decimal`"));
    }
    let doc = fields.optional_text("doc").unwrap_or_default().to_owned();
    let range = Range::read(&fields);
    let one_of = fields.optional("one_of").map(|node| one_of(node, value_type, sink)).unwrap_or_default();
    fields.finish();
    Some(Column { name: key.name.clone(), doc, measure: Measure { value_type, figure, range }, one_of, place: key.place.clone() })
}

/// The only texts that a column may hold.
fn one_of(node: &Node, value_type: Type, sink: &Sink) -> Vec<String> {
    if value_type != Type::Text {
        let fault =
            Diagnostic::error(Code::TypeMismatch, node.place.clone(), format!("`one_of` lists texts, but the type is {value_type}"));
        sink.report(fault.with_help("write `type: text`; a number has `min` and `max`"));
    }
    let texts = node.items(sink, "one_of").unwrap_or_default().iter().filter_map(|item| item.text(sink, "a text of `one_of`"));
    texts.map(str::to_owned).collect()
}

/// The key and columns that rows are read against.
struct Shape<'a> {
    prefix: String,
    key: Vec<KeyFact>,
    columns: Vec<Column>,
    /// Columns whose declaration has errors; their cells are not read, and not unknown keys either.
    faulty: Vec<String>,
    sink: &'a Sink,
}

impl Shape<'_> {
    fn own_rows(&self, node: &Node) -> Vec<Row> {
        let items = node.items(self.sink, "rows").unwrap_or_default();
        items
            .iter()
            .filter_map(|item| {
                let fields = item.fields(self.sink, "a row")?;
                let row = self.row(&fields);
                fields.finish();
                Some(row)
            })
            .collect()
    }

    fn folder_rows(&self, node: &Node, folders: &BTreeMap<String, Folder>, taken: &mut BTreeMap<String, Taken>) -> Vec<Row> {
        let sink = self.sink;
        let Some(fields) = node.fields(sink, "rows_from") else { return Vec::new() };
        let name = fields.required_text("folder").unwrap_or_default();
        let wanted: Vec<(&str, &str)> = fields
            .optional("where")
            .and_then(|node| node.fields(sink, "where"))
            .map(|fields| fields.entries().iter().filter_map(|(key, node)| Some((key.name.as_str(), node.text(sink, "where")?))).collect())
            .unwrap_or_default();
        fields.finish();
        let Some(folder) = folders.get(name) else {
            let fault = Diagnostic::error(Code::BadValue, fields.place.clone(), format!("no folder \"{name}\" supplies rows"));
            sink.report(fault.with_help(format!("folders: {}", folders.keys().cloned().collect::<Vec<_>>().join(", "))));
            return Vec::new();
        };
        let fields = ABOUT.iter().chain(&["from", "until"]).map(|field| (*field).to_owned());
        let fields = fields.chain(wanted.iter().map(|(field, _)| (*field).to_owned()));
        // a date is written as `from` and `until`
        let fields = fields.chain(self.key.iter().map(|key| key.name.clone()).filter(|name| name != "date"));
        let fields = fields.chain(self.columns.iter().map(|column| self.field_of(column).to_owned())).collect();
        let rows = taken.entry(name.to_owned()).or_default().take(folder, &wanted, fields);
        rows.filter_map(|row| Some(self.row(&row.node().fields(sink, "a row")?))).collect()
    }

    fn field_of<'a>(&self, column: &'a Column) -> &'a str {
        column.name.strip_prefix(&self.prefix).unwrap_or(&column.name)
    }

    fn row(&self, fields: &Fields<'_>) -> Row {
        let sink = self.sink;
        let cells = self
            .key
            .iter()
            .map(
                |key| {
                    if key.name == "date" { dates(fields) } else { fields.optional(&key.name).map_or(Cell::Any, |node| cell(node, sink)) }
                },
            )
            .collect();
        let values = self
            .columns
            .iter()
            .map(|column| fields.optional(self.field_of(column)).map_or_else(Entry::default, |node| entry(column, node, sink)));
        let values = values.collect();
        let source = fields.optional_text("source").map(str::to_owned);
        let unverified = unverified(fields);
        for name in self.faulty.iter().map(String::as_str).chain(["note"]) {
            fields.optional(name);
        }
        let place_of = |key: &KeyFact| {
            let names: &[&str] = if key.name == "date" { &["until", "from"] } else { &[&key.name] };
            names.iter().find_map(|name| fields.optional(name)).map_or(fields.place, |node| &node.place).clone()
        };
        let cell_places = self.key.iter().map(place_of).collect();
        Row { cells, cell_places, values, source, unverified, place: fields.place.clone() }
    }

    fn otherwise(&self, node: &Node) -> Option<Otherwise> {
        if matches!(&node.data, Data::Scalar { text, .. } if text == "unknown") {
            return Some(Otherwise::Unknown);
        }
        let fields = node.fields(self.sink, "otherwise")?;
        let values = self
            .columns
            .iter()
            .map(|column| fields.optional(self.field_of(column)).map_or_else(Entry::default, |node| entry(column, node, self.sink)));
        let values = values.collect();
        for name in &self.faulty {
            fields.optional(name);
        }
        fields.finish();
        Some(Otherwise::Values(values))
    }
}

fn entry(column: &Column, node: &Node, sink: &Sink) -> Entry {
    if matches!(&node.data, Data::Scalar { text, .. } if text == "unknown") {
        return Entry::default();
    }
    if let Data::Mapping(_) = node.data {
        let Some(fields) = node.fields(sink, &column.name) else { return Entry::default() };
        let value = fields.required("amount").and_then(|amount| column.measure.read(amount, sink, "amount")).unwrap_or_default();
        let currency = currency_of(&fields, true);
        fields.finish();
        if let Figure::Unit(unit) = column.measure.figure
            && unit != Unit::HOME
        {
            let message = format!("the cell is an amount of money, but the column \"{}\" has the unit {unit}", column.name);
            let fault = Diagnostic::error(Code::UnitMismatch, node.place.clone(), message);
            sink.report(fault.with_help("declare the column with `unit: EUR` or another currency, or write the bare number"));
        }
        return Entry { value, currency };
    }
    let value = column.measure.read(node, sink, &column.name).unwrap_or_default();
    if let Value::Text(text) = &value
        && !column.one_of.is_empty()
        && !column.one_of.iter().any(|allowed| allowed == text.as_str())
    {
        let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("{} is never \"{}\"", column.name, text.as_str()));
        sink.report(match nearest(text.as_str(), column.one_of.iter().map(String::as_str)) {
            Some(near) => fault.with_help(format!("did you mean \"{near}\"?")),
            None => fault.with_help(format!("it can be {}", column.one_of.join(", "))),
        });
    }
    Entry { value, currency: None }
}

fn currency_of(fields: &Fields<'_>, required: bool) -> Option<Currency> {
    let node = if required { fields.required("currency") } else { fields.optional("currency") }?;
    let text = node.text(fields.sink, "currency")?;
    let currency = Currency::ALL.into_iter().find(|currency| currency.code() == text);
    if currency.is_none() {
        let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("unknown currency \"{text}\""));
        fields.sink.report(fault.with_help("use EUR, USD or GBP"));
    }
    currency
}

/// The row's `from` (inclusive) and `until` (exclusive).
fn dates(fields: &Fields<'_>) -> Cell {
    let sink = fields.sink;
    let bound = |name: &str, inclusive: bool| {
        let date = fields.optional(name)?.date(sink, name)?;
        Some(Bound { value: ordinal(&Value::Date(date))?, inclusive })
    };
    let band = Band { low: bound("from", true), high: bound("until", false), currency: None };
    if let (Some(low), Some(high)) = (band.low, band.high)
        && low.value >= high.value
    {
        let place = fields.optional("until").map_or(fields.place, |node| &node.place).clone();
        let fault = Diagnostic::error(Code::UnsortedDates, place, "`until` must be later than `from`");
        sink.report(fault.with_help("`from` is the first day of the row, `until` the first day after it"));
    }
    if band == Band::default() { Cell::Any } else { Cell::Band(band) }
}

fn literal(node: &Node, sink: &Sink) -> Option<Literal> {
    let text = node.text(sink, "a key")?.to_owned();
    Some(Literal { number: Decimal::from_str_exact(&text).ok(), text, place: node.place.clone() })
}

fn cell(node: &Node, sink: &Sink) -> Cell {
    match &node.data {
        Data::Scalar { text, quoted: false } if text == "any" => Cell::Any,
        Data::Scalar { text, quoted: false } if text == "unknown" => Cell::Unknown,
        Data::Scalar { .. } => literal(node, sink).map_or(Cell::Any, |literal| Cell::Members(vec![literal])),
        Data::Sequence(items) => {
            if let Some(compound) = items.iter().find(|item| is_compound(item)) {
                let fault = Diagnostic::error(Code::WrongShape, compound.place.clone(), "a list of keys holds single values");
                sink.report(fault.with_help("write a row for each band, and a list of values in one pair of brackets"));
            }
            Cell::Members(items.iter().filter(|item| !is_compound(item)).filter_map(|item| literal(item, sink)).collect())
        }
        Data::Mapping(_) => band(node, sink).map_or(Cell::Any, Cell::Band),
    }
}

fn band(node: &Node, sink: &Sink) -> Option<Band> {
    let fields = node.fields(sink, "a band")?;
    let bound = |name: &str, inclusive: bool| {
        let value = fields.optional(name)?.decimal(sink, name)?;
        Some(Bound { value, inclusive })
    };
    let [from, above, below, to] = [bound("from", true), bound("above", false), bound("below", false), bound("to", true)];
    if from.is_some() && above.is_some() || below.is_some() && to.is_some() {
        let fault = Diagnostic::error(Code::BadValue, node.place.clone(), "the band has two bounds on one side");
        sink.report(fault.with_help("a band has one lower bound (`from` or `above`) and one upper bound (`below` or `to`)"));
    }
    let band = Band { low: from.or(above), high: below.or(to), currency: currency_of(&fields, false) };
    fields.finish();
    if let (Some(low), Some(high)) = (band.low, band.high)
        && (low.value > high.value || (low.value == high.value && !(low.inclusive && high.inclusive)))
    {
        let fault =
            Diagnostic::error(Code::BadValue, node.place.clone(), "the band is empty: its lower bound is not below its upper bound");
        sink.report(fault.with_help("`from` (or `above`) takes the smaller figure, `below` (or `to`) the larger"));
        return None;
    }
    Some(band)
}
