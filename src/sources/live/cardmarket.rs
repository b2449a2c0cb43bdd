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
    About { name, cadence, budget: Budget::default(), asks_for: None, batch: 0, is_archive: false }
}

impl Source for Files {
    fn about(&self) -> &About {
        &self.about
    }

    fn next(&self, run: &Run) -> Option<Request> {
        let state: State = run.state();
        let path = self.paths.get(state.next)?;
        let validators = state.held.get(state.next).cloned().unwrap_or_default();
        Some(Request { validators, timeout: Duration::from_mins(2), largest: LARGEST, ..Request::get(Address::of(&self.base).path(path)) })
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::{super::testing::*, *};
    use crate::sources::testing::told;

    const LIST: &str = r#"{"version":1,"createdAt":"2026-05-06T10:38:58+0200","products":[{"idProduct":9,"name":"B","categoryName":"C"}]}"#;

    #[test]
    fn both_lists_are_fetched_and_each_only_where_it_has_changed() {
        let feed = configured().cardmarket;
        let source = Files::products(feed.base, feed.cadence);
        let first = run(serde_json::Value::Null, &[]);
        assert!(asked(&source, &first).unwrap().0.ends_with("/products_singles_6.json"));
        let tagged = Answer { validators: Validators { etag: Some("\"a\"".into()), last_modified: None }, ..answer(200, LIST) };
        let (step, rows) = read(&source, &first, tagged).unwrap();
        assert_eq!((step.more, told(&rows).as_str()), (true, "1: product 9 B (C)\n"));
        let second = run(step.state, &[]);
        assert!(asked(&source, &second).unwrap().0.ends_with("/products_nonsingles_6.json"));
        let (step, _) = read(&source, &second, answer(200, LIST)).unwrap();
        assert!(!step.more);
        let again = run(step.state, &[]);
        let request = source.next(&again).unwrap();
        assert_eq!(request.validators.etag.as_deref(), Some("\"a\""));
        let (step, rows) = read(&source, &again, answer(304, "")).unwrap();
        assert!(step.more && rows.is_empty());
        assert_eq!(run(step.state, &[]).state::<State>().held[0].etag.as_deref(), Some("\"a\""), "what is held is still held");
    }

    #[test]
    fn a_guide_whose_price_has_another_name_is_refused_whole() {
        let feed = configured().cardmarket;
        let source = Files::guide(feed.base, feed.cadence);
        let guide = r#"{"version":1,"createdAt":"2026-11-22T02:55:18+0100","priceGuides":[{"idProduct":1,"trend":2.5,"low":1},{"idProduct":2,"trend":3}]}"#;
        let first = run(serde_json::Value::Null, &[]);
        assert_eq!(read(&source, &first, answer(200, guide)).unwrap().1.len(), 2);
        let fault = read(&source, &first, answer(200, guide.replace("trend", "trendPrice"))).unwrap_err();
        assert_eq!(fault.to_string(), "none of its 2 rows can be understood; the first: no price");
        let ahead = guide.replace("2026-11-22", "2026-11-24");
        let fault = read(&source, &first, answer(200, ahead)).unwrap_err();
        assert!(fault.to_string().ends_with("it is of the future"), "{fault}");
    }
}
