//! `rules test`: the pack's own tests, and what they leave untested.

mod minimum;
mod pretty;

use std::io::{IsTerminal, stderr};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use regex_lite::Regex;
use serde::Serialize;
use serde_json::json;

use self::minimum::Minimum;
use super::{
    super::{Exit, Format, Global, exit::WrongUsage, tell, write},
    PackArg, replay,
};
use crate::{
    rules::{
        pack::Pack,
        testing::{Outcome, Suite, coverage::Coverage, junit, mutate, mutate::Mutation, replays::Rewrite, series::Decide, update::update},
    },
    scan::rehearsal,
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only tests whose file or name holds one of these.
    #[arg(conflicts_with = "replay")]
    filter: Vec<String>,
    #[command(flatten)]
    pack: PackArg,
    /// Only tests whose `file: name` this regular expression matches.
    #[arg(long, value_name = "RE", conflicts_with = "replay")]
    run: Option<String>,
    /// Threads that tests run on; all cores if not given.
    #[arg(long, value_name = "N", value_parser = count)]
    jobs: Option<usize>,
    /// Tell what of the pack no test has reached: functions, branches, table rows, reasons, both sides of thresholds.
    #[arg(long, conflicts_with = "replay")]
    coverage: bool,
    /// Plant this many small faults in the pack, one at a time, and tell which of them no test notices.
    #[arg(long, value_name = "N", value_parser = count, conflicts_with = "replay")]
    mutate: Option<usize>,
    /// Chooses the faults that are planted, and the decisions that a replay looks at.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Fail below these percentages: one for everything that is measured, or such as `functions=95,reasons=100,killed=90`.
    #[arg(long, value_name = "N", value_delimiter = ',', conflicts_with = "replay")]
    min: Vec<Minimum>,
    /// Write the figures that came out into the test files. Changed verdicts, reasons, types and flags stay failures.
    #[arg(long, conflicts_with_all = ["mutate", "coverage", "replay"])]
    update: bool,
    /// Write golden files of replays although verdicts turned round.
    #[arg(long, conflicts_with_all = ["mutate", "coverage", "replay"])]
    accept_flips: bool,
    #[command(flatten)]
    replay: replay::Args,
}

fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|count| *count > 0).ok_or_else(|| "write a whole number from 1 on".to_owned())
}

/// Everything that a run has found out.
#[derive(Serialize)]
struct Report {
    tests: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Coverage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mutation: Option<Mutation>,
    /// Expected figures that were written anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated: Option<usize>,
    /// Percentages that fell short.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    below: Vec<String>,
}

pub async fn run(global: &Global, args: &Args) -> anyhow::Result<Exit> {
    let expression = args.run.as_deref().map(Regex::new).transpose().map_err(|error| WrongUsage(format!("--run: {error}")))?;
    if !args.min.is_empty() && !args.coverage && args.mutate.is_none() {
        return Err(WrongUsage("--min needs something to measure: add --coverage or --mutate N".to_owned()).into());
    }
    let (pack, mut suite) = match args.pack.load().and_then(|pack| Suite::read(&pack).map(|suite| (pack, suite))) {
        Ok(read) => read,
        Err(diagnostics) => {
            global.show(&json!({ "diagnostics": diagnostics }), |_| diagnostics.to_string())?;
            return Ok(Exit::BadRules);
        }
    };
    if let Some(window) = args.replay.replay {
        return replay::run(global, &args.replay, window, &pack, &suite, args.seed).await;
    }
    let all = suite.len();
    suite.retain(|file, name| {
        let found = args.filter.is_empty() || args.filter.iter().any(|part| file.contains(part.as_str()) || name.contains(part.as_str()));
        found && expression.as_ref().is_none_or(|expression| expression.is_match(&format!("{file}: {name}")))
    });
    let threads = rayon::ThreadPoolBuilder::new().num_threads(args.jobs.unwrap_or(0)).build().context("cannot start threads")?;
    let mut report = threads.install(|| measure(args, &pack, &suite));
    if args.mutate.is_some() && report.mutation.is_none() {
        tell("no fault was planted: a test that fails already would notice every one");
    }
    let rewrite = Rewrite { update: args.update, accept_flips: args.accept_flips };
    let golden = replay::checks::run(global, &args.pack.pack, (&pack, &suite), args.seed, rewrite).await?;
    report.tests.ran.extend(golden.ran);
    let mut failed = report.tests.failed().next().is_some() || !report.below.is_empty();
    if args.update {
        let update = update(&pack.source.tests, &report.tests);
        for (file, text) in &update.files {
            let path = args.pack.pack.join(&**file);
            std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        report.updated = Some(update.changed + golden.files);
        failed = update.left > 0;
    }
    match global.format {
        Format::Junit => {
            write(junit::write(&report.tests))?;
            // its XML has no place for what a failed run measured
            report.below.iter().for_each(|line| tell(&format!("FAILED {line}")));
        }
        Format::Json | Format::Pretty => global.show(&report, |report| pretty::report(report, all))?,
    }
    Ok(if report.tests.ran.is_empty() {
        Exit::NothingRan
    } else if failed {
        Exit::Failed
    } else {
        Exit::Good
    })
}

fn measure(args: &Args, pack: &Pack, suite: &Suite) -> Report {
    let decide: &Decide<'_> = &|pack, series, at, each| rehearsal::decide(pack, series, at, each).map_err(|error| error.to_string());
    let mut tests = Outcome { ran: suite.run_cases(pack) };
    let played = suite.play(pack, decide);
    tests.ran.extend(played.ran);
    let coverage = args.coverage.then(|| Coverage::of(pack, &suite.reach_of_cases(pack).and(played.reached)));
    // what fails already notices everything
    let sound = tests.failed().next().is_none();
    let also = |mutated: &Pack| suite.play(mutated, decide).ran.iter().any(|ran| !ran.failures.is_empty());
    let mutation = args.mutate.filter(|_| sound).map(|wanted| {
        let bar = bar(wanted);
        let mutation = mutate::run(pack, suite, wanted, args.seed, &also, &|| bar.inc(1));
        bar.finish_and_clear();
        mutation
    });
    let below = minimum::below(&args.min, coverage.as_ref(), mutation.as_ref());
    Report { tests, coverage, mutation, updated: None, below }
}

/// A bar on a terminal, nothing elsewhere.
fn bar(length: usize) -> ProgressBar {
    let bar = if stderr().is_terminal() { ProgressBar::new(length as u64) } else { ProgressBar::hidden() };
    ProgressStyle::with_template("{bar:30} {pos} of {len} planted faults {elapsed}").map_or(bar.clone(), |style| bar.with_style(style))
}
