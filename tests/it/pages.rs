//! A real Chromium before a stand-in of Cardmarket: each method on the page made for it, the site's refusals, and pages that
//! mean harm. One browser serves all tests.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, LazyLock, Mutex},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use tcg_radar::{
    clock::Clock,
    config::{Config, scraping::Scraping},
    domain::{
        card::CardId,
        condition::Grade,
        observation::Listing,
        page::{Ending, Method, Reach},
    },
    scrape::{
        driver::{Driver, Found},
        site::Site,
        vision::{Eye, QUESTION},
        visit::{Errand, Limits, Visit},
    },
    simulate::cardmarket::{Cardmarket, Malice, Manner, Product, Shelves, Ware},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::OnceCell,
};

/// Tests run on runtimes of their own; what they share needs one that outlives them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());
static RIG: OnceCell<Option<Rig>> = OnceCell::const_new();

struct Rig {
    driver: Driver,
    shop: Cardmarket,
    site: Site,
    eye: Eye,
    /// Who knocked at an address that nobody may reach.
    knocks: Arc<Mutex<Vec<String>>>,
}

/// Where `.ci/run` puts Playwright's driver, unless variables say otherwise.
pub fn programs() -> Option<Found> {
    let scraping = Config::from_lookup(|name| std::env::var(name).ok()).unwrap().scraping;
    match Found::look(&scraping.programs, &Path::new(env!("CARGO_MANIFEST_DIR")).join("data")) {
        Ok(found) => Some(found),
        Err(missing) => {
            println!("SKIPPED: {missing}");
            None
        }
    }
}

pub fn settings(shop: &Cardmarket, more: &[(&str, &str)]) -> Scraping {
    let mut variables: Vec<(String, String)> = shop.variables().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Config::from_lookup(|name| variables.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.clone())).unwrap().scraping
}

pub fn now() -> DateTime<Utc> {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

pub fn ware(seller: &str, grade: Grade, price: &str, rating: Option<&str>, sales: Option<i64>) -> Ware {
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    let listing =
        Listing { seller_id: seller.to_owned(), seller_rating: rating.map(decimal), seller_sales: sales, shipping: Some(decimal("1.15")) };
    Ware { listing, grade, price: decimal(price) }
}

/// A card with two offers, under as many numbers as there are manners to try.
fn shelves() -> Shelves {
    let mut shelves = Shelves::default();
    let from = "2026-11-01".parse().unwrap();
    for number in 1..=40 {
        let wares = vec![
            ware("Müller & <b>Söhne</b>", Grade::Excellent, "1234.56", Some("99.5"), Some(12_345)),
            ware("alice", Grade::NearMint, "1300", Some("98.1"), Some(210)),
        ];
        let averages =
            vec![("2026-11-22".parse().unwrap(), Decimal::new(1_250, 0)), ("2026-11-23".parse().unwrap(), Decimal::new(124_050, 2))];
        shelves.put(from, Product { id: number.to_string(), card_id: "sv1-25".to_owned(), name: "Pikachu".to_owned(), wares, averages });
    }
    let bare = Product {
        id: "bare".to_owned(),
        card_id: "sv1-25".to_owned(),
        name: "Pikachu".to_owned(),
        wares: Vec::new(),
        averages: Vec::new(),
    };
    shelves.put(from, bare);
    shelves
}

async fn rig() -> Option<&'static Rig> {
    let start = async || {
        let found = programs()?;
        let shop = Cardmarket::start(shelves(), Clock::of(now), 0).await.unwrap();
        let (target, knocks) = trap().await;
        shop.aim(target);
        let scraping = settings(&shop, &[]);
        let site = Site::new(scraping.stand_in.as_ref());
        let driver = Driver::start(&found, &site, None).await.unwrap();
        let (key, model) = scraping.vision.usable().unwrap();
        let eye = Eye::new(&scraping.vision.base, key.clone(), model.to_owned()).unwrap();
        Some(Rig { driver, shop, site, eye, knocks })
    };
    RIG.get_or_init(start).await.as_ref()
}

/// An address of this machine that writes down whatever comes.
async fn trap() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let knocks = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&knocks);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut first = [0; 64];
            let read = stream.read(&mut first).await.unwrap_or_default();
            seen.lock().unwrap().push(String::from_utf8_lossy(&first[..read]).into_owned());
        }
    });
    (address, knocks)
}

impl Rig {
    async fn visit(&self, product: &str, manner: Manner) -> Visit {
        self.visit_within(product, manner, &Limits { quiet: Duration::from_secs(3), ..Limits::USUAL }).await
    }

    async fn visit_within(&self, product: &str, manner: Manner, limits: &Limits) -> Visit {
        self.shop.behave(product, manner);
        let card = CardId::new("sv1-25").unwrap();
        let errand = Errand { card: &card, product, now: now(), picture: false };
        self.driver.visit(&self.site, errand, Some(&self.eye), limits).await
    }
}

/// Limits that are meant to be reached by a page that never comes to its end, and by nothing else: a machine that builds
/// beside the test may need seconds for what usually takes a tenth of one.
fn within(seconds: u64) -> Limits {
    Limits { load: Duration::from_secs(seconds), quiet: Duration::from_secs(3), ..Limits::USUAL }
}

#[test]
fn each_method_wins_on_the_page_made_for_it() {
    RUNTIME.block_on(async {
        let Some(rig) = rig().await else { return };
        let data = rig.visit("1", Manner::Data).await;
        let sight = data.outcome.unwrap_or_else(|ending| panic!("{ending}: {:?}", data.told));
        let best = sight.best().unwrap();
        assert_eq!((sight.method, best.price.to_string(), best.sales), (Method::Interception, "1234.56".to_owned(), Some(12_345)));
        assert_eq!(best.seller.as_deref(), Some("Müller & <b>Söhne</b>"));
        assert_eq!(sight.averages.len(), 2, "the chart is read, too");
        assert_eq!(sight.averages[1].1.to_string(), "1240.50");

        let list = rig.visit("2", Manner::List).await.outcome.unwrap();
        assert_eq!((list.method, list.offers.len(), list.reach), (Method::Interception, 2, Reach::All));

        let markup = rig.visit("3", Manner::Markup).await;
        let sight = markup.outcome.unwrap_or_else(|ending| panic!("{ending}: {:?}", markup.told));
        assert_eq!((sight.method, sight.offers.len(), sight.reach), (Method::Selectors, 2, Reach::All));
        let best = sight.best().unwrap();
        assert_eq!(best.seller.as_deref(), Some("Müller & <b>Söhne</b>"));
        assert_eq!((best.price.to_string(), best.shipping.unwrap().to_string()), ("1234.56".to_owned(), "1.15".to_owned()));
        assert_eq!((best.rating.unwrap().to_string(), best.sales), ("99.50".to_owned(), Some(12_345)));
        assert_eq!(best.condition.unwrap().grade, Grade::Excellent);

        let before = rig.shop.pictures().len();
        let seen = rig.visit("4", Manner::Picture).await;
        let sight = seen.outcome.unwrap_or_else(|ending| panic!("{ending}: {:?}", seen.told));
        assert_eq!((sight.method, sight.offers[0].price.to_string()), (Method::Vision, "1234.56".to_owned()));
        assert_eq!(seen.told.len(), 2, "both other methods said why not: {:?}", seen.told);
        let pictures = rig.shop.pictures();
        let content = pictures[before]["messages"][0]["content"].as_array().unwrap();
        assert_eq!((pictures.len() - before, content.len()), (1, 2), "one question, of a picture and a text");
        assert_eq!((content[0]["type"].as_str(), content[1]["text"].as_str()), (Some("image"), Some(QUESTION)));
        let fields: Vec<_> = pictures[before].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["model", "max_tokens", "messages"], "nothing else of the page leaves");
    });
}

#[test]
fn what_the_site_refuses_is_told_apart_and_is_never_no_offers() {
    RUNTIME.block_on(async {
        let Some(rig) = rig().await else { return };
        for (product, manner, ending) in [
            ("5", Manner::Challenge, Ending::Blocked),
            ("6", Manner::Busy, Ending::RateLimited),
            ("7", Manner::Other, Ending::WrongProduct),
            ("unknown", Manner::Markup, Ending::WrongProduct),
            ("bare", Manner::Markup, Ending::Empty),
            ("8", Manner::Slow(60_000), Ending::TimedOut),
        ] {
            let visit = rig.visit_within(product, manner, &within(8)).await;
            assert_eq!(visit.outcome.as_ref().err(), Some(&ending), "{manner:?}: {:?}", visit.told);
            assert!(visit.is_sound, "{manner:?}");
        }
        let slow = rig.visit("9", Manner::Slow(500)).await;
        assert_eq!(slow.outcome.unwrap().method, Method::Selectors);
        let half = rig.visit_within("10", Manner::Half, &within(8)).await;
        let sight = half.outcome.unwrap_or_else(|ending| panic!("{ending}: {:?}", half.told));
        assert_eq!(
            (sight.method, sight.offers.len()),
            (Method::Interception, 1),
            "what was fetched counts, though the page never came to its end"
        );
    });
}

#[test]
fn figures_that_no_card_costs_are_not_taken_from_a_page() {
    RUNTIME.block_on(async {
        let Some(rig) = rig().await else { return };
        for bad in ["-5.00", "0", "1000000000000", "\"1.234,56 €\"", "\"€1,250.00\"", "null", "1e400", "\"12\\u200b34\""] {
            rig.shop.fetches("11", &format!("{{\"price\": {bad}, \"sellerId\": \"x\"}}"));
            let visit = rig.visit("11", Manner::Data).await;
            // the model is shown a page without a visible price; the stand-in answers as if it saw one
            match visit.outcome {
                Ok(sight) => assert_eq!((sight.method, sight.offers[0].price.to_string().as_str()), (Method::Vision, "1234.56"), "{bad}"),
                Err(ending) => panic!("{bad}: {ending}: {:?}", visit.told),
            }
        }
        rig.shop.fetches("11", "{\"price\": \"9.00\", \"sellerId\": \"Robert'); DROP TABLE listings; --\", \"sellerOtherCards\": [\"\\u0000\", 7, \"sv1-26\"]}");
        let named = rig.visit("11", Manner::Data).await.outcome.unwrap();
        assert_eq!(named.offers[0].seller.as_deref(), Some("Robert'); DROP TABLE listings; --"), "a name is only text");
        assert_eq!(named.others.len(), 2, "an id of a card that cannot be one is left out: {:?}", named.others);
    });
}

#[test]
fn a_page_that_means_harm_does_none() {
    RUNTIME.block_on(async {
        let Some(rig) = rig().await else { return };
        let began = Instant::now();
        for (product, malice) in [
            ("21", Malice::Big),
            ("22", Malice::Redirects),
            ("23", Malice::RedirectHere),
            ("24", Malice::Loop),
            ("25", Malice::Download),
            ("26", Malice::Reach),
            ("27", Malice::LeadOn),
            ("28", Malice::Windows),
        ] {
            let card = CardId::new("sv1-25").unwrap();
            let errand = Errand { card: &card, product, now: now(), picture: false };
            rig.shop.behave(product, Manner::Hostile(malice));
            let visit = rig.driver.visit(&rig.site, errand, None, &within(8)).await;
            let Err(ending) = visit.outcome else { panic!("{malice:?}: no price is on this page") };
            println!("{malice:?}: {ending} after {:?}: {:?}", began.elapsed(), visit.told);
            assert!(visit.is_sound, "{malice:?}");
            let expected: &[Ending] = match malice {
                Malice::Redirects | Malice::RedirectHere | Malice::Download | Malice::LeadOn | Malice::Windows => &[Ending::Hostile],
                Malice::Big | Malice::Reach => &[Ending::Unreadable],
                Malice::Loop => &[Ending::TimedOut],
            };
            assert!(expected.contains(&ending), "{malice:?}: {ending}: {:?}", visit.told);
        }
        assert_eq!(*rig.knocks.lock().unwrap(), Vec::<String>::new(), "nothing of this machine was asked");
        assert!(rig.shop.log().iter().filter(|line| line.starts_with("/again/")).count() < 25, "redirections end");
        let after = rig.visit("29", Manner::Markup).await;
        assert_eq!(after.outcome.unwrap().offers.len(), 2, "and the browser is as good as before");
    });
}

/// A proxy that leads everything to one address and writes down what it was asked: of HTTP the first line, and whether the
/// password was right; of SOCKS the name.
async fn proxy(to: SocketAddr) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(relay(stream, to, Arc::clone(&seen)));
        }
    });
    (address, asked)
}

async fn relay(mut stream: TcpStream, to: SocketAddr, seen: Arc<Mutex<Vec<String>>>) {
    let mut first = vec![0; 8192];
    let read = stream.read(&mut first).await.unwrap_or_default();
    first.truncate(read);
    let mut onward = TcpStream::connect(to).await.unwrap();
    if first.first() == Some(&5) {
        // SOCKS5 without a password: a greeting, then the name and the port
        stream.write_all(&[5, 0]).await.unwrap();
        let mut request = [0; 512];
        let read = stream.read(&mut request).await.unwrap();
        seen.lock().unwrap().push(String::from_utf8_lossy(&request[5..read - 2]).into_owned());
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    } else {
        let text = String::from_utf8_lossy(&first).into_owned();
        // u:p@ss
        if !text.contains("Basic dTpwQHNz") {
            let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
            return;
        }
        seen.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
        onward.write_all(&first).await.unwrap();
    }
    let _ = copy_bidirectional(&mut stream, &mut onward).await;
}

#[test]
fn pages_are_asked_through_the_proxy_with_its_password() {
    RUNTIME.block_on(async {
        let (Some(rig), Some(found)) = (rig().await, programs()) else { return };
        rig.shop.behave("31", Manner::Markup);
        let card = CardId::new("sv1-25").unwrap();
        let errand = Errand { card: &card, product: "31", now: now(), picture: false };
        for (scheme, asked_for) in
            [("http://u:p%40ss@", "GET http://cardmarket.test/en/Pokemon/Products?idProduct=31"), ("socks5://", "cardmarket.test")]
        {
            let (address, asked) = proxy(rig.shop.address()).await;
            let url = format!("{scheme}{address}").into();
            let driver = Driver::start(&found, &rig.site, Some(&url)).await.unwrap();
            let visit = driver.visit(&rig.site, errand, None, &within(10)).await;
            driver.stop().await;
            assert_eq!(visit.outcome.unwrap().offers.len(), 2, "{scheme}: {:?}", visit.told);
            let asked = asked.lock().unwrap().clone();
            assert!(asked.iter().any(|line| line.starts_with(asked_for)), "{scheme}: {asked:?}");
            assert!(asked.iter().all(|line| line.contains("cardmarket.test")), "and nothing else: {asked:?}");
        }
    });
}
