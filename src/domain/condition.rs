//! Card condition with its scale: the letters `LP` mean different grades on Cardmarket and on TCGplayer.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::market::closed_set;

closed_set! {
    /// The grading vocabulary that a condition was written in.
    Scale, "condition scale" {
        Cardmarket = "cardmarket",
        Tcgplayer = "tcgplayer",
    }
}

closed_set! {
    /// A grade of either scale. `NM` and `LP` exist on both and mean what their scale says.
    Grade, "condition" {
        Mint = "MT",
        NearMint = "NM",
        Excellent = "EXC",
        Good = "GD",
        LightPlayed = "LP",
        ModeratelyPlayed = "MP",
        Played = "PL",
        HeavilyPlayed = "HP",
        Poor = "PO",
        Damaged = "DMG",
    }
}

/// A grade on a scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Condition {
    pub scale: Scale,
    pub grade: Grade,
}

impl Condition {
    /// Reads the text of a data source, in the source's own scale. Blanks, case and underscores do not matter.
    ///
    /// # Errors
    /// A text that names no grade of that scale.
    pub fn parse(scale: Scale, text: &str) -> Result<Self, UnknownCondition> {
        let normal = text.trim().to_uppercase().replace('_', " ");
        let grade = match scale {
            Scale::Cardmarket => cardmarket_grade(&normal),
            Scale::Tcgplayer => tcgplayer_grade(&normal),
        };
        grade.map(|grade| Self { scale, grade }).ok_or_else(|| UnknownCondition { scale, text: text.to_owned() })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.grade, self.scale)
    }
}

/// The grades that Cardmarket prints, with the spellings seen in feeds of its data.
fn cardmarket_grade(text: &str) -> Option<Grade> {
    Some(match text {
        "MINT" | "MT" | "M" => Grade::Mint,
        "NEAR MINT" | "NM" => Grade::NearMint,
        "EXCELLENT" | "EXC" | "EX" | "EX+" => Grade::Excellent,
        "GOOD" | "GD" => Grade::Good,
        "LIGHT PLAYED" | "LIGHTLY PLAYED" | "LP" => Grade::LightPlayed,
        "PLAYED" | "PL" | "MODERATELY PLAYED" | "MP" | "HEAVILY PLAYED" | "HP" => Grade::Played,
        "POOR" | "DAMAGED" | "PO" | "DMG" => Grade::Poor,
        _ => return None,
    })
}

fn tcgplayer_grade(text: &str) -> Option<Grade> {
    Some(match text {
        "NEAR MINT" | "NM" | "MINT" => Grade::NearMint,
        "LIGHTLY PLAYED" | "LIGHT PLAYED" | "LP" => Grade::LightPlayed,
        "MODERATELY PLAYED" | "MP" => Grade::ModeratelyPlayed,
        "HEAVILY PLAYED" | "HP" => Grade::HeavilyPlayed,
        "DAMAGED" | "DMG" => Grade::Damaged,
        _ => return None,
    })
}

/// A condition text that its scale does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {scale} condition \"{text}\"")]
pub struct UnknownCondition {
    pub scale: Scale,
    pub text: String,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn the_same_letters_keep_their_scale() {
        let cardmarket = Condition::parse(Scale::Cardmarket, "LP").unwrap();
        let tcgplayer = Condition::parse(Scale::Tcgplayer, "LP").unwrap();
        assert_eq!(cardmarket.grade, tcgplayer.grade);
        assert_ne!(cardmarket, tcgplayer);
    }

    #[test]
    fn cardmarkets_own_spelling_is_read() {
        assert_eq!(Condition::parse(Scale::Cardmarket, " ex ").unwrap().grade, Grade::Excellent);
        assert_eq!(Condition::parse(Scale::Cardmarket, "near_mint").unwrap().grade, Grade::NearMint);
    }

    #[test]
    fn an_unknown_grade_is_an_error_that_names_the_scale() {
        let error = Condition::parse(Scale::Tcgplayer, "EXC").unwrap_err();
        assert_eq!(error.to_string(), "unknown tcgplayer condition \"EXC\"");
    }
}
