//! One small bad pack for every code: what is said of each, at which line and column, and what to do about it.
//!
//! `tests/packs/bad/CODE` lies over `tests/packs/small`; an empty file there takes the small pack's away.
#![expect(clippy::unwrap_used, reason = "a test may stop at once")]

use std::{collections::BTreeSet, fs, path::Path};

use tcg_radar::rules::{
    diagnostic::{Code, Diagnostics, Severity},
    pack::Pack,
};

/// The day for which figures run out.
const AS_OF: &str = "2026-07-01";

fn root(folder: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packs").join(folder)
}

fn lay(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            lay(&entry.path(), &target);
        } else if entry.metadata().unwrap().len() == 0 {
            fs::remove_file(target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Everything that is said of a bad pack, and whether it loads.
fn findings(code: &str) -> (Diagnostics, bool) {
    let folder = tempfile::tempdir().unwrap();
    lay(&root("small"), folder.path());
    lay(&root("bad").join(code), folder.path());
    match Pack::load(folder.path()) {
        Ok(pack) => (pack.warnings.clone().with(pack.expiring(AS_OF.parse().unwrap())), true),
        Err(found) => (found, false),
    }
}

#[test]
fn the_small_pack_has_nothing_to_be_said_of() {
    let pack = Pack::load(&root("small")).unwrap();
    let found = pack.warnings.clone().with(pack.expiring(AS_OF.parse().unwrap()));
    assert!(found.0.is_empty(), "{found}");
}

#[test]
fn every_code_has_a_bad_pack_and_every_bad_pack_a_code() {
    let folders: BTreeSet<String> =
        fs::read_dir(root("bad")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(folders, Code::ALL.iter().map(|code| code.as_str().to_owned()).collect());
}

#[test]
fn every_bad_pack_is_told_its_fault_its_place_and_a_remedy() {
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let (found, loads) = findings(code.as_str());
        // nothing but the fault: it has no page of consequences
        let codes: BTreeSet<Code> = found.0.iter().map(|finding| finding.code).collect();
        if codes != [*code].into() || loads != (code.severity() == Severity::Warning) {
            wrong.push(format!("{}: {found}", code.as_str()));
        }
        insta::assert_snapshot!(code.as_str(), found);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
