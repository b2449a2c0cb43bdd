//! The time, and waiting for it. The service runs by the machine's own clock, a demonstration by one that is faster: whoever
//! asks this one for the moment, and waits by it, need not know which it is.

use std::{
    fmt,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

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

    /// How [`Clock::read`] is told of a fast clock that shows `start` now: other processes then show the same.
    pub fn written(start: DateTime<Utc>, speed: NonZeroU32) -> String {
        format!("{} {} {speed}", Self::stopped(start), Self::stopped(Utc::now()))
    }

    /// How [`Clock::read`] is told of a clock that stands still.
    pub fn stopped(at: DateTime<Utc>) -> String {
        at.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    /// The clock of such a text: what it shows, at which moment of the machine's, how many times as fast. The first alone
    /// stands still.
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let shown: DateTime<Utc> = words.next()?.parse().ok()?;
        let Some(since) = words.next() else { return Some(Self::of(move || shown)) };
        let since: DateTime<Utc> = since.parse().ok()?;
        let speed: NonZeroU32 = words.next()?.parse().ok()?;
        let now = move || {
            let passed = i32::try_from(speed.get()).ok().and_then(|speed| (Utc::now() - since).checked_mul(speed));
            passed.and_then(|passed| shown.checked_add_signed(passed)).unwrap_or(DateTime::<Utc>::MAX_UTC)
        };
        words.next().is_none().then(|| Self { now: Arc::new(now), speed })
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
    fn another_process_reads_what_a_fast_clock_shows_and_where_one_stopped() {
        let start: DateTime<Utc> = "2026-11-22T19:30:00Z".parse().unwrap();
        let text = Clock::written(start, NonZeroU32::new(600).unwrap());
        let read = Clock::read(&text).unwrap();
        let shown = read.now() - start;
        assert!(shown >= TimeDelta::zero() && shown < TimeDelta::hours(10), "{shown} of the sixty seconds that this test may take");
        assert_eq!(read.of_wall(TimeDelta::seconds(30)), TimeDelta::hours(5));
        assert_eq!(Clock::read("2026-11-22T19:30:00Z 2026-11-20T00:00:00Z").map(|clock| clock.now()), None);
        assert_eq!(Clock::read(&Clock::stopped(start)).unwrap().now(), start);
        let wrong = ["", "now", "2026-11-22T19:30:00Z 2026-11-24T13:00:00Z 0", "2026-11-22T19:30:00Z 2026-11-24T13:00:00Z 600 more"];
        assert!(wrong.iter().all(|text| Clock::read(text).is_none()));
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
