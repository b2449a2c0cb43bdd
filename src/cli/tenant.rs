//! A tenant on the command line: by its id or its Telegram chat.

use std::{convert::Infallible, fmt, str::FromStr};

use uuid::Uuid;

use super::exit::WrongUsage;
use crate::{
    domain::profile::Tenant,
    store::{Store, users},
};

/// What was typed.
#[derive(Debug, Clone)]
pub struct TenantName(String);

impl FromStr for TenantName {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TenantName {
    pub fn means(&self, tenant: &Tenant) -> bool {
        let (id, chat) = (self.0.parse::<Uuid>().ok(), self.0.parse::<i64>().ok());
        Some(tenant.id.0) == id || (chat.is_some() && tenant.telegram_chat_id == chat)
    }

    /// The tenant that is meant, and whether it is active.
    pub async fn find(&self, store: &Store) -> anyhow::Result<(Tenant, bool)> {
        let mut tx = store.service().await?;
        let all = users::all(&mut tx).await?;
        tx.commit().await?;
        let found = all.into_iter().find(|(tenant, _)| self.means(tenant));
        found.ok_or_else(|| WrongUsage(format!("no tenant has the id or chat \"{self}\": `tcg-radar user list --all` shows them")).into())
    }
}
