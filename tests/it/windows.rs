//! Five workers route in the real database at once, with clocks that jump and work that is broken off, while signals arrive,
//! tenants answer, too late also, and channels fail. Nothing but the code is in the way of a second holder here: the index
//! that forbids one is taken away first.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use sqlx::Executor;
use tcg_radar::{
    domain::{
        message::Channel,
        profile::TenantId,
        signal::{Act, Answer, SignalState},
    },
    route::Router,
    simulate::{self, Parameters, Simulation},
    store::{Store, routings},
};
use uuid::Uuid;

use crate::{
    cluster::{Database, refusal},
    live::{FEW, ScanOnce, count, live, rows, scanner, shipped},
    route::rules,
    row_security::LetGo,
};

const WORKERS: u64 = 5;
const WINDOW: TimeDelta = TimeDelta::minutes(180);

/// Time that all share; each worker's clock is off by up to a minute, differently each time.
#[derive(Clone)]
struct Clock {
    base: DateTime<Utc>,
    seconds: Arc<AtomicI64>,
}

impl Clock {
    fn off(&self, dice: u32) -> DateTime<Utc> {
        self.base + TimeDelta::seconds(self.seconds.load(Ordering::SeqCst) + i64::from(dice % 121) - 60)
    }

    fn goes_on(&self, by: i64) {
        self.seconds.fetch_add(by, Ordering::SeqCst);
    }
}

async fn one_of(database: &Database, dice: u32, states: &str) -> Option<(Uuid, Uuid, String)> {
    let sql = format!("SELECT id, tenant_id, short_id FROM signals WHERE state IN ({states}) ORDER BY md5(id::text || '{dice}') LIMIT 1");
    rows::<(Uuid, Uuid, String)>(database, &sql).await.pop()
}

/// What platforms and tenants do to a signal.
async fn outside(store: &Store, database: &Database, rng: &mut ChaCha8Rng, clock: &Clock, late: &AtomicUsize) {
    let dice = rng.next_u32();
    let now = clock.off(rng.next_u32());
    let states = if dice % 10 < 7 { "'sending'" } else { "'sending', 'held', 'expired', 'passed'" };
    let Some((signal, tenant, short)) = one_of(database, dice, states).await else { return };
    let mut tx = store.service().await.unwrap();
    match dice % 10 {
        0..6 => routings::delivered(&mut tx, signal, now).await.unwrap(),
        6 => routings::undeliverable(&mut tx, signal, now).await.unwrap(),
        _ => {
            let act = [Act::TookIt, Act::Pass, Act::Pass, Act::Pass][usize::try_from(rng.next_u32()).unwrap() % 4];
            let answer = routings::act(&mut tx, TenantId(tenant), &short, act, &rules(), now).await.unwrap();
            let is_late = matches!(answer, Answer::Late { .. } | Answer::Over(SignalState::Expired | SignalState::Passed));
            late.fetch_add(usize::from(is_late), Ordering::Relaxed);
        }
    }
    // a process that dies before it commits
    if rng.next_u32().is_multiple_of(8) {
        return;
    }
    tx.commit().await.unwrap();
}

/// A number that somebody who tries more by hand may set.
fn of(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

async fn market(store: &Store, now: DateTime<Utc>) {
    let end = now.date_naive().pred_opt().unwrap();
    let simulation = Simulation::new(Parameters { cards: of("CARDS", FEW), tenants: 12, ..Parameters::ending(end) }).unwrap();
    simulate::write(store, &simulation, simulation.as_of(), &|_, _| ()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn there_is_never_a_second_holder_in_the_database_either() {
    let turns = of("TURNS", 40);
    let database = Arc::new(Database::migrated().await);
    let store = database.store().await;
    let now: DateTime<Utc> = "2026-05-03T10:00:00Z".parse().unwrap();
    market(&store, now).await;
    database
        .superuser()
        .await
        .execute(
            "DROP INDEX uq_signals_holder;
             CREATE TABLE seen (place bigserial PRIMARY KEY, opportunity_id uuid, signal_id uuid, state text);
             GRANT INSERT ON seen TO tcg_service;
             GRANT USAGE ON SEQUENCE seen_place_seq TO tcg_service;
             CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN INSERT INTO seen (opportunity_id, signal_id, state) VALUES (NEW.opportunity_id, NEW.id, NEW.state); RETURN NULL; END';
             CREATE TRIGGER see AFTER INSERT OR UPDATE OF state ON signals FOR EACH ROW EXECUTE FUNCTION see();",
        )
        .await
        .unwrap();
    let scanner = scanner(&store, &live(shipped(), None));
    scanner.scan_once(now).await.unwrap().unwrap();
    let router = Router { scanner, channels: vec![Channel::Telegram], window: WINDOW, send_within: TimeDelta::minutes(30) };
    let clock = Clock { base: now, seconds: Arc::default() };
    let (late, cut, refused) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let (router, store, database, clock) = (router.clone(), store.clone(), Arc::clone(&database), clock.clone());
        let (late, cut, refused) = (Arc::clone(&late), Arc::clone(&cut), Arc::clone(&refused));
        workers.spawn(async move {
            let mut rng = ChaCha8Rng::seed_from_u64(worker);
            for _ in 0..turns {
                let turn = router.route_once(clock.off(rng.next_u32()));
                if rng.next_u32() % 4 == 0 {
                    let cut_off = LetGo { inner: Box::pin(turn), polls: 1 + rng.next_u32() % 60 };
                    cut.fetch_add(usize::from(cut_off.await.is_none()), Ordering::Relaxed);
                } else if let Err(error) = turn.await {
                    assert!(error.is_retryable(), "{error}");
                    refused.fetch_add(1, Ordering::Relaxed);
                }
                for _ in 0..6 {
                    outside(&store, &database, &mut rng, &clock, &late).await;
                }
                clock.goes_on(i64::from(rng.next_u32() % 4000));
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }

    // whoever moves an opportunity holds its row until the commit, so these lines stand in the order of the commits
    let seen: Vec<(Uuid, Uuid, String)> = rows(&database, "SELECT opportunity_id, signal_id, state FROM seen ORDER BY place").await;
    let mut holders: BTreeMap<Uuid, Uuid> = BTreeMap::new();
    let mut windows = 0;
    for (opportunity, signal, state) in seen {
        let live = ["sending", "held", "acted"].contains(&state.as_str());
        windows += usize::from(state == "sending");
        if live {
            let before = holders.insert(opportunity, signal);
            assert!(before.is_none_or(|before| before == signal), "two holders of {opportunity}: {before:?} and {signal}");
        } else if holders.get(&opportunity) == Some(&signal) {
            holders.remove(&opportunity);
        }
    }
    let [late, cut, refused] = [late, cut, refused].map(|count| count.load(Ordering::Relaxed));
    println!("{windows} windows, {cut} turns cut off, {late} answers too late, {refused} turns that met a deadlock, no second holder");
    let twice = "SELECT count(*) FROM (SELECT FROM signals GROUP BY opportunity_id, tenant_id HAVING count(*) > 1) AS twice";
    assert_eq!(count(&database, twice).await, 0);
    let most =
        "SELECT coalesce(max(held), 0)::bigint FROM (SELECT count(*) AS held FROM signals WHERE state NOT IN ('undeliverable', 'withdrawn')
        GROUP BY opportunity_id) AS each";
    assert!(count(&database, most).await <= 5);
    // each has its audit and is told of in a message
    let silent = "SELECT count(*) FROM signals AS s WHERE NOT EXISTS (SELECT FROM signal_audit AS a WHERE a.signal_id = s.id)
        OR NOT EXISTS (SELECT FROM outbox AS o WHERE o.signal_id = s.id OR s.id = ANY (o.with_signals))";
    assert_eq!(count(&database, silent).await, 0);
    assert!(windows > 20 && cut > 0 && late > 0, "{windows} {cut} {late}");
}

#[tokio::test]
async fn the_table_itself_refuses_a_second_holder() {
    let database = crate::db_security::with_two_tenants().await;
    let mut session = database.role("tcg_service").await;
    session
        .execute(
            "UPDATE signals SET opportunity_id = '00000000-0000-0000-0000-0000000000d1', decision_id = id, short_id = left(id::text, 8),
                window_seconds = 60;
             UPDATE signals SET state = 'sending' WHERE id = '00000000-0000-0000-0000-00000000000a'",
        )
        .await
        .unwrap();
    for sql in [
        "UPDATE signals SET state = 'sending' WHERE id = '00000000-0000-0000-0000-00000000000b'",
        "UPDATE signals SET state = 'acted' WHERE id = '00000000-0000-0000-0000-00000000000b'",
    ] {
        assert_eq!(refusal(&mut session, sql).await, "23505", "{sql}");
    }
    session.execute("UPDATE signals SET state = 'listed', kind = 'batch' WHERE id = '00000000-0000-0000-0000-00000000000b'").await.unwrap();
}
