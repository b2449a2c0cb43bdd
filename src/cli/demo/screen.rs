//! What is shown while the demonstration runs: a calm screen on a terminal, lines elsewhere, JSON lines for programs.

use std::{collections::VecDeque, time::Duration};

use chrono::{DateTime, Utc};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::write;
use crate::{
    demo::{
        Options,
        sight::{Feed, Heard, Sight, Step},
    },
    domain::signal::{SignalKind, SignalState},
    store::ledger::Ledger,
};

/// Seconds between two lines of sums, where there is no screen.
const SUMS_EVERY: u64 = 10;
/// Steps and messages that a screen shows.
const LATEST: usize = 7;

/// One way of showing.
pub enum Screen {
    Terminal(Box<Terminal>),
    Plain { sums_at: u64 },
    Json,
}

/// Lines that are drawn over again.
pub struct Terminal {
    all: MultiProgress,
    progress: ProgressBar,
    lines: Vec<ProgressBar>,
    steps: VecDeque<String>,
    messages: VecDeque<String>,
    heading: String,
}

impl Screen {
    pub fn terminal(options: &Options, length: Option<Duration>) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stdout_with_hz(4));
        let progress = all.add(ProgressBar::new(length.map_or(0, |length| length.as_secs())));
        let template = if length.is_some() { "{msg}  {bar:24} {pos} of {len} s" } else { "{msg}  {pos} s, until Ctrl-C" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            progress.set_style(style);
        }
        let heading = format!("TCG Radar, a demonstration: {} times as fast as the clock, seed {}", options.speed, options.seed);
        Self::Terminal(Box::new(Terminal { all, progress, lines: Vec::new(), steps: VecDeque::new(), messages: VecDeque::new(), heading }))
    }

    pub const fn plain() -> Self {
        Self::Plain { sums_at: 0 }
    }

    pub fn show(&mut self, sight: &Sight) -> anyhow::Result<()> {
        match self {
            Self::Terminal(terminal) => terminal.show(sight),
            Self::Plain { sums_at } => {
                let mut lines: Vec<String> = sight.steps.iter().map(step).chain(sight.messages.iter().map(heard)).collect();
                lines.sort();
                if sight.seconds >= *sums_at {
                    *sums_at = sight.seconds + SUMS_EVERY;
                    lines.push(format!(
                        "{}  customs {}, rules {}  {}",
                        clock(sight.at),
                        regime(sight),
                        rules(sight),
                        signals(&sight.ledger)
                    ));
                }
                if !lines.is_empty() {
                    write(lines.join("\n"))?;
                }
            }
            Self::Json => write(serde_json::to_string(sight)?)?,
        }
        Ok(())
    }

    /// Nothing is drawn any more.
    pub fn end(self) {
        if let Self::Terminal(terminal) = self {
            terminal.progress.abandon();
            terminal.lines.iter().for_each(ProgressBar::abandon);
        }
    }
}

impl Terminal {
    fn show(&mut self, sight: &Sight) {
        remember(&mut self.steps, sight.steps.iter().map(step));
        remember(&mut self.messages, sight.messages.iter().map(heard));
        self.progress.set_position(sight.seconds);
        self.progress.set_message(format!("{} UTC", sight.at.format("%a %e %b %Y %H:%M")));
        let mut lines = vec![self.heading.clone()];
        lines.push(format!("customs {}, rules {}", regime(sight), rules(sight)));
        lines.push(String::new());
        lines.push(format!("{:<26} {:>12} {:>12}", "feed", "last run", "asked today"));
        lines.extend(sight.feeds.iter().map(|one| feed(one, sight.at)));
        lines.push(String::new());
        lines.push(signals(&sight.ledger));
        lines.extend(beside(&sight.ledger));
        for (title, latest) in [("what became of signals", &self.steps), ("what tenants read", &self.messages)] {
            lines.push(String::new());
            lines.push(title.to_owned());
            lines.extend(latest.iter().cloned());
            lines.extend((latest.len()..LATEST).map(|_| String::new()));
        }
        self.draw(lines);
    }

    fn draw(&mut self, lines: Vec<String>) {
        while self.lines.len() < lines.len() {
            let line = self.all.add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                line.set_style(style);
            }
            self.lines.push(line);
        }
        for (line, text) in self.lines.iter().zip(lines) {
            // a line with nothing on it would not be drawn
            let text = if text.is_empty() { " ".to_owned() } else { text };
            if line.message() != text {
                line.set_message(text);
            }
        }
    }
}

fn remember(latest: &mut VecDeque<String>, new: impl Iterator<Item = String>) {
    latest.extend(new);
    while latest.len() > LATEST {
        latest.pop_front();
    }
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%a %H:%M").to_string()
}

fn regime(sight: &Sight) -> &str {
    sight.regime.as_deref().unwrap_or("none")
}

fn rules(sight: &Sight) -> String {
    let refused = if sight.refused { ": an edit is refused, and the log says why" } else { "" };
    format!("{}{refused}", sight.pack.get(..12).unwrap_or_default())
}

fn feed(feed: &Feed, now: DateTime<Utc>) -> String {
    let age = feed.last_run.map_or_else(|| "under way".to_owned(), |at| ago((now - at).num_minutes().max(0)));
    let fault = feed.fault.as_deref().unwrap_or_default();
    format!("{:<26} {age:>12} {:>12}  {fault}", feed.name, feed.asked_today).trim_end().to_owned()
}

fn ago(minutes: i64) -> String {
    if minutes < 120 { format!("{minutes} min ago") } else { format!("{} h ago", minutes / 60) }
}

fn step(step: &Step) -> String {
    let what = match (step.step.kind, step.step.state) {
        (SignalKind::Batch, _) => "listed in the batch of",
        (SignalKind::Digest, _) => "listed in the digest of",
        (_, SignalState::Sending) => "on its way to",
        (_, SignalState::Held) => "held by",
        (_, SignalState::Acted) => "taken by",
        (_, SignalState::Passed) => "passed on by",
        (_, SignalState::WrongCard) => "called wrong by",
        (_, SignalState::Expired) => "left to expire by",
        (_, SignalState::Undeliverable) => "not to be delivered to",
        (_, SignalState::Withdrawn) => "withdrawn from",
        (_, SignalState::Listed) => "listed for",
    };
    let card = step.step.card_name.as_deref().unwrap_or("a card");
    format!("{}  {card} {what} {}", clock(step.step.at), step.who)
}

fn heard(heard: &Heard) -> String {
    format!("{}  {} → {}: {}", clock(heard.at), heard.platform, heard.who, heard.text)
}

/// The sum, with each of its parts.
pub fn signals(ledger: &Ledger) -> String {
    let Ledger { signals, acted, passed, wrong_card, pending, expired, withdrawn, undeliverable, .. } = ledger;
    let few = [(wrong_card, "wrong card"), (undeliverable, "undeliverable")];
    let few = few.iter().filter(|(count, _)| **count > 0).map(|(count, what)| format!(" + {count} {what}"));
    let parts = format!("{acted} taken + {passed} passed + {pending} pending + {expired} expired + {withdrawn} withdrawn");
    format!("signals {signals} = {parts}{}", few.collect::<Vec<_>>().concat())
}

/// What is not in the sum.
pub fn beside(ledger: &Ledger) -> [String; 2] {
    let Ledger { handed_on, double_holders, sent, late, edits, batched, digested, repriced_by_rules, withdrawn_by_rules, scans, .. } =
        ledger;
    [
        format!("{handed_on} of them handed on by others, {double_holders} double holders; {scans} scans"),
        format!(
            "{sent} messages sent, {edits} edited, {late} late; {batched} lines in batches, {digested} in digests; new rules or customs \
             re-priced {repriced_by_rules} offers and withdrew {withdrawn_by_rules}"
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_names_what_hardly_ever_happens_only_where_it_did() {
        let usual = Ledger { signals: 61, acted: 14, passed: 9, pending: 12, expired: 22, withdrawn: 4, ..Ledger::default() };
        assert_eq!(signals(&usual), "signals 61 = 14 taken + 9 passed + 12 pending + 22 expired + 4 withdrawn");
        assert!(usual.is_sound());
        let rare = Ledger { signals: 62, undeliverable: 1, ..usual };
        assert_eq!(signals(&rare), "signals 62 = 14 taken + 9 passed + 12 pending + 22 expired + 4 withdrawn + 1 undeliverable");
        assert!(rare.is_sound());
        for unsound in [Ledger { signals: 63, ..rare }, Ledger { double_holders: 1, ..usual }, Ledger { late: 1, ..usual }] {
            assert!(!unsound.is_sound(), "{unsound:?}");
        }
    }
}
