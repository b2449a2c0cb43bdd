//! `user show`: one tenant, its plan, its place and its last signals.

use std::fmt::Write as _;

use serde_json::json;

use super::{super::table, Global, TenantName};
use crate::{
    clock::Clock,
    config::presets,
    domain::plan::Plan,
    store::{rotation, signals},
};

/// Signals that are shown.
const LAST: i64 = 10;

pub(super) async fn run(global: &Global, name: &TenantName) -> anyhow::Result<()> {
    let folder = &global.config.profiles;
    let plans = presets::plans(folder, &presets::texts(folder)?)?;
    let store = global.store().await?;
    let (tenant, active) = name.find(&store).await?;
    let mut tx = store.service().await?;
    let place = rotation::places(&mut tx, &plans.rotation, Clock::machine().now()).await?.remove(&tenant.id);
    tx.commit().await?;
    let mut tx = store.tenant(tenant.id).await?;
    let last = signals::own(&mut tx, LAST).await?;
    tx.commit().await?;
    let plan = plans.of(tenant.tier);
    let value = json!({
        "id": tenant.id, "active": active, "paused_at": tenant.paused_at, "tier": tenant.tier, "plan": plan.doc, "country": tenant.country,
        "profile": tenant.preset, "telegram_chat_id": tenant.telegram_chat_id, "discord_channel_id": tenant.discord_channel_id,
        "priority": place.as_ref().map(|place| place.priority), "last_given_at": place.as_ref().and_then(|place| place.last_given_at),
        "signals": last,
    });
    global.show(&value, |_| {
        let state = match (active, tenant.paused_at) {
            (false, _) => "inactive".to_owned(),
            (true, Some(at)) => format!("paused since {}", at.format("%Y-%m-%d %H:%M UTC")),
            (true, None) => "active".to_owned(),
        };
        let number = |value: Option<i64>| value.map_or_else(|| "none".to_owned(), |value| value.to_string());
        let mut text = format!("tenant {}, {state}\n", tenant.id);
        let _ = writeln!(text, "plan       {}: {}", tenant.tier, gets(plan));
        let _ = writeln!(text, "country    {}, profile {}", tenant.country, tenant.preset.as_deref().unwrap_or("none"));
        let _ = writeln!(text, "chats      telegram {}, discord {}", number(tenant.telegram_chat_id), number(tenant.discord_channel_id));
        if let Some(place) = &place {
            let given = place.last_given_at.map_or_else(|| "never".to_owned(), |at| at.format("%Y-%m-%d %H:%M UTC").to_string());
            let _ = writeln!(text, "rotation   priority {}, last signal {given}", place.priority.normalize());
        }
        if last.is_empty() {
            text.push_str("no signals yet; `tcg-radar rules explain --card ID --tenant ID --why-not` says why a card is none");
        } else {
            let rows = last.iter().map(|line| {
                let net = line.net_profit.map_or_else(|| "?".to_owned(), |net| net.to_string());
                let name = line.card_name.clone().unwrap_or_default();
                let at = line.created_at.format("%Y-%m-%d %H:%M").to_string();
                vec![line.short_id.clone(), line.card_id.clone(), name, net, line.state.to_string(), at]
            });
            let _ = write!(text, "\n{}", table(&["signal", "card", "name", "net", "state", "since"], rows));
        }
        text
    })
}

/// What a plan entitles to, in a few words.
fn gets(plan: &Plan) -> String {
    let mut parts = Vec::new();
    if plan.realtime {
        parts.push("signals as they are found".to_owned());
    }
    parts.extend(plan.daily_batch_at.map(|at| format!("a batch every day at {at}")));
    if let Some(digest) = &plan.digest {
        parts.push(format!("a digest of {} deals, {} to {} h late", digest.top, digest.delay_hours.0, digest.delay_hours.1));
    }
    parts.extend(plan.max_signals_per_day.map(|most| format!("at most {most} a day")));
    parts.join(", ")
}
