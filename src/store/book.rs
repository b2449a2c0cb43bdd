//! Loads what a scan looks at, in a handful of statements whatever the number of cards.

mod kept;

use std::{
    collections::{BTreeSet, HashMap},
    str::FromStr,
    sync::Arc,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rust_decimal::Decimal;

pub use self::kept::{Kept, News};
use super::{ServiceTx, StoreError, event_flags};
use crate::domain::{
    book::{Book, CardActivity, CardIndex, PriceSeries, Quote, SourceShift},
    card::{Card, CardId, Finish},
    condition::Condition,
    event::Flag,
    market::Market,
    money::{RateOrigin, Rates},
    observation::Subject,
    product::SUSPICIOUS,
    series::{Point, Points},
};

/// Loads the book as it was known at `as_of`, with `history_days` of history before it. `shifts` move sources in time
/// before anything is compared with `as_of`.
///
/// # Errors
/// The database refuses or is gone, or holds a value that this program does not know.
pub async fn load(tx: &mut ServiceTx, as_of: DateTime<Utc>, shifts: &[SourceShift], history_days: u32) -> Result<Book, StoreError> {
    Ok(whole(tx, &Moved::new(as_of, shifts), history_days).await?.0)
}

/// The book, its index, and the database's numbers of its series.
async fn whole(tx: &mut ServiceTx, moved: &Moved, history_days: u32) -> Result<(Book, Index, Vec<i32>), StoreError> {
    let cards = cards(tx).await?;
    let index = Index::load(tx, &cards).await?;
    let (series, ids) = series_with_history(tx, moved, &index, history_days, None).await?;
    let activity = activity(tx, moved, &index).await?;
    let flags = flags(tx, moved.as_of, &index).await?;
    let rates = rates(tx, moved.as_of).await?;
    Ok((Book { as_of: moved.as_of, cards, series, activity, flags, rates }, index, ids))
}

/// All series, or some, with their history, in the order of their numbers.
async fn series_with_history(
    tx: &mut ServiceTx,
    moved: &Moved,
    index: &Index,
    history_days: u32,
    only: Option<&[i32]>,
) -> Result<(Vec<PriceSeries>, Vec<i32>), StoreError> {
    // what is best for all of them is not for a few, and the other way round
    sqlx::raw_sql("SET LOCAL plan_cache_mode = force_custom_plan").execute(tx.db()).await?;
    let (mut series, ids) = series(tx, moved, index, only).await?;
    history(tx, moved, history_days, &ids, only, &mut series).await?;
    Ok((series, ids))
}

/// The moment, and the shifts as the two columns that a statement joins.
struct Moved {
    as_of: DateTime<Utc>,
    sources: Vec<String>,
    days: Vec<i32>,
}

impl Moved {
    fn new(as_of: DateTime<Utc>, shifts: &[SourceShift]) -> Self {
        // A hundred years are beyond any history; the bound keeps date arithmetic from overflowing.
        let days = |shift: &SourceShift| i32::try_from(shift.days.clamp(-36_500, 36_500)).unwrap_or_default();
        let (sources, days) = shifts.iter().map(|shift| (shift.source.clone(), days(shift))).unzip();
        Self { as_of, sources, days }
    }

    fn by(&self, source: &str) -> TimeDelta {
        let place = self.sources.iter().position(|known| known == source);
        place.and_then(|place| self.days.get(place)).map_or(TimeDelta::zero(), |days| TimeDelta::days(i64::from(*days)))
    }

    /// The moments between which history can count for any source; they let the server leave out whole months.
    fn bounds(&self, window: TimeDelta) -> (DateTime<Utc>, DateTime<Utc>) {
        let shifts = || self.days.iter().copied().chain([0]);
        let days = |days: Option<i32>| TimeDelta::days(i64::from(days.unwrap_or_default()));
        (self.as_of - window - days(shifts().max()), self.as_of + TimeDelta::days(1) - days(shifts().min()))
    }
}

/// Which cards a subject is.
#[derive(Debug)]
struct Index {
    cards: HashMap<Arc<str>, CardIndex>,
    /// By market and product: the cards, and whether the crosswalk doubts one of them.
    products: HashMap<(Market, String), (Vec<CardIndex>, bool)>,
}

impl Index {
    async fn load(tx: &mut ServiceTx, cards: &[Card]) -> Result<Self, StoreError> {
        const TABLE: &str = "card_products";
        let cards: HashMap<Arc<str>, CardIndex> =
            cards.iter().enumerate().map(|(place, card)| (card.card_id.as_str().into(), CardIndex(place))).collect();
        let pairs = sqlx::query!(r#"SELECT market, external_id, card_id, method FROM card_products ORDER BY card_id COLLATE "C""#)
            .fetch_all(tx.db())
            .await?;
        let mut products: HashMap<_, (Vec<CardIndex>, bool)> = HashMap::with_capacity(pairs.len());
        for pair in pairs {
            let Some(card) = cards.get(pair.card_id.as_str()) else { continue };
            let (indexes, doubted) = products.entry((member(&pair.market, TABLE)?, pair.external_id)).or_default();
            indexes.push(*card);
            *doubted |= pair.method.ends_with(SUSPICIOUS);
        }
        Ok(Self { cards, products })
    }

    fn of(&self, subject: &Subject) -> (Vec<CardIndex>, bool) {
        match subject {
            Subject::Card(card) => (self.cards.get(card.as_str()).copied().into_iter().collect(), false),
            Subject::Product { market, id } => self.products.get(&(*market, id.clone())).cloned().unwrap_or_default(),
        }
    }
}

pub(super) fn subject(
    card: Option<String>,
    market: Option<String>,
    product: Option<String>,
    table: &'static str,
) -> Result<Subject, StoreError> {
    match (card, market, product) {
        (Some(card), None, None) => Ok(Subject::Card(card_id(&card, table)?)),
        (None, Some(market), Some(id)) => Ok(Subject::Product { market: member(&market, table)?, id }),
        _ => Err(StoreError::BadRow { table, fault: "neither a card nor a product".into() }),
    }
}

pub(super) fn card_id(text: &str, table: &'static str) -> Result<CardId, StoreError> {
    CardId::new(text).map_err(|error| StoreError::BadRow { table, fault: error.to_string() })
}

/// Equal texts of many rows are held once.
pub(super) fn shared(held: &mut BTreeSet<Arc<str>>, text: &str) -> Arc<str> {
    if let Some(known) = held.get(text) {
        return Arc::clone(known);
    }
    let new: Arc<str> = text.into();
    held.insert(Arc::clone(&new));
    new
}

pub(super) fn member<T: FromStr<Err: std::fmt::Display>>(text: &str, table: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|error: T::Err| StoreError::BadRow { table, fault: error.to_string() })
}

pub(super) fn finish(printing: &str, edition: &str, language: &str, table: &'static str) -> Result<Finish, StoreError> {
    Ok(Finish { printing: member(printing, table)?, edition: member(edition, table)?, language: member(language, table)? })
}

pub(super) async fn cards(tx: &mut ServiceTx) -> Result<Vec<Card>, StoreError> {
    cards_of(tx, None).await
}

/// The cards of these ids, or all, ascending by id.
///
/// # Errors
/// The database refuses or is gone, or holds an id that this program does not know.
pub async fn cards_of(tx: &mut ServiceTx, ids: Option<&[String]>) -> Result<Vec<Card>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT card_id, name, set_code, set_name, card_number, rarity, supertype, regulation_mark, set_release_date, legality_standard,
            legality_expanded, tcgplayer_url, cardmarket_url, image_url
        FROM card_metadata WHERE $1::text[] IS NULL OR card_id = ANY($1) ORDER BY card_id COLLATE "C""#,
        ids as _
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Card {
                card_id: card_id(&row.card_id, "card_metadata")?,
                name: row.name,
                set_code: row.set_code,
                set_name: row.set_name,
                card_number: row.card_number,
                rarity: row.rarity,
                supertype: row.supertype,
                regulation_mark: row.regulation_mark,
                set_release_date: row.set_release_date,
                legality_standard: row.legality_standard,
                legality_expanded: row.legality_expanded,
                tcgplayer_url: row.tcgplayer_url,
                cardmarket_url: row.cardmarket_url,
                image_url: row.image_url,
            })
        })
        .collect()
}

/// Each series with the latest that was known of it. Of two tellings of one moment the one that was known later counts.
async fn series(
    tx: &mut ServiceTx,
    moved: &Moved,
    index: &Index,
    only: Option<&[i32]>,
) -> Result<(Vec<PriceSeries>, Vec<i32>), StoreError> {
    const TABLE: &str = "price_series";
    let rows = sqlx::query!(
        r#"SELECT series.series_id, series.source, market, currency, card_id, product_market, product_id, printing, edition, language,
            condition_scale, condition, kind, seller_id, latest.price AS "price?", latest.low AS "low?", latest.mid AS "mid?",
            latest.high AS "high?", latest.shipping AS "shipping?", latest.seller_rating AS "seller_rating?",
            latest.seller_sales AS "seller_sales?", latest.observed_at, latest.known_at
        FROM price_series AS series
        LEFT JOIN unnest($2::text[], $3::integer[]) AS shift (source, days) ON shift.source = series.source
        CROSS JOIN LATERAL (SELECT $1::timestamptz - make_interval(hours => 24 * coalesce(shift.days, 0)) AS until) AS window_end
        CROSS JOIN LATERAL (
            SELECT price, low, mid, high, shipping, seller_rating, seller_sales, observed_at, known_at
            FROM price_history AS history
            -- a source's clock may be a little ahead of ours, never a day
            WHERE history.series_id = series.series_id AND history.known_at <= window_end.until
              AND history.observed_at < window_end.until + interval '1 day'
            ORDER BY history.observed_at DESC, history.known_at DESC, history.revision DESC LIMIT 1
        ) AS latest
        WHERE $4::integer[] IS NULL OR series.series_id = ANY ($4)
        ORDER BY series.series_id"#,
        moved.as_of,
        &moved.sources,
        &moved.days,
        only as _,
    )
    .fetch_all(tx.db())
    .await?;
    let mut texts = BTreeSet::new();
    let ids = rows.iter().map(|row| row.series_id).collect();
    let series = rows.into_iter().map(|row| {
        let shifted = moved.by(&row.source);
        let condition = match (row.condition_scale, row.condition) {
            (Some(scale), Some(grade)) => Some(Condition { scale: member(&scale, TABLE)?, grade: member(&grade, TABLE)? }),
            _ => None,
        };
        let subject = subject(row.card_id, row.product_market, row.product_id, TABLE)?;
        let (cards, doubted) = index.of(&subject);
        Ok(PriceSeries {
            subject,
            cards,
            doubted,
            source: shared(&mut texts, &row.source),
            market: member(&row.market, TABLE)?,
            currency: member(&row.currency, TABLE)?,
            finish: finish(&row.printing, &row.edition, &row.language, TABLE)?,
            condition,
            kind: member(&row.kind, TABLE)?,
            seller_id: row.seller_id.map(|seller| shared(&mut texts, &seller)),
            latest: Quote {
                price: row.price,
                low: row.low,
                mid: row.mid,
                high: row.high,
                shipping: row.shipping,
                seller_rating: row.seller_rating,
                seller_sales: row.seller_sales,
                observed_at: row.observed_at + shifted,
                known_at: row.known_at + shifted,
            },
            history: Points::default(),
        })
    });
    Ok((series.collect::<Result<_, StoreError>>()?, ids))
}

/// The recent history of the series, each into its own. A row of the answer is a whole series, as a million small rows
/// cost several times as much.
async fn history(
    tx: &mut ServiceTx,
    moved: &Moved,
    days: u32,
    ids: &[i32],
    only: Option<&[i32]>,
    series: &mut [PriceSeries],
) -> Result<(), StoreError> {
    let days = i32::try_from(days).unwrap_or(36_500).min(36_500);
    let (first, last) = moved.bounds(TimeDelta::days(i64::from(days)));
    let rows = sqlx::query!(
        r#"SELECT series_id AS "series_id!", array_agg(observed_at) AS "moments!", array_agg(price) AS "prices!: Vec<Option<Decimal>>"
        FROM (
            SELECT history.series_id, history.observed_at, history.price
            FROM price_history AS history
            JOIN price_series AS series ON series.series_id = history.series_id
            LEFT JOIN unnest($2::text[], $3::integer[]) AS shift (source, days) ON shift.source = series.source
            WHERE history.observed_at BETWEEN $4 AND $5
              AND history.known_at <= $1::timestamptz - make_interval(hours => 24 * coalesce(shift.days, 0))
              AND history.observed_at >= $1::timestamptz - make_interval(hours => 24 * (coalesce(shift.days, 0) + $6))
              AND ($7::integer[] IS NULL OR history.series_id = ANY ($7))
            ORDER BY history.series_id, history.observed_at, history.known_at, history.revision
        ) AS sorted
        GROUP BY series_id ORDER BY series_id"#,
        moved.as_of,
        &moved.sources,
        &moved.days,
        first,
        last,
        days,
        only as _,
    )
    .fetch_all(tx.db())
    .await?;
    for row in rows {
        let Some(series) = ids.binary_search(&row.series_id).ok().and_then(|place| series.get_mut(place)) else { continue };
        let shifted = moved.by(&series.source);
        series.history.reserve_exact(row.moments.len());
        for (moment, price) in row.moments.into_iter().zip(row.prices) {
            // rows of one moment come in the order in which they became known: the last one counts
            series.history.add(Point { at: moment + shifted, price });
        }
    }
    Ok(())
}

async fn activity(tx: &mut ServiceTx, moved: &Moved, index: &Index) -> Result<Vec<CardActivity>, StoreError> {
    const TABLE: &str = "activity_history";
    let rows = sqlx::query!(
        r#"SELECT DISTINCT ON (card_id, product_market, product_id, counted.source, market, printing, edition, language)
            card_id, product_market, product_id, counted.source, market, printing, edition, language, sales_30d, active_listings,
            observed_at
        FROM activity_history AS counted
        LEFT JOIN unnest($2::text[], $3::integer[]) AS shift (source, days) ON shift.source = counted.source
        WHERE known_at <= $1::timestamptz - make_interval(hours => 24 * coalesce(shift.days, 0))
        ORDER BY card_id, product_market, product_id, counted.source, market, printing, edition, language, observed_at DESC"#,
        moved.as_of,
        &moved.sources,
        &moved.days,
    )
    .fetch_all(tx.db())
    .await?;
    let mut texts = BTreeSet::new();
    let mut activity = Vec::with_capacity(rows.len());
    for row in rows {
        let shifted = moved.by(&row.source);
        let market = member(&row.market, TABLE)?;
        let finish = finish(&row.printing, &row.edition, &row.language, TABLE)?;
        let (cards, _) = index.of(&subject(row.card_id, row.product_market, row.product_id, TABLE)?);
        activity.extend(cards.into_iter().map(|card| CardActivity {
            card,
            market,
            finish,
            source: shared(&mut texts, &row.source),
            sales_30d: row.sales_30d,
            active_listings: row.active_listings,
            observed_at: row.observed_at + shifted,
        }));
    }
    Ok(activity)
}

/// What is flagged at a moment; shifts of sources do not move it.
async fn flags(tx: &mut ServiceTx, as_of: DateTime<Utc>, index: &Index) -> Result<Vec<Flag>, StoreError> {
    event_flags::of_cards(tx, Some(as_of), |card| index.cards.get(card).copied()).await
}

/// The last day for which dollars were known, with the pounds of the same publication. Of several of one day the live
/// service's goes first: whoever pays for it wants it.
async fn rates(tx: &mut ServiceTx, as_of: DateTime<Utc>) -> Result<Option<Rates>, StoreError> {
    let row = sqlx::query!(
        r#"SELECT usd.date AS "date: NaiveDate", usd.source, usd.units_per_eur AS "usd: Decimal", gbp.units_per_eur AS "gbp?: Decimal"
        FROM exchange_rates AS usd
        LEFT JOIN exchange_rates AS gbp
            ON gbp.date = usd.date AND gbp.source = usd.source AND gbp.currency = 'GBP' AND gbp.known_at <= $1
        WHERE usd.currency = 'USD' AND usd.known_at <= $1
        ORDER BY usd.date DESC, usd.source = 'exchangerate-api' DESC, usd.source LIMIT 1"#,
        as_of
    )
    .fetch_optional(tx.db())
    .await?;
    Ok(row.map(|row| Rates { usd_per_eur: row.usd, gbp_per_eur: row.gbp, origin: RateOrigin { date: row.date, source: row.source } }))
}
