//! `scan --once`: judge everything now, or as of a day in the past.

use std::{
    fmt::Write as _,
    fs::File,
    io::{IsTerminal, stderr},
    ops::RangeInclusive,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use anyhow::Context;
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use rust_decimal::Decimal;
use serde_json::json;

use super::{Exit, Global, exit::WrongUsage, rules::PackArg, table, tell};
use crate::{
    clock::Clock,
    config::presets,
    domain::{
        book::SourceShift,
        observation::end_of_day,
        profile::{Profile, Tenant},
    },
    scan::{
        self, Options, Settings,
        feeds::Share,
        report::{Found, Report},
    },
    simulate::{self, Parameters, Simulation},
    store::{Server, Store, embedded::Embedded},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Scan one time and end.
    #[arg(long, required = true)]
    once: bool,
    /// Write nothing to the database.
    #[arg(long)]
    dry_run: bool,
    /// Judge what was known then: a day (its end, UTC) or a time such as 2026-05-02T12:00:00Z.
    #[arg(long, value_name = "T", value_parser = as_of)]
    as_of: Option<DateTime<Utc>>,
    /// Move one source's history in time by whole days, as in tcgcsv=+159d.
    #[arg(long, value_name = "SOURCE=±Nd", value_parser = shift, allow_hyphen_values = true)]
    shift: Vec<SourceShift>,
    /// Signals to show.
    #[arg(long, default_value_t = 10, value_name = "N")]
    top: usize,
    #[command(flatten)]
    pack: PackArg,
    #[command(flatten)]
    simulated: Simulated,
}

#[derive(Debug, clap::Args)]
struct Simulated {
    /// Scan a simulated market, in a database of its own on the embedded server: no key, no network, no real data touched.
    #[arg(long)]
    simulate: bool,
    /// Another seed is another market.
    #[arg(long, default_value_t = 1, requires = "simulate", value_name = "N")]
    seed: u64,
    #[arg(long, default_value_t = 600, requires = "simulate", value_name = "N")]
    cards: u32,
    #[arg(long, default_value_t = 60, requires = "simulate", value_name = "N")]
    days: u32,
}

pub(super) fn as_of(text: &str) -> Result<DateTime<Utc>, String> {
    let day = text.parse::<NaiveDate>().ok();
    let time = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc()).ok();
    match (day, time.or_else(|| day?.and_time(chrono::NaiveTime::MIN).and_utc().into())) {
        (_, Some(time)) if !YEARS.contains(&time.year()) => {
            Err(format!("no price is that old or that new: write a day of the years {} to {}", YEARS.start(), YEARS.end()))
        }
        (Some(day), _) => Ok(end_of_day(day)),
        (None, Some(time)) => Ok(time),
        (None, None) => Err("write a day such as 2026-05-02, or a time such as 2026-05-02T12:00:00Z".to_owned()),
    }
}

/// Years in which prices of cards can be asked for; they also keep dates from overflowing.
const YEARS: RangeInclusive<i32> = 1996..=2200;

pub(super) fn shift(text: &str) -> Result<SourceShift, String> {
    let usage = || "write a source and whole days, such as tcgcsv=+159d".to_owned();
    let (source, days) = text.rsplit_once('=').ok_or_else(usage)?;
    let days: i64 = days.strip_suffix('d').and_then(|days| days.parse().ok()).ok_or_else(usage)?;
    if source.is_empty() || days.abs() > 36_500 {
        return Err(usage());
    }
    Ok(SourceShift { source: source.to_owned(), days })
}

pub async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let pack = args.pack.load()?;
    let now = Clock::machine().now();
    let (store, default_as_of, _turn) = if args.simulated.simulate {
        let simulation = args.simulated.simulation(now)?;
        let (store, turn) = simulated_store(global, &simulation, now).await?;
        (store, simulation.as_of(), Some(turn))
    } else {
        (global.store().await?, now, None)
    };
    let profiles: Vec<Profile> = tenants(global, &store).await?.into_iter().map(|(_, profile)| profile).collect();
    if profiles.is_empty() {
        tell(NOBODY);
        return Ok(Exit::NothingRan);
    }
    let options = Options { as_of: args.as_of.unwrap_or(default_as_of), shifts: args.shift, dry_run: args.dry_run, near_misses: 20 };
    let settings = settings(global);
    let bar = Bar::new();
    let report = scan::scan_once(&store, &pack, &profiles, &settings, &options, now, &|done, of| bar.add(done, of)).await?;
    bar.0.finish_and_clear();
    global.show(&as_json(&report, args.top), |_| pretty(&report, &options, &pack.name, args.top))?;
    if report.feeds.is_empty() {
        tell("no price was known then: `tcg-radar import FILE…` stores cards, ids and prices");
        return Ok(Exit::NoHistory);
    }
    Ok(Exit::Good)
}

/// Every active tenant, and its settings with all levels applied.
pub(super) async fn tenants(global: &Global, store: &Store) -> anyhow::Result<Vec<(Tenant, Profile)>> {
    let presets = presets::read(&global.config.profiles)?;
    let (resolved, mut unresolved) = scan::tenants::load(store, &presets, &global.config.defaults).await?;
    match unresolved.pop() {
        Some(left_out) => Err(left_out.fault.into()),
        None => Ok(resolved),
    }
}

/// What the configuration says about decisions.
pub(super) fn settings(global: &Global) -> Settings {
    Settings {
        customs_regime: global.config.rules.customs_regime.clone(),
        bundle_logic: global.config.rules.bundle_logic,
        eur_usd_rate: global.config.forex.eur_usd_rate,
    }
}

/// What a command says that needs a tenant and finds none.
pub(super) const NOBODY: &str =
    "there is nobody to judge for: add a tenant with `tcg-radar user add --telegram-chat-id N --country CC --profile PRESET`";

impl Simulated {
    fn simulation(&self, now: DateTime<Utc>) -> anyhow::Result<Simulation> {
        // yesterday is over: no simulated row lies in the future
        let end = now.date_naive().pred_opt().context("there is no yesterday")?;
        let parameters = Parameters { seed: self.seed, cards: self.cards, days: self.days, ..Parameters::ending(end) };
        Simulation::new(parameters).map_err(|error| WrongUsage(error.to_string()).into())
    }
}

/// The name of the database of simulated markets; each run makes it anew.
const SIMULATED: &str = "tcgradar_simulated";

/// Its store, and the lock that is ours as long as it is looked at: the next run drops the database.
async fn simulated_store(global: &Global, simulation: &Simulation, now: DateTime<Utc>) -> anyhow::Result<(Store, File)> {
    let home: &Path = &global.config.home;
    let server = Embedded::start(home, global.config.database.programs.as_deref(), &tell).await?;
    let turn = turn(&home.join("simulated.lock"))?;
    let server = Server::embedded(&server).fresh_database(SIMULATED).await?;
    server.migrate(None, &|_| {}).await?;
    let store = Store::connect(&server).await?;
    let parameters = simulation.parameters();
    tell(&format!("simulating {} cards over {} days, seed {}", parameters.cards, parameters.days, parameters.seed));
    let bar = Bar::new();
    let written = simulate::write(&store, simulation, now, &|done, of| bar.set(done, of)).await?;
    bar.0.finish_and_clear();
    tell(&format!("stored {} rows of the simulated market in the database {SIMULATED}", written.new));
    Ok((store, turn))
}

/// Waits until no other process scans a simulated market of this data folder.
fn turn(path: &Path) -> anyhow::Result<File> {
    let locked = || format!("cannot lock {}", path.display());
    let turn = File::create(path).with_context(locked)?;
    if turn.try_lock().is_err() {
        tell("waiting for another scan of a simulated market to end");
        turn.lock().with_context(locked)?;
    }
    Ok(turn)
}

/// A bar on a terminal, nothing elsewhere.
struct Bar(ProgressBar, AtomicUsize);

impl Bar {
    fn new() -> Self {
        let bar = if stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} % {elapsed}") {
            bar.set_style(style);
        }
        Self(bar, AtomicUsize::new(0))
    }

    fn add(&self, done: usize, of: usize) {
        // a terminal shows no thousandths
        let now = self.1.fetch_add(done, Ordering::Relaxed) + done;
        if now.is_multiple_of(500) {
            self.0.set_length(of as u64);
            self.0.set_position(now as u64);
        }
    }

    fn set(&self, done: u32, of: u32) {
        self.0.set_length(of.into());
        self.0.set_position(done.into());
    }
}

fn as_json(report: &Report, top: usize) -> serde_json::Value {
    let found = |found: &Found| {
        let (opportunity, decision) = (&found.opportunity, &found.decision);
        json!({
            "decision_id": decision.decision_id, "card_id": opportunity.card_id, "card_name": opportunity.card_name, "finish": opportunity.finish, "direction": opportunity.direction,
            "buy_price": opportunity.buy_price, "sell_price": opportunity.sell_price, "buy_source": opportunity.buy_source,
            "sell_source": opportunity.sell_source, "seller_id": opportunity.seller_id, "condition": opportunity.condition,
            "tenant": decision.tenant, "type": decision.signal_type, "reason": decision.reason, "score": decision.score,
            "net_profit": decision.net_profit, "home_currency": found.home_currency, "flags": decision.flags,
            "waterfall": found.waterfall.iter().map(|(name, amount)| json!([name, amount])).collect::<Vec<_>>(),
        })
    };
    json!({
        "scan_id": report.scan.scan_id, "as_of": report.scan.as_of, "pack": report.scan.pack_hash, "shift": report.scan.shift,
        "rates": report.rates, "customs_regime": report.customs_regime, "cards": report.cards, "routes": report.routes,
        "one_sided": report.one_sided, "unmapped_series": report.unmapped, "tenants": report.tenants,
        "signals": report.signals.len(), "best": report.signals.iter().take(top).map(found).collect::<Vec<_>>(),
        "near_misses": report.near_misses.iter().take(top).map(found).collect::<Vec<_>>(),
        "reasons": report.reasons.iter().map(|(reason, line)| json!({
            "reason": reason, "eu_us": line.by_direction[0], "us_eu": line.by_direction[1], "details": line.details,
        })).collect::<Vec<_>>(),
    })
}

fn pretty(report: &Report, options: &Options, pack: &str, top: usize) -> String {
    let mut text = String::new();
    if let Some(shift) = &report.scan.shift {
        let _ = writeln!(text, "MOVED IN TIME: {shift}. These prices never stood side by side; read the result as an experiment.\n");
    }
    let regime = report.customs_regime.as_deref().unwrap_or("none");
    let rates = &report.rates;
    let _ = writeln!(
        text,
        "as of {}: {} cards, {} routes, {} tenants; 1 EUR = {} USD ({}, {}); customs {regime}; pack {pack} {}",
        options.as_of.format("%Y-%m-%d %H:%M UTC"),
        report.cards,
        report.routes,
        report.tenants,
        rates.usd_per_eur,
        rates.origin.source,
        rates.origin.date,
        &report.scan.pack_hash[..12.min(report.scan.pack_hash.len())],
    );
    let _ = writeln!(
        text,
        "{} cards have prices that no other market's can be held against; {} price series belong to no known card\n",
        report.one_sided, report.unmapped
    );
    let _ = writeln!(text, "{}\n", feeds(report));
    let _ = writeln!(text, "{}\n", reasons(report));
    text.push_str(&signals(report, top));
    if let Some(best) = report.signals.first() {
        let _ = write!(text, "\n{}", waterfall(best));
    }
    text
}

fn feeds(report: &Report) -> String {
    let share = |share: Share| match share.ratio(1) {
        Some(ratio) => format!("{:.1} % of {}", ratio * Decimal::ONE_HUNDRED, share.whole),
        None => "no history".to_owned(),
    };
    let rows = report.feeds.iter().map(|feed| {
        let age = (report.scan.as_of - feed.newest).num_hours();
        let age = if age >= 48 { format!("{} days", age / 24) } else { format!("{age} h") };
        vec![
            feed.source.to_string(),
            feed.currency.to_string(),
            feed.newest.format("%Y-%m-%d").to_string(),
            age,
            feed.priced.to_string(),
            share(feed.jumped),
            share(feed.frozen),
        ]
    });
    table(&["feed", "currency", "newest", "age", "priced", "jumped that day", "standing still"], rows)
}

fn reasons(report: &Report) -> String {
    let mut lines: Vec<_> = report.reasons.iter().collect();
    lines.sort_by_key(|(reason, line)| (std::cmp::Reverse(line.by_direction.iter().sum::<usize>()), *reason));
    let rows = lines.into_iter().map(|(reason, line)| {
        let mut details: Vec<_> = line.details.iter().collect();
        details.sort_by_key(|(detail, count)| (std::cmp::Reverse(**count), *detail));
        let details: Vec<String> = details.iter().take(2).map(|(detail, count)| format!("{detail}: {count}")).collect();
        vec![reason.clone(), line.by_direction[0].to_string(), line.by_direction[1].to_string(), details.join("; ")]
    });
    table(&["rejected because of", "EU→US", "US→EU", "mostly"], rows)
}

fn signals(report: &Report, top: usize) -> String {
    let shown = report.signals.len().min(top);
    let mut text = format!("{} signals", report.signals.len());
    if shown == 0 {
        text.push('\n');
        return text;
    }
    let _ = writeln!(text, ", the best {shown}:\n");
    let rows = report.signals.iter().take(top).map(|found| {
        let (opportunity, decision) = (&found.opportunity, &found.decision);
        let amount = |amount: Option<Decimal>| amount.map_or_else(|| "?".to_owned(), |amount| amount.round_dp(4).to_string());
        vec![
            opportunity.card_id.to_string(),
            format!("{} ({})", opportunity.card_name, opportunity.finish.printing),
            opportunity.direction.to_string(),
            decision.signal_type.clone().unwrap_or_default(),
            format!("{} {}", opportunity.buy_price, opportunity.buy_market.currency()),
            format!("{} {}", opportunity.sell_price, opportunity.sell_market.currency()),
            format!("{} {}", amount(decision.net_profit), found.home_currency),
            amount(decision.score),
            decision.tenant.to_string().chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect(),
            decision.flags.join(" "),
        ]
    });
    text.push_str(&table(&["card", "name", "direction", "type", "buy", "sell", "net", "score", "tenant", "flags"], rows));
    text.push('\n');
    text
}

fn waterfall(best: &Found) -> String {
    let opportunity = &best.opportunity;
    let mut text = format!(
        "how the best one comes about: {} {}, bought on {} for {} {}, sold on {} for {} {}\n\n",
        opportunity.card_id,
        opportunity.card_name,
        opportunity.buy_market,
        opportunity.buy_price,
        opportunity.buy_market.currency(),
        opportunity.sell_market,
        opportunity.sell_price,
        opportunity.sell_market.currency(),
    );
    let last = best.waterfall.len().saturating_sub(1);
    for (position, (name, amount)) in best.waterfall.iter().enumerate() {
        let sign = match position {
            0 => " ",
            position if position == last => "=",
            _ => "−",
        };
        let amount = amount.map_or_else(|| "unknown".to_owned(), |amount| format!("{amount:.2}"));
        let _ = writeln!(text, "  {sign} {:<22} {amount:>10} {}", name.replace('_', " "), best.home_currency);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_a_source_and_signed_days() {
        assert_eq!(shift("tcgcsv=+159d"), Ok(SourceShift { source: "tcgcsv".into(), days: 159 }));
        assert_eq!(shift("pokemontcg.io tcgplayer=-3d").map(|shift| shift.days), Ok(-3));
        for text in ["tcgcsv", "tcgcsv=5", "=5d", "tcgcsv=5h", "tcgcsv=99999d"] {
            assert!(shift(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bare_day_means_its_end() {
        assert_eq!(as_of("2026-05-02").map(|time| time.to_rfc3339()), Ok("2026-05-03T00:00:00+00:00".into()));
        assert_eq!(as_of("2026-05-02T12:00:00+02:00").map(|time| time.to_rfc3339()), Ok("2026-05-02T10:00:00+00:00".into()));
        for text in ["02.05.2026", "2026-02-30", "0001-01-01", "+262142-12-31", "9999-01-01T00:00:00Z"] {
            assert!(as_of(text).is_err(), "{text}");
        }
    }
}
