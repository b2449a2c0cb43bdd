//! Decides a made-up course of prices at one moment, by the way that a scan goes: the series of a pack's own tests.

use chrono::{DateTime, Duration, Utc};

use super::{
    ScanError, Settings,
    ground::Ground,
    judge::best_of_each,
    report::{self, Opportunities},
    windows::Windows,
};
use crate::{
    domain::{
        book::{Book, CardActivity, CardIndex, PriceSeries, Quote},
        card::{Finish, Printing},
        decision::Outcome,
        market::Direction,
        message::Deal,
        observation::{Subject, day_of},
        series::Point,
    },
    rules::{
        lower::Answer,
        pack::Pack,
        testing::{
            course::Told,
            series::{Course, Each, Series},
        },
    },
};

/// Hands over the best route of each direction that has one, as it is decided at a time, and what its tenant would be
/// told.
///
/// # Errors
/// The pack lacks something that every scan needs.
pub fn decide(pack: &Pack, series: &Series, at: DateTime<Utc>, each: &mut Each<'_>) -> Result<(), ScanError> {
    let windows = Windows::read(pack, day_of(at))?;
    let book = book(series, at, windows.longest());
    let settings = Settings { customs_regime: series.regime.clone(), bundle_logic: true, eur_usd_rate: series.rates.usd_per_eur };
    let ground = Ground::of(&book, &windows, pack, &settings)?;
    let profiles = [series.profile.clone()];
    let case = ground.case(pack, &book, &ground.routes, &profiles);
    let judged = case.interpret(&|_| ());
    for best in best_of_each(&judged, case.routes, pack) {
        let told = || {
            let Answer::Signal { .. } = best.answer else { return Err("it is no signal".to_owned()) };
            let found = report::found(&case, &best, Outcome::Signal, &mut Opportunities::default()).ok_or("it cannot be told")?;
            let deal = Deal::of(&found.opportunity, &found.decision, Some(&series.card)).map_err(|fault| fault.to_string())?;
            Ok(deal.words().plain())
        };
        each(case.routes[best.route].direction, &mut case.replay(best.route, best.tenant, &best.aggregates), &told);
    }
    Ok(())
}

/// What is known of the course at a time.
fn book(series: &Series, at: DateTime<Utc>, history_days: i64) -> Book {
    let card = CardIndex(0);
    let counted = CardActivity {
        card,
        market: Direction::EuUs.sell_market(),
        finish: Finish::english(Printing::Plain),
        source: "test".into(),
        sales_30d: series.sales_30d,
        active_listings: series.active_listings,
        observed_at: at,
    };
    let both = Direction::ALL.iter().map(|direction| CardActivity { market: direction.sell_market(), ..counted.clone() });
    Book {
        as_of: at,
        cards: vec![series.card.clone()],
        series: series.prices.iter().flat_map(|course| feed(series, course, at, history_days)).collect(),
        activity: if series.sales_30d.is_some() || series.active_listings.is_some() { both.collect() } else { Vec::new() },
        flags: Vec::new(),
        rates: Some(series.rates.clone()),
    }
}

/// One source's prices up to a time: of the card, and of the companions that nobody trades.
fn feed(series: &Series, course: &Course, at: DateTime<Utc>, history_days: i64) -> Vec<PriceSeries> {
    let since = at - Duration::days(history_days);
    let card = Subject::Card(series.card.card_id.clone());
    let of_card = prices(course, card, vec![CardIndex(0)], rows(series, &course.steps, at), since);
    let of_companions = (0..course.companions).filter_map(|number| {
        let subject = Subject::Product { market: course.market, id: format!("companion {number}") };
        prices(course, subject, Vec::new(), rows(series, &course.of_companions, at), since)
    });
    of_card.into_iter().chain(of_companions).collect()
}

fn rows(series: &Series, steps: &[Told], at: DateTime<Utc>) -> Vec<Point> {
    let told = series.times().into_iter().zip(steps).take_while(|(time, _)| *time <= at);
    told.filter_map(|(time, told)| match told {
        Told::Nothing => None,
        Told::NoPrice => Some(Point { at: time, price: None }),
        Told::Price(price) => Some(Point { at: time, price: Some(*price) }),
    })
    .collect()
}

/// `None` before the first row.
fn prices(course: &Course, subject: Subject, cards: Vec<CardIndex>, rows: Vec<Point>, since: DateTime<Utc>) -> Option<PriceSeries> {
    let latest = *rows.last()?;
    Some(PriceSeries {
        subject,
        cards,
        doubted: false,
        source: course.source.clone(),
        market: course.market,
        currency: course.market.currency(),
        finish: Finish::english(course.printing),
        condition: None,
        kind: course.kind,
        seller_id: None,
        latest: Quote {
            price: latest.price,
            low: None,
            mid: None,
            high: None,
            shipping: None,
            seller_rating: None,
            seller_sales: None,
            observed_at: latest.at,
            known_at: latest.at,
        },
        history: rows.into_iter().filter(|row| row.at >= since).collect(),
    })
}
