//! Counts requests as a vendor does, by its own clock, and never gives more than it sold.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

/// What a plan allows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    pub minute: u32,
    pub day: u32,
    /// 0 where months are not counted.
    pub month: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    Minute,
    Day,
    Month,
}

/// What was used.
#[derive(Debug, Default)]
pub struct Quota {
    /// Of the last minute.
    recent: Vec<DateTime<Utc>>,
    day: Option<NaiveDate>,
    pub used_today: u32,
    pub used_this_month: u32,
}

impl Quota {
    /// Takes one request, or says which limit it is over.
    pub fn take(&mut self, limits: Limits, now: DateTime<Utc>) -> Result<(), Over> {
        let today = now.date_naive();
        if self.day.is_none_or(|day| (day.year(), day.month()) != (today.year(), today.month())) {
            self.used_this_month = 0;
        }
        if self.day != Some(today) {
            self.used_today = 0;
        }
        self.day = Some(today);
        self.recent.retain(|moment| now - *moment < TimeDelta::minutes(1));
        if limits.month > 0 && self.used_this_month >= limits.month {
            return Err(Over::Month);
        }
        if self.used_today >= limits.day {
            return Err(Over::Day);
        }
        if self.recent.len() >= usize::try_from(limits.minute).unwrap_or(usize::MAX) {
            return Err(Over::Minute);
        }
        self.recent.push(now);
        self.used_today += 1;
        self.used_this_month += 1;
        Ok(())
    }
}
