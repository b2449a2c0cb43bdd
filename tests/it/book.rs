//! The book shows what was known at a moment, and nothing later, whatever its sources are shifted by.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use tcg_radar::{
    domain::{
        book::{Book, PriceSeries, SourceShift},
        card::{CardId, Finish, Printing},
        condition::{Condition, Grade, Scale},
        market::Market,
        money::Currency,
        observation::{Activity, Listing, Observation, PriceKind, Subject},
    },
    ingest::{Batch, write_batch},
    store::book,
};

use crate::import::{Desk, LONG, now};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

async fn load(desk: &Desk, as_of: &str, shifts: &[SourceShift], days: u32) -> Book {
    let store = desk.database.store().await;
    book::load(&mut store.service().await.unwrap(), at(as_of), shifts, days).await.unwrap()
}

fn shift(source: &str, days: i64) -> SourceShift {
    SourceShift { source: source.into(), days }
}

fn only(book: &Book) -> &PriceSeries {
    assert_eq!(book.series.len(), 1, "{:#?}", book.series);
    &book.series[0]
}

fn prices(series: &PriceSeries) -> Vec<String> {
    series.history.iter().map(|point| point.price.map_or_else(|| "-".into(), |price| price.normalize().to_string())).collect()
}

/// One card's EU price on five days of March; the 20th has a low offer only.
async fn march() -> Desk {
    let desk = Desk::new().await;
    let row = |day: &str, price: &str, low: &str| format!("2026-03-{day},tst1-1,a,EU,EUR,,,trend,{price},{low},,\n");
    let rows = [row("01", "1.00", ""), row("10", "1.10", ""), row("16", "1.20", "0.90"), row("20", "", "0.80"), row("25", "1.40", "")];
    desk.take("march.csv", &format!("{LONG}{}", rows.concat())).await;
    desk.take("cards.json", r#"[{"id": "tst1-1", "name": "Testmon", "supertype": "Pokémon", "number": "1"}]"#).await;
    desk
}

#[tokio::test]
async fn what_was_not_known_yet_is_not_in_the_book() {
    let desk = march().await;
    // the row of the 16th is known when that day is over
    let before = load(&desk, "2026-03-16T23:59:59Z", &[], 60).await;
    assert_eq!(only(&before).latest.price, Some(d("1.10")));
    let after = load(&desk, "2026-03-17T00:00:00Z", &[], 60).await;
    assert_eq!((only(&after).latest.price, only(&after).latest.low), (Some(d("1.20")), Some(d("0.90"))));
    assert_eq!(prices(only(&after)), ["1", "1.1", "1.2"]);
    assert!(load(&desk, "2026-03-01T12:00:00Z", &[], 60).await.series.is_empty());
}

#[tokio::test]
async fn the_latest_row_is_there_however_old_but_history_ends_at_its_window() {
    let desk = march().await;
    let book = load(&desk, "2027-01-01T00:00:00Z", &[], 60).await;
    assert_eq!(only(&book).latest.price, Some(d("1.40")));
    assert!(only(&book).history.is_empty());
    let book = load(&desk, "2026-03-26T00:00:00Z", &[], 10).await;
    assert_eq!(prices(only(&book)), ["1.2", "-", "1.4"]);
}

#[tokio::test]
async fn a_latest_row_without_a_price_is_still_the_latest() {
    let desk = march().await;
    let book = load(&desk, "2026-03-22T00:00:00Z", &[], 60).await;
    assert_eq!((only(&book).latest.price, only(&book).latest.low), (None, Some(d("0.80"))));
}

#[tokio::test]
async fn a_shift_moves_both_clocks_of_its_source_and_of_no_other() {
    let desk = march().await;
    desk.take("b.csv", &format!("{LONG}2026-03-16,tst1-1,b,EU,EUR,,,trend,7.00,,,\n")).await;
    let book = load(&desk, "2026-02-27T12:00:00Z", &[shift("a", -10)], 60).await;
    let series = only(&book);
    assert_eq!((&*series.source, series.latest.price), ("a", Some(d("1.00"))));
    assert_eq!(series.latest.observed_at, at("2026-02-19T00:00:00Z"));
    assert_eq!(series.latest.known_at, at("2026-02-20T00:00:00Z"));
    assert_eq!(series.history[0].at, at("2026-02-19T00:00:00Z"));

    let later = load(&desk, "2026-09-01T00:00:00Z", &[shift("a", 160)], 30).await;
    assert_eq!(later.series.len(), 2);
    assert_eq!(prices(&later.series[0]), ["1", "1.1", "1.2", "-"], "the 25th of March is the 1st of September, not over yet");
    assert!(later.series[1].history.is_empty(), "b stayed in March");
}

#[tokio::test]
async fn a_correction_counts_from_the_moment_that_it_was_known() {
    let desk = Desk::new().await;
    let store = desk.database.store().await;
    for (price, known) in [("1.00", "2026-03-17T00:00:00Z"), ("2.00", "2026-03-20T00:00:00Z")] {
        let mut tx = store.service().await.unwrap();
        let batch = Batch { observations: vec![observation(price, known)], ..Batch::default() };
        write_batch(&mut tx, &batch, now()).await.unwrap();
        tx.commit().await.unwrap();
    }
    let before = load(&desk, "2026-03-19T00:00:00Z", &[], 60).await;
    assert_eq!((only(&before).latest.price, prices(only(&before))), (Some(d("1.00")), vec!["1".to_owned()]));
    let after = load(&desk, "2026-03-20T00:00:00Z", &[], 60).await;
    assert_eq!((only(&after).latest.price, prices(only(&after))), (Some(d("2.00")), vec!["2".to_owned()]));
}

fn observation(price: &str, known_at: &str) -> Observation {
    Observation {
        subject: Subject::Card(CardId::new("tst1-1").unwrap()),
        source: "shop".into(),
        market: Market::Cardmarket,
        currency: Currency::Eur,
        finish: Finish::english(Printing::Holofoil),
        condition: Some(Condition { scale: Scale::Cardmarket, grade: Grade::NearMint }),
        kind: PriceKind::Listing,
        price: Some(d(price)),
        low: None,
        mid: None,
        high: None,
        listing: Some(Listing {
            seller_id: "anna\tof \\ Berlin".into(),
            seller_rating: Some(d("99.5")),
            seller_sales: Some(0),
            shipping: Some(d("1.15")),
        }),
        observed_at: at("2026-03-16T00:00:00Z"),
        known_at: at(known_at),
    }
}

#[tokio::test]
async fn a_batch_comes_back_as_it_was_told() {
    let desk = march().await;
    let told = observation("3.50", "2026-03-16T00:00:00Z");
    let counted = Activity {
        subject: told.subject.clone(),
        source: "counter".into(),
        market: Market::Tcgplayer,
        finish: Finish::english(Printing::Holofoil),
        sales_30d: Some(0),
        active_listings: None,
        observed_at: at("2026-03-16T00:00:00Z"),
        known_at: at("2026-03-16T00:00:00Z"),
    };
    let batch = Batch { observations: vec![told.clone()], activity: vec![counted.clone(), counted], ..Batch::default() };
    let store = desk.database.store().await;
    let mut tx = store.service().await.unwrap();
    let counts = write_batch(&mut tx, &batch, now()).await.unwrap();
    assert_eq!((counts.observations.new, counts.activity.new, counts.activity.unchanged), (1, 1, 1));
    // a second write in the same transaction meets its own rows
    let again = write_batch(&mut tx, &batch, now()).await.unwrap();
    assert_eq!((again.total().new, again.total().changed), (0, 0));
    tx.commit().await.unwrap();

    let book = load(&desk, "2026-03-16T12:00:00Z", &[], 60).await;
    let listing = book.series.iter().find(|series| series.kind == PriceKind::Listing).unwrap();
    assert_eq!(
        (&*listing.source, listing.market, listing.finish, listing.condition),
        ("shop", Market::Cardmarket, told.finish, told.condition)
    );
    assert_eq!(listing.seller_id.as_deref(), Some("anna\tof \\ Berlin"));
    let quote = &listing.latest;
    assert_eq!(
        (quote.price, quote.shipping, quote.seller_rating, quote.seller_sales),
        (Some(d("3.50")), Some(d("1.15")), Some(d("99.5")), Some(0))
    );
    assert_eq!((book.activity.len(), book.activity[0].sales_30d, book.activity[0].active_listings), (1, Some(0), None));
    assert_eq!(book.card(book.activity[0].card).map(|card| card.name.as_str()), Some("Testmon"));
}

#[tokio::test]
async fn a_product_is_every_card_that_the_crosswalk_says_and_its_doubt_is_told() {
    let desk = march().await;
    desk.take("more.json", r#"[{"id": "tst1-2", "name": "Othermon", "supertype": "Pokémon", "number": "2"}]"#).await;
    let pairs = "card_id,tcgplayer_product_id,method,order_check\ntst1-1,42,unique,\ntst1-2,42,order-by-name,off\ntst1-2,43,unique,\n";
    desk.take("pairs.csv", pairs).await;
    let days = "date,source,market,currency,category_id,group_id,product_id,variant,low,mid,high,market_price,direct_low\n";
    let row = |product: &str| format!("2026-03-22,tcgcsv,US,USD,3,1,{product},Normal,1,2,3,1.5,\n");
    desk.take("days.csv", &[days.to_owned(), row("42"), row("43"), row("44")].concat()).await;
    let book = load(&desk, "2026-03-23T00:00:00Z", &[], 60).await;
    let of = |product: &str| {
        let subject = Subject::Product { market: Market::Tcgplayer, id: product.into() };
        let series = book.series.iter().find(|series| series.subject == subject).unwrap();
        (series.cards.iter().map(|card| card.0).collect::<Vec<_>>(), series.doubted)
    };
    assert_eq!((of("42"), of("43"), of("44")), ((vec![0, 1], true), (vec![1], false), (vec![], false)));
}

#[tokio::test]
async fn the_rates_are_the_last_ones_known() {
    let desk = Desk::new().await;
    desk.take("rates.csv", "Date,USD,GBP\n2026-10-30,1.1172,0.8338\n2026-10-29,1.1130,0.83578\n2026-10-28,N/A,0.8\n").await;
    let rates = load(&desk, "2026-10-30T12:00:00Z", &[], 60).await.rates.unwrap();
    assert_eq!(
        (rates.usd_per_eur, rates.gbp_per_eur, rates.origin.date.to_string()),
        (d("1.1130"), Some(d("0.83578")), "2026-10-29".to_owned())
    );
    assert!(load(&desk, "2026-10-29T12:00:00Z", &[], 60).await.rates.is_none());
}
