//! Stand-ins of Telegram and Discord on this machine: real HTTP, their wire formats, their limits by a clock of the
//! caller's, their faults on demand, and what a reader of each chat sees. Written from the platforms' documents, not from
//! our clients, so that the two can disagree.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::{sync::Notify, task::JoinHandle};

use crate::clock::Clock;

mod deed;
mod discord;
mod limits;
mod markup;
mod telegram;
mod view;

pub use self::{
    deed::{Deed, Order},
    view::{Chat, Seen},
};
use self::{limits::Limits, telegram::Inbox};

pub const TELEGRAM_TOKEN: &str = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw";
pub const DISCORD_TOKEN: &str = "stand-in-bot-token";

/// See the module. It listens until it is dropped.
pub struct Messengers {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    clock: Clock,
    state: Mutex<Platforms>,
    /// Somebody wrote to the bot.
    written: Notify,
}

/// Everything that happened.
#[derive(Default)]
struct Platforms {
    /// By platform and chat.
    chats: BTreeMap<(String, i64), Vec<Seen>>,
    /// Chats that take nothing from the bot.
    dead: BTreeSet<(String, i64)>,
    orders: VecDeque<Order>,
    telegram: Limits,
    discord: Limits,
    inbox: Inbox,
    /// Discord's messages by channel and nonce.
    nonces: BTreeMap<(i64, String), i64>,
    last_id: i64,
    log: VecDeque<(DateTime<Utc>, String, i64, u16)>,
}

/// A request to a platform.
struct Asked {
    method: String,
    /// Below the platform's prefix, without a leading slash.
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// A platform's answer.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn json(status: u16, body: &Json) -> Self {
        Self { status, headers: vec![("content-type", "application/json".to_owned())], body: body.to_string().into_bytes() }
    }

    fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// What somebody does in a chat.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Doing {
    /// Writes to the bot.
    Write { chat: i64, user: i64, text: String },
    /// Presses a button of a message, by its label.
    Press { chat: i64, user: i64, message: i64, button: String },
    /// Presses a button that no message has.
    Forge { chat: i64, user: i64, message: i64, data: String },
}

impl Messengers {
    /// Listens on a port of this machine; 0 is any free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(clock: Clock, port: u16) -> io::Result<Self> {
        let shared = Arc::new(Shared { clock, state: Mutex::default(), written: Notify::new() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let (address, server) = super::listen(port, router).await?;
        Ok(Self { address, shared, server })
    }

    /// The variables that send the program here.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let base = |path: &str| format!("http://{}/{path}", self.address);
        vec![
            ("TELEGRAM_BASE_URL", base("telegram")),
            ("TELEGRAM_BOT_TOKEN", TELEGRAM_TOKEN.to_owned()),
            ("DISCORD_BASE_URL", base("discord")),
            ("DISCORD_BOT_TOKEN", DISCORD_TOKEN.to_owned()),
        ]
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next request that the order is about is answered so. Orders that fit the same request come in turn.
    pub fn order(&self, order: Order) {
        self.state().orders.push_back(order);
    }

    /// From now on a chat takes nothing from the bot, or takes it again.
    pub fn set_dead(&self, platform: &str, chat: i64, dead: bool) {
        let key = (platform.to_owned(), chat);
        let mut state = self.state();
        if dead {
            state.dead.insert(key)
        } else {
            state.dead.remove(&key)
        };
    }

    /// Somebody does something in a Telegram chat. False where there is no such button.
    pub fn doing(&self, doing: &Doing) -> bool {
        self.shared.doing(doing)
    }

    /// What the bot wrote after a message of that [`Seen::number`], the oldest first, with the platform and the chat of each.
    pub fn written_after(&self, number: i64) -> Vec<(String, i64, Seen)> {
        self.state().written_after(number)
    }

    /// What the readers see, chat by chat.
    pub fn seen(&self) -> Vec<Chat> {
        self.state().seen()
    }

    /// The last requests to a platform: when, which method, which chat, and the status of the answer.
    pub fn log(&self) -> Vec<(DateTime<Utc>, String, i64, u16)> {
        self.state().log.iter().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, Platforms> {
        self.shared.state()
    }
}

impl Drop for Messengers {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, Platforms> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doing(&self, doing: &Doing) -> bool {
        let done = self.state().doing(doing, self.clock.now());
        self.written.notify_waiters();
        done
    }
}

impl Platforms {
    /// Shows a message in a chat.
    fn show(&mut self, platform: &str, chat: i64, seen: Seen) {
        let messages = self.chats.entry((platform.to_owned(), chat)).or_default();
        if messages.len() >= LONGEST_CHAT {
            messages.remove(0);
        }
        messages.push(seen);
    }

    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// Takes the first order that is about this request.
    fn ordered(&mut self, platform: &str, chat: i64) -> Option<Deed> {
        let at = self.orders.iter().position(|order| order.is_about(platform, chat))?;
        self.orders.remove(at).map(|order| order.deed)
    }
}

/// Requests that are remembered.
const LONGEST_LOG: usize = 20_000;
/// Messages of a chat that are remembered.
const LONGEST_CHAT: usize = 300;
/// The largest request that a platform takes.
const LARGEST: usize = 1024 * 1024;

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST).await.map(|body| body.to_vec()).unwrap_or_default();
    let path = head.uri.path().trim_start_matches('/').to_owned();
    let (platform, below) = path.split_once('/').unwrap_or((path.as_str(), ""));
    let asked = Asked { method: head.method.to_string(), path: below.to_owned(), headers: head.headers, body };
    let (reply, deed) = match platform {
        "telegram" if asked.path.to_ascii_lowercase().ends_with("/getupdates") => (telegram::updates(&shared, &asked).await, None),
        "telegram" | "discord" => shared.platform(platform, &asked),
        _ => (shared.own(platform, &asked), None),
    };
    match deed {
        Some(Deed::Lost) => {
            // nothing else ends a connection without a word: its task unwinds, and no hook is called
            std::panic::resume_unwind(Box::new("the answer is lost"));
        }
        Some(Deed::Hang { seconds }) => tokio::time::sleep(Duration::from_secs(seconds)).await,
        _ => {}
    }
    let reply = match deed {
        Some(deed) => deed.spoil(reply),
        None => reply,
    };
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap_or_default()
}

impl Shared {
    /// A refusal that was ordered does nothing; what spoils the answer comes after the message was posted.
    fn platform(&self, platform: &str, asked: &Asked) -> (Reply, Option<Deed>) {
        let now = self.clock.now();
        let state = &mut *self.state();
        let (what, chat) = match platform {
            "telegram" => telegram::about(asked),
            _ => discord::about(asked),
        };
        let deed = state.ordered(platform, chat);
        let reply = match (&deed, platform) {
            (Some(Deed::Refuse { status, body, retry_after }), _) => {
                let reply = Reply::json(*status, body);
                if let Some(wait) = retry_after { reply.with("retry-after", wait) } else { reply }
            }
            (_, "telegram") => telegram::answer(state, asked, now),
            _ => discord::answer(state, asked, now),
        };
        if state.log.len() >= LONGEST_LOG {
            state.log.pop_front();
        }
        state.log.push_back((now, format!("{platform} {what}"), chat, reply.status));
        (reply, deed)
    }

    /// What only a stand-in has.
    fn own(&self, path: &str, asked: &Asked) -> Reply {
        let bad = |error: serde_json::Error| Reply::json(400, &json!({ "error": error.to_string() }));
        match path {
            "_seen" => Reply::json(200, &json!(self.state().seen())),
            "_seen.txt" => {
                let text = view::plain(&self.state().seen());
                Reply { status: 200, headers: vec![("content-type", "text/plain; charset=utf-8".to_owned())], body: text.into_bytes() }
            }
            "_order" => match serde_json::from_slice(&asked.body) {
                Ok(order) => {
                    self.state().orders.push_back(order);
                    Reply::json(200, &json!({}))
                }
                Err(error) => bad(error),
            },
            "_do" => match serde_json::from_slice(&asked.body) {
                Ok(doing) if self.doing(&doing) => Reply::json(200, &json!({})),
                Ok(_) => Reply::json(404, &json!({ "error": "that message has no such button" })),
                Err(error) => bad(error),
            },
            _ => Reply { status: 404, headers: Vec::new(), body: b"Not Found".to_vec() },
        }
    }
}
