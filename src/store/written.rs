//! How many rows a write met, and what became of them.

use std::ops::AddAssign;

/// Rows by what the database held before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Written {
    /// Stored for the first time.
    pub new: u64,
    /// Known, and different now: a later revision, or new words about a card.
    pub changed: u64,
    /// Known and the same, or told twice in one write.
    pub unchanged: u64,
}

impl Written {
    /// From the rows that a write touched, each with whether it was new.
    pub(super) fn of(told: usize, touched: impl IntoIterator<Item = bool>) -> Self {
        let (mut new, mut changed) = (0, 0);
        for is_new in touched {
            if is_new { new += 1 } else { changed += 1 }
        }
        Self { new, changed, unchanged: (told as u64).saturating_sub(new + changed) }
    }

    pub const fn is_change(&self) -> bool {
        self.new + self.changed > 0
    }
}

impl AddAssign for Written {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
    }
}
