//! exchangerate-api.com: what an answer about the euro says of a currency. Errors come with status 200 too.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;

use crate::domain::money::Currency;

pub const SOURCE: &str = "exchangerate-api";

#[derive(Deserialize)]
struct Answer {
    result: Option<String>,
    #[serde(rename = "error-type")]
    error_type: Option<String>,
    #[serde(default)]
    conversion_rates: BTreeMap<String, serde_json::Number>,
}

/// An answer without a rate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRate {
    #[error("the rate service answered with status {0}")]
    Status(u16),
    #[error("the rate service answered something that is not its format")]
    Malformed,
    #[error("the rate service refused: {0}")]
    Refused(String),
    #[error("the rate service tells no rate of {0}")]
    Missing(Currency),
}

/// Units of the currency for one euro, from the answer to `GET /v6/{key}/latest/EUR`.
///
/// # Errors
/// Any answer that does not call itself a success, or tells no positive rate.
pub fn units_per_euro(status: u16, body: &[u8], currency: Currency) -> Result<Decimal, NoRate> {
    if status != 200 {
        return Err(NoRate::Status(status));
    }
    let answer: Answer = serde_json::from_slice(body).map_err(|_| NoRate::Malformed)?;
    if answer.result.as_deref() != Some("success") {
        return Err(NoRate::Refused(answer.error_type.unwrap_or_else(|| "no reason given".to_owned())));
    }
    // the number's own digits: a float between would change them
    let rate = answer.conversion_rates.get(currency.code()).and_then(|number| number.to_string().parse().ok());
    rate.filter(|rate: &Decimal| *rate > Decimal::ZERO).ok_or(NoRate::Missing(currency))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_gives_the_exact_rate() {
        let body = br#"{"result":"success","base_code":"EUR","conversion_rates":{"EUR":1,"USD":1.0837,"GBP":0.8412}}"#;
        assert_eq!(units_per_euro(200, body, Currency::Usd), Ok(Decimal::new(10837, 4)));
        assert_eq!(units_per_euro(200, body, Currency::Gbp), Ok(Decimal::new(8412, 4)));
    }

    #[test]
    fn whatever_else_it_says_is_no_rate() {
        let quota = br#"{"result":"error","error-type":"quota-reached"}"#;
        assert_eq!(units_per_euro(200, quota, Currency::Usd), Err(NoRate::Refused("quota-reached".into())));
        assert_eq!(units_per_euro(429, quota, Currency::Usd), Err(NoRate::Status(429)));
        assert_eq!(units_per_euro(200, b"<html>", Currency::Usd), Err(NoRate::Malformed));
        assert_eq!(units_per_euro(200, b"null", Currency::Usd), Err(NoRate::Malformed));
        let zero = br#"{"result":"success","conversion_rates":{"USD":0}}"#;
        assert_eq!(units_per_euro(200, zero, Currency::Usd), Err(NoRate::Missing(Currency::Usd)));
    }
}
