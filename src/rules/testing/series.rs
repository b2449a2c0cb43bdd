//! A course of prices under a virtual clock, and what must be decided at each of its moments.
//!
//! Who decides is handed in: the same code that makes the facts of a scan.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Duration, Utc};

use super::{Expected, Failure, Kind, Ran, Suite, course::Told, coverage::Reached, invariants::Held};
use crate::{
    domain::{
        card::{Card, Printing},
        market::{Direction, Market},
        money::Rates,
        observation::PriceKind,
        profile::Profile,
    },
    rules::{
        diagnostic::Place,
        interpret::{Evaluation, Verdict},
        pack::Pack,
    },
};

/// A card's prices over time, for one tenant.
#[derive(Debug, Clone)]
pub struct Series {
    pub name: String,
    pub place: Place,
    /// When the first step of every course is told.
    pub start: DateTime<Utc>,
    pub every: Duration,
    pub regime: Option<String>,
    pub card: Card,
    pub profile: Profile,
    pub rates: Rates,
    /// Counted by a source, and told at every moment.
    pub sales_30d: Option<i64>,
    pub active_listings: Option<i64>,
    pub prices: Vec<Course>,
    pub moments: Vec<Moment>,
    /// Every signal of the whole course; none at all where the list is empty.
    pub signals: Option<Vec<Period>>,
}

/// One source's prices of the card.
#[derive(Debug, Clone)]
pub struct Course {
    pub market: Market,
    pub source: Arc<str>,
    pub printing: Printing,
    pub kind: PriceKind,
    pub steps: Vec<Told>,
    /// Other things that the same source prices, all alike: what is said of a whole feed rests on them.
    pub companions: usize,
    pub of_companions: Vec<Told>,
}

/// What is decided at one time.
#[derive(Debug, Clone)]
pub struct Moment {
    pub at: DateTime<Utc>,
    pub place: Place,
    /// Every signal of that time; none at all where the list is empty.
    pub signals: Option<Vec<Wish>>,
    /// What must be said of a direction, signal or not.
    pub routes: Vec<Wish>,
}

/// A direction, and what is expected of it.
#[derive(Debug, Clone)]
pub struct Wish {
    pub direction: Direction,
    pub place: Place,
    pub expected: Vec<Expected>,
    /// What the tenant is told of the deal, and where that is written.
    pub message: Option<(String, Place)>,
}

/// A stretch of time, both ends included, at each step of which there is a signal.
#[derive(Debug, Clone)]
pub struct Period {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub signal: Wish,
}

/// Is given the best route of a direction, and what its tenant would be told.
pub type Each<'a> = dyn FnMut(Direction, &mut Evaluation<'_>, &dyn Fn() -> Result<String, String>) + 'a;

/// Decides a series at a time: hands over the best route of each direction.
pub type Decide<'a> = dyn Fn(&Pack, &Series, DateTime<Utc>, &mut Each<'_>) -> Result<(), String> + Sync + 'a;

/// What the series of a suite came to.
#[derive(Debug, Default)]
pub struct Played {
    pub ran: Vec<Ran>,
    pub reached: Reached,
}

impl Suite {
    /// Plays every series, and holds each decision against the invariants.
    pub fn play(&self, pack: &Pack, decide: &Decide<'_>) -> Played {
        let mut outcome = Played::default();
        let mut held: Vec<Held> = vec![Held::default(); self.invariants.len()];
        for series in &self.series {
            let mut player = Player { series, pack, decide, failures: Vec::new(), reached: Reached::default() };
            let ran = player.run(&mut |evaluation, whose| {
                for (invariant, held) in self.invariants.iter().zip(&mut held) {
                    invariant.check(evaluation, whose, held);
                }
            });
            outcome.ran.push(ran);
            outcome.reached = std::mem::take(&mut outcome.reached).and(player.reached);
        }
        outcome.ran.extend(self.invariants.iter().zip(&held).filter_map(|(invariant, held)| invariant.ran(held)));
        outcome
    }
}

impl Series {
    /// The times at which something is told, or would be.
    pub fn times(&self) -> Vec<DateTime<Utc>> {
        let steps = self.prices.iter().map(|course| course.steps.len()).max().unwrap_or(0);
        std::iter::successors(Some(self.start), |at| at.checked_add_signed(self.every)).take(steps).collect()
    }
}

struct Player<'a> {
    series: &'a Series,
    pack: &'a Pack,
    decide: &'a Decide<'a>,
    failures: Vec<Failure>,
    reached: Reached,
}

impl Player<'_> {
    fn run(&mut self, each: &mut dyn FnMut(&mut Evaluation<'_>, &str)) -> Ran {
        let series = self.series;
        let mut times: BTreeSet<DateTime<Utc>> = series.moments.iter().map(|moment| moment.at).collect();
        // what is said of the whole course is asked at every step of it
        let steps: BTreeSet<DateTime<Utc>> = series.signals.iter().flat_map(|_| series.times()).collect();
        times.extend(&steps);
        for at in times {
            if let Err(error) = self.moment(at, steps.contains(&at), each) {
                self.fail("the decision", "one".to_owned(), error, &series.place);
                break;
            }
        }
        let failures = std::mem::take(&mut self.failures);
        Ran { kind: Kind::Series, name: series.name.clone(), place: series.place.clone(), failures }
    }

    fn moment(&mut self, at: DateTime<Utc>, is_step: bool, each: &mut dyn FnMut(&mut Evaluation<'_>, &str)) -> Result<(), String> {
        let (series, pack, decide) = (self.series, self.pack, self.decide);
        let moments: Vec<&Moment> = series.moments.iter().filter(|moment| moment.at == at).collect();
        let periods: Option<Vec<&Period>> = series
            .signals
            .as_ref()
            .filter(|_| is_step)
            .map(|signals| signals.iter().filter(|period| period.from <= at && at <= period.to).collect());
        let mut signals = BTreeSet::new();
        let mut seen = BTreeSet::new();
        decide(pack, series, at, &mut |direction, evaluation, told| {
            seen.insert(direction);
            each(evaluation, &format!("{} at {}, {direction}", series.name, shown(at)));
            if evaluation.verdict() == Verdict::Signal {
                signals.insert(direction);
            }
            let of_moments = moments.iter().flat_map(|moment| moment.routes.iter().chain(moment.signals.iter().flatten()));
            let of_periods = periods.iter().flatten().map(|period| &period.signal);
            for wish in of_moments.chain(of_periods).filter(|wish| wish.direction == direction) {
                if let Some((wanted, place)) = &wish.message {
                    self.failures.extend(message(wanted, told(), &format!("message at {}, {direction}", shown(at)), place));
                }
                for expected in &wish.expected {
                    if let Some(failure) = expected.check(evaluation, &BTreeSet::new()) {
                        self.failures.push(Failure { what: format!("{} at {}, {direction}", failure.what, shown(at)), ..failure });
                    }
                }
            }
            self.reached.add(evaluation, &BTreeSet::new());
            if let Some(reason) = evaluation.verdict().reason(pack) {
                self.reached.add_reason(reason);
            }
        })?;
        for moment in &moments {
            for wish in moment.routes.iter().filter(|wish| !seen.contains(&wish.direction)) {
                let what = format!("{} at {}", wish.direction, shown(at));
                self.fail(&what, "a route".to_owned(), "none: one of its sides has no price".to_owned(), &wish.place);
            }
            if let Some(wishes) = &moment.signals {
                self.compare(at, &wishes.iter().map(|wish| wish.direction).collect(), &signals, &moment.place);
            }
        }
        if let Some(periods) = &periods {
            self.compare(at, &periods.iter().map(|period| period.signal.direction).collect(), &signals, &series.place);
        }
        Ok(())
    }

    fn compare(&mut self, at: DateTime<Utc>, wanted: &BTreeSet<Direction>, found: &BTreeSet<Direction>, place: &Place) {
        if wanted != found {
            self.fail(&format!("signals at {}", shown(at)), listed(wanted), listed(found), place);
        }
    }

    fn fail(&mut self, what: &str, expected: String, actual: String, place: &Place) {
        self.failures.push(Failure {
            what: what.to_owned(),
            expected,
            actual,
            place: place.clone(),
            written: None,
            picture: Vec::new(),
            trace: Vec::new(),
        });
    }
}

/// How a message differs from what is wanted. What blanks end a line is nobody's to see.
fn message(wanted: &str, told: Result<String, String>, what: &str, place: &Place) -> Option<Failure> {
    let (wanted, told) = (wanted.trim_end(), told.unwrap_or_else(|fault| format!("no message: {fault}")));
    (wanted != told).then(|| Failure {
        what: what.to_owned(),
        expected: wanted.to_owned(),
        actual: told,
        place: place.clone(),
        written: None,
        picture: Vec::new(),
        trace: Vec::new(),
    })
}

fn listed(directions: &BTreeSet<Direction>) -> String {
    if directions.is_empty() {
        return "silence".to_owned();
    }
    directions.iter().map(|direction| direction.as_str()).collect::<Vec<_>>().join(" ")
}

fn shown(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M").to_string()
}
