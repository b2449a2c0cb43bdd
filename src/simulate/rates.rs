//! Exchange rates in the manner of the European Central Bank: one fixing a working day, units for one euro.

use chrono::{Datelike, Days, NaiveDate, Weekday};
use rust_decimal::Decimal;

use super::{
    Parameters,
    dice::{Dice, Purpose, times},
};
use crate::domain::{
    money::{Currency, DailyRate, RateOrigin, Rates},
    observation::clocks_of_bare_date,
};

/// Days of fixings before the first day, so that a window that opens on a holiday has a rate.
const LEAD_DAYS: u64 = 7;

/// Around what the rates move, in millionths.
const USD: i64 = 1_110_000;
const GBP: i64 = 850_000;

/// The fixings from a week before the first day to the last one with prices, oldest first.
pub fn fixings(parameters: &Parameters) -> Vec<Rates> {
    let mut dice = Dice::new(parameters.seed, Purpose::Rates, 0);
    let (mut usd, mut gbp) = (USD, GBP);
    let mut fixings = Vec::new();
    let first = parameters.first_day() - Days::new(LEAD_DAYS);
    for date in first.iter_days().take_while(|date| *date <= parameters.last_day()) {
        if holiday(date) {
            continue;
        }
        usd = times(usd, 1_000_000 + dice.around_zero(6_000)) + (USD - usd) / 30;
        gbp = times(gbp, 1_000_000 + dice.around_zero(4_000)) + (GBP - gbp) / 30;
        // the bank prints four places of the dollar and five of the pound
        let (usd_per_eur, gbp_per_eur) = (Decimal::new(usd / 100, 4), Decimal::new(gbp / 10, 5));
        fixings.push(Rates { usd_per_eur, gbp_per_eur: Some(gbp_per_eur), origin: RateOrigin { date, source: "ecb".to_owned() } });
    }
    fixings
}

/// The same fixings as single rates, each known when its day is over.
pub fn daily(fixings: &[Rates]) -> impl Iterator<Item = DailyRate> + '_ {
    fixings.iter().flat_map(|fixing| {
        let (_, known_at) = clocks_of_bare_date(fixing.origin.date);
        let known = [Some((Currency::Usd, fixing.usd_per_eur)), fixing.gbp_per_eur.map(|pounds| (Currency::Gbp, pounds))];
        known.into_iter().flatten().map(move |(currency, units_per_eur)| DailyRate {
            date: fixing.origin.date,
            currency,
            units_per_eur,
            source: fixing.origin.source.clone(),
            known_at,
        })
    })
}

/// Weekends and the fixed closing days of the European payment system.
fn holiday(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun) || matches!((date.month(), date.day()), (1 | 5, 1) | (12, 25 | 26))
}

/// Millionths of a dollar for one euro on each day of the window: a day without a fixing keeps the one before.
pub fn daily_usd(parameters: &Parameters, fixings: &[Rates]) -> Vec<i64> {
    let mut next = 0;
    let mut current = USD;
    let mut daily = Vec::new();
    for date in parameters.first_day().iter_days().take_while(|date| *date <= parameters.last_day()) {
        while let Some(fixing) = fixings.get(next).filter(|fixing| fixing.origin.date <= date) {
            current = i64::try_from((fixing.usd_per_eur * Decimal::from(1_000_000)).trunc().mantissa()).unwrap_or(USD);
            next += 1;
        }
        daily.push(current);
    }
    daily
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    fn parameters(days: u32, end: (i32, u32, u32)) -> Parameters {
        let mut parameters = Parameters::ending(NaiveDate::from_ymd_opt(end.0, end.1, end.2).unwrap());
        parameters.days = days;
        parameters
    }

    #[test]
    fn there_is_a_fixing_on_every_working_day_and_on_no_other() {
        let fixings = fixings(&parameters(30, (2026, 5, 10)));
        let dates: Vec<_> = fixings.iter().map(|fixing| fixing.origin.date).collect();
        assert!(dates.is_sorted());
        assert!(dates.iter().all(|date| !holiday(*date)));
        // 37 days from Saturday 4 April to Sunday 10 May: 25 weekdays less the first of May
        assert_eq!(dates.len(), 24);
    }

    #[test]
    fn a_window_of_one_holiday_still_has_a_rate() {
        let parameters = parameters(1, (2026, 1, 1));
        let fixings = fixings(&parameters);
        let daily = daily_usd(&parameters, &fixings);
        assert_eq!(daily.len(), 1);
        let last = fixings.last().unwrap();
        assert_eq!(Decimal::new(daily[0], 6), last.usd_per_eur);
    }

    #[test]
    fn rates_stay_where_a_rate_can_be() {
        let fixings = fixings(&parameters(1_000, (2026, 5, 10)));
        for rates in fixings {
            assert!(rates.usd_per_eur > Decimal::new(9, 1) && rates.usd_per_eur < Decimal::new(14, 1), "{rates:?}");
            let pounds = rates.gbp_per_eur.unwrap();
            assert!(pounds > Decimal::new(7, 1) && pounds < Decimal::ONE, "{rates:?}");
            assert!(rates.usd_per_eur.scale() <= 4 && pounds.scale() <= 5);
        }
    }
}
