//! The European Central Bank's reference rates, as published (`Date,USD,JPY,…`) and cut down (`date,USD,GBP,…`).

use chrono::{DateTime, Utc};

use super::{
    Body, Emit, Entry, Format, Outcome, Phase, SourceError,
    figure::{day, number, plausible, shortened},
    table,
};
use crate::domain::{
    money::{Currency, DailyRate, is_plausible_rate},
    observation::clocks_of_bare_date,
};

pub const SOURCE: &str = "ecb";

pub const FORMAT: Format = Format {
    name: "ECB rates CSV",
    phase: Phase::Rates,
    recognises: |head| head.has_columns(&["USD", "GBP", "Date"]) || head.has_columns(&["USD", "GBP", "date"]),
    read,
};

fn read(body: Body, emit: &mut Emit<'_>) -> Result<(), SourceError> {
    let now = body.now;
    let columns = ["Date", "USD", "GBP"];
    table::each_row(body, columns, emit, |fields| outcome(fields, now).unwrap_or_else(Outcome::Refused))
}

fn outcome([date, usd, gbp]: [&str; 3], now: DateTime<Utc>) -> Result<Outcome, String> {
    let date = day(date).ok_or_else(|| format!("\"{}\" is not a date: expected 2026-03-27", shortened(date)))?;
    let date = plausible(date, now)?;
    let (_, known_at) = clocks_of_bare_date(date);
    let mut rates = Vec::with_capacity(2);
    for (currency, text) in [(Currency::Usd, usd), (Currency::Gbp, gbp)] {
        if let Some(units_per_eur) = number(text)? {
            if !is_plausible_rate(units_per_eur) {
                return Err(format!("{units_per_eur} {currency} for one euro cannot be"));
            }
            rates.push(Entry::Rate(DailyRate { date, currency, units_per_eur, source: SOURCE.into(), known_at }));
        }
    }
    Ok(if rates.is_empty() { Outcome::Skipped("no rate") } else { Outcome::Values(rates) })
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn both_forms_give_the_same_rates() {
        let published = read_all("Date,USD,JPY,GBP,\n2026-10-30,1.1172,175.68,0.8338,\n");
        let cut = read_all("date,USD,GBP,JPY\n2026-10-30,1.1172,0.8338,175.68\n");
        assert_eq!(published, cut);
        insta::assert_snapshot!(told(&cut), @"
        2: 1.1172 USD on 2026-10-30
        2: 0.8338 GBP on 2026-10-30
        ");
    }

    #[test]
    fn an_absent_rate_is_unknown_and_an_impossible_one_refused() {
        insta::assert_snapshot!(told(&read_all("Date,USD,GBP\n2026-10-30,1.1,N/A\n2026-10-29,N/A,N/A\n2026-10-28,-1,0.8\n2026-10-27,111.72,0.8\n")), @"
        2: 1.1 USD on 2026-10-30
        3: skipped: no rate
        4: refused: -1 USD for one euro cannot be
        5: refused: 111.72 USD for one euro cannot be
        ");
    }
}
