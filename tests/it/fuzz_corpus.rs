//! Everything that the fuzzers start from, and everything that they once broke, once more.

#[path = "../../fuzz/src/lib.rs"]
mod fuzz;

use std::path::Path;

#[test]
fn the_corpus_is_replayed() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let targets: [(&str, fn(&[u8])); 6] = [
        ("tag_files", fuzz::tag_files),
        ("manifest", fuzz::manifest),
        ("fetch", fuzz::fetch),
        ("zip", fuzz::zip),
        ("tar", fuzz::tar),
        ("bag", fuzz::bag),
    ];
    for (name, target) in targets {
        let files = fs_err::read_dir(corpus.join(name)).unwrap();
        let mut count = 0;
        for file in files.map(|entry| entry.unwrap().path()) {
            let bytes = fs_err::read(&file).unwrap();
            target(&bytes);
            // And what is near it: cut short, and one octet changed.
            for at in (0..bytes.len()).step_by(bytes.len() / 50 + 1) {
                target(&bytes[..at]);
                let mut changed = bytes.clone();
                changed[at] ^= 1 << (at % 8);
                target(&changed);
            }
            count += 1;
        }
        assert!(count > 0, "{name} has no corpus");
    }
    let named: Vec<&str> = targets.iter().map(|(name, _)| *name).collect();
    let stored = fs_err::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(stored.into_iter().all(|name| named.contains(&name.to_str().unwrap())));
}
