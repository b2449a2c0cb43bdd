//! Settings of parts that this version does not have yet: eBay. They are read and held to what they may be, so that a wrong
//! value is found on the day that it is written.

use secrecy::SecretString;

use super::{ConfigError, Variables};

/// See the module.
#[derive(Debug, Clone)]
pub struct Later {
    pub ebay_app_id: Option<SecretString>,
    pub ebay_cert_id: Option<SecretString>,
}

impl Later {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        Ok(Self { ebay_app_id: vars.key("EBAY_APP_ID")?, ebay_cert_id: vars.key("EBAY_CERT_ID")? })
    }
}
