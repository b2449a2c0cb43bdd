//! Judges every route for every tenant in columns, as [`super::judge`] means it.
//!
//! 1. Routes become rows; what depends on no tenant is computed once for each ([`Side`]). Most rows stop there.
//! 2. The rows that are left are laid out in blocks ([`blocks`]).
//! 3. Batch by batch, tenants count what aggregates count ([`groups`]) and judge the blocks, then the rows that are counted
//!    together ([`grouped`]), and of each card the best route is kept ([`tally`]).
//!
//! Where only some cards are asked for, only their signals are told, from what these can hang on ([`hopes`]).
//!
//! The interpreter is asked where columns can't tell: single rows, single tenants, single formulas.

mod blocks;
mod counts;
mod grouped;
mod groups;
mod hopes;
mod tally;
mod variants;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use self::{
    blocks::{Block, Layout},
    grouped::Grouped,
    groups::{Counted, Groups},
    hopes::Hopes,
    tally::{Closed, Seat, Tally, Told},
    work::Work,
};
use super::{
    findings::{Findings, says_more},
    inputs,
    judge::Case,
};
use crate::{
    domain::{
        book::CardIndex,
        market::Direction,
        observation::day_of,
        profile::{Category, Profile},
    },
    rules::{
        graph::{FactId, Kind},
        interpret::Slot,
        lower::{ALONE, Answer, Batch, Cards, Column, Lowered, Machine, Rows, Setting, Settings, Slice, Unfit, Unprepared},
        pack::Pack,
        value::{Given, Type, Value},
    },
};

/// Routes that are encoded at a time: their facts are in a core's own memory together.
const AT_ONCE: usize = 512;
/// So few routes leave a core idle one side after the other. The signals of more are as cheap to find among all answers.
const FEW: usize = 2_048;
/// Fewer are not worth a thread of their own.
const FEWEST: usize = 32;
/// Blocks that a thread judges at a time.
const BLOCKS: usize = 32;

/// A pack made ready for the tenants of a case, by direction. It holds as long as pack, date, regime, rates and profiles
/// do, whatever the prices.
#[derive(Debug)]
pub struct Prepared([Lowered; 2]);

/// Judges with what is made ready for this one time.
pub fn judge(case: &Case<'_>, keep: usize, progress: &(dyn Fn(usize) + Sync)) -> Findings {
    match Prepared::new(case) {
        Ok(prepared) => prepared.judge(case, keep, progress),
        Err(refused) => {
            tracing::info!(event = "interpreted", pack = %case.pack.hash, "the pack is judged by the interpreter: {refused}");
            Findings::of(&case.interpret(progress), case.routes, case.pack, case.profiles.len(), keep)
        }
    }
}

impl Prepared {
    /// Lowers the pack for every tenant of the case.
    ///
    /// # Errors
    /// A pack that only the interpreter can judge.
    pub fn new(case: &Case<'_>) -> Result<Self, Unfit> {
        let constants: Vec<(FactId, Value)> =
            case.constants.iter().filter_map(|(name, value)| Some((case.pack.graph.id(name)?, value.clone()))).collect();
        let lower = |direction: Direction| {
            let tenants: Vec<Settings> = (0..case.profiles.len()).map(|tenant| settings(case, tenant, direction)).collect();
            Lowered::new(case.pack, day_of(case.book.as_of), &constants, &tenants)
        };
        let (eu_us, us_eu) = rayon::join(|| lower(Direction::EuUs), || lower(Direction::UsEu));
        Ok(Self([eu_us?, us_eu?]))
    }

    /// Whether the interpreter computes a fact for every route and tenant, at a thousand times the cost.
    pub fn refuses(&self, fact: FactId) -> bool {
        self.0.iter().any(|lowered| lowered.refused().iter().any(|(refused, _)| *refused == fact))
    }

    /// Takes a tenant's other settings over; nobody else's rules are lowered again.
    ///
    /// # Errors
    /// The tenant's rules read what no tenant's did before: everything has to be made ready anew.
    pub fn set_tenant(&mut self, case: &Case<'_>, tenant: usize) -> Result<(), Unprepared> {
        for direction in Direction::ALL {
            self.0[*direction as usize].set_tenant(case.pack, tenant, &settings(case, tenant, *direction))?;
        }
        Ok(())
    }

    /// Judges every route of the case for every tenant. Up to `keep` near misses are kept for each.
    pub fn judge(&self, case: &Case<'_>, keep: usize, progress: &(dyn Fn(usize) + Sync)) -> Findings {
        let mut findings = Findings::new(case.pack, case.profiles.len());
        for told in both(case, |direction| self.side(case, direction).judge(keep, progress)) {
            told.settle(&mut findings);
        }
        findings.settle(case.routes, keep);
        findings
    }

    /// Makes ready for [`Prepared::judge_part`] of few routes, which otherwise judges them whole.
    #[must_use]
    pub fn for_parts(mut self) -> Self {
        self.0.par_iter_mut().for_each(Lowered::form_kinds);
        self
    }

    /// The signals of some cards. The other routes of the case are there for what is counted.
    pub fn judge_part(&self, case: &Case<'_>, cards: &BTreeSet<CardIndex>) -> Findings {
        let is_asked = |card: CardIndex| cards.contains(&card);
        let kinds = self.0.each_ref().map(Lowered::kinds);
        let (Some(eu_us), Some(us_eu), true) = (kinds[0], kinds[1], case.routes.len() <= FEW) else {
            let mut findings = self.judge(case, 0, &|_| ());
            findings.narrow(|route| is_asked(case.routes[route].card));
            return findings;
        };
        let mut findings = Findings::new(case.pack, case.profiles.len());
        let signals = both(case, |direction| {
            let kinds = if direction == Direction::EuUs { eu_us } else { us_eu };
            Hopes::of(self.side(case, direction), kinds, is_asked).signals()
        });
        signals.iter().flatten().for_each(|one| findings.found(one));
        findings.settle(case.routes, 0);
        findings
    }

    fn side<'a>(&'a self, case: &'a Case<'a>, direction: Direction) -> Side<'a> {
        Side::of(case, &self.0[direction as usize], direction)
    }
}

/// Does it for both directions.
fn both<T: Send>(case: &Case<'_>, work: impl Fn(Direction) -> T + Sync) -> [T; 2] {
    if case.routes.len() <= FEW {
        rayon::join(|| work(Direction::EuUs), || work(Direction::UsEu)).into()
    } else {
        [work(Direction::EuUs), work(Direction::UsEu)]
    }
}

/// A tenant's settings as the columns take them.
fn settings(case: &Case<'_>, tenant: usize, direction: Direction) -> Settings {
    let given = case.tenants[tenant][direction as usize].iter();
    let mut settings: Settings =
        given.filter_map(|(name, value)| Some((case.pack.graph.id(name)?, admitted(case.pack, name, value)))).collect();
    settings.extend(taste(case.pack, &case.profiles[tenant]));
    settings
}

fn admitted(pack: &Pack, name: &str, value: &Value) -> Setting {
    let Some(id) = pack.graph.id(name) else { return Setting::Is(Value::Unknown) };
    let fact = pack.graph.fact(id);
    let value = match (fact.value_type, value) {
        (Some(Type::Decimal), Value::Integer(number)) => Value::Decimal((*number).into()),
        (_, value) => value.clone(),
    };
    match fact.kind {
        Kind::Input(input) if input.admit(&value).is_err() => Setting::Fault,
        _ => Setting::Is(value),
    }
}

/// What [`inputs::taste_facts`] says of any card.
fn taste(pack: &Pack, profile: &Profile) -> Settings {
    let excluded = profile.excluded_sets.value.iter().flatten().map(|set| set.as_str().into()).collect();
    let wanted = profile.card_categories.value.as_deref().unwrap_or_default();
    let wanted = match wanted {
        [] => Some(Setting::Is(Value::Bool(true))),
        some => {
            let members = some.iter().map(|category: &Category| category.as_str().into()).collect();
            pack.graph.id("card_category").map(|of| Setting::Among(of, members))
        }
    };
    let excluded = pack.graph.id("set_code").map(|of| Setting::Among(of, excluded));
    let named = [("set_excluded", excluded), ("category_wanted", wanted)];
    named.into_iter().filter_map(|(name, setting)| Some((pack.graph.id(name)?, setting?))).collect()
}

/// The routes of one direction as rows.
struct Side<'a> {
    case: &'a Case<'a>,
    lowered: &'a Lowered,
    direction: Direction,
    /// Those for whom it is judged.
    batches: Vec<&'a Batch>,
    /// The route of each row.
    routes: Vec<usize>,
    cards: Cards,
}

impl<'a> Side<'a> {
    fn of(case: &'a Case<'a>, lowered: &'a Lowered, direction: Direction) -> Self {
        let mut routes: Vec<usize> = (0..case.routes.len()).filter(|route| case.routes[*route].direction == direction).collect();
        // a card's routes stand together; among themselves they keep their order, which settles ties
        routes.sort_by_key(|route| case.routes[*route].card);
        let at_once = routes.len().div_ceil(rayon::current_num_threads()).clamp(FEWEST, AT_ONCE);
        let screened: Vec<Cards> =
            routes.par_chunks(at_once).map_init(|| lowered.rows(at_once), |rows, routes| screen(case, lowered, rows, routes)).collect();
        let mut cards = lowered.screen(&lowered.rows(0));
        for mut part in screened {
            cards.append(&mut part);
        }
        Self { case, lowered, direction, batches: lowered.batches().iter().collect(), routes, cards }
    }

    fn judge(mut self, keep: usize, progress: &(dyn Fn(usize) + Sync)) -> Told<'a> {
        let groups = Groups::of(&self);
        let layout = Layout::of(&self, &groups);
        let grouped = Grouped::of(&self, &layout.grouped, &groups, |_| true);
        // laid out anew for those who read them
        self.cards.columns = Vec::new();
        let closed = self.closed(&layout, keep);
        let tallies = self.judge_all(&groups, &layout, (&grouped, &closed), keep, progress);
        Told { side: self, closed, tallies }
    }

    fn judge_all(
        &self,
        groups: &Groups,
        layout: &Layout,
        (grouped, closed): (&Grouped, &Closed),
        keep: usize,
        progress: &(dyn Fn(usize) + Sync),
    ) -> Vec<Tally> {
        let open = layout.open();
        progress(self.routes.len() - open);
        let steps = self.batches.len() * (layout.blocks.len() + 1);
        let work = Work::new(steps, open);
        if self.batches.is_empty() {
            progress(open);
        }
        self.batches
            .par_iter()
            .map_init(Machine::default, |machine, batch| {
                let mut tally = self.judge_batch(batch, machine, layout, keep, &|blocks| work.tell(blocks, progress));
                // what is counted matters to nobody whom no row suits
                let is_uncounted =
                    grouped.count() == 0 && keep == 0 || batch.hopeless && grouped.judge_uncounted(batch, machine, &mut tally);
                let counted = if is_uncounted {
                    Counted::nothing(batch)
                } else {
                    let counted = groups.count(self, batch, machine);
                    grouped.judge(self, batch, machine, (&counted, groups), &mut tally);
                    counted
                };
                tally.take_closed(self, closed);
                tally.close(self, batch, &counted, groups);
                work.tell(1, progress);
                tally
            })
            .collect()
    }

    /// Judges the rows that are counted with no others.
    fn judge_batch(&self, batch: &Batch, machine: &mut Machine, layout: &Layout, keep: usize, done: &(dyn Fn(usize) + Sync)) -> Tally {
        let alone = vec![1; layout.longest()];
        let judge = |machine: &mut Machine, blocks: &[Block]| {
            let mut tally = Tally::new(self, batch, keep);
            for block in blocks {
                let counts = std::iter::repeat_n(Slice::Numbers(&alone), self.cards.groups.len());
                let columns: Vec<Slice<'_>> = block.columns.iter().map(Column::slice).chain(counts).collect();
                batch.judge(machine, &columns, block.rows.len(), |position, codes, scores| {
                    tally.take(self, block, Seat { position, tenant: batch.tenants[position] }, codes, scores);
                });
            }
            done(blocks.len());
            tally
        };
        if layout.blocks.len() <= BLOCKS {
            return judge(machine, &layout.blocks);
        }
        let chunks = layout.blocks.par_chunks(BLOCKS);
        let tallies = chunks.map_init(Machine::default, |machine, blocks| judge(machine, blocks));
        tallies.reduce_with(Tally::merged).unwrap_or_else(|| Tally::new(self, batch, keep))
    }

    /// Cards that no tenant can come further with than the gates before all tenants.
    fn closed(&self, layout: &Layout, keep: usize) -> Closed {
        let gates = self.case.pack.gates.len();
        let mut cards: BTreeMap<u8, u32> = BTreeMap::new();
        layout.closed.iter().for_each(|(code, _)| *cards.entry(*code).or_default() += 1);
        let says_more = |(code, _): &(u8, usize)| says_more(Answer::of((*code).into(), gates), self.case.pack);
        let behind = layout.closed.iter().copied().filter(says_more).collect();
        let is_rejection = |(code, _): &(u8, usize)| matches!(Answer::of((*code).into(), gates), Answer::Rejected(_));
        let mut furthest: Vec<(u8, usize)> = layout.closed.iter().copied().filter(is_rejection).collect();
        furthest.sort_by_key(|(code, row)| (std::cmp::Reverse(*code), self.routes[*row]));
        furthest.truncate(keep);
        Closed { cards: cards.into_iter().collect(), behind, furthest }
    }

    fn card_of(&self, row: usize) -> CardIndex {
        self.case.routes[self.routes[row]].card
    }

    /// Whether a row is counted together with others.
    fn is_grouped(&self, row: usize) -> bool {
        self.cards.groups.iter().any(|groups| groups[row] != ALONE)
    }
}

/// Computes what depends on no tenant for some routes.
fn screen(case: &Case<'_>, lowered: &Lowered, rows: &mut Rows, routes: &[usize]) -> Cards {
    let interpreted: Vec<(FactId, usize)> = lowered.interpreted().filter_map(|id| Some((id, lowered.place_of(id)?))).collect();
    let mut evaluation = case.evaluation();
    rows.clear();
    let (mut names, mut card_names, mut last) = (Names::default(), Names::default(), None);
    for route in routes {
        let route = &case.routes[*route];
        names.tell(case.pack, lowered, rows, inputs::route_facts(case.book, case.health, &case.activity, route));
        // a card's routes follow each other
        if last.replace(route.card) != Some(route.card)
            && let Some(card) = case.book.card(route.card)
        {
            let facts = inputs::card_facts(card, case.book.flags_of(route.card), day_of(case.book.as_of));
            card_names.tell(case.pack, lowered, rows, facts.iter().map(|(name, value)| (*name, value.into())));
        }
        if !interpreted.is_empty() {
            case.enter_route(&mut evaluation, route);
            for (id, place) in &interpreted {
                let given = match evaluation.slot(*id) {
                    Slot::Known(value) => Some(value.into()),
                    Slot::Unknown(_) => Some(Given::Unknown),
                    Slot::Fault(_) | Slot::Pending => None,
                };
                lowered.tell(case.pack, rows, *place, given);
            }
        }
        Lowered::close(rows);
    }
    let mut cards = lowered.screen(rows);
    let gates = case.pack.gates.len();
    for (code, route) in cards.codes.iter_mut().zip(routes) {
        if let Answer::Open(_) = Answer::of(*code, gates) {
            case.enter_route(&mut evaluation, &case.routes[*route]);
            let answer = Answer::of_verdict(&evaluation.verdict_of(lowered.leading()), true);
            *code = answer.code(gates);
        }
    }
    cards
}

/// The places of the facts that names stand for. Facts come in the same order for every route, so that a name is looked up
/// once.
#[derive(Default)]
struct Names(Vec<(&'static str, Option<usize>)>);

impl Names {
    fn tell<'f>(&mut self, pack: &Pack, lowered: &Lowered, rows: &mut Rows, facts: impl IntoIterator<Item = (&'static str, Given<'f>)>) {
        for (position, (name, given)) in facts.into_iter().enumerate() {
            if self.0.get(position).is_none_or(|(known, _)| !std::ptr::eq(*known, name)) {
                self.0.truncate(position);
                self.0.push((name, pack.graph.id(name).and_then(|id| lowered.place_of(id))));
            }
            if let Some((_, Some(place))) = self.0.get(position) {
                lowered.tell(pack, rows, *place, Some(given));
            }
        }
    }
}
