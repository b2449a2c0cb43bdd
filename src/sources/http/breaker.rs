//! Leaves a host alone that fails again and again: whoever shares it need not find out one after the other.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

/// Failures in a row after which a host rests.
const PATIENCE: u32 = 5;
const FIRST_REST: TimeDelta = TimeDelta::minutes(1);
const LONGEST_REST: TimeDelta = TimeDelta::minutes(30);

#[derive(Debug, Default)]
struct Host {
    /// In a row.
    failures: u32,
    rests_until: Option<DateTime<Utc>>,
}

/// The hosts that have failed lately.
#[derive(Debug, Default)]
pub struct Breakers(Mutex<HashMap<String, Host>>);

impl Breakers {
    /// Whether the host may be asked; else when. After a rest one request at a time finds out.
    pub fn check(&self, host: &str, now: DateTime<Utc>) -> Result<(), DateTime<Utc>> {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = hosts.get_mut(host) else { return Ok(()) };
        match known.rests_until {
            Some(until) if now < until => Err(until),
            Some(_) => {
                // the others wait for what this one meets
                known.rests_until = Some(now + FIRST_REST);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Notes how a request ended: with any answer below 500, or not.
    pub fn note(&self, host: &str, answered: bool, now: DateTime<Utc>) {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if answered {
            hosts.remove(host);
            return;
        }
        let known = hosts.entry(host.to_owned()).or_default();
        known.failures = known.failures.saturating_add(1);
        if known.failures >= PATIENCE {
            let doubled = 1 << (known.failures - PATIENCE).min(5);
            known.rests_until = Some(now + (FIRST_REST * doubled).min(LONGEST_REST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn a_host_rests_after_five_failures_and_twice_as_long_after_the_next() {
        let breakers = Breakers::default();
        for _ in 0..4 {
            breakers.note("a", false, at(0));
        }
        assert_eq!(breakers.check("a", at(0)), Ok(()));
        breakers.note("a", false, at(0));
        assert_eq!(breakers.check("a", at(0)), Err(at(1)));
        assert_eq!(breakers.check("b", at(0)), Ok(()), "another host is not meant");
        assert_eq!(breakers.check("a", at(1)), Ok(()), "one may find out");
        assert_eq!(breakers.check("a", at(1)), Err(at(2)), "and only one");
        breakers.note("a", false, at(1));
        assert_eq!(breakers.check("a", at(1)), Err(at(3)));
        for _ in 0..20 {
            breakers.note("a", false, at(3));
        }
        assert_eq!(breakers.check("a", at(3)), Err(at(33)), "never longer than half an hour");
    }

    #[test]
    fn any_answer_ends_the_rest() {
        let breakers = Breakers::default();
        for _ in 0..9 {
            breakers.note("a", false, at(0));
        }
        breakers.note("a", true, at(1));
        assert_eq!(breakers.check("a", at(1)), Ok(()));
    }
}
