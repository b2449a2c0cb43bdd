//! `stand-ins`: all vendors and both messengers on this machine, for trying the service without a key and without the
//! internet.

use std::fmt::Write as _;

use anyhow::Context;
use chrono::Days;

use super::{Exit, exit::WrongUsage, tell};
use crate::{
    clock::Clock,
    simulate::{
        Parameters, Simulation,
        cardmarket::{Cardmarket, Shelves},
        messengers::Messengers,
        vendors::{Plan, StandIns, Stock},
    },
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port of this machine that the vendors listen on, the messengers on the next, and Cardmarket's pages on the one after;
    /// 0 is any free one.
    #[arg(long, default_value_t = 8099, value_name = "N", value_parser = clap::value_parser!(u16).range(..65_534))]
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
    let clock = Clock::machine();
    let end = clock.now().date_naive() + Days::new(u64::from(args.days / 2));
    // Cardmarket's pages have sellers on every day
    let parameters = Parameters { seed: args.seed, cards: args.cards, days: args.days, listing_days: args.days, ..Parameters::ending(end) };
    let simulation = Simulation::new(parameters).map_err(|error| WrongUsage(error.to_string()))?;
    let plan = if args.paid { Plan::Paid } else { Plan::Free };
    let stock = Stock::of(&simulation);
    let stand_ins =
        StandIns::start(stock, plan, clock.clone(), args.port).await.with_context(|| format!("cannot listen on port {}", args.port))?;
    let after = |places: u16| if args.port == 0 { 0 } else { args.port + places };
    let (next, last) = (after(1), after(2));
    let messengers = Messengers::start(clock.clone(), next).await.with_context(|| format!("cannot listen on port {next}"))?;
    let pages = Cardmarket::start(Shelves::of(&simulation), clock, last).await.with_context(|| format!("cannot listen on port {last}"))?;
    let mut lines = String::new();
    for (name, value) in stand_ins.variables().into_iter().chain(messengers.variables()).chain(pages.variables()) {
        // Writing into a String cannot fail.
        let _ = writeln!(lines, "{name}={value}");
    }
    super::write(lines)?;
    tell(
        "the vendors and messengers listen; put the lines above into .env of a folder of its own, run `tcg-radar serve` there, and end this with Ctrl-C",
    );
    tell("the next answer of a vendor can be spoiled: curl -d '{\"status\":{\"status\":503}}' http://…/_misbehave/justtcg/");
    let messengers_at = messengers.address();
    tell(&format!("what tenants see: curl http://{messengers_at}/_seen.txt (or /_seen as JSON)"));
    tell(&format!(
        "write to the bot: curl -d '{{\"write\":{{\"chat\":5,\"user\":5,\"text\":\"/help\"}}}}' http://{messengers_at}/_do; press a button of \
         message 1: -d '{{\"press\":{{\"chat\":5,\"user\":5,\"message\":1,\"button\":\"Why?\"}}}}'"
    ));
    tell(&format!(
        "the next request to a messenger can go wrong: curl -d '{{\"platform\":\"telegram\",\"deed\":\"lost\"}}' http://{messengers_at}/_order"
    ));
    tell(&format!(
        "a page of Cardmarket can behave otherwise: curl -d '{{\"product\":\"1\",\"manner\":\"challenge\"}}' http://{}/_as (data, list, \
         markup, picture, other, busy, half, {{\"slow\":3000}}, {{\"hostile\":\"loop\"}}; no product: all)",
        pages.address()
    ));
    tokio::signal::ctrl_c().await.context("cannot listen for Ctrl-C")?;
    Ok(Exit::Good)
}
