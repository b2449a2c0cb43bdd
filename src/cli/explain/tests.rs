//! What an analyst and a tenant are shown, as reviewed snapshots.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use super::{layout::Paint, markdown, pretty};
use crate::{
    domain::{
        card::{CardId, Finish, Printing},
        market::{Direction, Market},
        money::{Currency, RateOrigin, Rates},
        observation::PriceKind,
        profile::TenantId,
    },
    rules::explain::{
        Outcome, explain,
        tests::{evaluation, pack},
    },
    scan::explain::{Answer, CardReport, Difference, PriceLine, RouteLine, StoredReport, TenantLine, Told},
};

fn day(text: &str) -> DateTime<Utc> {
    text.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc()
}

fn tenant(last: u128) -> TenantId {
    TenantId(Uuid::from_u128(last))
}

fn told(changes: &[(&str, &str)], why_not: bool) -> Told {
    let pack = pack();
    let mut explanation = explain(&mut evaluation(&pack, changes), why_not);
    // the text of the small pack is no part of what these snapshots show
    explanation.pack_hash = "0123456789abcdef".to_owned();
    let price = |name: &str| changes.iter().find(|(changed, _)| *changed == name).map(|(_, text)| *text);
    Told {
        tenant: tenant(1),
        country: Some("US".to_owned()),
        route: RouteLine {
            direction: Direction::EuUs,
            finish: Finish::english(Printing::Holofoil),
            buy_market: Market::Cardmarket,
            buy_price: price("buy_price").unwrap_or("40.00").parse().ok(),
            buy_source: "guide".to_owned(),
            buy_observed_at: day("2026-04-29"),
            buy_history: vec![(day("2026-04-28").date_naive(), None), (day("2026-04-29").date_naive(), "40".parse().ok())],
            seller_id: None,
            condition: Some("NM".to_owned()),
            sell_market: Market::Tcgplayer,
            sell_price: price("sell_price").unwrap_or("100.00").parse().ok(),
            sell_source: "tcgcsv".to_owned(),
            sell_observed_at: day("2026-04-30"),
            sell_history: Vec::new(),
        },
        explanation,
    }
}

fn report(told: Option<Told>) -> CardReport {
    let line = |last, direction, reason: Option<&str>, net: &str| TenantLine {
        tenant: tenant(last),
        country: "US".to_owned(),
        direction,
        outcome: if reason.is_some() { Outcome::Rejected } else { Outcome::Signal },
        reason: reason.map(str::to_owned),
        gates_passed: 2,
        net_profit: net.parse().ok(),
        home_currency: "USD".to_owned(),
        score: None,
    };
    CardReport {
        card_id: CardId::new("sv1-25").unwrap(),
        card_name: "Pikachu *ex* [shiny]".to_owned(),
        set_name: Some("Scarlet & Violet".to_owned()),
        card_number: Some("25".to_owned()),
        as_of: day("2026-05-01"),
        shift: Some("tcgcsv=+159d".to_owned()),
        rates: Rates {
            usd_per_eur: "1.08".parse().unwrap(),
            gbp_per_eur: None,
            origin: RateOrigin { date: "2026-04-30".parse().unwrap(), source: "ecb".to_owned() },
        },
        customs_regime: Some("world".to_owned()),
        prices: vec![PriceLine {
            market: Market::Cardmarket,
            source: "guide".to_owned(),
            kind: PriceKind::Trend,
            finish: Finish::english(Printing::Plain),
            price: "40".parse().ok(),
            currency: Currency::Eur,
            seller_id: None,
            observed_at: day("2026-04-29"),
            age_hours: 48,
        }],
        routes: usize::from(told.is_some()),
        tenants: vec![line(1, Direction::EuUs, Some("PROFIT_THRESHOLD_MISS"), "0.94"), line(2, Direction::UsEu, Some("TOO_OLD"), "")],
        told,
    }
}

fn plain(report: &CardReport) -> String {
    pretty::card(report, Paint::of(false))
}

const NEAR_MISS: &[(&str, &str)] = &[("sell_price", "45.00"), ("sell_age_hours", "5")];

#[test]
fn a_near_miss_on_a_terminal() {
    insta::assert_snapshot!(plain(&report(Some(told(NEAR_MISS, true)))));
}

#[test]
fn a_near_miss_as_a_reply_to_its_tenant() {
    insta::assert_snapshot!(markdown::card(&report(Some(told(NEAR_MISS, true)))));
}

#[test]
fn a_signal_on_a_terminal_and_as_a_reply() {
    let report = report(Some(told(&[("sell_age_hours", "5")], false)));
    insta::assert_snapshot!(format!("{}\n----------\n{}", plain(&report), markdown::card(&report)));
}

#[test]
fn a_data_fault_is_told_without_a_promise_of_profit() {
    let report = report(Some(told(&[("sell_jump_ratio", "90")], false)));
    insta::assert_snapshot!(format!("{}\n----------\n{}", plain(&report), markdown::card(&report)));
}

#[test]
fn a_card_without_a_route_is_told_with_what_there_is() {
    let report = report(None);
    insta::assert_snapshot!(format!("{}\n----------\n{}", plain(&report), markdown::card(&report)));
}

#[test]
fn a_stored_decision_says_what_has_changed_since() {
    let answer = |net: &str| Answer {
        reason: Some("PROFIT_THRESHOLD_MISS".to_owned()),
        signal_type: None,
        net_profit: net.parse().ok(),
        score: None,
        flags: Vec::new(),
    };
    let report = StoredReport {
        decision_id: Uuid::from_u128(7),
        scan_id: Uuid::from_u128(8),
        decided_at: day("2026-05-02"),
        card_id: CardId::new("sv1-25").unwrap(),
        card_name: "Pikachu".to_owned(),
        as_of: day("2026-05-01"),
        shift: None,
        stored: answer("0.95"),
        engine: "0.0.9".to_owned(),
        engine_today: "0.1.0",
        pack_hash: "0123456789abcdef".to_owned(),
        pack_today: Some("fedcba9876543210".to_owned()),
        differences: vec![Difference { what: "the net profit".to_owned(), stored: "0.95".to_owned(), again: "0.94".to_owned() }],
        by_todays_pack: Some(answer("0.50")),
        told: told(NEAR_MISS, false),
    };
    let text = pretty::stored(&report, Paint::of(false));
    insta::assert_snapshot!(text.split("\ngates").next().unwrap());
}

#[test]
fn a_reply_has_no_internal_names() {
    for changes in [NEAR_MISS, &[("sell_price", "")], &[("sell_jump_ratio", "90")], &[]] {
        let text = markdown::card(&report(Some(told(changes, true))));
        let internal = pack().graph.facts.iter().map(|fact| fact.name.clone()).filter(|name| name.contains('_')).collect::<Vec<_>>();
        for name in internal.iter().map(String::as_str).chain(["PROFIT_THRESHOLD_MISS", "ODD_PRICE"]) {
            assert!(!text.replace("\\_", "_").contains(name), "{name} in {text}");
        }
    }
}

#[test]
fn colours_are_for_terminals() {
    let report = report(Some(told(NEAR_MISS, false)));
    assert!(!plain(&report).contains('\u{1b}'));
}
