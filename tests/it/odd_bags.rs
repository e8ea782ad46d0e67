//! Bags that are odd, and bags that other tools make, misread or take by mistake: each with what is right to say of it.

use std::process::Command;

use crate::support::{HandBag, Sandbox, hex_sha256, peer, tree};

const DATA: &str = "1";

fn line(path: &str) -> String {
    format!("{}  {path}\n", hex_sha256(DATA.as_bytes()))
}

/// A bag of one file whose manifest is this text.
fn with_manifest(version: &str, text: &str) -> HandBag {
    HandBag::new(version, &[("a", DATA)]).without("manifest-sha256.txt").add("manifest-sha256.txt", text)
}

fn with_declaration(text: &str) -> HandBag {
    HandBag::new("1.0", &[("a", DATA)]).without("bagit.txt").add("bagit.txt", text)
}

#[test]
fn odd_bags_get_the_right_codes() {
    let utf8 = "Tag-File-Character-Encoding: UTF-8\n";
    let good = || HandBag::new("1.0", &[("a", DATA)]);
    let old = || HandBag::new("0.97", &[("a", DATA)]);
    let digest = hex_sha256(DATA.as_bytes());
    let tags = |bag: HandBag, text: &str| bag.add("tagmanifest-sha256.txt", text);
    let manifest = format!("{}  manifest-sha256.txt\n", hex_sha256(line("data/a").as_bytes()));
    let cases: Vec<(&str, HandBag, i32, &[&str])> = vec![
        // bagit.txt
        ("extra line", with_declaration(&format!("BagIt-Version: 1.0\n{utf8}X: y\n")), 1, &["E113"]),
        ("blank line before 1.0", with_declaration(&format!("BagIt-Version: 0.97\n{utf8}\n")), 0, &[]),
        ("two spaces", with_declaration(&format!("BagIt-Version:  1.0\n{utf8}")), 1, &["E113"]),
        ("lower case", with_declaration(&format!("BagIt-version: 1.0\n{utf8}")), 1, &["E113"]),
        ("lower case before 1.0", with_declaration(&format!("BagIt-version: 0.97\n{utf8}")), 0, &["W310"]),
        ("CR only", with_declaration("BagIt-Version: 1.0\rTag-File-Character-Encoding: UTF-8\r"), 0, &[]),
        (
            "unknown encoding",
            with_declaration("BagIt-Version: 1.0\nTag-File-Character-Encoding: rot13\n"),
            1,
            &["E101"],
        ),
        // Manifests
        ("comment", with_manifest("0.97", &format!("# made by hand\n{}", line("data/a"))), 1, &["E103"]),
        ("blank line", with_manifest("0.97", &format!("\n{}", line("data/a"))), 1, &["E103"]),
        ("digest only", with_manifest("1.0", &format!("{digest}\n")), 1, &["E202", "E103"]),
        (
            "upper case",
            with_manifest("1.0", &line("data/a").replace(&digest, &digest.to_uppercase())),
            0,
            &[],
        ),
        ("tabs", with_manifest("1.0", &line("data/a").replace("  ", "\t \t")), 0, &[]),
        ("two stars", with_manifest("1.0", &line("**data/a")), 1, &["E202", "E104"]),
        ("escaped", with_manifest("1.0", &format!("\\{}", line("data/a"))), 0, &["W301"]),
        (
            "sibling of the bag",
            with_manifest("1.0", &(line("data/a") + &line("../bag-evil/secret"))),
            1,
            &["E104"],
        ),
        ("a folder", with_manifest("1.0", &(line("data/a") + &line("data/x/"))), 1, &["E104"]),
        ("wrong length", with_manifest("1.0", &format!("{}  data/a\n", &digest[1..])), 1, &["E202", "E103"]),
        (
            "not UTF-8",
            HandBag::new("1.0", &[("a", DATA)]).bytes("manifest-sha256.txt", b"\xff\xff  data/b\n"),
            1,
            &["E101"],
        ),
        ("two of one algorithm", good().add("manifest-SHA_256.txt", &line("data/a")), 1, &["E110"]),
        ("second incomplete", good().add("manifest-sha512.txt", ""), 1, &["E106"]),
        ("second incomplete before 1.0", old().add("manifest-sha512.txt", ""), 0, &[]),
        ("unknown beside a known one", good().add("manifest-shake128.txt", "00  data/a\n"), 0, &["W302"]),
        // Tag manifests
        ("tag manifest", tags(good(), &manifest), 0, &[]),
        ("it leaves a manifest out", tags(good(), ""), 1, &["E111"]),
        ("it leaves a manifest out before 1.0", tags(old(), ""), 0, &["W305"]),
        (
            "it lists itself",
            tags(good(), &format!("{manifest}{digest}  tagmanifest-sha256.txt\n")),
            1,
            &["E103"],
        ),
        // bag-info.txt
        ("oxum wrong", good().add("bag-info.txt", "Payload-Oxum: 2.1\n"), 1, &["E205"]),
        ("oxum malformed", good().add("bag-info.txt", "Payload-Oxum: 12\n"), 1, &["E109"]),
        ("oxum repeated", good().add("bag-info.txt", "Payload-Oxum: 1.1\nPayload-Oxum: 1.1\n"), 1, &["E109"]),
        ("oxum in lower case", good().add("bag-info.txt", "payload-oxum: 1.1\n"), 0, &[]),
        ("no label", good().add("bag-info.txt", "nothing\n"), 1, &["E109"]),
        ("no space after the colon", good().add("bag-info.txt", "A:b\n"), 0, &["W309"]),
        ("the same before 1.0", old().add("bag-info.txt", "A   :    b\n"), 0, &[]),
        // fetch.txt
        ("fetch blank line", good().add("fetch.txt", "\n"), 1, &["E107"]),
        ("fetch of a tag file", good().add("fetch.txt", "http://h/x 1 bag-info.txt\n"), 1, &["E104"]),
        ("fetch negative", good().add("fetch.txt", "http://h/x -1 data/a\n"), 1, &["E107"]),
        ("fetch without a scheme", good().add("fetch.txt", "/a 1 data/a\n"), 1, &["E107"]),
        ("fetch of what is there", good().add("fetch.txt", "http://h/x 1 data/a\n"), 0, &[]),
        ("fetch twice", good().add("fetch.txt", "http://h/x 1 data/a\nhttp://g/x - data/a\n"), 0, &[]),
        (
            "fetch lengths",
            good().add("fetch.txt", "http://h/x 1 data/a\nhttp://g/x 2 data/a\n"),
            1,
            &["E112"],
        ),
        // Names
        ("control characters", HandBag::new("1.0", &[("a\u{7}b", DATA)]), 0, &["W308"]),
        ("case of a folder", HandBag::new("1.0", &[("a/x", DATA), ("A/x", DATA)]), 0, &["W306"]),
        ("a Kelvin sign", HandBag::new("1.0", &[("k", DATA), ("\u{212a}", DATA)]), 0, &["W306"]),
    ];
    for (name, bag, exit, expected) in cases {
        let sandbox = Sandbox::new();
        bag.write(&sandbox.path("bag"));
        let before = tree(&sandbox.path("bag"));
        let report = sandbox.dbag(&["verify", "bag", "--json"]).expect(exit).json();
        let mut codes: Vec<&str> = report["findings"]
            .as_array()
            .unwrap_or_else(|| panic!("{name}: {report}"))
            .iter()
            .map(|finding| finding["code"].as_str().unwrap())
            .collect();
        codes.dedup();
        assert_eq!(codes, expected, "{name}: {report:#}");
        assert!(tree(&sandbox.path("bag")) == before, "{name}");
    }
}

/// Names that other tools lose between making a bag and reading it back.
#[test]
fn names_survive() {
    let names = [
        "trailing ",
        "trailing\t",
        "trailing\u{a0}",
        " leading",
        "a\nb\nc\nd",
        "\u{85}",
        "\u{2028}\u{2029}",
        "\u{b}\u{c}\u{1c}",
        "a%0Ab",
        "a%0ab",
        "100%",
        "a%20b",
        "a%25b",
        "a\rb",
        "*a",
        "a\\b",
        "e\u{301}",
        "\u{1F600}",
        "'\"",
        "\\a",
        "#a",
        "-a",
    ];
    let long = "x".repeat(255);
    for name in names.into_iter().chain([long.as_str()]) {
        let sandbox = Sandbox::new();
        let escaped = name.replace('%', "%25").replace('\n', "%0A").replace('\r', "%0D");
        let mut bag = HandBag::new("1.0", &[(name, DATA)]).without("manifest-sha256.txt");
        bag = bag.add("manifest-sha256.txt", &line(&format!("data/{escaped}")));
        bag.write(&sandbox.path("bag"));
        let report = sandbox.dbag(&["verify", "bag", "--json"]).expect(0).json();
        assert!(report["hashed_files"] == 1, "{name:?}");
        let odd = report["findings"].as_array().unwrap().iter().any(|finding| finding["code"] != "W308");
        assert!(!odd, "{name:?}: {report}");
    }
}

/// The `%` that other tools write raw in 1.0 is found by reading the name in another way, with a warning.
#[test]
fn percent_signs_of_other_writers() {
    let raw = ["100%", "a%20b", "a%25b", "x%0Ay"];
    for (name, warns) in raw.into_iter().zip([false, false, true, true]) {
        let sandbox = Sandbox::new();
        HandBag::new("1.0", &[(name, DATA)]).write(&sandbox.path("bag"));
        let report = sandbox.dbag(&["verify", "bag", "--json"]).expect(0).json();
        assert_eq!(report["warnings"].as_u64() == Some(1), warns, "{name}: {report}");
    }
    // Of two files that a line could mean, the version's rule takes the first.
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[])
        .add("data/a%b", DATA)
        .add("data/a%25b", DATA)
        .add("manifest-sha256.txt", &line("data/a%25b"))
        .write(&sandbox.path("bag"));
    let report = sandbox.dbag(&["verify", "bag", "--json"]).expect(1).json();
    assert_eq!(report["findings"][0]["code"], "E202");
    assert_eq!(report["findings"][0]["place"], "data/a%25b");
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_is_a_finding() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", DATA)]).write(&sandbox.path("bag"));
    let name = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    fs_err::write(sandbox.path("bag/data").join(name), "x").unwrap();
    let report = sandbox.dbag(&["verify", "bag", "--json"]).expect(1).json();
    assert_eq!(report["findings"][0]["code"], "E207");
}

/// Encodings of tag files, each with a name that needs them.
#[test]
fn tag_files_in_every_encoding() {
    let name = "data/Núñez";
    let text = line(name);
    let utf16 = |big: bool| -> Vec<u8> {
        text.encode_utf16()
            .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
            .collect()
    };
    let latin: Vec<u8> = text.chars().map(|c| c as u32 as u8).collect();
    let marked = |big: bool, mark: &[u8]| [mark, &utf16(big)].concat();
    for (encoding, bytes) in [
        ("UTF-8", text.clone().into_bytes()),
        ("ISO-8859-1", latin.clone()),
        ("ISO-8859-15", latin.clone()),
        ("windows-1252", latin),
        ("UTF-16", marked(true, &[0xFE, 0xFF])),
        ("UTF-16", marked(false, &[0xFF, 0xFE])),
        ("UTF-16BE", utf16(true)),
        ("UTF-16LE", utf16(false)),
    ] {
        let sandbox = Sandbox::new();
        HandBag::new("0.97", &[])
            .without("bagit.txt")
            .add("bagit.txt", &format!("BagIt-Version: 0.97\nTag-File-Character-Encoding: {encoding}\n"))
            .without("manifest-sha256.txt")
            .bytes("manifest-sha256.txt", &bytes)
            .add(name, DATA)
            .write(&sandbox.path("bag"));
        sandbox.dbag(&["verify", "bag"]).expect(0);
    }
}

/// What bdbag 1.8.0 does with these is in its tracker; here they are refused, and nothing is touched.
#[test]
fn what_bdbag_takes_by_mistake() {
    let Some(bdbag) = peer("bdbag") else { return };
    // A folder that is no bag becomes one under bdbag's hands, and is then valid.
    let sandbox = Sandbox::new();
    sandbox.write("plain/file", "x");
    let before = tree(&sandbox.path("plain"));
    sandbox.dbag(&["verify", "plain"]).expect(1).says(&["plain", "not a bag"]);
    assert!(tree(&sandbox.path("plain")) == before);
    sandbox.run(Command::new(&bdbag).args(["--validate", "full"]).arg(sandbox.path("plain"))).expect(0);
    assert!(tree(&sandbox.path("plain")) != before);
    // A wrong Oxum.
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", DATA)])
        .add("bag-info.txt", "Payload-Oxum: 9.9\n")
        .write(&sandbox.path("bag"));
    sandbox.run(Command::new(&bdbag).args(["--validate", "full"]).arg(sandbox.path("bag"))).expect(0);
    sandbox.dbag(&["verify", "bag"]).expect(1);
    // A file that a second manifest leaves out.
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", DATA)]).add("manifest-md5.txt", "").write(&sandbox.path("bag"));
    sandbox.run(Command::new(&bdbag).args(["--validate", "full"]).arg(sandbox.path("bag"))).expect(0);
    sandbox.dbag(&["verify", "bag"]).expect(1);
}

/// Names that Python's tools make bags of and then call their own bag invalid: the bytes are right.
#[test]
fn bags_that_their_own_makers_call_invalid() {
    let Some(bagit) = peer("bagit.py") else { return };
    for name in ["trailing ", "\u{85}", "\u{2028}", "a\nb\nc\nd", "a%0Ab"] {
        let sandbox = Sandbox::new();
        sandbox.write("bag/x", "other");
        sandbox.write(&format!("bag/{name}"), DATA);
        sandbox.run(Command::new(&bagit).args(["--sha256"]).arg(sandbox.path("bag"))).expect(0);
        assert_ne!(sandbox.run(Command::new(&bagit).arg("--validate").arg(sandbox.path("bag"))).code, 0);
        sandbox.dbag(&["verify", "bag"]).expect(0);
    }
}
