//! Stand-ins of the vendors on this machine: real HTTP, their wire formats, their quotas and their faults. Written from
//! the vendors' documents, not from our clients, so that the two can disagree.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
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
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use crate::clock::Clock;

mod exchangerate;
mod files;
mod justtcg;
mod misdeed;
mod pokemontcg;
mod poketrace;
mod quota;
mod stock;
mod talk;

use self::quota::Quota;
pub use self::{
    misdeed::Misdeed,
    stock::Stock,
    talk::{CLIENT, Held, Written},
};

/// The key that every stand-in accepts.
pub const KEY: &str = "stand-in-key";

/// What a vendor is asked.
struct Asked {
    method: String,
    /// Below the vendor's prefix, without a leading slash.
    path: String,
    query: HashMap<String, String>,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A number of the query, or what the vendor takes where there is none.
    fn number(&self, name: &str, usual: usize) -> usize {
        self.query.get(name).and_then(|text| text.parse().ok()).unwrap_or(usual)
    }
}

/// What it answers.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn json(status: u16, body: &Json) -> Self {
        Self { status, headers: vec![("content-type", "application/json; charset=utf-8".to_owned())], body: body.to_string().into_bytes() }
    }

    fn not_found() -> Self {
        Self { status: 404, headers: Vec::new(), body: b"Not Found".to_vec() }
    }

    fn with(mut self, name: &'static str, value: &impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }
}

/// Which plan of each vendor is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    Free,
    Paid,
}

struct Vendors {
    plan: Plan,
    clock: Clock,
    changing: Mutex<Changing>,
}

/// What changes as requests come in.
#[derive(Default)]
struct Changing {
    stock: Stock,
    talk: talk::Talk,
    quotas: HashMap<&'static str, Quota>,
    /// By the beginning of a path; each is done once.
    misdeeds: HashMap<String, VecDeque<Misdeed>>,
    /// Files that are served as they are, by path.
    files: HashMap<String, Vec<u8>>,
    log: VecDeque<(DateTime<Utc>, String, u16)>,
}

/// The running stand-ins; they end with it.
pub struct StandIns {
    address: SocketAddr,
    vendors: Arc<Vendors>,
    server: JoinHandle<()>,
}

impl StandIns {
    /// Serves the stock on a port of this machine; port 0 is any free one.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(stock: Stock, plan: Plan, clock: Clock, port: u16) -> io::Result<Self> {
        let vendors = Arc::new(Vendors { plan, clock, changing: Mutex::new(Changing { stock, ..Changing::default() }) });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&vendors));
        let (address, server) = super::listen(port, router).await?;
        Ok(Self { address, vendors, server })
    }

    /// The variables that send the program here.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let base = |path: &str| format!("http://{}/{path}", self.address);
        vec![
            ("CARDMARKET_BASE_URL", base("cardmarket")),
            ("TCGCSV_BASE_URL", base("tcgcsv")),
            ("ECB_BASE_URL", base("ecb")),
            ("POKEMONTCG_BASE_URL", base("pokemontcg/v2")),
            ("JUSTTCG_BASE_URL", base("justtcg/v1")),
            ("JUSTTCG_API_KEY", KEY.to_owned()),
            ("POKETRACE_BASE_URL", base("poketrace/v1")),
            ("POKETRACE_API_KEY", KEY.to_owned()),
            ("EXCHANGERATE_BASE_URL", base("exchangerate/v6")),
            ("EXCHANGERATE_API_KEY", KEY.to_owned()),
            ("LIMITLESS_BASE_URL", base("limitless/api")),
            ("LIMITLESS_API_KEY", KEY.to_owned()),
            ("REDDIT_BASE_URL", base("reddit")),
            ("REDDIT_OAUTH_BASE_URL", base("reddit-oauth")),
            ("X_BASE_URL", base("x")),
            ("TWITTER_BEARER_TOKEN", KEY.to_owned()),
        ]
    }

    /// The next request to a path that begins so is answered badly. Misdeeds of one path come in order.
    pub fn misbehave(&self, path: &str, misdeed: Misdeed) {
        self.changing(|changing| changing.misdeeds.entry(path.to_owned()).or_default().push_back(misdeed));
    }

    /// Serves a file as it is.
    pub fn serve_file(&self, path: &str, content: Vec<u8>) {
        self.changing(|changing| changing.files.insert(path.to_owned(), content));
    }

    /// Somebody writes something.
    pub fn write(&self, written: Written) {
        self.changing(|changing| changing.talk.written.push(written));
    }

    /// A tournament is held.
    pub fn hold(&self, held: Held) {
        self.changing(|changing| changing.talk.held.push(held));
    }

    /// Where Discord's channels are read.
    pub fn discord(&self) -> String {
        format!("http://{}/discord-channels", self.address)
    }

    /// The last requests: when, which path with its query, and the status of the answer.
    pub fn log(&self) -> Vec<(DateTime<Utc>, String, u16)> {
        self.changing(|changing| changing.log.iter().cloned().collect())
    }

    fn changing<T>(&self, change: impl FnOnce(&mut Changing) -> T) -> T {
        change(&mut self.vendors.changing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for StandIns {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Requests that are remembered.
const LONGEST_LOG: usize = 10_000;
/// The largest request that any vendor takes.
const LARGEST: usize = 1024 * 1024;

async fn answer(State(vendors): State<Arc<Vendors>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST).await.map(|body| body.to_vec()).unwrap_or_default();
    let query = axum::extract::Query::<HashMap<String, String>>::try_from_uri(&head.uri).map(|query| query.0).unwrap_or_default();
    let path = head.uri.path().to_owned();
    let asked = Asked { method: head.method.to_string(), path: String::new(), query, headers: head.headers, body };
    let (reply, misdeed) = vendors.reply(&path, asked, &head.uri.to_string());
    let reply = match misdeed {
        Some(Misdeed::Hang { seconds }) => {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            reply
        }
        Some(misdeed) => misdeed.spoil(reply),
        None => reply,
    };
    let mut response = Response::builder().status(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    response.body(Body::from(reply.body)).unwrap_or_default()
}

impl Vendors {
    fn reply(&self, path: &str, mut asked: Asked, uri: &str) -> (Reply, Option<Misdeed>) {
        let now = self.clock.now();
        let changing = &mut *self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let (vendor, below) = path.trim_start_matches('/').split_once('/').unwrap_or_default();
        below.clone_into(&mut asked.path);
        changing.stock.advance(now.date_naive());
        let stock = &changing.stock;
        let waiting = changing.misdeeds.iter_mut().find(|(start, deeds)| path.starts_with(start.as_str()) && !deeds.is_empty());
        let (start, mut misdeed) = waiting.map_or((String::new(), None), |(start, deeds)| (start.clone(), deeds.pop_front()));
        let reply = match (&misdeed, vendor) {
            // a refusal costs the vendor's quota nothing
            (Some(Misdeed::Status { status, retry_after, body }), _) => {
                let reply = Reply::json(*status, body.as_ref().unwrap_or(&json!({ "error": "no", "code": "NO" })));
                if let Some(wait) = retry_after { reply.with("retry-after", wait) } else { reply }
            }
            (_, "_misbehave") => match serde_json::from_slice::<Misdeed>(&asked.body) {
                Ok(misdeed) => {
                    changing.misdeeds.entry(format!("/{}", asked.path)).or_default().push_back(misdeed);
                    Reply::json(200, &json!({}))
                }
                Err(error) => Reply::json(400, &json!({ "error": error.to_string() })),
            },
            (_, "cardmarket" | "tcgcsv" | "ecb") => match changing.files.get(path) {
                Some(content) => files::conditional(content.clone(), &asked),
                None => files::answer(vendor, stock, &asked, now),
            },
            (_, "pokemontcg") => pokemontcg::answer(stock, &asked, changing.quotas.entry("pokemontcg").or_default(), now),
            (_, "justtcg") => justtcg::answer(stock, self.plan, &asked, changing.quotas.entry("justtcg").or_default(), now),
            (_, "poketrace") => poketrace::answer(stock, self.plan, &asked, changing.quotas.entry("poketrace").or_default(), now),
            (_, "_write") => match serde_json::from_slice::<Written>(&asked.body) {
                Ok(written) => {
                    changing.talk.written.push(written);
                    Reply::json(200, &json!({}))
                }
                Err(error) => Reply::json(400, &json!({ "error": error.to_string() })),
            },
            (_, "reddit" | "reddit-oauth" | "discord-channels" | "x" | "limitless") => changing.talk.answer(vendor, &asked, now),
            (_, "exchangerate") => exchangerate::answer(stock, &asked, changing.quotas.entry("exchangerate").or_default(), now),
            _ => Reply::not_found(),
        };
        if changing.log.len() >= LONGEST_LOG {
            changing.log.pop_front();
        }
        changing.log.push_back((now, uri.to_owned(), reply.status));
        if reply.status == 304 {
            // nothing is sent, so nothing can be spoiled: the next answer is
            changing.misdeeds.entry(start).or_default().extend(misdeed.take());
        }
        (reply, misdeed)
    }
}

/// A figure as a JSON number, digit for digit.
pub(super) fn number(figure: Option<rust_decimal::Decimal>) -> Json {
    figure.and_then(|figure| serde_json::from_str(&figure.to_string()).ok()).unwrap_or(Json::Null)
}
