//! The bot over real HTTP to the stand-in of Telegram: whatever a tenant writes or presses, and what nobody else may.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tcg_radar::{
    bot::Bot,
    domain::profile::TenantId,
    notify::telegram::Telegram,
    scan::periodic::Scanner,
    simulate::messengers::{Deed, Doing, Order, Seen},
    store::{
        bot::{Started, invite, start},
        users::{self, NewTenant},
    },
};
use uuid::Uuid;

use crate::{
    cluster::{Database, folder, program},
    deliver::{Post, config},
    live::{count, live, rows, scanner, shipped},
    route::{Held, held, scanned},
};

const NOW: &str = "2026-05-03T10:00:00Z";
/// The group of a tenant, who connected it, and somebody else in it.
const GROUP: i64 = -1_001;
const ITS_TENANT: i64 = 41;
const SOMEBODY: i64 = 42;

struct Talk {
    post: Post,
    bot: Bot,
}

impl Talk {
    async fn new(database: Database) -> Self {
        let post = Post::at(database, NOW.parse().unwrap()).await;
        let telegram = Telegram::new(&config(&post.messengers).delivery.telegram).unwrap().unwrap();
        let scanner = Scanner { clock: post.clock.clone(), ..scanner(&post.store, &live(shipped(), None)) };
        let bot = Bot { telegram: Arc::new(telegram), scanner, delivery: post.delivery.clone() };
        Self { post, bot }
    }

    /// Writes, and reads what comes back.
    async fn write(&self, chat: i64, user: i64, text: &str) -> String {
        assert!(self.post.messengers.doing(&Doing::Write { chat, user, text: text.to_owned() }));
        self.listen(chat).await
    }

    async fn press(&self, chat: i64, user: i64, message: &Seen, button: &str) -> String {
        assert!(self.post.messengers.doing(&Doing::Press { chat, user, message: message.id, button: button.to_owned() }));
        self.listen(chat).await;
        self.message(chat, message.id).popups.last().cloned().unwrap_or_default()
    }

    /// What the bot said that it had not said before.
    async fn listen(&self, chat: i64) -> String {
        let before = self.ours(chat).len();
        while self.bot.listen_once(0).await.unwrap() > 0 {}
        self.post.pass(TimeDelta::seconds(2));
        self.post.drain().await;
        let new: Vec<String> = self.ours(chat).split_off(before).into_iter().map(|seen| seen.text).collect();
        new.join("\n")
    }

    fn ours(&self, chat: i64) -> Vec<Seen> {
        self.post.chat("telegram", chat).into_iter().filter(|seen| seen.ours).collect()
    }

    fn message(&self, chat: i64, id: i64) -> Seen {
        self.post.chat("telegram", chat).into_iter().find(|seen| seen.id == id).unwrap()
    }

    async fn tenant(&self, chat: Option<i64>) -> TenantId {
        let id = TenantId(Uuid::new_v4());
        let new = NewTenant {
            id,
            telegram_chat_id: chat,
            discord_channel_id: None,
            country: "US".parse().unwrap(),
            tier: "pro".parse().unwrap(),
            preset: None,
        };
        let mut tx = self.post.store.service().await.unwrap();
        users::add(&mut tx, &new).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn invite(&self, tenant: TenantId) -> String {
        let mut tx = self.post.store.service().await.unwrap();
        let code = invite(&mut tx, tenant, TimeDelta::hours(48), self.post.now()).await.unwrap();
        tx.commit().await.unwrap();
        code
    }
}

#[tokio::test]
async fn a_code_connects_one_chat_once_and_not_after_its_time() {
    let talk = Talk::new(Database::migrated().await).await;
    let tenant = talk.tenant(None).await;
    let (old, code) = (talk.invite(tenant).await, talk.invite(tenant).await);
    assert!(talk.write(5, 5, "/signals").await.contains("needs an invitation"));
    assert!(talk.write(5, 5, &format!("/start {old}")).await.contains("wrong, used or expired"), "a newer code voids the older");
    assert!(talk.write(5, 5, &format!("/start {code}")).await.contains("This chat is connected"));
    assert!(talk.write(5, 5, "/signals").await.contains("No signals yet."));
    assert!(talk.write(6, 6, &format!("/start {code}")).await.contains("wrong, used or expired"), "it is used");

    let other = talk.tenant(None).await;
    let late = talk.invite(other).await;
    talk.post.pass(TimeDelta::hours(48));
    assert!(talk.write(6, 6, &format!("/start {late}")).await.contains("wrong, used or expired"));
    let taken = talk.invite(other).await;
    let mut tx = talk.post.store.service().await.unwrap();
    assert_eq!(start(&mut tx, &taken, 5, 6, talk.post.now()).await.unwrap(), Started::Taken);
    let kept: Vec<(Vec<u8>,)> = rows(&talk.post.database, "SELECT code_hash FROM invitations").await;
    assert!(kept.iter().all(|(hash,)| hash.len() == 32), "codes themselves are nowhere");
}

#[tokio::test]
async fn codes_cannot_be_tried_out() {
    let talk = Talk::new(Database::migrated().await).await;
    let tenant = talk.tenant(None).await;
    for _ in 0..5 {
        assert!(talk.write(7, 7, "/start 00000000000000000000000000000000").await.contains("wrong, used or expired"));
    }
    let code = talk.invite(tenant).await;
    assert!(talk.write(7, 7, &format!("/start {code}")).await.contains("Too many wrong codes"), "also the right one");
    assert!(talk.write(8, 7, &format!("/start {code}")).await.contains("Too many wrong codes"), "and elsewhere");
    talk.post.pass(TimeDelta::hours(1));
    assert!(talk.write(7, 7, &format!("/start {code}")).await.contains("This chat is connected"));
}

/// A market with signals, each on its way to its tenant.
async fn with_signals() -> (Talk, Vec<Held>) {
    let database = Database::migrated().await;
    let now: DateTime<Utc> = NOW.parse().unwrap();
    let (_, router) = scanned(&database, now).await;
    router.route_once(now).await.unwrap();
    let held = held(&database).await;
    let talk = Talk::new(database).await;
    talk.post.drain().await;
    (talk, held)
}

impl Talk {
    /// A tenant's chat, and the message of one of its signals that stands alone.
    async fn signal_of(&self, held: &[Held], nth: usize) -> (i64, Seen, Held) {
        let mut found = Vec::new();
        for one in held {
            let sql = format!("SELECT telegram_chat_id FROM user_profiles WHERE id = '{}'", one.tenant);
            let (chat,): (i64,) = rows(&self.post.database, &sql).await.remove(0);
            let seen = self.ours(chat).into_iter().find(|seen| seen.text.ends_with(&format!("Id {}", one.short)));
            found.extend(seen.filter(|seen| !seen.text.contains("With it:")).map(|seen| (chat, seen, one.clone())));
        }
        found.remove(nth)
    }

    async fn state(&self, one: &Held) -> String {
        rows::<(String,)>(&self.post.database, &format!("SELECT state FROM signals WHERE id = '{}'", one.signal)).await.remove(0).0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buttons_take_pass_explain_and_hide_and_the_message_says_so() {
    let (talk, held) = with_signals().await;
    let (chat, message, first) = talk.signal_of(&held, 0).await;
    assert_eq!(talk.state(&first).await, "held");

    talk.press(chat, chat, &message, "Why?").await;
    let why = talk.ours(chat).pop().unwrap().text;
    assert!(why.starts_with("A deal for you: ") && why.contains("Bought on ") && why.contains("\n= "), "{why}");
    let last = why.lines().find(|line| line.starts_with("= ")).unwrap();
    let net = message.text.lines().nth(1).unwrap().split(' ').next().unwrap().trim_start_matches('+').to_owned();
    assert!(last.contains(&net), "the waterfall ends in what was promised: {last}, {net}");
    // by its id, by its card's, by a word of its name where no other card of the tenant has it
    let sql = format!("SELECT card_id, card_name FROM signals WHERE id = '{}'", first.signal);
    let (card, name): (String, String) = rows(&talk.post.database, &sql).await.remove(0);
    for about in [first.short.to_uppercase(), card.clone()] {
        assert_eq!(talk.write(chat, chat, &format!("/why {about}")).await, why, "{about}");
    }
    let word = name.split(' ').next().unwrap().to_lowercase();
    let by_name = talk.write(chat, chat, &format!("/why {word}")).await;
    assert!(by_name == why || by_name.starts_with("Which one? ") && by_name.contains(&format!("{name} ({card})")), "{by_name}");
    assert!(talk.write(chat, chat, "/why snorlax").await.contains("You have no signal of that id or card"));

    assert_eq!(talk.press(chat, chat, &message, "Took it").await, "It is yours.");
    assert_eq!(talk.state(&first).await, "acted");
    let after = talk.message(chat, message.id);
    assert!(after.text.starts_with("Taken: ") && after.buttons.is_empty(), "{}", after.text);
    // the old message of a slow reader still has its buttons
    talk.post.messengers.doing(&Doing::Forge { chat, user: chat, message: message.id, data: format!("take:{}", first.short) });
    talk.listen(chat).await;
    assert_eq!(talk.message(chat, message.id).popups.last().unwrap(), "You said so before.");

    let (chat, message, second) = talk.signal_of(&held, 1).await;
    assert_eq!(talk.press(chat, chat, &message, "Pass").await, "It goes on to somebody else.");
    assert_eq!(talk.state(&second).await, "passed");

    let (chat, message, third) = talk.signal_of(&held, 2).await;
    assert_eq!(talk.press(chat, chat, &message, "Wrong card").await, "Thank you: you will not see that card again.");
    assert_eq!(talk.state(&third).await, "wrong_card");
    assert_eq!(count(&talk.post.database, "SELECT count(*) FROM wrong_cards").await, 1);
    assert_eq!(count(&talk.post.database, "SELECT count(*) FROM hidden_cards").await, 0, "one tenant hides nothing from others");

    let (chat, message, fourth) = talk.signal_of(&held, 3).await;
    talk.post.pass(TimeDelta::minutes(181));
    let popup = talk.press(chat, chat, &message, "Took it").await;
    assert!(popup.starts_with("Too late: your time ended at "), "{popup}");
    assert_eq!(talk.state(&fourth).await, "held", "nothing but time and the router end it");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_acts_on_a_signal_of_somebody_else() {
    let (talk, held) = with_signals().await;
    let (chat, message, one) = talk.signal_of(&held, 0).await;
    let tenant = talk.tenant(Some(77)).await;
    assert_ne!(tenant.0, one.tenant);
    // another tenant sends the id of a signal that is not its own
    assert!(talk.write(77, 77, "/help").await.contains("What I understand"));
    let own = talk.ours(77).remove(0);
    talk.post.messengers.doing(&Doing::Forge { chat: 77, user: 77, message: own.id, data: format!("take:{}", one.short) });
    talk.listen(77).await;
    assert_eq!(talk.message(77, own.id).popups, ["You have no such signal."]);
    assert!(talk.write(77, 77, &format!("/why {}", one.short)).await.contains("You have no signal of that id or card"));
    // somebody without a tenant
    talk.post.messengers.doing(&Doing::Forge { chat: 99, user: 99, message: 1, data: format!("take:{}", one.short) });
    talk.listen(99).await;
    // somebody else in the tenant's own chat
    talk.post.messengers.doing(&Doing::Press { chat, user: 98, message: message.id, button: "Took it".to_owned() });
    talk.listen(chat).await;
    assert_eq!(talk.message(chat, message.id).popups, ["Only the tenant may answer."]);
    assert_eq!(talk.state(&one).await, "held");
}

#[tokio::test]
async fn others_in_a_group_can_do_nothing() {
    let talk = Talk::new(Database::migrated().await).await;
    let tenant = talk.tenant(None).await;
    let code = talk.invite(tenant).await;
    assert_eq!(talk.write(GROUP, SOMEBODY, "hello").await, "", "people talk");
    assert_eq!(talk.write(GROUP, SOMEBODY, "/signals").await, "");
    assert!(talk.write(GROUP, ITS_TENANT, &format!("/start@tcg_radar_bot {code}")).await.contains("This chat is connected"));
    assert!(talk.write(GROUP, ITS_TENANT, "/signals").await.contains("No signals yet."));
    for command in ["/signals", "/pause", "/set min_profit_threshold 1", "/profile"] {
        assert_eq!(talk.write(GROUP, SOMEBODY, command).await, "", "{command}");
    }
    assert_eq!(count(&talk.post.database, "SELECT count(*) FROM user_profiles WHERE paused_at IS NOT NULL").await, 0);
}

#[tokio::test]
async fn a_tenant_sees_and_changes_its_settings_and_a_wrong_one_names_what_may_be() {
    let talk = Talk::new(Database::migrated().await).await;
    talk.tenant(Some(5)).await;
    let set = |text: &'static str| talk.write(5, 5, text);
    assert!(set("/set min_profit_threshold 7.50").await.contains("min_profit_threshold is 7.50 now"));
    let bad = set("/set direction sideways").await;
    assert!(bad.contains("direction cannot be \"sideways\": expected ") && bad.contains("eu_us"), "{bad}");
    let bad = set("/set headache 5").await;
    assert!(bad.contains("unknown setting \"headache\": use one of ") && bad.contains("min_headache_score"), "{bad}");
    assert!(set("/set tier shop").await.contains("unknown setting \"tier\""), "what it pays for is not its to set");
    let profile = set("/profile").await;
    assert!(profile.contains("min_profit_threshold: 7.50 (tenant)") && profile.contains("tier: pro (operator)"), "{profile}");
    assert!(set("/set min_profit_threshold default").await.contains("now"));
    assert!(set("/profile").await.contains("min_profit_threshold: - (rules)"));
    assert!(set("/pause").await.contains("Paused"));
    assert_eq!(count(&talk.post.database, "SELECT count(*) FROM user_profiles WHERE paused_at IS NOT NULL").await, 1);
    assert!(set("/pause off").await.contains("Signals come again"));
    assert_eq!(count(&talk.post.database, "SELECT count(*) FROM user_profiles WHERE paused_at IS NOT NULL").await, 0);
    assert!(set("/dance").await.contains("What I understand"));
}

#[tokio::test]
async fn an_update_is_answered_once_whatever_happens_to_telegram() {
    let talk = Talk::new(Database::migrated().await).await;
    talk.tenant(Some(5)).await;
    let refused = serde_json::json!({ "ok": false, "error_code": 502, "description": "Bad Gateway" });
    talk.post.messengers.order(Order::new("telegram getUpdates", None, Deed::Refuse { status: 502, body: refused, retry_after: None }));
    assert!(talk.bot.listen_once(0).await.unwrap_err().is_retryable());
    assert!(talk.write(5, 5, "/help").await.contains("What I understand"));
    // a process that was killed before Telegram heard of it asks for the same update again
    let mut admin = talk.post.database.superuser().await;
    let before = talk.ours(5).len();
    sqlx::query("UPDATE bot_updates SET next_update = next_update").execute(&mut admin).await.unwrap();
    talk.listen(5).await;
    assert_eq!(talk.ours(5).len(), before);
}

#[tokio::test]
async fn a_chat_that_was_dead_lives_when_it_speaks() {
    let talk = Talk::new(Database::migrated().await).await;
    talk.tenant(Some(5)).await;
    talk.post.messengers.set_dead("telegram", 5, true);
    talk.write(5, 5, "/help").await;
    assert_eq!(count(&talk.post.database, "SELECT count(*) FROM dead_chats").await, 1);
    talk.post.messengers.set_dead("telegram", 5, false);
    assert!(talk.write(5, 5, "/help").await.contains("What I understand"));
    assert_eq!(count(&talk.post.database, "SELECT count(*) FROM dead_chats").await, 0);
}

#[tokio::test]
async fn the_operator_invites_a_new_tenant_or_one_that_is_there() {
    let home = folder();
    let run = |arguments: &[&str]| program(home.path(), &[], arguments);
    let output = run(&["user", "invite", "--country", "US", "--tier", "pro", "--format", "json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(told["code"].as_str().unwrap().len(), 32);
    let again = run(&["user", "invite", "--tenant", told["id"].as_str().unwrap()]);
    assert!(again.status.success() && String::from_utf8_lossy(&again.stdout).contains("/start "), "{again:?}");
    for (arguments, wanted) in [
        (&["user", "invite"][..], "--tenant"),
        (&["user", "invite", "--tenant", "77"], "no tenant has the id or chat"),
        (&["user", "invite", "--country", "US", "--tier", "gold"], "use one of"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(wanted), "{output:?}");
    }
    run(&["db", "stop"]);
}
