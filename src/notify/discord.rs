//! Discord's HTTP API by serenity's requests. How fast we may write is what the headers of every answer say: serenity's
//! own limiter waits inside of a request, which would hold a lease, and goes round the configured address.

use std::{fmt, time::Duration};

use chrono::TimeDelta;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use serenity::{
    all::{ChannelId, MessageId},
    builder::{CreateAllowedMentions, CreateEmbed},
    http::{LightMethod, Request, Route},
};

use super::{
    Arrived, Notifier, Outcome, Part, SetUpError, Trouble,
    http::{self, Answer, seconds},
    split::{self, Limits},
};
use crate::{
    config::{delivery::Platform, outbound::BaseUrl},
    domain::message::{Channel, Span, Words},
};

mod markdown;

/// Of an embed's description; links and stress are not counted.
const LIMITS: Limits = Limits { length: 4096, formed: usize::MAX };
/// Of an embed's title.
const LONGEST_TITLE: usize = 256;

/// See the module.
pub struct Discord {
    client: Client,
    base: BaseUrl,
    token: SecretString,
    timeout: Duration,
}

/// A message as far as we need it.
#[derive(Deserialize)]
struct Created {
    id: MessageId,
}

/// Why not, in Discord's numbers.
#[derive(Deserialize)]
struct Refusal {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    message: String,
    retry_after: Option<serde_json::Number>,
    #[serde(default)]
    global: bool,
}

impl Discord {
    /// None without a token.
    ///
    /// # Errors
    /// The system lacks what TLS needs, or the token holds what no header may hold.
    pub fn new(platform: &Platform) -> Result<Option<Self>, SetUpError> {
        let Some(token) = &platform.token else { return Ok(None) };
        let client = http::client(&platform.base).map_err(|_| SetUpError("discord"))?;
        let token = format!("Bot {}", token.expose_secret().trim_start_matches("Bot ")).into();
        Ok(Some(Self { client, base: platform.base.clone(), token, timeout: platform.timeout }))
    }

    async fn ask(&self, route: Route<'_>, method: LightMethod, body: &serde_json::Value) -> Result<Answer, Trouble> {
        let body = serde_json::to_vec(body).map_err(|_| Trouble::Refused("the request could not be written".to_owned()))?;
        let request = Request::new(route, method).body(Some(body));
        // serenity's error may quote the header
        let request = request.build(&self.client, self.token.expose_secret(), Some(self.base.url().as_str()));
        http::exchange(request.map_err(|_| Trouble::Refused("the request could not be built".to_owned()))?, self.timeout).await
    }
}

/// What an answer means.
fn judge(answer: &Answer) -> Result<Arrived, Trouble> {
    let header = |name: &str| answer.headers.get(name)?.to_str().ok();
    if (200..300).contains(&answer.status) {
        let created = answer.read::<Created>().ok_or_else(|| answer.foreign())?;
        let is_last = header("x-ratelimit-remaining") == Some("0");
        let rest = header("x-ratelimit-reset-after").filter(|_| is_last).and_then(seconds);
        return Ok(Arrived { id: i64::try_from(created.id.get()).unwrap_or(i64::MAX), rest });
    }
    let Some(refusal) = answer.read::<Refusal>() else {
        // Cloudflare's own limiter answers without JSON
        let after = header("retry-after").and_then(seconds);
        return Err(after
            .filter(|_| answer.status == 429)
            .map_or_else(|| answer.foreign(), |after| Trouble::Slower { after, whole_bot: true }));
    };
    if answer.status == 429 {
        let told = refusal.retry_after.map(|wait| wait.to_string());
        let after = told.as_deref().or(header("retry-after")).and_then(seconds).unwrap_or(TimeDelta::seconds(1));
        let whole_bot = refusal.global || header("x-ratelimit-global").is_some() || header("x-ratelimit-scope") == Some("global");
        return Err(Trouble::Slower { after, whole_bot });
    }
    let told = http::words(&format!("{} ({})", refusal.message, refusal.code));
    Err(match (answer.status, refusal.code) {
        // unknown channel, missing access, may not write there, cannot write to this user
        (_, 10_003 | 50_001 | 50_013 | 50_007) | (403, _) => Trouble::Dead(told),
        (401, _) => Trouble::Locked(told),
        (500.., _) => answer.foreign(),
        _ => Trouble::Refused(told),
    })
}

impl Notifier for Discord {
    fn channel(&self) -> Channel {
        Channel::Discord
    }

    fn parts(&self, words: &Words) -> Vec<Part> {
        let title = markdown::escaped(&words.title);
        let fits = split::units(&title) <= LONGEST_TITLE;
        // a title that is no title there opens the text
        let opening = (!fits).then(|| vec![Span::Strong(words.title.clone())]);
        let lines: Vec<_> = opening.into_iter().chain(words.lines.iter().cloned()).collect();
        let mut texts = split::lay(&lines, LIMITS, &markdown::formed);
        if texts.is_empty() {
            texts.push(String::new());
        }
        let part = |(index, text): (usize, String)| {
            let mut embed = CreateEmbed::new().colour(words.colour.rgb());
            if !text.is_empty() {
                embed = embed.description(text);
            }
            if index == 0 && fits && !title.is_empty() {
                embed = embed.title(title.clone());
            }
            Part(json!({ "embeds": [embed], "allowed_mentions": CreateAllowedMentions::new() }))
        };
        texts.into_iter().enumerate().map(part).collect()
    }

    fn put<'a>(&'a self, chat: i64, part: &'a Part, replaces: Option<i64>, nonce: &'a str) -> Outcome<'a> {
        Box::pin(async move {
            let number = |id: i64| u64::try_from(id).ok().filter(|id| *id > 0);
            let Some(channel_id) = number(chat).map(ChannelId::new) else {
                return Err(Trouble::Dead("no Discord channel has this number".to_owned()));
            };
            let mut body = part.0.clone();
            let answer = if let Some(message_id) = replaces.and_then(number).map(MessageId::new) {
                self.ask(Route::ChannelMessage { channel_id, message_id }, LightMethod::Patch, &body).await?
            } else {
                // the same message sent again is not posted twice
                body["nonce"] = json!(nonce);
                body["enforce_nonce"] = json!(true);
                self.ask(Route::ChannelMessages { channel_id }, LightMethod::Post, &body).await?
            };
            judge(&answer)
        })
    }
}

impl fmt::Debug for Discord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Discord")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use reqwest::header::{HeaderMap, HeaderName};

    use super::*;

    fn said(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Arrived, Trouble> {
        let headers: HeaderMap = headers.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect();
        judge(&Answer { status, headers, body: body.as_bytes().to_vec() })
    }

    #[test]
    fn the_last_message_of_a_bucket_makes_the_channel_rest() {
        let headers = |left| [("x-ratelimit-remaining", left), ("x-ratelimit-reset-after", "1.25")];
        let body = r#"{"id":"1234567890123456789"}"#;
        assert_eq!(said(200, &headers("3"), body), Ok(Arrived { id: 1_234_567_890_123_456_789, rest: None }));
        assert_eq!(said(200, &headers("0"), body).unwrap().rest, Some(TimeDelta::milliseconds(1250)));
    }

    #[test]
    fn every_answer_says_whether_the_message_can_have_arrived() {
        let error = |status, body| said(status, &[], body).unwrap_err();
        let wait = r#"{"message":"You are being rate limited.","retry_after":0.336,"global":false}"#;
        assert_eq!(error(429, wait), Trouble::Slower { after: TimeDelta::milliseconds(336), whole_bot: false });
        let all = r#"{"message":"You are being rate limited.","retry_after":64.57,"global":true}"#;
        assert_eq!(error(429, all), Trouble::Slower { after: TimeDelta::milliseconds(64_570), whole_bot: true });
        assert!(matches!(error(403, r#"{"message":"Missing Access","code":50001}"#), Trouble::Dead(_)));
        assert!(matches!(error(404, r#"{"message":"Unknown Channel","code":10003}"#), Trouble::Dead(_)));
        assert!(matches!(error(404, r#"{"message":"Unknown Message","code":10008}"#), Trouble::Refused(_)));
        assert!(matches!(error(401, r#"{"message":"401: Unauthorized","code":0}"#), Trouble::Locked(_)));
        assert!(matches!(error(400, r#"{"message":"Invalid Form Body","code":50035}"#), Trouble::Refused(_)));
        assert!(matches!(error(503, "{}"), Trouble::Failed(_)));
        assert!(matches!(error(504, "<html>"), Trouble::Lost(_)));
        assert!(matches!(error(200, r#"{"id":"12"#), Trouble::Lost(_)));
    }
}
