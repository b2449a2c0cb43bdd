//! `stand-ins`: all vendors on this machine, for trying the service without a key and without the internet.

use std::{fmt::Write as _, sync::Arc};

use anyhow::Context;
use chrono::{Days, Utc};

use super::{Exit, exit::WrongUsage, tell};
use crate::simulate::{
    Parameters, Simulation,
    vendors::{Plan, StandIns, Stock},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port of this machine; 0 is any free one.
    #[arg(long, default_value_t = 8099, value_name = "N")]
    port: u16,
    /// Another seed is another market.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    #[arg(long, default_value_t = 600, value_name = "N")]
    cards: u32,
    /// Days of the market, half of them still to come.
    #[arg(long, default_value_t = 60, value_name = "N")]
    days: u32,
    /// Serve the vendors' paid plans, not their free ones.
    #[arg(long)]
    paid: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let end = Utc::now().date_naive() + Days::new(u64::from(args.days / 2));
    let parameters = Parameters { seed: args.seed, cards: args.cards, days: args.days, ..Parameters::ending(end) };
    let simulation = Simulation::new(parameters).map_err(|error| WrongUsage(error.to_string()))?;
    let plan = if args.paid { Plan::Paid } else { Plan::Free };
    let stock = Stock::of(&simulation);
    let stand_ins = StandIns::start(stock, plan, Arc::new(Utc::now), args.port)
        .await
        .with_context(|| format!("cannot listen on port {}", args.port))?;
    let mut lines = String::new();
    for (name, value) in stand_ins.variables() {
        // Writing into a String cannot fail.
        let _ = writeln!(lines, "{name}={value}");
    }
    super::write(lines)?;
    tell("the vendors listen; put the lines above into .env of a folder of its own, run `tcg-radar serve` there, and end this with Ctrl-C");
    tell("the next answer to a path can be spoiled: curl -d '{\"status\":{\"status\":503}}' http://…/_misbehave/justtcg/");
    tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")?;
    Ok(Exit::Good)
}
