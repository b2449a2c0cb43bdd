//! The public files: Cardmarket's price guide and product lists, TCGCSV's archives, the European Central Bank's rates.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    hash::{DefaultHasher, Hash, Hasher},
    io::{Cursor, Write as _},
};

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value as Json, json};
use sevenz_rust2::{ArchiveEntry, ArchiveWriter, EncoderMethod};

use super::{
    Asked, Reply, number,
    stock::{Rows, Stock},
};
use crate::domain::{
    card::{Edition, Finish, Printing},
    market::Market,
    money::Currency,
};

pub fn answer(vendor: &str, stock: &Stock, asked: &Asked, now: DateTime<Utc>) -> Reply {
    let content = match (vendor, asked.path.as_str()) {
        ("cardmarket", "productCatalog/priceGuide/price_guide_6.json") => guide(stock, now),
        ("cardmarket", "productCatalog/productList/products_singles_6.json") => Some(products(stock, now)),
        ("cardmarket", "productCatalog/productList/products_nonsingles_6.json") => Some(list(&[], now)),
        ("ecb", "stats/eurofxref/eurofxref-hist.zip") => rates(stock, now),
        ("tcgcsv", path) => path
            .strip_prefix("archive/tcgplayer/prices-")
            .and_then(|rest| rest.strip_suffix(".ppmd.7z")?.parse().ok())
            .and_then(|date: NaiveDate| archive(date, stock.day(Market::Tcgplayer, date, now)?)),
        _ => None,
    };
    content.map_or_else(Reply::not_found, |content| conditional(content, asked))
}

/// The content, unless the asker has it.
pub fn conditional(content: Vec<u8>, asked: &Asked) -> Reply {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    let etag = format!("\"{:x}\"", hasher.finish());
    if asked.header("if-none-match") == Some(&etag) {
        return Reply { status: 304, headers: vec![("etag", etag)], body: Vec::new() };
    }
    Reply { status: 200, headers: vec![("etag", etag)], body: content }
}

/// Cardmarket writes its offset without a colon.
fn stamp(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%dT%H:%M:%S+0000").to_string()
}

fn guide(stock: &Stock, now: DateTime<Utc>) -> Option<Vec<u8>> {
    let (_, products) = stock.latest(Market::Cardmarket, now)?;
    let created = products.values().flatten().map(|seen| seen.observed_at).max()?;
    let entries: Vec<Json> = products
        .iter()
        .map(|(id, rows)| {
            let of = |reverse: bool| rows.iter().find(|seen| (seen.finish.printing == Printing::ReverseHolofoil) == reverse);
            let (plain, reverse) = (of(false), of(true));
            let trend = number(plain.and_then(|seen| seen.price));
            let mut entry = json!({
                "idProduct": id.parse::<u64>().unwrap_or_default(), "idCategory": 51,
                "avg": trend, "low": number(plain.and_then(|seen| seen.low)), "trend": trend, "avg1": trend, "avg7": trend, "avg30": trend,
            });
            if let (Some(reverse), Some(entry)) = (reverse, entry.as_object_mut()) {
                entry.insert("low-holo".into(), number(reverse.low));
                entry.insert("trend-holo".into(), number(reverse.price));
            }
            entry
        })
        .collect();
    Some(json!({ "version": 1, "createdAt": stamp(created), "priceGuides": entries }).to_string().into_bytes())
}

fn products(stock: &Stock, now: DateTime<Utc>) -> Vec<u8> {
    let rows: Vec<Json> = stock
        .cards
        .iter()
        .enumerate()
        .map(|(index, card)| {
            json!({
                "idProduct": stock.number(Market::Cardmarket, index).parse::<u64>().unwrap_or_default(), "name": card.name,
                "idCategory": 51, "categoryName": "Pokémon Single", "idExpansion": 1, "idMetacard": index + 1,
                "dateAdded": "2020-01-01 00:00:00",
            })
        })
        .collect();
    list(&rows, now)
}

fn list(rows: &[Json], now: DateTime<Utc>) -> Vec<u8> {
    let created = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    json!({ "version": 1, "createdAt": stamp(created), "products": rows }).to_string().into_bytes()
}

/// TCGplayer's word for a finish.
pub fn printing_name(finish: Finish) -> String {
    let printing = match finish.printing {
        Printing::Normal | Printing::Plain => "Normal",
        Printing::Holofoil => "Holofoil",
        Printing::ReverseHolofoil => "Reverse Holofoil",
    };
    match (finish.edition, printing) {
        (Edition::Standard, printing) => printing.to_owned(),
        (Edition::First, "Normal") => "1st Edition".to_owned(),
        (Edition::First, printing) => format!("1st Edition {printing}"),
        (Edition::Unlimited, "Normal") => "Unlimited".to_owned(),
        (Edition::Unlimited, printing) => format!("Unlimited {printing}"),
    }
}

/// All groups of a day; ours is one, and another game has one beside it.
fn archive(date: NaiveDate, products: &BTreeMap<String, Rows>) -> Option<Vec<u8>> {
    let results: Vec<Json> = products
        .iter()
        .flat_map(|(id, rows)| {
            rows.iter().map(move |seen| {
                json!({
                    "productId": id.parse::<u64>().unwrap_or_default(), "lowPrice": number(seen.low), "midPrice": number(seen.mid),
                    "highPrice": number(seen.high), "marketPrice": number(seen.price), "directLowPrice": null,
                    "subTypeName": printing_name(seen.finish),
                })
            })
        })
        .collect();
    let group = |results: Vec<Json>| json!({ "success": true, "errors": [], "results": results }).to_string();
    let other = json!({
        "productId": 1, "lowPrice": 1, "midPrice": 1, "highPrice": 1, "marketPrice": 1, "directLowPrice": null, "subTypeName": "Foil",
    });
    let mut writer = ArchiveWriter::new(Cursor::new(Vec::new())).ok()?;
    writer.set_content_methods(vec![EncoderMethod::PPMD.into()]);
    for (place, text) in [("1/1", group(vec![other])), ("3/604", group(results))] {
        let entry = ArchiveEntry::new_file(&format!("{date}/{place}/prices"));
        writer.push_archive_entry(entry, Some(text.as_bytes())).ok()?;
    }
    Some(writer.finish().ok()?.into_inner())
}

/// The table since the window began, newest first, zipped.
fn rates(stock: &Stock, now: DateTime<Utc>) -> Option<Vec<u8>> {
    let mut days: BTreeMap<NaiveDate, [Option<String>; 2]> = BTreeMap::new();
    for rate in stock.rates.iter().filter(|rate| rate.date <= now.date_naive()) {
        let row = days.entry(rate.date).or_default();
        match rate.currency {
            Currency::Usd => row[0] = Some(rate.units_per_eur.to_string()),
            Currency::Gbp => row[1] = Some(rate.units_per_eur.to_string()),
            Currency::Eur => {}
        }
    }
    let mut text = "Date,USD,JPY,GBP,\n".to_owned();
    for (date, [usd, gbp]) in days.iter().rev() {
        let or_none = |rate: &Option<String>| rate.clone().unwrap_or_else(|| "N/A".to_owned());
        writeln!(text, "{date},{},N/A,{},", or_none(usd), or_none(gbp)).ok()?;
    }
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // a zip's own clock would make every one another
    let options = zip::write::SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
    archive.start_file("eurofxref-hist.csv", options).ok()?;
    archive.write_all(text.as_bytes()).ok()?;
    Some(archive.finish().ok()?.into_inner())
}
