//! The running service: builds everything once, lets the loops run side by side, and drains them at the end.

mod backups;
mod database;

use std::{future::Future, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    bot::{self, Bot},
    clock::Clock,
    config::{self, Config},
    deliver::{self, Delivery},
    ingest::{self, Feeds, pages::Pages, social::Social},
    notify::{Notifier, discord::Discord, telegram::Telegram},
    pulse::Pulse,
    reload::{self, Files, Reloader},
    route::{self, Router},
    scan::{Settings, periodic, review},
    store::Store,
    web::{self, Watch, Watched},
};

/// How long the loops may take to finish what they are at. What is cut off then is rolled back by the database.
const DRAIN: Duration = Duration::from_secs(25);

/// How long open transactions may take after that.
const CLOSE: Duration = Duration::from_secs(3);

/// A turn of a loop that takes longer hangs. The longest that a loop has to do: a vendor's slow answer, a scan of everything.
const LONG_TURN: Duration = Duration::from_mins(15);
/// Of loops that only read files, ask the database, or wait for a platform.
const SHORT_TURN: Duration = Duration::from_mins(3);
/// A backup of years of prices.
const BACKUP_TURN: Duration = Duration::from_hours(3);

/// Runs every loop until `stop`, or one of them cannot go on.
///
/// # Errors
/// The rules cannot be used, or a loop ended with an error; the others were drained.
pub async fn run(
    config: &Config,
    store: Store,
    files: Files,
    clock: Clock,
    stop: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    store.refuse_unsafe_role().await?;
    let listener = web::listen(config.web.listen).await?;
    let started = clock.now();
    let reloader = Reloader::start(files, store.clone(), clock.now()).await?;
    let current = reloader.current();
    let settings = Settings { customs_regime: None, bundle_logic: config.rules.bundle_logic, eur_usd_rate: config.forex.eur_usd_rate };
    let scanner = periodic::Scanner {
        store: store.clone(),
        current: Arc::clone(&current),
        clock: clock.clone(),
        interval: config.scanning.interval,
        defaults: config.defaults.clone(),
        settings,
    };
    let reviewer = scanner.clone();
    let router = router(config, scanner.clone());
    let answerer = scanner.clone();
    let delivery = Delivery::new(store.clone(), notifiers(&config.delivery)?, config.delivery.operator_channel, clock.clone());
    let feeds = Arc::new(Feeds::configured(store.clone(), &config.sources, clock.clone())?.listening(&config.social));
    let news = feeds.changes();
    let sources = feeds.sources().iter().map(|source| (source.about().name, source.about().budget)).collect();
    let raw_days = config.sources.raw_days;
    let pages = pages(config, &store, &feeds, &clock)?;
    let social = social(config, &store, &feeds, clock.clone());
    tell_parts(config);
    let mut loops = Loops::default();
    if config.database.url.is_none() {
        let place = database::Place { home: config.home.clone(), programs: config.database.programs.clone() };
        loops.start("database", SHORT_TURN, |pulse, shutdown| database::run(place, pulse, shutdown));
    }
    if let Some(every) = config.backups.every {
        let (store, settings, clock) = (store.clone(), config.backups.clone(), clock.clone());
        loops.start("backups", BACKUP_TURN, move |pulse, shutdown| backups::run(store, settings, every, clock, pulse, shutdown));
    } else {
        tracing::warn!(event = "part_off", part = "backups", "off: BACKUP_EVERY_HOURS is 0, so somebody else has to make them");
    }
    loops.start("feeds", LONG_TURN, |pulse, shutdown| async move {
        ingest::run(feeds, raw_days, pulse, shutdown).await;
        anyhow::Ok(())
    });
    if let Some(pages) = pages {
        loops.start("pages", SHORT_TURN, |pulse, shutdown| async move {
            ingest::pages::run(pages, pulse, shutdown).await;
            anyhow::Ok(())
        });
    }
    if let Some(social) = social {
        loops.start("social", LONG_TURN, |pulse, shutdown| async move {
            ingest::social::run(social, pulse, shutdown).await;
            anyhow::Ok(())
        });
    }
    let reloading = clock.clone();
    loops.start("reload", SHORT_TURN, |pulse, shutdown| reload::run(reloader, reloading, pulse, shutdown));
    loops.start("review", LONG_TURN, |pulse, shutdown| review::run(reviewer, pulse, shutdown));
    loops.start("scan", LONG_TURN, |pulse, shutdown| periodic::run(scanner, news, pulse, shutdown));
    if router.channels.is_empty() {
        tracing::warn!(event = "part_off", part = "routing", "off: nobody can be told without TELEGRAM_BOT_TOKEN or DISCORD_BOT_TOKEN");
    } else {
        loops.start("route", LONG_TURN, |pulse, shutdown| route::run(router, pulse, shutdown));
        if let Some(telegram) = Telegram::new(&config.delivery.telegram)? {
            let bot = Bot { telegram: Arc::new(telegram), scanner: answerer, delivery: delivery.clone() };
            loops.start("bot", SHORT_TURN, |pulse, shutdown| bot::run(bot, pulse, shutdown));
        }
        loops.start("deliver", SHORT_TURN, |pulse, shutdown| deliver::run(delivery, pulse, shutdown));
    }
    tracing::info!(event = "listening", address = %listener.local_addr()?, "GET /health, /ready, /metrics");
    let watch = Watch {
        store: store.clone(),
        loops: loops.watched.clone(),
        sources,
        backups: config.backups.every.map(|_| config.backups.folder.clone()),
        started,
        clock,
    };
    loops.run("web", |shutdown| web::run(listener, watch, shutdown));
    tracing::info!(event = "serving", pack = %current.get().pack.hash, scan_minutes = config.scanning.interval.as_secs() / 60);
    let outcome = loops.supervise(stop).await;
    if tokio::time::timeout(CLOSE, store.close()).await.is_err() {
        tracing::warn!(event = "cut_off", "a transaction was still open: the database rolls it back");
    }
    outcome
}

/// Every platform that there is a token for.
fn notifiers(delivery: &config::delivery::Delivery) -> anyhow::Result<Vec<Arc<dyn Notifier>>> {
    let telegram = Telegram::new(&delivery.telegram)?.map(|telegram| Arc::new(telegram) as Arc<dyn Notifier>);
    let discord = Discord::new(&delivery.discord)?.map(|discord| Arc::new(discord) as Arc<dyn Notifier>);
    Ok(telegram.into_iter().chain(discord).collect())
}

/// The scraper, where it is asked for.
fn pages(config: &Config, store: &Store, feeds: &Feeds, clock: &Clock) -> anyhow::Result<Option<Pages>> {
    if !config.scraping.enabled {
        return Ok(None);
    }
    let (store, scraping, home, jump) = (store.clone(), config.scraping.clone(), config.home.clone(), config.sources.quarantine_jump);
    Ok(Some(Pages::new(store, scraping, home, jump, feeds.teller(), clock.clone())?))
}

/// What reads posts, where it is asked for.
fn social(config: &Config, store: &Store, feeds: &Feeds, clock: Clock) -> Option<Social> {
    let least_spikes = usize::try_from(config.social.least_spikes).unwrap_or(usize::MAX);
    config.social.enabled.then(|| Social { store: store.clone(), clock, least_spikes, changed: feeds.teller() })
}

fn router(config: &Config, scanner: periodic::Scanner) -> Router {
    Router { scanner, channels: config.delivery.channels(), window: config.routing.window, send_within: config.routing.send_within }
}

/// One line for each part that is off or does less than it could, with what would switch it on.
fn tell_parts(config: &Config) {
    for part in config.parts() {
        match (part.off, part.note) {
            (Some(why), _) => tracing::warn!(event = "part_off", part = part.name, "off: {why}"),
            (None, Some(note)) => tracing::warn!(event = "part_on", part = part.name, "on: {note}"),
            (None, None) => tracing::info!(event = "part_on", part = part.name, "on"),
        }
    }
}

/// Completes at the first SIGTERM or Ctrl-C.
///
/// # Errors
/// The system does not tell of signals.
pub async fn stop_asked() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        outcome = tokio::signal::ctrl_c() => outcome.context("cannot listen for Ctrl-C"),
    }
}

/// The loops that run, each under its name.
#[derive(Default)]
struct Loops {
    running: JoinSet<(&'static str, anyhow::Result<()>)>,
    watched: Vec<Watched>,
    shutdown: CancellationToken,
}

impl Loops {
    /// Lets a loop run. A turn of it that takes longer than `longest_turn` counts as one that hangs.
    fn start<F, E>(&mut self, name: &'static str, longest_turn: Duration, run: impl FnOnce(Pulse, CancellationToken) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error>,
    {
        let pulse = Pulse::default();
        self.watched.push(Watched { name, pulse: pulse.clone(), longest_turn });
        self.run(name, |shutdown| run(pulse, shutdown));
    }

    /// Lets something run that nobody watches.
    fn run<F, E>(&mut self, name: &'static str, run: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<anyhow::Error>,
    {
        let running = run(self.shutdown.child_token());
        self.running.spawn(async move { (name, running.await.map_err(Into::into)) });
    }

    /// Waits for `stop` or the first loop that ends, then drains all.
    async fn supervise(mut self, stop: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let mut fault = tokio::select! {
            stopped = stop => stopped.err(),
            Some(ended) = self.running.join_next() => Some(fault_of(ended).unwrap_or_else(|| anyhow::anyhow!("a loop ended without being asked"))),
        };
        tracing::info!(event = "draining", loops = self.running.len());
        self.shutdown.cancel();
        let drained = tokio::time::timeout(DRAIN, async {
            while let Some(ended) = self.running.join_next().await {
                // the first is the cause, others may be its consequences
                fault = fault.take().or(fault_of(ended));
            }
        });
        if drained.await.is_err() {
            tracing::warn!(event = "cut_off", loops = self.running.len(), "did not finish within {} s", DRAIN.as_secs());
            self.running.shutdown().await;
        }
        fault.map_or(Ok(()), Err)
    }
}

/// Why a loop ended, where it was not for being asked.
fn fault_of(ended: Result<(&'static str, anyhow::Result<()>), tokio::task::JoinError>) -> Option<anyhow::Error> {
    match ended {
        Ok((name, outcome)) => outcome.err().map(|error| error.context(format!("the {name} loop ended"))),
        Err(panic) => Some(anyhow::Error::new(panic).context("a loop broke")),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_loop_that_fails_ends_the_service_after_the_others_finished_their_work() {
        let finished = Arc::new(AtomicBool::new(false));
        let mut loops = Loops::default();
        let seen = Arc::clone(&finished);
        loops.start("steady", SHORT_TURN, |_, shutdown| async move {
            shutdown.cancelled().await;
            seen.store(true, Ordering::SeqCst);
            anyhow::Ok(())
        });
        loops.start("broken", SHORT_TURN, |_, _| async { anyhow::Result::<()>::Err(anyhow::anyhow!("out of luck")) });
        let error = loops.supervise(std::future::pending()).await.unwrap_err();
        assert_eq!(format!("{error:#}"), "the broken loop ended: out of luck");
        assert!(finished.load(Ordering::SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_does_not_stop_is_cut_off_after_the_limit() {
        let mut loops = Loops::default();
        loops.start("stuck", SHORT_TURN, |_, _| std::future::pending::<anyhow::Result<()>>());
        let began = tokio::time::Instant::now();
        loops.supervise(async { Ok(()) }).await.unwrap();
        assert_eq!(began.elapsed(), DRAIN);
    }
}
