//! For whom a scan judges: every active tenant with its settings, all levels applied.

use crate::{
    domain::profile::{Defaults, PresetError, Presets, Profile, Tenant},
    store::{Store, StoreError, users},
};

/// A tenant whose settings cannot be made out, and why.
#[derive(Debug)]
pub struct Unresolved {
    pub tenant: Tenant,
    pub fault: PresetError,
}

/// Every active tenant, the oldest first; apart from them those whose preset is not there.
///
/// # Errors
/// The database is gone, or holds a value that this program does not know.
pub async fn load(store: &Store, presets: &Presets, defaults: &Defaults) -> Result<(Vec<(Tenant, Profile)>, Vec<Unresolved>), StoreError> {
    let mut tx = store.service().await?;
    let tenants = users::active(&mut tx).await?;
    tx.commit().await?;
    let (mut resolved, mut unresolved) = (Vec::with_capacity(tenants.len()), Vec::new());
    for tenant in tenants {
        match tenant.preset.as_deref().map(|name| presets.get(name)).transpose() {
            Ok(preset) => {
                let profile = Profile::resolve(&tenant, preset, defaults);
                resolved.push((tenant, profile));
            }
            Err(fault) => unresolved.push(Unresolved { tenant, fault }),
        }
    }
    Ok((resolved, unresolved))
}
