//! Health and metrics as whoever watches over the service sees them: of a real run, of a loop that hangs, of a database
//! that is gone.

use std::{collections::BTreeSet, fs, time::Duration};

use chrono::Utc;
use serde_json::Value as Json;
use tcg_radar::{
    clock::Clock,
    domain::feed::Budget,
    pulse::Pulse,
    simulate::messengers::Messengers,
    web::{self, Watch, Watched},
};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::program,
    live::{FEW, Service, market, rows},
    reload::Stage,
    scan::root,
};

async fn get(base: &str, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{base}{path}")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

fn field(line: &str, name: &str) -> String {
    let json: Json = serde_json::from_str(line).unwrap();
    json["fields"][name].as_str().map_or_else(|| json["fields"][name].to_string(), str::to_owned)
}

/// Serves what is watched on a port of its own, until the token is dropped.
async fn serve(watch: Watch) -> (String, tokio_util::sync::DropGuard) {
    let listener = web::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let shutdown = CancellationToken::new();
    tokio::spawn(web::run(listener, watch, shutdown.clone()));
    (base, shutdown.drop_guard())
}

async fn watch(stage: &Stage, loops: Vec<Watched>) -> Watch {
    let sources = vec![("justtcg", Budget { day: Some(100), ..Budget::default() })];
    Watch { store: stage.database.store().await, loops, sources, backups: None, started: Utc::now(), clock: Clock::machine() }
}

fn watched(name: &'static str, longest_turn: Duration) -> Watched {
    Watched { name, pulse: Pulse::default(), longest_turn }
}

/// The names that a text in Prometheus's form has samples of.
fn names(text: &str) -> BTreeSet<&str> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split(['{', ' ']).next()).collect()
}

/// What the alerts ask for: every word that begins as our metrics do.
fn asked_for(rules: &str) -> BTreeSet<&str> {
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    rules.split(|letter| !word(letter)).filter(|word| word.starts_with("tcg_radar_")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_is_ready_and_tells_all_that_the_alerts_ask_for_and_no_tenant() {
    let stage = Stage::new().await;
    market(&stage.store, Utc::now(), FEW).await;
    let messengers = Messengers::start(Clock::machine(), 0).await.unwrap();
    let mut variables = messengers.variables();
    // a feed that is on and cannot be reached
    let off = "cardmarket,tcgcsv,ecb,pokemontcg,justtcg,poketrace";
    variables.extend([("SOURCES_OFF", off.to_owned()), ("EXCHANGERATE_API_KEY", "k".to_owned())]);
    variables.push(("BACKUP_EVERY_HOURS", "24".to_owned()));
    variables.push(("EXCHANGERATE_BASE_URL", "http://127.0.0.1:1/v6".to_owned()));
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let service = Service::start_with(&stage, &variables);
    let base = format!("http://{}", field(service.says_all(&["\"listening\""]).last().unwrap(), "address"));
    let mut log = service.says_all(&["\"scan_finished\""]);
    log.extend(service.says_all(&["\"signal_generated\""]));
    let signal = log.last().unwrap().clone();
    log.extend(service.says_all(&["\"delivered\""]));
    // the guide filters by card
    assert!(field(&signal, "card_id").contains('-'), "{signal}");
    assert_eq!(field(&signal, "signal_id").len(), 36, "{signal}");

    assert_eq!(get(&base, "/ready").await, (200, r#"{"ready":true}"#.to_owned()));
    let (status, health) = get(&base, "/health").await;
    let health: Json = serde_json::from_str(&health).unwrap();
    assert_eq!((status, &health["ok"]), (200, &Json::Bool(true)), "{health}");
    assert_eq!(health["rules"]["pack"], stage.hash());
    let loops: Vec<&str> = health["loops"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(loops, ["backups", "feeds", "reload", "review", "scan", "route", "bot", "deliver"]);

    // the audit of what was just delivered: who has it, what was sent, and by what it was decided
    let delivered = field(log.last().unwrap(), "signal_id");
    let show = |id: &str| {
        let url = stage.database.server.url(false);
        let output = program(stage.folder.path(), &[("DATABASE_URL", &url)], &["--format", "json", "audit", "show", id]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Json>(&output.stdout).unwrap()
    };
    let shown = show(&delivered);
    assert_eq!((&shown["signal"]["signal_id"], &shown["signal"]["audit_intact"]), (&Json::from(delivered.as_str()), &Json::Bool(true)));
    assert_eq!((&shown["sent"][0]["state"], &shown["turns"][0]["state"]), (&Json::from("sent"), &Json::from("held")), "{shown}");
    assert_eq!(shown["decisions"].as_array().unwrap().last().unwrap()["decision_id"], shown["signal"]["decision_id"]);
    assert_eq!((&shown["decision"]["pack_hash"], &shown["decision"]["differences"]), (&Json::from(stage.hash()), &Json::Array(Vec::new())));
    assert_eq!(show(shown["signal"]["short_id"].as_str().unwrap())["signal"], shown["signal"]);

    // an edit that cannot be used is told, and changes neither health nor what decides
    stage.edit("rules/facts/profit.rhai", "effective_buy", "effective_by");
    service.says_all(&["\"rules_refused\""]);
    let (status, text) = get(&base, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("tcg_radar_rules_refused 1\n") && text.ends_with("# EOF\n"), "{text}");
    assert!(text.contains(r#"tcg_radar_feed_failures{source="exchangerate-api"}"#), "{text}");
    assert!(text.contains(r#"tcg_radar_delivery_troubles_total{channel="telegram",outcome="late"} 0"#), "{text}");
    assert!(text.contains("tcg_radar_database_up 1\n"), "{text}");
    let health: Json = serde_json::from_str(&get(&base, "/health").await.1).unwrap();
    assert_eq!(health["ok"], Json::Bool(true));
    assert!(health["rules"]["refused_since"].is_string(), "{health}");

    let alerts = fs::read_to_string(root().join(".deploy/alerts.yml")).unwrap();
    let (asked, told) = (asked_for(&alerts), names(&text));
    assert!(asked.len() > 12, "{asked:?}");
    assert_eq!(asked.difference(&told).collect::<Vec<_>>(), Vec::<&&str>::new(), "asked for by an alert and not told: {text}");

    for (id, chat) in rows::<(uuid::Uuid, Option<i64>)>(&stage.database, "SELECT id, telegram_chat_id FROM user_profiles").await {
        assert!(!text.contains(&id.to_string()), "a tenant is told");
        assert!(chat.is_none_or(|chat| !text.contains(&format!("\"{chat}\""))), "a chat is told");
    }
    service.ends();
}

#[tokio::test]
async fn a_loop_that_hangs_makes_health_fail_and_one_that_rests_does_not() {
    let stage = Stage::new().await;
    let (steady, stuck) = (watched("scan", Duration::from_mins(1)), watched("deliver", Duration::ZERO));
    steady.pulse.turn().ends(true);
    let (base, _guard) = serve(watch(&stage, vec![steady.clone(), stuck.clone()]).await).await;
    assert_eq!(get(&base, "/health").await.0, 200);
    let turn = stuck.pulse.turn();
    let (status, body) = get(&base, "/health").await;
    assert_eq!(status, 503, "{body}");
    assert!(body.contains(r#""name":"deliver","hangs":true"#) && body.contains(r#""name":"scan","hangs":false"#), "{body}");
    assert!(get(&base, "/metrics").await.1.contains("tcg_radar_loop_hangs{loop=\"deliver\"} 1\n"));
    turn.ends(true);
    assert_eq!(get(&base, "/health").await.0, 200);
}

#[tokio::test]
async fn a_service_is_not_ready_before_its_first_scan_nor_without_its_database() {
    let stage = Stage::new().await;
    let scan = watched("scan", Duration::from_mins(1));
    let watch = watch(&stage, vec![scan.clone()]).await;
    let store = watch.store.clone();
    let (base, _guard) = serve(watch).await;
    scan.pulse.turn().ends(false);
    let (status, body) = get(&base, "/ready").await;
    assert_eq!(status, 503);
    assert!(body.contains("the first scan has not come to its end"), "{body}");
    scan.pulse.turn().ends(true);
    assert_eq!(get(&base, "/ready").await.0, 200);
    store.close().await;
    let (status, body) = get(&base, "/ready").await;
    assert_eq!(status, 503);
    assert!(body.contains("cannot reach the database"), "{body}");
    // to end the process would bring no database back
    assert_eq!(get(&base, "/health").await.0, 200);
    let (status, text) = get(&base, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("tcg_radar_database_up 0\n") && !text.contains("tcg_radar_outbox_waiting{"), "{text}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_said_with_what_to_do() {
    let stage = Stage::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let url = stage.database.server.url(false);
    let output = program(stage.folder.path(), &[("DATABASE_URL", &url), ("TCG_RADAR_LISTEN", &address)], &["serve"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(64), "{said}");
    assert!(said.contains(&address) && said.contains("TCG_RADAR_LISTEN"), "{said}");
}
