use super::*;

/// Words that stand for secrets in the files below.
const HIDDEN: &str = "SECRET";

const GOOD: &str = r#"[
  {"uri":"https://h/c/","auth_type":"cookie","auth_params":{"cookies":["a=SECRET"],"additional_request_headers":{"X":"SECRET"}}},
  {"uri":"https://h/b/","auth_type":"bearer-token","auth_params":{"token":"SECRET","allow_redirects_with_token":"False"}},
  {"uri":"https://u:SECRET@h/f/","auth_uri":"https://u:SECRET@h/login?k=SECRET","auth_type":"http-form","auth_params":{"username":"SECRET","password":"SECRET"}},
  {"uri":"https://h/p/","auth_uri":"https://h/login","auth_type":"http-basic","auth_params":{"auth_method":"post","username":"u","password":"SECRET"}},
  {"uri":"s3://bucket","auth_type":"aws-credentials","auth_params":{"key":"SECRET","secret":"SECRET","token":"SECRET"}},
  {"uri":"ftp://h/p/","auth_type":"ftp-basic","auth_params":{"username":"u","password":"SECRET"}}
]"#;
const GOOD_DERIVA: &str = r#"{"h":{"bearer-token":"SECRET"},"c":{"cookie":"webauthn=SECRET"},"p":{"username":"u","password":"SECRET"}}"#;
const GOOD_NETRC: &str = "machine n login u password SECRET\nmachine q login u password \"SEC\\RET\"\ndefault login u password SECRET\n";
const GOOD_COOKIES: &str = "a.org\tTRUE\t/\tTRUE\t0\tsid\tSECRET\n";

fn full() -> Home {
    Home::with(KEYCHAIN, GOOD)
        .and(DERIVA, GOOD_DERIVA)
        .and(NETRC, GOOD_NETRC)
        .and(COOKIES, GOOD_COOKIES)
        .set("DBAG_TOKEN", HIDDEN)
        .set("DBAG_TOKEN_HOST", "t")
}

fn in_keychain(text: &str) -> String {
    let error = Home::with(KEYCHAIN, text).load().unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(HIDDEN), "{shown}");
    error.to_string()
}

#[test]
fn no_secret_shows_in_debug() {
    let credentials = full().load().unwrap();
    let mut shown = format!("{credentials:?} {credentials:#?} {:?}", credentials.warnings());
    let urls = [
        "https://h/c/",
        "https://h/b/",
        "https://h/f/",
        "https://h/p/",
        "s3://bucket/x",
        "ftp://h/p/",
        "https://h/",
        "https://c/",
        "https://p/",
        "https://n/",
        "https://q/",
        "https://a.org/",
        "https://t/",
        "https://u:SECRET@x/",
        "http://n/",
        "https://x/",
    ];
    let mut found = 0;
    for to in urls {
        if let Some(credential) = credentials.for_url(&url(to)) {
            found += 1;
            let hint = credential.refresh_hint(&url(to));
            shown +=
                &format!("{credential:?} {:#?} {} {hint}", credential.authorization(), credential.source());
        }
        shown += &credentials.why_none(&url(to)).unwrap_or_default();
    }
    assert_eq!(found, 13);
    assert!(!shown.contains(HIDDEN) && !shown.contains("SEC"), "{shown}");
    assert!(shown.contains('…') && shown.contains("url: https://h/…"));
    // Nor base64 of one.
    assert!(!shown.contains("U0VDUkVU") && !shown.contains("Basic"), "{shown}");
}

#[test]
fn what_is_not_json_is_named_by_line_and_column() {
    let error = in_keychain("[\n  {\"uri\": \"https://h/\", SECRET}\n]");
    assert!(
        error.starts_with("line 2 of ") && error.ends_with("keychain.json is not JSON (column 25)"),
        "{error}"
    );
    for text in [
        "SECRET",
        "[",
        "]",
        "[{]",
        "[1,]",
        "{\"a\":SECRET}",
        "[\"\\uD800 SECRET\"]",
        "[1e99999]",
        "[] SECRET",
        "'SECRET'",
        "[\"SECRET\n\"]",
    ] {
        assert!(in_keychain(text).contains("keychain.json is not JSON (column "), "{text}");
    }
    assert!(in_keychain(&"[".repeat(100_000)).contains("is not JSON"));
    let error = Home::with(DERIVA, "{\n\"h\"").load().unwrap_err().to_string();
    assert!(error.starts_with("line 2 of ") && error.contains("credential.json is not JSON"), "{error}");
}

#[test]
fn json_of_another_shape_is_an_error() {
    for text in ["{}", "1", "null", "\"SECRET\"", "{\"uri\":\"SECRET\"}"] {
        assert!(in_keychain(text).ends_with("keychain.json is not a list of entries"), "{text}");
    }
    for text in ["[]", "1", "null", "\"SECRET\""] {
        let error = Home::with(DERIVA, text).load().unwrap_err().to_string();
        assert!(error.ends_with("credential.json is not an object of hosts"), "{error}");
    }
    for value in ["1", "[]", "\"SECRET\"", "true", "null"] {
        let error = in_keychain(&format!("[{},{value}]", token("https://h/", HIDDEN)));
        assert!(
            error.starts_with("entry 2 of ") && error.ends_with("keychain.json is not an object"),
            "{error}"
        );
    }
    let error = Home::with(DERIVA, r#"{"a":{},"b":"SECRET"}"#).load().unwrap_err().to_string();
    assert!(
        error.starts_with("entry 2 of ") && error.ends_with("credential.json is not an object"),
        "{error}"
    );
}

#[test]
fn a_field_of_another_type_is_an_error() {
    let entry = |kind: &str, params: &str| {
        let uri = if kind == "aws-credentials" { "s3://h/" } else { "https://h/" };
        format!(r#"[{{"uri":"{uri}","auth_type":"{kind}","auth_params":{params}}}]"#)
    };
    for (kind, params, problem) in [
        ("bearer-token", r#"["SECRET"]"#, "has a field auth_params that is not an object"),
        ("bearer-token", r#"{"token":["SECRET"]}"#, "has a field token that is not a string"),
        ("bearer-token", r#"{"token":12}"#, "has a field token that is not a string"),
        ("cookie", r#"{"cookies":"a=SECRET"}"#, "has a field cookies that is not a list of strings"),
        ("cookie", r#"{"cookies":[["SECRET"]]}"#, "has a field cookies that is not a list of strings"),
        ("cookie", r#"{"cookies":["SECRET"]}"#, "has a cookie that is not name=value"),
        ("cookie", r#"{"cookies":["=SECRET"]}"#, "has a cookie that is not name=value"),
        (
            "http-basic",
            r#"{"username":"u","password":{"SECRET":1}}"#,
            "has a field password that is not a string",
        ),
        (
            "http-form",
            r#"{"username":false,"password":"SECRET"}"#,
            "has a field username that is not a string",
        ),
        ("aws-credentials", r#"{"key":1,"secret":"SECRET"}"#, "has a field key that is not a string"),
        (
            "bearer-token",
            r#"{"token":"SECRET","additional_request_headers":["SECRET"]}"#,
            "has a field additional_request_headers that is not an object",
        ),
        (
            "bearer-token",
            r#"{"token":"SECRET","additional_request_headers":{"X":1}}"#,
            "has an additional request header that is not a string",
        ),
    ] {
        let error = in_keychain(&entry(kind, params));
        assert!(error.starts_with("entry 1 of ") && error.ends_with(problem), "{error}");
    }
    assert!(in_keychain(r#"[{"uri":["SECRET"]}]"#).ends_with("has a field uri that is not a string"));
    assert!(
        in_keychain(r#"[{"uri":"https://h/","auth_type":7}]"#)
            .ends_with("has a field auth_type that is not a string")
    );
    let error = Home::with(DERIVA, r#"{"h":{"cookie":["SECRET"]}}"#).load().unwrap_err().to_string();
    assert!(error.ends_with("credential.json has a field cookie that is not a string"), "{error}");
}

#[test]
fn no_value_can_add_a_header() {
    let bad = "with a character that no header can carry, such as a line break";
    let params = |text: &str| format!(r#"[{{"uri":"https://h/","auth_type":{text}}}]"#);
    for breaking in ["\\r\\n", "\\n", "\\r", "\\u0000", "\\u007f", "\\t", "\\u0085", "\\u2028", "é"] {
        let value = format!("SECRET{breaking}X-Evil: 1");
        let error = in_keychain(&params(&format!(r#""bearer-token","auth_params":{{"token":"{value}"}}"#)));
        assert!(
            error.starts_with("entry 1 of ") && error.ends_with(&format!("has a token {bad}")),
            "{error}"
        );
        let error =
            in_keychain(&params(&format!(r#""cookie","auth_params":{{"cookies":["a=b","c={value}"]}}"#)));
        assert!(error.ends_with(&format!("has a cookie {bad}")), "{error}");
        for kind in [
            r#""bearer-token","auth_params":{"token":"T""#,
            r#""cookie","auth_params":{"cookies":["a=b"]"#,
            r#""http-form","auth_params":{"username":"u","password":"p""#,
            r#""http-basic","auth_params":{"username":"u","password":"p""#,
        ] {
            let error =
                in_keychain(&params(&format!(r#"{kind},"additional_request_headers":{{"X":"{value}"}}}}"#)));
            assert!(error.ends_with(&format!("has an additional request header {bad}")), "{error}");
            let error =
                in_keychain(&params(&format!(r#"{kind},"additional_request_headers":{{"{value}":"y"}}}}"#)));
            assert!(
                error.ends_with("has an additional request header whose name HTTP does not allow"),
                "{error}"
            );
        }
        let error = Home::with(DERIVA, format!(r#"{{"h":{{"cookie":"a={value}"}}}}"#))
            .load()
            .unwrap_err()
            .to_string();
        assert!(error.ends_with(&format!("has a cookie {bad}")), "{error}");
    }
    for name in ["", "a b", "a:b", "a(b)", "é"] {
        let error = in_keychain(&params(&format!(
            r#""bearer-token","auth_params":{{"token":"T","additional_request_headers":{{"{name}":"y"}}}}"#
        )));
        assert!(
            error.ends_with("has an additional request header whose name HTTP does not allow"),
            "{error}"
        );
    }
    for name in ["Host", "content-length", "Transfer-Encoding", "RANGE"] {
        let error = in_keychain(&params(&format!(
            r#""bearer-token","auth_params":{{"token":"T","additional_request_headers":{{"{name}":"y"}}}}"#
        )));
        assert!(
            error.ends_with(&format!("sets the request header {name}, which is dbag's own to set")),
            "{error}"
        );
    }
    let error = in_keychain(&params(r#""http-basic","auth_params":{"username":"a:b","password":"SECRET"}"#));
    assert!(error.ends_with("has a colon in its user name, which HTTP can't send"), "{error}");
}

/// Every beginning of a file, and every file with one octet changed, gives an answer that shows no secret.
#[test]
fn broken_files_neither_panic_nor_show_a_secret() {
    for (path, good) in
        [(KEYCHAIN, GOOD), (DERIVA, GOOD_DERIVA), (NETRC, GOOD_NETRC), (COOKIES, GOOD_COOKIES)]
    {
        let home = Home::new();
        let mut texts: Vec<Vec<u8>> = (0..good.len()).map(|end| good.as_bytes()[..end].to_vec()).collect();
        for (at, change) in (0..good.len()).zip(b"\"{}[]:,\\\n\t\0\xff 1#".iter().cycle()) {
            let mut text = good.as_bytes().to_vec();
            text[at] = *change;
            texts.push(text);
            let mut text = good.as_bytes().to_vec();
            text.remove(at);
            texts.push(text);
        }
        let mut home = home.and(path, "");
        for text in texts {
            home = home.and(path, &text);
            let shown = match home.load() {
                Ok(credentials) => format!("{credentials:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.contains(HIDDEN), "{shown}");
            assert!(!shown.contains("ECRE"), "{shown}");
        }
    }
}
