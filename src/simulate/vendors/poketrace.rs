//! PokeTrace: sales of US cards for everyone, European prices for those who pay.

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::{
    Asked, KEY, Plan, Reply,
    files::printing_name,
    number,
    quota::{Limits, Quota},
    stock::Stock,
};
use crate::domain::{card::Printing, market::Market};

pub fn answer(stock: &Stock, plan: Plan, asked: &Asked, quota: &mut Quota, now: DateTime<Utc>) -> Reply {
    let error = |status: u16, message: &str| Reply::json(status, &json!({ "error": message }));
    if asked.header("x-api-key") != Some(KEY) {
        return error(401, "invalid api key");
    }
    let limits = match plan {
        Plan::Free => Limits { minute: 30, day: 250, month: 0 },
        Plan::Paid => Limits { minute: 120, day: 10_000, month: 0 },
    };
    if quota.take(limits, now).is_err() {
        return error(429, "rate limit exceeded").with("x-ratelimit-daily-remaining", &(limits.day - quota.used_today));
    }
    let europe = asked.query.get("market").is_some_and(|market| market == "EU");
    if europe && plan == Plan::Free {
        return error(403, "market EU needs a paid plan");
    }
    if asked.path != "v1/cards" {
        return error(404, "not found");
    }
    let ids = asked.query.get("tcgplayer_ids").map(String::as_str).unwrap_or_default();
    let ids: Vec<&str> = ids.split(',').filter(|id| !id.is_empty()).collect();
    if ids.is_empty() || ids.len() > 20 {
        return error(400, "1 to 20 tcgplayer_ids");
    }
    let row = if europe { in_europe } else { in_america };
    let data: Vec<Json> = ids.iter().filter_map(|id| row(stock, id, now)).collect();
    let body = json!({ "data": data, "pagination": { "hasMore": false, "count": data.len() } });
    Reply::json(200, &body).with("x-ratelimit-daily-remaining", &(limits.day - quota.used_today))
}

fn in_america(stock: &Stock, id: &str, now: DateTime<Utc>) -> Option<Json> {
    let count = stock.sales(id, now)?;
    let latest = stock.latest(Market::Tcgplayer, now).and_then(|(_, products)| products.get(id)).and_then(|rows| rows.first());
    let price = number(latest.and_then(|seen| seen.price));
    let grade = json!({ "avg": price, "low": price, "high": price, "trend": "stable", "saleCount": count.sales_30d, "avg30d": price });
    Some(row(stock, id, &printing_name(count.finish), "USD", &json!({ "tcgplayer": { "NEAR_MINT": grade } }), count.observed_at))
}

fn in_europe(stock: &Stock, id: &str, now: DateTime<Utc>) -> Option<Json> {
    let (_, products) = stock.latest(Market::Cardmarket, now)?;
    let card = stock.card_of(id)?;
    let seen = products.get(stock.number(Market::Cardmarket, card))?.first()?;
    let printing = if seen.finish.printing == Printing::Plain { "Normal".to_owned() } else { printing_name(seen.finish) };
    let grade = json!({ "avg": number(seen.price), "low": number(seen.low), "high": null, "saleCount": 0 });
    Some(row(stock, id, &printing, "EUR", &json!({ "cardmarket": { "NEAR_MINT": grade, "PSA_10": { "avg": 999 } } }), seen.observed_at))
}

fn row(stock: &Stock, id: &str, printing: &str, currency: &str, prices: &Json, at: DateTime<Utc>) -> Json {
    let name = stock.card_of(id).and_then(|index| stock.cards.get(index)).map(|card| card.name.clone());
    json!({
        "id": format!("pt-{id}"), "name": name, "variant": printing, "refs": { "tcgplayerId": id }, "currency": currency, "prices": prices,
        "gradedOptions": [], "lastUpdated": at.to_rfc3339(),
    })
}
