//! Who may see and change what: row security, grants, and the roles that the service refuses.

use sqlx::{Executor, PgConnection};
use tcg_radar::{
    domain::profile::{TenantId, Tier},
    store::{
        Server, Store, StoreError,
        users::{self, NewTenant},
    },
};
use uuid::Uuid;

use crate::cluster::{Database, folder, quiet, refusal, session};

pub const A: TenantId = TenantId(Uuid::from_u128(0xa));
pub const B: TenantId = TenantId(Uuid::from_u128(0xb));

async fn count(session: &mut PgConnection, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(session).await.unwrap()
}

pub async fn with_two_tenants() -> Database {
    let database = Database::migrated().await;
    let store = database.store().await;
    let mut tx = store.service().await.unwrap();
    for (id, chat) in [(A, 1), (B, 2)] {
        let tenant = NewTenant {
            id,
            telegram_chat_id: Some(chat),
            discord_channel_id: None,
            country: "US".parse().unwrap(),
            tier: Tier::Free,
            preset: None,
        };
        users::add(&mut tx, &tenant).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut session = database.role("tcg_service").await;
    session
        .execute(
            "INSERT INTO signals (id, tenant_id, card_id) SELECT id, id, 'sv1-25' FROM users;
             INSERT INTO signal_audit (signal_id, tenant_id, source_prices, fee_calc, snapshot_data) SELECT id, id, '{}', '{}', '{}' FROM users;
             INSERT INTO rule_packs VALUES ('abc', '{}', '0', now());
             INSERT INTO scans (scan_id, as_of, started_at, pack_hash, engine_version) VALUES ('00000000-0000-0000-0000-0000000000e1', now(), now(), 'abc', '0.0.1');
             INSERT INTO opportunities VALUES ('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000e1', 'sv1-25', NULL,
                'holofoil', 'standard', 'en', 'eu_us', 'cardmarket', 'tcgplayer', 8, 22, 'a', 'b', now(), now(), NULL, NULL, '{}', now());
             INSERT INTO decisions (decision_id, tenant_id, opportunity_id, scan_id, pack_hash, verdict, facts, created_at, buy_price, sell_price,
                buy_observed_at, sell_observed_at)
                SELECT id, id, '00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000e1', 'abc', 'signal', '{}', now(),
                    8, 22, now(), now() FROM users;
             INSERT INTO outbox (id, tenant_id, signal_id, channel, chat_id, step, kind, message, priority, deadline, not_before, created_at)
                SELECT id, id, id, 'telegram', 1, 0, 'send', '{}', 0, now(), now(), now() FROM users;
             INSERT INTO tenant_rotation (tenant_id, priority, batched_at, digested_at) SELECT id, 50, now(), now() FROM users;
             INSERT INTO invitations SELECT sha256(id::text::bytea), id, now(), now() FROM users;
             INSERT INTO wrong_cards SELECT id, 'sv1-25', id, now() FROM users;
             INSERT INTO scan_reasons SELECT '00000000-0000-0000-0000-0000000000e1', id, 'eu_us', 'STALE', 1 FROM users;",
        )
        .await
        .unwrap();
    database
}

const TENANT_TABLES: [(&str, &str); 10] = [
    ("signals", "SELECT count(*) FROM signals"),
    ("signal_audit", "SELECT count(*) FROM signal_audit"),
    ("decisions", "SELECT count(*) FROM decisions"),
    ("scan_reasons", "SELECT count(*) FROM scan_reasons"),
    ("outbox", "SELECT count(*) FROM outbox"),
    ("invitations", "SELECT count(*) FROM invitations"),
    ("tenant_rotation", "SELECT count(*) FROM tenant_rotation"),
    ("wrong_cards", "SELECT count(*) FROM wrong_cards"),
    ("user_profiles", "SELECT count(*) FROM user_profiles"),
    ("users", "SELECT count(*) FROM users"),
];

#[tokio::test]
async fn every_table_with_tenants_rows_has_forced_row_security_and_policies_for_both_roles() {
    let database = Database::migrated().await;
    let mut session = database.superuser().await;
    let tables: Vec<(String, bool, bool, bool)> = sqlx::query_as(
        "SELECT relname::text, relrowsecurity, relforcerowsecurity,
                ARRAY['tcg_service'::name, 'tcg_tenant'] <@ ARRAY(SELECT unnest(roles) FROM pg_policies WHERE tablename = relname)
         FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
           AND (relname IN ('users', 'user_profiles')
                OR EXISTS (SELECT FROM pg_attribute WHERE attrelid = pg_class.oid AND attname = 'tenant_id'))
         ORDER BY relname",
    )
    .fetch_all(&mut session)
    .await
    .unwrap();
    let mut expected: Vec<_> = TENANT_TABLES.iter().map(|(table, _)| ((*table).to_owned(), true, true, true)).collect();
    expected.sort();
    assert_eq!(tables, expected);
}

#[tokio::test]
async fn a_tenant_sees_its_own_rows_and_no_others() {
    let database = with_two_tenants().await;
    let mut session = database.role("tcg_tenant").await;
    for (table, sql) in TENANT_TABLES {
        session.execute("BEGIN; SELECT set_config('app.tenant_id', '00000000-0000-0000-0000-00000000000a', true)").await.unwrap();
        assert_eq!(count(&mut session, sql).await, 1, "{table}");
        session.execute("ROLLBACK").await.unwrap();
        // the setting is now '' and not null, which must neither fail nor show anything
        let left: Option<String> =
            sqlx::query_scalar("SELECT current_setting('app.tenant_id', true)").fetch_one(&mut session).await.unwrap();
        assert_eq!(left.as_deref(), Some(""));
        assert_eq!(count(&mut session, sql).await, 0, "{table}");
    }
    let mut owner = database.superuser().await;
    owner.execute("SET ROLE tcg_owner").await.unwrap();
    let mut service = database.role("tcg_service").await;
    for (table, sql) in TENANT_TABLES {
        assert_eq!(count(&mut service, sql).await, 2, "{table}");
        assert_eq!(count(&mut owner, sql).await, 0, "the owner too is bound: {table}");
    }
}

#[tokio::test]
async fn a_tenants_transaction_leaves_nothing_behind_on_its_connection() {
    let database = with_two_tenants().await;
    let store = database.store().await;
    for tenant in [A, B, A] {
        let mut tx = store.tenant(tenant).await.unwrap();
        assert_eq!(users::own(&mut tx).await.unwrap().map(|found| found.id), Some(tenant));
        drop(tx);
        let mut tx = store.service().await.unwrap();
        assert_eq!(users::active(&mut tx).await.unwrap().len(), 2);
        tx.commit().await.unwrap();
    }
    let mut tx = store.tenant(TenantId(Uuid::from_u128(0xdead))).await.unwrap();
    assert_eq!(users::own(&mut tx).await.unwrap(), None);
}

#[tokio::test]
async fn a_tenant_can_neither_give_itself_a_plan_nor_write_a_signal() {
    let database = with_two_tenants().await;
    let mut session = database.role("tcg_tenant").await;
    session.execute("SELECT set_config('app.tenant_id', '00000000-0000-0000-0000-00000000000a', false)").await.unwrap();
    for sql in [
        "UPDATE user_profiles SET subscription_tier = 'shop'",
        "UPDATE user_profiles SET telegram_chat_id = 99",
        "INSERT INTO signals (tenant_id, card_id) VALUES ('00000000-0000-0000-0000-00000000000a', 'x')",
        "UPDATE signals SET net_profit = 1000",
        "UPDATE decisions SET verdict = 'signal'",
        "DELETE FROM signal_audit",
        "INSERT INTO users (id) VALUES (gen_random_uuid())",
        "SELECT * FROM rule_packs",
    ] {
        assert_eq!(refusal(&mut session, sql).await, "42501", "{sql}");
    }
    let done = session.execute("UPDATE signals SET acted_on = true").await.unwrap();
    assert_eq!(done.rows_affected(), 1);
    let done = session.execute("UPDATE user_profiles SET min_profit_threshold = 9").await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test]
async fn the_service_can_add_to_history_and_audits_but_not_rewrite_them() {
    let database = with_two_tenants().await;
    let mut session = database.role("tcg_service").await;
    session.execute("SELECT ensure_price_partition('2026-03-01')").await.unwrap();
    session
        .execute("INSERT INTO price_history (series_id, observed_at, price, known_at) VALUES (1, '2026-03-01', 1, now())")
        .await
        .unwrap();
    for sql in [
        "UPDATE price_history SET price = 2",
        "DELETE FROM price_history",
        "TRUNCATE price_history",
        "UPDATE price_history_2026_03 SET price = 2",
        "DELETE FROM price_series",
        "UPDATE exchange_rates SET units_per_eur = 1",
        "UPDATE decisions SET reason = 'x'",
        "DELETE FROM decisions",
        "UPDATE signal_audit SET fee_calc = '{}'",
        "UPDATE rule_packs SET files = '{}'",
        "DELETE FROM users",
        "CREATE TABLE mine (x int)",
        "DROP TABLE price_history_2026_03",
    ] {
        assert_eq!(refusal(&mut session, sql).await, "42501", "{sql}");
    }
}

#[tokio::test]
async fn a_user_whose_audits_are_kept_cannot_be_deleted() {
    let database = with_two_tenants().await;
    let mut session = database.superuser().await;
    for sql in ["DELETE FROM users", "DELETE FROM signals"] {
        let state = refusal(&mut session, sql).await;
        // 18 has a code of its own for RESTRICT
        assert!(["23503", "23001"].contains(&state.as_str()), "{sql}: {state}");
    }
}

#[tokio::test]
async fn an_inactive_tenant_is_not_listed() {
    let database = with_two_tenants().await;
    database
        .superuser()
        .await
        .execute("UPDATE users SET is_active = false WHERE id = '00000000-0000-0000-0000-00000000000a'")
        .await
        .unwrap();
    let store = database.store().await;
    let mut tx = store.service().await.unwrap();
    let listed: Vec<TenantId> = users::active(&mut tx).await.unwrap().into_iter().map(|tenant| tenant.id).collect();
    assert_eq!(listed, [B]);
}

#[tokio::test]
async fn the_login_of_the_program_has_no_right_before_it_becomes_a_role() {
    let database = Database::migrated().await;
    let mut login = session(&database.server, false).await;
    assert_eq!(refusal(&mut login, "SELECT * FROM users").await, "42501");
    assert_eq!(refusal(&mut login, "SET ROLE tcg_owner").await, "42501");
    database.store().await.refuse_unsafe_role().await.unwrap();
}

async fn connect(url: &str) -> Result<Store, StoreError> {
    let database = tcg_radar::config::Database { url: Some(url.to_owned().into()), ..Default::default() };
    let server = Server::find(&database, folder().path(), &quiet).await?;
    Store::connect(&server).await
}

#[tokio::test]
async fn a_superuser_may_not_serve_also_when_the_address_has_the_guides_form() {
    let database = Database::migrated().await;
    let url = database.server.url(true).replace("postgresql:", "postgresql+asyncpg:");
    let error = connect(&url).await.unwrap().refuse_unsafe_role().await.unwrap_err();
    assert!(matches!(error, StoreError::UnsafeRole { .. }) && error.to_string().contains("superuser"), "{error}");
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn the_owner_of_the_tables_may_not_serve_nor_a_role_that_bypasses_row_security() {
    let database = Database::migrated().await;
    let mut admin = database.superuser().await;
    admin
        .execute(
            "CREATE ROLE it_owner LOGIN IN ROLE tcg_owner, tcg_service, tcg_tenant;
             CREATE ROLE it_bypass LOGIN NOINHERIT BYPASSRLS IN ROLE tcg_service, tcg_tenant",
        )
        .await
        .unwrap();
    for (user, fault) in [("it_owner", "owns"), ("it_bypass", "bypasses")] {
        let url = database.server.url(true).replace("user=postgres", &format!("user={user}"));
        let error = connect(&url).await.unwrap().refuse_unsafe_role().await.unwrap_err();
        assert!(error.to_string().contains(fault), "{error}");
    }
}

/// Runs the SQL of the container's init script, as the container does.
#[tokio::test]
async fn the_login_of_the_compose_file_can_migrate_and_serve() {
    let database = Database::empty().await;
    let mut admin = database.superuser().await;
    let script = include_str!("../../.deploy/20-login.sh");
    let sql = script.split("<<'SQL'\n").nth(1).unwrap().trim_end().trim_end_matches("SQL");
    admin.execute(include_str!("../../src/store/roles.sql")).await.unwrap();
    admin.execute(sqlx::AssertSqlSafe(sql.replace(":'password'", "'secret'"))).await.unwrap();

    let url = database.server.url(true).replace("user=postgres", "user=tcgradar").replace("postgresql:", "postgresql+asyncpg:");
    let config = tcg_radar::config::Database { url: Some(url.clone().into()), ..Default::default() };
    let server = Server::find(&config, folder().path(), &quiet).await.unwrap();
    assert!(matches!(Store::connect(&server).await.unwrap_err(), StoreError::Behind(_)), "a named database is migrated on request only");
    server.migrate(None, &quiet).await.unwrap();
    let store = Store::connect(&server).await.unwrap();
    store.refuse_unsafe_role().await.unwrap();
    let mut tx = store.service().await.unwrap();
    assert_eq!(users::active(&mut tx).await.unwrap(), []);
}

#[tokio::test]
async fn a_role_that_may_not_make_the_roles_is_told_what_to_do() {
    let database = Database::empty().await;
    database.superuser().await.execute("CREATE ROLE it_plain LOGIN").await.unwrap();
    let url = database.server.url(true).replace("user=postgres", "user=it_plain");
    let config = tcg_radar::config::Database { url: Some(url.into()), ..Default::default() };
    let server = Server::find(&config, folder().path(), &quiet).await.unwrap();
    let error = server.migrate(None, &quiet).await.unwrap_err();
    assert!(error.to_string().contains("GRANT tcg_owner, tcg_service, tcg_tenant TO \"it_plain\""), "{error}");
}
