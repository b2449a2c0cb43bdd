//! `user invite`: a code that connects a Telegram chat to a tenant, without the operator knowing the chat's number.

use chrono::TimeDelta;
use clap::ArgGroup;
use serde_json::json;
use uuid::Uuid;

use crate::{
    cli::{Global, tenant::TenantName},
    clock::Clock,
    config::presets,
    domain::profile::{Country, TenantId, Tier},
    store::{
        bot,
        users::{self, NewTenant},
    },
};

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("whom").required(true).args(["tenant", "country"]))]
pub struct Args {
    /// A tenant that exists: by its id or its chat, which the code then replaces.
    #[arg(long, value_name = "ID|CHAT", allow_hyphen_values = true)]
    tenant: Option<TenantName>,
    /// A new tenant: its ISO 3166 code of two letters; UK is taken for GB.
    #[arg(long, value_name = "CC")]
    country: Option<Country>,
    /// The new tenant's plan: free, trader, pro or shop.
    #[arg(long, default_value_t = Tier::Free, value_parser = super::tier, conflicts_with = "tenant")]
    tier: Tier,
    /// A preset of profiles/ that the new tenant starts from.
    #[arg(long, value_name = "PRESET", conflicts_with = "tenant")]
    profile: Option<String>,
    /// Hours until the code expires.
    #[arg(long, default_value_t = 48, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=720))]
    hours: i64,
}

pub async fn run(global: &Global, args: Args) -> anyhow::Result<()> {
    let store = global.store().await?;
    let now = Clock::machine().now();
    let known = match &args.tenant {
        Some(name) => Some(name.find(&store).await?.0.id),
        None => None,
    };
    let mut tx = store.service().await?;
    let tenant = match (known, args.country) {
        (None, Some(country)) => {
            if let Some(name) = &args.profile {
                presets::read(&global.config.profiles)?.get(name)?;
            }
            let id = TenantId(Uuid::new_v4());
            let new = NewTenant { id, telegram_chat_id: None, discord_channel_id: None, country, tier: args.tier, preset: args.profile };
            users::add(&mut tx, &new).await?;
            id
        }
        (Some(id), _) => id,
        (None, None) => return Err(super::WrongUsage("give --tenant or --country".to_owned()).into()),
    };
    let life = TimeDelta::hours(args.hours);
    let code = bot::invite(&mut tx, tenant, life, now).await?;
    tx.commit().await?;
    let expires_at = now + life;
    global.show(&json!({ "id": tenant, "code": code, "expires_at": expires_at }), |_| {
        format!(
            "tenant {tenant}\nlet him send this to the bot, once, before {}:\n\n    /start {code}",
            expires_at.format("%Y-%m-%d %H:%M UTC")
        )
    })
}
