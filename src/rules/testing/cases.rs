//! Runs point cases.

use super::{Case, Kind, Ran, Wanted, What, coverage::Reached};
use crate::rules::{interpret::Evaluation, pack::Pack};

impl Case {
    /// The pack with the case's facts given.
    pub fn evaluation<'p>(&self, pack: &'p Pack) -> Evaluation<'p> {
        let mut evaluation = Evaluation::new(pack);
        for (fact, value) in &self.given {
            // a fact that its declaration does not admit is a fault of that fact, as in a scan
            if let Err(error) = evaluation.set(*fact, value.clone()) {
                evaluation.set_fault(*fact, &error.to_string());
            }
        }
        evaluation
    }

    /// What the case reaches of the pack.
    pub fn reach(&self, pack: &Pack) -> Reached {
        let mut evaluation = self.evaluation(pack);
        let mut reached = Reached::default();
        for expected in &self.expected {
            expected.ask(&mut evaluation);
            if let (What::Reason, Wanted::Word(reason)) = (expected.what, &expected.wanted) {
                reached.add_reason(reason);
            }
        }
        let given = self.given.iter().map(|(fact, _)| *fact).collect();
        reached.add(&mut evaluation, &given);
        reached
    }

    /// Whether the case comes out otherwise than expected, without saying how.
    pub fn fails(&self, pack: &Pack) -> bool {
        let mut evaluation = self.evaluation(pack);
        self.expected.iter().any(|expected| !expected.holds(&mut evaluation))
    }

    /// Runs the case.
    pub fn run(&self, pack: &Pack) -> Ran {
        let mut evaluation = self.evaluation(pack);
        let given = self.given.iter().map(|(fact, _)| *fact).collect();
        let failures = self.expected.iter().filter_map(|expected| expected.check(&mut evaluation, &given)).collect();
        Ran { kind: Kind::Case, name: self.name.clone(), place: self.place.clone(), failures }
    }
}
