//! Puts facts into an evaluation and takes answers out, with JSON on both sides.

use super::{Answer, Refusal};
use serde_json::Value as Json;
use tcg_radar::rules::{
    interpret::{Evaluation, Slot},
    pack::Pack,
    value::{Type, Value},
};

/// An evaluation being filled; the first fact that is refused is remembered.
pub struct Ask<'p> {
    pack: &'p Pack,
    evaluation: Evaluation<'p>,
    refused: Option<String>,
}

impl<'p> Ask<'p> {
    pub fn new(pack: &'p Pack) -> Self {
        Self { pack, evaluation: Evaluation::new(pack), refused: None }
    }

    /// Sets a fact of any kind; null is "nobody knows".
    pub fn set(mut self, name: &str, value: &Json) -> Self {
        let result = match value {
            Json::Null => self.put(name, None),
            Json::String(text) => self.put(name, Some(text)),
            other => self.put(name, Some(&other.to_string())),
        };
        if let Err(message) = result {
            self.refused.get_or_insert(message);
        }
        self
    }

    /// Sets a fact from text.
    pub fn text(self, name: &str, text: &str) -> Self {
        self.set(name, &Json::String(text.to_owned()))
    }

    /// Sets several facts from text.
    pub fn all(self, facts: &[(&str, &str)]) -> Self {
        facts.iter().fold(self, |ask, (name, text)| ask.text(name, text))
    }

    /// Sets a fact only if the case gives a value, so that the pack's own holds otherwise.
    pub fn if_given(self, name: &str, value: &Json) -> Self {
        if value.is_null() { self } else { self.set(name, value) }
    }

    fn put(&mut self, name: &str, text: Option<&str>) -> Result<(), String> {
        let id = self.pack.graph.id(name).unwrap_or_else(|| panic!("no fact is called {name}"));
        let value_type = self.pack.graph.fact(id).value_type.unwrap_or(Type::Decimal);
        let value = match text {
            None => Value::Unknown,
            Some(text) => Value::parse(value_type, text).map_err(|error| error.to_string())?,
        };
        self.evaluation.set(id, value).map_err(|error| error.to_string())
    }

    /// The values of facts, each under the name that the case file uses; null is "nobody knows".
    pub fn want(mut self, wanted: &[(&'static str, &str)]) -> Answer {
        if let Some(refusal) = self.refused {
            return Err(Refusal::Input(refusal));
        }
        wanted
            .iter()
            .map(|(field, name)| {
                let id = self.pack.graph.id(name).unwrap_or_else(|| panic!("no fact is called {name}"));
                match self.evaluation.slot(id) {
                    Slot::Known(Value::Bool(truth)) => Ok((*field, Json::Bool(*truth))),
                    Slot::Known(value) => Ok((*field, Json::String(value.to_string()))),
                    Slot::Unknown(_) => Ok((*field, Json::Null)),
                    Slot::Fault(fault) => Err(Refusal::Fault(fault.to_string())),
                    Slot::Pending => Err(Refusal::Fault(format!("{name} was not computed"))),
                }
            })
            .collect()
    }

    /// The reason of the first gate that rejects; `None` for a signal.
    pub fn reason(&mut self) -> Option<String> {
        self.evaluation.verdict().reason(self.pack).map(str::to_owned)
    }
}
