//! `user add | invite | list | show | set | deactivate | activate | erase | wrong-cards`: who the tenants are, and what the operator
//! says of them.

use std::str::FromStr;

use clap::Subcommand;
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::{Exit, Global, exit::WrongUsage, table, tenant::TenantName};
use crate::{
    clock::Clock,
    config::presets,
    domain::{
        card::CardId,
        profile::{Country, Field, Presets, Tenant, TenantId, Tier},
    },
    store::users::{self, NewTenant},
};

mod invite;
mod show;
mod wrong_cards;

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
        #[arg(long, default_value_t = Tier::Free, value_parser = tier)]
        tier: Tier,
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
        discord_channel_id: Option<i64>,
        /// A preset of profiles/ that the tenant starts from.
        #[arg(long, value_name = "PRESET")]
        profile: Option<String>,
    },
    /// Make a code that connects a Telegram chat to a new tenant, or to one that exists.
    Invite(invite::Args),
    /// Show the active tenants.
    List {
        /// The inactive ones, too.
        #[arg(long)]
        all: bool,
    },
    /// Show a tenant: its plan, its place in the rotation, its last signals.
    Show {
        #[arg(allow_hyphen_values = true)]
        tenant: TenantName,
    },
    /// Set what a tenant trades by, or its plan, country, preset and chats. `default` takes a setting back.
    Set {
        #[arg(allow_hyphen_values = true)]
        tenant: TenantName,
        /// Such as `min_profit_threshold`, `quiet_hours` or tier; a wrong one lists all.
        field: String,
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Judge for a tenant no more; what it holds goes on to others.
    Deactivate {
        #[arg(allow_hyphen_values = true)]
        tenant: TenantName,
    },
    /// Judge for a tenant again.
    Activate {
        #[arg(allow_hyphen_values = true)]
        tenant: TenantName,
    },
    /// Take away whatever says who a tenant is, for good. Its signals and audits stay, under its id.
    Erase {
        #[arg(allow_hyphen_values = true)]
        tenant: TenantName,
        /// Yes, for good.
        #[arg(long)]
        yes: bool,
    },
    /// Show which cards tenants called wrong, or hide one from all.
    WrongCards {
        /// Nobody gets this card any more.
        #[arg(long, value_name = "ID", value_parser = CardId::new)]
        hide: Option<CardId>,
        /// Everybody may get this card again.
        #[arg(long, value_name = "ID", value_parser = CardId::new, conflicts_with = "hide")]
        restore: Option<CardId>,
    },
}

fn chat_id(text: &str) -> Result<i64, String> {
    let id = text.parse().ok().filter(|id| *id != 0);
    id.ok_or_else(|| "a chat is a whole number other than 0, such as 123456789, or -1001234567890 for a group".to_owned())
}

/// Former names of plans are taken, too.
fn tier(text: &str) -> Result<Tier, String> {
    Tier::named(text).ok_or_else(|| format!("unknown tier \"{text}\": use one of {}", Tier::NAMES.join(", ")))
}

#[derive(Serialize)]
struct Line {
    id: TenantId,
    tier: Tier,
    country: Country,
    telegram_chat_id: Option<i64>,
    discord_channel_id: Option<i64>,
    profile: Option<String>,
    active: bool,
}

impl Line {
    fn of((tenant, active): (Tenant, bool)) -> Self {
        Self {
            id: tenant.id,
            tier: tenant.tier,
            country: tenant.country,
            telegram_chat_id: tenant.telegram_chat_id,
            discord_channel_id: tenant.discord_channel_id,
            profile: tenant.preset,
            active,
        }
    }
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    match args.command {
        Command::Add { telegram_chat_id, country, tier, discord_channel_id, profile } => {
            if let Some(name) = &profile {
                presets::read(&global.config.profiles)?.get(name)?;
            }
            let new = NewTenant {
                id: TenantId(Uuid::new_v4()),
                telegram_chat_id: Some(telegram_chat_id),
                discord_channel_id,
                country,
                tier,
                preset: profile,
            };
            let store = global.store().await?;
            let mut tx = store.service().await?;
            users::add(&mut tx, &new).await?;
            tx.commit().await?;
            global.show(&json!({ "id": new.id }), |_| new.id.to_string())?;
        }
        Command::Invite(args) => invite::run(global, args).await?,
        Command::List { all } => {
            let store = global.store().await?;
            let mut tx = store.service().await?;
            let mut lines: Vec<Line> = users::all(&mut tx).await?.into_iter().map(Line::of).collect();
            lines.retain(|line| all || line.active);
            global.show(&lines, |lines| pretty(lines))?;
        }
        Command::Show { tenant } => show::run(global, &tenant).await?,
        Command::Set { tenant, field, value } => set(global, &tenant, &field, &value).await?,
        Command::Deactivate { tenant } => set_active(global, &tenant, false).await?,
        Command::Activate { tenant } => set_active(global, &tenant, true).await?,
        Command::Erase { tenant, yes } => erase(global, &tenant, yes).await?,
        Command::WrongCards { hide, restore } => wrong_cards::run(global, hide, restore).await?,
    }
    Ok(Exit::Good)
}

async fn set(global: &Global, name: &TenantName, field: &str, value: &str) -> anyhow::Result<()> {
    let store = global.store().await?;
    let (mut tenant, _) = name.find(&store).await?;
    if let Ok(field) = Field::from_str(field) {
        tenant.overrides.set(field, value).map_err(|bad| WrongUsage(bad.to_string()))?;
        let mut tx = store.tenant(tenant.id).await?;
        users::save_settings(&mut tx, &tenant.overrides).await?;
        tx.commit().await?;
    } else {
        set_account(&mut tenant, field, value, &presets::read(&global.config.profiles)?)?;
        let mut tx = store.service().await?;
        users::save_account(&mut tx, &tenant).await?;
        tx.commit().await?;
    }
    global.show(&json!({ "id": tenant.id, field: value }), |_| format!("{} of tenant {} is {value} now", field, tenant.id))
}

/// What only the operator says of a tenant.
const ACCOUNT: [&str; 5] = ["tier", "country", "profile", "telegram_chat_id", "discord_channel_id"];

fn set_account(tenant: &mut Tenant, field: &str, value: &str, presets: &Presets) -> anyhow::Result<()> {
    let is_none = value == "none";
    let wrong = |expected: &str| WrongUsage(format!("{field} cannot be \"{value}\": expected {expected}"));
    match field {
        "tier" => tenant.tier = tier(value).map_err(WrongUsage)?,
        "country" => tenant.country = value.parse().map_err(|_| wrong("an ISO 3166 code of two letters, such as US"))?,
        "profile" if is_none => tenant.preset = None,
        "profile" => {
            presets.get(value)?;
            tenant.preset = Some(value.to_owned());
        }
        "telegram_chat_id" if is_none => tenant.telegram_chat_id = None,
        "telegram_chat_id" => tenant.telegram_chat_id = Some(chat_id(value).map_err(|expected| wrong(&expected))?),
        "discord_channel_id" if is_none => tenant.discord_channel_id = None,
        "discord_channel_id" => {
            let id = value.parse().ok().filter(|id: &i64| *id > 0);
            tenant.discord_channel_id = Some(id.ok_or_else(|| wrong("a channel's number, such as 1234567890, or none"))?);
        }
        _ => {
            let known: Vec<&str> = ACCOUNT.iter().chain(Field::NAMES).copied().collect();
            return Err(WrongUsage(format!("unknown setting \"{field}\": use one of {}", known.join(", "))).into());
        }
    }
    Ok(())
}

async fn set_active(global: &Global, name: &TenantName, is_active: bool) -> anyhow::Result<()> {
    let store = global.store().await?;
    let (tenant, _) = name.find(&store).await?;
    let mut tx = store.service().await?;
    users::set_active(&mut tx, tenant.id, is_active).await?;
    tx.commit().await?;
    let state = if is_active { "active" } else { "inactive: it gets nothing more, and what it holds goes on to others" };
    global.show(&json!({ "id": tenant.id, "active": is_active }), |_| format!("tenant {} is {state}", tenant.id))
}

async fn erase(global: &Global, name: &TenantName, yes: bool) -> anyhow::Result<()> {
    let store = global.store().await?;
    let (tenant, _) = name.find(&store).await?;
    if !yes {
        return Err(WrongUsage(format!("erasing tenant {} cannot be undone: add --yes if you mean it", tenant.id)).into());
    }
    let mut tx = store.service().await?;
    users::erase(&mut tx, tenant.id, Clock::machine().now()).await?;
    tx.commit().await?;
    global.show(&json!({ "id": tenant.id, "erased": true }), |_| {
        format!("tenant {} is erased: profile and chats are gone, its signals and audits stay under this id", tenant.id)
    })
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
            if line.active { String::new() } else { "inactive".to_owned() },
        ]
    });
    table(&["id", "tier", "country", "telegram", "discord", "profile", ""], rows)
}
