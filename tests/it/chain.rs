//! The whole way, with nothing left out: people write about a card, its page is loaded by a real browser, the offer on it
//! changes the decision, and somebody is told.

use chrono::TimeDelta;
use rust_decimal::Decimal;
use tcg_radar::{
    domain::{card::CardId, condition::Grade, message::Channel},
    ingest::pages::Pages,
    route::Router,
    scan::periodic::{Rounds, Wanted},
    simulate::{
        cardmarket::{Cardmarket, Manner, Product, Shelves},
        vendors::{CLIENT, KEY},
    },
};
use tokio::sync::broadcast;

use crate::{
    cluster::{Database, folder},
    deliver::Post,
    events::{ON, Town, event_driven, now, scan, types},
    live::{MANY, live, market, rows, scanner, shipped},
    pages::{programs, settings, ware},
};

/// Deals of Cardmarket's of which the page is known: card, name, number there, and the price.
const DEALS: &str = "SELECT card_id, name, external_id, buy_price FROM (
        SELECT DISTINCT ON (o.card_id) o.card_id, card.name, pair.external_id, o.buy_price, d.net_profit
        FROM opportunities AS o JOIN decisions AS d USING (opportunity_id) JOIN card_metadata AS card USING (card_id)
            JOIN card_products AS pair ON pair.card_id = o.card_id AND pair.market = 'cardmarket'
        WHERE o.state = 'live' AND o.buy_market = 'cardmarket' AND d.verdict = 'signal'
            AND (SELECT count(*) FROM card_products AS other WHERE other.card_id = o.card_id AND other.market = 'cardmarket') = 1
            AND (SELECT count(*) FROM card_metadata AS other WHERE other.name = card.name) = 1
        ORDER BY o.card_id, d.net_profit DESC) AS deal
    ORDER BY net_profit DESC LIMIT 3";

#[tokio::test(flavor = "multi_thread")]
async fn what_people_write_about_leads_to_a_page_whose_offer_becomes_the_signal_that_somebody_gets() {
    let Some(found) = programs() else { return };
    let post = Post::at(Database::migrated().await, now()).await;
    market(&post.store, now(), MANY).await;
    let scanner = scanner(&post.store, &live(shipped(), None));
    let mut rounds = Rounds::new(scanner.clone());
    scan(&mut rounds, Wanted::Everything, now()).await;
    let deals: Vec<(String, String, String, Decimal)> = rows(&post.database, DEALS).await;
    assert_eq!(deals.len(), 3);

    // today somebody asks a little less for each of them
    let mut shelves = Shelves::default();
    for (card_id, name, id, price) in &deals {
        let price = (price * Decimal::new(97, 2)).round_dp(2).to_string();
        let wares = vec![ware("fair", Grade::NearMint, &price, Some("99.5"), Some(900))];
        let product = Product { id: id.clone(), card_id: card_id.clone(), name: name.clone(), wares, averages: Vec::new() };
        shelves.put(now().date_naive(), product);
    }
    let town = Town::on(Database { server: post.database.server.clone() }, now()).await;
    let shop = Cardmarket::start(shelves, town.time.clock(), 0).await.unwrap();
    shop.behave("", Manner::List);

    town.crowd("PokemonTCG", 6, &format!("Everybody wants {}, {} and {}", deals[0].1, deals[1].1, deals[2].1));
    town.fetch(&[ON, ("REDDIT_CLIENT_ID", CLIENT), ("REDDIT_CLIENT_SECRET", KEY)]).await;
    let (social, _news) = town.social();
    let heard = social.step().await.unwrap();
    assert_eq!((heard.spikes.len(), heard.wished), (3, 3), "{:?}", heard.spikes);

    let driver = found.driver.display().to_string();
    let scraping = settings(&shop, &[("ENABLE_LAYER_3_SCRAPING", "true"), ("PLAYWRIGHT_CLI_JS", &driver)]);
    let (changed, mut news) = broadcast::channel(64);
    let home = folder();
    let mut worker = Pages::new(post.store.clone(), scraping, home.path().into(), Decimal::TEN, changed, town.time.clock()).unwrap();
    for _ in 0..12 {
        let again = worker.step().await.unwrap();
        if shop.loads() == 3 {
            break;
        }
        town.time.set(again.max(town.time.now()));
    }
    worker.close().await;
    let ended: Vec<(String,)> = rows(&post.database, "SELECT outcome FROM scrape_pages").await;
    assert_eq!(ended, vec![("interception".to_owned(),); 3]);
    assert!(news.try_recv().is_ok(), "the scan is told");

    let at = town.time.now() + TimeDelta::seconds(1);
    let report = scan(&mut rounds, Wanted::Changed, at).await;
    let card = CardId::new(&deals[0].0).unwrap();
    assert_eq!(types(&report)[&card], event_driven());
    let at_offer = |seller: &Option<String>| seller.as_deref() == Some("fair");
    assert!(report.signals.iter().filter(|one| one.opportunity.card_id == card).all(|one| at_offer(&one.opportunity.seller_id)));

    post.pass(at - post.now());
    let channels = vec![Channel::Telegram, Channel::Discord];
    let router = Router { scanner, channels, window: TimeDelta::minutes(180), send_within: TimeDelta::minutes(30) };
    router.route_once(at).await.unwrap();
    post.drain().await;
    let told: Vec<(String, Option<String>)> = rows(
        &post.database,
        &format!(
            "SELECT DISTINCT d.signal_type, o.seller_id FROM signals AS s JOIN decisions AS d USING (decision_id)
                JOIN opportunities AS o ON o.opportunity_id = s.opportunity_id
            WHERE s.card_id = '{card}' AND s.delivered_at IS NOT NULL"
        ),
    )
    .await;
    assert_eq!(told, [("event_driven".to_owned(), Some("fair".to_owned()))]);
    let seen = post.messengers.seen();
    assert!(seen.iter().flat_map(|chat| &chat.messages).any(|message| message.text.contains(&deals[0].1)), "somebody reads of it");
}
