//! Judges every route for every tenant as the interpreter does, and keeps the best route of each card.
//!
//! This is the meaning of a scan. Scans run on the columns of [`super::columns`], which have to agree with it.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use rayon::prelude::*;
use rust_decimal::Decimal;

use super::{
    feeds::Health,
    inputs::{self, ActivityIndex, Facts},
    routes::Route,
};
use crate::{
    domain::{
        book::{Book, CardIndex},
        market::Direction,
        observation::day_of,
        profile::Profile,
    },
    rules::{
        facts::Stage,
        graph::FactId,
        interpret::{Evaluation, Verdict},
        lower::Answer,
        pack::{Aggregate, Pack},
        value::Value,
    },
};

/// What is judged, and for whom.
pub struct Case<'a> {
    pub pack: &'a Pack,
    pub book: &'a Book,
    pub health: &'a Health,
    pub routes: &'a [Route],
    pub profiles: &'a [Profile],
    /// Facts of the pack and date alone.
    pub constants: Facts,
    /// Tenant facts by tenant and direction.
    pub tenants: Arc<Vec<[Facts; 2]>>,
    pub activity: Arc<ActivityIndex<'a>>,
}

/// The judgement of one route for one tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// Positions in the case's routes and profiles.
    pub route: usize,
    pub tenant: usize,
    pub answer: Answer,
    /// Of signals only.
    pub score: Option<Decimal>,
    /// What was counted for it between the passes.
    pub aggregates: Vec<(FactId, i64)>,
}

/// A tenant, an aggregate, the side that is bought on, and the value that is counted over.
type GroupKey = (usize, usize, Direction, String);
/// Cards of a group that count.
type Groups = BTreeMap<GroupKey, BTreeSet<CardIndex>>;

impl<'a> Case<'a> {
    /// The same case about other routes.
    pub fn about<'b>(&'b self, routes: &'b [Route]) -> Case<'b>
    where
        'a: 'b,
    {
        Case { routes, constants: self.constants.clone(), tenants: self.tenants.clone(), activity: self.activity.clone(), ..*self }
    }

    /// The same case by another pack, which reads the same inputs.
    pub fn by<'b>(&'b self, pack: &'b Pack) -> Case<'b>
    where
        'a: 'b,
    {
        Case { pack, constants: self.constants.clone(), tenants: self.tenants.clone(), activity: self.activity.clone(), ..*self }
    }
}

impl Case<'_> {
    /// Judges every route for every tenant, rule by rule: what a pack means.
    pub fn interpret(&self, progress: &(dyn Fn(usize) + Sync)) -> Vec<Judged> {
        let groups = self.groups();
        self.refine(self.pass(&groups, progress), &groups)
    }

    /// Judges one route for one tenant.
    pub fn judge_one(&self, route: usize, tenant: usize, aggregates: Vec<(FactId, i64)>) -> Judged {
        let mut evaluation = self.replay(route, tenant, &aggregates);
        judged(&mut evaluation, route, tenant, aggregates)
    }

    /// Whether a route counts in an aggregate for a tenant.
    pub fn counts(&self, route: usize, tenant: usize, aggregate: usize) -> bool {
        self.replay(route, tenant, &[]).holds(self.pack.aggregates[aggregate].count_where)
    }

    pub(super) fn evaluation(&self) -> Evaluation<'_> {
        let mut evaluation = Evaluation::new(self.pack);
        self.set(&mut evaluation, self.constants.iter().cloned());
        evaluation
    }

    fn set(&self, evaluation: &mut Evaluation<'_>, facts: impl IntoIterator<Item = (&'static str, Value)>) {
        for (name, value) in facts {
            if let Some(id) = self.pack.graph.id(name)
                && let Err(error) = evaluation.set(id, value)
            {
                evaluation.set_fault(id, &error.to_string());
            }
        }
    }

    /// Sets the facts of a route; those of the tenant are forgotten.
    pub(super) fn enter_route(&self, evaluation: &mut Evaluation<'_>, route: &Route) {
        evaluation.forget_from(Stage::Card);
        if let Some(card) = self.book.card(route.card) {
            self.set(evaluation, inputs::card_facts(card, self.book.flags_of(route.card), day_of(self.book.as_of)));
        }
        let facts = inputs::route_facts(self.book, self.health, &self.activity, route);
        self.set(evaluation, facts.map(|(name, given)| (name, given.into())));
    }

    fn enter_tenant(&self, evaluation: &mut Evaluation<'_>, route: &Route, tenant: usize) {
        evaluation.forget_from(Stage::Tenant);
        self.set(evaluation, self.tenants[tenant][route.direction as usize].iter().cloned());
        if let Some(card) = self.book.card(route.card) {
            self.set(evaluation, inputs::taste_facts(&self.profiles[tenant], card));
        }
    }

    /// An evaluation of one route and tenant, aggregates included, from which every fact can be read.
    pub fn replay(&self, route: usize, tenant: usize, aggregates: &[(FactId, i64)]) -> Evaluation<'_> {
        let mut evaluation = self.evaluation();
        self.enter_route(&mut evaluation, &self.routes[route]);
        self.enter_tenant(&mut evaluation, &self.routes[route], tenant);
        for (fact, counted) in aggregates {
            if evaluation.set(*fact, Value::Integer(*counted)).is_err() {
                evaluation.set_fault(*fact, "the count is out of range");
            }
        }
        evaluation
    }

    /// First pass: which cards count in which group.
    fn groups(&self) -> Groups {
        if self.pack.aggregates.is_empty() {
            return Groups::new();
        }
        let found: Vec<(GroupKey, CardIndex)> = self
            .routes
            .par_iter()
            .map_init(
                || self.evaluation(),
                |evaluation, route| {
                    self.enter_route(evaluation, route);
                    let mut found = Vec::new();
                    for tenant in 0..self.profiles.len() {
                        self.enter_tenant(evaluation, route, tenant);
                        for key in self.keys(evaluation, route, tenant) {
                            if evaluation.holds(self.pack.aggregates[key.1].count_where) {
                                found.push((key, route.card));
                            }
                        }
                    }
                    found
                },
            )
            .flatten()
            .collect();
        let mut groups = Groups::new();
        for (key, card) in found {
            groups.entry(key).or_default().insert(card);
        }
        groups
    }

    /// The groups that the entered route belongs to for the entered tenant, at most one an aggregate.
    fn keys(&self, evaluation: &mut Evaluation<'_>, route: &Route, tenant: usize) -> Vec<GroupKey> {
        let aggregates = self.pack.aggregates.iter().enumerate();
        let key =
            |(index, aggregate): (usize, &Aggregate)| Some((tenant, index, route.direction, evaluation.known(aggregate.over)?.to_string()));
        aggregates.filter_map(key).collect()
    }

    /// The aggregates of a route for a tenant; a route alone is one of its kind.
    fn aggregates(
        &self,
        evaluation: &mut Evaluation<'_>,
        route: &Route,
        tenant: usize,
        count: &dyn Fn(&GroupKey) -> usize,
    ) -> Vec<(FactId, i64)> {
        let keys = self.keys(evaluation, route, tenant).into_iter();
        keys.map(|key| (self.pack.aggregates[key.1].fact, i64::try_from(count(&key)).unwrap_or(1).max(1))).collect()
    }

    fn pass(&self, groups: &Groups, progress: &(dyn Fn(usize) + Sync)) -> Vec<Judged> {
        (0..self.routes.len())
            .into_par_iter()
            .map_init(
                || self.evaluation(),
                |evaluation, route| {
                    progress(1);
                    self.enter_route(evaluation, &self.routes[route]);
                    (0..self.profiles.len())
                        .map(|tenant| {
                            self.enter_tenant(evaluation, &self.routes[route], tenant);
                            let counts =
                                self.aggregates(evaluation, &self.routes[route], tenant, &|key| groups.get(key).map_or(1, BTreeSet::len));
                            judged(evaluation, route, tenant, counts)
                        })
                        .collect::<Vec<_>>()
                },
            )
            .flatten()
            .collect()
    }

    /// Second pass of a group some of whose cards fell through: the rest is judged once more with the smaller count.
    ///
    /// Once and no further: going on until nothing changes can empty a good bundle.
    fn refine(&self, mut judged_routes: Vec<Judged>, groups: &Groups) -> Vec<Judged> {
        if groups.is_empty() {
            return judged_routes;
        }
        let mut passing: HashMap<GroupKey, BTreeSet<CardIndex>> = HashMap::new();
        let mut members: Vec<(usize, GroupKey)> = Vec::new();
        let mut evaluation = self.evaluation();
        let counted = |one: &Judged| one.is_signal() && !one.aggregates.is_empty();
        for (position, one) in judged_routes.iter().enumerate().filter(|(_, one)| counted(one)) {
            let route = &self.routes[one.route];
            self.enter_route(&mut evaluation, route);
            self.enter_tenant(&mut evaluation, route, one.tenant);
            for key in self.keys(&mut evaluation, route, one.tenant) {
                passing.entry(key.clone()).or_default().insert(route.card);
                members.push((position, key));
            }
        }
        let mut done = BTreeSet::new();
        for (position, key) in members {
            let left = passing.get(&key).map_or(1, BTreeSet::len);
            if groups.get(&key).is_none_or(|group| group.len() <= left) || !done.insert(position) {
                continue;
            }
            let (route, tenant) = (judged_routes[position].route, judged_routes[position].tenant);
            self.enter_route(&mut evaluation, &self.routes[route]);
            self.enter_tenant(&mut evaluation, &self.routes[route], tenant);
            let counts = self.aggregates(&mut evaluation, &self.routes[route], tenant, &|key| passing.get(key).map_or(1, BTreeSet::len));
            judged_routes[position] = judged(&mut evaluation, route, tenant, counts);
        }
        judged_routes
    }
}

fn judged(evaluation: &mut Evaluation<'_>, route: usize, tenant: usize, aggregates: Vec<(FactId, i64)>) -> Judged {
    for (fact, counted) in &aggregates {
        if evaluation.set(*fact, Value::Integer(*counted)).is_err() {
            evaluation.set_fault(*fact, "the count is out of range");
        }
    }
    let verdict = evaluation.verdict();
    let score = if verdict == Verdict::Signal { evaluation.score() } else { None };
    Judged { route, tenant, answer: Answer::of_verdict(&verdict, score.is_some()), score, aggregates }
}

impl Judged {
    pub const fn is_signal(&self) -> bool {
        matches!(self.answer, Answer::Signal { .. })
    }

    /// What is preferred among a card's routes: the one that came furthest, among signals the best score.
    pub fn rank(&self, pack: &Pack) -> (i64, Option<Decimal>) {
        (self.answer.code(pack.gates.len()), self.score)
    }
}

/// Per tenant, card and direction the best route; of equals the first.
pub fn best_of_each(judged: &[Judged], routes: &[Route], pack: &Pack) -> Vec<Judged> {
    let mut best: BTreeMap<(usize, CardIndex, Direction), &Judged> = BTreeMap::new();
    for one in judged {
        let route = &routes[one.route];
        let place = best.entry((one.tenant, route.card, route.direction)).or_insert(one);
        if one.rank(pack) > place.rank(pack) {
            *place = one;
        }
    }
    best.into_values().cloned().collect()
}
