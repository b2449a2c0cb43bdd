//! `tcg-radar user` and `tcg-radar db` as an operator types them.

use std::process::Output;

use crate::cluster::{Database, folder, program};

fn run(database: &Database, arguments: &[&str]) -> Output {
    program(folder().path(), &[("DATABASE_URL", &database.server.url(false))], arguments)
}

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn an_added_tenant_is_listed_with_what_was_given() {
    let database = Database::migrated().await;
    let added = run(
        &database,
        &[
            "user",
            "add",
            "--telegram-chat-id",
            "-1001",
            "--country",
            "uk",
            "--tier",
            "trader",
            "--discord-channel-id",
            "987",
            "--profile",
            "uk_reseller",
        ],
    );
    assert!(added.status.success(), "{}", error(&added));
    let id: uuid::Uuid = String::from_utf8(added.stdout).unwrap().trim().parse().unwrap();
    let listed = run(&database, &["user", "list", "--format", "json"]);
    let expected = serde_json::json!([{
        "id": id, "tier": "trader", "country": "GB", "telegram_chat_id": -1001, "discord_channel_id": 987, "profile": "uk_reseller",
        "active": true
    }]);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&listed.stdout).unwrap(), expected);
}

#[tokio::test]
async fn a_tenant_that_cannot_be_is_refused_with_the_reason() {
    let database = Database::migrated().await;
    let base = ["user", "add", "--telegram-chat-id", "1", "--country"];
    let with = |rest: &[&str]| run(&database, &[&base, rest].concat());
    assert!(with(&["US"]).status.success());
    for (arguments, reason) in [
        (&["DE"][..], "telegram chat 1 already belongs"),
        (&["XX"], "not an ISO 3166 country code"),
        (&["US", "--discord-channel-id", "0"], "0 is not in 1.."),
        (&["US", "--tier", "gold"], "use one of free, trader, pro, shop"),
        (
            &["US", "--profile", "rich"],
            "unknown preset \"rich\": use one of de_cardmarket_us_forwarder, sea_owner, uk_reseller, us_tcgplayer_eu_forwarder",
        ),
    ] {
        let output = with(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", error(&output));
        assert!(error(&output).contains(reason), "{arguments:?}: {}", error(&output));
    }
    let listed = run(&database, &["user", "list", "--format", "json"]);
    assert_eq!(serde_json::from_slice::<Vec<serde_json::Value>>(&listed.stdout).unwrap().len(), 1);
}

#[tokio::test]
async fn a_setting_is_set_shown_with_its_origin_and_taken_back() {
    let database = Database::migrated().await;
    let add =
        ["user", "add", "--telegram-chat-id", "-7", "--country", "DE", "--tier", "premium", "--profile", "de_cardmarket_us_forwarder"];
    let id = String::from_utf8(run(&database, &add).stdout).unwrap().trim().to_owned();
    let shown = || {
        let output = run(&database, &["profile", "show", "-7", "--pack", RULES, "--format", "json"]);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_else(|_| panic!("{}", error(&output)))
    };
    assert_eq!(shown()["direction"], serde_json::json!({ "value": "us_eu", "origin": { "preset": "de_cardmarket_us_forwarder" } }));
    assert_eq!(shown()["min_profit_threshold"], serde_json::json!({ "value": null, "origin": "rules" }));
    for (field, value) in [
        ("direction", "both"),
        ("min_profit_threshold", "7.50"),
        ("card_categories", "vintage, japanese"),
        ("quiet_hours", "22:00-07:00"),
        ("time_zone", "Europe/Berlin"),
        ("eu_forwarder", "receiving_fee=3.25, currency=EUR"),
        ("tier", "shop"),
        ("country", "AT"),
        ("discord_channel_id", "12"),
    ] {
        let output = run(&database, &["user", "set", &id, field, value]);
        assert!(output.status.success(), "{field}: {}", error(&output));
    }
    let after = shown();
    assert_eq!(after["direction"], serde_json::json!({ "value": "both", "origin": "tenant" }));
    assert_eq!(after["min_profit_threshold"], serde_json::json!({ "value": "7.50", "origin": "tenant" }));
    assert_eq!(after["card_categories"]["value"], serde_json::json!(["vintage", "japanese"]));
    assert_eq!((&after["quiet_hours"]["value"], &after["time_zone"]["value"]), (&"22:00-07:00".into(), &"Europe/Berlin".into()));
    assert_eq!(after["eu_forwarder"]["receiving_fee"], serde_json::json!({ "value": "3.25", "origin": "tenant" }));
    assert_eq!((&after["tier"], &after["country"]), (&"shop".into(), &"AT".into()));
    assert!(run(&database, &["user", "set", &id, "direction", "default"]).status.success());
    assert_eq!(shown()["direction"]["origin"], serde_json::json!({ "preset": "de_cardmarket_us_forwarder" }));
    let text = String::from_utf8(run(&database, &["profile", "show", &id, "--pack", RULES]).stdout).unwrap();
    for expected in [
        &["min_profit_threshold", "7.50", "tenant"][..],
        // nobody stated it: the pack's number, and its name
        &["min_headache_score", "5", "USD", "rules:", "headache_min"],
        &["us_forwarder.outbound", "16.00", "preset", "de_cardmarket_us_forwarder"],
    ] {
        let line = text.lines().find(|line| line.trim_start().starts_with(&format!("{} ", expected[0]))).unwrap();
        assert_eq!(line.split_whitespace().collect::<Vec<_>>(), expected);
    }
    let presets = run(&database, &["profile", "list", "--format", "json"]);
    assert_eq!(serde_json::from_slice::<Vec<serde_json::Value>>(&presets.stdout).unwrap().len(), 4);
}

#[tokio::test]
async fn what_cannot_be_set_is_refused_with_what_can() {
    let database = Database::migrated().await;
    assert!(run(&database, &["user", "add", "--telegram-chat-id", "1", "--country", "US"]).status.success());
    assert!(run(&database, &["user", "add", "--telegram-chat-id", "2", "--country", "US"]).status.success());
    for (arguments, reason) in [
        (&["1", "direction", "east"][..], "direction cannot be \"east\": expected one of eu_us, us_eu, both"),
        (&["1", "condition_floor", "PO"], "expected one of MT, NM, EXC, GD, LP, PL"),
        (&["1", "min_profit", "5"], "unknown setting \"min_profit\": use one of tier, country, profile"),
        (&["1", "tier", "gold"], "use one of free, trader, pro, shop"),
        (&["1", "profile", "rich"], "unknown preset \"rich\": use one of de_cardmarket_us_forwarder"),
        (&["1", "telegram_chat_id", "2"], "telegram chat 2 already belongs"),
        (&["1", "forex_buffer", "2"], "expected a share from 0 to below 1"),
        (&["3", "direction", "both"], "no tenant has the id or chat \"3\""),
    ] {
        let output = run(&database, &[&["user", "set"], arguments].concat());
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {}", error(&output));
        assert!(error(&output).contains(reason), "{arguments:?}: {}", error(&output));
    }
    let erased = run(&database, &["user", "erase", "1"]);
    assert_eq!(erased.status.code(), Some(64));
    assert!(error(&erased).contains("add --yes"), "{}", error(&erased));
}

#[tokio::test]
async fn a_deactivated_tenant_is_judged_for_no_more_until_it_is_active_again() {
    let database = Database::migrated().await;
    assert!(run(&database, &["user", "add", "--telegram-chat-id", "1", "--country", "US"]).status.success());
    let listed = |rest: &[&str]| {
        let output = run(&database, &[&["user", "list", "--format", "json"], rest].concat());
        serde_json::from_slice::<Vec<serde_json::Value>>(&output.stdout).unwrap().len()
    };
    assert!(run(&database, &["user", "deactivate", "1"]).status.success());
    assert_eq!((listed(&[]), listed(&["--all"])), (0, 1));
    let shown = String::from_utf8(run(&database, &["user", "show", "1"]).stdout).unwrap();
    assert!(shown.contains(", inactive\n") && shown.contains("free: a digest of 10 deals, 24 to 48 h late"), "{shown}");
    assert!(run(&database, &["user", "activate", "1"]).status.success());
    assert_eq!(listed(&[]), 1);
}

#[tokio::test]
async fn the_status_shows_what_is_applied_and_what_is_missing() {
    let database = Database::migrated().await;
    let url = database.server.url(true);
    let as_owner = |arguments: &[&str]| program(folder().path(), &[("DATABASE_URL", &url)], arguments);
    assert!(as_owner(&["db", "rollback"]).status.success());
    assert!(as_owner(&["db", "rollback", "--to", "8"]).status.success());
    let status: serde_json::Value = serde_json::from_slice(&run(&database, &["db", "status", "--format", "json"]).stdout).unwrap();
    let found: Vec<_> = status["migrations"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert!(found[..8].iter().all(|state| *state == "applied"), "{found:?}");
    assert!(found.len() > 8 && found[8..].iter().all(|state| *state == "pending"), "{found:?}");
    assert_eq!(status["server"]["role"], "tcg_radar");

    let refused = run(&database, &["user", "list"]);
    assert!(error(&refused).contains("run `tcg-radar db migrate`"), "{}", error(&refused));
    assert_eq!(as_owner(&["db", "rollback", "--to", "77"]).status.code(), Some(64));
    assert!(as_owner(&["db", "migrate"]).status.success());
    assert!(run(&database, &["user", "list"]).status.success());
}
