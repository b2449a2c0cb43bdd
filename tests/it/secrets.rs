//! Planted secrets appear nowhere: neither in what the program writes, at its most talkative and with everything broken
//! that can break, nor in the errors that libraries make of it.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{TimeDelta, Utc};
use secrecy::SecretString;
use tcg_radar::{
    clock::Clock,
    config::{Config, delivery::Platform},
    domain::message::{Channel, Message, Reply},
    notify::{Notifier, Trouble, discord::Discord, telegram::Telegram},
    simulate::messengers::{Deed, Messengers, Order},
    store::outbox::{self, NewMessage},
};

use crate::{
    cluster::{folder, program},
    live::Service,
    reload::Stage,
};

/// Everything secret that the program is ever told. Each is found by its word alone.
const SECRETS: [(&str, &str); 15] = [
    ("TELEGRAM_BOT_TOKEN", "7351:CANARYtelegram"),
    ("DISCORD_BOT_TOKEN", "CANARYdiscord"),
    ("EXCHANGERATE_API_KEY", "CANARYexchangerate"),
    ("JUSTTCG_API_KEY", "CANARYjusttcg"),
    ("POKEMONTCG_API_KEY", "CANARYpokemontcg"),
    ("POKETRACE_API_KEY", "CANARYpoketrace"),
    ("TWITTER_BEARER_TOKEN", "CANARYtwitter"),
    ("ANTHROPIC_API_KEY", "CANARYanthropic"),
    ("OPENROUTER_API_KEY", "CANARYopenrouter"),
    ("EBAY_APP_ID", "CANARYebayapp"),
    ("EBAY_CERT_ID", "CANARYebaycert"),
    ("PROXY_URL", "http://CANARYuser:CANARYproxy@127.0.0.1:1"),
    // of the environment: all that goes to other machines goes through it
    ("HTTPS_PROXY", "http://CANARYuser:CANARYenvproxy@127.0.0.1:1"),
    ("https_proxy", "http://CANARYuser:CANARYenvproxy@127.0.0.1:1"),
    ("DATABASE_OWNER_URL", "postgresql://CANARYowner:CANARYownerpw@127.0.0.1:1/x"),
];

fn nowhere(text: &str, what: &str) {
    let found: Vec<&str> = text.lines().filter(|line| line.to_ascii_lowercase().contains("canary")).take(5).collect();
    assert!(found.is_empty(), "{what} tells secrets:\n{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_with_everything_broken_tells_no_secret_at_its_most_talkative() {
    let stage = Stage::new().await;
    let now = Utc::now();
    let mut tx = stage.store.service().await.unwrap();
    let message = Message::Reply(Reply { title: None, lines: vec!["a chat's text".into()] });
    for (channel, chat_id) in [(Channel::Telegram, 5), (Channel::Discord, 6)] {
        let deadline = now + TimeDelta::hours(1);
        let new = NewMessage {
            tenant: None,
            signal_id: None,
            with_signals: &[],
            channel,
            chat_id,
            message: &message,
            priority: 0,
            deadline,
            not_before: now,
        };
        outbox::enqueue(&mut tx, &new, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    let messengers = Messengers::start(Clock::machine(), 0).await.unwrap();
    let variables: BTreeMap<&str, String> = messengers.variables().into_iter().collect();
    // the stand-in knows another token; Discord and the vendors are behind a proxy that is not there
    let mut all: Vec<(&str, &str)> = SECRETS.to_vec();
    all.push(("TELEGRAM_BASE_URL", variables["TELEGRAM_BASE_URL"].as_str()));
    all.push(("EXCHANGERATE_BASE_URL", "http://127.0.0.1:1/v6"));
    all.push(("SOURCES_OFF", "cardmarket,tcgcsv,ecb"));
    all.push(("RUST_LOG", "trace"));
    let service = Service::start_with(&stage, &all);
    let mut said = String::new();
    for parts in [
        &["delivery_retried", "telegram", "Unauthorized"][..],
        &["bot_halted"],
        &["delivery_retried", "discord", "no connection"],
        &["feed_failed", "exchangerate"],
        &["feed_failed", "justtcg"],
    ] {
        // in whatever order they come
        if !said.lines().any(|line| parts.iter().all(|part| line.contains(part))) {
            said.push_str(&service.says_all(parts).join("\n"));
        }
    }
    said.push_str(&service.ends());
    assert!(said.lines().count() > 100, "it was talkative");
    nowhere(&said, "the log");
    assert!(!said.contains("a chat's text"), "nor what is said to tenants");
}

#[tokio::test]
async fn no_command_tells_a_secret_however_it_fails() {
    let home = folder();
    let database = |url: &'static str| {
        let mut all = SECRETS.to_vec();
        all.extend([("DATABASE_URL", url), ("RUST_LOG", "trace")]);
        all
    };
    for url in [
        "postgresql://u:CANARYpw@127.0.0.1:1/x",
        "postgresql+asyncpg://u:CANARYpw@127.0.0.1:1/x",
        "postgresql://u:CANARYpw@[::bad/x",
        "postgresql://u:CANARYpw@127.0.0.1:notaport/x",
        "mysql://u:CANARYpw@127.0.0.1/x",
    ] {
        for arguments in [&["db", "status"][..], &["serve"], &["doctor"], &["user", "list"]] {
            let output = program(home.path(), &database(url), arguments);
            assert!(!output.status.success() || arguments == ["doctor"], "{arguments:?}: {output:?}");
            nowhere(&String::from_utf8_lossy(&output.stdout), &format!("{arguments:?}"));
            nowhere(&String::from_utf8_lossy(&output.stderr), &format!("{arguments:?}"));
        }
    }
}

/// What the platforms' clients say of every fault, and what they print of themselves.
#[tokio::test]
async fn no_fault_of_a_platform_tells_the_token() {
    let messengers = Messengers::start(Clock::machine(), 0).await.unwrap();
    let mut variables = messengers.variables();
    variables.push(("HTTP_TIMEOUT_SECONDS", "1".to_owned()));
    let config = |base: Option<&str>| {
        let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        let config = Config::from_lookup(|name| base.filter(|_| name.ends_with("_BASE_URL")).map(str::to_owned).or_else(|| lookup(name)));
        config.unwrap().delivery
    };
    let clients = |base: Option<&str>, token: Option<&str>| -> Vec<Arc<dyn Notifier>> {
        let config = config(base);
        let with =
            |platform: Platform| Platform { token: token.map_or(platform.token, |token| Some(SecretString::from(token))), ..platform };
        let (telegram, discord) =
            (Telegram::new(&with(config.telegram)).unwrap().unwrap(), Discord::new(&with(config.discord)).unwrap().unwrap());
        nowhere(&format!("{telegram:?} {discord:?}"), "a client");
        vec![Arc::new(telegram), Arc::new(discord)]
    };
    let words = Message::Reply(Reply { title: None, lines: vec!["x".into()] }).words();
    let secret = "7351:CANARY";
    let mut told = Vec::new();
    for client in clients(None, Some(secret)).iter().chain(&clients(Some("http://127.0.0.1:1"), Some(secret))) {
        told.push(client.put(5, &client.parts(&words)[0], None, "n").await.unwrap_err());
    }
    // a token that no header and no address may hold
    for client in &clients(None, Some("7351:CANARY\n/../x")) {
        told.push(client.put(5, &client.parts(&words)[0], None, "n").await.unwrap_err());
    }
    for deed in [Deed::Lost, Deed::Hang { seconds: 3 }, Deed::Truncated, Deed::WebPage { status: 200 }, Deed::WebPage { status: 502 }] {
        for client in &clients(None, None) {
            messengers.order(Order::new(client.channel().as_str(), None, deed.clone()));
            let trouble = client.put(5, &client.parts(&words)[0], None, "n").await.unwrap_err();
            assert!(matches!(trouble, Trouble::Lost(_)), "{deed:?}: {trouble:?}");
            told.push(trouble);
        }
    }
    let told = format!("{told:?} {}", told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    nowhere(&told, "a fault");
    for token in [tcg_radar::simulate::messengers::TELEGRAM_TOKEN, tcg_radar::simulate::messengers::DISCORD_TOKEN, "127.0.0.1"] {
        assert!(!told.contains(token), "{told}");
    }
}
