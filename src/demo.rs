//! The demonstration: the whole service on a clock that runs fast, against a market, vendors, messengers and resellers of
//! this machine. Nothing of it knows that it is one.

use std::{
    fs::{self, File, TryLockError},
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use chrono::{DateTime, Days, TimeDelta, Utc};
use tokio::{task::JoinSet, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    app,
    clock::Clock,
    config::Config,
    ingest,
    reload::Files,
    scan::ground,
    scrape::driver::Found,
    simulate::{
        self, Parameters, Simulation,
        cardmarket::{Cardmarket, Shelves},
        cast::{self, Cast},
        messengers::Messengers,
        vendors::{Plan, StandIns, Stock},
    },
    store::{Server, Store, Tell, embedded::Embedded},
};

mod folder;
mod recorded;
pub mod sight;

use self::{
    folder::Folder,
    recorded::Recorded,
    sight::{Eyes, Sight},
};

/// The database of the demonstration; each run makes it anew.
pub const DATABASE: &str = "tcgradar_demo";
/// Days of history that the market has before it begins, which an operator would import.
const PAST_DAYS: u64 = 60;
/// Days after the beginning on which spreads that were planned are still to open.
const PLANNED_DAYS: u64 = 3;
/// The market goes on for so long: at 600 times the speed, five days of the machine's.
const DAYS_BEYOND: u32 = 3_000;
/// When the operator turns to the other customs regime: the first windows are open.
const SWITCH_AFTER: TimeDelta = TimeDelta::minutes(150);
const REGIMES: (&str, &str) = ("pre_july_2026", "post_july_2026");
/// The clock of commands that are asked in the demonstration's folder.
const CLOCK: &str = "TCG_RADAR_CLOCK";
/// Between two looks at what happens.
const LOOK: Duration = Duration::from_millis(500);

/// What to show.
#[derive(Debug, Clone)]
pub struct Options {
    /// So many times as fast as the machine's clock.
    pub speed: NonZeroU32,
    /// Another seed is another market, and other resellers' moods.
    pub seed: u64,
    pub cards: u32,
    /// What the clock shows at the beginning; of recorded days only the time of the day.
    pub start: DateTime<Utc>,
    /// A folder with recorded days, to be shown in place of a simulated market.
    pub open_data: Option<PathBuf>,
    /// Looks at the pages of a stand-in of Cardmarket's with this browser, too.
    pub browser: Option<Found>,
    /// The data folder.
    pub home: PathBuf,
    /// Where PostgreSQL's programs are, where they are not to be searched for.
    pub programs: Option<PathBuf>,
    /// The rules and presets that it begins with: copies are made of them.
    pub rules: PathBuf,
    pub profiles: PathBuf,
}

/// How it ended.
#[derive(Debug)]
pub struct Closing {
    /// What the clock showed at the beginning.
    pub start: DateTime<Utc>,
    /// The last look.
    pub sight: Sight,
    /// Where the rules of the demonstration lie, and its `.env`.
    pub folder: PathBuf,
}

/// Runs until `stop`, and shows what happens about twice a second.
///
/// # Errors
/// The database cannot be started, a file cannot be written, the market cannot be made, or the service ended with an error.
pub async fn run(
    options: &Options,
    _turn: &Turn,
    tell: Tell<'_>,
    mut show: impl FnMut(&Sight),
    stop: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<Closing> {
    let home = std::path::absolute(&options.home).with_context(|| format!("cannot find {}", options.home.display()))?;
    let server = Embedded::start(&home, options.programs.as_deref(), tell).await?;
    let server = Server::embedded(&server).fresh_database(DATABASE).await?;
    server.migrate(None, &|_| {}).await?;
    let store = Store::connect(&server).await?;
    let folder = Folder::make(&home.join("demo"), &options.rules, &options.profiles)?;
    let cast = Cast::new(options.seed);
    let market = Market::prepare(&store, options, tell).await?;
    simulate::add_tenants(&store, cast.people().iter().map(|person| person.tenant.clone())).await?;

    let clock = Clock::fast(market.start, options.speed);
    let shown = Clock::written(market.start, options.speed);
    let vendors = StandIns::start(market.stock, Plan::Free, clock.clone(), 0).await.context("cannot listen for the vendors")?;
    let messengers = Arc::new(Messengers::start(clock.clone(), 0).await.context("cannot listen for the messengers")?);
    let mut stood_in = vendors.variables();
    stood_in.extend(messengers.variables());
    // lives as long as the service
    let _pages = match &options.browser {
        Some(found) => {
            let pages = Cardmarket::start(shelves(options)?, clock.clone(), 0).await.context("cannot listen for Cardmarket's pages")?;
            stood_in.extend(pages.variables());
            stood_in.extend(browser(found));
            Some(pages)
        }
        None => None,
    };
    let config = configure(options, &folder, shown, &server, &home, &stood_in)?;
    let files = Files {
        rules: folder.rules(),
        profiles: folder.profiles(),
        dotenv: folder.dotenv(),
        process_variable: None,
        fit: |pack, now| ground::fits(pack, now).map_err(|missing| missing.to_string()),
    };

    let mut eyes = Eyes::new(store, Arc::clone(&messengers), clock.clone(), cast.people());
    let mut others = JoinSet::new();
    let over = CancellationToken::new();
    others.spawn(cast::live(cast, messengers, clock.clone(), over.child_token()));
    others.spawn(switch(folder.clone(), clock.clone(), market.start + SWITCH_AFTER, over.child_token()));
    let began = Instant::now();
    // the service closes its store at its end
    let mut service = Box::pin(app::run(&config, Store::connect(&server).await?, files, clock, stop));
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let outcome = loop {
        tokio::select! {
            outcome = &mut service => break outcome,
            _ = looks.tick() => show(&eyes.look(began.elapsed()).await?),
        }
    };
    over.cancel();
    while others.join_next().await.is_some() {}
    outcome?;
    let sight = eyes.look(began.elapsed()).await?;
    // who asks later asks of the last moment
    folder.set_variable(CLOCK, &Clock::stopped(sight.at))?;
    Ok(Closing { start: market.start, sight, folder: folder.path().to_owned() })
}

/// One demonstration at a time in a data folder.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

impl Turn {
    /// Nothing while another runs.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn take(home: &Path) -> anyhow::Result<Option<Self>> {
        let path = home.join("demo.lock");
        let cannot = || format!("cannot lock {}: TCG_RADAR_HOME names another data folder", path.display());
        fs::create_dir_all(home).with_context(cannot)?;
        let lock = File::create(&path).with_context(cannot)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error).with_context(cannot),
        }
    }
}

/// What is still to come of a market whose past was imported.
struct Market {
    start: DateTime<Utc>,
    stock: Stock,
}

impl Market {
    /// Imports what an operator would before the first start.
    async fn prepare(store: &Store, options: &Options, tell: Tell<'_>) -> anyhow::Result<Self> {
        match &options.open_data {
            Some(folder) => Self::recorded(store, options, folder.clone(), tell).await,
            None => Self::simulated(store, options, tell).await,
        }
    }

    async fn simulated(store: &Store, options: &Options, tell: Tell<'_>) -> anyhow::Result<Self> {
        let start = options.start;
        let market = Simulation::new(parameters(options))?;
        let written = simulate::write_until(store, &market, start, start, &|_, _| ()).await?;
        tell(&format!("imported {} cards, their ids and {PAST_DAYS} days of history: {} rows", market.cards().len(), written.new));
        Ok(Self { start, stock: Stock::day_by_day(market) })
    }

    async fn recorded(store: &Store, options: &Options, folder: PathBuf, tell: Tell<'_>) -> anyhow::Result<Self> {
        tell(&format!("reading {}", folder.display()));
        let (most, now) = (usize::try_from(options.cards).unwrap_or(usize::MAX), options.start);
        let market = tokio::task::spawn_blocking(move || Recorded::read(&folder, most, now)).await??;
        let start = market.opens.and_time(options.start.time()).and_utc();
        let mut tx = store.service_bulk().await?;
        let written = ingest::write_batch(&mut tx, &market.history(start), start).await?.total();
        tx.commit().await?;
        let moved = match market.moved {
            0 => String::new(),
            days => format!("; TCGplayer's prices are moved by {days} days: these never stood beside Cardmarket's"),
        };
        tell(&format!("imported {} cards, their ids and their history until {start}: {} rows{moved}", market.cards.len(), written.new));
        Ok(Self { start, stock: market.into_stock() })
    }
}

/// The simulated market, from its past to its last planned day. No feed tells of single offers.
fn parameters(options: &Options) -> Parameters {
    let end = options.start.date_naive() + Days::new(PLANNED_DAYS);
    let days = u32::try_from(PAST_DAYS + PLANNED_DAYS).unwrap_or(u32::MAX);
    let more = Parameters { beyond: DAYS_BEYOND, tenants: 0, listing_days: 0, ..Parameters::ending(end) };
    Parameters { seed: options.seed, cards: options.cards, days, ..more }
}

/// What Cardmarket's pages of the same market show: its sellers, on every planned day.
fn shelves(options: &Options) -> anyhow::Result<Shelves> {
    let parameters = parameters(options);
    Ok(Shelves::of(&Simulation::new(Parameters { listing_days: parameters.days, beyond: 0, ..parameters })?))
}

/// What switches the scraper on, with the browser that was found.
fn browser(found: &Found) -> Vec<(&'static str, String)> {
    let path = |path: &Path| path.display().to_string();
    vec![
        ("ENABLE_LAYER_3_SCRAPING", "true".to_owned()),
        ("SCRAPE_CHROMIUM", path(&found.chromium)),
        ("PLAYWRIGHT_NODE_EXE", path(&found.node)),
        ("PLAYWRIGHT_CLI_JS", path(&found.driver)),
    ]
}

/// The folder's `.env`, and what it says. Nothing of the process's own environment gets in: no real key, no real address.
fn configure(
    options: &Options,
    folder: &Folder,
    shown: String,
    server: &Server,
    home: &Path,
    stood_in: &[(&'static str, String)],
) -> anyhow::Result<Config> {
    let mut variables: Vec<(&str, String)> = vec![
        ("CUSTOMS_REGIME", REGIMES.0.to_owned()),
        ("DATABASE_URL", server.url(false)),
        ("TCG_RADAR_HOME", home.display().to_string()),
        // else it would count among the backups of a real service
        ("TCG_RADAR_BACKUPS", folder.path().join("backups").display().to_string()),
        (CLOCK, shown),
        // a busy machine is not to make a message late
        ("SIGNAL_SEND_DEADLINE_MINUTES", send_within(options.speed).to_string()),
        // Cardmarket's new day comes at night, and is not to wait for the evening
        ("DAILY_FEED_INTERVAL_HOURS", "6".to_owned()),
        // what is folded must be older than the database's own clock allows
        ("HISTORY_RAW_DAYS", "0".to_owned()),
        // the usual port may be a real service's, and a play needs no backup
        ("TCG_RADAR_LISTEN", "127.0.0.1:0".to_owned()),
        ("BACKUP_EVERY_HOURS", "0".to_owned()),
    ];
    variables.extend_from_slice(stood_in);
    folder.write_dotenv(&variables)?;
    Ok(Config::from_lookup(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone()))?)
}

/// Minutes of a fast clock that are twenty seconds of the machine's; a day is the most that may be set.
fn send_within(speed: NonZeroU32) -> u32 {
    (speed.get() / 3).clamp(30, 1_440)
}

/// The operator turns to the other customs regime, by the file that a running service watches.
async fn switch(folder: Folder, clock: Clock, at: DateTime<Utc>, over: CancellationToken) {
    tokio::select! {
        () = over.cancelled() => return,
        () = clock.sleep((at - clock.now()).to_std().unwrap_or_default()) => {}
    }
    match folder.set_variable("CUSTOMS_REGIME", REGIMES.1) {
        Ok(()) => tracing::info!(event = "regime_asked", regime = REGIMES.1, "the operator writes it into .env"),
        Err(error) => tracing::error!(event = "regime_asked", "{error:#}"),
    }
}
