//! The client of all sources against a server that does what servers do.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use chrono::{DateTime, TimeDelta, Utc};
use flate2::{Compression, write::GzEncoder};
use secrecy::SecretString;
use tcg_radar::{
    config::outbound::BaseUrl,
    sources::http::{Address, Client, HttpError, Request, Validators},
};
use tokio::sync::{Barrier, Notify};

#[derive(Clone, Default)]
struct Server {
    requests: Arc<AtomicUsize>,
    /// Held until the test lets go.
    gate: Arc<Notify>,
}

async fn started() -> (Server, Address, String) {
    let server = Server::default();
    let bomb = || async {
        use std::io::Write;
        let mut packed = GzEncoder::new(Vec::new(), Compression::best());
        packed.write_all(&vec![b'a'; 1_000_000]).unwrap();
        ([(header::CONTENT_ENCODING, "gzip")], packed.finish().unwrap())
    };
    let router = Router::new()
        .route("/slow", get(slow))
        .route("/bomb", get(bomb))
        .route(
            "/keys",
            get(|headers: HeaderMap| async move { format!("{:?}", headers.get("x-api-key").map(|key| key.to_str().unwrap().to_owned())) }),
        )
        .route("/moved", get(|| async { Redirect::temporary("/keys") }))
        .route("/away", get(|headers: HeaderMap| async move { Redirect::temporary(&format!("http://localhost:{}/keys", port(&headers))) }))
        .route("/tagged", get(tagged))
        .with_state(server.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (server, Address::of(&BaseUrl::parse(&base).unwrap()), base)
}

fn port(headers: &HeaderMap) -> String {
    headers[header::HOST].to_str().unwrap().rsplit(':').next().unwrap().to_owned()
}

async fn slow(State(server): State<Server>) -> &'static str {
    server.requests.fetch_add(1, Ordering::SeqCst);
    server.gate.notified().await;
    "done"
}

async fn tagged(State(server): State<Server>, headers: HeaderMap) -> Response {
    server.requests.fetch_add(1, Ordering::SeqCst);
    if headers.get(header::IF_NONE_MATCH).is_some_and(|tag| tag == "\"v1\"") {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, "\"v1\""), (header::LAST_MODIFIED, "Sun, 22 Nov 2026 12:00:00 GMT")], "body").into_response()
}

fn now() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn client() -> Client {
    Client::new(Duration::from_secs(5)).unwrap()
}

#[tokio::test]
async fn equal_requests_at_the_same_time_are_sent_once_and_remembered_for_a_minute() {
    let (server, base, _) = started().await;
    let (client, request) = (client(), Request::get(base.path("slow")));
    let together = Arc::new(Barrier::new(9));
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let (client, request, together) = (client.clone(), request.clone(), Arc::clone(&together));
            tokio::spawn(async move {
                together.wait().await;
                client.send(&request, now()).await.unwrap()
            })
        })
        .collect();
    together.wait().await;
    while server.requests.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    server.gate.notify_one();
    for answer in waiting {
        assert_eq!(&*answer.await.unwrap().body, b"done");
    }
    client.send(&request, now() + TimeDelta::seconds(59)).await.unwrap();
    assert_eq!(server.requests.load(Ordering::SeqCst), 1);
    server.gate.notify_one();
    client.send(&request, now() + TimeDelta::seconds(60)).await.unwrap();
    assert_eq!(server.requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_answer_that_unpacks_to_more_than_its_limit_is_not_read() {
    let (_, base, _) = started().await;
    let request = Request { largest: 100_000, ..Request::get(base.path("bomb")) };
    let fault = client().send(&request, now()).await.unwrap_err();
    assert!(matches!(fault, HttpError::TooLarge { limit: 100_000, .. }), "{fault}");
    let answer = client().send(&Request { largest: 1_000_000, ..request }, now()).await.unwrap();
    assert_eq!(answer.body.len(), 1_000_000);
}

#[tokio::test]
async fn a_key_follows_a_redirection_on_its_host_and_no_other() {
    let (_, base, _) = started().await;
    let key = || Some(("x-api-key", SecretString::from("hunter2")));
    let answer = client().send(&Request { key: key(), ..Request::get(base.clone().path("moved")) }, now()).await.unwrap();
    assert_eq!(&*answer.body, b"Some(\"hunter2\")");
    let answer = client().send(&Request { key: key(), ..Request::get(base.path("away")) }, now()).await.unwrap();
    assert_eq!((answer.status, answer.body.is_empty()), (307, true));
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let (server, base, _) = started().await;
    let request = Request::get(base.path("tagged"));
    let first = client().send(&request, now()).await.unwrap();
    assert_eq!(first.validators.etag.as_deref(), Some("\"v1\""));
    assert_eq!(first.validators.last_modified.as_deref(), Some("Sun, 22 Nov 2026 12:00:00 GMT"));
    let again = client().send(&Request { validators: first.validators, ..request.clone() }, now()).await.unwrap();
    assert!(again.is_unchanged() && again.body.is_empty());
    let other = Validators { etag: Some("\"v0\"".into()), last_modified: None };
    assert!(!client().send(&Request { validators: other, ..request }, now()).await.unwrap().is_unchanged());
    assert_eq!(server.requests.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn no_error_shows_a_key_and_a_dead_host_is_left_alone() {
    // nobody listens there any more
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = BaseUrl::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let request = Request::get(Address::of(&base).secret(&"hunter2".into()).path("latest/EUR"));
    let client = client();
    let mut faults = Vec::new();
    for _ in 0..6 {
        faults.push(client.send(&request, now()).await.unwrap_err());
    }
    assert!(faults.iter().all(|fault| !format!("{fault} {fault:?}").contains("hunter2")), "{faults:?}");
    assert!(faults[0].to_string().contains("/***/latest/EUR: Connection refused"), "{}", faults[0]);
    assert!(faults[..5].iter().all(|fault| matches!(fault, HttpError::Unreachable { .. })));
    assert!(matches!(&faults[5], HttpError::Resting { until, .. } if *until == now() + TimeDelta::minutes(1)), "{}", faults[5]);
    assert!(faults.iter().all(HttpError::is_retryable));
    let bad = Request { key: Some(("x-api-key", "a\nb".into())), ..Request::get(Address::of(&base)) };
    let fault = client.send(&bad, now() + TimeDelta::hours(1)).await.unwrap_err();
    assert!(matches!(fault, HttpError::BadKey { .. }) && !fault.is_retryable());
}
