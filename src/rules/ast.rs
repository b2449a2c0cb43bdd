//! The only file that looks inside Rhai's AST: it turns a script into functions with parameters, calls and result types.
//!
//! The AST is public under Rhai's `internals` feature only and changes between releases, so the version is pinned and
//! nothing else imports these types.

use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use rhai::{AST, ASTFlags, ASTNode, Engine, Expr, FnAccess, FnCallExpr, Position, Stmt};

use super::{
    diagnostic::{Code, Diagnostic, Place, Sink, Span, nearest},
    sandbox::FUNCTIONS,
    value::Type,
};

/// A compiled fact file.
#[derive(Debug)]
pub struct Script {
    pub file: Arc<str>,
    pub ast: AST,
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
    body: Vec<Stmt>,
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

/// Compiles one file and reports syntax errors, stray statements and calls to unknown functions.
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
    let ast = match engine.compile(text) {
        Ok(ast) => ast,
        Err(error) => {
            let (message, position) = (error.0.to_string(), error.1);
            sink.report(syntax_fault(&message, at(position, 1)));
            return None;
        }
    };
    if let Some(statement) = ast.statements().first() {
        let fault = Diagnostic::error(Code::ForbiddenScript, at(statement.position(), 1), "a statement stands outside of any function");
        sink.report(fault.with_help("put it into `fn name_of_the_fact(facts, it, needs) { … }`"));
        return None;
    }
    let mut functions: Vec<Function> = ast
        .iter_functions()
        .map(|meta| {
            let mut single = ast.clone();
            single.retain_functions(|_, _, name, count| name == meta.name && count == meta.params.len());
            let header = Header::find(text, meta.name);
            let place = |span: Span| Place { file: file.clone(), span };
            Function {
                name: meta.name.to_owned(),
                params: meta
                    .params
                    .iter()
                    .map(|name| Param {
                        name: (*name).to_owned(),
                        fact: name.strip_prefix("maybe_").unwrap_or(name).to_owned(),
                        maybe: name.starts_with("maybe_"),
                        place: place(header.param(name)),
                    })
                    .collect(),
                doc: meta.comments.iter().map(|line| line.trim_start_matches('/').trim()).collect::<Vec<_>>().join(" "),
                place: place(header.name),
                private: meta.access == FnAccess::Private,
                body: body(&single),
            }
        })
        .collect();
    for function in &functions {
        report_bad_function(function, sink);
    }
    functions.sort_by(|left, right| left.place.cmp(&right.place));
    let script = Script { file: file.clone(), ast, functions };
    report_unknown_calls(&script, sink);
    Some(script)
}

fn report_bad_function(function: &Function, sink: &Sink) {
    if function.params.len() > MAX_PARAMS {
        let message = format!("the function has more than {MAX_PARAMS} parameters");
        sink.report(
            Diagnostic::error(Code::TooLarge, function.place.clone(), message).with_help("compute parts of it as facts of their own"),
        );
    }
    // a fact's own name is looked at when it joins the others
    if function.private && FUNCTIONS.iter().any(|(name, ..)| *name == function.name) {
        let message = format!("\"{}\" is a function at hand, which this one would hide", function.name);
        sink.report(Diagnostic::error(Code::BadValue, function.place.clone(), message).with_help("give the function another name"));
    }
}

/// Says in the words of rules what the parser says in its own.
fn syntax_fault(message: &str, place: Place) -> Diagnostic {
    let reserved = message.contains("reserved keyword") || message.contains("is a reserved") || message.contains("disabled");
    if reserved || message.contains("not allowed") {
        return Diagnostic::error(Code::ForbiddenScript, place, format!("rules do without this: {}", lower_first(message)))
            .with_help("see rules/README.md for what a rule may use");
    }
    if let Some(name) = message.strip_prefix("Undefined variable: ") {
        return Diagnostic::error(Code::UnknownFact, place, format!("\"{name}\" is neither a parameter nor a local of this function"))
            .with_help(format!("add `{name}` to the function's parameters if it is a fact"));
    }
    Diagnostic::error(Code::ScriptSyntax, place, lower_first(message))
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// Where a function's name and parameters stand in the text; the AST keeps neither.
struct Header<'a> {
    name: Span,
    text: &'a str,
    /// Byte range of the parameter list.
    params: std::ops::Range<usize>,
}

impl<'a> Header<'a> {
    fn find(text: &'a str, name: &str) -> Self {
        let nowhere = Self { name: Span::default(), text, params: 0..0 };
        for (start, _) in text.match_indices(name) {
            let before = text[..start].trim_end();
            let after = &text[start + name.len()..];
            let spaces = after.len() - after.trim_start().len();
            // asked last: it looks through the whole line
            let in_comment = || text[..start].rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with("//"));
            if before.ends_with("fn") && before.len() < start && after.trim_start().starts_with('(') && !in_comment() {
                let open = start + name.len() + spaces;
                let close = text[open..].find(')').map_or(text.len(), |length| open + length);
                return Self { name: span_of(text, start, name.chars().count()), text, params: open..close };
            }
        }
        nowhere
    }

    fn param(&self, name: &str) -> Span {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let list = &self.text[self.params.clone()];
        list.match_indices(name)
            .find(|(start, _)| {
                !list[..*start].chars().next_back().is_some_and(is_word) && !list[start + name.len()..].chars().next().is_some_and(is_word)
            })
            .map_or(self.name, |(start, _)| span_of(self.text, self.params.start + start, name.chars().count()))
    }
}

fn span_of(text: &str, start: usize, length: usize) -> Span {
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Span { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1, length }
}

/// The statements of the AST's only function; `walk` is the one public way to a body.
fn body(single: &AST) -> Vec<Stmt> {
    let mut statements = Vec::new();
    single.walk(&mut |path: &[ASTNode<'_>]| {
        if let [ASTNode::Stmt(statement)] = path {
            statements.push((*statement).clone());
        }
        true
    });
    statements
}

fn report_unknown_calls(script: &Script, sink: &Sink) {
    let private: Vec<&str> = script.functions.iter().filter(|function| function.private).map(|function| function.name.as_str()).collect();
    script.ast.walk(&mut |path: &[ASTNode<'_>]| {
        let (call, position) = match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(call, position) | Expr::MethodCall(call, position))
                | ASTNode::Stmt(Stmt::FnCall(call, position)),
            ) => (call, *position),
            _ => return true,
        };
        let name = call.name.as_str();
        let known = call.op_token.is_some() || private.contains(&name) || FUNCTIONS.iter().any(|(function, ..)| *function == name);
        if !known {
            let span = Span { line: position.line().unwrap_or(0), column: position.position().unwrap_or(1), length: name.chars().count() };
            let place = Place { file: script.file.clone(), span };
            let is_fact = script.functions.iter().any(|function| function.name == name);
            let message =
                if is_fact { format!("a fact does not call another fact, \"{name}\"") } else { format!("there is no function \"{name}\"") };
            let names = FUNCTIONS.iter().map(|(function, ..)| *function).chain(private.iter().copied());
            let help = match (is_fact, nearest(name, names)) {
                (true, _) => format!("take `{name}` as a parameter, so that the graph shows the edge"),
                (false, Some(near)) => format!("did you mean `{near}`?"),
                (false, None) => format!("at hand are {}", FUNCTIONS.iter().map(|(function, ..)| *function).collect::<Vec<_>>().join(", ")),
            };
            sink.report(Diagnostic::error(Code::UnknownFunction, place, message).with_help(help));
        }
        true
    });
}

/// The types that a function's result can be seen to have; a branch that cannot be told adds none.
pub fn result_types(script: &Script, function: &Function, type_of: &dyn Fn(&str) -> Option<Type>) -> Vec<Type> {
    let locals = function.params.iter().filter_map(|param| Some((param.name.clone(), type_of(&param.fact)?))).collect();
    let budget = Cell::new(MAX_STEPS);
    let mut inference = Inference { script, locals, returned: Vec::new(), depth: 0, budget: &budget };
    let mut types = inference.statements(&function.body);
    types.append(&mut inference.returned);
    types.sort_unstable_by_key(|found| found.as_str());
    types.dedup();
    types
}

/// Calls of helpers are followed this deep.
const MAX_HELPER_DEPTH: usize = 8;
/// Statements and expressions looked at for one function: helpers that call each other many times multiply them.
const MAX_STEPS: usize = 20_000;

struct Inference<'a> {
    script: &'a Script,
    locals: BTreeMap<String, Type>,
    returned: Vec<Type>,
    depth: usize,
    budget: &'a Cell<usize>,
}

impl Inference<'_> {
    fn statements(&mut self, statements: &[Stmt]) -> Vec<Type> {
        let mut last = Vec::new();
        for statement in statements {
            last = self.statement(statement);
        }
        last
    }

    /// Whether there is a step left; none left means that no type can be told.
    fn step(&self) -> bool {
        self.budget.get().checked_sub(1).inspect(|left| self.budget.set(*left)).is_some()
    }

    fn statement(&mut self, statement: &Stmt) -> Vec<Type> {
        if !self.step() {
            return Vec::new();
        }
        match statement {
            Stmt::Expr(expr) => self.expr(expr),
            Stmt::FnCall(call, _) => self.call(call),
            Stmt::Block(block) => self.statements(block.statements()),
            Stmt::If(flow, _) => {
                let mut types = self.statements(flow.body.statements());
                types.extend(self.statements(flow.branch.statements()));
                types
            }
            Stmt::Switch(switch, _) => switch.1.expressions.iter().flat_map(|case| self.expr(&case.rhs)).collect(),
            Stmt::Var(definition, ..) => {
                if let [only] = self.expr(&definition.1)[..] {
                    self.locals.insert(definition.0.name.to_string(), only);
                }
                Vec::new()
            }
            Stmt::Return(Some(expr), flags, _) if !flags.contains(ASTFlags::BREAK) => {
                let mut types = self.expr(expr);
                self.returned.append(&mut types);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn expr(&mut self, expr: &Expr) -> Vec<Type> {
        if !self.step() {
            return Vec::new();
        }
        match expr {
            Expr::BoolConstant(..) | Expr::And(..) | Expr::Or(..) => vec![Type::Bool],
            Expr::IntegerConstant(..) => vec![Type::Integer],
            Expr::StringConstant(..) | Expr::InterpolatedString(..) => vec![Type::Text],
            Expr::DynamicConstant(value, _) if value.is_decimal() => vec![Type::Decimal],
            Expr::Variable(variable, ..) => self.locals.get(variable.1.as_str()).copied().into_iter().collect(),
            Expr::Coalesce(parts, _) => {
                let mut types: Vec<Type> = parts.iter().flat_map(|part| self.expr(part)).collect();
                types.sort_unstable_by_key(|found| found.as_str());
                types.dedup();
                types
            }
            Expr::Stmt(block) => self.statements(block.statements()),
            Expr::FnCall(call, _) => self.call(call),
            _ => Vec::new(),
        }
    }

    fn call(&mut self, call: &FnCallExpr) -> Vec<Type> {
        match call.name.as_str() {
            "==" | "!=" | "<" | "<=" | ">" | ">=" | "!" | "known" => vec![Type::Bool],
            "/" | "cents" | "ratio" | "round_half_up" => vec![Type::Decimal],
            "days_between" => vec![Type::Integer],
            "+" | "-" | "*" | "%" | "min" | "max" | "abs" | "floor" => {
                let operands: Vec<Vec<Type>> = call.args.iter().map(|arg| self.expr(arg)).collect();
                if operands.iter().any(|types| types.contains(&Type::Decimal)) {
                    vec![Type::Decimal]
                } else if operands.iter().all(|types| types[..] == [Type::Integer]) {
                    vec![Type::Integer]
                } else {
                    Vec::new()
                }
            }
            name => self.helper(name, call),
        }
    }

    fn helper(&mut self, name: &str, call: &FnCallExpr) -> Vec<Type> {
        let script = self.script;
        let Some(function) = script.functions.iter().find(|function| function.private && function.name == name) else { return Vec::new() };
        if self.depth >= MAX_HELPER_DEPTH {
            return Vec::new();
        }
        let arguments = call.args.iter().map(|arg| self.expr(arg));
        let locals = function
            .params
            .iter()
            .zip(arguments.collect::<Vec<_>>())
            .filter_map(|(param, types)| Some((param.name.clone(), (types.len() == 1).then(|| types[0])?)))
            .collect();
        let mut inner = Inference { script, locals, returned: Vec::new(), depth: self.depth + 1, budget: self.budget };
        let mut types = inner.statements(&function.body);
        types.append(&mut inner.returned);
        types
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;
    use crate::rules::sandbox::{Limits, engine};

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
    fn result_types_are_seen_through_branches_and_helpers() {
        let types = |text: &str| {
            let (script, faults) = compiled(text);
            assert_eq!(faults, [], "{text}");
            let script = script.unwrap();
            let function = script.functions.iter().find(|function| !function.private).unwrap();
            result_types(&script, function, &|name| (name == "price").then_some(Type::Decimal))
        };
        assert_eq!(types("fn a(price) { price < 1 }"), [Type::Bool]);
        assert_eq!(types("fn a(price) { if price < 1 { true } else { price } }"), [Type::Bool, Type::Decimal]);
        assert_eq!(types("fn a(price) { let x = price * 2; x }"), [Type::Decimal]);
        assert_eq!(
            types("fn a(price) { if price > 1 { return price; } twice(1) > 2 } private fn twice(n) { n * 2 }"),
            [Type::Bool, Type::Decimal]
        );
        assert_eq!(types("fn a(price) { switch \"x\" { \"x\" => 1, _ => 2 } }"), [Type::Integer]);
        assert_eq!(types("fn a(maybe_price) { maybe_price ?? 0.5 }"), [Type::Decimal]);
    }
}
