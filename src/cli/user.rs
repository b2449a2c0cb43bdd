//! `user add | list`.

use clap::Subcommand;
use serde::Serialize;
use uuid::Uuid;

use super::{Exit, Global, table};
use crate::{
    config::presets,
    domain::profile::{Country, Tenant, TenantId, Tier},
    store::users::{self, NewTenant},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a tenant and print its id.
    Add {
        /// The chat that gets the signals; @userinfobot tells it. A group's is negative.
        #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = chat_id)]
        telegram_chat_id: i64,
        /// ISO 3166 code of two letters; UK is taken for GB.
        #[arg(long, value_name = "CC")]
        country: Country,
        /// The plan: free, trader, pro or shop.
        #[arg(long, default_value_t = Tier::Free)]
        tier: Tier,
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
        discord_channel_id: Option<i64>,
        /// A preset of profiles/ that the tenant starts from.
        #[arg(long, value_name = "PRESET")]
        profile: Option<String>,
    },
    /// Show the active tenants.
    List,
}

fn chat_id(text: &str) -> Result<i64, String> {
    let id = text.parse().ok().filter(|id| *id != 0);
    id.ok_or_else(|| "a chat is a whole number other than 0, such as 123456789, or -1001234567890 for a group".to_owned())
}

#[derive(Serialize)]
struct Line {
    id: TenantId,
    tier: Tier,
    country: Country,
    telegram_chat_id: Option<i64>,
    discord_channel_id: Option<i64>,
    profile: Option<String>,
}

impl From<Tenant> for Line {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id,
            tier: tenant.tier,
            country: tenant.country,
            telegram_chat_id: tenant.telegram_chat_id,
            discord_channel_id: tenant.discord_channel_id,
            profile: tenant.preset,
        }
    }
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Add { telegram_chat_id, country, tier, discord_channel_id, profile } => {
            if let Some(name) = &profile {
                presets::read(&global.config.profiles)?.get(name)?;
            }
            let new = NewTenant { id: TenantId(Uuid::new_v4()), telegram_chat_id, discord_channel_id, country, tier, preset: profile };
            let store = global.store().await?;
            let mut tx = store.service().await?;
            users::add(&mut tx, &new).await?;
            tx.commit().await?;
            global.show(&serde_json::json!({ "id": new.id }), |_| new.id.to_string())?;
        }
        Command::List => {
            let store = global.store().await?;
            let mut tx = store.service().await?;
            let lines: Vec<Line> = users::active(&mut tx).await?.into_iter().map(Line::from).collect();
            global.show(&lines, |lines| pretty(lines))?;
        }
    }
    Ok(Exit::Good)
}

fn pretty(lines: &[Line]) -> String {
    if lines.is_empty() {
        return "no tenants yet: `tcg-radar user add --telegram-chat-id N --country CC` adds one".to_owned();
    }
    let number = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let rows = lines.iter().map(|line| {
        vec![
            line.id.to_string(),
            line.tier.to_string(),
            line.country.to_string(),
            number(line.telegram_chat_id),
            number(line.discord_channel_id),
            line.profile.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    });
    table(&["id", "tier", "country", "telegram", "discord", "profile"], rows)
}
