//! The packs that come with the program load without a fault, and judge the routes that every reader has in mind.

use std::path::Path;

use tcg_radar::rules::pack::Pack;

fn load(folder: &str) -> Pack {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    Pack::load(&root).unwrap_or_else(|faults| panic!("{faults:?}"))
}

#[test]
fn the_default_pack_loads() {
    let pack = load("rules");
    assert_eq!(pack.name, "default");
}

#[test]
fn the_reference_pack_loads() {
    assert_eq!(load("tests/packs/reference").name, "reference");
}
