//! JustTCG v1, with its quotas and its three kinds of 429.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, Utc};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};

use super::{
    Asked, KEY, Plan, Reply,
    files::printing_name,
    number,
    quota::{Limits, Over, Quota},
    stock::{Rows, Stock},
};
use crate::domain::{market::Market, money::cents};

/// Near mint, and the share of its price that each other condition costs.
const CONDITIONS: [(&str, &str, i64); 3] =
    [("Near Mint", "near-mint", 100), ("Lightly Played", "lightly-played", 85), ("Moderately Played", "moderately-played", 70)];

const fn limits(plan: Plan) -> (&'static str, Limits, usize) {
    match plan {
        Plan::Free => ("Free Tier", Limits { minute: 10, day: 100, month: 1_000 }, 20),
        Plan::Paid => ("Professional Plan", Limits { minute: 100, day: 5_000, month: 50_000 }, 100),
    }
}

fn refusal(status: u16, code: &str) -> Reply {
    Reply::json(status, &json!({ "error": code.to_ascii_lowercase().replace('_', " "), "code": code }))
}

pub fn answer(stock: &Stock, plan: Plan, asked: &Asked, quota: &mut Quota, now: DateTime<Utc>) -> Reply {
    let (name, limits, most) = limits(plan);
    match asked.header("x-api-key") {
        None => return refusal(401, "MISSING_API_KEY"),
        Some(key) if key != KEY => return refusal(401, "INVALID_API_KEY"),
        Some(_) => {}
    }
    match quota.take(limits, now) {
        Ok(()) => {}
        Err(Over::Minute) => return refusal(429, "RATE_LIMIT_EXCEEDED"),
        Err(Over::Day) => return refusal(429, "DAILY_LIMIT_EXCEEDED"),
        Err(Over::Month) => return refusal(429, "REQUEST_LIMIT_EXCEEDED"),
    }
    let metadata = json!({
        "apiPlan": name, "apiRequestLimit": limits.month, "apiDailyLimit": limits.day, "apiRateLimit": limits.minute,
        "apiRequestsUsed": quota.used_this_month, "apiDailyRequestsUsed": quota.used_today,
        "apiRequestsRemaining": limits.month - quota.used_this_month, "apiDailyRequestsRemaining": limits.day - quota.used_today,
    });
    match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "v1/games") => {
            let changed = changed(stock, now).to_string();
            let data = json!([
                { "id": "magic-the-gathering", "name": "Magic: The Gathering", "cards_count": 105_732, "last_updated": "1773033356" },
                { "id": "pokemon", "name": "Pokemon", "count": stock.cards.len(), "cards_count": stock.cards.len(), "last_updated": changed },
            ]);
            Reply::json(200, &json!({ "data": data, "_metadata": metadata }))
        }
        ("GET", "v1/cards") => {
            let limit = asked.number("limit", 20);
            if limit > most {
                return refusal(403, "LIMIT_ABOVE_PLAN");
            }
            page(stock, asked, limit, &metadata, now)
        }
        ("POST", "v1/cards") => {
            let Ok(Json::Array(items)) = serde_json::from_slice::<Json>(&asked.body) else { return refusal(400, "INVALID_REQUEST") };
            if items.len() > most {
                return refusal(403, "BATCH_ABOVE_PLAN");
            }
            let latest = stock.latest(Market::Tcgplayer, now).map(|(_, rows)| rows);
            let ids = items.iter().filter_map(|item| item.get("tcgplayerId")?.as_str());
            let data: Vec<Json> = ids.filter_map(|id| Some(card(stock, id, latest?.get(id)?))).collect();
            Reply::json(200, &json!({ "data": data, "_metadata": metadata }))
        }
        _ => refusal(404, "NOT_FOUND"),
    }
}

/// When the last published day's prices came.
fn changed(stock: &Stock, now: DateTime<Utc>) -> i64 {
    let latest = stock.latest(Market::Tcgplayer, now);
    latest.and_then(|(_, rows)| rows.values().flatten().map(|seen| seen.observed_at.timestamp()).max()).unwrap_or_default()
}

fn page(stock: &Stock, asked: &Asked, limit: usize, metadata: &Json, now: DateTime<Utc>) -> Reply {
    let offset = asked.number("offset", 0);
    let after = asked.query.get("updated_after").and_then(|text| text.parse::<i64>().ok()).unwrap_or(i64::MIN);
    let latest = stock.latest(Market::Tcgplayer, now);
    let empty = BTreeMap::new();
    let (rows, before) = latest.map_or((&empty, None), |(date, rows)| (rows, stock.day(Market::Tcgplayer, date - Days::new(1), now)));
    let found: Vec<(&String, &Rows)> = rows
        .iter()
        .filter(|(id, rows)| {
            let is_new = rows.iter().any(|seen| seen.observed_at.timestamp() > after);
            is_new && (after == i64::MIN || before.and_then(|before| before.get(*id)).is_none_or(|before| prices(before) != prices(rows)))
        })
        .collect();
    let data: Vec<Json> = found.iter().skip(offset).take(limit).map(|(id, rows)| card(stock, id, rows)).collect();
    let has_more = offset + data.len() < found.len();
    let meta = json!({ "total": found.len(), "limit": limit, "offset": offset, "hasMore": has_more });
    Reply::json(200, &json!({ "data": data, "meta": meta, "_metadata": metadata }))
}

fn prices(rows: &Rows) -> Vec<Option<Decimal>> {
    rows.iter().map(|seen| seen.price).collect()
}

fn card(stock: &Stock, id: &str, rows: &Rows) -> Json {
    let known = stock.card_of(id).and_then(|index| stock.cards.get(index));
    let slug = format!("pokemon-{id}");
    let variants: Vec<Json> = rows
        .iter()
        .filter_map(|seen| Some((seen, seen.price?)))
        .flat_map(|(seen, price)| {
            let slug = slug.clone();
            CONDITIONS.map(move |(condition, part, share)| {
                let printing = printing_name(seen.finish);
                json!({
                    "id": format!("{slug}_{part}_{}", printing.to_ascii_lowercase().replace(' ', "-")), "condition": condition,
                    "printing": printing, "language": "English", "tcgplayerSkuId": format!("{id}00"),
                    "price": number(Some(cents(price * Decimal::new(share, 2)).max(Decimal::new(1, 2)))),
                    "lastUpdated": seen.observed_at.timestamp(), "priceChange24hr": 0,
                })
            })
        })
        .collect();
    json!({
        "id": slug, "name": known.map(|card| card.name.clone()), "game": "Pokemon", "set": known.map(|card| format!("{}-pokemon", card.set_code)),
        "set_name": known.and_then(|card| card.set_name.clone()), "number": known.and_then(|card| card.card_number.clone()),
        "rarity": known.and_then(|card| card.rarity.clone()), "tcgplayerId": id, "mtgjsonId": null, "scryfallId": null, "details": null,
        "variants": variants,
    })
}
