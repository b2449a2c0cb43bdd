//! Exchange rates by day, and how briskly things sell.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{ServiceTx, StoreError, Written};
use crate::domain::{
    money::DailyRate,
    observation::{Activity, Subject},
};

/// Writes published rates. What a source published for a day stays: decisions rest on it.
///
/// # Errors
/// The database refuses or is gone.
pub async fn write_rates(tx: &mut ServiceTx, rates: &[DailyRate]) -> Result<Written, StoreError> {
    let last: BTreeMap<_, _> = rates.iter().map(|rate| ((rate.date, rate.currency, rate.source.as_str()), rate)).collect();
    let rows: Vec<&DailyRate> = last.into_values().collect();
    let touched = sqlx::query_scalar!(
        r#"INSERT INTO exchange_rates AS known (date, currency, units_per_eur, source, known_at)
        SELECT * FROM unnest($1::date[], $2::text[], $3::numeric[], $4::text[], $5::timestamptz[])
        ON CONFLICT (date, currency, source) DO NOTHING
        RETURNING true AS "is_new!""#,
        &rows.iter().map(|rate| rate.date).collect::<Vec<_>>(),
        &rows.iter().map(|rate| rate.currency.code().to_owned()).collect::<Vec<_>>(),
        &rows.iter().map(|rate| rate.units_per_eur).collect::<Vec<_>>(),
        &rows.iter().map(|rate| rate.source.clone()).collect::<Vec<_>>(),
        &rows.iter().map(|rate| rate.known_at).collect::<Vec<_>>(),
    )
    .fetch_all(tx.db())
    .await?;
    Ok(Written::of(rates.len(), touched))
}

/// Adds activity counts; the first count of a thing at a moment stays.
///
/// # Errors
/// The database refuses or is gone.
pub async fn write_activity(tx: &mut ServiceTx, counts: &[Activity], now: DateTime<Utc>) -> Result<Written, StoreError> {
    let mut written = Written::default();
    for counts in counts.chunks(4000) {
        let column = |of: fn(&Activity) -> Option<String>| counts.iter().map(of).collect::<Vec<_>>();
        let card = column(|count| if let Subject::Card(card) = &count.subject { Some(card.to_string()) } else { None });
        let product_market =
            column(|count| if let Subject::Product { market, .. } = &count.subject { Some(market.to_string()) } else { None });
        let product = column(|count| if let Subject::Product { id, .. } = &count.subject { Some(id.clone()) } else { None });
        let text = |of: fn(&Activity) -> &str| counts.iter().map(|count| of(count).to_owned()).collect::<Vec<_>>();
        let touched = sqlx::query_scalar!(
            r#"INSERT INTO activity_history (card_id, product_market, product_id, source, market, printing, edition, language, sales_30d,
                active_listings, observed_at, known_at, recorded_at)
            SELECT *, $13 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::bigint[], $10::bigint[], $11::timestamptz[], $12::timestamptz[])
            ON CONFLICT ON CONSTRAINT uq_activity DO NOTHING
            RETURNING true AS "is_new!""#,
            &card as _,
            &product_market as _,
            &product as _,
            &text(|count| &count.source),
            &text(|count| count.market.as_str()),
            &text(|count| count.finish.printing.as_str()),
            &text(|count| count.finish.edition.as_str()),
            &text(|count| count.finish.language.as_str()),
            &counts.iter().map(|count| count.sales_30d).collect::<Vec<_>>() as _,
            &counts.iter().map(|count| count.active_listings).collect::<Vec<_>>() as _,
            &counts.iter().map(|count| count.observed_at).collect::<Vec<_>>(),
            &counts.iter().map(|count| count.known_at).collect::<Vec<_>>(),
            now,
        )
        .fetch_all(tx.db())
        .await?;
        written += Written::of(counts.len(), touched);
    }
    Ok(written)
}
