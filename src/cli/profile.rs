//! `profile list | show`: the presets, and what a tenant trades by with the origin of each value.

use chrono::NaiveDate;
use clap::Subcommand;
use serde_json::json;

use super::{Exit, Global, rules::PackArg, table, tenant::TenantName};
use crate::{
    clock::Clock,
    config::presets,
    domain::{
        plan::Plans,
        profile::{Listed, Profile, Tier, TimeZone},
    },
    rules::{pack::Pack, params::Figure},
};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the presets that tenants can start from.
    List,
    /// Show each setting of a tenant, and where it comes from.
    Show {
        #[arg(allow_hyphen_values = true)]
        tenant: TenantName,
        #[command(flatten)]
        pack: PackArg,
    },
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let folder = &global.config.profiles;
    let texts = presets::texts(folder)?;
    let presets = presets::parse(folder, &texts)?;
    match args.command {
        Command::List => {
            let all: Vec<_> = presets.names().filter_map(|name| Some((name, presets.get(name).ok()?))).collect();
            let value: Vec<_> =
                all.iter().map(|(name, preset)| json!({ "name": name, "doc": preset.doc, "settings": preset.settings })).collect();
            global.show(&value, |_| {
                if all.is_empty() {
                    return format!("there are no presets in {}", global.config.profiles.display());
                }
                table(&["preset", "what it is for"], all.iter().map(|(name, preset)| vec![(*name).to_owned(), preset.doc.clone()]))
            })?;
        }
        Command::Show { tenant, pack } => {
            let store = global.store().await?;
            let (tenant, _) = tenant.find(&store).await?;
            let preset = tenant.preset.as_deref().map(|name| presets.get(name)).transpose()?;
            let profile = Profile::resolve(&tenant, preset, &global.config.defaults);
            let left = Left { pack: pack.load()?, plans: presets::plans(folder, &texts)?, today: Clock::machine().now().date_naive() };
            global.show(&profile, |profile| pretty(profile, &left))?;
        }
    }
    Ok(Exit::Good)
}

/// What decides where neither the tenant nor its preset nor a variable does.
struct Left {
    pack: Pack,
    plans: Plans,
    today: NaiveDate,
}

/// The pack's number behind a setting.
const PARAMETERS: [(&str, &str); 12] = [
    ("min_profit_threshold", "profit_min_threshold"),
    ("min_headache_score", "headache_min"),
    ("min_seller_rating", "seller_min_rating"),
    ("min_seller_sales", "seller_min_sales"),
    ("forex_buffer", "forex_default_buffer"),
    ("insurance_rate", "forwarder_insurance_rate"),
    ("eu_forwarder.receiving_fee", "forwarder_receiving_default"),
    ("eu_forwarder.consolidation_fee", "forwarder_consolidation_default"),
    ("eu_forwarder.outbound", "forwarder_outbound_default"),
    ("us_forwarder.receiving_fee", "forwarder_receiving_default"),
    ("us_forwarder.consolidation_fee", "forwarder_consolidation_default"),
    ("us_forwarder.outbound", "forwarder_outbound_default"),
];

impl Left {
    /// The value of a setting that nobody stated, and where it stands.
    fn to(&self, setting: &str, tier: Tier) -> Option<(String, String)> {
        match setting {
            "time_zone" => Some((TimeZone::UTC.to_string(), "nobody said".to_owned())),
            "daily_batch_at" => Some((self.plans.of(tier).daily_batch_at?.to_string(), format!("plan {tier}"))),
            _ => {
                let (_, name) = PARAMETERS.iter().find(|(known, _)| *known == setting)?;
                let parameter = self.pack.parameters.iter().find(|parameter| parameter.name == *name)?;
                let value = &parameter.at(self.today)?.value;
                // money of the pack has a currency of its own
                let value = match parameter.measure.figure {
                    Figure::Money(currency) => format!("{value} {currency}"),
                    Figure::Unit(_) => value.to_string(),
                };
                Some((value, format!("rules: {name}")))
            }
        }
    }
}

fn pretty(profile: &Profile, left: &Left) -> String {
    let row = |line: Listed| {
        let stated = line.value.map(|value| (value, line.from));
        let (value, from) = stated.or_else(|| left.to(&line.name, profile.tier)).unwrap_or_else(|| ("-".to_owned(), String::new()));
        vec![line.name, value, from]
    };
    table(&["setting", "value", "from"], profile.listed().into_iter().map(row))
}
