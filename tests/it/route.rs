//! Opportunities on their way from one tenant to the next, in the real database: whose turn it is, windows, acts, edits,
//! batches, digests.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use tcg_radar::{
    domain::{
        message::{Channel, Message, Standing},
        plan::{Plans, Rotation},
        profile::{Field, TenantId},
        signal::{Act, Answer, SignalState},
    },
    route::Router,
    rules::live::Live,
    scan::{periodic::Scanner, review::review_once},
    store::{Store, routings, signals, users},
};
use uuid::Uuid;

use crate::{
    cluster::Database,
    live::{FEW, MANY, ScanOnce, count, edited, live, market, rows, scanner, shipped},
};

const WINDOW: TimeDelta = TimeDelta::minutes(180);

pub fn rules() -> Rotation {
    Plans::parse("plans.yaml", Plans::SHIPPED).unwrap().rotation
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A market that was scanned at `now`, and who routes it.
pub async fn scanned(database: &Database, now: DateTime<Utc>) -> (Store, Router) {
    scanned_market(database, now, FEW).await
}

async fn scanned_market(database: &Database, now: DateTime<Utc>, cards: u32) -> (Store, Router) {
    let store = database.store().await;
    market(&store, now, cards).await;
    let scanner: Scanner = scanner(&store, &live(shipped(), None));
    scanner.scan_once(now).await.unwrap().unwrap();
    (store, Router { scanner, channels: vec![Channel::Telegram, Channel::Discord], window: WINDOW, send_within: TimeDelta::minutes(30) })
}

/// A live signal: its id and short id, whose it is, and of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    pub opportunity: Uuid,
    pub tenant: Uuid,
    pub signal: Uuid,
    pub short: String,
    pub tier: String,
}

pub async fn held(database: &Database) -> Vec<Held> {
    let sql =
        "SELECT opportunity_id, tenant_id, s.id, short_id, subscription_tier FROM signals AS s JOIN user_profiles AS p ON p.id = tenant_id
        WHERE kind = 'exclusive' AND state IN ('sending', 'held') ORDER BY 1";
    let rows: Vec<(Uuid, Uuid, Uuid, String, String)> = rows(database, sql).await;
    rows.into_iter().map(|(opportunity, tenant, signal, short, tier)| Held { opportunity, tenant, signal, short, tier }).collect()
}

/// As delivery does: every signal on its way arrives.
pub async fn deliver(database: &Database, store: &Store, at: DateTime<Utc>) {
    let mut tx = store.service().await.unwrap();
    for one in held(database).await {
        routings::delivered(&mut tx, one.signal, at).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut admin = database.superuser().await;
    let sent = "UPDATE outbox SET state = 'sent', settled_at = $1, platform_message_ids = '{1}' WHERE settled_at IS NULL";
    sqlx::query(sent).bind(at).execute(&mut admin).await.unwrap();
}

async fn act(store: &Store, one: &Held, what: Act, now: DateTime<Utc>) -> Answer {
    let mut tx = store.service().await.unwrap();
    let answer = routings::act(&mut tx, TenantId(one.tenant), &one.short, what, &rules(), now).await.unwrap();
    tx.commit().await.unwrap();
    answer
}

async fn set(store: &Store, tenant: Uuid, field: Field, value: &str) {
    let mut tx = store.tenant(TenantId(tenant)).await.unwrap();
    let mut settings = users::own(&mut tx).await.unwrap().unwrap().overrides;
    settings.set(field, value).unwrap();
    assert!(users::save_settings(&mut tx, &settings).await.unwrap());
    tx.commit().await.unwrap();
}

async fn tenant_of(database: &Database, tier: &str) -> Uuid {
    let sql = format!("SELECT id FROM user_profiles WHERE subscription_tier = '{tier}' ORDER BY telegram_chat_id LIMIT 1");
    rows::<(Uuid,)>(database, &sql).await[0].0
}

async fn states(database: &Database) -> BTreeMap<String, i64> {
    rows::<(String, i64)>(database, "SELECT state, count(*) FROM signals GROUP BY state").await.into_iter().collect()
}

async fn messages(database: &Database, condition: &str) -> Vec<Message> {
    let sql = format!("SELECT message FROM outbox WHERE {condition} ORDER BY created_at, id");
    let found: Vec<(serde_json::Value,)> = rows(database, &sql).await;
    found.into_iter().map(|(message,)| serde_json::from_value(message).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_opportunity_goes_from_one_to_the_next_by_plan_ten_seconds_after_each_window() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T10:00:00Z");
    let (store, router) = scanned(&database, now).await;
    let turn = router.route_once(now).await.unwrap();
    let first = held(&database).await;
    assert!(first.len() > 5 && turn.given.signals == first.len(), "{turn:?}");
    assert_eq!(u64::try_from(count(&database, "SELECT count(*) FROM opportunities WHERE state = 'live'").await).unwrap(), turn.adopted);
    // the trader has no live signals, and the shop has the first look wherever it is a deal for it
    assert!(first.iter().all(|one| one.tier == "shop" || one.tier == "pro"));
    let overlooked = "SELECT count(*) FROM signals AS s JOIN user_profiles AS mine ON mine.id = s.tenant_id
        JOIN decisions AS d ON d.opportunity_id = s.opportunity_id AND d.verdict = 'signal'
        JOIN user_profiles AS p ON p.id = d.tenant_id AND p.subscription_tier = 'shop' WHERE mine.subscription_tier <> 'shop'";
    assert_eq!(count(&database, overlooked).await, 0);
    // each has its audit and one message, in which a basket counts as one
    let audits = "SELECT count(*) FROM signal_audit AS a JOIN signals AS s ON s.id = a.signal_id AND s.tenant_id = a.tenant_id";
    assert_eq!(count(&database, audits).await, i64::try_from(first.len()).unwrap());
    let told =
        "SELECT (count(*) + coalesce(sum(cardinality(with_signals)), 0))::bigint FROM outbox WHERE step = 0 AND channel = 'telegram'";
    assert_eq!(count(&database, told).await, i64::try_from(first.len()).unwrap());

    // the window begins with the delivery, however late
    let delivered = now + TimeDelta::minutes(7);
    assert_eq!(router.route_once(delivered).await.unwrap().given.signals, 0);
    deliver(&database, &store, delivered).await;
    let over = delivered + WINDOW + rules().cooldown;
    assert_eq!(router.route_once(over - TimeDelta::milliseconds(1)).await.unwrap().lapsed, 0);
    let turn = router.route_once(over).await.unwrap();
    assert_eq!(turn.lapsed, first.len());
    let second = held(&database).await;
    assert!(!second.is_empty(), "somebody else wants some of them");
    let before: BTreeMap<Uuid, Uuid> = first.iter().map(|one| (one.opportunity, one.tenant)).collect();
    assert!(second.iter().all(|one| before[&one.opportunity] != one.tenant));
    assert_eq!(count(&database, "SELECT max(cascade_count)::bigint FROM signals").await, 1);

    // who let them expire sinks by two each, no lower than nothing
    for (tenant, expired) in first.iter().fold(BTreeMap::new(), |mut counts: BTreeMap<Uuid, i64>, one| {
        *counts.entry(one.tenant).or_default() += 1;
        counts
    }) {
        let priority: Vec<(Decimal,)> =
            rows(&database, &format!("SELECT priority FROM tenant_rotation WHERE tenant_id = '{tenant}'")).await;
        assert_eq!(priority[0].0, Decimal::from((50 - 2 * expired).max(0)));
    }
    // and is told that its time is over
    let edits = messages(&database, "step = 1").await;
    assert!(edits.iter().all(|message| matches!(message, Message::Signal(signal) if signal.standing == Standing::Expired)));

    // on and on until nobody is left: released, never a second time to the same
    let mut moment = over;
    for _ in 0..6 {
        deliver(&database, &store, moment).await;
        moment += WINDOW + rules().cooldown;
        router.route_once(moment).await.unwrap();
    }
    assert_eq!(held(&database).await, []);
    let twice = "SELECT count(*) FROM (SELECT FROM signals GROUP BY opportunity_id, tenant_id HAVING count(*) > 1) AS twice";
    assert_eq!(count(&database, twice).await, 0);
    assert_eq!(count(&database, "SELECT count(*) FROM routings WHERE state NOT IN ('released', 'withdrawn')").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acts_keeps_it_who_passes_lets_it_go_and_who_is_late_is_told_so() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T10:00:00Z");
    let (store, router) = scanned(&database, now).await;
    router.route_once(now).await.unwrap();
    deliver(&database, &store, now).await;
    let singles = "SELECT signal_id FROM outbox WHERE step = 0 AND with_signals = '{}'";
    let singles: BTreeSet<Uuid> = rows::<(Uuid,)>(&database, singles).await.into_iter().map(|row| row.0).collect();
    let all: Vec<Held> = held(&database).await.into_iter().filter(|one| singles.contains(&one.signal)).collect();
    let [taken, passed, wrong, late] = &all[..4] else { panic!("too few signals") };
    let soon = now + TimeDelta::minutes(5);

    assert_eq!(act(&store, taken, Act::TookIt, soon).await, Answer::Done);
    assert_eq!(act(&store, taken, Act::TookIt, soon).await, Answer::Again);
    assert_eq!(act(&store, taken, Act::Pass, soon).await, Answer::Over(SignalState::Acted));
    assert_eq!(act(&store, passed, Act::Pass, soon).await, Answer::Done);
    assert_eq!(act(&store, passed, Act::TookIt, soon).await, Answer::Over(SignalState::Passed));
    assert_eq!(act(&store, wrong, Act::WrongCard, soon).await, Answer::Done);
    // another's signal is none of one's own
    let stranger = Held { tenant: tenant_of(&database, "trader").await, ..late.clone() };
    assert_eq!(act(&store, &stranger, Act::TookIt, soon).await, Answer::Unknown);
    assert_eq!(act(&store, late, Act::TookIt, now + WINDOW).await, Answer::Late { expired_at: Some(now + WINDOW) });

    let priority = format!("SELECT priority FROM tenant_rotation WHERE tenant_id = '{}'", taken.tenant);
    let before: Vec<(Decimal,)> = rows(&database, &priority).await;
    assert_eq!(before[0].0, Decimal::from(55));
    // ten seconds after the word, what was let go is somebody else's, or nobody's
    router.route_once(soon + TimeDelta::seconds(9)).await.unwrap();
    let gone = format!("SELECT count(*) FROM routings WHERE opportunity_id = '{}' AND state = 'open'", passed.opportunity);
    assert_eq!(count(&database, &gone).await, 1);
    router.route_once(soon + TimeDelta::seconds(10)).await.unwrap();
    assert!(held(&database).await.iter().all(|one| one.opportunity != passed.opportunity || one.tenant != passed.tenant));
    assert_eq!(count(&database, &gone).await, 0);

    // what is taken is nobody else's, ever
    router.route_once(now + WINDOW + WINDOW).await.unwrap();
    let owners = format!("SELECT count(*) FROM signals WHERE opportunity_id = '{}'", taken.opportunity);
    assert_eq!(count(&database, &owners).await, 1);
    // nor does the card come back to whoever called it wrong
    let card = format!("SELECT count(*) FROM wrong_cards WHERE tenant_id = '{}' AND signal_id = '{}'", wrong.tenant, wrong.signal);
    assert_eq!(count(&database, &card).await, 1);
    let standings: Vec<Standing> = messages(&database, "step = 1 AND created_at < '2026-05-03T10:10:00Z'")
        .await
        .into_iter()
        .filter_map(|message| if let Message::Signal(signal) = message { Some(signal.standing) } else { None })
        .collect();
    assert_eq!(standings, [Standing::Taken, Standing::Passed, Standing::Passed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_that_three_tenants_call_wrong_is_hidden_from_all() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T10:00:00Z");
    let (store, router) = scanned(&database, now).await;
    router.route_once(now).await.unwrap();
    deliver(&database, &store, now).await;
    let one = held(&database).await.remove(0);
    let card: Vec<(String,)> = rows(&database, &format!("SELECT card_id FROM signals WHERE id = '{}'", one.signal)).await;
    let others: Vec<(Uuid,)> = rows(&database, &format!("SELECT id FROM users WHERE id <> '{}' ORDER BY id LIMIT 2", one.tenant)).await;
    let mut tx = store.service().await.unwrap();
    let (hidden, rules) = (format!("SELECT count(*) FROM hidden_cards WHERE card_id = '{}'", card[0].0), rules());
    for (tenant,) in &others {
        for _ in 0..2 {
            tcg_radar::store::rotation::wrong_card(&mut tx, TenantId(*tenant), &card[0].0, one.signal, &rules, now).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    assert_eq!(count(&database, &hidden).await, 0, "two tenants, each twice, are two");
    let mut tx = store.service().await.unwrap();
    let third = rows::<(Uuid,)>(
        &database,
        &format!("SELECT id FROM users WHERE id NOT IN ('{}', '{}') AND id <> '{}'", others[0].0, others[1].0, one.tenant),
    )
    .await;
    tcg_radar::store::rotation::wrong_card(&mut tx, TenantId(third[0].0), &card[0].0, one.signal, &rules, now).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(count(&database, &hidden).await, 1);
    // who has it hears of it
    assert!(router.route_once(now + TimeDelta::seconds(5)).await.unwrap().followed.withdrawn > 0);
    let of_card = format!("SELECT count(*) FROM signals WHERE card_id = '{}' AND state IN ('sending', 'held')", card[0].0);
    assert_eq!(count(&database, &of_card).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_delivered_goes_on_at_once_and_counts_as_nobodys_turn() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T10:00:00Z");
    let (store, router) = scanned(&database, now).await;
    router.route_once(now).await.unwrap();
    let first = held(&database).await;
    let mut tx = store.service().await.unwrap();
    for one in &first {
        routings::undeliverable(&mut tx, one.signal, now).await.unwrap();
        // said twice, as by a second channel
        routings::undeliverable(&mut tx, one.signal, now).await.unwrap();
    }
    tx.commit().await.unwrap();
    router.route_once(now).await.unwrap();
    let second = held(&database).await;
    assert!(!second.is_empty());
    assert_eq!(count(&database, "SELECT max(cascade_count)::bigint FROM signals").await, 0);
    assert_eq!(count(&database, "SELECT count(*) FROM tenant_rotation WHERE priority <> 50").await, 0);
    // an answer of the platform that comes after all begins no window
    let mut tx = store.service().await.unwrap();
    routings::delivered(&mut tx, first[0].signal, now).await.unwrap();
    tx.commit().await.unwrap();
    assert!(held(&database).await == second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_dies_is_edited_to_say_so_and_one_that_moves_is_told_aloud_from_a_tenth_on() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T10:00:00Z");
    let (store, router) = scanned(&database, now).await;
    router.route_once(now).await.unwrap();
    deliver(&database, &store, now).await;
    let before = held(&database).await;
    // the same rules a minute later: new decisions, nothing to say
    router.scanner.scan_once(now + TimeDelta::minutes(1)).await.unwrap();
    let turn = router.route_once(now + TimeDelta::minutes(1)).await.unwrap();
    assert_eq!((turn.followed.withdrawn, turn.followed.edited), (0, 0));
    assert_eq!(count(&database, "SELECT count(*) FROM outbox WHERE step > 0").await, 0);
    let behind = "SELECT count(*) FROM signals AS s WHERE EXISTS (SELECT FROM decisions AS d WHERE d.follows = s.decision_id)";
    assert_eq!(count(&database, behind).await, 0, "each signal stands on the last decision");

    // a larger safety margin on every rate: each is worth less, some by a tenth or more
    let figures = "SELECT id, told_net_profit, net_profit FROM signals WHERE state = 'held' ORDER BY id";
    let told: BTreeMap<Uuid, Decimal> =
        rows::<(Uuid, Decimal, Decimal)>(&database, figures).await.into_iter().map(|(id, told, _)| (id, told)).collect();
    router.scanner.current.publish(live(edited("params/forex.yaml", "value: \"0.02\"", "value: \"0.05\""), None));
    router.scanner.scan_once(now + TimeDelta::minutes(2)).await.unwrap();
    let turn = router.route_once(now + TimeDelta::minutes(2)).await.unwrap();
    let after: Vec<(Uuid, Decimal, Decimal)> = rows(&database, figures).await;
    let changed: Vec<_> = after.iter().filter(|(id, _, net)| told[id] != *net).collect();
    let (aloud, quiet): (Vec<_>, Vec<_>) = changed.iter().copied().partition(|(id, _, net)| (told[id] - net) * Decimal::TEN >= told[id]);
    assert!(!aloud.is_empty() && !quiet.is_empty(), "{after:?}");
    assert_eq!((turn.followed.edited, turn.followed.told_again), (changed.len(), aloud.len()));
    assert!(aloud.iter().all(|(_, told, net)| told == net) && quiet.iter().all(|(id, told_then, _)| *told_then == told[id]));
    let again = messages(&database, "signal_id IS NULL").await;
    assert_eq!(again.len(), aloud.len());
    assert!(again.iter().all(|message| matches!(message, Message::Signal(signal) if matches!(signal.standing, Standing::Repriced { .. }))));
    assert!(messages(&database, "step = 1").await.iter().all(|message| again.contains(message) || !quiet.is_empty()));
    let edits = i64::try_from(messages(&database, "step > 0").await.len()).unwrap();

    // a floor in the middle: some are no deals any more
    deliver(&database, &store, now + TimeDelta::minutes(2)).await;
    let mut nets: Vec<Decimal> = after.into_iter().map(|(_, _, net)| net).collect();
    nets.sort();
    let floor = format!("value: \"{}\"", nets[nets.len() / 2]);
    let stricter = live(edited("params/profit.yaml", "value: \"5.00\"", &floor), None);
    review_once(&store, &stricter, true, now + TimeDelta::minutes(3), false).await.unwrap();
    let turn = router.route_once(now + TimeDelta::minutes(3)).await.unwrap();
    assert!(turn.followed.withdrawn > 0 && turn.followed.withdrawn < before.len(), "{turn:?}");
    let died = messages(&database, "created_at = '2026-05-03T10:03:00Z' AND step > 0").await;
    assert_eq!(died.len(), turn.followed.withdrawn + turn.followed.edited);
    assert_eq!(count(&database, "SELECT count(*) FROM outbox WHERE step > 0").await, edits + i64::try_from(died.len()).unwrap());
    let reason = "profit threshold miss";
    let gone = Standing::Withdrawn { reason: reason.to_owned() };
    assert_eq!(
        died.iter().filter(|message| matches!(message, Message::Signal(signal) if signal.standing == gone)).count(),
        turn.followed.withdrawn
    );
    assert_eq!(
        count(&database, "SELECT count(*) FROM signals WHERE state = 'withdrawn' AND end_reason = 'PROFIT_THRESHOLD_MISS'").await,
        i64::try_from(died.len()).unwrap()
    );
    // nobody sinks for it, and nobody else gets what is no deal
    assert_eq!(count(&database, "SELECT count(*) FROM tenant_rotation WHERE priority <> 50").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sleeps_or_wants_a_batch_or_paused_gets_no_live_signal_while_that_lasts() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T22:30:00Z");
    let (store, router) = scanned(&database, now).await;
    let shop = tenant_of(&database, "shop").await;
    let pros: Vec<(Uuid,)> =
        rows(&database, "SELECT id FROM user_profiles WHERE subscription_tier = 'pro' ORDER BY telegram_chat_id").await;
    set(&store, shop, Field::QuietHours, "22:00-07:00").await;
    set(&store, pros[0].0, Field::DailyBatchAt, "08:00").await;
    let mut tx = store.tenant(TenantId(pros[1].0)).await.unwrap();
    users::pause(&mut tx, Some(now)).await.unwrap();
    tx.commit().await.unwrap();
    let turn = router.route_once(now).await.unwrap();
    assert_eq!((turn.given.signals, held(&database).await.len()), (0, 0));
    // what the shop may have in the morning waits for it, the rest went to the lists at once
    let open: BTreeSet<Uuid> =
        rows::<(Uuid,)>(&database, "SELECT opportunity_id FROM routings WHERE state = 'open'").await.into_iter().map(|row| row.0).collect();
    assert!(!open.is_empty() && turn.given.released > 0);
    let morning = at("2026-05-04T07:00:00Z");
    assert_eq!(router.route_once(morning - TimeDelta::seconds(1)).await.unwrap().given.signals, 0);
    // each is decided once more before it is given: by what the shop asks for now
    let nets = format!(
        "SELECT net_profit FROM decisions JOIN routings USING (opportunity_id) WHERE state = 'open' AND verdict = 'signal' AND tenant_id = '{shop}' ORDER BY 1"
    );
    let nets: Vec<(Decimal,)> = rows(&database, &nets).await;
    let floor = nets[nets.len() / 2].0;
    set(&store, shop, Field::MinProfitThreshold, &floor.to_string()).await;
    router.route_once(morning + TimeDelta::seconds(60)).await.unwrap();
    let given = held(&database).await;
    assert!(!given.is_empty() && given.len() < open.len(), "{} of {}", given.len(), open.len());
    assert!(given.iter().all(|one| one.tenant == shop && open.contains(&one.opportunity)), "{given:?}");
    assert_eq!(count(&database, &format!("SELECT count(*) FROM signals WHERE net_profit < {floor}")).await, 0);
    assert_eq!(count(&database, "SELECT count(*) FROM scans WHERE kind = 'hand_over'").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_went_round_is_listed_to_the_trader_every_day_and_late_to_the_free_once_a_week() {
    let database = Database::migrated().await;
    // a Sunday
    let now = at("2026-05-03T06:00:00Z");
    let (_, router) = scanned(&database, now).await;
    let free = tenant_of(&database, "shop").await;
    let mut admin = database.superuser().await;
    sqlx::query("UPDATE user_profiles SET subscription_tier = CASE subscription_tier WHEN 'shop' THEN 'free' ELSE 'trader' END")
        .execute(&mut admin)
        .await
        .unwrap();
    router.route_once(now).await.unwrap();
    assert_eq!(count(&database, "SELECT count(*) FROM routings WHERE state <> 'released'").await, 0);
    assert_eq!(router.list_once(now).await.unwrap(), (0, 0), "whoever is new waits for the hour");
    assert_eq!(router.list_once(at("2026-05-03T07:59:59Z")).await.unwrap(), (0, 0));
    let eight = at("2026-05-03T08:00:00Z");
    assert_eq!(router.list_once(eight).await.unwrap(), (3, 0));
    assert_eq!(router.list_once(eight + TimeDelta::minutes(1)).await.unwrap(), (0, 0), "once a day");
    let batches = messages(&database, "signal_id IS NULL").await;
    assert!(batches.iter().all(|message| matches!(message, Message::Batch(list) if !list.deals.is_empty() && list.deals.len() <= 20)));
    let most = "SELECT max(given_today)::bigint FROM tenant_rotation";
    assert!(count(&database, most).await <= 20);

    // Monday, eight o'clock: what was offered a day to two days ago, the ten widest
    let monday = at("2026-05-04T08:00:00Z");
    assert_eq!(router.list_once(monday).await.unwrap().1, 1);
    let Some(Message::Digest(digest)) = messages(&database, &format!("tenant_id = '{free}'")).await.pop() else { panic!("no digest") };
    assert!((1..=10).contains(&digest.deals.len()), "{}", digest.deals.len());
    let spreads: Vec<(Decimal,)> = rows(
        &database,
        "SELECT (facts->>'spread')::numeric FROM signals JOIN decisions USING (decision_id) WHERE kind = 'digest' ORDER BY signals.id",
    )
    .await;
    assert!(spreads.is_sorted_by(|left, right| left.0 >= right.0), "{spreads:?}");
    // a week later these are old, and nothing new was found
    assert_eq!(router.list_once(at("2026-05-11T08:00:00Z")).await.unwrap().1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_gives_no_more_a_day_than_it_says() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T10:00:00Z");
    let (_, router) = scanned(&database, now).await;
    let text = Plans::SHIPPED.replace("    bundle_signals: true\n  pro:", "    bundle_signals: true\n    max_signals_per_day: 3\n  pro:");
    assert_ne!(text, Plans::SHIPPED);
    let presets = router.scanner.current.get().presets.clone();
    let plans = Plans::parse("plans.yaml", &text).unwrap();
    router.scanner.current.publish(Arc::new(Live { pack: shipped(), customs_variable: None, presets, plans }));
    router.route_once(now).await.unwrap();
    let shop = tenant_of(&database, "shop").await;
    let of_shop = format!("SELECT count(*) FROM signals WHERE tenant_id = '{shop}'");
    assert_eq!(count(&database, &of_shop).await, 3);
    router.route_once(now + TimeDelta::minutes(5)).await.unwrap();
    assert_eq!(count(&database, &of_shop).await, 3);
    // the next day by its own clock, which is UTC
    router.route_once(at("2026-05-04T00:00:01Z")).await.unwrap();
    assert!(count(&database, &of_shop).await <= 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_seller_has_for_a_tenant_is_one_parcel_one_message_and_one_answer() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T10:00:00Z");
    let (store, router) = scanned_market(&database, now, MANY).await;
    router.route_once(now).await.unwrap();
    deliver(&database, &store, now).await;
    let baskets: Vec<(Uuid, Vec<Uuid>)> = rows(
        &database,
        "SELECT signal_id, with_signals FROM outbox WHERE with_signals <> '{}' ORDER BY cardinality(with_signals) DESC, id",
    )
    .await;
    assert!(baskets.len() > 2, "{}", baskets.len());
    let all = held(&database).await;
    let of = |id: Uuid| all.iter().find(|one| one.signal == id).unwrap();
    for (head, rest) in &baskets {
        assert!(rest.iter().all(|one| of(*one).tenant == of(*head).tenant));
        let ids: Vec<String> = rest.iter().chain([head]).map(|id| format!("'{id}'")).collect();
        let sellers = format!(
            "SELECT count(DISTINCT seller_id) FROM signals JOIN opportunities USING (opportunity_id) WHERE id IN ({}) AND seller_id IS NOT NULL",
            ids.join(", ")
        );
        assert_eq!(count(&database, &sellers).await, 1);
    }
    // a button of the message speaks for the whole parcel
    let state_of = async |id: Uuid| rows::<(String,)>(&database, &format!("SELECT state FROM signals WHERE id = '{id}'")).await.remove(0).0;
    for (place, act_of, state) in [(0, Act::TookIt, "acted"), (1, Act::Pass, "passed")] {
        let (head, rest) = &baskets[place];
        assert_eq!(act(&store, of(*head), act_of, now).await, Answer::Done);
        for id in rest.iter().chain([head]) {
            assert_eq!(state_of(*id).await, state);
        }
    }
    // that a card is another one is said of the first card only; it leaves the parcel, the others stay in it
    let (head, rest) = &baskets[2];
    assert_eq!(act(&store, of(*head), Act::WrongCard, now).await, Answer::Done);
    assert_eq!((state_of(*head).await.as_str(), state_of(rest[0]).await.as_str()), ("wrong_card", "held"));
    let edited = messages(&database, &format!("signal_id = '{head}' AND step = 1")).await;
    let [Message::Signal(message)] = &edited[..] else { panic!("{edited:?}") };
    assert_eq!(message.short_id, of(rest[0]).short);
    assert_eq!(message.basket.len(), rest.len() - 1);
    assert!(matches!(message.standing, Standing::Offered { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sees_its_own_signals_by_short_id() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T10:00:00Z");
    let (store, router) = scanned(&database, now).await;
    router.route_once(now).await.unwrap();
    let all = held(&database).await;
    for tenant in all.iter().map(|one| one.tenant).collect::<BTreeSet<_>>() {
        let mut tx = store.tenant(TenantId(tenant)).await.unwrap();
        let own: BTreeSet<String> = signals::own(&mut tx, 100).await.unwrap().into_iter().map(|line| line.short_id).collect();
        let expected: BTreeSet<String> = all.iter().filter(|one| one.tenant == tenant).map(|one| one.short.clone()).collect();
        assert_eq!(own, expected);
    }
    assert!(states(&database).await.keys().eq(["sending"]));
}

/// Every value of every table, as text.
async fn whole_database(database: &Database) -> String {
    let tables = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1";
    let mut text = String::new();
    for (table,) in rows::<(String,)>(database, tables).await {
        let sql = format!("SELECT coalesce(string_agg(to_jsonb(t)::text, E'\\n'), '') FROM \"{table}\" AS t");
        text.push_str(&rows::<(String,)>(database, &sql).await[0].0);
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_is_gone_from_every_table_and_the_audits_are_still_there() {
    let database = Database::migrated().await;
    let now = at("2026-05-03T10:00:00Z");
    let (store, router) = scanned(&database, now).await;
    let shop = tenant_of(&database, "shop").await;
    let (chat, channel, address) = (-1_005_550_001_i64, 5_550_002_i64, "shop@example.org");
    let mut admin = database.superuser().await;
    sqlx::query("UPDATE user_profiles SET telegram_chat_id = $2, discord_channel_id = $3 WHERE id = $1")
        .bind(shop)
        .bind(chat)
        .bind(channel)
        .execute(&mut admin)
        .await
        .unwrap();
    sqlx::query("UPDATE users SET email = $2 WHERE id = $1").bind(shop).bind(address).execute(&mut admin).await.unwrap();
    router.route_once(now).await.unwrap();
    deliver(&database, &store, now).await;
    // one more that waits, and a chat that died
    sqlx::query("UPDATE outbox SET state = 'waiting', settled_at = NULL WHERE id = (SELECT id FROM outbox WHERE tenant_id = $1 LIMIT 1)")
        .bind(shop)
        .execute(&mut admin)
        .await
        .unwrap();
    sqlx::query("INSERT INTO dead_chats VALUES ('discord', $1, now(), 'blocked')").bind(channel).execute(&mut admin).await.unwrap();
    let marks = [chat.to_string(), channel.to_string(), address.to_owned()];
    let before = whole_database(&database).await;
    assert!(marks.iter().all(|mark| before.contains(mark)), "the person is in the database");
    let of_shop = format!("SELECT count(*) FROM signal_audit WHERE tenant_id = '{shop}'");
    let audits = count(&database, &of_shop).await;
    assert!(audits > 0);

    let mut tx = store.service().await.unwrap();
    assert!(users::erase(&mut tx, TenantId(shop), now).await.unwrap());
    assert!(!users::erase(&mut tx, TenantId(shop), now).await.unwrap(), "once is enough");
    tx.commit().await.unwrap();
    let turn = router.route_once(now + TimeDelta::seconds(5)).await.unwrap();
    assert!(turn.followed.withdrawn > 0, "what it held goes on");

    let after = whole_database(&database).await;
    for mark in &marks {
        assert!(!after.contains(mark), "{mark} is still there");
    }
    assert_eq!(count(&database, &format!("SELECT count(*) FROM user_profiles WHERE id = '{shop}'")).await, 0);
    assert_eq!(count(&database, &of_shop).await, audits);
    assert!(count(&database, &format!("SELECT count(*) FROM decisions WHERE tenant_id = '{shop}'")).await > 0);
    // nothing of it waits to be sent any more
    assert_eq!(count(&database, &format!("SELECT count(*) FROM outbox WHERE tenant_id = '{shop}' AND settled_at IS NULL")).await, 0);
    assert!(held(&database).await.iter().all(|one| one.tenant != shop));
}
