//! Figures of feeds and pages, and how many pages may be loaded: asked of the code that reads and counts them.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Value as Json, json};
use tcg_radar::{
    domain::{
        book::CardIndex,
        event::{EventKind, Flag},
        feed::Feed,
        pace::{Manners, Pace},
    },
    scrape::{figures, intercept},
    sources::figure,
};

use super::{Answer, Packs, Refusal, adapters::Answers};

fn text(figure: Option<Decimal>) -> Json {
    figure.map_or(Json::Null, |figure| json!(figure.to_string()))
}

/// A text of a page. What a price means there is another question: not all of the recorded ones are in euro.
pub fn scrape_text(_: &Packs, input: &Json, _: &Json) -> Answers {
    let read = input["text"].as_str().unwrap_or_default();
    let value = match input["kind"].as_str() {
        Some("int") => figures::count(read).map(|count| json!(count)),
        _ => figures::decimal(read).map(text),
    };
    Answers::of_reference(value.map(|value| [("value", value)].into()).map_err(Refusal::Input))
}

/// The data of a page, as it stands there.
pub fn scrape_intercept(_: &Packs, input: &Json, _: &Json) -> Answers {
    let object = input["json"].as_object().expect("the data is an object");
    let answer: Answer = intercept::flat(object)
        .map(|flat| {
            [
                ("price_eur", text(flat.price)),
                ("seller_id", json!(flat.seller)),
                ("seller_rating", text(flat.rating)),
                ("seller_sales", json!(flat.sales)),
                ("condition", json!(flat.condition)),
                ("shipping_eur", text(flat.shipping)),
                ("seller_other_cards", json!(flat.others)),
            ]
            .into()
        })
        .map_err(Refusal::Input);
    Answers::of_reference(answer)
}

/// When a feed's turn is and which flags live, or what the quota of pages has left. The recorded loads were all made when
/// their window began.
pub fn scheduler(_: &Packs, input: &Json, _: &Json) -> Answers {
    if input["kind"] == "price_poll" {
        return price_poll(input);
    }
    let number = |name: &str| input[name].as_u64().expect("a count");
    let began: DateTime<Utc> = "2026-07-01T00:00:00Z".parse().expect("a moment");
    let now = began + TimeDelta::seconds(i64::try_from(number("seconds_since_window_start")).expect("seconds"));
    let pages_per_hour = u32::try_from(number("cap")).expect("a count");
    let manners = Manners { pages_per_hour, delay: (TimeDelta::zero(), TimeDelta::zero()) };
    let loads = vec![began; usize::try_from(number("pages_used")).expect("a count")];
    let mut pace = Pace { loads, ..Pace::default() };
    let remaining = pace.left(now, &manners);
    let can_scrape = pace.take(now, &manners, 0).is_ok();
    Answers::of_reference(Ok([("can_scrape", json!(can_scrape)), ("remaining", json!(remaining))].into()))
}

/// The recorded minutes have two decimals at most.
fn minutes(text: &Json) -> TimeDelta {
    let minutes: Decimal = text.as_str().and_then(|text| text.parse().ok()).expect("minutes");
    TimeDelta::milliseconds((minutes * Decimal::from(60_000)).try_into().expect("a span"))
}

/// Whether all is asked for again. That a flag hastens everything is a quirk: ours hastens its card.
fn price_poll(input: &Json) -> Answers {
    let last: DateTime<Utc> = "2026-07-01T00:00:00Z".parse().expect("a moment");
    let now = last + minutes(&input["elapsed_min"]);
    let feed = Feed { last_run: Some(last), ..Feed::new("justtcg", last) };
    let poll = feed.due_at(now, TimeDelta::hours(6)) <= now;
    let flag = |left: &Json| {
        let expires_at = now + minutes(left);
        Flag { card: CardIndex(0), kind: EventKind::SocialSpike, started_at: expires_at - TimeDelta::hours(4), expires_at }
    };
    let spikes = input["spike_reverts_in_min"].as_array().expect("spikes");
    let active = spikes.iter().filter(|left| flag(left).is_live(now)).count();
    Answers::of_reference(Ok([("poll", json!(poll)), ("active_spikes", json!(active))].into()))
}

/// A figure of a feed; what cannot be read is refused with a reason there, and is no figure here.
pub fn feed_price(_: &Packs, input: &Json, _: &Json) -> Answers {
    let literal = input["value"].to_string();
    let price = figure::number(literal.trim_matches('"')).unwrap_or(None);
    Answers::of_reference(Ok([("price", text(price))].into()))
}
