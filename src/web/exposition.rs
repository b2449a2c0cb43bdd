//! Families of figures in Prometheus's form, filled from what was just read.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::{
    encoding::text,
    metrics::{counter::Counter, family::Family, gauge::Gauge, info::Info},
    registry::Registry,
};

/// Names with values: closed sets and names of our own, never a tenant's.
pub type Labels = Vec<(&'static str, String)>;

/// All that is told at once.
#[derive(Default)]
pub struct Exposition(Registry);

impl Exposition {
    /// What may rise and fall.
    pub fn gauge(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels, i64)>) {
        let family = Family::<Labels, Gauge>::default();
        for (labels, value) in samples {
            family.get_or_create(&labels).set(value);
        }
        self.0.register(name, help, family);
    }

    /// What only rises. The name is told with `_total` behind it.
    pub fn counter(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Labels, u64)>) {
        let family = Family::<Labels, Counter>::default();
        for (labels, value) in samples {
            family.get_or_create(&labels).inc_by(value);
        }
        self.0.register(name, help, family);
    }

    /// Words. The name is told with `_info` behind it.
    pub fn info(&mut self, name: &str, help: &str, labels: Labels) {
        self.0.register(name, help, Info::new(labels));
    }

    /// # Errors
    /// None that a text in memory could have.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut told = String::new();
        text::encode(&mut told, &self.0)?;
        Ok(told)
    }
}

/// A value without labels.
pub fn alone(value: impl Into<Option<i64>>) -> impl Iterator<Item = (Labels, i64)> {
    value.into().into_iter().map(|value| (Labels::new(), value))
}

pub fn count(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// Whole seconds from a moment until now; what lies ahead is none.
pub fn age(now: DateTime<Utc>, at: DateTime<Utc>) -> i64 {
    (now - at).max(TimeDelta::zero()).num_seconds()
}
