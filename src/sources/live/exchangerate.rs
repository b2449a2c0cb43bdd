//! exchangerate-api.com: today's rates for those who have a key, asked for only when there are new ones.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde::Deserialize;

use super::{About, Fault, Run, Source, Step, document, good};
use crate::{
    config::outbound::BaseUrl,
    domain::{
        feed::{Budget, Period},
        money::{Currency, DailyRate},
    },
    sources::{
        Emit, Entry, Outcome, Row, SourceError,
        exchangerate_api::{NoRate, SOURCE, units_per_euro},
        http::{Address, Answer, Request},
    },
};

pub struct ExchangeRate {
    about: About,
    base: BaseUrl,
    key: SecretString,
}

const KEY: &str = "correct EXCHANGERATE_API_KEY, or leave it empty to use the European Central Bank's rates";

impl ExchangeRate {
    pub fn new(base: BaseUrl, key: SecretString, cadence: TimeDelta) -> Self {
        let budget = Budget { month: Some(1_500), ..Budget::default() };
        Self { about: About { name: SOURCE, cadence, budget, asks_for: None, batch: 0, is_archive: false }, base, key }
    }
}

#[derive(Deserialize)]
struct Times {
    time_last_update_unix: Option<i64>,
    time_next_update_unix: Option<i64>,
}

fn moment(unix: Option<i64>) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(unix?, 0)
}

impl Source for ExchangeRate {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, _run: &Run) -> Option<Request> {
        Some(Request::get(Address::of(&self.base).secret(&self.key).path("latest/EUR")))
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        good(&answer, KEY)?;
        let times: Times = document(&answer)?;
        let from = answer.from.clone();
        let mut rates = Vec::new();
        for currency in [Currency::Usd, Currency::Gbp] {
            match units_per_euro(answer.status, &answer.body, currency) {
                Ok(units_per_eur) => {
                    let date = moment(times.time_last_update_unix).unwrap_or(run.now).date_naive();
                    rates.push(Entry::Rate(DailyRate { date, currency, units_per_eur, source: SOURCE.into(), known_at: run.now }));
                }
                // errors come with status 200, too
                Err(NoRate::Refused(why)) if why == "quota-reached" => {
                    return Err(Fault::Quota { from, period: Period::Month, retry_after: None });
                }
                Err(NoRate::Refused(why)) if why == "invalid-key" || why == "inactive-account" => {
                    return Err(Fault::Key { from, status: answer.status, how: KEY });
                }
                Err(NoRate::Missing(Currency::Gbp)) => {}
                Err(other) => return Err(Fault::Format(format!("{from}: {other}"))),
            }
        }
        if rates.iter().any(|rate| matches!(rate, Entry::Rate(rate) if !crate::domain::money::is_plausible_rate(rate.units_per_eur))) {
            return Err(SourceError::Malformed { line: 1, reason: "a rate that cannot be".into() }.into());
        }
        emit(Row::new(1, Outcome::Values(rates)))?;
        let resume_at = moment(times.time_next_update_unix).filter(|next| *next > run.now);
        Ok(Step { resume_at, ..Step::default() })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};
    use crate::sources::testing::told;

    fn source() -> ExchangeRate {
        let (base, key, cadence) = parts(&configured().exchangerate);
        ExchangeRate::new(base, key, cadence)
    }

    fn asked_and(status: u16, body: &str) -> Result<(Step, Vec<Row>), Fault> {
        read(&source(), &run(serde_json::Value::Null, &[]), answer(status, body))
    }

    #[test]
    fn a_rate_is_asked_for_again_when_there_is_a_new_one() {
        let body = r#"{"result":"success","time_last_update_unix":1795305600,"time_next_update_unix":1795392000,"base_code":"EUR","conversion_rates":{"EUR":1,"USD":1.1525,"GBP":0.8793}}"#;
        let (step, rows) = asked_and(200, body).unwrap();
        // 1795305600 is 2026-11-22T00:00:00Z
        assert_eq!(told(&rows), "1: 1.1525 USD on 2026-11-22\n1: 0.8793 GBP on 2026-11-22\n");
        assert_eq!(step.resume_at.unwrap().to_rfc3339(), "2026-11-23T00:00:00+00:00");
        let address = source().next(&run(serde_json::Value::Null, &[])).unwrap().address;
        assert_eq!(
            (address.to_string(), address.sent()),
            ("https://v6.exchangerate-api.com/v6/***/latest/EUR".into(), "https://v6.exchangerate-api.com/v6/hunter2/latest/EUR")
        );
    }

    #[test]
    fn errors_with_status_200_are_errors_and_name_no_key() {
        let error = |kind: &str| asked_and(200, &format!(r#"{{"result":"error","error-type":"{kind}"}}"#)).unwrap_err();
        assert!(matches!(error("quota-reached"), Fault::Quota { period: Period::Month, .. }));
        assert!(matches!(error("invalid-key"), Fault::Key { .. }));
        assert!(!error("invalid-key").to_string().contains("hunter2"));
        assert!(matches!(error("malformed-request"), Fault::Format(_)));
        assert!(matches!(asked_and(200, "<html>"), Err(Fault::Format(_))));
        assert!(asked_and(200, r#"{"result":"success","conversion_rates":{"USD":1152.5}}"#).is_err());
    }
}
