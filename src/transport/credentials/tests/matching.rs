use super::*;

/// Which of some URLs get the token of one keychain entry.
fn reached<'u>(uri: &str, urls: &[&'u str]) -> Vec<&'u str> {
    let credentials = keychain(&[token(uri, "T")]).load().unwrap();
    assert_eq!(credentials.warnings(), [""; 0]);
    urls.iter().copied().filter(|to| credentials.for_url(&url(to)).is_some()).collect()
}

#[test]
fn a_url_that_only_contains_the_uri_gets_nothing() {
    let urls = [
        "http://evil/?u=https://good.org/",
        "https://evil/?u=https://good.org/",
        "https://evil/https://good.org/",
        "https://evil/#https://good.org/",
        "https://good.org.evil/",
        "https://good.org@evil/",
        "https://good.org%40evil.org/",
        "https://good.orgevil/",
        "https://evil-good.org/",
        "https://sub.good.org/",
        "https://good.org./",
        "https://evil\\@good.org/",
        "ftp://good.org/",
        "s3://good.org/",
        "data:https://good.org/",
    ];
    let (good, bad) = (urls.iter(), urls.iter().filter(|text| Url::parse(text).is_err()));
    let parsed: Vec<&str> = good.copied().filter(|text| Url::parse(text).is_ok()).collect();
    assert_eq!(bad.copied().collect::<Vec<_>>(), ["https://good.org%40evil.org/"]);
    assert_eq!(reached("https://good.org/", &parsed), [""; 0]);
    assert_eq!(reached("https://good.org", &parsed), [""; 0]);
}

#[test]
fn the_host_is_compared_without_case_and_in_its_ascii_form() {
    let urls = ["https://GOOD.org/x", "https://good.org/x"];
    assert_eq!(reached("HTTPS://Good.ORG/", &urls), urls);
    let urls = ["https://göod.org/x", "https://xn--god-sna.org/x"];
    assert_eq!(reached("https://GÖOD.org/", &urls), urls);
    assert_eq!(reached("https://[::1]/", &["https://[0:0::1]/", "https://[::2]/"]), ["https://[0:0::1]/"]);
    assert_eq!(reached("https://127.0.0.1/", &["https://2130706433/x"]), ["https://2130706433/x"]);
}

#[test]
fn the_path_is_compared_by_whole_segments() {
    let inside = [
        "https://h/p",
        "https://h/p/",
        "https://h/p/x",
        "https://h/p//x",
        "https://h/p?q=1",
        "https://h/p/x#f",
    ];
    let outside = [
        "https://h/",
        "https://h/pq",
        "https://h/P",
        "https://h/q/p",
        "https://h//p",
        "https://h/p.x",
        "https://h/p;x",
    ];
    for uri in ["https://h/p", "https://h/p/"] {
        assert_eq!(reached(uri, &inside), inside);
        assert_eq!(reached(uri, &outside), [""; 0]);
    }
    assert_eq!(reached("https://h", &outside), outside);
    assert_eq!(
        reached("https://h/a/b/", &["https://h/a", "https://h/a/bc", "https://h/a/b/c"]),
        ["https://h/a/b/c"]
    );
}

#[test]
fn percent_codes_change_nothing() {
    let inside = ["https://h/p%20q/x", "https://h/%70%20q/x", "https://h/p q"];
    assert_eq!(reached("https://h/p%20q", &inside), inside);
    assert_eq!(reached("https://h/%70%20q", &inside), inside);
    // An encoded slash ends no segment.
    assert_eq!(reached("https://h/p", &["https://h/p%2Fx", "https://h%2Fp/"][..1]), [""; 0]);
    assert_eq!(
        reached("https://h/p", &["https://h/p/a%2Fb", "https://h/p/100%", "https://h/p/%ff"]).len(),
        3
    );
}

#[test]
fn dots_lead_out_of_no_path() {
    let out = [
        "https://h/p/../q",
        "https://h/p/%2e%2E/q",
        "https://h/p/.%2e/q",
        "https://h/p\\..\\q",
        "https://h/p/..%2fq",
        "https://h/p/%2e%2e%2fq",
        "https://h/p/x%2f..%2f..%2fq",
        "https://h/p/..%5cq",
        "https://h/p/%252e%252e/q",
        "https://h/p/%252e%252e%252fq",
        "https://h/p/%25252e%25252e%25252fq",
        "https://h/p/%2525252525252e/q",
        "https://h/p/..;/q",
        "https://h/p/..;a=b/q",
        "https://h/p/%2e%2e%3b/q",
    ];
    assert_eq!(reached("https://h/p", &out), [""; 0]);
    // They are all still on the host.
    assert_eq!(reached("https://h", &out), out);
    let inside =
        ["https://h/q/../p/x", "https://h/p/./x", "https://h/p/..x", "https://h/p/...", "https://h/p/a..b/c"];
    assert_eq!(reached("https://h/p", &inside), inside);
}

#[test]
fn ports_are_compared_with_the_standard_one_filled_in() {
    let urls = ["https://h/", "https://h:443/", "https://h:8443/", "https://h:80/", "http://h:443/"];
    for uri in ["https://h/", "https://h:443/"] {
        assert_eq!(reached(uri, &urls), &urls[..2]);
    }
    assert_eq!(reached("https://h:8443/", &urls), ["https://h:8443/"]);
    assert_eq!(reached("http://h:443/", &urls), ["http://h:443/"]);
    assert_eq!(reached("http://h:80/", &["http://h/", "https://h:80/"]), ["http://h/"]);
}

#[test]
fn a_token_goes_over_http_only_if_its_own_uri_says_so() {
    let urls = ["http://h/p", "https://h/p"];
    assert_eq!(reached("https://h/p", &urls), ["https://h/p"]);
    assert_eq!(reached("http://h/p", &urls), ["http://h/p"]);
    assert_eq!(reached("https://localhost/p", &["http://localhost/p", "http://localhost:443/p"]), [""; 0]);
    let credentials = Home::new().set("DBAG_TOKEN", "T").set("DBAG_TOKEN_HOST", "localhost").load().unwrap();
    assert!(credentials.for_url(&url("https://localhost/")).is_some());
    assert!(credentials.for_url(&url("http://localhost/")).is_none());
}

#[test]
fn hosts_of_deriva_and_netrc_take_https_or_the_own_computer() {
    for (name, file) in [
        (
            DERIVA,
            r#"{"H":{"bearer-token":"T"},"localhost":{"bearer-token":"T"},"127.0.0.1:8080":{"cookie":"a=b"},"[::1]:443":{"cookie":"a=b"},"h:8443":{"cookie":"a=b"}}"#,
        ),
        (
            NETRC,
            "machine H login u password p\nmachine localhost login u password p\nmachine 127.0.0.1:8080 login u password p\nmachine [::1]:443 login u password p machine h:8443 login u password p",
        ),
    ] {
        let credentials = Home::with(name, file).load().unwrap();
        assert_eq!(credentials.warnings(), [""; 0]);
        let gets = |to: &str| credentials.for_url(&url(to)).is_some();
        for to in [
            "https://h/",
            "https://h:443/x/y",
            "https://localhost/",
            "http://localhost/",
            "http://127.0.0.1:8080/",
            "https://127.0.0.1:8080/",
            "https://[::1]/",
            "http://[::1]:443/",
            "https://h:8443/",
        ] {
            assert!(gets(to), "{name} {to}");
        }
        for to in [
            "http://h/",
            "http://h:8443/",
            "https://h:8080/",
            "https://x.h/",
            "http://localhost:8080/",
            "http://localhost.evil/",
            "https://127.0.0.1/",
            "http://[::1]/",
            "ftp://h/",
            "http://h:443/",
        ] {
            assert!(!gets(to), "{name} {to}");
        }
    }
}

#[test]
fn the_longest_path_wins_then_the_first_entry() {
    let entries = [
        token("https://h/", "root"),
        token("https://h/a/b", "ab"),
        token("https://h/a", "a"),
        token("https://h/a/", "a-again"),
        token("https://other/a/b/c/d", "other"),
    ];
    let credentials = keychain(&entries).load().unwrap();
    for (to, expected) in [
        ("https://h/", "root"),
        ("https://h/ab", "root"),
        ("https://h/a", "a"),
        ("https://h/a/x", "a"),
        ("https://h/a/b/c/d", "ab"),
        ("https://h/a/b/..%2f..", "root"),
    ] {
        assert_eq!(sent(&credentials, to), Some(format!("Authorization: Bearer {expected}")), "{to}");
    }
}

#[test]
fn of_equal_paths_keychain_comes_before_cookies_deriva_environment_and_netrc() {
    let cookie = "h\tFALSE\t/\tTRUE\t0\tfrom\tcookies\nh\tFALSE\t/c\tTRUE\t0\tfrom\tdeep\n";
    let home = Home::with(
        KEYCHAIN,
        format!("[{},{}]", token("https://h/", "keychain"), token("https://h/k", "deep")),
    )
    .and(COOKIES, cookie)
    .and(DERIVA, r#"{"h":{"bearer-token":"deriva"}}"#)
    .and(NETRC, "machine h login net password rc")
    .set("DBAG_TOKEN", "environment")
    .set("DBAG_TOKEN_HOST", "h");
    let first = |home: &Home, to: &str| sent(&home.load().unwrap(), to).unwrap();
    assert_eq!(first(&home, "https://h/x"), "Authorization: Bearer keychain");
    assert_eq!(first(&home, "https://h/k/x"), "Authorization: Bearer deep");
    assert_eq!(first(&home, "https://h/c"), "Cookie: from=deep; from=cookies");
    fs_err::remove_file(home.path(KEYCHAIN)).unwrap();
    assert_eq!(first(&home, "https://h/x"), "Cookie: from=cookies");
    fs_err::remove_file(home.path(COOKIES)).unwrap();
    assert_eq!(first(&home, "https://h/x"), "Authorization: Bearer deriva");
    fs_err::remove_file(home.path(DERIVA)).unwrap();
    assert_eq!(first(&home, "https://h/x"), "Authorization: Bearer environment");
    let home = Home { variables: Vec::new(), ..home };
    assert_eq!(first(&home, "https://h/x"), basic("net:rc"));
}

#[test]
fn a_user_and_password_in_the_url_come_first_and_stay_there() {
    let credentials = keychain(&[token("https://h/", "T")]).load().unwrap();
    let to = "https://us%20er:p%40ss%25@h/x";
    let found = credentials.for_url(&url(to)).unwrap();
    assert_eq!((found.kind(), found.source().as_str()), ("basic", "the user and password in the URL"));
    assert_eq!(found.refresh_hint(&url(to)), "correct the user and password in the URL");
    assert_eq!(sent(&credentials, to), Some(basic("us er:p@ss%")));
    assert_eq!(sent(&Credentials::none(), "http://u:p@h/"), Some(basic("u:p")));
    // Half of a login is none, and neither is one that Basic can't carry.
    for to in ["https://u@h/", "https://a%3Ab:p@h/", "https://u:p%0A@h/", "https://u:%ff@h/"] {
        assert_eq!(sent(&credentials, to), Some("Authorization: Bearer T".into()), "{to}");
        assert_eq!(sent(&Credentials::none(), to), None);
    }
    assert!(credentials.for_url(&url("s3://u:p@h/")).is_none());
    assert!(credentials.for_url(&url("https://h@evil/")).is_none());
    assert!(credentials.for_url(&url("https://h:x@evil/")).unwrap().source().ends_with("in the URL"));
}

#[test]
fn a_url_without_host_gets_nothing() {
    let credentials = keychain(&[token("https://h/", "T")]).load().unwrap();
    for to in ["data:,x", "file:///h/", "urn:uuid:1", "s3:h", "minid:abc"] {
        assert!(credentials.for_url(&url(to)).is_none());
        assert_eq!(credentials.why_none(&url(to)), None);
    }
}

#[test]
fn near_misses_are_explained() {
    let home =
        keychain(&[token("https://h/p", "T"), token("http://plain/", "T"), token("https://h/p/deep", "U")])
            .and(NETRC, "machine n login u password p default login x password y");
    let credentials = home.load().unwrap();
    let why = |to: &str| credentials.why_none(&url(to)).unwrap_or_default();
    assert!(why("http://h/p/x").starts_with("the bearer-token entry 1 of "));
    assert!(why("http://h/p/x").ends_with("keychain.json is sent over https only"));
    assert!(why("https://h:1/p/x").ends_with("keychain.json is for another port"));
    assert!(why("https://plain/").ends_with("keychain.json is for http: URLs only"));
    assert!(why("http://n/").starts_with("the entry for n in line 1 of "));
    assert!(why("https://x/").contains("the default entry in line 1 of "));
    assert!(why("https://x/").ends_with("is never sent, since it names no host"));
    assert_eq!(why("https://h/p/x"), "");
    assert_eq!(why("http://u:p@h/p/x"), "");
    let empty = Credentials::none();
    assert_eq!(empty.why_none(&url("https://h/")), None);
    assert!(empty.for_url(&url("https://h/")).is_none());
    assert!(empty.warnings().is_empty());
}
