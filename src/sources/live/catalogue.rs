//! The sources that the configuration switches on. A new vendor is one file beside this one and one line here.

use std::sync::Arc;

use super::{
    Source, cardmarket::Files, discord_channels::DiscordChannels, ecb::Ecb, exchangerate::ExchangeRate, justtcg::JustTcg,
    limitless::Limitless, pokemontcg::PokemonTcg, poketrace::PokeTrace, reddit::Reddit, tcgcsv::Tcgcsv, x_counts::XCounts,
};
use crate::config::{
    social::Social,
    sources::{Feed, Sources},
};

/// Every source that has what it needs.
pub fn all(config: &Sources) -> Vec<Arc<dyn Source>> {
    let Sources { cardmarket, tcgcsv, ecb, pokemontcg, justtcg, poketrace, exchangerate, limitless, .. } = config;
    let on = |feed: &Feed| (!config.is_off(feed.name)).then(|| (feed.base.clone(), feed.cadence));
    let keyed = |feed: &Feed| Some((on(feed)?, feed.key.clone()?));
    let sources: [Option<Arc<dyn Source>>; 9] = [
        on(pokemontcg).map(|(base, cadence)| Arc::new(PokemonTcg::new(base, pokemontcg.key.clone(), cadence)) as _),
        on(cardmarket).map(|(base, cadence)| Arc::new(Files::products(base, cadence)) as _),
        on(ecb).map(|(base, cadence)| Arc::new(Ecb::new(base, cadence)) as _),
        on(cardmarket).map(|(base, cadence)| Arc::new(Files::guide(base, cadence)) as _),
        on(tcgcsv).map(|(base, cadence)| Arc::new(Tcgcsv::new(base, cadence, config.backfill_days)) as _),
        keyed(justtcg).map(|((base, cadence), key)| Arc::new(JustTcg::new(base, key, cadence)) as _),
        keyed(poketrace).map(|((base, cadence), key)| Arc::new(PokeTrace::new(base, key, cadence)) as _),
        keyed(exchangerate).map(|((base, cadence), key)| Arc::new(ExchangeRate::new(base, key, cadence)) as _),
        keyed(limitless).map(|((base, cadence), key)| Arc::new(Limitless::new(base, key, cadence)) as _),
    ];
    sources.into_iter().flatten().collect()
}

/// Every platform that is listened to; none where nobody asked for it.
pub fn social(config: &Social) -> Vec<Arc<dyn Source>> {
    let Social { enabled, cadence, reddit, x, discord, .. } = config;
    if !enabled {
        return Vec::new();
    }
    let channels = discord.token.as_ref().filter(|_| !discord.channels.is_empty());
    let channels = channels.map(|token| DiscordChannels::new(discord.base.clone(), token.clone(), discord.channels.clone(), *cadence));
    let counts = x.token.as_ref().map(|token| XCounts::new(x.base.clone(), token.clone(), *cadence));
    let reddit = (!reddit.subreddits.is_empty()).then(|| Reddit::new(reddit.clone(), *cadence));
    let sources: [Option<Arc<dyn Source>>; 3] = [
        reddit.map(|source| Arc::new(source) as _),
        channels.map(|source| Arc::new(source) as _),
        counts.map(|source| Arc::new(source) as _),
    ];
    sources.into_iter().flatten().collect()
}
