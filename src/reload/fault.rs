//! Why files cannot become live.

use std::{fmt::Write as _, path::PathBuf};

use serde_json::{Value as Json, json};
use tokio::task::JoinError;

use crate::{
    config::ConfigError,
    rules::{diagnostic::Diagnostics, testing::Ran},
    store::StoreError,
};

/// Why an edit is refused.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Rules(Diagnostics),
    #[error("{}", told(.0))]
    Cases(Vec<Ran>),
    /// A preset, or `.env`.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// The pack loads, but a scan needs more of it, or of `CUSTOMS_REGIME`.
    #[error("{0}")]
    Unfit(String),
    #[error("checking the files broke off, which is a fault of this program: {0}")]
    Broke(JoinError),
    #[error("{} is gone, and tenants start from it: put it back, or give them another preset", folder.join(format!("{name}.yaml")).display())]
    PresetGone { name: String, folder: PathBuf },
}

impl Fault {
    /// As it is kept: the text for people, and the findings for programs.
    pub fn to_json(&self) -> Json {
        let text = self.to_string();
        match self {
            Self::Rules(diagnostics) => json!({ "text": text, "diagnostics": diagnostics }),
            Self::Cases(failed) => json!({ "text": text, "failed": failed }),
            Self::Setting(_) | Self::Unfit(_) | Self::Broke(_) | Self::PresetGone { .. } => json!({ "text": text }),
        }
    }
}

fn told(failed: &[Ran]) -> String {
    let mut text = format!("{} of the pack's own cases came out otherwise:", failed.len());
    for ran in failed {
        for failure in &ran.failures {
            let _ = write!(
                text,
                "\n{}: {}: {} should be {} and is {}",
                failure.place, ran.name, failure.what, failure.expected, failure.actual
            );
        }
    }
    text.push_str("\nif that is what you want, `tcg-radar rules test --update` writes it into the cases; else take the edit back");
    text
}

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the rules cannot be used, and the database holds no good ones of an earlier run:\n{0}")]
    Rules(Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
}
