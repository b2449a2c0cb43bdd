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
        let _ = writeln!(text, "\nThese numbers do not hold together, which is a fault of this program: see {}", told.log);
    }
    let program = std::env::args().next().unwrap_or_else(|| "tcg-radar".to_owned());
    let program = std::path::absolute(&program).map_or(program, |path| path.display().to_string());
    let as_of = told.until.format("%Y-%m-%dT%H:%M:%SZ");
    let _ = write!(
        text,
        "
What to try next. Start it again without --minutes, and in another terminal, while it runs:

  cd {folder}
  alias tcg-radar={program}

  a number      edit rules/params/headache.yaml. The rules' own cases hold that number, so the edit is refused and {log}
                says by which; after `tcg-radar rules test --update` it is live within two seconds, and offers change
  customs       edit .env: CUSTOMS_REGIME='pre_july_2026', and what is on offer is re-priced at once
  plans         edit profiles/plans.yaml: who is asked first, how many may have a deal, when digests come
  tenants       tcg-radar user list; tcg-radar user add --telegram-chat-id 4711 --country US --profile us_tcgplayer_eu_forwarder
  why not?      tcg-radar scan --once --dry-run --as-of {as_of}
                tcg-radar rules explain --why-not --as-of {as_of} --card CARD

The last two work now, too: the database stays until the next start. The service's own log is {log}.
",
        log = told.log,
    );
    text
}
