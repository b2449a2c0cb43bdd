//! Price history in bulk: rows are copied into a staging table, then judged and stored by a few statements on the whole set.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::{self, Write},
};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use rust_decimal::Decimal;

use super::{
    ServiceTx, StoreError, Written, quarantine,
    writes::{self, Touched},
};
use crate::domain::{
    card::CardId,
    observation::{Observation, Subject},
    product::PRODUCT_KEYED,
};

/// Staged text that is sent at once.
const FLUSH_BYTES: usize = 1 << 20;

const STAGING: &str = "
CREATE TEMPORARY TABLE staged_series (local integer NOT NULL, source text NOT NULL, market text NOT NULL, currency text NOT NULL,
    card_id text, product_market text, product_id text, printing text NOT NULL, edition text NOT NULL, language text NOT NULL,
    condition_scale text, condition text, kind text NOT NULL, seller_id text) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_prices (local integer NOT NULL, place integer NOT NULL, observed_at timestamptz NOT NULL,
    known_at timestamptz NOT NULL, price numeric, low numeric, mid numeric, high numeric, shipping numeric, seller_rating numeric,
    seller_sales bigint) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_ids (local integer NOT NULL, series_id integer NOT NULL) ON COMMIT DROP;
SET LOCAL work_mem = '64MB'";

const UNSTAGE: &str = "DROP TABLE staged_series, staged_prices, staged_ids";

/// A product-keyed feed's row that names only a card belongs to the product, where exactly one is known.
const TO_PRODUCTS: &str = "
UPDATE staged_series AS staged
SET product_market = product.market, product_id = product.external_id, card_id = NULL
FROM (SELECT market, card_id, min(external_id) AS external_id FROM card_products GROUP BY market, card_id HAVING count(*) = 1) AS product
WHERE staged.source = ANY ($1) AND staged.card_id = product.card_id AND staged.market = product.market";

/// Cards and products apart, so that either can use an index of `price_series` or a hash.
const FIND_SERIES: &str = "
INSERT INTO staged_ids (local, series_id)
SELECT staged.local, known.series_id
FROM staged_series AS staged
JOIN price_series AS known ON known.card_id = staged.card_id
    AND (known.source, known.market, known.currency, known.printing, known.edition, known.language, known.kind)
      = (staged.source, staged.market, staged.currency, staged.printing, staged.edition, staged.language, staged.kind)
    AND known.condition_scale IS NOT DISTINCT FROM staged.condition_scale AND known.condition IS NOT DISTINCT FROM staged.condition
    AND known.seller_id IS NOT DISTINCT FROM staged.seller_id
WHERE staged.card_id IS NOT NULL AND NOT EXISTS (SELECT FROM staged_ids AS found WHERE found.local = staged.local)
UNION ALL
SELECT staged.local, known.series_id
FROM staged_series AS staged
JOIN price_series AS known ON known.product_market = staged.product_market AND known.product_id = staged.product_id
    AND (known.source, known.market, known.currency, known.printing, known.edition, known.language, known.kind)
      = (staged.source, staged.market, staged.currency, staged.printing, staged.edition, staged.language, staged.kind)
    AND known.condition_scale IS NOT DISTINCT FROM staged.condition_scale AND known.condition IS NOT DISTINCT FROM staged.condition
    AND known.seller_id IS NOT DISTINCT FROM staged.seller_id
WHERE staged.product_id IS NOT NULL AND NOT EXISTS (SELECT FROM staged_ids AS found WHERE found.local = staged.local)";

const NEW_SERIES: &str = "
INSERT INTO price_series (source, market, currency, card_id, product_market, product_id, printing, edition, language, condition_scale,
    condition, kind, seller_id)
SELECT DISTINCT source, market, currency, card_id, product_market, product_id, printing, edition, language, condition_scale,
    condition, kind, seller_id
FROM staged_series AS staged
WHERE NOT EXISTS (SELECT FROM staged_ids AS found WHERE found.local = staged.local)
ON CONFLICT DO NOTHING";

/// Of rows with one series and moment the last staged one counts. It is stored where it differs from the latest
/// revision, unless this very statement (same figures, same `known_at`) is an older revision: two files that contradict
/// each other would otherwise add a revision whenever they are imported again.
const SETTLE: &str = "
WITH told AS (
    SELECT DISTINCT ON (ids.series_id, staged.observed_at)
        ids.series_id, staged.observed_at, staged.known_at, staged.price, staged.low, staged.mid, staged.high, staged.shipping,
        staged.seller_rating, staged.seller_sales, known.revision AS last,
        known.revision IS NOT NULL
            AND (known.price, known.low, known.mid, known.high, known.shipping, known.seller_rating, known.seller_sales)
                IS NOT DISTINCT FROM
                (staged.price, staged.low, staged.mid, staged.high, staged.shipping, staged.seller_rating, staged.seller_sales) AS same
    FROM staged_prices AS staged
    JOIN staged_ids AS ids ON ids.local = staged.local
    LEFT JOIN price_history AS known
        ON known.series_id = ids.series_id AND known.observed_at = staged.observed_at AND known.observed_at BETWEEN $1 AND $2
    ORDER BY ids.series_id, staged.observed_at, staged.place DESC, known.revision DESC NULLS LAST
), written AS (
    INSERT INTO price_history (series_id, observed_at, revision, price, low, mid, high, shipping, seller_rating, seller_sales,
        known_at, recorded_at)
    SELECT series_id, observed_at, coalesce(last + 1, 0), price, low, mid, high, shipping, seller_rating, seller_sales, known_at, $3
    FROM told
    WHERE NOT same AND (last IS NULL OR last = 0 OR NOT EXISTS (
        SELECT FROM price_history AS older
        WHERE older.series_id = told.series_id AND older.observed_at = told.observed_at AND older.known_at = told.known_at
          AND (older.price, older.low, older.mid, older.high, older.shipping, older.seller_rating, older.seller_sales)
            IS NOT DISTINCT FROM (told.price, told.low, told.mid, told.high, told.shipping, told.seller_rating, told.seller_sales)))
    RETURNING series_id, revision
)
SELECT count(*) FILTER (WHERE revision = 0), count(*) FILTER (WHERE revision > 0), coalesce(array_agg(DISTINCT series_id), '{}')
FROM written";

/// Gathers observations of one transaction; [`PriceWriter::settle`] stores them.
#[derive(Debug, Default)]
pub struct PriceWriter {
    /// Each identity that has been seen, as the text that is staged for it, with its number in the staging tables.
    series: HashMap<Box<str>, i32>,
    new_series: String,
    rows: String,
    staged: u64,
    /// Whether a product-keyed feed's row named a card.
    may_be_products: bool,
    months: BTreeSet<NaiveDate>,
    range: Option<(DateTime<Utc>, DateTime<Utc>)>,
    identity: String,
    moments: HashMap<DateTime<Utc>, Box<str>>,
    jump: Option<Decimal>,
}

/// What became of the observations of one transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    pub written: Written,
    /// The series that have a new row.
    pub series: Vec<i32>,
    /// Prices that wait for a second one to confirm them.
    pub set_apart: u64,
}

impl PriceWriter {
    /// Opens the staging tables. One writer at a time in a transaction.
    ///
    /// # Errors
    /// The database refuses or is gone.
    pub async fn begin(tx: &mut ServiceTx) -> Result<Self, StoreError> {
        sqlx::raw_sql(STAGING).execute(tx.db()).await?;
        Ok(Self::default())
    }

    /// Sets prices apart that are so many times the last one, or as small a part of it, until a second one confirms them.
    pub const fn set_apart_jumps(&mut self, factor: Decimal) {
        self.jump = Some(factor);
    }

    /// Takes a row. Call [`PriceWriter::flush`] when it says that enough is waiting.
    ///
    /// # Errors
    /// More than two thousand million rows in one transaction.
    pub fn add(&mut self, seen: &Observation) -> Result<bool, StoreError> {
        let overflow = |_| StoreError::BadRow { table: "price_history", fault: "more rows than one transaction can hold".into() };
        let written = self.stage(seen, i32::try_from(self.staged).map_err(overflow)?);
        // Writing into a String cannot fail; the formatting traits only look as if it could.
        written.map_err(|_| StoreError::BadRow { table: "price_history", fault: "a value without a text form".into() })?;
        self.staged += 1;
        self.months.extend(seen.observed_at.date_naive().with_day(1));
        let (first, last) = self.range.unwrap_or((seen.observed_at, seen.observed_at));
        self.range = Some((first.min(seen.observed_at), last.max(seen.observed_at)));
        Ok(self.rows.len() >= FLUSH_BYTES)
    }

    fn stage(&mut self, seen: &Observation, place: i32) -> fmt::Result {
        let local = self.local(seen)?;
        let Self { rows, moments, .. } = self;
        write!(rows, "{local}\t{place}")?;
        for moment in [seen.observed_at, seen.known_at] {
            // A file has few moments and many rows; writing a moment costs more than all its prices.
            rows.push('\t');
            rows.push_str(moments.entry(moment).or_insert_with(|| moment.to_rfc3339().into()));
        }
        let listing = seen.listing.as_ref();
        let shipping = listing.and_then(|listing| listing.shipping);
        let rating = listing.and_then(|listing| listing.seller_rating);
        for figure in [seen.price, seen.low, seen.mid, seen.high, shipping, rating] {
            push_figure(rows, figure)?;
        }
        match listing.and_then(|listing| listing.seller_sales) {
            Some(sales) => writeln!(rows, "\t{sales}"),
            None => writeln!(rows, "\t\\N"),
        }
    }

    /// The number of the observation's series among the staged ones.
    fn local(&mut self, seen: &Observation) -> Result<i32, fmt::Error> {
        let Self { identity, series, new_series, .. } = self;
        identity.clear();
        push_text(identity, Some(&seen.source));
        push_text(identity, Some(seen.market.as_str()));
        push_text(identity, Some(seen.currency.code()));
        let (card, product) = match &seen.subject {
            Subject::Card(card) => (Some(card.as_str()), None),
            Subject::Product { market, id } => (None, Some((market.as_str(), id.as_str()))),
        };
        push_text(identity, card);
        push_text(identity, product.map(|(market, _)| market));
        push_text(identity, product.map(|(_, id)| id));
        push_text(identity, Some(seen.finish.printing.as_str()));
        push_text(identity, Some(seen.finish.edition.as_str()));
        push_text(identity, Some(seen.finish.language.as_str()));
        push_text(identity, seen.condition.map(|condition| condition.scale.as_str()));
        push_text(identity, seen.condition.map(|condition| condition.grade.as_str()));
        push_text(identity, Some(seen.kind.as_str()));
        push_text(identity, seen.listing.as_ref().map(|listing| listing.seller_id.as_str()));
        if let Some(local) = series.get(identity.as_str()) {
            return Ok(*local);
        }
        let local = i32::try_from(series.len()).map_err(|_| fmt::Error)?;
        writeln!(new_series, "{local}{identity}")?;
        series.insert(identity.as_str().into(), local);
        self.may_be_products |= card.is_some() && PRODUCT_KEYED.contains(&seen.source.as_str());
        Ok(local)
    }

    /// Sends what is waiting to the staging tables.
    ///
    /// # Errors
    /// The database refuses or is gone.
    pub async fn flush(&mut self, tx: &mut ServiceTx) -> Result<(), StoreError> {
        for (statement, text) in
            [("COPY staged_series FROM STDIN", &mut self.new_series), ("COPY staged_prices FROM STDIN", &mut self.rows)]
        {
            if !text.is_empty() {
                let mut copy = tx.db().copy_in_raw(statement).await?;
                copy.send(text.as_bytes()).await?;
                copy.finish().await?;
                text.clear();
            }
        }
        Ok(())
    }

    /// Stores what is new or different, brings the guide's table of current prices up to date, and closes the staging.
    ///
    /// # Errors
    /// The database refuses or is gone.
    pub async fn settle(mut self, tx: &mut ServiceTx, now: DateTime<Utc>) -> Result<Settled, StoreError> {
        self.flush(tx).await?;
        let mut settled = Settled::default();
        if let Some((first, last)) = self.range {
            // From here to the commit transactions take turns: two of them never choose the same revision number, and a
            // crosswalk that is written meanwhile moves our series or is seen by us.
            sqlx::query!("SELECT pg_advisory_xact_lock(hashtext('public.price_history'))").fetch_one(tx.db()).await?;
            // The tables grow within this transaction, so the planner's counts are stale: of two large sets it would
            // compare every pair.
            let many = self.series.len() > 1000;
            if many {
                sqlx::raw_sql("SET LOCAL enable_nestloop = off").execute(tx.db()).await?;
            }
            sqlx::raw_sql("ANALYZE staged_series").execute(tx.db()).await?;
            if self.may_be_products {
                let feeds: Vec<String> = PRODUCT_KEYED.map(str::to_owned).into();
                sqlx::query(TO_PRODUCTS).bind(feeds).execute(tx.db()).await?;
            }
            sqlx::query(FIND_SERIES).execute(tx.db()).await?;
            if sqlx::query(NEW_SERIES).execute(tx.db()).await?.rows_affected() > 0 {
                sqlx::query(FIND_SERIES).execute(tx.db()).await?;
            }
            let months: Vec<NaiveDate> = self.months.into_iter().collect();
            sqlx::query!(r#"SELECT ensure_price_partition(month) AS "done: ()" FROM unnest($1::date[]) AS month"#, &months)
                .fetch_all(tx.db())
                .await?;
            sqlx::raw_sql("ANALYZE staged_ids; ANALYZE staged_prices").execute(tx.db()).await?;
            let mut touched = Touched::default();
            if let Some(jump) = self.jump {
                let (set_apart, confirmed) = quarantine::judge(tx, jump, now).await?;
                settled.set_apart = set_apart;
                touched.series.extend(confirmed);
            }
            let (new, changed, series): (i64, i64, Vec<i32>) =
                sqlx::query_as(SETTLE).bind(first).bind(last).bind(now).fetch_one(tx.db()).await?;
            touched.series.extend(series);
            settled.series = touched.series.iter().copied().collect();
            let written = &mut settled.written;
            written.new = new.unsigned_abs();
            written.changed = changed.unsigned_abs();
            written.unchanged = self.staged.saturating_sub(written.new + written.changed + settled.set_apart);
            if written.is_change() {
                super::current_prices::refresh(
                    tx,
                    "CREATE TEMPORARY TABLE touched_series ON COMMIT DROP AS SELECT DISTINCT series_id FROM staged_ids",
                )
                .await?;
            }
            if many {
                sqlx::raw_sql("SET LOCAL enable_nestloop = on").execute(tx.db()).await?;
            }
            if !touched.series.is_empty() {
                writes::record(tx, &touched, now).await?;
            }
        }
        sqlx::raw_sql(UNSTAGE).execute(tx.db()).await?;
        Ok(settled)
    }
}

/// What the series price, and the cards that this is known to be.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn cards_of(tx: &mut ServiceTx, series: &[i32]) -> Result<BTreeSet<CardId>, StoreError> {
    let ids = sqlx::query_scalar!(
        r#"SELECT DISTINCT coalesce(series.card_id, pair.card_id) AS "card_id!"
        FROM price_series AS series
        LEFT JOIN card_products AS pair ON pair.market = series.product_market AND pair.external_id = series.product_id
        WHERE series.series_id = ANY ($1) AND (series.card_id IS NOT NULL OR pair.card_id IS NOT NULL)"#,
        series,
    )
    .fetch_all(tx.db())
    .await?;
    let known = |id: &String| CardId::new(id).map_err(|error| StoreError::BadRow { table: "price_series", fault: error.to_string() });
    ids.iter().map(known).collect()
}

/// What the arrival of a crosswalk moved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// Series that now belong to a product.
    pub series: u64,
    /// Observations that stood there already.
    pub dropped: u64,
}

/// Gives the series of product-keyed feeds that were stored under a card to the product that is now known, and renews
/// the current prices of the cards behind it.
///
/// # Errors
/// The database refuses or is gone.
pub async fn rekey_products(tx: &mut ServiceTx) -> Result<Rekeyed, StoreError> {
    // Pairs are few against prices, so every product-keyed series of a known card is looked at again.
    const OF_KNOWN_PRODUCTS: &str = "CREATE TEMPORARY TABLE touched_series ON COMMIT DROP AS
        SELECT DISTINCT series_id FROM price_series AS series
        JOIN card_products AS pair ON pair.market = series.product_market AND pair.external_id = series.product_id";
    let feeds: Vec<String> = PRODUCT_KEYED.map(str::to_owned).into();
    let moved = sqlx::query!(r#"SELECT series AS "series!", dropped AS "dropped!" FROM rekey_product_series($1)"#, &feeds)
        .fetch_one(tx.db())
        .await?;
    super::current_prices::refresh(tx, OF_KNOWN_PRODUCTS).await?;
    Ok(Rekeyed { series: moved.series.unsigned_abs(), dropped: moved.dropped.unsigned_abs() })
}

fn push_figure(rows: &mut String, figure: Option<Decimal>) -> fmt::Result {
    match figure {
        Some(figure) => write!(rows, "\t{figure}"),
        None => rows.write_str("\t\\N"),
    }
}

/// Appends a field in COPY's text form.
fn push_text(line: &mut String, text: Option<&str>) {
    line.push('\t');
    let Some(text) = text else { return line.push_str("\\N") };
    for letter in text.chars() {
        match letter {
            '\\' => line.push_str("\\\\"),
            '\t' => line.push_str("\\t"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            other => line.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_text_cannot_be_broken_out_of() {
        let mut line = String::new();
        push_text(&mut line, Some("a\tb\\N\nc"));
        push_text(&mut line, None);
        assert_eq!(line, "\ta\\tb\\\\N\\nc\t\\N");
    }
}
