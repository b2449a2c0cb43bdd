//! The command line: one file a command group, and one line here for each.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use clap::{Parser, Subcommand, ValueEnum};

use self::exit::Exit;
use crate::{clock::Clock, config::Config, rules::diagnostic::Diagnostics, store::Store};

mod audit;
mod bench;
mod customs;
mod db;
mod demo;
mod doctor;
mod event;
pub mod exit;
mod explain;
mod import;
mod lines;
mod profile;
mod rules;
mod scan;
mod scrape;
mod serve;
mod social;
mod stand_ins;
mod synergy;
mod tenant;
mod user;

/// Finds trading cards that are cheap on one market and dear on another.
#[derive(Debug, Parser)]
#[command(name = "tcg-radar", version, arg_required_else_help = true, propagate_version = true)]
struct Cli {
    /// How results are written to standard output.
    #[arg(long, global = true, value_enum, default_value_t = Format::Pretty)]
    format: Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See the whole service at work, on a fast clock: no key, no network, no real data.
    Demo(demo::Args),
    /// Run the service: scan again and again, by the rules of the moment.
    Serve(serve::Args),
    /// The database: its schema, its state, stopping the embedded one.
    Db(db::Args),
    /// What was decided from what, and whether it comes out the same today.
    Audit(audit::Args),
    /// The rule pack: check it, list its facts, compute with it.
    Rules(Box<rules::Args>),
    /// The customs regime: which is in force, and what another would do.
    Customs(customs::Args),
    /// Judge every card for every tenant.
    Scan(scan::Args),
    /// Look at one card's page on Cardmarket now, and store what it offers.
    Scrape(scrape::Args),
    /// What moves cards beyond their prices: say so, list it, end it.
    Event(event::Args),
    /// Try on recorded posts what listens to people.
    Social(social::Args),
    /// What decks play together with a card.
    Synergy(synergy::Args),
    /// Store cards, prices, ids and rates from files.
    Import(import::Args),
    /// Tenants.
    User(user::Args),
    /// Presets, and what a tenant trades by.
    Profile(profile::Args),
    /// Is everything as it has to be, and what to do where it is not; how feeds and channels stand. Exit code 1: a fault.
    Doctor(doctor::Args),
    /// Serve stand-ins of all vendors, of Telegram and of Discord on this machine, until Ctrl-C.
    StandIns(stand_ins::Args),
}

/// How results are written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Tables, for people.
    Pretty,
    /// One JSON value, for programs.
    Json,
    /// The XML of `JUnit`, for build servers: `rules test` only.
    Junit,
}

/// What every command is given.
struct Global {
    config: Config,
    format: Format,
    /// The machine's; in a demonstration's folder, the demonstration's.
    clock: Clock,
}

/// Runs the command line of this process.
pub fn main() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(help) => {
            let _ = help.print();
            return if help.use_stderr() { Exit::Usage } else { Exit::Good };
        }
    };
    match run(cli) {
        Ok(exit) => exit,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{}", told(&error));
            Exit::of(&error)
        }
    }
}

/// What ended a command. Of a pack that does not load only what keeps it from loading: warnings would bury it.
fn told(error: &anyhow::Error) -> String {
    let Some(found) = error.downcast_ref::<Diagnostics>() else { return format!("error: {}", causes(error)) };
    let errors: Vec<String> = found.errors().map(ToString::to_string).collect();
    match found.0.len() - errors.len() {
        0 => errors.join("\n\n"),
        warnings => format!("{}\n\n`tcg-radar rules check` shows the warnings too: {warnings}", errors.join("\n\n")),
    }
}

/// An error with its causes, each once: some texts quote their cause already.
fn causes(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.contains(&cause) {
        true => text,
        false if text.is_empty() => cause,
        false => format!("{text}: {cause}"),
    })
}

fn clock(config: &Config) -> Result<Clock, exit::WrongUsage> {
    let Some(text) = &config.clock else { return Ok(Clock::machine()) };
    let wrong = || exit::WrongUsage("TCG_RADAR_CLOCK is for the .env of a demonstration, which `demo` writes: remove it".to_owned());
    Clock::read(text).ok_or_else(wrong)
}

fn run(cli: Cli) -> anyhow::Result<Exit> {
    if cli.format == Format::Junit && !matches!(&cli.command, Command::Rules(args) if args.are_tests()) {
        return Err(exit::WrongUsage("--format junit is for `rules test` only: use pretty or json".to_owned()).into());
    }
    let config = Config::from_env()?;
    let global = Global { clock: clock(&config)?, config, format: cli.format };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime")?;
    let outcome = runtime.block_on(async {
        match cli.command {
            Command::Demo(args) => demo::run(&global, args).await,
            Command::Serve(args) => serve::run(&global, args).await,
            Command::Db(args) => db::run(&global, args).await,
            Command::Audit(args) => audit::run(&global, args).await,
            Command::Rules(args) => rules::run(&global, *args).await,
            Command::Customs(args) => customs::run(&global, args).await,
            Command::Event(args) => event::run(&global, args).await,
            Command::Import(args) => import::run(&global, args).await,
            Command::Scan(args) => scan::run(&global, args).await,
            Command::Scrape(args) => scrape::run(&global, args).await,
            Command::Social(args) => social::run(&global, args).await,
            Command::Synergy(args) => synergy::run(&global, args).await,
            Command::User(args) => user::run(&global, args).await,
            Command::Profile(args) => profile::run(&global, args).await,
            Command::Doctor(args) => doctor::run(&global, args).await,
            Command::StandIns(args) => stand_ins::run(args).await,
        }
    });
    // what did not drain in time must not hold up the end
    runtime.shutdown_background();
    outcome
}

impl Global {
    /// The database, started and migrated where it is our own.
    async fn store(&self) -> anyhow::Result<Store> {
        Ok(Store::open(&self.config.database, &self.config.home, &tell).await?)
    }

    /// Writes a result: the JSON value, or the text made for people.
    fn show<T: serde::Serialize>(&self, value: &T, pretty: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let text = match self.format {
            Format::Json => serde_json::to_string(value)?,
            Format::Pretty | Format::Junit => pretty(value),
        };
        write(text)
    }
}

/// Writes a result that has its form already.
fn write(mut text: String) -> anyhow::Result<()> {
    if !text.ends_with('\n') {
        text.push('\n');
    }
    match std::io::stdout().write_all(text.as_bytes()) {
        // the reader of the pipe has seen enough
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write the result"),
    }
}

/// Slow steps are told on standard error, so that standard output holds the result alone.
fn tell(step: &str) {
    let mut stderr = std::io::stderr();
    let _ = if stderr.is_terminal() { writeln!(stderr, "\u{1b}[2m{step}\u{1b}[0m") } else { writeln!(stderr, "{step}") };
}

/// A table for people, without a frame.
fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    let text = table.to_string();
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_cause_that_is_quoted_already_is_not_repeated() {
        let error = anyhow::anyhow!("permission denied").context("cannot read x: permission denied").context("while starting");
        assert_eq!(causes(&error), "while starting: cannot read x: permission denied");
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
