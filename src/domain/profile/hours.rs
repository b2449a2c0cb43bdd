//! When a tenant wants to hear of something: a time zone, quiet hours, the hour of a batch.

use std::{fmt, str::FromStr};

use chrono::{DateTime, NaiveTime, Timelike, Utc};
use serde::{Deserialize, Serialize};

/// A text that is no time, zone or pair of times.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is no {what}: expected {example}")]
pub struct BadHours {
    text: String,
    what: &'static str,
    example: &'static str,
}

/// A time of the day, to the minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(pub NaiveTime);

impl FromStr for TimeOfDay {
    type Err = BadHours;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || BadHours { text: text.to_owned(), what: "time of the day", example: "one from 00:00 to 23:59, such as 08:00" };
        NaiveTime::parse_from_str(text.trim(), "%H:%M").map(Self).map_err(|_| fault())
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

/// An IANA time zone, such as `Europe/Berlin`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZone(pub chrono_tz::Tz);

impl TimeZone {
    pub const UTC: Self = Self(chrono_tz::UTC);
}

impl FromStr for TimeZone {
    type Err = BadHours;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || BadHours { text: text.to_owned(), what: "time zone", example: "one of the IANA's, such as Europe/Berlin or UTC" };
        text.trim().parse().map(Self).map_err(|_| fault())
    }
}

impl fmt::Display for TimeZone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// Hours of every day in which nothing is sent; they may pass midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QuietHours {
    from: TimeOfDay,
    until: TimeOfDay,
}

impl QuietHours {
    /// `None` where both are the same: that would be never or always.
    pub fn new(from: TimeOfDay, until: TimeOfDay) -> Option<Self> {
        (from != until).then_some(Self { from, until })
    }

    pub const fn from(self) -> TimeOfDay {
        self.from
    }

    pub const fn until(self) -> TimeOfDay {
        self.until
    }

    /// Whether they last at a moment. The last minute is not among them.
    pub fn include(self, zone: TimeZone, now: DateTime<Utc>) -> bool {
        let time = now.with_timezone(&zone.0).time();
        let (from, until) = (self.from.0, self.until.0);
        if from < until { from <= time && time < until } else { from <= time || time < until }
    }
}

impl FromStr for QuietHours {
    type Err = BadHours;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fault = || BadHours { text: text.to_owned(), what: "pair of times", example: "two different ones, such as 22:00-07:00" };
        let (from, until) = text.split_once('-').ok_or_else(fault)?;
        let (from, until) = (from.parse().map_err(|_| fault())?, until.parse().map_err(|_| fault())?);
        Self::new(from, until).ok_or_else(fault)
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.from, self.until)
    }
}

/// Both ways between a value and its text, for YAML and JSON.
macro_rules! as_text {
    ($($name:ident),+) => { $(
        impl TryFrom<String> for $name {
            type Error = BadHours;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )+ };
}
as_text!(TimeOfDay, TimeZone, QuietHours);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn quiet_hours_may_pass_midnight_and_follow_the_clocks_of_the_zone() {
        let night: QuietHours = "22:00-07:00".parse().unwrap();
        let berlin: TimeZone = "Europe/Berlin".parse().unwrap();
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        // winter: one hour ahead of UTC; summer: two
        assert!(!night.include(berlin, at("2026-01-10T20:59:59Z")));
        assert!(night.include(berlin, at("2026-01-10T21:00:00Z")));
        assert!(night.include(berlin, at("2026-01-11T05:59:59Z")));
        assert!(!night.include(berlin, at("2026-01-11T06:00:00Z")));
        assert!(night.include(berlin, at("2026-07-10T20:00:00Z")));
        let noon: QuietHours = "12:00-13:30".parse().unwrap();
        assert!(noon.include(TimeZone::UTC, at("2026-01-10T12:00:00Z")) && !noon.include(TimeZone::UTC, at("2026-01-10T13:30:00Z")));
    }

    #[test]
    fn what_is_no_time_is_refused_with_an_example() {
        for text in ["22:00", "22:00-22:00", "24:00-07:00", "a-b"] {
            let error = text.parse::<QuietHours>().unwrap_err().to_string();
            assert!(error.contains("such as 22:00-07:00"), "{error}");
        }
        assert!("8".parse::<TimeOfDay>().is_err());
        assert!("CET+1".parse::<TimeZone>().unwrap_err().to_string().contains("Europe/Berlin"));
        assert_eq!("08:05".parse::<TimeOfDay>().unwrap().to_string(), "08:05");
    }
}
