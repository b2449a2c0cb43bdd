//! Runs stored decisions again with their stored packs: what was decided has to come out the same to the byte, months later.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::{
    ScanError,
    explain::{Difference, differences, rerun},
};
use crate::{
    domain::decision::Decision,
    rules::{pack::Pack, source::PackSource},
    store::{
        Store,
        audit::{self, Record, Which},
    },
};

/// Records that are held in memory at once.
const PAGE: i64 = 500;

/// What is to be verified.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// Everything since a moment, or ever.
    Since(Option<DateTime<Utc>>),
    /// So many decisions from anywhere.
    Sample(i64),
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Verified {
    /// Decisions that were run again.
    pub decisions: usize,
    /// Of these: equal to the byte.
    pub equal: usize,
    /// Made by another version of this program, whether equal or not.
    pub other_engine: usize,
    pub packs: usize,
    /// Audits of signals that were looked at.
    pub audits: i64,
    /// What is not as it should be, in the order of the decisions.
    pub faults: Vec<RecordFault>,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordFault {
    pub kind: FaultKind,
    /// The decision, or the signal whose audit it is.
    pub id: String,
    pub engine: Option<String>,
    /// What it says and what comes out, the first that differs.
    pub first: Option<Difference>,
    pub fault: Option<String>,
}

/// In what way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The decision is not what was written.
    DamagedDecision,
    /// The audit of a signal is not what was written.
    DamagedAudit,
    /// The pack is not what its hash says, or is gone.
    DamagedPack,
    /// This program no longer loads the pack, which is what was written.
    UnreadablePack,
    /// The decision is what was written, and the same program decides otherwise now.
    DecidesOtherwise,
    /// The decision is what was written by another version of the program, and this one decides otherwise.
    OtherEngine,
}

impl Verified {
    pub fn any(&self, kinds: &[FaultKind]) -> bool {
        self.faults.iter().any(|fault| kinds.contains(&fault.kind))
    }
}

/// A pack that is ready to decide, or why it is not.
type Loaded = Result<Pack, (FaultKind, String)>;

/// Runs them all. `tell` hears how many are done.
///
/// # Errors
/// The database refuses or is gone.
pub async fn verify(store: &Store, extent: Extent, tell: &(dyn Fn(usize) + Send + Sync)) -> Result<Verified, ScanError> {
    let mut verified = Verified::default();
    let mut packs: HashMap<String, Loaded> = HashMap::new();
    let mut after = None;
    loop {
        let (which, is_last) = match extent {
            Extent::Since(since) => (Which::Page { after, since, most: PAGE }, false),
            Extent::Sample(most) => (Which::Sample(most), true),
        };
        let mut tx = store.service().await?;
        let records = audit::records(&mut tx, which).await?;
        for record in &records {
            if !packs.contains_key(&record.pack_hash) {
                let loaded = load(&record.pack_hash, audit::pack(&mut tx, &record.pack_hash).await?.as_ref());
                verified.faults.extend(loaded.as_ref().err().map(|(kind, fault)| RecordFault {
                    kind: *kind,
                    id: record.pack_hash.clone(),
                    engine: Some(record.engine_version.clone()),
                    first: None,
                    fault: Some(fault.clone()),
                }));
                packs.insert(record.pack_hash.clone(), loaded);
            }
        }
        tx.commit().await?;
        after = records.last().map(|record| record.decision.decision_id);
        let checked: Vec<Checked> = records.par_iter().map(|record| check(record, packs.get(&record.pack_hash))).collect();
        for (record, checked) in records.iter().zip(checked) {
            verified.decisions += 1;
            verified.equal += usize::from(checked.equal);
            verified.other_engine += usize::from(record.engine_version != ENGINE);
            verified.faults.extend(checked.fault);
        }
        tell(verified.decisions);
        if is_last || records.is_empty() {
            break;
        }
    }
    verified.packs = packs.len();
    let since = if let Extent::Since(since) = extent { since } else { None };
    let mut tx = store.service().await?;
    let (damaged, audits) = audit::damaged_audits(&mut tx, since).await?;
    tx.commit().await?;
    verified.audits = audits;
    verified.faults.extend(damaged.into_iter().map(|signal: Uuid| RecordFault {
        kind: FaultKind::DamagedAudit,
        id: signal.to_string(),
        engine: None,
        first: None,
        fault: None,
    }));
    Ok(verified)
}

/// This program.
const ENGINE: &str = env!("CARGO_PKG_VERSION");

/// A pack whose text does not give its hash is not what decided.
fn load(hash: &str, files: Option<&Json>) -> Loaded {
    let Some(files) = files else { return Err((FaultKind::DamagedPack, "it is not stored".to_owned())) };
    let source = PackSource::from_json(files);
    let found = source.hash();
    if found != hash {
        return Err((FaultKind::DamagedPack, format!("its files have the hash {found}")));
    }
    Pack::from_source(source).map_err(|diagnostics| (FaultKind::UnreadablePack, diagnostics.to_string()))
}

/// What became of one record.
struct Checked {
    equal: bool,
    fault: Option<RecordFault>,
}

fn check(record: &Record, pack: Option<&Loaded>) -> Checked {
    let again = pack.and_then(|pack| pack.as_ref().ok()).map(|pack| (pack, rerun(pack, &record.decision)));
    let equal = again.as_ref().is_some_and(|(_, again)| bytes(again) == bytes(&record.decision));
    let is_ours = record.engine_version == ENGINE;
    let kind = match (record.intact, equal, &again) {
        (false, ..) => FaultKind::DamagedDecision,
        // told once, with its pack
        (true, true, _) | (true, _, None) => return Checked { equal, fault: None },
        (true, false, Some(_)) if is_ours => FaultKind::DecidesOtherwise,
        (true, false, Some(_)) => FaultKind::OtherEngine,
    };
    let first = again.and_then(|(pack, again)| differences(pack, &record.decision, &again).into_iter().next());
    let fault = first.is_none().then(|| "it is damaged where nothing depends on it".to_owned());
    let engine = Some(record.engine_version.clone());
    Checked { equal, fault: Some(RecordFault { kind, id: record.decision.decision_id.to_string(), engine, first, fault }) }
}

/// What a record says, in one form: facts by name.
fn bytes(decision: &Decision) -> String {
    let Decision { outcome, reason, signal_type, score, net_profit, flags, facts, .. } = decision;
    let facts: std::collections::BTreeMap<&String, &Json> = facts.as_object().into_iter().flatten().collect();
    json!([outcome.as_str(), reason, signal_type, score, net_profit, flags, facts]).to_string()
}
