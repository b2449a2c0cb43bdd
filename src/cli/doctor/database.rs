//! What the database says of itself.

use chrono::{DateTime, TimeDelta, Utc};

use super::check::{Check, of_clock};
use crate::{
    clock::Clock,
    store::{
        Store, StoreError,
        vitals::{self, Soundness},
    },
};

/// Every server before lacks what our schema needs.
const OLDEST: i32 = 150_000;
/// The service looks at its files at least so often.
const SILENT: TimeDelta = TimeDelta::seconds(40);

/// Its schema is this program's, or it would not have been opened.
pub async fn of_store(store: &Store, now: DateTime<Utc>) -> Result<Vec<Check>, StoreError> {
    let mut tx = store.service().await?;
    let found = vitals::soundness(&mut tx).await?;
    let rules = vitals::rules(&mut tx).await?;
    tx.commit().await?;
    let role = match store.refuse_unsafe_role().await {
        Ok(()) => Check::ok("database role", "is neither superuser nor owner, and row security binds it"),
        Err(error) => Check::fault("database role", error.to_string(), "connect as a plain role: src/store/roles.sql makes what it needs"),
    };
    let service = match rules {
        None => Check::warning("service", "never ran on this database", "`tcg-radar serve`"),
        Some(rules) if now - rules.looked_at > SILENT => {
            Check::warning("service", format!("not running; last seen {}", rules.looked_at.format("%F %T")), "`tcg-radar serve`")
        }
        Some(rules) => match rules.refused_since {
            Some(since) => {
                let said = format!("runs by the last good rules: the files of {} cannot be used", since.format("%F %T"));
                Check::warning("service", said, "`tcg-radar rules status` says why")
            }
            None => Check::ok("service", format!("runs by pack {}", rules.pack_hash.chars().take(12).collect::<String>())),
        },
    };
    let mut checks = of_soundness(&found);
    checks.extend([role, service, of_clock("the database", found.clock, Clock::machine().now())]);
    Ok(checks)
}

fn of_soundness(found: &Soundness) -> Vec<Check> {
    let Soundness { version, open_tables, missing_indexes, active_tenants, .. } = found;
    let server = format!("PostgreSQL {}.{}, every migration applied", version / 10_000, version % 10_000);
    vec![
        if *version < OLDEST { Check::fault("database", server, "use PostgreSQL 15 or newer") } else { Check::ok("database", server) },
        if open_tables.is_empty() {
            Check::ok("row security", "enabled and forced wherever rows are a tenant's")
        } else {
            let advice = "somebody changed the schema by hand: `ALTER TABLE … FORCE ROW LEVEL SECURITY`, and see who";
            Check::fault("row security", format!("not in force for {}", open_tables.join(", ")), advice)
        },
        if missing_indexes.is_empty() {
            Check::ok("indexes", "the guide's are there")
        } else {
            Check::warning(
                "indexes",
                format!("missing: {}", missing_indexes.join(", ")),
                "somebody dropped them by hand: create them again",
            )
        },
        match active_tenants {
            0 => Check::warning("tenants", "none is active, so nothing is sent", "`tcg-radar user add`"),
            number => Check::ok("tenants", format!("{number} active")),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::Level;

    fn sound() -> Soundness {
        let clock = DateTime::<Utc>::UNIX_EPOCH;
        Soundness { version: 150_018, clock, open_tables: Vec::new(), missing_indexes: Vec::new(), active_tenants: 3 }
    }

    #[test]
    fn a_sound_database_is_told_in_four_lines_and_each_defect_in_its_own() {
        let levels = |found: &Soundness| of_soundness(found).iter().map(|check| check.level).collect::<Vec<_>>();
        assert_eq!(levels(&sound()), [Level::Ok; 4]);
        assert_eq!(levels(&Soundness { version: 140_011, ..sound() })[0], Level::Fault);
        assert_eq!(levels(&Soundness { open_tables: vec!["signals".into()], ..sound() })[1], Level::Fault);
        assert_eq!(levels(&Soundness { missing_indexes: vec!["signals(tenant_id, created_at)".into()], ..sound() })[2], Level::Warning);
        assert_eq!(levels(&Soundness { active_tenants: 0, ..sound() })[3], Level::Warning);
    }
}
