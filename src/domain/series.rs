//! Facts of one market's price history: trend, jump, standstill. Pure arithmetic over dated prices of one currency.

use std::{fmt, ops::Deref};

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

/// Points that move on in time, ascending: new ones come at the end, old ones are forgotten.
#[derive(Clone, Default)]
pub struct Points {
    all: Vec<Point>,
    /// How many are forgotten already.
    forgotten: usize,
}

/// So many are moved away at once: a long history would else be moved as a whole for every point that leaves it.
const FORGOTTEN: usize = 16;

impl Points {
    pub fn reserve_exact(&mut self, more: usize) {
        self.all.reserve_exact(more);
    }

    /// Adds a point, in its place if it comes late. Of two of one moment the one that is added later counts.
    pub fn add(&mut self, point: Point) {
        // nearly all are later than the last
        let place = self.all.iter().rposition(|known| known.at <= point.at).filter(|place| *place >= self.forgotten);
        match place {
            Some(place) if self.all[place].at == point.at => self.all[place] = point,
            Some(place) => self.all.insert(place + 1, point),
            None => self.all.insert(self.forgotten, point),
        }
    }

    pub fn forget_before(&mut self, since: DateTime<Utc>) {
        self.forgotten += self.iter().take_while(|point| point.at < since).count();
        if self.forgotten >= FORGOTTEN {
            self.all.drain(..self.forgotten);
            self.forgotten = 0;
        }
    }
}

impl Deref for Points {
    type Target = [Point];

    fn deref(&self) -> &[Point] {
        &self.all[self.forgotten..]
    }
}

impl FromIterator<Point> for Points {
    fn from_iter<I: IntoIterator<Item = Point>>(points: I) -> Self {
        Self { all: points.into_iter().collect(), forgotten: 0 }
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl PartialEq for Points {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Points {}

/// The points of the window: `now − days` and `now` belong to it.
fn window_of(points: &[Point], now: DateTime<Utc>, days: i64) -> &[Point] {
    let from = now - Duration::days(days);
    // nearly all are known by now, and from there backwards they are read in any case
    let end = points.iter().rposition(|point| point.at <= now).map_or(0, |last| last + 1);
    let start = points[..end].iter().rposition(|point| point.at < from).map_or(0, |before| before + 1);
    &points[start..end]
}

/// Least-squares slope over the days up to `now`, divided by the mean price: the relative change a day.
///
/// `points` are ascending in time. The window includes its first instant; its first row is the origin even without a
/// price. Zero for fewer than two priced points, equal times or a zero mean.
pub fn daily_change(points: &[Point], now: DateTime<Utc>, days: i64) -> Decimal {
    let window = window_of(points, now, days);
    let Some(origin) = window.first().map(|point| point.at) else { return Decimal::ZERO };
    let priced = window.iter().filter_map(|point| Some(((point.at - origin).num_seconds(), point.price?)));
    relative_slope(priced).map_or(Decimal::ZERO, |slope| round_half_up(slope, SERIES_PLACES))
}

/// Slope per day over mean price; seconds and digits keep the sums exact, and `None` stands for a degenerate or overflowing
/// fit.
fn relative_slope(points: impl Iterator<Item = (i64, Decimal)> + Clone) -> Option<Decimal> {
    const SECONDS_A_DAY: i64 = 86_400;
    let scale = points.clone().map(|(_, price)| price.scale()).max()?;
    let (mut count, mut sum_x, mut sum_y, mut products, mut squares) = (0_i128, 0_i128, 0_i128, 0_i128, 0_i128);
    for (x, price) in points {
        let (x, y) = (i128::from(x), price.mantissa().checked_mul(10_i128.checked_pow(scale - price.scale())?)?);
        count += 1;
        sum_x += x;
        sum_y = sum_y.checked_add(y)?;
        products = products.checked_add(x.checked_mul(y)?)?;
        squares += x * x;
    }
    if count < 2 {
        return None;
    }
    let numerator = count.checked_mul(products)?.checked_sub(sum_x.checked_mul(sum_y)?)?;
    let denominator = count * squares - sum_x * sum_x;
    let decimal = |digits, scale| Decimal::try_from_i128_with_scale(digits, scale).ok();
    let per_second = decimal(numerator, scale)?.checked_div(decimal(denominator, 0)?)?;
    let mean = decimal(sum_y, scale)?.checked_div(decimal(count, 0)?)?;
    per_second.checked_mul(Decimal::from(SECONDS_A_DAY))?.checked_div(mean)
}

/// The priced points of the window.
fn priced(points: &[Point], now: DateTime<Utc>, days: i64) -> impl DoubleEndedIterator<Item = (DateTime<Utc>, Decimal)> {
    window_of(points, now, days).iter().filter_map(|point| Some((point.at, point.price?)))
}

/// How many points of the last `days` have a price.
pub fn price_count(points: &[Point], now: DateTime<Utc>, days: i64) -> usize {
    window_of(points, now, days).iter().filter(|point| point.price.is_some()).count()
}

/// How often the price moved in the last `days`: priced points that differ from the priced point before them in the window.
pub fn price_changes(points: &[Point], now: DateTime<Utc>, days: i64) -> usize {
    let mut last = None;
    priced(points, now, days).filter(|(_, price)| last.replace(*price).is_some_and(|last| !is_same(last, *price))).count()
}

/// Whether two prices are the same amount. Most are of one scale, and digits compare faster than decimals.
fn is_same(left: Decimal, right: Decimal) -> bool {
    if left.scale() == right.scale() { left.mantissa() == right.mantissa() } else { left == right }
}

/// Whole hours between the first and the last priced point of the last `days`; 0 for fewer than two.
pub fn span_hours(points: &[Point], now: DateTime<Utc>, days: i64) -> i64 {
    let mut times = priced(points, now, days).map(|(at, _)| at);
    let Some(first) = times.next() else { return 0 };
    times.next_back().map_or(0, |last| (last - first).num_hours())
}

/// Whole days that the price up to `now` is known to stand still: since the first of the equal prices at the end.
///
/// A price that has not been told since counts as unchanged. `None` for fewer than two priced points: one price says
/// nothing about moving.
pub fn days_unchanged(points: &[Point], now: DateTime<Utc>) -> Option<i64> {
    let mut latest_first = points.iter().rev().filter(|point| point.at <= now).filter_map(|point| Some((point.at, point.price?)));
    let (latest, price) = latest_first.next()?;
    let mut since = latest;
    let mut count = 1;
    for (at, earlier) in latest_first {
        count += 1;
        if !is_same(earlier, price) {
            break;
        }
        since = at;
    }
    (count >= 2).then(|| (now - since).num_days())
}

/// The latest price over the median of the priced points in the `days` before it, rounded to [`SERIES_PLACES`].
///
/// `points` may hold the latest itself: only earlier ones count. `None` without a price, for fewer than `at_least`
/// earlier prices (one at least), and where the median is not positive.
pub fn jump_ratio(points: &[Point], latest: Point, days: i64, at_least: usize) -> Option<Decimal> {
    let price = latest.price?;
    let window = window_of(points, latest.at, days);
    let earlier = window.iter().filter(|point| point.at < latest.at).filter_map(|point| point.price);
    if earlier.clone().count() < at_least {
        return None;
    }
    let usual = median(earlier).filter(|usual| *usual > Decimal::ZERO)?;
    Some(round_half_up(price.checked_div(usual)?, SERIES_PLACES))
}

/// The middle one, or the mean of the middle two; `None` of nothing.
pub fn median(prices: impl Iterator<Item = Decimal> + Clone) -> Option<Decimal> {
    let scale = prices.clone().next()?.scale();
    if !prices.clone().all(|price| price.scale() == scale) {
        let (lower, upper) = middle(&mut prices.collect::<Vec<_>>())?;
        return mean(lower, upper);
    }
    // digits compare faster than decimals
    let mut digits: Vec<i128> = prices.map(|price| price.mantissa()).collect();
    let (lower, upper) = middle(&mut digits)?;
    mean(Decimal::from_i128_with_scale(lower, scale), Decimal::from_i128_with_scale(upper, scale))
}

/// The middle two; of an odd number the middle one twice.
fn middle<T: Ord + Copy>(numbers: &mut [T]) -> Option<(T, T)> {
    let (half, is_odd) = (numbers.len() / 2, numbers.len() % 2 == 1);
    if numbers.is_empty() {
        return None;
    }
    let (below, upper, _) = numbers.select_nth_unstable(half);
    let lower = if is_odd { *upper } else { below.iter().copied().max()? };
    Some((lower, *upper))
}

fn mean(lower: Decimal, upper: Decimal) -> Option<Decimal> {
    if lower == upper { Some(upper) } else { lower.checked_add(upper)?.checked_div(Decimal::TWO) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    fn at(day: u32, hour: u32) -> DateTime<Utc> {
        chrono::NaiveDate::from_ymd_opt(2026, 2, day).unwrap().and_hms_opt(hour, 0, 0).unwrap().and_utc()
    }

    /// One point a day at noon, from the first of February; `-` has no price.
    fn series(prices: &str) -> Vec<Point> {
        let days = prices.split_whitespace().zip(1..);
        days.map(|(price, day)| Point { at: at(day, 12), price: (price != "-").then(|| d(price)) }).collect()
    }

    #[test]
    fn a_fall_of_two_over_a_mean_of_twenty_is_a_tenth_a_day() {
        assert_eq!(daily_change(&series("21 19"), at(3, 0), 7), d("-0.1"));
        assert_eq!(daily_change(&series("100 92 85 77"), at(5, 0), 7), d("-0.085876"));
    }

    #[test]
    fn points_move_on_and_keep_their_order() {
        let mut points = Points::default();
        for day in (1..=20).filter(|day| *day != 7) {
            points.add(Point { at: at(day, 12), price: Some(day.into()) });
        }
        points.add(Point { at: at(7, 12), price: None });
        points.add(Point { at: at(20, 12), price: Some(d("99")) });
        let days = |points: &Points| points.iter().map(|point| (point.at - at(1, 12)).num_days() + 1).collect::<Vec<_>>();
        assert_eq!(days(&points), (1..=20).collect::<Vec<_>>());
        assert_eq!((points[6].price, points[19].price), (None, Some(d("99"))));
        // a few are only hidden, many are moved away; whoever looks sees no difference
        for since in [4, 11, 19] {
            points.forget_before(at(since, 12));
            assert_eq!(days(&points), (i64::from(since)..=20).collect::<Vec<_>>());
            assert_eq!(points, points.iter().copied().collect());
        }
        // one that comes late stands before all that are left
        points.add(Point { at: at(2, 12), price: None });
        assert_eq!(days(&points), [2, 19, 20]);
    }

    #[test]
    fn the_window_includes_both_its_ends() {
        let points = series("5 6 7 8");
        assert_eq!(price_count(&points, at(4, 12), 3), 4);
        assert_eq!(price_count(&points, at(4, 11), 2), 2);
        assert_eq!(price_count(&points, at(4, 13), 3), 3);
        assert_eq!(price_count(&[], at(4, 12), 3), 0);
    }

    #[test]
    fn changes_are_counted_between_priced_neighbours() {
        assert_eq!(price_changes(&series("5 5 - 5 6 - 6 5"), at(20, 0), 30), 2);
        assert_eq!(price_changes(&series("5 - - 6"), at(20, 0), 30), 1);
        // the first point of the window has no neighbour in it
        assert_eq!(price_changes(&series("5 6 6"), at(3, 12), 1), 0);
        assert_eq!(price_changes(&series("5.0 5.00"), at(20, 0), 30), 0);
        assert_eq!(price_changes(&series("5"), at(20, 0), 30), 0);
    }

    #[test]
    fn the_span_runs_from_the_first_to_the_last_priced_point() {
        assert_eq!(span_hours(&series("- 5 - 6 -"), at(20, 0), 30), 48);
        assert_eq!(span_hours(&series("- 5 -"), at(20, 0), 30), 0);
        assert_eq!(span_hours(&[], at(20, 0), 30), 0);
        let close = [Point { at: at(1, 12), price: Some(d("1")) }, Point { at: at(1, 12) + Duration::minutes(119), price: Some(d("2")) }];
        assert_eq!(span_hours(&close, at(20, 0), 30), 1);
    }

    #[test]
    fn a_price_stands_still_since_it_was_first_told() {
        assert_eq!(days_unchanged(&series("4 5 5 5"), at(4, 12)), Some(2));
        assert_eq!(days_unchanged(&series("4 5 - 5 -"), at(9, 11)), Some(6));
        assert_eq!(days_unchanged(&series("5 5 5"), at(3, 12)), Some(2));
        assert_eq!(days_unchanged(&series("4 5"), at(2, 12)), Some(0));
        assert_eq!(days_unchanged(&series("4 5 5.00"), at(3, 12)), Some(1));
        // what came later than now is not known yet
        assert_eq!(days_unchanged(&series("5 5 6"), at(2, 13)), Some(1));
        assert_eq!(days_unchanged(&series("5 -"), at(9, 0)), None);
        assert_eq!(days_unchanged(&[], at(9, 0)), None);
    }

    #[test]
    fn a_jump_is_measured_against_earlier_prices_of_the_window() {
        let points = series("9 10 - 11 12 40");
        let latest = points[5];
        assert_eq!(jump_ratio(&points, latest, 30, 3), Some(d("3.809524")));
        assert_eq!(jump_ratio(&points, latest, 30, 4), jump_ratio(&points, latest, 30, 1));
        assert_eq!(jump_ratio(&points, latest, 30, 5), None);
        assert_eq!(jump_ratio(&points, latest, 2, 2), Some(d("3.478261")));
        assert_eq!(jump_ratio(&points, Point { price: None, ..latest }, 30, 1), None);
        assert_eq!(jump_ratio(&[], latest, 30, 0), None);
        assert_eq!(jump_ratio(&series("0 0"), latest, 30, 1), None);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        let of = |prices: &[&str]| median(prices.iter().map(|price| d(price)));
        assert_eq!(of(&["9", "1", "2"]), Some(d("2")));
        assert_eq!(of(&["4", "1", "2", "9"]), Some(d("3")));
        // prices of several scales, too
        assert_eq!(of(&["4.00", "1", "2.5", "9"]), Some(d("3.25")));
        assert_eq!(of(&["0.01", "0.02"]), Some(d("0.015")));
        assert_eq!(of(&[]), None);
    }
}
