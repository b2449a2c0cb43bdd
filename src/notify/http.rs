//! One exchange with a platform, judged by the one question that matters here: can what was asked for have happened?

use std::time::Duration;

use chrono::TimeDelta;
use reqwest::{Client, RequestBuilder, header::HeaderMap, redirect};
use serde::de::DeserializeOwned;

use super::Trouble;
use crate::config::outbound::{BaseUrl, is_loopback};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer.
const LARGEST: usize = 4 * 1024 * 1024;
/// Letters of a platform's own words that are repeated.
const LONGEST_WORDS: usize = 200;

/// The system lacks what TLS needs.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the HTTP client for {0}")]
pub struct SetUpError(pub &'static str);

/// A platform's answer, whatever its status.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

/// A client for one platform. It goes nowhere else: redirections are answers like others.
pub fn client(base: &BaseUrl) -> reqwest::Result<Client> {
    let builder = Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(redirect::Policy::none());
    // a proxy of the environment is not asked for addresses of this machine
    if is_loopback(base.url()) { builder.no_proxy().build() } else { builder.build() }
}

/// Sends a request and reads the answer.
pub async fn exchange(request: RequestBuilder, timeout: Duration) -> Result<Answer, Trouble> {
    let mut response = request.timeout(timeout).send().await.map_err(|error| trouble(&error))?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| trouble(&error))? {
        if body.len() + chunk.len() > LARGEST {
            return Err(Trouble::Lost("the answer is larger than 4 MiB".to_owned()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

/// What kind of fault it was, and nothing of its text: that quotes addresses, and Telegram's hold the token.
fn trouble(error: &reqwest::Error) -> Trouble {
    if error.is_builder() {
        return Trouble::Refused("the request could not be built".to_owned());
    }
    match (error.is_connect(), error.is_timeout()) {
        (true, true) => Trouble::Failed("no connection in time".to_owned()),
        (true, false) => Trouble::Failed("no connection".to_owned()),
        (false, true) => Trouble::Lost("no answer in time".to_owned()),
        (false, false) => Trouble::Lost("the connection broke before the answer".to_owned()),
    }
}

impl Answer {
    /// The body, if it is what was expected.
    pub fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// What an answer means that is no platform's own word: a gateway that lost the answer does not say that nothing
    /// happened, and a web page with status 200 says nothing at all.
    pub fn foreign(&self) -> Trouble {
        match self.status {
            502 | 504 => Trouble::Lost(format!("a gateway answered {} in its place", self.status)),
            500.. => Trouble::Failed(format!("it answered {}", self.status)),
            300.. => Trouble::Failed(format!("it answered {}, not in its own words", self.status)),
            _ => Trouble::Lost(format!("it answered {}, not in its own words", self.status)),
        }
    }
}

/// Seconds that a platform asks us to wait, which may be a fraction; at least a millisecond, at most an hour.
pub fn seconds(text: &str) -> Option<TimeDelta> {
    let seconds: rust_decimal::Decimal = text.trim().parse().ok()?;
    let milliseconds = i64::try_from((seconds * rust_decimal::Decimal::ONE_THOUSAND).ceil()).ok().filter(|wait| *wait >= 0)?;
    Some(TimeDelta::milliseconds(milliseconds.clamp(1, 3_600_000)))
}

/// A platform's own words, short and on one line.
pub fn words(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_may_be_a_fraction_and_is_rounded_up() {
        assert_eq!(seconds("1.3371"), Some(TimeDelta::milliseconds(1338)));
        assert_eq!(seconds("0"), Some(TimeDelta::milliseconds(1)));
        assert_eq!(seconds("99999999"), Some(TimeDelta::hours(1)));
        assert_eq!(seconds("-1"), None);
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn only_an_answer_that_rules_it_out_means_that_nothing_arrived() {
        let answer = |status| Answer { status, headers: HeaderMap::new(), body: b"<html>".to_vec() }.foreign();
        for status in [200, 502, 504] {
            assert!(matches!(answer(status), Trouble::Lost(_)), "{status}");
        }
        for status in [302, 404, 500, 503] {
            assert!(matches!(answer(status), Trouble::Failed(_)), "{status}");
        }
    }
}
