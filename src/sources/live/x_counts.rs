//! X: how often some cards are written of, as the vendor counts it. Two requests a name: the last half hour by the minute,
//! and the week by the hour. The vendor does not tell authors apart.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use rust_decimal::Decimal;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{About, Asks, Fault, Run, Source, Step, document, good};
use crate::{
    config::outbound::BaseUrl,
    domain::{
        feed::Budget,
        talk::{Platform, TalkCount},
    },
    sources::{
        Emit, Entry, Outcome, Row,
        http::{Address, Answer, Request},
    },
};

const KEY: &str = "correct TWITTER_BEARER_TOKEN";
const WINDOW: TimeDelta = TimeDelta::minutes(30);
/// The vendor counts up to half a minute ago.
const BEHIND: TimeDelta = TimeDelta::seconds(30);
/// Twenty names each half hour.
const A_DAY: u32 = 20 * 2 * 48;

pub struct XCounts {
    about: About,
    base: BaseUrl,
    token: SecretString,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// What the half hour said, while the week is still to be asked for.
    half_hour: Option<HalfHour>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct HalfHour {
    name: String,
    at: DateTime<Utc>,
    frequency: u32,
}

#[derive(Deserialize)]
struct Counts {
    /// Absent where there is none.
    #[serde(default)]
    data: Vec<Count>,
}

#[derive(Deserialize)]
struct Count {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    #[serde(rename = "tweet_count")]
    posts: u32,
}

impl XCounts {
    pub fn new(base: BaseUrl, token: SecretString, cadence: TimeDelta) -> Self {
        // 300 in a quarter of an hour
        let budget = Budget { spacing: TimeDelta::milliseconds(3_100), day: Some(A_DAY), month: None };
        let about = About { name: "x_counts", cadence, budget, asks_for: Some(Asks::Names), batch: 1, is_archive: false };
        Self { about, base, token }
    }
}

impl Source for XCounts {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let state: State = run.state();
        let base = Address::of(&self.base).path("tweets/counts/recent");
        let asked = |name: &str| format!("\"{}\" (pokemon OR tcg OR ptcg) -is:retweet", name.replace(['"', '\\'], " "));
        let address = if let Some(half_hour) = &state.half_hour {
            base.query("query", asked(&half_hour.name)).query("granularity", "hour")
        } else {
            let start = (run.now - WINDOW - BEHIND).to_rfc3339_opts(SecondsFormat::Secs, true);
            base.query("query", asked(run.wanted.first()?)).query("granularity", "minute").query("start_time", start)
        };
        Some(Request { key: Some(("authorization", format!("Bearer {}", self.token.expose_secret()).into())), ..Request::get(address) })
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        good(&answer, KEY)?;
        let counts: Counts = document(&answer)?;
        let sum = |counts: &mut dyn Iterator<Item = &Count>| counts.fold(0_u32, |sum, count| sum.saturating_add(count.posts));
        let state: State = run.state();
        let Some(half_hour) = state.half_hour else {
            let name = run.wanted.first().cloned().unwrap_or_default();
            let half_hour = HalfHour { name, at: run.now, frequency: sum(&mut counts.data.iter()) };
            return Step::to(&State { half_hour: Some(half_hour) }, true);
        };
        // without the hour that the half hour is part of
        let past = || counts.data.iter().filter(|count| count.end <= half_hour.at - WINDOW);
        let seconds: i64 = past().map(|count| (count.end - count.start).num_seconds()).sum();
        let windows = Decimal::from(seconds) / Decimal::from(WINDOW.num_seconds());
        let baseline = (windows > Decimal::ZERO).then(|| (Decimal::from(sum(&mut past())) / windows).round_dp(6));
        let count =
            TalkCount { platform: Platform::X, name: half_hour.name.clone(), at: half_hour.at, frequency: half_hour.frequency, baseline };
        emit(Row::new(1, Outcome::Values(vec![Entry::TalkCount(Box::new(count))])))?;
        Ok(Step { asked: vec![half_hour.name], ..Step::to(&State::default(), true)? })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};

    #[test]
    fn a_names_half_hour_is_held_against_its_week() {
        let source = XCounts::new(BaseUrl::parse("https://api.x.com/2").unwrap(), "t".into(), TimeDelta::minutes(30));
        let fresh = run(serde_json::Value::Null, &["Umbreon VMAX"]);
        let expected = "https://api.x.com/2/tweets/counts/recent?query=%22Umbreon+VMAX%22+%28pokemon+OR+tcg+OR+ptcg%29+-is%3Aretweet\
            &granularity=minute&start_time=2026-11-22T11%3A29%3A30Z";
        assert_eq!(asked(&source, &fresh).unwrap().0, expected);
        let minutes = r#"{"data":[{"start":"2026-11-22T11:30:00.000Z","end":"2026-11-22T11:31:00.000Z","tweet_count":9},
            {"start":"2026-11-22T11:31:00.000Z","end":"2026-11-22T11:32:00.000Z","tweet_count":8}],"meta":{"total_tweet_count":17}}"#;
        let (step, rows) = read(&source, &fresh, answer(200, minutes)).unwrap();
        assert!(rows.is_empty() && step.asked.is_empty());
        let second = run(step.state, &["Umbreon VMAX"]);
        assert!(asked(&source, &second).unwrap().0.ends_with("granularity=hour"));
        // six and two in an hour each: two in half an hour; the hour that is not over counts nothing
        let hours = r#"{"data":[{"start":"2026-11-22T09:00:00.000Z","end":"2026-11-22T10:00:00.000Z","tweet_count":6},
            {"start":"2026-11-22T10:00:00.000Z","end":"2026-11-22T11:00:00.000Z","tweet_count":2},
            {"start":"2026-11-22T11:00:00.000Z","end":"2026-11-22T12:00:00.000Z","tweet_count":99}],"meta":{"total_tweet_count":107}}"#;
        let (step, rows) = read(&source, &second, answer(200, hours)).unwrap();
        let Outcome::Values(entries) = &rows[0].outcome else { panic!("{rows:?}") };
        let Entry::TalkCount(count) = &entries[0] else { panic!("{entries:?}") };
        assert_eq!((count.frequency, count.baseline), (17, Some(Decimal::TWO)));
        assert_eq!(step.asked, ["Umbreon VMAX"]);
    }

    #[test]
    fn nobody_writing_is_no_fault_and_no_past_is_no_baseline() {
        let source = XCounts::new(BaseUrl::parse("https://api.x.com/2").unwrap(), "t".into(), TimeDelta::minutes(30));
        let (step, _) = read(&source, &run(serde_json::Value::Null, &["Mew"]), answer(200, r#"{"meta":{"total_tweet_count":0}}"#)).unwrap();
        let (_, rows) = read(&source, &run(step.state, &["Mew"]), answer(200, r#"{"meta":{"total_tweet_count":0}}"#)).unwrap();
        let Outcome::Values(entries) = &rows[0].outcome else { panic!("{rows:?}") };
        assert!(matches!(&entries[0], Entry::TalkCount(count) if count.frequency == 0 && count.baseline.is_none()));
        assert_eq!(source.next(&run(serde_json::Value::Null, &[])).map(|_| ()), None, "nothing to ask for");
    }
}
