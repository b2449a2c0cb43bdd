//! `scrape`: one card's page, now. The quota and the pauses hold for it, too.

use std::{fmt::Write as _, path::PathBuf};

use anyhow::Context;
use serde::Serialize;

use super::{Exit, Global, exit::WrongUsage, table, tell};
use crate::{
    clock::Clock,
    domain::card::CardId,
    ingest::pages::{PageError, Pages},
    store::{
        listings::{self, Listing},
        pages::{self, Wanted},
    },
};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The card, such as sv1-25.
    #[arg(long, value_name = "ID")]
    card: String,
    /// Where to put a picture of the page (PNG).
    #[arg(long, value_name = "FILE")]
    screenshot: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Look {
    card: CardId,
    /// The method that won, or how it ended without.
    outcome: &'static str,
    /// Why the methods before did not.
    told: Vec<String>,
    gone: usize,
    listings: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    price: String,
    shipping: Option<String>,
    condition: Option<String>,
    seller: String,
    rating: Option<String>,
    sales: Option<i64>,
    source: String,
    seen_at: String,
}

pub(super) async fn run(global: &Global, args: Args) -> anyhow::Result<Exit> {
    let scraping = global.config.scraping.clone();
    if !scraping.enabled {
        return Err(WrongUsage("scraping is off: ENABLE_LAYER_3_SCRAPING=true switches it on".to_owned()).into());
    }
    let card = CardId::new(&args.card).map_err(|error| WrongUsage(error.to_string()))?;
    let store = global.store().await?;
    let mut tx = store.service().await?;
    let product = pages::product_of(&mut tx, &card).await?;
    tx.commit().await?;
    let product = product.ok_or_else(|| {
        WrongUsage(format!("{card} is not known to be one product of Cardmarket: `tcg-radar import ids.csv.gz` stores a crosswalk"))
    })?;
    // nobody listens here: a service that runs reads what was written
    let (changed, _) = tokio::sync::broadcast::channel(1);
    let jump = global.config.sources.quarantine_jump;
    let mut pages = Pages::new(store.clone(), scraping, global.config.home.clone(), jump, changed, Clock::machine())?;
    tell("loading the page");
    let wanted = Wanted { card: card.clone(), product, event: "manual".to_owned() };
    let loaded = pages.load_now(&wanted, args.screenshot.is_some()).await;
    pages.close().await;
    let loaded = match loaded {
        Err(PageError::Wait(until)) => {
            tell(&format!("the quota or a pause of the site lets no page be loaded before {}", until.format("%F %T UTC")));
            return Ok(Exit::NothingRan);
        }
        loaded => loaded?,
    };
    if let (Some(path), Some(picture)) = (&args.screenshot, &loaded.visit.picture) {
        std::fs::write(path, picture).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let mut tx = store.service().await?;
    let listings = listings::of_card(&mut tx, &card).await?;
    tx.commit().await?;
    let look = Look {
        card,
        outcome: loaded.outcome(),
        told: loaded.visit.told.clone(),
        gone: loaded.gone,
        listings: listings.into_iter().map(line).collect(),
    };
    global.show(&look, pretty)?;
    Ok(if loaded.visit.outcome.is_ok() { Exit::Good } else { Exit::Failed })
}

fn line(listing: Listing) -> Line {
    Line {
        price: listing.price.to_string(),
        shipping: listing.shipping.map(|shipping| shipping.to_string()),
        condition: listing.condition.map(|condition| condition.grade.to_string()),
        seller: listing.seller,
        rating: listing.rating.map(|rating| rating.to_string()),
        sales: listing.sales,
        source: listing.source,
        seen_at: listing.seen_at.format("%F %T").to_string(),
    }
}

fn pretty(look: &Look) -> String {
    // Writing into a String cannot fail.
    let mut text = format!("{}: {}\n", look.card, look.outcome);
    for told in &look.told {
        let _ = writeln!(text, "  {told}");
    }
    if look.gone > 0 {
        let _ = writeln!(text, "  offers of before that are no more: {}", look.gone);
    }
    let dash = || "–".to_owned();
    let rows = look.listings.iter().map(|line| {
        vec![
            line.price.clone(),
            line.shipping.clone().unwrap_or_else(dash),
            line.condition.clone().unwrap_or_else(dash),
            line.seller.clone(),
            line.rating.clone().unwrap_or_else(dash),
            line.sales.map_or_else(dash, |sales| sales.to_string()),
            line.seen_at.clone(),
        ]
    });
    if !look.listings.is_empty() {
        text.push('\n');
        text.push_str(&table(&["EUR", "postage", "condition", "seller", "rating", "sales", "seen (UTC)"], rows));
        text.push('\n');
    }
    text
}
