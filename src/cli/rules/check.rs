//! `rules check`: everything that is wrong or odd about a pack, and what a code means.

use std::fmt::Write as _;

use anyhow::Context;
use chrono::NaiveDate;
use serde_json::json;

use super::{
    super::{Exit, Global, exit::WrongUsage},
    PackArg, constants, costs,
};
use crate::{
    clock::Clock,
    rules::{
        diagnostic::{Code, Diagnostics, Severity, nearest},
        graph::Kind,
        pack::Pack,
    },
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pack: PackArg,
    /// Warnings fail, with exit code 3.
    #[arg(long)]
    strict: bool,
    /// The day for which figures run out; today if not given.
    #[arg(long, value_name = "DATE")]
    as_of: Option<NaiveDate>,
    /// Also tell what the pack costs: what is compiled to columns, what is left to the interpreter and why.
    #[arg(long)]
    costs: bool,
    /// Tell what a code means, why it matters and how to mend it; checks nothing.
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<Exit> {
    if let Some(code) = &args.explain {
        return explain(global, code);
    }
    let pack = match args.pack.load() {
        Ok(pack) => pack,
        Err(mut diagnostics) => {
            // a terminal shows the end of a long list
            diagnostics.0.sort_by_key(|found| found.severity == Severity::Error);
            global.show(&json!({ "diagnostics": diagnostics }), |_| diagnostics.to_string())?;
            return Ok(Exit::BadRules);
        }
    };
    let as_of = args.as_of.unwrap_or_else(|| Clock::machine().now().date_naive());
    let warnings = pack.warnings.clone().with(pack.expiring(as_of));
    let mut summary = serde_json::to_value(summary(&pack)).context("cannot write the summary")?;
    summary["diagnostics"] = json!(warnings);
    let mut told = pretty(&pack, &warnings);
    if args.costs {
        let costs = costs::of(&pack, as_of, constants(global, &pack, as_of)?);
        summary["costs"] = costs::json(&pack, costs.as_ref());
        let _ = write!(told, "\n\n{}", costs::pretty(&pack, costs.as_ref()));
    }
    global.show(&summary, |_| told)?;
    Ok(if args.strict && !warnings.0.is_empty() { Exit::Warnings } else { Exit::Good })
}

fn formulas(pack: &Pack) -> usize {
    pack.graph.facts.iter().filter(|fact| matches!(fact.kind, Kind::Derived { .. })).count()
}

fn summary(pack: &Pack) -> serde_json::Value {
    json!({
        "name": pack.name, "hash": pack.hash, "files": pack.source.files.len(), "facts": pack.graph.facts.len(), "formulas": formulas(pack),
        "parameters": pack.parameters.len(), "tables": pack.tables.len(), "gates": pack.gates.len(), "flags": pack.flags.len(),
    })
}

fn pretty(pack: &Pack, warnings: &Diagnostics) -> String {
    let mut text = String::new();
    if !warnings.0.is_empty() {
        let _ = writeln!(text, "{warnings}\n");
    }
    let _ = write!(
        text,
        "{} is good: {} facts ({} formulas, {} parameters, {} tables), {} gates, {} flags\npack {}",
        pack.name,
        pack.graph.facts.len(),
        formulas(pack),
        pack.parameters.len(),
        pack.tables.len(),
        pack.gates.len(),
        pack.flags.len(),
        pack.hash
    );
    text
}

fn explain(global: &Global, name: &str) -> anyhow::Result<Exit> {
    let Some(code) = Code::find(name) else {
        let near = nearest(name, Code::ALL.iter().map(|code| code.as_str()));
        let hint = near.map_or_else(
            || format!("codes are {}", Code::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean {near}?"),
        );
        return Err(WrongUsage(format!("there is no code \"{name}\": {hint}")).into());
    };
    let value = json!({
        "code": code, "severity": code.severity(), "description": code.description(), "why": code.why(), "bad_example": code.bad_example(),
        "remedy": code.remedy(),
    });
    global.show(&value, |_| {
        let severity = match code.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let indented = |text: &str| text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
        let (description, why) = (code.description(), code.why());
        let (bad, good) = (indented(code.bad_example()), indented(code.remedy()));
        format!("{severity}[{}]: {description}\nwhy it matters: {why}\n\nfor example:\n{bad}\nmended:\n{good}", code.as_str())
    })?;
    Ok(Exit::Good)
}
