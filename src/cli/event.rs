//! `event`: what the operator has heard of cards, such as a reprint or a ban, and what the service has found.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Subcommand;

use super::{Exit, Global, exit::WrongUsage, table, tell};
use crate::{
    domain::{card::CardId, event::EventKind},
    store::{
        ServiceTx, book,
        event_flags::{self, Raised, Shown},
        wishes::{self, Which},
    },
};

/// Who says so.
const OPERATOR: &str = "operator";

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Flag cards: while it lives, their signals are event-driven and their prices are asked for more often.
    Add {
        /// tournament, synergy, social-spike, rotation, ban or reprint-rumour.
        #[arg(value_parser = kind)]
        kind: EventKind,
        #[command(flatten)]
        about: About,
        /// How long it lives.
        #[arg(long, default_value_t = 72, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8_760))]
        hours: u16,
        /// Where it was heard.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// What is flagged now.
    List {
        /// And whatever was.
        #[arg(long)]
        all: bool,
    },
    /// End what is flagged before its time.
    End {
        #[command(flatten)]
        about: About,
        /// Only of this kind.
        #[arg(long, value_parser = kind)]
        kind: Option<EventKind>,
    },
}

/// Which cards.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct About {
    /// A card, such as sv1-25; may be given more than once.
    #[arg(long = "card", value_name = "ID", value_parser = CardId::new)]
    cards: Vec<CardId>,
    /// Every card of a set, such as sv1.
    #[arg(long, value_name = "CODE")]
    set: Option<String>,
}

/// `reprint-rumour` is easier to type than the name in the table.
fn kind(text: &str) -> Result<EventKind, String> {
    let spoken = |name: &str| name.to_ascii_lowercase().replace('_', "-");
    let known = EventKind::ALL.iter().find(|kind| spoken(kind.as_str()) == spoken(text));
    let names = || EventKind::NAMES.iter().map(|name| spoken(name)).collect::<Vec<_>>().join(", ");
    known.copied().ok_or_else(|| format!("unknown kind of event: use one of {}", names()))
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let now = global.clock.now();
    let store = global.store().await?;
    let mut tx = store.service().await?;
    let mut exit = Exit::Good;
    let mut ever = false;
    match args.command {
        Command::Add { kind, about, hours, note } => {
            let cards = about.cards(&mut tx).await?;
            let until = now + TimeDelta::hours(hours.into());
            let raised = Raised { kind, source: OPERATOR, strength: None, note: note.as_deref(), until };
            let new = event_flags::raise(&mut tx, &cards, &raised, now).await?;
            let event = format!("{OPERATOR}:{kind}:{}", now.format("%FT%TZ"));
            wishes::ask(&mut tx, &event, &cards, Which::All, now).await?;
            tell(&format!(
                "flagged {new} cards anew, {} longer; a running service goes by it from its next look on",
                cards.len() as u64 - new
            ));
        }
        Command::End { about, kind } => {
            let cards = about.cards(&mut tx).await?;
            if event_flags::end(&mut tx, &cards, kind, now).await? == 0 {
                tell("nothing of it was flagged: `tcg-radar event list` shows what is");
                exit = Exit::NothingRan;
            }
        }
        Command::List { all } => ever = all,
    }
    let flags = event_flags::list(&mut tx, now, ever).await?;
    tx.commit().await?;
    global.show(&flags, |flags| pretty(flags, now))?;
    Ok(exit)
}

impl About {
    /// The cards, each of which is known.
    async fn cards(self, tx: &mut ServiceTx) -> anyhow::Result<Vec<CardId>> {
        if let Some(set) = self.set {
            let cards = event_flags::cards_of_set(tx, &set).await?;
            if cards.is_empty() {
                return Err(WrongUsage(format!("no card of a set \"{set}\" is known: correct the code, or import the set")).into());
            }
            return Ok(cards);
        }
        let ids: Vec<String> = self.cards.iter().map(ToString::to_string).collect();
        let known = book::cards_of(tx, Some(&ids)).await?;
        match self.cards.iter().find(|card| known.iter().all(|one| one.card_id != **card)) {
            Some(card) => Err(WrongUsage(format!("no card \"{card}\" is known: correct the id, or import its set")).into()),
            None => Ok(self.cards),
        }
    }
}

fn pretty(flags: &[Shown], now: DateTime<Utc>) -> String {
    if flags.is_empty() {
        return "nothing is flagged".to_owned();
    }
    let rows = flags.iter().map(|flag| {
        let until = flag.expires_at.format("%F %T");
        vec![
            flag.card_id.clone(),
            flag.name.clone().unwrap_or_default(),
            flag.kind.clone(),
            flag.source.clone(),
            flag.strength.map(|strength| strength.normalize().to_string()).unwrap_or_default(),
            flag.started_at.format("%F %T").to_string(),
            if flag.expires_at > now { until.to_string() } else { format!("{until} (over)") },
            flag.note.clone().unwrap_or_default(),
        ]
    });
    table(&["card", "name", "kind", "source", "strength", "since (UTC)", "until (UTC)", "note"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_taken_as_it_is_spoken_and_as_it_is_stored() {
        for text in ["reprint-rumour", "REPRINT_RUMOUR", "Reprint-Rumour"] {
            assert_eq!(kind(text), Ok(EventKind::ReprintRumour));
        }
        let known = "tournament, synergy, social-spike, rotation, ban, reprint-rumour";
        assert_eq!(kind("reprint"), Err(format!("unknown kind of event: use one of {known}")));
    }
}
