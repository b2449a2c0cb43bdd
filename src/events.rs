//! What happens around cards: which are played together, which did well at a tournament, which people suddenly write about.
//! Pure: what was heard goes in, what it means comes out.

pub mod names;
pub mod spikes;
pub mod synergy;
pub mod tournament;
