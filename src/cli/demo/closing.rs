//! What the demonstration comes to, and what to try next.

use std::{fmt::Write as _, path::Path};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::screen;
use crate::{demo::Closing, store::ledger::Ledger};

/// The end, for programs.
#[derive(Debug, Serialize)]
pub struct Told {
    event: &'static str,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    seconds: u64,
    sound: bool,
    ledger: Ledger,
    folder: String,
    log: String,
}

impl Told {
    pub fn of(closing: &Closing, log: &Path) -> Self {
        let sight = &closing.sight;
        Self {
            event: "closing",
            from: closing.start,
            until: sight.at,
            seconds: sight.seconds,
            sound: sight.ledger.is_sound(),
            ledger: sight.ledger,
            folder: nearest(&closing.folder),
            log: nearest(log),
        }
    }
}

/// The path from where we are, if it lies below.
fn nearest(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

pub fn pretty(told: &Told) -> String {
    let mut text = String::new();
    let minutes = (told.until - told.from).num_minutes();
    let folder = &told.folder;
    // Writing into a String cannot fail.
    let _ = writeln!(text, "\n{} h {:02} min of the market in {} s\n", minutes / 60, minutes % 60, told.seconds);
    let _ = writeln!(text, "{}", screen::signals(&told.ledger));
    for line in screen::beside(&told.ledger) {
        let _ = writeln!(text, "{line}");
    }
    if !told.sound {
        let _ = writeln!(text, "\n{}", unsound(&told.ledger, &told.log));
    }
    let as_of = told.until.format("%a %e %b %Y %H:%M UTC");
    let _ = write!(
        text,
        "
The database stays until the next start. Ask it from its folder, where it is
still {as_of}:

{entry}

  why not?      tcg-radar scan --once --dry-run         what became of every card
                tcg-radar rules explain --why-not --card CARD
  what was      tcg-radar audit show SIGNAL             the id under a message
                tcg-radar audit verify

Or start it without --minutes, and take part from there, while it runs:

  a number      edit rules/params/headache.yaml. The rules' own cases hold that
                number, so `tcg-radar rules status` says that it is refused;
                after `tcg-radar rules test --update` it is live at once
  customs       tcg-radar customs set pre_july_2026
  plans         edit profiles/plans.yaml: who is asked first, who gets digests
  be a tenant   tcg-radar user add --telegram-chat-id 4711 --country US \\
                    --tier pro --profile us_tcgplayer_eu_forwarder
                tcg-radar user show 4711

The service's own log is {log}.
",
        entry = entry(folder),
        log = told.log,
    );
    text
}

/// What is wrong with the sums.
fn unsound(ledger: &Ledger, log: &str) -> String {
    if ledger.adds_up() && ledger.double_holders == 0 {
        let late = ledger.late;
        format!(
            "{late} messages could not be sent before their deadline: this machine was too busy for this speed.\nA smaller --speed leaves it more time; {log} says what was late"
        )
    } else {
        format!("These numbers do not hold together, which is a fault of this program: see {log}")
    }
}

/// What is told before the screen fills.
pub fn beginning(folder: &Path, log: &Path) -> String {
    format!("to take part, in another terminal (README, \"Take part\"; the log is {}):\n\n{}\n", nearest(log), entry(&nearest(folder)))
}

/// How to ask the demonstration and no other.
fn entry(folder: &str) -> String {
    let program = std::env::current_exe().map_or_else(|_| "tcg-radar".to_owned(), |path| path.display().to_string());
    format!("  cd {folder}\n  alias tcg-radar={program}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_too_late_is_told_apart_from_sums_that_do_not_hold() {
        let late = Ledger { signals: 2, acted: 1, pending: 1, late: 3, ..Ledger::default() };
        assert!(!late.is_sound());
        assert!(unsound(&late, "demo.log").starts_with("3 messages could not be sent before their deadline"));
        for wrong in [Ledger { pending: 0, ..late }, Ledger { double_holders: 1, ..late }] {
            assert!(unsound(&wrong, "demo.log").contains("fault of this program"));
        }
    }
}
