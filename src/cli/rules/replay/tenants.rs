//! For whom a replay decides.

use std::str::FromStr;

use rust_decimal::Decimal;
use uuid::Uuid;

use super::history::Source;
use crate::{
    cli::{Global, exit::WrongUsage, scan},
    config::presets,
    domain::profile::{Country, Presets, Profile, Settings, Tenant, TenantId, Tier},
};

/// A word of `--tenants`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// So many of all presets in turn, each asking for something else.
    Many(usize),
    Preset(String, Country),
}

/// Tenants beyond which a mistake is likelier than a wish.
const MOST: usize = 10_000;

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(count) = text.parse::<usize>() {
            return if (1..=MOST).contains(&count) { Ok(Self::Many(count)) } else { Err(format!("ask for 1 to {MOST} tenants")) };
        }
        let (preset, country) = text.split_once(':').ok_or("write a number, or a preset and its country such as uk_reseller:GB")?;
        Ok(Self::Preset(preset.to_owned(), country.parse().map_err(|error| format!("{error}"))?))
    }
}

/// The settings of everybody that is asked for.
pub async fn resolve(global: &Global, wanted: &[Wanted], source: &Source) -> anyhow::Result<Vec<Profile>> {
    if wanted.is_empty() && matches!(source, Source::Database) {
        let store = global.store().await?;
        return Ok(scan::tenants(global, &store).await?.into_iter().map(|(_, profile)| profile).collect());
    }
    let presets = presets::read(&global.config.profiles)?;
    let names: Vec<&str> = presets.names().collect();
    let all = [Wanted::Many(names.len())];
    let mut profiles = Vec::new();
    for one in if wanted.is_empty() { &all } else { wanted } {
        match one {
            Wanted::Preset(preset, country) => {
                profiles.push(profile(global, &presets, preset, *country, profiles.len(), Settings::default())?);
            }
            Wanted::Many(count) => {
                if names.is_empty() {
                    return Err(
                        WrongUsage("there are no presets to make tenants of: TCG_RADAR_PROFILES names their folder".to_owned()).into()
                    );
                }
                for number in 0..*count {
                    let preset = names[number % names.len()];
                    let settings = if number < names.len() { Settings::default() } else { wishes(number) };
                    profiles.push(profile(global, &presets, preset, country_of(preset)?, profiles.len(), settings)?);
                }
            }
        }
    }
    Ok(profiles)
}

fn profile(
    global: &Global,
    presets: &Presets,
    preset: &str,
    country: Country,
    number: usize,
    overrides: Settings,
) -> anyhow::Result<Profile> {
    let tenant = Tenant {
        id: TenantId(Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("replayed tenant {number}").as_bytes())),
        tier: Tier::Pro,
        country,
        telegram_chat_id: None,
        discord_channel_id: None,
        preset: Some(preset.to_owned()),
        overrides,
        paused_at: None,
    };
    Ok(Profile::resolve(&tenant, Some(presets.get(preset)?), &global.config.defaults))
}

/// What a made-up tenant asks for: no two of a few hundred alike.
fn wishes(number: usize) -> Settings {
    let of = |least: i64, choices: usize, places: u32| Decimal::new(least + i64::try_from(number % choices).unwrap_or_default(), places);
    Settings { min_profit_threshold: Some(of(5, 37, 0)), forex_buffer: Some(of(100, 151, 4)), ..Settings::default() }
}

/// The country that a preset's name begins with.
fn country_of(preset: &str) -> Result<Country, WrongUsage> {
    let country = match preset.split('_').next() {
        Some("us") => "US",
        Some("de") => "DE",
        Some("uk") => "GB",
        Some("sea") => "SG",
        _ => "",
    };
    country.parse().map_err(|_| WrongUsage(format!("which country is the preset {preset} for? write --tenants {preset}:CC")))
}
