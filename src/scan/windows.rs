//! How far back the history facts look: parameters of the pack, so that an analyst can change them.

use chrono::NaiveDate;

use crate::rules::pack::Pack;

/// Windows and thresholds of the series facts, of `params/series.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Days of history that a price is compared with.
    pub history_days: i64,
    /// Earlier prices that a comparison needs.
    pub min_points: usize,
    /// A price this many times its median, or that part of it, has jumped.
    pub jump_factor: rust_decimal::Decimal,
    /// Days without a move that count as frozen.
    pub frozen_days: i64,
    /// Days within which two sources are comparable.
    pub fresh_days: i64,
    /// Series that a statement about a whole feed needs.
    pub min_feed: usize,
}

/// Days that the facts whose names end in `_7d` and `_30d` look back.
pub const TREND_DAYS: i64 = 7;
/// See [`TREND_DAYS`].
pub const ACTIVITY_DAYS: i64 = 30;

/// A window that the pack does not state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pack has no number {0} for {1}: add it to params/series.yaml")]
pub struct MissingWindow(&'static str, NaiveDate);

impl Windows {
    /// Days of history that the longest of all windows needs.
    pub fn longest(&self) -> i64 {
        self.history_days.max(self.frozen_days).max(ACTIVITY_DAYS).max(TREND_DAYS)
    }

    /// Reads the windows in force on a day.
    pub fn read(pack: &Pack, date: NaiveDate) -> Result<Self, MissingWindow> {
        let number = |name: &'static str| {
            let parameter = pack.parameters.iter().find(|parameter| parameter.name == name);
            parameter.and_then(|parameter| parameter.at(date)?.value.as_decimal()).ok_or(MissingWindow(name, date))
        };
        let whole = |name: &'static str| i64::try_from(number(name)?).map_err(|_| MissingWindow(name, date));
        let count = |name: &'static str| usize::try_from(whole(name)?).map_err(|_| MissingWindow(name, date));
        Ok(Self {
            history_days: whole("series_history_days")?,
            min_points: count("series_min_points")?,
            jump_factor: number("series_jump_factor")?,
            frozen_days: whole("series_frozen_days")?,
            fresh_days: whole("series_fresh_days")?,
            min_feed: count("series_min_feed")?,
        })
    }
}
