//! Settings from the environment and from `.env`, one struct a concern. A fault names the variable and what it may be.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use rust_decimal::Decimal;
use secrecy::SecretString;

use crate::domain::profile::Defaults;

pub mod backups;
pub mod delivery;
pub mod later;
pub mod outbound;
pub mod parts;
pub mod presets;
pub mod routing;
pub mod scraping;
pub mod social;
pub mod sources;
pub mod web;

/// The guide's rate for an installation that knows no other; marked as such wherever it is used.
const INDICATIVE_EUR_USD: Decimal = Decimal::from_parts(108, 0, 0, false, 2);

/// The file whose variables hold where the process sets none.
pub const DOTENV: &str = ".env";
/// The guide's switch of the customs regime.
pub const CUSTOMS_REGIME: &str = "CUSTOMS_REGIME";

/// The guide's time between two scans.
const SCAN_INTERVAL: Duration = Duration::from_mins(30);

/// Everything that the environment says.
#[derive(Debug, Clone)]
pub struct Config {
    /// `TCG_RADAR_HOME`: the embedded database, downloads, anything that may be made again.
    pub home: PathBuf,
    /// `TCG_RADAR_PROFILES`: the folder of presets.
    pub profiles: PathBuf,
    /// `TCG_RADAR_CLOCK`: the clock that commands ask, where a demonstration wrote it; the machine's if not set.
    pub clock: Option<String>,
    pub database: Database,
    pub forex: Forex,
    pub rules: Rules,
    pub scanning: Scanning,
    pub routing: routing::Routing,
    /// The guide's `DEFAULT_*` variables.
    pub defaults: Defaults,
    pub sources: sources::Sources,
    pub delivery: delivery::Delivery,
    pub scraping: scraping::Scraping,
    pub social: social::Social,
    pub web: web::Web,
    pub backups: backups::Backups,
    /// What belongs to parts that this version does not have.
    pub later: later::Later,
}

/// Which database to use. Without an address, the embedded one.
#[derive(Debug, Clone, Default)]
pub struct Database {
    /// `DATABASE_URL`, also in the guide's `postgresql+asyncpg://` form. Never printed.
    pub url: Option<SecretString>,
    /// `DATABASE_OWNER_URL`: the login that migrates, where it is another.
    pub owner_url: Option<SecretString>,
    /// `TCG_PG_BIN`: the folder of PostgreSQL's programs for the embedded database.
    pub programs: Option<PathBuf>,
}

#[derive(Debug, Clone)]
pub struct Forex {
    /// US dollars for one euro, used where no dated rate is stored.
    pub eur_usd_rate: Decimal,
}

#[derive(Debug, Clone)]
pub struct Rules {
    /// `CUSTOMS_REGIME`, lower-case; which names exist is the rule pack's to say.
    pub customs_regime: Option<String>,
    /// `ENABLE_BUNDLE_LOGIC`.
    pub bundle_logic: bool,
}

#[derive(Debug, Clone, Copy)]
pub struct Scanning {
    /// `SIGNAL_SCAN_INTERVAL_MINUTES`: from the start of one scan to the start of the next.
    pub interval: Duration,
}

impl Config {
    /// Reads the process's environment over `.env` of the working folder. A variable that the process has set to nothing
    /// hides the file's; but see [`customs_regime`].
    ///
    /// # Errors
    /// An unreadable `.env`, or a variable with a value that it cannot have.
    pub fn from_env() -> Result<Self, ConfigError> {
        let file = read_dotenv(Path::new(DOTENV))?;
        let process = |name: &str| std::env::var(name).ok();
        let mut config = Self::from_lookup(|name| process(name).or_else(|| file.get(name).cloned()))?;
        config.rules.customs_regime = regime_of(&file, process(CUSTOMS_REGIME).as_deref())?;
        Ok(config)
    }

    /// Reads from any source of variables. Empty means unset; an inline comment is not part of a value.
    ///
    /// # Errors
    /// A variable with a value that it cannot have.
    pub fn from_lookup(get: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let vars = Variables { get };
        let fee = |name| vars.decimal(name, "an amount from 0 to 1000, such as 3.50", Decimal::ZERO, Decimal::ONE_THOUSAND);
        let rate = |name| vars.decimal(name, "a share from 0 to below 1, such as 0.025", Decimal::ZERO, Decimal::new(9999, 4));
        let defaults = Defaults {
            forwarder_receiving_fee: fee("DEFAULT_FORWARDER_RECEIVING_FEE")?,
            forwarder_consolidation_fee: fee("DEFAULT_FORWARDER_CONSOLIDATION_FEE")?,
            insurance_rate: rate("DEFAULT_INSURANCE_RATE")?,
            forex_buffer: rate("DEFAULT_FOREX_BUFFER")?,
            min_seller_rating: vars.decimal(
                "DEFAULT_MIN_SELLER_RATING",
                "a percentage from 0 to 100",
                Decimal::ZERO,
                Decimal::ONE_HUNDRED,
            )?,
            min_seller_sales: vars.parsed("DEFAULT_MIN_SELLER_SALES", "a whole number from 0", |sales: &i64| *sales >= 0)?,
            min_profit_threshold: vars.decimal("DEFAULT_MIN_PROFIT_THRESHOLD", "an amount from 0", Decimal::ZERO, Decimal::MAX)?,
            min_headache_score: vars.decimal("DEFAULT_MIN_HEADACHE_SCORE", "a score from 0", Decimal::ZERO, Decimal::MAX)?,
        };
        let eur_usd_rate = vars.parsed("EUR_USD_RATE", "dollars for one euro, from 0.1 to 10", |rate: &Decimal| {
            *rate >= Decimal::new(1, 1) && *rate <= Decimal::TEN
        })?;
        let sources = sources::Sources::read(&vars)?;
        let home = PathBuf::from(vars.text("TCG_RADAR_HOME").unwrap_or_else(|| "data".into()));
        Ok(Self {
            backups: backups::Backups::read(&vars, &home)?,
            home,
            clock: vars.text("TCG_RADAR_CLOCK"),
            profiles: vars.text("TCG_RADAR_PROFILES").unwrap_or_else(|| "profiles".into()).into(),
            database: Database {
                url: vars.postgres_url("DATABASE_URL")?,
                owner_url: vars.postgres_url("DATABASE_OWNER_URL")?,
                programs: vars.text("TCG_PG_BIN").map(PathBuf::from),
            },
            forex: Forex { eur_usd_rate: eur_usd_rate.unwrap_or(INDICATIVE_EUR_USD) },
            rules: Rules { customs_regime: vars.regime()?, bundle_logic: vars.flag("ENABLE_BUNDLE_LOGIC")?.unwrap_or(true) },
            scanning: Scanning {
                interval: vars
                    .parsed("SIGNAL_SCAN_INTERVAL_MINUTES", "whole minutes from 1 to 1440", |minutes: &u64| (1..=1440).contains(minutes))?
                    .map_or(SCAN_INTERVAL, Duration::from_mins),
            },
            routing: routing::Routing::read(&vars)?,
            defaults,
            delivery: delivery::Delivery::read(&vars, sources.longest_answer)?,
            sources,
            scraping: scraping::Scraping::read(&vars)?,
            social: social::Social::read(&vars)?,
            web: web::Web::read(&vars)?,
            later: later::Later::read(&vars)?,
        })
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{variable} is \"{value}\": expected {allowed}")]
    Invalid { variable: &'static str, value: String, allowed: &'static str },

    /// The value is a secret and stays out of the text.
    #[error("{variable} has a value that it cannot have: expected {allowed}")]
    InvalidSecret { variable: &'static str, allowed: &'static str },

    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },

    /// The line may hold a secret and stays out of the text.
    #[error("line {line} of .env is not `NAME=value`: correct it (a value with blanks or $ needs 'single quotes')")]
    Dotenv { line: usize },

    #[error(transparent)]
    Preset(#[from] crate::domain::profile::PresetError),

    #[error(transparent)]
    Plan(#[from] crate::domain::plan::PlanError),
}

struct Variables<F> {
    get: F,
}

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn text(&self, variable: &str) -> Option<String> {
        let value = (self.get)(variable)?;
        let value = without_comment(&value).trim();
        (!value.is_empty()).then(|| value.to_owned())
    }

    fn parsed<T: FromStr>(
        &self,
        variable: &'static str,
        allowed: &'static str,
        good: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.text(variable) else { return Ok(None) };
        match value.parse() {
            Ok(parsed) if good(&parsed) => Ok(Some(parsed)),
            _ => Err(ConfigError::Invalid { variable, value, allowed }),
        }
    }

    fn decimal(
        &self,
        variable: &'static str,
        allowed: &'static str,
        least: Decimal,
        most: Decimal,
    ) -> Result<Option<Decimal>, ConfigError> {
        self.parsed(variable, allowed, |value: &Decimal| *value >= least && *value <= most)
    }

    fn regime(&self) -> Result<Option<String>, ConfigError> {
        let sound = |name: &String| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let name = self.parsed(CUSTOMS_REGIME, "the name of a regime, such as pre_july_2026", sound)?;
        Ok(name.map(|name| name.to_ascii_lowercase()))
    }

    fn flag(&self, variable: &'static str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.text(variable) else { return Ok(None) };
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(Some(true)),
            "false" | "0" | "no" | "off" => Ok(Some(false)),
            _ => Err(ConfigError::Invalid { variable, value, allowed: "true or false" }),
        }
    }

    /// A secret whose value never stands in an error.
    fn secret(
        &self,
        variable: &'static str,
        allowed: &'static str,
        good: impl Fn(&str) -> bool,
    ) -> Result<Option<SecretString>, ConfigError> {
        let Some(value) = self.text(variable) else { return Ok(None) };
        if good(&value) { Ok(Some(value.into())) } else { Err(ConfigError::InvalidSecret { variable, allowed }) }
    }

    /// A vendor's key: one word of visible ASCII.
    fn key(&self, variable: &'static str) -> Result<Option<SecretString>, ConfigError> {
        self.secret(variable, "one word of visible ASCII letters", |value| value.bytes().all(|byte| byte.is_ascii_graphic()))
    }

    /// A whole number within a range.
    fn whole(
        &self,
        variable: &'static str,
        allowed: &'static str,
        range: std::ops::RangeInclusive<u32>,
    ) -> Result<Option<u32>, ConfigError> {
        self.parsed(variable, allowed, |value: &u32| range.contains(value))
    }

    fn postgres_url(&self, variable: &'static str) -> Result<Option<SecretString>, ConfigError> {
        let Some(value) = self.text(variable) else { return Ok(None) };
        if !value.starts_with("postgres") || !value.contains("://") {
            return Err(ConfigError::InvalidSecret { variable, allowed: "postgresql://user:password@host:port/database" });
        }
        Ok(Some(value.into()))
    }
}

/// Docker passes `NAME=value # remark` on as it stands, so the remark is cut here and not only by the reader of `.env`.
fn without_comment(value: &str) -> &str {
    if value.trim_start().starts_with('#') {
        return "";
    }
    let cut = value.char_indices().find(|(at, letter)| *letter == '#' && value[..*at].ends_with([' ', '\t']));
    cut.map_or(value, |(at, _)| &value[..at])
}

/// `CUSTOMS_REGIME` as a file says it at this moment, else as the process was started with it. Here the file goes first:
/// what a container was started with is often a copy of the file as it was then, and this variable may change any time.
///
/// # Errors
/// An unreadable file, or a value that is no name.
pub fn customs_regime(dotenv: &Path, process: Option<&str>) -> Result<Option<String>, ConfigError> {
    regime_of(&read_dotenv(dotenv)?, process)
}

fn regime_of(file: &HashMap<String, String>, process: Option<&str>) -> Result<Option<String>, ConfigError> {
    let from_file = Variables { get: |name: &str| file.get(name).cloned() }.regime()?;
    let from_process = || Variables { get: |_: &str| process.map(str::to_owned) }.regime();
    from_file.map_or_else(from_process, |name| Ok(Some(name)))
}

fn read_dotenv(path: &Path) -> Result<HashMap<String, String>, ConfigError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse_dotenv(&text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(HashMap::new()),
        Err(source) => Err(ConfigError::File { path: path.to_owned(), source }),
    }
}

/// Line by line, so that a fault can name its line. The last of two equal names wins.
fn parse_dotenv(text: &str) -> Result<HashMap<String, String>, ConfigError> {
    let mut values = HashMap::new();
    for (index, line) in text.lines().enumerate() {
        for pair in dotenvy::from_read_iter(line.as_bytes()) {
            let (name, value) = pair.map_err(|_| ConfigError::Dotenv { line: index + 1 })?;
            values.insert(name, value);
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use secrecy::ExposeSecret;

    use super::*;

    fn config(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let map: HashMap<_, _> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Config::from_lookup(|name| map.get(name).cloned())
    }

    #[test]
    fn nothing_set_gives_the_embedded_database_and_the_guides_rate() {
        let config = config(&[]).unwrap();
        assert!(config.database.url.is_none());
        assert_eq!(config.home, PathBuf::from("data"));
        assert_eq!(config.forex.eur_usd_rate.to_string(), "1.08");
        assert!(config.rules.bundle_logic);
        assert_eq!(config.scanning.interval, Duration::from_mins(30));
        assert_eq!(config.defaults, Defaults::default());
    }

    #[test]
    fn a_set_but_empty_variable_means_not_set() {
        let config = config(&[("DATABASE_URL", ""), ("DEFAULT_INSURANCE_RATE", "  "), ("EUR_USD_RATE", "# indicative")]).unwrap();
        assert!(config.database.url.is_none());
        assert_eq!(config.defaults.insurance_rate, None);
        assert_eq!(config.forex.eur_usd_rate.to_string(), "1.08");
    }

    #[test]
    fn an_inline_comment_is_no_part_of_a_value() {
        let config = config(&[
            ("DEFAULT_MIN_SELLER_RATING", "98.5 # percent"),
            ("CUSTOMS_REGIME", "Post_July_2026\t# since July"),
            ("DATABASE_URL", "postgresql://u:p#1@h/d # the server"),
        ])
        .unwrap();
        assert_eq!(config.defaults.min_seller_rating.unwrap().to_string(), "98.5");
        assert_eq!(config.rules.customs_regime.as_deref(), Some("post_july_2026"));
        assert_eq!(config.database.url.unwrap().expose_secret(), "postgresql://u:p#1@h/d");
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        let error = config(&[("DEFAULT_FOREX_BUFFER", "2")]).unwrap_err();
        assert_eq!(error.to_string(), "DEFAULT_FOREX_BUFFER is \"2\": expected a share from 0 to below 1, such as 0.025");
        let error = config(&[("ENABLE_BUNDLE_LOGIC", "perhaps")]).unwrap_err();
        assert_eq!(error.to_string(), "ENABLE_BUNDLE_LOGIC is \"perhaps\": expected true or false");
        assert!(config(&[("EUR_USD_RATE", "0")]).is_err());
        assert!(config(&[("DEFAULT_MIN_SELLER_SALES", "1.5")]).is_err());
        assert!(config(&[("CUSTOMS_REGIME", "../world")]).is_err());
        let error = config(&[("SIGNAL_SCAN_INTERVAL_MINUTES", "0")]).unwrap_err();
        assert_eq!(error.to_string(), "SIGNAL_SCAN_INTERVAL_MINUTES is \"0\": expected whole minutes from 1 to 1440");
    }

    #[test]
    fn a_bad_secret_is_not_repeated() {
        let error = config(&[("DATABASE_URL", "mysql://root:hunter2@h/d")]).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        assert!(error.to_string().starts_with("DATABASE_URL"));
        let held = config(&[("DATABASE_URL", "postgresql://u:hunter2@h/d")]).unwrap();
        assert!(!format!("{held:?}").contains("hunter2"));
    }

    #[test]
    fn the_file_is_read_like_a_shell_would_and_a_fault_names_its_line() {
        let text = "# keys\n\nEUR_USD_RATE=1.10 # ours\nexport CUSTOMS_REGIME='world'\nDATABASE_URL=\nEUR_USD_RATE=1.11\n";
        let values = parse_dotenv(text).unwrap();
        assert_eq!(values["EUR_USD_RATE"], "1.11");
        assert_eq!(values["CUSTOMS_REGIME"], "world");
        assert_eq!(values["DATABASE_URL"], "");
        let error = parse_dotenv("A=1\nTOKEN hunter2\n").unwrap_err().to_string();
        assert!(error.starts_with("line 2 of .env") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn the_files_regime_goes_before_the_process_and_an_empty_line_leaves_it_to_the_process() {
        let regime = |line: &str, process: Option<&str>| regime_of(&parse_dotenv(line).unwrap(), process);
        assert_eq!(regime("CUSTOMS_REGIME=World # ours", Some("post_july_2026")).unwrap().as_deref(), Some("world"));
        assert_eq!(regime("CUSTOMS_REGIME=", Some("post_july_2026")).unwrap().as_deref(), Some("post_july_2026"));
        assert_eq!(regime("", None).unwrap(), None);
        assert!(regime("CUSTOMS_REGIME=../world", None).is_err());
    }

    /// The value of a variable and what it changes in the configuration, as text; then a value that it cannot have.
    type Row = (&'static str, &'static str, fn(&Config) -> String, &'static str);

    fn told(secret: Option<&SecretString>) -> String {
        secret.map_or_else(|| "none".to_owned(), |secret| secret.expose_secret().to_owned())
    }

    /// Every variable that the program reads. A new one needs its row, and a line in `.env.example`.
    const VARIABLES: &[Row] = &[
        ("JUSTTCG_API_KEY", "k", |c| told(c.sources.justtcg.key.as_ref()), "a b"),
        ("POKEMONTCG_API_KEY", "k", |c| told(c.sources.pokemontcg.key.as_ref()), "a b"),
        ("POKETRACE_API_KEY", "k", |c| told(c.sources.poketrace.key.as_ref()), "a b"),
        ("EXCHANGERATE_API_KEY", "k", |c| told(c.sources.exchangerate.key.as_ref()), "a b"),
        ("TELEGRAM_BOT_TOKEN", "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11", |c| told(c.delivery.telegram.token.as_ref()), "ABC"),
        ("DISCORD_BOT_TOKEN", "k", |c| told(c.delivery.discord.token.as_ref()), "a b"),
        ("DISCORD_CHANNEL_ID", "1234567890", |c| format!("{:?}", c.delivery.operator_channel), "general"),
        ("DISCORD_MONITOR_CHANNEL_IDS", "1,2", |c| format!("{:?}", c.social.discord.channels), "1,x"),
        ("LIMITLESS_API_KEY", "k", |c| told(c.sources.limitless.key.as_ref()), "a b"),
        ("LIMITLESS_BASE_URL", "https://x.example", |c| format!("{:?}", c.sources.limitless.base), "http://x.example"),
        ("SOCIAL_POLL_INTERVAL_MINUTES", "10", |c| format!("{:?}", c.social.cadence), "31"),
        ("SOCIAL_SCRAPE_MIN_SPIKES", "5", |c| c.social.least_spikes.to_string(), "0"),
        ("REDDIT_CLIENT_ID", "k", |c| format!("{:?}", c.social.reddit.client_id), "a b"),
        ("REDDIT_CLIENT_SECRET", "k", |c| told(c.social.reddit.client_secret.as_ref()), "a b"),
        ("REDDIT_SUBREDDITS", "pkmntcg", |c| format!("{:?}", c.social.reddit.subreddits), "a/b"),
        ("REDDIT_BASE_URL", "https://x.example", |c| format!("{:?}", c.social.reddit.base), "http://x.example"),
        ("REDDIT_OAUTH_BASE_URL", "https://x.example", |c| format!("{:?}", c.social.reddit.oauth), "http://x.example"),
        ("X_BASE_URL", "https://x.example", |c| format!("{:?}", c.social.x.base), "http://x.example"),
        ("TWITTER_BEARER_TOKEN", "k", |c| told(c.social.x.token.as_ref()), "a b"),
        ("ANTHROPIC_API_KEY", "k", |c| told(c.scraping.vision.key.as_ref()), "a b"),
        ("OPENROUTER_API_KEY", "k", |c| told(c.scraping.vision.other_key.as_ref()), "a b"),
        ("VISION_MODEL_ID", "m-1", |c| format!("{:?}", c.scraping.vision.model), "a b"),
        ("ANTHROPIC_BASE_URL", "https://x.example", |c| format!("{:?}", c.scraping.vision.base), "http://x.example"),
        ("EBAY_APP_ID", "k", |c| told(c.later.ebay_app_id.as_ref()), "a b"),
        ("EBAY_CERT_ID", "k", |c| told(c.later.ebay_cert_id.as_ref()), "a b"),
        ("DATABASE_URL", "postgresql://h/d", |c| told(c.database.url.as_ref()), "mysql://h/d"),
        ("DATABASE_OWNER_URL", "postgresql://h/d", |c| told(c.database.owner_url.as_ref()), "h/d"),
        ("TCG_PG_BIN", "/x", |c| format!("{:?}", c.database.programs), ""),
        ("TCG_RADAR_HOME", "/x", |c| format!("{:?}", c.home), ""),
        ("TCG_RADAR_CLOCK", "2026-11-22T19:30:00Z", |c| format!("{:?}", c.clock), ""),
        ("TCG_RADAR_PROFILES", "/x", |c| format!("{:?}", c.profiles), ""),
        ("TCG_RADAR_LISTEN", "127.0.0.1:0", |c| c.web.listen.to_string(), "9464"),
        ("TCG_RADAR_BACKUPS", "/x", |c| format!("{:?}", c.backups.folder), ""),
        ("BACKUP_EVERY_HOURS", "12", |c| format!("{:?}", c.backups.every), "169"),
        ("BACKUP_KEEP_DAYS", "30", |c| c.backups.keep_days.to_string(), "6"),
        ("CUSTOMS_REGIME", "post_july_2026", |c| format!("{:?}", c.rules.customs_regime), "../x"),
        ("ENABLE_LAYER_3_SCRAPING", "true", |c| c.scraping.enabled.to_string(), "maybe"),
        ("ENABLE_LAYER_35_SOCIAL", "true", |c| c.social.enabled.to_string(), "maybe"),
        ("ENABLE_BUNDLE_LOGIC", "false", |c| c.rules.bundle_logic.to_string(), "maybe"),
        ("PROXY_URL", "socks5://u:p@h:1080", |c| told(c.scraping.proxy_url.as_ref()), "h:1080"),
        ("SCRAPE_MAX_PAGES_PER_HOUR", "20", |c| c.scraping.manners.pages_per_hour.to_string(), "51"),
        ("SCRAPE_DELAY_MIN_SECONDS", "3", |c| format!("{:?}", c.scraping.manners.delay), "6"),
        ("SCRAPE_DELAY_MAX_SECONDS", "10", |c| format!("{:?}", c.scraping.manners.delay), "4"),
        ("SCRAPE_STAND_IN_URL", "http://127.0.0.1:8101", |c| format!("{:?}", c.scraping.stand_in), "http://10.0.0.1"),
        ("SCRAPE_CHROMIUM", "/x", |c| format!("{:?}", c.scraping.programs), ""),
        ("PLAYWRIGHT_NODE_EXE", "/x", |c| format!("{:?}", c.scraping.programs), ""),
        ("PLAYWRIGHT_CLI_JS", "/x", |c| format!("{:?}", c.scraping.programs), ""),
        ("DEFAULT_FORWARDER_RECEIVING_FEE", "3.25", |c| format!("{:?}", c.defaults.forwarder_receiving_fee), "-1"),
        ("DEFAULT_FORWARDER_CONSOLIDATION_FEE", "7.25", |c| format!("{:?}", c.defaults.forwarder_consolidation_fee), "x"),
        ("DEFAULT_INSURANCE_RATE", "0.03", |c| format!("{:?}", c.defaults.insurance_rate), "2.5"),
        ("DEFAULT_FOREX_BUFFER", "0.03", |c| format!("{:?}", c.defaults.forex_buffer), "2"),
        ("DEFAULT_MIN_SELLER_RATING", "98", |c| format!("{:?}", c.defaults.min_seller_rating), "101"),
        ("DEFAULT_MIN_SELLER_SALES", "50", |c| format!("{:?}", c.defaults.min_seller_sales), "-1"),
        ("DEFAULT_MIN_PROFIT_THRESHOLD", "6", |c| format!("{:?}", c.defaults.min_profit_threshold), "-1"),
        ("DEFAULT_MIN_HEADACHE_SCORE", "6", |c| format!("{:?}", c.defaults.min_headache_score), "-1"),
        ("EUR_USD_RATE", "1.10", |c| c.forex.eur_usd_rate.to_string(), "0"),
        ("SIGNAL_SCAN_INTERVAL_MINUTES", "15", |c| format!("{:?}", c.scanning.interval), "0"),
        ("SIGNAL_EXCLUSIVITY_WINDOW_MINUTES", "120", |c| format!("{:?}", c.routing), "0"),
        ("SIGNAL_SEND_DEADLINE_MINUTES", "20", |c| format!("{:?}", c.routing), "1441"),
        ("FOREX_CACHE_TTL_SECONDS", "3600", |c| c.sources.exchangerate.cadence.to_string(), "1"),
        ("PRICE_POLL_INTERVAL_HOURS", "3", |c| c.sources.justtcg.cadence.to_string(), "0"),
        ("METADATA_POLL_INTERVAL_HOURS", "48", |c| c.sources.pokemontcg.cadence.to_string(), "169"),
        ("VELOCITY_POLL_INTERVAL_HOURS", "6", |c| c.sources.poketrace.cadence.to_string(), "0.5"),
        ("DAILY_FEED_INTERVAL_HOURS", "12", |c| c.sources.ecb.cadence.to_string(), "x"),
        ("SOURCES_OFF", "ecb,tcgcsv", |c| format!("{:?}", c.sources.off), "ecb,amazon"),
        ("TCGCSV_BACKFILL_DAYS", "0", |c| c.sources.backfill_days.to_string(), "366"),
        ("QUARANTINE_JUMP", "5", |c| c.sources.quarantine_jump.to_string(), "1"),
        ("HISTORY_RAW_DAYS", "0", |c| format!("{:?}", c.sources.raw_days), "29"),
        ("HTTP_TIMEOUT_SECONDS", "10", |c| format!("{:?}", c.sources.longest_answer), "0"),
        ("CARDMARKET_BASE_URL", "https://x.example", |c| format!("{:?}", c.sources.cardmarket.base), "http://x.example"),
        ("TCGCSV_BASE_URL", "https://x.example", |c| format!("{:?}", c.sources.tcgcsv.base), "http://x.example"),
        ("ECB_BASE_URL", "https://x.example", |c| format!("{:?}", c.sources.ecb.base), "x.example"),
        ("POKEMONTCG_BASE_URL", "https://x.example", |c| format!("{:?}", c.sources.pokemontcg.base), "file:///x"),
        ("JUSTTCG_BASE_URL", "https://x.example", |c| format!("{:?}", c.sources.justtcg.base), "https://u:p@x.example"),
        ("POKETRACE_BASE_URL", "https://x.example", |c| format!("{:?}", c.sources.poketrace.base), "https://x.example/?a=b"),
        ("TELEGRAM_BASE_URL", "https://x.example", |c| format!("{:?}", c.delivery.telegram.base), "http://x.example"),
        ("DISCORD_BASE_URL", "https://x.example", |c| format!("{:?}", c.delivery.discord.base), "x.example"),
        ("EXCHANGERATE_BASE_URL", "https://x.example", |c| format!("{:?}", c.sources.exchangerate.base), "ftp://x.example"),
    ];

    #[test]
    fn every_variable_changes_something_and_a_value_that_it_cannot_have_is_an_error_that_names_it() {
        let usual = config(&[]).unwrap();
        for (variable, value, reads, bad) in VARIABLES {
            let set = config(&[(variable, value)]).unwrap_or_else(|error| panic!("{variable}: {error}"));
            assert_ne!(reads(&set), reads(&usual), "{variable} changes nothing");
            let remarked = config(&[(variable, &format!("{value} # a remark"))]).unwrap();
            assert_eq!(reads(&remarked), reads(&set), "{variable}: a remark is no value");
            for empty in ["", "  ", "# only a remark"] {
                assert_eq!(reads(&config(&[(variable, empty)]).unwrap()), reads(&usual), "{variable}: set to nothing is not set");
            }
            if !bad.is_empty() {
                let error = config(&[(variable, bad)]).unwrap_err().to_string();
                assert!(error.starts_with(variable) && error.contains("expected "), "{variable}: {error}");
            }
        }
    }

    #[test]
    fn the_template_explains_every_variable_and_nothing_else_and_can_be_used_as_it_is() {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example")).unwrap();
        let values = parse_dotenv(&text).unwrap();
        assert!(Config::from_lookup(|name| values.get(name).cloned()).is_ok());
        let mut expected: Vec<&str> = VARIABLES.iter().map(|row| row.0).chain(ELSEWHERE).collect();
        let mut explained: Vec<&str> = values.keys().map(String::as_str).collect();
        expected.sort_unstable();
        explained.sort_unstable();
        assert_eq!(explained, expected);
    }

    /// Read by `docker-compose.yml`.
    const ELSEWHERE: [&str; 1] = ["POSTGRES_PASSWORD"];
}
