//! The simulated market as history in memory: what a replay of it reads, without a database between.

use super::{Simulation, feeds::Batch};
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
    let mut batches = simulation.batches();
    let mut next = batches.next();
    while let Some(batch) = next {
        let date = batch.date;
        let (following, added) = rayon::join(|| batches.next(), || add(&mut builder, batch));
        added?;
        next = following;
        progress((date - first).num_days() + 1, days);
    }
    Ok(builder.finish())
}

fn add(builder: &mut Builder, batch: Batch) -> Result<(), TooManyDigits> {
    batch.activity.into_iter().for_each(|counted| builder.add_activity(counted));
    batch.observations.iter().try_for_each(|seen| builder.add(seen))
}
