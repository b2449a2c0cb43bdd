//! Backups and audits of a real database: all of it comes back, to the byte, and whatever was changed behind our back is
//! named.

use std::{fs, path::PathBuf, process::Output};

use chrono::{TimeDelta, Utc};
use serde_json::Value as Json;
use sqlx::Executor;
use tcg_radar::store::{
    Server,
    backup::{self, BackupError},
};
use uuid::Uuid;

use crate::{
    cluster::{Database, program, quiet},
    live::{FEW, ScanOnce, count, live, market, rows, scanner, shipped},
    reload::Stage,
};

/// A market that was scanned once, and the deals handed out.
async fn decided() -> Stage {
    let stage = Stage::new().await;
    let now = Utc::now();
    market(&stage.store, now, FEW).await;
    scanner(&stage.store, &live(shipped(), Some("world"))).scan_once(now).await.unwrap().unwrap();
    stage
}

fn ask(stage: &Stage, server: &Server, arguments: &[&str]) -> Output {
    let (url, owner) = (server.url(false), server.url(true));
    let backups = stage.folder.path().join("backups").display().to_string();
    let variables = [("DATABASE_URL", url.as_str()), ("DATABASE_OWNER_URL", &owner), ("TCG_RADAR_BACKUPS", &backups)];
    program(stage.folder.path(), &variables, arguments)
}

fn told(output: &Output) -> (Option<i32>, Json) {
    let text = String::from_utf8_lossy(&output.stdout);
    (output.status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{output:?}")))
}

fn says(output: &Output, code: i32, words: &str) {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(error.contains(words), "{error}");
}

/// Ids of stored decisions, in their order.
async fn decisions(database: &Database) -> Vec<Uuid> {
    rows::<(Uuid,)>(database, "SELECT decision_id FROM decisions ORDER BY 1").await.into_iter().map(|row| row.0).collect()
}

#[tokio::test]
async fn a_backup_brings_back_every_row_of_every_table_into_an_empty_database() {
    let stage = decided().await;
    let folder = stage.folder.path().join("backups");
    let made = stage.store.backup(&folder, Utc::now()).await.unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&made.path).unwrap().permissions()) & 0o777, 0o600);
    let tables =
        "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition";
    assert_eq!(i64::try_from(made.content.len()).unwrap(), count(&stage.database, tables).await - 1, "all but the list of migrations");
    let prices = made.content.iter().find(|table| table.table == "price_history").unwrap();
    assert_eq!(i64::try_from(prices.rows).unwrap(), count(&stage.database, "SELECT count(*) FROM price_history").await);

    let empty = Database::empty().await;
    let restored = empty.server.restore(&made.path, false, &quiet).await.unwrap();
    assert_eq!(restored, made.content);
    let store = empty.store().await;
    assert_eq!(store.content().await.unwrap(), made.content);
    // what is written next gets numbers that nobody has, and row security is in force again
    let series = "SELECT nextval(pg_get_serial_sequence('price_series', 'series_id')) - max(series_id) FROM price_series";
    assert_eq!(count(&empty, series).await, 1);
    let open = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relrowsecurity AND NOT relforcerowsecurity";
    assert_eq!(count(&empty, open).await, 0);
    store.refuse_unsafe_role().await.unwrap();
}

#[tokio::test]
async fn a_database_that_holds_something_or_is_in_use_is_not_overwritten() {
    let stage = decided().await;
    let made = stage.store.backup(&stage.folder.path().join("backups"), Utc::now()).await.unwrap();
    let path = made.path.display().to_string();
    says(&ask(&stage, &stage.database.server, &["db", "restore", &path, "--force"]), 64, "other sessions use the database");
    stage.store.close().await;
    says(&ask(&stage, &stage.database.server, &["db", "restore", &path]), 64, "--force replaces all that it holds");

    let mut admin = stage.database.superuser().await;
    admin.execute("DELETE FROM outbox; UPDATE card_metadata SET name = 'another'").await.unwrap();
    drop(admin);
    let (code, _) = told(&ask(&stage, &stage.database.server, &["--format", "json", "db", "restore", &path, "--force"]));
    assert_eq!(code, Some(0));
    assert_eq!(stage.database.store().await.content().await.unwrap(), made.content);
}

#[tokio::test]
async fn a_damaged_or_cut_backup_changes_nothing() {
    let stage = decided().await;
    let folder = stage.folder.path().join("backups");
    let made = stage.store.backup(&folder, Utc::now()).await.unwrap();
    let whole = fs::read(&made.path).unwrap();
    let target = Database::empty().await;
    target.server.migrate(None, &quiet).await.unwrap();
    let before = target.store().await.content().await.unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (what, bytes) in [
        ("flipped", flipped.as_slice()),
        ("cut", &whole[..whole.len() * 2 / 3]),
        ("cut at its end", &whole[..whole.len() - 9]),
        ("none", b""),
    ] {
        let path = folder.join("damaged");
        fs::write(&path, bytes).unwrap();
        let error = target.server.restore(&path, false, &quiet).await.unwrap_err();
        assert!(matches!(error, BackupError::Damaged { .. }), "{what}: {error}");
        assert_eq!(target.store().await.content().await.unwrap(), before, "{what}");
    }
}

#[tokio::test]
async fn a_drill_restores_compares_runs_decisions_again_and_leaves_nothing_behind() {
    let stage = decided().await;
    says(&ask(&stage, &stage.database.server, &["db", "drill"]), 64, "`tcg-radar db backup` makes one");
    let (code, made) = told(&ask(&stage, &stage.database.server, &["--format", "json", "db", "backup"]));
    assert_eq!(code, Some(0), "{made}");
    let (code, drill) = told(&ask(&stage, &stage.database.server, &["--format", "json", "db", "drill", "--sample", "20"]));
    assert_eq!(code, Some(0), "{drill}");
    assert!(drill["tables"].as_array().unwrap().iter().all(|table| table["same"] == Json::Bool(true)), "{drill}");
    assert_eq!((&drill["decisions"]["decisions"], &drill["decisions"]["equal"]), (&Json::from(20), &Json::from(20)));

    // a record that was changed before the backup is in it, and the drill finds it
    let first = decisions(&stage.database).await[0];
    let mut admin = stage.database.superuser().await;
    sqlx::query("UPDATE decisions SET net_profit = net_profit + 0.01 WHERE decision_id = $1")
        .bind(first)
        .execute(&mut admin)
        .await
        .unwrap();
    // names have seconds
    fs::remove_dir_all(stage.folder.path().join("backups")).unwrap();
    told(&ask(&stage, &stage.database.server, &["--format", "json", "db", "backup"]));
    let (code, drill) = told(&ask(&stage, &stage.database.server, &["--format", "json", "db", "drill", "--sample", "100000"]));
    assert_eq!(code, Some(1), "{drill}");
    assert_eq!(drill["decisions"]["faults"][0]["id"], first.to_string());
    assert_eq!(count(&stage.database, "SELECT count(*) FROM pg_database WHERE datname LIKE 'tcg_radar_drill%'").await, 0);
}

#[tokio::test]
async fn old_backups_go_and_what_is_none_of_ours_stays() {
    let stage = Stage::new().await;
    let folder = stage.folder.path().join("backups");
    let now = Utc::now();
    for days in 0..10 {
        stage.store.backup(&folder, now - TimeDelta::days(days)).await.unwrap();
    }
    fs::write(folder.join("notes.txt"), "mine").unwrap();
    let removed: Vec<PathBuf> = backup::prune(&folder, 7, now).unwrap();
    assert_eq!(removed.len(), 3);
    let left = backup::list(&folder).unwrap();
    assert_eq!((left.len(), fs::read_dir(&folder).unwrap().count()), (7, 8));
    assert!(now - left[0].made_at < TimeDelta::days(7));
}

/// Every way in which a byte of a stored record can be another, and what names it.
#[tokio::test]
async fn a_record_that_is_not_what_was_written_is_named_by_the_audit() {
    let stage = decided().await;
    let verify = || told(&ask(&stage, &stage.database.server, &["--format", "json", "audit", "verify"]));
    let all = decisions(&stage.database).await;
    let (code, sound) = verify();
    assert_eq!((code, &sound["equal"]), (Some(0), &Json::from(all.len())), "{sound}");
    let mut admin = stage.database.superuser().await;
    for (change, first) in [
        // a figure that was computed, one that was handed in, one that nothing depends on, an answer, and a time
        ("facts = jsonb_set(facts, '{net_profit}', '\"1.23\"')", Some("net_profit")),
        ("facts = jsonb_set(facts, '{buy_price}', '\"0.01\"')", Some("the ")),
        ("facts = facts || '{\"nobody\": \"reads this\"}'", None),
        ("flags = array_append(flags, 'X')", Some("the flags")),
        ("created_at = created_at + interval '1 microsecond'", None),
    ] {
        let id = all[all.len() / 2];
        let text: (String,) = sqlx::query_as("SELECT row_to_json(d)::text FROM decisions AS d WHERE decision_id = $1")
            .bind(id)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        let sql = format!("UPDATE decisions SET {change} WHERE decision_id = $1");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).execute(&mut admin).await.unwrap();
        let (code, found) = verify();
        assert_eq!(code, Some(1), "{change}: {found}");
        assert_eq!(found["faults"].as_array().unwrap().len(), 1, "{change}: {found}");
        let fault = &found["faults"][0];
        assert_eq!((&fault["kind"], &fault["id"]), (&Json::from("damaged_decision"), &Json::from(id.to_string())), "{change}");
        if let Some(first) = first {
            assert!(fault["first"]["what"].as_str().unwrap().starts_with(first), "{change}: {fault}");
        }
        let undo = "UPDATE decisions AS d SET (facts, flags, created_at) = (SELECT facts, flags, created_at
            FROM json_populate_record(NULL::decisions, $2::json)) WHERE decision_id = $1";
        sqlx::query(undo).bind(id).bind(text.0).execute(&mut admin).await.unwrap();
        assert_eq!(verify().0, Some(0), "{change}");
    }
}

#[tokio::test]
async fn a_record_that_comes_out_differently_is_told_from_one_of_another_engine() {
    let stage = decided().await;
    let id = decisions(&stage.database).await[0];
    let mut admin = stage.database.superuser().await;
    // as if this very program had decided otherwise: the record is whole
    let forge = "UPDATE decisions AS d SET score = score + 1 WHERE decision_id = $1";
    sqlx::query(forge).bind(id).execute(&mut admin).await.unwrap();
    sqlx::query("UPDATE decisions AS d SET digest = decision_digest(d) WHERE decision_id = $1").bind(id).execute(&mut admin).await.unwrap();
    let verify = || told(&ask(&stage, &stage.database.server, &["--format", "json", "audit", "verify"]));
    let (code, found) = verify();
    assert_eq!((code, &found["faults"][0]["kind"]), (Some(5), &Json::from("decides_otherwise")), "{found}");
    assert_eq!((&found["faults"][0]["id"], &found["faults"][0]["first"]["what"]), (&Json::from(id.to_string()), &Json::from("the score")));
    admin.execute("UPDATE scans SET engine_version = '0.0.1'").await.unwrap();
    let (code, found) = verify();
    assert_eq!((code, &found["faults"][0]["kind"]), (Some(0), &Json::from("other_engine")), "{found}");
    assert_eq!((&found["faults"][0]["engine"], &found["other_engine"]), (&Json::from("0.0.1"), &found["decisions"]));
    // and a pack that is not what its hash says decided nothing
    admin.execute("UPDATE rule_packs SET files = files || '{\"params/x.yaml\": \"\"}'").await.unwrap();
    let (code, found) = verify();
    assert_eq!((code, &found["faults"][0]["kind"]), (Some(1), &Json::from("damaged_pack")), "{found}");
}
