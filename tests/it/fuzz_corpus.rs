//! Replays the inputs that the fuzz targets of `tests/fuzz` started from or found, so that a fault once found stays mended.

use std::{fs, path::Path};

#[path = "../fuzz/entry.rs"]
mod entry;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        // the name is all that tells which input a panic came from
        eprintln!("{}", path.display());
        run(&fs::read(&path).unwrap());
        count += 1;
    }
    assert!(count > 20, "only {count} inputs are in {}", folder.display());
}

#[test]
fn every_corpus_file_is_answered() {
    replay("yaml", entry::yaml);
    replay("evaluate", entry::evaluate);
}
