//! Settings of the live sources: where each vendor is asked, how often, and with which key.

use std::time::Duration;

use chrono::TimeDelta;
use rust_decimal::Decimal;
use secrecy::SecretString;

use super::{
    ConfigError, Variables,
    outbound::{self, BaseUrl},
};

/// One vendor.
#[derive(Debug, Clone)]
pub struct Feed {
    /// As `SOURCES_OFF` names it.
    pub name: &'static str,
    pub base: BaseUrl,
    /// From one run to the next.
    pub cadence: TimeDelta,
    pub key: Option<SecretString>,
}

/// Every vendor, and what holds for all of them.
#[derive(Debug, Clone)]
pub struct Sources {
    pub cardmarket: Feed,
    pub tcgcsv: Feed,
    pub ecb: Feed,
    pub pokemontcg: Feed,
    pub justtcg: Feed,
    pub poketrace: Feed,
    pub exchangerate: Feed,
    pub limitless: Feed,
    /// `SOURCES_OFF`.
    pub off: Vec<String>,
    /// `TCGCSV_BACKFILL_DAYS`.
    pub backfill_days: u64,
    /// `QUARANTINE_JUMP`: a new price that is so many times the last one, or as small a part of it, waits for a second
    /// one that confirms it.
    pub quarantine_jump: Decimal,
    /// `HTTP_TIMEOUT_SECONDS`: no answer is waited for longer, whatever the source would allow it.
    pub longest_answer: Duration,
    /// `HISTORY_RAW_DAYS`: older history keeps one price a day; `None` keeps everything.
    pub raw_days: Option<u32>,
}

/// The names that `SOURCES_OFF` may list.
pub const NAMES: [&str; 8] = ["cardmarket", "tcgcsv", "ecb", "pokemontcg", "justtcg", "poketrace", "exchangerate", "limitless"];

impl Sources {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        let hours = |variable, usual: u32| {
            let hours = vars.whole(variable, "whole hours from 1 to 168", 1..=168)?;
            Ok::<_, ConfigError>(TimeDelta::hours(hours.unwrap_or(usual).into()))
        };
        let base = |variable: &'static str, usual: &str| {
            let text = vars.text(variable).unwrap_or_else(|| usual.to_owned());
            BaseUrl::parse(&text).ok_or(ConfigError::Invalid { variable, value: text, allowed: outbound::ALLOWED })
        };
        let daily = hours("DAILY_FEED_INTERVAL_HOURS", 24)?;
        let metadata = hours("METADATA_POLL_INTERVAL_HOURS", 24)?;
        let prices = hours("PRICE_POLL_INTERVAL_HOURS", 6)?;
        let velocity = hours("VELOCITY_POLL_INTERVAL_HOURS", 12)?;
        let rates = vars.whole("FOREX_CACHE_TTL_SECONDS", "whole seconds from 60 to 604800", 60..=604_800)?.unwrap_or(900);
        let feed = |name, base: Result<BaseUrl, ConfigError>, cadence, key: Result<Option<SecretString>, ConfigError>| {
            Ok::<_, ConfigError>(Feed { name, base: base?, cadence, key: key? })
        };
        let raw_days = vars.whole("HISTORY_RAW_DAYS", "whole days from 30 to 3650, or 0 to keep everything", 0..=3_650)?;
        if let Some(days @ 1..30) = raw_days {
            let allowed = "whole days from 30 to 3650, or 0 to keep everything";
            return Err(ConfigError::Invalid { variable: "HISTORY_RAW_DAYS", value: days.to_string(), allowed });
        }
        Ok(Self {
            cardmarket: feed("cardmarket", base("CARDMARKET_BASE_URL", "https://downloads.s3.cardmarket.com"), daily, Ok(None))?,
            tcgcsv: feed("tcgcsv", base("TCGCSV_BASE_URL", "https://tcgcsv.com"), daily, Ok(None))?,
            ecb: feed("ecb", base("ECB_BASE_URL", "https://www.ecb.europa.eu"), daily, Ok(None))?,
            pokemontcg: feed(
                "pokemontcg",
                base("POKEMONTCG_BASE_URL", "https://api.pokemontcg.io/v2"),
                metadata,
                vars.key("POKEMONTCG_API_KEY"),
            )?,
            justtcg: feed("justtcg", base("JUSTTCG_BASE_URL", "https://api.justtcg.com/v1"), prices, vars.key("JUSTTCG_API_KEY"))?,
            poketrace: feed(
                "poketrace",
                base("POKETRACE_BASE_URL", "https://api.poketrace.com/v1"),
                velocity,
                vars.key("POKETRACE_API_KEY"),
            )?,
            exchangerate: feed(
                "exchangerate",
                base("EXCHANGERATE_BASE_URL", "https://v6.exchangerate-api.com/v6"),
                TimeDelta::seconds(rates.into()),
                vars.key("EXCHANGERATE_API_KEY"),
            )?,
            limitless: feed(
                "limitless",
                base("LIMITLESS_BASE_URL", "https://play.limitlesstcg.com/api"),
                TimeDelta::hours(1),
                vars.key("LIMITLESS_API_KEY"),
            )?,
            off: off(vars.text("SOURCES_OFF"))?,
            backfill_days: vars.whole("TCGCSV_BACKFILL_DAYS", "whole days from 0 to 365", 0..=365)?.unwrap_or(7).into(),
            longest_answer: Duration::from_secs(
                vars.whole("HTTP_TIMEOUT_SECONDS", "whole seconds from 1 to 600", 1..=600)?.unwrap_or(300).into(),
            ),
            quarantine_jump: vars
                .decimal("QUARANTINE_JUMP", "a factor from 2 to 1000", Decimal::TWO, Decimal::ONE_THOUSAND)?
                .unwrap_or(Decimal::TEN),
            raw_days: Some(raw_days.unwrap_or(90)).filter(|days| *days > 0),
        })
    }

    /// Whether the operator switched it off.
    pub fn is_off(&self, name: &str) -> bool {
        self.off.iter().any(|off| off == name)
    }
}

fn off(text: Option<String>) -> Result<Vec<String>, ConfigError> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect();
    if names.iter().all(|name| NAMES.contains(&name.as_str())) {
        return Ok(names);
    }
    let allowed = "names of sources with commas between: cardmarket, tcgcsv, ecb, pokemontcg, justtcg, poketrace, exchangerate, limitless";
    Err(ConfigError::Invalid { variable: "SOURCES_OFF", value: text, allowed })
}
