//! `demo`: the whole service in two minutes, on a clock that runs fast.

use std::{
    fs::File,
    io::{IsTerminal, stdout},
    num::NonZeroU32,
    path::PathBuf,
    sync::Mutex,
    time::Duration,
};

use anyhow::Context;
use chrono::{Days, NaiveTime};
use tracing_subscriber::EnvFilter;

use super::{Exit, Format, Global, exit::WrongUsage, rules::PackArg, tell};
use crate::{
    app,
    clock::Clock,
    demo::{self, Options, Turn},
    scrape::driver::Found,
};

mod closing;
mod screen;

use screen::Screen;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// So many seconds of the market pass in one of the machine's.
    #[arg(long, default_value_t = 600, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    speed: u32,
    /// How many minutes of the machine's clock it lasts; until Ctrl-C if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    minutes: Option<u32>,
    /// Another seed is another market, and other moods of those who answer.
    #[arg(long, default_value_t = 7, value_name = "N")]
    seed: u64,
    /// How many cards are traded.
    #[arg(long, default_value_t = 600, value_name = "N", value_parser = clap::value_parser!(u32).range(50..=60_000))]
    cards: u32,
    /// A folder of recorded days (cards, an id crosswalk, prices, rates) to show in place of a simulated market.
    #[arg(long, value_name = "DIR")]
    open_data: Option<PathBuf>,
    /// Look at a stand-in of Cardmarket's pages, too, with the Chromium of this machine, for cards that are about to become
    /// signals.
    #[arg(long, conflicts_with = "open_data")]
    pages: bool,
    #[command(flatten)]
    pack: PackArg,
}

/// The market opens a little before TCGCSV's new day comes.
const OPENS: (u32, u32) = (19, 30);
/// The days are over for whoever looks at them later by the machine's clock.
const DAYS_AGO: Days = Days::new(2);

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let folders = [args.pack.folder(), &global.config.profiles].into_iter().chain(args.open_data.as_deref());
    if let Some(missing) = folders.into_iter().find(|folder| !folder.is_dir()) {
        let advice = "start in the project's folder, or name the folders by --pack, --open-data and TCG_RADAR_PROFILES";
        return Err(WrongUsage(format!("there is no folder {}: {advice}", missing.display())).into());
    }
    let browser = args.pages.then(|| Found::look(&global.config.scraping.programs, &global.config.home));
    let browser = browser.transpose().map_err(|missing| WrongUsage(missing.to_string()))?;
    let Some(turn) = Turn::take(&global.config.home)? else {
        let advice = "end it with Ctrl-C, or set TCG_RADAR_HOME to another";
        return Err(
            WrongUsage(format!("another demonstration runs with the data folder {}: {advice}", global.config.home.display())).into()
        );
    };
    let log = log(global)?;
    let today = Clock::machine().now().date_naive();
    let opens = NaiveTime::from_hms_opt(OPENS.0, OPENS.1, 0).unwrap_or_default();
    let options = Options {
        speed: NonZeroU32::new(args.speed).unwrap_or(NonZeroU32::MIN),
        seed: args.seed,
        cards: args.cards,
        start: (today - DAYS_AGO).and_time(opens).and_utc(),
        open_data: args.open_data,
        browser,
        home: global.config.home.clone(),
        programs: global.config.database.programs.clone(),
        rules: args.pack.folder().to_owned(),
        profiles: global.config.profiles.clone(),
    };
    let length = args.minutes.map(|minutes| Duration::from_mins(minutes.into()));
    let mut screen = match global.format {
        Format::Json => Screen::Json,
        Format::Pretty | Format::Junit if stdout().is_terminal() => Screen::terminal(&options, length),
        Format::Pretty | Format::Junit => Screen::plain(),
    };
    let stop = async {
        match length {
            Some(length) => tokio::select! {
                outcome = app::stop_asked() => outcome,
                () = tokio::time::sleep(length) => Ok(()),
            },
            None => app::stop_asked().await,
        }
    };
    tell(&closing::beginning(&global.config.home.join("demo"), &log));
    let mut fault = None;
    let outcome = demo::run(&options, &turn, &tell, |sight| fault = fault.take().or(screen.show(sight).err()), stop).await;
    screen.end();
    let closing = outcome?;
    fault.map_or(Ok(()), Err)?;
    global.show(&closing::Told::of(&closing, &log), closing::pretty)?;
    Ok(if closing.sight.ledger.is_sound() { Exit::Good } else { Exit::Failed })
}

/// The service's log goes to a file: the terminal is for what tenants and operators would see.
fn log(global: &Global) -> anyhow::Result<PathBuf> {
    let path = global.config.home.join("demo.log");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(Mutex::new(file));
    match global.format {
        Format::Json => log.json().init(),
        Format::Pretty | Format::Junit => log.with_target(false).init(),
    }
    Ok(path)
}
