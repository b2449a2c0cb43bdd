//! The embedded server as processes see it: shared, killed, stopped, in awkward folders.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tcg_radar::store::embedded::{Embedded, Stopped};

use crate::{
    cluster::{folder, program, programs, quiet, stop_when_we_end},
    live::Service,
    reload::Stage,
};

pub fn kill(signal: &str, pid: u32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

fn add_user(home: &Path, chat: &str) -> std::process::Output {
    program(home, &[], &["user", "add", "--telegram-chat-id", chat, "--country", "DE"])
}

fn users(home: &Path) -> usize {
    let output = program(home, &[], &["user", "list", "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Vec<serde_json::Value>>(&output.stdout).unwrap().len()
}

#[tokio::test]
async fn processes_that_start_together_share_one_server_that_outlives_them() {
    let home = folder().keep();
    let _lifeline = stop_when_we_end(&home);
    std::thread::scope(|scope| {
        for chat in ["1", "2", "3"] {
            let home = &home;
            scope.spawn(move || {
                let output = add_user(home, chat);
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            });
        }
    });
    let server = Embedded::start(&home, programs().as_deref(), &|step| panic!("nothing is left to be done: {step}")).await.unwrap();
    let pid = server.pid().unwrap();
    assert_eq!(users(&home), 3);
    assert_eq!(server.pid(), Some(pid));
}

#[tokio::test]
async fn what_was_committed_survives_a_kill_of_postgresql() {
    let home = folder().keep();
    let _lifeline = stop_when_we_end(&home);
    assert!(add_user(&home, "1").status.success());
    let server = Embedded::start(&home, programs().as_deref(), &quiet).await.unwrap();
    let pid = server.pid().unwrap();
    kill("-KILL", pid);
    assert_eq!(users(&home), 1);
    assert_ne!(server.pid(), Some(pid));
}

#[tokio::test]
async fn a_server_that_we_started_ourselves_can_be_killed_and_started_again() {
    let home = folder().keep();
    let _lifeline = stop_when_we_end(&home);
    let first = Embedded::start(&home, programs().as_deref(), &quiet).await.unwrap().pid().unwrap();
    kill("-KILL", first);
    let second = Embedded::start(&home, programs().as_deref(), &quiet).await.unwrap().pid().unwrap();
    assert_ne!(first, second);
}

/// Kills the program at its first start as soon as `reached` holds, then starts it again.
async fn start_after_a_kill(reached: impl Fn(&Path) -> bool) {
    let home = folder().keep();
    let _lifeline = stop_when_we_end(&home);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tcg-radar"));
    command.current_dir(&home).env("TCG_RADAR_HOME", &home).env_remove("DATABASE_URL").args(["user", "list"]);
    let mut first = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !reached(&home.join("postgres")) {
        assert!(Instant::now() < deadline, "the program never got that far");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(add_user(&home, "1").status.success());
    assert_eq!(users(&home), 1);
}

#[tokio::test]
async fn a_program_that_was_killed_while_it_created_the_database_starts_again() {
    let begun = |entry: std::fs::DirEntry| entry.path().join("PG_VERSION").exists();
    start_after_a_kill(|root| std::fs::read_dir(root).is_ok_and(|entries| entries.flatten().any(begun))).await;
}

#[tokio::test]
async fn a_program_that_was_killed_while_the_server_came_up_finds_it_again() {
    start_after_a_kill(|root| root.join("data/postmaster.pid").exists()).await;
}

#[tokio::test]
async fn a_service_whose_postgresql_was_killed_starts_it_again_and_goes_on() {
    let stage = Stage::new().await;
    let home = folder().keep();
    let _lifeline = stop_when_we_end(&home);
    let path = home.display().to_string();
    let off = "cardmarket,tcgcsv,ecb,pokemontcg,justtcg,poketrace,exchangerate";
    let service = Service::start_with(&stage, &[("DATABASE_URL", ""), ("TCG_RADAR_HOME", &path), ("SOURCES_OFF", off)]);
    service.says_all(&["\"scan_skipped\""]);
    let server = Embedded::start(&home, programs().as_deref(), &quiet).await.unwrap();
    let pid = server.pid().unwrap();
    kill("-KILL", pid);
    let said = service.says_all(&["\"database_restarted\""]);
    assert_ne!(server.pid(), Some(pid), "{said:?}");
    // an edit is live only where the database keeps its pack
    stage.edit("rules/params/profit.yaml", "\"5.00\"", "\"6.00\"");
    service.says_all(&["\"rules_live\""]);
    service.ends();
}

#[tokio::test]
async fn a_stopped_server_is_gone_and_starts_again() {
    let home = folder().keep();
    let _lifeline = stop_when_we_end(&home);
    assert!(add_user(&home, "1").status.success());
    let output = program(&home, &[], &["db", "stop"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!home.join("postgres/data/postmaster.pid").exists());
    assert_eq!(Embedded::stop(&home).await.unwrap(), Stopped::NotRunning);
    assert_eq!(users(&home), 1);
}

#[tokio::test]
async fn lock_files_of_a_server_whose_number_a_stranger_now_has_do_not_stop_us() {
    let home = folder().keep();
    let _lifeline = stop_when_we_end(&home);
    Embedded::start(&home, programs().as_deref(), &quiet).await.unwrap();
    Embedded::stop(&home).await.unwrap();
    let ourselves = std::process::id();
    std::fs::write(home.join("postgres/data/postmaster.pid"), format!("{ourselves}\n/nowhere\n1\n5432\n/nowhere\n")).unwrap();
    std::fs::write(home.join("postgres/run/.s.PGSQL.5432.lock"), format!("{ourselves}\n")).unwrap();
    Embedded::start(&home, programs().as_deref(), &quiet).await.unwrap();
}

#[tokio::test]
async fn a_deep_data_folder_works_with_a_socket_elsewhere() {
    let outer = folder().keep();
    let home = outer.join("deep".repeat(20)).join("deeper".repeat(10));
    std::fs::create_dir_all(&home).unwrap();
    let _lifeline = stop_when_we_end(&home);
    let server = Embedded::start(&home, programs().as_deref(), &quiet).await.unwrap();
    assert!(server.socket().starts_with("/tmp"));
    assert_eq!(users(&home), 0);
    Embedded::stop(&home).await.unwrap();
    std::fs::remove_dir_all(server.socket()).unwrap();
    std::fs::remove_dir_all(outer).unwrap();
}

/// As root this is the way of the user namespace: no other user can look into the folder.
#[tokio::test]
async fn a_folder_that_is_closed_to_other_users_works_too() {
    let home = tempfile::tempdir().unwrap().keep();
    let _lifeline = stop_when_we_end(&home);
    assert!(add_user(&home, "1").status.success());
    assert_eq!(users(&home), 1);
}

#[tokio::test]
async fn a_folder_without_postgresql_is_named_with_what_it_should_hold() {
    let home = folder();
    let output = program(home.path(), &[("TCG_PG_BIN", "/nowhere")], &["db", "status"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{error}");
    assert!(error.contains("TCG_PG_BIN names /nowhere"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_exit_code_69_without_the_password() {
    let home = folder();
    let output = program(home.path(), &[("DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d")], &["user", "list"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    assert!(!home.path().join("postgres").exists(), "no embedded database beside a named one");
}
