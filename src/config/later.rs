//! Settings of parts that this version does not have yet: scraping, social spikes, eBay, vision. They are read
//! and held to what they may be, so that a wrong value is found on the day that it is written.

use secrecy::SecretString;

use super::{ConfigError, Variables};

/// See the module.
#[derive(Debug, Clone)]
pub struct Later {
    pub discord_monitor_channel_ids: Vec<u64>,
    pub twitter_bearer_token: Option<SecretString>,
    pub anthropic_api_key: Option<SecretString>,
    /// Another name for the key of the vision model.
    pub openrouter_api_key: Option<SecretString>,
    pub vision_model_id: Option<String>,
    pub ebay_app_id: Option<SecretString>,
    pub ebay_cert_id: Option<SecretString>,
    pub scraping: Scraping,
    /// `ENABLE_LAYER_35_SOCIAL`.
    pub social: bool,
}

/// Settings of the scraper.
#[derive(Debug, Clone)]
pub struct Scraping {
    /// `ENABLE_LAYER_3_SCRAPING`.
    pub enabled: bool,
    /// May hold a password.
    pub proxy_url: Option<SecretString>,
    pub max_pages_per_hour: u32,
    /// Least and most seconds between two pages.
    pub delay_seconds: (u32, u32),
}

impl Later {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        Ok(Self {
            discord_monitor_channel_ids: channels(vars.text("DISCORD_MONITOR_CHANNEL_IDS"))?,
            twitter_bearer_token: vars.key("TWITTER_BEARER_TOKEN")?,
            anthropic_api_key: vars.key("ANTHROPIC_API_KEY")?,
            openrouter_api_key: vars.key("OPENROUTER_API_KEY")?,
            vision_model_id: vars.parsed("VISION_MODEL_ID", "the name of a model, one word", |name: &String| {
                name.bytes().all(|byte| byte.is_ascii_graphic())
            })?,
            ebay_app_id: vars.key("EBAY_APP_ID")?,
            ebay_cert_id: vars.key("EBAY_CERT_ID")?,
            scraping: Scraping::read(vars)?,
            social: vars.flag("ENABLE_LAYER_35_SOCIAL")?.unwrap_or(false),
        })
    }
}

impl Scraping {
    fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        let least = vars.whole("SCRAPE_DELAY_MIN_SECONDS", "whole seconds from 1 to 5", 1..=5)?.unwrap_or(2);
        let most = vars.whole("SCRAPE_DELAY_MAX_SECONDS", "whole seconds from 5 to 15", 5..=15)?.unwrap_or(8);
        Ok(Self {
            enabled: vars.flag("ENABLE_LAYER_3_SCRAPING")?.unwrap_or(false),
            proxy_url: vars.secret("PROXY_URL", "http://user:password@host:8080 or socks5://host:1080", |url| {
                let schemes = ["http", "https", "socks5", "socks5h"];
                reqwest::Url::parse(url).is_ok_and(|url| schemes.contains(&url.scheme()) && url.host_str().is_some())
            })?,
            max_pages_per_hour: vars.whole("SCRAPE_MAX_PAGES_PER_HOUR", "whole pages from 10 to 50", 10..=50)?.unwrap_or(30),
            delay_seconds: (least, most),
        })
    }
}

fn channels(text: Option<String>) -> Result<Vec<u64>, ConfigError> {
    let Some(value) = text else { return Ok(Vec::new()) };
    let ids: Result<Vec<u64>, _> = value.split(',').map(|id| id.trim().parse()).collect();
    let allowed = "channel numbers with commas between, such as 1234567890,9876543210";
    ids.map_err(|_| ConfigError::Invalid { variable: "DISCORD_MONITOR_CHANNEL_IDS", value, allowed })
}
