//! `rules status`: what the running service goes by, and why an edit is not live.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use serde_json::Value as Json;

use super::super::{Exit, Global, table};
use crate::{
    rules::customs::ACTIVE,
    store::rule_status::{self, StoredChange},
};

/// A service looks at its files once a second and says so every ten.
const SILENT: TimeDelta = TimeDelta::seconds(30);
/// Changes that are shown.
const HISTORY: i64 = 8;

#[derive(Serialize)]
struct Status {
    /// A service looked at its files a moment ago.
    running: bool,
    pack: String,
    customs_regime: Option<String>,
    customs_variable: Option<String>,
    from_files: bool,
    live_since: DateTime<Utc>,
    looked_at: DateTime<Utc>,
    fault: Option<Json>,
    fault_since: Option<DateTime<Utc>>,
    changes: Vec<StoredChange>,
}

pub async fn run(global: &Global) -> anyhow::Result<Exit> {
    let now = global.clock.now();
    let store = global.store().await?;
    let mut tx = store.service().await?;
    let (status, changes) = (rule_status::load(&mut tx).await?, rule_status::history(&mut tx, HISTORY).await?);
    tx.commit().await?;
    let Some(status) = status else {
        global.show(&Json::Null, |_| "no service has run on this database yet: `tcg-radar serve` starts one".to_owned())?;
        return Ok(Exit::NothingRan);
    };
    let (fault, fault_since) = status.fault.unzip();
    let status = Status {
        running: now - status.looked_at < global.clock.of_wall(SILENT),
        pack: status.pack_hash,
        customs_regime: status.customs_regime,
        customs_variable: status.customs_variable,
        from_files: status.from_files,
        live_since: status.live_since,
        looked_at: status.looked_at,
        fault,
        fault_since,
        changes,
    };
    global.show(&status, |status| pretty(status, now))?;
    Ok(if status.fault.is_some() { Exit::BadRules } else { Exit::Good })
}

fn pretty(status: &Status, now: DateTime<Utc>) -> String {
    let mut text = String::new();
    let seconds = (now - status.looked_at).num_seconds();
    let _ = if status.running {
        writeln!(text, "the service runs; it looked at its files {seconds} s ago")
    } else {
        writeln!(text, "NO SERVICE RUNS: the last one looked at its files at {}", minute(status.looked_at))
    };
    let origin = if status.from_files { "as the files say" } else { "THE LAST GOOD ONE OF AN EARLIER RUN" };
    let _ = writeln!(text, "pack {} since {}, {origin}", short(&status.pack), minute(status.live_since));
    let regime = status.customs_regime.as_deref().unwrap_or("none");
    let _ = match status.customs_variable.as_deref() {
        Some(variable) if variable == regime => writeln!(text, "customs {regime}, as CUSTOMS_REGIME says"),
        Some(variable) => {
            writeln!(text, "customs {regime}, as {ACTIVE} says; CUSTOMS_REGIME is {variable}, which counts where that file says `env`")
        }
        None => writeln!(text, "customs {regime}; CUSTOMS_REGIME is not set"),
    };
    if let (Some(fault), Some(since)) = (&status.fault, status.fault_since) {
        let fault = fault.get("text").and_then(Json::as_str).unwrap_or_default();
        let _ = writeln!(text, "\nREFUSED since {}: what the files say now is not live\n{fault}", minute(since));
    }
    let rows = status.changes.iter().map(|change| {
        let or_dash = |text: &Option<String>| text.as_deref().map_or_else(|| "-".to_owned(), |text| short(text).to_owned());
        let to = if change.refused { "refused".to_owned() } else { or_dash(&change.to_pack) };
        vec![
            change.at.format("%Y-%m-%d %H:%M:%S").to_string(),
            or_dash(&change.from_pack),
            to,
            or_dash(&change.from_regime),
            or_dash(&change.to_regime),
        ]
    });
    let _ = write!(text, "\n{}", table(&["changed (UTC)", "from pack", "to pack", "from regime", "to regime"], rows));
    text
}

fn minute(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// As much of a hash as tells it from others; a regime's name stays whole.
fn short(text: &str) -> &str {
    if text.len() == 64 { &text[..12] } else { text }
}
