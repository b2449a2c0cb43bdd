//! Settings of delivery: the bots that write to tenants, and where their platforms are.

use std::time::Duration;

use secrecy::SecretString;

use super::{
    ConfigError, Variables,
    outbound::{self, BaseUrl},
};
use crate::domain::message::Channel;

/// Both platforms. Without a token, a platform is off.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub telegram: Platform,
    pub discord: Platform,
    /// `DISCORD_CHANNEL_ID`: the operator's channel.
    pub operator_channel: Option<i64>,
}

/// One platform.
#[derive(Debug, Clone)]
pub struct Platform {
    pub token: Option<SecretString>,
    pub base: BaseUrl,
    /// No answer to a message is waited for longer.
    pub timeout: Duration,
}

/// A message that is not taken in this time is sent again; `HTTP_TIMEOUT_SECONDS` may make it less.
const TIMEOUT: Duration = Duration::from_secs(20);

impl Delivery {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>, longest_answer: Duration) -> Result<Self, ConfigError> {
        let timeout = TIMEOUT.min(longest_answer);
        let base = |variable: &'static str, usual: &str| {
            let text = vars.text(variable).unwrap_or_else(|| usual.to_owned());
            BaseUrl::parse(&text).ok_or(ConfigError::Invalid { variable, value: text, allowed: outbound::ALLOWED })
        };
        Ok(Self {
            telegram: Platform {
                token: vars.secret("TELEGRAM_BOT_TOKEN", "a token of @BotFather, such as 123456:ABC-DEF", is_telegram_token)?,
                base: base("TELEGRAM_BASE_URL", "https://api.telegram.org")?,
                timeout,
            },
            discord: Platform { token: vars.key("DISCORD_BOT_TOKEN")?, base: base("DISCORD_BASE_URL", "https://discord.com")?, timeout },
            operator_channel: vars.parsed("DISCORD_CHANNEL_ID", "a Discord channel's number, such as 1234567890", |id: &i64| *id > 0)?,
        })
    }

    /// The channels that messages can go to.
    pub fn channels(&self) -> Vec<Channel> {
        let of = |channel, platform: &Platform| platform.token.is_some().then_some(channel);
        [of(Channel::Telegram, &self.telegram), of(Channel::Discord, &self.discord)].into_iter().flatten().collect()
    }
}

fn is_telegram_token(token: &str) -> bool {
    let (bot, secret) = token.split_once(':').unwrap_or_default();
    let is_secret = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !bot.is_empty() && bot.bytes().all(|byte| byte.is_ascii_digit()) && !secret.is_empty() && secret.bytes().all(is_secret)
}
