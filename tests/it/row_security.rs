//! Row security, tried: every tenant table, verb, role and setting; and ten thousand transactions that fail, break off and
//! share connections.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{RngCore, SeedableRng},
};
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tcg_radar::{
    domain::profile::{Settings, TenantId, Tier},
    store::{
        Store, signals,
        users::{self, NewTenant},
    },
};
use uuid::Uuid;

use crate::{
    cluster::{Database, session},
    db_security::{A, B, with_two_tenants},
};

/// What `app.tenant_id` is while something is tried.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Setting {
    Of(TenantId),
    /// A tenant that is not there.
    Nobody,
    Unset,
    /// What a transaction leaves behind that set it locally.
    Empty,
}

const SETTINGS: [Setting; 5] = [Setting::Of(A), Setting::Of(B), Setting::Nobody, Setting::Unset, Setting::Empty];
const ROLES: [&str; 4] = ["tcg_tenant", "tcg_service", "tcg_owner", "none"];

/// The tables that hold tenants' rows, by the catalogue, and the column that says whose a row is.
async fn tenant_tables(session: &mut PgConnection) -> Vec<(String, String)> {
    sqlx::query_as(
        "SELECT relname::text, CASE WHEN relname IN ('users', 'user_profiles') THEN 'id' ELSE 'tenant_id' END FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
           AND (relname IN ('users', 'user_profiles') OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant_id'))
         ORDER BY relname",
    )
    .fetch_all(session)
    .await
    .unwrap()
}

/// Rows that a statement saw or touched, or the SQLSTATE of its refusal. Whatever it did is undone.
async fn tried(session: &mut PgConnection, role: &str, setting: Setting, sql: String) -> Result<u64, String> {
    session.execute(AssertSqlSafe(format!("BEGIN; SET LOCAL ROLE {role}"))).await.unwrap();
    match setting {
        Setting::Unset => {}
        Setting::Empty => drop(session.execute("SELECT set_config('app.tenant_id', '', true)").await.unwrap()),
        Setting::Nobody => {
            session.execute("SELECT set_config('app.tenant_id', '00000000-0000-0000-0000-0000000000ff', true)").await.unwrap();
        }
        Setting::Of(tenant) => {
            session.execute(AssertSqlSafe(format!("SELECT set_config('app.tenant_id', '{tenant}', true)"))).await.unwrap();
        }
    }
    let outcome = session.execute(AssertSqlSafe(sql)).await;
    let outcome = match outcome {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) => Err(error.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap().into_owned()),
    };
    session.execute("ROLLBACK").await.unwrap();
    outcome
}

async fn list(session: &mut PgConnection, sql: String) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(session).await.unwrap()
}

#[tokio::test]
async fn no_verb_of_any_role_reaches_another_tenants_rows_whatever_the_setting() {
    let database = with_two_tenants().await;
    let mut admin = database.superuser().await;
    let tables = tenant_tables(&mut admin).await;
    assert!(tables.len() >= 10);
    let mut tries = 0;
    for (table, owner_column) in &tables {
        // a whole row of B, to be forged under another key where the key is its own
        let forged = list(&mut admin, format!("SELECT to_jsonb(t)::text FROM {table} AS t WHERE {owner_column} = '{B}'")).await.remove(0);
        let rows: u64 = list(&mut admin, format!("SELECT count(*)::text FROM {table}")).await[0].parse().unwrap();
        assert_eq!(rows, 2, "{table}: one row of each tenant is planted");
        let insert = format!("INSERT INTO {table} SELECT * FROM jsonb_populate_record(NULL::{table}, $${forged}$$)");
        for role in ROLES {
            let sql = format!(
                "SELECT attname::text FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND attgenerated = '' AND NOT attisdropped
                 AND has_column_privilege('{}', attrelid, attnum, 'UPDATE') AND has_column_privilege('{}', attrelid, attnum, 'SELECT')",
                if role == "none" { "tcg_radar" } else { role },
                if role == "none" { "tcg_radar" } else { role },
            );
            let may_update = list(&mut admin, sql).await;
            for setting in SETTINGS {
                // a connection of its own: an unset variable is unset on a fresh one only
                let mut fresh = session(&database.server, role == "tcg_owner").await;
                let own = u64::from(matches!(setting, Setting::Of(_)));
                let expected = match role {
                    "tcg_tenant" => Ok(own),
                    "tcg_service" => Ok(rows),
                    // forced: the owner is bound like everybody, and no policy is its own
                    "tcg_owner" => Ok(0),
                    _ => Err("42501".to_owned()),
                };
                let place = format!("{role} on {table} with {setting:?}");
                let seen = tried(&mut fresh, role, setting, format!("SELECT * FROM {table}")).await;
                assert_eq!(seen, expected, "SELECT as {place}");
                if let Setting::Of(tenant) = setting
                    && role == "tcg_tenant"
                {
                    let others = format!("SELECT * FROM {table} WHERE {owner_column} <> '{tenant}'");
                    assert_eq!(tried(&mut fresh, role, setting, others).await, Ok(0), "SELECT as {place}");
                }
                let update = match may_update.first() {
                    Some(column) => format!("UPDATE {table} SET {column} = {column}"),
                    None => format!("UPDATE {table} SET {owner_column} = {owner_column}"),
                };
                let updated = tried(&mut fresh, role, setting, update).await;
                let may = if may_update.is_empty() { Err("42501".to_owned()) } else { expected.clone() };
                assert_eq!(updated, may, "UPDATE as {place}");
                let inserted = tried(&mut fresh, role, setting, insert.clone()).await;
                match role {
                    // it is allowed to write for tenants: only the key stands in the way
                    "tcg_service" => assert_eq!(inserted, Err("23505".to_owned()), "INSERT as {place}"),
                    _ => assert_eq!(inserted, Err("42501".to_owned()), "INSERT as {place}"),
                }
                let deleted = tried(&mut fresh, role, setting, format!("DELETE FROM {table}")).await;
                match (role, table.as_str()) {
                    ("tcg_owner", _) => assert_eq!(deleted, Ok(0), "DELETE as {place}"),
                    // an erased person's profile, and an operator's word against what was called wrong
                    ("tcg_service", "user_profiles" | "wrong_cards" | "invitations") => assert_eq!(deleted, Ok(rows), "DELETE as {place}"),
                    _ => assert_eq!(deleted, Err("42501".to_owned()), "DELETE as {place}"),
                }
                tries += 4;
            }
        }
    }
    assert_eq!(tries, tables.len() * 4 * ROLES.len() * SETTINGS.len());
}

/// Polls a future a few times and then lets go of it in the middle, as a caller that is cancelled does.
pub struct LetGo<F> {
    pub inner: Pin<Box<F>>,
    pub polls: u32,
}

impl<F: Future> Future for LetGo<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            return Poll::Ready(None);
        }
        self.polls -= 1;
        self.inner.as_mut().poll(context).map(Some)
    }
}

/// How many of the transactions ended how, and rows that were seen and are somebody else's.
#[derive(Default)]
struct Tally {
    done: AtomicUsize,
    failed: AtomicUsize,
    let_go: AtomicUsize,
    foreign: AtomicUsize,
}

/// One transaction of a random kind. `mine` are the short ids that the tenant may see.
async fn one_transaction(store: &Store, tenant: TenantId, mine: &BTreeSet<String>, dice: u32, tally: &Tally) {
    let Ok(mut tx) = store.tenant(tenant).await else { return };
    let rounds = 1 + dice % 3;
    for _ in 0..rounds {
        match users::own(&mut tx).await {
            Ok(found) if found.as_ref().map(|found| found.id) == (!mine.is_empty()).then_some(tenant) => {}
            Ok(_) => drop(tally.foreign.fetch_add(1, Ordering::Relaxed)),
            Err(_) => break,
        }
        match signals::own(&mut tx, 1000).await {
            Ok(lines) => {
                let seen: BTreeSet<String> = lines.into_iter().map(|line| line.short_id).collect();
                tally.foreign.fetch_add(usize::from(seen != *mine), Ordering::Relaxed);
            }
            Err(_) => break,
        }
    }
    match dice % 5 {
        // rolled back
        0 => tally.done.fetch_add(1, Ordering::Relaxed),
        // an error inside: the column refuses it
        1 | 2 => {
            let bad = Settings { min_seller_rating: Some(Decimal::ONE_THOUSAND), ..Settings::default() };
            let failed = users::save_settings(&mut tx, &bad).await.is_err();
            assert!(failed || mine.is_empty());
            // a transaction that failed may also be committed by mistake
            if dice.is_multiple_of(2) {
                let _ = tx.commit().await;
            }
            tally.failed.fetch_add(1, Ordering::Relaxed)
        }
        _ => {
            let settings = Settings { min_seller_sales: Some(i64::from(dice % 1000)), ..Settings::default() };
            if users::save_settings(&mut tx, &settings).await.is_ok() {
                let _ = tx.commit().await;
            }
            tally.done.fetch_add(1, Ordering::Relaxed)
        }
    };
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_thousand_interleaved_transactions_show_no_foreign_row() {
    const TENANTS: u32 = 6;
    const WORKERS: u64 = 20;
    const EACH: usize = 500;
    let database = Database::migrated().await;
    let store = database.store().await;
    let mut tx = store.service().await.unwrap();
    let ids: Vec<TenantId> = (1..=TENANTS).map(|number| TenantId(Uuid::from_u128(u128::from(number)))).collect();
    for (chat, id) in (1..).zip(&ids) {
        let new = NewTenant {
            id: *id,
            telegram_chat_id: Some(chat),
            discord_channel_id: None,
            country: "US".parse().unwrap(),
            tier: Tier::Pro,
            preset: None,
        };
        users::add(&mut tx, &new).await.unwrap();
    }
    tx.commit().await.unwrap();
    database
        .superuser()
        .await
        .execute(
            "INSERT INTO rule_packs VALUES ('abc', '{}', '0', now());
             INSERT INTO scans (scan_id, as_of, started_at, pack_hash, engine_version) VALUES ('00000000-0000-0000-0000-0000000000e1', now(), now(), 'abc', '0.0.1');
             INSERT INTO opportunities SELECT gen_random_uuid(), '00000000-0000-0000-0000-0000000000e1', 'sv1-25', NULL,
                'holofoil', 'standard', 'en', 'eu_us', 'cardmarket', 'tcgplayer', 8, 22, 'a', 'b', now(), now(), NULL, NULL, '{}', now()
                FROM generate_series(1, 3);
             INSERT INTO decisions (decision_id, tenant_id, opportunity_id, scan_id, pack_hash, verdict, facts, created_at, buy_price, sell_price,
                buy_observed_at, sell_observed_at)
                SELECT gen_random_uuid(), users.id, opportunity_id, scan_id, 'abc', 'signal', '{}', now(), 8, 22, now(), now() FROM users, opportunities;
             INSERT INTO signals (tenant_id, card_id, opportunity_id, decision_id, short_id, window_seconds)
                SELECT tenant_id, 'sv1-25', opportunity_id, decision_id, left(decision_id::text, 8), 60 FROM decisions;",
        )
        .await
        .unwrap();
    let planted: Vec<(Uuid, String)> =
        sqlx::query_as("SELECT tenant_id, short_id FROM signals").fetch_all(&mut database.superuser().await).await.unwrap();
    let mut mine: BTreeMap<TenantId, BTreeSet<String>> = BTreeMap::new();
    for (tenant, short) in planted {
        mine.entry(TenantId(tenant)).or_default().insert(short);
    }
    // somebody who is not there sees nothing
    mine.insert(TenantId(Uuid::from_u128(99)), BTreeSet::new());
    let (mine, tally) = (Arc::new(mine), Arc::new(Tally::default()));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..WORKERS {
        let (store, mine, tally) = (store.clone(), Arc::clone(&mine), Arc::clone(&tally));
        workers.spawn(async move {
            let mut rng = ChaCha8Rng::seed_from_u64(worker);
            for _ in 0..EACH {
                let dice = rng.next_u32();
                let (tenant, short_ids) = mine.iter().nth(usize::try_from(rng.next_u32()).unwrap() % mine.len()).unwrap();
                if dice % 11 == 0 {
                    // the service between the tenants, on the same connections
                    let mut tx = store.service().await.unwrap();
                    assert_eq!(users::active(&mut tx).await.unwrap().len(), usize::try_from(TENANTS).unwrap());
                }
                let work = one_transaction(&store, *tenant, short_ids, dice, &tally);
                if rng.next_u32() % 3 == 0 {
                    let cut_off = LetGo { inner: Box::pin(work), polls: 1 + rng.next_u32() % 9 };
                    if cut_off.await.is_none() {
                        tally.let_go.fetch_add(1, Ordering::Relaxed);
                    }
                } else {
                    work.await;
                }
            }
        });
    }
    while let Some(ended) = workers.join_next().await {
        ended.unwrap();
    }
    let [done, failed, let_go, foreign] =
        [&tally.done, &tally.failed, &tally.let_go, &tally.foreign].map(|count| count.load(Ordering::Relaxed));
    println!("{done} done, {failed} failed inside, {let_go} let go in the middle, {foreign} foreign rows");
    assert_eq!(foreign, 0);
    assert!(failed > 1000 && let_go > 1000 && done > 3000, "{done} {failed} {let_go}");
}
