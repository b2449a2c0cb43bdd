//! The simulated market as history in memory: what a replay of it reads, without a database between.

use super::Simulation;
use crate::domain::history::{Builder, History, TooManyDigits};

/// All rows of the market. Told how many of its days are there.
///
/// # Errors
/// A price with more digits than any market prints.
pub fn history(simulation: &Simulation, progress: &dyn Fn(i64, u32)) -> Result<History, TooManyDigits> {
    let mut builder = Builder::default();
    for set in simulation.sets() {
        builder.add_set(set.clone());
    }
    for card in simulation.cards() {
        builder.add_card(card.clone());
    }
    for link in simulation.links() {
        builder.add_link(&link);
    }
    for rate in simulation.daily_rates() {
        builder.add_rate(rate);
    }
    let (first, days) = (simulation.parameters().first_day(), simulation.parameters().days);
    for batch in simulation.batches() {
        for seen in &batch.observations {
            builder.add(seen)?;
        }
        for counted in batch.activity {
            builder.add_activity(counted);
        }
        progress((batch.date - first).num_days() + 1, days);
    }
    Ok(builder.finish())
}
