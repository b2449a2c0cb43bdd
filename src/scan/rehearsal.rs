//! Decides a made-up course of prices at one moment, by the way that a scan goes: the series of a pack's own tests.

use chrono::{DateTime, Utc};

use super::{ScanError, Settings, ground::Ground, judge::best_of_each, windows::Windows};
use crate::{
    domain::{
        book::{Book, CardActivity, CardIndex, PriceSeries, Quote},
        card::Finish,
        market::Direction,
        observation::{Subject, day_of},
        series::Point,
    },
    rules::{
        interpret::Evaluation,
        pack::Pack,
        testing::{
            course::Told,
            series::{Course, Series},
        },
    },
};

/// Hands over the best route of each direction that has one, as it is decided at a time.
///
/// # Errors
/// The pack lacks something that every scan needs.
pub fn decide(
    pack: &Pack,
    series: &Series,
    at: DateTime<Utc>,
    each: &mut dyn FnMut(Direction, &mut Evaluation<'_>),
) -> Result<(), ScanError> {
    let windows = Windows::read(pack, day_of(at))?;
    let book = book(series, at, windows.longest());
    let settings = Settings { customs_regime: series.regime.clone(), bundle_logic: true, eur_usd_rate: series.rates.usd_per_eur };
    let ground = Ground::of(&book, &windows, pack, &settings)?;
    let profiles = [series.profile.clone()];
    let case = ground.case(pack, &book, &ground.routes, &profiles);
    let judged = case.judge(&|_| ());
    for best in best_of_each(&judged, case.routes, pack) {
        each(case.routes[best.route].direction, &mut case.replay(best.route, best.tenant, &best.aggregates));
    }
    Ok(())
}

/// What is known of the course at a time.
fn book(series: &Series, at: DateTime<Utc>, history_days: i64) -> Book {
    let card = CardIndex(0);
    let counted = CardActivity {
        card,
        market: Direction::EuUs.sell_market(),
        finish: Finish::english(crate::domain::card::Printing::Plain),
        source: "test".into(),
        sales_30d: series.sales_30d,
        active_listings: series.active_listings,
        observed_at: at,
    };
    let both = Direction::ALL.iter().map(|direction| CardActivity { market: direction.sell_market(), ..counted.clone() });
    Book {
        as_of: at,
        cards: vec![series.card.clone()],
        series: series.prices.iter().filter_map(|course| prices(series, course, at, history_days)).collect(),
        activity: if series.sales_30d.is_some() || series.active_listings.is_some() { both.collect() } else { Vec::new() },
        rates: Some(series.rates.clone()),
    }
}

/// One source's rows up to a time; `None` before the first.
fn prices(series: &Series, course: &Course, at: DateTime<Utc>, history_days: i64) -> Option<PriceSeries> {
    let told = series.times().into_iter().zip(&course.steps).take_while(|(time, _)| *time <= at);
    let rows: Vec<Point> = told
        .filter_map(|(time, told)| match told {
            Told::Nothing => None,
            Told::NoPrice => Some(Point { at: time, price: None }),
            Told::Price(price) => Some(Point { at: time, price: Some(*price) }),
        })
        .collect();
    let latest = *rows.last()?;
    let since = at - chrono::Duration::days(history_days);
    Some(PriceSeries {
        subject: Subject::Card(series.card.card_id.clone()),
        cards: vec![CardIndex(0)],
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
