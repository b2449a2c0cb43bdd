//! `synergy CARD`: what is played together with it.

use serde::Serialize;

use super::{Exit, Global, exit::WrongUsage, table};
use crate::{
    domain::card::CardId,
    store::{
        ServiceTx, book,
        tournaments::{self, Partner},
    },
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A card's id, such as sv6-95, or its name.
    card: String,
    /// Partners that are shown.
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    top: u16,
}

#[derive(Debug, Serialize)]
struct Shown {
    name: String,
    partners: Vec<Partner>,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let store = global.store().await?;
    let mut tx = store.service().await?;
    let name = name(&mut tx, &args.card).await?;
    let partners = tournaments::partners(&mut tx, &name, args.top.into()).await?;
    tx.commit().await?;
    let shown = Shown { name, partners };
    global.show(&shown, pretty)?;
    Ok(if shown.partners.is_empty() { Exit::NothingRan } else { Exit::Good })
}

/// Decks name cards, so an id stands for its name.
async fn name(tx: &mut ServiceTx, card: &str) -> anyhow::Result<String> {
    if CardId::new(card).is_err() {
        return Ok(card.to_owned());
    }
    let known = book::cards_of(tx, Some(&[card.to_owned()])).await?;
    match known.into_iter().next() {
        Some(known) => Ok(known.name),
        // names without a blank look like ids
        None if tournaments::partners(tx, card, 1).await?.is_empty() => {
            Err(WrongUsage(format!("no card \"{card}\" is known and no deck plays one: correct it, or import its set or decks")).into())
        }
        None => Ok(card.to_owned()),
    }
}

fn pretty(shown: &Shown) -> String {
    if shown.partners.is_empty() {
        return format!("no deck plays {}: names are as printed, and `tcg-radar import decks.jsonl.gz` stores decks", shown.name);
    }
    let rows = shown.partners.iter().map(|partner| vec![partner.name.clone(), partner.decks.to_string()]);
    format!("{} is played with\n\n{}", shown.name, table(&["card", "decks"], rows))
}
