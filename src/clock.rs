//! The time, and waiting for it. The service runs by the machine's own clock, a demonstration by one that is faster: whoever
//! asks this one for the moment, and waits by it, need not know which it is.

use std::{
    fmt,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};

/// A wait of a fast clock that would be over sooner lasts so long: what looks again and again must not do nothing else.
const SHORTEST: Duration = Duration::from_millis(20);

/// See the module. Cheap to clone; clones show the same.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    speed: NonZeroU32,
}

impl Clock {
    /// The machine's own.
    pub fn machine() -> Self {
        Self::of(Utc::now)
    }

    /// One that shows what it is told, and whose seconds are as long as the machine's.
    pub fn of(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self { now: Arc::new(now), speed: NonZeroU32::MIN }
    }

    /// One that shows `start` now and then runs `speed` times as fast as the machine's.
    pub fn fast(start: DateTime<Utc>, speed: NonZeroU32) -> Self {
        let began = Instant::now();
        let now = move || {
            let passed = TimeDelta::from_std(began.elapsed().saturating_mul(speed.get())).unwrap_or(TimeDelta::MAX);
            start.checked_add_signed(passed).unwrap_or(DateTime::<Utc>::MAX_UTC)
        };
        Self { now: Arc::new(now), speed }
    }

    pub fn now(&self) -> DateTime<Utc> {
        (self.now)()
    }

    /// Waits until this clock shows so much more.
    pub async fn sleep(&self, length: Duration) {
        tokio::time::sleep(self.wall(length)).await;
    }

    /// How long the machine's own clock takes for a stretch of this one.
    pub fn wall(&self, length: Duration) -> Duration {
        (length / self.speed.get()).max(length.min(SHORTEST)).min(length)
    }

    /// What this clock shows more after a stretch of the machine's own: for limits of work, which no clock makes faster.
    pub fn of_wall(&self, length: TimeDelta) -> TimeDelta {
        length.checked_mul(i32::try_from(self.speed.get()).unwrap_or(i32::MAX)).unwrap_or(TimeDelta::MAX)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock(× {})", self.speed)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_fast_clock_shows_ten_minutes_where_the_machine_has_a_second() {
        let start: DateTime<Utc> = "2026-11-24T19:00:00Z".parse().unwrap();
        let began = Instant::now();
        let clock = Clock::fast(start, NonZeroU32::new(600).unwrap());
        std::thread::yield_now();
        let shown = clock.now() - start;
        let most = TimeDelta::from_std(began.elapsed()).unwrap() * 600;
        assert!(shown > TimeDelta::zero() && shown <= most, "{shown} of at most {most}");
        assert_eq!(clock.wall(Duration::from_mins(10)), Duration::from_secs(1));
        assert_eq!(clock.of_wall(TimeDelta::seconds(1)), TimeDelta::minutes(10));
    }

    #[test]
    fn a_short_wait_of_a_fast_clock_leaves_the_machine_time_and_a_usual_clock_waits_as_it_is_told() {
        let fast = Clock::fast(DateTime::UNIX_EPOCH, NonZeroU32::new(600).unwrap());
        assert_eq!(fast.wall(Duration::from_secs(5)), SHORTEST);
        assert_eq!(fast.wall(Duration::from_millis(7)), Duration::from_millis(7), "it asks for no more");
        for length in [Duration::ZERO, Duration::from_millis(7), Duration::from_secs(5), Duration::MAX] {
            assert_eq!(Clock::machine().wall(length), length);
        }
    }
}
