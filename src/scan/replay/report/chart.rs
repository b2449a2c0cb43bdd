//! Plots as inline SVG. Coordinates are decimals too: nothing here is a float, so a page is the same on every machine.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::escaped;

const WIDTH: i64 = 860;
const HEIGHT: i64 = 260;
const LEFT: i64 = 64;
const RIGHT: i64 = 14;
const TOP: i64 = 12;
const BOTTOM: i64 = 30;

/// A stretch of values, and the stretch of pixels that it takes.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    low: Decimal,
    high: Decimal,
    from: i64,
    to: i64,
}

impl Axis {
    /// Left to right.
    pub fn across(low: Decimal, high: Decimal) -> Self {
        Self::new(low, high, LEFT, WIDTH - RIGHT)
    }

    /// Bottom to top.
    pub fn up(low: Decimal, high: Decimal) -> Self {
        Self::new(low, high, HEIGHT - BOTTOM, TOP)
    }

    fn new(low: Decimal, high: Decimal, from: i64, to: i64) -> Self {
        // a stretch without length would leave nowhere to draw
        let high = if high > low { high } else { low + Decimal::ONE };
        Self { low, high, from, to }
    }

    /// The pixel of a value; values beyond the ends stand at the ends.
    pub fn at(self, value: Decimal) -> Decimal {
        let value = value.clamp(self.low, self.high);
        let length = Decimal::from(self.to - self.from);
        let share = (value - self.low).checked_div(self.high - self.low).unwrap_or(Decimal::ZERO);
        (Decimal::from(self.from) + share * length).round_dp(1)
    }

    /// Round values to mark, four or so.
    fn marks(self) -> Vec<Decimal> {
        let rough = (self.high - self.low) / Decimal::from(4);
        let mut step = Decimal::ONE;
        while step > rough {
            step /= Decimal::TEN;
        }
        while step * Decimal::TEN <= rough {
            step *= Decimal::TEN;
        }
        for factor in [5, 2] {
            if step * Decimal::from(factor) <= rough {
                step *= Decimal::from(factor);
                break;
            }
        }
        let first = (self.low / step).ceil() * step;
        std::iter::successors(Some(first), |mark| Some(mark + step)).take_while(|mark| *mark <= self.high).take(12).collect()
    }
}

/// A plot that is being drawn.
pub struct Plot {
    svg: String,
}

impl Plot {
    pub fn new(label: &str) -> Self {
        let svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n", escaped(label));
        Self { svg }
    }

    /// Lines across at round values, with the values beside them.
    pub fn scale_up(&mut self, axis: Axis) {
        for mark in axis.marks() {
            let y = axis.at(mark);
            let class = if mark.is_zero() { "zero" } else { "grid" };
            let _ = write!(
                self.svg,
                "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/><text class=\"up\" x=\"{}\" y=\"{}\">{}</text>\n",
                WIDTH - RIGHT,
                LEFT - 8,
                y + Decimal::from(4),
                mark.normalize()
            );
        }
    }

    /// Round values under the plot.
    pub fn scale_across(&mut self, axis: Axis) {
        for mark in axis.marks() {
            self.under(axis.at(mark), &mark.normalize().to_string());
        }
    }

    /// A word under the plot.
    pub fn under(&mut self, x: Decimal, word: &str) {
        let _ = writeln!(self.svg, "<text class=\"across\" x=\"{x}\" y=\"{}\">{}</text>", HEIGHT - 10, escaped(word));
    }

    /// What the axes are, in words: up at the top left, across at the bottom right.
    pub fn named(&mut self, up: &str, across: &str) {
        let (right, low) = (WIDTH - RIGHT, HEIGHT - BOTTOM - 6);
        let _ = writeln!(
            self.svg,
            "<text class=\"name\" x=\"{}\" y=\"{}\">{}</text><text class=\"name end\" x=\"{right}\" y=\"{low}\">{}</text>",
            LEFT + 6,
            TOP + 10,
            escaped(up),
            escaped(across)
        );
    }

    pub fn bar(&mut self, class: &str, (left, width): (Decimal, Decimal), (top, bottom): (Decimal, Decimal), title: &str) {
        let height = (bottom - top).max(Decimal::ZERO);
        let title = escaped(title);
        let _ = writeln!(
            self.svg,
            "<rect class=\"{class}\" x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\"><title>{title}</title></rect>"
        );
    }

    pub fn dot(&mut self, class: &str, x: Decimal, y: Decimal, radius: u8, title: &str) {
        let title = escaped(title);
        let _ = writeln!(self.svg, "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"><title>{title}</title></circle>");
    }

    /// A line through points.
    pub fn line(&mut self, class: &str, points: &[(Decimal, Decimal)], title: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        let title = escaped(title);
        let _ = writeln!(self.svg, "<polyline class=\"{class}\" points=\"{}\"><title>{title}</title></polyline>", points.join(" "));
    }

    pub fn finish(mut self) -> String {
        self.svg.push_str("</svg>\n");
        self.svg
    }
}

/// Where the bars of so many steps stand: left edge and width of each.
pub fn slots(count: usize) -> Vec<(Decimal, Decimal)> {
    let whole = Decimal::from(WIDTH - LEFT - RIGHT);
    let one = whole / Decimal::from(count.max(1));
    let gap = if one > Decimal::from(4) { Decimal::ONE } else { Decimal::ZERO };
    let slot = |place: usize| ((Decimal::from(LEFT) + one * Decimal::from(place)).round_dp(2), (one - gap).round_dp(2));
    (0..count).map(slot).collect()
}

/// A list of named amounts as bars that lie.
pub fn lying(rows: &[(String, usize)], label: &str) -> String {
    const ROW: usize = 22;
    const NAMES: usize = 230;
    const BARS: usize = 540;
    let most = rows.iter().map(|(_, count)| *count).max().unwrap_or(0).max(1);
    let mut svg = format!("<svg viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{}\">\n", rows.len() * ROW + 6, escaped(label));
    for (place, (name, count)) in rows.iter().enumerate() {
        let (y, length) = (place * ROW + 4, (count * BARS).div_ceil(most));
        let _ = writeln!(
            svg,
            "<text class=\"up\" x=\"{}\" y=\"{}\">{}</text><rect class=\"bar\" x=\"{NAMES}\" y=\"{y}\" width=\"{length}\" height=\"15\"/><text class=\"name\" x=\"{}\" y=\"{}\">{count}</text>",
            NAMES - 8,
            y + 12,
            escaped(name),
            NAMES + length + 6,
            y + 12,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_inside() {
        let marks = |low: i64, high: i64| {
            let axis = Axis::up(Decimal::new(low, 2), Decimal::new(high, 2));
            axis.marks().into_iter().map(|mark| mark.normalize().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(marks(0, 10_000), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(marks(-37, 45), ["-0.2", "0", "0.2", "0.4"]);
        assert_eq!(marks(0, 0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
    }

    #[test]
    fn a_value_beyond_the_end_stands_at_the_end() {
        let axis = Axis::across(Decimal::ZERO, Decimal::TEN);
        assert_eq!(axis.at(Decimal::from(99)), axis.at(Decimal::TEN));
        assert_eq!(axis.at(Decimal::ZERO), Decimal::from(LEFT));
    }
}
