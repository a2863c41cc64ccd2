//! Every input of `fuzz/corpus`: what was fuzzed once, and what it found, stays right.

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "it is a package of its own, too")]
mod fuzz;

use std::path::Path;

#[track_caller]
fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = std::fs::read_dir(&corpus).expect("a corpus");
    let mut n = 0;
    for file in files {
        let path = file.expect("a file").path();
        let input = std::fs::read(&path).expect("its content");
        // Shown if it fails.
        println!("{}", path.display());
        run(&input);
        n += 1;
    }
    assert!(n > 0, "{} is empty", corpus.display());
}

#[test]
fn simulator() {
    replay("simulator", fuzz::simulator::run);
}

#[test]
fn engine() {
    replay("engine", fuzz::engine::run);
}
