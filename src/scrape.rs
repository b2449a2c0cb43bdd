//! Pages of Cardmarket in a browser, for the few cards that matter now: what they told, by the surest method that works.

pub mod driver;
pub mod figures;
pub mod intercept;
pub mod markup;
pub mod offers;
pub mod site;
pub mod vision;
pub mod visit;
mod watch;
