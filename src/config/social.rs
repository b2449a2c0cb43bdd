//! Settings of what listens to people: which platforms, with which keys, and when to act.

use chrono::TimeDelta;
use secrecy::SecretString;

use super::{
    ConfigError, Variables,
    outbound::{self, BaseUrl},
};

/// See the module. Nothing is asked unless it is enabled.
#[derive(Debug, Clone)]
pub struct Social {
    /// `ENABLE_LAYER_35_SOCIAL`.
    pub enabled: bool,
    /// `SOCIAL_POLL_INTERVAL_MINUTES`.
    pub cadence: TimeDelta,
    /// `SOCIAL_SCRAPE_MIN_SPIKES`: so many at a time have their pages wished for.
    pub least_spikes: u32,
    pub reddit: Reddit,
    pub x: X,
    pub discord: Monitor,
}

/// Reddit answers guests, though often only by its feed.
#[derive(Debug, Clone)]
pub struct Reddit {
    pub base: BaseUrl,
    /// Where an application asks.
    pub oauth: BaseUrl,
    /// `REDDIT_CLIENT_ID`.
    pub client_id: Option<String>,
    /// `REDDIT_CLIENT_SECRET`.
    pub client_secret: Option<SecretString>,
    pub subreddits: Vec<String>,
}

impl Reddit {
    /// The application, where both halves of its key are there.
    pub fn client(&self) -> Option<(&str, &SecretString)> {
        self.client_id.as_deref().zip(self.client_secret.as_ref())
    }
}

#[derive(Debug, Clone)]
pub struct X {
    pub base: BaseUrl,
    /// `TWITTER_BEARER_TOKEN`.
    pub token: Option<SecretString>,
}

/// Discord channels that are read; by the bot that also writes.
#[derive(Debug, Clone)]
pub struct Monitor {
    pub base: BaseUrl,
    pub token: Option<SecretString>,
    /// `DISCORD_MONITOR_CHANNEL_IDS`.
    pub channels: Vec<u64>,
}

const SUBREDDITS: &str = "PokemonTCG,PkmnTCGDeals,pokemoncardvalue,PokeInvesting,pkmntcg";

impl Social {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        let base = |variable: &'static str, usual: &str| {
            let text = vars.text(variable).unwrap_or_else(|| usual.to_owned());
            BaseUrl::parse(&text).ok_or(ConfigError::Invalid { variable, value: text, allowed: outbound::ALLOWED })
        };
        let minutes = vars.whole("SOCIAL_POLL_INTERVAL_MINUTES", "whole minutes from 5 to 30", 5..=30)?.unwrap_or(30);
        Ok(Self {
            enabled: vars.flag("ENABLE_LAYER_35_SOCIAL")?.unwrap_or(false),
            cadence: TimeDelta::minutes(minutes.into()),
            least_spikes: vars.whole("SOCIAL_SCRAPE_MIN_SPIKES", "a whole number from 1 to 100", 1..=100)?.unwrap_or(3),
            reddit: Reddit {
                base: base("REDDIT_BASE_URL", "https://www.reddit.com")?,
                oauth: base("REDDIT_OAUTH_BASE_URL", "https://oauth.reddit.com")?,
                client_id: vars.parsed("REDDIT_CLIENT_ID", "one word, as reddit.com/prefs/apps shows it", |id: &String| {
                    id.bytes().all(|byte| byte.is_ascii_graphic())
                })?,
                client_secret: vars.key("REDDIT_CLIENT_SECRET")?,
                subreddits: subreddits(vars.text("REDDIT_SUBREDDITS"))?,
            },
            x: X { base: base("X_BASE_URL", "https://api.x.com/2")?, token: vars.key("TWITTER_BEARER_TOKEN")? },
            discord: Monitor {
                base: base("DISCORD_BASE_URL", "https://discord.com")?,
                token: vars.key("DISCORD_BOT_TOKEN")?,
                channels: channels(vars.text("DISCORD_MONITOR_CHANNEL_IDS"))?,
            },
        })
    }
}

fn channels(text: Option<String>) -> Result<Vec<u64>, ConfigError> {
    let Some(value) = text else { return Ok(Vec::new()) };
    let ids: Result<Vec<u64>, _> = value.split(',').map(|id| id.trim().parse()).collect();
    let allowed = "channel numbers with commas between, such as 1234567890,9876543210";
    ids.map_err(|_| ConfigError::Invalid { variable: "DISCORD_MONITOR_CHANNEL_IDS", value, allowed })
}

fn subreddits(text: Option<String>) -> Result<Vec<String>, ConfigError> {
    let value = text.unwrap_or_else(|| SUBREDDITS.to_owned());
    let names: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect();
    let is_name = |name: &String| name.len() <= 21 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if names.iter().all(is_name) {
        return Ok(names);
    }
    Err(ConfigError::Invalid {
        variable: "REDDIT_SUBREDDITS",
        value,
        allowed: "subreddits with commas between, such as PokemonTCG,pkmntcg",
    })
}
