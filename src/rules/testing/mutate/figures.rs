//! Faults in figures: a number one step of its last place up or down, a truth turned round, a day later, a band that takes
//! its edge the wrong way.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;

use super::{Edit, Mutant};
use crate::rules::{
    diagnostic::{Place, Sink},
    source::PackSource,
    yaml::{self, Data, Key, Node},
};

/// Keys whose values are about a figure, not the figure.
const ABOUT: [&str; 8] = ["doc", "note", "source", "verified", "unit", "min", "max", "auto_from"];
/// Keys of a band, and what its edge becomes.
const EDGES: [(&str, &str); 4] = [("from", "above"), ("above", "from"), ("below", "to"), ("to", "below")];

pub(super) fn mutants(source: &PackSource) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (file, text) in &source.files {
        let folder = file.split_once('/').map_or("", |(folder, _)| folder);
        let sink = Sink::default();
        let Some(root) = (folder != "facts" && !folder.is_empty()).then(|| yaml::parse(file, text, &sink)).flatten() else { continue };
        let mut found = Found { file, mutants: Vec::new(), bounds: BTreeMap::new() };
        match (folder, &root.data) {
            ("params", Data::Mapping(parameters)) => {
                for (key, parameter) in parameters {
                    found.parameter(key, parameter);
                }
            }
            (_, Data::Mapping(entries)) => {
                for (_, rows) in entries.iter().filter(|(key, _)| key.name == "rows" || key.name == "otherwise") {
                    found.rows(rows);
                }
            }
            _ => {}
        }
        mutants.extend(found.finish());
    }
    mutants
}

/// What one file holds.
struct Found<'a> {
    file: &'a Arc<str>,
    mutants: Vec<Mutant>,
    /// Where each bound of a key stands: all places of it move together, or the table has a gap.
    bounds: BTreeMap<(String, String), Vec<(Key, Node)>>,
}

impl Found<'_> {
    fn parameter(&mut self, name: &Key, node: &Node) {
        let Data::Mapping(entries) = &node.data else { return };
        for (key, value) in entries {
            match (key.name.as_str(), &value.data) {
                ("value", _) => self.cell(&name.name, value),
                ("values", Data::Sequence(dated)) => dated.iter().for_each(|dated| self.parameter(name, dated)),
                _ => {}
            }
        }
    }

    fn rows(&mut self, node: &Node) {
        match &node.data {
            Data::Sequence(rows) => rows.iter().for_each(|row| self.rows(row)),
            Data::Mapping(entries) => {
                for (key, value) in entries.iter().filter(|(key, _)| !ABOUT.contains(&key.name.as_str())) {
                    match &value.data {
                        Data::Mapping(inner) if inner.iter().any(|(key, _)| EDGES.iter().any(|(edge, _)| key.name == *edge)) => {
                            self.band(&key.name, inner);
                        }
                        Data::Mapping(inner) => inner.iter().for_each(|(_, value)| self.cell(&key.name, value)),
                        _ if matches!(key.name.as_str(), "from" | "until") => self.bound("date", key, value),
                        _ => self.cell(&key.name, value),
                    }
                }
            }
            Data::Scalar { .. } => {}
        }
    }

    fn band(&mut self, name: &str, entries: &[(Key, Node)]) {
        for (key, value) in entries.iter().filter(|(key, _)| key.name != "currency") {
            self.bound(name, key, value);
        }
    }

    fn bound(&mut self, name: &str, key: &Key, value: &Node) {
        if let Data::Scalar { text, .. } = &value.data {
            self.bounds.entry((name.to_owned(), text.clone())).or_default().push((key.clone(), value.clone()));
        }
    }

    /// A single figure.
    fn cell(&mut self, name: &str, value: &Node) {
        for to in other_values(value) {
            let edit = edit(value, &to);
            self.add(format!("{name}: {to} for {}", edit.from), &value.place, vec![edit]);
        }
    }

    fn add(&mut self, what: String, place: &Place, edits: Vec<Edit>) {
        self.mutants.push(Mutant { what, place: Place { file: self.file.clone(), span: place.span }, edits });
    }

    fn finish(mut self) -> Vec<Mutant> {
        for ((name, _), places) in std::mem::take(&mut self.bounds) {
            let Some((_, first)) = places.first() else { continue };
            // where nothing begins at the day that something ends, the figure holds since ever, or for ever
            if name == "date" && !places.iter().any(|(key, _)| key.name == "until") {
                continue;
            }
            for to in other_values(first) {
                let edits: Vec<Edit> = places.iter().map(|(_, value)| edit(value, &to)).collect();
                self.add(format!("{name}: bound {to} for {}", written(first)), &first.place, edits);
            }
            if name != "date" {
                let edges = places.iter().filter_map(|(key, _)| {
                    let (from, to) = EDGES.iter().find(|(edge, _)| key.name == *edge)?;
                    Some(Edit { span: key.place.span, from: (*from).to_owned(), to: (*to).to_owned() })
                });
                self.add(format!("{name}: bound {} belongs to the other side", written(first)), &first.place, edges.collect());
            }
        }
        self.mutants
    }
}

fn edit(node: &Node, to: &str) -> Edit {
    Edit { span: node.place.span, from: written(node), to: to.to_owned() }
}

/// A scalar as it stands in the file.
fn written(node: &Node) -> String {
    match &node.data {
        Data::Scalar { text, quoted: true } => format!("\"{text}\""),
        Data::Scalar { text, .. } => text.clone(),
        Data::Sequence(_) | Data::Mapping(_) => String::new(),
    }
}

/// The nearest other values of a figure; none for texts.
fn other_values(node: &Node) -> Vec<String> {
    let Data::Scalar { text, quoted } = &node.data else { return Vec::new() };
    if *quoted {
        let Ok(number) = Decimal::from_str_exact(text) else { return Vec::new() };
        let step = Decimal::new(1, number.scale());
        return [number.checked_add(step), number.checked_sub(step)].into_iter().flatten().map(|other| format!("\"{other}\"")).collect();
    }
    if let Some(next) = text.parse::<NaiveDate>().ok().and_then(|date| date.checked_add_days(Days::new(1))) {
        return vec![next.to_string()];
    }
    match text.as_str() {
        "true" => vec!["false".to_owned()],
        "false" => vec!["true".to_owned()],
        _ => Vec::new(),
    }
}
