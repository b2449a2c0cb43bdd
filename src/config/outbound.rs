//! Where the program may send requests: only to addresses that the operator configured, and only encrypted.

use std::fmt;

use reqwest::Url;

/// The address that a vendor's paths are appended to: https, or http to this machine itself (stand-ins of the vendors).
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// What the variables of base URLs allow.
pub const ALLOWED: &str = "an https address without user, ? and #, such as https://api.example.com/v1 (http only for 127.0.0.1)";

impl BaseUrl {
    /// `None` for anything that [`ALLOWED`] does not describe.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        (plain && may_be_asked(&url)).then_some(Self(url))
    }

    pub const fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// Whether a request may go there at all; redirections are held to it, too.
pub fn may_be_asked(url: &Url) -> bool {
    match url.scheme() {
        "https" => url.host_str().is_some_and(|host| !host.is_empty()),
        "http" => is_loopback(url),
        _ => false,
    }
}

/// Whether the address is this machine.
pub fn is_loopback(url: &Url) -> bool {
    // `localhost` is what a resolver says it is
    url.host_str().is_some_and(|host| host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_encrypted_addresses_and_this_machine_are_asked() {
        for good in ["https://api.justtcg.com/v1", "http://127.0.0.1:8080", "http://[::1]:8080/x"] {
            assert!(BaseUrl::parse(good).is_some(), "{good}");
        }
        for bad in [
            "http://api.justtcg.com/v1",
            "http://127.0.0.1.evil.example/",
            "http://localhost:8080",
            "https://user:secret@host/",
            "https://host/?key=1",
            "https://host/#x",
            "file:///etc/passwd",
            "ftp://host",
            "api.justtcg.com",
        ] {
            assert!(BaseUrl::parse(bad).is_none(), "{bad}");
        }
    }
}
