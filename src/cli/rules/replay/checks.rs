//! The replays that a pack's test files ask for.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;

use super::history::Source;
use crate::{
    cli::{Global, scan::settings},
    domain::history::Row,
    rules::{
        pack::Pack,
        testing::{
            Ran, Suite,
            replays::{Days, Golden, Replay, Replayed, Rewrite, Told, folder_of},
        },
    },
    scan::{
        Settings,
        replay::{self, Plan, window, window::Window},
    },
};

/// What the replays came to, and how many golden files were written.
pub struct Held {
    pub ran: Vec<Ran>,
    pub files: usize,
}

/// Replays all that the suite asks for. `pack` and `suite` were read from `folder`.
pub async fn run(global: &Global, folder: &Path, (pack, suite): (&Pack, &Suite), seed: u64, rewrite: Rewrite) -> anyhow::Result<Held> {
    let mut replayed = Vec::new();
    for replay in &suite.replays {
        replayed.push(play(global, folder, (pack, suite), replay, seed).await.map_err(|error| format!("{error:#}")));
    }
    let place = |replay: &Replay, name: &str| folder.join(folder_of(&replay.place.file)).join(name);
    let of = |name: &str| suite.replays.iter().find(|replay| replay.golden.as_ref().is_some_and(|(golden, _)| golden == name));
    let open = |name: &str| {
        let Some(replay) = of(name) else { return Ok(None) };
        match fs::read_to_string(place(replay, name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    };
    let outcome = suite.hold_replays(replayed, &open, rewrite);
    for (name, text) in &outcome.golden {
        let Some(replay) = of(name) else { continue };
        let path = place(replay, name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Held { ran: outcome.ran, files: outcome.golden.len() })
}

async fn play(global: &Global, folder: &Path, (pack, suite): (&Pack, &Suite), wanted: &Replay, seed: u64) -> anyhow::Result<Replayed> {
    let source = match &wanted.history {
        Told::Database => Source::Database,
        Told::Simulated(text) => Source::of(std::slice::from_ref(text))?,
        Told::Files(files) => {
            let beside = folder.join(folder_of(&wanted.place.file));
            Source::Files(files.iter().map(|file| beside.join(file)).collect::<Vec<PathBuf>>())
        }
    };
    let mut history = source.load(global).await?;
    super::check_shifts(&history, &wanted.shifts)?;
    history.shift(&wanted.shifts);
    let window = match wanted.days {
        Days::Last(days) => Window::Last(days),
        Days::Between(from, to) => Window::Between(from, to),
    };
    let times = window.times(&history, wanted.every).context("history has no day that both markets tell of")?;
    if let Some(gap) = window::gaps(&history, &times).first() {
        anyhow::bail!("history is missing: {gap}");
    }
    // what the test does not say must not depend on who runs it
    let settings = Settings { customs_regime: wanted.regime.clone(), bundle_logic: true, ..settings(global) };
    let plan = Plan {
        pack,
        profiles: &wanted.tenants,
        settings: &settings,
        history: &history,
        times: &times,
        clock: Row::counts_from,
        seed,
        in_full: usize::MAX,
        invariants: &suite.invariants,
        cards: &wanted.cards,
        card: None,
    };
    let replay = tokio::task::block_in_place(|| replay::run(&plan, &|_, _| ()))?;
    let golden = |signal: &replay::step::Signal| {
        Some(Golden {
            at: signal.at,
            tenant: signal.tenant + 1,
            card: history.cards.get(signal.card.0)?.card_id.clone(),
            direction: signal.direction,
            net_profit: signal.net_profit,
            score: signal.score,
        })
    };
    Ok(Replayed {
        signals: replay.steps.iter().map(|step| step.by_tenant.clone()).collect(),
        reasons: replay.reasons.iter().map(|(reason, counts)| (reason.clone(), counts.iter().sum())).collect(),
        decisions: replay.signals.iter().filter_map(golden).collect(),
        broken: replay.invariants.iter().filter_map(|kept| kept.ran.as_ref()).flat_map(|ran| ran.failures.clone()).collect(),
    })
}
