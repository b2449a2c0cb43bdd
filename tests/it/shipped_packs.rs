//! The packs that come with the program load without a fault, and the default one decides as the domain's worked examples do.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{collections::BTreeSet, path::Path, sync::LazyLock};

use proptest::prelude::*;
use rust_decimal::Decimal;
use tcg_radar::rules::{
    facts::{Domain, INPUTS, Input},
    graph::Kind,
    interpret::{Evaluation, Slot},
    pack::Pack,
    tree::Literal,
    value::{Type, Value},
};

fn load(folder: &str) -> Pack {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    Pack::load(&root).unwrap_or_else(|faults| panic!("{faults:?}"))
}

static DEFAULT: LazyLock<Pack> = LazyLock::new(|| load("rules"));

#[test]
fn the_reference_pack_loads() {
    assert_eq!(load("tests/packs/reference").name, "reference");
}

/// A near-mint card for 40.00 EUR that sells for 100.00 USD, bought by a US tenant through a European forwarder.
const EU_US: &[(&str, &str)] = &[
    ("date", "2026-05-01"),
    ("customs_regime", "world"),
    ("bundle_logic_enabled", "true"),
    ("card_id", "sv1-25"),
    ("set_code", "sv1"),
    ("set_age_days", "45"),
    ("reprint_rumored", "false"),
    ("regulation_mark", "H"),
    ("standard_legality", "Legal"),
    ("sales_30d", "90"),
    ("active_listings", "60"),
    ("direction", "eu_us"),
    ("buy_market", "cardmarket"),
    ("sell_market", "tcgplayer"),
    ("origin", "EU"),
    ("buy_card_id", "sv1-25"),
    ("sell_card_id", "sv1-25"),
    ("buy_printing", "holofoil"),
    ("sell_printing", "holofoil"),
    ("buy_edition", "standard"),
    ("sell_edition", "standard"),
    ("buy_language", "en"),
    ("sell_language", "en"),
    ("condition_scale", "cardmarket"),
    ("condition", "NM"),
    ("buy_price", "40.00"),
    ("buy_shipping", "1.50"),
    ("sell_price", "100.00"),
    ("buy_age_hours", "3"),
    ("sell_age_hours", "3"),
    ("buy_jump_ratio", "1.02"),
    ("sell_jump_ratio", "0.99"),
    ("tenant_country", "US"),
    ("destination", "US"),
    ("home_currency", "USD"),
    ("buy_rate", "1.08"),
    ("sell_rate", "1"),
    ("cost_rate", "1.1016"),
    ("proceeds_rate", "1"),
    ("rate_eur", "1.08"),
    ("rate_usd", "1"),
    ("rate_gbp", "1.27"),
    ("forex_buffer", "0.02"),
    ("seller_level", "level_1"),
    ("use_forwarder", "true"),
    ("forwarder_receiving_fee", "3.50"),
    ("forwarder_consolidation_fee", "7.50"),
    ("forwarder_outbound", "12.00"),
    ("insurance_rate", "0.025"),
];

/// What differs when a German tenant with an account in dollars buys at TCGplayer through a US forwarder.
const US_EU: &[(&str, &str)] = &[
    ("date", "2026-07-15"),
    ("direction", "us_eu"),
    ("buy_market", "tcgplayer"),
    ("sell_market", "cardmarket"),
    ("origin", "US"),
    ("destination", "EU"),
    ("tenant_country", "DE"),
    ("condition_scale", "tcgplayer"),
    ("buy_rate", "1"),
    ("cost_rate", "1"),
    ("sell_rate", "1.08"),
    ("proceeds_rate", "1.0588235294"),
    ("forwarder_outbound", "16.00"),
    ("buy_price", "20.00"),
    ("buy_shipping", "1.49"),
    ("sell_price", "34.00"),
];

/// A route of the default pack with some facts changed; an empty text is "nobody knows".
fn route(changes: &[&[(&str, &str)]]) -> Evaluation<'static> {
    let mut evaluation = Evaluation::new(&DEFAULT);
    for (name, text) in EU_US.iter().chain(changes.iter().copied().flatten()) {
        let id = DEFAULT.graph.id(name).unwrap_or_else(|| panic!("no fact is called {name}"));
        let value_type = DEFAULT.graph.fact(id).value_type.unwrap_or(Type::Decimal);
        let value = if text.is_empty() { Value::Unknown } else { Value::parse(value_type, text).unwrap() };
        evaluation.set(id, value).unwrap();
    }
    evaluation
}

fn text(evaluation: &mut Evaluation<'_>, name: &str) -> String {
    match evaluation.slot(DEFAULT.graph.id(name).unwrap()) {
        Slot::Known(Value::Decimal(number)) => number.normalize().to_string(),
        Slot::Known(value) => value.to_string(),
        other => format!("{other:?}"),
    }
}

fn reason(changes: &[&[(&str, &str)]]) -> String {
    route(changes).verdict().reason(&DEFAULT).unwrap_or("SIGNAL").to_owned()
}

fn facts(changes: &[&[(&str, &str)]], names: &[&str]) -> Vec<String> {
    let mut evaluation = route(changes);
    names.iter().map(|name| text(&mut evaluation, name)).collect()
}

#[test]
fn a_sound_route_is_a_signal_whose_waterfall_can_be_followed() {
    assert_eq!(reason(&[]), "SIGNAL");
    // 100.00 − (10.75 + 2.5 % of 107.52 + 0.30 = 13.74); 41.50 × 1.1016; 10 % of that; 12.00 + 5.25; 11.00 + 2.5 % of 45.72
    let names = ["proceeds", "effective_buy", "import_cost", "outbound_shipping", "forwarder_cost", "net_profit"];
    assert_eq!(facts(&[], &names), ["86.26", "45.72", "4.57", "17.25", "12.14", "6.58"]);
    assert_eq!(
        facts(&[], &["velocity", "velocity_tier", "trend_class", "spread"]),
        ["1.1475", "tier_2", "stable", "1.18722660"].map(|text| text.trim_end_matches('0'))
    );
    let mut evaluation = route(&[]);
    assert_eq!(evaluation.signal_type().as_deref(), Some("arbitrage"));
    assert_eq!(evaluation.flags(), ["SELLER_UNVERIFIED".into()] as [std::sync::Arc<str>; 1]);
}

#[test]
fn the_way_back_into_the_european_union_costs_duty_and_vat() {
    let names = ["proceeds", "effective_buy", "customs_duty", "import_vat", "outbound_shipping", "forwarder_cost", "net_profit"];
    assert_eq!(facts(&[US_EU], &names), ["34.2", "21.49", "3.3", "7.75", "16", "11", "-25.34"]);
    // four cards of one seller share everything but the goods; the first leg too
    let four: &[(&str, &str)] = &[("seller_density", "4")];
    assert_eq!(facts(&[US_EU, four], &names), ["34.2", "20.37", "0.83", "4.79", "4", "2.75", "1.46"]);
    assert_eq!(reason(&[US_EU]), "CUSTOMS_SINGLE_SUPPRESS");
    let before: &[(&str, &str)] = &[("date", "2026-06-30")];
    assert_eq!(facts(&[US_EU, before], &["customs_duty", "customs_basis"]), ["0", "free"]);
    let registered: &[(&str, &str)] = &[("vat_registered", "true")];
    assert_eq!(facts(&[US_EU, registered], &["import_vat"]), ["0"]);
    let unlisted: &[(&str, &str)] = &[("tenant_country", "ZZ")];
    assert_eq!(reason(&[US_EU, unlisted, &[("seller_density", "4")]]), "DATA_INCOMPLETE");
}

#[test]
fn a_parcel_of_five_shares_its_postage() {
    let cheap: &[(&str, &str)] = &[("buy_price", "8.00"), ("buy_shipping", "9.50"), ("sell_price", "22.00")];
    let bought = |density: &str| facts(&[cheap, &[("seller_density", density)]], &["effective_buy"])[0].clone();
    assert_eq!([bought("1"), bought("2"), bought("5")], ["19.28", "14.05", "10.91"]);
    let mut five = route(&[cheap, &[("seller_density", "5")]]);
    assert_eq!(five.signal_type().as_deref(), Some("bundle"));
    assert_eq!(text(&mut five, "bundle_tier"), "bundle_alert");
}

#[test]
fn a_box_of_several_parcels_is_shared_by_all_of_their_cards() {
    let gathered: &[(&str, &str)] = &[("forwarder_parcels_per_box", "5"), ("seller_density", "2")];
    // 3.50 for each parcel of two; 7.50, 16.00 and 3.30 for the box of ten
    let names = ["cards_per_consignment", "forwarder_cost", "box_postage_share", "customs_duty", "effective_buy"];
    assert_eq!(facts(&[US_EU, gathered, &[("buy_price", "10.00")]], &names), ["10", "2.5", "1.6", "0.33", "10.75"]);
    // the value of the whole box counts: ten cards of 20.00 are above 150 EUR
    assert_eq!(facts(&[US_EU, gathered], &["customs_basis"]), ["ad_valorem"]);
}

#[test]
fn fees_follow_the_schedule_of_market_level_country_and_day() {
    let fee = |changes: &[(&str, &str)]| facts(&[changes], &["platform_fee"])[0].clone();
    // the cap of 75.00 bites; processing on 1075.20 is 26.88
    assert_eq!(fee(&[("sell_price", "1000.00")]), "102.18");
    // 9.25 % + 2.5 % + 2.5 % of 107.52 + 0.30
    assert_eq!(fee(&[("seller_level", "pro")]), "14.74");
    assert_eq!(fee(&[("seller_level", "")]), "13.74");
    // outside the United States: 3.5 % and 2 % of 107.52
    assert_eq!(fee(&[("destination", "SEA")]), "16.96");
    assert_eq!(fee(&[("sell_market", "ebay")]), "14.65");
    // 1.65 % of 107.52 more for a seller abroad
    assert_eq!(fee(&[("sell_market", "ebay"), ("destination", "UK")]), "16.42");
    assert_eq!(fee(&[("sell_market", "cardmarket"), ("condition_scale", "tcgplayer"), ("destination", "UK")]), "8");
    assert_eq!(fee(&[("sell_market", "ebay"), ("seller_level", "top_rated")]), "13.22");
    assert_eq!(fee(&[("sell_market", "ebay"), ("sell_price", "9.00")]), "1.58");
    // 13.25 % of 7500 and 2.35 % of 3252, and 0.40
    assert_eq!(fee(&[("sell_market", "ebay"), ("sell_price", "10000.00")]), "1070.57");
    assert_eq!(fee(&[("sell_market", "ebay"), ("date", "2024-06-01")]), "14.55");
    assert_eq!(facts(&[US_EU, &[("sell_price", "80.00")]], &["platform_fee"]), ["4"]);
    assert_eq!(facts(&[US_EU, &[("sell_price", "9000.00")]], &["platform_fee"]), ["100"]);
}

#[test]
fn the_guides_regimes_and_the_law_differ_on_one_lane() {
    let on = |regime: &str, date: &str, price: &str| {
        facts(&[&[("customs_regime", regime), ("date", date), ("buy_price", price)]], &["customs_duty"])[0].clone()
    };
    assert_eq!(on("pre_july_2026", "2026-08-01", "40.00"), "0");
    // 760.00 EUR are 820.80 USD at the market rate: above the guide's 800
    assert_eq!(on("pre_july_2026", "2026-08-01", "760.00"), "20.97");
    assert_eq!(on("post_july_2026", "2026-05-01", "40.00"), "3.3");
    assert_eq!(on("world", "2025-08-28", "40.00"), "0");
    assert_eq!(on("world", "2025-08-29", "40.00"), "6.86");
    assert_eq!(on("world", "2026-05-01", "40.00"), "4.57");
    let shared = facts(&[&[("customs_regime", "post_july_2026"), ("seller_density", "5")]], &["customs_duty"]);
    assert_eq!(shared, ["3.3"], "the guide's duty is per card, however many are in the parcel");
    assert_eq!(reason(&[&[("customs_regime", "nowhere")]]), "DATA_INCOMPLETE");
}

/// Every reason of the pack, and the change that brings it about.
const REASONS: &[(&str, &[(&str, &str)])] = &[
    ("VARIANT_MISMATCH", &[("buy_card_id", "svp-25")]),
    ("VARIANT_MISMATCH", &[("buy_card_id", "")]),
    ("VARIANT_MISMATCH", &[("buy_printing", "reverse_holofoil")]),
    ("VARIANT_MISMATCH", &[("buy_printing", "")]),
    ("VARIANT_MISMATCH", &[("sell_language", "ja")]),
    ("VARIANT_MISMATCH", &[("sell_edition", "first")]),
    ("SHARED_PRODUCT_ID", &[("buy_id_claims", "2")]),
    ("DATA_INCOMPLETE", &[("sell_price", "")]),
    ("DATA_INCOMPLETE", &[("buy_price", "0.00")]),
    ("DATA_INCOMPLETE", &[("condition", "")]),
    ("STALE_BUY_PRICE", &[("buy_age_hours", "168.1")]),
    ("STALE_SELL_PRICE", &[("sell_age_hours", "200")]),
    ("FROZEN_FEED", &[("buy_feed_frozen_share", "0.9"), ("buy_days_unchanged", "7")]),
    ("SUSPECT_BATCH", &[("buy_feed_jump_share", "0.27"), ("buy_jump_ratio", "0.7")]),
    ("SUSPECT_BATCH", &[("buy_feed_jump_share", "0.27"), ("buy_jump_ratio", "")]),
    ("IMPLAUSIBLE_PRICE", &[("buy_jump_ratio", "0.011")]),
    ("IMPLAUSIBLE_PRICE", &[("sell_jump_ratio", "3.1")]),
    ("IMPLAUSIBLE_PRICE", &[("buy_cross_source_ratio", "0.4")]),
    ("IMPLAUSIBLE_PRICE", &[("buy_low", "90.00")]),
    ("IMPLAUSIBLE_PRICE", &[("sell_low", "9.99")]),
    ("IMPLAUSIBLE_PRICE", &[("sell_price", "450.00")]),
    ("DIRECTION_EXCLUDED", &[("direction_wanted", "false")]),
    ("SET_EXCLUDED", &[("set_excluded", "true")]),
    ("CATEGORY_EXCLUDED", &[("category_wanted", "false")]),
    ("LANE_UNAVAILABLE", &[("use_forwarder", "false")]),
    ("CONDITION_REJECT", &[("condition", "PO")]),
    ("CONDITION_REJECT", &[("condition", "GD"), ("condition_floor", "EXC")]),
    ("SELLER_QUALITY_FAIL", &[("seller_known", "true"), ("seller_rating", "96.99"), ("seller_sales", "5000")]),
    ("SELLER_QUALITY_FAIL", &[("seller_known", "true")]),
    (
        "LIQUIDATION_SUPPRESSED",
        &[("sales_30d", "300"), ("sell_daily_change_7d", "-0.1"), ("sell_trend_points", "3"), ("sell_trend_hours", "24")],
    ),
    ("ROTATION_SUPPRESSED", &[("standard_legality", "Banned")]),
    ("ROTATION_SUPPRESSED", &[("regulation_mark", "G"), ("date", "2026-03-01"), ("sell_price", "60.00")]),
    ("ROTATION_SUPPRESSED", &[("regulation_mark", "G"), ("date", "2026-05-22"), ("sell_price", "60.00")]),
    ("VELOCITY_FLOOR_MISS", &[("sales_30d", "0")]),
    ("BUNDLE_SHIPPING_SUPPRESS", &[("buy_price", "15.00"), ("sell_price", "24.99")]),
    ("PROFIT_THRESHOLD_MISS", &[("min_profit_threshold", "6.59")]),
    ("NOISE_RATIO_MISS", &[("buy_price", "400.00"), ("sell_price", "653.00")]),
    ("HEADACHE_FLOOR_MISS", &[("min_headache_score", "6.59")]),
    ("SCORE_FLOOR_MISS", &[("min_score", "9")]),
];

#[test]
fn every_reason_can_be_met() {
    for (expected, changes) in REASONS {
        assert_eq!(reason(&[changes]), *expected, "{changes:?}");
    }
    assert_eq!(reason(&[US_EU]), "CUSTOMS_SINGLE_SUPPRESS");
    let met: BTreeSet<&str> = REASONS.iter().map(|(reason, _)| *reason).chain(["CUSTOMS_SINGLE_SUPPRESS"]).collect();
    for gate in &DEFAULT.gates {
        assert!(met.contains(&*gate.reason), "no case meets {}", gate.reason);
    }
}

#[test]
fn just_inside_each_bound_a_route_passes() {
    for changes in [
        &[("buy_age_hours", "168")] as &[(&str, &str)],
        &[("buy_feed_frozen_share", "0.9"), ("buy_days_unchanged", "6")],
        &[("buy_feed_jump_share", "0.27"), ("buy_jump_ratio", "0.8")],
        &[("buy_feed_jump_share", "0.05"), ("buy_jump_ratio", "2")],
        &[("seller_known", "true"), ("seller_rating", "97"), ("seller_sales", "100")],
        // a fall seen on two points only is a flag, not a verdict
        &[("sales_30d", "300"), ("sell_daily_change_7d", "-0.5"), ("sell_trend_points", "2"), ("sell_trend_hours", "24")],
        // a wide spread makes up for rotation; after the quarantine nothing has to
        &[("regulation_mark", "G"), ("date", "2026-03-01")],
        &[("regulation_mark", "G"), ("date", "2026-05-23")],
        &[("regulation_mark", "Z")],
        &[("regulation_mark", "")],
        &[("min_profit_threshold", "6.58"), ("min_headache_score", "6.58")],
        &[("buy_printing", "plain")],
        &[("sales_30d", "0"), ("investment_wanted", "true")],
    ] {
        assert_eq!(reason(&[changes]), "SIGNAL", "{changes:?}");
    }
}

#[test]
fn every_flag_can_be_raised() {
    let raising: &[(&str, &[(&str, &str)])] = &[
        ("ID_UNVERIFIED", &[("id_verified", "false")]),
        ("UNVERIFIED", &[("buy_jump_ratio", "")]),
        ("STALE_LISTING", &[("buy_age_hours", "4.01")]),
        ("SELLER_UNVERIFIED", &[]),
        ("CONDITION_PENALTY", &[("condition", "EXC")]),
        ("VELOCITY_ESTIMATED", &[("active_listings", ""), ("sell_points_30d", "30"), ("sell_price_changes_30d", "15")]),
        ("VELOCITY_UNKNOWN", &[("sales_30d", ""), ("active_listings", "")]),
        ("LOW_VELOCITY", &[("sales_30d", "5")]),
        ("FALLING_KNIFE", &[("sell_daily_change_7d", "-0.1")]),
        ("SPECULATIVE_SPIKE", &[("sell_daily_change_7d", "0.1")]),
        ("HYPE_WINDOW", &[("set_age_days", "-3")]),
        ("MATURITY_DECAY", &[("set_age_days", "61")]),
        ("ROTATION_RISK", &[("regulation_mark", "G"), ("date", "2026-02-22")]),
        ("DEATH_SPIRAL", &[("regulation_mark", "G"), ("date", "2026-04-10")]),
        ("ROTATED", &[("regulation_mark", "F")]),
        ("BANNED", &[("standard_legality", "Banned")]),
        ("UNKNOWN_MARK", &[("regulation_mark", "K")]),
        ("INSURANCE_DEADZONE", &[("buy_price", "50.00")]),
        ("SINGLE_CARD_SHIPPING", &[("sell_price", "24.99")]),
        ("PROMO_PRINT", &[("set_code", "swshp")]),
        ("CHEAP_OFFERS", &[("sell_low", "24.99")]),
        ("ACCOUNT_ABROAD", &[("sell_market", "cardmarket")]),
        ("FORWARDER_SUGGESTED", &[("destination", "UK"), ("use_forwarder", "false"), ("seller_density", "2")]),
    ];
    for (flag, changes) in raising {
        let raised = route(&[changes]).flags();
        assert!(raised.iter().any(|found| &**found == *flag), "{flag}: {raised:?}");
    }
    for flag in &DEFAULT.flags {
        assert!(raising.iter().any(|(raised, _)| *raised == &*flag.flag), "no case raises {}", flag.flag);
    }
}

#[test]
fn velocity_without_a_count_is_estimated_or_assumed_and_says_so() {
    let names = ["velocity_basis", "velocity_ratio"];
    let found = |changes: &[(&str, &str)]| facts(&[changes], &names);
    assert_eq!(found(&[("sales_30d", "10"), ("active_listings", "0")]), ["counted", "10"]);
    assert_eq!(found(&[("sales_30d", "0"), ("active_listings", "")]), ["counted", "0"]);
    let moves: &[(&str, &str)] = &[("sales_30d", ""), ("sell_points_30d", "30"), ("sell_price_changes_30d", "10")];
    assert_eq!(found(moves), ["estimated", "1.33333333"]);
    assert_eq!(found(&[("sales_30d", ""), ("sell_points_30d", "30"), ("sell_price_changes_30d", "30")]), ["estimated", "1.5"]);
    assert_eq!(found(&[("sales_30d", ""), ("sell_points_30d", "6"), ("sell_price_changes_30d", "6")]), ["assumed", "1"]);
}

#[test]
fn the_sell_markets_own_price_of_a_grade_wins_over_the_multiplier() {
    let sold = |changes: &[(&str, &str)]| facts(&[changes], &["sell_grade", "adjusted_sell"]);
    assert_eq!(sold(&[("condition", "EXC")]), ["LP", "85"]);
    assert_eq!(sold(&[("condition", "EXC"), ("sell_price_lp", "79.90")]), ["LP", "79.9"]);
    assert_eq!(sold(&[("condition", "EXC"), ("sell_price_lp", "140.00")]), ["LP", "100"]);
    // the same two letters are another grade on the other scale
    assert_eq!(sold(&[("condition", "LP")]), ["MP", "75"]);
    assert_eq!(sold(&[("condition", "LP"), ("condition_scale", "tcgplayer")]), ["LP", "85"]);
    assert_eq!(facts(&[US_EU, &[("condition", "LP")]], &["sell_grade", "adjusted_sell"]), ["EXC", "28.9"]);
}

#[test]
fn with_bundle_logic_off_every_card_is_a_single_and_none_is_dropped_for_it() {
    let off: &[(&str, &str)] = &[("bundle_logic_enabled", "false")];
    assert_eq!(facts(&[off], &["bundle_candidate", "seller_density"]), ["false", "1"]);
    let cheap: &[(&str, &str)] = &[("buy_price", "15.00"), ("sell_price", "24.99")];
    assert_eq!(reason(&[cheap, off]), "PROFIT_THRESHOLD_MISS");
    assert_eq!(facts(&[cheap], &["bundle_candidate"]), ["true"]);
}

#[test]
fn every_formula_and_column_of_the_default_pack_says_what_it_is() {
    for fact in &DEFAULT.graph.facts {
        assert!(!fact.doc.is_empty(), "{} has no description", fact.name);
        if matches!(fact.kind, Kind::Derived { .. }) {
            assert!(fact.value_type.is_some(), "the type of {} can't be told", fact.name);
        }
    }
}

fn money(cents: std::ops::Range<i64>) -> impl Strategy<Value = String> {
    cents.prop_map(|cents| Decimal::new(cents, 2).to_string())
}

proptest! {
    #[test]
    fn the_waterfall_adds_up_to_the_cent(
        buy in money(1..200_000), postage in money(0..3_000), sell in money(1..400_000), density in 1_i64..12,
        rate in 500_000_i64..2_000_000, back in any::<bool>(), regime in prop::sample::select(vec!["world", "pre_july_2026", "post_july_2026"]),
    ) {
        let (rate, density) = (Decimal::new(rate, 6).to_string(), density.to_string());
        let figures = [("buy_price", buy.as_str()), ("buy_shipping", &postage), ("sell_price", &sell), ("seller_density", &density), ("customs_regime", regime)];
        let rates: [(&str, &str); 2] = if back { [("proceeds_rate", &rate), ("sell_rate", &rate)] } else { [("cost_rate", &rate), ("buy_rate", &rate)] };
        let mut evaluation = route(&[if back { US_EU } else { &[] }, &figures, &rates]);
        let lines: Vec<Decimal> = DEFAULT.waterfall.iter().map(|id| evaluation.known(*id).and_then(|value| value.as_decimal()).unwrap()).collect();
        let (net, taken) = (lines.last().unwrap(), &lines[1..lines.len() - 1]);
        prop_assert_eq!(lines[0] - taken.iter().sum::<Decimal>(), *net);
        for line in &lines {
            prop_assert!(line.normalize().scale() <= 2, "{} is finer than a cent", line);
        }
    }
}

/// Values that an input admits, the edges of its range and "nobody knows" among them.
fn admitted(input: &'static Input) -> BoxedStrategy<Value> {
    let known = match input.domain {
        Domain::Decimal { places, min, max } => {
            let scale = 10_i64.pow(places);
            let (low, high) = (min.saturating_mul(scale), max.saturating_mul(scale));
            prop_oneof![Just(low), Just(high), low..=high, low.max(0)..=high.min(200 * scale).max(low.max(0))]
                .prop_map(move |number| Value::Decimal(Decimal::new(number, places)))
                .boxed()
        }
        Domain::Integer { min, max } => {
            prop_oneof![Just(min), Just(max), min..=max, min.max(0)..=max.min(40)].prop_map(Value::Integer).boxed()
        }
        Domain::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Domain::Enum(members) => prop::sample::select(members).prop_map(|member| Value::Text(member.into())).boxed(),
        Domain::Text => {
            let texts = [input.example, "world", "pre_july_2026", "post_july_2026", "DE", "Banned", "G", "F", "Z", "pro", ""];
            prop::sample::select(texts.to_vec()).prop_map(|text| Value::Text(text.into())).boxed()
        }
        Domain::Date => {
            let days = ["2019-12-31", "2020-01-01", "2025-08-29", "2026-06-30", "2026-07-01", "2028-07-01", "2040-01-01"];
            prop::sample::select(days.to_vec()).prop_map(|day| Value::parse(Type::Date, day).unwrap()).boxed()
        }
    };
    prop_oneof![9 => known, 1 => Just(Value::Unknown)].boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn no_fact_of_the_default_pack_fails_on_anything_that_a_feed_may_say(
        values in INPUTS.iter().map(admitted).collect::<Vec<_>>(), density in 1_i64..200,
    ) {
        let mut evaluation = Evaluation::new(&DEFAULT);
        for (input, value) in INPUTS.iter().zip(values) {
            evaluation.set(DEFAULT.graph.id(input.name).unwrap(), value).unwrap();
        }
        evaluation.set(DEFAULT.graph.id("seller_density").unwrap(), Value::Integer(density)).unwrap();
        for id in DEFAULT.graph.ids() {
            let fault = match evaluation.slot(id) {
                Slot::Fault(fault) => Some(fault.to_string()),
                _ => None,
            };
            prop_assert_eq!(fault, None);
        }
    }
}

#[test]
fn what_is_inferred_of_a_formula_is_what_it_gives() {
    let mut seen = 0;
    for changes in [&[] as &[&[(&str, &str)]], &[US_EU], &[US_EU, &[("condition", "LP"), ("seller_density", "4")]], &[&[("sales_30d", "")]]]
    {
        let mut evaluation = route(changes);
        for id in DEFAULT.graph.ids() {
            let fact = DEFAULT.graph.fact(id);
            let (Some(expected), Some(value)) = (fact.value_type, evaluation.known(id)) else { continue };
            let found = value.value_type().unwrap();
            assert!(found == expected || (found, expected) == (Type::Integer, Type::Decimal), "{}: {value} is no {expected}", fact.name);
            if let (Value::Text(text), Some(possible)) = (&value, &fact.possible) {
                assert!(possible.contains(&Literal::Text(text.as_str().into())), "{} is never {text}", fact.name);
            }
            seen += usize::from(matches!(fact.kind, Kind::Derived { .. }));
        }
    }
    assert!(seen > 300, "{seen}");
}

#[test]
fn every_number_of_the_default_pack_has_a_unit() {
    for fact in &DEFAULT.graph.facts {
        assert!(fact.unit.is_some(), "the unit of {} can't be told", fact.name);
    }
    let unit = |name: &str| DEFAULT.graph.fact(DEFAULT.graph.id(name).unwrap()).unit.unwrap().to_string();
    assert_eq!(
        ["net_profit", "platform_fee", "graded_price", "days_to_rotation", "price_age_hours", "margin_pct"].map(unit),
        ["home", "sell", "sell", "days", "hours", "ratio"]
    );
}
