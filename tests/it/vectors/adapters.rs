//! Which facts a case file sets and which it asks for. No formula and no threshold lives here: those are the packs'.

use chrono::{DateTime, Duration, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::Value as Json;
use tcg_radar::{
    domain::{
        condition::{Condition, Grade, Scale},
        live_rate::{Held, Policy, USABLE_FOR},
        money::{Currency, RateOrigin, Rates, round_half_up},
        series::{Point, daily_change},
    },
    rules::pack::Pack,
    sources::exchangerate_api::units_per_euro,
};

use super::{Answer, Packs, Refusal, ask::Ask};

/// What each pack says; `None` where it is not asked.
#[derive(Default)]
pub struct Answers {
    pub reference: Option<Answer>,
    pub default: Option<Answer>,
}

impl Answers {
    /// The same question to both packs.
    fn of_both(packs: &Packs, ask: impl Fn(&Pack, Which) -> Answer) -> Self {
        Self { reference: Some(ask(&packs.reference, Which::Reference)), default: Some(ask(&packs.default, Which::Default)) }
    }

    pub fn of_reference(answer: Answer) -> Self {
        Self { reference: Some(answer), default: None }
    }
}

/// Which pack is asked: some facts have other names.
#[derive(Clone, Copy, PartialEq)]
pub enum Which {
    Reference,
    Default,
}

impl Which {
    const fn name<'a>(self, reference: &'a str, default: &'a str) -> &'a str {
        match self {
            Self::Reference => reference,
            Self::Default => default,
        }
    }
}

/// Packs, a case's input and the whole file in; answers out.
pub type Adapter = fn(&Packs, &Json, &Json) -> Answers;

/// File name (without ending) and adapter.
pub const ADAPTERS: &[(&str, Adapter)] = &[
    ("bundle", bundle),
    ("cascade", super::routing::cascade),
    ("condition_map", condition_map),
    ("deep_link", super::messages::links),
    ("effective_buy_price", effective_buy_price),
    ("feed_price", super::figures::feed_price),
    ("fees", fees),
    ("forex", forex),
    ("generator_e2e", generator_e2e),
    ("headache", headache),
    ("maturity", maturity),
    ("price_trend", price_trend),
    ("profit", profit),
    ("rotation", rotation),
    ("scheduler", super::figures::scheduler),
    ("scrape_intercept", super::figures::scrape_intercept),
    ("scrape_text", super::figures::scrape_text),
    ("seller_quality", seller_quality),
    ("social_spike", super::events::social_spike),
    ("spec_eu_single_suppress", spec_eu_single_suppress),
    ("spec_forwarder", spec_forwarder),
    ("spec_noise_ratio", spec_noise_ratio),
    ("spec_rotation_window", spec_rotation_window),
    ("spec_staleness", spec_staleness),
    ("spec_velocity_composite", spec_velocity_composite),
    ("synergy", super::events::synergy),
    ("telegram_escape", super::messages::escapes),
    ("tier_routing", super::routing::tier_routing),
    ("tournament_targets", super::events::tournament_targets),
    ("trend_class", trend_class),
    ("variant", variant),
    ("velocity", velocity),
];

/// A day on which parameters are read where a case names none.
const DAY: &str = "2026-02-22";

/// An account in US dollars on an ordinary day.
fn dollars(pack: &Pack) -> Ask<'_> {
    Ask::new(pack).all(&[("date", DAY), ("home_currency", "USD"), ("rate_usd", "1"), ("sell_rate", "1"), ("proceeds_rate", "1")])
}

/// A tier is stored as `tier_2`; the files number it.
fn tier_number(answer: Answer, field: &'static str) -> Answer {
    let mut found = answer?;
    if let Some(Json::String(text)) = found.get_mut(field)
        && let Some(number) = text.strip_prefix("tier_")
    {
        *text = number.to_owned();
    }
    Ok(found)
}

/// A quotient is shown to four places.
fn to_four_places(answer: Answer, field: &'static str) -> Answer {
    let mut found = answer?;
    if let Some(Json::String(text)) = found.get_mut(field) {
        let exact: Decimal = text.parse().map_err(|_| Refusal::Fault(format!("{text} is no number")))?;
        *text = round_half_up(exact, 4).to_string();
    }
    Ok(found)
}

fn bundle(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        dollars(pack)
            .text("bundle_logic_enabled", "true")
            .set("seller_density", &input["seller_card_count"])
            .set(which.name("card_price", "sell_value"), &input["card_price_usd"])
            .set("net_profit", &input["net_profit"])
            .want(&[
                ("sds", "seller_density"),
                ("tier", "bundle_tier"),
                ("suppress", which.name("bundle_suppressed", "bundle_shipping_suppress")),
            ])
    })
}

fn condition_map(packs: &Packs, input: &Json, _: &Json) -> Answers {
    let text = input.get("code").or_else(|| input.get("text")).and_then(Json::as_str).unwrap_or_default();
    let grade = match Condition::parse(Scale::Cardmarket, text) {
        Ok(condition) => condition.grade,
        Err(error) => return Answers::of_both(packs, |_, _| Err(Refusal::Input(error.to_string()))),
    };
    Answers::of_both(packs, |pack, which| {
        let ask = dollars(pack).all(&[("condition_scale", "cardmarket"), ("condition", grade.as_str()), ("sell_market", "tcgplayer")]);
        let mut found = match input.get("price") {
            Some(price) => {
                let adjusted = ("adjusted_price", "adjusted_sell");
                ask.set(which.name("near_mint_price", "sell_price"), price).want(&[adjusted, ("multiplier", "condition_multiplier")])?
            }
            None => ask.want(&[("tcgplayer_grade", "sell_grade"), ("multiplier", "condition_multiplier")])?,
        };
        found.insert("code", Json::String(grade.to_string()));
        Ok(found)
    })
}

/// The rates of a day on which a euro is worth that many dollars.
fn rates(eur_usd: &Json) -> Result<Rates, Refusal> {
    let usd_per_eur = eur_usd.as_str().and_then(|text| text.parse().ok()).ok_or(Refusal::Input("no rate".to_owned()))?;
    Ok(Rates { usd_per_eur, gbp_per_eur: Some(Decimal::ONE), origin: RateOrigin { date: NaiveDate::default(), source: "case".to_owned() } })
}

fn effective_buy_price(packs: &Packs, input: &Json, _: &Json) -> Answers {
    let reference = dollars(&packs.reference)
        .set("listing_price", &input["listing_eur"])
        .set("listing_postage", &input["shipping_eur"])
        .set("buy_rate", &input["eur_usd"])
        .set("forex_buffer", &input["buffer"])
        .want(&[("cogs_usd", "effective_buy")]);
    let buffer = input["buffer"].as_str().and_then(|text| text.parse().ok());
    let default = buffer.map(|buffer| {
        let rate =
            rates(&input["eur_usd"])?.cost(Currency::Eur, Currency::Usd, buffer).map_err(|error| Refusal::Input(error.to_string()))?;
        dollars(&packs.default)
            .set("buy_price", &input["listing_eur"])
            .set("buy_shipping", &input["shipping_eur"])
            .text("cost_rate", &rate.to_string())
            .want(&[("cogs_usd", "effective_buy")])
    });
    Answers { reference: Some(reference), default }
}

fn fees(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_reference(
        dollars(&packs.reference)
            .set("sell_market", &input["platform"])
            .set("adjusted_sell", &input["price"])
            .want(&[("fee", "platform_fee")]),
    )
}

fn forex(packs: &Packs, input: &Json, _: &Json) -> Answers {
    let ask = || dollars(&packs.reference).set("buy_rate", &input["eur_usd"]).set("forex_buffer", &input["buffer"]);
    match input["kind"].as_str() {
        Some("eur_to_usd") => Answers::of_reference(ask().set("foreign_amount", &input["amount"]).want(&[("amount", "paid")])),
        Some("usd_to_eur") => Answers::of_reference(ask().set("home_amount", &input["amount"]).want(&[("amount", "received")])),
        Some("live_rate") => Answers::of_reference(live_rate(input)),
        _ => Answers::default(),
    }
}

/// The choice of a rate is the domain's and the answer's format is the source's; no pack has a say in it.
fn live_rate(input: &Json) -> Answer {
    let decimal = |value: &Json| value.as_str().and_then(|text| text.parse::<Decimal>().ok());
    let seconds = |name: &str| input[name].as_i64().map(Duration::seconds);
    let policy = Policy {
        fresh_for: seconds("ttl_s").ok_or(Refusal::Input("no time to live".to_owned()))?,
        usable_for: USABLE_FOR,
        fixed: decimal(&input["static_rate"]).ok_or(Refusal::Input("no static rate".to_owned()))?,
    };
    let held = decimal(&input["cached_rate"]).zip(seconds("cache_age_s")).map(|(rate, age)| Held { rate, age });
    let (chosen, calls) = if let Some(chosen) = policy.without_asking(input["has_key"] == Json::Bool(true), held) {
        (chosen, 0)
    } else {
        let status = input["http_status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
        let answer = units_per_euro(status, input["body"].to_string().as_bytes(), Currency::Usd);
        (policy.after_asking(answer.ok(), held), 1)
    };
    Ok([("rate", Json::from(chosen.rate.to_string())), ("http_calls", Json::from(calls))].into())
}

fn instant(value: &Json) -> DateTime<Utc> {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}

/// Prices of a history, in the order of time; a row's price is its dollars, else its euros.
fn points(rows: &Json, at: impl Fn(&Json) -> DateTime<Utc>) -> Vec<Point> {
    let price = |row: &Json| row["usd"].as_str().or(row["eur"].as_str()).and_then(|text| text.parse().ok());
    let mut points: Vec<Point> = rows.as_array().into_iter().flatten().map(|row| Point { at: at(row), price: price(row) }).collect();
    points.sort_by_key(|point| point.at);
    points
}

fn price_trend(_: &Packs, input: &Json, file: &Json) -> Answers {
    let days = file["constants"]["window_days"].as_i64().unwrap_or_default();
    let change = daily_change(&points(&input["points"], |row| instant(&row["at"])), instant(&input["now"]), days);
    Answers::of_reference(Ok([("daily_change", Json::String(change.to_string()))].into()))
}

fn generator_e2e(packs: &Packs, input: &Json, file: &Json) -> Answers {
    let now = instant(&file["clock"]);
    let (price, metadata) = (&input["market_price"], &input["metadata"]);
    let grade = match price["condition"].as_str() {
        None => Some(Grade::NearMint),
        Some(text) => Condition::parse(Scale::Cardmarket, text).ok().map(|condition| condition.grade),
    };
    let age = metadata["release_date"].as_str().and_then(|text| text.replace('/', "-").parse::<NaiveDate>().ok());
    let age = age.map_or(Json::Null, |released| Json::from((now.date_naive() - released).num_days()));
    let history = points(&input["history"], |row| now - Duration::seconds(row["age_s"].as_i64().unwrap_or_default()));
    let mut ask = dollars(&packs.reference)
        .text("date", &now.date_naive().to_string())
        .all(&[("sell_market", "tcgplayer"), ("condition_scale", "cardmarket"), ("use_forwarder", "false")])
        .set("customs_regime", &file["constants"]["regime"])
        .set("buy_rate", &file["constants"]["eur_usd"])
        .set("rate_eur", &file["constants"]["eur_usd"])
        .set("reference_min_profit", &file["constants"]["min_profit"])
        .set("reference_transactions", &file["constants"]["num_transactions"])
        .set("seller_density", &file["constants"]["seller_card_count"])
        .set("forex_buffer", &Json::String("0.02".to_owned()))
        .set("buy_card_id", &input["card_id"])
        .set("sell_card_id", &input["card_id"])
        .set("buy_price", &price["price_eur"])
        .set("sell_price", &price["price_usd"])
        .set("condition", &grade.map_or(Json::Null, |grade| Json::from(grade.as_str())))
        .set("seller_rating", &price["seller_rating"])
        .set("seller_sales", &price["seller_sales"])
        .set("sales_30d", &input["velocity"]["sales_30d"])
        .set("active_listings", &input["velocity"]["active_listings"])
        .set("set_age_days", &age)
        .set("regulation_mark", &metadata["mark"])
        .set("standard_legality", &metadata["standard"])
        .text("sell_daily_change_7d", &daily_change(&history, now, 7).to_string());
    Answers::of_reference(match ask.reason() {
        Some(reason) => Ok([("outcome", Json::from("dropped")), ("at", Json::from(reason))].into()),
        None => tier_number(
            ask.want(&[
                ("net_profit", "net_profit"),
                ("margin_pct", "margin_pct"),
                ("velocity_score", "velocity_score"),
                ("velocity_tier", "velocity_tier"),
                ("maturity", "maturity"),
                ("headache_tier", "headache_tier"),
                ("condition", "condition"),
                ("rotation_level", "rotation_level"),
                ("trend", "trend_class"),
                ("bundle_tier", "bundle_tier"),
            ]),
            "velocity_tier",
        )
        .map(|mut found| {
            found.insert("outcome", Json::from("signal"));
            found
        }),
    })
}

fn headache(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        let answer = dollars(pack)
            .set("net_profit", &input["net_profit"])
            .set(which.name("reference_transactions", "headache_transactions"), &input["transactions"])
            .want(&[("score_4dp", "headache"), ("tier", "headache_tier")]);
        to_four_places(tier_number(answer, "tier"), "score_4dp")
    })
}

fn maturity(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, _| {
        Ask::new(pack)
            .set("date", &input["today"])
            .set("set_age_days", &input["set_age_days"])
            .set("reprint_rumored", &input["reprint_rumored"])
            .want(&[("base", "maturity_base"), ("multiplier", "maturity")])
    })
}

fn profit(packs: &Packs, input: &Json, file: &Json) -> Answers {
    let grade = match Condition::parse(Scale::Cardmarket, input["condition"].as_str().unwrap_or_default()) {
        Ok(condition) => condition.grade,
        Err(error) => return Answers::of_reference(Err(Refusal::Input(error.to_string()))),
    };
    let regime = input["regime"].as_str().unwrap_or_default().trim().to_lowercase();
    Answers::of_reference(
        dollars(&packs.reference)
            .all(&[("sell_market", "tcgplayer"), ("condition_scale", "cardmarket"), ("condition", grade.as_str())])
            .text("customs_regime", &regime)
            .set("forex_buffer", &file["constants"]["buffer"])
            .set("buy_rate", &input["eur_usd"])
            .set("rate_eur", &input["eur_usd"])
            .set("listing_price", &input["cm_price_eur"])
            .set("near_mint_price", &input["tcg_price_usd"])
            .set("use_forwarder", &input["use_forwarder"])
            .set("forwarder_receiving_fee", &input["receiving_fee"])
            .set("forwarder_consolidation_fee", &input["consolidation_fee"])
            .set("insurance_rate", &input["insurance_rate"])
            .want(&[
                ("net_profit", "net_profit"),
                ("revenue", "revenue"),
                ("cogs_usd", "cogs"),
                ("tcg_fees", "platform_fee"),
                ("customs", "import_cost"),
                ("shipping", "reference_shipping"),
                ("forwarder_costs", "forwarder_cost"),
                ("margin_pct", "margin_pct"),
            ]),
    )
}

fn rotation(packs: &Packs, input: &Json, _: &Json) -> Answers {
    let ask = Ask::new(&packs.reference).set("regulation_mark", &input["mark"]);
    Answers::of_reference(if input["kind"] == "distance" {
        ask.text("date", DAY).want(&[("distance", "mark_distance")])
    } else {
        ask.set("date", &input["today"]).set("standard_legality", &input["standard_legality"]).want(&[
            ("level", "rotation_level"),
            ("at_risk", "rotation_at_risk"),
            ("months", "months_to_rotation"),
            ("rotation_date", "told_rotation_date"),
            ("scanner_drops", "rotation_drops"),
        ])
    })
}

fn seller_quality(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        let found = dollars(pack)
            .text("seller_known", "true")
            .set(which.name("rating", "seller_rating"), &input["rating"])
            .set(which.name("lifetime_sales", "seller_sales"), &input["sales"])
            .want(&[("fails", which.name("seller_fails", "seller_quality_fail"))])?;
        Ok([("pass", Json::Bool(found["fails"] == Json::Bool(false)))].into())
    })
}

fn trend_class(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        let ask = dollars(pack)
            .set(which.name("velocity_score", "velocity"), &input["velocity"])
            .set(which.name("daily_change", "sell_daily_change_7d"), &input["daily_change"])
            .if_given("trend_high_velocity", &input["velocity_at_least"])
            .if_given("trend_falling_at_most", &input["falling_at_most"]);
        let ask = if which == Which::Default { ask.text("trend_reliable", "true") } else { ask };
        ask.want(&[("class", "trend_class"), ("suppress", "liquidation")])
    })
}

fn variant(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        let ask = Ask::new(pack).text("date", DAY).set("sell_card_id", &input["us_id"]).set("buy_card_id", &input["eu_id"]);
        let ask = match which {
            Which::Default => ask.all(&[("same_printing", "true"), ("same_language", "true"), ("same_edition", "true")]),
            Which::Reference => ask,
        };
        let found = ask.want(&[("mismatch", "variant_mismatch")])?;
        let result = if found["mismatch"] == Json::Bool(false) { "MATCH" } else { "VARIANT_MISMATCH" };
        Ok([("result", Json::from(result))].into())
    })
}

fn velocity(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        let ask = dollars(pack).if_given("velocity_standard_flip", &input["low"]).if_given("velocity_liquid_gold", &input["high"]);
        let ask = if input["kind"] == "tier" {
            ask.set("velocity", &input["value"])
        } else {
            ask.set("sales_30d", &input["sales_30d"]).set("active_listings", &input["active_listings"])
        };
        // this file knows no multipliers
        let ask = match which {
            Which::Default => ask.all(&[("velocity_confidence", "1"), ("maturity", "1"), ("staleness_multiplier", "1")]),
            Which::Reference => ask,
        };
        tier_number(ask.want(&[("score", "velocity_score"), ("tier", "velocity_tier")]), "tier")
    })
}

fn spec_eu_single_suppress(packs: &Packs, input: &Json, _: &Json) -> Answers {
    let zone = |in_eu: &Json| if *in_eu == Json::Bool(true) { "EU" } else { "US" };
    Answers::of_both(packs, |pack, which| {
        Ask::new(pack)
            .all(&[("home_currency", "EUR"), ("rate_eur", "1"), ("buy_rate", "1")])
            .set("date", &input["date"])
            .text("destination", zone(&input["buyer_in_eu"]))
            .text("origin", zone(&input["seller_in_eu"]))
            .set("buy_price", &input["price_eur"])
            .set("seller_density", &input["sds"])
            .want(&[("suppress", which.name("single_suppressed", "customs_single_suppress"))])
    })
}

fn spec_forwarder(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        let ask = dollars(pack)
            .set("effective_buy", &input["buy_effective_usd"])
            .set("seller_density", &input["sds"])
            .set("forwarder_receiving_fee", &input["receiving"])
            .set("forwarder_consolidation_fee", &input["consolidation"])
            .set("insurance_rate", &input["insurance_rate"]);
        let ask = if which == Which::Default { ask.text("via_forwarder", "true") } else { ask };
        ask.want(&[
            ("per_card_usd", which.name("shared_forwarder_cost", "forwarder_cost")),
            ("insured", "insured"),
            ("deadzone", which.name("deadzone", "insurance_deadzone")),
        ])
    })
}

fn spec_noise_ratio(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        dollars(pack)
            .set("net_profit", &input["p_real"])
            .set("effective_buy", &input["buy_effective_usd"])
            .want(&[("noise", which.name("noise", "noise_ratio_miss"))])
    })
}

fn spec_rotation_window(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        dollars(pack).set("days_to_rotation", &input["days_until_rotation"]).set("spread", &input["spread"]).want(&[
            ("in_window", "death_spiral"),
            ("suppress", which.name("window_suppressed", "death_spiral_suppressed")),
            ("rotated", "rotated"),
        ])
    })
}

/// An age in minutes as hours; a time stamp of the future is no age.
fn hours(minutes: &Json) -> String {
    let minutes = Decimal::from(minutes.as_i64().unwrap_or_default().max(0));
    round_half_up(minutes / Decimal::from(60), 4).to_string()
}

fn spec_staleness(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        Ask::new(pack).text("date", DAY).text(which.name("sell_age_hours", "price_age_hours"), &hours(&input["age_min"])).want(&[
            ("multiplier", "staleness_multiplier"),
            ("stale", "stale"),
            ("wants_scrape", "stale"),
        ])
    })
}

fn spec_velocity_composite(packs: &Packs, input: &Json, _: &Json) -> Answers {
    Answers::of_both(packs, |pack, which| {
        let answer = dollars(pack)
            .set("sales_30d", &input["sales_30d"])
            .set("active_listings", &input["active_listings"])
            .text(which.name("sell_age_hours", "price_age_hours"), &hours(&input["age_min"]))
            .set("set_age_days", &input["set_age_days"])
            .set("reprint_rumored", &input["reprint_rumored"])
            .set("velocity_confidence", &input["confidence"])
            .want(&[
                ("ratio_4dp", which.name("sales_per_listing", "velocity_ratio")),
                ("maturity", "maturity"),
                ("staleness", "staleness_multiplier"),
                ("score", which.name("composite_shown", "velocity_score")),
                ("tier", which.name("composite_tier", "velocity_tier")),
                ("stale", "stale"),
            ]);
        to_four_places(tier_number(answer, "tier"), "ratio_4dp")
    })
}
