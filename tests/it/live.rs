//! What is on offer while rules, regimes and prices change: offered once, re-priced, withdrawn, each with its audit.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, FromRow, postgres::PgRow};
use tcg_radar::{
    clock::Clock,
    domain::{
        decision::{ChangeKind, Outcome},
        plan::Plans,
        profile::{Defaults, TenantId},
    },
    rules::{
        live::{Current, Live},
        pack::Pack,
        source::PackSource,
    },
    scan::{
        ScanError, Settings,
        explain::{again, stored_decision},
        periodic::{Rounds, Scanner, Turn, Wanted},
        report::{Found, Report, Scope, decision},
        review::review_once,
    },
    simulate::{self, Parameters, Simulation},
    store::Store,
};
use uuid::Uuid;

use crate::{
    cluster::{Database, program},
    reload::{Stage, history, median, put},
    scan::root,
};

/// Cards of a market that has something to scan, and of one in which sellers have several good cards.
pub const FEW: u32 = 120;
pub const MANY: u32 = 600;

/// A small simulated market that ended yesterday, as far as the clock that is passed in is concerned.
pub async fn market(store: &Store, now: DateTime<Utc>, cards: u32) {
    let end = now.date_naive().pred_opt().unwrap();
    let simulation = Simulation::new(Parameters { cards, ..Parameters::ending(end) }).unwrap();
    simulate::write(store, &simulation, simulation.as_of(), &|_, _| ()).await.unwrap();
}

pub fn shipped() -> Pack {
    Pack::load(&root().join("rules")).unwrap()
}

pub fn live(pack: Pack, regime: Option<&str>) -> Arc<Live> {
    let presets = tcg_radar::config::presets::read(&root().join("profiles")).unwrap();
    let plans = Plans::parse("plans.yaml", Plans::SHIPPED).unwrap();
    Arc::new(Live { pack, customs_variable: regime.map(str::to_owned), presets, plans })
}

/// The shipped pack with a text replaced.
pub fn edited(file: &str, from: &str, to: &str) -> Pack {
    let mut source = PackSource { files: shipped().source.files, ..PackSource::default() };
    let text = source.files[file].replacen(from, to, 1);
    assert_ne!(*text, *source.files[file]);
    source.files.insert(file.into(), text.into());
    Pack::from_source(source).unwrap()
}

pub fn scanner(store: &Store, live: &Live) -> Scanner {
    let copy = Live {
        pack: Pack::from_source(live.pack.source.clone()).unwrap(),
        customs_variable: live.customs_variable.clone(),
        presets: live.presets.clone(),
        plans: live.plans.clone(),
    };
    Scanner {
        store: store.clone(),
        current: Arc::new(Current::new(copy)),
        clock: Clock::machine(),
        interval: Duration::from_mins(30),
        defaults: Defaults::default(),
        settings: Settings { customs_regime: None, bundle_logic: true, eur_usd_rate: Decimal::new(108, 2) },
    }
}

/// One whole scan on a book of its own; nothing where there is no tenant.
pub trait ScanOnce {
    async fn scan_once(&self, now: DateTime<Utc>) -> Result<Option<Report>, ScanError>;
}

impl ScanOnce for Scanner {
    async fn scan_once(&self, now: DateTime<Utc>) -> Result<Option<Report>, ScanError> {
        let mut rounds = Rounds::new(self.clone());
        loop {
            match rounds.scan(Wanted::Everything, now).await? {
                Turn::Scanned(report) => return Ok(Some(*report)),
                Turn::Nothing | Turn::Nobody => return Ok(None),
                Turn::Superseded => {}
            }
        }
    }
}

pub async fn rows<T: Send + Unpin + for<'r> FromRow<'r, PgRow>>(database: &Database, sql: &str) -> Vec<T> {
    let mut admin = database.superuser().await;
    sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_all(&mut admin).await.unwrap()
}

pub async fn count(database: &Database, sql: &str) -> i64 {
    rows::<(i64,)>(database, sql).await[0].0
}

/// The route and the tenant of a deal.
pub type Deal = (String, Uuid);
/// Its net profit, and how many cards of its seller were counted.
pub type Worth = (Option<Decimal>, Option<i64>);

/// What is on offer to whom, and what it is worth by the last decision.
pub async fn worth_now(database: &Database) -> BTreeMap<Deal, Worth> {
    let last = "SELECT route_key, tenant_id, net_profit, (facts->>'seller_density')::bigint FROM decisions AS d
        JOIN opportunities USING (opportunity_id) WHERE state = 'live' AND verdict = 'signal'
            AND NOT EXISTS (SELECT FROM decisions AS n WHERE n.follows = d.decision_id)";
    let rows: Vec<(String, Uuid, Option<Decimal>, Option<i64>)> = rows(database, last).await;
    rows.into_iter().map(|(key, tenant, profit, density)| ((key, tenant), (profit, density))).collect()
}

pub fn by_deal(report: &Report) -> BTreeMap<Deal, Worth> {
    let deal = |found: &Found| (found.opportunity.route_key.clone(), found.decision.tenant.0);
    let worth = |found: &Found| (found.decision.net_profit, found.decision.facts["seller_density"].as_i64());
    report.signals.iter().map(|found| (deal(found), worth(found))).collect()
}

/// Profit floors with which the least deal that a switch makes worse just holds before it, and falls with it.
async fn floors_on_the_edge(store: &Store, now: DateTime<Utc>, from: &Live, to: &Live) -> Vec<(TenantId, Decimal)> {
    scanner(store, from).scan_once(now).await.unwrap().unwrap();
    let forecast = review_once(store, to, true, now, true).await.unwrap();
    let mut by_deal: BTreeMap<Uuid, Vec<_>> = BTreeMap::new();
    for (before, after) in &forecast.answers {
        by_deal.entry(before.opportunity_id).or_default().push((before, after.net_profit < before.net_profit));
    }
    let worse = by_deal.into_values().filter(|answers| answers.iter().all(|(_, worse)| *worse));
    let least = worse.min_by_key(|answers| answers.iter().map(|(before, _)| before.net_profit).min()).unwrap();
    least.into_iter().map(|(before, _)| (before.tenant, before.net_profit.unwrap())).collect()
}

async fn set_floors(database: &Database, floors: &[(TenantId, Decimal)]) {
    let mut admin = database.superuser().await;
    for (tenant, floor) in floors {
        let sql = "UPDATE user_profiles SET min_profit_threshold = $2 WHERE id = $1";
        sqlx::query(sql).bind(tenant.0).bind(floor).execute(&mut admin).await.unwrap();
    }
}

async fn on_offer(database: &Database) -> BTreeSet<Uuid> {
    rows::<(Uuid,)>(database, "SELECT opportunity_id FROM opportunities WHERE state = 'live'").await.into_iter().map(|row| row.0).collect()
}

/// Every decision whose tenant was told the same opportunity before follows the one before, and there is one last one each.
pub async fn chains_are_whole(database: &Database) {
    let forked = "SELECT count(*) FROM (SELECT opportunity_id, tenant_id FROM decisions AS d
        WHERE NOT EXISTS (SELECT FROM decisions AS n WHERE n.follows = d.decision_id)
        GROUP BY opportunity_id, tenant_id HAVING count(*) > 1) AS forked";
    assert_eq!(count(database, forked).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_route_found_again_is_the_same_opportunity_until_it_holds_no_more() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let now: DateTime<Utc> = "2026-05-03T10:00:00Z".parse().unwrap();
    market(&store, now, FEW).await;
    let scanner = scanner(&store, &live(shipped(), None));
    let first = scanner.scan_once(now).await.unwrap().unwrap();
    let offered = on_offer(&database).await;
    let signalled: BTreeSet<Uuid> = first.signals.iter().map(|found| found.opportunity.opportunity_id).collect();
    assert!(offered.len() > 5);
    assert_eq!(offered, signalled);
    assert_eq!(
        count(&database, "SELECT count(*) FROM opportunity_changes WHERE change = 'offered'").await,
        i64::try_from(offered.len()).unwrap()
    );

    // nothing moved: the same ids, no further change, and each decision follows the one before
    scanner.scan_once(now + TimeDelta::minutes(1)).await.unwrap().unwrap();
    assert_eq!(on_offer(&database).await, offered);
    assert_eq!(count(&database, "SELECT count(*) FROM opportunity_changes").await, i64::try_from(offered.len()).unwrap());
    assert_eq!(
        count(&database, "SELECT count(*) FROM decisions WHERE verdict = 'signal' AND follows IS NOT NULL").await,
        i64::try_from(first.signals.len()).unwrap()
    );

    // a price moves by a cent: re-priced under the same id, and the old decision keeps the price that it was made on
    let mut admin = database.superuser().await;
    let best = &first.signals[0];
    let key: (String,) = sqlx::query_as("SELECT route_key FROM opportunities WHERE opportunity_id = $1")
        .bind(best.opportunity.opportunity_id)
        .fetch_one(&mut admin)
        .await
        .unwrap();
    assert!(key.0.starts_with(best.opportunity.card_id.as_str()), "{}", key.0);
    let moved = sqlx::query(
        "UPDATE price_history SET price = price + 0.01 FROM price_series AS s WHERE s.series_id = price_history.series_id
            AND s.source = $1 AND price = $2 AND observed_at = $3",
    )
    .bind(&best.opportunity.sell_source)
    .bind(best.opportunity.sell_price)
    .bind(best.opportunity.sell_observed_at)
    .execute(&mut admin)
    .await
    .unwrap();
    assert!(moved.rows_affected() > 0);
    scanner.scan_once(now + TimeDelta::minutes(2)).await.unwrap().unwrap();
    let repriced: Vec<(Uuid, Decimal, Decimal)> = rows(
        &database,
        "SELECT opportunity_id, from_sell_price, to_sell_price FROM opportunity_changes WHERE change = 'repriced' AND from_sell_price <> to_sell_price",
    )
    .await;
    let price = best.opportunity.sell_price;
    assert!(repriced.contains(&(best.opportunity.opportunity_id, price, price + Decimal::new(1, 2))), "{repriced:?}");
    let told = stored_decision(&store, best.decision.decision_id, None, false).await.unwrap();
    assert_eq!(told.told.route.sell_price, Some(price));
    assert!(told.differences.is_empty());

    // what has no price any more has no route
    sqlx::query("UPDATE price_history SET price = NULL").execute(&mut admin).await.unwrap();
    scanner.scan_once(now + TimeDelta::minutes(3)).await.unwrap().unwrap();
    assert!(on_offer(&database).await.is_empty());
    assert!(
        count(&database, "SELECT count(*) FROM opportunity_changes WHERE change = 'withdrawn'").await
            >= i64::try_from(offered.len()).unwrap()
    );
    chains_are_whole(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_the_past_or_of_moved_prices_offers_nothing() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let now: DateTime<Utc> = "2026-05-03T10:00:00Z".parse().unwrap();
    market(&store, now, FEW).await;
    let live = live(shipped(), None);
    let (tenants, _) = tcg_radar::scan::tenants::load(&store, &live.presets, &Defaults::default()).await.unwrap();
    let profiles: Vec<_> = tenants.into_iter().map(|(_, profile)| profile).collect();
    let options = tcg_radar::scan::Options { as_of: now - TimeDelta::hours(1), shifts: Vec::new(), dry_run: false, near_misses: 5 };
    let settings = Settings { customs_regime: None, bundle_logic: true, eur_usd_rate: Decimal::new(108, 2) };
    let report = tcg_radar::scan::scan_once(&store, &live.pack, &profiles, &settings, &options, now, &|_, _| ()).await.unwrap();
    assert!(!report.signals.is_empty());
    assert!(on_offer(&database).await.is_empty());
    assert!(count(&database, "SELECT count(*) FROM decisions WHERE verdict = 'signal'").await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_of_the_regime_withdraws_and_re_prices_exactly_what_a_scan_by_that_regime_would() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let now: DateTime<Utc> = "2026-08-03T10:00:00Z".parse().unwrap();
    market(&store, now, MANY).await;
    let (world, flat) = (live(shipped(), Some("world")), live(shipped(), Some("post_july_2026")));
    let floors = floors_on_the_edge(&store, now - TimeDelta::minutes(1), &world, &flat).await;
    set_floors(&database, &floors).await;
    let first = scanner(&store, &world).scan_once(now).await.unwrap().unwrap();
    let offered = on_offer(&database).await;

    let forecast = review_once(&store, &flat, true, now, true).await.unwrap();
    assert_eq!(on_offer(&database).await, offered, "a dry run changes nothing");
    assert!(forecast.count(ChangeKind::Withdrawn) > 0 && forecast.count(ChangeKind::Repriced) > 0, "{forecast:?}");
    let review = review_once(&store, &flat, true, now + TimeDelta::seconds(1), false).await.unwrap();
    let essence = |review: &tcg_radar::scan::review::Review| -> Vec<(Uuid, ChangeKind, Option<String>)> {
        review.changed.iter().map(|one| (one.opportunity.opportunity_id, one.kind, one.reason.clone())).collect()
    };
    assert_eq!(essence(&forecast), essence(&review), "it says what the switch does");
    let again = review_once(&store, &flat, true, now + TimeDelta::seconds(2), false).await.unwrap();
    assert!(again.changed.is_empty() && again.kept == 0, "what is reviewed is not reviewed again");

    // the same prices judged from scratch in another database
    let elsewhere = Database::migrated().await;
    let other = elsewhere.store().await;
    market(&other, now, MANY).await;
    set_floors(&elsewhere, &floors).await;
    let scratch = scanner(&other, &flat).scan_once(now).await.unwrap().unwrap();
    let (before, scratch) = (by_deal(&first), by_deal(&scratch));
    let reviewed = worth_now(&database).await;
    // only a scan sees that another card of a seller has become good
    let alike: Vec<_> = before.keys().filter(|deal| scratch.get(*deal).is_none_or(|worth| worth.1 == before[*deal].1)).collect();
    assert!(alike.len() * 2 > before.len());
    for deal in &alike {
        // what still holds stays on offer, though a scan from scratch may take another route of the card for the tenant
        if let Some(worth) = scratch.get(*deal) {
            assert_eq!(reviewed.get(*deal), Some(worth), "{deal:?}");
        }
    }
    let fell = before.keys().filter(|deal| !reviewed.contains_key(*deal));
    assert!(fell.clone().count() > 0);
    for deal in fell.filter(|deal| alike.contains(deal)) {
        assert_eq!(scratch.get(deal), None, "{deal:?}");
    }

    // the audit: from which pack and regime to which, and each decision after the one it takes the place of
    let hash = &flat.pack.hash;
    let audited = "SELECT count(*) FROM opportunity_changes JOIN scans USING (scan_id) WHERE kind = 'review' AND from_regime = 'world'
        AND to_regime = 'post_july_2026'";
    assert_eq!(
        count(&database, &format!("{audited} AND from_pack = '{hash}' AND to_pack = '{hash}'")).await,
        i64::try_from(review.changed.len()).unwrap()
    );
    let followed =
        "SELECT count(*) FROM decisions AS n JOIN decisions AS d ON d.decision_id = n.follows JOIN scans AS s ON s.scan_id = n.scan_id
        WHERE s.kind = 'review' AND d.facts->>'customs_regime' = 'world' AND n.facts->>'customs_regime' = 'post_july_2026'";
    assert_eq!(count(&database, followed).await, i64::try_from(review.answers.len()).unwrap());

    // the scan that follows agrees with one from scratch about everything that that one found
    scanner(&store, &flat).scan_once(now + TimeDelta::seconds(2)).await.unwrap().unwrap();
    let settled = worth_now(&database).await;
    for (deal, worth) in &scratch {
        assert_eq!(settled.get(deal), Some(worth), "{deal:?}");
    }

    // and back: what is still on offer is worth what it was, what was withdrawn stays withdrawn
    let back = review_once(&store, &world, true, now + TimeDelta::seconds(3), false).await.unwrap();
    assert_eq!(back.count(ChangeKind::Withdrawn), 0);
    for (_, answer) in &back.answers {
        let was = first
            .signals
            .iter()
            .find(|found| found.opportunity.opportunity_id == answer.opportunity_id && found.decision.tenant == answer.tenant);
        assert_eq!(was.map(|found| found.decision.net_profit), Some(answer.net_profit));
    }
    let all: Vec<(Uuid,)> =
        rows(&database, "SELECT decision_id FROM decisions AS d JOIN scans USING (scan_id) WHERE kind = 'review'").await;
    for (id,) in all {
        assert_eq!(stored_decision(&store, id, None, false).await.unwrap().differences, []);
    }
    chains_are_whole(&database).await;
}

/// Nobody is told of the prices of a regime that is over: what a scan under way found by it is not written.
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_a_switch_overtakes_writes_nothing_and_the_next_looks_at_everything() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let now: DateTime<Utc> = "2026-08-03T10:00:00Z".parse().unwrap();
    market(&store, now, FEW).await;
    let (world, flat) = (live(shipped(), Some("world")), live(shipped(), Some("post_july_2026")));
    let scanner = scanner(&store, &world);
    let mut rounds = Rounds::new(scanner.clone());
    assert!(matches!(rounds.scan(Wanted::Everything, now).await.unwrap(), Turn::Scanned(_)));

    // the scan waits where it reads its prices: it goes by the old regime already
    let mut brake = database.superuser().await;
    let mut held = brake.begin().await.unwrap();
    held.execute("LOCK TABLE exchange_rates IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let under_way = tokio::spawn(async move {
        let turn = rounds.scan(Wanted::Everything, now + TimeDelta::minutes(1)).await.unwrap();
        (turn, rounds)
    });
    let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'exchange_rates'::regclass";
    while count(&database, waiting).await == 0 {
        tokio::task::yield_now().await;
    }
    scanner.current.publish(Arc::clone(&flat));
    let review = review_once(&store, &flat, true, now + TimeDelta::minutes(2), false).await.unwrap();
    assert!(review.count(ChangeKind::Repriced) > 0, "{review:?}");
    held.rollback().await.unwrap();
    let (turn, mut rounds) = under_way.await.unwrap();
    assert!(matches!(turn, Turn::Superseded), "it was written");
    let told = "SELECT count(*) FROM opportunity_changes WHERE change = 'repriced'";
    assert_eq!(count(&database, told).await, i64::try_from(review.count(ChangeKind::Repriced)).unwrap(), "each is told once");
    assert_eq!(count(&database, "SELECT count(*) FROM scans WHERE kind = 'scan'").await, 1);

    let Turn::Scanned(report) = rounds.scan(Wanted::Changed, now + TimeDelta::minutes(3)).await.unwrap() else { panic!("it owes a scan") };
    assert_eq!((report.scope, report.customs_regime.as_deref()), (Scope::Full, Some("post_july_2026")));
    chains_are_whole(&database).await;
}

/// Scans and publishes at once, until both have done enough.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_publishes_under_running_scans_mix_no_two_packs_in_a_decision() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let now: DateTime<Utc> = "2026-05-03T10:00:00Z".parse().unwrap();
    market(&store, now, FEW).await;
    let packs = [live(shipped(), Some("world")), live(edited("params/profit.yaml", "\"5.00\"", "\"9.00\""), Some("post_july_2026"))];
    let scanner = scanner(&store, &packs[0]);
    let (current, done) = (Arc::clone(&scanner.current), Arc::new(AtomicBool::new(false)));
    let enough = Arc::clone(&done);
    let publisher = std::thread::spawn({
        let packs = packs.clone();
        move || {
            let mut published = 0_usize;
            while published < 10_000 || !enough.load(Ordering::Relaxed) {
                current.publish(Arc::clone(&packs[published % 2]));
                published += 1;
                // a scan needs the cores as well
                std::thread::park_timeout(Duration::from_micros(100));
            }
            published
        }
    });
    let mut used = BTreeSet::new();
    for turn in 0..6 {
        let now = now + TimeDelta::seconds(turn);
        used.insert(scanner.scan_once(now).await.unwrap().unwrap().scan.pack_hash);
        let live = scanner.current.get();
        review_once(&store, &live, true, now, false).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    assert!(publisher.join().unwrap() >= 10_000);
    let allowed: BTreeSet<String> = packs.iter().map(|live| live.pack.hash.clone()).collect();
    assert!(used.is_subset(&allowed));
    every_decision_runs_again_equal(&database, &[&packs[0].pack, &packs[1].pack]).await;
    chains_are_whole(&database).await;
}

#[derive(Debug, FromRow)]
struct Stored {
    decision_id: Uuid,
    pack_hash: String,
    verdict: String,
    reason: Option<String>,
    net_profit: Option<Decimal>,
    score: Option<Decimal>,
    facts: serde_json::Value,
}

/// Each by one of the packs, each with that pack's regime, and each comes out the same from what was stored.
pub async fn every_decision_runs_again_equal(database: &Database, packs: &[&Pack]) -> usize {
    let decisions: Vec<Stored> = rows(database, "SELECT * FROM decisions").await;
    assert!(!decisions.is_empty());
    let mixed = "SELECT count(*) FROM decisions JOIN scans USING (scan_id) WHERE decisions.pack_hash <> scans.pack_hash
        OR facts->>'customs_regime' <> customs_regime";
    assert_eq!(count(database, mixed).await, 0);
    for stored in &decisions {
        let Some(pack) = packs.iter().find(|pack| pack.hash == stored.pack_hash) else { panic!("who decided {stored:?}") };
        let mut evaluation = again(pack, &stored.facts);
        assert_eq!(stored.verdict == "signal", stored.reason.is_none());
        let found = evaluation.verdict();
        let told = decision(&mut evaluation, TenantId(Uuid::nil()), Uuid::nil(), Outcome::Signal, found.reason(pack));
        assert_eq!(told.reason, stored.reason, "{stored:?}");
        assert_eq!((told.net_profit, told.score, &told.facts), (stored.net_profit, stored.score, &stored.facts), "{}", stored.decision_id);
    }
    decisions.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_edits_by_file_under_running_scans_are_each_live_at_once() {
    let stage = Stage::new().await;
    let now = Utc::now();
    market(&stage.store, now, FEW).await;
    let running = stage.run().await;
    let profit = stage.path("rules/params/profit.yaml");
    let one = fs::read_to_string(&profit).unwrap();
    let two = one.replacen("\"5.00\"", "\"9.00\"", 1);
    let first = stage.hash();
    put(&profit, &two);
    let second = stage.hash();
    running.live(&second).await;
    let scanner = Scanner {
        store: stage.store.clone(),
        current: Arc::clone(&running.current),
        clock: Clock::machine(),
        interval: Duration::from_mins(30),
        defaults: Defaults::default(),
        settings: Settings { customs_regime: None, bundle_logic: true, eur_usd_rate: Decimal::new(108, 2) },
    };
    let done = Arc::new(AtomicBool::new(false));
    let enough = Arc::clone(&done);
    let scans = tokio::spawn(async move {
        let mut scans = 0;
        while !enough.load(Ordering::Relaxed) {
            scanner.scan_once(Utc::now()).await.unwrap();
            scans += 1;
        }
        scans
    });
    let mut times = Vec::new();
    for turn in 0..100 {
        let (text, hash) = if turn % 2 == 0 { (&one, &first) } else { (&two, &second) };
        put(&profit, text);
        times.push(running.live(hash).await);
    }
    done.store(true, Ordering::Relaxed);
    let scans: usize = scans.await.unwrap();
    running.stop().await;
    let edits = history(&stage.store).await.len();
    let slowest = *times.iter().max().unwrap();
    let middle = median(times);
    let other = Pack::load(&stage.path("rules")).unwrap();
    put(&profit, &one);
    let packs = [&Pack::load(&stage.path("rules")).unwrap(), &other];
    let decisions = every_decision_runs_again_equal(&stage.database, &packs).await;
    eprintln!("from edit to live under {scans} scans: median {middle:?}, slowest {slowest:?}; {decisions} decisions ran again equal");
    assert_eq!(edits, 102, "each edit was live once");
}

/// The program as it is run, with its log.
pub struct Service {
    child: Child,
    log: std::sync::mpsc::Receiver<String>,
}

impl Service {
    fn start(stage: &Stage) -> Self {
        Self::start_with(stage, &[])
    }

    pub fn start_with(stage: &Stage, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tcg-radar"));
        command.current_dir(stage.folder.path()).env("DATABASE_URL", stage.database.server.url(false));
        command.env("TCG_RADAR_LISTEN", "127.0.0.1:0").env("BACKUP_EVERY_HOURS", "0");
        command.env_remove("CUSTOMS_REGIME").env_remove("TCG_RADAR_RULES").env_remove("RUST_LOG");
        command.envs(variables.iter().copied());
        command.args(["--format", "json", "serve"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, log) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, log }
    }

    /// Waits for a line of the log with all these in it.
    fn says(&self, parts: &[&str]) -> String {
        self.says_all(parts).pop().unwrap()
    }

    /// Everything up to that line.
    pub fn says_all(&self, parts: &[&str]) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let Ok(line) = self.log.recv_timeout(Duration::from_mins(1)) else { panic!("never said {parts:?}, but {before:#?}") };
            before.push(line);
            if before.last().is_some_and(|line| parts.iter().all(|part| line.contains(part))) {
                return before;
            }
        }
    }

    /// Everything that was said and not waited for, up to the end of the program.
    pub fn ends(mut self) -> String {
        self.signal("-TERM");
        let _ = self.child.wait();
        self.log.iter().collect::<Vec<_>>().join("\n")
    }

    pub fn signal(&self, signal: &str) {
        let told = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(told.success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ask(stage: &Stage, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let url = stage.database.server.url(false);
    let output = program(stage.folder.path(), &[("DATABASE_URL", &url)], &[&["--format", "json"], arguments].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{arguments:?}: {text}{errors}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_switches_the_regime_there_and_back_without_a_restart() {
    let stage = Stage::new().await;
    market(&stage.store, Utc::now(), MANY).await;
    let (world, flat) = (live(shipped(), Some("world")), live(shipped(), Some("post_july_2026")));
    let floors = floors_on_the_edge(&stage.store, Utc::now(), &world, &flat).await;
    set_floors(&stage.database, &floors).await;
    let service = Service::start(&stage);
    service.says(&["\"scan_finished\"", "world"]);
    let offered = on_offer(&stage.database).await;
    assert!(offered.len() > 5);
    let (code, before) = ask(&stage, &["rules", "status"]);
    assert_eq!((code, &before["running"], &before["customs_regime"]), (Some(0), &true.into(), &"world".into()));

    let (code, forecast) = ask(&stage, &["customs", "set", "post_july_2026", "--dry-run"]);
    assert_eq!(code, Some(0));
    assert_eq!(on_offer(&stage.database).await, offered);
    let (_, shown) = ask(&stage, &["customs", "show"]);
    assert_eq!(shown["in_force"], "world");

    let switched = Instant::now();
    let (_, told) = ask(&stage, &["customs", "set", "post_july_2026"]);
    assert_eq!(told["withdrawn"], forecast["withdrawn"]);
    let line = service.says(&["\"reviewed\""]);
    let took = switched.elapsed();
    let withdrawn = forecast["withdrawn"].as_array().unwrap().len();
    let repriced = forecast["repriced"].as_array().unwrap().len();
    assert!(withdrawn > 0 && repriced > 0);
    assert!(line.contains(&format!("\"withdrawn\":{withdrawn},\"repriced\":{repriced}")), "{line}");
    eprintln!("world → post_july_2026: {withdrawn} withdrawn, {repriced} re-priced, {took:?} from the command to the last write");
    service.says(&["\"scan_finished\"", "post_july_2026"]);
    let audited = |from: &str, to: &str| {
        format!(
            "SELECT count(*) FROM opportunity_changes JOIN scans USING (scan_id) WHERE kind = 'review' AND from_regime = '{from}'
                AND to_regime = '{to}'"
        )
    };
    assert_eq!(count(&stage.database, &audited("world", "post_july_2026")).await, i64::try_from(withdrawn + repriced).unwrap());
    assert_eq!(ask(&stage, &["customs", "show"]).1["in_force"], "post_july_2026");

    // back by the guide's variable: the pack leaves it to .env again
    fs::write(stage.path(".env"), "CUSTOMS_REGIME=world\n").unwrap();
    let (code, _) = ask(&stage, &["customs", "set", "env"]);
    assert_eq!(code, Some(0));
    service.says(&["\"rules_live\"", "\"regime\":\"world\"", "\"from_regime\":\"post_july_2026\""]);
    service.says(&["\"reviewed\""]);
    service.says(&["\"scan_finished\"", "world"]);
    assert!(count(&stage.database, &audited("post_july_2026", "world")).await > 0);
    let changes = ask(&stage, &["rules", "status"]).1["changes"].as_array().unwrap().len();
    assert!(changes >= 3, "{changes}");
    chains_are_whole(&stage.database).await;

    // a mistake is told by the service's log and from any other process
    stage.edit("rules/facts/profit.rhai", "proceeds - effective_buy", "proceeds - effective_by");
    let line = service.says(&["\"rules_refused\""]);
    assert!(line.contains("facts/profit.rhai:") && line.contains("did you mean"), "{line}");
    let (code, told) = ask(&stage, &["rules", "status"]);
    assert_eq!(code, Some(2));
    assert_eq!(told["fault"]["diagnostics"][0]["file"], "facts/profit.rhai");
    assert_eq!(told["fault"]["diagnostics"][0]["code"], "unknown-fact");

    service.signal("-TERM");
    let mut service = service;
    assert_eq!(service.child.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_reload_it_comes_back_with_good_rules() {
    let stage = Stage::new().await;
    let profit = stage.path("rules/params/profit.yaml");
    let one = fs::read_to_string(&profit).unwrap();
    let two = one.replacen("\"5.00\"", "\"9.00\"", 1);
    let first = stage.hash();
    put(&profit, &two);
    let allowed = [first, stage.hash()];
    for round in 0..5 {
        let service = Service::start(&stage);
        service.says(&["\"serving\""]);
        // edits race with the kill, which comes at another step of the reload each time
        for turn in 0..4 {
            let now = fs::read_to_string(&profit).unwrap();
            put(&profit, if now == one { &two } else { &one });
            if turn == round {
                break;
            }
            service.says(&["\"rules_live\""]);
        }
        service.signal("-KILL");
        drop(service);
        let told = crate::reload::status(&stage.store).await;
        assert!(allowed.contains(&told.pack_hash) && told.fault.is_none(), "{told:?}");
        // and with nothing but broken files to start from
        fs::rename(stage.path("rules/pack.yaml"), stage.path("pack.yaml")).unwrap();
        let service = Service::start(&stage);
        service.says(&["\"started_with_last_good\"", &told.pack_hash]);
        service.says(&["\"serving\"", &told.pack_hash]);
        fs::rename(stage.path("pack.yaml"), stage.path("rules/pack.yaml")).unwrap();
        drop(service);
    }
    for change in history(&stage.store).await.iter().filter_map(|change| change.to_pack.as_ref()) {
        assert!(allowed.contains(change));
    }
}
