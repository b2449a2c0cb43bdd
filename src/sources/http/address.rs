//! Where a request goes, in two forms: what is sent, and what may be shown of it. Some vendors want the key in the path.

use std::fmt;

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use crate::config::outbound::BaseUrl;

/// An address below a configured base. Printed, its secrets are stars.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    url: Url,
    shown: String,
}

impl Address {
    pub fn of(base: &BaseUrl) -> Self {
        let url = base.url().clone();
        let shown = url.as_str().trim_end_matches('/').to_owned();
        Self { url, shown }
    }

    /// Appends segments, `cards` or `archive/tcgplayer`.
    #[must_use]
    pub fn path(mut self, segments: &str) -> Self {
        self.push(segments.split('/'));
        self.shown = format!("{}/{segments}", self.shown);
        self
    }

    /// Appends a segment that is never shown.
    #[must_use]
    pub fn secret(mut self, secret: &SecretString) -> Self {
        self.push([secret.expose_secret()].into_iter());
        self.shown.push_str("/***");
        self
    }

    /// Appends `name=value`.
    #[must_use]
    pub fn query(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.url.query_pairs_mut().append_pair(name, &value.to_string());
        self
    }

    fn push<'a>(&mut self, segments: impl Iterator<Item = &'a str>) {
        // only addresses like mailto: have no path, and a base is never one of them
        if let Ok(mut path) = self.url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    /// What is sent, secrets and all.
    #[cfg(test)]
    pub fn sent(&self) -> &str {
        self.url.as_str()
    }

    pub(super) fn host(&self) -> String {
        format!("{}:{}", self.url.host_str().unwrap_or_default(), self.url.port_or_known_default().unwrap_or_default())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_key_in_the_path_is_sent_and_never_shown() {
        let base = BaseUrl::parse("https://v6.example.com/v6/").unwrap();
        let address = Address::of(&base).secret(&"hunter2/../x".into()).path("latest/EUR");
        assert_eq!(address.url().as_str(), "https://v6.example.com/v6/hunter2%2F..%2Fx/latest/EUR");
        assert_eq!(format!("{address} {address:?}"), "https://v6.example.com/v6/***/latest/EUR https://v6.example.com/v6/***/latest/EUR");
    }

    #[test]
    fn queries_are_escaped() {
        let base = BaseUrl::parse("http://127.0.0.1:9").unwrap();
        let address = Address::of(&base).path("cards").query("q", "a b&c").query("page", 2);
        assert_eq!(address.url().as_str(), "http://127.0.0.1:9/cards?q=a+b%26c&page=2");
    }
}
