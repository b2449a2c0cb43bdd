//! Tests as the XML of `JUnit`, which build servers show: a suite for each file, a test case for each test.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{Outcome, Ran};

/// Writes the document.
pub fn write(outcome: &Outcome) -> String {
    let mut files: BTreeMap<&str, Vec<&Ran>> = BTreeMap::new();
    for ran in &outcome.ran {
        files.entry(&ran.place.file).or_default().push(ran);
    }
    let failed = |tests: &[&Ran]| tests.iter().filter(|ran| !ran.failures.is_empty()).count();
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(text, "<testsuites tests=\"{}\" failures=\"{}\">", outcome.ran.len(), outcome.failed().count());
    for (file, tests) in files {
        let _ = writeln!(text, "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">", escaped(file), tests.len(), failed(&tests));
        for ran in tests {
            test_case(&mut text, ran);
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn test_case(text: &mut String, ran: &Ran) {
    let (file, line) = (escaped(&ran.place.file), ran.place.span.line);
    let _ = write!(text, "    <testcase name=\"{}\" classname=\"{file}\" file=\"{file}\" line=\"{line}\"", escaped(&ran.name));
    if ran.failures.is_empty() {
        text.push_str("/>\n");
        return;
    }
    text.push_str(">\n");
    for failure in &ran.failures {
        let message = format!("{}: expected {}, found {}", failure.what, failure.expected, failure.actual);
        let _ = writeln!(text, "      <failure message=\"{}\">{}</failure>", escaped(&message), escaped(&failure.place.to_string()));
    }
    text.push_str("    </testcase>\n");
}

/// Fit for an attribute and for text; letters that XML can't hold are replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            letter if letter.is_control() => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}
