//! HTTP for whoever watches over the service: is it alive, may it be used, and how does it stand. It tells nothing of
//! tenants and asks nobody for a password, so it listens on this machine unless told otherwise.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    domain::feed::Budget,
    pulse::{Beats, Pulse},
    store::{Store, vitals},
};

mod exposition;
mod metrics;

/// The database answers in this time or counts as gone: whoever asks gives up soon.
const PATIENCE: Duration = Duration::from_secs(3);
/// The form of what `/metrics` tells.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is watched.
pub struct Watch {
    pub store: Store,
    pub loops: Vec<Watched>,
    /// The sources that are on, and what their vendors allow.
    pub sources: Vec<(&'static str, Budget)>,
    /// The folder of backups, where the service makes them.
    pub backups: Option<PathBuf>,
    pub started: DateTime<Utc>,
    pub clock: Clock,
}

/// A loop and its patience.
#[derive(Debug, Clone)]
pub struct Watched {
    pub name: &'static str,
    pub pulse: Pulse,
    /// A turn that takes longer will never end.
    pub longest_turn: Duration,
}

impl Watched {
    fn hangs(&self, beats: &Beats) -> bool {
        beats.busy_for.is_some_and(|busy| busy > self.longest_turn)
    }
}

/// Why nothing can be served there.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("cannot listen on {address} for /health and /metrics: {source}: end what has that port, or name another in TCG_RADAR_LISTEN")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot go on telling /health and /metrics: {0}")]
    Serve(io::Error),
}

/// Takes the port, so that one that is taken is known before anything else begins.
///
/// # Errors
/// The port is taken, or not ours to take.
pub async fn listen(address: SocketAddr) -> Result<TcpListener, WebError> {
    TcpListener::bind(address).await.map_err(|source| WebError::Listen { address, source })
}

/// Answers until `shutdown`.
///
/// # Errors
/// The port is lost.
pub async fn run(listener: TcpListener, watch: Watch, shutdown: CancellationToken) -> Result<(), WebError> {
    let routes =
        Router::new().route("/health", get(health)).route("/ready", get(ready)).route("/metrics", get(metrics)).with_state(Arc::new(watch));
    axum::serve(listener, routes).with_graceful_shutdown(shutdown.cancelled_owned()).await.map_err(WebError::Serve)
}

#[derive(Serialize)]
struct Health {
    ok: bool,
    loops: Vec<LoopHealth>,
    /// What the service goes by; nothing where the database does not answer.
    rules: Option<RulesHealth>,
}

#[derive(Serialize)]
struct LoopHealth {
    name: &'static str,
    hangs: bool,
    busy_seconds: Option<u64>,
    turns: u64,
    failures: u64,
}

#[derive(Serialize)]
struct RulesHealth {
    pack: String,
    customs_regime: Option<String>,
    /// Since when the files say something that cannot be used.
    refused_since: Option<DateTime<Utc>>,
}

/// Whether every loop still turns. A database that is gone is no reason to end the process: it would come back to none.
async fn health(State(watch): State<Arc<Watch>>) -> Response {
    let loops: Vec<LoopHealth> = watch
        .loops
        .iter()
        .map(|watched| {
            let beats = watched.pulse.beats();
            LoopHealth {
                name: watched.name,
                hangs: watched.hangs(&beats),
                busy_seconds: beats.busy_for.map(|busy| busy.as_secs()),
                turns: beats.good,
                failures: beats.failed,
            }
        })
        .collect();
    let ok = loops.iter().all(|one| !one.hangs);
    let rules = match tokio::time::timeout(PATIENCE, rules(&watch.store)).await {
        Ok(Ok(rules)) => rules,
        Ok(Err(_)) | Err(_) => None,
    };
    answer(ok, &Health { ok, loops, rules })
}

async fn rules(store: &Store) -> Result<Option<RulesHealth>, crate::store::StoreError> {
    let mut tx = store.service().await?;
    let rules = vitals::rules(&mut tx).await?;
    tx.commit().await?;
    Ok(rules.map(|rules| RulesHealth { pack: rules.pack_hash, customs_regime: rules.customs_regime, refused_since: rules.refused_since }))
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    /// What is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    because: Vec<String>,
}

/// Whether the service does what it is for: the database is there and of this program's schema, and the market has been
/// looked at once. The rules are loaded, or there were no service.
async fn ready(State(watch): State<Arc<Watch>>) -> Response {
    let mut because = Vec::new();
    match tokio::time::timeout(PATIENCE, watch.store.behind()).await {
        Ok(Ok(0)) => {}
        Ok(Ok(missing)) => because.push(format!("the database lacks {missing} migrations: run `tcg-radar db migrate`")),
        Ok(Err(fault)) => because.push(fault.to_string()),
        Err(_) => because.push(format!("the database did not answer within {} s", PATIENCE.as_secs())),
    }
    if !watch.loops.iter().any(|watched| watched.name == "scan" && watched.pulse.beats().good > 0) {
        because.push("the first scan has not come to its end".to_owned());
    }
    answer(because.is_empty(), &Ready { ready: because.is_empty(), because })
}

async fn metrics(State(watch): State<Arc<Watch>>) -> Response {
    let now = watch.clock.now();
    let read = async {
        let mut tx = watch.store.service().await?;
        let vitals = vitals::read(&mut tx, now).await?;
        tx.commit().await?;
        Ok::<_, crate::store::StoreError>(vitals)
    };
    let vitals = match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(vitals)) => Some(vitals),
        // told by the loops that need it, and here by `tcg_radar_database_up`
        Ok(Err(_)) | Err(_) => None,
    };
    match metrics::text(&watch, vitals.as_ref(), now) {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(fault) => (StatusCode::INTERNAL_SERVER_ERROR, fault.to_string()).into_response(),
    }
}

fn answer(good: bool, body: &impl Serialize) -> Response {
    let status = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    match serde_json::to_string(body) {
        Ok(text) => (status, [(CONTENT_TYPE, "application/json")], text).into_response(),
        Err(fault) => (StatusCode::INTERNAL_SERVER_ERROR, fault.to_string()).into_response(),
    }
}
