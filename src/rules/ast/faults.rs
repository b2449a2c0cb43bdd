//! What can be wrong with the text of a script, said in the words of rules rather than of the parser.

use super::Signature;
use crate::rules::{
    diagnostic::{Code, Diagnostic, Place, nearest},
    sandbox::FUNCTIONS,
    tree::Host,
};

/// A fault that the parser found. `params` are the names in reach.
pub(super) fn syntax(message: &str, place: Place, params: &[&str]) -> Diagnostic {
    if let Some(name) = message.strip_prefix("Undefined variable: ") {
        let mut place = place;
        place.span.length = name.chars().count();
        let fault = Diagnostic::error(Code::UnknownFact, place, format!("\"{name}\" is neither a parameter nor a local of this function"));
        return fault.with_help(match nearest(name, params.iter().copied()) {
            Some(near) => format!("did you mean the parameter `{near}`? The two must be spelt alike"),
            None => format!("add `{name}` to the function's parameters if it is a fact"),
        });
    }
    let reserved = ["reserved keyword", "is a reserved", "is reserved", "disabled", "not allowed"];
    if reserved.iter().any(|words| message.contains(words)) {
        return Diagnostic::error(Code::ForbiddenScript, place, format!("rules do without this: {}", lower_first(message)))
            .with_help("see rules/README.md for what a rule may use");
    }
    if message.starts_with("Function") && message.contains("already") {
        return Diagnostic::error(Code::DuplicateFact, place, format!("it is defined twice in this file: {}", lower_first(message)))
            .with_help("give one of them another name: all facts share one namespace");
    }
    if message.contains("ossibly a typo of '=='") {
        return Diagnostic::error(Code::ScriptSyntax, place, "`=` does not compare").with_help("write `==` to compare");
    }
    let help = if message.contains("to terminate this statement") {
        "an operator, a `;` or a closing bracket is missing just before"
    } else if message.contains("to separate the arguments") || message.contains("to separate the parameters") {
        "a `)` or a `,` is missing just before"
    } else if message.contains("Expecting ')'") || message.contains("parentheses") {
        "close every `(` that is opened: the missing `)` belongs before this place"
    } else if message.contains("Expecting '}'") {
        "close every `{` that is opened"
    } else {
        "compare with the formulas of rules/README.md: `fn fact(what, it, needs) { what - it * needs }`"
    };
    Diagnostic::error(Code::ScriptSyntax, place, format!("the formula can't be read here: {}", lower_first(message))).with_help(help)
}

/// A construct that rules do without.
pub(super) fn unsupported(what: &'static str, place: Place) -> Diagnostic {
    let help = match what {
        "an assignment" => "compare with `==`; a value gets its name once, with `let name = …;`",
        "a method or property" => "write `cents(x)` instead of `x.cents()`",
        _ => "see rules/README.md for what a rule may use",
    };
    Diagnostic::error(Code::ForbiddenScript, place, format!("rules do without this: {what}")).with_help(help)
}

/// A call of something that is no function, of a fact, or with the wrong number of arguments.
pub(super) fn unknown_call(name: &str, arguments: usize, signatures: &[Signature], place: Place) -> Diagnostic {
    let same = signatures.iter().find(|function| function.name == name);
    if same.is_some_and(|function| !function.private) {
        return Diagnostic::error(Code::UnknownFunction, place, format!("a fact does not call another fact, \"{name}\""))
            .with_help(format!("take `{name}` as a parameter, so that the graph shows the edge"));
    }
    let host = FUNCTIONS.iter().find(|(function, ..)| *function == name);
    let params = same.map(|function| function.params.join(", ")).or_else(|| host.map(|(_, params, _)| (*params).to_owned()));
    if let Some(params) = params {
        let wanted = same.map(|function| function.params.len()).or_else(|| Host::find(name).map(Host::arity)).unwrap_or_default();
        let message = format!("\"{name}\" takes {}, not {arguments}", plural(wanted, "argument"));
        return Diagnostic::error(Code::UnknownFunction, place, message).with_help(format!("write `{name}({params})`"));
    }
    let private = signatures.iter().filter(|function| function.private).map(|function| function.name.as_str());
    let names = FUNCTIONS.iter().map(|(function, ..)| *function);
    let begins = || names.clone().find(|known| known.starts_with(name));
    let help = match nearest(name, names.clone().chain(private)).or_else(begins) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("at hand are {}", names.collect::<Vec<_>>().join(", ")),
    };
    Diagnostic::error(Code::UnknownFunction, place, format!("there is no function \"{name}\"")).with_help(help)
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}
