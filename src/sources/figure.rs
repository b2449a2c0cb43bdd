//! Reads the figures and days of feeds exactly: a price never passes through a float, and "no data" is not zero.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::latest_plausible;
use crate::domain::observation::known_price;

/// A dearer card has never been sold; a larger figure is a fault of the feed.
const DEAREST: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// The texts that stand for "no data".
fn is_blank(text: &str) -> bool {
    matches!(text, "" | "-" | "--" | "---" | "N/A" | "n/a" | "null" | "NULL" | "None" | "NaN" | "nan")
}

/// A number's text as a price: `None` for no data (a zero, too).
///
/// # Errors
/// A text that is no number, a negative figure, or one that no card has ever cost.
pub fn price(text: &str) -> Result<Option<Decimal>, String> {
    let Some(figure) = number(text)? else { return Ok(None) };
    if figure.is_sign_negative() && !figure.is_zero() {
        return Err(format!("the price {figure} is negative"));
    }
    if figure > DEAREST {
        return Err(format!("the price {figure} is above {DEAREST}"));
    }
    Ok(known_price(Some(figure)))
}

/// A number's text, exactly; `None` for no data.
///
/// # Errors
/// A text that is no number, or has more digits than money needs.
pub fn number(text: &str) -> Result<Option<Decimal>, String> {
    let text = text.trim();
    if is_blank(text) {
        return Ok(None);
    }
    let exact = if text.contains(['e', 'E']) { Decimal::from_scientific(text) } else { Decimal::from_str_exact(text) };
    exact.map(Some).map_err(|_| format!("\"{}\" is not a number", shortened(text)))
}

/// A JSON figure, still the text that the file holds. Numbers and quoted numbers are read alike.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(transparent)]
pub struct Literal<'a>(#[serde(borrow)] Option<&'a RawValue>);

impl<'a> Literal<'a> {
    pub const fn of(raw: Option<&'a RawValue>) -> Self {
        Self(raw)
    }

    /// As a price: `None` for an absent field, null and zero.
    ///
    /// # Errors
    /// As [`price`].
    pub fn price(self) -> Result<Option<Decimal>, String> {
        self.0.map_or(Ok(None), |raw| price(raw.get().trim_matches('"')))
    }

    /// As a count: `None` for an absent field and null; zero is a count.
    ///
    /// # Errors
    /// Anything but a whole number from 0.
    pub fn count(self) -> Result<Option<i64>, String> {
        let Some(figure) = self.0.map_or(Ok(None), |raw| number(raw.get().trim_matches('"')))? else { return Ok(None) };
        let count = i64::try_from(figure).ok().filter(|count| *count >= 0 && figure.fract().is_zero());
        count.map(Some).ok_or_else(|| format!("{figure} is not a count"))
    }
}

/// A day written `2026/03/27` or `2026-03-27`; anything else is unknown.
pub fn day(text: &str) -> Option<NaiveDate> {
    let text = text.trim();
    NaiveDate::parse_from_str(text, "%Y-%m-%d").or_else(|_| NaiveDate::parse_from_str(text, "%Y/%m/%d")).ok()
}

/// A moment written `2026/01/30 15:00:00` or `2026-01-30 15:00:00`, taken as UTC; anything else is unknown.
pub fn moment(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(&text.trim().replace('/', "-"), "%Y-%m-%d %H:%M:%S").ok().map(|moment| moment.and_utc())
}

/// The day of a price: after the game began, not in the far future.
///
/// # Errors
/// A text that is no day, or a day without prices.
pub fn price_day(text: &str, now: DateTime<Utc>) -> Result<NaiveDate, String> {
    let date = day(text).ok_or_else(|| format!("\"{}\" is not a date: expected 2026-03-27", shortened(text)))?;
    plausible(date, now)
}

/// The same bounds for a day that is read already.
///
/// # Errors
/// A day before 1996 or more than a year ahead.
pub fn plausible(date: NaiveDate, now: DateTime<Utc>) -> Result<NaiveDate, String> {
    let first = NaiveDate::from_ymd_opt(1996, 1, 1).unwrap_or_default();
    if date < first {
        return Err(format!("the date {date} is before 1996"));
    }
    if date > latest_plausible(now).date_naive() {
        return Err(format!("the date {date} is in the far future"));
    }
    Ok(date)
}

/// The beginning of a text, for a message.
pub fn shortened(text: &str) -> String {
    const SHOWN: usize = 40;
    let mut short: String = text.chars().take(SHOWN).map(|letter| if letter.is_control() { '·' } else { letter }).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use proptest::prelude::*;

    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-22T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_price_keeps_every_digit_of_its_text() {
        assert_eq!(price("0.1075").unwrap().unwrap().to_string(), "0.1075");
        assert_eq!(price("1.005").unwrap().unwrap().to_string(), "1.005");
        assert_eq!(price("1e2").unwrap().unwrap(), Decimal::from(100));
    }

    #[test]
    fn zero_dash_and_null_are_no_data() {
        for text in ["", "0", "0.0", "0.00", "-", "--", "N/A", "null"] {
            assert_eq!(price(text).unwrap(), None, "{text}");
        }
    }

    #[test]
    fn a_negative_a_huge_and_a_wordy_price_are_refused_with_the_reason() {
        assert_eq!(price("-1.50").unwrap_err(), "the price -1.50 is negative");
        assert_eq!(price("1000000.01").unwrap_err(), "the price 1000000.01 is above 1000000");
        assert_eq!(price("1,50").unwrap_err(), "\"1,50\" is not a number");
        assert_eq!(price("1000000").unwrap(), Some(Decimal::from(1_000_000)));
    }

    #[test]
    fn json_figures_are_read_from_their_text() {
        #[derive(Deserialize)]
        struct Block<'a> {
            #[serde(borrow, default)]
            low: Literal<'a>,
            #[serde(borrow, default)]
            absent: Literal<'a>,
        }
        let read = |json: &'static str| serde_json::from_str::<Block<'_>>(json).unwrap();
        assert_eq!(read(r#"{"low": 16.98}"#).low.price().unwrap().unwrap().to_string(), "16.98");
        assert_eq!(read(r#"{"low": 13}"#).low.price().unwrap(), Some(Decimal::from(13)));
        assert_eq!(read(r#"{"low": "2.50"}"#).low.price().unwrap().unwrap().to_string(), "2.50");
        assert_eq!(read(r#"{"low": null}"#).low.price().unwrap(), None);
        assert_eq!(read(r#"{"low": 0}"#).absent.price().unwrap(), None);
        assert!(read(r#"{"low": {"a": 1}}"#).low.price().is_err());
    }

    #[test]
    fn days_come_with_slashes_or_dashes_and_a_row_of_dashes_is_unknown() {
        assert_eq!(day("2026/03/27"), day("2026-03-27"));
        assert_eq!(day("---"), None);
        assert_eq!(moment("2026/01/30 15:00:00").unwrap().to_rfc3339(), "2026-01-30T15:00:00+00:00");
        assert_eq!(moment("---"), None);
    }

    #[test]
    fn a_price_of_1995_or_of_the_far_future_is_refused() {
        assert!(price_day("1995-12-31", now()).unwrap_err().contains("before 1996"));
        assert!(price_day("2126-01-01", now()).unwrap_err().contains("far future"));
        assert!(price_day("27.03.2026", now()).unwrap_err().contains("not a date"));
        assert!(price_day("2026-11-21", now()).is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_a_price_none_or_a_reason(text in "\\PC{0,40}") {
            if let Ok(Some(figure)) = price(&text) {
                prop_assert!(figure > Decimal::ZERO && figure <= DEAREST);
            }
        }
    }
}
