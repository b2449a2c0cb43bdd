//! What a replay tells people.

use std::fmt::Write as _;

use rust_decimal::Decimal;
use serde::Serialize;

use crate::{
    cli::table,
    domain::observation::day_of,
    scan::replay::{
        lookahead::Checked,
        outcome::{HORIZONS, Outcomes},
        summary::{Best, Replay},
    },
};

/// A replay, and what has to be known before any figure of it is read.
#[derive(Serialize)]
pub struct Told<'a> {
    pub remarks: &'a [String],
    #[serde(flatten)]
    pub replay: &'a Replay,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookahead: Option<Checked>,
}

/// Steps that are told one by one; of a longer replay every so many are.
const LINES: usize = 31;

pub fn told(told: &Told<'_>) -> String {
    let replay = told.replay;
    let mut text = String::new();
    for remark in told.remarks {
        let _ = writeln!(text, "{remark}\n");
    }
    let _ = writeln!(
        text,
        "{} to {}: {} steps, {} cards with prices, {} tenants, {} decisions; pack {} {}",
        replay.from,
        replay.to,
        replay.steps.len(),
        replay.cards,
        replay.tenants.len(),
        replay.decisions,
        replay.pack,
        &replay.pack_hash[..12.min(replay.pack_hash.len())],
    );
    let sources: Vec<String> = replay.sources.iter().map(|(source, (from, to))| format!("{source} {from}..{to}")).collect();
    let _ = writeln!(text, "{}\n", sources.join(", "));
    for part in [steps(replay), tenants(replay), reasons(replay), outcomes(&replay.outcomes), invariants(replay)] {
        if !part.is_empty() {
            let _ = writeln!(text, "{part}\n");
        }
    }
    if let Some(best) = replay.best.first() {
        let _ = write!(text, "{}", waterfall(replay, best));
    }
    text.push_str(&of_card(replay));
    if let Some(checked) = &told.lookahead {
        let _ = write!(text, "\n{}", looked_ahead(checked));
    }
    text
}

fn steps(replay: &Replay) -> String {
    let every = replay.steps.len().div_ceil(LINES).max(1);
    let rows = replay.steps.iter().step_by(every).map(|step| {
        vec![
            day_of(step.at).to_string(),
            step.routes.to_string(),
            step.signals.to_string(),
            step.new.to_string(),
            step.rates.usd_per_eur.to_string(),
            step.customs_regime.clone().unwrap_or_default(),
        ]
    });
    let mut text = table(&["day", "routes", "signals", "new", "USD/EUR", "customs"], rows);
    if every > 1 {
        let _ = write!(text, "\none step of {every}; --format json has them all");
    }
    text
}

fn tenants(replay: &Replay) -> String {
    let mut lines: Vec<_> = replay.tenants.iter().collect();
    lines.sort_by_key(|line| (std::cmp::Reverse(line.signals), line.tenant));
    let rows = lines.iter().take(LINES).map(|line| {
        let counts = [line.signals, line.least, line.median, line.most].map(|count| count.to_string());
        [vec![format!("tenant {}", line.tenant), line.country.clone()], counts.to_vec()].concat()
    });
    table(&["for", "", "signals", "least a step", "median", "most"], rows)
}

fn reasons(replay: &Replay) -> String {
    let rows = replay.reasons.iter().map(|(reason, [eu_us, us_eu])| vec![reason.clone(), eu_us.to_string(), us_eu.to_string()]);
    table(&["rejected because of", "EU→US", "US→EU"], rows)
}

fn outcomes(outcomes: &Outcomes) -> String {
    if outcomes.looked_at == 0 {
        return "no signal, so nothing to look at afterwards".to_owned();
    }
    let mut text = format!("what happened next to {} of {} new signals, in euros\n\n", outcomes.looked_at, outcomes.of);
    let rows = outcomes.horizons.iter().map(|horizon| {
        vec![
            format!("{} days later", horizon.days),
            horizon.told.to_string(),
            share(horizon.at_target, horizon.told),
            horizon.price_ratio.map_or_else(|| "?".to_owned(), |ratio| format!("{ratio:.3}")),
            amount(horizon.predicted),
            amount(horizon.realised),
            share(horizon.lost, horizon.told),
        ]
    });
    text.push_str(&table(&["", "with a price", "at or above target", "price/target", "predicted", "realised", "lost money"], rows));
    let rows = outcomes.deciles.iter().enumerate().map(|(number, decile)| {
        let mut row = vec![(number + 1).to_string(), decile.signals.to_string(), amount(decile.predicted)];
        for (told, realised, lost) in decile.after {
            row.extend([amount(realised), share(lost, told)]);
        }
        row
    });
    let header = ["tenth", "signals", "predicted", "after 7 days", "lost", "after 30 days", "lost"];
    debug_assert_eq!(header.len(), 3 + 2 * HORIZONS.len());
    let _ = write!(text, "\n\n{}", table(&header, rows));
    text
}

fn amount(amount: Option<Decimal>) -> String {
    amount.map_or_else(|| "?".to_owned(), |amount| format!("{amount:.2}"))
}

fn share(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "?".to_owned();
    }
    format!("{:.1} %", Decimal::from(part * 100) / Decimal::from(whole))
}

fn invariants(replay: &Replay) -> String {
    if replay.invariants.is_empty() {
        return String::new();
    }
    let rows = replay.invariants.iter().map(|kept| {
        let verdict = if kept.broken > 0 { "BROKEN" } else { "" };
        [
            vec![kept.invariant.clone()],
            [kept.held, kept.broken, kept.untold].map(|count| count.to_string()).to_vec(),
            vec![kept.scope(replay.decisions), verdict.to_owned()],
        ]
        .concat()
    });
    let mut text = table(&["invariant", "held", "broken", "untold", "of", ""], rows);
    for failure in replay.invariants.iter().filter_map(|kept| kept.ran.as_ref()).flat_map(|ran| &ran.failures) {
        let _ = write!(text, "\n\nBROKEN {}: {}", failure.place, failure.what);
        for line in &failure.picture {
            let _ = write!(text, "\n    {line}");
        }
    }
    text
}

fn waterfall(replay: &Replay, best: &Best) -> String {
    let signal = &best.signal;
    let mut text = format!(
        "the best signal: {} {}, {}, tenant {}, as of {}, bought for {}, sold for {}\n\n",
        best.card_id,
        best.card_name,
        signal.direction,
        signal.tenant + 1,
        day_of(signal.at),
        signal.buy_price,
        signal.sell_price,
    );
    let last = replay.waterfall.len().saturating_sub(1);
    for (position, (name, amount)) in replay.waterfall.iter().zip(&signal.waterfall).enumerate() {
        let sign = match position {
            0 => " ",
            position if position == last => "=",
            _ => "−",
        };
        let amount = amount.map_or_else(|| "unknown".to_owned(), |amount| format!("{amount:.2}"));
        let _ = writeln!(text, "  {sign} {:<22} {amount:>10} {}", name.replace('_', " "), signal.home);
    }
    text
}

/// What was decided of the card that was asked for, step by step.
fn of_card(replay: &Replay) -> String {
    let Some(course) = replay.course.as_ref().filter(|course| !course.said.is_empty()) else { return String::new() };
    let rows = replay.steps.iter().zip(&course.said).map(|(step, said)| {
        let said: Vec<String> = said.iter().map(|(what, tenants)| format!("{what} ({tenants})")).collect();
        vec![day_of(step.at).to_string(), said.join(", ")]
    });
    format!("\n{} {}\n\n{}\n", course.card_id, course.card_name, table(&["day", "decided, for how many tenants"], rows))
}

fn looked_ahead(checked: &Checked) -> String {
    let Checked { steps, decisions, reasons, .. } = checked;
    if checked.found == 0 {
        return format!(
            "no look-ahead: {decisions} decisions of {steps} days, {} kinds among them, are the same to the byte on history that ends there and on garbage after it",
            reasons.len()
        );
    }
    let rows = checked.differences.iter().map(|one| {
        let card = one.card_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let direction = one.direction.map(|direction| direction.to_string()).unwrap_or_default();
        let cells = [card, direction, one.what.clone(), one.replayed.clone(), one.again.clone(), one.against.to_owned()];
        [vec![day_of(one.at).to_string(), one.tenant.to_string()], cells.to_vec()].concat()
    });
    let header = ["day", "tenant", "card", "direction", "differs", "replayed", "again", "on"];
    format!("LOOKS AHEAD: {} differences in {decisions} decisions of {steps} days\n\n{}", checked.found, table(&header, rows))
}
