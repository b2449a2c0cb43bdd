//! Telegram's bot API: `/bot<token>/<method>`, JSON in, `{ok, result}` or `{ok, error_code, description}` out.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Asked, Doing, Platforms, Reply, Seen, Shared, TELEGRAM_TOKEN, limits::Limit, markup};

const WHOLE: Limit = (30, TimeDelta::seconds(1));
const CHAT: [Limit; 1] = [(1, TimeDelta::seconds(1))];
const GROUP: [Limit; 2] = [(1, TimeDelta::seconds(1)), (20, TimeDelta::seconds(60))];
const LONGEST_TEXT: usize = 4096;
const MOST_ENTITIES: usize = 100;
/// Bytes of what a button sends.
const LONGEST_DATA: usize = 64;
/// Updates in one answer.
const MOST_UPDATES: usize = 100;

/// What was written to the bot and not taken yet.
#[derive(Default)]
pub struct Inbox {
    updates: Vec<(i64, Json)>,
    last: i64,
}

#[derive(Deserialize)]
struct SendMessage {
    chat_id: i64,
    text: String,
    parse_mode: Option<String>,
    reply_markup: Option<Keyboard>,
    message_id: Option<i64>,
}

#[derive(Deserialize)]
struct Keyboard {
    inline_keyboard: Vec<Vec<Button>>,
}

#[derive(Deserialize)]
struct Button {
    text: String,
    callback_data: String,
}

#[derive(Deserialize)]
struct GetUpdates {
    #[serde(default)]
    offset: i64,
    #[serde(default)]
    timeout: u64,
}

#[derive(Deserialize)]
struct AnswerCallbackQuery {
    callback_query_id: String,
    #[serde(default)]
    text: String,
}

/// The method and the chat of a request.
pub fn about(asked: &Asked) -> (String, i64) {
    let method = asked.path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
    let chat = serde_json::from_slice::<Json>(&asked.body).ok().and_then(|body| body["chat_id"].as_i64()).unwrap_or(0);
    (method, chat)
}

fn error(code: u16, description: &str) -> Reply {
    Reply::json(code, &json!({ "ok": false, "error_code": code, "description": description }))
}

fn result(result: &Json) -> Reply {
    Reply::json(200, &json!({ "ok": true, "result": result }))
}

fn is_ours(asked: &Asked) -> bool {
    asked.path.split('/').next() == Some(&format!("bot{TELEGRAM_TOKEN}"))
}

pub fn answer(state: &mut Platforms, asked: &Asked, now: DateTime<Utc>) -> Reply {
    let (method, _) = about(asked);
    if !is_ours(asked) {
        return error(401, "Unauthorized");
    }
    match method.as_str() {
        "getme" => result(&me()),
        "sendmessage" | "editmessagetext" => match serde_json::from_slice(&asked.body) {
            Ok(message) => post(state, message, method == "editmessagetext", now),
            Err(_) => error(400, "Bad Request: chat_id is empty"),
        },
        "answercallbackquery" => match serde_json::from_slice::<AnswerCallbackQuery>(&asked.body) {
            Ok(query) => answer_query(state, &query),
            Err(_) => error(400, "Bad Request: invalid parameters"),
        },
        _ => error(404, "Not Found"),
    }
}

fn me() -> Json {
    json!({ "id": 110_201_543, "is_bot": true, "first_name": "TCG Radar", "username": "tcg_radar_bot", "can_join_groups": true,
        "can_read_all_group_messages": false, "supports_inline_queries": false })
}

fn post(state: &mut Platforms, message: SendMessage, is_edit: bool, now: DateTime<Utc>) -> Reply {
    let chat = message.chat_id;
    let limits: &[Limit] = if chat < 0 { &GROUP } else { &CHAT };
    if let Err(over) = state.telegram.take(chat, WHOLE, limits, now) {
        // whole seconds, rounded up
        let wait = (over.wait.num_milliseconds() + 999) / 1000;
        let description = format!("Too Many Requests: retry after {wait}");
        let body = json!({ "ok": false, "error_code": 429, "description": description, "parameters": { "retry_after": wait } });
        return Reply::json(429, &body).with("retry-after", &wait);
    }
    if state.dead.contains(&("telegram".to_owned(), chat)) {
        return error(403, "Forbidden: bot was blocked by the user");
    }
    if chat == 0 {
        return error(400, "Bad Request: chat not found");
    }
    let read = match message.parse_mode.as_deref() {
        Some("MarkdownV2") => match markup::read(&message.text) {
            Ok(read) => read,
            Err(fault) => return error(400, &format!("Bad Request: can't parse entities: {fault}")),
        },
        _ => markup::Read { text: message.text, ..markup::Read::default() },
    };
    if read.text.trim().is_empty() {
        return error(400, "Bad Request: message text is empty");
    }
    if read.text.encode_utf16().count() > LONGEST_TEXT {
        return error(400, if is_edit { "Bad Request: MESSAGE_TOO_LONG" } else { "Bad Request: message is too long" });
    }
    if read.entities > MOST_ENTITIES {
        return error(400, "Bad Request: too many entities");
    }
    let rows = message.reply_markup.map(|keyboard| keyboard.inline_keyboard).unwrap_or_default();
    let buttons: Vec<(String, String)> = rows.into_iter().flatten().map(|button| (button.text, button.callback_data)).collect();
    if buttons.iter().any(|(_, data)| data.is_empty() || data.len() > LONGEST_DATA) {
        return error(400, "Bad Request: BUTTON_DATA_INVALID");
    }
    let key = ("telegram".to_owned(), chat);
    if is_edit {
        let known = state.chats.get_mut(&key).and_then(|messages| messages.iter_mut().find(|one| Some(one.id) == message.message_id));
        let Some(shown) = known.filter(|one| one.ours) else { return error(400, "Bad Request: message to edit not found") };
        if shown.text == read.text && shown.links == read.links && shown.buttons == buttons {
            return error(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content \
                 and reply markup of the message",
            );
        }
        (shown.text, shown.links, shown.buttons, shown.edits) = (read.text, read.links, buttons, shown.edits + 1);
        let shown = shown.clone();
        return result(&as_message(chat, &shown, now));
    }
    let id = state.next_id();
    let seen = Seen { id, at: now, ours: true, text: read.text, links: read.links, buttons, colour: None, edits: 0, popups: Vec::new() };
    let message = as_message(chat, &seen, now);
    state.show("telegram", chat, seen);
    result(&message)
}

fn as_message(chat: i64, seen: &Seen, now: DateTime<Utc>) -> Json {
    let mut message = json!({
        "message_id": seen.id, "from": if seen.ours { me() } else { json!({}) }, "chat": as_chat(chat), "date": seen.at.timestamp(), "text": seen.text,
    });
    if seen.edits > 0 {
        message["edit_date"] = json!(now.timestamp());
    }
    message
}

fn as_chat(chat: i64) -> Json {
    if chat < 0 {
        json!({ "id": chat, "type": "supergroup", "title": "a group" })
    } else {
        json!({ "id": chat, "type": "private", "first_name": "somebody" })
    }
}

fn as_user(user: i64) -> Json {
    json!({ "id": user, "is_bot": false, "first_name": "somebody", "language_code": "en" })
}

fn answer_query(state: &mut Platforms, query: &AnswerCallbackQuery) -> Reply {
    let place = query.callback_query_id.split(' ').filter_map(|part| part.parse().ok()).collect::<Vec<i64>>();
    let [chat, message, ..] = place[..] else {
        return error(400, "Bad Request: query is too old and response timeout expired or query id is invalid");
    };
    let messages = state.chats.get_mut(&("telegram".to_owned(), chat));
    if let Some(seen) = messages.and_then(|messages| messages.iter_mut().find(|one| one.id == message)) {
        seen.popups.push(query.text.clone());
    }
    result(&json!(true))
}

impl Platforms {
    /// Puts what somebody does into the bot's inbox.
    pub(super) fn doing(&mut self, doing: &Doing, now: DateTime<Utc>) -> bool {
        match doing {
            Doing::Write { chat, user, text } => {
                let id = self.next_id();
                let seen = Seen {
                    id,
                    at: now,
                    ours: false,
                    text: text.clone(),
                    links: Vec::new(),
                    buttons: Vec::new(),
                    colour: None,
                    edits: 0,
                    popups: Vec::new(),
                };
                let mut message = as_message(*chat, &seen, now);
                message["from"] = as_user(*user);
                self.show("telegram", *chat, seen);
                self.put(&json!({ "message": message }));
            }
            Doing::Press { chat, user, message, button } => {
                let messages = self.chats.get(&("telegram".to_owned(), *chat));
                let shown = messages.and_then(|messages| messages.iter().find(|one| one.id == *message));
                let Some((shown, data)) = shown.and_then(|shown| {
                    shown.buttons.iter().find(|(label, _)| label == button).map(|(_, data)| (shown.clone(), data.clone()))
                }) else {
                    return false;
                };
                self.press(*chat, *user, &as_message(*chat, &shown, now), *message, &data);
            }
            Doing::Forge { chat, user, message, data } => {
                let shown = json!({ "message_id": message, "from": me(), "chat": as_chat(*chat), "date": now.timestamp(), "text": "x" });
                self.press(*chat, *user, &shown, *message, data);
            }
        }
        true
    }

    fn press(&mut self, chat: i64, user: i64, shown: &Json, message: i64, data: &str) {
        let id = format!("{chat} {message} {}", self.next_id());
        self.put(&json!({ "callback_query": { "id": id, "from": as_user(user), "message": shown, "chat_instance": "1", "data": data } }));
    }

    fn put(&mut self, what: &Json) {
        self.inbox.last += 1;
        let mut update = what.clone();
        update["update_id"] = json!(self.inbox.last);
        self.inbox.updates.push((self.inbox.last, update));
    }
}

/// `getUpdates`: forgets what is before the offset, and waits for something to come.
pub async fn updates(shared: &Shared, asked: &Asked) -> Reply {
    if !is_ours(asked) {
        return error(401, "Unauthorized");
    }
    let request: GetUpdates = serde_json::from_slice(&asked.body).unwrap_or(GetUpdates { offset: 0, timeout: 0 });
    let until = tokio::time::Instant::now() + Duration::from_secs(request.timeout);
    loop {
        let written = shared.written.notified();
        {
            let mut state = shared.state();
            let ordered = state.ordered("telegram getUpdates", 0);
            if let Some(super::Deed::Refuse { status, body, .. }) = ordered {
                return Reply::json(status, &body);
            }
            state.inbox.updates.retain(|(id, _)| *id >= request.offset);
            let waiting: Vec<Json> = state.inbox.updates.iter().take(MOST_UPDATES).map(|(_, update)| update.clone()).collect();
            if !waiting.is_empty() || tokio::time::Instant::now() >= until {
                return result(&json!(waiting));
            }
        }
        let _ = tokio::time::timeout_at(until, written).await;
    }
}
