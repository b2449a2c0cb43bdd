//! `profile list | show`: the presets, and what a tenant trades by with the origin of each value.

use std::fmt::Display;

use clap::Subcommand;
use serde_json::json;

use super::{Exit, Global, table, tenant::TenantName};
use crate::{
    config::presets,
    domain::profile::{Forwarder, Origin, Profile, Setting},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the presets that tenants can start from.
    List,
    /// Show each setting of a tenant, and where it comes from.
    Show {
        #[arg(allow_hyphen_values = true)]
        tenant: TenantName,
    },
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let presets = presets::read(&global.config.profiles)?;
    match args.command {
        Command::List => {
            let all: Vec<_> = presets.names().filter_map(|name| Some((name, presets.get(name).ok()?))).collect();
            let value: Vec<_> =
                all.iter().map(|(name, preset)| json!({ "name": name, "doc": preset.doc, "settings": preset.settings })).collect();
            global.show(&value, |_| {
                if all.is_empty() {
                    return format!("there are no presets in {}", global.config.profiles.display());
                }
                table(&["preset", "what it is for"], all.iter().map(|(name, preset)| vec![(*name).to_owned(), preset.doc.clone()]))
            })?;
        }
        Command::Show { tenant } => {
            let store = global.store().await?;
            let (tenant, _) = tenant.find(&store).await?;
            let preset = tenant.preset.as_deref().map(|name| presets.get(name)).transpose()?;
            let profile = Profile::resolve(&tenant, preset, &global.config.defaults);
            global.show(&profile, pretty)?;
        }
    }
    Ok(Exit::Good)
}

fn pretty(profile: &Profile) -> String {
    let mut rows = vec![
        vec!["tier".to_owned(), profile.tier.to_string(), "operator".to_owned()],
        vec!["country".to_owned(), profile.country.to_string(), "operator".to_owned()],
        row("currency", &profile.currency),
        row("seller_level", &profile.seller_level),
        list("sell_platforms", &profile.sell_platforms),
        row("direction", &profile.direction),
        row("min_profit_threshold", &profile.min_profit_threshold),
        row("min_headache_score", &profile.min_headache_score),
        row("min_score", &profile.min_score),
        row("min_seller_rating", &profile.min_seller_rating),
        row("min_seller_sales", &profile.min_seller_sales),
        row("forex_buffer", &profile.forex_buffer),
        row("condition_floor", &profile.condition_floor),
        list("excluded_sets", &profile.excluded_sets),
        list("card_categories", &profile.card_categories),
        row("import_duty_rate", &profile.import_duty_rate),
        row("vat_registered", &profile.vat_registered),
        row("wants_investment", &profile.wants_investment),
        row("insurance_rate", &profile.insurance_rate),
    ];
    rows.extend(forwarder("eu_forwarder", profile.eu_forwarder.as_ref()));
    rows.extend(forwarder("us_forwarder", profile.us_forwarder.as_ref()));
    rows.push(row("time_zone", &profile.time_zone));
    rows.push(row("quiet_hours", &profile.quiet_hours));
    rows.push(row("daily_batch_at", &profile.daily_batch_at));
    table(&["setting", "value", "from"], rows)
}

fn row<T: Display>(name: &str, setting: &Setting<T>) -> Vec<String> {
    line(name, setting.value.as_ref().map(ToString::to_string), &setting.origin)
}

fn list<T: Display>(name: &str, setting: &Setting<Vec<T>>) -> Vec<String> {
    let joined = |list: &Vec<T>| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    line(name, setting.value.as_ref().map(joined), &setting.origin)
}

fn line(name: &str, value: Option<String>, origin: &Origin) -> Vec<String> {
    vec![name.to_owned(), value.unwrap_or_else(|| "-".to_owned()), origin.to_string()]
}

fn forwarder(name: &str, forwarder: Option<&Forwarder>) -> Vec<Vec<String>> {
    let Some(terms) = forwarder else { return vec![vec![name.to_owned(), "none".to_owned(), String::new()]] };
    vec![
        row(&format!("{name}.receiving_fee"), &terms.receiving_fee),
        row(&format!("{name}.consolidation_fee"), &terms.consolidation_fee),
        row(&format!("{name}.outbound"), &terms.outbound),
        row(&format!("{name}.currency"), &terms.currency),
    ]
}
