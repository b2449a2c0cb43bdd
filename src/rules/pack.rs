//! A rule pack: its files compiled, checked and joined into one value that never changes.

mod reader;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use rhai::Engine;

use super::{
    ast::{self, Script},
    broken::Broken,
    customs::Customs,
    diagnostic::{Code, Diagnostic, Diagnostics, Place, Sink, Span},
    facts::Stage,
    graph::{FactId, Graph, Parts},
    lint,
    params::{self, Parameter},
    review,
    sandbox::{self, Limits},
    source::PackSource,
    tables::{self, Folder, Table},
    yaml::{self, Fields},
};
use reader::Reader;

/// A condition that rejects a route.
#[derive(Debug, Clone)]
pub struct Gate {
    pub reason: Arc<str>,
    pub when: FactId,
    /// Whose price the gate is about, so that a report can name the feed.
    pub side: Option<Side>,
    /// Where its fact is named.
    pub place: Place,
}

/// A side of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Buy,
    Sell,
}

/// A remark on a route that passes.
#[derive(Debug, Clone)]
pub struct Flag {
    pub flag: Arc<str>,
    pub when: FactId,
}

/// A kind of signal; the first whose condition holds is taken, and the last has none.
#[derive(Debug, Clone)]
pub struct SignalType {
    pub name: Arc<str>,
    pub when: Option<FactId>,
}

/// A count over routes, made between two evaluations.
#[derive(Debug, Clone)]
pub struct Aggregate {
    pub fact: FactId,
    /// Routes with the same value are counted together.
    pub over: FactId,
    pub count_where: FactId,
}

/// A compiled pack.
#[derive(Debug)]
pub struct Pack {
    pub name: String,
    /// SHA-256 of all files.
    pub hash: String,
    pub source: PackSource,
    pub graph: Graph,
    pub parameters: Vec<Parameter>,
    pub tables: Vec<Table>,
    pub gates: Vec<Gate>,
    pub flags: Vec<Flag>,
    pub types: Vec<SignalType>,
    pub aggregates: Vec<Aggregate>,
    /// Total first, then what is taken off, then what is left.
    pub waterfall: Vec<FactId>,
    pub score: Option<FactId>,
    /// Facts that people or the program read, though no fact does.
    pub outputs: Vec<FactId>,
    pub customs: Option<Customs>,
    /// What is odd about the pack, though it may be used.
    pub warnings: Diagnostics,
    pub(super) scripts: Vec<Script>,
    pub(super) engine: Engine,
    /// Facts that change from this stage on.
    pub(super) from_stage: [Vec<FactId>; 4],
}

/// Tables that a pack may have: several may copy the rows of one folder.
const MAX_TABLES: usize = 100;

/// The outcome of a gate whose fact is unknown.
pub const DATA_INCOMPLETE: &str = "DATA_INCOMPLETE";
/// The outcome of a rule that failed on a card.
pub const FAULT: &str = "FAULT";

impl Pack {
    /// Reads, compiles and checks the pack of a folder.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn load(root: &Path) -> Result<Self, Diagnostics> {
        let sink = Sink::default();
        let source = PackSource::read(root, &sink);
        Self::compile(source, sink)
    }

    /// Compiles files that were read already, such as a stored pack.
    ///
    /// # Errors
    /// Everything that is wrong with it, at once.
    pub fn from_source(source: PackSource) -> Result<Self, Diagnostics> {
        Self::compile(source, Sink::default())
    }

    fn compile(source: PackSource, sink: Sink) -> Result<Self, Diagnostics> {
        let parts = Self::assemble(&source, &sink);
        let diagnostics = sink.finish(|file, line| source.line(file, line));
        match parts {
            Some(pack) if !diagnostics.has_errors() => Ok(Self { source, warnings: diagnostics, ..pack }),
            _ => Err(diagnostics),
        }
    }

    fn assemble(source: &PackSource, sink: &Sink) -> Option<Self> {
        report_stray_files(source, sink);
        let document = if let Some((file, text)) = source.files.get_key_value("pack.yaml") {
            yaml::parse(file, text, sink)
        } else {
            // what can't be read is told already, and may be it
            if !sink.has(Code::UnreadableFile) {
                let place = Place { file: "pack.yaml".into(), span: Span::default() };
                let fault = Diagnostic::error(Code::MissingFile, place, "the pack has no pack.yaml");
                sink.report(fault.with_help("write one: rules/README.md shows it; is this the folder of a rule pack at all?"));
            }
            None
        };
        let fields = document.as_ref().and_then(|root| root.fields(sink, "pack.yaml"));
        let limits = fields.as_ref().map(limits).unwrap_or_default();
        let engine = sandbox::engine(limits);
        let scripts: Vec<Script> =
            source.folder("facts", ".rhai").filter_map(|(file, text)| ast::compile(&engine, file, text, sink)).collect();
        for script in &scripts {
            lint::check(script, sink);
        }
        let parameters: Vec<Parameter> = source
            .folder("params", ".yaml")
            .filter_map(|(file, text)| Some(params::read(params::stem(file), &yaml::parse(file, text, sink)?, sink)))
            .flatten()
            .collect();
        let folders = read_folders(source, sink);
        let mut taken = BTreeMap::new();
        if let Some((file, _)) = source.folder("tables", ".yaml").nth(MAX_TABLES) {
            let place = Place { file: file.clone(), span: Span::default() };
            sink.error(Code::TooLarge, &place, format!("a pack has at most {MAX_TABLES} tables"));
        }
        let tables: Vec<Table> = source
            .folder("tables", ".yaml")
            .take(MAX_TABLES)
            .filter_map(|(file, text)| tables::read(&yaml::parse(file, text, sink)?, &folders, &mut taken, sink))
            .collect();
        // a table with errors may have lost the column that reads a field
        let sound = !sink.faulty_files().iter().any(|file| file.starts_with("tables/"));
        for (name, folder) in folders.iter().filter(|_| sound) {
            match taken.get(name) {
                Some(taken) => taken.report_rest(folder, sink),
                None => tables::report_unread_folder(name, folder, taken.keys().map(String::as_str), sink),
            }
        }
        let customs = Customs::read(source, folders.get("customs"), sink);
        let aggregates = fields.as_ref().map(aggregate_names).unwrap_or_default();
        let broken = Broken::of(source, sink);
        let parts = Parts { parameters: &parameters, tables: &tables, scripts: &scripts, aggregates: &aggregates };
        let graph = Graph::build(&parts, broken, sink);
        let fields = fields?;
        let reader = Reader { graph: &graph, fields: &fields, sink };
        let name = fields.required_text("name").unwrap_or_default().to_owned();
        let (gates, flags, types) = (reader.gates(), reader.flags(), reader.types());
        let (aggregates, waterfall, score, outputs) = (reader.aggregates(), reader.waterfall(), reader.score(), reader.outputs());
        fields.finish();
        review::unverified(&parameters, &tables, sink);
        // a pack with errors has readers and values that are not seen
        if !sink.has_errors() {
            review::gates(&gates, &graph, sink);
            let counted = aggregates.iter().flat_map(|aggregate| [aggregate.over, aggregate.count_where]);
            let asked = gates.iter().map(|gate| gate.when).chain(flags.iter().map(|flag| flag.when));
            let kinds = types.iter().filter_map(|kind| kind.when);
            let named = counted.chain(asked).chain(kinds).chain(score).chain(waterfall.iter().chain(&outputs).copied()).collect();
            review::unread(&graph, &named, sink);
        }
        let from_stage = [Stage::Constant, Stage::Card, Stage::Route, Stage::Tenant]
            .map(|stage| graph.ids().filter(|id| graph.fact(*id).stage >= stage).collect());
        let hash = source.hash();
        Some(Self {
            name,
            hash,
            source: PackSource::default(),
            graph,
            parameters,
            tables,
            gates,
            flags,
            types,
            aggregates,
            waterfall,
            score,
            outputs,
            customs,
            warnings: Diagnostics(Vec::new()),
            scripts,
            engine,
            from_stage,
        })
    }
}

fn report_stray_files(source: &PackSource, sink: &Sink) {
    for file in source.files.keys() {
        let known = match file.split('/').collect::<Vec<_>>()[..] {
            ["pack.yaml"] => true,
            ["facts", name] => is(name, "rhai"),
            [folder, name] => folder != "facts" && is(name, "yaml"),
            _ => false,
        };
        if !known {
            let place = Place { file: file.clone(), span: Span::default() };
            let fault = Diagnostic::error(Code::StrayFile, place, "nobody reads this file");
            sink.report(fault.with_help("formulas are facts/NAME.rhai; numbers are params/, tables/, fees/ or customs/NAME.yaml"));
        }
    }
}

fn is(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}

/// The folders beside `params` and `tables`, whose files supply rows.
fn read_folders(source: &PackSource, sink: &Sink) -> BTreeMap<String, Folder> {
    let names: BTreeSet<&str> = source
        .files
        .keys()
        .filter_map(|file| file.split_once('/'))
        .map(|(folder, _)| folder)
        .filter(|folder| !matches!(*folder, "facts" | "params" | "tables"))
        .collect();
    let mut folders = BTreeMap::new();
    for name in names {
        let mut folder = Folder::default();
        for (file, text) in source.folder(name, ".yaml").filter(|(file, _)| &***file != super::customs::ACTIVE) {
            if let Some(root) = yaml::parse(file, text, sink) {
                tables::read_folder(file, &root, sink, &mut folder);
            }
        }
        folder.broken = sink.faulty_files().iter().any(|file| file.split_once('/').is_some_and(|(folder, _)| folder == name));
        folders.insert(name.to_owned(), folder);
    }
    folders
}

fn limits(fields: &Fields<'_>) -> Limits {
    let mut limits = Limits::default();
    if let Some(fields) = fields.optional("limits").and_then(|node| node.fields(fields.sink, "limits")) {
        let whole = |name: &str| -> Option<usize> {
            let node = fields.optional(name)?;
            let number = node.text(fields.sink, name)?.parse().ok().filter(|number| *number > 0);
            if number.is_none() {
                let fault = Diagnostic::error(Code::BadValue, node.place.clone(), format!("{name} must be a whole number above 0"));
                fields.sink.report(fault.with_help("write digits, such as `operations: 20000`"));
            }
            number
        };
        limits.operations = whole("operations").and_then(|number| u64::try_from(number).ok()).unwrap_or(limits.operations);
        limits.call_depth = whole("call_depth").unwrap_or(limits.call_depth);
        fields.finish();
    }
    limits
}

fn aggregate_names(fields: &Fields<'_>) -> Vec<(String, Place)> {
    let Some(aggregates) = fields.optional("aggregates").and_then(|node| node.fields(fields.sink, "aggregates")) else { return Vec::new() };
    aggregates.entries().iter().map(|(key, _)| (key.name.clone(), key.place.clone())).collect()
}
