//! An audit for people.

use std::{
    fmt::Write as _,
    io::{IsTerminal, stdout},
};

use chrono::{DateTime, Utc};

use super::Shown;
use crate::{
    cli::{
        explain::{self, Paint},
        table,
    },
    domain::message::{Message, Span},
    scan::audit::{FaultKind, RecordFault, Verified},
    store::audit::{Sent, SignalRow},
};

pub fn shown(shown: &Shown) -> String {
    let paint = Paint::of(stdout().is_terminal());
    let SignalRow { signal_id, short_id, tenant_id, card_id, kind, state, .. } = &shown.signal;
    let short = short_id.as_deref().unwrap_or("none");
    let mut text = format!("{}\n", paint.bold(&format!("signal {signal_id} ({short}): {card_id} for tenant {tenant_id}")));
    let reason = shown.signal.end_reason.as_deref().map(|reason| format!(", {reason}")).unwrap_or_default();
    // Writing into a String cannot fail.
    let _ = writeln!(text, "{kind}, {state}{reason}; audit {}", intact(shown.signal.audit_intact));
    let turns = shown.turns.iter().map(|turn| {
        let here = if turn.signal_id == *signal_id { "→" } else { "" };
        let times = [Some(turn.created_at), turn.delivered_at, turn.expires_at, turn.ended_at].map(time);
        let end = turn.end_reason.clone().unwrap_or_default();
        [here.to_owned(), turn.tenant_id.to_string(), turn.state.clone()].into_iter().chain(times).chain([end]).collect()
    });
    let _ = writeln!(
        text,
        "\nwho had it, in order\n{}",
        table(&["", "tenant", "state", "given", "delivered", "until", "ended", "because"], turns)
    );
    let decisions = shown.decisions.iter().map(|step| {
        let here = if shown.signal.decision_id == Some(step.decision_id) { "→" } else { "" };
        vec![
            here.to_owned(),
            step.decision_id.to_string(),
            time(Some(step.decided_at)),
            step.by.clone(),
            step.reason.clone().unwrap_or_else(|| step.verdict.clone()),
            step.net_profit.map_or_else(|| "–".to_owned(), |profit| format!("{profit:.2}")),
            format!("{} / {}", step.buy_price, step.sell_price),
            step.pack_hash.chars().take(12).collect(),
            step.customs_regime.clone().unwrap_or_default(),
            if step.intact { "as written" } else { "DAMAGED" }.to_owned(),
        ]
    });
    let header = ["", "decision", "at", "by", "answer", "net", "buy / sell", "pack", "regime", "record"];
    let _ = writeln!(text, "\nwhat was decided for this tenant\n{}", table(&header, decisions));
    text.push_str("\nwhat was sent\n");
    for sent in &shown.sent {
        text.push_str(&message(sent, paint));
    }
    if shown.sent.is_empty() {
        text.push_str(" nothing\n");
    }
    if let Some(decision) = &shown.decision {
        let _ = write!(text, "\n{}", explain::stored(decision, paint));
    }
    text
}

fn intact(intact: Option<bool>) -> &'static str {
    match intact {
        Some(true) => "as written",
        Some(false) => "DAMAGED",
        None => "none",
    }
}

fn time(at: Option<DateTime<Utc>>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| at.format("%F %T").to_string())
}

fn message(sent: &Sent, paint: Paint) -> String {
    let doubts = if sent.doubts > 0 { format!(", {} in doubt", sent.doubts) } else { String::new() };
    let fault = sent.fault.as_deref().map(|fault| format!(": {fault}")).unwrap_or_default();
    let Sent { channel, step, state, attempts, .. } = sent;
    let at = time(sent.settled_at.or(Some(sent.created_at)));
    let mut text = format!(" {at}  {channel}, step {step}: {state} after {attempts} tries{doubts}{fault}\n");
    // a message of an older version may have another form; --format json has it whole
    if let Ok(message) = serde_json::from_value::<Message>(sent.message.clone()) {
        let words = message.words();
        let lines = words.lines.iter().map(|line| line.iter().map(plain).collect::<String>());
        for line in std::iter::once(words.title.clone()).chain(lines).filter(|line| !line.trim().is_empty()) {
            let _ = writeln!(text, "{}", paint.dim(&format!("     {line}")));
        }
    }
    text
}

fn plain(span: &Span) -> &str {
    match span {
        Span::Plain(text) | Span::Strong(text) | Span::Link { text, .. } => text,
    }
}

/// Faults that are shown.
const SHOWN: usize = 20;

pub fn verified(found: &Verified) -> String {
    let Verified { decisions, equal, other_engine, packs, audits, faults } = found;
    let mut text =
        format!("{decisions} decisions of {packs} packs ran again: {equal} equal to the byte; {audits} audits of signals looked at\n");
    if *other_engine > 0 {
        let _ = writeln!(text, "{other_engine} were made by another version of this program than {}", env!("CARGO_PKG_VERSION"));
    }
    for fault in faults.iter().take(SHOWN) {
        let _ = writeln!(text, "{}", line(fault));
    }
    if faults.len() > SHOWN {
        let _ = writeln!(text, "and {} more: see --format json", faults.len() - SHOWN);
    }
    text
}

fn line(fault: &RecordFault) -> String {
    let RecordFault { kind, id, engine, first, fault } = fault;
    let engine = engine.as_deref().unwrap_or("unknown");
    let what = match kind {
        FaultKind::DamagedDecision => format!("decision {id} is not what was written"),
        FaultKind::DamagedAudit => format!("the audit of signal {id} is not what was written"),
        FaultKind::DamagedPack => format!("pack {id} is not what its hash says"),
        FaultKind::UnreadablePack => format!("pack {id}, of engine {engine}, no longer loads"),
        FaultKind::DecidesOtherwise => format!("decision {id} is what was written, and comes out differently"),
        FaultKind::OtherEngine => format!("decision {id} was made by engine {engine}, and this one decides otherwise"),
    };
    let first = first.as_ref().map(|first| format!(": {} is stored as {} and comes out as {}", first.what, first.stored, first.again));
    let fault = fault.as_ref().map(|fault| format!(": {fault}"));
    format!("{what}{}", first.or(fault).unwrap_or_default())
}
