//! Settings of the scraper: whether it runs at all, how politely, and with what help.

use std::path::PathBuf;

use chrono::TimeDelta;
use secrecy::SecretString;

use super::{
    ConfigError, Variables,
    outbound::{self, BaseUrl, is_loopback},
};
use crate::domain::pace::Manners;

/// Settings of the scraper.
#[derive(Debug, Clone)]
pub struct Scraping {
    /// `ENABLE_LAYER_3_SCRAPING`.
    pub enabled: bool,
    /// `PROXY_URL`; may hold a password.
    pub proxy_url: Option<SecretString>,
    /// `SCRAPE_MAX_PAGES_PER_HOUR`, `SCRAPE_DELAY_MIN_SECONDS`, `SCRAPE_DELAY_MAX_SECONDS`.
    pub manners: Manners,
    /// `SCRAPE_STAND_IN_URL`: a stand-in of Cardmarket on this machine, asked in its place. The one address of this machine
    /// that the browser may reach.
    pub stand_in: Option<BaseUrl>,
    /// What reads a picture where all else failed.
    pub vision: Vision,
    pub programs: Programs,
}

/// A model that reads pictures.
#[derive(Debug, Clone)]
pub struct Vision {
    /// `ANTHROPIC_API_KEY`.
    pub key: Option<SecretString>,
    /// `OPENROUTER_API_KEY`: of use only where another service than Anthropic's is asked.
    pub other_key: Option<SecretString>,
    /// `VISION_MODEL_ID`: vendors retire models, so that none is usual.
    pub model: Option<String>,
    /// `ANTHROPIC_BASE_URL`.
    pub base: BaseUrl,
}

/// Where the browser and its driver are, if not where they usually are.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    /// `SCRAPE_CHROMIUM`.
    pub chromium: Option<PathBuf>,
    /// `PLAYWRIGHT_NODE_EXE`, as Playwright itself calls it.
    pub node: Option<PathBuf>,
    /// `PLAYWRIGHT_CLI_JS`, likewise.
    pub driver: Option<PathBuf>,
}

/// Asked where `ANTHROPIC_BASE_URL` names none.
const USUAL_BASE: &str = "https://api.anthropic.com";

impl Scraping {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        let least = vars.whole("SCRAPE_DELAY_MIN_SECONDS", "whole seconds from 1 to 5", 1..=5)?.unwrap_or(2);
        let most = vars.whole("SCRAPE_DELAY_MAX_SECONDS", "whole seconds from 5 to 15", 5..=15)?.unwrap_or(8);
        let stand_in = vars.text("SCRAPE_STAND_IN_URL").map(|text| {
            let allowed = "an address of this machine, such as http://127.0.0.1:8101";
            let base = BaseUrl::parse(&text).filter(|base| is_loopback(base.url()) && base.url().scheme() == "http");
            base.ok_or(ConfigError::Invalid { variable: "SCRAPE_STAND_IN_URL", value: text, allowed })
        });
        Ok(Self {
            enabled: vars.flag("ENABLE_LAYER_3_SCRAPING")?.unwrap_or(false),
            proxy_url: vars.secret("PROXY_URL", "http://user:password@host:8080 or socks5://host:1080", |url| {
                let schemes = ["http", "https", "socks5", "socks5h"];
                reqwest::Url::parse(url).is_ok_and(|url| schemes.contains(&url.scheme()) && url.host_str().is_some())
            })?,
            manners: Manners {
                pages_per_hour: vars.whole("SCRAPE_MAX_PAGES_PER_HOUR", "whole pages from 10 to 50", 10..=50)?.unwrap_or(30),
                delay: (TimeDelta::seconds(least.into()), TimeDelta::seconds(most.into())),
            },
            stand_in: stand_in.transpose()?,
            vision: Vision::read(vars)?,
            programs: Programs {
                chromium: vars.text("SCRAPE_CHROMIUM").map(PathBuf::from),
                node: vars.text("PLAYWRIGHT_NODE_EXE").map(PathBuf::from),
                driver: vars.text("PLAYWRIGHT_CLI_JS").map(PathBuf::from),
            },
        })
    }
}

impl Vision {
    fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        let model = vars
            .parsed("VISION_MODEL_ID", "the name of a model, one word", |name: &String| name.bytes().all(|byte| byte.is_ascii_graphic()))?;
        let text = vars.text("ANTHROPIC_BASE_URL").unwrap_or_else(|| USUAL_BASE.to_owned());
        let base = BaseUrl::parse(&text);
        Ok(Self {
            key: vars.key("ANTHROPIC_API_KEY")?,
            other_key: vars.key("OPENROUTER_API_KEY")?,
            model,
            base: base.ok_or(ConfigError::Invalid { variable: "ANTHROPIC_BASE_URL", value: text, allowed: outbound::ALLOWED })?,
        })
    }

    /// The key of the service that is asked.
    pub fn usable_key(&self) -> Option<&SecretString> {
        let is_usual = BaseUrl::parse(USUAL_BASE).as_ref() == Some(&self.base);
        self.key.as_ref().or(self.other_key.as_ref().filter(|_| !is_usual))
    }

    /// The key and the model, where both are known.
    pub fn usable(&self) -> Option<(&SecretString, &str)> {
        self.usable_key().zip(self.model.as_deref())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use crate::config::{Config, ConfigError};

    fn read(pairs: &[(&str, &str)]) -> Result<super::Scraping, ConfigError> {
        let get = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Config::from_lookup(get).map(|config| config.scraping)
    }

    #[test]
    fn nothing_is_scraped_unless_it_is_asked_for() {
        let scraping = read(&[]).unwrap();
        assert!(!scraping.enabled && scraping.stand_in.is_none() && scraping.vision.usable_key().is_none());
        assert_eq!(scraping.manners.pages_per_hour, 30);
    }

    #[test]
    fn a_stand_in_is_an_address_of_this_machine_only() {
        assert!(read(&[("SCRAPE_STAND_IN_URL", "http://127.0.0.1:8101")]).unwrap().stand_in.is_some());
        for bad in ["https://127.0.0.1:8101", "http://10.0.0.1", "https://www.cardmarket.com", "http://localhost:1"] {
            assert!(read(&[("SCRAPE_STAND_IN_URL", bad)]).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_services_key_needs_that_services_address() {
        let key = |pairs: &[(&str, &str)]| read(pairs).unwrap().vision.usable_key().is_some();
        assert!(!key(&[("OPENROUTER_API_KEY", "k")]));
        assert!(!key(&[("OPENROUTER_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "https://api.anthropic.com")]));
        assert!(key(&[("OPENROUTER_API_KEY", "k"), ("ANTHROPIC_BASE_URL", "https://example.org/api")]));
        assert!(key(&[("ANTHROPIC_API_KEY", "k")]));
    }
}
