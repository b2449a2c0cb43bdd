//! Tenants: who they are and what they set.

use sqlx::types::Json;
use uuid::Uuid;

use super::{ServiceTx, StoreError, TenantTx};
use crate::domain::profile::{Country, Forwarders, Settings, Tenant, TenantId, Tier};

/// A tenant to be.
#[derive(Debug, Clone)]
pub struct NewTenant {
    pub id: TenantId,
    pub telegram_chat_id: i64,
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
    match inserted {
        Ok(_) => Ok(()),
        Err(error) if error.as_database_error().and_then(|fault| fault.constraint()) == Some("user_profiles_telegram_chat_id_key") => {
            Err(StoreError::DuplicateChat(new.telegram_chat_id))
        }
        Err(error) => Err(error.into()),
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
    min_profit_threshold: Option<rust_decimal::Decimal>,
    min_headache_score: Option<rust_decimal::Decimal>,
    min_score: Option<rust_decimal::Decimal>,
    min_seller_rating: Option<rust_decimal::Decimal>,
    min_seller_sales: Option<i64>,
    forex_buffer: Option<rust_decimal::Decimal>,
    condition_floor: Option<String>,
    excluded_sets: Option<Vec<String>>,
    card_categories: Option<Vec<String>>,
    import_duty_rate: Option<rust_decimal::Decimal>,
    vat_registered: Option<bool>,
    wants_investment: Option<bool>,
    insurance_rate: Option<rust_decimal::Decimal>,
    forwarders: Option<Json<Forwarders>>,
    use_forwarder: Option<bool>,
    forwarder_receiving_fee: Option<rust_decimal::Decimal>,
    forwarder_consolidation_fee: Option<rust_decimal::Decimal>,
}

/// Every active tenant with its settings, in one query, the oldest first.
///
/// # Errors
/// A stored value that this program does not know.
pub async fn active(tx: &mut ServiceTx) -> Result<Vec<Tenant>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT p.id, telegram_chat_id, discord_channel_id, subscription_tier, country, preset, currency, seller_level, seller_platform,
                  preferred_platforms, direction, min_profit_threshold, min_headache_score, min_score, min_seller_rating,
                  min_seller_sales, forex_buffer, condition_floor, excluded_sets, card_categories, import_duty_rate, vat_registered,
                  wants_investment, insurance_rate, forwarders AS "forwarders: Json<Forwarders>", use_forwarder,
                  forwarder_receiving_fee, forwarder_consolidation_fee
           FROM user_profiles AS p JOIN users USING (id)
           WHERE users.is_active
           ORDER BY users.created_at, p.id"#
    )
    .fetch_all(tx.db())
    .await?;
    rows.into_iter().map(tenant).collect()
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
    // no WHERE: a policy that fails to filter must not hide behind one
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id, telegram_chat_id, discord_channel_id, subscription_tier, country, preset, currency, seller_level, seller_platform,
                  preferred_platforms, direction, min_profit_threshold, min_headache_score, min_score, min_seller_rating,
                  min_seller_sales, forex_buffer, condition_floor, excluded_sets, card_categories, import_duty_rate, vat_registered,
                  wants_investment, insurance_rate, forwarders AS "forwarders: Json<Forwarders>", use_forwarder,
                  forwarder_receiving_fee, forwarder_consolidation_fee
           FROM user_profiles"#
    )
    .fetch_optional(tx.db())
    .await?;
    row.map(tenant).transpose()
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
    };
    overrides.validate().map_err(|bad| fault(bad.to_string()))?;
    Ok(Tenant {
        id: TenantId(id),
        tier: row.subscription_tier.parse().map_err(|error: crate::domain::market::UnknownMember| fault(error.to_string()))?,
        country: row.country.parse().map_err(|error: crate::domain::profile::BadCountry| fault(error.to_string()))?,
        telegram_chat_id: row.telegram_chat_id,
        discord_channel_id: row.discord_channel_id,
        preset: row.preset,
        overrides,
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
