//! Keeps every feed fresh: a job each, none waits for another, and all end when they are told to.

use std::{collections::HashMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{FileReport, feeds::Feeds, fold::fold_once};
use crate::{pulse::Pulse, store::StoreError};

/// What a step may still take after the program was told to end.
const DRAIN: Duration = Duration::from_secs(10);
/// Between two tries while the database fails.
const TROUBLED: TimeDelta = TimeDelta::seconds(30);
/// Another process may have changed what there is to do.
const LONGEST_SLEEP: TimeDelta = TimeDelta::minutes(10);

/// Which job a task does: a source's place, or the folding of history.
#[derive(Clone, Copy)]
enum Job {
    Feed(usize),
    Fold(u32),
}

/// Runs all feeds, and once a day the folding of history older than `raw_days`, until `shutdown`.
pub async fn run(feeds: Arc<Feeds>, raw_days: Option<u32>, pulse: Pulse, shutdown: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut jobs = HashMap::new();
    let start =
        |tasks: &mut JoinSet<()>, job: Job, pause| tasks.spawn(work(Arc::clone(&feeds), job, pause, pulse.clone(), shutdown.clone())).id();
    for job in (0..feeds.sources.len()).map(Job::Feed).chain(raw_days.map(Job::Fold)) {
        jobs.insert(start(&mut tasks, job, Duration::ZERO), job);
    }
    while let Some(ended) = tasks.join_next_with_id().await {
        if let Err(died) = ended
            && let Some(job) = jobs.remove(&died.id())
        {
            // a fault of the program; the other jobs are not to suffer
            error!(event = "job_died", job = name(&feeds, job), "{died}; it begins again");
            jobs.insert(start(&mut tasks, job, TROUBLED.to_std().unwrap_or_default()), job);
        }
    }
}

fn name(feeds: &Feeds, job: Job) -> &'static str {
    match job {
        Job::Feed(place) => feeds.sources.get(place).map_or("?", |source| source.about().name),
        Job::Fold(_) => "history",
    }
}

async fn work(feeds: Arc<Feeds>, job: Job, mut pause: Duration, pulse: Pulse, shutdown: CancellationToken) {
    let mut account = FileReport::default();
    loop {
        tokio::select! {
            () = feeds.clock.sleep(pause) => {}
            () = shutdown.cancelled() => return,
        }
        let turn = pulse.turn();
        let step = async {
            match job {
                Job::Feed(place) => match feeds.sources.get(place) {
                    Some(source) => feeds.step(source, &mut account).await,
                    None => Ok(DateTime::<Utc>::MAX_UTC),
                },
                Job::Fold(days) => fold_once(&feeds.store, days, feeds.clock.now()).await,
            }
        };
        let again = tokio::select! {
            outcome = step => {
                turn.ends(outcome.is_ok());
                again(name(&feeds, job), outcome, feeds.clock.now() + feeds.clock.of_wall(TROUBLED))
            }
            () = drained(&shutdown) => return,
        };
        pause = (again - feeds.clock.now()).min(LONGEST_SLEEP).to_std().unwrap_or_default();
    }
}

fn again(job: &str, outcome: Result<DateTime<Utc>, StoreError>, after_trouble: DateTime<Utc>) -> DateTime<Utc> {
    outcome.unwrap_or_else(|fault| {
        error!(event = "job_failed", job, "{fault}");
        after_trouble
    })
}

async fn drained(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    sleep(DRAIN).await;
}
