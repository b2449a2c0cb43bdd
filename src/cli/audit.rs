//! `audit show | verify`: what was decided from what, and whether it comes out the same today.

use std::io::{IsTerminal, stderr};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use uuid::Uuid;

use super::{Exit, Format, Global, exit::WrongUsage, explain::usage, rules::PackArg, scan::as_of};
use crate::{
    scan::{
        audit::{Extent, FaultKind, verify},
        explain::{StoredReport, stored_decision},
    },
    store::{
        Store,
        audit::{self, Sent, SignalRow, Step},
    },
};

mod pretty;

pub(super) use pretty::verified;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything about one signal: who had it and when, what was sent, every decision behind it, and the one that it was
    /// given by, run again with its own pack and facts.
    Show {
        /// Its id, or the short one that the tenant sees.
        signal: String,
        #[command(flatten)]
        pack: Box<PackArg>,
    },
    /// Run stored decisions again with their stored packs: each record has to come out equal to the byte. Exit code 1 names
    /// a damaged record, 5 one that is as it was written and comes out differently.
    Verify {
        /// Only what was decided since then: a day (UTC) or a time such as 2026-05-02T12:00:00Z.
        #[arg(long, value_name = "T", value_parser = since)]
        since: Option<DateTime<Utc>>,
        /// So many decisions from anywhere instead of all.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..), conflicts_with = "since")]
        sample: Option<i64>,
    },
}

/// A signal, told.
#[derive(Debug, Serialize)]
struct Shown {
    signal: SignalRow,
    /// Everybody's turn with the same opportunity, this one included.
    turns: Vec<SignalRow>,
    /// What was decided for this tenant, in order.
    decisions: Vec<Step>,
    sent: Vec<Sent>,
    /// Where the signal has a decision: those of before routing have none.
    decision: Option<StoredReport>,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    match args.command {
        Command::Show { signal, pack } => show(global, &store, &signal, &pack).await,
        Command::Verify { since, sample } => {
            let extent = sample.map_or(Extent::Since(since), Extent::Sample);
            let bar = bar();
            let found = verify(&store, extent, &|done| bar.set_position(u64::try_from(done).unwrap_or(u64::MAX))).await?;
            bar.finish_and_clear();
            let exit = exit(&found);
            global.show(&found, verified)?;
            Ok(exit)
        }
    }
}

/// A day is meant from its beginning on.
fn since(text: &str) -> Result<DateTime<Utc>, String> {
    match text.parse::<NaiveDate>() {
        Ok(day) => Ok(day.and_time(NaiveTime::MIN).and_utc()),
        Err(_) => as_of(text),
    }
}

fn bar() -> ProgressBar {
    let bar = if stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    bar.with_style(ProgressStyle::with_template("{spinner} {pos} decisions ran again").unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

/// A damaged record weighs more than one that comes out differently: it may be the reason.
pub(super) fn exit(found: &crate::scan::audit::Verified) -> Exit {
    if found.any(&[FaultKind::DamagedDecision, FaultKind::DamagedAudit, FaultKind::DamagedPack]) {
        return Exit::Failed;
    }
    if found.any(&[FaultKind::DecidesOtherwise, FaultKind::UnreadablePack]) {
        return Exit::NotReproducible;
    }
    if found.decisions == 0 { Exit::NothingRan } else { Exit::Good }
}

async fn show(global: &Global, store: &Store, asked: &str, pack: &PackArg) -> anyhow::Result<Exit> {
    let signal = find(store, asked).await?;
    let mut tx = store.service().await?;
    let (turns, decisions) = match signal.opportunity_id {
        Some(opportunity) => (audit::holders(&mut tx, opportunity).await?, audit::chain(&mut tx, opportunity, signal.tenant_id).await?),
        None => (Vec::new(), Vec::new()),
    };
    let sent = audit::sent(&mut tx, signal.signal_id).await?;
    tx.commit().await?;
    let today = pack.load().ok();
    let decision = match signal.decision_id {
        Some(id) => Some(stored_decision(store, id, today.as_ref(), false).await.map_err(usage)?),
        None => None,
    };
    let shown = Shown { signal, turns, decisions, sent, decision };
    let is_sound = shown.signal.audit_intact != Some(false)
        && shown.decisions.iter().all(|step| step.intact)
        && shown.decision.as_ref().is_none_or(|decision| decision.differences.is_empty());
    global.show(&shown, pretty::shown)?;
    if !is_sound && global.format == Format::Pretty {
        super::tell("this record is not what was written, or comes out differently now: `tcg-radar audit verify` says which");
    }
    Ok(if is_sound { Exit::Good } else { Exit::Failed })
}

async fn find(store: &Store, asked: &str) -> anyhow::Result<SignalRow> {
    let mut tx = store.service().await?;
    let mut found = audit::signals(&mut tx, asked.parse::<Uuid>().ok(), &asked.to_lowercase()).await?;
    tx.commit().await?;
    if found.len() > 1 {
        let ids: Vec<String> = found.iter().map(|one| format!("{} (tenant {})", one.signal_id, one.tenant_id)).collect();
        return Err(WrongUsage(format!("several tenants have a signal \"{asked}\": name one of {}", ids.join(", "))).into());
    }
    found.pop().ok_or_else(|| {
        WrongUsage(format!("no signal has the id \"{asked}\": `signal_generated` in the log and every message tell theirs")).into()
    })
}
