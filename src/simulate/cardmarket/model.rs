//! The model that reads pictures, as its vendor documents it. It cannot see, but it knows which page was served last.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value as Json, json};

use super::{Shop, json_of, says};
use crate::simulate::vendors::number;

/// The key that it accepts.
pub const KEY: &str = "stand-in-key";
/// The one that it stands in for.
pub const MODEL: &str = "stand-in-model";

pub async fn answer(State(shop): State<Arc<Shop>>, headers: HeaderMap, body: Bytes) -> Response {
    if !says(&headers, "x-api-key", KEY) {
        return refusal(StatusCode::UNAUTHORIZED, "authentication_error", "invalid x-api-key");
    }
    if !says(&headers, "anthropic-version", "2023-06-01") {
        return refusal(StatusCode::BAD_REQUEST, "invalid_request_error", "anthropic-version: header is required");
    }
    let asked: Json = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        Err(error) => return refusal(StatusCode::BAD_REQUEST, "invalid_request_error", &error.to_string()),
    };
    if let Err(fault) = check(&asked) {
        return refusal(StatusCode::BAD_REQUEST, "invalid_request_error", fault);
    }
    let shown = shop.change(|changing| {
        changing.pictures.push(asked.clone());
        changing.shown.clone()
    });
    let best = shown.as_ref().and_then(|product| product.wares.first());
    let figures = json!({
        "price_eur": number(best.map(|ware| ware.price)),
        "seller_rating": null,
        "seller_sales": null,
        "condition": best.map(|ware| ware.grade.as_str()),
        "shipping_eur": null,
    });
    json_of(&json!({
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL", "type": "message", "role": "assistant", "model": asked["model"],
        "content": [{ "type": "text", "text": format!("```json\n{figures}\n```") }],
        "stop_reason": "end_turn", "stop_sequence": null, "usage": { "input_tokens": 1534, "output_tokens": 61 },
    }))
}

/// What its vendor demands of a request with a picture.
fn check(asked: &Json) -> Result<(), &'static str> {
    if asked["model"].as_str().is_none_or(str::is_empty) {
        return Err("model: Field required");
    }
    if asked["max_tokens"].as_u64().is_none_or(|tokens| tokens == 0) {
        return Err("max_tokens: Field required");
    }
    let Some([message]) = asked["messages"].as_array().map(Vec::as_slice) else { return Err("messages: one is expected here") };
    if message["role"] != "user" {
        return Err("messages.0.role: must be user");
    }
    let Some(blocks) = message["content"].as_array() else { return Err("messages.0.content: a list is expected here") };
    for block in blocks {
        match block["type"].as_str() {
            Some("text") if block["text"].is_string() => {}
            Some("image") => {
                let source = &block["source"];
                // PNG's first bytes, in base64
                let is_png = source["data"].as_str().is_some_and(|data| data.starts_with("iVBORw0KGgo"));
                if source["type"] != "base64" || source["media_type"] != "image/png" || !is_png {
                    return Err("messages.0.content.0.image.source: Could not process image");
                }
            }
            _ => return Err("messages.0.content: unknown block"),
        }
    }
    Ok(())
}

fn refusal(status: StatusCode, kind: &str, message: &str) -> Response {
    (status, json_of(&json!({ "type": "error", "error": { "type": kind, "message": message } }))).into_response()
}
