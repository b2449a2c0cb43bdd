//! Compiles fact files: with `ast/`, the only place that looks inside Rhai's AST, from which it takes functions and their bodies.
//!
//! The AST is public under Rhai's `internals` feature only and changes between releases, so the version is pinned and
//! nothing else imports these types: everybody else works on [`Function::body`].

mod faults;
mod header;
mod translate;

use std::sync::Arc;

use rhai::{AST, Engine, FnAccess, ParseErrorType, Position};

use super::{
    diagnostic::{Code, Diagnostic, Place, Sink, Span},
    tree::{Expr, Host},
};
use header::Header;
use translate::{Translator, statements};

/// A compiled fact file.
#[derive(Debug)]
pub struct Script {
    pub file: Arc<str>,
    pub ast: AST,
    /// In the order of the text; [`super::tree::ExprKind::Helper`] counts in it.
    pub functions: Vec<Function>,
}

/// A function of a script: a fact, or a private helper.
#[derive(Debug, Clone)]
pub struct Function {
    pub name: String,
    pub params: Vec<Param>,
    pub doc: String,
    pub place: Place,
    pub private: bool,
    pub body: Expr,
    /// How many slots its parameters and `let`s take.
    pub locals: usize,
}

/// A parameter: the fact that it reads, and whether it may be unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// The name in the script, such as `maybe_seller_rating`.
    pub name: String,
    /// The fact, such as `seller_rating`.
    pub fact: String,
    pub maybe: bool,
    pub place: Place,
}

/// Bytes that one script may have: looking through its functions costs more than its length.
const MAX_SCRIPT_BYTES: usize = 64 << 10;
/// Parameters that one function may have.
const MAX_PARAMS: usize = 48;

/// A function as its callers see it.
struct Signature {
    name: String,
    params: Vec<String>,
    private: bool,
}

/// Functions with unknown names that are told of one file; whoever has more of them mends these first.
const MAX_RETRIES: usize = 20;

/// Parses a file. A function with an unknown name is told and left out, so that the others are read too; after any other
/// fault the parser has lost its place.
fn parse(engine: &Engine, text: &str, sink: &Sink, at: &dyn Fn(Position, usize) -> Place) -> Option<AST> {
    let mut rest = text.to_owned();
    for _ in 0..MAX_RETRIES {
        let error = match engine.compile(&rest) {
            Ok(ast) => return Some(ast),
            Err(error) => error,
        };
        let place = at(error.1, 1);
        let line = place.span.line;
        let unknown_name = matches!(*error.0, ParseErrorType::VariableUndefined(_));
        let written = text.lines().nth(line.saturating_sub(1)).unwrap_or_default();
        sink.report(faults::syntax(&error.0.to_string(), place, written, &header::params_before(text, line)));
        rest = header::without_function(&rest, line).filter(|_| unknown_name)?;
    }
    None
}

/// Compiles one file and reports syntax errors, stray statements, calls to unknown functions, and what rules do without.
pub fn compile(engine: &Engine, file: &Arc<str>, text: &str, sink: &Sink) -> Option<Script> {
    let at = |position: Position, length: usize| Place {
        file: file.clone(),
        span: Span { line: position.line().unwrap_or(0), column: position.position().unwrap_or(1).max(1), length },
    };
    if text.len() > MAX_SCRIPT_BYTES {
        let fault = Diagnostic::error(Code::TooLarge, at(Position::NONE, 0), format!("the script is larger than {MAX_SCRIPT_BYTES} bytes"));
        sink.report(fault.with_help("spread its functions over several files"));
        return None;
    }
    let ast = parse(engine, text, sink, &at)?;
    if let Some(statement) = ast.statements().first() {
        let fault = Diagnostic::error(Code::ForbiddenScript, at(statement.position(), 1), "a statement stands outside of any function");
        sink.report(fault.with_help("put it into `fn name_of_the_fact(facts, it, needs) { … }`"));
        return None;
    }
    let mut found: Vec<(Span, Header<'_>, rhai::ScriptFnMetadata<'_>)> = ast
        .iter_functions()
        .map(|meta| {
            let header = Header::find(text, meta.name, meta.params.len());
            (header.name, header, meta)
        })
        .collect();
    found.sort_by_key(|(span, ..)| *span);
    let signatures: Vec<Signature> = found
        .iter()
        .map(|(.., meta)| Signature {
            name: meta.name.to_owned(),
            params: meta.params.iter().map(|&name| name.to_owned()).collect(),
            private: meta.access == FnAccess::Private,
        })
        .collect();
    let functions: Vec<Function> = found
        .iter()
        .map(|(span, header, meta)| {
            let mut single = ast.clone();
            single.retain_functions(|_, _, name, count| name == meta.name && count == meta.params.len());
            let (body, locals) = Translator::new(file, &signatures, sink).function(&meta.params, &statements(&single));
            let place = |span: Span| Place { file: file.clone(), span };
            let param = |name: &&str| Param {
                name: (*name).to_owned(),
                fact: name.strip_prefix("maybe_").unwrap_or(name).to_owned(),
                maybe: name.starts_with("maybe_"),
                place: place(header.param(name)),
            };
            Function {
                name: meta.name.to_owned(),
                params: meta.params.iter().map(param).collect(),
                doc: meta.comments.iter().map(|line| line.trim_start_matches('/').trim()).collect::<Vec<_>>().join(" "),
                place: place(*span),
                private: meta.access == FnAccess::Private,
                body,
                locals,
            }
        })
        .collect();
    for function in &functions {
        report_bad_function(function, sink);
    }
    Some(Script { file: file.clone(), ast, functions })
}

fn report_bad_function(function: &Function, sink: &Sink) {
    if function.params.len() > MAX_PARAMS {
        let message = format!("the function has more than {MAX_PARAMS} parameters");
        sink.report(
            Diagnostic::error(Code::TooLarge, function.place.clone(), message).with_help("compute parts of it as facts of their own"),
        );
    }
    // a fact's own name is looked at when it joins the others
    if function.private && Host::find(&function.name).is_some() {
        let message = format!("\"{}\" is a function at hand, which this one would hide", function.name);
        sink.report(Diagnostic::error(Code::BadValue, function.place.clone(), message).with_help("give the function another name"));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::rules::{
        sandbox::{Limits, engine},
        tree::{ExprKind, Literal},
    };

    fn compiled(text: &str) -> (Option<Script>, Vec<Diagnostic>) {
        let sink = Sink::default();
        let script = compile(&engine(Limits::default()), &"facts/a.rhai".into(), text, &sink);
        (script, sink.finish(|_, _| None).0)
    }

    #[test]
    fn a_function_gives_its_name_parameters_and_doc_with_places() {
        let (script, faults) = compiled(
            "// fn other(x)\n/// What is kept.\nfn net_profit(proceeds,\n    maybe_cost) {\n    proceeds - (maybe_cost ?? 0)\n}\n",
        );
        assert_eq!(faults, []);
        let function = script.unwrap().functions.remove(0);
        assert_eq!((function.name.as_str(), function.doc.as_str()), ("net_profit", "What is kept."));
        assert_eq!((function.place.span.line, function.place.span.column), (3, 4));
        assert_eq!(function.params[1].fact, "cost");
        assert!(function.params[1].maybe && !function.params[0].maybe);
        assert_eq!((function.params[1].place.span.line, function.params[1].place.span.column), (4, 5));
    }

    #[test]
    fn faults_of_a_script_are_located() {
        let cases = [
            ("fn a(x) { x + }", Code::ScriptSyntax),
            ("fn a(x) { y }", Code::UnknownFact),
            ("let x = 1;", Code::ForbiddenScript),
            ("fn a(x) { while true { } }", Code::ForbiddenScript),
            ("fn a(x) { cent(x) }", Code::UnknownFunction),
            ("fn a(x) { b(x) } fn b(x) { x }", Code::UnknownFunction),
        ];
        for (text, code) in cases {
            let (_, faults) = compiled(text);
            assert_eq!(faults.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{text}: {faults:?}");
            assert_eq!(faults[0].place.span.line, 1, "{text}");
        }
    }

    #[test]
    fn a_body_becomes_a_tree_that_reads_like_it() {
        let tree = |text: &str| {
            let (script, faults) = compiled(text);
            assert_eq!(faults, [], "{text}");
            script.unwrap().functions[0].clone()
        };
        for body in [
            "(price - cost) * 2",
            "let half = price / 2; cents(half)",
            "if price > cost { return 0 }; -price",
            "if price > cost { true } else { !known(price) }",
            "price ?? cost ?? ()",
            "(price == \"x\") && true",
            "throw \"no\"",
            "ratio(price, cost, 2)",
        ] {
            assert_eq!(tree(&format!("fn a(price, cost) {{ {body} }}")).body.to_string(), body);
        }
        let switch = tree("fn a(x) { switch x { \"b\" => 1, \"c\" => { 2 } _ => 3 } }").body;
        let ExprKind::Switch { cases, default, .. } = switch.kind else { panic!("{switch:?}") };
        let labels = |texts: &[&str]| texts.iter().map(|text| Literal::Text((*text).into())).collect::<Vec<_>>();
        assert_eq!(cases.iter().map(|case| case.labels.clone()).collect::<Vec<_>>(), [labels(&["b"]), labels(&["c"])]);
        assert_eq!(default.unwrap().to_string(), "3");
    }

    #[test]
    fn each_local_has_a_slot_and_each_operation_stands_at_its_operator() {
        let (script, faults) = compiled("fn a(x, y) {\n    if x { let z = y; z } else { let w = y; w * z(w) }\n}\nprivate fn z(n) { n }");
        assert_eq!(faults, []);
        let function = &script.unwrap().functions[0];
        assert_eq!(function.locals, 4);
        let mut found = Vec::new();
        function.body.walk(&mut |expr| match &expr.kind {
            ExprKind::Let { local, .. } => found.push((local.name.to_string(), local.slot, expr.span.column)),
            ExprKind::Binary { operator, .. } => found.push((operator.as_str().to_owned(), 0, expr.span.column)),
            ExprKind::Helper { name, function, .. } => found.push((name.to_string(), *function, expr.span.column)),
            _ => {}
        });
        let of = |name: &str, number, column| (name.to_owned(), number, column);
        assert_eq!(found, [of("z", 2, 12), of("w", 3, 34), of("*", 0, 47), of("z", 1, 49)]);
    }

    #[test]
    fn what_rules_do_without_is_refused_where_it_stands() {
        for body in [
            "x = 1",
            "[1]",
            "#{ a: 1 }",
            "x.cents()",
            "x[0]",
            "`${x}`",
            "'c'",
            "switch x { 1..3 => 1, _ => 2 }",
            "switch x { 1 if x > 1 => 1, _ => 2 }",
        ] {
            let (_, faults) = compiled(&format!("fn a(x) {{\n    {body}\n}}"));
            assert_eq!(
                faults.iter().map(|fault| (fault.code, fault.place.span.line)).collect::<Vec<_>>(),
                [(Code::ForbiddenScript, 2)],
                "{body}"
            );
        }
    }

    #[test]
    fn every_function_with_an_unknown_name_is_told_and_the_others_are_read() {
        let (script, faults) = compiled(
            "/// A.\nfn a(x) {\n    y\n}\n\n/// B.\nfn b(x) { cent(x) }\nfn c(x) { z }\nfn d(x) { x }\n/// E.\n/// At length.\nfn e(x) { v }\n",
        );
        let told: Vec<_> = faults.iter().map(|fault| (fault.code, fault.place.span.line)).collect();
        assert_eq!(told, [(Code::UnknownFact, 3), (Code::UnknownFunction, 7), (Code::UnknownFact, 8), (Code::UnknownFact, 12)]);
        assert_eq!(script.unwrap().functions.iter().map(|function| function.name.as_str()).collect::<Vec<_>>(), ["b", "d"]);
    }

    #[test]
    fn what_is_right_in_another_notation_is_told_how_it_is_written_here() {
        for (body, help) in [
            ("x and y", "\"and\" is written `&&`"),
            ("x or y", "\"or\" is written `||`"),
            ("not x && y", "\"not\" is written `!`"),
            ("not(x) && y", "\"not\" is written `!`"),
            ("x =< y", "\"at most\" is written `<=`"),
            ("x * 0,5", "a decimal is written with a dot, such as 0.5"),
            ("x == 'abc'", "a text stands in double quotes"),
            ("if x { True } else { y }", "write `true`"),
            ("profit.share", "`profit_share`"),
            ("total = x; y", "write `let total = …;`"),
            ("x == nm", "a text stands in double quotes"),
            ("spread() * y", "take it as a parameter"),
        ] {
            let (_, faults) = compiled(&format!("/// A.\nfn a(x, y) {{ {body} }}\n"));
            assert_eq!(faults.len(), 1, "{body}: {faults:?}");
            assert!(faults[0].help.as_deref().unwrap().contains(help), "{body}: {faults:?}");
        }
    }

    #[test]
    fn a_wrong_number_of_arguments_is_told() {
        let (_, faults) = compiled("fn a(x) { cents(x, 2) + half() } private fn half(n) { n }");
        let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        assert_eq!(messages, ["\"cents\" takes 1 argument, not 2", "\"half\" takes 1 argument, not 0"]);
    }
}
