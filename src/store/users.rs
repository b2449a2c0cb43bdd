//! Tenants: who they are and what they set.

use chrono::{DateTime, NaiveTime, Utc};
use rust_decimal::Decimal;
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use super::{ServiceTx, StoreError, TenantTx, outbox};
use crate::domain::{
    condition::Grade,
    market::Market,
    money::Currency,
    profile::{Category, Country, Directions, Forwarders, QuietHours, Settings, Tenant, TenantId, Tier, TimeOfDay},
};

/// A tenant to be.
#[derive(Debug, Clone)]
pub struct NewTenant {
    pub id: TenantId,
    /// None for somebody who is invited: `/start` connects the chat.
    pub telegram_chat_id: Option<i64>,
    pub discord_channel_id: Option<i64>,
    pub country: Country,
    pub tier: Tier,
    pub preset: Option<String>,
}

/// Adds the user first and then its profile, as the foreign key wants it. The caller commits.
///
/// # Errors
/// The chat belongs to a tenant already.
pub async fn add(tx: &mut ServiceTx, new: &NewTenant) -> Result<(), StoreError> {
    sqlx::query!("INSERT INTO users (id) VALUES ($1)", new.id.0).execute(tx.db()).await?;
    let inserted = sqlx::query!(
        "INSERT INTO user_profiles (id, telegram_chat_id, discord_channel_id, country, subscription_tier, preset) VALUES ($1, $2, $3, $4, $5, $6)",
        new.id.0,
        new.telegram_chat_id,
        new.discord_channel_id,
        new.country.as_str(),
        new.tier.as_str(),
        new.preset.as_deref(),
    )
    .execute(tx.db())
    .await;
    inserted.map(|_| ()).map_err(|error| taken(error, new.telegram_chat_id))
}

fn taken(error: sqlx::Error, chat: Option<i64>) -> StoreError {
    let constraint = error.as_database_error().and_then(|fault| fault.constraint());
    match chat {
        Some(chat) if constraint == Some("user_profiles_telegram_chat_id_key") => StoreError::DuplicateChat(chat),
        _ => error.into(),
    }
}

struct Row {
    id: Uuid,
    telegram_chat_id: Option<i64>,
    discord_channel_id: Option<i64>,
    subscription_tier: String,
    country: String,
    preset: Option<String>,
    currency: Option<String>,
    seller_level: Option<String>,
    seller_platform: Option<String>,
    preferred_platforms: Option<Vec<String>>,
    direction: Option<String>,
    min_profit_threshold: Option<Decimal>,
    min_headache_score: Option<Decimal>,
    min_score: Option<Decimal>,
    min_seller_rating: Option<Decimal>,
    min_seller_sales: Option<i64>,
    forex_buffer: Option<Decimal>,
    condition_floor: Option<String>,
    excluded_sets: Option<Vec<String>>,
    card_categories: Option<Vec<String>>,
    import_duty_rate: Option<Decimal>,
    vat_registered: Option<bool>,
    wants_investment: Option<bool>,
    insurance_rate: Option<Decimal>,
    forwarders: Option<Json<Forwarders>>,
    use_forwarder: Option<bool>,
    forwarder_receiving_fee: Option<Decimal>,
    forwarder_consolidation_fee: Option<Decimal>,
    time_zone: Option<String>,
    quiet_from: Option<NaiveTime>,
    quiet_until: Option<NaiveTime>,
    daily_batch_at: Option<NaiveTime>,
    paused_at: Option<DateTime<Utc>>,
    is_active: bool,
}

/// The profiles that the transaction's role may see, the oldest first: all of them, as a policy that fails to filter must
/// not hide behind a condition.
async fn rows(db: &mut PgConnection) -> Result<Vec<Row>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT p.id, telegram_chat_id, discord_channel_id, subscription_tier, country, preset, currency, seller_level, seller_platform,
                  preferred_platforms, direction, min_profit_threshold, min_headache_score, min_score, min_seller_rating,
                  min_seller_sales, forex_buffer, condition_floor, excluded_sets, card_categories, import_duty_rate, vat_registered,
                  wants_investment, insurance_rate, forwarders AS "forwarders: Json<Forwarders>", use_forwarder,
                  forwarder_receiving_fee, forwarder_consolidation_fee, time_zone, quiet_from, quiet_until, daily_batch_at, paused_at,
                  users.is_active
           FROM user_profiles AS p JOIN users USING (id)
           ORDER BY users.created_at, p.id"#
    );
    Ok(rows.fetch_all(db).await?)
}

/// Every active tenant with its settings, in one query, the oldest first.
///
/// # Errors
/// A stored value that this program does not know.
pub async fn active(tx: &mut ServiceTx) -> Result<Vec<Tenant>, StoreError> {
    rows(tx.db()).await?.into_iter().filter(|row| row.is_active).map(tenant).collect()
}

/// Every tenant that has a profile, and whether it is active.
///
/// # Errors
/// A stored value that this program does not know.
pub async fn all(tx: &mut ServiceTx) -> Result<Vec<(Tenant, bool)>, StoreError> {
    let with_state = |row: Row| {
        let is_active = row.is_active;
        Ok((tenant(row)?, is_active))
    };
    rows(tx.db()).await?.into_iter().map(with_state).collect()
}

/// Names of presets that active tenants start from.
///
/// # Errors
/// The database refuses or is gone.
pub async fn presets_in_use(tx: &mut ServiceTx) -> Result<Vec<String>, StoreError> {
    let names = sqlx::query_scalar!(
        r#"SELECT DISTINCT preset AS "preset!" FROM user_profiles JOIN users USING (id) WHERE is_active AND preset IS NOT NULL ORDER BY 1"#
    );
    Ok(names.fetch_all(tx.db()).await?)
}

/// The tenant of the transaction, as row security lets it see itself. `None` where it was never added.
///
/// # Errors
/// A stored value that this program does not know.
pub async fn own(tx: &mut TenantTx) -> Result<Option<Tenant>, StoreError> {
    rows(tx.db()).await?.into_iter().next().map(tenant).transpose()
}

/// Stores what the tenant of the transaction sets itself. False where it was never added.
///
/// # Errors
/// The database refuses or is gone.
pub async fn save_settings(tx: &mut TenantTx, settings: &Settings) -> Result<bool, StoreError> {
    let forwarders = (settings.forwarders != Forwarders::default()).then_some(Json(&settings.forwarders));
    let platforms: Option<Vec<String>> = settings.sell_platforms.as_ref().map(|list| list.iter().map(Market::to_string).collect());
    let categories: Option<Vec<String>> = settings.card_categories.as_ref().map(|list| list.iter().map(Category::to_string).collect());
    let saved = sqlx::query!(
        "UPDATE user_profiles SET currency = $1, seller_level = $2, seller_platform = NULL, preferred_platforms = $3, direction = $4,
            min_profit_threshold = $5, min_headache_score = $6, min_score = $7, min_seller_rating = $8, min_seller_sales = $9,
            forex_buffer = $10, condition_floor = $11, excluded_sets = $12, card_categories = $13, import_duty_rate = $14,
            vat_registered = $15, wants_investment = $16, insurance_rate = $17, forwarders = $18, use_forwarder = $19,
            forwarder_receiving_fee = $20, forwarder_consolidation_fee = $21, time_zone = $22, quiet_from = $23, quiet_until = $24,
            daily_batch_at = $25",
        settings.currency.map(Currency::code),
        settings.seller_level.as_deref(),
        platforms.as_deref() as _,
        settings.direction.map(Directions::as_str),
        settings.min_profit_threshold,
        settings.min_headache_score,
        settings.min_score,
        settings.min_seller_rating,
        settings.min_seller_sales,
        settings.forex_buffer,
        settings.condition_floor.map(Grade::as_str),
        settings.excluded_sets.as_deref() as _,
        categories.as_deref() as _,
        settings.import_duty_rate,
        settings.vat_registered,
        settings.wants_investment,
        settings.insurance_rate,
        forwarders as _,
        settings.use_forwarder,
        settings.us_receiving_fee,
        settings.us_consolidation_fee,
        settings.time_zone.map(|zone| zone.to_string()),
        settings.quiet_hours.map(|hours| hours.from().0),
        settings.quiet_hours.map(|hours| hours.until().0),
        settings.daily_batch_at.map(|hour| hour.0),
    )
    .execute(tx.db())
    .await?;
    Ok(saved.rows_affected() == 1)
}

/// The tenant of the transaction gets nothing from `at` on; `None` ends that.
///
/// # Errors
/// The database refuses or is gone.
pub async fn pause(tx: &mut TenantTx, at: Option<DateTime<Utc>>) -> Result<(), StoreError> {
    sqlx::query!("UPDATE user_profiles SET paused_at = $1", at).execute(tx.db()).await?;
    Ok(())
}

/// Stores what is the operator's to say of a tenant: plan, country, preset and where its messages go.
///
/// # Errors
/// The chat belongs to another tenant.
pub async fn save_account(tx: &mut ServiceTx, tenant: &Tenant) -> Result<(), StoreError> {
    let saved = sqlx::query!(
        "UPDATE user_profiles SET subscription_tier = $2, country = $3, preset = $4, telegram_chat_id = $5, discord_channel_id = $6
        WHERE id = $1",
        tenant.id.0,
        tenant.tier.as_str(),
        tenant.country.as_str(),
        tenant.preset.as_deref(),
        tenant.telegram_chat_id,
        tenant.discord_channel_id,
    )
    .execute(tx.db())
    .await;
    saved.map(|_| ()).map_err(|error| taken(error, tenant.telegram_chat_id))
}

/// An inactive tenant is judged for no more; what it holds goes on to others.
///
/// # Errors
/// The database refuses or is gone.
pub async fn set_active(tx: &mut ServiceTx, tenant: TenantId, is_active: bool) -> Result<(), StoreError> {
    sqlx::query!("UPDATE users SET is_active = $2 WHERE id = $1 AND erased_at IS NULL", tenant.0, is_active).execute(tx.db()).await?;
    Ok(())
}

/// Takes away whatever says who the tenant is: profile, address, chats. Its id stays, a pseudonym for the audits to refer
/// to. False where there is no such tenant, or none any more.
///
/// # Errors
/// The database refuses or is gone.
pub async fn erase(tx: &mut ServiceTx, tenant: TenantId, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let erased =
        sqlx::query!("UPDATE users SET email = NULL, is_active = false, erased_at = $2 WHERE id = $1 AND erased_at IS NULL", tenant.0, now)
            .execute(tx.db())
            .await?;
    // a chat that takes no messages is a person's, too
    sqlx::query!(
        "DELETE FROM dead_chats USING user_profiles AS p WHERE p.id = $1 AND ((channel, chat_id) IN (('telegram', p.telegram_chat_id),
            ('discord', p.discord_channel_id)))",
        tenant.0
    )
    .execute(tx.db())
    .await?;
    sqlx::query!("DELETE FROM invitations WHERE tenant_id = $1", tenant.0).execute(tx.db()).await?;
    sqlx::query!("DELETE FROM user_profiles WHERE id = $1", tenant.0).execute(tx.db()).await?;
    outbox::erase(tx, tenant, now).await?;
    Ok(erased.rows_affected() == 1)
}

fn tenant(row: Row) -> Result<Tenant, StoreError> {
    let id = row.id;
    let fault = |fault: String| StoreError::BadRow { table: "user_profiles", fault: format!("tenant {id}: {fault}") };
    let mut platforms = row.preferred_platforms;
    if let Some(platform) = row.seller_platform {
        // the API document's one platform is the preferred of the guide's several
        let list = platforms.get_or_insert_default();
        list.retain(|other| *other != platform);
        list.insert(0, platform);
    }
    let overrides = Settings {
        currency: parsed(row.currency).map_err(fault)?,
        seller_level: row.seller_level,
        sell_platforms: all_parsed(platforms).map_err(fault)?,
        direction: parsed(row.direction).map_err(fault)?,
        min_profit_threshold: row.min_profit_threshold,
        min_headache_score: row.min_headache_score,
        min_score: row.min_score,
        min_seller_rating: row.min_seller_rating,
        min_seller_sales: row.min_seller_sales,
        forex_buffer: row.forex_buffer,
        condition_floor: parsed(row.condition_floor).map_err(fault)?,
        excluded_sets: row.excluded_sets,
        card_categories: all_parsed(row.card_categories).map_err(fault)?,
        import_duty_rate: row.import_duty_rate,
        vat_registered: row.vat_registered,
        wants_investment: row.wants_investment,
        insurance_rate: row.insurance_rate,
        forwarders: row.forwarders.map(|Json(forwarders)| forwarders).unwrap_or_default(),
        use_forwarder: row.use_forwarder,
        us_receiving_fee: row.forwarder_receiving_fee,
        us_consolidation_fee: row.forwarder_consolidation_fee,
        time_zone: parsed(row.time_zone).map_err(fault)?,
        quiet_hours: row.quiet_from.zip(row.quiet_until).and_then(|(from, until)| QuietHours::new(TimeOfDay(from), TimeOfDay(until))),
        daily_batch_at: row.daily_batch_at.map(TimeOfDay),
    };
    overrides.validate().map_err(|bad| fault(bad.to_string()))?;
    Ok(Tenant {
        id: TenantId(id),
        tier: Tier::or_free(&row.subscription_tier),
        country: row.country.parse().map_err(|error: crate::domain::profile::BadCountry| fault(error.to_string()))?,
        telegram_chat_id: row.telegram_chat_id,
        discord_channel_id: row.discord_channel_id,
        preset: row.preset,
        overrides,
        paused_at: row.paused_at,
    })
}

fn parsed<T: std::str::FromStr<Err: ToString>>(text: Option<String>) -> Result<Option<T>, String> {
    text.map(|text| text.parse().map_err(|error: T::Err| error.to_string())).transpose()
}

/// An empty list in the database means the same as none: all.
fn all_parsed<T: std::str::FromStr<Err: ToString>>(list: Option<Vec<String>>) -> Result<Option<Vec<T>>, String> {
    let Some(list) = list.filter(|list| !list.is_empty()) else { return Ok(None) };
    list.into_iter().map(|text| text.parse().map_err(|error: T::Err| error.to_string())).collect::<Result<_, _>>().map(Some)
}
