//! A report for a terminal: the card or the stored decision, all tenants in a line each, and the best of them in full.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::{layout::Paint, told::tell};
use crate::{
    cli::table,
    scan::explain::{
        CardReport, PriceLine, StoredReport, Told,
        reply::{age, no_route},
    },
};

pub fn card(report: &CardReport, paint: Paint) -> String {
    let mut text = String::new();
    if let Some(shift) = &report.shift {
        let _ = writeln!(text, "MOVED IN TIME: {shift}. These prices never stood side by side; read the result as an experiment.\n");
    }
    let set = report.set_name.as_deref().unwrap_or("unknown set");
    let number = report.card_number.as_deref().map(|number| format!(" {number}")).unwrap_or_default();
    let title = format!("{} {}, {set}{number}", report.card_id, report.card_name);
    let _ = writeln!(
        text,
        "{}\nas of {}; 1 EUR = {} USD ({}, {}); customs {}",
        paint.bold(&title),
        report.as_of.format("%Y-%m-%d %H:%M UTC"),
        report.rates.usd_per_eur,
        report.rates.origin.source,
        report.rates.origin.date,
        report.customs_regime.as_deref().unwrap_or("none"),
    );
    let Some(told) = &report.told else {
        let _ = write!(text, "\n{}\n\n{}", paint.bold(&format!("no route: {}", no_route(&report.prices))), price_table(&report.prices));
        return text;
    };
    if report.tenants.len() > 1 {
        let _ = write!(text, "\n{}", tenant_table(report, told));
    }
    text.push_str(&tell(told, paint));
    let used = |line: &&PriceLine| {
        let route = &told.route;
        (line.source == route.buy_source && line.market == route.buy_market)
            || (line.source == route.sell_source && line.market == route.sell_market)
    };
    let unused = report.prices.iter().filter(|line| !used(line)).count();
    if unused > 0 {
        let _ = writeln!(text, "\n{}", paint.dim(&format!("{unused} more prices of this card come from other feeds: see --format json")));
    }
    text
}

fn price_table(prices: &[PriceLine]) -> String {
    let rows = prices.iter().map(|line| {
        vec![
            line.market.to_string(),
            line.source.clone(),
            line.kind.to_string(),
            line.finish.printing.to_string(),
            line.price.map_or_else(|| "none".to_owned(), |price| format!("{price} {}", line.currency)),
            line.observed_at.format("%Y-%m-%d").to_string(),
            age(line.age_hours),
        ]
    });
    if prices.is_empty() { String::new() } else { table(&["market", "feed", "kind", "printing", "price", "told on", "age"], rows) }
}

fn tenant_table(report: &CardReport, told: &Told) -> String {
    let rows = report.tenants.iter().map(|line| {
        let shown = line.tenant == told.tenant && line.direction == told.route.direction;
        let amount =
            |amount: Option<Decimal>| amount.map_or_else(|| "?".to_owned(), |amount| format!("{amount:.2} {}", line.home_currency));
        vec![
            if shown { "→".to_owned() } else { String::new() },
            line.tenant.to_string(),
            line.country.clone(),
            line.direction.to_string(),
            line.reason.clone().unwrap_or_else(|| "SIGNAL".to_owned()),
            format!("{} of {}", line.gates_passed, told.explanation.gates.len()),
            amount(line.net_profit),
        ]
    });
    let note = "the one marked → is told below; --tenant and --direction choose another";
    format!("{}\n{note}\n", table(&["", "tenant", "country", "direction", "verdict", "gates passed", "would net"], rows))
}

pub fn stored(report: &StoredReport, paint: Paint) -> String {
    let mut text = String::new();
    if let Some(shift) = &report.shift {
        let _ = writeln!(text, "MOVED IN TIME: {shift}. These prices never stood side by side; read the result as an experiment.\n");
    }
    let _ = writeln!(text, "{}", paint.bold(&format!("{} {}: decision {}", report.card_id, report.card_name, report.decision_id)));
    let _ = writeln!(
        text,
        "decided {} as of {} in scan {}",
        report.decided_at.format("%Y-%m-%d %H:%M UTC"),
        report.as_of.format("%Y-%m-%d %H:%M UTC"),
        report.scan_id
    );
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    let pack = match &report.pack_today {
        Some(today) if *today == report.pack_hash => format!("pack {}, the same as today's", short(&report.pack_hash)),
        Some(today) => format!("pack {}; today's is {}", short(&report.pack_hash), short(today)),
        None => format!("pack {}; today's does not load", short(&report.pack_hash)),
    };
    let engine = if report.engine == report.engine_today {
        format!("engine {}, the same as today's", report.engine)
    } else {
        format!("engine {}; this is {}", report.engine, report.engine_today)
    };
    let _ = writeln!(text, "{pack}; {engine}");
    if report.differences.is_empty() {
        text.push_str("run again with its own pack and facts: the same in every fact\n");
    } else {
        let _ = writeln!(text, "{}", paint.with("31", "run again with its own pack and facts, it comes out differently:"));
        let rows = report.differences.iter().take(10).map(|one| vec![one.what.clone(), one.stored.clone(), one.again.clone()]);
        let _ = writeln!(text, "{}", table(&["what", "stored", "now"], rows));
    }
    if let Some(answer) = &report.by_todays_pack {
        let verdict = answer.reason.as_deref().unwrap_or("SIGNAL");
        let net = answer.net_profit.map_or_else(|| "unknown".to_owned(), |net| format!("{net:.2}"));
        let _ = writeln!(text, "today's pack says of the same facts: {verdict}, net profit {net}");
    }
    text.push_str(&tell(&report.told, paint));
    text
}
