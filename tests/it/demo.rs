//! The demonstration, whole: the service on a fast clock among its stand-ins, and the sums that its database ends with.

use std::{fs, num::NonZeroU32, time::Duration};

use tcg_radar::{
    demo::{self, Options, Turn, sight::Sight},
    store::{Server, embedded::Embedded},
};
use tokio::sync::Notify;

use crate::{
    cluster::{Database, folder, programs, quiet, stop_when_we_end},
    live::{count, rows},
    scan::root,
};

/// However slow the machine is, it is over then.
const LONGEST: Duration = Duration::from_mins(3);

/// Written into the demonstration's own copy of the rules while it runs.
const EDIT: &str = "an analyst was here";

/// Whether everything was seen that a demonstration is to show.
fn is_complete(sight: &Sight, first_pack: &str) -> bool {
    let ledger = &sight.ledger;
    let seen = [ledger.acted, ledger.handed_on, ledger.repriced_by_rules + ledger.withdrawn_by_rules, ledger.digested];
    seen.iter().all(|count| *count > 0) && sight.pack != first_pack
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demonstration_shows_acts_a_cascade_a_switch_and_a_digest_and_its_numbers_hold_together() {
    let home = folder().keep();
    let _lifeline = stop_when_we_end(&home);
    let options = Options {
        speed: NonZeroU32::new(1_800).unwrap(),
        seed: 7,
        cards: 300,
        start: "2026-11-22T19:30:00Z".parse().unwrap(),
        open_data: None,
        browser: None,
        home: home.clone(),
        programs: programs(),
        rules: root().join("rules"),
        profiles: root().join("profiles"),
    };
    let complete = Notify::new();
    let mut first_pack = None;
    let show = |sight: &Sight| {
        if sight.pack.is_empty() {
            return;
        }
        let first = first_pack.get_or_insert_with(|| {
            // its own copy is edited while it runs
            let profit = home.join("demo/rules/facts/profit.rhai");
            let text = fs::read_to_string(&profit).unwrap();
            fs::write(&profit, format!("{text}\n// {EDIT}\n")).unwrap();
            sight.pack.clone()
        });
        if is_complete(sight, first) {
            complete.notify_one();
        }
    };
    let stop = async {
        // what is missing then is said below
        let _ = tokio::time::timeout(LONGEST, complete.notified()).await;
        Ok(())
    };
    let turn = Turn::take(&home).unwrap().unwrap();
    assert!(Turn::take(&home).unwrap().is_none(), "one at a time");
    let closing = demo::run(&options, &turn, &quiet, show, stop).await.unwrap();
    let told = closing.sight.ledger;
    assert!(is_complete(&closing.sight, &first_pack.unwrap()), "{:?} at {}", told, closing.sight.at);

    let server = Server::embedded(&Embedded::start(&home, programs().as_deref(), &quiet).await.unwrap());
    let database = Database { server: server.with_database(demo::DATABASE) };
    // every signal is in exactly one of the states that there are
    let states: Vec<(String, i64)> = rows(&database, "SELECT state, count(*) FROM signals WHERE kind = 'exclusive' GROUP BY state").await;
    let of = |names: &[&str]| states.iter().filter(|(state, _)| names.contains(&state.as_str())).map(|(_, count)| count).sum::<i64>();
    let (confirmed, pending) = (of(&["acted", "passed", "wrong_card"]), of(&["sending", "held"]));
    let (expired, withdrawn, undeliverable) = (of(&["expired"]), of(&["withdrawn"]), of(&["undeliverable"]));
    let signals = count(&database, "SELECT count(*) FROM signals WHERE kind = 'exclusive'").await;
    assert_eq!(signals, confirmed + pending + expired + withdrawn + undeliverable, "{states:?}");
    assert_eq!(
        (told.signals, told.acted + told.passed + told.wrong_card, told.pending, told.expired, told.withdrawn, told.undeliverable),
        (signals, confirmed, pending, expired, withdrawn, undeliverable)
    );
    assert!(told.is_sound(), "{told:?}");
    let together = "SELECT count(*) FROM signals AS one JOIN signals AS other USING (opportunity_id)
        WHERE one.kind = 'exclusive' AND other.kind = 'exclusive' AND one.id < other.id
            AND tstzrange(one.created_at, one.ended_at) && tstzrange(other.created_at, other.ended_at)";
    assert_eq!(count(&database, together).await, 0, "two tenants had one opportunity at the same time");
    assert_eq!(count(&database, "SELECT count(*) FROM outbox WHERE state = 'late'").await, 0);
    // the prices came over the wire, from every vendor
    let silent = "SELECT count(*) FROM feeds WHERE last_run IS NULL OR last_fault IS NOT NULL";
    assert_eq!((count(&database, silent).await, count(&database, "SELECT count(*) FROM feeds").await), (0, 9));
    // the checkout is as it was
    assert!(!fs::read_to_string(root().join("rules/facts/profit.rhai")).unwrap().contains(EDIT));
}
