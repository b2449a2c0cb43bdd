//! TCGCSV's daily archives of TCGplayer's prices: day after day, none twice. No key.

use std::time::Duration;

use chrono::{Days, NaiveDate, TimeDelta};
use serde::{Deserialize, Serialize};

use super::{About, Fault, NO_KEY, Run, Source, Step, file, good};
use crate::{
    config::outbound::BaseUrl,
    domain::{feed::Budget, product::TCGCSV},
    sources::{
        Emit,
        http::{Address, Answer, Request},
        tcgcsv::clocks,
        tcgcsv_archive,
    },
};

/// A packed day of all games has about 4 MB.
const LARGEST: u64 = 256 * 1024 * 1024;
/// A day that is missing for longer will not come any more.
const GIVEN_UP_AFTER: TimeDelta = TimeDelta::days(2);
/// The vendor asks to be gentle.
const SPACING: TimeDelta = TimeDelta::seconds(5);

pub struct Tcgcsv {
    about: About,
    base: BaseUrl,
    /// Days before yesterday that a first run fetches: trends need a past.
    backfill_days: u64,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    /// The last day that we hold, or that the vendor lacks.
    last: Option<NaiveDate>,
}

impl Tcgcsv {
    pub fn new(base: BaseUrl, cadence: TimeDelta, backfill_days: u64) -> Self {
        let budget = Budget { spacing: SPACING, ..Budget::default() };
        // to look whether a day is over costs no request
        let cadence = cadence.min(TimeDelta::hours(1));
        Self { about: About { name: TCGCSV, cadence, budget, asks_for: None, batch: 0, is_archive: true }, base, backfill_days }
    }

    /// The day to fetch, if it can have been published.
    fn day(&self, run: &Run) -> Option<NaiveDate> {
        let state: State = run.state();
        let first = || run.now.date_naive() - Days::new(1 + self.backfill_days);
        let day = state.last.map_or_else(first, |last| last + Days::new(1));
        (clocks(day).0 <= run.now).then_some(day)
    }
}

impl Source for Tcgcsv {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let address = Address::of(&self.base).path(&format!("archive/tcgplayer/prices-{}.ppmd.7z", self.day(run)?));
        Some(Request { timeout: Duration::from_mins(5), largest: LARGEST, ..Request::get(address) })
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        let Some(day) = self.day(run) else { return Step::to(&run.state, false) };
        // the archive's server says 403 of what is not there
        if matches!(answer.status, 403 | 404) {
            if run.now - clocks(day).0 < GIVEN_UP_AFTER {
                // late, not lost: an hour from now it may be there
                let (state, resume_at) = (run.state.clone(), Some(run.now + TimeDelta::hours(1)));
                return Ok(Step { state, more: true, resume_at, ..Step::default() });
            }
        } else {
            good(&answer, NO_KEY)?;
            file(&tcgcsv_archive::FORMAT, &answer.from, &answer, run, emit)?;
        }
        let more = clocks(day + Days::new(1)).0 <= run.now;
        Step::to(&State { last: Some(day) }, more)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{
        super::{testing::*, understood},
        *,
    };
    use crate::sources::tcgcsv::{Place, group};

    fn source() -> Tcgcsv {
        let feed = configured().tcgcsv;
        Tcgcsv::new(feed.base, feed.cadence, 3)
    }

    fn at(state: &State, moment: &str) -> Run {
        Run { now: moment.parse().unwrap(), ..run(serde_json::to_value(state).unwrap(), &[]) }
    }

    fn day(text: &str) -> State {
        State { last: Some(text.parse().unwrap()) }
    }

    #[test]
    fn days_are_fetched_one_by_one_and_none_before_it_is_published() {
        let first = asked(&source(), &run(serde_json::Value::Null, &[])).unwrap().0;
        assert_eq!(first, "https://tcgcsv.com/archive/tcgplayer/prices-2026-11-18.ppmd.7z", "three days before yesterday");
        assert_eq!(asked(&source(), &at(&day("2026-11-21"), "2026-11-22T19:59:59Z")), None);
        assert!(asked(&source(), &at(&day("2026-11-21"), "2026-11-22T20:00:00Z")).is_some());
    }

    #[test]
    fn a_late_day_is_waited_for_and_a_lost_one_is_left_out() {
        let late = at(&day("2026-11-20"), "2026-11-22T12:00:00Z");
        let (step, _) = read(&source(), &late, answer(404, "")).unwrap();
        assert_eq!((step.more, step.resume_at, step.state), (true, Some(late.now + TimeDelta::hours(1)), late.state));
        let lost = at(&day("2026-11-18"), "2026-11-22T12:00:00Z");
        let (step, _) = read(&source(), &lost, answer(403, "")).unwrap();
        assert_eq!((step.more, step.state), (true, serde_json::json!({ "last": "2026-11-19" })));
    }

    #[test]
    fn a_renamed_price_is_refused_whole_and_a_renamed_product_too() {
        const GROUP: &str = r#"{"success": true, "errors": [], "results": [
            {"productId": 42346, "lowPrice": 1.5, "midPrice": 2, "highPrice": 9.0, "marketPrice": 1.87, "subTypeName": "Normal"},
            {"productId": 42347, "lowPrice": 2.5, "midPrice": 3, "highPrice": 9.0, "marketPrice": 2.87, "subTypeName": "Holofoil"}]}"#;
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        let place = Place::of_path("2026-11-20/3/604/prices").unwrap();
        let group = |text: &str| {
            let mut rows = 0;
            let mut count = |_| {
                rows += 1;
                Ok(())
            };
            let read = understood(now, &mut count, |emit| group(text.as_bytes(), &place, now, emit));
            (read.is_ok(), rows)
        };
        assert_eq!(group(GROUP), (true, 2));
        for field in ["marketPrice", "productId", "subTypeName"] {
            assert_eq!(group(&GROUP.replace(field, "renamed")), (false, 2), "{field}");
        }
    }

    #[test]
    fn what_is_no_archive_is_refused_whole() {
        let fault = read(&source(), &run(serde_json::Value::Null, &[]), answer(200, "<html>")).unwrap_err();
        assert!(fault.to_string().contains("sent no TCGCSV daily archive"), "{fault}");
        assert!(matches!(read(&source(), &run(serde_json::Value::Null, &[]), answer(502, "")), Err(Fault::Server { .. })));
    }
}
