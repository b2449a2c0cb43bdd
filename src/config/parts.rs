//! Which parts of the program the configuration switches on, and for those that are off: why, and how to switch them on.

use super::{
    Config,
    delivery::{Delivery, Platform},
    scraping::Scraping,
    social::Social,
    sources::{Feed, Sources},
};

/// One part of the program.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    pub name: &'static str,
    /// Why it is off; nothing where it is on.
    pub off: Option<String>,
    /// What a part that is on does with less than it could have.
    pub note: Option<&'static str>,
}

impl Config {
    /// Every part, for the log at start and for `doctor`.
    pub fn parts(&self) -> Vec<Part> {
        let mut parts = of_sources(&self.sources);
        parts.extend(of_delivery(&self.delivery));
        parts.extend(of_scraping(&self.scraping));
        parts.extend(of_social(&self.social));
        parts.extend(self.of_later());
        parts
    }

    /// What is configured for parts that do not exist yet must not look as if it did something.
    fn of_later(&self) -> Vec<Part> {
        let later = &self.later;
        let part = |name, wanted: bool, how: &str| {
            let off = if wanted {
                "it is configured, and this version does not have it yet".to_owned()
            } else {
                format!("{how} switches it on, in a version that has it")
            };
            Part { name, off: Some(off), note: None }
        };
        vec![part("ebay", later.ebay_app_id.is_some() || later.ebay_cert_id.is_some(), "EBAY_APP_ID (with EBAY_CERT_ID)")]
    }
}

fn of_delivery(delivery: &Delivery) -> Vec<Part> {
    let part = |name, platform: &Platform, off: &str, note| Part {
        name,
        off: platform.token.is_none().then(|| off.to_owned()),
        note: platform.token.as_ref().and(note),
    };
    let no_operator = delivery.operator_channel.is_none();
    let note = no_operator.then_some("without DISCORD_CHANNEL_ID the operator is told of trouble by the log only");
    vec![
        part(
            "telegram",
            &delivery.telegram,
            "TELEGRAM_BOT_TOKEN is not set; nobody is told on Telegram. A token of @BotFather switches it on",
            None,
        ),
        part("discord", &delivery.discord, "DISCORD_BOT_TOKEN is not set; nobody is told on Discord. A bot's token switches it on", note),
    ]
}

fn of_scraping(scraping: &Scraping) -> Vec<Part> {
    let off = (!scraping.enabled).then(|| "ENABLE_LAYER_3_SCRAPING is not true; no page is loaded".to_owned());
    let vision = &scraping.vision;
    let missing = match (vision.usable_key(), &vision.model) {
        (None, _) => Some("ANTHROPIC_API_KEY"),
        (Some(_), None) => Some("VISION_MODEL_ID"),
        (Some(_), Some(_)) => None,
    };
    let given_up = |missing| format!("{missing} is not set; a page that neither its data nor its markup explains is given up");
    let blind = off.clone().or_else(|| missing.map(given_up));
    let no_proxy = scraping.proxy_url.is_none() && scraping.stand_in.is_none();
    let note = no_proxy.then_some("without PROXY_URL pages are asked from your own address, which is likely to be blocked");
    let note = if off.is_none() { note } else { None };
    vec![Part { name: "scraping", off, note }, Part { name: "vision", off: blind, note: None }]
}

fn of_social(social: &Social) -> Vec<Part> {
    let off = (!social.enabled).then(|| "ENABLE_LAYER_35_SOCIAL is not true; nobody is listened to".to_owned());
    let part = |name, missing: Option<&str>, note| Part {
        name,
        off: off.clone().or_else(|| missing.map(str::to_owned)),
        note: if off.is_none() && missing.is_none() { note } else { None },
    };
    let guest = "without REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET it is asked as a guest, whom it often tells its feed only";
    let nowhere = social.reddit.subreddits.is_empty().then_some("REDDIT_SUBREDDITS names none");
    let no_token = social.x.token.is_none().then_some("TWITTER_BEARER_TOKEN is not set");
    let silent = social.discord.token.is_none().then_some("DISCORD_BOT_TOKEN is not set");
    let no_channel = social.discord.channels.is_empty().then_some("DISCORD_MONITOR_CHANNEL_IDS is not set; no channel is read");
    vec![
        part("reddit", nowhere, social.reddit.client().is_none().then_some(guest)),
        part("x_counts", no_token, None),
        part("discord_channels", silent.or(no_channel), None),
    ]
}

fn of_sources(sources: &Sources) -> Vec<Part> {
    let Sources { cardmarket, tcgcsv, ecb, pokemontcg, justtcg, poketrace, exchangerate, limitless, .. } = sources;
    let part = |feed: &Feed, missing: Option<&str>| {
        let off = if sources.is_off(feed.name) {
            Some(format!("SOURCES_OFF names it; take \"{}\" out to switch it on", feed.name))
        } else {
            missing.filter(|_| feed.key.is_none()).map(str::to_owned)
        };
        Part { name: feed.name, off, note: None }
    };
    let mut guest = part(pokemontcg, None);
    if guest.off.is_none() && pokemontcg.key.is_none() {
        guest.note = Some("without POKEMONTCG_API_KEY it may ask 1,000 times a day instead of 20,000");
    }
    vec![
        part(cardmarket, None),
        part(tcgcsv, None),
        part(ecb, None),
        guest,
        part(justtcg, Some("JUSTTCG_API_KEY is not set; US prices come from TCGCSV once a day. A key of justtcg.com switches it on")),
        part(poketrace, Some("POKETRACE_API_KEY is not set; velocity comes from price history. A key of poketrace.com switches it on")),
        part(
            exchangerate,
            Some(
                "EXCHANGERATE_API_KEY is not set; rates come from the European Central Bank, then EUR_USD_RATE. A key of exchangerate-api.com switches it on",
            ),
        ),
        part(
            limitless,
            Some(
                "LIMITLESS_API_KEY is not set; no tournament is heard of. A key of play.limitlesstcg.com/account/settings/api switches it on",
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn parts(pairs: &[(&str, &str)]) -> Vec<Part> {
        let get = |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Config::from_lookup(get).unwrap().parts()
    }

    fn off(pairs: &[(&str, &str)], name: &str) -> Option<String> {
        parts(pairs).into_iter().find(|part| part.name == name).unwrap().off
    }

    #[test]
    fn without_a_key_the_keyless_sources_are_on_and_the_others_say_how_to_switch_them_on() {
        let on: Vec<_> = parts(&[]).into_iter().filter(|part| part.off.is_none()).map(|part| part.name).collect();
        assert_eq!(on, ["cardmarket", "tcgcsv", "ecb", "pokemontcg"]);
        assert!(off(&[], "justtcg").unwrap().contains("JUSTTCG_API_KEY"));
        assert_eq!(off(&[("JUSTTCG_API_KEY", "k")], "justtcg"), None);
        assert!(off(&[("JUSTTCG_API_KEY", "k"), ("SOURCES_OFF", "ecb, justtcg")], "justtcg").unwrap().contains("SOURCES_OFF"));
    }

    #[test]
    fn a_setting_of_a_part_that_does_not_exist_yet_is_said_to_do_nothing() {
        assert!(off(&[("EBAY_APP_ID", "a")], "ebay").unwrap().contains("does not have it yet"));
        assert!(off(&[], "ebay").unwrap().starts_with("EBAY_APP_ID"));
    }

    #[test]
    fn scraping_is_off_until_it_is_switched_on_and_vision_with_it() {
        assert!(off(&[("ANTHROPIC_API_KEY", "k")], "vision").unwrap().starts_with("ENABLE_LAYER_3_SCRAPING"));
        assert!(off(&[], "scraping").unwrap().starts_with("ENABLE_LAYER_3_SCRAPING"));
        let on = [("ENABLE_LAYER_3_SCRAPING", "true")];
        assert_eq!(off(&on, "scraping"), None);
        assert!(parts(&on).into_iter().find(|part| part.name == "scraping").unwrap().note.unwrap().contains("PROXY_URL"));
        assert!(off(&on, "vision").unwrap().starts_with("ANTHROPIC_API_KEY"));
        let keyed = [on[0], ("ANTHROPIC_API_KEY", "k")];
        assert!(off(&keyed, "vision").unwrap().starts_with("VISION_MODEL_ID"));
        assert_eq!(off(&[keyed[0], keyed[1], ("VISION_MODEL_ID", "m")], "vision"), None);
    }

    #[test]
    fn nobody_is_listened_to_until_it_is_switched_on_and_then_whoever_has_a_key() {
        let keys = [("TWITTER_BEARER_TOKEN", "a"), ("DISCORD_BOT_TOKEN", "a"), ("DISCORD_MONITOR_CHANNEL_IDS", "7")];
        for name in ["reddit", "x_counts", "discord_channels"] {
            assert!(off(&keys, name).unwrap().starts_with("ENABLE_LAYER_35_SOCIAL"), "{name}");
            let on: Vec<_> = keys.into_iter().chain([("ENABLE_LAYER_35_SOCIAL", "true")]).collect();
            assert_eq!(off(&on, name), None, "{name}");
        }
        let alone = [("ENABLE_LAYER_35_SOCIAL", "true")];
        assert_eq!(off(&alone, "reddit"), None);
        assert!(off(&alone, "x_counts").unwrap().starts_with("TWITTER_BEARER_TOKEN"));
        assert!(off(&alone, "discord_channels").unwrap().starts_with("DISCORD_BOT_TOKEN"));
    }

    #[test]
    fn a_token_switches_its_platform_on() {
        assert!(off(&[], "telegram").unwrap().starts_with("TELEGRAM_BOT_TOKEN"));
        assert_eq!(off(&[("TELEGRAM_BOT_TOKEN", "1:a")], "telegram"), None);
        assert_eq!(off(&[("DISCORD_BOT_TOKEN", "a")], "discord"), None);
    }
}
