//! A simulated market goes into a real database the way that imports go, and twice is once.

use std::{path::PathBuf, sync::Mutex};

use chrono::{NaiveDate, TimeDelta};
use tcg_radar::{
    config::Database,
    simulate::{Parameters, Simulation, write},
    store::{Store, embedded::Embedded, users},
};

fn small(seed: u64) -> Simulation {
    let mut parameters = Parameters::ending(NaiveDate::from_ymd_opt(2026, 5, 2).unwrap());
    (parameters.seed, parameters.cards, parameters.days) = (seed, 80, 12);
    Simulation::new(parameters).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_market_is_stored_whole_and_a_second_time_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let home: PathBuf = folder.path().join("data");
    let database = Database { url: None, owner_url: None, programs: None };
    let store = Store::open(&database, &home, &|_| ()).await.unwrap();
    // the server is stopped whatever comes of it
    let outcome = tokio::spawn(check(store.clone())).await;
    store.close().await;
    Embedded::stop(&home).await.unwrap();
    outcome.unwrap();
}

async fn check(store: Store) {
    let simulation = small(1);
    let heard = Mutex::new(Vec::new());
    let now = simulation.as_of() + TimeDelta::hours(1);
    let first = write(&store, &simulation, now, &|day, days| heard.lock().unwrap().push((day, days))).await.unwrap();
    let told: usize = simulation.batches().map(|batch| batch.observations.len() + batch.activity.len()).sum();
    let catalogue = simulation.sets().len() + 80 + 2 * 80 + simulation.daily_rates().count();
    // a row without a price says nothing that must be stored
    let silent: usize = simulation.batches().map(|batch| batch.observations.iter().filter(|row| row.price.is_none()).count()).sum();
    let most = u64::try_from(told + catalogue).unwrap();
    let least = most - u64::try_from(silent).unwrap();
    assert!((least..=most).contains(&first.new), "{first:?}, told {told} and {catalogue}, {silent} without a price");
    assert_eq!(first.changed, 0);
    assert_eq!(heard.lock().unwrap().last(), Some(&(12, 12)));

    let second = write(&store, &small(1), now + TimeDelta::hours(1), &|_, _| ()).await.unwrap();
    assert_eq!((second.new, second.changed), (0, 0), "{second:?}");

    let mut tx = store.service().await.unwrap();
    let tenants = users::active(&mut tx).await.unwrap();
    let presets: Vec<_> = tenants.iter().filter_map(|tenant| tenant.preset.as_deref()).collect();
    assert_eq!(presets.len(), 4, "{presets:?}");
}
