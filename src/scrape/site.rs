//! Which addresses the browser may reach at all. Held twice: each request is judged before it leaves, and the browser's
//! resolver knows no other name, so that a redirection cannot lead anywhere else either.

use reqwest::Url;

use crate::config::outbound::BaseUrl;

/// Cardmarket's own domain; its pictures and scripts come from names below it.
const DOMAIN: &str = "cardmarket.com";
/// Under which name the browser reaches a stand-in on this machine.
const STAND_IN: &str = "cardmarket.test";

/// The site, or its stand-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    stand_in: Option<String>,
}

impl Site {
    /// The real one, unless there is a stand-in.
    pub fn new(stand_in: Option<&BaseUrl>) -> Self {
        let address = |base: &BaseUrl| {
            let url = base.url();
            Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?))
        };
        Self { stand_in: stand_in.and_then(address) }
    }

    /// The page of a product: English copies that are neither reverse holo, signed nor altered.
    pub fn page_of(&self, product: &str) -> String {
        let origin = match &self.stand_in {
            Some(_) => format!("http://{STAND_IN}"),
            None => format!("https://www.{DOMAIN}"),
        };
        let product: String = reqwest::Url::parse_with_params("http://x", [("idProduct", product)])
            .map(|url| url.query().unwrap_or_default().to_owned())
            .unwrap_or_default();
        format!("{origin}/en/Pokemon/Products?{product}&language=1&isReverseHolo=N&isSigned=N&isAltered=N")
    }

    /// Whether the browser may ask for it.
    pub fn allows(&self, url: &str) -> bool {
        let Ok(url) = Url::parse(url) else { return false };
        // these hold their content themselves
        if matches!(url.scheme(), "data" | "blob") {
            return true;
        }
        let Some(host) = url.host_str() else { return false };
        let is_usual_port = url.port().is_none();
        if self.stand_in.is_some() {
            return url.scheme() == "http" && host == STAND_IN && is_usual_port;
        }
        let is_ours = host.strip_suffix(DOMAIN).is_some_and(|name| name.is_empty() || name.ends_with('.'));
        url.scheme() == "https" && is_ours && is_usual_port
    }

    /// The browser's own rules for names, with room for the proxy's. No other name has an address.
    pub fn resolver_rules(&self, proxy_host: Option<&str>) -> String {
        let open = match &self.stand_in {
            Some(address) => format!("MAP {STAND_IN} {address}, MAP * ~NOTFOUND"),
            None => format!("MAP * ~NOTFOUND, EXCLUDE {DOMAIN}, EXCLUDE *.{DOMAIN}"),
        };
        proxy_host.map_or(open.clone(), |host| format!("{open}, EXCLUDE {host}"))
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn only_the_sites_own_encrypted_addresses_are_allowed() {
        let site = Site::new(None);
        for good in [
            "https://www.cardmarket.com/en/Pokemon",
            "https://cardmarket.com/",
            "https://static.cardmarket.com/x.js",
            "data:image/png;base64,AA",
        ] {
            assert!(site.allows(good), "{good}");
        }
        for bad in [
            "http://www.cardmarket.com/",
            "https://www.cardmarket.com:8443/",
            "https://cardmarket.com.evil.example/",
            "https://evilcardmarket.com/",
            "https://www.cardmarket.com@127.0.0.1/",
            "http://127.0.0.1:5432/",
            "http://[::1]/",
            "http://localhost/",
            "https://169.254.169.254/latest/meta-data",
            "http://cardmarket.test/",
            "file:///etc/passwd",
            "chrome://settings",
            "not an address",
        ] {
            assert!(!site.allows(bad), "{bad}");
        }
    }

    #[test]
    fn a_stand_in_is_reached_under_its_name_and_its_port_only() {
        let site = Site::new(BaseUrl::parse("http://127.0.0.1:8101").as_ref());
        assert!(site.allows(&site.page_of("273699")));
        for bad in ["http://127.0.0.1:8101/", "http://cardmarket.test:81/", "https://www.cardmarket.com/"] {
            assert!(!site.allows(bad), "{bad}");
        }
        assert_eq!(site.resolver_rules(None), "MAP cardmarket.test 127.0.0.1:8101, MAP * ~NOTFOUND");
    }

    #[test]
    fn a_products_number_cannot_change_the_address() {
        let url = Url::parse(&Site::new(None).page_of("1&language=5#x/../..")).unwrap();
        assert_eq!((url.host_str().unwrap(), url.path(), url.fragment()), ("www.cardmarket.com", "/en/Pokemon/Products", None));
        assert_eq!(url.query_pairs().next().unwrap(), ("idProduct".into(), "1&language=5#x/../..".into()));
    }
}
