//! The page around the plots.

use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::{chart, course, currencies, escaped, predicted, signals};
use crate::{
    domain::observation::day_of,
    scan::replay::{
        lookahead::Checked,
        outcome::{Decile, Horizon},
        summary::{Best, Replay},
    },
};

const STYLE: &str = "
:root { --ink: #1c2430; --soft: #5d6b7c; --line: #dde3ea; --back: #ffffff; --a: #2a6fbb; --b: #e08a1e; --bad: #c0392b; --good: #2e8b57; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf2; --soft: #9aa8b8; --line: #313b48; --back: #141a22; --a: #6aa9ec; --b: #f0a94a; --bad: #ef7564; --good: #5cc28a; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); max-width: 900px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; margin-bottom: 0; }
p.remark { border-left: 4px solid var(--bad); padding: .4rem .8rem; background: color-mix(in srgb, var(--bad) 9%, var(--back)); }
p.soft, .keys { color: var(--soft); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; } th, td { padding: .2rem .5rem; text-align: right; border-bottom: 1px solid var(--line); }
th:first-child, td:first-child { text-align: left; } th { color: var(--soft); font-weight: 500; } .wide { overflow-x: auto; }
svg { width: 100%; height: auto; } svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.up { text-anchor: end; } .across { text-anchor: middle; } .name { fill: var(--ink); } .end { text-anchor: end; }
.grid { stroke: var(--line); } .zero { stroke: var(--soft); } .bar { fill: var(--a); } .new, .signal { fill: var(--b); } .silent { fill: var(--line); }
.dot { fill: var(--a); fill-opacity: .45; } .lost { fill: var(--bad); } .decile { fill: none; stroke: var(--ink); stroke-width: 2; } .as-said { stroke: var(--good); stroke-dasharray: 5 4; fill: none; }
.price { fill: none; stroke-width: 1.8; } .p0 { stroke: var(--a); color: var(--a); } .p1 { stroke: var(--b); color: var(--b); } .p2 { stroke: var(--good); color: var(--good); } .p3 { stroke: var(--bad); color: var(--bad); } .p4 { stroke: #8e6bc9; color: #8e6bc9; } .p5 { stroke: var(--soft); color: var(--soft); }
.told { fill: currentColor; stroke: none; } .key { margin-right: 1rem; } .key::before { content: '● '; }
details { border-bottom: 1px solid var(--line); padding: .3rem 0; } summary { cursor: pointer; }
";

pub fn write(replay: &Replay, remarks: &[String], lookahead: Option<&Checked>) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>Replay {0} to {1}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Replay of {0} to {1}</h1>\n",
        replay.from, replay.to
    );
    let _ = writeln!(
        page,
        "<p class=\"soft\">Pack {} {}, {} steps, {} cards with prices, {} tenants, {} decisions, {} signals.</p>",
        escaped(&replay.pack),
        escaped(&replay.pack_hash[..12.min(replay.pack_hash.len())]),
        replay.steps.len(),
        replay.cards,
        replay.tenants.len(),
        replay.decisions,
        replay.signalled(),
    );
    for remark in remarks {
        let _ = writeln!(page, "<p class=\"remark\">{}</p>", escaped(remark));
    }
    if let Some(checked) = lookahead {
        let class = if checked.found == 0 { "soft" } else { "remark" };
        let verdict = match checked.found {
            0 => "No look-ahead".to_owned(),
            found => format!("LOOKS AHEAD: {found} differences"),
        };
        let _ = writeln!(
            page,
            "<p class=\"{class}\">{verdict}: {} decisions of {} days were made again on history that ends there and on garbage after it.</p>",
            checked.decisions, checked.steps
        );
    }
    section(
        &mut page,
        "Signals per step",
        &format!(
            "{}<p class=\"keys\"><span style=\"color:var(--b)\">● new</span> <span style=\"color:var(--a)\">● standing since an earlier step</span></p>",
            signals(replay)
        ),
    );
    section(&mut page, "What happened next", &next(replay));
    section(&mut page, "Rejected because of", &chart::lying(&reasons(replay), "reasons"));
    section(&mut page, "For whom", &tenants(replay));
    section(&mut page, "Best signals", &replay.best.iter().map(|best| waterfall(replay, best)).collect::<String>());
    if let Some(of_card) = &replay.course {
        let plots: String = currencies(of_card).into_iter().map(|currency| course(replay, of_card, currency)).collect();
        let key = "<p class=\"keys\">The strip under the prices: <span style=\"color:var(--b)\">● a signal for somebody that day</span>. Point at it to read what was decided.</p>";
        section(&mut page, &format!("{} {}", of_card.card_id, of_card.card_name), &format!("{plots}{key}"));
    }
    section(&mut page, "Invariants", &invariants(replay));
    section(&mut page, "Sources", &sources(replay));
    page.push_str("</body>\n</html>\n");
    page
}

/// `body` is HTML already, `title` is not.
fn section(page: &mut String, title: &str, body: &str) {
    let _ = writeln!(page, "<h2>{}</h2>\n{body}", escaped(title));
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let line = |text: &mut String, tag: &str, cells: &mut dyn Iterator<Item = String>| {
        text.push_str("<tr>");
        for cell in cells {
            let _ = write!(text, "<{tag}>{}</{tag}>", escaped(&cell));
        }
        text.push_str("</tr>\n");
    };
    let (mut head, mut body) = (String::new(), String::new());
    line(&mut head, "th", &mut header.iter().map(|name| (*name).to_owned()));
    rows.for_each(|row| line(&mut body, "td", &mut row.into_iter()));
    format!("<div class=\"wide\"><table>\n{head}{body}</table></div>\n")
}

fn amount(amount: Option<Decimal>) -> String {
    amount.map_or_else(|| "?".to_owned(), |amount| format!("{amount:.2}"))
}

fn share(part: usize, whole: usize) -> String {
    if whole == 0 { "?".to_owned() } else { format!("{:.1} %", Decimal::from(part * 100) / Decimal::from(whole)) }
}

fn next(replay: &Replay) -> String {
    let outcomes = &replay.outcomes;
    let looked_at = format!(
        "<p class=\"soft\">{} of {} new signals, in euros: what the tenant would have kept at the price that came, everything else as it was reckoned.</p>\n",
        outcomes.looked_at, outcomes.of
    );
    let horizon = |one: &Horizon| {
        let ratio = one.price_ratio.map_or_else(|| "?".to_owned(), |ratio| format!("{ratio:.3}"));
        let counts = [one.told.to_string(), share(one.at_target, one.told), ratio];
        [
            vec![format!("{} days later", one.days)],
            counts.to_vec(),
            vec![amount(one.predicted), amount(one.realised), share(one.lost, one.told)],
        ]
        .concat()
    };
    let horizons = table(
        &["", "with a price", "at or above target", "price / target", "predicted", "realised", "lost money"],
        outcomes.horizons.iter().map(horizon),
    );
    let decile = |(number, one): (usize, &Decile)| {
        let mut row = vec![(number + 1).to_string(), one.signals.to_string(), amount(one.predicted)];
        for (told, realised, lost) in one.after {
            row.extend([amount(realised), share(lost, told)]);
        }
        row
    };
    let deciles = table(
        &["tenth", "signals", "predicted", "after 7 days", "lost", "after 30 days", "lost"],
        outcomes.deciles.iter().enumerate().map(decile),
    );
    format!(
        "{looked_at}{}<p class=\"keys\">dots: signals; rings: the mean of each tenth; dashed: as predicted</p>{horizons}<h3>By predicted profit</h3>{deciles}",
        predicted(replay)
    )
}

fn reasons(replay: &Replay) -> Vec<(String, usize)> {
    replay.reasons.iter().map(|(reason, counts)| (reason.clone(), counts.iter().sum())).collect()
}

fn tenants(replay: &Replay) -> String {
    let row = |line: &super::super::summary::TenantLine| {
        let counts = [line.signals, line.least, line.median, line.most].map(|count| count.to_string());
        [vec![format!("tenant {}", line.tenant), line.country.clone()], counts.to_vec()].concat()
    };
    table(&["tenant", "country", "signals", "least a step", "median", "most"], replay.tenants.iter().map(row))
}

fn waterfall(replay: &Replay, best: &Best) -> String {
    let signal = &best.signal;
    let head = format!(
        "{} {} ({}), {}, tenant {}, {}: {} {}",
        best.card_id,
        best.card_name,
        best.finish.printing,
        signal.direction,
        signal.tenant + 1,
        day_of(signal.at),
        amount(signal.net_profit),
        signal.home
    );
    let lines = replay.waterfall.iter().zip(&signal.waterfall).map(|(name, value)| vec![name.replace('_', " "), amount(*value)]);
    let after = signal
        .after
        .iter()
        .zip(super::super::outcome::HORIZONS)
        .map(|(after, days)| vec![format!("price {days} days later, hoped for {}", signal.sell_price), amount(after.price)]);
    format!("<details><summary>{}</summary>\n{}</details>\n", escaped(&head), table(&["", &signal.home], lines.chain(after)))
}

fn invariants(replay: &Replay) -> String {
    let rows = replay.invariants.iter().map(|kept| {
        let counts = [kept.held, kept.broken, kept.untold].map(|count| count.to_string());
        [vec![kept.invariant.clone()], counts.to_vec(), vec![kept.scope(replay.decisions)]].concat()
    });
    table(&["invariant", "held", "broken", "untold", "of"], rows)
}

fn sources(replay: &Replay) -> String {
    let rows = replay.sources.iter().map(|(source, (from, to))| vec![source.clone(), from.to_string(), to.to_string()]);
    table(&["source", "from", "to"], rows)
}
