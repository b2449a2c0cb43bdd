//! `serve`: the service itself, until it is told to stop.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use super::{Exit, Format, Global, rules::PackArg};
use crate::{app, clock::Clock};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pack: PackArg,
}

pub async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    log(global.format);
    let store = global.store().await?;
    app::run(&global.config, store, args.pack.files(global), Clock::machine(), app::stop_asked()).await?;
    Ok(Exit::Good)
}

/// Of others only what is wrong: their lines have no event.
const USUAL: &str = "info,sqlx=warn";

/// One line an event on standard error, as JSON with `--format json`. `RUST_LOG` says how much.
fn log(format: Format) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(USUAL));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    match format {
        Format::Json => log.json().init(),
        Format::Pretty | Format::Junit => log.with_target(false).with_ansi(io::stderr().is_terminal()).init(),
    }
}
