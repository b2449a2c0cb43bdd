//! Where health and metrics are served.

use std::net::SocketAddr;

use super::{ConfigError, Variables};

/// The usual address: this machine only, as nobody is asked for a password.
const USUAL: SocketAddr = SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 9464));

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Web {
    /// `TCG_RADAR_LISTEN`; port 0 is any free one.
    pub listen: SocketAddr,
}

impl Web {
    pub(super) fn read<F: Fn(&str) -> Option<String>>(vars: &Variables<F>) -> Result<Self, ConfigError> {
        let listen = vars.parsed("TCG_RADAR_LISTEN", "an address and a port, such as 127.0.0.1:9464", |_: &SocketAddr| true)?;
        Ok(Self { listen: listen.unwrap_or(USUAL) })
    }
}
