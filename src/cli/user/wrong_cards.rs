//! `user wrong-cards`: what tenants called wrong, and the operator's word on it.

use super::{super::table, Global};
use crate::{clock::Clock, domain::card::CardId, store::rotation};

pub(super) async fn run(global: &Global, hide: Option<CardId>, restore: Option<CardId>) -> anyhow::Result<()> {
    let store = global.store().await?;
    let mut tx = store.service().await?;
    if let Some(card) = hide {
        rotation::hide_card(&mut tx, &card, Clock::machine().now()).await?;
    }
    if let Some(card) = restore {
        rotation::restore_card(&mut tx, &card).await?;
    }
    let cards = rotation::wrong_cards(&mut tx).await?;
    tx.commit().await?;
    global.show(&cards, |cards| {
        if cards.is_empty() {
            return "no card was called wrong".to_owned();
        }
        let rows = cards.iter().map(|card| {
            let hidden = card.hidden_by.as_deref().map_or_else(String::new, |by| format!("hidden by {by}"));
            vec![card.card_id.clone(), card.name.clone().unwrap_or_default(), card.tenants.to_string(), hidden]
        });
        table(&["card", "name", "tenants", ""], rows)
    })
}
