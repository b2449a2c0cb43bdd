//! How a live feed stands: when it may ask again, what of its quota is left, and where its run goes on. Pure transitions;
//! the database keeps the value, so that neither a restart nor a second process forgets what was spent.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::market::closed_set;
use std::{fmt, str::FromStr};

closed_set! {
    /// For how long a quota counts. Days and months are UTC's.
    Period, "quota period" {
        Minute = "minute",
        Day = "day",
        Month = "month",
    }
}

/// What a vendor allows, until it tells otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// From one request to the next.
    pub spacing: TimeDelta,
    pub day: Option<u32>,
    pub month: Option<u32>,
}

/// Requests of one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The period's first day.
    pub from: NaiveDate,
    pub used: u32,
    /// As the vendor told; the budget's figure where it did not.
    pub allowed: Option<u32>,
}

impl Spent {
    const fn none(from: NaiveDate) -> Self {
        Self { from, used: 0, allowed: None }
    }

    /// The count of the period that `from` begins; what was allowed stays.
    fn rolled(&mut self, from: NaiveDate) -> &mut Self {
        if self.from != from {
            (self.from, self.used) = (from, 0);
        }
        self
    }

    /// What may still be asked in the period that `from` begins; nothing where nobody limits it.
    fn left(&self, from: NaiveDate, budget: Option<u32>) -> Option<u32> {
        let allowed = self.allowed.or(budget)?;
        Some(if self.from == from { allowed.saturating_sub(self.used) } else { allowed })
    }
}

/// What a vendor said about our quota. Its word counts more than our count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    pub day_allowed: Option<u32>,
    pub day_left: Option<u32>,
    pub month_allowed: Option<u32>,
    pub month_left: Option<u32>,
    /// From one request to the next.
    pub spacing: Option<TimeDelta>,
    /// Ids that a request may name.
    pub batch: Option<u32>,
}

/// One feed's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feed {
    pub source: String,
    /// The source's own: where its run goes on, and what it remembers from run to run.
    pub state: Json,
    /// A run is under way since then.
    pub run_began: Option<DateTime<Utc>>,
    /// The run is about flagged cards only: it is not the feed's turn.
    pub express: bool,
    /// Requests that the run may still make.
    pub run_left: u32,
    /// The last run that came to its end.
    pub last_run: Option<DateTime<Utc>>,
    /// No request before.
    pub not_before: Option<DateTime<Utc>>,
    /// In a row.
    pub failures: u32,
    pub last_fault: Option<String>,
    pub day: Spent,
    pub month: Spent,
    /// Milliseconds from one request to the next, as the vendor told.
    pub spacing_ms: Option<i64>,
    pub batch: Option<u32>,
}

/// A request that has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    pub until: DateTime<Utc>,
    /// The quota that is spent; none where only the next moment is awaited.
    pub spent: Option<Period>,
}

/// What a feed may still ask, of what is limited.
pub fn quota_left(day_spent: &Spent, month_spent: &Spent, budget: &Budget, now: DateTime<Utc>) -> [(Period, Option<u32>); 2] {
    [(Period::Day, day_spent.left(day(now), budget.day)), (Period::Month, month_spent.left(month(now), budget.month))]
}

/// Requests of a run about flagged cards: one that asks whether there is anything new, or about the other market, and one
/// that asks for them.
const EXPRESS: u32 = 2;

const FIRST_WAIT: TimeDelta = TimeDelta::seconds(30);
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

impl Feed {
    pub fn new(source: &str, now: DateTime<Utc>) -> Self {
        Self {
            source: source.to_owned(),
            state: Json::Null,
            run_began: None,
            express: false,
            run_left: 0,
            last_run: None,
            not_before: None,
            failures: 0,
            last_fault: None,
            day: Spent::none(day(now)),
            month: Spent::none(month(now)),
            spacing_ms: None,
            batch: None,
        }
    }

    /// When the feed has something to do: at once in a run, else a cadence after the last run.
    pub fn due_at(&self, now: DateTime<Utc>, cadence: TimeDelta) -> DateTime<Utc> {
        let run = if self.run_began.is_some() { None } else { self.last_run.map(|last| last + cadence) };
        run.into_iter().chain(self.not_before).max().unwrap_or(now)
    }

    /// Begins a run with its share of what is left.
    pub fn begin(&mut self, now: DateTime<Utc>, budget: &Budget, cadence: TimeDelta) {
        self.run_began = Some(now);
        self.run_left = self.share(now, budget, cadence);
    }

    /// Begins a run about flagged cards, between two turns; not where the turns themselves would get too little.
    pub fn begin_express(&mut self, now: DateTime<Utc>, budget: &Budget, cadence: TimeDelta) -> bool {
        let is_free = self.run_began.is_none() && self.not_before.is_none_or(|until| until <= now);
        if !is_free || self.share(now, budget, cadence) < 2 * EXPRESS {
            return false;
        }
        (self.run_began, self.run_left, self.express) = (Some(now), EXPRESS, true);
        true
    }

    /// What a run that begins now may spend: what is left of the month is spread over its days, what is left of the day
    /// over its runs, so that the last day's signals are as fresh as the first day's.
    fn share(&self, now: DateTime<Utc>, budget: &Budget, cadence: TimeDelta) -> u32 {
        let (today, this_month) = (day(now), month(now));
        let day_left = self.day.left(today, budget.day);
        let used_today = if self.day.from == today { self.day.used } else { 0 };
        let of_month = self.month.left(this_month, budget.month).map(|left| {
            let days = u32::try_from((next_month(this_month) - today).num_days()).unwrap_or(1).max(1);
            (left.saturating_add(used_today)).div_ceil(days).saturating_sub(used_today).min(left)
        });
        let Some(left) = [day_left, of_month].into_iter().flatten().min() else { return u32::MAX };
        let seconds = (midnight(today + Days::new(1)) - now).num_seconds().max(1);
        let runs = (seconds.unsigned_abs().div_ceil(cadence.num_seconds().max(1).unsigned_abs())).max(1);
        left.div_ceil(u32::try_from(runs).unwrap_or(u32::MAX))
    }

    /// Takes one request out of every quota, before it is sent.
    ///
    /// # Errors
    /// A quota is spent, or the last request was a moment ago.
    pub fn take(&mut self, now: DateTime<Utc>, budget: &Budget) -> Result<(), Wait> {
        if let Some(until) = self.not_before.filter(|until| now < *until) {
            return Err(Wait { until, spent: None });
        }
        let (today, this_month) = (day(now), month(now));
        if self.month.left(this_month, budget.month) == Some(0) {
            return Err(Wait { until: midnight(next_month(this_month)), spent: Some(Period::Month) });
        }
        if self.day.left(today, budget.day) == Some(0) {
            return Err(Wait { until: midnight(today + Days::new(1)), spent: Some(Period::Day) });
        }
        self.day.rolled(today).used += 1;
        self.month.rolled(this_month).used += 1;
        self.run_left = self.run_left.saturating_sub(1);
        let spacing = self.spacing_ms.map_or(budget.spacing, TimeDelta::milliseconds);
        self.not_before = (spacing > TimeDelta::zero()).then(|| now + spacing);
        Ok(())
    }

    /// Believes what the vendor says about our quota.
    pub fn hear(&mut self, told: &Told, now: DateTime<Utc>) {
        let of = |spent: &mut Spent, allowed: Option<u32>, left: Option<u32>| {
            spent.allowed = allowed.or(spent.allowed);
            if let (Some(allowed), Some(left)) = (spent.allowed, left) {
                spent.used = allowed.saturating_sub(left);
            }
        };
        of(self.day.rolled(day(now)), told.day_allowed, told.day_left);
        of(self.month.rolled(month(now)), told.month_allowed, told.month_left);
        self.spacing_ms = told.spacing.map(|spacing| spacing.num_milliseconds()).or(self.spacing_ms);
        self.batch = told.batch.or(self.batch);
    }

    /// Believes that a quota is spent although we counted otherwise.
    pub fn exhaust(&mut self, period: Period, retry_after: Option<TimeDelta>, now: DateTime<Utc>) {
        let (today, this_month) = (day(now), month(now));
        let until = match period {
            Period::Minute => now + retry_after.unwrap_or(TimeDelta::minutes(1)),
            Period::Day => retry_after.map_or(midnight(today + Days::new(1)), |wait| now + wait),
            Period::Month => midnight(next_month(this_month)),
        };
        self.not_before = Some(until);
    }

    /// Notes a failure and waits: as long as the vendor asks, else twice as long as last time. `jitter` is a random
    /// number from 0 to 999: whoever failed together shall not come back together.
    pub fn fail(&mut self, fault: String, retry_after: Option<TimeDelta>, now: DateTime<Utc>, jitter: u32) {
        self.failures = self.failures.saturating_add(1);
        self.last_fault = Some(fault);
        let doubled = (FIRST_WAIT * (1 << (self.failures - 1).min(7))).min(LONGEST_WAIT);
        let wait = doubled / 2 + doubled / 2 * i32::try_from(jitter.min(999)).unwrap_or(0) / 1000;
        self.not_before = Some(now + wait.max(retry_after.unwrap_or_default()));
    }

    /// An answer was understood and is stored.
    pub fn succeed(&mut self) {
        self.failures = 0;
        self.last_fault = None;
    }

    /// The run is over. `resume_at` is the vendor's word on when there is something new.
    pub fn finish(&mut self, now: DateTime<Utc>, resume_at: Option<DateTime<Utc>>) {
        self.run_began = None;
        self.run_left = 0;
        if !std::mem::take(&mut self.express) {
            self.last_run = Some(now);
        }
        self.not_before = self.not_before.max(resume_at);
    }
}

fn day(now: DateTime<Utc>) -> NaiveDate {
    now.date_naive()
}

fn month(now: DateTime<Utc>) -> NaiveDate {
    let today = now.date_naive();
    today.with_day(1).unwrap_or(today)
}

fn next_month(first: NaiveDate) -> NaiveDate {
    first + Months::new(1)
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use proptest::prelude::*;

    use super::*;

    const FREE: Budget = Budget { spacing: TimeDelta::seconds(6), day: Some(100), month: Some(1000) };
    const SIX_HOURS: TimeDelta = TimeDelta::hours(6);

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn feed(now: DateTime<Utc>) -> Feed {
        Feed::new("a", now)
    }

    #[test]
    fn requests_keep_their_distance() {
        let now = at("2026-11-22T00:00:00Z");
        let mut feed = feed(now);
        feed.take(now, &FREE).unwrap();
        let soon = Wait { until: now + TimeDelta::seconds(6), spent: None };
        assert_eq!(feed.take(now + TimeDelta::seconds(5), &FREE), Err(soon));
        assert_eq!(feed.take(now + TimeDelta::seconds(6), &FREE), Ok(()));
    }

    #[test]
    fn a_spent_day_waits_for_midnight_and_a_spent_month_for_the_first() {
        let now = at("2026-11-22T10:00:00Z");
        let mut feed = feed(now);
        feed.day.used = 100;
        assert_eq!(feed.take(now, &FREE), Err(Wait { until: at("2026-11-23T00:00:00Z"), spent: Some(Period::Day) }));
        assert_eq!(feed.take(at("2026-11-23T00:00:00Z"), &FREE), Ok(()));
        feed.month.used = 1000;
        assert_eq!(
            feed.take(at("2026-11-24T00:00:00Z"), &FREE),
            Err(Wait { until: at("2026-12-01T00:00:00Z"), spent: Some(Period::Month) })
        );
        assert_eq!(feed.take(at("2026-12-01T00:00:00Z"), &FREE), Ok(()));
    }

    #[test]
    fn a_thousand_a_month_is_thirty_four_a_day_and_nine_a_run() {
        let now = at("2026-11-01T00:00:00Z");
        let mut feed = feed(now);
        feed.begin(now, &FREE, SIX_HOURS);
        // 1000 / 30 days = 33.3, 34 / 4 runs = 8.5
        assert_eq!(feed.run_left, 9);
        feed.day.used = 27;
        feed.month.used = 27;
        feed.begin(at("2026-11-01T18:00:00Z"), &FREE, SIX_HOURS);
        assert_eq!(feed.run_left, 7, "34 less the 27 that were used");
        feed.month.used = 995;
        feed.begin(at("2026-11-30T00:00:00Z"), &FREE, SIX_HOURS);
        assert_eq!(feed.run_left, 2, "5 are left for 4 runs");
    }

    #[test]
    fn without_a_quota_a_run_may_go_on_as_it_needs() {
        let now = at("2026-11-01T00:00:00Z");
        let mut feed = feed(now);
        feed.begin(now, &Budget::default(), SIX_HOURS);
        assert_eq!(feed.run_left, u32::MAX);
        assert_eq!(feed.take(now, &Budget::default()), Ok(()));
        assert_eq!(feed.take(now, &Budget::default()), Ok(()));
    }

    #[test]
    fn the_vendors_count_replaces_ours() {
        let now = at("2026-11-22T00:00:00Z");
        let mut feed = feed(now);
        feed.hear(&Told { month_allowed: Some(10_000), month_left: Some(3), day_allowed: Some(1000), ..Told::default() }, now);
        assert_eq!((feed.month.used, feed.day.allowed), (9_997, Some(1000)));
        for _ in 0..3 {
            feed.not_before = None;
            feed.take(now, &FREE).unwrap();
        }
        feed.not_before = None;
        assert_eq!(feed.take(now, &FREE).map_err(|wait| wait.spent), Err(Some(Period::Month)));
    }

    #[test]
    fn failures_wait_twice_as_long_each_time_up_to_an_hour_and_never_less_than_asked() {
        let now = at("2026-11-22T00:00:00Z");
        let mut feed = feed(now);
        let mut waits = Vec::new();
        for _ in 0..12 {
            feed.fail("x".into(), None, now, 999);
            waits.push((feed.not_before.unwrap() - now).num_seconds());
        }
        assert_eq!(waits, [29, 59, 119, 239, 479, 959, 1919, 3598, 3598, 3598, 3598, 3598]);
        feed.succeed();
        feed.fail("x".into(), None, now, 0);
        assert_eq!(feed.not_before, Some(now + TimeDelta::seconds(15)), "jitter is down to a half");
        feed.fail("x".into(), Some(TimeDelta::minutes(30)), now, 0);
        assert_eq!(feed.not_before, Some(now + TimeDelta::minutes(30)));
    }

    #[test]
    fn a_run_about_flagged_cards_is_not_the_feeds_turn_and_leaves_the_turns_enough() {
        let now = at("2026-11-01T00:00:00Z");
        let mut feed = feed(now);
        feed.begin(now, &FREE, SIX_HOURS);
        assert!(!feed.begin_express(now, &FREE, SIX_HOURS), "a run is under way");
        feed.finish(now, None);
        let later = at("2026-11-01T01:00:00Z");
        assert!(feed.begin_express(later, &FREE, SIX_HOURS));
        assert_eq!(feed.run_left, 2);
        feed.finish(later, None);
        assert_eq!(feed.due_at(later, SIX_HOURS), at("2026-11-01T06:00:00Z"), "six hours after the last turn");
        // 34 a day: of the 14 that are left, each of the 4 runs has 4; of 12 only 3
        (feed.day.used, feed.month.used) = (20, 20);
        assert!(feed.begin_express(later, &FREE, SIX_HOURS));
        feed.finish(later, None);
        (feed.day.used, feed.month.used) = (22, 22);
        assert!(!feed.begin_express(later, &FREE, SIX_HOURS));
    }

    #[test]
    fn a_run_is_due_a_cadence_after_the_last_and_at_once_where_there_was_none() {
        let now = at("2026-11-22T00:00:00Z");
        let mut feed = feed(now);
        assert_eq!(feed.due_at(now, SIX_HOURS), now);
        feed.begin(now, &FREE, SIX_HOURS);
        feed.finish(now, None);
        assert_eq!(feed.due_at(now, SIX_HOURS), at("2026-11-22T06:00:00Z"));
        feed.finish(now, Some(at("2026-11-23T00:00:00Z")));
        assert_eq!(feed.due_at(now, SIX_HOURS), at("2026-11-23T00:00:00Z"), "the vendor has nothing new before");
    }

    proptest! {
        /// Whatever the pauses, no day sees more than 100 and no month more than 1000 requests, and none come closer than 6 s.
        #[test]
        fn no_quota_is_ever_overrun(pauses in prop::collection::vec(0_i64..40_000, 1..3000)) {
            let mut now = at("2026-10-30T00:00:00Z");
            let mut feed = feed(now);
            let mut granted: Vec<DateTime<Utc>> = Vec::new();
            for pause in pauses {
                now += TimeDelta::seconds(pause % 300 + pause / 300);
                if feed.take(now, &FREE).is_ok() {
                    granted.push(now);
                }
            }
            let most = |of: fn(DateTime<Utc>) -> NaiveDate| {
                let mut counts = std::collections::BTreeMap::new();
                for moment in &granted {
                    *counts.entry(of(*moment)).or_insert(0_usize) += 1;
                }
                counts.into_values().max().unwrap_or(0)
            };
            prop_assert!(most(day) <= 100 && most(month) <= 1000);
            prop_assert!(granted.windows(2).all(|two| two[1] - two[0] >= TimeDelta::seconds(6)));
        }
    }
}
