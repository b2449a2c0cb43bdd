//! How often pages may be loaded: never more than so many in any hour, a random while apart, not at all for a while after
//! the site said so. Pure transitions; the database keeps the value, and a load is counted before it is made.

use chrono::{DateTime, TimeDelta, Utc};

use super::page::Ending;

/// The span that the quota is about.
const WINDOW: TimeDelta = TimeDelta::hours(1);
/// After "too many requests", as the site is known to want it.
const COOL_DOWN: TimeDelta = TimeDelta::seconds(900);
/// After a challenge, doubled with each further one.
const PAUSE: TimeDelta = TimeDelta::hours(1);
const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(24);

/// What the operator allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    pub pages_per_hour: u32,
    /// Least and most from one load to the next.
    pub delay: (TimeDelta, TimeDelta),
}

/// How the loading of pages stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pace {
    /// The loads that still count, in their order.
    pub loads: Vec<DateTime<Utc>>,
    pub not_before: Option<DateTime<Utc>>,
    /// Challenges in a row.
    pub challenges: u32,
}

impl Pace {
    /// Loads that the quota has left at a moment. A load counts for an hour, to the second.
    pub fn left(&self, now: DateTime<Utc>, manners: &Manners) -> u32 {
        let counted = self.loads.iter().filter(|load| **load + WINDOW > now).count();
        manners.pages_per_hour.saturating_sub(u32::try_from(counted).unwrap_or(u32::MAX))
    }

    /// When the next load may be, if it is not now.
    pub fn wait(&self, now: DateTime<Utc>, manners: &Manners) -> Option<DateTime<Utc>> {
        let most = usize::try_from(manners.pages_per_hour).unwrap_or(usize::MAX);
        // with this one gone, there is room
        let quota = self.loads.len().checked_sub(most).and_then(|place| self.loads.get(place)).map(|load| *load + WINDOW);
        self.not_before.into_iter().chain(quota).max().filter(|until| *until > now)
    }

    /// Counts a load, before it is made. `chance` is a random number of thousandths.
    ///
    /// # Errors
    /// It has to wait; until when.
    pub fn take(&mut self, now: DateTime<Utc>, manners: &Manners, chance: u32) -> Result<(), DateTime<Utc>> {
        self.loads.retain(|load| *load + WINDOW > now);
        if let Some(until) = self.wait(now, manners) {
            return Err(until);
        }
        self.loads.push(now);
        let (least, most) = manners.delay;
        self.not_before = Some(now + least + (most - least) * i32::try_from(chance.min(1_000)).unwrap_or_default() / 1_000);
        Ok(())
    }

    /// Hears how a load ended; `None` is well.
    pub fn hear(&mut self, ending: Option<Ending>, now: DateTime<Utc>) {
        let until = match ending {
            Some(Ending::Blocked) => {
                let times = 1 << self.challenges.min(5);
                self.challenges = self.challenges.saturating_add(1);
                now + (PAUSE * times).min(LONGEST_PAUSE)
            }
            Some(Ending::RateLimited) => now + COOL_DOWN,
            None | Some(Ending::Empty) => {
                self.challenges = 0;
                return;
            }
            Some(_) => return,
        };
        self.not_before = self.not_before.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use proptest::prelude::*;

    use super::*;

    const MANNERS: Manners = Manners { pages_per_hour: 3, delay: (TimeDelta::seconds(2), TimeDelta::seconds(8)) };

    fn at(seconds: i64) -> DateTime<Utc> {
        "2026-11-24T12:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::seconds(seconds)
    }

    #[test]
    fn a_load_counts_for_an_hour_and_the_next_is_a_random_while_later() {
        let mut pace = Pace::default();
        assert_eq!(pace.take(at(0), &MANNERS, 0), Ok(()));
        assert_eq!(pace.take(at(1), &MANNERS, 0), Err(at(2)));
        assert_eq!(pace.take(at(2), &MANNERS, 1_000), Ok(()));
        assert_eq!(pace.take(at(9), &MANNERS, 500), Err(at(10)));
        assert_eq!(pace.take(at(10), &MANNERS, 500), Ok(()));
        assert_eq!(pace.take(at(20), &MANNERS, 0), Err(at(3_600)));
        assert_eq!(pace.left(at(3_599), &MANNERS), 0);
        assert_eq!(pace.take(at(3_600), &MANNERS, 0), Ok(()));
        assert_eq!(pace.take(at(3_602), &MANNERS, 0), Ok(()));
        assert_eq!(pace.take(at(3_604), &MANNERS, 0), Err(at(3_610)));
    }

    #[test]
    fn too_many_requests_cool_down_and_challenges_pause_longer_each_time_until_a_page_comes() {
        let mut pace = Pace::default();
        pace.hear(Some(Ending::RateLimited), at(0));
        assert_eq!(pace.wait(at(0), &MANNERS), Some(at(900)));
        pace.hear(Some(Ending::Blocked), at(900));
        assert_eq!(pace.wait(at(900), &MANNERS), Some(at(900 + 3_600)));
        pace.hear(Some(Ending::Blocked), at(4_500));
        assert_eq!(pace.wait(at(4_500), &MANNERS), Some(at(4_500 + 7_200)));
        for _ in 0..9 {
            pace.hear(Some(Ending::Blocked), at(11_700));
        }
        assert_eq!(pace.wait(at(11_700), &MANNERS), Some(at(11_700 + 24 * 3_600)));
        pace.hear(None, at(100_000));
        assert_eq!((pace.challenges, pace.wait(at(100_000), &MANNERS)), (0, None));
        pace.hear(Some(Ending::TimedOut), at(100_000));
        assert_eq!(pace.wait(at(100_000), &MANNERS), None);
    }

    proptest! {
        #[test]
        fn no_hour_has_more_loads_than_allowed(gaps in proptest::collection::vec((0_i64..2_000, 0_u32..1_001), 1..200)) {
            let (mut pace, mut now, mut made) = (Pace::default(), 0, Vec::new());
            for (gap, chance) in gaps {
                now += gap;
                if pace.take(at(now), &MANNERS, chance).is_ok() {
                    made.push(now);
                }
            }
            for load in &made {
                prop_assert!(made.iter().filter(|other| (*load..load + 3_600).contains(other)).count() <= 3);
            }
        }
    }
}
