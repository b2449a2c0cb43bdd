//! `customs show | set`: which regime is in force, and what another would do.

use std::{fmt::Write as _, io::Write as _, path::Path};

use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::{Exit, Global, exit::WrongUsage, rules::PackArg, table};
use crate::{
    clock::Clock,
    config::{self, DOTENV, presets},
    domain::decision::{Change, ChangeKind, Decision},
    rules::{
        customs::{ACTIVE, Active, Customs},
        live::Live,
        pack::Pack,
    },
    scan::review::{Review, review_once},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tell which regime is in force, who says so, and which there are.
    Show {
        #[command(flatten)]
        pack: PackArg,
    },
    /// Write a regime into customs/active.yaml and tell what that does to the opportunities on offer.
    Set {
        /// A regime of the pack; `env` follows `CUSTOMS_REGIME`, `auto` the date.
        name: String,
        /// Tell what it would do, and write nothing.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        pack: PackArg,
    },
}

pub async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let now = Clock::machine().now();
    match args.command {
        Command::Show { pack } => show(global, &live(global, pack.load()?)?, now),
        Command::Set { name, dry_run, pack } => set(global, &pack, &name, dry_run, now).await,
    }
}

fn live(global: &Global, pack: Pack) -> anyhow::Result<Live> {
    let folder = &global.config.profiles;
    let texts = presets::texts(folder)?;
    let (presets, plans) = (presets::parse(folder, &texts)?, presets::plans(folder, &texts)?);
    Ok(Live { pack, customs_variable: global.config.rules.customs_regime.clone(), presets, plans })
}

fn customs(live: &Live) -> anyhow::Result<&Customs> {
    live.pack.customs.as_ref().ok_or_else(|| WrongUsage("the pack has no customs regimes".to_owned()).into())
}

fn show(global: &Global, live: &Live, now: DateTime<Utc>) -> anyhow::Result<Exit> {
    let customs = customs(live)?;
    let variable = live.customs_variable.as_deref();
    let in_force = live.regime(now).map_err(|unknown| WrongUsage(unknown.to_string()))?.unwrap_or_default();
    let in_file = config::customs_regime(Path::new(DOTENV), None)?.is_some();
    let said_by = match (&customs.active, variable) {
        (Active::Named(_), _) => ACTIVE,
        (Active::Auto, _) => "the date",
        (Active::Environment, Some(_)) if in_file => "CUSTOMS_REGIME in .env",
        (Active::Environment, Some(_)) => "CUSTOMS_REGIME of this process",
        (Active::Environment, None) => "nobody: CUSTOMS_REGIME is not set",
    };
    let begins = customs.regimes.iter().filter_map(|regime| Some((regime.begins()?, regime.name.as_str())));
    let next = begins.filter(|(begins, _)| *begins > now && customs.is_auto(variable)).min();
    let value = json!({
        "in_force": in_force, "said_by": said_by, "variable": variable,
        "next": next.map(|(begins, name)| json!({ "regime": name, "begins": begins })),
        "regimes": customs.regimes.iter().map(|regime| json!({
            "name": regime.name, "auto_from": regime.auto_from, "time_zone": regime.time_zone.name(),
        })).collect::<Vec<_>>(),
    });
    global.show(&value, |_| {
        let rows = customs.regimes.iter().map(|regime| {
            let mark = if regime.name == in_force { "in force" } else { "" };
            let from = regime.auto_from.map_or_else(|| "-".to_owned(), |from| format!("{from}, {}", regime.time_zone.name()));
            vec![regime.name.clone(), from, mark.to_owned()]
        });
        let mut text = format!("{in_force} is in force, said by {said_by}\n");
        if let Some((begins, name)) = next {
            let _ = writeln!(text, "{name} begins at {}", begins.format("%Y-%m-%d %H:%M UTC"));
        }
        let _ = write!(text, "\n{}", table(&["regime", "auto takes it from", ""], rows));
        text
    })?;
    Ok(Exit::Good)
}

async fn set(global: &Global, pack: &PackArg, name: &str, dry_run: bool, now: DateTime<Utc>) -> anyhow::Result<Exit> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return Err(WrongUsage(format!("\"{name}\" is no name of a regime: `tcg-radar customs show` lists them")).into());
    }
    let before = live(global, pack.load()?)?;
    let old = customs(&before).and_then(|_| before.pack.source.files.get(ACTIVE).context("the pack has no customs/active.yaml"))?;
    let text = with_active(old, name);
    let mut source = before.pack.source.clone();
    source.files.insert(ACTIVE.into(), text.as_str().into());
    let after = live(global, Pack::from_source(source)?)?;
    let [from, to] = [&before, &after].map(|live| live.regime(now).map(|regime| regime.unwrap_or_default().to_owned()));
    let (from, to) = (from.map_err(|unknown| WrongUsage(unknown.to_string()))?, to.map_err(|unknown| WrongUsage(unknown.to_string()))?);
    let store = global.store().await?;
    let review = review_once(&store, &after, global.config.rules.bundle_logic, now, true).await?;
    if !dry_run {
        replace(&pack.folder().join(ACTIVE), &text)?;
    }
    global.show(&as_json(&review, &from, &to, dry_run), |_| pretty(&review, &from, &to, dry_run))?;
    Ok(Exit::Good)
}

/// The file with another choice; remarks stay.
fn with_active(text: &str, name: &str) -> String {
    let line = |line: &str| if line.starts_with("active:") { format!("active: {name}\n") } else { format!("{line}\n") };
    text.lines().map(line).collect()
}

/// Nobody ever reads half of it.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = || format!("cannot write {}", path.display());
    // a link stays a link
    let path = path.canonicalize().with_context(written)?;
    let beside = path.with_extension("yaml.new");
    let mut file = std::fs::File::create(&beside).with_context(written)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(written)?;
    std::fs::rename(&beside, &path).with_context(written)
}

/// The answers of one opportunity's tenants that changed.
fn answers<'r>(review: &'r Review, change: &Change) -> impl Iterator<Item = &'r (Decision, Decision)> {
    let id = change.opportunity.opportunity_id;
    review.answers.iter().filter(move |(before, _)| before.opportunity_id == id)
}

fn as_json(review: &Review, from: &str, to: &str, dry_run: bool) -> Json {
    let of = |kind: ChangeKind| -> Vec<Json> {
        let changed = review.changed.iter().filter(|change| change.kind == kind);
        let line = |change: &Change| {
            json!({
                "opportunity_id": change.opportunity.opportunity_id, "card_id": change.opportunity.card_id,
                "card_name": change.opportunity.card_name, "direction": change.opportunity.direction, "reason": change.reason,
                "tenants": answers(review, change).map(|(before, after)| json!({
                    "tenant": before.tenant, "net_profit": [before.net_profit, after.net_profit], "reason": after.reason,
                })).collect::<Vec<_>>(),
            })
        };
        changed.map(line).collect()
    };
    json!({
        "dry_run": dry_run, "from": from, "to": to, "withdrawn": of(ChangeKind::Withdrawn), "repriced": of(ChangeKind::Repriced),
        "kept": review.kept,
    })
}

fn pretty(review: &Review, from: &str, to: &str, dry_run: bool) -> String {
    let means = if dry_run { "would mean" } else { "means" };
    let mut text = format!(
        "customs {from} → {to} {means} for what is on offer: {} withdrawn, {} re-priced, {} left as they are\n",
        review.count(ChangeKind::Withdrawn),
        review.count(ChangeKind::Repriced),
        review.kept
    );
    if !dry_run {
        text.push_str("customs/active.yaml is written; a running service follows within two seconds (`tcg-radar rules status`)\n");
    }
    let rows = review.changed.iter().flat_map(|change| {
        answers(review, change).map(|(before, after)| {
            let amount = |decision: &Decision| decision.net_profit.map_or_else(|| "?".to_owned(), |amount| amount.to_string());
            vec![
                change.kind.to_string(),
                change.opportunity.card_id.to_string(),
                change.opportunity.card_name.clone(),
                change.opportunity.direction.to_string(),
                before.tenant.to_string(),
                format!("{} → {}", amount(before), amount(after)),
                after.reason.clone().unwrap_or_default(),
            ]
        })
    });
    if !review.changed.is_empty() {
        let _ = write!(text, "\n{}", table(&["", "card", "name", "direction", "tenant", "net profit", "because of"], rows));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_choice_is_written_and_remarks_stay() {
        assert_eq!(with_active("# who decides\nactive: env\n", "world"), "# who decides\nactive: world\n");
    }
}
