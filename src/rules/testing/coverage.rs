//! What of a pack the tests have reached: functions, branches, table rows, reasons, and both sides of every threshold.

mod boundaries;

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use rust_decimal::Decimal;
use serde::Serialize;

use super::walk::{self, Watch, ways};
use crate::{
    domain::money::Currency,
    rules::{
        ast::Script,
        diagnostic::{Place, Span},
        graph::{FactId, Kind},
        interpret::{Evaluation, Slot},
        pack::Pack,
        tree::{Chain, Expr, ExprKind},
    },
};

/// What coverage is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Aim {
    Functions,
    Branches,
    Rows,
    Reasons,
    /// Each threshold met from below, exactly, and from above.
    Boundaries,
}

impl Aim {
    pub const ALL: [Self; 5] = [Self::Functions, Self::Branches, Self::Rows, Self::Reasons, Self::Boundaries];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Functions => "functions",
            Self::Branches => "branches",
            Self::Rows => "rows",
            Self::Reasons => "reasons",
            Self::Boundaries => "boundaries",
        }
    }
}

/// One thing that a test can reach. Scripts, functions, tables and rows by their positions in the pack.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Function(usize, usize),
    Branch(usize, Span, usize),
    Row(usize, usize),
    Reason(String),
    Side(Threshold, Ordering),
}

/// A number that decides which way something goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Threshold {
    /// A comparison in a script.
    Comparison(usize, Span),
    /// A bound of a table's key fact.
    Bound { table: usize, key: usize, value: Decimal, currency: Option<Currency> },
}

impl Item {
    const fn aim(&self) -> Aim {
        match self {
            Self::Function(..) => Aim::Functions,
            Self::Branch(..) => Aim::Branches,
            Self::Row(..) => Aim::Rows,
            Self::Reason(_) => Aim::Reasons,
            Self::Side(..) => Aim::Boundaries,
        }
    }
}

/// What has been reached so far.
#[derive(Debug, Default)]
pub struct Reached(BTreeSet<Item>);

impl Reached {
    /// Adds everything that an evaluation has computed. What was `given` has not run.
    pub fn add(&mut self, evaluation: &mut Evaluation<'_>, given: &BTreeSet<FactId>) {
        let pack = evaluation.pack();
        let mut asked = BTreeSet::new();
        for id in pack.graph.ids().filter(|id| !given.contains(id) && !matches!(evaluation.peek(*id), Slot::Pending)).collect::<Vec<_>>() {
            match pack.graph.fact(id).kind {
                Kind::Derived { script, function } => {
                    if let Some(arguments) = walk::arguments(evaluation, id) {
                        let watch = &mut Recorder { script, reached: self };
                        // a fault is reached too
                        let _ = walk::run(&pack.scripts[script], function, arguments, watch);
                    }
                }
                Kind::Column { table, .. } => drop(asked.insert(table)),
                Kind::Input(_) | Kind::Parameter(_) | Kind::Aggregate => {}
            }
        }
        for table in asked {
            self.0.extend(evaluation.chosen_row(table).map(|row| Item::Row(table, row)));
            boundaries::reached(evaluation, table, &mut self.0);
        }
    }

    /// Adds the reason that a test was given.
    pub fn add_reason(&mut self, reason: &str) {
        self.0.insert(Item::Reason(reason.to_owned()));
    }

    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }
}

struct Recorder<'a> {
    script: usize,
    reached: &'a mut Reached,
}

impl Watch for Recorder<'_> {
    fn function(&mut self, function: usize) {
        self.reached.0.insert(Item::Function(self.script, function));
    }

    fn branch(&mut self, expr: &Expr, taken: usize) {
        self.reached.0.insert(Item::Branch(self.script, expr.span, taken));
    }

    fn compared(&mut self, expr: &Expr, order: Ordering) {
        if boundaries::is_threshold(expr) {
            self.reached.0.insert(Item::Side(Threshold::Comparison(self.script, expr.span), order));
        }
    }
}

/// One line of the table of figures.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    pub aim: Aim,
    pub reached: usize,
    pub all: usize,
}

impl Figure {
    /// Whole percent, rounded down: 99.9 is not 100.
    pub const fn percent(&self) -> usize {
        percent(self.reached, self.all)
    }
}

/// Whole percent, rounded down; all of nothing.
pub const fn percent(part: usize, whole: usize) -> usize {
    match (part * 100).checked_div(whole) {
        Some(percent) => percent,
        None => 100,
    }
}

/// Something that no test has reached.
#[derive(Debug, Clone, Serialize)]
pub struct Missed {
    pub aim: Aim,
    pub what: String,
    #[serde(flatten)]
    pub place: Place,
}

/// How far the tests went.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    pub figures: Vec<Figure>,
    pub missed: Vec<Missed>,
}

impl Coverage {
    pub fn of(pack: &Pack, reached: &Reached) -> Self {
        let all = everything(pack);
        let figures = Aim::ALL.map(|aim| {
            let of_aim = || all.keys().filter(|item| item.aim() == aim);
            Figure { aim, reached: of_aim().filter(|item| reached.0.contains(item)).count(), all: of_aim().count() }
        });
        let missed = all.into_iter().filter(|(item, _)| !reached.0.contains(item));
        let missed = missed.map(|(item, (what, place))| Missed { aim: item.aim(), what, place });
        Self { figures: figures.to_vec(), missed: missed.collect() }
    }

    pub fn figure(&self, aim: Aim) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.aim == aim)
    }
}

/// Everything that tests can reach, in words.
fn everything(pack: &Pack) -> BTreeMap<Item, (String, Place)> {
    let mut all = BTreeMap::new();
    for (index, script) in pack.scripts.iter().enumerate() {
        for (position, function) in script.functions.iter().enumerate() {
            all.insert(Item::Function(index, position), (function.name.clone(), function.place.clone()));
            function.body.walk(&mut |expr| {
                for way in 0..ways(expr) {
                    all.insert(
                        Item::Branch(index, expr.span, way),
                        (format!("{}: {}", function.name, way_of(expr, way)), place(script, expr)),
                    );
                }
            });
        }
    }
    for (index, table) in pack.tables.iter().enumerate() {
        let rows = table.rows.iter().enumerate();
        all.extend(rows.map(|(row, definition)| (Item::Row(index, row), (table.name.clone(), definition.place.clone()))));
    }
    for gate in &pack.gates {
        all.entry(Item::Reason(gate.reason.to_string())).or_insert_with(|| (gate.reason.to_string(), gate.place.clone()));
    }
    boundaries::all(pack, &mut all);
    all
}

fn place(script: &Script, expr: &Expr) -> Place {
    Place { file: script.file.clone(), span: expr.span }
}

/// One way of an expression, in words.
fn way_of(expr: &Expr, way: usize) -> String {
    match &expr.kind {
        ExprKind::If { condition, .. } => format!("`if {condition}` {}", if way == 0 { "holds" } else { "does not hold" }),
        ExprKind::Switch { subject, cases, .. } => match cases.get(way) {
            Some(case) => format!("`switch {subject}` is {}", case.labels.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")),
            None => format!("`switch {subject}` is something else"),
        },
        ExprKind::Chain { operator, operands } => match (operator, operands.get(way)) {
            (Chain::And, Some(operand)) => format!("`{operand}` is the first that is false"),
            (Chain::And, None) => "all of `&&` hold".to_owned(),
            (Chain::Or, Some(operand)) => format!("`{operand}` is the first that is true"),
            (Chain::Or, None) => "nothing of `||` holds".to_owned(),
            (Chain::Coalesce, operand) => operand.map_or_else(String::new, |operand| format!("`??` takes `{operand}`")),
        },
        _ => String::new(),
    }
}
