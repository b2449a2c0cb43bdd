//! `--min`: percentages that must be reached.

use std::str::FromStr;

use crate::rules::testing::{
    coverage::{Aim, Coverage},
    mutate::Mutation,
};

/// The name of the share of mutants that a test noticed.
const KILLED: &str = "killed";

/// A least percentage of one figure, or of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minimum {
    figure: Option<String>,
    percent: usize,
}

impl FromStr for Minimum {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (figure, percent) = text.split_once('=').map_or((None, text), |(figure, percent)| (Some(figure.trim()), percent));
        let known: Vec<&str> = Aim::ALL.iter().map(|aim| aim.as_str()).chain([KILLED]).collect();
        if let Some(figure) = figure.filter(|figure| !known.contains(figure)) {
            return Err(format!("there is no figure \"{figure}\": use one of {}", known.join(", ")));
        }
        let percent = percent.trim().trim_end_matches('%').parse().ok().filter(|percent| *percent <= 100);
        let percent = percent.ok_or_else(|| "write a whole percentage from 0 to 100, such as 95 or functions=95".to_owned())?;
        Ok(Self { figure: figure.map(str::to_owned), percent })
    }
}

/// The figures that fall short, in words.
pub fn below(minimums: &[Minimum], coverage: Option<&Coverage>, mutation: Option<&Mutation>) -> Vec<String> {
    let mut figures: Vec<(&str, usize)> = Vec::new();
    figures.extend(coverage.iter().flat_map(|coverage| &coverage.figures).map(|figure| (figure.aim.as_str(), figure.percent())));
    figures.extend(mutation.map(|mutation| (KILLED, mutation.percent())));
    let mut below = Vec::new();
    for (name, percent) in figures {
        // what is said of one figure goes before what is said of all
        let own = minimums.iter().find(|minimum| minimum.figure.as_deref() == Some(name));
        let wanted = own.or_else(|| minimums.iter().find(|minimum| minimum.figure.is_none()));
        below.extend(
            wanted
                .filter(|wanted| percent < wanted.percent)
                .map(|wanted| format!("{name}: {percent} %, at least {} % wanted", wanted.percent)),
        );
    }
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_for_one_figure_or_for_all() {
        assert_eq!("95".parse(), Ok(Minimum { figure: None, percent: 95 }));
        assert_eq!("functions = 95%".parse::<Minimum>(), Ok(Minimum { figure: Some("functions".into()), percent: 95 }));
        assert!("function=95".parse::<Minimum>().is_err_and(|error| error.contains("functions, branches")));
        assert!("101".parse::<Minimum>().is_err());
    }
}
