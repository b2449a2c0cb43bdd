//! The one HTTP client of all sources: time limits, size limits, conditional requests, a short cache that also joins
//! equal requests in flight, and a breaker for hosts that fail. It never tries again by itself: when to ask again is the
//! ingest loop's to say, which keeps the vendors' quotas.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use moka::future::Cache;
use reqwest::{
    Method, StatusCode,
    header::{
        ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
    },
    redirect,
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::outbound::{is_loopback, may_be_asked};

mod address;
mod breaker;

pub use self::address::Address;
use self::breaker::Breakers;

/// Some vendors refuse clients without a name.
const USER_AGENT: &str = concat!("tcg-radar/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MOST_REDIRECTIONS: usize = 3;
/// An equal request within this time is answered from memory.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);
const REMEMBERED_BYTES: u64 = 32 * 1024 * 1024;
/// Larger answers are read once and are not worth the memory.
const LARGEST_REMEMBERED: usize = 4 * 1024 * 1024;
/// A vendor that asks for a longer wait than this is asked once a day.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(24);

/// What a source already has: if nothing changed, the vendor says only that.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Request {
    pub address: Address,
    /// A header that proves who asks.
    pub key: Option<(&'static str, SecretString)>,
    /// JSON, or a form; it makes the request a POST.
    pub body: Option<String>,
    pub is_form: bool,
    pub validators: Validators,
    /// For the whole answer.
    pub timeout: Duration,
    /// Bytes of the unpacked answer.
    pub largest: u64,
}

impl Request {
    /// A GET that may take half a minute and bring 16 MiB.
    pub fn get(address: Address) -> Self {
        let (timeout, largest) = (Duration::from_secs(30), 16 * 1024 * 1024);
        Self { address, key: None, body: None, is_form: false, validators: Validators::default(), timeout, largest }
    }
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub validators: Validators,
    /// How long the vendor asks us to wait.
    pub retry_after: Option<TimeDelta>,
    pub headers: HeaderMap,
    pub body: Arc<[u8]>,
    /// Where it came from, fit to be shown.
    pub from: String,
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("{from} did not answer in time")]
    TimedOut { from: String },
    #[error("cannot reach {from}: {fault}")]
    Unreachable { from: String, fault: String },
    #[error("{from} sent more than {limit} bytes: not read")]
    TooLarge { from: String, limit: u64 },
    #[error("{host} failed repeatedly and is left alone until {until}")]
    Resting { host: String, until: DateTime<Utc> },
    #[error("the key for {from} holds a character that no header may hold: correct it")]
    BadKey { from: String },
    #[error("cannot set up the HTTP client: {0}")]
    SetUp(String),
}

impl HttpError {
    /// Whether the same request may succeed later without anyone changing anything.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::BadKey { .. } | Self::SetUp(_))
    }
}

/// An answer that is not remembered, on its way through the cache.
enum Forgotten {
    Answer(Answer),
    Fault(HttpError),
}

/// See the module. Cheap to clone.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    remote: reqwest::Client,
    /// A proxy of the environment is not asked for addresses of this machine.
    local: reqwest::Client,
    /// With the moment that each was fetched.
    remembered: Cache<String, (Answer, DateTime<Utc>)>,
    breakers: Breakers,
    longest_answer: Duration,
}

impl Client {
    /// No answer is waited for longer than `longest_answer`, whatever its request allows.
    ///
    /// # Errors
    /// The system lacks what TLS needs.
    pub fn new(longest_answer: Duration) -> Result<Self, HttpError> {
        let builder = || {
            let policy = redirect::Policy::custom(|attempt| {
                let first = attempt.previous().first();
                let same_host = first.is_some_and(|first| first.host_str() == attempt.url().host_str());
                // headers with keys are sent along, so nobody may send them elsewhere
                let allowed = same_host && may_be_asked(attempt.url()) && attempt.previous().len() <= MOST_REDIRECTIONS;
                if allowed { attempt.follow() } else { attempt.stop() }
            });
            reqwest::Client::builder().user_agent(USER_AGENT).connect_timeout(CONNECT_TIMEOUT).redirect(policy)
        };
        let set_up = |error: reqwest::Error| HttpError::SetUp(error.to_string());
        let remembered = Cache::builder()
            .weigher(|_: &String, (answer, _): &(Answer, _)| u32::try_from(answer.body.len()).unwrap_or(u32::MAX))
            .max_capacity(REMEMBERED_BYTES)
            .time_to_live(REMEMBERED_FOR)
            .build();
        Ok(Self(Arc::new(Inner {
            remote: builder().build().map_err(set_up)?,
            local: builder().no_proxy().build().map_err(set_up)?,
            remembered,
            breakers: Breakers::default(),
            longest_answer,
        })))
    }

    /// Sends a request. Equal ones at the same time are sent once, and answered from memory for a minute. `now` is for
    /// the breaker and for dates in `Retry-After`.
    ///
    /// # Errors
    /// No answer, or one that is too large. An answer of any status is an answer.
    pub async fn send(&self, request: &Request, now: DateTime<Utc>) -> Result<Answer, HttpError> {
        if request.body.is_some() {
            return self.ask(request, now).await;
        }
        // the key is the same for all requests to an address, so it need not be part of this one
        let key = format!("{} {:?}", request.address.url(), request.validators);
        // the caller's clock decides, which is not always the machine's
        if let Some((_, fetched)) = self.0.remembered.get(&key).await
            && (now - fetched).to_std().is_ok_and(|age| age >= REMEMBERED_FOR)
        {
            self.0.remembered.invalidate(&key).await;
        }
        let fetched = self.0.remembered.try_get_with(key, async {
            match self.ask(request, now).await {
                Ok(answer) if answer.status == 200 && answer.body.len() <= LARGEST_REMEMBERED => Ok((answer, now)),
                Ok(answer) => Err(Forgotten::Answer(answer)),
                Err(fault) => Err(Forgotten::Fault(fault)),
            }
        });
        fetched.await.map(|(answer, _)| answer).or_else(|forgotten| match &*forgotten {
            Forgotten::Answer(answer) => Ok(answer.clone()),
            Forgotten::Fault(fault) => Err(fault.clone()),
        })
    }

    async fn ask(&self, request: &Request, now: DateTime<Utc>) -> Result<Answer, HttpError> {
        let host = request.address.host();
        self.0.breakers.check(&host, now).map_err(|until| HttpError::Resting { host: host.clone(), until })?;
        let answer = self.exchange(request, now).await;
        let answered = match &answer {
            Ok(answer) => answer.status < 500,
            Err(HttpError::TimedOut { .. } | HttpError::Unreachable { .. }) => false,
            Err(_) => true,
        };
        self.0.breakers.note(&host, answered, now);
        answer
    }

    async fn exchange(&self, request: &Request, now: DateTime<Utc>) -> Result<Answer, HttpError> {
        let from = request.address.to_string();
        let url = request.address.url();
        let client = if is_loopback(url) { &self.0.local } else { &self.0.remote };
        let method = if request.body.is_some() { Method::POST } else { Method::GET };
        let mut builder = client
            .request(method, url.clone())
            .timeout(request.timeout.min(self.0.longest_answer))
            .header(ACCEPT, "application/json, */*;q=0.5");
        if let Some((name, key)) = &request.key {
            let mut value = HeaderValue::from_str(key.expose_secret()).map_err(|_| HttpError::BadKey { from: from.clone() })?;
            value.set_sensitive(true);
            builder = builder.header(HeaderName::from_static(name), value);
        }
        if let Some(body) = &request.body {
            let kind = if request.is_form { "application/x-www-form-urlencoded" } else { "application/json" };
            builder = builder.header(CONTENT_TYPE, kind).body(body.clone());
        }
        for (name, value) in [(IF_NONE_MATCH, &request.validators.etag), (IF_MODIFIED_SINCE, &request.validators.last_modified)] {
            if let Some(value) = value {
                builder = builder.header(name, value);
            }
        }
        let mut response = builder.send().await.map_err(|error| fault(&from, error))?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let validators = Validators { etag: text(ETAG), last_modified: text(LAST_MODIFIED) };
        let retry_after = text(RETRY_AFTER).and_then(|text| wait(&text, now));
        let (status, headers) = (response.status(), response.headers().clone());
        let too_large = || HttpError::TooLarge { from: from.clone(), limit: request.largest };
        if response.content_length().is_some_and(|length| length > request.largest) {
            return Err(too_large());
        }
        let mut body = Vec::new();
        // bytes are counted as they come unpacked, so a small answer cannot become a large one
        while let Some(chunk) = response.chunk().await.map_err(|error| fault(&from, error))? {
            if (body.len() + chunk.len()) as u64 > request.largest {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: status.as_u16(), validators, retry_after, headers, body: body.into(), from })
    }
}

/// The error with its causes and without its address, which may hold a key.
fn fault(from: &str, error: reqwest::Error) -> HttpError {
    let from = from.to_owned();
    if error.is_timeout() {
        return HttpError::TimedOut { from };
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    HttpError::Unreachable { from, fault: cause.to_string() }
}

/// `Retry-After`: seconds, or a date.
fn wait(text: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
    let seconds = text.trim().parse::<i64>().ok().filter(|seconds| *seconds >= 0).map(|seconds| seconds.min(LONGEST_WAIT.num_seconds()));
    let wait = match seconds {
        Some(seconds) => TimeDelta::seconds(seconds),
        None => (DateTime::parse_from_rfc2822(text.trim()).ok()?.to_utc() - now).max(TimeDelta::zero()),
    };
    Some(wait.min(LONGEST_WAIT))
}

impl Answer {
    /// Whether what we hold is still what there is.
    pub fn is_unchanged(&self) -> bool {
        self.status == StatusCode::NOT_MODIFIED.as_u16()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_never_more_than_a_day() {
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(wait("30", now), Some(TimeDelta::seconds(30)));
        assert_eq!(wait("Sun, 22 Nov 2026 12:01:00 GMT", now), Some(TimeDelta::minutes(1)));
        assert_eq!(wait("Sun, 22 Nov 2026 11:00:00 GMT", now), Some(TimeDelta::zero()));
        assert_eq!(wait("99999999999", now), Some(TimeDelta::hours(24)));
        assert_eq!(wait("soon", now), None);
        assert_eq!(wait("-5", now), None);
    }
}
