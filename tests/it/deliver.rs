//! Delivery over real HTTP to stand-ins of both platforms, on a clock of our own: what arrives, what is in doubt, what is
//! late, and how fast all of it goes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::{AssertSqlSafe, Executor};
use tcg_radar::{
    clock::Clock,
    config::Config,
    deliver::{self, Delivery, Round},
    domain::{
        card::{CardId, Finish, Printing},
        market::Market,
        message::{Channel, Deal, Message, Notice, Side, Signal, Standing, short_id},
        money::Currency,
        profile::TenantId,
    },
    notify::{Notifier, discord::Discord, telegram::Telegram},
    pulse::Pulse,
    simulate::messengers::{Chat, Deed, Messengers, Order, Seen},
    store::{
        Store, dead_chats,
        outbox::{self, NewMessage},
    },
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cluster::{Database, session};

const NOON: &str = "2026-11-24T12:00:00Z";
const OPERATOR: i64 = 999;

/// A service's delivery, and the world that it delivers to.
pub struct Post {
    pub database: Database,
    pub store: Store,
    pub messengers: Messengers,
    pub delivery: Delivery,
    pub clock: Clock,
    milliseconds: Arc<AtomicI64>,
}

impl Post {
    pub async fn new() -> Self {
        Self::at(Database::migrated().await, NOON.parse().unwrap()).await
    }

    pub async fn at(database: Database, moment: DateTime<Utc>) -> Self {
        let store = database.store().await;
        let milliseconds = Arc::new(AtomicI64::new(moment.timestamp_millis()));
        let shown = Arc::clone(&milliseconds);
        let clock = Clock::of(move || DateTime::from_timestamp_millis(shown.load(Ordering::SeqCst)).unwrap());
        let messengers = Messengers::start(clock.clone(), 0).await.unwrap();
        let delivery = Delivery::new(store.clone(), notifiers(&messengers), Some(OPERATOR), clock.clone());
        Self { database, store, messengers, delivery, clock, milliseconds }
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn pass(&self, time: TimeDelta) {
        self.milliseconds.fetch_add(time.num_milliseconds(), Ordering::SeqCst);
    }

    /// A second process, as it were: it knows nothing of what the first one has sent.
    pub fn another(&self) -> Delivery {
        Delivery::new(self.store.clone(), notifiers(&self.messengers), None, self.clock.clone())
    }

    pub async fn put(&self, channel: Channel, chat_id: i64, message: &Message) -> Uuid {
        self.put_until(channel, chat_id, message, 0, TimeDelta::hours(1)).await
    }

    async fn put_until(&self, channel: Channel, chat_id: i64, message: &Message, priority: i32, life: TimeDelta) -> Uuid {
        let now = self.now();
        let mut tx = self.store.service().await.unwrap();
        let new = NewMessage {
            tenant: None,
            signal_id: None,
            with_signals: &[],
            channel,
            chat_id,
            message,
            priority,
            deadline: now + life,
            not_before: now,
        };
        let id = outbox::enqueue(&mut tx, &new, now).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    pub async fn round(&self) -> Round {
        self.delivery.deliver_once().await.unwrap()
    }

    /// Delivers, letting time pass, until nothing waits.
    pub async fn drain(&self) -> usize {
        let mut sent = 0;
        loop {
            let round = self.round().await;
            sent += round.sent;
            let Some(next) = round.next else { return sent };
            self.pass((next - self.now()).max(TimeDelta::milliseconds(1)));
        }
    }

    async fn state(&self, id: Uuid) -> (String, i32, i32) {
        let mut session = session(&self.database.server, true).await;
        let sql = "SELECT state, attempts, doubts FROM outbox WHERE id = $1";
        sqlx::query_as(sql).bind(id).fetch_one(&mut session).await.unwrap()
    }

    pub fn chat(&self, platform: &str, chat: i64) -> Vec<Seen> {
        let found = self.messengers.seen().into_iter().find(|one: &Chat| one.platform == platform && one.chat == chat);
        found.map(|chat| chat.messages).unwrap_or_default()
    }

    fn texts(&self, platform: &str, chat: i64) -> Vec<String> {
        self.chat(platform, chat).into_iter().map(|seen| seen.text).collect()
    }

    /// A tenant that was given a signal, whose message is on its way to both of its chats.
    async fn signal(&self, tenant: u128, chat: i64, signal: u128, opportunity: u128) -> [Uuid; 2] {
        let (tenant, signal, opportunity) = (Uuid::from_u128(tenant), Uuid::from_u128(signal), Uuid::from_u128(opportunity));
        let mut session = session(&self.database.server, true).await;
        let sql = format!(
            "INSERT INTO users (id) VALUES ('{tenant}') ON CONFLICT DO NOTHING;
            INSERT INTO rule_packs VALUES ('abc', '{{}}', '0', now()) ON CONFLICT DO NOTHING;
            INSERT INTO scans (scan_id, as_of, started_at, pack_hash, engine_version) VALUES ('{opportunity}', now(), now(), 'abc', '0.0.1') ON CONFLICT DO NOTHING;
            INSERT INTO opportunities (opportunity_id, scan_id, card_id, printing, edition, language, direction, buy_market, sell_market, buy_price,
                sell_price, buy_source, sell_source, buy_observed_at, sell_observed_at, route, created_at, route_key, state, state_since, confirmed_pack)
                VALUES ('{opportunity}', '{opportunity}', 'sv1-25', 'holofoil', 'standard', 'en', 'eu_us', 'cardmarket', 'tcgplayer', 8, 22, 'a', 'b',
                now(), now(), '{{}}', now(), '{opportunity}', 'live', now(), 'abc') ON CONFLICT DO NOTHING;
            INSERT INTO decisions (decision_id, tenant_id, opportunity_id, scan_id, pack_hash, verdict, facts, created_at, buy_price, sell_price,
                buy_observed_at, sell_observed_at) VALUES ('{signal}', '{tenant}', '{opportunity}', '{opportunity}', 'abc', 'signal', '{{}}', now(), 8, 22,
                now(), now());
            INSERT INTO signals (id, tenant_id, card_id, opportunity_id, decision_id, kind, state, short_id, window_seconds)
                VALUES ('{signal}', '{tenant}', 'sv1-25', '{opportunity}', '{signal}', 'exclusive', 'sending', '{short}', 10800);
            INSERT INTO routings (opportunity_id, state, due_at, changed_at) VALUES ('{opportunity}', 'held', NULL, now())
                ON CONFLICT (opportunity_id) DO UPDATE SET state = 'held', due_at = NULL;",
            short = short_id(signal),
        );
        session.execute(AssertSqlSafe(sql)).await.unwrap();
        let now = self.now();
        let message = Message::Signal(Box::new(offered(signal)));
        let mut tx = self.store.service().await.unwrap();
        let mut ids = Vec::new();
        for (channel, chat_id) in [(Channel::Telegram, chat), (Channel::Discord, chat + 1_000)] {
            let new = NewMessage {
                tenant: Some(TenantId(tenant)),
                signal_id: Some(signal),
                with_signals: &[],
                channel,
                chat_id,
                message: &message,
                priority: 4,
                deadline: now + TimeDelta::minutes(15),
                not_before: now,
            };
            ids.push(outbox::enqueue(&mut tx, &new, now).await.unwrap());
        }
        tx.commit().await.unwrap();
        [ids[0], ids[1]]
    }

    async fn signal_state(&self, signal: u128) -> (String, Option<DateTime<Utc>>) {
        let mut session = session(&self.database.server, true).await;
        let sql = "SELECT state, delivered_at FROM signals WHERE id = $1";
        sqlx::query_as(sql).bind(Uuid::from_u128(signal)).fetch_one(&mut session).await.unwrap()
    }

    async fn edit(&self, signal: u128, standing: Standing) -> usize {
        let signal = Uuid::from_u128(signal);
        let message = Message::Signal(Box::new(Signal { standing, ..offered(signal) }));
        let now = self.now();
        let mut tx = self.store.service().await.unwrap();
        let channels = outbox::edit(&mut tx, signal, &message, now + TimeDelta::hours(1), now).await.unwrap();
        tx.commit().await.unwrap();
        channels
    }
}

pub fn config(messengers: &Messengers) -> Config {
    let variables = messengers.variables();
    Config::from_lookup(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())).unwrap()
}

fn notifiers(messengers: &Messengers) -> Vec<Arc<dyn Notifier>> {
    let config = config(messengers).delivery;
    vec![Arc::new(Telegram::new(&config.telegram).unwrap().unwrap()), Arc::new(Discord::new(&config.discord).unwrap().unwrap())]
}

pub fn note(text: &str) -> Message {
    Message::Notice(Notice { title: "Note".into(), text: text.into() })
}

fn offered(signal: Uuid) -> Signal {
    let side = |market, price: &str| Side { market, price: price.parse().unwrap(), url: Some("https://x.example/a(b)".into()) };
    let deal = Deal {
        card_id: CardId::new("sv1-25").unwrap(),
        name: "Mr. Mime *ex* [1] \\ _-_ @everyone".into(),
        set_name: None,
        finish: Finish::english(Printing::Holofoil),
        condition: None,
        signal_type: "bundle".into(),
        buy: side(Market::Cardmarket, "8"),
        sell: side(Market::Tcgplayer, "22"),
        net_profit: "7.17".parse().unwrap(),
        home: Currency::Usd,
        margin_pct: None,
        velocity: None,
        velocity_tier: None,
        headache: None,
        headache_tier: None,
        seller: None,
        seller_density: None,
        risks: vec!["STALE_LISTING".into()],
    };
    Signal { short_id: short_id(signal), deal, basket: Vec::new(), standing: Standing::Offered { minutes: 180 } }
}

#[tokio::test]
async fn a_signal_arrives_on_both_platforms_as_it_is_meant_and_its_window_begins() {
    let post = Post::new().await;
    let [telegram, discord] = post.signal(1, 5, 0x11, 0x21).await;
    let began = post.now();
    assert_eq!(post.round().await.sent, 2);
    assert_eq!(post.state(telegram).await, ("sent".into(), 1, 0));
    assert_eq!(post.state(discord).await, ("sent".into(), 1, 0));
    assert_eq!(post.signal_state(0x11).await, ("held".into(), Some(began)));
    let expected = Message::Signal(Box::new(offered(Uuid::from_u128(0x11)))).words();
    let plain: Vec<&str> = "Bundle: Mr. Mime *ex* [1] \\ _-_ @everyone (sv1-25)
+7.17 USD net
Buy on Cardmarket: 8.00 EUR, holofoil
Sell on TCGplayer: 22.00 USD
Risks: stale listing
Yours alone for 180 minutes from now.
Id 00000011"
        .lines()
        .collect();
    let seen = &post.chat("telegram", 5)[0];
    assert_eq!(seen.text.lines().collect::<Vec<_>>(), plain);
    assert_eq!(seen.links, ["https://x.example/a(b)", "https://x.example/a(b)"]);
    let labels: Vec<&str> = seen.buttons.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["Took it", "Pass", "Why?", "Wrong card"]);
    let seen = &post.chat("discord", 1_005)[0];
    assert_eq!(seen.text.lines().collect::<Vec<_>>(), plain);
    assert_eq!((seen.colour.as_deref(), seen.links[0].as_str()), (Some("#0000ff"), "https://x.example/a%28b%29"));
    assert_eq!(expected.lines.len() + 1, plain.len());
}

#[tokio::test]
async fn what_one_platform_may_send_is_sent_though_the_database_fails_at_the_next() {
    let post = Post::new().await;
    let mut admin = post.database.superuser().await;
    let broken = "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;
        CREATE TRIGGER broken BEFORE UPDATE ON outbox FOR EACH ROW WHEN (NEW.channel = 'discord') EXECUTE FUNCTION broken()";
    admin.execute(broken).await.unwrap();
    let sent = post.put(Channel::Telegram, 5, &note("first")).await;
    post.put(Channel::Discord, 6, &note("other")).await;
    post.delivery.deliver_once().await.unwrap_err();
    assert_eq!(post.state(sent).await, ("sent".into(), 1, 0));
    admin.execute("DROP TRIGGER broken ON outbox").await.unwrap();
    post.put(Channel::Telegram, 5, &note("second")).await;
    post.pass(TimeDelta::seconds(5));
    assert_eq!(post.drain().await, 2);
    assert_eq!((post.chat("telegram", 5).len(), post.chat("discord", 6).len()), (2, 1));
}

#[tokio::test]
async fn a_delivery_whose_turn_was_lost_with_its_session_asks_for_it_again() {
    let post = Post::new().await;
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(deliver::run(post.delivery.clone(), Pulse::default(), shutdown.clone()));
    let mut admin = post.database.superuser().await;
    let held = "SELECT min(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let (mut holders, mut looks) = (Vec::new(), tokio::time::interval(Duration::from_millis(10)));
    let twice = tokio::time::timeout(Duration::from_mins(1), async {
        while holders.len() < 2 {
            looks.tick().await;
            let Some(pid) = sqlx::query_scalar::<_, Option<i32>>(held).fetch_one(&mut admin).await.unwrap() else { continue };
            if holders.last() != Some(&pid) {
                holders.push(pid);
                sqlx::query("SELECT pg_terminate_backend($1)").bind(pid).execute(&mut admin).await.unwrap();
            }
        }
    });
    assert!(twice.await.is_ok(), "nobody holds it any more, and it is delivered on");
    shutdown.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_edit_changes_what_was_sent_and_the_second_overtakes_one_that_nobody_saw() {
    let post = Post::new().await;
    post.signal(1, 5, 0x11, 0x21).await;
    post.drain().await;
    assert_eq!(post.edit(0x11, Standing::Taken).await, 2);
    assert_eq!(post.edit(0x11, Standing::Withdrawn { reason: "the price rose".into() }).await, 2);
    post.pass(TimeDelta::seconds(5));
    assert_eq!(post.drain().await, 2, "one edit a platform");
    for (platform, chat) in [("telegram", 5), ("discord", 1_005)] {
        let seen = post.chat(platform, chat);
        assert_eq!((seen.len(), seen[0].edits), (1, 1), "{platform}");
        assert!(seen[0].text.contains("Do not buy: the price rose.") && seen[0].buttons.is_empty(), "{}", seen[0].text);
    }
}

#[tokio::test]
async fn an_edit_of_what_was_never_sent_becomes_the_message_or_takes_it_back() {
    let post = Post::new().await;
    let [first, _] = post.signal(1, 5, 0x11, 0x21).await;
    let repriced = Standing::Repriced { net_profit_before: "9".parse().unwrap(), until: None };
    assert_eq!(post.edit(0x11, repriced).await, 2);
    assert_eq!(post.edit(0x11, Standing::Expired).await, 0);
    assert_eq!(post.drain().await, 0);
    assert_eq!(post.state(first).await.0, "overtaken");
    assert!(post.messengers.seen().is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_in_doubt_and_counted_and_the_message_is_sent_again() {
    let post = Post::new().await;
    for deed in [Deed::Lost, Deed::Truncated, Deed::WebPage { status: 200 }, Deed::WebPage { status: 504 }] {
        let told = format!("{deed:?}");
        let mut ids = Vec::new();
        for (platform, channel, chat) in [("telegram", Channel::Telegram, 7), ("discord", Channel::Discord, 8)] {
            post.messengers.order(Order::new(platform, Some(chat), deed.clone()));
            ids.push(post.put(channel, chat, &note(&told)).await);
        }
        post.round().await;
        for id in &ids {
            assert_eq!(post.state(*id).await, ("doubtful".into(), 1, 1), "{told}");
        }
        post.drain().await;
        for id in &ids {
            assert_eq!(post.state(*id).await, ("sent".into(), 2, 1), "{told}");
        }
        post.pass(TimeDelta::minutes(1));
    }
    assert_eq!(post.chat("telegram", 7).len(), 8, "at least once: each came twice");
    assert_eq!(post.chat("discord", 8).len(), 4, "Discord knows the same message by its nonce");
}

#[tokio::test]
async fn a_refusal_to_serve_is_waited_out_and_is_not_in_doubt() {
    let post = Post::new().await;
    post.messengers.order(Order::telegram_refuses(Some(7), 500, "Internal Server Error"));
    post.messengers.order(Order::new("telegram", Some(7), Deed::WebPage { status: 503 }));
    post.messengers.order(Order::discord_refuses(Some(8), 500, 0, "500: Internal Server Error"));
    let ids = [post.put(Channel::Telegram, 7, &note("a")).await, post.put(Channel::Discord, 8, &note("a")).await];
    let began = post.now();
    post.drain().await;
    assert_eq!(post.state(ids[0]).await, ("sent".into(), 3, 0), "a page with 503 says that it did not happen");
    assert_eq!(post.state(ids[1]).await, ("sent".into(), 2, 0));
    let waited = post.now() - began;
    assert!(waited > TimeDelta::seconds(4) && waited < TimeDelta::seconds(9), "2 s and 4 s, a little more or less: {waited}");
}

#[tokio::test]
async fn too_many_requests_are_waited_out_as_long_as_told() {
    let post = Post::new().await;
    let body = serde_json::json!({ "ok": false, "error_code": 429, "description": "Too Many Requests: retry after 7", "parameters": { "retry_after": 7 } });
    post.messengers.order(Order::new("telegram", Some(7), Deed::Refuse { status: 429, body, retry_after: Some("7".into()) }));
    let body = serde_json::json!({ "message": "You are being rate limited.", "retry_after": 2.5, "global": false });
    post.messengers.order(Order::new("discord", Some(8), Deed::Refuse { status: 429, body, retry_after: Some("3".into()) }));
    post.put(Channel::Telegram, 7, &note("a")).await;
    post.put(Channel::Discord, 8, &note("a")).await;
    let began = post.now();
    post.drain().await;
    let seen = |platform, chat| post.chat(platform, chat)[0].at - began;
    assert_eq!(seen("telegram", 7), TimeDelta::seconds(7));
    assert_eq!(seen("discord", 8), TimeDelta::milliseconds(2_500));
}

#[tokio::test]
async fn a_dead_chat_is_parked_the_signal_goes_on_and_the_operator_is_told() {
    let post = Post::new().await;
    post.signal(1, 5, 0x11, 0x21).await;
    let also = post.put(Channel::Telegram, 5, &note("later")).await;
    post.messengers.set_dead("telegram", 5, true);
    post.round().await;
    assert_eq!(post.signal_state(0x11).await.0, "held", "Discord took it");
    assert_eq!(post.state(also).await, ("parked".into(), 0, 0), "it was not even tried");
    post.drain().await;
    let told = post.texts("discord", OPERATOR).join("\n");
    assert!(told.contains("A chat on telegram takes nothing from us") && told.contains("Forbidden: bot was blocked by the user"), "{told}");

    post.signal(2, 6, 0x12, 0x22).await;
    post.messengers.set_dead("telegram", 6, true);
    post.messengers.set_dead("discord", 1_006, true);
    post.round().await;
    assert_eq!(post.signal_state(0x12).await.0, "undeliverable");
    let mut tx = post.store.service().await.unwrap();
    assert_eq!(dead_chats::of(&mut tx, Channel::Telegram).await.unwrap(), [5, 6]);
}

#[tokio::test]
async fn what_a_platform_will_not_have_is_refused_once_and_told() {
    let post = Post::new().await;
    let [telegram, _] = post.signal(1, 5, 0x11, 0x21).await;
    post.messengers.order(Order::telegram_refuses(Some(5), 400, "Bad Request: can't parse entities: x"));
    post.drain().await;
    assert_eq!(post.state(telegram).await, ("refused".into(), 1, 0));
    assert!(post.texts("discord", OPERATOR)[0].contains("telegram refused a message"));
}

#[tokio::test]
async fn no_send_begins_after_its_deadline_and_what_is_late_goes_on() {
    let post = Post::new().await;
    let [telegram, discord] = post.signal(1, 5, 0x11, 0x21).await;
    post.pass(TimeDelta::minutes(15));
    assert_eq!(post.drain().await, 0);
    assert_eq!((post.state(telegram).await.0, post.state(discord).await.0), ("late".into(), "late".into()));
    assert_eq!(post.signal_state(0x11).await.0, "undeliverable");
    assert!(post.messengers.log().is_empty());
}

#[tokio::test]
async fn what_may_have_arrived_when_its_time_was_over_counts_as_arrived() {
    let post = Post::new().await;
    let [telegram, _] = post.signal(1, 5, 0x11, 0x21).await;
    post.messengers.set_dead("discord", 1_005, true);
    for _ in 0..20 {
        post.messengers.order(Order::new("telegram", Some(5), Deed::Lost));
    }
    post.drain().await;
    let (state, attempts, doubts) = post.state(telegram).await;
    assert_eq!((state.as_str(), attempts), ("late", doubts));
    assert_eq!(post.signal_state(0x11).await.0, "held", "whoever may have seen it must have it alone");
}

#[tokio::test]
async fn a_process_that_is_gone_leaves_a_send_in_doubt_and_another_finishes_it() {
    let post = Post::new().await;
    let id = post.put(Channel::Telegram, 7, &note("a")).await;
    let mut tx = post.store.service().await.unwrap();
    let leased = outbox::lease(&mut tx, Channel::Telegram, 9, &[], post.now(), TimeDelta::minutes(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(leased.len(), 1);
    assert_eq!(post.another().deliver_once().await.unwrap().sent, 0, "it is leased");
    post.pass(TimeDelta::minutes(2));
    assert_eq!(post.another().deliver_once().await.unwrap().sent, 1);
    assert_eq!(post.state(id).await, ("sent".into(), 2, 1));
    let mut tx = post.store.service().await.unwrap();
    let again = outbox::settle(&mut tx, &leased[0], &[1], &outbox::End::Refused { fault: "x".into() }, post.now()).await.unwrap();
    assert!(!again, "the first has no say any more");
}

#[tokio::test]
async fn the_higher_plan_goes_first_and_then_the_nearer_deadline() {
    let post = Post::new().await;
    for (chat, priority, minutes) in [(1, 0, 9), (2, 4, 30), (3, 4, 20), (4, 1, 60)] {
        post.put_until(Channel::Telegram, chat, &note("a"), priority, TimeDelta::minutes(minutes)).await;
    }
    let mut tx = post.store.service().await.unwrap();
    let leased = outbox::lease(&mut tx, Channel::Telegram, 3, &[], post.now(), TimeDelta::minutes(2)).await.unwrap();
    assert_eq!(leased.iter().map(|one| one.chat_id).collect::<Vec<_>>(), [3, 2, 4]);
}

#[tokio::test]
async fn a_long_message_comes_whole_in_parts_and_a_lost_part_does_not_repeat_the_others() {
    let post = Post::new().await;
    let text = (0..400).map(|line| format!("line {line}: (1.5) *x*")).collect::<Vec<_>>().join("\n");
    let ids = [post.put(Channel::Telegram, 7, &note(&text)).await, post.put(Channel::Discord, 8, &note(&text)).await];
    post.round().await;
    post.messengers.order(Order::telegram_refuses(Some(7), 500, "Internal Server Error"));
    post.drain().await;
    assert_eq!(post.state(ids[0]).await, ("sent".into(), 4, 0), "three parts, one of them twice");
    for (platform, chat) in [("telegram", 7), ("discord", 8)] {
        let parts = post.texts(platform, chat);
        assert!(parts.len() > 1, "{platform}");
        assert_eq!(parts.join("\n"), format!("Note\n{}", text.trim_end()), "{platform}");
    }
}

/// Ten to each of a thousand chats: by 30 a second that is 333.4 s at the least.
#[tokio::test]
async fn ten_thousand_messages_to_a_thousand_chats_take_what_the_limits_allow_and_a_tenth_more() {
    const CHATS: i64 = 1_000;
    const EACH: i64 = 10;
    let post = Post::new().await;
    let mut session = session(&post.database.server, true).await;
    let sql = format!(
        "INSERT INTO outbox (id, channel, chat_id, step, kind, message, priority, deadline, not_before, created_at)
        SELECT gen_random_uuid(), 'telegram', chat, 0, 'send', '{{\"kind\":\"notice\",\"title\":\"t\",\"text\":\"x\"}}', chat % 5, '{now}'::timestamptz + interval '1 hour',
            '{now}', '{now}' FROM generate_series(1, {CHATS}) AS chat, generate_series(1, {EACH})",
        now = post.now().to_rfc3339()
    );
    session.execute(AssertSqlSafe(sql)).await.unwrap();
    let began = post.now();
    let sent = post.drain().await;
    let took = post.now() - began;
    let log = post.messengers.log();
    assert_eq!(log.iter().filter(|(.., status)| *status != 200).count(), 0, "nobody asked us to be slower");
    assert_eq!((sent, log.len()), (10_000, 10_000));
    let least = TimeDelta::milliseconds(1_000 * (CHATS * EACH - 30) / 30);
    println!("10,000 messages: {took} by the clock, the limits allow {least}");
    assert!(took <= least * 11 / 10, "{took}");
}

#[tokio::test]
async fn a_discord_channel_is_written_to_as_its_headers_allow() {
    let post = Post::new().await;
    for _ in 0..23 {
        post.put(Channel::Discord, 8, &note("a")).await;
    }
    let began = post.now();
    post.drain().await;
    assert!(post.messengers.log().iter().all(|(.., status)| *status == 200));
    assert_eq!(post.chat("discord", 8).len(), 23);
    let took = post.now() - began;
    assert!(took >= TimeDelta::seconds(20) && took <= TimeDelta::seconds(22), "five in five seconds: {took}");
}
