//! What the files say: read whole, known by a fingerprint, and compiled into a live value or a fault.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tokio::task::JoinError;

use super::{
    Fault,
    watch::{Depth, Target},
};
use crate::{
    config::{self, ConfigError, presets},
    rules::{
        diagnostic::{Diagnostics, Sink},
        live::Live,
        pack::Pack,
        source::PackSource,
        testing,
    },
    store::rule_status::LastGood,
};

/// Two looks this far apart must see the same: an editor, or a checkout, may be half-way through.
const SETTLE: Duration = Duration::from_millis(50);
/// Looks after which something that keeps changing is taken as it is.
const MOST_LOOKS: usize = 40;

/// Whether a pack has all that the loops need of it; else what is missing.
pub type Fit = fn(&Pack, DateTime<Utc>) -> Result<(), String>;

/// Where the files lie.
#[derive(Debug, Clone)]
pub struct Files {
    pub rules: PathBuf,
    pub profiles: PathBuf,
    /// Only `CUSTOMS_REGIME` is looked for in it.
    pub dotenv: PathBuf,
    /// `CUSTOMS_REGIME` of the process.
    pub process_variable: Option<String>,
    pub fit: Fit,
}

/// The same files have the same.
pub type Fingerprint = [u8; 32];

/// The files at one moment.
#[derive(Debug)]
pub struct Reading {
    rules: Result<PackSource, Diagnostics>,
    presets: Result<presets::Texts, ConfigError>,
    variable: Result<Option<String>, ConfigError>,
    pub fingerprint: Fingerprint,
}

impl Reading {
    /// Presets as they are kept.
    pub fn presets_json(&self) -> Json {
        self.presets.as_ref().map_or(Json::Null, |texts| json!(texts))
    }
}

impl Files {
    /// The folders whose changes matter. That of a folder tells when the folder itself is made anew, or is a link that turns.
    pub fn targets(&self) -> Vec<Target> {
        let [rules, profiles, dotenv] =
            [&self.rules, &self.profiles, &self.dotenv].map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
        let mut parents: Vec<&Path> = [&rules, &profiles, &dotenv].into_iter().filter_map(|path| path.parent()).collect();
        parents.sort_unstable();
        parents.dedup();
        let parents = parents.into_iter().map(|parent| Target::new(parent, Depth::Names));
        [&rules, &profiles].map(|path| Target::new(path, Depth::Tree)).into_iter().chain(parents).collect()
    }

    /// Reads all.
    pub async fn read(&self) -> Reading {
        let files = self.clone();
        match in_background(move || files.read_now()).await {
            Ok(reading) => reading,
            Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
        }
    }

    fn read_now(&self) -> Reading {
        let sink = Sink::default();
        let source = PackSource::read(&self.rules, &sink);
        let unread = sink.finish(|file, line| source.line(file, line));
        let presets = presets::texts(&self.profiles);
        let variable = config::customs_regime(&self.dotenv, self.process_variable.as_deref());
        let mut hasher = Sha256::new();
        hasher.update(source.hash());
        for text in [format!("{:?}", source.tests), unread.to_string(), format!("{presets:?}"), format!("{variable:?}")] {
            hasher.update(Sha256::digest(text));
        }
        let rules = if unread.has_errors() { Err(unread) } else { Ok(source) };
        Reading { rules, presets, variable, fingerprint: hasher.finalize().into() }
    }

    /// Reads until two readings are the same.
    pub async fn settled(&self) -> Reading {
        let mut reading = self.read().await;
        for _ in 0..MOST_LOOKS {
            tokio::time::sleep(SETTLE).await;
            let again = self.read().await;
            let same = again.fingerprint == reading.fingerprint;
            reading = again;
            if same {
                break;
            }
        }
        reading
    }

    /// Compiles and checks all; the pack's own cases must come out as expected.
    pub async fn compile(&self, reading: Reading, now: DateTime<Utc>) -> Result<Live, Fault> {
        let files = self.clone();
        // text of any kind must not end the service
        in_background(move || files.compile_now(reading, now)).await.unwrap_or_else(|stopped| Err(Fault::Broke(stopped)))
    }

    fn compile_now(&self, reading: Reading, now: DateTime<Utc>) -> Result<Live, Fault> {
        // what else is odd about the pack has nothing to do with the edit
        let refused = |diagnostics: Diagnostics| Fault::Rules(Diagnostics(diagnostics.errors().cloned().collect()));
        let pack = reading.rules.and_then(Pack::from_source).map_err(refused)?;
        let texts = reading.presets?;
        let (presets, plans) = (presets::parse(&self.profiles, &texts)?, presets::plans(&self.profiles, &texts)?);
        let live = Live { pack, customs_variable: reading.variable?, presets, plans };
        (self.fit)(&live.pack, now).map_err(Fault::Unfit)?;
        live.regime(now).map_err(|unknown| Fault::Unfit(format!("CUSTOMS_REGIME: {unknown}")))?;
        let mut ran = testing::run_cases(&live.pack).map_err(refused)?.ran;
        ran.retain(|ran| !ran.failures.is_empty());
        if ran.is_empty() { Ok(live) } else { Err(Fault::Cases(ran)) }
    }

    /// The last good rules of an earlier run.
    pub fn restore(&self, good: &LastGood) -> Result<Live, Fault> {
        let pack = Pack::from_source(PackSource::from_json(&good.pack_files)).map_err(Fault::Rules)?;
        let texts = good.presets.as_object().into_iter().flatten();
        let texts = texts.filter_map(|(file, text)| Some((file.clone(), text.as_str()?.to_owned()))).collect();
        let (presets, plans) = (presets::parse(&self.profiles, &texts)?, presets::plans(&self.profiles, &texts)?);
        Ok(Live { pack, customs_variable: good.customs_variable.clone(), presets, plans })
    }
}

/// Reading and compiling take their time: no other task may have to wait for it. The error is a panic.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(stopped) if stopped.is_panic() => Err(stopped),
        // the runtime is going down, and with it whoever waits
        Err(_) => std::future::pending().await,
    }
}
