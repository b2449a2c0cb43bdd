//! A country by its ISO 3166 code.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::domain::market::Zone;

/// ISO 3166-1 alpha-2, officially assigned.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC \
    CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI \
    GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB \
    LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ \
    OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD \
    TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// An ISO 3166-1 alpha-2 code, upper-case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Country([u8; 2]);

impl Country {
    pub fn as_str(&self) -> &str {
        // the bytes are ASCII letters by construction
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    pub fn zone(&self) -> Zone {
        Zone::of_country(self.as_str())
    }
}

impl FromStr for Country {
    type Err = BadCountry;

    /// Case does not matter; `UK` is what people write for `GB`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code = text.trim().to_ascii_uppercase();
        let code = if code == "UK" { "GB" } else { code.as_str() };
        match CODES.split_whitespace().find(|known| *known == code).map(str::as_bytes) {
            Some(&[first, second]) => Ok(Self([first, second])),
            _ => Err(BadCountry(text.chars().take(40).collect())),
        }
    }
}

impl TryFrom<String> for Country {
    type Error = BadCountry;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Country> for String {
    fn from(country: Country) -> Self {
        country.as_str().to_owned()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that is no country code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an ISO 3166 country code: use two letters, such as DE, US or GB")]
pub struct BadCountry(pub String);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may stop at once")]
    use super::*;

    #[test]
    fn a_country_is_read_in_any_case_and_uk_means_gb() {
        assert_eq!("uk".parse::<Country>().unwrap().as_str(), "GB");
        assert_eq!(" de ".parse::<Country>().unwrap().zone(), Zone::Eu);
        assert_eq!(CODES.split_whitespace().count(), 249);
    }

    #[test]
    fn a_code_that_nobody_assigned_is_refused() {
        for code in ["XX", "USA", "", "D E", "ÄÖ"] {
            assert!(code.parse::<Country>().is_err(), "{code}");
        }
    }
}
