//! A card and a profile, as a test describes them, become the facts that a scan would make of them.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::Reader;
use crate::{
    domain::{
        card::{Card, CardId},
        market::Direction,
        money::{RateOrigin, Rates},
        profile::{Country, Defaults, Profile, Settings, Tenant, TenantId, Tier},
    },
    rules::{
        diagnostic::{Code, Diagnostic, Place, Sink},
        graph::FactId,
        inputs::{card_facts, default_buffer, taste_facts, tenant_facts},
        value::Value,
        yaml::{Data, Fields, Node},
    },
};

/// Who and what a case is about.
#[derive(Debug, Clone, Default)]
pub(in crate::rules::testing) struct Subject {
    pub card: Option<Card>,
    pub profile: Option<Profile>,
    pub rates: Option<Rates>,
}

impl Subject {
    /// Reads `card`, `profile` and `rates`, each of which may be missing.
    pub fn read(fields: &Fields<'_>) -> Self {
        let sink = fields.sink;
        Self {
            card: fields.optional("card").and_then(|node| card(node, sink)),
            profile: fields.optional("profile").and_then(|node| profile(node, sink)),
            rates: fields.optional("rates").and_then(|node| rates(node, sink)),
        }
    }

    pub fn over(&self, base: &Self) -> Self {
        Self {
            card: self.card.clone().or_else(|| base.card.clone()),
            profile: self.profile.clone().or_else(|| base.profile.clone()),
            rates: self.rates.clone().or_else(|| base.rates.clone()),
        }
    }

    /// The input facts of a case; its `given` says which direction the tenant trades in.
    pub fn facts(
        &self,
        reader: &Reader<'_>,
        place: &Place,
        as_of: NaiveDate,
        given: &BTreeMap<FactId, Value>,
    ) -> Option<BTreeMap<FactId, Value>> {
        let graph = &reader.pack.graph;
        let mut facts = Vec::new();
        if let Some(card) = &self.card {
            // an event is what a case says it is
            facts.extend(card_facts(card, &[], as_of));
        }
        if let Some(profile) = &self.profile {
            let direction = graph.id("direction").and_then(|id| given.get(&id)).and_then(|value| value.to_string().parse().ok());
            let missing = |what: &str, help: &str| {
                let fault = Diagnostic::error(Code::MissingKey, place.clone(), format!("a case with a profile needs {what}"));
                reader.sink.report(fault.with_help(help));
            };
            let (direction, rates): (Direction, &Rates) = match (direction, &self.rates) {
                (Some(direction), Some(rates)) => (direction, rates),
                (None, _) => {
                    missing("a direction", "give it one: `given: { direction: eu_us }`");
                    return None;
                }
                (_, None) => {
                    missing("exchange rates", "add `rates: { USD: \"1.08\" }`, for one euro");
                    return None;
                }
            };
            facts.extend(tenant_facts(profile, direction, rates, default_buffer(reader.pack, as_of).unwrap_or_default()));
            facts.extend(self.card.iter().flat_map(|card| taste_facts(profile, card)));
        }
        Some(facts.into_iter().filter_map(|(name, value)| Some((graph.id(name)?, value))).collect())
    }
}

/// `{ id: sv1-25, released: 2023-03-31, mark: G, standard: Legal }`.
pub(in crate::rules::testing) fn card(node: &Node, sink: &Sink) -> Option<Card> {
    let fields = node.fields(sink, "card")?;
    let id = fields.required("id");
    let text = |name: &str| fields.optional_text(name).map(str::to_owned);
    let (name, set, mark, standard) = (text("name"), text("set"), text("mark"), text("standard"));
    let released = fields.optional("released").and_then(|node| node.date(sink, "released"));
    fields.finish();
    let id = id?;
    let card_id = CardId::new(id.text(sink, "id")?).map_err(|error| sink.error(Code::BadValue, &id.place, error.to_string())).ok()?;
    let set_of_id = card_id.as_str().rsplit_once('-').map_or(card_id.as_str(), |(set, _)| set).to_owned();
    Some(Card {
        name: name.unwrap_or_else(|| card_id.as_str().to_owned()),
        set_code: set.unwrap_or(set_of_id),
        card_id,
        set_name: None,
        card_number: None,
        rarity: None,
        supertype: None,
        regulation_mark: mark,
        set_release_date: released,
        legality_standard: standard,
        legality_expanded: None,
        tcgplayer_url: None,
        cardmarket_url: None,
        image_url: None,
    })
}

/// `{ country: US, currency: USD, forwarders: { EU: … } }`: a country, and the settings of a preset.
pub(in crate::rules::testing) fn profile(node: &Node, sink: &Sink) -> Option<Profile> {
    let Data::Mapping(entries) = &node.data else {
        node.fields(sink, "profile");
        return None;
    };
    let mut settings = Map::new();
    let mut country = None;
    for (key, value) in entries {
        if key.name == "country" {
            let text = value.text(sink, "country")?;
            country = Some(text.parse::<Country>().map_err(|error| sink.error(Code::BadValue, &value.place, error.to_string())).ok()?);
        } else {
            settings.insert(key.name.clone(), json(value));
        }
    }
    let refuse = |error: String| sink.report(Diagnostic::error(Code::BadValue, node.place.clone(), error).with_help(HELP));
    let settings: Settings = serde_json::from_value(Json::Object(settings)).map_err(|error| refuse(error.to_string())).ok()?;
    settings.validate().map_err(|error| refuse(error.to_string())).ok()?;
    let Some(country) = country else {
        sink.report(Diagnostic::error(Code::MissingKey, node.place.clone(), "\"country\" is missing").with_help("add `country: US` here"));
        return None;
    };
    let tenant = Tenant {
        id: TenantId(Uuid::nil()),
        tier: Tier::Free,
        country,
        telegram_chat_id: None,
        discord_channel_id: None,
        preset: None,
        overrides: settings,
        paused_at: None,
    };
    Some(Profile::resolve(&tenant, None, &Defaults::default()))
}

const HELP: &str = "a profile has a country and the settings of a preset, as profiles/*.yaml show them";

/// Quoted scalars stay text; amounts are read from it exactly.
fn json(node: &Node) -> Json {
    match &node.data {
        Data::Scalar { text, quoted: true } => Json::String(text.clone()),
        Data::Scalar { text, .. } => match text.as_str() {
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            text => text.parse::<i64>().map_or_else(|_| Json::String(text.to_owned()), Json::from),
        },
        Data::Sequence(items) => items.iter().map(json).collect(),
        Data::Mapping(entries) => entries.iter().map(|(key, value)| (key.name.clone(), json(value))).collect(),
    }
}

/// `{ USD: "1.08", GBP: "0.85" }`: units for one euro.
pub(in crate::rules::testing) fn rates(node: &Node, sink: &Sink) -> Option<Rates> {
    let fields = node.fields(sink, "rates")?;
    let rate = |node: &Node, name: &str| {
        node.decimal(sink, name).filter(|rate| {
            let positive = *rate > Decimal::ZERO;
            if !positive {
                sink.error(Code::OutOfRange, &node.place, "an exchange rate must be above zero");
            }
            positive
        })
    };
    let usd = fields.required("USD").and_then(|node| rate(node, "USD"));
    let gbp = fields.optional("GBP").and_then(|node| rate(node, "GBP"));
    fields.finish();
    // the day does not matter: it is the rate that is in force when the case is decided
    let origin = RateOrigin { date: NaiveDate::default(), source: "test".to_owned() };
    Some(Rates { usd_per_eur: usd?, gbp_per_eur: gbp, origin })
}
