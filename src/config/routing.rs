//! How long a tenant has a signal alone, and how late it may be sent.

use chrono::TimeDelta;

use super::{ConfigError, Variables};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Routing {
    /// `SIGNAL_EXCLUSIVITY_WINDOW_MINUTES`: from the confirmed delivery on.
    pub window: TimeDelta,
    /// `SIGNAL_SEND_DEADLINE_MINUTES`: a signal that could not be sent for so long goes to the next tenant.
    pub send_within: TimeDelta,
}

impl Routing {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        let minutes = |variable, usual: u32| {
            let found = vars.whole(variable, "whole minutes from 1 to 1440", 1..=1440)?.unwrap_or(usual);
            Ok::<_, ConfigError>(TimeDelta::minutes(i64::from(found)))
        };
        Ok(Self { window: minutes("SIGNAL_EXCLUSIVITY_WINDOW_MINUTES", 180)?, send_within: minutes("SIGNAL_SEND_DEADLINE_MINUTES", 30)? })
    }
}
