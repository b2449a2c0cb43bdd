//! Discord's HTTP API v10: messages of a channel, `Authorization: Bot <token>`, a rate bucket for each channel.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Asked, DISCORD_TOKEN, Platforms, Reply, Seen, limits::Limit};

const WHOLE: Limit = (50, TimeDelta::seconds(1));
const CHANNEL: Limit = (5, TimeDelta::seconds(5));
/// Discord counts ids from its own first day: a snowflake is never small.
pub const FIRST_ID: i64 = 1_300_000_000_000_000_000;

/// Messages of which the nonces are known.
const NONCES: i64 = 5_000;

#[derive(Deserialize)]
struct CreateMessage {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    embeds: Vec<Embed>,
    nonce: Option<String>,
    #[serde(default)]
    enforce_nonce: bool,
}

#[derive(Deserialize)]
struct Embed {
    #[serde(default)]
    title: String,
    #[serde(default)]
    description: String,
    color: Option<u32>,
    #[serde(default)]
    fields: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    value: String,
}

/// What is done, and the channel.
pub fn about(asked: &Asked) -> (String, i64) {
    let channel = asked.path.split('/').nth(3).and_then(|id| id.parse().ok()).unwrap_or(0);
    (asked.method.to_ascii_lowercase(), channel)
}

fn error(status: u16, code: u32, message: &str) -> Reply {
    Reply::json(status, &json!({ "message": message, "code": code }))
}

pub fn answer(state: &mut Platforms, asked: &Asked, now: DateTime<Utc>) -> Reply {
    let (_, channel) = about(asked);
    let token = asked.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if token != format!("Bot {DISCORD_TOKEN}") {
        return error(401, 0, "401: Unauthorized");
    }
    let parts: Vec<&str> = asked.path.split('/').collect();
    let edited = match (asked.method.as_str(), &parts[..]) {
        ("POST", ["api", "v10", "channels", _, "messages"]) => None,
        ("PATCH", ["api", "v10", "channels", _, "messages", message]) => message.parse::<i64>().ok(),
        _ => return error(404, 0, "404: Not Found"),
    };
    if let Err(over) = state.discord.take(channel, WHOLE, &[CHANNEL], now) {
        let wait = seconds(over.wait);
        let body = format!(r#"{{"message":"You are being rate limited.","retry_after":{wait},"global":{}}}"#, over.whole);
        let reply = Reply { status: 429, headers: vec![("content-type", "application/json".to_owned())], body: body.into_bytes() };
        let scope = if over.whole { "global" } else { "user" };
        return reply.with("retry-after", &(over.wait.num_seconds() + 1)).with("x-ratelimit-scope", &scope);
    }
    let left = state.discord.left(channel, CHANNEL, now);
    let reply = post(state, asked, channel, edited, now);
    reply
        .with("x-ratelimit-limit", &CHANNEL.0)
        .with("x-ratelimit-remaining", &left.remaining)
        .with("x-ratelimit-reset-after", &seconds(left.reset))
        .with("x-ratelimit-bucket", &"80c17d2f203122d936070c88c8d10f33")
}

/// Seconds with three places.
fn seconds(wait: TimeDelta) -> String {
    format!("{}.{:03}", wait.num_milliseconds() / 1000, wait.num_milliseconds() % 1000)
}

fn post(state: &mut Platforms, asked: &Asked, channel: i64, edited: Option<i64>, now: DateTime<Utc>) -> Reply {
    if state.dead.contains(&("discord".to_owned(), channel)) {
        return error(403, 50_001, "Missing Access");
    }
    let Ok(message) = serde_json::from_slice::<CreateMessage>(&asked.body) else {
        return error(400, 50_109, "The request body contains invalid JSON.");
    };
    if let Some(fault) = fault(&message) {
        let body = json!({ "message": "Invalid Form Body", "code": 50_035, "errors": { "embeds": { "_errors": [{ "code": "BASE_TYPE_MAX_LENGTH", "message": fault }] } } });
        return Reply::json(400, &body);
    }
    let key = ("discord".to_owned(), channel);
    let seen = seen(&message, now);
    if let Some(id) = edited {
        let Some(shown) = state.chats.get_mut(&key).and_then(|messages| messages.iter_mut().find(|one| one.id == id)) else {
            return error(404, 10_008, "Unknown Message");
        };
        *shown = Seen { id, at: shown.at, edits: shown.edits + 1, ..seen };
        return Reply::json(200, &as_message(channel, id));
    }
    let nonce = message.nonce.filter(|_| message.enforce_nonce);
    if let Some(id) = nonce.as_ref().and_then(|nonce| state.nonces.get(&(channel, nonce.clone()))) {
        return Reply::json(200, &as_message(channel, *id));
    }
    let id = FIRST_ID + state.next_id();
    if let Some(nonce) = nonce {
        // a nonce is known for some minutes
        state.nonces.retain(|_, known| id - *known < NONCES);
        state.nonces.insert((channel, nonce), id);
    }
    state.show("discord", channel, Seen { id, ..seen });
    Reply::json(200, &as_message(channel, id))
}

/// What Discord does not take.
fn fault(message: &CreateMessage) -> Option<&'static str> {
    let length = |text: &str| text.encode_utf16().count();
    let of_embed = |embed: &Embed| {
        let fields: usize = embed.fields.iter().map(|field| length(&field.name) + length(&field.value)).sum();
        length(&embed.title) + length(&embed.description) + fields
    };
    if message.content.as_deref().unwrap_or_default().is_empty() && message.embeds.is_empty() {
        return Some("Cannot send an empty message");
    }
    if message.nonce.as_ref().is_some_and(|nonce| nonce.len() > 25) {
        return Some("Must be 25 or fewer in length.");
    }
    if message.content.as_deref().is_some_and(|content| length(content) > 2_000) {
        return Some("Must be 2000 or fewer in length.");
    }
    if message.embeds.len() > 10 || message.embeds.iter().map(of_embed).sum::<usize>() > 6_000 {
        return Some("Embeds are too large.");
    }
    let long = |embed: &Embed| length(&embed.title) > 256 || length(&embed.description) > 4_096 || embed.fields.len() > 25;
    message.embeds.iter().any(long).then_some("Must be 4096 or fewer in length.")
}

fn seen(message: &CreateMessage, now: DateTime<Utc>) -> Seen {
    let mut text = Vec::new();
    let mut links = Vec::new();
    let mut colour = None;
    for embed in &message.embeds {
        let fields = embed.fields.iter().flat_map(|field| [field.name.as_str(), field.value.as_str()]);
        for part in [embed.title.as_str(), embed.description.as_str()].into_iter().chain(fields).filter(|part| !part.is_empty()) {
            text.push(shown(part, &mut links));
        }
        colour = colour.or(embed.color.map(|colour| format!("#{colour:06x}")));
    }
    let text = message.content.iter().cloned().chain(text).collect::<Vec<_>>().join("\n");
    Seen { id: 0, at: now, ours: true, text, links, buttons: Vec::new(), colour, edits: 0, popups: Vec::new() }
}

/// A text without Discord's Markdown, which refuses nothing.
fn shown(markdown: &str, links: &mut Vec<String>) -> String {
    let mut text = String::new();
    let mut rest = markdown;
    while let Some(letter) = rest.chars().next() {
        let behind = &rest[letter.len_utf8()..];
        match letter {
            '\\' => {
                let escaped = behind.chars().next().unwrap_or('\\');
                text.push(escaped);
                rest = behind.get(escaped.len_utf8()..).unwrap_or_default();
                continue;
            }
            '*' => {}
            '[' => {
                if let Some((words, after)) = behind.split_once("](")
                    && let Some((url, after)) = after.split_once(')')
                {
                    text.push_str(&words.replace('\\', ""));
                    links.push(url.to_owned());
                    rest = after;
                    continue;
                }
                text.push(letter);
            }
            letter => text.push(letter),
        }
        rest = behind;
    }
    text
}

fn as_message(channel: i64, id: i64) -> Json {
    json!({
        "id": id.to_string(), "type": 0, "channel_id": channel.to_string(), "content": "", "attachments": [], "embeds": [], "mentions": [],
        "mention_roles": [], "pinned": false, "mention_everyone": false, "tts": false, "flags": 0, "components": [],
        "author": { "id": "1200000000000000001", "username": "tcg-radar", "discriminator": "0000", "avatar": null, "bot": true },
        "timestamp": "2026-11-24T12:00:00.000000+00:00", "edited_timestamp": null,
    })
}
