//! What goes wrong with vendors, to be done once and on purpose.

use serde::Deserialize;
use serde_json::Value as Json;

use super::Reply;

/// One bad answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Misdeed {
    /// A refusal with this status; the body may name the vendor's own code.
    Status {
        status: u16,
        #[serde(default)]
        retry_after: Option<String>,
        #[serde(default)]
        body: Option<Json>,
    },
    /// A good answer, too late.
    Hang { seconds: u64 },
    /// The first half of a good answer.
    Truncated,
    /// A web page with status 200.
    WebPage,
    /// A good answer in which a field has another name.
    Renamed { from: String, to: String },
    /// A good answer whose rows all come twice, the second time in reverse.
    Doubled { list: String },
}

impl Misdeed {
    pub(super) fn spoil(&self, mut reply: Reply) -> Reply {
        match self {
            Self::Truncated => reply.body.truncate(reply.body.len() / 2),
            Self::WebPage => {
                reply.headers = vec![("content-type", "text/html".to_owned())];
                reply.body = b"<!DOCTYPE html><html><title>Just a moment...</title></html>".to_vec();
            }
            Self::Renamed { from, to } => {
                let text = String::from_utf8_lossy(&reply.body).replace(&format!("\"{from}\""), &format!("\"{to}\""));
                reply.body = text.into_bytes();
            }
            Self::Doubled { list } => {
                if let Ok(mut json) = serde_json::from_slice::<Json>(&reply.body) {
                    if let Some(rows) = json.get_mut(list).and_then(Json::as_array_mut) {
                        let again: Vec<Json> = rows.iter().rev().cloned().collect();
                        rows.extend(again);
                    }
                    reply.body = json.to_string().into_bytes();
                }
            }
            Self::Status { .. } | Self::Hang { .. } => {}
        }
        reply
    }
}
