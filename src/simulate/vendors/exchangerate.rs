//! exchangerate-api.com: the key is in the path, and errors come with status 200.

use chrono::{DateTime, Days, NaiveTime, Utc};
use serde_json::{Map, json};

use super::{
    Asked, KEY, Reply, number,
    quota::{Limits, Quota},
    stock::Stock,
};

pub fn answer(stock: &Stock, asked: &Asked, quota: &mut Quota, now: DateTime<Utc>) -> Reply {
    let error = |kind: &str| Reply::json(200, &json!({ "result": "error", "error-type": kind }));
    let Some(rest) = asked.path.strip_prefix("v6/") else { return Reply::not_found() };
    match rest.split_once('/') {
        Some((KEY, "latest/EUR")) => {}
        Some((KEY, _)) => return error("unsupported-code"),
        _ => return error("invalid-key"),
    }
    if quota.take(Limits { minute: 60, day: 1_500, month: 1_500 }, now).is_err() {
        return error("quota-reached");
    }
    let today = now.date_naive();
    let Some(day) = stock.rates.iter().map(|rate| rate.date).filter(|date| *date <= today).max() else { return error("unsupported-code") };
    let of_day = stock.rates.iter().filter(|rate| rate.date == day);
    let mut rates: Map<_, _> = of_day.map(|rate| (rate.currency.code().to_owned(), number(Some(rate.units_per_eur)))).collect();
    rates.insert("EUR".to_owned(), json!(1));
    let midnight = today.and_time(NaiveTime::MIN).and_utc();
    Reply::json(
        200,
        &json!({
            "result": "success", "documentation": "https://www.exchangerate-api.com/docs", "base_code": "EUR", "conversion_rates": rates,
            "time_last_update_unix": midnight.timestamp(), "time_next_update_unix": (midnight + Days::new(1)).timestamp(),
        }),
    )
}
