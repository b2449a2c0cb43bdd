//! A book that stays equals one that is loaded, and a scan of what has changed decides as a whole one would.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use tcg_radar::{
    domain::{
        book::{Book, CardIndex, PriceSeries},
        card::{Card, CardId},
        market::Market,
        money::{Currency, DailyRate},
        observation::{Activity, Listing, Observation, PriceKind, Subject},
        product::CardProduct,
    },
    ingest::{Batch, fold_once, write_batch},
    pulse::Pulse,
    rules::live::Live,
    scan::{
        Options, Settings, columns,
        ground::{self, Ground},
        judge::Judged,
        part::Part,
        periodic::{self, Rounds, Scanner, Turn, Wanted},
        ready::Ready,
        replay::step::chance,
        report::{Report, Scope},
        routes::Route,
        scan_once,
    },
    simulate::{self, Parameters, Simulation},
    store::{
        Store,
        book::{self, Kept, News},
    },
};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    cluster::Database,
    live::{by_deal, chains_are_whole, count, edited, every_decision_runs_again_equal, live, rows, scanner, worth_now},
    scan::{profiles, settings, shipped},
};

const DAYS: u32 = 20;

fn now() -> DateTime<Utc> {
    "2026-05-03T10:00:00Z".parse().unwrap()
}

fn cents(cents: u64) -> Decimal {
    Decimal::new(i64::try_from(cents).unwrap(), 2)
}

async fn market(cards: u32) -> (Database, Store, Simulation) {
    let database = Database::migrated().await;
    let store = database.store().await;
    let simulation = Simulation::new(Parameters { cards, ..Parameters::ending("2026-05-02".parse().unwrap()) }).unwrap();
    simulate::write(&store, &simulation, simulation.as_of(), &|_, _| ()).await.unwrap();
    (database, store, simulation)
}

async fn write(store: &Store, batch: &Batch, now: DateTime<Utc>) {
    let mut tx = store.service().await.unwrap();
    write_batch(&mut tx, batch, now).await.unwrap();
    tx.commit().await.unwrap();
}

/// The series, told once more at another price.
fn told(series: &PriceSeries, price: Option<Decimal>, at: DateTime<Utc>) -> Observation {
    let latest = &series.latest;
    let listing = |seller: &Arc<str>| Listing {
        seller_id: seller.to_string(),
        seller_rating: latest.seller_rating,
        seller_sales: latest.seller_sales,
        shipping: latest.shipping,
    };
    Observation {
        subject: series.subject.clone(),
        source: series.source.to_string(),
        market: series.market,
        currency: series.currency,
        finish: series.finish,
        condition: series.condition,
        kind: series.kind,
        price,
        low: latest.low,
        mid: latest.mid,
        high: latest.high,
        listing: series.seller_id.as_ref().map(listing),
        observed_at: at,
        known_at: at,
    }
}

fn prices(observations: Vec<Observation>) -> Batch {
    Batch { observations, ..Batch::default() }
}

async fn loaded(store: &Store, now: DateTime<Utc>, days: u32) -> Book {
    book::load(&mut store.service().await.unwrap(), now, &[], days).await.unwrap()
}

/// Brings the kept book to a moment and holds it against one that is loaded then.
async fn advance(kept: &mut Kept, store: &Store, now: DateTime<Utc>, days: u32, what: &str) -> News {
    let mut tx = store.service().await.unwrap();
    let news = kept.advance(&mut tx, now, days).await.unwrap();
    tx.commit().await.unwrap();
    let (book, fresh) = (kept.book(), loaded(store, now, days).await);
    assert_eq!(book.series.len(), fresh.series.len(), "{what}");
    for (one, other) in book.series.iter().zip(&fresh.series) {
        assert_eq!(one, other, "{what}");
    }
    assert_eq!(
        (&book.cards, &book.activity, &book.rates, book.as_of),
        (&fresh.cards, &fresh.activity, &fresh.rates, fresh.as_of),
        "{what}"
    );
    news
}

/// Something that an import or a feed may tell.
async fn tell(store: &Store, book: &Book, now: DateTime<Utc>, dice: &mut impl FnMut(u64) -> u64) -> &'static str {
    let any = |dice: &mut dyn FnMut(u64) -> u64| &book.series[usize::try_from(dice(book.series.len() as u64)).unwrap()];
    let hours = |hours: u64| TimeDelta::hours(i64::try_from(hours).unwrap());
    let one = any(dice);
    let price = Some(cents(100 + dice(5_000)));
    let (batch, what) = match dice(11) {
        0..3 => (prices((0..3).map(|_| told(any(dice), price, now)).collect()), "new prices"),
        3 => (prices(vec![told(one, None, now)]), "an offer that is gone"),
        4 => (prices(vec![Observation { known_at: now, ..told(one, price, one.latest.observed_at - hours(dice(500))) }]), "an old price"),
        5 => (prices(vec![Observation { known_at: now, ..told(one, price, one.latest.observed_at) }]), "a correction"),
        6 => {
            let later = Observation { known_at: now + hours(dice(60)), ..told(one, price, now + hours(dice(60))) };
            (prices(vec![later]), "a price of tomorrow")
        }
        7 => {
            let listing = Listing { seller_id: format!("new-{}", dice(1_000)), seller_rating: None, seller_sales: Some(7), shipping: None };
            let offer = Observation { kind: PriceKind::Listing, listing: Some(listing), condition: None, ..told(one, price, now) };
            (prices(vec![offer]), "a new offer")
        }
        8 => {
            let card = &book.cards[usize::try_from(dice(book.cards.len() as u64)).unwrap()];
            let counted = Activity {
                subject: Subject::Card(card.card_id.clone()),
                source: "counter".into(),
                market: Market::Tcgplayer,
                finish: one.finish,
                sales_30d: Some(i64::try_from(dice(50)).unwrap()),
                active_listings: None,
                observed_at: now,
                known_at: now + hours(dice(3) * 20),
            };
            (Batch { activity: vec![counted], ..Batch::default() }, "a count")
        }
        9 => {
            let rate = DailyRate {
                date: now.date_naive(),
                currency: Currency::Usd,
                units_per_eur: cents(105 + dice(10)),
                source: "ecb".into(),
                known_at: now + hours(dice(20)),
            };
            (Batch { rates: vec![rate], ..Batch::default() }, "a rate")
        }
        _ => {
            let first = &book.cards[0];
            let card_id = CardId::new(&format!("aaa{}-1", dice(1_000))).unwrap();
            let external_id = format!("{}", 900_000 + dice(1_000));
            let product = Subject::Product { market: Market::Tcgplayer, id: external_id.clone() };
            let link = CardProduct {
                market: Market::Tcgplayer,
                external_id,
                card_id: card_id.clone(),
                method: "unique".into(),
                source: "test".into(),
            };
            let batch = Batch {
                cards: vec![Card { card_id, ..first.clone() }],
                card_products: vec![link],
                observations: vec![Observation { subject: product, ..told(one, price, now) }],
                ..Batch::default()
            };
            (batch, "a card that nobody knew")
        }
    };
    write(store, &batch, now).await;
    what
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_book_equals_a_loaded_one_after_whatever_is_told() {
    let (_database, store, _) = market(30).await;
    for seed in 1..=3 {
        let mut roll = 0;
        let mut dice = |sides: u64| {
            roll += 1;
            chance(&[seed, roll]) % sides
        };
        let mut now = now() + TimeDelta::days(i64::try_from(seed).unwrap() * 40);
        let mut kept = Kept::load(&mut store.service().await.unwrap(), now, DAYS).await.unwrap();
        for step in 0..40 {
            let what = tell(&store, kept.book(), now, &mut dice).await;
            now += TimeDelta::minutes(i64::try_from(dice(if step % 5 == 0 { 3_000 } else { 90 })).unwrap());
            advance(&mut kept, &store, now, DAYS, &format!("seed {seed}, step {step}: {what}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_book_is_loaded_anew_only_where_what_it_holds_does_not_suffice() {
    let (database, store, _) = market(30).await;
    let now = now();
    let mut kept = Kept::load(&mut store.service().await.unwrap(), now, DAYS).await.unwrap();
    let nothing = News::Cards(BTreeSet::new());
    assert_eq!(advance(&mut kept, &store, now + TimeDelta::days(1), DAYS, "time alone").await, nothing);
    assert_eq!(advance(&mut kept, &store, now + TimeDelta::days(1), DAYS - 5, "less history").await, nothing);
    assert_eq!(advance(&mut kept, &store, now + TimeDelta::days(1), DAYS, "more history").await, News::Anew);
    assert_eq!(advance(&mut kept, &store, now, DAYS, "the clock was set back").await, News::Anew);
    // the same told again is no news
    let one = kept.book().series.iter().find(|one| one.cards.len() == 1 && one.latest.price.is_some()).unwrap().clone();
    let again = told(&one, one.latest.price, one.latest.observed_at);
    write(&store, &prices(vec![again.clone()]), now).await;
    assert_eq!(advance(&mut kept, &store, now, DAYS, "told again").await, nothing);
    let dearer = Observation { price: one.latest.price.map(|price| price + Decimal::ONE), known_at: now, ..again };
    write(&store, &prices(vec![dearer]), now).await;
    assert_eq!(advance(&mut kept, &store, now, DAYS, "dearer").await, News::Cards(one.cards.iter().copied().collect()));
    // history is taken away
    let long_ago = now + TimeDelta::days(30);
    assert!(fold_once(&store, 30, long_ago).await.unwrap() > long_ago);
    let folded = count(&database, "SELECT count(*) FROM price_writes WHERE everything").await;
    let news = advance(&mut kept, &store, long_ago, DAYS, "folded").await;
    assert!(folded == 0 || news == News::Anew);
    // what nobody took over for a day is thrown away by a later write
    for days in [2, 4] {
        let at = long_ago + TimeDelta::days(days);
        write(&store, &prices(vec![told(&one, Some(cents(1_000 + days.unsigned_abs())), at)]), at).await;
    }
    assert_eq!(count(&database, "SELECT count(*) FROM price_writes").await, 2);
    assert_eq!(advance(&mut kept, &store, long_ago + TimeDelta::days(4), DAYS, "thrown away").await, News::Anew);
}

async fn scan(rounds: &mut Rounds, wanted: Wanted, now: DateTime<Utc>) -> Report {
    loop {
        match rounds.scan(wanted, now).await.unwrap() {
            Turn::Scanned(report) => return *report,
            Turn::Superseded => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What a whole scan on a book of its own would find; nothing is written.
async fn whole(store: &Store, now: DateTime<Utc>) -> Report {
    let options = Options { as_of: now, shifts: Vec::new(), dry_run: true, near_misses: 0 };
    scan_once(store, &shipped(), &profiles(store).await, &settings(), &options, now, &|_, _| ()).await.unwrap()
}

/// A card and whatever its sellers offer beside it.
fn concerned(book: &Book, card: &str) -> BTreeSet<String> {
    let ids = |one: &PriceSeries| one.cards.iter().map(|card| book.card(*card).unwrap().card_id.to_string()).collect::<Vec<_>>();
    let of_card = book.series.iter().filter(|one| ids(one).iter().any(|id| id == card));
    let sellers: BTreeSet<&str> = of_card.filter_map(|one| one.seller_id.as_deref()).collect();
    let theirs = book.series.iter().filter(|one| one.seller_id.as_deref().is_some_and(|seller| sellers.contains(seller)));
    theirs.flat_map(ids).chain([card.to_owned()]).collect()
}

/// By opportunity: its card, its state, and its last decision's moment.
async fn offers(database: &Database) -> BTreeMap<Uuid, (String, String, DateTime<Utc>)> {
    let sql = "SELECT opportunity_id, card_id, state, max(d.created_at) FROM opportunities JOIN decisions AS d USING (opportunity_id)
        WHERE state IS NOT NULL GROUP BY 1";
    rows::<(Uuid, String, String, DateTime<Utc>)>(database, sql)
        .await
        .into_iter()
        .map(|(id, card, state, at)| (id, (card, state, at)))
        .collect()
}

/// Price after price moves, of cards that are good and of others: each time the cards concerned are decided as a whole scan
/// would decide them, on a book that was loaded once, and whatever is on offer of other cards stays as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_what_changed_decides_as_a_whole_one_would() {
    let (database, store, _) = market(400).await;
    let mut rounds = Rounds::new(scanner(&store, &live(shipped(), None)));
    let mut now = now();
    let first = scan(&mut rounds, Wanted::Everything, now).await;
    assert_eq!((first.scope, rounds.loads()), (Scope::Full, 1));
    assert!(first.signals.len() > 20, "{}", first.signals.len());
    let mut changed = 0;
    for turn in 0..12_u64 {
        now += TimeDelta::minutes(1);
        let before = loaded(&store, now, 1).await;
        let one = if turn % 2 == 0 {
            // of a card that is on offer, its buying side
            let signal = &first.signals[usize::try_from(chance(&[turn]) % first.signals.len() as u64).unwrap()].opportunity;
            let sides = before.series.iter().filter(|one| {
                *one.source == *signal.buy_source
                    && one.latest.price == Some(signal.buy_price)
                    && one.latest.observed_at == signal.buy_observed_at
            });
            let card = |one: &&PriceSeries| one.cards.iter().any(|card| before.card(*card).unwrap().card_id == signal.card_id);
            sides.filter(card).min_by_key(|one| one.seller_id.clone())
        } else {
            let priced: Vec<_> = before.series.iter().filter(|one| one.latest.price.is_some() && one.cards.len() == 1).collect();
            Some(priced[usize::try_from(chance(&[turn]) % priced.len() as u64).unwrap()])
        };
        // moved once already
        let Some(one) = one else { continue };
        let percent = [130, 60, 101, 95, 300, 75][usize::try_from(turn / 2).unwrap()];
        let price = (one.latest.price.unwrap() * Decimal::new(percent, 2)).round_dp(2);
        write(&store, &prices(vec![told(one, Some(price), now)]), now).await;
        let stood = offers(&database).await;
        let report = scan(&mut rounds, Wanted::Changed, now).await;
        let fresh = loaded(&store, now, 1).await;
        let concerned = concerned(&fresh, fresh.card(one.cards[0]).unwrap().card_id.as_str());
        if report.scope == Scope::Full {
            assert!(concerned.len() * 2 > fresh.cards.len(), "turn {turn}");
            continue;
        }
        changed += 1;
        assert_eq!(report.cards, concerned.len());
        let mut expected = by_deal(&whole(&store, now).await);
        expected.retain(|(route, _), _| concerned.contains(route.split(' ').next().unwrap()));
        assert_eq!(by_deal(&report), expected, "turn {turn}: {percent} % of {:?}", one.subject);
        let stands = offers(&database).await;
        for (id, (card, state, decided)) in &stood {
            if !concerned.contains(card) {
                assert_eq!(stands.get(id), Some(&(card.clone(), state.clone(), *decided)), "turn {turn}");
            }
        }
        // all that are still good are on offer
        let worth = worth_now(&database).await;
        assert!(expected.iter().all(|(deal, value)| worth.get(deal) == Some(value)), "turn {turn}");
    }
    assert!(changed >= 6, "only {changed} scans of a part");
    assert_eq!(rounds.loads(), 1);
    assert!(matches!(rounds.scan(Wanted::Changed, now).await.unwrap(), Turn::Nothing));
    chains_are_whole(&database).await;
    assert_eq!(count(&database, "SELECT count(*) FROM scans WHERE summary->>'scope' = 'changed'").await, changed);
    assert_eq!(
        count(&database, "SELECT count(*) FROM scan_reasons JOIN scans USING (scan_id) WHERE summary->>'scope' = 'changed'").await,
        0
    );
}

/// The buying side of something on offer becomes unaffordable, then cheap again, then a little cheaper.
#[tokio::test(flavor = "multi_thread")]
async fn one_changed_price_withdraws_offers_and_reprices_without_a_load() {
    let (database, store, _) = market(400).await;
    let mut rounds = Rounds::new(scanner(&store, &live(shipped(), None)));
    let first = scan(&mut rounds, Wanted::Everything, now()).await;
    let good = first.signals[0].opportunity.clone();
    let book = loaded(&store, now(), 1).await;
    let is_it = |one: &&PriceSeries| {
        *one.source == *good.buy_source
            && one.seller_id.as_deref() == good.seller_id.as_deref()
            && one.latest.price == Some(good.buy_price)
            && one.cards.iter().any(|card| book.card(*card).unwrap().card_id == good.card_id)
    };
    let one = book.series.iter().find(is_it).unwrap();
    let mut seen = Vec::new();
    for (minute, price) in [(1, good.buy_price * Decimal::TEN), (2, good.buy_price), (3, good.buy_price - cents(1))] {
        let at = now() + TimeDelta::minutes(minute);
        write(&store, &prices(vec![told(one, Some(price), at)]), at).await;
        let report = scan(&mut rounds, Wanted::Changed, at).await;
        assert_eq!(report.scope, Scope::Changed);
        let sql = format!(
            "SELECT change, reason, o.opportunity_id, to_buy_price FROM opportunity_changes JOIN opportunities AS o USING (opportunity_id)
             WHERE route_key = '{}' AND opportunity_changes.scan_id = '{}'",
            good.route_key.replace('\'', "''"),
            report.scan.scan_id
        );
        seen.extend(rows::<(String, Option<String>, Uuid, Decimal)>(&database, &sql).await);
    }
    let told: Vec<(&str, bool)> = seen.iter().map(|(change, .., price)| (change.as_str(), *price < good.buy_price)).collect();
    assert_eq!(told, [("withdrawn", false), ("offered", false), ("repriced", true)], "{seen:?}");
    assert_eq!(seen[0].2, good.opportunity_id);
    // what was withdrawn comes back as a new one
    assert_ne!(seen[1].2, good.opportunity_id);
    assert_eq!(seen[1].2, seen[2].2);
    assert_eq!(rounds.loads(), 1);
}

/// A seller's good card goes: what the seller offers beside it is counted, and so worth, anew.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_seller_offers_beside_a_changed_card_is_decided_again() {
    let (database, store, _) = market(400).await;
    let mut rounds = Rounds::new(scanner(&store, &live(shipped(), None)));
    let first = scan(&mut rounds, Wanted::Everything, now()).await;
    let mut by_seller: BTreeMap<(String, Uuid), Vec<_>> = BTreeMap::new();
    for found in &first.signals {
        if let Some(seller) = &found.opportunity.seller_id {
            by_seller.entry((seller.clone(), found.decision.tenant.0)).or_default().push(found);
        }
    }
    let ((seller, tenant), pair) = by_seller.into_iter().find(|(_, cards)| cards.len() > 1).unwrap();
    let density = |deal: &(String, Uuid), worth: &BTreeMap<_, (Option<Decimal>, Option<i64>)>| worth[deal].1.unwrap();
    let (goes, stays) = (&pair[0].opportunity, (pair[1].opportunity.route_key.clone(), tenant));
    let before = density(&stays, &worth_now(&database).await);
    assert!(before > 1);
    let at = now() + TimeDelta::minutes(1);
    let book = loaded(&store, at, 1).await;
    let gone: Vec<Observation> = book
        .series
        .iter()
        .filter(|one| one.seller_id.as_deref() == Some(&*seller))
        .filter(|one| one.cards.iter().any(|card| book.card(*card).unwrap().card_id == goes.card_id))
        .map(|one| told(one, None, at))
        .collect();
    write(&store, &prices(gone), at).await;
    assert_eq!(scan(&mut rounds, Wanted::Changed, at).await.scope, Scope::Changed);
    assert_eq!(density(&stays, &worth_now(&database).await), before - 1);
    let reason = format!("SELECT state_reason FROM opportunities WHERE opportunity_id = '{}'", goes.opportunity_id);
    assert_eq!(rows::<(String,)>(&database, &reason).await[0].0, "ROUTE_GONE");
    assert_eq!(rounds.loads(), 1);
}

/// Packs are swapped while parts and the whole are scanned by what was made ready before.
#[tokio::test(flavor = "multi_thread")]
async fn scans_of_what_changed_mix_no_two_packs_in_a_decision() {
    let (database, store, _) = market(120).await;
    let packs = [live(shipped(), Some("world")), live(edited("params/profit.yaml", "\"5.00\"", "\"9.00\""), Some("post_july_2026"))];
    let scanner = scanner(&store, &packs[0]);
    let (current, done) = (Arc::clone(&scanner.current), Arc::new(AtomicBool::new(false)));
    let enough = Arc::clone(&done);
    let publisher = std::thread::spawn({
        let packs = packs.clone();
        move || {
            for turn in 0.. {
                current.publish(Arc::clone(&packs[turn % 2]));
                std::thread::park_timeout(Duration::from_millis(3));
                if enough.load(Ordering::Relaxed) {
                    break;
                }
            }
        }
    });
    let mut rounds = Rounds::new(scanner);
    let mut used = BTreeSet::new();
    let book = loaded(&store, now(), 1).await;
    let priced: Vec<_> =
        book.series.iter().filter(|one| one.latest.price.is_some() && one.cards.len() == 1 && one.seller_id.is_none()).collect();
    for turn in 0..16_u64 {
        let at = now() + TimeDelta::seconds(i64::try_from(turn).unwrap());
        let one = priced[usize::try_from(chance(&[turn]) % priced.len() as u64).unwrap()];
        write(&store, &prices(vec![told(one, one.latest.price.map(|price| price + cents(turn)), at)]), at).await;
        let report = scan(&mut rounds, if turn % 4 == 0 { Wanted::Everything } else { Wanted::Changed }, at).await;
        used.insert(report.scan.pack_hash);
    }
    done.store(true, Ordering::Relaxed);
    publisher.join().unwrap();
    assert_eq!((used.len(), rounds.loads()), (2, 1));
    every_decision_runs_again_equal(&database, &[&packs[0].pack, &packs[1].pack]).await;
    chains_are_whole(&database).await;
}

/// What is ready is taken over whole, for one changed tenant, or not at all; it judges as what is made for this one time.
#[tokio::test(flavor = "multi_thread")]
async fn rules_that_were_made_ready_before_judge_like_those_made_now() {
    let (_database, store, _) = market(60).await;
    let (pack, other) = (shipped(), edited("params/profit.yaml", "\"5.00\"", "\"9.00\""));
    let (book, windows) = ground::load_book(&store, &pack, now(), &[]).await.unwrap();
    let mut tenants: Vec<_> = profiles(&store).await.into_iter().cycle().take(32).collect();
    for (floor, tenant) in (5..).zip(&mut tenants) {
        tenant.min_profit_threshold.value = Some(Decimal::from(floor));
    }
    let mut changed = tenants.clone();
    changed[7].min_profit_threshold.value = Some(Decimal::ONE);
    changed[7].insurance_rate.value = Some(Decimal::new(333, 4));
    let fewer = tenants[..20].to_vec();
    let other_settings = Settings { bundle_logic: false, ..settings() };
    let steps = [
        (&pack, &tenants, settings()),
        (&pack, &tenants, settings()),
        (&pack, &changed, settings()),
        (&other, &changed, settings()),
        (&other, &fewer, settings()),
        (&pack, &fewer, other_settings),
    ];
    let mut ready = None;
    for (turn, (pack, tenants, settings)) in steps.into_iter().enumerate() {
        let ground = Ground::of(&book, &windows, pack, &settings).unwrap();
        let case = ground.case(pack, &book, &ground.routes, tenants);
        let renewed = Ready::renewed(ready.take(), &case, &ground.rates);
        assert!(renewed.judge(&case, 20) == columns::judge(&case, 20, &|_| ()), "turn {turn}");
        ready = Some(renewed);
    }
}

/// Routes beside a card are there for what is counted only, and are judged only where the card's decision hangs on them.
#[tokio::test(flavor = "multi_thread")]
async fn a_card_alone_is_decided_as_it_is_among_all() {
    let (_database, store, _) = market(300).await;
    let pack = shipped();
    let (book, windows) = ground::load_book(&store, &pack, now(), &[]).await.unwrap();
    let mut tenants: Vec<_> = profiles(&store).await.into_iter().cycle().take(300).collect();
    for (floor, tenant) in (1..).zip(&mut tenants) {
        tenant.min_profit_threshold.value = Some(Decimal::new(floor * 10, 2));
    }
    let ground = Ground::of(&book, &windows, &pack, &settings()).unwrap();
    let case = ground.case(&pack, &book, &ground.routes, &tenants);
    let ready = Ready::renewed(None, &case, &ground.rates);
    let whole = ready.judge(&case, 0);
    let density = |one: &Judged| one.aggregates.iter().any(|(_, count)| *count > 1);
    let (mut signals, mut bundled) = (0, 0);
    for card in (0..book.cards.len()).map(CardIndex) {
        let part = Part::of(&BTreeSet::from([card]), &book, &ground.routes, &pack);
        let Some(part) = part else { continue };
        let about = case.about(&part.routes);
        let found = ready.judge_part(&about, &BTreeSet::from([card]));
        let told = |one: Judged, routes: &[Route]| (one.tenant, routes[one.route].clone(), one.answer, one.score, one.aggregates);
        let alone: Vec<_> = found.signals().map(|one| told(one, &part.routes)).collect();
        let among: Vec<_> = whole.signals().filter(|one| ground.routes[one.route].card == card).collect();
        signals += among.len();
        bundled += among.iter().filter(|one| density(one)).count();
        assert!(alone.iter().eq(&among.into_iter().map(|one| told(one, &ground.routes)).collect::<Vec<_>>()), "card {card:?}");
    }
    assert!(signals > 1_000 && bundled > 100, "{signals} signals, {bundled} of bundles: too few to show anything");
}

/// The loop itself: a wake-up makes it look, also one that was missed, and the end of those who tell is not its own.
#[tokio::test(flavor = "multi_thread")]
async fn the_loop_looks_at_once_when_it_hears_that_prices_have_changed() {
    let (database, store, _) = market(400).await;
    let started = Utc::now();
    let rules: Arc<Live> = live(shipped(), None);
    let scanner = Scanner { interval: Duration::from_hours(9), ..scanner(&store, &rules) };
    let (tell, news) = broadcast::channel(1);
    let shutdown = CancellationToken::new();
    let running = tokio::spawn(periodic::run(scanner, news, Pulse::default(), shutdown.clone()));
    let scans = "SELECT count(*) FROM scans WHERE summary->>'scope' = ";
    until(&database, &format!("{scans}'full'"), 1).await;
    let book = loaded(&store, Utc::now(), 1).await;
    // of a card that is offered by few
    let few = |one: &&PriceSeries| concerned(&book, book.card(one.cards[0]).unwrap().card_id.as_str()).len() * 4 < book.cards.len();
    let mut priced = book.series.iter().filter(|one| one.latest.price.is_some() && one.cards.len() == 1 && one.seller_id.is_none());
    let one = priced.find(few).unwrap();
    for turn in 1..=3 {
        let at = Utc::now();
        write(&store, &prices(vec![told(one, one.latest.price.map(|price| price + cents(turn)), at)]), at).await;
        // more than it can hold: the listener has missed some
        for number in 0..4 {
            tell.send(number).unwrap();
        }
        until(&database, &format!("{scans}'changed'"), i64::try_from(turn).unwrap()).await;
    }
    drop(tell);
    shutdown.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(count(&database, &format!("{scans}'full'")).await, 1);
    assert!(count(&database, "SELECT count(*) FROM scans").await == 4 && started < Utc::now());
}

async fn until(database: &Database, sql: &str, wanted: i64) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let waiting = async {
        while count(database, sql).await < wanted {
            looks.tick().await;
        }
    };
    if tokio::time::timeout(Duration::from_mins(1), waiting).await.is_err() {
        let scans = rows::<(String,)>(database, "SELECT concat(started_at, ' ', summary) FROM scans ORDER BY started_at").await;
        panic!("never were there {wanted} of {sql}: {scans:#?}");
    }
}
