//! The service killed again and again while it scans, hands over and sends: nothing is lost, nothing is sent twice but what
//! is marked as in doubt, no send begins after its deadline, and nobody holds what somebody else holds.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use tcg_radar::{
    domain::message::{Channel, Message, Reply},
    simulate::messengers::{Deed, Messengers, Order},
    store::outbox::{self, NewMessage},
};

use crate::{
    live::{FEW, Service, count, market, rows},
    reload::Stage,
};

/// By hand `TCG_RADAR_KILLS=100`.
fn rounds() -> usize {
    std::env::var("TCG_RADAR_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// Messages beside the signals, so that every kill meets something on its way.
const NOTES: i64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_at_random_loses_nothing_and_tells_nobody_twice_unawares() {
    let stage = Stage::new().await;
    market(&stage.store, Utc::now(), FEW).await;
    let messengers = Messengers::start(Arc::new(Utc::now), 0).await.unwrap();
    let mut variables: Vec<(&str, &str)> = vec![("SOURCES_OFF", "cardmarket,tcgcsv,ecb,pokemontcg,justtcg,poketrace,exchangerate")];
    let places = messengers.variables();
    variables.extend(places.iter().map(|(name, value)| (*name, value.as_str())));
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let rounds = rounds();
    for round in 0..rounds {
        let now = Utc::now();
        let mut tx = stage.store.service().await.unwrap();
        for note in 0..NOTES {
            let chat_id = 10_000 + note;
            let message = Message::Reply(Reply { title: None, lines: vec![format!("note {round} {note}")] });
            // the first of each round is over before anybody can send it
            let deadline = now + if note == 0 { TimeDelta::milliseconds(1) } else { TimeDelta::minutes(30) };
            let new = NewMessage {
                tenant: None,
                signal_id: None,
                with_signals: &[],
                channel: Channel::Telegram,
                chat_id,
                message: &message,
                priority: 0,
                deadline,
                not_before: now,
            };
            outbox::enqueue(&mut tx, &new, now).await.unwrap();
        }
        tx.commit().await.unwrap();
        messengers.order(Order::new("telegram", None, Deed::Lost));
        let service = Service::start_with(&stage, &variables);
        let life = 300 + u64::from(dice.next_u32() % 2_500);
        tokio::time::sleep(Duration::from_millis(life)).await;
        service.signal("-KILL");
    }
    // a lease of the last one has to run out; the clock is the machine's, so it is set back here
    let mut admin = stage.database.superuser().await;
    sqlx::query("UPDATE outbox SET lease_until = now() - interval '1 second' WHERE state = 'leased'").execute(&mut admin).await.unwrap();
    let service = Service::start_with(&stage, &variables);
    let open = "SELECT count(*) FROM outbox WHERE settled_at IS NULL";
    for _ in 0..3_000 {
        if count(&stage.database, open).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        sqlx::query("UPDATE outbox SET not_before = least(not_before, now()) WHERE settled_at IS NULL").execute(&mut admin).await.unwrap();
    }
    assert_eq!(count(&stage.database, open).await, 0, "all of it is settled");
    drop(service);

    let seen: Vec<(String, DateTime<Utc>)> = messengers
        .seen()
        .into_iter()
        .flat_map(|chat| chat.messages.into_iter().filter(|_| chat.platform == "telegram").collect::<Vec<_>>())
        .map(|message| (message.text.lines().last().unwrap_or_default().to_owned(), message.at))
        .collect();
    let mut times: BTreeMap<&str, Vec<DateTime<Utc>>> = BTreeMap::new();
    for (text, at) in &seen {
        times.entry(text).or_default().push(*at);
    }
    // the last line of a signal is its id, that of a note is the note
    let sql = "SELECT CASE WHEN o.signal_id IS NULL THEN o.message->'lines'->>0 ELSE 'Id ' || s.short_id END, o.state, o.doubts, o.deadline
        FROM outbox AS o LEFT JOIN signals AS s ON s.id = o.signal_id WHERE o.channel = 'telegram' AND o.step = 0";
    let told: Vec<(String, String, i32, DateTime<Utc>)> = rows(&stage.database, sql).await;
    let (mut doubts, mut twice, mut signals) = (0, 0, 0);
    for (text, state, doubt, deadline) in &told {
        let arrived = times.get(text.as_str()).map(Vec::as_slice).unwrap_or_default();
        match state.as_str() {
            "sent" => assert!(!arrived.is_empty(), "{text} was lost"),
            "late" => assert!(arrived.is_empty(), "{text}"),
            _ => panic!("{text} is {state}"),
        }
        let most = 1 + usize::try_from(*doubt).unwrap();
        assert!(arrived.len() <= most, "{text} came {} times, in doubt {doubt}", arrived.len());
        assert!(arrived.iter().all(|at| at < deadline), "{text} was sent after its deadline");
        doubts += doubt;
        twice += usize::from(arrived.len() > 1);
        signals += usize::from(text.starts_with("Id "));
    }
    assert_eq!(told.len() - signals, rounds * usize::try_from(NOTES).unwrap());
    assert!(signals > 3 && doubts > 0, "{signals} signals, {doubts} doubts");
    let untold = "SELECT count(*) FROM signals AS s WHERE state IN ('sending', 'held')
        AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.signal_id = s.id OR s.id = ANY (o.with_signals))";
    assert_eq!(count(&stage.database, untold).await, 0);
    let shared = "SELECT count(*) FROM (SELECT FROM signals WHERE kind = 'exclusive' AND state IN ('sending', 'held', 'acted')
        GROUP BY opportunity_id HAVING count(*) > 1) AS shared";
    assert_eq!(count(&stage.database, shared).await, 0);
    println!("{rounds} kills: {} messages, {signals} of signals, {doubts} sends in doubt, {twice} came more than once", told.len());
}
