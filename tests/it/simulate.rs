//! The simulated market keeps its promises: same seed, same rows; every planted fault shows and nothing else does.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use tcg_radar::{
    domain::{
        card::{CardId, Printing},
        condition::{Grade, Scale},
        market::{Direction, Market},
        observation::{Observation, PriceKind, Subject},
        series::{Point, daily_change},
    },
    simulate::{BadParameters, BadScrape, FaultKind, FrozenFeed, Parameters, Simulation, feeds},
};

fn end() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 5, 2).unwrap()
}

fn simulation(change: impl FnOnce(&mut Parameters)) -> Simulation {
    let mut parameters = Parameters::ending(end());
    change(&mut parameters);
    Simulation::new(parameters).unwrap()
}

/// Every row as text, sorted, so that only what is sent counts and not in which blocks. Field by field: a field that is
/// added to a type one day does not change the market.
fn fingerprint(simulation: &Simulation, order: &[usize]) -> String {
    let mut rows = Vec::new();
    for batch in simulation.batches_of(order) {
        for row in &batch.observations {
            let clocks = (row.observed_at, row.known_at);
            let prices = (row.price, row.low, row.mid, row.high);
            rows.push(format!("{} {:?} {:?} {} {prices:?} {clocks:?}", row.source, product(row), row.finish, row.kind));
            if let Some(listing) = &row.listing {
                let seller = (listing.seller_rating, listing.seller_sales, listing.shipping, row.condition);
                rows.push(format!("{:?} {} {seller:?}", product(row), listing.seller_id));
            }
        }
        for row in &batch.activity {
            rows.push(format!("{:?} {:?} {:?} {}", row.subject, row.sales_30d, row.active_listings, row.observed_at));
        }
    }
    rows.extend(simulation.cards().map(|card| format!("{} {} {:?} {:?}", card.card_id, card.name, card.rarity, card.set_release_date)));
    rows.extend(simulation.links().map(|link| format!("{} {} {}", link.card_id, link.market, link.external_id)));
    rows.extend(simulation.daily_rates().map(|rate| format!("{} {} {}", rate.date, rate.currency, rate.units_per_eur)));
    rows.extend(simulation.truth().iter().map(|planted| format!("{planted:?}")));
    rows.sort_unstable();
    let mut hash = Sha256::new();
    for row in rows {
        hash.update(row.as_bytes());
    }
    format!("{:x}", hash.finalize())[..16].to_owned()
}

#[test]
fn one_seed_gives_one_market_in_whatever_order_it_is_built() {
    let small = |seed| simulation(|parameters| (parameters.seed, parameters.cards, parameters.days) = (seed, 90, 25));
    let forward: Vec<usize> = (0..90).collect();
    let backward: Vec<usize> = (0..90).rev().collect();
    let first = fingerprint(&small(1), &forward);
    assert_eq!(first, fingerprint(&small(1), &backward));
    assert_ne!(first, fingerprint(&small(2), &forward));
    // Pinned: another platform or release of a crate must not move the market. Change it when the market is meant to change.
    assert_eq!(first, "482fef78b0d0f6f3");
}

/// The main finish of one product on one feed: its row's price on each day.
type Series = BTreeMap<NaiveDate, Option<Decimal>>;

struct Seen {
    simulation: Simulation,
    feed: BTreeMap<(Market, String), Series>,
    listings: Vec<Observation>,
    /// Each card's own products, whatever the crosswalk says.
    products: BTreeMap<CardId, [(Market, String); 2]>,
    claimed: BTreeMap<CardId, [(Market, String); 2]>,
    released: BTreeMap<CardId, NaiveDate>,
}

fn product(row: &Observation) -> (Market, String) {
    match &row.subject {
        Subject::Product { market, id } => (*market, id.clone()),
        Subject::Card(card_id) => panic!("{card_id} has no product"),
    }
}

fn look(simulation: Simulation) -> Seen {
    let mut feed: BTreeMap<_, Series> = BTreeMap::new();
    let mut listings = Vec::new();
    for batch in simulation.batches() {
        for row in batch.observations {
            if row.kind == PriceKind::Listing {
                listings.push(row);
            } else if row.finish.printing != Printing::ReverseHolofoil {
                let before = feed.entry(product(&row)).or_default().insert(batch.date, row.price);
                assert_eq!(before, None, "one row a day: {row:?}");
            }
        }
    }
    let cards: Vec<_> = simulation.cards().cloned().collect();
    let pair = |id: CardId, of: &dyn Fn(Market) -> String| (id, [Market::Tcgplayer, Market::Cardmarket].map(|market| (market, of(market))));
    let products = cards
        .iter()
        .enumerate()
        .map(|(index, card)| pair(card.card_id.clone(), &|market| simulation.true_product(market, index)))
        .collect();
    let links: Vec<_> = simulation.links().collect();
    let claimed = links
        .chunks(2)
        .map(|two| pair(two[0].card_id.clone(), &|market| two.iter().find(|link| link.market == market).unwrap().external_id.clone()))
        .collect();
    let released = cards.iter().map(|card| (card.card_id.clone(), card.set_release_date.unwrap())).collect();
    Seen { simulation, feed, listings, products, claimed, released }
}

impl Seen {
    fn days(&self) -> Vec<NaiveDate> {
        let parameters = self.simulation.parameters();
        parameters.first_day().iter_days().take_while(|day| *day <= parameters.end).collect()
    }

    fn usd(&self, day: NaiveDate) -> Decimal {
        self.simulation.rates().iter().rev().find(|rates| rates.origin.date <= day).unwrap().usd_per_eur
    }

    /// Card, market and day of each planted fault of these kinds; a fault of a whole feed is one of every card.
    fn planted(&self, kinds: &[FaultKind]) -> BTreeSet<(CardId, Market, NaiveDate)> {
        let mut days = BTreeSet::new();
        for planted in self.simulation.truth().iter().filter(|planted| kinds.contains(&planted.fault)) {
            for (card, released) in &self.released {
                if planted.card_id.as_ref().is_none_or(|id| id == card) {
                    let span = planted.from.iter_days().take_while(|day| *day <= planted.to);
                    days.extend(span.filter(|day| day >= released).map(|day| (card.clone(), planted.market, day)));
                }
            }
        }
        days
    }

    fn planted_cards(&self, kinds: &[FaultKind]) -> BTreeSet<CardId> {
        self.planted(kinds).into_iter().map(|(card, _, _)| card).collect()
    }

    /// Cards, markets and days for which the predicate holds on the card's own series.
    fn where_holds(&self, holds: impl Fn(&Series, NaiveDate) -> bool) -> BTreeSet<(CardId, Market, NaiveDate)> {
        let mut found = BTreeSet::new();
        let (none, days) = (Series::new(), self.days());
        for (card, products) in &self.products {
            for key in products {
                let series = self.feed.get(key).unwrap_or(&none);
                let days = days.iter().filter(|day| **day >= self.released[card] && holds(series, **day));
                found.extend(days.map(|day| (card.clone(), key.0, *day)));
            }
        }
        found
    }

    /// America's price over Europe's in one currency, by the crosswalk, on the last day with both.
    fn ratio(&self, card: &CardId, day: NaiveDate) -> Option<Decimal> {
        let [us, eu] = &self.claimed[card];
        let price = |key| self.feed.get(key)?.range(..=day).rev().find_map(|(_, price)| *price);
        Some(price(us)? / (price(eu)? * self.usd(day)))
    }
}

/// Both ways, with a few examples: the whole sets would fill pages.
fn assert_same<T: Ord + std::fmt::Debug>(found: &BTreeSet<T>, planted: &BTreeSet<T>, what: &str) {
    let hidden: Vec<_> = planted.difference(found).take(5).collect();
    let unplanned: Vec<_> = found.difference(planted).take(5).collect();
    assert!(hidden.is_empty() && unplanned.is_empty(), "{what}: planted but not seen {hidden:?}, seen but not planted {unplanned:?}");
}

fn median(mut prices: Vec<Decimal>) -> Option<Decimal> {
    prices.sort_unstable();
    prices.get(prices.len() / 2).copied()
}

fn around(series: &Series, day: NaiveDate) -> Option<Decimal> {
    let near = series.range(day - Days::new(4)..=day + Days::new(4)).filter(|(at, _)| **at != day);
    median(near.filter_map(|(_, price)| *price).collect())
}

#[test]
fn every_planted_fault_shows_in_the_rows_and_nothing_else_looks_like_one() {
    use FaultKind::{BaitListing, FallingKnife, Gap, NoPrice, Outlier, SharedProduct, Stale, WrongId};
    for seed in 1..=4 {
        println!("seed {seed}");
        let seen = look(simulation(|parameters| parameters.seed = seed));
        let last = end();
        for kind in [WrongId, SharedProduct, Outlier, Stale, Gap, NoPrice, FallingKnife, BaitListing] {
            assert!(!seen.planted(&[kind]).is_empty(), "seed {seed} plants no {kind:?}");
        }

        let missing = seen.where_holds(|series, day| !series.contains_key(&day));
        assert_same(&missing, &seen.planted(&[Gap, Stale]), "missing rows");
        let priceless = seen.where_holds(|series, day| series.get(&day) == Some(&None));
        assert_same(&priceless, &seen.planted(&[NoPrice]), "rows without a price");

        let three = Decimal::from(3);
        let off = seen.where_holds(|series, day| {
            let price = series.get(&day).copied().flatten();
            price.zip(around(series, day)).is_some_and(|(price, usual)| price > usual * three || price * three < usual)
        });
        assert_same(&off, &seen.planted(&[Outlier]), "outliers");

        let mut claims: BTreeMap<_, Vec<&CardId>> = BTreeMap::new();
        for (card, products) in &seen.claimed {
            for key in products {
                claims.entry(key).or_default().push(card);
            }
        }
        let shared: BTreeSet<CardId> = claims.into_values().filter(|cards| cards.len() > 1).flatten().cloned().collect();
        assert_same(&shared, &seen.planted_cards(&[SharedProduct]), "shared products");

        let outliers = seen.planted_cards(&[Outlier]);
        let apart: BTreeSet<CardId> = seen
            .claimed
            .keys()
            .filter(|card| !outliers.contains(*card))
            .filter(|card| seen.ratio(card, last).is_some_and(|ratio| ratio > three || ratio * three < Decimal::ONE))
            .cloned()
            .collect();
        let wrong: BTreeSet<CardId> = seen
            .claimed
            .iter()
            .filter(|(card, products)| seen.products[*card] != **products && !outliers.contains(*card))
            .map(|(card, _)| card.clone())
            .collect();
        assert_same(&apart, &wrong, "markets that are a factor of three apart");
        assert!(wrong.is_subset(&seen.planted_cards(&[WrongId, SharedProduct])));

        let falling: BTreeSet<CardId> = seen
            .products
            .iter()
            .filter(|(card, _)| !outliers.contains(*card))
            .filter(|(_, [us, _])| {
                let series = seen.feed.get(us).cloned().unwrap_or_default();
                let points: Vec<Point> =
                    series.iter().map(|(day, price)| Point { at: day.and_hms_opt(20, 0, 0).unwrap().and_utc(), price: *price }).collect();
                daily_change(&points, seen.simulation.as_of(), 7) <= Decimal::new(-1, 1)
            })
            .map(|(card, _)| card.clone())
            .collect();
        let knives = seen.planted_cards(&[FallingKnife]);
        assert_same(&falling, &knives.difference(&outliers).cloned().collect(), "falling knives");

        let baits: BTreeSet<CardId> = seen
            .listings
            .iter()
            .filter(|row| row.market == Market::Cardmarket && row.condition.unwrap().grade == Grade::NearMint)
            .filter(|row| {
                let usual = seen.feed[&product(row)].range(last - Days::new(5)..).rev().find_map(|(_, price)| *price);
                usual.is_some_and(|usual| row.price.unwrap() * Decimal::new(15, 1) < usual)
            })
            .map(|row| (row, seen.products.iter().find(|(_, keys)| keys.contains(&product(row))).unwrap().0.clone()))
            .filter(|(_, card)| !off.contains(&(card.clone(), Market::Cardmarket, last)))
            .inspect(|(row, _)| assert!(row.listing.as_ref().unwrap().seller_rating.unwrap() < Decimal::from(95)))
            .map(|(_, card)| card)
            .collect();
        assert_same(&baits, &seen.planted_cards(&[BaitListing]), "bait");
    }
}

#[test]
fn a_bad_scrape_breaks_about_a_quarter_of_one_feed_on_its_day() {
    let simulation = simulation(|parameters| parameters.bad_scrape = Some(BadScrape { market: Market::Cardmarket, age: 0 }));
    let outliers = |day: NaiveDate| {
        simulation
            .truth()
            .iter()
            .filter(|planted| planted.fault == FaultKind::Outlier && planted.market == Market::Cardmarket && planted.from == day)
            .count()
    };
    assert!((120..=180).contains(&outliers(end())), "{}", outliers(end()));
    assert!(outliers(end() - Days::new(1)) < 10);
}

#[test]
fn a_frozen_feed_repeats_itself_on_its_days_only() {
    let frozen = FrozenFeed { market: Market::Cardmarket, days: 8 };
    let seen = look(simulation(|parameters| (parameters.cards, parameters.frozen, parameters.bad_scrape) = (200, Some(frozen), None)));
    let days = seen.days();
    for market in [Market::Cardmarket, Market::Tcgplayer] {
        for two in days.windows(2) {
            let steps = seen.feed.iter().filter(|(key, _)| key.0 == market).filter_map(|(key, series)| {
                let card = seen.products.iter().find(|(_, keys)| keys.contains(key)).unwrap().0;
                // an outlier ends on the next day, frozen feed or not
                let outlier = seen
                    .simulation
                    .truth()
                    .iter()
                    .any(|planted| planted.fault == FaultKind::Outlier && planted.card_id.as_ref() == Some(card));
                let step = series.get(&two[0])?.zip(*series.get(&two[1])?)?;
                (!outlier).then_some(step.0 != step.1)
            });
            let steps: Vec<bool> = steps.collect();
            let moved = steps.iter().filter(|moved| **moved).count();
            let frozen = market == Market::Cardmarket && two[1] > end() - Days::new(8);
            assert!(steps.is_empty() || (moved == 0) == frozen, "{market} on {}: {moved} moved", two[1]);
        }
    }
    assert!(seen.simulation.opportunities().iter().all(|found| found.to <= end() - Days::new(8)));
}

#[test]
fn the_two_markets_return_to_each_other() {
    let seen = look(simulation(|parameters| (parameters.cards, parameters.days, parameters.bad_scrape) = (150, 500, None)));
    let special: BTreeSet<CardId> = seen
        .simulation
        .truth()
        .into_iter()
        .filter_map(|planted| planted.card_id)
        .chain(seen.simulation.opportunities().into_iter().map(|found| found.card_id))
        .collect();
    let mut whole = Vec::new();
    for card in seen.claimed.keys().filter(|card| !special.contains(*card)) {
        let ratios: Vec<Decimal> = seen.days().into_iter().skip(20).filter_map(|day| seen.ratio(card, day)).collect();
        if ratios.len() < 300 {
            continue;
        }
        let mean = ratios.iter().sum::<Decimal>() / Decimal::from(ratios.len());
        assert!((mean - Decimal::ONE).abs() < Decimal::new(5, 2), "{card}: {mean}");
        whole.push(mean);
    }
    assert!(whole.len() > 50, "{}", whole.len());
    let mean = whole.iter().sum::<Decimal>() / Decimal::from(whole.len());
    assert!((mean - Decimal::ONE).abs() < Decimal::new(1, 2), "{mean}");
}

#[test]
fn prices_are_positive_whole_cents_in_the_markets_currency_and_scale() {
    let simulation = simulation(|parameters| parameters.cards = 300);
    for batch in simulation.batches() {
        for row in &batch.observations {
            for price in [row.price, row.low, row.mid, row.high].into_iter().flatten() {
                assert!(price > Decimal::ZERO && price.scale() <= 2, "{row:?}");
            }
            assert_eq!(row.currency, row.market.currency());
            assert!(row.observed_at <= row.known_at && row.known_at <= simulation.as_of() && row.known_at.date_naive() == batch.date);
            assert_eq!(row.listing.is_some(), row.kind == PriceKind::Listing);
            assert_eq!(row.condition.is_some(), row.kind == PriceKind::Listing);
            if let Some(condition) = row.condition {
                let scale = if row.market == Market::Cardmarket { Scale::Cardmarket } else { Scale::Tcgplayer };
                assert_eq!(condition.scale, scale);
                // its text form must be a grade of that scale, or an importer could not read it back
                let text = condition.grade.as_str();
                assert_eq!(tcg_radar::domain::condition::Condition::parse(scale, text), Ok(condition), "{text}");
            }
        }
    }
}

/// What a reseller keeps, counted plainly. To America: 13.5 % and 0.30 of fees, 2 % of buffer, 10 % of customs, 2.5 % of
/// insurance, and of postage, forwarder and box 36 dollars that cards of one seller share, with 5.25 for each sale. To
/// Germany: 5 % of fees, 19 % of tax, a duty of 3, the same freight.
fn net(direction: Direction, us: Decimal, eu: Decimal, usd: Decimal, together: usize) -> Decimal {
    let number = |text: &str| text.parse::<Decimal>().unwrap();
    let freight = number("36") / Decimal::from(together);
    match direction {
        Direction::EuUs => us * number("0.865") - number("5.55") - eu * usd * number("1.1475") - freight,
        Direction::UsEu => eu * number("0.95") - (us / usd * number("1.0455") + freight / usd) * number("1.19") - number("3"),
    }
}

#[test]
fn dozens_of_spreads_pay_on_the_last_day_and_most_cards_have_none() {
    let seen = look(simulation(|_| ()));
    let day = end();
    let usd = seen.usd(day);
    let price = |key: &(Market, String)| seen.feed.get(key).and_then(|series| series.get(&day).copied().flatten());
    let open: Vec<_> = seen.simulation.opportunities().into_iter().filter(|found| found.to == day).collect();
    for found in &open {
        let [us, eu] = &seen.products[&found.card_id];
        let (us, eu) = (price(us).unwrap(), price(eu).unwrap());
        let left = net(found.direction, us, eu, usd, found.together);
        assert!(left > Decimal::from(8), "{found:?}: {us} {eu} leave {left}");
        assert!(us < eu * usd * Decimal::new(28, 1) && eu * usd < us * Decimal::new(28, 1), "{found:?}: {us} {eu}");
        assert_eq!(seen.claimed[&found.card_id], seen.products[&found.card_id]);
    }
    let count = |direction| open.iter().filter(|found| found.direction == direction).count();
    assert!((30..=60).contains(&count(Direction::EuUs)), "{}", count(Direction::EuUs));
    assert!((8..=20).contains(&count(Direction::UsEu)), "{}", count(Direction::UsEu));

    let promised: BTreeSet<CardId> = open.iter().map(|found| found.card_id.clone()).collect();
    let faulty: BTreeSet<CardId> = seen.simulation.truth().into_iter().filter_map(|planted| planted.card_id).collect();
    let others = seen.products.iter().filter(|(card, _)| !promised.contains(card) && !faulty.contains(card));
    let chance = others.filter(|(_, [us, eu])| {
        let both = price(us).zip(price(eu));
        both.is_some_and(|(us, eu)| Direction::ALL.iter().any(|direction| net(*direction, us, eu, usd, 1) > Decimal::from(5)))
    });
    let chance = chance.count();
    assert!(chance < 15, "{chance} cards pay by chance");
}

#[test]
fn every_kind_of_trap_would_pay_if_it_were_believed() {
    let seen = look(simulation(|_| ()));
    let (day, usd) = (end(), seen.usd(end()));
    let price = |key: &(Market, String)| seen.feed.get(key).and_then(|series| series.get(&day).copied().flatten());
    let pays = |us: Decimal, eu: Decimal| Direction::ALL.iter().any(|direction| net(*direction, us, eu, usd, 1) > Decimal::from(5));
    for kind in [FaultKind::WrongId, FaultKind::SharedProduct, FaultKind::Outlier, FaultKind::FallingKnife] {
        let planted = seen.planted(&[kind]).into_iter().filter(|(_, _, at)| *at == day);
        let tempting = planted.filter(|(card, _, _)| {
            let [us, eu] = &seen.claimed[card];
            price(us).zip(price(eu)).is_some_and(|(us, eu)| pays(us, eu))
        });
        assert!(tempting.count() > 0, "no {kind:?} tempts");
    }
    let baits = seen.planted_cards(&[FaultKind::BaitListing]).into_iter().filter(|card| {
        let [us, eu] = &seen.products[card];
        let cheapest = seen.listings.iter().filter(|row| product(row) == *eu).filter_map(|row| row.price).min();
        price(us).zip(cheapest).is_some_and(|(us, eu)| pays(us, eu))
    });
    assert!(baits.count() > 0, "no bait tempts");
    // a mistaken id is told by a ratio that no market has
    let mistaken = seen.planted_cards(&[FaultKind::WrongId]);
    for card in &mistaken {
        let ratio = seen.ratio(card, day).unwrap();
        assert!(ratio > Decimal::from(11) || ratio * Decimal::from(11) < Decimal::ONE, "{card}: {ratio}");
    }
}

#[test]
fn a_good_seller_has_all_cards_of_a_bundle_in_stock() {
    let seen = look(simulation(|_| ()));
    let sellers: BTreeMap<_, _> = seen.simulation.sellers().map(|seller| (seller.id.clone(), seller)).collect();
    let mut stocks: BTreeMap<String, usize> = BTreeMap::new();
    for found in seen.simulation.opportunities().into_iter().filter(|found| found.together > 1) {
        let [_, eu] = &seen.products[&found.card_id];
        let offer = seen.listings.iter().find(|row| {
            product(row) == *eu && sellers[&row.listing.as_ref().unwrap().seller_id].good() && row.observed_at.date_naive() == end()
        });
        *stocks.entry(offer.unwrap().listing.as_ref().unwrap().seller_id.clone()).or_default() += 1;
    }
    assert_eq!(stocks.into_values().collect::<Vec<_>>(), [6, 6]);
    assert!(sellers.values().any(|seller| seller.bad()) && sellers.values().any(|seller| seller.sales.is_some_and(|sales| sales < 100)));
}

#[test]
fn sets_are_old_new_and_about_to_rotate() {
    let simulation = simulation(|_| ());
    let first = simulation.parameters().first_day();
    assert!(simulation.sets().any(|set| set.release_date.is_some_and(|released| released > first && released < end())));
    for mark in ["D", "E", "F", "G", "H", "I", "J"] {
        assert!(simulation.cards().any(|card| card.regulation_mark.as_deref() == Some(mark)), "no card has mark {mark}");
    }
    assert!(simulation.cards().any(|card| card.regulation_mark.is_none()));
    let ids: BTreeSet<_> = simulation.cards().map(|card| &card.card_id).collect();
    assert_eq!(ids.len(), 600);
    let codes: BTreeSet<_> = simulation.sets().map(|set| &set.set_code).collect();
    assert_eq!(codes.len(), simulation.sets().len());
}

#[test]
fn a_large_market_comes_in_small_blocks() {
    let simulation = simulation(|parameters| (parameters.cards, parameters.days) = (2 * u32::try_from(feeds::BLOCK).unwrap() + 1, 2));
    let mut batches = 0;
    for batch in simulation.batches() {
        batches += 1;
        let cards: BTreeSet<_> = batch.observations.iter().filter(|row| row.market == Market::Tcgplayer).map(product).collect();
        assert!(cards.len() <= feeds::BLOCK);
    }
    assert_eq!(batches, 6);
}

#[test]
fn the_smallest_market_is_a_market_and_an_impossible_one_is_refused() {
    let tiny = simulation(|parameters| (parameters.cards, parameters.days, parameters.tenants) = (1, 1, 0));
    let batches: Vec<_> = tiny.batches().collect();
    assert_eq!(batches.len(), 1);
    assert!(!batches[0].observations.is_empty());
    assert_eq!((tiny.tenants().count(), tiny.truth().len(), tiny.links().count()), (0, 0, 2));

    let refused = |change: fn(&mut Parameters)| {
        let mut parameters = Parameters::ending(end());
        change(&mut parameters);
        Simulation::new(parameters).unwrap_err().to_string()
    };
    assert_eq!(refused(|parameters| parameters.cards = 0), "cannot simulate 0 cards: ask for 1 to 1000000");
    assert_eq!(refused(|parameters| parameters.days = 0), "cannot simulate 0 days: ask for 1 to 3660");
    assert_eq!(refused(|parameters| parameters.tenants = 100_001), "cannot simulate 100001 tenants: ask for at most 100000");
    let ancient = Parameters::ending(NaiveDate::from_ymd_opt(1990, 1, 1).unwrap());
    assert!(matches!(Simulation::new(ancient), Err(BadParameters::NoSets(_))));
    let far = Parameters::ending(NaiveDate::MAX);
    assert!(matches!(Simulation::new(far), Err(BadParameters::End(_))));
}
