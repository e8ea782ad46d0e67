//! Bags of a Deriva server, from one that plays Hatrac: sessions, tokens, redirects to an object store.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{
    Expiry, HandBag, Hatrac, Output, Sandbox, hex_sha256, noise, rehost, shared, tls_ca, tree, zip_files,
};

const OBJECT: &str = "/hatrac/Image/d41d8cd9.scan.bin:HNGRYCKRKL74MK4THPQIJCOOGA";

/// deriva-py's file of credentials, for a host with and without its port.
fn sign_in(sandbox: &Sandbox, host: &str, credential: &str) {
    let name = host.split(':').next().unwrap();
    let text = format!("{{\"{name}\": {{{credential}}}, \"{host}\": {{{credential}}}}}");
    let path = sandbox.write("home/.deriva/credential.json", text);
    #[cfg(unix)]
    fs_err::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    #[cfg(not(unix))]
    let _ = path;
}

fn cookie() -> String {
    format!("\"cookie\": \"{}\"", Hatrac::COOKIE)
}

fn materialize(sandbox: &Sandbox, more: &[&str]) -> Output {
    let ca = tls_ca();
    sandbox.dbag(&[&["materialize", "bag", "--ca-cert", ca.to_str().unwrap()][..], more].concat())
}

/// A bag of one large object of a Hatrac.
fn large_bag(sandbox: &Sandbox, hatrac: &Hatrac, body: &[u8]) {
    HandBag::new("1.0", &[])
        .add("manifest-sha256.txt", &format!("{}  data/scan.bin\n", hex_sha256(body)))
        .add("fetch.txt", &format!("{}{OBJECT}\t{}\tdata/scan.bin\n", hatrac.url(), body.len()))
        .write(&sandbox.path("bag"));
}

#[test]
fn real_bags_materialize_with_what_a_user_has_already() {
    let Some(bags) = shared("bags") else { return };
    let pairs = [
        ("a-4BG-1.0.0.unmaterialized.zip", "a-4BG-1.0.0.materialized.zip"),
        ("b-4CE-0.2.0.unmaterialized.zip", "b-4CE-0.2.0.materialized.zip"),
    ];
    for (without, with) in pairs {
        let (without, with) = (bags.join(without), bags.join(with));
        let hatrac = Hatrac::from_bags(&without, &with).tls().start();
        let wanted = zip_files(&with);
        let keychain = |kind: &str, parameters: &str| {
            format!(r#"[{{"uri":"{}/","auth_type":"{kind}","auth_params":{{{parameters}}}}}]"#, hatrac.url())
        };
        let ways = [
            ("a cookie of deriva-py", None, cookie()),
            ("a token of deriva-py", None, format!("\"bearer-token\": \"{}\"", Hatrac::TOKEN)),
            (
                "a cookie of bdbag",
                Some(keychain("cookie", &format!("\"cookies\":[\"{}\"]", Hatrac::COOKIE))),
                String::new(),
            ),
            (
                "a token of bdbag",
                Some(keychain("bearer-token", &format!("\"token\":\"{}\"", Hatrac::TOKEN))),
                String::new(),
            ),
        ];
        for (name, keychain, credential) in ways {
            let sandbox = Sandbox::new();
            rehost(&without, &sandbox.path("bag"), &hatrac.url());
            match keychain {
                Some(text) => drop(sandbox.write("home/.bdbag/keychain.json", text)),
                None => sign_in(&sandbox, &hatrac.host(), &credential),
            }
            let before = hatrac.server().requests().len();
            let output = materialize(&sandbox, &[]);
            assert_eq!(output.code, 0, "{name}: {output:#?}");
            let there = tree(&sandbox.path("bag"));
            for (path, body) in wanted.iter().filter(|(path, _)| path.starts_with("data/")) {
                assert!(there.get(path) == Some(body), "{name}: {path}");
            }
            assert!(!hatrac.server().requests()[before..].is_empty(), "{name}");
            sandbox.dbag(&["verify", "bag"]).expect(0);
        }
    }
}

#[test]
fn without_a_credential_one_message_says_what_to_do() {
    let Some(bags) = shared("bags") else { return };
    let (without, with) =
        (bags.join("a-4BG-1.0.0.unmaterialized.zip"), bags.join("a-4BG-1.0.0.materialized.zip"));
    let hatrac = Hatrac::from_bags(&without, &with).tls().start();
    let elsewhere = format!("\"cookie\": \"{}\"", Hatrac::COOKIE);
    let cases = [
        // What is there, the status, and what of it the message names.
        ("nothing", "", "", "401", "credential"),
        ("a credential of another host", "other.example.org", elsewhere.as_str(), "401", "credential"),
        ("an ended session", "", "\"cookie\": \"webauthn=SECRETold\"", "401", "credential.json"),
        ("a stranger", "", &format!("\"cookie\": \"{}\"", Hatrac::STRANGER), "403", "credential.json"),
    ];
    for (name, host, credential, status, names) in cases {
        let sandbox = Sandbox::new();
        rehost(&without, &sandbox.path("bag"), &hatrac.url());
        if !credential.is_empty() {
            sign_in(
                &sandbox,
                if host.is_empty() { hatrac.host() } else { host.to_owned() }.as_str(),
                credential,
            );
        }
        let before = hatrac.server().requests().len();
        let output = materialize(&sandbox, &[]).expect(3);
        let all = format!("{}{}", output.stdout, output.stderr);
        assert!(all.contains("localhost") && all.contains(status) && all.contains(names), "{name}: {all}");
        assert!(!all.contains(Hatrac::SECRET), "{name}: {all}");
        // What to do stands there once, and not with each of nine files.
        let advice = all.lines().filter(|line| line.contains("credential"));
        assert_eq!(advice.count(), 1, "{name}: {all}");
        // A refusal is no reason to ask again.
        let asked = hatrac.server().requests().len() - before;
        assert!(asked <= 9, "{name}: {asked} requests");
        if !host.is_empty() {
            assert!(hatrac.server().requests()[before..].iter().all(|head| !head.contains(Hatrac::SECRET)));
        }
        assert!(!sandbox.path("bag/data/asset").exists(), "{name}");
    }
}

#[test]
fn a_session_that_ends_on_the_way_costs_only_the_rest() {
    let Some(bags) = shared("bags") else { return };
    let (without, with) =
        (bags.join("a-4BG-1.0.0.unmaterialized.zip"), bags.join("a-4BG-1.0.0.materialized.zip"));
    let hatrac = Hatrac::from_bags(&without, &with).tls().session_lasts(4).start();
    let sandbox = Sandbox::new();
    rehost(&without, &sandbox.path("bag"), &hatrac.url());
    sign_in(&sandbox, &hatrac.host(), &cookie());
    let report = materialize(&sandbox, &["--json"]).expect(3).json();
    assert_eq!(report["fetched_files"].as_u64(), Some(4));
    hatrac.renew_session();
    let report = materialize(&sandbox, &["--json"]).expect(0).json();
    assert_eq!(report["fetched_files"].as_u64(), Some(5));
    assert_eq!(hatrac.server().sent().len(), 9);
}

#[test]
fn presigned_urls_expire_in_the_middle_of_a_file_and_no_credential_reaches_them() {
    let body = noise(70 << 20, 1);
    let cases = [
        ("never", Expiry::Never, 1),
        ("after two requests", Expiry::Requests(2), 3),
        ("after a moment", Expiry::After(Duration::from_millis(250)), 2),
    ];
    let body: Arc<[u8]> = body.into();
    for (name, expiry, least) in cases {
        let hatrac = Hatrac::of([(OBJECT.to_owned(), body.to_vec())])
            .presign(1 << 20, expiry)
            .tls()
            .drip(1 << 20, Duration::from_millis(20))
            .start();
        let sandbox = Sandbox::new();
        large_bag(&sandbox, &hatrac, &body);
        sign_in(&sandbox, &hatrac.host(), &cookie());
        let output = materialize(&sandbox, &["--connections", "3"]);
        assert_eq!(output.code, 0, "{name}: {output:#?}");
        assert!(fs_err::read(sandbox.path("bag/data/scan.bin")).unwrap() == *body, "{name}");
        assert_eq!(hatrac.leaks(), Vec::<String>::new(), "{name}");
        assert!(hatrac.presigned() >= least, "{name}: {}", hatrac.presigned());
        // Hatrac's own narrow door was not used, and nothing came twice to speak of.
        assert_eq!(hatrac.server().sent_of(OBJECT), 0, "{name}");
        let sent: u64 = hatrac.store().sent().iter().map(|sent| sent.2).sum();
        assert!(sent <= body.len() as u64 * 13 / 10, "{name}: {sent}");
        for text in [output.stdout, output.stderr] {
            assert!(!text.contains(Hatrac::SECRET), "{name}: {text}");
        }
    }
}

#[test]
fn without_a_redirect_hatrac_itself_gives_ranges() {
    let body = noise(70 << 20, 1);
    let hatrac = Hatrac::of([(OBJECT.to_owned(), body.clone())]).tls().start();
    let sandbox = Sandbox::new();
    large_bag(&sandbox, &hatrac, &body);
    sign_in(&sandbox, &hatrac.host(), &cookie());
    materialize(&sandbox, &["--connections", "4"]).expect(0);
    assert!(fs_err::read(sandbox.path("bag/data/scan.bin")).unwrap() == body);
    let sent = hatrac.server().sent_of(OBJECT);
    assert!(sent <= body.len() as u64 * 13 / 10, "{sent}");
}
