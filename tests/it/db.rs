//! The schema: up, down and up again with data in it, and the rules that its tables keep.

use std::str::FromStr;

use sqlx::{AssertSqlSafe, Executor, PgConnection};
use tcg_radar::{
    domain::{
        card::{Edition, Language, Printing},
        condition::{Grade, Scale},
        decision::{ChangeKind, Outcome, ScanKind},
        market::{Direction, Market},
        message::Channel,
        money::Currency,
        observation::PriceKind,
        profile::{Directions, Tier},
        signal::{RoutingState, SignalKind, SignalState},
    },
    store::{MigrationState, StoreError},
};

use crate::cluster::{Database, quiet, refusal};

/// Rows for the tables of each step, in the shape that they have after it. A new migration needs its own.
const DATA: &[&str] = &[
    "INSERT INTO market_prices (card_id, source, price_usd, price_eur, condition) VALUES ('sv1-25', 'justtcg', 22.00, 8.00, 'NM');
     INSERT INTO card_metadata (card_id, name, set_code, regulation_mark) VALUES ('sv1-25', 'Magnezone', 'sv1', 'G');
     INSERT INTO user_profiles (id, telegram_chat_id, country) VALUES ('00000000-0000-0000-0000-00000000000a', 1, 'US');",
    "INSERT INTO signals (id, tenant_id, card_id, margin_pct) VALUES
        ('00000000-0000-0000-0000-0000000000f1', '00000000-0000-0000-0000-00000000000a', 'sv1-25', 33.60);
     INSERT INTO signal_audit (signal_id, source_prices, fee_calc, snapshot_data)
        VALUES ('00000000-0000-0000-0000-0000000000f1', '{\"eu\": \"8.00\"}', '{}', '{}');",
    "INSERT INTO price_history (card_id, source, price_usd, price_eur, recorded_at) VALUES
        ('sv1-25', 'justtcg', 22.00, 8.00, '2026-01-31T23:59:59.5Z'),
        ('sv1-25', 'justtcg', 22.10, 8.10, '2026-02-01T00:00:00Z'),
        ('sv1-25', 'justtcg', 22.20, NULL, '2026-02-01T00:00:00Z'),
        ('sv1-25', 'cardmarket_scrape', NULL, 7.95, '2026-02-02T00:00:00Z'),
        ('sv1-26', 'ebay', 3.10, NULL, '2026-02-02T00:00:00Z'),
        ('sv1-27', 'justtcg', NULL, NULL, '2025-12-01T12:00:00Z');
     UPDATE market_prices SET seller_id = 'anna', seller_rating = 99.10, seller_sales = 500, sales_30d = 12, active_listings = 8;",
    "INSERT INTO synergy_cooccurrence (card_a, card_b, count) VALUES ('sv1-25', 'sv1-26', 3);",
    "UPDATE user_profiles SET discord_channel_id = 987654321;",
    "INSERT INTO users (id, email) VALUES ('00000000-0000-0000-0000-00000000000b', 'b@example.org');
     INSERT INTO user_profiles (id, telegram_chat_id, country, min_profit_threshold) VALUES
        ('00000000-0000-0000-0000-00000000000b', -2, 'DE', 7.50);",
    "UPDATE user_profiles SET subscription_tier = 'pro' WHERE telegram_chat_id = 1;",
    "INSERT INTO card_products VALUES ('tcgplayer', '42', 'sv1-25', 'name', 'test'), ('tcgplayer', '42', 'sv1-26', 'name', 'test');
     INSERT INTO price_series (source, market, currency, product_market, product_id, printing, edition, language, kind)
        VALUES ('tcgcsv', 'tcgplayer', 'USD', 'tcgplayer', '42', 'holofoil', 'standard', 'en', 'market');
     SELECT ensure_price_partition('2026-07-15');
     INSERT INTO price_history (series_id, observed_at, price, low, known_at)
        SELECT series_id, '2026-07-15T20:00:00Z', 21.005, 19.99, '2026-07-15T20:00:00Z' FROM price_series WHERE source = 'tcgcsv';
     INSERT INTO activity_history (card_id, source, market, printing, edition, language, sales_30d, observed_at, known_at)
        VALUES ('sv1-25', 'poketrace', 'tcgplayer', 'plain', 'standard', 'en', 12, now(), now());
     INSERT INTO exchange_rates VALUES ('2026-07-15', 'USD', 1.0812, 'ecb', now());",
    "INSERT INTO card_sets (set_code, name, total) VALUES ('sv1', 'Scarlet & Violet', 258);
     UPDATE card_metadata SET rarity = 'Rare', supertype = 'Pokémon';
     INSERT INTO users (id) VALUES ('00000000-0000-0000-0000-00000000000c');
     INSERT INTO user_profiles (id, telegram_chat_id, country, preset, direction, forwarders) VALUES
        ('00000000-0000-0000-0000-00000000000c', 3, 'GB', 'uk_reseller', 'both', '{\"US\": {\"outbound\": \"16.00\", \"currency\": \"USD\"}}');",
    "INSERT INTO rule_packs VALUES ('abc', '{\"pack.yaml\": \"name: x\"}', '0.1.0', now());
     INSERT INTO scans (scan_id, as_of, started_at, pack_hash) VALUES ('00000000-0000-0000-0000-0000000000e1', now(), now(), 'abc');
     INSERT INTO opportunities VALUES ('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-0000000000e1', 'sv1-25', 'Magnezone',
        'holofoil', 'standard', 'en', 'eu_us', 'cardmarket', 'tcgplayer', 8, 22, 'a', 'b', now(), now(), NULL, 'NM', '{}', now());
     INSERT INTO decisions (decision_id, tenant_id, opportunity_id, scan_id, pack_hash, verdict, facts, created_at) VALUES
        ('00000000-0000-0000-0000-0000000000c1', '00000000-0000-0000-0000-00000000000a', '00000000-0000-0000-0000-0000000000d1',
         '00000000-0000-0000-0000-0000000000e1', 'abc', 'signal', '{}', now());
     INSERT INTO scan_reasons VALUES ('00000000-0000-0000-0000-0000000000e1', '00000000-0000-0000-0000-00000000000a', 'eu_us', 'STALE', 3);
     UPDATE signals SET margin_pct = 123456.78;",
    "INSERT INTO market_products (market, product_id, name, category, last_updated) VALUES ('cardmarket', '7', 'Magnezone', 'singles', now());
     UPDATE card_sets SET vendor_updated_at = now();
     SELECT rekey_product_series(ARRAY['tcgcsv']);",
    "UPDATE opportunities SET route_key = 'sv1-25 eu_us', state = 'live', state_since = now(), confirmed_pack = 'abc', confirmed_regime = 'world';
     INSERT INTO decisions (decision_id, tenant_id, opportunity_id, scan_id, pack_hash, verdict, reason, facts, created_at, follows, buy_price,
            sell_price, buy_observed_at, sell_observed_at)
        SELECT '00000000-0000-0000-0000-0000000000c2', tenant_id, opportunity_id, scan_id, pack_hash, 'rejected', 'STALE', '{}', now(),
            decision_id, buy_price, sell_price, buy_observed_at, sell_observed_at FROM decisions;
     INSERT INTO opportunity_changes (change_id, opportunity_id, scan_id, changed_at, change, to_pack, to_buy_price, to_sell_price,
            tenants_before, tenants_after)
        SELECT opportunity_id, opportunity_id, scan_id, now(), 'offered', 'abc', buy_price, sell_price, 0, 1 FROM opportunities;
     INSERT INTO rule_status (pack_hash, presets, from_files, live_since, looked_at) VALUES ('abc', '{}', true, now(), now());
     INSERT INTO rule_changes (change_id, changed_at, to_pack, to_regime) VALUES ('00000000-0000-0000-0000-0000000000b1', now(), 'abc', 'world');",
    "INSERT INTO feeds (source, state, day, month, day_used) VALUES ('justtcg', '{\"stage\": \"Games\"}', '2026-11-22', '2026-11-01', 7);
     INSERT INTO feed_asked VALUES ('justtcg', '42', now());
     INSERT INTO price_quarantine (series_id, observed_at, price, expected, known_at, recorded_at)
        SELECT min(series_id), now(), 100, 1, now(), now() FROM price_series;
     SELECT fold_price_history('1996-01-01', '1996-02-01');",
    "INSERT INTO outbox (id, tenant_id, signal_id, channel, chat_id, step, kind, message, priority, deadline, not_before, created_at)
        SELECT id, tenant_id, id, 'telegram', 1, 0, 'send', '{}', 1, now(), now(), now() FROM signals;
     INSERT INTO dead_chats VALUES ('telegram', 1, now(), 'blocked');",
    "INSERT INTO signals (id, tenant_id, card_id, opportunity_id, decision_id, state, short_id, window_seconds, delivered_at, expires_at,
            velocity_score, maturity_multiplier)
        SELECT '00000000-0000-0000-0000-0000000000f2', tenant_id, 'sv1-25', opportunity_id, decision_id, 'held', 'abc', 60, now(), now(),
            12345.67, 10 FROM decisions WHERE follows IS NULL;
     INSERT INTO routings (opportunity_id, state, due_at, changed_at) SELECT opportunity_id, 'held', now(), now() FROM opportunities;
     INSERT INTO tenant_rotation (tenant_id, priority, batched_at, digested_at) SELECT id, 50, now(), now() FROM users;
     INSERT INTO wrong_cards SELECT tenant_id, card_id, id, now() FROM signals WHERE short_id IS NOT NULL;
     INSERT INTO hidden_cards VALUES ('sv1-25', 'operator', now());
     INSERT INTO scans (scan_id, as_of, started_at, pack_hash, kind)
        VALUES ('00000000-0000-0000-0000-0000000000e2', now(), now(), 'abc', 'hand_over');
     UPDATE user_profiles SET quiet_from = '22:00', quiet_until = '07:00', time_zone = 'Europe/Berlin';
     UPDATE users SET erased_at = now() WHERE email IS NOT NULL;",
    "UPDATE user_profiles SET telegram_user_id = 7;
     INSERT INTO invitations SELECT sha256(id::text::bytea), id, now(), now() FROM users;
     INSERT INTO vain_starts VALUES (7, now());
     INSERT INTO bot_updates (next_update) VALUES (8);",
    "INSERT INTO price_writes (recorded_at, series) SELECT now(), array_agg(series_id) FROM price_series;",
    "INSERT INTO scans (scan_id, as_of, started_at, pack_hash, engine_version)
        VALUES ('00000000-0000-0000-0000-0000000000e3', now(), now(), 'abc', '0.0.1');",
    "INSERT INTO scrape_pace (loads) VALUES (ARRAY[now()]);
     INSERT INTO scrape_wishes (card_id, event, wished_at, expires_at) VALUES ('sv1-25', 'manual', now(), now());
     INSERT INTO scrape_pages (card_id, event, loaded_at) VALUES ('sv1-25', 'manual', now());
     INSERT INTO listings (market, card_id, product_id, source, seller_id, printing, edition, language, price, first_seen_at, seen_at)
        VALUES ('cardmarket', 'sv1-25', '7', 'cardmarket_scrape', 'alice', 'plain', 'standard', 'en', 3.20, now(), now());",
    "INSERT INTO event_flags (card_id, kind, source, started_at, expires_at) VALUES ('sv1-25', 'BAN', 'operator', now(), now());
     UPDATE feeds SET express = true;",
    "INSERT INTO social_posts VALUES ('reddit', 'a', NULL, now(), now(), 'Mew', NULL);
     INSERT INTO social_counts VALUES ('x', 'Mew', now(), 3, 1.5);",
    "INSERT INTO tournaments VALUES ('limitless:1', 'Cup', '2026-11-21', 47, now());",
];

async fn text(session: &mut PgConnection, sql: &'static str) -> String {
    sqlx::query_scalar::<_, Option<String>>(sql).fetch_one(session).await.unwrap().unwrap_or_default()
}

/// All rows of the guide's eight tables. Price rows get new ids on the way back; nothing refers to them.
async fn guide_rows(session: &mut PgConnection) -> Vec<String> {
    let tables = [
        ("market_prices", "to_jsonb(t)"),
        ("card_metadata", "to_jsonb(t)"),
        ("user_profiles", "to_jsonb(t)"),
        ("signals", "to_jsonb(t)"),
        ("signal_audit", "to_jsonb(t)"),
        ("price_history", "to_jsonb(t) - 'id'"),
        ("synergy_cooccurrence", "to_jsonb(t)"),
        ("users", "to_jsonb(t)"),
    ];
    let mut rows = Vec::new();
    for (table, row) in tables {
        let sql = format!("SELECT '{table} ' || ({row})::text FROM {table} AS t ORDER BY 1");
        rows.extend(sqlx::query_scalar::<_, String>(AssertSqlSafe(sql)).fetch_all(&mut *session).await.unwrap());
    }
    rows
}

/// Every column, constraint, index, policy, grant and default of the schema.
async fn shape(session: &mut PgConnection) -> String {
    text(
        session,
        "SELECT string_agg(line, E'\n' ORDER BY line) FROM (
            SELECT format('%s.%s %s %s %s', table_name, column_name, data_type, is_nullable, column_default) AS line
                FROM information_schema.columns WHERE table_schema = 'public'
            UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid)) FROM pg_constraint
                WHERE connamespace = 'public'::regnamespace
            UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT format('%s %s %s %s %s', tablename, policyname, roles, qual, with_check) FROM pg_policies
            UNION ALL SELECT format('%s %s %s %s', relname, relacl, relrowsecurity, relforcerowsecurity) FROM pg_class
                WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            UNION ALL SELECT proname || proacl::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace) AS lines",
    )
    .await
}

#[tokio::test]
async fn the_guides_data_is_the_same_after_going_up_and_down_again() {
    let database = Database::empty().await;
    let mut session = database.superuser().await;
    for (version, data) in (1..).zip(&DATA[..7]) {
        database.server.migrate(Some(version), &quiet).await.unwrap();
        session.execute(*data).await.unwrap();
    }
    let (rows, schema) = (guide_rows(&mut session).await, shape(&mut session).await);
    assert_eq!(rows.iter().filter(|row| row.starts_with("price_history ")).count(), 6);

    database.server.migrate(None, &quiet).await.unwrap();
    let carried =
        "SELECT string_agg(concat_ws(' ', card_id, source, market, currency, observed_at AT TIME ZONE 'UTC', revision, price), E'\n'
                   ORDER BY card_id, source, market, observed_at, revision) FROM price_history JOIN price_series USING (series_id)";
    let observations = text(&mut session, carried).await;
    assert_eq!(observations.lines().count(), 8, "{observations}");
    assert!(observations.contains("sv1-26 ebay ebay USD"), "{observations}");

    database.server.rollback(7, &quiet).await.unwrap();
    assert_eq!(guide_rows(&mut session).await, rows);
    assert_eq!(shape(&mut session).await, schema);

    database.server.migrate(None, &quiet).await.unwrap();
    assert_eq!(text(&mut session, carried).await.lines().count(), 8);
}

/// The numbers of the steps; some may be left out.
async fn versions(database: &Database) -> Vec<i64> {
    database.server.migrations().await.unwrap().iter().map(|migration| migration.version).collect()
}

#[tokio::test]
async fn every_step_goes_down_and_up_again_with_data_in_its_tables() {
    let database = Database::empty().await;
    let mut session = database.superuser().await;
    let mut shapes = Vec::new();
    let versions = versions(&database).await;
    for (version, data) in versions.iter().zip(DATA) {
        database.server.migrate(Some(*version), &quiet).await.unwrap();
        // partitions belong to the data, not to the step
        shapes.push(shape(&mut session).await.lines().filter(|line| !line.contains("price_history_2")).collect::<Vec<_>>().join("\n"));
        session.execute(*data).await.unwrap();
    }
    let migrations = database.server.migrations().await.unwrap();
    assert_eq!(migrations.len(), DATA.len(), "every migration needs rows in DATA");
    assert!(migrations.iter().all(|migration| migration.state == MigrationState::Applied));
    for place in (0..migrations.len()).rev() {
        let before = place.checked_sub(1);
        let version = before.map_or(0, |before| versions[before]);
        database.server.rollback(version, &quiet).await.unwrap();
        let Some(before) = before.map(|before| &shapes[before]) else { continue };
        let now = shape(&mut session).await;
        let now: Vec<_> = now.lines().filter(|line| !line.contains("price_history_2")).collect();
        assert_eq!(now.join("\n"), *before, "after rolling back to {version}");
        if version == 9 {
            assert_eq!(text(&mut session, "SELECT max(margin_pct)::text FROM signals").await, "9999.99");
        }
        if version == 8 {
            // what was inherited becomes the guide's default again
            let profile = "SELECT concat_ws(' ', min_profit_threshold, min_headache_score, currency, use_forwarder) FROM user_profiles
                           WHERE telegram_chat_id = 3";
            assert_eq!(text(&mut session, profile).await, "5.00 5 USD f");
        }
    }
    assert_eq!(
        text(
            &mut session,
            "SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        )
        .await,
        "_sqlx_migrations"
    );
    let migrations = database.server.migrate(None, &quiet).await.unwrap();
    assert!(migrations.iter().all(|migration| migration.state == MigrationState::Applied));
}

#[tokio::test]
async fn a_migration_that_was_changed_after_it_was_applied_is_refused() {
    let database = Database::migrated().await;
    let mut session = database.superuser().await;
    session.execute("UPDATE _sqlx_migrations SET checksum = 'other' WHERE version = 3").await.unwrap();
    let error = database.server.migrate(None, &quiet).await.unwrap_err();
    assert!(matches!(error, StoreError::MigrationChanged { version: 3, .. }), "{error}");
    assert!(error.to_string().contains("0003"), "{error}");
    assert!(database.server.rollback(0, &quiet).await.is_err());
}

#[tokio::test]
async fn a_schema_that_is_newer_or_older_than_the_program_is_refused() {
    let database = Database::migrated().await;
    let versions = versions(&database).await;
    database.server.rollback(versions[versions.len() - 2], &quiet).await.unwrap();
    let error = tcg_radar::store::Store::connect(&database.server).await.unwrap_err();
    assert!(matches!(error, StoreError::Behind(1)), "{error}");
    let mut session = database.superuser().await;
    session.execute("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 9").await.unwrap();
    let error = tcg_radar::store::Store::connect(&database.server).await.unwrap_err();
    assert!(matches!(error, StoreError::MigrationUnknown(9999)), "{error}");
}

#[tokio::test]
async fn two_processes_that_migrate_together_do_it_once() {
    let database = Database::empty().await;
    let (first, second) = tokio::join!(database.server.migrate(None, &quiet), database.server.migrate(None, &quiet));
    assert_eq!(first.unwrap(), second.unwrap());
}

#[tokio::test]
async fn a_month_that_many_writers_need_first_is_created_once() {
    let database = Database::migrated().await;
    let writers = (0..8).map(|writer| {
        let database = &database;
        async move {
            let mut session = database.role("tcg_service").await;
            let sql = format!(
                "BEGIN; SELECT ensure_price_partition('2026-03-15'); SELECT ensure_price_partition('2026-04-01');
                 INSERT INTO price_history (series_id, observed_at, price, known_at) VALUES
                    ({writer}, '2026-03-31T23:59:59Z', 1, now()), ({writer}, '2026-04-01T00:00:00Z', 1, now()); COMMIT"
            );
            session.execute(AssertSqlSafe(sql)).await.unwrap();
        }
    });
    futures_join(writers).await;
    let mut session = database.superuser().await;
    assert_eq!(text(&mut session, "SELECT count(*)::text FROM price_history_2026_03").await, "8");
    assert_eq!(text(&mut session, "SELECT count(*)::text FROM price_history_2026_04").await, "8");
}

/// Polls all at once, on this task.
async fn futures_join(all: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|future| future.as_mut().poll(context).is_pending());
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test]
async fn a_month_that_cannot_be_is_refused() {
    let database = Database::migrated().await;
    let mut session = database.role("tcg_service").await;
    assert_eq!(refusal(&mut session, "SELECT ensure_price_partition('1970-01-01')").await, "22023");
}

#[tokio::test]
async fn one_identity_is_one_series_although_parts_of_it_are_null() {
    const SERIES: &str = "INSERT INTO price_series (source, market, currency, card_id, printing, edition, language, kind)
                          VALUES ('pokemontcg', 'tcgplayer', 'USD', 'sv1-25', 'normal', 'standard', 'en', 'market')";
    let database = Database::migrated().await;
    let mut session = database.role("tcg_service").await;
    session.execute(SERIES).await.unwrap();
    assert_eq!(refusal(&mut session, SERIES).await, "23505");
    // neither a card nor a product
    let nothing = "INSERT INTO price_series (source, market, currency, printing, edition, language, kind)
                   VALUES ('pokemontcg', 'tcgplayer', 'USD', 'normal', 'standard', 'en', 'market')";
    assert_eq!(refusal(&mut session, nothing).await, "23514");
}

#[tokio::test]
async fn zero_is_no_price() {
    let database = Database::migrated().await;
    let mut session = database.role("tcg_service").await;
    session.execute("SELECT ensure_price_partition('2026-03-15')").await.unwrap();
    let zero = "INSERT INTO price_history (series_id, observed_at, price, known_at) VALUES (1, '2026-03-15', 0, now())";
    assert_eq!(refusal(&mut session, zero).await, "23514");
    let nothing = "INSERT INTO price_history (series_id, observed_at, price, known_at) VALUES (1, '2026-03-15', NULL, now())";
    session.execute(nothing).await.unwrap();
}

/// The words of every `column IN (…)` check of a table.
async fn checked(session: &mut PgConnection, table: &str, column: &str) -> Vec<String> {
    let sql = format!(
        "SELECT word[1] FROM pg_constraint, regexp_matches(pg_get_constraintdef(oid), '''([^'']+)''::text', 'g') AS word
         WHERE conrelid = '{table}'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) ~ '\\({column} = ANY'"
    );
    let mut words: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(session).await.unwrap();
    words.sort();
    words
}

#[tokio::test]
async fn the_tables_allow_exactly_the_members_of_the_domains_closed_sets() {
    let database = Database::migrated().await;
    let mut session = database.superuser().await;
    let currencies: Vec<&str> = Currency::ALL.iter().map(|currency| currency.code()).collect();
    let sets: &[(&str, &[&str])] = &[
        ("price_series.market", Market::NAMES),
        ("price_series.product_market", Market::NAMES),
        ("price_series.currency", &currencies),
        ("price_series.printing", Printing::NAMES),
        ("price_series.edition", Edition::NAMES),
        ("price_series.language", Language::NAMES),
        ("price_series.condition_scale", Scale::NAMES),
        ("price_series.condition", Grade::NAMES),
        ("price_series.kind", PriceKind::NAMES),
        ("card_products.market", Market::NAMES),
        ("activity_history.market", Market::NAMES),
        ("activity_history.product_market", Market::NAMES),
        ("activity_history.printing", Printing::NAMES),
        ("activity_history.edition", Edition::NAMES),
        ("activity_history.language", Language::NAMES),
        ("opportunities.printing", Printing::NAMES),
        ("opportunities.edition", Edition::NAMES),
        ("opportunities.language", Language::NAMES),
        ("opportunities.direction", Direction::NAMES),
        ("opportunities.buy_market", Market::NAMES),
        ("opportunities.sell_market", Market::NAMES),
        ("opportunities.condition", Grade::NAMES),
        ("opportunity_changes.change", ChangeKind::NAMES),
        ("scans.kind", ScanKind::NAMES),
        ("decisions.verdict", Outcome::NAMES),
        ("scan_reasons.direction", Direction::NAMES),
        ("signals.kind", SignalKind::NAMES),
        ("signals.state", SignalState::NAMES),
        ("routings.state", RoutingState::NAMES),
        ("outbox.channel", Channel::NAMES),
        ("dead_chats.channel", Channel::NAMES),
        ("user_profiles.direction", Directions::NAMES),
        ("user_profiles.condition_floor", Grade::NAMES),
        ("user_profiles.seller_platform", Market::NAMES),
        ("user_profiles.subscription_tier", Tier::NAMES),
    ];
    for (place, members) in sets {
        let (table, column) = place.split_once('.').unwrap();
        let mut members: Vec<String> = members.iter().map(|member| (*member).to_owned()).collect();
        members.sort();
        assert_eq!(checked(&mut session, table, column).await, members, "{place}");
    }
    assert!(Market::from_str("cardmarket").is_ok());
}
