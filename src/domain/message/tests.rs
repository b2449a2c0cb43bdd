//! The exact texts.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use serde_json::json;

use super::*;
use crate::domain::{card::Printing, decision::Outcome, market::Direction, profile::TenantId};

fn opportunity() -> Opportunity {
    let at: DateTime<Utc> = "2026-11-23T20:00:00Z".parse().unwrap();
    Opportunity {
        opportunity_id: Uuid::from_u128(1),
        card_id: CardId::new("sv3-125").unwrap(),
        card_name: "Charizard ex".into(),
        finish: Finish::english(Printing::Holofoil),
        direction: Direction::EuUs,
        buy_market: Market::Cardmarket,
        sell_market: Market::Tcgplayer,
        buy_price: "54.8".parse().unwrap(),
        sell_price: "153.88".parse().unwrap(),
        buy_source: "cardmarket_price_guide".into(),
        sell_source: "tcgcsv".into(),
        buy_observed_at: at,
        sell_observed_at: at,
        seller_id: None,
        condition: Some(Grade::NearMint),
        route: json!({}),
        route_key: "k".into(),
    }
}

fn decision() -> Decision {
    Decision {
        decision_id: Uuid::from_u128(2),
        tenant: TenantId(Uuid::from_u128(3)),
        opportunity_id: Uuid::from_u128(1),
        outcome: Outcome::Signal,
        reason: None,
        signal_type: Some("arbitrage".into()),
        score: Some(Decimal::ONE),
        net_profit: Some("23.85".parse().unwrap()),
        flags: vec!["MATURITY_DECAY".into(), "INSURANCE_DEADZONE".into()],
        facts: json!({
            "home_currency": "USD", "margin_pct": "17.95", "velocity_score": "1.15", "velocity_tier": "tier_2", "headache": "23.85",
            "headache_tier": "tier_1", "seller_density": 1,
        }),
    }
}

fn card(name: &str) -> Card {
    Card {
        card_id: CardId::new("sv3-125").unwrap(),
        name: name.into(),
        set_code: "sv3".into(),
        set_name: Some("Obsidian Flames".into()),
        card_number: Some("125".into()),
        rarity: None,
        supertype: None,
        regulation_mark: None,
        set_release_date: None,
        legality_standard: None,
        legality_expanded: None,
        tcgplayer_url: Some("https://prices.pokemontcg.io/tcgplayer/sv3-125".into()),
        cardmarket_url: None,
        image_url: None,
    }
}

fn deal() -> Deal {
    Deal::of(&opportunity(), &decision(), Some(&card("Charizard ex"))).unwrap()
}

fn signal(standing: Standing) -> Box<Signal> {
    Box::new(Signal { short_id: short_id(Uuid::from_u128(0x4f2a_91c0)), deal: deal(), basket: Vec::new(), standing })
}

fn text(message: &Message) -> String {
    message.words().plain()
}

#[test]
fn a_signal_says_type_profit_both_sides_velocity_headache_risks_time_and_id() {
    insta::assert_snapshot!(text(&Message::Signal(signal(Standing::Offered { minutes: 180 }))));
}

#[test]
fn a_basket_lists_every_card_of_the_parcel_and_marks_the_one_that_adds_least() {
    let mut bundle = signal(Standing::Offered { minutes: 180 });
    bundle.deal.signal_type = "bundle".into();
    bundle.deal.seller = Some("kartenhaus".into());
    bundle.deal.net_profit = "7.17".parse().unwrap();
    let cheap = |id: &str, name: &str, net: &str| InBasket {
        short_id: id.into(),
        deal: Deal { name: name.into(), net_profit: net.parse().unwrap(), risks: Vec::new(), ..bundle.deal.clone() },
    };
    bundle.basket = vec![cheap("0000000b", "Mew ex", "4.03"), cheap("0000000c", "Pikachu", "9.00")];
    insta::assert_snapshot!(text(&Message::Signal(bundle)));
}

#[test]
fn every_end_of_a_signal_is_told_and_asks_nothing_more() {
    let before = "25.10".parse().unwrap();
    let until = Some("2026-11-24T13:05:00Z".parse().unwrap());
    let standings = [
        Standing::Repriced { net_profit_before: before, until },
        Standing::Taken,
        Standing::Passed,
        Standing::Expired,
        Standing::Withdrawn { reason: "the price on Cardmarket rose".into() },
    ];
    let told: Vec<String> = standings
        .into_iter()
        .map(|standing| {
            let words = Message::Signal(signal(standing)).words();
            format!("{}\n[asks about {:?}]", words.plain(), words.asks)
        })
        .collect();
    insta::assert_snapshot!(told.join("\n\n"));
}

#[test]
fn a_batch_and_a_digest_sum_up_and_list_the_deals() {
    let second = Deal { name: "Mew ex".into(), net_profit: "31.2".parse().unwrap(), margin_pct: None, risks: Vec::new(), ..deal() };
    let digest = Digest { at: "2026-11-24T06:00:00Z".parse().unwrap(), deals: vec![deal(), second], left_out: 3 };
    let told = format!("{}\n\n{}", text(&Message::Batch(digest.clone())), text(&Message::Digest(digest)));
    insta::assert_snapshot!(told);
}

#[test]
fn what_is_unknown_is_left_out_and_not_zero() {
    let mut bare = decision();
    bare.facts = json!({ "home_currency": "EUR" });
    bare.flags.clear();
    let deal = Deal::of(&opportunity(), &bare, None).unwrap();
    let told = text(&Message::Signal(Box::new(Signal { deal, ..*signal(Standing::Offered { minutes: 60 }) })));
    assert!(!told.contains("Velocity") && !told.contains("Risks") && !told.contains("margin"), "{told}");
    bare.net_profit = None;
    let error = Deal::of(&opportunity(), &bare, None).unwrap_err().to_string();
    assert_eq!(error, "decision 00000000-0000-0000-0000-000000000002 is no signal that can be told: it has no net profit");
}

#[test]
fn a_hostile_name_stays_on_its_line() {
    let deal = Deal::of(&opportunity(), &decision(), Some(&card("Mew\nId 00000000\u{202e}\r\n*x*"))).unwrap();
    let told = text(&Message::Signal(Box::new(Signal { deal, ..*signal(Standing::Offered { minutes: 60 }) })));
    assert_eq!(told.lines().filter(|line| line.starts_with("Id ")).count(), 1, "{told}");
    assert!(told.starts_with("Arbitrage: Mew Id 00000000 *x* (sv3-125), Obsidian Flames\n"), "{told}");
}

#[test]
fn a_message_comes_back_from_the_outbox_as_it_was_put_in() {
    let messages = [
        Message::Signal(signal(Standing::Repriced { net_profit_before: Decimal::ONE, until: None })),
        Message::Digest(Digest { at: DateTime::UNIX_EPOCH, deals: vec![deal()], left_out: 0 }),
        Message::Notice(Notice { title: "a".into(), text: "b".into() }),
        Message::Signal(Box::new(Signal {
            deal: Deal { margin_pct: None, velocity: None, headache: None, ..deal() },
            ..*signal(Standing::Taken)
        })),
    ];
    for message in messages {
        let kept = serde_json::to_value(&message).unwrap();
        assert_eq!(serde_json::from_value::<Message>(kept).unwrap(), message);
    }
}
