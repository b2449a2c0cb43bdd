//! The replay decides what a scan of that day decides, sees nothing that came later, and says what it lacks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use tcg_radar::{
    domain::{
        book::{Book, SourceShift},
        history::{Course, History, Row},
        observation::end_of_day,
        profile::Profile,
    },
    rules::{
        pack::Pack,
        source::PackSource,
        testing::{Suite, invariants::Held},
    },
    scan::{
        ground::Ground,
        judge::{Judged, best_of_each},
        replay::{self, Plan, cursor::Cursor, lookahead, report, summary::Replay, window, window::Window},
        windows::Windows,
    },
    simulate::{self, Parameters, Simulation},
    store::{Store, book, history},
};

use crate::{
    cluster::{Database, program},
    scan::{end, profiles, scan, settings, shipped},
};

const CARDS: u32 = 150;

fn simulation() -> Simulation {
    Simulation::new(Parameters { cards: CARDS, days: 40, ..Parameters::ending(end()) }).unwrap()
}

fn days(count: i64) -> Vec<DateTime<Utc>> {
    (0..count).rev().map(|back| end_of_day(end()) - TimeDelta::days(back)).collect()
}

struct Market {
    store: Store,
    history: History,
    profiles: Vec<Profile>,
}

async fn market() -> Market {
    let store = Database::migrated().await.store().await;
    let simulation = simulation();
    simulate::write(&store, &simulation, simulation.as_of(), &|_, _| ()).await.unwrap();
    let profiles = profiles(&store).await;
    let history = stored(&store).await;
    Market { store, history, profiles }
}

async fn stored(store: &Store) -> History {
    history::load(&mut store.service().await.unwrap(), &|_, _| ()).await.unwrap()
}

fn run(market: &Market, times: &[DateTime<Utc>], clock: fn(&Row) -> i64, wanted: usize) -> (Replay, lookahead::Checked) {
    let (pack, settings) = (shipped(), settings());
    let plan = Plan {
        pack: &pack,
        profiles: &market.profiles,
        settings: &settings,
        history: &market.history,
        times,
        clock,
        seed: 1,
        in_full: usize::MAX,
        invariants: &[],
        cards: &[],
        card: None,
    };
    let replay = replay::run(&plan, &|_, _| ()).unwrap();
    let checked = lookahead::check(&plan, &replay, wanted).unwrap();
    (replay, checked)
}

/// What a book says, in an order of its own.
fn said(book: &Book) -> (BTreeSet<String>, BTreeSet<String>) {
    let series = book.series.iter().map(|one| format!("{one:?}"));
    (series.collect(), book.activity.iter().map(|one| format!("{one:?}")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_moves_on_has_the_book_of_the_database_at_every_moment() {
    let market = market().await;
    let mut cursor = Cursor::new(&market.history, Row::counts_from);
    for at in [39, 20, 9, 8, 2, 1, 0].map(|back| end_of_day(end()) - TimeDelta::days(back) - TimeDelta::hours(3)) {
        let moved = cursor.advance(at, 20);
        let loaded = book::load(&mut market.store.service().await.unwrap(), at, &[], 20).await.unwrap();
        assert_eq!(said(moved), said(&loaded), "at {at}");
        assert_eq!(moved.rates, loaded.rates);
        let order =
            |book: &Book| book.series.iter().map(|one| format!("{:?} {} {:?}", one.subject, one.source, one.finish)).collect::<Vec<_>>();
        assert_eq!(order(moved), order(&loaded), "ties are settled by the order");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_decides_what_scans_of_those_days_decide() {
    let market = market().await;
    let times = days(3);
    let (replay, _) = run(&market, &times, Row::counts_from, 1);
    let mut found = 0;
    for (step, at) in replay.steps.iter().zip(&times) {
        let report = scan(&market.store, &shipped(), *at, Vec::new(), true).await;
        let counted: BTreeMap<&String, usize> =
            report.reasons.iter().map(|(reason, line)| (reason, line.by_direction.iter().sum())).collect();
        assert_eq!(step.reasons.iter().map(|(reason, count)| (reason, *count)).collect::<BTreeMap<_, _>>(), counted);
        let scanned: BTreeSet<_> = report
            .signals
            .iter()
            .map(|one| (one.opportunity.card_id.to_string(), one.decision.tenant, one.decision.net_profit, one.decision.score))
            .collect();
        let replayed: BTreeSet<_> = replay
            .signals
            .iter()
            .filter(|one| one.at == *at)
            .map(|one| {
                (market.history.cards[one.card.0].card_id.to_string(), market.profiles[one.tenant].tenant, one.net_profit, one.score)
            })
            .collect();
        assert_eq!(replayed, scanned, "as of {at}");
        found += scanned.len();
    }
    assert!(found > 5, "only {found} signals");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_decision_looks_ahead_and_a_clock_that_does_is_found() {
    let market = market().await;
    let times = days(6);
    let (replay, checked) = run(&market, &times, Row::counts_from, 60);
    assert_eq!(checked.differences, []);
    let given: BTreeSet<&String> = replay.reasons.iter().map(|(reason, _)| reason).collect();
    assert!(given.iter().all(|reason| checked.reasons.contains(*reason)), "{given:?} {:?}", checked.reasons);
    assert!(checked.decisions >= 60 && checked.reasons.contains("signal"), "{checked:?}");

    // tomorrow's prices are known today
    let (_, checked) = run(&market, &times[..5], |row| row.counts_from() - 86_400_000_000, 60);
    assert!(checked.found > 0);
    let facts: BTreeSet<&str> = checked.differences.iter().map(|one| one.what.as_str()).collect();
    assert!(
        facts.iter().any(|fact| fact.ends_with("_price") || fact.ends_with("_age_hours") || fact.contains("daily_change")),
        "{facts:?}"
    );
}

/// The shipped pack with some invariants for its only tests.
fn with_invariants(invariants: &[&str]) -> (Pack, Suite) {
    let lines: Vec<String> = invariants.iter().map(|one| format!("  - '{one}'")).collect();
    let tests = [("tests/a.test.yaml".into(), format!("invariants:\n{}\n", lines.join("\n")).into())].into();
    let pack = Pack::from_source(PackSource { tests, ..shipped().source }).unwrap();
    let suite = Suite::read(&pack).unwrap();
    (pack, suite)
}

/// What the interpreter says of every decision of a moment: of signals, and of the rejected by the best that an invariant
/// can say of any of their routes but the broken ones first.
fn held(plan: &Plan<'_>, at: DateTime<Utc>) -> Vec<[usize; 3]> {
    let mut cursor = Cursor::new(plan.history, plan.clock);
    let windows = Windows::read(plan.pack, at.date_naive()).unwrap();
    let book = cursor.advance(at, windows.longest());
    let ground = Ground::of(book, &windows, plan.pack, plan.settings).unwrap();
    let case = ground.case(plan.pack, book, &ground.routes, plan.profiles);
    let judged = case.interpret(&|_| ());
    let key = |route: usize, tenant: usize| (tenant, case.routes[route].card, case.routes[route].direction);
    let signals: BTreeMap<_, _> = best_of_each(&judged, case.routes, plan.pack)
        .into_iter()
        .filter(Judged::is_signal)
        .map(|one| (key(one.route, one.tenant), one))
        .collect();
    let of = |one: &Held| [one.broken, one.held, one.untold];
    plan.invariants
        .iter()
        .map(|invariant| {
            let mut decisions: BTreeMap<_, [usize; 3]> = BTreeMap::new();
            for one in &judged {
                let place = key(one.route, one.tenant);
                let counts = match signals.get(&place) {
                    Some(signal) if signal.route == one.route => one.aggregates.as_slice(),
                    Some(_) => continue,
                    None => &[],
                };
                let mut held = Held::default();
                invariant.check(&mut case.replay(one.route, one.tenant, counts), "", &mut held);
                let said = decisions.entry(place).or_default();
                *said = of(&held).max(*said);
            }
            let told = decisions.iter().filter(|(place, _)| !invariant.is_of_signals() || signals.contains_key(*place));
            told.fold([0; 3], |sum, (_, one)| [0, 1, 2].map(|place| sum[place] + one[place]))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_are_held_against_every_decision_as_the_interpreter_would() {
    let market = market().await;
    let times = days(2);
    let settings = settings();
    let (pack, suite) = with_invariants(&[
        "sum(waterfall) == net_profit",
        "signal implies net_profit >= 0.10 * effective_buy",
        "signal implies net_profit < 20",
        "net_profit > -30 || seller_density > 1",
        "signal || net_profit <= 10",
        "signal implies seller_density < 2",
        "net_profit / effective_buy < 100",
    ]);
    let plan = Plan {
        pack: &pack,
        profiles: &market.profiles,
        settings: &settings,
        history: &market.history,
        times: &times,
        clock: Row::counts_from,
        seed: 1,
        in_full: usize::MAX,
        invariants: &suite.invariants,
        cards: &[],
        card: None,
    };
    let replay = replay::run(&plan, &|_, _| ()).unwrap();
    let mut wanted = vec![[0; 3]; suite.invariants.len()];
    for at in &times {
        for (sum, one) in wanted.iter_mut().zip(held(&plan, *at)) {
            *sum = [0, 1, 2].map(|place| sum[place] + one[place]);
        }
    }
    let told: Vec<[usize; 3]> = replay.invariants.iter().map(|kept| [kept.broken, kept.held, kept.untold]).collect();
    assert_eq!(told[..6], wanted[..6], "broken, held, untold");
    assert!([2, 3, 4, 5].iter().all(|place| told[*place][0] > 0 && told[*place][1] > 0), "{told:?}");
    assert_eq!(replay.invariants[0].scope(replay.decisions), format!("all {} decisions", replay.decisions));
    let signals = told[1].iter().sum::<usize>();
    assert_eq!(replay.invariants[1].scope(replay.decisions), format!("all {signals} signals"));
    // a quotient is the interpreter's: a few are drawn, and the report says so
    let drawn = replay.invariants[6].scope(replay.decisions);
    assert!(drawn.ends_with(&format!(" drawn of {} decisions", replay.decisions)), "{drawn}");

    // of more than there is time for, some are drawn, and every signal
    let short = replay::run(&Plan { in_full: 1, ..plan }, &|_, _| ()).unwrap();
    for (some, all) in short.invariants.iter().zip(&replay.invariants).take(6) {
        let (told, of) = (some.held + some.broken + some.untold, all.held + all.broken + all.untold);
        assert!(if all.of_signals { told == of && some.broken == all.broken } else { told < of && told > of / 20 }, "{some:?} {all:?}");
    }
}

#[test]
fn what_is_simulated_in_memory_is_what_the_database_would_hold() {
    let history = simulate::history(&simulation(), &|_, _| ()).unwrap();
    assert_eq!(history.cards.len(), usize::try_from(CARDS).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stored = runtime.block_on(async { market().await.history });
    let rows = |history: &History| {
        let name = |course: &Course| {
            format!("{:?} {} {:?} {:?}", course.first.subject, course.first.source, course.first.finish, course.first.seller_id)
        };
        let courses = history.courses.iter().map(|course| (name(course), (course.rows.clone(), course.terms.clone())));
        courses.collect::<BTreeMap<_, _>>()
    };
    let (rows, stored) = (rows(&history), rows(&stored));
    assert_eq!(rows.keys().collect::<Vec<_>>(), stored.keys().collect::<Vec<_>>());
    for (name, row) in &rows {
        assert_eq!(Some(row), stored.get(name), "{name}");
    }
}

#[test]
fn missing_days_are_named_with_their_sources() {
    let mut history = simulate::history(&simulation(), &|_, _| ()).unwrap();
    let between = |from: &str, to: &str| Window::Between(from.parse().unwrap(), to.parse().unwrap());
    let times = between("2026-05-01", "2026-05-19").times(&history, TimeDelta::days(1)).unwrap();
    let gaps: Vec<String> = window::gaps(&history, &times).iter().map(ToString::to_string).collect();
    assert_eq!(gaps.len(), 2, "{gaps:?}");
    assert!(gaps[0].starts_with("cardmarket: nothing was told in the 14 days before 2026-05-16..2026-05-19; "), "{gaps:?}");
    assert!(gaps[1].contains("tcgcsv tells of 2026-03-24..2026-05-02"), "{gaps:?}");
    assert_eq!(window::gaps(&history, &days(10)), []);
    // the last days that both markets tell of
    history.shift(&[SourceShift { source: "tcgcsv".into(), days: -10 }, SourceShift { source: "tcgplayer_listings".into(), days: -10 }]);
    let times = Window::Last(2).times(&history, TimeDelta::hours(12)).unwrap();
    assert_eq!((times.len(), times[2]), (3, end_of_day("2026-04-22".parse().unwrap())));
}

#[test]
fn a_page_says_what_was_moved_escapes_what_vendors_wrote_and_names_no_tenant() {
    let mut history = simulate::history(&simulation(), &|_, _| ()).unwrap();
    for card in &mut history.cards {
        card.name = "<script>alert('x')</script> & \"Söhne\"".to_owned();
    }
    let (pack, settings) = (shipped(), settings());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let profiles = runtime.block_on(async { market().await.profiles });
    let plan = Plan {
        pack: &pack,
        profiles: &profiles,
        settings: &settings,
        history: &history,
        times: &days(3),
        clock: Row::counts_from,
        seed: 1,
        in_full: 100,
        invariants: &[],
        cards: &[],
        card: None,
    };
    let replay = replay::run(&plan, &|_, _| ()).unwrap();
    let page = report::write(&replay, &["MOVED IN TIME: <a>".to_owned()], None);
    assert!(page.contains("MOVED IN TIME: &lt;a&gt;") && page.contains("&lt;script&gt;alert(&#39;x&#39;)"));
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    for profile in &profiles {
        assert!(!page.contains(&profile.tenant.to_string()));
    }
    assert!(page.matches("<svg").count() >= 4 && page.contains("tenant 1"));
    assert_eq!(replay.outcomes.looked_at, replay.signals.iter().filter(|signal| signal.is_new).count());
}

#[test]
fn what_happened_next_is_reckoned_with_the_price_that_came() {
    let history = simulate::history(&simulation(), &|_, _| ()).unwrap();
    let (pack, settings) = (shipped(), settings());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let profiles = runtime.block_on(async { market().await.profiles });
    let times: Vec<_> = days(12)[..4].to_vec();
    let plan = Plan {
        pack: &pack,
        profiles: &profiles,
        settings: &settings,
        history: &history,
        times: &times,
        clock: Row::counts_from,
        seed: 1,
        in_full: usize::MAX,
        invariants: &[],
        cards: &[],
        card: None,
    };
    let replay = replay::run(&plan, &|_, _| ()).unwrap();
    let told =
        replay.signals.iter().filter_map(|signal| Some((signal, signal.after[0].price?, signal.after[0].profit?, signal.predicted?)));
    let mut seen = 0;
    for (signal, price, profit, predicted) in told {
        // a dearer sale leaves more, a cheaper one less, and never by more than the price moved
        assert_eq!((price - signal.sell_price).is_sign_negative() && price != signal.sell_price, profit < predicted, "{signal:?}");
        assert!((profit - predicted).abs() <= (price - signal.sell_price).abs() * Decimal::from(2), "{signal:?}");
        let row = history.courses[signal.sell].rows.iter().filter(|row| row.price.get() == Some(price));
        let week = (signal.at + TimeDelta::days(7)).timestamp_micros();
        assert!(row.into_iter().any(|row| row.observed <= week && row.observed > week - 5 * 86_400_000_000), "{signal:?}");
        seen += 1;
    }
    assert!(seen > 0);
    assert!(replay.signals.iter().all(|signal| signal.after[1].price.is_none()), "nobody knows what comes after the last day");
}

#[test]
fn the_command_says_what_is_simulated_and_ends_with_the_codes_of_the_design() {
    let home = tempfile::tempdir().unwrap();
    let replay = |arguments: &[&str]| {
        let pack = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let all =
            [&["rules", "test", "--pack", pack, "--history", "simulate:cards=60,days=30,end=2026-05-02", "--tenants", "4"], arguments]
                .concat();
        let output = program(home.path(), &[], &all);
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let page = home.path().join("page.html");
    let (code, text, errors) = replay(&["--replay", "3d", "--lookahead", "10", "--report", page.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{errors}");
    assert!(text.starts_with("SIMULATED: no price here is of a real card.\n\n2026-04-30 to 2026-05-02: 3 steps, 60 cards"), "{text}");
    assert!(text.contains("no look-ahead: "), "{text}");
    assert!(std::fs::read_to_string(page).unwrap().contains("SIMULATED"));

    let (code, text, _) = replay(&["--replay", "2d", "--shift", "tcgcsv=-2d", "--format", "json", "--card", "nosuch-1"]);
    assert_eq!((code, text.as_str()), (Some(64), ""));
    let (code, text, errors) = replay(&["--replay", "2d", "--shift", "tcgcsv=-2d", "--format", "json"]);
    assert_eq!(code, Some(0), "{errors}");
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(told["remarks"][0].as_str().unwrap().starts_with("MOVED IN TIME: tcgcsv=-2d"), "{text}");
    assert_eq!(told["steps"].as_array().unwrap().len(), 2);

    let (code, _, errors) = replay(&["--replay", "2026-06-01..2026-06-03"]);
    assert_eq!(code, Some(65));
    assert!(errors.contains("history is missing: tcgplayer: nothing was told in the 14 days before 2026-06-01..2026-06-03"), "{errors}");
    for wrong in ["0d", "90", "2026-06-03..2026-06-01"] {
        assert_eq!(replay(&["--replay", wrong]).0, Some(64), "{wrong}");
    }
    // what a replay would leave undone is refused, and so is a report that could not be written at its end
    let folder = home.path().to_str().unwrap();
    for wrong in [&["--coverage"][..], &["--mutate", "9"], &["--update"], &["--run", "x"], &["--format", "junit"], &["--report", folder]] {
        let (code, text, errors) = replay(&[&["--replay", "2d"], wrong].concat());
        assert_eq!((code, text.as_str()), (Some(64), ""), "{wrong:?}: {errors}");
    }
    let (_, _, errors) = replay(&["--replay", "2d", "--card", "vexa"]);
    assert!(errors.contains("no card has the id \"vexa\": did you mean ") && errors.contains("(Vexadon)"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_replays_what_the_database_holds_for_its_tenants_as_the_library_does() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let (home, url) = (tempfile::tempdir().unwrap(), database.server.url(false));
    let replay = |arguments: &[&str]| {
        let pack = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let all = [&["rules", "test", "--pack", pack, "--replay", "2d"], arguments].concat();
        let output = program(home.path(), &[("DATABASE_URL", &url)], &all);
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, _, errors) = replay(&[]);
    assert_eq!(code, Some(4), "{errors}");
    assert!(errors.contains("tcg-radar user add"), "{errors}");
    let (code, _, errors) = replay(&["--tenants", "2"]);
    assert_eq!(code, Some(65), "{errors}");
    assert!(errors.contains("tcg-radar import FILE"), "{errors}");

    simulate::write(&store, &simulation(), simulation().as_of(), &|_, _| ()).await.unwrap();
    let market = Market { profiles: profiles(&store).await, history: stored(&store).await, store };
    let (whole, _) = run(&market, &days(2), Row::counts_from, 1);
    let (code, text, errors) = replay(&["--history", "db", "--lookahead", "20", "--format", "json"]);
    assert_eq!(code, Some(0), "{errors}");
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    let signals = |step: &serde_json::Value| step["signals"].as_u64();
    let wanted: Vec<Option<u64>> = whole.steps.iter().map(|step| u64::try_from(step.signals).ok()).collect();
    assert_eq!(told["steps"].as_array().unwrap().iter().map(signals).collect::<Vec<_>>(), wanted);
    assert_eq!(told["decisions"].as_u64(), u64::try_from(whole.decisions).ok());
    assert_eq!(told["lookahead"]["found"], 0, "{text}");
    // what no source tells the past of is said
    let remarks = told["remarks"].to_string();
    assert!(remarks.contains("OF TODAY: ") && remarks.contains("bans"), "{remarks}");
}

#[test]
fn a_golden_file_refuses_a_verdict_that_turned_round_until_that_is_accepted() {
    let home = tempfile::tempdir().unwrap();
    let rules = home.path().join("rules");
    for folder in ["", "facts", "params", "tables", "fees", "customs", "tests"] {
        std::fs::create_dir_all(rules.join(folder)).unwrap();
        for file in std::fs::read_dir(crate::scan::root().join("rules").join(folder)).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), rules.join(folder).join(file.file_name())).unwrap();
            }
        }
    }
    let put_to = |arguments: &[&str]| {
        let all = [&["rules", "test", "--pack", rules.to_str().unwrap(), "--run", "replay.test.yaml"], arguments].concat();
        let output = program(home.path(), &[], &all);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let golden = || std::fs::read_to_string(rules.join("tests/replay.golden.jsonl")).unwrap();
    let before = golden();
    assert_eq!(put_to(&[]).0, Some(0));

    // amd1-3 brings 31 dollars a day, and others less without it
    let profit = rules.join("params/profit.yaml");
    let text = std::fs::read_to_string(&profit).unwrap();
    assert!(text.contains("\"5.00\""));
    std::fs::write(&profit, text.replacen("\"5.00\"", "\"45.00\"", 1)).unwrap();
    let (code, text) = put_to(&[]);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("amd1-3 eu_us for tenant 1 as of 2026-05-02T00:00"), "{text}");
    let (code, text) = put_to(&["--update"]);
    assert_eq!((code, golden()), (Some(1), before.clone()), "{text}");
    assert!(text.contains("--accept-flips"), "{text}");
    let (code, text) = put_to(&["--accept-flips"]);
    assert_eq!(code, Some(0), "{text}");
    let cards = |text: &str| -> Vec<String> {
        let card = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["card"].as_str().unwrap().to_owned();
        text.lines().map(card).collect()
    };
    let (before, after) = (cards(&before), cards(&golden()));
    assert!(after.len() < before.len() && after.iter().all(|card| before.contains(card)), "{after:?}");
    assert!(before.contains(&"amd1-3".to_owned()) && !after.contains(&"amd1-3".to_owned()), "{after:?}");
    assert!(after.contains(&"jdc1-1".to_owned()), "48 dollars are enough: {after:?}");
    assert_eq!(put_to(&[]).0, Some(0));
}
