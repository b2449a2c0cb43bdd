//! pokemontcg.io v2: sets and cards with both price blocks, and the limits of guests and of those with a key.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};

use super::{
    Asked, KEY, Reply, number,
    quota::{Limits, Quota},
    stock::{Rows, Stock},
};
use crate::domain::{
    card::{Card, CardSet, Edition, Printing},
    market::Market,
};

pub fn answer(stock: &Stock, asked: &Asked, quota: &mut Quota, now: DateTime<Utc>) -> Reply {
    let error = |status: u16, message: &str| Reply::json(status, &json!({ "error": { "message": message, "code": status } }));
    let limits = match asked.header("x-api-key") {
        None => Limits { minute: 30, day: 1_000, month: 0 },
        Some(KEY) => Limits { minute: 1_000, day: 20_000, month: 0 },
        Some(_) => return error(403, "Invalid API key"),
    };
    if quota.take(limits, now).is_err() {
        return error(429, "Rate limit exceeded");
    }
    let size = asked.number("pageSize", 250).min(250);
    let page = asked.number("page", 1).max(1);
    let rows: (Vec<Json>, usize) = match asked.path.as_str() {
        "v2/sets" => (cut(&stock.sets, page, size).map(|(_, one)| set(one)).collect(), stock.sets.len()),
        "v2/cards" => (cut(&stock.cards, page, size).map(|(index, one)| card(stock, index, one, now)).collect(), stock.cards.len()),
        _ => return error(404, "Not found"),
    };
    let (data, total) = rows;
    Reply::json(200, &json!({ "count": data.len(), "data": data, "page": page, "pageSize": size, "totalCount": total }))
}

fn cut<T>(rows: &[T], page: usize, size: usize) -> impl Iterator<Item = (usize, &T)> {
    rows.iter().enumerate().skip((page - 1).saturating_mul(size)).take(size)
}

fn set(set: &CardSet) -> Json {
    json!({
        "id": set.set_code, "name": set.name, "series": set.series, "printedTotal": set.printed_total, "total": set.total,
        "legalities": { "unlimited": "Legal" }, "ptcgoCode": set.ptcgo_code,
        "releaseDate": set.release_date.map(|date| date.format("%Y/%m/%d").to_string()), "updatedAt": "2026/01/30 15:00:00",
        "images": { "symbol": "https://images.pokemontcg.io/x/symbol.png", "logo": "https://images.pokemontcg.io/x/logo.png" },
    })
}

fn card(stock: &Stock, index: usize, card: &Card, now: DateTime<Utc>) -> Json {
    let mut legalities = Map::new();
    for (format, legality) in [("standard", &card.legality_standard), ("expanded", &card.legality_expanded)] {
        legalities.extend(legality.clone().map(|legality| (format.to_owned(), Json::String(legality))));
    }
    let mut row = json!({
        "id": card.card_id, "name": card.name, "supertype": card.supertype.as_deref().unwrap_or("Pokémon"), "subtypes": ["Basic"],
        "hp": "60", "number": card.card_number, "rarity": card.rarity, "legalities": legalities,
        "images": { "small": card.image_url, "large": card.image_url },
    });
    let Some(fields) = row.as_object_mut() else { return row };
    if let Some(mark) = &card.regulation_mark {
        fields.insert("regulationMark".into(), json!(mark));
    }
    if let Some(known) = stock.sets.iter().find(|known| known.set_code == card.set_code) {
        fields.insert("set".into(), set(known));
    }
    let block = |market: Market, prices: fn(&Rows) -> Json| {
        let (date, products) = stock.latest(market, now)?;
        let rows = products.get(stock.number(market, index))?;
        let url = format!("https://prices.pokemontcg.io/{market}/{}", card.card_id);
        Some(json!({ "url": url, "updatedAt": date.format("%Y/%m/%d").to_string(), "prices": prices(rows) }))
    };
    fields.extend(block(Market::Tcgplayer, tcgplayer).map(|block| ("tcgplayer".to_owned(), block)));
    fields.extend(block(Market::Cardmarket, cardmarket).map(|block| ("cardmarket".to_owned(), block)));
    row
}

fn tcgplayer(rows: &Rows) -> Json {
    let each = rows.iter().map(|seen| {
        let key = match (seen.finish.edition, seen.finish.printing) {
            (Edition::First, Printing::Holofoil) => "1stEditionHolofoil",
            (Edition::First, _) => "1stEditionNormal",
            (_, Printing::Holofoil) => "holofoil",
            (_, Printing::ReverseHolofoil) => "reverseHolofoil",
            _ => "normal",
        };
        let prices = json!({
            "low": number(seen.low), "mid": number(seen.mid), "high": number(seen.high), "market": number(seen.price), "directLow": null,
        });
        (key.to_owned(), prices)
    });
    Json::Object(each.collect())
}

/// A missing figure is a zero here.
fn cardmarket(rows: &Rows) -> Json {
    let of = |reverse: bool| rows.iter().find(|seen| (seen.finish.printing == Printing::ReverseHolofoil) == reverse);
    let or_zero = |figure: Option<Decimal>| number(Some(figure.unwrap_or_default()));
    let (plain, reverse) = (of(false), of(true));
    json!({
        "averageSellPrice": or_zero(plain.and_then(|seen| seen.price)), "lowPrice": or_zero(plain.and_then(|seen| seen.low)),
        "trendPrice": or_zero(plain.and_then(|seen| seen.price)), "germanProLow": 0, "suggestedPrice": 0, "reverseHoloSell": 0,
        "reverseHoloLow": or_zero(reverse.and_then(|seen| seen.low)), "reverseHoloTrend": or_zero(reverse.and_then(|seen| seen.price)),
    })
}
