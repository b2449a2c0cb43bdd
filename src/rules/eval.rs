//! Facts in, facts out, as JSON: what `rules eval` does with one line.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde_json::{Map, Number, Value as Json};

use super::{
    diagnostic::nearest,
    graph::FactId,
    interpret::{Evaluation, SetError, Slot},
    pack::Pack,
    value::{BadValue, Type, Value},
};

/// What is asked of every line.
#[derive(Debug)]
pub struct Question<'p> {
    pack: &'p Pack,
    want: Vec<Want>,
    /// Facts that hold where a line does not say otherwise.
    pub defaults: Vec<(FactId, Value)>,
}

#[derive(Debug)]
enum Want {
    Fact(FactId),
    /// Answers that are no facts: the outcome of the gates and what follows from it.
    Verdict,
    Reason,
    Flags,
    Type,
}

/// Why a line gets no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    #[error("no fact is called \"{name}\"{}", near.as_ref().map(|near| format!(": did you mean {near}?")).unwrap_or_default())]
    UnknownFact { name: String, near: Option<String> },
    #[error("the line is not a JSON object of facts: {0}")]
    NotAnObject(String),
    #[error("{name}: {error}")]
    BadValue { name: String, error: BadValue },
    #[error("{name} is a JSON {found}: write a string, number, boolean or null")]
    BadShape { name: String, found: &'static str },
    #[error(transparent)]
    Refused(#[from] SetError),
    #[error("{0}")]
    Fault(String),
}

fn fact_of(pack: &Pack, name: &str) -> Result<FactId, EvalError> {
    pack.graph.id(name).ok_or_else(|| EvalError::UnknownFact {
        name: name.to_owned(),
        near: nearest(name, pack.graph.facts.iter().map(|fact| fact.name.as_str())).map(str::to_owned),
    })
}

impl<'p> Question<'p> {
    /// # Errors
    /// A wanted name that no fact has.
    pub fn new(pack: &'p Pack, want: &[&str], date: NaiveDate) -> Result<Self, EvalError> {
        let want = want
            .iter()
            .map(|name| match (fact_of(pack, name), *name) {
                (Ok(id), _) => Ok(Want::Fact(id)),
                (Err(_), "verdict") => Ok(Want::Verdict),
                (Err(_), "reason") => Ok(Want::Reason),
                (Err(_), "flags") => Ok(Want::Flags),
                (Err(_), "type") => Ok(Want::Type),
                (Err(error), _) => Err(error),
            })
            .collect::<Result<_, _>>()?;
        let defaults = pack.graph.id("date").map(|id| (id, Value::Date(date))).into_iter().collect();
        Ok(Self { pack, want, defaults })
    }

    /// Answers one line of JSON. Decimals are strings; unknown is null, and `missing` says which fact was missing.
    ///
    /// # Errors
    /// A line that is no object, an unknown fact, a value that its fact cannot have, or a rule that failed.
    pub fn answer(&self, line: &str) -> Result<Map<String, Json>, EvalError> {
        let facts: Map<String, Json> = serde_json::from_str(line).map_err(|error| EvalError::NotAnObject(error.to_string()))?;
        let mut evaluation = Evaluation::new(self.pack);
        for (id, value) in &self.defaults {
            evaluation.set(*id, value.clone())?;
        }
        for (name, json) in &facts {
            let id = fact_of(self.pack, name)?;
            evaluation.set(id, read(name, self.pack.graph.fact(id).value_type, json)?)?;
        }
        self.collect(&mut evaluation)
    }

    fn collect(&self, evaluation: &mut Evaluation<'_>) -> Result<Map<String, Json>, EvalError> {
        let (mut answer, mut missing) = (Map::new(), Map::new());
        for want in &self.want {
            let (name, json) = match want {
                Want::Fact(id) => {
                    let name = self.pack.graph.fact(*id).name.clone();
                    let json = match evaluation.slot(*id) {
                        Slot::Known(value) => write(value),
                        Slot::Fault(fault) => return Err(EvalError::Fault(fault.to_string())),
                        Slot::Unknown(root) => {
                            missing.insert(name.clone(), self.pack.graph.fact(*root).name.clone().into());
                            Json::Null
                        }
                        Slot::Pending => Json::Null,
                    };
                    (name, json)
                }
                Want::Verdict => {
                    let signal = evaluation.verdict().reason(self.pack).is_none();
                    ("verdict".to_owned(), if signal { "signal" } else { "rejected" }.into())
                }
                Want::Reason => ("reason".to_owned(), evaluation.verdict().reason(self.pack).map_or(Json::Null, Into::into)),
                Want::Flags => ("flags".to_owned(), evaluation.flags().iter().map(|flag| Json::from(&**flag)).collect()),
                Want::Type => ("type".to_owned(), evaluation.signal_type().map_or(Json::Null, |name| Json::from(&*name))),
            };
            answer.insert(name, json);
        }
        if !missing.is_empty() {
            answer.insert("missing".to_owned(), Json::Object(missing));
        }
        Ok(answer)
    }
}

/// Reads a JSON value as a fact of that type; numbers are taken from their literal text, never through a float.
///
/// # Errors
/// A value that the type does not have.
pub fn read(name: &str, value_type: Option<Type>, json: &Json) -> Result<Value, EvalError> {
    let parse = |text: &str| {
        let guessed = if Decimal::from_str_exact(text).is_ok() { Type::Decimal } else { Type::Text };
        Value::parse(value_type.unwrap_or(guessed), text).map_err(|error| EvalError::BadValue { name: name.to_owned(), error })
    };
    let shape = |found| Err(EvalError::BadShape { name: name.to_owned(), found });
    match json {
        Json::Null => Ok(Value::Unknown),
        Json::Bool(truth) => match value_type {
            Some(Type::Bool) | None => Ok(Value::Bool(*truth)),
            Some(expected) => Err(EvalError::BadValue { name: name.to_owned(), error: BadValue { text: truth.to_string(), expected } }),
        },
        Json::Number(number) => parse(&plain(number)),
        Json::String(text) => parse(text),
        Json::Array(_) => shape("list"),
        Json::Object(_) => shape("object"),
    }
}

/// The number's literal text, without an exponent where a decimal can hold it.
fn plain(number: &Number) -> String {
    let text = number.to_string();
    match Decimal::from_scientific(&text) {
        Ok(decimal) if text.contains(['e', 'E']) => decimal.to_string(),
        _ => text,
    }
}

/// A value as JSON: decimals as strings, so that nobody reads them as floats.
pub fn write(value: &Value) -> Json {
    match value {
        Value::Unknown => Json::Null,
        Value::Integer(number) => (*number).into(),
        Value::Bool(truth) => (*truth).into(),
        value => value.to_string().into(),
    }
}
