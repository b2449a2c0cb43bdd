//! The doctor on an installation that is sound, on one that somebody broke, and on one without its database.

use std::{fs, os::unix::fs::PermissionsExt, process::Output};

use serde_json::Value as Json;
use sqlx::Executor;
use tcg_radar::{clock::Clock, simulate::messengers::Messengers};

use crate::{cluster::program, reload::Stage};

const OFF: &str = "cardmarket,tcgcsv,ecb,pokemontcg,poketrace,exchangerate";

fn doctor(stage: &Stage, more: &[(&str, &str)], arguments: &[&str]) -> Output {
    let (url, rules) = (stage.database.server.url(false), stage.path("rules").display().to_string());
    let mut variables = vec![("DATABASE_URL", url.as_str()), ("TCG_RADAR_RULES", &rules), ("SOURCES_OFF", OFF)];
    variables.extend(more);
    program(stage.folder.path(), &variables, &[&["--format", "json", "doctor"], arguments].concat())
}

/// An installation as it should be, without keys.
async fn installed() -> Stage {
    let stage = Stage::new().await;
    fs::write(stage.path(".env"), "").unwrap();
    fs::set_permissions(stage.path(".env"), fs::Permissions::from_mode(0o600)).unwrap();
    stage
}

/// What stands at a level, and the exit code.
fn at(output: &Output, level: &str) -> (Option<i32>, Vec<String>) {
    let found: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let checks = found["checks"].as_array().unwrap().iter().filter(|check| check["level"] == level);
    let told = checks.map(|check| {
        // whoever has something to do is told what
        assert_eq!(check["advice"].is_string(), level != "ok", "{check}");
        check["what"].as_str().unwrap().to_owned()
    });
    (output.status.code(), told.collect())
}

#[tokio::test]
async fn what_somebody_broke_is_a_fault_each_and_a_sound_installation_has_none() {
    let stage = installed().await;
    assert_eq!(at(&doctor(&stage, &[], &["--offline"]), "fault"), (Some(0), Vec::new()));

    fs::set_permissions(stage.path(".env"), fs::Permissions::from_mode(0o644)).unwrap();
    stage.edit("rules/facts/profit.rhai", "effective_buy", "effective_by");
    let mut admin = stage.database.superuser().await;
    admin.execute("ALTER TABLE outbox NO FORCE ROW LEVEL SECURITY; DROP INDEX ix_signal_audit_signal").await.unwrap();
    let output = doctor(&stage, &[("ENABLE_LAYER_3_SCRAPING", "true"), ("PATH", "/nowhere")], &["--offline"]);
    assert_eq!(at(&output, "fault"), (Some(1), [".env", "rules", "chromium", "row security"].map(str::to_owned).to_vec()));
    assert!(at(&output, "warning").1.contains(&"indexes".to_owned()));
    assert!(String::from_utf8_lossy(&output.stdout).contains("not in force for outbox"));
}

// the stand-in answers while this waits for the program
#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_answer_is_named_and_whoever_does_is_not() {
    let stage = installed().await;
    let messengers = Messengers::start(Clock::machine(), 0).await.unwrap();
    let variables = messengers.variables();
    let mut variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    variables.extend([("JUSTTCG_API_KEY", "k"), ("JUSTTCG_BASE_URL", "http://127.0.0.1:1/v1")]);
    let output = doctor(&stage, &variables, &[]);
    assert_eq!(at(&output, "fault"), (Some(1), vec!["reach justtcg".to_owned()]));
    let well = at(&output, "ok").1;
    assert!(
        ["reach telegram", "reach discord", "clock against telegram"].iter().all(|what| well.contains(&(*what).to_owned())),
        "{well:?}"
    );
}

#[tokio::test]
async fn without_its_database_the_rest_is_told_all_the_same() {
    let stage = installed().await;
    let output = doctor(&stage, &[("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d")], &["--offline"]);
    assert_eq!(at(&output, "fault"), (Some(69), vec!["database".to_owned()]));
    assert!(at(&output, "ok").1.contains(&"rules".to_owned()));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hunter2"));
}
