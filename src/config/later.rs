//! Settings of parts that this version does not have yet: social spikes, eBay. They are read and held to what they may be,
//! so that a wrong value is found on the day that it is written.

use secrecy::SecretString;

use super::{ConfigError, Variables};

/// See the module.
#[derive(Debug, Clone)]
pub struct Later {
    pub discord_monitor_channel_ids: Vec<u64>,
    pub twitter_bearer_token: Option<SecretString>,
    pub ebay_app_id: Option<SecretString>,
    pub ebay_cert_id: Option<SecretString>,
    /// `ENABLE_LAYER_35_SOCIAL`.
    pub social: bool,
}

impl Later {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        Ok(Self {
            discord_monitor_channel_ids: channels(vars.text("DISCORD_MONITOR_CHANNEL_IDS"))?,
            twitter_bearer_token: vars.key("TWITTER_BEARER_TOKEN")?,
            ebay_app_id: vars.key("EBAY_APP_ID")?,
            ebay_cert_id: vars.key("EBAY_CERT_ID")?,
            social: vars.flag("ENABLE_LAYER_35_SOCIAL")?.unwrap_or(false),
        })
    }
}

fn channels(text: Option<String>) -> Result<Vec<u64>, ConfigError> {
    let Some(value) = text else { return Ok(Vec::new()) };
    let ids: Result<Vec<u64>, _> = value.split(',').map(|id| id.trim().parse()).collect();
    let allowed = "channel numbers with commas between, such as 1234567890,9876543210";
    ids.map_err(|_| ConfigError::Invalid { variable: "DISCORD_MONITOR_CHANNEL_IDS", value, allowed })
}
