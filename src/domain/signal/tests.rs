//! The machine among five workers whose clocks jump, that restart, and among tenants that answer late.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
};

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::*;
use crate::domain::plan::Plans;

const WORKERS: usize = 5;
const ROWS: usize = 3;
const TENANTS: u128 = 9;
const WINDOW: TimeDelta = TimeDelta::minutes(180);

fn rules() -> Rotation {
    Plans::parse("plans.yaml", Plans::SHIPPED).unwrap().rotation
}

/// What may happen next.
#[derive(Debug, Clone)]
enum Event {
    /// Time goes on, for all.
    Pass(i64),
    /// Time goes on to about the end of a window: that is where mistakes hide.
    Edge(usize, i64),
    /// A worker's clock jumps.
    Jump(usize, i64),
    /// A worker takes what is due, if nobody else has it.
    Claim(usize, usize),
    Commit(usize),
    /// A worker dies in the middle: what it did is undone.
    Restart(usize),
    Deliver(usize, usize),
    Fail(usize, usize),
    /// Anybody who ever had it answers.
    Act(usize, usize, usize, Act),
    /// It holds no more for whoever has it.
    Withdraw(usize, usize),
}

fn event() -> impl Strategy<Value = Event> {
    let (worker, row) = (|| 0..WORKERS, || 0..ROWS);
    prop_oneof![
        6 => (1..12_000_i64).prop_map(Event::Pass),
        2 => (0..15_i64).prop_map(Event::Pass),
        5 => (row(), -3..14_i64).prop_map(|(row, by)| Event::Edge(row, by)),
        3 => (worker(), -60..=60_i64).prop_map(|(worker, by)| Event::Jump(worker, by)),
        16 => (worker(), row()).prop_map(|(worker, row)| Event::Claim(worker, row)),
        14 => worker().prop_map(Event::Commit),
        2 => worker().prop_map(Event::Restart),
        12 => (worker(), row()).prop_map(|(worker, row)| Event::Deliver(worker, row)),
        1 => (worker(), row()).prop_map(|(worker, row)| Event::Fail(worker, row)),
        3 => (worker(), row(), 0..9_usize, prop_oneof![Just(Act::Pass), Just(Act::WrongCard), Just(Act::Pass)])
            .prop_map(|(worker, row, who, act)| Event::Act(worker, row, who, act)),
        1 => (worker(), row(), 0..9_usize).prop_map(|(worker, row, who)| Event::Act(worker, row, who, Act::TookIt)),
        1 => (worker(), row()).prop_map(|(worker, row)| Event::Withdraw(worker, row)),
    ]
}

/// A signal as the table holds it.
#[derive(Debug, Clone, PartialEq)]
struct Row {
    id: Uuid,
    tenant: TenantId,
    state: SignalState,
    expires_at: Option<DateTime<Utc>>,
    was_delivered: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Table {
    routing: Routing,
    signals: Vec<Row>,
}

impl Table {
    fn new(number: usize, now: DateTime<Utc>) -> Self {
        Self { routing: Routing::open(Uuid::from_u128(u128::try_from(number).unwrap()), now), signals: Vec::new() }
    }

    fn row(&mut self, id: Uuid) -> &mut Row {
        self.signals.iter_mut().find(|row| row.id == id).unwrap()
    }

    /// As a worker's turn: ends the window where it is over, then gives to the next.
    fn turn(&mut self, now: DateTime<Utc>, rules: &Rotation) -> bool {
        if let Some(ended) = self.routing.lapse(now, rules) {
            let expires_at = ended.expires_at.unwrap();
            assert!(now >= expires_at + rules.cooldown, "no earlier than the cooldown allows");
            self.row(ended.signal_id).state = SignalState::Expired;
        }
        let had: BTreeSet<TenantId> = self.signals.iter().map(|row| row.tenant).collect();
        let next = (1..=TENANTS).map(|number| TenantId(Uuid::from_u128(number))).find(|tenant| !had.contains(tenant));
        let Some(tenant) = next else {
            self.routing.release();
            return false;
        };
        let signal_id = Uuid::from_u128(1000 * self.routing.opportunity_id.as_u128() + u128::try_from(self.signals.len()).unwrap());
        let holder = Holder { signal_id, tenant, state: SignalState::Sending, window: WINDOW, expires_at: None };
        if !self.routing.give(holder, now) {
            return false;
        }
        self.signals.push(Row { id: signal_id, tenant, state: SignalState::Sending, expires_at: None, was_delivered: false });
        true
    }

    fn check(&self, rules: &Rotation) {
        let live = |row: &&Row| matches!(row.state, SignalState::Sending | SignalState::Held | SignalState::Acted);
        let holders: Vec<&Row> = self.signals.iter().filter(live).collect();
        assert!(holders.len() <= 1, "two holders: {self:?}");
        assert_eq!(self.routing.holder.as_ref().map(|holder| holder.signal_id), holders.first().map(|row| row.id));
        let tenants: BTreeSet<TenantId> = self.signals.iter().map(|row| row.tenant).collect();
        assert_eq!(tenants.len(), self.signals.len(), "nobody gets it twice");
        let counted = self.signals.iter().filter(|row| !matches!(row.state, SignalState::Undeliverable | SignalState::Withdrawn)).count();
        assert!(counted <= usize::try_from(rules.holders).unwrap(), "at most five, one after the other: {self:?}");
        assert_eq!(self.routing.state == RoutingState::Taken, self.signals.iter().any(|row| row.state == SignalState::Acted));
    }
}

/// The database, as far as it matters: committed rows, locks, and what each worker has in hand.
struct World {
    now: DateTime<Utc>,
    clocks: [TimeDelta; WORKERS],
    tables: Vec<Table>,
    in_hand: BTreeMap<usize, (usize, Table)>,
    windows: usize,
    late: usize,
}

impl World {
    fn new() -> Self {
        let now = "2026-05-03T10:00:00Z".parse().unwrap();
        let tables = (0..ROWS).map(|number| Table::new(number, now)).collect();
        Self { now, clocks: [TimeDelta::zero(); WORKERS], tables, in_hand: BTreeMap::new(), windows: 0, late: 0 }
    }

    fn clock(&self, worker: usize) -> DateTime<Utc> {
        self.now + self.clocks[worker]
    }

    fn is_locked(&self, row: usize) -> bool {
        self.in_hand.values().any(|(locked, _)| *locked == row)
    }

    fn happens(&mut self, event: &Event, rules: &Rotation) {
        match *event {
            Event::Pass(seconds) => self.now += TimeDelta::seconds(seconds),
            Event::Edge(row, seconds) => {
                let end = self.tables[row].routing.holder.as_ref().and_then(|holder| holder.expires_at);
                self.now = end.map_or(self.now, |end| self.now.max(end + TimeDelta::seconds(seconds)));
            }
            Event::Jump(worker, seconds) => self.clocks[worker] = TimeDelta::seconds(seconds),
            // a row that another worker has is skipped
            Event::Claim(worker, row) if !self.in_hand.contains_key(&worker) && !self.is_locked(row) => {
                let mut table = self.tables[row].clone();
                table.turn(self.clock(worker), rules);
                self.in_hand.insert(worker, (row, table));
            }
            Event::Commit(worker) => {
                if let Some((row, table)) = self.in_hand.remove(&worker) {
                    self.windows += table.signals.len() - self.tables[row].signals.len();
                    self.tables[row] = table;
                }
            }
            Event::Restart(worker) => {
                self.in_hand.remove(&worker);
                self.clocks[worker] = TimeDelta::zero();
            }
            // whoever has to wait for the lock comes later: here, not at all
            Event::Deliver(_, row) | Event::Fail(_, row) | Event::Act(_, row, ..) | Event::Withdraw(_, row) if self.is_locked(row) => {}
            Event::Deliver(worker, row) => {
                let at = self.clock(worker);
                let table = &mut self.tables[row];
                // also of one that is over: the answer of the platform may come late
                if let Some(last) = table.signals.last().map(|row| row.id)
                    && table.routing.delivered(last, at)
                {
                    let expires_at = table.routing.due_at;
                    let row = table.row(last);
                    (row.state, row.expires_at, row.was_delivered) = (SignalState::Held, expires_at, true);
                }
            }
            Event::Fail(worker, row) => self.take_back(worker, row, End::Undeliverable),
            Event::Withdraw(worker, row) => self.take_back(worker, row, End::Withdrawn),
            Event::Act(worker, row, who, act) => self.act(worker, row, who, act, rules),
            Event::Claim(..) => {}
        }
    }

    fn take_back(&mut self, worker: usize, row: usize, why: End) {
        let now = self.clock(worker);
        let table = &mut self.tables[row];
        let Some(last) = table.signals.last().cloned() else { return };
        // delivery says it of what is on its way only
        if why == End::Undeliverable && last.state != SignalState::Sending {
            return;
        }
        if table.routing.take_back(last.id, now).is_some() {
            table.row(last.id).state = why.state();
        }
    }

    fn act(&mut self, worker: usize, row: usize, who: usize, act: Act, rules: &Rotation) {
        let now = self.clock(worker);
        let table = &mut self.tables[row];
        let Some(signal) = table.signals.get(who % table.signals.len().max(1)).cloned() else { return };
        let answer = table.routing.act(signal.id, act, now, rules);
        let is_over = !matches!(signal.state, SignalState::Sending | SignalState::Held);
        match answer {
            Answer::Done => {
                assert!(!is_over, "an act counts for the holder only: {signal:?}");
                assert!(signal.expires_at.is_none_or(|expires_at| now < expires_at), "and only while the window lasts");
                table.row(signal.id).state = match act {
                    Act::TookIt => SignalState::Acted,
                    Act::Pass => SignalState::Passed,
                    Act::WrongCard => SignalState::WrongCard,
                };
            }
            Answer::Late { expired_at } => {
                self.late += 1;
                assert_eq!(expired_at, signal.expires_at);
            }
            Answer::Unknown => {
                self.late += 1;
                assert!(is_over, "{signal:?}");
            }
            Answer::Again | Answer::Over(_) => assert_eq!(signal.state, SignalState::Acted),
        }
    }
}

/// `WINDOWS=100000` tries so many; the default is enough for every build.
#[test]
fn there_is_never_a_second_holder_whatever_clocks_workers_and_tenants_do() {
    let wanted: usize = std::env::var("WINDOWS").ok().and_then(|text| text.parse().ok()).unwrap_or(5_000);
    let rules = rules();
    let (windows, late, cases) = (Cell::new(0), Cell::new(0), Cell::new(0));
    while windows.get() < wanted {
        let mut runner = TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&proptest::collection::vec(event(), 50..800), |events| {
            let mut world = World::new();
            for event in &events {
                world.happens(event, &rules);
                world.tables.iter().for_each(|table| table.check(&rules));
            }
            windows.set(windows.get() + world.windows);
            late.set(late.get() + world.late);
            cases.set(cases.get() + 1);
            Ok(())
        });
        outcome.unwrap();
    }
    println!("{} windows in {} courses of events, {} answers that came late, no second holder", windows.get(), cases.get(), late.get());
    assert!(late.get() > 0);
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn given(now: DateTime<Utc>) -> Routing {
    let mut routing = Routing::open(Uuid::nil(), now);
    let holder =
        Holder { signal_id: Uuid::max(), tenant: TenantId(Uuid::nil()), state: SignalState::Sending, window: WINDOW, expires_at: None };
    assert!(routing.give(holder, now));
    routing
}

#[test]
fn the_window_begins_with_the_first_confirmed_delivery_and_the_cooldown_is_inclusive() {
    let rules = rules();
    let mut routing = given(at("2026-05-03T09:00:00Z"));
    assert!(routing.delivered(Uuid::max(), at("2026-05-03T09:00:07Z")));
    assert!(!routing.delivered(Uuid::max(), at("2026-05-03T09:30:00Z")), "the second channel changes nothing");
    assert_eq!(routing.holder.as_ref().unwrap().expires_at, Some(at("2026-05-03T12:00:07Z")));
    assert_eq!(routing.clone().lapse(at("2026-05-03T12:00:16.999Z"), &rules), None);
    assert!(routing.lapse(at("2026-05-03T12:00:17Z"), &rules).is_some());
    assert_eq!((routing.state, routing.hand_overs), (RoutingState::Open, 1));
}

#[test]
fn what_was_not_delivered_never_lapses_and_is_nobodys_turn() {
    let rules = rules();
    let mut routing = given(at("2026-05-03T09:00:00Z"));
    assert_eq!(routing.lapse(at("2027-05-03T09:00:00Z"), &rules), None);
    assert!(routing.take_back(Uuid::max(), at("2026-05-03T09:30:00Z")).is_some());
    assert_eq!((routing.state, routing.hand_overs, routing.due_at), (RoutingState::Open, 0, Some(at("2026-05-03T09:30:00Z"))));
}

#[test]
fn an_act_on_the_stroke_of_the_end_is_late() {
    let rules = rules();
    let mut routing = given(at("2026-05-03T09:00:00Z"));
    routing.delivered(Uuid::max(), at("2026-05-03T09:00:00Z"));
    let end = at("2026-05-03T12:00:00Z");
    assert_eq!(routing.clone().act(Uuid::max(), Act::TookIt, end - TimeDelta::milliseconds(1), &rules), Answer::Done);
    assert_eq!(routing.act(Uuid::max(), Act::TookIt, end, &rules), Answer::Late { expired_at: Some(end) });
}
