//! The loop that brings the embedded PostgreSQL up again when it has fallen: nobody else would, until a command is given.

use std::{path::PathBuf, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{
    pulse::Pulse,
    store::{StoreError, embedded::Embedded},
};

/// Between two looks at its process.
const POLL: Duration = Duration::from_secs(1);
/// After a start that failed: its cause, such as a full disk, may go away.
const REST: Duration = Duration::from_secs(5);

/// Where the server lives, and its programs where they are not searched for.
#[derive(Debug, Clone)]
pub struct Place {
    pub home: PathBuf,
    pub programs: Option<PathBuf>,
}

/// Looks after the server until `shutdown`.
///
/// # Errors
/// None yet that would end the loop.
pub async fn run(place: Place, pulse: Pulse, shutdown: CancellationToken) -> Result<(), StoreError> {
    let mut server: Option<Embedded> = None;
    loop {
        let turn = pulse.turn();
        let mut rest = POLL;
        if server.as_ref().and_then(Embedded::pid).is_none() {
            let fell = server.is_some();
            match Embedded::start(&place.home, place.programs.as_deref(), &|_| ()).await {
                Ok(up) => {
                    if fell {
                        tracing::warn!(event = "database_restarted", pid = up.pid(), "the embedded PostgreSQL had ended: it runs again");
                    }
                    server = Some(up);
                    turn.ends(true);
                }
                Err(error) => {
                    tracing::error!(event = "database_down", "the embedded PostgreSQL has ended and cannot be started: {error}");
                    rest = REST;
                    turn.ends(false);
                }
            }
        } else {
            turn.ends(true);
        }
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(rest) => {}
        }
    }
}
