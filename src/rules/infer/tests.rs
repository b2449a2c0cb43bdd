//! What is inferred of small formulas, and what they are blamed for.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use super::*;
use crate::rules::{
    ast,
    diagnostic::Code,
    sandbox::{Limits, engine},
};

/// The shape of the first fact, whose parameters have the shapes that their names say; and the faults.
fn infer(text: &str) -> (Shape, Vec<(Code, usize, String)>) {
    let sink = Sink::default();
    let script = ast::compile(&engine(Limits::default()), &"facts/a.rhai".into(), text, &sink).unwrap();
    let index = script.functions.iter().position(|function| !function.private).unwrap();
    let of = |name: &str| {
        let money = |unit: &str| Shape { unit: Quantity::Is(unit.parse().unwrap()), ..Shape::of_type(Type::Decimal) };
        match name {
            "buy" | "sell" | "home" | "hours" | "ratio" => money(name),
            "days" => Shape { unit: Quantity::Is(Unit::DAYS), ..Shape::of_type(Type::Integer) },
            "rate" => money("home/buy"),
            "count" => Shape { unit: Quantity::Is(Unit::NONE), ..Shape::of_type(Type::Integer) },
            "truth" => Shape::of_type(Type::Bool),
            "text" => Shape::of_type(Type::Text),
            "date" | "day" => Shape::of_type(Type::Date),
            "zone" => Shape { possible: Some(["EU", "US"].map(|zone| Literal::Text(zone.into())).into()), ..Shape::of_type(Type::Text) },
            _ => Shape::untold(),
        }
    };
    let params = script.functions[index].params.iter().map(|param| of(&param.fact)).collect();
    let shape = function(&script, index, params, &sink);
    (shape, sink.finish(|_, _| None).0.into_iter().map(|fault| (fault.code, fault.place.span.column, fault.message)).collect())
}

fn sound(text: &str) -> Shape {
    let (shape, faults) = infer(text);
    assert_eq!(faults, [], "{text}");
    shape
}

fn unit(text: &str) -> String {
    match sound(text).unit {
        Quantity::Is(unit) => unit.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn units_multiply_divide_and_pass_through_functions() {
    assert_eq!(unit("fn a(buy, rate) { cents(buy * rate) }"), "home");
    assert_eq!(unit("fn a(home, buy) { home / buy }"), "home/buy");
    assert_eq!(unit("fn a(home) { ratio(home * 100, home, 2) }"), "ratio");
    assert_eq!(unit("fn a(home, count) { let half = home / count; min(half, home) - 0 }"), "home");
    assert_eq!(unit("fn a(date, day) { days_between(date, day) }"), "days");
    assert_eq!(unit("fn a(home, truth) { if truth { 0 } else { home } }"), "home");
    assert_eq!(unit("fn a(maybe_home, home) { maybe_home ?? home }"), "home");
    assert_eq!(unit("fn a(buy, text) { switch text { \"x\" => buy, _ => () } }"), "buy");
    assert_eq!(unit("fn a(buy, rate) { part(buy, 1 + 1) * rate } private fn part(whole, n) { whole / n }"), "home");
    assert_eq!(unit("fn a(home, truth) { if truth { return home; } 0 }"), "home");
}

#[test]
fn figures_of_different_units_are_told_at_the_operator() {
    for (text, column, message) in [
        ("fn a(buy, sell) { buy + sell }", 23, "`+` needs the same unit on both sides: `buy` is in buy money, `sell` is in sell money"),
        ("fn a(days, hours) { days < hours }", 26, "`<` needs the same unit on both sides: `days` is in days, `hours` is in hours"),
        ("fn a(home) { home > 5 }", 19, "`>` needs the same unit on both sides: `home` is in home money, `5` is a plain number"),
        (
            "fn a(buy, rate, sell) { max(buy * rate, sell) }",
            25,
            "`max` needs the same unit on both sides: `buy * rate` is in home money, `sell` is in sell money",
        ),
        (
            "fn a(buy, home, truth) { if truth { buy } else { home } }",
            26,
            "the branches have different units: in buy money and in home money",
        ),
        (
            "fn a(buy, home, truth) { if truth { return buy; } home }",
            51,
            "the results have different units: in buy money and in home money",
        ),
        ("fn a(maybe_buy, home) { maybe_buy ?? home }", 35, "the sides of `??` have different units: in buy money and in home money"),
        (
            "fn a(buy, home) { sum(buy, home) } private fn sum(x, y) { x + y }",
            61,
            "`+` needs the same unit on both sides: `x` is in buy money, `y` is in home money",
        ),
    ] {
        assert_eq!(infer(text).1, [(Code::UnitMismatch, column, message.to_owned())], "{text}");
    }
}

#[test]
fn zero_fits_all_and_what_is_not_told_is_silent() {
    for text in [
        "fn a(buy) { buy > 0 }",
        "fn a(buy) { max(0, buy) - 0.00 }",
        "fn a(elsewhere, buy) { elsewhere + buy > 0 }",
        "fn a(elsewhere, text) { elsewhere == text }",
        "fn a(count, ratio) { count * ratio + 1 }",
        "fn a(truth) { if truth { throw \"no\" } 0 }",
    ] {
        sound(text);
    }
}

#[test]
fn operations_on_values_that_they_cannot_take_are_told() {
    for (text, column, message) in [
        ("fn a(text, home) { text < home }", 25, "`<` needs numbers, but `text` is a text"),
        ("fn a(text, home) { text == home }", 25, "`text` is a text and `home` a decimal: `==` can't compare them"),
        ("fn a(home) { !home }", 14, "`!` needs true or false, but `home` is a decimal"),
        ("fn a(home, truth) { truth && home }", 27, "`&&` needs true or false, but `home` is a decimal"),
        ("fn a(home) { if home { 1 } else { 2 } }", 14, "`if` needs true or false, but `home` is a decimal"),
        ("fn a(date, day) { date == day }", 24, "`==` does not compare dates"),
        ("fn a(home, day) { days_between(home, day) }", 19, "`days_between` needs dates, but `home` is a decimal"),
        ("fn a(home, truth) { if truth { home } else { \"x\" } }", 21, "the branches are of different types: decimal and text"),
        ("fn a(home) { switch home { 1 => 1, _ => 2 } }", 21, "`home` is a decimal, which is never the integer 1"),
        ("fn a(home) { 0 < home < home }", 23, "`<` needs numbers, but `0 < home` is a boolean"),
        ("fn a(maybe_home) { maybe_home == () }", 31, "`==` can't take `()`"),
        ("fn a(home) { home + () }", 19, "`+` can't take `()`"),
    ] {
        assert_eq!(infer(text).1, [(Code::TypeMismatch, column, message.to_owned())], "{text}");
    }
}

#[test]
fn a_text_that_a_fact_never_is_is_told() {
    let faults = infer("fn a(zone) { zone == \"EUU\" }").1;
    assert_eq!(faults, [(Code::BadValue, 22, "`zone` is never \"EUU\"".to_owned())]);
    let faults = infer("fn a(zone) { switch zone { \"EU\" => 1, \"UK\" => 2, _ => 0 } }").1;
    assert_eq!(faults[0].2, "`zone` is never \"UK\"");
    assert_eq!(sound("fn a(truth) { if truth { \"x\" } else { \"y\" } }").possible.unwrap().len(), 2);
}

#[test]
fn what_is_always_false_is_seen() {
    let possible = |text: &str| sound(text).possible.unwrap().into_iter().collect::<Vec<_>>();
    assert_eq!(possible("fn a(truth) { truth && false }"), [Literal::Bool(false)]);
    assert_eq!(possible("fn a(truth) { !(truth || true) }"), [Literal::Bool(false)]);
    assert_eq!(possible("fn a(truth) { if truth { false } else { () } }"), [Literal::Bool(false)]);
    assert_eq!(possible("fn a(truth) { !truth }").len(), 2);
}

#[test]
fn types_are_seen_through_branches_and_helpers() {
    let types = |text: &str| sound(text).types.only();
    assert_eq!(types("fn a(home) { home < 0 }"), Some(Type::Bool));
    assert_eq!(types("fn a(home) { let x = home * 2; x }"), Some(Type::Decimal));
    assert_eq!(types("fn a(count) { if count > 1 { return count; } twice(1) } private fn twice(n) { n * 2 }"), Some(Type::Integer));
    assert_eq!(types("fn a(text) { switch text { \"x\" => 1, _ => 0.5 } }"), Some(Type::Decimal));
}

#[test]
fn helpers_that_call_each_other_without_end_are_not_followed_without_end() {
    let calls = ["f(n)"; 20].join(" + ");
    let (shape, faults) = infer(&format!("fn a(home) {{ f(home) }} private fn f(n) {{ {calls} }}"));
    assert_eq!((shape.unit, faults.len()), (Quantity::Untold, 0));
}
