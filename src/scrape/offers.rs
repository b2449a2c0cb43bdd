//! What all methods hold an offer to.

use std::collections::BTreeMap;

use super::figures::{Refusal, shortened};
use crate::domain::{
    condition::{Condition, Scale},
    page::Offer,
};

/// Letters of a seller's name.
const LONGEST_NAME: usize = 64;

/// A seller's name or number. It may be any text, but one that people can see.
///
/// # Errors
/// Nothing, too much, or letters that are not seen.
pub fn seller(name: &str) -> Result<String, Refusal> {
    let name = name.trim();
    let seen = |letter: char| {
        !letter.is_control() && !matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if name.is_empty() || name.chars().count() > LONGEST_NAME || !name.chars().all(seen) {
        return Err(format!("\"{}\" is no seller's name", shortened(name)));
    }
    Ok(name.to_owned())
}

/// A grade as Cardmarket writes it.
///
/// # Errors
/// A text that is none.
pub fn condition(text: &str) -> Result<Condition, Refusal> {
    Condition::parse(Scale::Cardmarket, text).map_err(|unknown| format!("\"{}\" is no condition of Cardmarket's", shortened(&unknown.text)))
}

/// Of what one seller offers in one condition and finish the cheapest: one price of it is kept.
pub fn cheapest_of_each(offers: Vec<Offer>) -> Vec<Offer> {
    let mut kept: BTreeMap<_, Offer> = BTreeMap::new();
    for offer in offers {
        let key = (offer.seller.clone(), offer.condition, offer.finish);
        match kept.get(&key) {
            Some(known) if known.price <= offer.price => {}
            _ => {
                kept.insert(key, offer);
            }
        }
    }
    kept.into_values().collect()
}

/// Offers that could not be read, by the first reason.
#[derive(Debug, Default)]
pub struct Refused {
    pub reason: Option<Refusal>,
}

impl Refused {
    pub const fn is_none(&self) -> bool {
        self.reason.is_none()
    }

    /// Keeps a good offer, or why it is none.
    pub fn keep(&mut self, offer: Result<Offer, Refusal>, good: &mut Vec<Offer>) {
        match offer {
            Ok(offer) => good.push(offer),
            Err(reason) => {
                self.reason.get_or_insert(reason);
            }
        }
    }
}
