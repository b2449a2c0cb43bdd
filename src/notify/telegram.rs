//! Telegram's bot API. Requests and updates are teloxide's types; the exchange is our own: teloxide's sleeps for ten
//! seconds after every fault of the server and hides its status, and we have to know whether a message can have arrived.

use std::{fmt, time::Duration};

use chrono::TimeDelta;
use reqwest::{Client, header::CONTENT_TYPE};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::json;
use teloxide_core::{
    ApiError,
    payloads::{AnswerCallbackQuery, GetUpdates},
    requests::Payload,
    types::{AllowedUpdate, CallbackQueryId, InlineKeyboardButton, InlineKeyboardMarkup, ParseMode, Update},
};

use super::{
    Arrived, Notifier, Outcome, Part, SetUpError, Trouble,
    http::{self, Answer},
    split::{self, Limits},
};
use crate::{
    config::{delivery::Platform, outbound::BaseUrl},
    domain::message::{Action, Channel, Span, Words},
};

pub mod markdown;

/// Telegram's: letters, counted before it reads the markup; entities with a form.
const LIMITS: Limits = Limits { length: 4096, formed: 100 };

/// See the module.
pub struct Telegram {
    client: Client,
    base: BaseUrl,
    token: SecretString,
    timeout: Duration,
}

/// What Telegram says to any request.
#[derive(Deserialize)]
struct Said<T> {
    ok: bool,
    result: Option<T>,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<i64>,
    migrate_to_chat_id: Option<i64>,
}

#[derive(Deserialize)]
struct MessageId {
    message_id: i64,
}

impl Telegram {
    /// None without a token.
    ///
    /// # Errors
    /// The system lacks what TLS needs.
    pub fn new(platform: &Platform) -> Result<Option<Self>, SetUpError> {
        let Some(token) = platform.token.clone() else { return Ok(None) };
        let client = http::client(&platform.base).map_err(|_| SetUpError("telegram"))?;
        Ok(Some(Self { client, base: platform.base.clone(), token, timeout: platform.timeout }))
    }

    /// What happened since the update before `offset`; waits for something to happen for up to so many seconds.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn updates(&self, offset: i64, wait_seconds: u32) -> Result<Vec<Update>, Trouble> {
        let mut payload = GetUpdates::new();
        payload.offset = Some(i32::try_from(offset).unwrap_or(i32::MAX));
        payload.timeout = Some(wait_seconds);
        payload.allowed_updates = Some(vec![AllowedUpdate::Message, AllowedUpdate::CallbackQuery]);
        self.call(GetUpdates::NAME, &payload, self.timeout + Duration::from_secs(wait_seconds.into())).await
    }

    /// Ends the waiting sign on a pressed button, with a few words.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub async fn answer_button(&self, query: &CallbackQueryId, text: &str) -> Result<(), Trouble> {
        let mut payload = AnswerCallbackQuery::new(query.clone());
        payload.text = Some(text.to_owned());
        self.call::<bool>(AnswerCallbackQuery::NAME, &payload, self.timeout).await.map(|_| ())
    }

    async fn call<T: DeserializeOwned>(&self, method: &str, payload: &impl Serialize, timeout: Duration) -> Result<T, Trouble> {
        let mut url = self.base.url().clone();
        let (bot, method) = (format!("bot{}", self.token.expose_secret()), method);
        url.path_segments_mut()
            .map_err(|()| Trouble::Refused("its address takes no paths".to_owned()))?
            .pop_if_empty()
            .extend([&bot, method]);
        let body = serde_json::to_vec(payload).map_err(|_| Trouble::Refused("the request could not be written".to_owned()))?;
        let request = self.client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        judge(&http::exchange(request, timeout).await?)
    }
}

/// What an answer means.
fn judge<T: DeserializeOwned>(answer: &Answer) -> Result<T, Trouble> {
    let Some(said) = answer.read::<Said<T>>() else { return Err(answer.foreign()) };
    if said.ok {
        return said.result.ok_or_else(|| answer.foreign());
    }
    let told = http::words(said.description.as_deref().unwrap_or("no reason"));
    let parameters = said.parameters.as_ref();
    if let Some(seconds) = parameters.and_then(|told| told.retry_after) {
        // that of the whole bot looks the same: whoever keeps the pace tells by how many chats hear it
        return Err(Trouble::Slower { after: TimeDelta::seconds(seconds.clamp(1, 3_600)), whole_bot: false });
    }
    if parameters.is_some_and(|told| told.migrate_to_chat_id.is_some()) {
        return Err(Trouble::Dead("the group became a supergroup with another number: invite it again".to_owned()));
    }
    let kind: ApiError = serde_json::from_value(json!(said.description.unwrap_or_default())).unwrap_or(ApiError::Unknown(String::new()));
    Err(match (said.error_code.unwrap_or(answer.status), kind) {
        (_, ApiError::ChatNotFound | ApiError::UserNotFound | ApiError::GroupDeactivated | ApiError::BotKicked) | (403, _) => {
            Trouble::Dead(told)
        }
        (401 | 404 | 409, _) => Trouble::Locked(told),
        (500.., _) => Trouble::Failed(told),
        _ => Trouble::Refused(told),
    })
}

impl Notifier for Telegram {
    fn channel(&self) -> Channel {
        Channel::Telegram
    }

    fn parts(&self, words: &Words) -> Vec<Part> {
        let title = vec![Span::Strong(words.title.clone())];
        let lines: Vec<_> = std::iter::once(title).filter(|_| !words.title.is_empty()).chain(words.lines.iter().cloned()).collect();
        let texts = split::lay(&lines, LIMITS, &markdown::formed);
        let last = texts.len();
        let part = |(index, text): (usize, String)| {
            let buttons = words.asks.as_deref().filter(|_| index + 1 == last).map_or_else(Vec::new, buttons);
            Part(json!({
                "text": text, "parse_mode": ParseMode::MarkdownV2, "link_preview_options": { "is_disabled": true },
                "reply_markup": InlineKeyboardMarkup::new(buttons),
            }))
        };
        texts.into_iter().enumerate().map(part).collect()
    }

    fn put<'a>(&'a self, chat: i64, part: &'a Part, replaces: Option<i64>, _nonce: &'a str) -> Outcome<'a> {
        let (method, mut payload) = (if replaces.is_some() { "EditMessageText" } else { "SendMessage" }, part.0.clone());
        payload["chat_id"] = json!(chat);
        if let Some(message) = replaces {
            payload["message_id"] = json!(message);
        }
        Box::pin(async move {
            match self.call::<MessageId>(method, &payload, self.timeout).await {
                Ok(MessageId { message_id }) => Ok(Arrived { id: message_id, rest: None }),
                // said already, by an edit whose answer was lost
                Err(Trouble::Refused(told)) if replaces.is_some() && told.contains("message is not modified") => {
                    Ok(Arrived { id: replaces.unwrap_or_default(), rest: None })
                }
                Err(trouble) => Err(trouble),
            }
        })
    }
}

/// The answers to a signal. Its id is only a name: what a tenant may do with it is looked up when a button is pressed.
fn buttons(short_id: &str) -> Vec<Vec<InlineKeyboardButton>> {
    let button = |action: Action| {
        let text = match action {
            Action::Take => "Took it",
            Action::Pass => "Pass",
            Action::Why => "Why?",
            Action::WrongCard => "Wrong card",
        };
        InlineKeyboardButton::callback(text, format!("{action}:{short_id}"))
    };
    vec![vec![button(Action::Take), button(Action::Pass)], vec![button(Action::Why), button(Action::WrongCard)]]
}

/// The token is in every address.
impl fmt::Debug for Telegram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Telegram")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use reqwest::header::HeaderMap;

    use super::*;

    fn said(status: u16, body: &str) -> Trouble {
        let answer = Answer { status, headers: HeaderMap::new(), body: body.as_bytes().to_vec() };
        judge::<MessageId>(&answer).map(|_| ()).unwrap_err()
    }

    #[test]
    fn every_answer_says_whether_the_message_can_have_arrived() {
        let error = |code: u16, text: &str| said(code, &format!(r#"{{"ok":false,"error_code":{code},"description":"{text}"}}"#));
        assert!(matches!(error(403, "Forbidden: bot was blocked by the user"), Trouble::Dead(_)));
        assert!(matches!(error(400, "Bad Request: chat not found"), Trouble::Dead(_)));
        assert!(matches!(error(400, "Bad Request: can't parse entities: x"), Trouble::Refused(_)));
        assert!(matches!(error(401, "Unauthorized"), Trouble::Locked(_)));
        assert!(matches!(error(500, "Internal Server Error"), Trouble::Failed(_)));
        let slower = r#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}"#;
        assert_eq!(said(429, slower), Trouble::Slower { after: TimeDelta::seconds(7), whole_bot: false });
        assert!(matches!(said(200, r#"{"ok":true,"result":{"mess"#), Trouble::Lost(_)));
        assert!(matches!(said(200, "<html>"), Trouble::Lost(_)));
    }

    #[test]
    fn a_word_of_the_platform_is_short_and_on_one_line() {
        let Trouble::Refused(told) = said(400, &format!(r#"{{"ok":false,"error_code":400,"description":"a\nb{}"}}"#, "c".repeat(999)))
        else {
            panic!("refused")
        };
        assert!(told.starts_with("a b") && told.chars().count() == 200);
    }
}
