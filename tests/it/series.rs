//! The seven-day trend agrees with the case file of the predecessor's own results.

use std::{env, fs, path::PathBuf};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde::Deserialize;
use tcg_radar::domain::series::{Point, daily_change};

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: String,
    input: Input,
    expected: Expected,
    quirks: Vec<String>,
}

#[derive(Deserialize)]
struct Input {
    now: DateTime<Utc>,
    points: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    at: DateTime<Utc>,
    usd: Option<Decimal>,
    eur: Option<Decimal>,
}

#[derive(Deserialize)]
struct Expected {
    daily_change: Decimal,
}

#[test]
fn the_daily_change_agrees_with_every_case_without_a_quirk() {
    let data =
        env::var_os("TCG_RADAR_DATA").map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")), PathBuf::from);
    let path = data.join("vectors/price_trend.json");
    let Ok(text) = fs::read_to_string(&path) else {
        println!("skipped: no {} (set TCG_RADAR_DATA to the folder that holds vectors/)", path.display());
        return;
    };
    let file: File = serde_json::from_str(&text).unwrap();
    let mut passed = 0;
    for case in file.cases.iter().filter(|case| case.quirks.is_empty()) {
        // the predecessor takes the dollar where a row has both
        let mut points: Vec<Point> = case.input.points.iter().map(|row| Point { at: row.at, price: row.usd.or(row.eur) }).collect();
        points.sort_by_key(|point| point.at);
        let change = daily_change(&points, case.input.now, 7);
        let off = (change - case.expected.daily_change).abs();
        assert!(off <= Decimal::new(1, 6), "{}: {change}, expected {}", case.id, case.expected.daily_change);
        passed += 1;
    }
    assert!(passed > 0, "{} has no case to hold", path.display());
    println!("price_trend: {passed} of {} cases passed, the others differ on purpose", file.cases.len());
}
