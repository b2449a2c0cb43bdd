//! `rules test`: the pack's own tests.

mod pretty;

use anyhow::Context;
use regex_lite::Regex;

use super::{
    super::{Exit, Format, Global, exit::WrongUsage, write},
    PackArg,
};
use crate::rules::testing::{Outcome, Suite, junit};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only tests whose file or name holds one of these.
    filter: Vec<String>,
    #[command(flatten)]
    pack: PackArg,
    /// Only tests whose `file: name` this regular expression matches.
    #[arg(long, value_name = "RE")]
    run: Option<String>,
    /// Threads that tests run on; all cores if not given.
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
}

pub fn run(global: &Global, args: &Args) -> anyhow::Result<Exit> {
    let expression = args.run.as_deref().map(Regex::new).transpose().map_err(|error| WrongUsage(format!("--run: {error}")))?;
    let pack = args.pack.load()?;
    let mut suite = Suite::read(&pack)?;
    let all = suite.len();
    suite.retain(|file, name| {
        let found = args.filter.is_empty() || args.filter.iter().any(|part| file.contains(part.as_str()) || name.contains(part.as_str()));
        found && expression.as_ref().is_none_or(|expression| expression.is_match(&format!("{file}: {name}")))
    });
    let threads = rayon::ThreadPoolBuilder::new().num_threads(args.jobs.unwrap_or(0)).build().context("cannot start threads")?;
    let outcome = Outcome { ran: threads.install(|| suite.run_cases(&pack)) };
    match global.format {
        Format::Junit => write(junit::write(&outcome))?,
        Format::Json | Format::Pretty => global.show(&outcome, |outcome| pretty::outcome(outcome, all))?,
    }
    Ok(if outcome.ran.is_empty() {
        Exit::NothingRan
    } else if outcome.failed().next().is_some() {
        Exit::Failed
    } else {
        Exit::Good
    })
}
