//! Where a replay's history comes from.

use std::path::PathBuf;

use indicatif::ProgressBar;

use super::bar;
use crate::{
    cli::{Global, exit::WrongUsage, tell},
    clock::Clock,
    domain::history::History,
    ingest,
    simulate::{self, Parameters, Simulation},
    store,
};

/// See the module.
#[derive(Debug)]
pub enum Source {
    Database,
    Files(Vec<PathBuf>),
    Simulated(Box<Simulation>),
}

impl Source {
    /// Reads `--history`.
    pub fn of(words: &[String]) -> Result<Self, WrongUsage> {
        match words {
            [only] if only == "db" => Ok(Self::Database),
            [only] if only == "simulate" || only.starts_with("simulate:") => simulated(only.strip_prefix("simulate:").unwrap_or_default()),
            words if words.iter().any(|word| word == "db") => {
                Err(WrongUsage("--history takes `db` or files, not both: import the files, then use db".to_owned()))
            }
            words => Ok(Self::Files(words.iter().map(PathBuf::from).collect())),
        }
    }

    /// What reading it goes through.
    const fn unit(&self) -> &'static str {
        match self {
            Self::Database => "series",
            Self::Files(_) => "files",
            Self::Simulated(_) => "days",
        }
    }

    pub async fn load(&self, global: &Global) -> anyhow::Result<History> {
        let bar = bar(0, self.unit());
        let history = self.read(global, &bar).await;
        bar.finish_and_clear();
        history
    }

    async fn read(&self, global: &Global, bar: &ProgressBar) -> anyhow::Result<History> {
        let reached = |done: u64, of: u64| {
            bar.set_length(of);
            bar.set_position(done);
        };
        match self {
            Self::Database => {
                let store = global.store().await?;
                let mut tx = store.service().await?;
                let history = store::history::load(&mut tx, &|done, of| reached(done as u64, of as u64)).await?;
                tx.commit().await?;
                Ok(history)
            }
            Self::Files(files) => {
                let files = ingest::walk(files)?;
                bar.set_length(files.len() as u64);
                let begin = |file: &str| {
                    bar.inc(1);
                    bar.suspend(|| tell(&format!("reading {file}")));
                };
                tokio::task::block_in_place(|| Ok(ingest::read_history(&files, Clock::machine().now(), &begin)?))
            }
            Self::Simulated(simulation) => tokio::task::block_in_place(|| {
                Ok(simulate::history(simulation, &|day, days| reached(day.unsigned_abs(), u64::from(days)))?)
            }),
        }
    }
}

/// `cards=600,days=60,seed=1,end=2026-05-02`, each of which may be missing.
fn simulated(text: &str) -> Result<Source, WrongUsage> {
    let usage = |what: &str| {
        WrongUsage(format!("--history simulate:{text}: {what}; write such as simulate:cards=600,days=60,seed=1,end=2026-05-02"))
    };
    let yesterday = Clock::machine().now().date_naive().pred_opt().unwrap_or_default();
    let mut parameters = Parameters::ending(yesterday);
    for word in text.split(',').filter(|word| !word.is_empty()) {
        let (name, value) = word.split_once('=').ok_or_else(|| usage(&format!("\"{word}\" is no setting")))?;
        let bad = |_| usage(&format!("\"{value}\" is no number"));
        match name {
            "cards" => parameters.cards = value.parse().map_err(bad)?,
            "days" => parameters.days = value.parse().map_err(bad)?,
            "seed" => parameters.seed = value.parse().map_err(bad)?,
            "end" => parameters.end = value.parse().map_err(|_| usage(&format!("\"{value}\" is no day")))?,
            _ => return Err(usage(&format!("\"{name}\" cannot be set"))),
        }
    }
    let simulation = Simulation::new(parameters).map_err(|error| WrongUsage(format!("--history simulate:{text}: {error}")))?;
    Ok(Source::Simulated(Box::new(simulation)))
}
