//! The loop that scans: everything at its start, then once an interval, and at once when what it goes by has changed; in
//! between, the cards whose prices have changed.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use tokio::{sync::broadcast, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::{
    Look, Options, ScanError, Settings, conclude, ground::Ground, part::Part, ready::Ready, report::Report, tenants, windows::Windows,
};
use crate::{
    clock::Clock,
    domain::{
        book::Book,
        observation::day_of,
        profile::{Defaults, Profile},
    },
    pulse::Pulse,
    rules::live::{Current, Live},
    store::{
        Store,
        book::{Kept, News},
    },
};

/// What the loop needs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Scanner {
    pub store: Store,
    pub current: Arc<Current>,
    pub clock: Clock,
    /// From the start of one whole scan to the start of the next.
    pub interval: Duration,
    /// The `DEFAULT_*` variables.
    pub defaults: Defaults,
    /// `CUSTOMS_REGIME` among them comes from the live value, not from here.
    pub settings: Settings,
}

/// Near misses kept per tenant, by a scan of the whole market.
const NEAR_MISSES: usize = 20;

/// After a fault of the database: what it cut off must not wait for the next turn.
pub(super) const REST: Duration = Duration::from_secs(5);

/// What is to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Everything,
    /// Cards of which something has been told since the last look.
    Changed,
}

/// What a look came to.
#[derive(Debug)]
pub enum Turn {
    Scanned(Box<Report>),
    /// Of no card anything has been told.
    Nothing,
    /// The rules have changed meanwhile: nothing is written, and the next look is at everything.
    Superseded,
    /// There is no tenant.
    Nobody,
}

/// Scans until `shutdown`. `news` wakes it when prices have changed, whatever it says: the database knows which. A scan that
/// failed is told and tried again, soon where the database cut it off, else at the next turn: its cause may be mended
/// meanwhile.
///
/// # Errors
/// None yet that would end the loop.
pub async fn run<T: Clone>(
    scanner: Scanner,
    mut news: broadcast::Receiver<T>,
    pulse: Pulse,
    shutdown: CancellationToken,
) -> Result<(), ScanError> {
    let mut changed = scanner.current.watch();
    let mut turns = tokio::time::interval(scanner.clock.wall(scanner.interval));
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = Rounds::new(scanner);
    let mut is_told = true;
    loop {
        let wanted = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = turns.tick() => Wanted::Everything,
            // the holder lives as long as the loop
            _ = changed.changed() => {
                turns.reset();
                Wanted::Everything
            }
            heard = news.recv(), if is_told => {
                // nobody is left who could tell
                is_told = !matches!(heard, Err(broadcast::error::RecvError::Closed));
                Wanted::Changed
            }
        };
        let turn = pulse.turn();
        changed.mark_unchanged();
        // what was told so far, or missed, is taken in together
        while !matches!(news.try_recv(), Err(broadcast::error::TryRecvError::Empty | broadcast::error::TryRecvError::Closed)) {}
        let outcome = rounds.scan(wanted, rounds.scanner.clock.now()).await;
        if changed.has_changed().unwrap_or_default() && matches!(outcome, Ok(Turn::Scanned(_))) {
            // they changed just after it was written
            rounds.scanner.review_and_tell(rounds.scanner.clock.now()).await;
        }
        turn.ends(outcome.is_ok());
        match outcome {
            Ok(Turn::Scanned(report)) => tracing::info!(
                event = "scan_finished", scope = report.scope.as_str(), pack = %report.scan.pack_hash, regime = report.customs_regime,
                cards = report.cards, routes = report.routes, tenants = report.tenants, signals = report.signals.len(),
                book_loads = rounds.loads, duration_ms = (report.scan.finished_at - report.scan.started_at).num_milliseconds(),
            ),
            Ok(Turn::Nothing | Turn::Superseded) => {}
            Ok(Turn::Nobody) => {
                tracing::info!(event = "scan_skipped", "there is nobody to judge for: add a tenant with `tcg-radar user add`");
            }
            Err(error) => {
                let retryable = error.is_retryable();
                tracing::error!(event = "scan_failed", retryable, "{error}");
                if retryable {
                    turns.reset_after(REST);
                }
            }
        }
    }
}

/// Scans one after the other, on a book and rules that stay in memory. The database is the truth: after a failure both are
/// made anew.
#[derive(Debug)]
pub struct Rounds {
    scanner: Scanner,
    held: Held,
    /// What was told to a look that came to nothing is looked at by nobody else.
    owes_all: bool,
    /// How often the whole book was read from the database.
    loads: usize,
}

/// By what one scan goes.
struct Job {
    store: Store,
    live: Arc<Live>,
    profiles: Vec<Profile>,
    settings: Settings,
    current: Arc<Current>,
    clock: Clock,
}

impl Job {
    /// Whether the rules are still those in force, so long after the start at `now`.
    fn holds(&self, ground: &Ground, now: DateTime<Utc>, since: Duration) -> bool {
        let at = now + self.clock.of_wall(TimeDelta::from_std(since).unwrap_or_default());
        self.current.get().goes_by(&self.live.pack.hash, ground.regime.as_deref(), at)
    }
}

#[derive(Debug, Default)]
struct Held {
    book: Option<Kept>,
    ready: Option<Ready>,
}

impl Held {
    async fn scan(&mut self, job: &Job, wanted: Wanted, now: DateTime<Utc>, loads: &mut usize) -> Result<Turn, ScanError> {
        let Job { store, live, profiles, settings, .. } = job;
        let pack = &live.pack;
        let began = Instant::now();
        let windows = Windows::read(pack, day_of(now))?;
        let (book, news) = advance(&mut self.book, store, now, &windows).await?;
        *loads += usize::from(news == News::Anew);
        let ground = Ground::of(book, &windows, pack, settings)?;
        let case = ground.case(pack, book, &ground.routes, profiles);
        let part = match (wanted, news) {
            (Wanted::Changed, News::Cards(cards)) if cards.is_empty() => return Ok(Turn::Nothing),
            (Wanted::Changed, News::Cards(cards)) => Part::of(&cards, book, &ground.routes, pack),
            _ => None,
        };
        let ready = Ready::renewed(self.ready.take(), &case, &ground.rates);
        let options = Options { as_of: now, shifts: Vec::new(), dry_run: false, near_misses: NEAR_MISSES };
        let holds = || job.holds(&ground, now, began.elapsed());
        let report = if let Some(part) = part {
            let case = case.about(&part.routes);
            let findings = ready.judge_part(&case, &part.cards);
            let look = Look { case: &case, ground: &ground, findings: &findings, only: Some(&part.cards), holds: &holds };
            conclude(store, &look, &options, now, began).await
        } else {
            let findings = ready.judge(&case, NEAR_MISSES);
            let look = Look { case: &case, ground: &ground, findings: &findings, only: None, holds: &holds };
            conclude(store, &look, &options, now, began).await
        };
        self.ready = Some(ready);
        match report {
            Err(ScanError::Superseded) => Ok(Turn::Superseded),
            report => Ok(Turn::Scanned(Box::new(report?))),
        }
    }
}

/// The book of the moment, and what is new in it.
async fn advance<'k>(
    kept: &'k mut Option<Kept>,
    store: &Store,
    now: DateTime<Utc>,
    windows: &Windows,
) -> Result<(&'k Book, News), ScanError> {
    let history_days = u32::try_from(windows.longest()).unwrap_or(u32::MAX);
    let mut tx = store.service().await?;
    let (book, news) = match kept.take() {
        Some(mut book) => {
            let news = book.advance(&mut tx, now, history_days).await?;
            (book, news)
        }
        None => (Kept::load(&mut tx, now, history_days).await?, News::Anew),
    };
    tx.commit().await?;
    Ok((kept.insert(book).book(), news))
}

impl Rounds {
    pub const fn new(scanner: Scanner) -> Self {
        Self { scanner, held: Held { book: None, ready: None }, owes_all: false, loads: 0 }
    }

    /// How often the whole book was read from the database.
    pub const fn loads(&self) -> usize {
        self.loads
    }

    /// One scan by the live value of this moment, for every tenant.
    ///
    /// # Errors
    /// As [`super::scan_once`].
    pub async fn scan(&mut self, wanted: Wanted, now: DateTime<Utc>) -> Result<Turn, ScanError> {
        let live = self.scanner.current.get();
        let profiles = self.scanner.profiles(&live).await?;
        if profiles.is_empty() {
            return Ok(Turn::Nobody);
        }
        let settings = Settings { customs_regime: live.customs_variable.clone(), ..self.scanner.settings.clone() };
        let Scanner { store, current, clock, .. } = self.scanner.clone();
        let job = Job { store, live, profiles, settings, current, clock };
        let wanted = if self.owes_all { Wanted::Everything } else { wanted };
        let mut held = std::mem::take(&mut self.held);
        let runtime = tokio::runtime::Handle::current();
        // judging keeps a thread busy for as long as it takes; no other task may have to wait for it
        let scan = tokio::task::spawn_blocking(move || {
            runtime.block_on(async {
                let mut loads = 0;
                let outcome = held.scan(&job, wanted, now, &mut loads).await;
                (outcome, held, loads)
            })
        });
        // a panic, as this task itself is never cancelled: the service goes on without this one scan
        let (outcome, held, loads) = scan.await.map_err(ScanError::Broke)?;
        self.loads += loads;
        // what the failed scan has taken in was judged by none
        if let Ok(turn) = &outcome {
            self.held = held;
            self.owes_all = matches!(turn, Turn::Superseded);
        }
        outcome
    }
}

impl Scanner {
    /// A tenant without its preset is left out, with a word: one mistake must not silence all.
    pub(super) async fn profiles(&self, live: &Live) -> Result<Vec<Profile>, ScanError> {
        let (resolved, unresolved) = tenants::load(&self.store, &live.presets, &self.defaults).await?;
        for left_out in unresolved {
            tracing::warn!(event = "tenant_left_out", tenant_id = %left_out.tenant.id, "{}", left_out.fault);
        }
        Ok(resolved.into_iter().map(|(_, profile)| profile).collect())
    }
}
