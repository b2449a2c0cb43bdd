//! `rules test --replay`: the past decided again, with what was known then, and what happened next.

pub mod checks;
mod history;
mod pretty;
mod tenants;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::Context;
use chrono::{NaiveDate, TimeDelta};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{IsTerminal, stderr};

use self::{history::Source, tenants::Wanted};
use super::super::{Exit, Format, Global, exit::WrongUsage, scan::settings, scan::shift, tell};
use crate::{
    domain::{
        book::SourceShift,
        card::CardId,
        history::{History, Row},
    },
    rules::{pack::Pack, testing::Suite},
    scan::{
        describe_shifts,
        explain::{did_you_mean, near::near},
        replay::{self, IN_FULL, Plan, lookahead, report, window, window::Window},
    },
};

#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Decide the past again: the last N days that history tells of (90d), or the days FROM..TO.
    #[arg(long, value_name = "90d | FROM..TO", value_parser = window)]
    pub replay: Option<Window>,
    /// Where history comes from: `db`, files and folders as for `import`, or a simulated market such as
    /// `simulate:cards=600,days=60,seed=1,end=2026-05-02`.
    #[arg(long, value_name = "db|FILE…", default_value = "db", num_args = 1.., requires = "replay")]
    history: Vec<String>,
    /// For whom: so many made-up tenants, or presets with their country such as `uk_reseller:GB`; else the database's own,
    /// and one of each preset for any other history.
    #[arg(long, value_name = "N|PRESET:CC", value_delimiter = ',', requires = "replay")]
    tenants: Vec<Wanted>,
    /// Time between two decisions: days or hours.
    #[arg(long, value_name = "1d", default_value = "1d", value_parser = every, requires = "replay")]
    step: TimeDelta,
    /// Move one source's history in time by whole days, as in tcgcsv=+159d.
    #[arg(long, value_name = "SOURCE=±Nd", value_parser = shift, allow_hyphen_values = true, requires = "replay")]
    shift: Vec<SourceShift>,
    /// Tell this card's decisions step by step.
    #[arg(long, value_name = "CARD", requires = "replay")]
    card: Option<String>,
    /// Make so many decisions again on history that ends at them, and on garbage after them: they must be the same.
    #[arg(long, value_name = "N", requires = "replay", value_parser = clap::value_parser!(u32).range(1..))]
    lookahead: Option<u32>,
    /// Write all of it as one page for a browser.
    #[arg(long, value_name = "FILE.html", requires = "replay")]
    report: Option<PathBuf>,
}

/// `90d`, or `2026-03-01..2026-04-30`.
fn window(text: &str) -> Result<Window, String> {
    let usage = || "write days such as 90d, or days FROM..TO such as 2026-03-01..2026-04-30".to_owned();
    let day = |text: &str| text.parse::<NaiveDate>().map_err(|_| usage());
    match (text.split_once(".."), text.strip_suffix('d').and_then(|days| days.parse::<u16>().ok())) {
        (Some((from, to)), _) => {
            let (from, to) = (day(from)?, day(to)?);
            if from > to { Err(format!("{from} is after {to}: write the earlier day first")) } else { Ok(Window::Between(from, to)) }
        }
        (None, Some(days)) if days > 0 => Ok(Window::Last(days.into())),
        _ => Err(usage()),
    }
}

fn every(text: &str) -> Result<TimeDelta, String> {
    let usage = || "write days or hours such as 1d or 6h".to_owned();
    let count = |unit| text.strip_suffix(unit).and_then(|count| count.parse::<u16>().ok()).filter(|count| *count > 0);
    match (count('d'), count('h')) {
        (Some(days), _) => Ok(TimeDelta::days(days.into())),
        (_, Some(hours)) => Ok(TimeDelta::hours(hours.into())),
        _ => Err(usage()),
    }
}

/// Replays, tells, and says how it went.
pub async fn run(global: &Global, args: &Args, wanted: Window, pack: &Pack, suite: &Suite, seed: u64) -> anyhow::Result<Exit> {
    if global.format == Format::Junit {
        let usage = "a replay has no JUnit form: use --format json, or put it into the pack's tests as `replays:`, whose results have one";
        return Err(WrongUsage(usage.to_owned()).into());
    }
    let source = Source::of(&args.history)?;
    if let Some(path) = &args.report {
        writable(path)?;
    }
    let profiles = tenants::resolve(global, &args.tenants, &source).await?;
    if profiles.is_empty() {
        tell(&format!("{}, or make some up with `--tenants 4`", super::super::scan::NOBODY));
        return Ok(Exit::NothingRan);
    }
    let mut history = source.load(global).await?;
    check_shifts(&history, &args.shift)?;
    history.shift(&args.shift);
    let card = args.card.as_deref().map(|card| known_card(&history, card)).transpose()?;
    let Some(times) = wanted.times(&history, args.step) else {
        tell("history has no day that both markets tell of: `tcg-radar import FILE…` stores prices, --shift moves a source in time");
        return Ok(Exit::NoHistory);
    };
    let gaps = window::gaps(&history, &times);
    if !gaps.is_empty() {
        for gap in &gaps {
            tell(&format!("history is missing: {gap}"));
        }
        tell("replay days that history tells of, import what is missing, or move a source in time with --shift");
        return Ok(Exit::NoHistory);
    }
    let settings = settings(global);
    let plan = Plan {
        pack,
        profiles: &profiles,
        settings: &settings,
        history: &history,
        times: &times,
        clock: Row::counts_from,
        seed,
        in_full: (IN_FULL / times.len()).max(1),
        invariants: &suite.invariants,
        cards: &[],
        card: card.as_ref(),
    };
    let begun = Instant::now();
    let bar = bar(times.len(), "steps");
    let replay = tokio::task::block_in_place(|| replay::run(&plan, &|done, _| bar.set_position(done as u64)))?;
    bar.finish_and_clear();
    let took = begun.elapsed();
    tell(&format!("{} decisions in {:.1} s", replay.decisions, took.as_secs_f32()));
    let wanted = args.lookahead.map(|wanted| usize::try_from(wanted).unwrap_or(usize::MAX));
    let lookahead = tokio::task::block_in_place(|| wanted.map(|wanted| lookahead::check(&plan, &replay, wanted)).transpose())?;
    let remarks = remarks(&source, &args.shift, &replay);
    if let Some(path) = &args.report {
        let page = report::write(&replay, &remarks, lookahead.as_ref());
        std::fs::write(path, page).with_context(|| format!("cannot write {}", path.display()))?;
        tell(&format!("wrote {}", path.display()));
    }
    let looks_ahead = lookahead.as_ref().is_some_and(|checked| checked.found > 0);
    global.show(&pretty::Told { remarks: &remarks, replay: &replay, lookahead }, pretty::told)?;
    Ok(exit(looks_ahead, replay.invariants.iter().any(|kept| kept.broken > 0)))
}

/// Whoever waits for minutes must not hear only then that the report can't be written.
fn writable(path: &Path) -> Result<(), WrongUsage> {
    // what is there stays until the new one is
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
    opened.map(|_| ()).map_err(|error| WrongUsage(format!("--report: cannot write {}: {error}", path.display())))
}

/// A replay that looked ahead proves nothing, whatever else it says.
const fn exit(looks_ahead: bool, broken: bool) -> Exit {
    match (looks_ahead, broken) {
        (true, _) => Exit::NotReproducible,
        (false, true) => Exit::Failed,
        (false, false) => Exit::Good,
    }
}

/// What nothing tells the past of.
const TODAYS: &str = "OF TODAY: names, ids and bans of cards, as nobody tells since when they hold; the rotation calendar, which does not \
    say when it was announced; and the customs regime, unless it is `auto`. A card is there from its first known price on.";

/// What has to be known before any figure is read.
fn remarks(source: &Source, shifts: &[SourceShift], replay: &replay::summary::Replay) -> Vec<String> {
    let mut remarks = Vec::new();
    if let Some(shift) = describe_shifts(shifts) {
        remarks.push(format!("MOVED IN TIME: {shift}. These prices never stood side by side; read the result as an experiment."));
    }
    match source {
        Source::Simulated(_) => remarks.push("SIMULATED: no price here is of a real card.".to_owned()),
        Source::Database | Source::Files(_) if replay.imported_rows > 0 => {
            let percent = replay.imported_rows * 100 / u64::try_from(replay.rows.max(1)).unwrap_or(u64::MAX);
            remarks.push(format!(
                "IMPORTED: {percent} % of the {} prices were written later than they are dated: when they were known is their source's word.",
                replay.rows
            ));
        }
        Source::Database | Source::Files(_) => {}
    }
    if !matches!(source, Source::Simulated(_)) {
        remarks.push(TODAYS.to_owned());
    }
    remarks
}

fn check_shifts(history: &History, shifts: &[SourceShift]) -> Result<(), WrongUsage> {
    let known: std::collections::BTreeSet<&str> = history.courses.iter().map(|course| &*course.first.source).collect();
    for (place, shift) in shifts.iter().enumerate() {
        if shifts[..place].iter().any(|other| other.source == shift.source) {
            return Err(WrongUsage(format!("the source \"{}\" is moved in time twice: give it one shift", shift.source)));
        }
        if !known.contains(shift.source.as_str()) {
            let known: Vec<&str> = known.iter().copied().collect();
            return Err(WrongUsage(format!("no price comes from a source called \"{}\": use one of {}", shift.source, known.join(", "))));
        }
    }
    Ok(())
}

fn known_card(history: &History, card: &str) -> Result<CardId, WrongUsage> {
    let found = history.cards.iter().find(|known| known.card_id.as_str() == card);
    found
        .map(|known| known.card_id.clone())
        .ok_or_else(|| WrongUsage(format!("no card has the id \"{card}\"{}", did_you_mean(&near(&history.cards, card)))))
}

/// A bar on a terminal, nothing elsewhere.
fn bar(length: usize, of: &str) -> ProgressBar {
    let bar = if stderr().is_terminal() { ProgressBar::new(length as u64) } else { ProgressBar::hidden() };
    let template = format!("{{bar:30}} {{pos}} of {{len}} {of} {{elapsed}}");
    ProgressStyle::with_template(&template).map_or(bar.clone(), |style| bar.with_style(style))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_ahead_is_told_before_a_broken_invariant() {
        assert_eq!([(true, true), (true, false)].map(|(ahead, broken)| exit(ahead, broken)), [Exit::NotReproducible; 2]);
        assert_eq!([(false, true), (false, false)].map(|(ahead, broken)| exit(ahead, broken)), [Exit::Failed, Exit::Good]);
    }
}
