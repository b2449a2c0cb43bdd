//! Whole scans with the shipped pack: on a simulated market that knows its own faults, and on real history.

use std::{
    collections::{BTreeSet, HashMap},
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sqlx::Row;
use tcg_radar::{
    config::presets,
    domain::{
        book::SourceShift,
        market::Direction,
        observation::end_of_day,
        profile::{Category, Country, Defaults, Profile, TenantId, Tier},
    },
    ingest,
    rules::pack::Pack,
    scan::{
        Options, Settings, columns,
        findings::Findings,
        ground::{self, Ground},
        report::{Found, Report},
        scan_once,
    },
    simulate::{self, FaultKind, Parameters, Simulation},
    store::{
        Store,
        users::{self, NewTenant},
    },
};

use crate::cluster::{Database, folder, program, stop_when_we_end};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn shipped() -> Pack {
    Pack::load(&root().join("rules")).unwrap()
}

pub async fn profiles(store: &Store) -> Vec<Profile> {
    let presets = presets::read(&root().join("profiles")).unwrap();
    let mut tx = store.service().await.unwrap();
    let tenants = users::active(&mut tx).await.unwrap();
    tenants
        .iter()
        .map(|tenant| Profile::resolve(tenant, tenant.preset.as_deref().map(|name| presets.get(name).unwrap()), &Defaults::default()))
        .collect()
}

pub fn settings() -> Settings {
    Settings { customs_regime: None, bundle_logic: true, eur_usd_rate: Decimal::new(108, 2) }
}

pub async fn scan(store: &Store, pack: &Pack, as_of: DateTime<Utc>, shifts: Vec<SourceShift>, dry_run: bool) -> Report {
    let options = Options { as_of, shifts, dry_run, near_misses: 20 };
    scan_once(store, pack, &profiles(store).await, &settings(), &options, as_of, &|_, _| ()).await.unwrap()
}

async fn market(parameters: Parameters) -> (Store, Simulation) {
    let simulation = Simulation::new(parameters).unwrap();
    let store = Database::migrated().await.store().await;
    simulate::write(&store, &simulation, simulation.as_of(), &|_, _| ()).await.unwrap();
    (store, simulation)
}

pub fn end() -> NaiveDate {
    "2026-05-02".parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_signals_waterfall_adds_up_and_no_planted_fault_signals() {
    for seed in [1, 2] {
        let (store, simulation) = market(Parameters { seed, ..Parameters::ending(end()) }).await;
        let report = scan(&store, &shipped(), simulation.as_of(), Vec::new(), true).await;
        assert!(report.signals.len() >= 20, "seed {seed}: only {} signals", report.signals.len());
        for found in report.signals.iter().chain(&report.near_misses) {
            let amounts: Vec<Decimal> = found.waterfall.iter().map(|(_, amount)| amount.unwrap()).collect();
            let (total, rest) = amounts.split_first().unwrap();
            let (net, taken) = rest.split_last().unwrap();
            assert_eq!(total - taken.iter().sum::<Decimal>(), *net, "{found:?}");
            assert!(amounts.iter().all(|amount| amount.scale() <= 2), "{found:?}");
        }
        let spoilt = [
            FaultKind::WrongId,
            FaultKind::SharedProduct,
            FaultKind::Outlier,
            FaultKind::Stale,
            FaultKind::BaitListing,
            FaultKind::FallingKnife,
        ];
        let planted: HashMap<String, FaultKind> = simulation
            .truth()
            .into_iter()
            .filter(|planted| spoilt.contains(&planted.fault) && planted.from <= end() && end() <= planted.to)
            .filter_map(|planted| Some((planted.card_id?.to_string(), planted.fault)))
            .collect();
        assert!(planted.values().any(|fault| *fault == FaultKind::WrongId) && planted.len() > 5, "{planted:?}");
        for found in &report.signals {
            assert_eq!(planted.get(found.opportunity.card_id.as_str()), None, "seed {seed}: {} signals", found.opportunity.card_id);
        }
        let signalled: BTreeSet<(&str, Direction)> =
            report.signals.iter().map(|found| (found.opportunity.card_id.as_str(), found.opportunity.direction)).collect();
        let promised: Vec<_> = simulation.opportunities().into_iter().filter(|deal| deal.from <= end() && end() <= deal.to).collect();
        let kept = promised.iter().filter(|deal| signalled.contains(&(deal.card_id.as_str(), deal.direction))).count();
        // a deal may still fall to velocity, rotation or liquidation; most must not
        assert!(kept * 2 > promised.len(), "seed {seed}: {kept} of {} promised deals found", promised.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_may_count_over_anything_that_routes_share() {
    let (store, simulation) = market(Parameters { cards: 200, ..Parameters::ending(end()) }).await;
    let mut source = shipped().source;
    let text = source.files["pack.yaml"]
        .replace("aggregates:\n", "aggregates:\n  set_density: { over: set_code, count_where: bundle_candidate }\n");
    source.files.insert("pack.yaml".into(), text.into());
    let pack = Pack::from_source(source).unwrap();
    let report = scan(&store, &pack, simulation.as_of(), Vec::new(), true).await;
    let mut cards: HashMap<(TenantId, Direction, String), BTreeSet<String>> = HashMap::new();
    let group =
        |found: &Found| (found.decision.tenant, found.opportunity.direction, found.decision.facts["set_code"].as_str().unwrap().to_owned());
    for found in &report.signals {
        cards.entry(group(found)).or_default().insert(found.opportunity.card_id.to_string());
    }
    assert!(cards.values().any(|cards| cards.len() > 1), "{cards:?}");
    for found in &report.signals {
        let counted = found.decision.facts["set_density"].as_u64().unwrap();
        let signals = cards[&group(found)].len();
        assert!(counted >= u64::try_from(signals).unwrap(), "{}: {counted} counted, {signals} signal", found.opportunity.card_id);
    }
}

/// Columns and interpreter come to the same for every card, tenant, reason and score, bundles and tastes included.
#[tokio::test(flavor = "multi_thread")]
async fn columns_come_to_what_the_interpreter_means() {
    let (store, simulation) = market(Parameters { cards: 150, ..Parameters::ending(end()) }).await;
    let mut source = shipped().source;
    // a second count, and a formula that columns can't compute: both roads must agree on these, too
    let text = source.files["pack.yaml"]
        .replace("aggregates:\n", "aggregates:\n  set_density: { over: set_code, count_where: bundle_candidate }\n")
        .replace("  - { reason: NOISE_RATIO_MISS,", "  - { reason: COUNTED_OUT, when: counted_out }\n  - { reason: NOISE_RATIO_MISS,")
        .replace("  - { reason: DIRECTION_EXCLUDED,", "  - { reason: ODD_AGE, when: odd_age }\n  - { reason: DIRECTION_EXCLUDED,");
    source.files.insert("pack.yaml".into(), text.into());
    let more = "/// Of the tenant.\nfn counted_out(net_profit, min_profit_threshold, set_density) { net_profit / 9 > min_profit_threshold && set_density > 1 }\n\n/// Of the card alone.\nfn odd_age(buy_age_hours, sell_age_hours) { buy_age_hours / 7 > sell_age_hours }\n";
    source.files.insert("facts/quotients.rhai".into(), more.into());
    let shipped = shipped();
    let odd = Pack::from_source(source).unwrap();
    for pack in [&shipped, &odd] {
        let mut profiles = profiles(&store).await;
        let plain = profiles.clone();
        for (number, profile) in profiles.iter_mut().enumerate() {
            profile.min_profit_threshold.value = Some(Decimal::new(-500 + 250 * i64::try_from(number).unwrap(), 2));
            profile.excluded_sets.value = Some(vec!["ohb1".to_owned()]);
            profile.card_categories.value = Some(vec![Category::ModernCompetitive]);
        }
        profiles.extend(plain);
        let (book, windows) = ground::load_book(&store, pack, simulation.as_of(), &[]).await.unwrap();
        let ground = Ground::of(&book, &windows, pack, &settings()).unwrap();
        let case = ground.case(pack, &book, &ground.routes, &profiles);
        let meant = Findings::of(&case.interpret(&|_| ()), case.routes, pack, profiles.len(), 30);
        let told = AtomicUsize::new(0);
        let found = columns::judge(&case, 30, &|routes| {
            told.fetch_add(routes, Ordering::Relaxed);
        });
        assert_eq!(told.into_inner(), ground.routes.len(), "progress tells every route once");
        assert!(meant.signal_count() > 5 && meant.signals().any(|one| !one.aggregates.is_empty() && one.aggregates[0].1 > 1));
        assert_eq!(found.signals().collect::<Vec<_>>(), meant.signals().collect::<Vec<_>>());
        assert_eq!(found.near_misses, meant.near_misses);
        assert_eq!(found, meant);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_scrape_on_the_day_itself_is_named_and_none_of_its_cards_signals() {
    let bad_scrape = Some(simulate::BadScrape { market: tcg_radar::domain::market::Market::Cardmarket, age: 0 });
    let (store, simulation) = market(Parameters { bad_scrape, ..Parameters::ending(end()) }).await;
    let report = scan(&store, &shipped(), simulation.as_of(), Vec::new(), true).await;
    let outliers: BTreeSet<String> = simulation
        .truth()
        .into_iter()
        .filter(|planted| planted.fault == FaultKind::Outlier && planted.from <= end() && end() <= planted.to)
        .filter_map(|planted| Some(planted.card_id?.to_string()))
        .collect();
    assert!(outliers.len() > 100, "{}", outliers.len());
    let suspect = &report.reasons["SUSPECT_BATCH"];
    assert!(suspect.details.keys().any(|detail| detail.starts_with("cardmarket_price_guide EUR")), "{suspect:?}");
    for found in report.signals.iter().filter(|found| found.opportunity.seller_id.is_none()) {
        assert!(!outliers.contains(found.opportunity.card_id.as_str()), "{}", found.opportunity.card_id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_is_written_whole_repeats_itself_and_a_dry_run_writes_nothing() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let simulation = Simulation::new(Parameters { cards: 120, ..Parameters::ending(end()) }).unwrap();
    simulate::write(&store, &simulation, simulation.as_of(), &|_, _| ()).await.unwrap();
    let pack = shipped();
    let count = async |sql: &'static str| {
        let mut admin = database.superuser().await;
        sqlx::query(sql).fetch_one(&mut admin).await.unwrap().get::<i64, _>(0)
    };
    let dry = scan(&store, &pack, simulation.as_of(), Vec::new(), true).await;
    assert_eq!(count("SELECT count(*) FROM scans").await + count("SELECT count(*) FROM decisions").await, 0);
    let wet = scan(&store, &pack, simulation.as_of(), Vec::new(), false).await;
    let essence = |report: &Report| {
        report
            .signals
            .iter()
            .map(|found| (found.opportunity.card_id.clone(), found.decision.tenant, found.decision.facts.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(essence(&dry), essence(&wet));
    assert!(!wet.signals.is_empty());
    assert_eq!(count("SELECT count(*) FROM decisions WHERE verdict = 'signal'").await, i64::try_from(wet.signals.len()).unwrap());
    assert_eq!(count("SELECT count(*) FROM decisions WHERE verdict = 'near_miss'").await, i64::try_from(wet.near_misses.len()).unwrap());
    assert_eq!(count("SELECT count(*) FROM rule_packs").await, 1);
    // tenants share an opportunity
    let written = count("SELECT count(*) FROM opportunities").await;
    let routes = "SELECT count(DISTINCT (card_id, direction, printing, buy_source, seller_id, condition, buy_price)) FROM opportunities";
    assert_eq!(written, count(routes).await);
    assert!(written < i64::try_from(wet.signals.len() + wet.near_misses.len()).unwrap());
    let stored = count("SELECT sum(count)::bigint FROM scan_reasons").await;
    let told: usize = wet.reasons.values().map(|line| line.by_direction.iter().sum::<usize>()).sum();
    assert_eq!(stored, i64::try_from(told).unwrap());
    // the pack is stored whole: it compiles again, to the same hash
    let mut admin = database.superuser().await;
    let files: serde_json::Value = sqlx::query("SELECT files FROM rule_packs").fetch_one(&mut admin).await.unwrap().get(0);
    let files = files.as_object().unwrap().iter().map(|(path, text)| (path.as_str().into(), text.as_str().unwrap().into())).collect();
    let again = Pack::from_source(tcg_radar::rules::source::PackSource { files, ..Default::default() }).unwrap();
    assert_eq!(again.hash, pack.hash);
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn a_changed_number_changes_the_next_scan_and_a_broken_edit_is_refused_with_a_caret() {
    let home = folder();
    let rules = tempfile::tempdir().unwrap();
    copy(&root().join("rules"), rules.path());
    let pack = rules.path().to_str().unwrap().to_owned();
    let run = |more: &[&str]| {
        let arguments = [&["--format", "json", "scan", "--once", "--simulate", "--cards", "150", "--pack", &pack], more].concat();
        let output = program(home.path(), &[], &arguments);
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, before, errors) = run(&[]);
    let _lifeline = stop_when_we_end(home.path());
    assert_eq!(code, Some(0), "{errors}");
    let signals = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["signals"].as_u64().unwrap();
    assert!(signals(&before) > 0);

    let edit = |file: &str, from: &str, to: &str| {
        let path = rules.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    edit("params/profit.yaml", "\"5.00\"", "\"5000.00\"");
    // presets may state a floor of their own, but none this low
    edit(
        "facts/profit.rhai",
        "maybe_min_profit_threshold ?? profit_min_threshold",
        "max(maybe_min_profit_threshold ?? 0, profit_min_threshold)",
    );
    let (code, after, errors) = run(&[]);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(signals(&after), 0);

    edit("facts/profit.rhai", "proceeds - effective_buy", "proceeds - effective_by");
    let (code, _, errors) = run(&[]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("effective_by") && errors.contains("--> facts/profit.rhai:") && errors.contains('^'), "{errors}");
    assert!(!errors.contains("warning["), "what keeps the pack from loading stands alone:\n{errors}");
}

#[test]
fn wrong_arguments_are_told_apart() {
    let home = folder();
    let run = |arguments: &[&str]| {
        let output = program(home.path(), &[("TCG_RADAR_RULES", root().join("rules").to_str().unwrap())], arguments);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, errors) = run(&["scan", "--once", "--as-of", "02.05.2026"]);
    assert!(code == Some(64) && errors.contains("2026-05-02"), "{errors}");
    let (code, errors) = run(&["scan", "--once", "--shift", "tcgcsv=159"]);
    assert!(code == Some(64) && errors.contains("tcgcsv=+159d"), "{errors}");
    let (code, errors) = run(&["scan", "--once", "--pack", "nowhere"]);
    assert!(code == Some(2) && errors.contains("there is no folder nowhere"), "{errors}");
    let (code, errors) = run(&["scan", "--once"]);
    let _lifeline = stop_when_we_end(home.path());
    assert!(code == Some(4) && errors.contains("user add"), "{errors}");
    let (code, errors) = run(&["user", "add", "--telegram-chat-id", "1", "--country", "US"]);
    assert_eq!(code, Some(0), "{errors}");
    let (code, errors) = run(&["scan", "--once"]);
    assert!(code == Some(65) && errors.contains("tcg-radar import"), "{errors}");
    let (code, errors) = run(&["import", "nowhere.json"]);
    assert!(code == Some(64) && errors.contains("nowhere.json"), "{errors}");
    let (code, errors) = run(&["scan", "--once", "--shift", "nobody=+1d"]);
    assert!(code == Some(64) && errors.contains("no price comes from a source called \"nobody\""), "{errors}");
    let (code, errors) = run(&["scan", "--once", "--shift", "tcgcsv=+1d", "--shift", "tcgcsv=-2d"]);
    assert!(code == Some(64) && errors.contains("\"tcgcsv\" is moved in time twice"), "{errors}");
}

fn data() -> Option<PathBuf> {
    let folder = std::env::var_os("TCG_RADAR_DATA").map_or_else(|| root().join("../shared/data"), PathBuf::from);
    if folder.join("3-price-history/dev/prices_long.csv.gz").is_file() {
        return Some(folder);
    }
    println!("skipped: there is no real data in {}", folder.display());
    None
}

/// The real rows of some months for a part of the cards: enough for feeds to be judged, little enough for every run.
fn excerpt(data: &Path, scratch: &Path) -> PathBuf {
    let file = fs::File::open(data.join("3-price-history/dev/prices_long.csv.gz")).unwrap();
    let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines().map(Result::unwrap);
    let path = scratch.join("excerpt.csv");
    let mut excerpt = fs::File::create(&path).unwrap();
    for (index, line) in lines.enumerate() {
        let mut fields = line.split(',');
        let (day, card) = (fields.next().unwrap(), fields.next().unwrap());
        let wanted = card.starts_with("sv") || card.starts_with("ex");
        let daily = "2026-05-16" <= day;
        let told = daily || ("2025-10-01"..="2025-10-20").contains(&day) || ("2026-03-01"..="2026-04-01").contains(&day);
        if index == 0 || (wanted && told) || daily {
            writeln!(excerpt, "{line}").unwrap();
        }
    }
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn real_history_is_judged_as_it_deserves() {
    let Some(data) = data() else { return };
    let scratch = tempfile::tempdir().unwrap();
    let store = Database::migrated().await.store().await;
    let files = [
        data.join("1-card-metadata/sets-en.json"),
        data.join("1-card-metadata/cards-en"),
        data.join("3-price-history/ids_crosswalk.csv.gz"),
        data.join("7-others/ecb_eur_daily_2020_on.csv"),
        excerpt(&data, scratch.path()),
    ];
    let files = ingest::walk(&files).unwrap();
    let reports = ingest::import_files(&store, &files, Utc::now(), &Quiet).await.unwrap();
    assert!(reports.iter().all(|report| report.refused_whole.is_none()), "{reports:?}");
    let mut tx = store.service().await.unwrap();
    for (chat, country, preset) in [(1, "US", "us_tcgplayer_eu_forwarder"), (2, "SG", "sea_owner")] {
        let new = NewTenant {
            id: TenantId(uuid::Uuid::now_v7()),
            telegram_chat_id: Some(chat),
            discord_channel_id: None,
            country: country.parse::<Country>().unwrap(),
            tier: Tier::Pro,
            preset: Some(preset.to_owned()),
        };
        users::add(&mut tx, &new).await.unwrap();
    }
    tx.commit().await.unwrap();
    let pack = shipped();
    let day = |text: &str| end_of_day(text.parse().unwrap());
    let named = |report: &Report, reason: &str, feed: &str| {
        report.reasons.get(reason).is_some_and(|line| line.details.keys().any(|detail| detail.starts_with(feed)))
    };

    let stale = scan(&store, &pack, day("2026-04-01"), Vec::new(), true).await;
    assert_eq!(stale.signals.len(), 0);
    assert!(named(&stale, "STALE_SELL_PRICE", "tcgcsv USD (2025-10-20)"), "{:?}", stale.reasons);

    let shift = vec![SourceShift { source: "tcgcsv".into(), days: 159 }];
    let scraped = scan(&store, &pack, day("2026-03-28"), shift, true).await;
    assert_eq!(scraped.scan.shift.as_deref(), Some("tcgcsv=+159d"));
    assert!(named(&scraped, "SUSPECT_BATCH", "limitless_cardmarket_link EUR (2026-03-28)"), "{:?}", scraped.reasons);
    assert!(!scraped.signals.is_empty());
    // 352.95 on the days before, 4.11 on the day: the scrape's best-known victim
    assert!(scraped.signals.iter().all(|found| found.opportunity.card_id.as_str() != "sv3pt5-199"));

    let frozen = scan(&store, &pack, day("2026-07-10"), Vec::new(), true).await;
    assert!(named(&frozen, "FROZEN_FEED", "pokemontcg.io cardmarket EUR"), "{:?}", frozen.reasons);
    assert_eq!(frozen.signals.len(), 0);
}

struct Quiet;

impl ingest::Progress for Quiet {
    fn begins(&self, _: &str, _: u64, _: std::sync::Arc<std::sync::atomic::AtomicU64>) {}
    fn settles(&self) {}
    fn ends(&self, _: &ingest::FileReport) {}
}
