//! `rules explain`: why a card is a deal or is not, now, in the past, or in a stored decision.

use std::io::{IsTerminal, stdout};

use chrono::{DateTime, Utc};
use clap::ArgGroup;
use uuid::Uuid;

use super::{
    Exit, Format, Global,
    exit::WrongUsage,
    rules::PackArg,
    scan::{NOBODY, as_of, settings, shift, tenants},
    tell,
    tenant::TenantName,
};
use crate::{
    clock::Clock,
    domain::{
        book::SourceShift,
        market::Direction,
        observation::end_of_day,
        profile::{Profile, Tenant},
    },
    scan::{
        ScanError,
        explain::{self, CardReport, ExplainError, Question, StoredReport},
    },
};

mod layout;
mod markdown;
mod pretty;
#[cfg(test)]
mod tests;
mod told;

pub(super) use layout::Paint;
pub(super) use pretty::stored;

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).args(["card", "decision"]))]
pub struct Args {
    /// The card's id, such as sv1-25.
    #[arg(long, value_name = "ID")]
    card: Option<String>,
    /// A stored decision, run again with its own pack and facts.
    #[arg(long, value_name = "UUID", conflicts_with_all = ["tenant", "direction", "as_of", "shift"])]
    decision: Option<Uuid>,
    /// For whom: a tenant's id or chat. All active tenants if not given, and the best one in full.
    #[arg(long, value_name = "ID|CHAT", allow_hyphen_values = true)]
    tenant: Option<TenantName>,
    /// `eu_us` buys on Cardmarket, `us_eu` on TCGplayer; both if not given.
    #[arg(long, value_name = "eu_us|us_eu")]
    direction: Option<Direction>,
    /// Judge what was known then: a day (its end, UTC) or a time such as 2026-05-02T12:00:00Z.
    #[arg(long, value_name = "T", value_parser = as_of)]
    as_of: Option<DateTime<Utc>>,
    /// Move one source's history in time by whole days, as in tcgcsv=+159d.
    #[arg(long, value_name = "SOURCE=±Nd", value_parser = shift, allow_hyphen_values = true)]
    shift: Vec<SourceShift>,
    /// Ask every gate, not only those up to the first that stops the card.
    #[arg(long)]
    why_not: bool,
    /// Write Markdown for a reply to a tenant: no internal names, no rules of the house.
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    pack: PackArg,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    if args.markdown && global.format == Format::Json {
        return Err(WrongUsage("--markdown and --format json do not go together: choose one".to_owned()).into());
    }
    match args.decision {
        Some(id) => decision(global, &args, id).await,
        None => card(global, &args).await,
    }
}

async fn card(global: &Global, args: &Args) -> anyhow::Result<Exit> {
    let pack = args.pack.load()?;
    let now = Clock::machine().now();
    let as_of = args.as_of.unwrap_or(now);
    // a bare day of today ends in a few hours, and means now
    if as_of > end_of_day(now.date_naive()) {
        return Err(
            WrongUsage(format!("--as-of {as_of} lies in the future, of which nothing is known: give a past moment, or none")).into()
        );
    }
    let store = global.store().await?;
    let tenants = tenants(global, &store).await?;
    if tenants.is_empty() {
        tell(NOBODY);
        return Ok(Exit::NothingRan);
    }
    let profiles: Vec<Profile> = match &args.tenant {
        None => tenants.into_iter().map(|(_, profile)| profile).collect(),
        Some(asked) => vec![chosen(tenants, asked)?],
    };
    let question = Question {
        card: args.card.as_deref().unwrap_or_default(),
        direction: args.direction,
        as_of,
        shifts: &args.shift,
        why_not: args.why_not,
    };
    let report: CardReport = explain::card(&store, &pack, &profiles, &settings(global), &question).await.map_err(usage)?;
    global.show(
        &report,
        |report| {
            if args.markdown { markdown::card(report) } else { pretty::card(report, Paint::of(stdout().is_terminal())) }
        },
    )?;
    Ok(Exit::Good)
}

fn chosen(tenants: Vec<(Tenant, Profile)>, asked: &TenantName) -> Result<Profile, WrongUsage> {
    tenants
        .into_iter()
        .find(|(tenant, _)| asked.means(tenant))
        .map(|(_, profile)| profile)
        .ok_or_else(|| WrongUsage(format!("no active tenant has the id or chat \"{asked}\": `tcg-radar user list` shows them")))
}

async fn decision(global: &Global, args: &Args, id: Uuid) -> anyhow::Result<Exit> {
    // a stored decision is told whatever has become of the rules
    let today = args.pack.load();
    if let Err(diagnostics) = &today {
        tell(&format!("today's pack does not load, so it is not compared: {} faults, see `tcg-radar rules check`", diagnostics.0.len()));
    }
    let store = global.store().await?;
    let report: StoredReport = explain::stored_decision(&store, id, today.as_ref().ok(), args.why_not).await.map_err(usage)?;
    global.show(&report, |report| {
        if args.markdown { markdown::stored(report) } else { pretty::stored(report, Paint::of(stdout().is_terminal())) }
    })?;
    Ok(Exit::Good)
}

/// Gives each error the kind that its exit code follows from.
pub(super) fn usage(error: ExplainError) -> anyhow::Error {
    match error {
        ExplainError::UnknownCard { .. } | ExplainError::UnknownDecision(_) => WrongUsage(error.to_string()).into(),
        ExplainError::Scan(ScanError::Store(error)) => error.into(),
        ExplainError::Scan(error) => error.into(),
        ExplainError::StoredPack { decision, hash, engine, diagnostics } => anyhow::Error::from(diagnostics).context(format!(
            "decision {decision} was made by pack {hash} under engine {engine}, and this program no longer loads that pack"
        )),
    }
}
