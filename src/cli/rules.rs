//! `rules check | test | facts | eval | explain | status | bench`.

mod check;
mod costs;
mod replay;
mod status;
mod test;

use std::{
    fmt::Write as _,
    io::{BufReader, Read, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context;
use chrono::NaiveDate;
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::{
    Exit, Global, bench,
    exit::WrongUsage,
    explain,
    lines::{Line, Lines},
    table,
};
use crate::{
    clock::Clock,
    config::{CUSTOMS_REGIME, DOTENV},
    reload::Files,
    rules::{
        diagnostic::{Diagnostics, nearest},
        eval::Question,
        graph::{Fact, FactId, Kind},
        pack::Pack,
        tree::Literal,
        value::{Type, Value},
    },
    scan::ground,
};

/// Bytes of one line of `rules eval`: every fact of a pack fits in many times.
const MAX_LINE_BYTES: usize = 1 << 20;
/// Letters of the error of one line.
const MAX_ERROR_LETTERS: usize = 500;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

impl Args {
    pub const fn are_tests(&self) -> bool {
        matches!(self.command, Command::Test(_))
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say everything that is wrong with a pack.
    Check(check::Args),
    /// Put the pack's own tests to it.
    Test(test::Args),
    /// List every fact, or tell all about one.
    Facts {
        name: Option<String>,
        #[command(flatten)]
        pack: PackArg,
    },
    /// Compute facts from facts: JSON lines in, JSON lines out, decimals as strings.
    Eval {
        /// A file of JSON objects, one a line; `-` is standard input. Any fact may be given, computed ones too.
        #[arg(long, value_name = "FILE")]
        facts: PathBuf,
        /// What to compute: names of facts, or verdict, reason, flags, type.
        #[arg(long, value_delimiter = ',', required = true, value_name = "FACTS")]
        want: Vec<String>,
        #[command(flatten)]
        pack: PackArg,
        /// The day whose parameters and tables hold; today if not given, and a line's own `date` goes before it.
        #[arg(long, value_name = "DATE")]
        as_of: Option<NaiveDate>,
    },
    /// Tell why a card is or is not a deal: gates, values, rows, waterfall, and what would flip it.
    Explain(explain::Args),
    /// Tell what the running service goes by, and why an edit is not live.
    Status,
    /// Time the pack on generated rows: for a route and a tenant, and fact by fact.
    Bench(bench::Args),
}

#[derive(Debug, clap::Args)]
pub struct PackArg {
    /// The folder of the rule pack.
    #[arg(long, default_value = "rules", env = "TCG_RADAR_RULES", value_name = "DIR")]
    pack: PathBuf,
}

impl PackArg {
    /// Loads the pack.
    pub(super) fn load(&self) -> Result<Pack, Diagnostics> {
        Pack::load(&self.pack)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.pack
    }

    /// Where all lies that an edit can change.
    pub(super) fn files(&self, global: &Global) -> Files {
        Files {
            rules: self.pack.clone(),
            profiles: global.config.profiles.clone(),
            dotenv: DOTENV.into(),
            process_variable: std::env::var(CUSTOMS_REGIME).ok(),
            fit: |pack, now| ground::fits(pack, now).map_err(|missing| missing.to_string()),
        }
    }
}

pub async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Check(args) => check::run(global, &args),
        Command::Test(args) => test::run(global, &args).await,
        Command::Facts { name, pack } => facts(global, name.as_deref(), &pack.load()?),
        Command::Eval { facts, want, pack, as_of } => eval(global, &facts, &want, &pack.load()?, as_of),
        Command::Explain(args) => explain::run(global, args).await,
        Command::Status => status::run(global, Clock::machine().now()).await,
        Command::Bench(args) => bench::run(global, &args),
    }
}

#[derive(Serialize)]
struct FactLine<'a> {
    name: &'a str,
    kind: &'static str,
    #[serde(rename = "type")]
    value_type: &'static str,
    unit: String,
    stage: &'static str,
    doc: &'a str,
    place: Option<String>,
    reads: Vec<&'a str>,
    read_by: Vec<&'a str>,
}

impl<'a> FactLine<'a> {
    fn new(pack: &'a Pack, id: FactId) -> Self {
        let fact: &Fact = pack.graph.fact(id);
        let name_of = |id: FactId| pack.graph.fact(id).name.as_str();
        Self {
            name: &fact.name,
            kind: fact.kind.as_str(),
            value_type: fact.value_type.map_or("?", |value_type| value_type.as_str()),
            unit: match (fact.value_type, fact.unit) {
                (Some(Type::Bool | Type::Text | Type::Date), _) => "-".to_owned(),
                (_, unit) => unit.map_or_else(|| "?".to_owned(), |unit| unit.to_string()),
            },
            stage: fact.stage.as_str(),
            doc: &fact.doc,
            place: fact.place.as_ref().map(ToString::to_string),
            reads: fact.reads.iter().map(|read| name_of(read.fact)).collect(),
            read_by: pack.graph.readers(id).map(name_of).collect(),
        }
    }
}

fn facts(global: &Global, name: Option<&str>, pack: &Pack) -> anyhow::Result<Exit> {
    let Some(name) = name else {
        let lines: Vec<FactLine<'_>> = pack.graph.ids().map(|id| FactLine::new(pack, id)).collect();
        global.show(&lines, |lines| {
            let rows = lines
                .iter()
                .map(|line| [line.name, line.kind, line.value_type, &line.unit, line.stage, line.doc].map(str::to_owned).to_vec());
            table(&["fact", "kind", "type", "unit", "stage", "what it is"], rows)
        })?;
        return Ok(Exit::Good);
    };
    let Some(id) = pack.graph.id(name) else {
        let near = nearest(name, pack.graph.facts.iter().map(|fact| fact.name.as_str()));
        let hint = near.map(|near| format!(": did you mean {near}?")).unwrap_or_default();
        return Err(WrongUsage(format!("no fact is called \"{name}\"{hint}")).into());
    };
    global.show(&FactLine::new(pack, id), |line| describe(pack, id, line))?;
    Ok(Exit::Good)
}

fn describe(pack: &Pack, id: FactId, line: &FactLine<'_>) -> String {
    let mut text = format!("{}\n  {}\n", line.name, line.doc);
    let place = line.place.as_deref().unwrap_or("handed over by the program");
    let _ = writeln!(text, "  {}, {}, unit {}, known per {}\n  {place}", line.kind, line.value_type, line.unit, line.stage);
    match pack.graph.fact(id).kind {
        Kind::Parameter(parameter) => {
            for dated in &pack.parameters[parameter].values {
                let mark = if dated.unverified.is_none() { "" } else { "  (unverified)" };
                let _ = writeln!(text, "  from {}: {}  {}{mark}", dated.from, dated.value, dated.source.as_deref().unwrap_or_default());
            }
        }
        Kind::Input(input) => {
            let _ = writeln!(text, "  for example {}", input.example);
        }
        Kind::Column { table, .. } => {
            let table = &pack.tables[table];
            let _ = writeln!(text, "  {} rows of {}, chosen by {}", table.rows.len(), table.name, line.reads.join(", "));
        }
        Kind::Derived { .. } | Kind::Aggregate => {}
    }
    let texts = pack.graph.fact(id).possible.iter().flatten().filter_map(|value| match value {
        Literal::Text(text) => Some(&**text),
        _ => None,
    });
    let texts: Vec<&str> = texts.collect();
    if !texts.is_empty() {
        let _ = writeln!(text, "  can be: {}", texts.join(", "));
    }
    for (what, names) in [("reads", &line.reads), ("is read by", &line.read_by)] {
        let _ = writeln!(text, "  {what}: {}", if names.is_empty() { "nothing".to_owned() } else { names.join(", ") });
    }
    text
}

fn eval(global: &Global, file: &Path, want: &[String], pack: &Pack, as_of: Option<NaiveDate>) -> anyhow::Result<Exit> {
    let date = as_of.unwrap_or_else(|| Clock::machine().now().date_naive());
    let names: Vec<&str> = want.iter().map(|name| name.trim()).collect();
    let mut question = Question::new(pack, &names, date).map_err(|error| WrongUsage(error.to_string()))?;
    question.defaults.extend(constants(global, pack, date)?);
    let input: Box<dyn Read> = if file == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(file).map_err(|error| WrongUsage(format!("cannot read {}: {error}", file.display())))?)
    };
    let mut output = std::io::stdout().lock();
    let mut bad = false;
    for (index, line) in Lines::new(BufReader::new(input), MAX_LINE_BYTES).enumerate() {
        let answer = match line.map_err(|error| WrongUsage(format!("cannot read {}: {error}", file.display())))? {
            Line::Text(line) if line.iter().all(u8::is_ascii_whitespace) => continue,
            Line::Text(line) => std::str::from_utf8(&line)
                .map_err(|_| "the line is not UTF-8".to_owned())
                .and_then(|text| question.answer(text).map_err(|error| error.to_string())),
            Line::TooLong => Err(format!("the line has more than {MAX_LINE_BYTES} bytes: write one object of facts a line")),
        };
        let json = match answer {
            Ok(answer) => serde_json::Value::Object(answer),
            Err(error) => {
                bad = true;
                // it may quote a value of any length
                let error: String = error.chars().take(MAX_ERROR_LETTERS).collect();
                json!({ "line": index + 1, "error": error })
            }
        };
        match writeln!(output, "{json}") {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(Exit::Good),
            outcome => outcome.context("cannot write the answer")?,
        }
    }
    Ok(if bad { Exit::Failed } else { Exit::Good })
}

/// The facts that come from the configuration and the date alone.
fn constants(global: &Global, pack: &Pack, date: NaiveDate) -> anyhow::Result<Vec<(FactId, Value)>> {
    let mut constants = Vec::new();
    if let Some(id) = pack.graph.id("bundle_logic_enabled") {
        constants.push((id, Value::Bool(global.config.rules.bundle_logic)));
    }
    if let (Some(customs), Some(id)) = (&pack.customs, pack.graph.id("customs_regime")) {
        let regime = customs.on(global.config.rules.customs_regime.as_deref(), date).map_err(|error| WrongUsage(error.to_string()))?;
        constants.push((id, Value::Text(regime.into())));
    }
    Ok(constants)
}
