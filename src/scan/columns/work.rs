//! How far judging has come.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts work done in steps, and tells it as routes.
pub struct Work {
    done: AtomicUsize,
    reached: AtomicUsize,
    steps: usize,
    open: usize,
}

impl Work {
    pub const fn new(steps: usize, open: usize) -> Self {
        Self { done: AtomicUsize::new(0), reached: AtomicUsize::new(0), steps, open }
    }

    pub fn tell(&self, steps: usize, progress: &(dyn Fn(usize) + Sync)) {
        let done = self.done.fetch_add(steps, Ordering::Relaxed) + steps;
        let reached = self.open * done / self.steps.max(1);
        let before = self.reached.fetch_max(reached, Ordering::Relaxed);
        if reached > before {
            progress(reached - before);
        }
    }
}
