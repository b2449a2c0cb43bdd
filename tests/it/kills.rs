//! The service, or its database, killed again and again while it scans, hands over and sends: nothing is lost, nothing is
//! sent twice but what is marked as in doubt, no send begins after its deadline, and nobody holds what somebody else holds.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use sqlx::PgConnection;
use tcg_radar::{
    clock::Clock,
    domain::message::{Channel, Message, Reply},
    simulate::messengers::{Deed, Messengers, Order},
    store::{
        Server, Store,
        embedded::Embedded,
        outbox::{self, NewMessage},
    },
};

use crate::{
    cluster::{Database, folder, programs, quiet, stop_when_we_end},
    db_embedded::kill,
    live::{FEW, Service, chains_are_whole, count, market, rows},
    reload::{Stage, put},
};

/// By hand `TCG_RADAR_KILLS=100`.
fn rounds() -> usize {
    std::env::var("TCG_RADAR_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(8)
}

/// Messages beside the signals, so that every kill meets something on its way.
const NOTES: i64 = 40;

/// Cards of a market with hand-overs for many rounds.
const SOME: u32 = 300;

const OPEN: &str = "SELECT count(*) FROM outbox WHERE settled_at IS NULL";

/// The variables of a service that talks to the stand-ins and to nobody else.
fn variables(messengers: &Messengers) -> Vec<(&'static str, String)> {
    let mut variables = messengers.variables();
    variables.push(("SOURCES_OFF", "cardmarket,tcgcsv,ecb,pokemontcg,justtcg,poketrace,exchangerate".to_owned()));
    variables
}

fn start(stage: &Stage, variables: &[(&'static str, String)]) -> Service {
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Service::start_with(stage, &variables)
}

async fn put_notes(store: &Store, round: usize) {
    let now = Utc::now();
    let mut tx = store.service().await.unwrap();
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
}

/// A running service brings all that waits to its end. The clock is the machine's, so the leases of killed sends, which
/// are older than any send that is under way, are ended here, and nobody waits before another try.
async fn settle_all(database: &Database) {
    let mut admin = database.superuser().await;
    for _ in 0..600 {
        if count(database, OPEN).await == 0 {
            break;
        }
        let cut_off = "UPDATE outbox SET lease_until = now() - interval '1 second'
            WHERE state = 'leased' AND lease_until < now() + interval '105 seconds'";
        sqlx::query(cut_off).execute(&mut admin).await.unwrap();
        sqlx::query("UPDATE outbox SET not_before = least(not_before, now()) WHERE settled_at IS NULL").execute(&mut admin).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let open: Vec<(String, String, i32, i32, Option<String>)> =
        rows(database, "SELECT kind, state, attempts, doubts, fault FROM outbox WHERE settled_at IS NULL").await;
    assert!(open.is_empty(), "all of it is settled but {open:?}");
}

/// What was seen in the chats against what the database says. How many messages, of signals, in doubt, and more than once.
async fn hold_the_claims(database: &Database, messengers: &Messengers, rounds: usize) -> [usize; 4] {
    let seen: Vec<(String, DateTime<Utc>)> = messengers
        .seen()
        .into_iter()
        .flat_map(|chat| chat.messages.into_iter().filter(|_| chat.platform == "telegram").collect::<Vec<_>>())
        .map(|message| {
            // a signal shows its id, a note is one line
            let told = message.text.lines().rfind(|line| line.starts_with("Id ")).or(message.text.lines().last());
            (told.unwrap_or_default().to_owned(), message.at)
        })
        .collect();
    let mut times: BTreeMap<&str, Vec<DateTime<Utc>>> = BTreeMap::new();
    for (text, at) in &seen {
        times.entry(text).or_default().push(*at);
    }
    let sql = "SELECT CASE WHEN o.signal_id IS NULL THEN o.message->'lines'->>0 ELSE 'Id ' || s.short_id END, o.state, o.doubts, o.deadline
        FROM outbox AS o LEFT JOIN signals AS s ON s.id = o.signal_id
        WHERE o.channel = 'telegram' AND o.step = 0 AND o.settled_at IS NOT NULL";
    let told: Vec<(String, String, i32, DateTime<Utc>)> = rows(database, sql).await;
    let (mut doubts, mut twice, mut signals) = (0, 0, 0);
    for (text, state, doubt, deadline) in &told {
        let arrived = times.get(text.as_str()).map(Vec::as_slice).unwrap_or_default();
        match state.as_str() {
            "sent" => assert!(!arrived.is_empty(), "{text} was lost"),
            "late" => assert!(arrived.is_empty(), "{text}"),
            _ => panic!("{text} is {state}"),
        }
        let doubt = usize::try_from(*doubt).unwrap();
        assert!(arrived.len() <= 1 + doubt, "{text} came {} times, in doubt {doubt}", arrived.len());
        assert!(arrived.iter().all(|at| at < deadline), "{text} was sent after its deadline");
        doubts += doubt;
        twice += usize::from(arrived.len() > 1);
        signals += usize::from(text.starts_with("Id "));
    }
    assert_eq!(told.len() - signals, rounds * usize::try_from(NOTES).unwrap());
    assert!(signals > 3 && doubts > 0, "{signals} signals, {doubts} doubts");
    let untold = "SELECT count(*) FROM signals AS s WHERE state IN ('sending', 'held')
        AND NOT EXISTS (SELECT FROM outbox AS o WHERE o.signal_id = s.id OR s.id = ANY (o.with_signals))";
    assert_eq!(count(database, untold).await, 0);
    let unaudited = "SELECT count(*) FROM signals AS s WHERE NOT EXISTS (SELECT FROM signal_audit AS a WHERE a.signal_id = s.id)";
    assert_eq!(count(database, unaudited).await, 0);
    // at no time, not only now
    let shared = "SELECT count(*) FROM signals AS a JOIN signals AS b ON b.opportunity_id = a.opportunity_id AND b.id <> a.id
        WHERE a.kind = 'exclusive' AND b.kind = 'exclusive' AND b.created_at >= a.created_at
            AND (a.ended_at IS NULL OR b.created_at < a.ended_at)";
    assert_eq!(count(database, shared).await, 0);
    [told.len(), signals, doubts, twice]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_at_random_loses_nothing_and_tells_nobody_twice_unawares() {
    let stage = Stage::new().await;
    market(&stage.store, Utc::now(), FEW).await;
    let messengers = Messengers::start(Clock::machine(), 0).await.unwrap();
    let variables = variables(&messengers);
    let mut dice = ChaCha8Rng::seed_from_u64(7);
    let rounds = rounds();
    for round in 0..rounds {
        put_notes(&stage.store, round).await;
        messengers.order(Order::new("telegram", None, Deed::Lost));
        let service = start(&stage, &variables);
        tokio::time::sleep(up_to(&mut dice, 300, 2_500)).await;
        service.signal("-KILL");
    }
    let service = start(&stage, &variables);
    settle_all(&stage.database).await;
    service.ends();
    let [messages, signals, doubts, twice] = hold_the_claims(&stage.database, &messengers, rounds).await;
    println!("{rounds} kills: {messages} messages, {signals} of signals, {doubts} sends in doubt, {twice} came more than once");
}

fn up_to(dice: &mut ChaCha8Rng, least: u64, more: u32) -> Duration {
    Duration::from_millis(least + u64::from(dice.next_u32() % more))
}

/// What befalls the database in a round.
#[derive(Debug, Clone, Copy)]
enum Blow {
    /// The whole server, while the service goes on.
    Server,
    /// The process behind one of the service's sessions.
    Session,
    /// The server and the service, as when the machine goes down.
    Both,
}

/// What the service is at when the blow falls.
#[derive(Debug, Clone, Copy)]
enum Work {
    Scan,
    HandOver,
    Sending,
}

impl Work {
    /// What its statements look like.
    const fn statements(self) -> &'static str {
        match self {
            Self::Scan => "INSERT INTO (scans|decisions|opportunities|opportunity_changes)",
            Self::HandOver => "INSERT INTO (signals|signal_audit)|UPDATE routings",
            Self::Sending => "UPDATE outbox",
        }
    }

    /// Waits until the service is in the middle of it. False where it did not come to it in a few seconds.
    async fn reached(self, admin: &mut PgConnection) -> bool {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'tcg_radar' AND state <> 'idle' AND query ~ $1)";
        let deadline = Instant::now() + Duration::from_secs(6);
        while Instant::now() < deadline {
            if sqlx::query_scalar(sql).bind(self.statements()).fetch_one(&mut *admin).await.unwrap() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        false
    }
}

/// Waits until the service has started its database anew.
async fn is_up_again(home: &Path, embedded: &Embedded, old: u32) {
    let deadline = Instant::now() + Duration::from_mins(1);
    // its process is there before it answers
    while embedded.pid().is_none_or(|pid| pid == old) || Embedded::start(home, programs().as_deref(), &quiet).await.is_err() {
        assert!(Instant::now() < deadline, "nobody started PostgreSQL again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Some windows are over, so that hand-overs are due, and the rules say the same in other words, so that what is on offer
/// is reviewed and all is scanned.
async fn stir(stage: &Stage, admin: &mut PgConnection, profit: &str, round: usize) {
    let over = "WITH over AS (UPDATE routings SET due_at = now() - interval '1 minute'
            WHERE opportunity_id IN (SELECT opportunity_id FROM routings WHERE state = 'held' ORDER BY due_at LIMIT 2) RETURNING opportunity_id)
        UPDATE signals SET expires_at = now() - interval '1 minute' WHERE state = 'held' AND opportunity_id IN (SELECT opportunity_id FROM over)";
    sqlx::query(over).execute(admin).await.unwrap();
    put(&stage.path("rules/facts/profit.rhai"), &format!("{profit}\n// round {round}\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_is_killed_at_random_loses_nothing_and_the_service_goes_on_by_itself() {
    let home = folder().keep();
    let _lifeline = stop_when_we_end(&home);
    let embedded = Embedded::start(&home, programs().as_deref(), &quiet).await.unwrap();
    let server = Server::embedded(&embedded);
    server.migrate(None, &quiet).await.unwrap();
    let stage = Stage::on(Database { server }).await;
    market(&stage.store, Utc::now(), SOME).await;
    let profit = fs::read_to_string(stage.path("rules/facts/profit.rhai")).unwrap();
    let messengers = Messengers::start(Clock::machine(), 0).await.unwrap();
    let mut variables = variables(&messengers);
    // the database is the service's own to bring up again
    variables.extend([("DATABASE_URL", String::new()), ("TCG_RADAR_HOME", home.display().to_string())]);
    let mut dice = ChaCha8Rng::seed_from_u64(70);
    let rounds = rounds();
    let mut service = start(&stage, &variables);
    let mut log = String::new();
    let mut blows: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..rounds {
        put_notes(&stage.store, round).await;
        messengers.order(Order::new("telegram", None, Deed::Lost));
        let mut admin = stage.database.superuser().await;
        stir(&stage, &mut admin, &profit, round).await;
        // every work meets every blow, and the last round cuts a scan off that nothing but the service itself will repeat
        let left = rounds - 1 - round;
        let work = [Work::Scan, Work::HandOver, Work::Sending][left % 3];
        let blow = [Blow::Server, Blow::Session, Blow::Server, Blow::Both][left % 4];
        let reached = if work.reached(&mut admin).await { "in" } else { "after" };
        *blows.entry(format!("{blow:?} {reached} {work:?}")).or_default() += 1;
        tokio::time::sleep(up_to(&mut dice, 0, 40)).await;
        if let Blow::Session = blow {
            let one = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tcg_radar' ORDER BY state = 'idle', random() LIMIT 1";
            sqlx::query(one).execute(&mut admin).await.unwrap();
            continue;
        }
        let pid = embedded.pid().unwrap();
        if let Blow::Both = blow {
            service.signal("-KILL");
        }
        kill("-KILL", pid);
        if let Blow::Both = blow {
            tokio::time::sleep(up_to(&mut dice, 0, 1_500)).await;
            log.push_str(&std::mem::replace(&mut service, start(&stage, &variables)).ends());
        }
        is_up_again(&home, &embedded, pid).await;
    }
    settle_all(&stage.database).await;
    // the next turn adopts what the last scan offered
    let unseen = "SELECT count(*) FROM opportunities AS o WHERE state = 'live'
        AND NOT EXISTS (SELECT FROM routings AS r WHERE r.opportunity_id = o.opportunity_id)";
    for _ in 0..200 {
        if count(&stage.database, unseen).await == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(count(&stage.database, unseen).await, 0, "everything on offer is on its way");
    // the last edit is scanned, though its first scan was cut off, long before the next one is due
    let scanned = format!("SELECT count(*) FROM scans WHERE kind = 'scan' AND pack_hash = '{}'", stage.hash());
    for _ in 0..200 {
        if count(&stage.database, &scanned).await > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(count(&stage.database, &scanned).await > 0, "the last edit is scanned");
    log.push_str(&service.ends());
    chains_are_whole(&stage.database).await;
    let [messages, signals, doubts, twice] = hold_the_claims(&stage.database, &messengers, rounds).await;
    println!("{blows:?}: {messages} messages, {signals} of signals, {doubts} sends in doubt, {twice} came more than once");
    for event in
        ["scan_failed", "review_failed", "route_failed", "delivery_halted", "reload_failed", "bot_halted", "scan_finished", "reviewed"]
    {
        println!("{event}: {}", log.matches(&format!("\"{event}\"")).count());
    }
}
