//! A rule pack: its files compiled, checked and joined into one value that never changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use rhai::Engine;

use super::{
    ast::{self, Script},
    customs::Customs,
    diagnostic::{Code, Diagnostic, Diagnostics, Place, Sink, Span},
    facts::Stage,
    graph::{FactId, Graph, Kind, Parts},
    params::{self, Parameter},
    sandbox::{self, Limits},
    source::PackSource,
    tables::{self, Folder, Table},
    value::Type,
    yaml::{self, Fields, Node},
};

/// A condition that rejects a route.
#[derive(Debug, Clone)]
pub struct Gate {
    pub reason: Arc<str>,
    pub when: FactId,
    /// Whose price the gate is about, so that a report can name the feed.
    pub side: Option<Side>,
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
    pub customs: Option<Customs>,
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
            Some(pack) if !diagnostics.has_errors() => Ok(Self { source, ..pack }),
            _ => Err(diagnostics),
        }
    }

    fn assemble(source: &PackSource, sink: &Sink) -> Option<Self> {
        report_stray_files(source, sink);
        let document = if let Some((file, text)) = source.files.get_key_value("pack.yaml") {
            yaml::parse(file, text, sink)
        } else {
            sink.error(Code::MissingFile, &Place { file: "pack.yaml".into(), span: Span::default() }, "the pack has no pack.yaml");
            None
        };
        let fields = document.as_ref().and_then(|root| root.fields(sink, "pack.yaml"));
        let limits = fields.as_ref().map(limits).unwrap_or_default();
        let engine = sandbox::engine(limits);
        let scripts: Vec<Script> =
            source.folder("facts", ".rhai").filter_map(|(file, text)| ast::compile(&engine, file, text, sink)).collect();
        let parameters: Vec<Parameter> = source
            .folder("params", ".yaml")
            .filter_map(|(file, text)| Some(params::read(params::stem(file), &yaml::parse(file, text, sink)?, sink)))
            .flatten()
            .collect();
        let folders = read_folders(source, sink);
        let mut read_fields = BTreeMap::new();
        if let Some((file, _)) = source.folder("tables", ".yaml").nth(MAX_TABLES) {
            let place = Place { file: file.clone(), span: Span::default() };
            sink.error(Code::TooLarge, &place, format!("a pack has at most {MAX_TABLES} tables"));
        }
        let tables: Vec<Table> = source
            .folder("tables", ".yaml")
            .take(MAX_TABLES)
            .filter_map(|(file, text)| tables::read(&yaml::parse(file, text, sink)?, &folders, &mut read_fields, sink))
            .collect();
        for (name, folder) in &folders {
            let read = read_fields.get(name).cloned().unwrap_or_default();
            tables::report_unread(folder, &read, sink);
        }
        let customs = Customs::read(source, folders.get("customs"), sink);
        let aggregates = fields.as_ref().map(aggregate_names).unwrap_or_default();
        let graph = Graph::build(&Parts { parameters: &parameters, tables: &tables, scripts: &scripts, aggregates: &aggregates }, sink);
        let fields = fields?;
        let reader = Reader { graph: &graph, fields: &fields, sink };
        let name = fields.required_text("name").unwrap_or_default().to_owned();
        let (gates, flags, types) = (reader.gates(), reader.flags(), reader.types());
        let (aggregates, waterfall, score) = (reader.aggregates(), reader.waterfall(), reader.score());
        fields.finish();
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
            customs,
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
                fields.sink.error(Code::BadValue, &node.place, format!("{name} must be a whole number above 0"));
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

/// Reads what `pack.yaml` says about facts of the graph.
struct Reader<'a> {
    graph: &'a Graph,
    fields: &'a Fields<'a>,
    sink: &'a Sink,
}

impl<'a> Reader<'a> {
    fn fact(&self, node: &Node, expected: Type) -> Option<FactId> {
        let id = self.graph.resolve(node.text(self.sink, "a fact")?, &node.place, self.sink)?;
        let fact = self.graph.fact(id);
        let fits = match (expected, fact.value_type) {
            (_, None) => true,
            (Type::Decimal, Some(found)) => matches!(found, Type::Decimal | Type::Integer),
            (expected, Some(found)) => expected == found,
        };
        if fits {
            return Some(id);
        }
        let (code, wanted) = if expected == Type::Bool { (Code::NotBoolean, "true or false") } else { (Code::NotNumber, "a number") };
        let found = fact.value_type.map_or("something else", Type::as_str);
        let fault = Diagnostic::error(code, node.place.clone(), format!("\"{}\" is a {found}, but {wanted} is needed here", fact.name));
        self.sink.report(match expected {
            Type::Bool => fault.with_help(format!(
                "write a formula that compares it, such as `fn {}_miss({}, floor) {{ {} < floor }}`",
                fact.name, fact.name, fact.name
            )),
            _ => fault.with_help("name a fact that is a number"),
        });
        None
    }

    /// The entries of a list of mappings, each read by `read`.
    fn list<T>(&self, name: &str, required: bool, read: impl Fn(&Fields<'a>) -> Option<T>) -> Vec<T> {
        let node = if required { self.fields.required(name) } else { self.fields.optional(name) };
        let items = node.and_then(|node| node.items(self.sink, name)).unwrap_or_default();
        items
            .iter()
            .filter_map(|item| {
                let fields = item.fields(self.sink, name)?;
                let value = read(&fields);
                fields.finish();
                value
            })
            .collect()
    }

    fn gates(&self) -> Vec<Gate> {
        self.list("gates", true, |fields| {
            let (reason, when) = (fields.required_text("reason"), fields.required("when"));
            let side = fields.optional("side").and_then(|node| match node.text(self.sink, "side")? {
                "buy" => Some(Side::Buy),
                "sell" => Some(Side::Sell),
                other => {
                    self.sink.error(Code::BadValue, &node.place, format!("there is no side \"{other}\": use buy or sell"));
                    None
                }
            });
            Some(Gate { reason: reason?.into(), when: self.fact(when?, Type::Bool)?, side })
        })
    }

    fn flags(&self) -> Vec<Flag> {
        self.list("flags", false, |fields| {
            let (flag, when) = (fields.required_text("flag"), fields.required("when"));
            Some(Flag { flag: flag?.into(), when: self.fact(when?, Type::Bool)? })
        })
    }

    fn types(&self) -> Vec<SignalType> {
        let types = self.list("type", true, |fields| {
            let (name, when) = (fields.required_text("type"), fields.optional("when"));
            let when = when.map_or(Some(None), |node| self.fact(node, Type::Bool).map(Some));
            Some(SignalType { name: name?.into(), when: when? })
        });
        if types.last().is_some_and(|last| last.when.is_some()) || types.iter().rev().skip(1).any(|earlier| earlier.when.is_none()) {
            let fault =
                Diagnostic::error(Code::MissingKey, self.fields.place.clone(), "of the types, the last and only the last has no `when`");
            self.sink.report(fault.with_help("end the list with a type that always holds, such as `- { type: arbitrage }`"));
        }
        types
    }

    fn aggregates(&self) -> Vec<Aggregate> {
        let Some(aggregates) = self.fields.optional("aggregates").and_then(|node| node.fields(self.sink, "aggregates")) else {
            return Vec::new();
        };
        aggregates
            .entries()
            .iter()
            .filter_map(|(key, node)| {
                let fields = node.fields(self.sink, &key.name)?;
                let (over, condition) = (fields.required("over"), fields.required("count_where"));
                fields.finish();
                let over = over?;
                let over = self.graph.resolve(over.text(self.sink, "over")?, &over.place, self.sink)?;
                let count_where = self.fact(condition?, Type::Bool)?;
                let fact = self.graph.id(&key.name).filter(|id| matches!(self.graph.fact(*id).kind, Kind::Aggregate))?;
                if self.graph.depends(count_where, fact) {
                    let message = format!(
                        "{} counts where \"{}\" holds, which itself depends on {}",
                        key.name,
                        self.graph.fact(count_where).name,
                        key.name
                    );
                    let fault = Diagnostic::error(Code::AggregateCycle, key.place.clone(), message);
                    self.sink.report(fault.with_help("count by a fact that knows nothing of the count"));
                }
                Some(Aggregate { fact, over, count_where })
            })
            .collect()
    }

    fn waterfall(&self) -> Vec<FactId> {
        let items = self.fields.optional("waterfall").and_then(|node| node.items(self.sink, "waterfall")).unwrap_or_default();
        items.iter().filter_map(|node| self.fact(node, Type::Decimal)).collect()
    }

    fn score(&self) -> Option<FactId> {
        self.fact(self.fields.optional("score")?, Type::Decimal)
    }
}
