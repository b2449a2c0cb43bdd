//! The shorthand of a price's course: `"20.00x8 20.00-0.75x6 _x2 stale 12.00x3"`.
//!
//! As in Prometheus' tests, `x8` repeats eight times more: `20.00x8` are nine prices, `20.00-0.75x6` are seven, each 0.75
//! lower than the one before. `_` tells nothing, so that the last price grows older; `_x2` does so twice. `stale` is a row
//! without a price: the source says that there is none.

use rust_decimal::Decimal;

use crate::rules::{
    diagnostic::{Code, Diagnostic, Sink},
    yaml::Node,
};

/// Steps that a course may have: two years of days.
const LONGEST: usize = 800;

/// What a source tells at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Nothing,
    NoPrice,
    Price(Decimal),
}

/// Reads a course; faults point at the part that is wrong.
pub(super) fn read(node: &Node, sink: &Sink) -> Option<Vec<Told>> {
    let text = node.text(sink, "course")?;
    let mut steps = Vec::new();
    for part in text.split_whitespace() {
        let fault = |message: String, help: &str| {
            let offset = part.as_ptr().addr().saturating_sub(text.as_ptr().addr());
            sink.report(Diagnostic::error(Code::BadValue, node.within(offset, part), message).with_help(help));
        };
        match part_of(part) {
            Ok(told) => steps.extend(told),
            Err(message) => {
                fault(message, "write such as 20.00x8, 20.00-0.75x6, 20.00+1x3, _x2 or stale");
                return None;
            }
        }
        if steps.len() > LONGEST {
            fault(format!("the course has more than {LONGEST} steps"), "let it be shorter, or the steps longer (`every`)");
            return None;
        }
    }
    Some(steps)
}

fn part_of(part: &str) -> Result<Vec<Told>, String> {
    let (what, repeats) = match part.split_once('x') {
        Some((what, repeats)) => {
            let repeats: usize =
                repeats.parse().ok().filter(|repeats| *repeats <= LONGEST).ok_or_else(|| format!("\"{repeats}\" is no count"))?;
            (what, Some(repeats))
        }
        None => (part, None),
    };
    match what {
        // of nothing there are as many as are written
        "_" => Ok(vec![Told::Nothing; repeats.unwrap_or(1)]),
        "stale" => Ok(vec![Told::NoPrice; repeats.unwrap_or(0) + 1]),
        _ => prices(what, repeats.unwrap_or(0)),
    }
}

fn prices(what: &str, repeats: usize) -> Result<Vec<Told>, String> {
    let number = |text: &str| Decimal::from_str_exact(text).map_err(|_| format!("\"{text}\" is no price"));
    let (start, step) = match what.find(['+', '-']) {
        Some(at) if at > 0 => {
            let step = number(&what[at + 1..])?;
            (number(&what[..at])?, if what[at..].starts_with('-') { -step } else { step })
        }
        _ => (number(what)?, Decimal::ZERO),
    };
    let mut price = start;
    let mut told = Vec::with_capacity(repeats + 1);
    for _ in 0..=repeats {
        if price <= Decimal::ZERO {
            return Err(format!("\"{what}\" falls to {price}"));
        }
        told.push(Told::Price(price));
        price = price.checked_add(step).ok_or_else(|| format!("\"{what}\" grows too large"))?;
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn told(part: &str) -> String {
        let words = part_of(part).unwrap().into_iter().map(|told| match told {
            Told::Nothing => "_".to_owned(),
            Told::NoPrice => "-".to_owned(),
            Told::Price(price) => price.to_string(),
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_part_is_read_as_prometheus_reads_it() {
        assert_eq!(told("20.00x2"), "20.00 20.00 20.00");
        assert_eq!(told("20.00-0.75x2"), "20.00 19.25 18.50");
        assert_eq!(told("20+1.5x1"), "20 21.5");
        assert_eq!(told("12.50"), "12.50");
        assert_eq!(told("_x2"), "_ _");
        assert_eq!(told("_"), "_");
        assert_eq!(told("stale"), "-");
        for wrong in ["20xx", "x3", "20x-1", "1-1x1", "twenty", "20-x2", "0", "-5", "20x900"] {
            assert!(part_of(wrong).is_err(), "{wrong}");
        }
    }
}
