//! Live feeds against stand-ins of their vendors, over real HTTP into a real database, by a clock that the tests move.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs, io,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use sqlx::{AssertSqlSafe, Executor};
use tcg_radar::{
    clock::Clock,
    config::{Config, sources::Sources},
    domain::market::Market,
    ingest::{self, Batch, Feeds, FileReport, fold_once},
    pulse::Pulse,
    rules::pack::Pack,
    scan::{Options, Settings, scan_once},
    simulate::{
        Parameters, Simulation,
        vendors::{KEY, Misdeed, Plan, StandIns, Stock},
    },
    sources::live::Source,
    store::{Server, Store, feeds as stored},
};

use crate::{
    cluster::{Database, folder, quiet},
    import::Silent,
    scan::profiles,
};

/// The time, which tests move.
#[derive(Clone)]
pub struct Time(Arc<Mutex<DateTime<Utc>>>);

impl Time {
    pub fn at(text: &str) -> Self {
        Self(Arc::new(Mutex::new(text.parse().unwrap())))
    }

    pub fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap()
    }

    pub fn set(&self, to: DateTime<Utc>) {
        *self.0.lock().unwrap() = to;
    }

    pub fn clock(&self) -> Clock {
        let time = self.clone();
        Clock::of(move || time.now())
    }
}

/// A small market whose middle is 2026-11-22, so that it goes on.
fn simulation(cards: u32, days: u32) -> Simulation {
    let end: NaiveDate = "2026-12-20".parse().unwrap();
    let parameters = Parameters { cards, days, bad_scrape: None, listing_days: 0, ..Parameters::ending(end) };
    Simulation::new(parameters).unwrap()
}

fn sources(stand_ins: &StandIns, more: &[(&str, &str)]) -> Sources {
    let mut variables: HashMap<&str, String> = stand_ins.variables().into_iter().collect();
    variables.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Config::from_lookup(|name| variables.get(name).cloned()).unwrap().sources
}

pub const ALL: &str = "cardmarket,tcgcsv,ecb,pokemontcg,justtcg,poketrace,exchangerate,limitless";

/// Every source but some.
fn all_but(on: &str) -> String {
    ALL.split(',').filter(|name| !on.split(',').any(|on| on == *name)).collect::<Vec<_>>().join(",")
}

struct Rig {
    database: Database,
    store: Store,
    stand_ins: StandIns,
    time: Time,
}

impl Rig {
    async fn new(simulation: &Simulation, plan: Plan, now: &str) -> Self {
        let time = Time::at(now);
        let stand_ins = StandIns::start(Stock::of(simulation), plan, time.clock(), 0).await.unwrap();
        let database = Database::migrated().await;
        let store = database.store().await;
        Self { database, store, stand_ins, time }
    }

    fn feeds(&self, more: &[(&str, &str)]) -> Feeds {
        Feeds::configured(self.store.clone(), &sources(&self.stand_ins, more), self.time.clock()).unwrap()
    }

    /// The rows of a query, a line each.
    async fn lines(&self, query: &str) -> Vec<String> {
        let rows = format!("SELECT concat_ws(' ', VARIADIC array(SELECT value FROM jsonb_each_text(to_jsonb(t)))) FROM ({query}) AS t");
        sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut self.database.superuser().await).await.unwrap()
    }

    async fn count(&self, what: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {what}")))
            .fetch_one(&mut self.database.superuser().await)
            .await
            .unwrap()
    }

    /// All prices, by what they price and not by the numbers that the database gave.
    async fn prices(&self) -> Vec<String> {
        prices(&self.database).await
    }

    async fn catalogue(&self, simulation: &Simulation) {
        let batch = Batch {
            sets: simulation.sets().cloned().collect(),
            cards: simulation.cards().cloned().collect(),
            card_products: simulation.links().collect(),
            ..Batch::default()
        };
        let mut tx = self.store.service().await.unwrap();
        ingest::write_batch(&mut tx, &batch, self.time.now()).await.unwrap();
        tx.commit().await.unwrap();
    }
}

const PRICES: &str = "SELECT concat_ws(' ', source, coalesce(card_id, product_id), printing, condition, observed_at, revision, price, low)
    FROM price_history JOIN price_series USING (series_id) ORDER BY 1";

async fn prices(database: &Database) -> Vec<String> {
    sqlx::query_scalar(PRICES).fetch_all(&mut database.superuser().await).await.unwrap()
}

/// Lets the feeds work until a moment, each step at its time and none slept for.
pub async fn drive(feeds: &Feeds, time: &Time, until: DateTime<Utc>) {
    let sources = feeds.sources();
    let mut accounts = vec![FileReport::default(); sources.len()];
    let mut next = vec![time.now(); sources.len()];
    while let Some((place, at)) = next.iter().copied().enumerate().min_by_key(|(_, at)| *at)
        && at <= until
    {
        time.set(at.max(time.now()));
        let again = feeds.step(&sources[place], &mut accounts[place]).await.unwrap();
        next[place] = again.max(time.now() + TimeDelta::milliseconds(1));
    }
    time.set(until);
}

async fn run_for(rig: &Rig, feeds: &Feeds, hours: i64) {
    drive(feeds, &rig.time, rig.time.now() + TimeDelta::hours(hours)).await;
}

const KEYLESS: [(&str, &str); 4] =
    [("JUSTTCG_API_KEY", ""), ("POKETRACE_API_KEY", ""), ("EXCHANGERATE_API_KEY", ""), ("LIMITLESS_API_KEY", "")];

async fn scan(store: &Store, now: DateTime<Utc>) -> tcg_radar::scan::report::Report {
    let pack = Pack::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).unwrap();
    let options = Options { as_of: now, shifts: Vec::new(), dry_run: false, near_misses: 20 };
    let settings = Settings { customs_regime: None, bundle_logic: true, eur_usd_rate: Decimal::new(108, 2) };
    scan_once(store, &pack, &profiles(store).await, &settings, &options, now, &|_, _| ()).await.unwrap()
}

async fn add_tenant(database: &Database) {
    database
        .superuser()
        .await
        .execute(
            "INSERT INTO users (id) VALUES ('00000000-0000-0000-0000-00000000000a');
             INSERT INTO user_profiles (id, telegram_chat_id, country, preset)
                VALUES ('00000000-0000-0000-0000-00000000000a', 1, 'US', 'us_tcgplayer_eu_forwarder')",
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn without_any_key_an_empty_database_comes_to_decisions() {
    let simulation = simulation(150, 60);
    let rig = Rig::new(&simulation, Plan::Free, "2026-11-22T09:00:00Z").await;
    let feeds = rig.feeds(&KEYLESS);
    let names: Vec<_> = feeds.sources().iter().map(|source| source.about().name).collect();
    assert_eq!(names, ["pokemontcg", "cardmarket_products", "ecb", "cardmarket_price_guide", "tcgcsv"]);
    run_for(&rig, &feeds, 1).await;

    assert_eq!(rig.count("card_metadata").await, 150);
    // seven days before yesterday, and yesterday
    let days = rig
        .lines(
            "SELECT DISTINCT observed_at::date FROM price_history JOIN price_series USING (series_id) WHERE source = 'tcgcsv' ORDER BY 1",
        )
        .await;
    assert_eq!(days.len(), 8, "{days:?}");
    assert_eq!(days.last().unwrap(), "2026-11-21");
    assert!(rig.count("price_series WHERE source = 'cardmarket_price_guide'").await > 150);
    assert!(rig.count("market_products").await >= 150);
    assert_eq!(rig.lines("SELECT source FROM feeds WHERE last_fault IS NOT NULL").await, Vec::<String>::new());
    assert!(rig.stand_ins.log().iter().all(|(_, path, status)| *status == 200 || path.contains("nothing")), "{:?}", rig.stand_ins.log());

    add_tenant(&rig.database).await;
    let report = scan(&rig.store, rig.time.now()).await;
    assert_eq!(report.rates.origin.source, "ecb");
    assert!(report.routes > 100, "{} routes", report.routes);
    assert!(rig.count("decisions").await > 0);

    // another day: what has not changed is neither sent nor stored again
    let before = rig.count("price_history").await;
    rig.time.set("2026-11-22T09:30:00Z".parse().unwrap());
    run_for(&rig, &feeds, 1).await;
    assert_eq!(rig.count("price_history").await, before);
    run_for(&rig, &feeds, 24).await;
    let lists = rig.stand_ins.log().into_iter().filter(|(_, path, _)| path.contains("nonsingles")).map(|(.., status)| status);
    assert_eq!(lists.collect::<Vec<_>>(), [200, 200], "its day is another, so it is sent again");
    let rates = rig.stand_ins.log().into_iter().filter(|(_, path, _)| path.contains("eurofxref")).map(|(.., status)| status);
    assert!(rates.collect::<Vec<_>>().starts_with(&[200]));
}

/// The real archive of a day, the real crosswalk and rates; a guide in the real one's shape.
#[tokio::test]
async fn real_files_from_the_stand_ins_come_to_decisions() {
    let data = std::env::var_os("TCG_RADAR_DATA").map_or_else(|| "../shared/data".into(), std::path::PathBuf::from);
    let archive = data.join("3-price-history/raw/prices-2025-10-09.dev.ppmd.7z");
    if !archive.exists() {
        eprintln!("SKIPPED: {} is not there; set TCG_RADAR_DATA", archive.display());
        return;
    }
    let rig = Rig::new(&simulation(1, 60), Plan::Free, "2025-10-10T06:00:00Z").await;
    let files = [
        data.join("1-card-metadata/cards-en"),
        data.join("1-card-metadata/sets-en.json"),
        data.join("3-price-history/ids_crosswalk.csv.gz"),
    ];
    let files = ingest::walk(&files).unwrap();
    ingest::import_files(&rig.store, &files, rig.time.now(), &Silent).await.unwrap();
    let products = rig.lines("SELECT external_id FROM card_products WHERE market = 'cardmarket' ORDER BY external_id").await;
    let entries: Vec<Json> =
        products.iter().map(|id| json!({ "idProduct": id.parse::<u64>().unwrap(), "idCategory": 51, "low": 0.5, "trend": 4.75 })).collect();
    let guide = json!({ "version": 1, "createdAt": "2025-10-10T02:55:18+0200", "priceGuides": entries });
    rig.stand_ins.serve_file("/tcgcsv/archive/tcgplayer/prices-2025-10-09.ppmd.7z", fs::read(&archive).unwrap());
    rig.stand_ins.serve_file("/cardmarket/productCatalog/priceGuide/price_guide_6.json", guide.to_string().into_bytes());
    let rates = data.join("7-others/ecb_eur_daily_2020_on.csv");
    rig.stand_ins.serve_file("/ecb/stats/eurofxref/eurofxref-hist.zip", fs::read(rates).unwrap());
    let feeds = rig.feeds(&[KEYLESS.as_slice(), &[("SOURCES_OFF", "pokemontcg"), ("TCGCSV_BACKFILL_DAYS", "0")]].concat());
    run_for(&rig, &feeds, 1).await;
    assert_eq!(rig.lines("SELECT source, last_fault FROM feeds WHERE last_fault IS NOT NULL").await, Vec::<String>::new());
    assert!(rig.count("price_series WHERE source = 'tcgcsv'").await > 1000);
    assert_eq!(rig.count("exchange_rates WHERE date > '2025-10-11'").await, 0, "rates of the future are no rates");
    add_tenant(&rig.database).await;
    let report = scan(&rig.store, rig.time.now()).await;
    assert!(report.routes > 500, "{} routes", report.routes);
    assert!(rig.count("decisions").await > 0);
    let mut tx = rig.store.service().await.unwrap();
    let unmapped = stored::unmapped(&mut tx).await.unwrap();
    assert!(unmapped.iter().any(|one| one.source == "tcgcsv" && one.products > 0 && one.samples.len() == 3), "{unmapped:?}");
}

/// A source alone: the switch that leaves it on, what its requests' paths begin with, a field without which nothing of it is
/// understood, and the list in its answers.
const SOURCES: [(&str, &str, &str, &str, &str); 7] = [
    ("cardmarket", "cardmarket_price_guide", "/cardmarket/productCatalog/priceGuide", "idProduct", "priceGuides"),
    ("tcgcsv", "tcgcsv", "/tcgcsv/", "", ""),
    ("ecb", "ecb", "/ecb/", "", ""),
    ("pokemontcg", "pokemontcg", "/pokemontcg/v2/cards", "data", "data"),
    ("justtcg", "justtcg", "/justtcg/v1/cards", "price", "data"),
    ("poketrace", "poketrace", "/poketrace/", "data", "data"),
    ("exchangerate", "exchangerate-api", "/exchangerate/", "conversion_rates", ""),
];

fn status(status: u16, retry_after: Option<&str>, body: Option<Json>) -> Misdeed {
    Misdeed::Status { status, retry_after: retry_after.map(str::to_owned), body }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn take(&self) -> Vec<String> {
        let text = std::mem::take(&mut *self.0.lock().unwrap());
        String::from_utf8(text).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Rows that no bad answer may add to.
const STATE: &str = "SELECT (SELECT count(*) FROM price_history) AS a, (SELECT count(*) FROM exchange_rates) AS b,
    (SELECT count(*) FROM activity_history) AS c, (SELECT count(*) FROM price_quarantine) AS d, (SELECT sum(price) FROM price_history) AS e";

#[tokio::test]
async fn every_way_of_failing_leaves_no_price_one_line_and_a_feed_that_recovers() {
    let log = Log::default();
    let written = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::INFO).with_writer(move || written.clone()).finish();
    let _logged = tracing::subscriber::set_default(subscriber);
    let simulation = simulation(40, 60);
    for (name, feed, path, field, list) in SOURCES {
        let rig = Rig::new(&simulation, Plan::Paid, "2026-11-22T09:00:00Z").await;
        rig.catalogue(&simulation).await;
        let off = all_but(name);
        let settings = [("SOURCES_OFF", off.as_str()), ("HTTP_TIMEOUT_SECONDS", "1"), ("TCGCSV_BACKFILL_DAYS", "0")];
        let mut deeds = vec![
            (status(401, None, None), "refused the key"),
            (status(429, Some("120"), None), "quota is spent"),
            (status(429, None, None), "quota is spent"),
            (status(500, None, None), "is in trouble"),
            (status(503, Some("60"), None), "is in trouble"),
            (Misdeed::Hang { seconds: 30 }, "did not answer in time"),
            (Misdeed::Truncated, ""),
            (Misdeed::WebPage, ""),
        ];
        if !field.is_empty() {
            deeds.push((Misdeed::Renamed { from: field.to_owned(), to: "renamed".to_owned() }, ""));
        }
        for (deed, told) in deeds {
            let what = format!("{feed} {deed:?}");
            let feeds = rig.feeds(&settings);
            // the vendors tell something new each day
            rig.time.set(rig.time.now() + TimeDelta::days(1));
            rig.stand_ins.misbehave(path, deed.clone());
            let before = rig.lines(STATE).await;
            let source = feeds.sources().iter().find(|source| source.about().name == feed).unwrap();
            let _ = log.take();
            let fault = until_fault(&rig, &feeds, source).await;
            assert!(fault.contains(told) && !fault.contains(KEY), "{what}: {fault}");
            if matches!(deed, Misdeed::Status { .. } | Misdeed::Hang { .. }) || feed != "pokemontcg" {
                assert_eq!(rig.lines(STATE).await, before, "{what}");
            }
            let lines = log.take();
            let failed: Vec<_> = lines.iter().filter(|line| line.contains("feed_failed")).collect();
            assert_eq!(failed.len(), 1, "{what}: {lines:#?}");
            assert!(failed[0].contains(feed), "{what}: {}", failed[0]);
            // and when the time has come, it goes on as if nothing had been
            run_for(&rig, &feeds, 30).await;
            let faults = rig.lines("SELECT source, last_fault FROM feeds WHERE last_fault IS NOT NULL").await;
            assert_eq!(faults, Vec::<String>::new(), "{what}");
        }
        assert!(rig.stand_ins.log().iter().filter(|(.., status)| *status == 429).count() <= 2, "{feed}: over its quota");
        if !list.is_empty() {
            let feeds = rig.feeds(&settings);
            rig.stand_ins.misbehave(path, Misdeed::Doubled { list: list.to_owned() });
            run_for(&rig, &feeds, 30).await;
            let doubled = "SELECT series_id, observed_at, price FROM price_history GROUP BY 1, 2, 3 HAVING count(*) > 1";
            assert_eq!(rig.lines(doubled).await, Vec::<String>::new(), "{feed}");
        }
    }
}

/// Steps a feed until it fails; says why.
async fn until_fault(rig: &Rig, feeds: &Feeds, source: &Arc<dyn Source>) -> String {
    let mut account = FileReport::default();
    for _ in 0..50 {
        let again = feeds.step(source, &mut account).await.unwrap();
        let fault =
            rig.lines(&format!("SELECT last_fault FROM feeds WHERE source = '{}' AND last_fault IS NOT NULL", source.about().name)).await;
        if let Some(fault) = fault.into_iter().next() {
            return fault;
        }
        rig.time.set(rig.time.now().max(again));
    }
    panic!("{} does not fail", source.about().name);
}

#[tokio::test]
async fn the_three_quotas_of_justtcg_wait_for_their_minute_day_and_month() {
    let simulation = simulation(20, 60);
    let rig = Rig::new(&simulation, Plan::Free, "2026-11-22T09:00:00Z").await;
    rig.catalogue(&simulation).await;
    let off = all_but("justtcg");
    let waits = [
        ("RATE_LIMIT_EXCEEDED", "2026-11-22T09:01:00Z"),
        ("DAILY_LIMIT_EXCEEDED", "2026-11-23T00:00:00Z"),
        ("REQUEST_LIMIT_EXCEEDED", "2026-12-01T00:00:00Z"),
    ];
    for (code, until) in waits {
        let feeds = rig.feeds(&[("SOURCES_OFF", off.as_str())]);
        rig.stand_ins.misbehave("/justtcg/", status(429, None, Some(json!({ "error": "x", "code": code }))));
        let again = feeds.step(&feeds.sources()[0], &mut FileReport::default()).await.unwrap();
        assert_eq!(again, until.parse::<DateTime<Utc>>().unwrap(), "{code}");
        rig.database.superuser().await.execute("DELETE FROM feeds").await.unwrap();
    }
}

#[tokio::test]
async fn a_jump_waits_for_a_second_price_and_a_single_bad_one_never_comes_through() {
    let rig = Rig::new(&simulation(1, 60), Plan::Free, "2026-11-22T09:00:00Z").await;
    let off = all_but("cardmarket");
    let mut changes = Vec::new();
    for (day, prices) in [(20, [10.0, 10.0]), (21, [10.5, 150.0]), (22, [160.0, 10.0]), (23, [170.0, 11.0])] {
        rig.time.set(format!("2026-11-{day}T09:00:00Z").parse().unwrap());
        let entries: Vec<Json> = prices.iter().zip(1..).map(|(price, id)| json!({ "idProduct": id, "low": 1, "trend": price })).collect();
        let guide = json!({ "version": 1, "createdAt": format!("2026-11-{day}T02:55:18+0100"), "priceGuides": entries });
        rig.stand_ins.serve_file("/cardmarket/productCatalog/priceGuide/price_guide_6.json", guide.to_string().into_bytes());
        let feeds = rig.feeds(&[("SOURCES_OFF", off.as_str())]);
        let mut heard = feeds.changes();
        run_for(&rig, &feeds, 1).await;
        while let Ok(change) = heard.try_recv() {
            changes.push((day, change.series.len()));
        }
    }
    let seen = rig.lines("SELECT product_id AS a, observed_at::date AS b, price AS c FROM price_history JOIN price_series USING (series_id) ORDER BY 1, 2").await;
    assert_eq!(
        seen,
        // the jump of the first was real: on the 23rd a second price confirms it, and both are there
        [
            "1 2026-11-20 10.0",
            "1 2026-11-21 10.5",
            "1 2026-11-22 160.0",
            "1 2026-11-23 170.0",
            "2 2026-11-20 10.0",
            "2 2026-11-22 10.0",
            "2 2026-11-23 11.0"
        ]
    );
    let known = rig.lines("SELECT known_at::date FROM price_history WHERE price = 160").await;
    assert_eq!(known, ["2026-11-23"], "until then nobody believed it");
    let apart = rig.lines("SELECT product_id AS a, price AS b, expected AS c, confirmed_at::date AS d FROM price_quarantine JOIN price_series USING (series_id) ORDER BY 1").await;
    assert_eq!(apart, ["1 160.0 10.5 2026-11-23", "2 150.0 10.0"]);
    assert_eq!(changes, [(20, 2), (21, 1), (22, 1), (23, 2)], "what waits is no change");
}

#[tokio::test]
async fn a_live_price_is_known_from_when_it_was_fetched_and_an_old_archive_from_when_it_was_published() {
    let simulation = simulation(5, 60);
    let rig = Rig::new(&simulation, Plan::Free, "2026-11-22T09:00:00Z").await;
    let off = all_but("tcgcsv");
    let feeds = rig.feeds(&[("SOURCES_OFF", off.as_str()), ("TCGCSV_BACKFILL_DAYS", "2")]);
    run_for(&rig, &feeds, 1).await;
    let clocks = rig.lines("SELECT DISTINCT observed_at AT TIME ZONE 'UTC' AS a, date_trunc('minute', known_at AT TIME ZONE 'UTC') AS b FROM price_history ORDER BY 1").await;
    assert_eq!(
        clocks,
        ["2026-11-19T20:00:00 2026-11-19T20:00:00", "2026-11-20T20:00:00 2026-11-22T09:00:00", "2026-11-21T20:00:00 2026-11-22T09:00:00"]
    );
}

#[tokio::test]
async fn a_rate_of_the_live_service_goes_before_the_central_banks_of_the_same_day() {
    let simulation = simulation(5, 60);
    let rig = Rig::new(&simulation, Plan::Free, "2026-11-20T18:00:00Z").await;
    let off = all_but("ecb,exchangerate");
    let feeds = rig.feeds(&[("SOURCES_OFF", off.as_str())]);
    run_for(&rig, &feeds, 29).await;
    let asked = rig.stand_ins.log().into_iter().filter(|(_, path, _)| path.contains("latest")).count();
    assert_eq!(asked, 2, "it is asked again at midnight, when there is a new rate, and not every 15 minutes");
    rig.database
        .superuser()
        .await
        .execute("INSERT INTO exchange_rates VALUES ('2026-11-21', 'USD', 9, 'ecb', now() - interval '9 years')")
        .await
        .unwrap();
    add_tenant(&rig.database).await;
    let report = scan(&rig.store, rig.time.now()).await;
    assert_eq!((report.rates.origin.source.as_str(), report.rates.origin.date.to_string().as_str()), ("exchangerate-api", "2026-11-21"));
}

#[tokio::test]
async fn old_history_keeps_the_last_price_of_each_day() {
    let database = Database::migrated().await;
    let mut session = database.superuser().await;
    session
        .execute(
            "SELECT ensure_price_partition('2026-03-01');
             INSERT INTO price_series (source, market, currency, card_id, printing, edition, language, kind)
                VALUES ('justtcg', 'tcgplayer', 'USD', 'sv1-1', 'normal', 'standard', 'en', 'market');
             INSERT INTO price_history (series_id, observed_at, revision, price, known_at) VALUES
                (1, '2026-03-01T06:00:00Z', 0, 1, now()), (1, '2026-03-01T23:59:00Z', 0, 2, now()), (1, '2026-03-01T23:59:00Z', 1, 3, now()),
                (1, '2026-03-02T00:00:00Z', 0, 4, now()), (1, '2026-03-03T06:00:00Z', 0, 5, now()), (1, '2026-03-03T07:00:00Z', 0, 6, now())",
        )
        .await
        .unwrap();
    let store = database.store().await;
    // ninety days later the 3rd is still young
    let now: DateTime<Utc> = "2026-06-01T12:00:00Z".parse().unwrap();
    let next = fold_once(&store, 90, now).await.unwrap();
    assert_eq!(next, now + TimeDelta::days(1));
    let left: Vec<Decimal> = sqlx::query_scalar("SELECT price FROM price_history ORDER BY price").fetch_all(&mut session).await.unwrap();
    assert_eq!(left, [3, 4, 5, 6].map(Decimal::from));
    assert_eq!(fold_once(&store, 90, now + TimeDelta::hours(1)).await.unwrap(), next, "once a day");
    fold_once(&store, 90, next).await.unwrap();
    let left: Vec<Decimal> = sqlx::query_scalar("SELECT price FROM price_history ORDER BY price").fetch_all(&mut session).await.unwrap();
    assert_eq!(left, [3, 4, 6].map(Decimal::from));
    let mut service = database.role("tcg_service").await;
    assert_eq!(
        crate::cluster::refusal(&mut service, "SELECT fold_price_history('1996-01-01', (now() + interval '1 day')::date)").await,
        "23514"
    );
}

#[tokio::test]
async fn the_jobs_run_at_once_tell_what_has_changed_and_end_when_they_are_told_to() {
    let simulation = simulation(10, 60);
    let rig = Rig::new(&simulation, Plan::Free, "2026-11-22T09:00:00Z").await;
    rig.catalogue(&simulation).await;
    let off = all_but("cardmarket,ecb");
    let feeds = Arc::new(rig.feeds(&[("SOURCES_OFF", off.as_str())]));
    let mut heard = feeds.changes();
    let shutdown = tokio_util::sync::CancellationToken::new();
    let running = tokio::spawn(ingest::run(Arc::clone(&feeds), Some(90), Pulse::default(), shutdown.clone()));
    let change = heard.recv().await.unwrap();
    assert!(change.source == "cardmarket_price_guide" && change.cards.len() >= 8, "{change:?}");
    assert_eq!(change.recorded_at, rig.time.now());
    shutdown.cancel();
    running.await.unwrap();
}

/// Ages of what was asked for, in hours, by what the card is.
async fn ages(rig: &Rig) -> Vec<String> {
    rig.lines(&format!(
        "SELECT kind AS a, count(*) AS b, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY age)::numeric, 1) AS c,
            round(max(age)::numeric, 1) AS d
        FROM (SELECT CASE WHEN number <= 40 THEN '1 signal' WHEN number <= 80 THEN '2 near miss' ELSE '3 other' END AS kind,
                extract(epoch FROM '{}'::timestamptz - coalesce(asked_at, '2026-11-01T00:00:00Z')) / 3600 AS age
            FROM (SELECT card_id, external_id, row_number() OVER (ORDER BY card_id) AS number FROM card_products WHERE market = 'tcgplayer') AS pair
            LEFT JOIN feed_asked AS asked ON asked.product_id = pair.external_id) AS aged
        GROUP BY kind ORDER BY kind",
        rig.time.now().to_rfc3339()
    ))
    .await
}

#[tokio::test]
async fn a_month_on_the_free_plan_is_never_over_and_the_cards_that_matter_are_the_fresh_ones() {
    let end: NaiveDate = "2026-12-05".parse().unwrap();
    let parameters = Parameters { cards: 2_000, days: 40, bad_scrape: None, listing_days: 0, ..Parameters::ending(end) };
    let simulation = Simulation::new(parameters).unwrap();
    let rig = Rig::new(&simulation, Plan::Free, "2026-11-01T00:00:00Z").await;
    rig.catalogue(&simulation).await;
    add_tenant(&rig.database).await;
    let off = all_but("justtcg");
    let feeds = rig.feeds(&[("SOURCES_OFF", off.as_str())]);
    let mut table = Vec::new();
    for day in 1..=30_u64 {
        judge(&rig, day).await;
        let midnight = "2026-11-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + Days::new(day);
        drive(&feeds, &rig.time, midnight - TimeDelta::seconds(1)).await;
        if [1, 7, 14, 21, 30].contains(&day) {
            table.extend(ages(&rig).await.into_iter().map(|line| format!("day {day}: {line}")));
        }
    }
    let log = rig.stand_ins.log();
    let mut days: BTreeMap<NaiveDate, usize> = BTreeMap::new();
    for (at, ..) in &log {
        *days.entry(at.date_naive()).or_default() += 1;
    }
    println!(
        "{} requests, at most {} a day; kind, cards, hours since asked: median, most\n{}",
        log.len(),
        days.values().max().unwrap(),
        table.join("\n")
    );
    assert!(log.iter().all(|(.., status)| *status == 200), "the vendor never had to refuse");
    assert!(log.len() <= 1_000 && log.len() >= 900, "{} requests", log.len());
    assert!(days.values().all(|count| *count <= 100));
    assert!(days.values().all(|count| *count >= 20), "the last day has its share: {days:?}");
    let last: Vec<&String> = table.iter().rev().take(3).collect();
    let most = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    assert!(most(last[2]) <= 12.0 && most(last[1]) <= 12.0, "signals and near misses were asked for within two runs: {last:?}");
    assert!(most(last[0]) > 24.0, "the others wait: {last:?}");
}

/// Forty cards have a signal today, forty nearly have one.
async fn judge(rig: &Rig, day: u64) {
    let now = rig.time.now().to_rfc3339();
    let sql = format!(
        "INSERT INTO rule_packs VALUES ('abc', '{{}}', 'x', now()) ON CONFLICT DO NOTHING;
         INSERT INTO scans (scan_id, as_of, started_at, pack_hash, engine_version) VALUES (('00000000-0000-0000-0000-' || lpad('{day}', 12, '0'))::uuid, '{now}', '{now}', 'abc', '0.0.1');
         WITH card AS (SELECT card_id, row_number() OVER (ORDER BY card_id) AS number FROM card_metadata), made AS (
            INSERT INTO opportunities (opportunity_id, scan_id, card_id, printing, edition, language, direction, buy_market, sell_market, buy_price,
                sell_price, buy_source, sell_source, buy_observed_at, sell_observed_at, route, created_at)
            SELECT gen_random_uuid(), ('00000000-0000-0000-0000-' || lpad('{day}', 12, '0'))::uuid, card_id, 'normal', 'standard', 'en', 'eu_us', 'cardmarket',
                'tcgplayer', 1, 2, 'a', 'b', '{now}', '{now}', jsonb_build_object('number', number), '{now}'
            FROM card WHERE number <= 80 RETURNING opportunity_id, (route->>'number')::int AS number)
         SELECT opportunity_id, number INTO TEMPORARY TABLE judged FROM made"
    );
    // a data-modifying WITH cannot be the source of SELECT INTO, so it is done in two
    let sql = sql.replace("WITH card AS", "CREATE TEMPORARY TABLE judged (opportunity_id uuid, number int); WITH card AS").replace(
        "SELECT opportunity_id, number INTO TEMPORARY TABLE judged FROM made",
        "INSERT INTO judged SELECT opportunity_id, number FROM made",
    );
    let decisions = format!(
        "INSERT INTO decisions (decision_id, tenant_id, opportunity_id, scan_id, pack_hash, verdict, reason, facts, created_at, buy_price,
            sell_price, buy_observed_at, sell_observed_at)
         SELECT gen_random_uuid(), '00000000-0000-0000-0000-00000000000a', opportunity_id, ('00000000-0000-0000-0000-' || lpad('{day}', 12, '0'))::uuid, 'abc',
            CASE WHEN number <= 40 THEN 'signal' ELSE 'near_miss' END, CASE WHEN number > 40 THEN 'X' END, '{{}}', '{now}', 1, 2, '{now}', '{now}' FROM judged"
    );
    let mut session = rig.database.superuser().await;
    session.execute(AssertSqlSafe(sql)).await.unwrap();
    session.execute(AssertSqlSafe(decisions)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flagged_card_is_asked_for_every_half_hour_between_the_feeds_turns() {
    let simulation = simulation(60, 60);
    let rig = Rig::new(&simulation, Plan::Paid, "2026-11-22T09:00:00Z").await;
    rig.catalogue(&simulation).await;
    let feeds = rig.feeds(&[("SOURCES_OFF", &all_but("poketrace"))]);
    run_for(&rig, &feeds, 1).await;
    // as the loop does, which sleeps no longer
    let two_hours = async || {
        let before = rig.stand_ins.log().len();
        for _ in 0..12 {
            rig.time.set(rig.time.now() + TimeDelta::minutes(9));
            drive(&feeds, &rig.time, rig.time.now() + TimeDelta::minutes(1)).await;
        }
        rig.stand_ins.log()[before..].iter().map(|(_, path, _)| path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(two_hours().await, Vec::<String>::new(), "its turn is over");
    let product = rig.lines("SELECT external_id FROM card_products WHERE market = 'tcgplayer' ORDER BY 1 LIMIT 1").await.remove(0);
    let flag = "INSERT INTO event_flags (card_id, kind, source, started_at, expires_at)
        SELECT card_id, 'SOCIAL_SPIKE', 'test', $2, $2 + interval '100 minutes' FROM card_products WHERE market = 'tcgplayer' AND external_id = $1";
    sqlx::query(flag).bind(&product).bind(rig.time.now()).execute(&mut rig.database.superuser().await).await.unwrap();
    let asked = two_hours().await;
    let of = |market: &str| format!("/poketrace/v1/cards?tcgplayer_ids={product}&market={market}&limit=20");
    // after 9, 39, 69 and 99 minutes, each time of both markets; then the flag is over
    assert_eq!(asked, (0..4).flat_map(|_| [of("US"), of("EU")]).collect::<Vec<_>>());
    assert_eq!(
        rig.lines("SELECT last_run - '2026-11-22T09:00:00Z' < interval '1 hour' AS a FROM feeds").await,
        ["true"],
        "none was its turn"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flagged_card_is_due_again_at_its_time_and_not_just_after() {
    let simulation = simulation(60, 60);
    let rig = Rig::new(&simulation, Plan::Paid, "2026-11-22T09:00:00Z").await;
    rig.catalogue(&simulation).await;
    run_for(&rig, &rig.feeds(&[("SOURCES_OFF", &all_but("poketrace"))]), 1).await;
    let now = rig.time.now();
    let product = rig.lines("SELECT external_id FROM card_products WHERE market = 'tcgplayer' ORDER BY 1 LIMIT 1").await;
    let flag = "INSERT INTO event_flags (card_id, kind, source, started_at, expires_at)
        SELECT card_id, 'SOCIAL_SPIKE', 'test', $2, $2 + interval '1 hour' FROM card_products WHERE market = 'tcgplayer' AND external_id = $1";
    sqlx::query(flag).bind(&product[0]).bind(now).execute(&mut rig.database.superuser().await).await.unwrap();
    let store = rig.database.store().await;
    let mut tx = store.service().await.unwrap();
    stored::asked(&mut tx, "poketrace", &product, now).await.unwrap();
    let mut due = async |since| stored::flagged(&mut tx, "poketrace", Market::Tcgplayer, since, now, 20).await.unwrap();
    assert_eq!(due(now).await, product, "asked for at that very moment");
    assert_eq!(due(now - TimeDelta::microseconds(1)).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_on_one_database_ask_once_and_store_once() {
    // what is due at the very end is asked or not, as the clock of two stands a millisecond earlier or later
    const HOURLY_OFF: [(&str, &str); 1] = [("LIMITLESS_API_KEY", "")];
    let simulation = simulation(60, 60);
    let alone = Rig::new(&simulation, Plan::Paid, "2026-11-22T09:00:00Z").await;
    alone.catalogue(&simulation).await;
    run_for(&alone, &alone.feeds(&HOURLY_OFF), 2).await;

    let both = Rig::new(&simulation, Plan::Paid, "2026-11-22T09:00:00Z").await;
    both.catalogue(&simulation).await;
    let (one, other) = (
        both.feeds(&HOURLY_OFF),
        Feeds::configured(both.database.store().await, &sources(&both.stand_ins, &HOURLY_OFF), both.time.clock()).unwrap(),
    );
    // one clock, moved by whoever is behind
    let until = both.time.now() + TimeDelta::hours(2);
    tokio::join!(drive(&one, &both.time, until), drive(&other, &both.time, until));
    let asked = |rig: &Rig| {
        let mut asked: Vec<String> = rig.stand_ins.log().into_iter().map(|(_, path, _)| path).collect();
        asked.sort();
        asked
    };
    assert_eq!(asked(&both), asked(&alone));
    assert_eq!(both.prices().await, alone.prices().await);
}

/// What a child of the next test does; alone it does nothing.
#[tokio::test]
#[ignore = "a process that the test below starts and kills"]
async fn child_that_fetches() {
    let (Ok(database), Ok(variables)) = (std::env::var("IT_FEEDS_DATABASE"), std::env::var("IT_FEEDS_VARIABLES")) else { return };
    let variables: HashMap<String, String> = serde_json::from_str(&variables).unwrap();
    let config = tcg_radar::config::Database { url: Some(database.into()), ..Default::default() };
    let store = Store::connect(&Server::find(&config, folder().path(), &quiet).await.unwrap()).await.unwrap();
    let time = Time::at("2026-11-22T09:00:00Z");
    let sources = Config::from_lookup(|name| variables.get(name).cloned()).unwrap().sources;
    let feeds = Feeds::configured(store, &sources, time.clock()).unwrap();
    drive(&feeds, &time, time.now() + TimeDelta::hours(2)).await;
}

/// `TCG_RADAR_KILLS=100` for more rounds than a test run has time for.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_it_fetches_loses_and_doubles_nothing() {
    let rounds: u64 = std::env::var("TCG_RADAR_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let simulation = simulation(200, 60);
    let reference = Rig::new(&simulation, Plan::Paid, "2026-11-22T09:00:00Z").await;
    reference.catalogue(&simulation).await;
    run_for(&reference, &reference.feeds(&[]), 2).await;
    let whole = reference.prices().await;
    let told = "SELECT (SELECT count(*) FROM card_metadata) AS a, (SELECT count(*) FROM exchange_rates) AS b, (SELECT count(*) FROM activity_history) AS c,
        (SELECT count(*) FROM market_products) AS d, (SELECT count(*) FROM feeds WHERE run_began IS NULL AND last_fault IS NULL) AS e";
    let whole_rest = reference.lines(told).await;

    let (mut killed, mut finished, mut random) = (0, 0, 0x9e37_79b9_7f4a_7c15_u64);
    while killed < rounds {
        let rig = Rig::new(&simulation, Plan::Paid, "2026-11-22T09:00:00Z").await;
        rig.catalogue(&simulation).await;
        let variables: HashMap<_, _> = rig.stand_ins.variables().into_iter().collect();
        // killed again and again until it comes to its end
        loop {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "feeds::child_that_fetches", "--ignored"])
                .env("IT_FEEDS_DATABASE", rig.database.server.url(false))
                .env("IT_FEEDS_VARIABLES", serde_json::to_string(&variables).unwrap())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            // seeded: the same pauses each time, whatever the machine makes of them
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let patience = Duration::from_millis(60 + (random >> 33) % 900);
            let ended = tokio::task::spawn_blocking(move || {
                let deadline = std::time::Instant::now() + patience;
                loop {
                    if let Some(status) = child.try_wait().unwrap() {
                        return Some(status);
                    }
                    if std::time::Instant::now() > deadline {
                        child.kill().unwrap();
                        child.wait().unwrap();
                        return None;
                    }
                    std::thread::yield_now();
                }
            })
            .await
            .unwrap();
            match ended {
                Some(status) => {
                    assert!(status.success(), "{status}");
                    finished += 1;
                    break;
                }
                None => killed += 1,
            }
            if killed >= rounds {
                break;
            }
            // half an answer must never be there: every row is one of the whole
            let known: HashSet<&String> = whole.iter().collect();
            assert!(rig.prices().await.iter().all(|row| known.contains(row)), "a row that the whole does not have");
        }
        run_for(&rig, &rig.feeds(&[]), 2).await;
        assert_eq!(rig.prices().await, whole, "after {killed} kills");
        assert_eq!(rig.lines(told).await, whole_rest);
        let refused = rig.stand_ins.log().iter().filter(|(.., status)| *status == 429).count();
        assert_eq!(refused, 0, "what a killed process has asked for counts");
    }
    println!("{killed} kills, {finished} runs came to their end");
}

/// `cargo test --test it -- --ignored --nocapture rows_a_second`
#[tokio::test]
#[ignore = "a measurement: half a million rows"]
async fn rows_a_second() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let now: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
    let simulation = simulation(12_000, 24);
    let days: Vec<_> = simulation.batches().collect();
    let mut total = (0_usize, Duration::ZERO);
    for batch in days.chunks(9) {
        let observations: Vec<_> = batch.iter().flat_map(|batch| batch.observations.iter().cloned()).collect();
        let rows = observations.len();
        let batch = Batch { observations, ..Batch::default() };
        for what in ["new", "again"] {
            let began = std::time::Instant::now();
            let mut tx = store.service_bulk().await.unwrap();
            let counts = ingest::write_batch(&mut tx, &batch, now).await.unwrap();
            tx.commit().await.unwrap();
            let took = began.elapsed();
            println!(
                "{rows} rows {what}: {:?} in {} ms, {} rows/s",
                counts.observations,
                took.as_millis(),
                rows as u128 * 1_000_000 / took.as_micros()
            );
            if what == "new" {
                total = (total.0 + rows, total.1 + took);
            }
        }
    }
    println!("{} new rows, {} rows/s", total.0, total.0 as u128 * 1_000_000 / total.1.as_micros());
}
