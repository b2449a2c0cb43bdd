//! The one constructor of the script engine: every limit set, exact arithmetic, no way out.
//!
//! Rhai's own operators compare unlike types as `false`, divide whole numbers by truncation and fall back silently;
//! here every operator is ours, so that a mistake is an error with a position.

use chrono::NaiveDate;
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, OptimizationLevel, Position};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::domain::money::round_half_up;

/// What one rule may cost. Verdicts depend on operations only, never on wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub operations: u64,
    pub call_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { operations: 20_000, call_depth: 16 }
    }
}

/// Limits that no pack may exceed. Calls within each other, each as deep as an expression may be, must fit the stack of
/// a worker thread; half as many again still do.
pub const HIGHEST: Limits = Limits { operations: 1_000_000, call_depth: 16 };

/// Words that rules do without: code from text, modules, output, loops by another name, and assignments whose built-in
/// forms would bypass our operators.
const DISABLED: &[&str] = &[
    "eval", "import", "export", "print", "debug", "type_of", "Fn", "call", "curry", "this", "try", "catch", "while", "loop", "do", "for",
    "+=", "-=", "*=", "/=", "%=", "**=", "**", "<<", ">>", "<<=", ">>=", "&", "|", "^", "&=", "|=", "^=", "in", "!in",
];

/// The functions that rules may call, beside operators and private functions of their own file: name, parameters, doc.
pub const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("cents", "x", "rounds to two places, halves away from zero"),
    ("round_half_up", "x, places", "rounds to that many places, halves away from zero"),
    ("ratio", "a, b, places", "a / b rounded to that many places"),
    ("min", "a, b", "the smaller"),
    ("max", "a, b", "the larger"),
    ("abs", "x", "without its sign"),
    ("floor", "x", "the whole number at or below"),
    ("known", "maybe_x", "whether the fact is known"),
    ("days_between", "from, to", "whole days, negative if `to` is earlier"),
];

type Outcome<T> = Result<T, Box<EvalAltResult>>;

fn fault<T>(message: impl Into<String>) -> Outcome<T> {
    Err(Box::new(EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE)))
}

/// Builds the engine that rules are compiled and run with.
pub fn engine(limits: Limits) -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_max_operations(limits.operations.min(HIGHEST.operations))
        .set_max_call_levels(limits.call_depth.min(HIGHEST.call_depth))
        .set_max_expr_depths(48, 48)
        .set_max_variables(64)
        .set_max_functions(256)
        .set_max_modules(0)
        .set_max_string_size(1_024)
        .set_max_array_size(64)
        .set_max_map_size(64)
        .set_max_strings_interned(1_024)
        .set_strict_variables(true)
        .set_fast_operators(false)
        .set_allow_looping(false)
        .set_allow_anonymous_fn(false)
        .set_allow_shadowing(false)
        .set_fail_on_invalid_map_property(true);
    for word in DISABLED {
        engine.disable_symbol(*word);
    }
    register_numbers(&mut engine);
    register_comparisons(&mut engine);
    register_functions(&mut engine);
    engine
}

/// A number as scripts see it: whole or decimal.
trait Number: Copy + Send + Sync + 'static {
    fn decimal(self) -> Decimal;
}

impl Number for Decimal {
    fn decimal(self) -> Decimal {
        self
    }
}

impl Number for i64 {
    fn decimal(self) -> Decimal {
        Decimal::from(self)
    }
}

fn checked(result: Option<Decimal>, what: &str) -> Outcome<Decimal> {
    result.map_or_else(|| fault(format!("{what} is too large for a decimal")), Ok)
}

fn divide(dividend: Decimal, divisor: Decimal) -> Outcome<Decimal> {
    if divisor.is_zero() {
        return fault("division by zero");
    }
    checked(dividend.checked_div(divisor).map(|quotient| quotient.normalize()), "the quotient")
}

/// Registers `name` for every pairing of whole and decimal numbers, and refuses anything else.
fn on_numbers<R: Clone + Send + Sync + 'static>(
    engine: &mut Engine,
    name: &'static str,
    apply: fn(Decimal, Decimal) -> Outcome<R>,
    whole: bool,
) {
    fn pair<A: Number, B: Number, R>(apply: fn(Decimal, Decimal) -> Outcome<R>) -> impl Fn(A, B) -> Outcome<R> {
        move |left, right| apply(left.decimal(), right.decimal())
    }
    engine
        .register_fn(name, pair::<Decimal, Decimal, R>(apply))
        .register_fn(name, pair::<i64, Decimal, R>(apply))
        .register_fn(name, pair::<Decimal, i64, R>(apply));
    if whole {
        engine.register_fn(name, pair::<i64, i64, R>(apply));
    }
    engine.register_fn(name, move |left: Dynamic, right: Dynamic| -> Outcome<Dynamic> { fault(unlike(name, &left, &right)) });
}

fn unlike(name: &str, left: &Dynamic, right: &Dynamic) -> String {
    format!("\"{name}\" cannot take {} and {}", type_name(left), type_name(right))
}

fn type_name(value: &Dynamic) -> &'static str {
    match value.type_name() {
        "()" => "an unknown value",
        "i64" => "a whole number",
        "decimal" => "a decimal",
        "string" => "a text",
        "bool" => "a boolean",
        name if name.contains("NaiveDate") => "a date",
        other => other,
    }
}

fn register_numbers(engine: &mut Engine) {
    fn whole(engine: &mut Engine, name: &'static str, apply: fn(i64, i64) -> Option<i64>) {
        engine.register_fn(name, move |left: i64, right: i64| -> Outcome<i64> {
            apply(left, right).map_or_else(|| fault("the result is too large for a whole number"), Ok)
        });
    }
    on_numbers(engine, "+", |left, right| checked(left.checked_add(right), "the sum"), false);
    on_numbers(engine, "-", |left, right| checked(left.checked_sub(right), "the difference"), false);
    on_numbers(engine, "*", |left, right| checked(left.checked_mul(right), "the product"), false);
    on_numbers(engine, "/", divide, true);
    on_numbers(
        engine,
        "%",
        |left, right| if right.is_zero() { fault("division by zero") } else { checked(left.checked_rem(right), "the remainder") },
        true,
    );
    whole(engine, "+", i64::checked_add);
    whole(engine, "-", i64::checked_sub);
    whole(engine, "*", i64::checked_mul);
    on_numbers(engine, "min", |left, right| Ok(left.min(right)), false);
    on_numbers(engine, "max", |left, right| Ok(left.max(right)), false);
    whole(engine, "min", |left, right| Some(left.min(right)));
    whole(engine, "max", |left, right| Some(left.max(right)));
    engine
        .register_fn("-", |number: Decimal| -number)
        .register_fn("-", |number: i64| -> Outcome<i64> {
            number.checked_neg().map_or_else(|| fault("the result is too large for a whole number"), Ok)
        })
        .register_fn("!", |truth: bool| !truth)
        .register_fn("abs", |number: Decimal| number.abs())
        .register_fn("abs", |number: i64| -> Outcome<i64> {
            number.checked_abs().map_or_else(|| fault("the result is too large for a whole number"), Ok)
        })
        .register_fn("floor", |number: Decimal| number.round_dp_with_strategy(0, RoundingStrategy::ToNegativeInfinity))
        .register_fn("floor", |number: i64| number);
}

fn register_comparisons(engine: &mut Engine) {
    on_numbers(engine, "<", |left, right| Ok(left < right), true);
    on_numbers(engine, "<=", |left, right| Ok(left <= right), true);
    on_numbers(engine, ">", |left, right| Ok(left > right), true);
    on_numbers(engine, ">=", |left, right| Ok(left >= right), true);
    on_numbers(engine, "==", |left, right| Ok(left == right), true);
    on_numbers(engine, "!=", |left, right| Ok(left != right), true);
    engine
        .register_fn("==", |left: ImmutableString, right: ImmutableString| left == right)
        .register_fn("!=", |left: ImmutableString, right: ImmutableString| left != right)
        .register_fn("==", |left: bool, right: bool| left == right)
        .register_fn("!=", |left: bool, right: bool| left != right);
}

fn places_of(places: i64) -> Outcome<u32> {
    match u32::try_from(places) {
        Ok(places) if places <= 20 => Ok(places),
        _ => fault(format!("{places} is no count of decimal places: use 0 to 20")),
    }
}

fn ratio<A: Number, B: Number>(left: A, right: B, places: i64) -> Outcome<Decimal> {
    Ok(round_half_up(divide(left.decimal(), right.decimal())?, places_of(places)?))
}

fn register_functions(engine: &mut Engine) {
    engine
        .register_fn("round_half_up", |number: Decimal, places: i64| -> Outcome<Decimal> { Ok(round_half_up(number, places_of(places)?)) })
        .register_fn("round_half_up", |number: i64, places: i64| -> Outcome<Decimal> { places_of(places).map(|_| Decimal::from(number)) });
    engine
        .register_fn("cents", |number: Decimal| round_half_up(number, 2))
        .register_fn("cents", |number: i64| Decimal::from(number))
        .register_fn("known", |value: Dynamic| !value.is_unit())
        .register_fn("days_between", |from: NaiveDate, to: NaiveDate| (to - from).num_days());
    engine
        .register_fn("ratio", ratio::<Decimal, Decimal>)
        .register_fn("ratio", ratio::<Decimal, i64>)
        .register_fn("ratio", ratio::<i64, Decimal>)
        .register_fn("ratio", ratio::<i64, i64>);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use rhai::{CallFnOptions, Scope};

    use super::*;

    fn run(script: &str) -> Result<Dynamic, String> {
        let engine = engine(Limits::default());
        let ast = engine.compile(format!("fn f(nothing) {{ {script} }}")).map_err(|error| error.to_string())?;
        let options = CallFnOptions::new().eval_ast(false);
        engine.call_fn_with_options::<Dynamic>(options, &mut Scope::new(), &ast, "f", (Dynamic::UNIT,)).map_err(|error| error.to_string())
    }

    fn decimal(script: &str) -> String {
        run(script).unwrap().as_decimal().unwrap().to_string()
    }

    #[test]
    fn arithmetic_is_exact() {
        assert_eq!(decimal("0.1 + 0.2"), "0.3");
        assert_eq!(decimal("7 / 2"), "3.5");
        assert_eq!(decimal("cents(1.005)"), "1.01");
        assert_eq!(decimal("cents(-1.375)"), "-1.38");
        assert_eq!(decimal("ratio(1, 3, 4)"), "0.3333");
        assert_eq!(run("2 + 3").unwrap().as_int().unwrap(), 5);
        assert_eq!(decimal("-(1.5)"), "-1.5");
        assert_eq!(decimal("min(2, 1.5)"), "1.5");
    }

    #[test]
    fn comparing_unlike_types_is_an_error_and_never_false() {
        for script in
            ["nothing < 1", "nothing == 1", "\"10\" > 9.0", "true == 1", "nothing == nothing", "1 != \"1\"", "1 + \"a\"", "nothing + 1"]
        {
            assert!(run(script).is_err(), "{script}");
        }
        assert!(run("1 == 1.0").unwrap().as_bool().unwrap());
        assert!(run("\"a\" == \"a\"").unwrap().as_bool().unwrap());
    }

    #[test]
    fn what_rules_do_without_does_not_compile_or_run() {
        for script in [
            "eval(\"1\")",
            "import \"x\" as y; 1",
            "print(1); 1",
            "loop { }",
            "while true { }",
            "for x in 0..9 { }",
            "do { } while true",
            "let f = |x| x; 1",
            "let x = 1; x += 1; x",
            "let x = 7; x /= 2; x",
            "sleep(1)",
            "timestamp()",
            "2 ** 9",
            "1 << 4",
            "Fn(\"f\")",
            "this",
            "\"a\" + \"b\"",
            "[1] + [2]",
            "type_of(1)",
            "try { 1 } catch { 2 }",
        ] {
            assert!(run(script).is_err(), "{script}");
        }
    }

    #[test]
    fn every_limit_holds() {
        assert!(run("f(nothing)").unwrap_err().contains("tack overflow"), "recursion");
        assert!(run(&format!("\"{}\"", "a".repeat(5_000))).is_err(), "text");
        assert!(run(&format!("{}1{}", "(".repeat(200), ")".repeat(200))).is_err(), "depth");
        let sum = vec!["1"; 40].join(" + ");
        let many = (0..60).map(|index| format!("let v{index} = {sum};")).collect::<Vec<_>>().join(" ");
        let engine = engine(Limits { operations: 50, call_depth: 8 });
        let ast = engine.compile(format!("fn f() {{ {many} 1 }}")).unwrap();
        let error = engine.call_fn::<Dynamic>(&mut Scope::new(), &ast, "f", ()).unwrap_err();
        assert!(matches!(*error, EvalAltResult::ErrorTooManyOperations(_)), "{error}");
    }

    #[test]
    fn a_product_that_overflows_is_an_error() {
        assert!(run("79228162514264337593543950335.0 * 10.0").is_err());
        assert!(run("9223372036854775807 * 2").is_err());
        assert!(run("1 / 0").is_err());
    }
}
