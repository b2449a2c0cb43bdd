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
        Self { about: About { name: SOURCE, cadence, budget, asks_for: None, batch: 0 }, base, key }
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
