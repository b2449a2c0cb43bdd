//! What a set of rows is known by, whatever their order: two tables with the same rows have the same digest.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// The sum of the rows' hashes. A row that is there twice counts twice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest(u128);

impl Digest {
    pub fn add(&mut self, row: &[u8]) {
        let hash = Sha256::digest(row);
        let first = hash.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        self.0 = self.0.wrapping_add(first);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&str]) -> Digest {
        rows.iter().fold(Digest::default(), |mut digest, row| {
            digest.add(row.as_bytes());
            digest
        })
    }

    #[test]
    fn the_order_of_rows_does_not_matter_and_everything_else_does() {
        assert_eq!(of(&["a\n", "b\n"]), of(&["b\n", "a\n"]));
        assert_ne!(of(&["a\n", "b\n"]), of(&["a\n", "c\n"]));
        assert_ne!(of(&["a\n", "a\n"]), of(&["a\n"]));
        assert_ne!(of(&["a\n", "a\n"]), of(&["b\n", "b\n"]));
    }
}
