//! What people write, before anybody knows which cards it is about.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::market::closed_set;

/// Discord's milliseconds begin here.
const DISCORD_EPOCH: i64 = 1_420_070_400_000;

closed_set! {
    /// Where people write.
    Platform, "platform" {
        Reddit = "reddit",
        X = "x",
        Discord = "discord",
    }
}

/// One post, under the number that its platform knows it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    pub platform: Platform,
    pub id: String,
    /// Tells authors apart without naming them; nothing where the platform does not tell.
    pub author: Option<String>,
    pub text: String,
    pub posted_at: DateTime<Utc>,
}

/// How often a card was written of in the half hour before a moment, where a platform counts by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TalkCount {
    pub platform: Platform,
    pub name: String,
    pub at: DateTime<Utc>,
    pub frequency: u32,
    /// The mean of the half hours of the week before.
    pub baseline: Option<Decimal>,
}

/// When a Discord message was written, by its number.
pub fn discord_moment(id: &str) -> Option<DateTime<Utc>> {
    let id: i64 = id.parse().ok()?;
    DateTime::from_timestamp_millis((id >> 22) + DISCORD_EPOCH)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_discord_number_tells_its_moment_and_anything_else_none() {
        // 175928847299117063, the vendor's own example
        assert_eq!(discord_moment("175928847299117063").unwrap().to_rfc3339(), "2016-04-30T11:18:25.796+00:00");
        assert_eq!((discord_moment("abc"), discord_moment(""), discord_moment("99999999999999999999")), (None, None, None));
    }
}
