//! Signs of life: what each loop is at and since when, so that one that hangs can be told from one that rests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A loop's own. Clones speak for the same loop.
#[derive(Debug, Clone, Default)]
pub struct Pulse(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Turns that are under way; a loop of several tasks has several.
    under_way: BTreeMap<u64, Instant>,
    begun: u64,
    good: u64,
    failed: u64,
}

/// What a loop has done since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Beats {
    pub good: u64,
    pub failed: u64,
    /// Since the oldest turn that is under way began; nothing while the loop rests.
    pub busy_for: Option<Duration>,
}

impl Pulse {
    /// A turn begins. It ends when what this gives is dropped, and was good only where that was said.
    #[must_use]
    pub fn turn(&self) -> Turn {
        let mut state = self.state();
        state.begun += 1;
        let id = state.begun;
        state.under_way.insert(id, Instant::now());
        Turn { pulse: self.clone(), id, went_well: false }
    }

    pub fn beats(&self) -> Beats {
        let state = self.state();
        let busy_for = state.under_way.values().min().map(Instant::elapsed);
        Beats { good: state.good, failed: state.failed, busy_for }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn that is under way.
#[derive(Debug)]
pub struct Turn {
    pulse: Pulse,
    id: u64,
    went_well: bool,
}

impl Turn {
    /// Ends it, having done what it was for or not.
    pub fn ends(mut self, well: bool) {
        self.went_well = well;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.pulse.state();
        state.under_way.remove(&self.id);
        if self.went_well {
            state.good += 1;
        } else {
            state.failed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_counts_as_failed_unless_it_was_said_to_have_gone_well() {
        let pulse = Pulse::default();
        pulse.turn().ends(true);
        pulse.turn().ends(false);
        drop(pulse.turn());
        assert_eq!(pulse.beats(), Beats { good: 1, failed: 2, busy_for: None });
    }

    #[test]
    fn the_oldest_turn_says_for_how_long_a_loop_of_several_tasks_is_busy() {
        let pulse = Pulse::default();
        let old = pulse.turn();
        std::thread::sleep(Duration::from_millis(2));
        let young = pulse.turn();
        let both = pulse.beats().busy_for;
        old.ends(true);
        let rest = pulse.beats().busy_for;
        assert!(both >= Some(Duration::from_millis(2)), "{both:?}");
        assert!(rest.is_some() && rest < both, "{rest:?}");
        young.ends(true);
        assert_eq!(pulse.beats().busy_for, None);
    }
}
