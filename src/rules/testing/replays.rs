//! What a replay of history must come to: ranges of signals and reasons, and a golden file of its decisions.
//!
//! Who replays is handed in; here is only what is asked and how an answer is held against it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use chrono::{DateTime, Duration, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{Failure, Kind, Ran, Suite};
use crate::{
    domain::{book::SourceShift, card::CardId, market::Direction, profile::Profile},
    rules::diagnostic::Place,
};

/// A replay that the test files ask for.
#[derive(Debug, Clone)]
pub struct Replay {
    pub name: String,
    pub place: Place,
    pub history: Told,
    pub days: Days,
    pub every: Duration,
    pub shifts: Vec<SourceShift>,
    /// Only these are decided, though all are read; every one where it is empty.
    pub cards: Vec<CardId>,
    pub tenants: Vec<Profile>,
    pub regime: Option<String>,
    pub wanted: Vec<Wanted>,
    /// The file beside the test file that has every decision, and where it is named.
    pub golden: Option<(String, Place)>,
}

/// Where a replay's history comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    Database,
    /// Beside the test file.
    Files(Vec<String>),
    /// Settings of a simulated market, as `--history simulate:…` takes them.
    Simulated(String),
}

/// Which days are replayed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Days {
    Last(i64),
    Between(NaiveDate, NaiveDate),
}

/// A count, and what it must be.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub what: Count,
    pub range: Range,
    pub place: Place,
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Count {
    Signals,
    /// Signals of each tenant at each step.
    PerTenantDay,
    Reason(String),
}

/// From and to, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub least: Option<usize>,
    pub most: Option<usize>,
}

/// What a replay came to.
#[derive(Debug, Default)]
pub struct Replayed {
    /// By step and tenant, the first of each is 0.
    pub signals: Vec<Vec<usize>>,
    pub reasons: BTreeMap<String, usize>,
    pub decisions: Vec<Golden>,
    /// Decisions that broke an invariant.
    pub broken: Vec<Failure>,
}

/// A signal as a golden file has it, one a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    pub at: DateTime<Utc>,
    /// Position among the replay's tenants, from 1.
    pub tenant: usize,
    pub card: CardId,
    pub direction: Direction,
    pub net_profit: Option<Decimal>,
    pub score: Option<Decimal>,
}

/// How a golden file may be changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Figures of decisions that stay what they are.
    pub update: bool,
    /// Decisions that turned round.
    pub accept_flips: bool,
}

/// Reads a golden file; `None` where there is none yet.
pub type Open<'a> = dyn Fn(&str) -> Result<Option<String>, String> + 'a;

/// What the replays of a suite came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub ran: Vec<Ran>,
    /// Golden files to be written, by name.
    pub golden: BTreeMap<String, String>,
}

impl Range {
    /// `10..60`, `10..`, `..60` or `7`.
    pub fn parse(text: &str) -> Option<Self> {
        let bound = |text: &str| if text.is_empty() { Some(None) } else { text.parse().ok().map(Some) };
        match text.split_once("..") {
            Some((least, most)) => {
                let range = Self { least: bound(least)?, most: bound(most)? };
                let turned = range.least.zip(range.most).is_some_and(|(least, most)| least > most);
                (!turned && range != Self { least: None, most: None }).then_some(range)
            }
            None => bound(text)?.map(|exactly| Self { least: Some(exactly), most: Some(exactly) }),
        }
    }

    pub fn holds(self, count: usize) -> bool {
        self.least.is_none_or(|least| least <= count) && self.most.is_none_or(|most| count <= most)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (Some(least), Some(most)) if least == most => write!(f, "{least}"),
            (least, most) => {
                let bound = |bound: Option<usize>| bound.map(|bound| bound.to_string()).unwrap_or_default();
                write!(f, "{}..{}", bound(least), bound(most))
            }
        }
    }
}

impl Suite {
    /// Holds every replay against what is wanted and against its golden file. `replayed` has an answer for each, or why
    /// there is none.
    pub fn hold_replays(&self, replayed: Vec<Result<Replayed, String>>, open: &Open<'_>, rewrite: Rewrite) -> Outcome {
        let mut outcome = Outcome::default();
        for (replay, replayed) in self.replays.iter().zip(replayed) {
            let failures = match replayed {
                Err(error) => vec![failure("the replay", "one", &error, &replay.place)],
                Ok(replayed) => {
                    let mut failures = replay.hold(&replayed);
                    failures.extend(replayed.broken.iter().cloned());
                    failures.extend(replay.hold_golden(&replayed, open, rewrite, &mut outcome.golden));
                    failures
                }
            };
            outcome.ran.push(Ran { kind: Kind::Replay, name: replay.name.clone(), place: replay.place.clone(), failures });
        }
        outcome
    }
}

impl Replay {
    fn hold(&self, replayed: &Replayed) -> Vec<Failure> {
        let mut failures = Vec::new();
        for wanted in &self.wanted {
            let counts: Vec<(String, usize)> = match &wanted.what {
                Count::Signals => vec![("signals".to_owned(), replayed.signals.iter().flatten().sum())],
                Count::Reason(reason) => vec![(reason.clone(), replayed.reasons.get(reason).copied().unwrap_or(0))],
                Count::PerTenantDay => {
                    let days = replayed.signals.iter().enumerate();
                    let each = |(day, tenants): (usize, &Vec<usize>)| {
                        let named =
                            |(tenant, count): (usize, &usize)| (format!("signals of tenant {} at step {}", tenant + 1, day + 1), *count);
                        tenants.iter().enumerate().map(named).collect::<Vec<_>>()
                    };
                    days.flat_map(each).collect()
                }
            };
            let broken = counts.into_iter().find(|(_, count)| !wanted.range.holds(*count));
            failures.extend(broken.map(|(what, count)| failure(&what, &wanted.range.to_string(), &count.to_string(), &wanted.place)));
        }
        failures
    }

    /// Decisions that turned round are told one by one; `rewrite` says what may be written instead.
    fn hold_golden(&self, replayed: &Replayed, open: &Open<'_>, rewrite: Rewrite, files: &mut BTreeMap<String, String>) -> Vec<Failure> {
        let Some((name, place)) = &self.golden else { return Vec::new() };
        let golden = match open(name).and_then(|text| text.map(|text| read(&text)).transpose()) {
            Ok(golden) => golden,
            Err(error) => return vec![failure(name, "a golden file", &error, place)],
        };
        let Some(golden) = golden else {
            if rewrite.update {
                files.insert(name.clone(), write(&replayed.decisions));
                return Vec::new();
            }
            return vec![failure(name, "a golden file", "none: --update writes it", place)];
        };
        let keyed = |decisions: &[Golden]| decisions.iter().map(|one| (one.key(), one.clone())).collect::<BTreeMap<_, _>>();
        let (before, now) = (keyed(&golden), keyed(&replayed.decisions));
        let all: BTreeSet<_> = before.keys().chain(now.keys()).collect();
        let (mut flips, mut figures) = (Vec::new(), Vec::new());
        for key in all {
            match (before.get(key), now.get(key)) {
                (Some(before), None) => flips.push(failure(&before.named(), "signal", "rejected", place)),
                (None, Some(now)) => flips.push(failure(&now.named(), "rejected", "signal", place)),
                (Some(before), Some(now)) if before != now => {
                    figures.push(failure(&before.named(), &before.figures(), &now.figures(), place));
                }
                _ => {}
            }
        }
        let flips_stand = !flips.is_empty() && !rewrite.accept_flips;
        if (rewrite.update || (rewrite.accept_flips && !flips.is_empty())) && !flips_stand && !(flips.is_empty() && figures.is_empty()) {
            files.insert(name.clone(), write(&replayed.decisions));
            return Vec::new();
        }
        let mut failures = told(flips, "verdicts turned round", "--accept-flips writes them", place);
        failures.extend(told(figures, "figures differ", "--update writes them", place));
        failures
    }
}

/// Failures of one golden file that are told.
const MOST_TOLD: usize = 10;

/// The first of them, and what can be done about all.
fn told(mut failures: Vec<Failure>, what: &str, help: &str, place: &Place) -> Vec<Failure> {
    let all = failures.len();
    failures.truncate(MOST_TOLD);
    failures.extend((all > 0).then(|| failure(&format!("{all} {what}"), "none", help, place)));
    failures
}

impl Golden {
    fn key(&self) -> (DateTime<Utc>, usize, CardId, Direction) {
        (self.at, self.tenant, self.card.clone(), self.direction)
    }

    fn named(&self) -> String {
        format!("{} {} for tenant {} as of {}", self.card, self.direction, self.tenant, self.at.format("%Y-%m-%dT%H:%M"))
    }

    fn figures(&self) -> String {
        let figure = |figure: Option<Decimal>| figure.map_or_else(|| "unknown".to_owned(), |figure| figure.to_string());
        format!("net_profit {}, score {}", figure(self.net_profit), figure(self.score))
    }
}

fn read(text: &str) -> Result<Vec<Golden>, String> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(number, line)| serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))).collect()
}

fn write(decisions: &[Golden]) -> String {
    let mut decisions: Vec<&Golden> = decisions.iter().collect();
    decisions.sort();
    decisions.into_iter().filter_map(|one| Some(format!("{}\n", serde_json::to_string(one).ok()?))).collect()
}

fn failure(what: &str, expected: &str, actual: &str, place: &Place) -> Failure {
    Failure {
        what: what.to_owned(),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
        place: place.clone(),
        written: None,
        picture: Vec::new(),
        trace: Vec::new(),
    }
}

/// The folder of a test file, inside the pack.
pub fn folder_of(file: &Arc<str>) -> &str {
    file.rsplit_once('/').map_or("", |(folder, _)| folder)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn golden(day: &str, net: &str) -> Golden {
        Golden {
            at: format!("{day}T00:00:00Z").parse().unwrap(),
            tenant: 1,
            card: CardId::new("sv1-25").unwrap(),
            direction: Direction::EuUs,
            net_profit: Some(net.parse().unwrap()),
            score: None,
        }
    }

    fn replay() -> Replay {
        let place = Place { file: "tests/a.test.yaml".into(), span: crate::rules::diagnostic::Span::default() };
        Replay {
            name: "a".into(),
            place: place.clone(),
            history: Told::Database,
            days: Days::Last(3),
            every: Duration::days(1),
            shifts: Vec::new(),
            cards: Vec::new(),
            tenants: Vec::new(),
            regime: None,
            wanted: Vec::new(),
            golden: Some(("a.golden.jsonl".into(), place)),
        }
    }

    /// Failures in short, and whether the golden file is written.
    fn hold(before: Option<&[Golden]>, now: &[Golden], update: bool, accept_flips: bool) -> (Vec<String>, bool) {
        let replayed = Replayed { decisions: now.to_vec(), ..Replayed::default() };
        let mut files = BTreeMap::new();
        let failures = replay().hold_golden(&replayed, &|_| Ok(before.map(write)), Rewrite { update, accept_flips }, &mut files);
        let written = files.get("a.golden.jsonl").map(|text| read(text).unwrap());
        assert!(written.is_none_or(|written| written == now));
        (failures.iter().map(|one| format!("{} → {}", one.expected, one.actual)).collect(), !files.is_empty())
    }

    #[test]
    fn a_range_has_both_ends_or_one() {
        for (text, inside, outside) in [("10..60", 10, 61), ("10..", 99, 9), ("..3", 0, 4), ("7", 7, 6)] {
            let range = Range::parse(text).unwrap();
            assert!(range.holds(inside) && !range.holds(outside), "{text}");
            assert_eq!(range.to_string(), text);
        }
        for wrong in ["..", "5..3", "-1", "a..b", ""] {
            assert_eq!(Range::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn figures_are_updated_but_a_verdict_that_turned_round_only_on_purpose() {
        let (one, other) = (golden("2026-05-01", "10.00"), golden("2026-05-02", "11.00"));
        let both = [one.clone(), other.clone()];
        assert_eq!(hold(Some(&both), &both, true, true), (Vec::new(), false));
        assert_eq!(hold(None, &both, false, false).0, ["a golden file → none: --update writes it"]);
        assert_eq!(hold(None, &both, true, false), (Vec::new(), true));

        let changed = [one.clone(), golden("2026-05-02", "12.00")];
        assert_eq!(
            hold(Some(&both), &changed, false, false).0,
            ["net_profit 11.00, score unknown → net_profit 12.00, score unknown", "none → --update writes them"]
        );
        assert_eq!(hold(Some(&both), &changed, true, false), (Vec::new(), true));

        let lost = std::slice::from_ref(&one);
        let refused = |flip: &str| (vec![flip.to_owned(), "none → --accept-flips writes them".to_owned()], false);
        assert_eq!(hold(Some(&both), lost, true, false), refused("signal → rejected"));
        assert_eq!(hold(Some(lost), &both, true, false), refused("rejected → signal"));
        assert_eq!(hold(Some(&both), lost, false, true), (Vec::new(), true));
        assert_eq!(hold(Some(&[]), &both[..1], true, true), (Vec::new(), true));
    }
}
