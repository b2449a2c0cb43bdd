//! What can be wrong with the text of a script, said in the words of rules rather than of the parser.

use super::Signature;
use crate::rules::{
    diagnostic::{Code, Diagnostic, Place, nearest},
    sandbox::FUNCTIONS,
    tree::Host,
};

/// A fault that the parser found in a line. `params` are the names in reach.
pub(super) fn syntax(message: &str, place: Place, line: &str, params: &[&str]) -> Diagnostic {
    let (before, after) = split_at_column(line, place.span.column);
    if let Some(name) = message.strip_prefix("Undefined variable: ") {
        let mut place = place;
        place.span.length = name.chars().count();
        let fault = Diagnostic::error(Code::UnknownFact, place, format!("\"{name}\" is neither a parameter nor a local of this function"));
        return fault.with_help(undefined(name, after.strip_prefix(name).unwrap_or_default(), params));
    }
    let reserved = ["reserved keyword", "is a reserved", "is reserved", "disabled", "not allowed"];
    if reserved.iter().any(|words| message.contains(words)) {
        let help = if message.contains("'null'") || message.contains("'nil'") {
            "ask `known(maybe_fact)`; a formula that gives \"unknown\" gives `()`"
        } else {
            "see rules/README.md for what a rule may use"
        };
        return Diagnostic::error(Code::ForbiddenScript, place, format!("rules do without this: {}", lower_first(message))).with_help(help);
    }
    if message.starts_with("Function") && message.contains("already") {
        return Diagnostic::error(Code::DuplicateFact, place, format!("it is defined twice in this file: {}", lower_first(message)))
            .with_help("give one of them another name: all facts share one namespace");
    }
    if message.contains("ossibly a typo of '=='") {
        return Diagnostic::error(Code::ScriptSyntax, place, "`=` does not compare").with_help("write `==` to compare");
    }
    let help = another_language(before, after).unwrap_or(if message.starts_with("Invalid character: '") {
        "a text stands in double quotes"
    } else if message.starts_with("Doc-comment must") {
        "right below its description stands the formula: `fn fact(what, it, needs) { what - it * needs }`"
    } else if message.contains("body statement block") {
        "after the parameters stand braces: `fn fact(what, it, needs) { what - it * needs }`"
    } else if message.contains("to terminate this statement") {
        "an operator, a `;` or a closing bracket is missing just before"
    } else if message.contains("to separate the arguments") || message.contains("to separate the parameters") {
        "a `)` or a `,` is missing just before"
    } else if message.contains("Expecting ')'") || message.contains("parentheses") {
        "close every `(` that is opened: the missing `)` belongs before this place"
    } else if message.contains("Expecting '}'") {
        "close every `{` that is opened"
    } else {
        "compare with the formulas of rules/README.md: `fn fact(what, it, needs) { what - it * needs }`"
    });
    Diagnostic::error(Code::ScriptSyntax, place, format!("the formula can't be read here: {}", lower_first(message))).with_help(help)
}

/// What to do about a name that nobody gave; `after` is the text that follows it.
fn undefined(name: &str, after: &str, params: &[&str]) -> String {
    if let Some(near) = nearest(name, params.iter().copied()) {
        return format!("did you mean the parameter `{near}`? The two must be spelt alike");
    }
    if let Some(help) = operator(name) {
        return help.to_owned();
    }
    if let truth @ ("true" | "false") = name.to_ascii_lowercase().as_str() {
        return format!("write `{truth}`");
    }
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    if let Some(rest) = after.strip_prefix('.') {
        let key: String = rest.chars().take_while(|letter| is_word(*letter)).collect();
        return format!("a file's name and a key of it are joined by `_`: `{name}_{key}`, in the list of parameters too");
    }
    if after.trim_start().starts_with('=') && !after.trim_start().starts_with("==") {
        return format!("write `let {name} = …;`: a value gets its name once");
    }
    format!("add `{name}` to the function's parameters if it is a fact; a text stands in double quotes")
}

/// An operator of another language, and how it is written here.
fn operator(word: &str) -> Option<&'static str> {
    match word {
        "and" => Some("\"and\" is written `&&`"),
        "or" => Some("\"or\" is written `||`"),
        "not" => Some("\"not\" is written `!`"),
        _ => None,
    }
}

/// What stands at the faulty place is right in another language or notation: how it is written here.
fn another_language(before: &str, after: &str) -> Option<&'static str> {
    let number = before.ends_with(|letter: char| letter.is_ascii_digit());
    if before.ends_with('=') && after.starts_with('<') {
        Some("\"at most\" is written `<=`")
    } else if number && after.starts_with(',') {
        Some("a decimal is written with a dot, such as 0.5")
    } else {
        operator(after.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default())
    }
}

/// The parts of a line before a column, which counts letters from 1, and from it on.
fn split_at_column(line: &str, column: usize) -> (&str, &str) {
    let byte = line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(byte, _)| byte);
    line.split_at(byte)
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
    let help = match (operator(name), nearest(name, names.clone().chain(private)).or_else(begins)) {
        (Some(help), _) => help.to_owned(),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => format!("at hand are {}; a fact is no function: take it as a parameter", names.collect::<Vec<_>>().join(", ")),
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
