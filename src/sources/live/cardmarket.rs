//! Cardmarket's public files: the daily price guide, and the product lists with the names behind its numbers. No key.

use std::time::Duration;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::{About, Fault, NO_KEY, Run, Source, Step, file, good};
use crate::{
    config::outbound::BaseUrl,
    domain::{feed::Budget, product::CARDMARKET_GUIDE},
    sources::{
        Emit, Format, cardmarket_guide, cardmarket_products,
        http::{Address, Answer, Request, Validators},
    },
};

/// 13 MB, and growing.
const LARGEST: u64 = 128 * 1024 * 1024;

/// Files that are fetched one after the other, each only where it has changed.
pub struct Files {
    about: About,
    base: BaseUrl,
    paths: &'static [&'static str],
    format: Format,
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    /// The file that is fetched next.
    next: usize,
    /// What we hold of each.
    held: Vec<Validators>,
}

impl Files {
    /// Prices, made new every night.
    pub fn guide(base: BaseUrl, cadence: TimeDelta) -> Self {
        let paths = &["productCatalog/priceGuide/price_guide_6.json"];
        Self { about: about(CARDMARKET_GUIDE, cadence), base, paths, format: cardmarket_guide::FORMAT }
    }

    /// Names of single cards and of everything else.
    pub fn products(base: BaseUrl, cadence: TimeDelta) -> Self {
        let paths = &["productCatalog/productList/products_singles_6.json", "productCatalog/productList/products_nonsingles_6.json"];
        Self { about: about("cardmarket_products", cadence), base, paths, format: cardmarket_products::FORMAT }
    }
}

fn about(name: &'static str, cadence: TimeDelta) -> About {
    About { name, cadence, budget: Budget::default(), asks_for: None, batch: 0 }
}

impl Source for Files {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let state: State = run.state();
        let path = self.paths.get(state.next)?;
        let validators = state.held.get(state.next).cloned().unwrap_or_default();
        Some(Request {
            validators,
            timeout: Duration::from_secs(120),
            largest: LARGEST,
            ..Request::get(Address::of(&self.base).path(path))
        })
    }

    fn read(&self, run: &Run, answer: Answer, emit: &mut Emit<'_>) -> Result<Step, Fault> {
        let mut state: State = run.state();
        if !answer.is_unchanged() {
            good(&answer, NO_KEY)?;
            file(&self.format, &answer.from, &answer, run, emit)?;
            state.held.resize(self.paths.len(), Validators::default());
            state.held[state.next] = answer.validators;
        }
        state.next += 1;
        let more = state.next < self.paths.len();
        if !more {
            state.next = 0;
        }
        Step::to(&state, more)
    }
}
