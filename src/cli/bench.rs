//! `rules bench`: how long a pack takes for a route and a tenant, and which facts are dear.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Exit, Global, exit::WrongUsage, rules::PackArg, table};
use crate::{
    domain::money::round_half_up,
    rules::{
        bench::{Engine, Workload, alone},
        graph::FactId,
        pack::Pack,
    },
};

/// The rows' seed: another one would be another workload.
const SEED: u64 = 1;
/// Of several measurements the quickest counts: what else runs on the machine only ever makes one slower.
const ROUNDS: usize = 5;
const DEAREST: usize = 10;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pack: PackArg,
    /// Routes to judge.
    #[arg(long, default_value_t = 200, value_parser = at_least_one)]
    rows: usize,
    /// Tenants that every route is judged for.
    #[arg(long, default_value_t = 20, value_parser = at_least_one)]
    tenants: usize,
    /// The day whose parameters and tables hold.
    #[arg(long, value_name = "DATE", default_value = "2026-05-01")]
    as_of: NaiveDate,
    /// An earlier result, as `--format json` writes it, to compare with.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Fail if an engine is slower than in the baseline by more than this.
    #[arg(long, value_name = "PERCENT", default_value = "10%", value_parser = percent, requires = "baseline")]
    fail_over: Decimal,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "give a whole number above 0".to_owned())
}

fn percent(text: &str) -> Result<Decimal, String> {
    let number = text.trim().trim_end_matches('%').trim_end().parse::<Decimal>().ok();
    number.filter(|number| !number.is_sign_negative()).ok_or_else(|| "give a percentage such as 10%".to_owned())
}

/// A measurement; what `--format json` writes and `--baseline` reads.
#[derive(Debug, Serialize, Deserialize)]
struct Report {
    pack: String,
    hash: String,
    as_of: NaiveDate,
    rows: usize,
    tenants: usize,
    /// Of the rows times tenants.
    signals: usize,
    engines: Vec<EngineLine>,
    /// Dearest first.
    facts: Vec<FactLine>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    slower: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EngineLine {
    engine: String,
    ns_per_pair: Decimal,
    /// What is done once for the pack and its tenants.
    prepare_ms: Decimal,
    /// Percent slower than the baseline; below zero is quicker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slower_pct: Option<Decimal>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FactLine {
    fact: String,
    ns: Decimal,
    place: Option<String>,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<Exit> {
    let pack = args.pack.load()?;
    let baseline = args.baseline.as_deref().map(read_baseline).transpose()?;
    let mut report = measure(&pack, args);
    if let Some(baseline) = &baseline {
        compare(&mut report, baseline, args.fail_over)?;
    }
    global.show(&report, describe)?;
    Ok(if report.slower.is_empty() { Exit::Good } else { Exit::Failed })
}

fn read_baseline(file: &Path) -> anyhow::Result<Report> {
    let wrong = |error: &dyn std::fmt::Display| WrongUsage(format!("cannot read the baseline {}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| wrong(&error))?;
    serde_json::from_str(&text).map_err(|error| wrong(&error).into())
}

/// Nanoseconds for each of `count` things.
fn per(took: Duration, count: usize) -> Decimal {
    let nanos = Decimal::from(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    round_half_up(nanos / Decimal::from(count.max(1)), 1)
}

fn measure(pack: &Pack, args: &Args) -> Report {
    let workload = Workload::draw(pack, args.as_of, args.rows, args.tenants, SEED);
    let mut signals = 0;
    let mut engines = Vec::new();
    for engine in Engine::ALL {
        let mut least = Duration::MAX;
        let start = Instant::now();
        // an engine that can't take the pack has no line
        let Some(mut ready) = engine.prepare(pack, &workload) else { continue };
        let prepared = start.elapsed();
        for _ in 0..ROUNDS {
            let start = Instant::now();
            signals = ready.judge().signals;
            least = least.min(start.elapsed());
        }
        engines.push(EngineLine {
            engine: engine.as_str().to_owned(),
            ns_per_pair: per(least, workload.pairs()),
            prepare_ms: per(prepared, 1_000_000),
            slower_pct: None,
        });
    }
    Report {
        pack: pack.name.clone(),
        hash: pack.hash.clone(),
        as_of: args.as_of,
        rows: args.rows,
        tenants: args.tenants,
        signals,
        engines,
        facts: dearest(pack, args.as_of),
        slower: Vec::new(),
    }
}

/// The facts that take longest when all that they read is at hand.
fn dearest(pack: &Pack, date: NaiveDate) -> Vec<FactLine> {
    let workload = Workload::draw(pack, date, 20, 5, SEED);
    // a fact is computed once by a prepared row, so that each round prepares its own
    let mut least: BTreeMap<FactId, Decimal> = BTreeMap::new();
    for _ in 0..ROUNDS {
        for mut one in alone(pack, &workload) {
            let start = Instant::now();
            one.compute();
            let ns = per(start.elapsed(), one.rows());
            least.entry(one.fact).and_modify(|least| *least = ns.min(*least)).or_insert(ns);
        }
    }
    let mut facts: Vec<(FactId, Decimal)> = least.into_iter().collect();
    facts.sort_by_key(|(_, ns)| std::cmp::Reverse(*ns));
    let lines = facts.into_iter().take(DEAREST).map(|(id, ns)| {
        let fact = pack.graph.fact(id);
        FactLine { fact: fact.name.clone(), ns, place: fact.place.as_ref().map(ToString::to_string) }
    });
    lines.collect()
}

fn compare(report: &mut Report, baseline: &Report, limit: Decimal) -> Result<(), WrongUsage> {
    let same = |report: &Report| (report.hash.clone(), report.as_of, report.rows, report.tenants);
    if same(report) != same(baseline) {
        return Err(WrongUsage(format!(
            "the baseline timed another pack, day or number of rows: measure pack {} with --as-of {} --rows {} --tenants {} once more",
            baseline.hash, baseline.as_of, baseline.rows, baseline.tenants
        )));
    }
    for line in &mut report.engines {
        let before = baseline.engines.iter().find(|before| before.engine == line.engine && !before.ns_per_pair.is_zero());
        let Some(before) = before else { continue };
        let slower = (line.ns_per_pair / before.ns_per_pair - Decimal::ONE) * Decimal::ONE_HUNDRED;
        line.slower_pct = Some(round_half_up(slower, 1));
        if slower > limit {
            report.slower.push(line.engine.clone());
        }
    }
    Ok(())
}

fn describe(report: &Report) -> String {
    let engines = report.engines.iter().map(|line| {
        let change = line.slower_pct.map(|percent| format!("{}{percent} %", if percent.is_sign_negative() { "" } else { "+" }));
        vec![line.engine.clone(), line.ns_per_pair.to_string(), line.prepare_ms.to_string(), change.unwrap_or_default()]
    });
    let facts = report.facts.iter().map(|line| vec![line.fact.clone(), line.ns.to_string(), line.place.clone().unwrap_or_default()]);
    let mut text = format!(
        "{} on {}: {} routes x {} tenants, {} signals\n\n{}\n\n{}\n\nallocations, and the same rules by hand: cargo bench --bench decide",
        report.pack,
        report.as_of,
        report.rows,
        report.tenants,
        report.signals,
        table(&["engine", "ns per route and tenant", "ms to prepare", "against the baseline"], engines),
        table(&["dearest facts, alone", "ns", "where"], facts),
    );
    for engine in &report.slower {
        text.push_str("\nslower than the baseline allows: ");
        text.push_str(engine);
    }
    text
}
