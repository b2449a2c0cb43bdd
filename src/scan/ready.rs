//! A pack made ready for its tenants, kept from scan to scan for as long as it holds.

use std::{collections::BTreeSet, time::Instant};

use super::{columns::Prepared, findings::Findings, inputs::Facts, judge::Case};
use crate::domain::{book::CardIndex, money::Rates, profile::Profile};

/// Of so many tenants one may have changed; where more have, making everything ready anew is no slower.
const FEW: usize = 16;

/// See the module.
#[derive(Debug)]
pub struct Ready {
    of: Of,
    /// Nothing for a pack that only the interpreter can judge.
    prepared: Option<Prepared>,
}

/// All that it hangs on.
#[derive(Debug, PartialEq)]
struct Of {
    pack_hash: String,
    /// The date, the regime and the operator's switches.
    constants: Facts,
    rates: Rates,
    profiles: Vec<Profile>,
}

impl Ready {
    /// Takes over what was ready before as far as it holds for the case; the rest is made now.
    pub fn renewed(before: Option<Self>, case: &Case<'_>, rates: &Rates) -> Self {
        let of = Of {
            pack_hash: case.pack.hash.clone(),
            constants: case.constants.clone(),
            rates: rates.clone(),
            profiles: case.profiles.to_vec(),
        };
        let began = Instant::now();
        let kept = before.and_then(|before| before.adapted(&of, case));
        let (prepared, changed) = if let Some((prepared, changed)) = kept {
            (prepared, changed)
        } else {
            let made = Prepared::new(case).inspect_err(|refused| {
                tracing::info!(event = "interpreted", pack = %case.pack.hash, "the pack is judged by the interpreter: {refused}");
            });
            (made.ok().map(Prepared::for_parts), of.profiles.len())
        };
        if changed > 0 {
            let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::info!(event = "rules_ready", pack = %case.pack.hash, tenants = changed, duration_ms);
        }
        Self { of, prepared }
    }

    /// The same for the case, and for how many tenants it had to be changed; `None` where it is of no use.
    fn adapted(self, of: &Of, case: &Case<'_>) -> Option<(Option<Prepared>, usize)> {
        let Self { of: before, prepared } = self;
        if (&before.pack_hash, &before.constants, &before.rates) != (&of.pack_hash, &of.constants, &of.rates)
            || before.profiles.len() != of.profiles.len()
        {
            return None;
        }
        let pairs = || before.profiles.iter().zip(&of.profiles);
        if pairs().any(|(before, now)| before.tenant != now.tenant) {
            return None;
        }
        let changed: Vec<usize> = pairs().enumerate().filter(|(_, (before, now))| before != now).map(|(tenant, _)| tenant).collect();
        if changed.len() * FEW > of.profiles.len() {
            return None;
        }
        let Some(mut prepared) = prepared else { return Some((None, 0)) };
        changed.iter().try_for_each(|tenant| prepared.set_tenant(case, *tenant)).ok()?;
        Some((Some(prepared), changed.len()))
    }

    /// Judges every route of the case for every tenant.
    pub fn judge(&self, case: &Case<'_>, keep: usize) -> Findings {
        match &self.prepared {
            Some(prepared) => prepared.judge(case, keep, &|_| ()),
            None => Findings::of(&case.interpret(&|_| ()), case.routes, case.pack, case.profiles.len(), keep),
        }
    }

    /// Judges some cards of the case for every tenant.
    pub fn judge_part(&self, case: &Case<'_>, cards: &BTreeSet<CardIndex>) -> Findings {
        if let Some(prepared) = &self.prepared {
            return prepared.judge_part(case, cards);
        }
        let mut findings = self.judge(case, 0);
        findings.narrow(|route| cards.contains(&case.routes[route].card));
        findings
    }
}
