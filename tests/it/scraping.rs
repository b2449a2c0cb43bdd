//! Pages on their way into decisions: what they tell, which are loaded when, what waits for them, and that nothing is asked
//! while scraping is off.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use sqlx::{AssertSqlSafe, Executor};
use tcg_radar::{
    clock::Clock,
    config::Config,
    domain::{
        card::CardId,
        condition::{Condition, Grade, Scale},
        page::{Ending, Method, Offer, Reach, Sight, USUAL},
    },
    ingest::{
        Changed,
        pages::{Claim, Loaded, Pages},
    },
    scan::periodic::{Rounds, Turn, Wanted as Look},
    scrape::visit::Visit,
    simulate::cardmarket::{Cardmarket, Manner, Product, Shelves},
    store::{Store, pages::Wanted, routings, wishes},
};
use tokio::sync::broadcast;

use crate::{
    cluster::{Database, folder, program},
    live::{live, market, scanner, shipped},
    pages::{programs, settings, ware},
    reload::Stage,
};

/// A scraper that was never before a page. No page is loaded by it unless a test says so.
fn pages(store: &Store, now: DateTime<Utc>) -> (Pages, broadcast::Receiver<Arc<Changed>>) {
    let scraping = Config::from_lookup(|_| None).unwrap().scraping;
    let (changed, news) = broadcast::channel(16);
    (Pages::new(store.clone(), scraping, "/no/such/home".into(), Decimal::TEN, changed, Clock::of(move || now)).unwrap(), news)
}

fn told(outcome: Result<Sight, Ending>) -> Visit {
    Visit { outcome, told: Vec::new(), picture: None, is_sound: true }
}

fn offer(seller: Option<&str>, price: &str) -> Offer {
    Offer {
        seller: seller.map(str::to_owned),
        rating: Some("99.5".parse().unwrap()),
        sales: Some(1_200),
        condition: Some(Condition { scale: Scale::Cardmarket, grade: Grade::NearMint }),
        finish: USUAL,
        price: price.parse().unwrap(),
        shipping: Some("1.15".parse().unwrap()),
    }
}

fn sight(method: Method, offers: Vec<Offer>, reach: Reach) -> Sight {
    Sight { method, offers, reach, averages: Vec::new(), others: Vec::new() }
}

async fn lines(database: &Database, query: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(&mut database.superuser().await).await.unwrap()
}

async fn count(database: &Database, what: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {what}"))).fetch_one(&mut database.superuser().await).await.unwrap()
}

const PRICES: &str =
    "SELECT concat_ws(' ', source, seller_id, condition, coalesce(price::text, 'gone'), shipping, seller_rating, seller_sales)
    FROM price_series JOIN LATERAL (SELECT * FROM price_history AS h WHERE h.series_id = price_series.series_id
        ORDER BY observed_at DESC, revision DESC LIMIT 1) AS latest USING (series_id)
    WHERE kind = 'listing' ORDER BY 1";

async fn card_with_product(database: &Database) {
    database.superuser().await.execute("INSERT INTO card_products VALUES ('cardmarket', '77', 'sv1-25', 'unique', 'test')").await.unwrap();
}

async fn tell(pages: &Pages, outcome: Result<Sight, Ending>) -> Loaded {
    let wanted = Wanted { card: CardId::new("sv1-25").unwrap(), product: "77".to_owned(), event: "manual".to_owned() };
    pages.take_in(&wanted, 0, told(outcome)).await.unwrap()
}

#[tokio::test]
async fn offers_are_kept_with_all_that_they_say_and_those_that_are_gone_lose_their_price() {
    let database = Database::migrated().await;
    let store = database.store().await;
    card_with_product(&database).await;
    let at: DateTime<Utc> = "2026-11-24T10:00:00Z".parse().unwrap();
    let later = |minutes: i64| pages(&store, at + TimeDelta::minutes(minutes)).0;

    let offers = vec![offer(Some("alice"), "3.20"), offer(Some("bob"), "4.00"), offer(Some("carol"), "9.00")];
    let first = tell(&later(0), Ok(sight(Method::Selectors, offers, Reach::All))).await;
    assert_eq!(first.changed.unwrap().cards.into_iter().map(|card| card.to_string()).collect::<Vec<_>>(), ["sv1-25"]);
    assert_eq!(
        lines(&database, PRICES).await,
        [
            "cardmarket_scrape alice NM 3.20 1.15 99.5 1200",
            "cardmarket_scrape bob NM 4.00 1.15 99.5 1200",
            "cardmarket_scrape carol NM 9.00 1.15 99.5 1200"
        ]
    );

    // a page that shows what costs less than five says nothing of carol
    let second = tell(&later(1), Ok(sight(Method::Selectors, vec![offer(Some("bob"), "5.00")], Reach::Below(Decimal::from(5))))).await;
    assert_eq!(second.gone, 1);
    assert_eq!(lines(&database, "SELECT seller_id FROM listings WHERE gone_at IS NULL ORDER BY 1").await, ["bob", "carol"]);

    // what went wrong says nothing of anybody
    for ending in
        [Ending::Blocked, Ending::RateLimited, Ending::TimedOut, Ending::WrongProduct, Ending::Unreadable, Ending::Hostile, Ending::Failed]
    {
        let nothing = tell(&later(2), Err(ending)).await;
        assert!(nothing.changed.is_none() && nothing.gone == 0, "{ending}");
    }
    let before = lines(&database, PRICES).await;
    assert_eq!(before[1], "cardmarket_scrape bob NM 5.00 1.15 99.5 1200");

    // one best offer without a name, twice, and a picture
    tell(&later(3), Ok(sight(Method::Interception, vec![offer(None, "4.50")], Reach::Some))).await;
    tell(&later(4), Ok(sight(Method::Vision, vec![offer(None, "4.40")], Reach::Some))).await;
    let standing = lines(&database, "SELECT concat_ws(' ', source, seller_id, price) FROM listings WHERE gone_at IS NULL ORDER BY 1").await;
    assert_eq!(standing, ["cardmarket_scrape bob 5.00", "cardmarket_scrape carol 9.00", "cardmarket_vision unnamed:sv1-25 4.40"]);

    // nobody offers it any more: the page says so itself
    let empty = tell(&later(5), Err(Ending::Empty)).await;
    assert_eq!(empty.gone, 3);
    assert!(lines(&database, PRICES).await.iter().all(|line| line.contains("gone")));
    // and back again
    tell(&later(6), Ok(sight(Method::Selectors, vec![offer(Some("alice"), "3.30")], Reach::All))).await;
    assert!(lines(&database, PRICES).await[0].contains("alice NM 3.30"));
    assert_eq!(count(&database, "listings WHERE seller_id = 'alice'").await, 1);
}

#[tokio::test]
async fn the_averages_of_a_pages_chart_are_history_of_their_own() {
    let database = Database::migrated().await;
    let store = database.store().await;
    card_with_product(&database).await;
    let (pages, _news) = pages(&store, "2026-11-24T10:00:00Z".parse().unwrap());
    let mut seen = sight(Method::Selectors, vec![offer(Some("alice"), "3.20")], Reach::All);
    seen.averages =
        vec![("2026-11-22".parse().unwrap(), "3.10".parse().unwrap()), ("2026-11-23".parse().unwrap(), "3.15".parse().unwrap())];
    tell(&pages, Ok(seen.clone())).await;
    tell(&pages, Ok(seen)).await;
    let rows =
        "SELECT concat_ws(' ', kind, price, observed_at AT TIME ZONE 'UTC', known_at AT TIME ZONE 'UTC', revision) FROM price_history
        JOIN price_series USING (series_id) WHERE source = 'cardmarket_chart' ORDER BY observed_at";
    assert_eq!(
        lines(&database, rows).await,
        ["market 3.10 2026-11-23 00:00:00 2026-11-24 10:00:00 0", "market 3.15 2026-11-24 00:00:00 2026-11-24 10:00:00 0"]
    );
}

/// A dice that falls alike in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

#[tokio::test]
async fn in_a_day_with_five_hundred_wishes_and_two_restarts_no_hour_has_more_pages_than_allowed() {
    let database = Database::migrated().await;
    let mut store = database.store().await;
    let began: DateTime<Utc> = "2026-11-24T00:00:00Z".parse().unwrap();
    database
        .superuser()
        .await
        .execute(
            "INSERT INTO card_products SELECT 'cardmarket', n::text, 'x-' || n, 'unique', 'test' FROM generate_series(1, 500) AS n;
             INSERT INTO scrape_wishes (card_id, event, expected, wished_at, expires_at)
                SELECT 'x-' || n, 'event:' || n / 10, n, '2026-11-24', '2026-11-26' FROM generate_series(1, 500) AS n",
        )
        .await
        .unwrap();
    let mut dice = Dice(7);
    let mut now = began;
    let mut loads: Vec<(DateTime<Utc>, String)> = Vec::new();
    let mut restarts = vec![began + TimeDelta::hours(5), began + TimeDelta::hours(14)];
    while now < began + TimeDelta::hours(24) {
        let (worker, _news) = pages(&store, now);
        match worker.claim(now, u32::try_from(dice.next(1_001)).unwrap()).await.unwrap() {
            // nothing is wished for: it would look again and again
            Claim::Later(until) if until == now + TimeDelta::seconds(5) => now += TimeDelta::minutes(10),
            Claim::Later(until) => now = until.max(now + TimeDelta::milliseconds(1)),
            Claim::Page { page, wanted } => {
                loads.push((now, wanted.card.to_string()));
                if restarts.first().is_some_and(|at| now >= *at) {
                    // killed while the page loads: nobody ever hears how it ended
                    restarts.remove(0);
                    drop(worker);
                    store.close().await;
                    store = database.store().await;
                    continue;
                }
                let outcome = match dice.next(40) {
                    0 => Err(Ending::RateLimited),
                    1..4 => Err(Ending::Unreadable),
                    4..8 => Err(Ending::Empty),
                    _ => Ok(sight(Method::Selectors, vec![offer(Some("alice"), "3.20")], Reach::All)),
                };
                worker.take_in(&wanted, page, told(outcome)).await.unwrap();
                now += TimeDelta::milliseconds(i64::try_from(dice.next(1_500)).unwrap());
            }
        }
    }
    assert!(restarts.is_empty());
    for (at, _) in &loads {
        let hour = loads.iter().filter(|(other, _)| (*at..*at + TimeDelta::hours(1)).contains(other)).count();
        assert!(hour <= 30, "{hour} pages in the hour from {at}");
    }
    let gaps = loads.windows(2).map(|two| two[1].0 - two[0].0);
    assert!(gaps.min().unwrap() >= TimeDelta::seconds(2), "and they keep their distance");
    assert!(loads.len() >= 450, "{} pages were loaded", loads.len());
    assert_eq!(
        count(&database, "scrape_pages").await,
        i64::try_from(loads.len()).unwrap(),
        "each load was written down, also one that was killed"
    );
    assert_eq!(count(&database, "scrape_pages WHERE outcome IS NULL").await, 2);
    let first: Vec<&str> = loads.iter().take(3).map(|(_, card)| card.as_str()).collect();
    assert_eq!(first, ["x-500", "x-499", "x-498"], "what is expected to bring most goes first");
}

#[tokio::test]
async fn an_event_costs_twenty_pages_at_most_and_a_challenge_pauses_all() {
    let database = Database::migrated().await;
    let store = database.store().await;
    let began: DateTime<Utc> = "2026-11-24T00:00:00Z".parse().unwrap();
    database
        .superuser()
        .await
        .execute(
            "INSERT INTO card_products SELECT 'cardmarket', n::text, 'x-' || n, 'unique', 'test' FROM generate_series(1, 30) AS n;
             INSERT INTO card_products VALUES ('cardmarket', '100', 'x-1', 'ordered', 'test');
             INSERT INTO scrape_wishes (card_id, event, expected, wished_at, expires_at)
                SELECT 'x-' || n, 'one', n, '2026-11-24', '2026-11-26' FROM generate_series(1, 30) AS n",
        )
        .await
        .unwrap();
    let (worker, _news) = pages(&store, began);
    let mut now = began;
    for _ in 0..20 {
        let Claim::Page { page, wanted } = worker.claim(now, 0).await.unwrap() else { panic!("a page is wished for") };
        worker.take_in(&wanted, page, told(Err(Ending::Empty))).await.unwrap();
        now += TimeDelta::seconds(10);
    }
    assert!(matches!(worker.claim(now, 0).await.unwrap(), Claim::Later(until) if until == now + TimeDelta::seconds(5)));
    assert_eq!(count(&database, "scrape_wishes WHERE done_at IS NULL").await, 9, "the card of two products was given up");

    let another = [CardId::new("x-2").unwrap(), CardId::new("x-30").unwrap()];
    let mut tx = store.service().await.unwrap();
    assert_eq!(wishes::ask(&mut tx, "two", &another, wishes::Which::All, now).await.unwrap(), 1, "a page of just now is good enough");
    tx.commit().await.unwrap();
    let Claim::Page { page, wanted } = worker.claim(now, 0).await.unwrap() else { panic!("the second event has its own pages") };
    assert_eq!(wanted.event, "two");
    worker.take_in(&wanted, page, told(Err(Ending::Blocked))).await.unwrap();
    // the scraper's own clock stands at the beginning: its pause is an hour from there
    let Claim::Later(until) = worker.claim(now, 0).await.unwrap() else { panic!("the site wants to know whether we are human") };
    assert!(until <= began + TimeDelta::hours(1) && until > now);
    assert_eq!(lines(&database, "SELECT outcome FROM scrape_pages ORDER BY page_id DESC LIMIT 1").await, ["blocked"]);
    assert_eq!(count(&database, "scrape_wishes WHERE event = 'two' AND done_at IS NULL").await, 1, "the wish stays");
}

/// Deals of a simulated market whose prices of Cardmarket's are a day old, and somebody who loads pages.
async fn stage(now: DateTime<Utc>) -> (Database, Store, Rounds) {
    let database = Database::migrated().await;
    let store = database.store().await;
    market(&store, now, crate::live::MANY).await;
    let mut tx = store.service().await.unwrap();
    tcg_radar::store::pages::awake(&mut tx, Some(now + TimeDelta::minutes(5))).await.unwrap();
    tx.commit().await.unwrap();
    let rounds = Rounds::new(scanner(&store, &live(shipped(), None)));
    (database, store, rounds)
}

const DUE: &str = "SELECT concat_ws(' ', card_id, routings.due_at) FROM routings JOIN opportunities USING (opportunity_id)
    WHERE EXISTS (SELECT FROM scrape_wishes AS wish WHERE wish.card_id = opportunities.card_id) AND buy_market = 'cardmarket' ORDER BY 1";

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_at_a_stale_price_waits_for_a_look_but_not_for_long_and_not_in_vain() {
    let now: DateTime<Utc> = "2026-11-24T12:00:00Z".parse().unwrap();
    let (database, store, mut rounds) = stage(now).await;
    rounds.scan(Look::Everything, now).await.unwrap();
    let wished = count(&database, "scrape_wishes").await;
    assert!((1..=20).contains(&wished), "{wished} cards are wished for");
    // of all deals at a stale price those that bring most
    let brings = "SELECT card_id, max(net_profit) AS best FROM opportunities AS o JOIN decisions USING (opportunity_id)
        WHERE verdict = 'signal' AND buy_market = 'cardmarket' AND o.buy_observed_at < '2026-11-24T08:00:00Z' GROUP BY card_id";
    let less = format!(
        "SELECT count(*)::text FROM ({brings}) AS other WHERE card_id NOT IN (SELECT card_id FROM scrape_wishes)
        AND best > (SELECT min(expected) FROM scrape_wishes)"
    );
    assert_eq!(lines(&database, &less).await, ["0"]);

    let mut tx = store.service().await.unwrap();
    routings::adopt(&mut tx, now).await.unwrap();
    tx.commit().await.unwrap();
    let held = lines(&database, DUE).await;
    assert!(!held.is_empty() && held.iter().all(|line| line.contains("12:10:00")), "held ten minutes: {held:?}");
    let others = "routings JOIN opportunities USING (opportunity_id) WHERE due_at = '2026-11-24T12:00:00Z'";
    assert!(count(&database, others).await > 0, "nothing else waits");

    // the same market again: what was wished for is not wished for twice
    rounds.scan(Look::Everything, now + TimeDelta::minutes(1)).await.unwrap();
    assert_eq!(count(&database, "scrape_wishes").await, wished);

    // the site refuses: nobody waits for what will not come
    let (worker, _news) = pages(&store, now);
    let Claim::Page { page, wanted } = worker.claim(now, 0).await.unwrap() else { panic!("a page is wished for") };
    worker.take_in(&wanted, page, told(Err(Ending::RateLimited))).await.unwrap();
    assert!(lines(&database, DUE).await.iter().all(|line| line.contains("12:00:00")));
    rounds.scan(Look::Everything, now + TimeDelta::minutes(2)).await.unwrap();
    assert_eq!(count(&database, "scrape_wishes WHERE hold_until IS NOT NULL AND done_at IS NULL").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_the_sellers_decides_a_deal_in_place_of_yesterdays_prices() {
    let Some(found) = programs() else { return };
    let now = Utc::now();
    let (database, store, mut rounds) = stage(now).await;
    rounds.scan(Look::Everything, now).await.unwrap();
    let deals = "SELECT DISTINCT ON (expected, wish.card_id) concat_ws(' ', wish.card_id, pair.external_id, o.buy_price, o.opportunity_id)
        FROM scrape_wishes AS wish JOIN card_products AS pair ON pair.card_id = wish.card_id AND pair.market = 'cardmarket'
        JOIN opportunities AS o ON o.card_id = wish.card_id AND o.buy_market = 'cardmarket' AND o.state = 'live'
        ORDER BY expected DESC, wish.card_id LIMIT 3";
    let deals: Vec<Vec<String>> = lines(&database, deals).await.iter().map(|line| line.split(' ').map(str::to_owned).collect()).collect();
    assert_eq!(deals.len(), 3);

    // today the first asks three times as much, the second a little less, and the third is sold
    let mut shelves = Shelves::default();
    let price =
        |deal: &[String], hundredths: i64| (deal[2].parse::<Decimal>().unwrap() * Decimal::new(hundredths, 2)).round_dp(2).to_string();
    let today = now.date_naive();
    let stock = [
        vec![ware("dear", Grade::NearMint, &price(&deals[0], 300), Some("99.5"), Some(900))],
        vec![
            ware("bait", Grade::NearMint, &price(&deals[1], 90), Some("80"), Some(900)),
            ware("fair", Grade::NearMint, &price(&deals[1], 97), Some("99.5"), Some(900)),
        ],
        Vec::new(),
    ];
    for (deal, wares) in deals.iter().zip(stock) {
        shelves.put(today, Product { id: deal[1].clone(), card_id: deal[0].clone(), name: deal[0].clone(), wares, averages: Vec::new() });
    }
    let shop = Cardmarket::start(shelves, Clock::machine(), 0).await.unwrap();
    shop.behave("", Manner::Markup);
    let driver = found.driver.display().to_string();
    let scraping = settings(&shop, &[("ENABLE_LAYER_3_SCRAPING", "true"), ("PLAYWRIGHT_CLI_JS", &driver)]);
    let (changed, mut news) = broadcast::channel(64);
    let mut worker = Pages::new(store.clone(), scraping, folder().path().into(), Decimal::TEN, changed, Clock::machine()).unwrap();
    for deal in &deals {
        let wanted = Wanted { card: CardId::new(&deal[0]).unwrap(), product: deal[1].clone(), event: "stale".to_owned() };
        sqlx::query("UPDATE scrape_pace SET not_before = NULL").execute(&mut database.superuser().await).await.unwrap();
        let loaded = worker.load_now(&wanted, false).await.unwrap();
        assert!(matches!(loaded.outcome(), "selectors" | "empty"), "{:?}", loaded.visit);
    }
    worker.close().await;
    assert!(news.try_recv().is_ok(), "the scan is told");

    let Turn::Scanned(report) = rounds.scan(Look::Changed, Utc::now()).await.unwrap() else { panic!("prices have changed") };
    let states: BTreeMap<String, String> =
        lines(&database, "SELECT concat_ws(' ', opportunity_id, state, state_reason) FROM opportunities WHERE state IS NOT NULL")
            .await
            .iter()
            .map(|line| line.split_once(' ').map(|(id, state)| (id.to_owned(), state.to_owned())).unwrap())
            .collect();
    for deal in &deals {
        assert_eq!(states[&deal[3]], "withdrawn ROUTE_GONE", "{}: nobody buys at yesterday's price", deal[0]);
    }
    let of_second: Vec<_> = report.signals.iter().filter(|found| found.opportunity.card_id.as_str() == deals[1][0]).collect();
    assert!(!of_second.is_empty(), "the fair offer is a deal");
    assert!(of_second.iter().all(|found| found.opportunity.seller_id.as_deref() == Some("fair")), "and the bait is none");
    let buy = &of_second[0].decision.facts;
    assert_eq!(buy["buy_shipping"], "1.15", "the offer's own postage counts");
    assert!(
        report
            .signals
            .iter()
            .all(|found| found.opportunity.card_id.as_str() != deals[0][0] && found.opportunity.card_id.as_str() != deals[2][0])
    );
    assert_eq!(shop.loads(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_scraping_is_off_no_page_is_asked_for() {
    let stage = Stage::new().await;
    let now = Utc::now();
    market(&stage.store, now, crate::live::FEW).await;
    let shop = Cardmarket::start(Shelves::default(), Clock::machine(), 0).await.unwrap();
    sqlx::query("INSERT INTO scrape_wishes (card_id, event, expected, wished_at, expires_at) SELECT card_id, 'test', 1, now(), now() + interval '1 day' FROM card_products WHERE market = 'cardmarket'")
        .execute(&mut stage.database.superuser().await)
        .await
        .unwrap();
    let base = format!("http://{}", shop.address());
    let variables =
        [("SCRAPE_STAND_IN_URL", base.as_str()), ("ANTHROPIC_API_KEY", "k"), ("VISION_MODEL_ID", "m"), ("SOURCES_OFF", crate::feeds::ALL)];
    let service = crate::live::Service::start_with(&stage, &variables);
    service.says_all(&["scan_finished"]);
    let log = service.ends();
    assert!(!log.contains("page_"), "{log}");
    let url = stage.database.server.url(false);
    let asked = program(stage.folder.path(), &[("DATABASE_URL", &url), ("SCRAPE_STAND_IN_URL", &base)], &["scrape", "--card", "sv1-25"]);
    assert_eq!(asked.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("ENABLE_LAYER_3_SCRAPING=true"));
    assert_eq!(shop.log(), Vec::<String>::new(), "no request left");
    assert_eq!(count(&stage.database, "scrape_pages").await, 0);
}
