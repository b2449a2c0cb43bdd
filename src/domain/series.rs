//! Facts of one market's price history: trend, jump, standstill. Pure arithmetic over dated prices of one currency.

use chrono::{DateTime, Duration, Utc};
use rust_decimal::Decimal;

use super::money::round_half_up;

/// Decimal places of every series fact.
pub const SERIES_PLACES: u32 = 6;

/// A price at a time; `None` where the row had no price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    pub at: DateTime<Utc>,
    pub price: Option<Decimal>,
}

/// Least-squares slope over the days up to `now`, divided by the mean price: the relative change a day.
///
/// `points` are ascending in time. The window includes its first instant; its first row is the origin even without a
/// price. Zero for fewer than two priced points, equal times or a zero mean.
pub fn daily_change(points: &[Point], now: DateTime<Utc>, days: i64) -> Decimal {
    let from = now - Duration::days(days);
    let window: Vec<_> = points.iter().filter(|point| point.at >= from && point.at <= now).collect();
    let Some(origin) = window.first().map(|point| point.at) else { return Decimal::ZERO };
    let priced: Vec<(Decimal, Decimal)> =
        window.iter().filter_map(|point| Some((Decimal::from((point.at - origin).num_seconds()), point.price?))).collect();
    if priced.len() < 2 {
        return Decimal::ZERO;
    }
    relative_slope(&priced).map_or(Decimal::ZERO, |slope| round_half_up(slope, SERIES_PLACES))
}

/// Slope per day over mean price; seconds keep the sums exact, and `None` stands for a degenerate or overflowing fit.
fn relative_slope(points: &[(Decimal, Decimal)]) -> Option<Decimal> {
    const SECONDS_A_DAY: i64 = 86_400;
    let count = Decimal::from(points.len());
    let (mut sum_x, mut sum_y, mut products, mut squares) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
    for (x, y) in points {
        sum_x += x;
        sum_y += y;
        products = products.checked_add(x.checked_mul(*y)?)?;
        squares = squares.checked_add(x.checked_mul(*x)?)?;
    }
    let numerator = count.checked_mul(products)?.checked_sub(sum_x.checked_mul(sum_y)?)?;
    let denominator = count.checked_mul(squares)?.checked_sub(sum_x.checked_mul(sum_x)?)?;
    let per_second = numerator.checked_div(denominator)?;
    let mean = sum_y.checked_div(count)?;
    per_second.checked_mul(Decimal::from(SECONDS_A_DAY))?.checked_div(mean)
}
