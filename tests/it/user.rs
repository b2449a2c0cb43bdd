//! `tcg-radar user` and `tcg-radar db` as an operator types them.

use std::process::Output;

use crate::cluster::{Database, folder, program};

fn run(database: &Database, arguments: &[&str]) -> Output {
    program(folder().path(), &[("DATABASE_URL", &database.server.url(false))], arguments)
}

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
        "id": id, "tier": "trader", "country": "GB", "telegram_chat_id": -1001, "discord_channel_id": 987, "profile": "uk_reseller"
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
