//! The sources that the configuration switches on. A new vendor is one file beside this one and one line here.

use std::sync::Arc;

use super::{
    Source, cardmarket::Files, ecb::Ecb, exchangerate::ExchangeRate, justtcg::JustTcg, pokemontcg::PokemonTcg, poketrace::PokeTrace,
    tcgcsv::Tcgcsv,
};
use crate::config::sources::{Feed, Sources};

/// Every source that has what it needs.
pub fn all(config: &Sources) -> Vec<Arc<dyn Source>> {
    let Sources { cardmarket, tcgcsv, ecb, pokemontcg, justtcg, poketrace, exchangerate, .. } = config;
    let on = |feed: &Feed| (!config.is_off(feed.name)).then(|| (feed.base.clone(), feed.cadence));
    let keyed = |feed: &Feed| Some((on(feed)?, feed.key.clone()?));
    let sources: [Option<Arc<dyn Source>>; 8] = [
        on(pokemontcg).map(|(base, cadence)| Arc::new(PokemonTcg::new(base, pokemontcg.key.clone(), cadence)) as _),
        on(cardmarket).map(|(base, cadence)| Arc::new(Files::products(base, cadence)) as _),
        on(ecb).map(|(base, cadence)| Arc::new(Ecb::new(base, cadence)) as _),
        on(cardmarket).map(|(base, cadence)| Arc::new(Files::guide(base, cadence)) as _),
        on(tcgcsv).map(|(base, cadence)| Arc::new(Tcgcsv::new(base, cadence, config.backfill_days)) as _),
        keyed(justtcg).map(|((base, cadence), key)| Arc::new(JustTcg::new(base, key, cadence)) as _),
        keyed(poketrace).map(|((base, cadence), key)| Arc::new(PokeTrace::new(base, key, cadence)) as _),
        keyed(exchangerate).map(|((base, cadence), key)| Arc::new(ExchangeRate::new(base, key, cadence)) as _),
    ];
    sources.into_iter().flatten().collect()
}
