//! `profile list | show`: the presets, and what a tenant trades by with the origin of each value.

use clap::Subcommand;
use serde_json::json;

use super::{Exit, Global, table, tenant::TenantName};
use crate::{
    config::presets,
    domain::profile::{Listed, Profile},
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
    let row = |line: Listed| vec![line.name, line.value.unwrap_or_else(|| "-".to_owned()), line.from];
    table(&["setting", "value", "from"], profile.listed().into_iter().map(row))
}
