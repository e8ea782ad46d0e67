use super::*;
use chrono::TimeZone;

fn one(entry: &str) -> Credentials {
    let credentials = Home::with(KEYCHAIN, format!("[{entry}]")).load().unwrap();
    assert_eq!(credentials.warnings(), [""; 0], "{entry}");
    credentials
}

fn login(credentials: &Credentials, to: &str) -> Login {
    match credentials.for_url(&url(to)).unwrap().authorization() {
        Authorization::Login(login) => login.clone(),
        other => panic!("{other:?}"),
    }
}

/// What the only warning about one entry says after "is not used: ", and that the entry goes nowhere.
fn unused(entry: &str) -> String {
    let credentials = Home::with(KEYCHAIN, format!("[{entry}]")).load().unwrap();
    for to in ["https://h/p/", "http://h/", "s3://h/", "https://evil/"] {
        assert!(credentials.for_url(&url(to)).is_none(), "{entry}");
    }
    let [warning] = credentials.warnings() else { panic!("{entry}: {:?}", credentials.warnings()) };
    let (place, reason) = warning.split_once(" is not used: ").unwrap();
    assert!(place.starts_with("entry 1 of ") && place.ends_with("keychain.json"), "{place}");
    reason.to_owned()
}

#[test]
fn a_cookie_entry_gives_one_field_with_all_pairs() {
    let credentials = one(
        r#"{"uri":"https://h/p/","auth_type":"cookie","auth_params":{"cookies":["a=b","c=d=e"],"additional_request_headers":{"X":"y"}}}"#,
    );
    assert_eq!(headers(&credentials, "https://h/p/x").unwrap(), ["Cookie: a=b; c=d=e", "X: y"]);
    let found = credentials.for_url(&url("https://h/p/")).unwrap();
    assert_eq!(found.kind(), "cookie");
    assert!(found.source().starts_with("the cookie entry 1 of "));
}

#[test]
fn a_bearer_token_goes_as_bdbag_sends_it() {
    for redirects in [r#""True""#, r#""False""#, "true", "1", "null"] {
        let credentials = one(&format!(
            r#"{{"uri":"https://h/p/","tag":"t","auth_type":"bearer-token","auth_params":{{"token":"T","allow_redirects_with_token":{redirects},"additional_request_headers":{{}}}}}}"#
        ));
        let expected = ["Authorization: Bearer T", "X-Requested-With: XMLHttpRequest"];
        assert_eq!(headers(&credentials, "https://h/p/x").unwrap(), expected);
        let found = credentials.for_url(&url("https://h/p/")).unwrap();
        assert_eq!((found.kind(), found.expires()), ("bearer token", None));
        // Wherever the server redirects to.
        assert!(credentials.for_url(&url("https://elsewhere/p/x")).is_none());
    }
}

#[test]
fn an_additional_header_replaces_one_of_its_name() {
    let credentials = one(
        r#"{"uri":"https://h/","auth_type":"bearer-token","auth_params":{"token":"T","additional_request_headers":{"authorization":"Key K","X-A":"1","x-a":"2"}}}"#,
    );
    let expected = ["X-Requested-With: XMLHttpRequest", "authorization: Key K", "x-a: 2"];
    assert_eq!(headers(&credentials, "https://h/").unwrap(), expected);
}

#[test]
fn a_form_is_posted_once_to_its_auth_uri() {
    let credentials = one(
        r#"{"uri":"https://h/p/","auth_uri":"https://sso/login","auth_type":"http-form","auth_params":{"username":"u","password":"p","username_field":"user","password_field":"pass","auth_method":"get","additional_request_headers":{"X":"y"}}}"#,
    );
    let found = login(&credentials, "https://h/p/x");
    assert_eq!((found.url.as_str(), found.method), ("https://sso/login", LoginMethod::Post));
    assert_eq!(lines(&found.form), ["user: u", "pass: p"]);
    assert_eq!(lines(&found.headers), ["X: y"]);
    assert!(found.basic.is_none());
    assert_eq!(credentials.for_url(&url("https://h/p/")).unwrap().kind(), "form login");
    assert!(credentials.for_url(&url("https://sso/login")).is_none());

    let credentials = one(
        r#"{"uri":"https://h/p/","auth_uri":"","auth_type":"http-form","auth_params":{"username":"u","password":"p"}}"#,
    );
    let found = login(&credentials, "https://h/p/x");
    assert_eq!(found.url.as_str(), "https://h/p/");
    assert_eq!(lines(&found.form), ["username: u", "password: p"]);
}

#[test]
fn basic_needs_a_login_only_at_another_auth_uri() {
    for auth_uri in
        ["", r#""auth_uri":"https://h/p/","#, r#""auth_uri":"https://H:443/p/","#, r#""auth_uri":null,"#]
    {
        let credentials = one(&format!(
            r#"{{"uri":"https://h/p/",{auth_uri}"auth_type":"http-basic","auth_params":{{"username":"ü","password":"p:w","additional_request_headers":{{"X":"y"}}}}}}"#
        ));
        assert_eq!(headers(&credentials, "https://h/p/x").unwrap(), [basic("ü:p:w").as_str(), "X: y"]);
        assert_eq!(credentials.for_url(&url("https://h/p/")).unwrap().kind(), "basic");
    }
    for (method, expected) in [
        ("", LoginMethod::Post),
        (r#","auth_method":"GET""#, LoginMethod::Get),
        (r#","auth_method":"Post""#, LoginMethod::Post),
    ] {
        let credentials = one(&format!(
            r#"{{"uri":"https://h/p/","auth_uri":"https://h/login","auth_type":"http-basic","auth_params":{{"username":"u","password":"p"{method}}}}}"#
        ));
        let found = login(&credentials, "https://h/p/x");
        assert_eq!((found.url.as_str(), found.method), ("https://h/login", expected));
        let (user, password) = found.basic.unwrap();
        assert_eq!((user.as_str(), password.expose()), ("u", "p"));
        assert_eq!(lines(&found.headers), [basic("u:p")]);
        assert!(found.form.is_empty());
    }
}

#[test]
fn a_password_is_not_posted_less_protected_than_its_uri_says() {
    let entry = |uri, auth_uri, kind| {
        format!(
            r#"{{"uri":"{uri}","auth_uri":"{auth_uri}","auth_type":"{kind}","auth_params":{{"username":"u","password":"p"}}}}"#
        )
    };
    for kind in ["http-form", "http-basic"] {
        for auth_uri in ["http://h/login", "ftp://h/login", "file:///login"] {
            assert_eq!(
                unused(&entry("https://h/p/", auth_uri, kind)),
                "its auth_uri is not https, though its uri is"
            );
        }
        assert_eq!(unused(&entry("https://h/p/", "/login", kind)), "its auth_uri is not an absolute URL");
        for (uri, auth_uri) in [
            ("http://h/", "http://h/login"),
            ("http://h/", "https://h/login"),
            ("https://h/", "http://localhost:8080/login"),
        ] {
            let credentials = one(&entry(uri, auth_uri, kind));
            assert_eq!(login(&credentials, uri).url.as_str(), auth_uri);
        }
    }
}

#[test]
fn aws_keys_are_for_their_bucket_and_prefix() {
    let credentials = one(
        r#"{"uri":"s3://bucket/pre","auth_type":"aws-credentials","auth_params":{"key":"K","secret":"S","token":"T","role_arn":"arn:x","profile":"lab"}}"#,
    );
    for to in ["s3://bucket/prefix", "s3://bucket/", "s3://bucket.evil/pre/x", "https://bucket/pre/x"] {
        assert!(credentials.for_url(&url(to)).is_none(), "{to}");
    }
    let found = credentials.for_url(&url("s3://bucket/pre/x")).unwrap();
    assert_eq!(found.kind(), "S3 keys");
    let Authorization::S3(keys) = found.authorization() else { panic!() };
    let expose = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    assert_eq!(expose(&keys.key).as_deref(), Some("K"));
    assert_eq!(expose(&keys.secret).as_deref(), Some("S"));
    assert_eq!(expose(&keys.token).as_deref(), Some("T"));
    assert_eq!((keys.role_arn.as_deref(), keys.profile.as_deref()), (Some("arn:x"), Some("lab")));

    let entry =
        |params| format!(r#"{{"uri":"s3://h","auth_type":"aws-credentials","auth_params":{params}}}"#);
    let credentials = one(&entry(r#"{"key":"","secret":"","token":"","role_arn":"","profile":"lab"}"#));
    assert!(credentials.for_url(&url("s3://h/any/key")).is_some());
    assert_eq!(unused(&entry(r#"{"key":"K"}"#)), "it has a key without a secret, or a secret without a key");
    assert_eq!(unused(&entry(r#"{"key":"","secret":""}"#)), "it has no key, profile or role_arn");
}

#[test]
fn kinds_of_later_transports_are_named_only_where_a_url_asks_for_them() {
    let entries = r#"[
        {"uri":"ftp://h/p/","auth_type":"ftp-basic","auth_params":{"username":"u","password":"p"}},
        {"uri":"gs://bucket/","auth_type":"gcs-credentials","auth_params":{"project_id":"","allow_requester_pays":true,"service_account_credentials_file":"/p.json"}},
        {"uri":"globus://0aaa/p","auth_type":"globus_transfer","auth_params":{"local_endpoint":"x","transfer_token":"y"}},
        {"uri":"https://h/new/","auth_type":"passkey"},
        {"uri":"https://h/","auth_type":"bearer-token","auth_params":{"token":"T"}}]"#;
    let credentials = Home::with(KEYCHAIN, entries).load().unwrap();
    assert_eq!(credentials.warnings(), [""; 0]);
    for (to, start, end) in [
        ("ftp://h/p/x", "dbag can't use the ftp-basic entry 1 of ", "it does not fetch ftp: URLs"),
        ("gs://bucket/x", "dbag can't use the gcs-credentials entry 2 of ", "it does not fetch gs: URLs"),
        (
            "globus://0aaa/p/x",
            "dbag can't use the globus_transfer entry 3 of ",
            "it does not fetch globus: URLs",
        ),
        // It hides the token of the whole host, which is not what its owner wants here.
        ("https://h/new/x", "entry 4 of ", "has an unknown auth_type"),
    ] {
        assert!(credentials.for_url(&url(to)).is_none());
        let why = credentials.why_none(&url(to)).unwrap();
        assert!(why.starts_with(start) && why.ends_with(end), "{why}");
    }
    assert!(credentials.for_url(&url("https://h/x")).is_some());
    assert_eq!(credentials.why_none(&url("ftp://h/q")), None);

    let both = [r#"{"uri":"https://h/","auth_type":"passkey"}"#.to_owned(), token("https://h/", "T")];
    assert!(keychain(&both).load().unwrap().for_url(&url("https://h/")).is_some());
}

#[test]
fn an_entry_without_a_good_uri_matches_nothing() {
    let with = |uri: &str| format!(r#"{{{uri}"auth_type":"bearer-token","auth_params":{{"token":"T"}}}}"#);
    for (uri, reason) in [
        ("", "it has no uri"),
        (r#""uri":null,"#, "it has no uri"),
        (r#""uri":"","#, "it has no uri"),
        (r#""uri":" ","#, "its uri is not an absolute URL"),
        (r#""uri":"/","#, "its uri is not an absolute URL"),
        (r#""uri":"h/p","#, "its uri is not an absolute URL"),
        (r#""uri":"//h/p","#, "its uri is not an absolute URL"),
        (r#""uri":"https://","#, "its uri is not an absolute URL"),
        (r#""uri":"https:","#, "its uri is not an absolute URL"),
        (r#""uri":"mailto:h","#, "its uri names no host"),
        (r#""uri":"file:///h","#, "its uri names no host"),
        (r#""uri":"s3:///h","#, "its uri names no host"),
        (r#""uri":"https://h/?a=b","#, "its uri has a query or fragment"),
        (r#""uri":"https://h/#a","#, "its uri has a query or fragment"),
        (r#""uri":"https://h/p/..%2f","#, "its uri has dot segments in its path"),
        (r#""uri":"s3://h/","#, "its auth_type bearer-token is not for URLs such as its uri"),
    ] {
        assert_eq!(unused(&with(uri)), reason, "{uri}");
    }
}

#[test]
fn an_entry_that_lacks_something_is_not_used() {
    let with = |rest: &str| format!(r#"{{"uri":"https://h/p/"{rest}}}"#);
    for (rest, reason) in [
        ("", "it has no auth_type"),
        (r#","auth_type":"""#, "it has no auth_type"),
        (r#","auth_type":"cookie""#, "it has no auth_params"),
        (r#","auth_type":"cookie","auth_params":{}"#, "it has no cookies"),
        (r#","auth_type":"cookie","auth_params":{"cookies":[]}"#, "it has no cookies"),
        (r#","auth_type":"bearer-token","auth_params":{"token":""}"#, "it has no token"),
        (r#","auth_type":"http-basic","auth_params":{"username":"u"}"#, "it has no password"),
        (r#","auth_type":"http-form","auth_params":{"password":"p"}"#, "it has no username"),
        (
            r#","auth_type":"aws-credentials","auth_params":{"key":"K"}"#,
            "its auth_type aws-credentials is not for URLs such as its uri",
        ),
        (
            r#","auth_uri":"https://h/l","auth_type":"http-basic","auth_params":{"username":"u","password":"p","auth_method":"put"}"#,
            "its auth_method is neither post nor get",
        ),
    ] {
        assert_eq!(unused(&with(rest)), reason, "{rest}");
    }
}

#[test]
fn the_file_that_bdbag_makes_at_first_says_nothing() {
    let template = r#"[{"uri":"https://<hostname>/<path>","auth_uri":"","auth_type":"http-form","auth_params":{"auth_method":"post","username":"","password":"","cookies":[]}},
        {"uri":"ftp://<hostname>/<path>","auth_type":"ftp-basic","auth_params":{"username":"","password":""}},
        {"uri":"https://<hostname>/<path>","auth_type":"bearer-token","auth_params":{"token":"<token>","allow_redirects_with_token":"True"}},
        {"uri":"s3://<bucket_name>","auth_type":"aws-credentials","auth_params":{"key":"foo","secret":"bar"}},
        {"uri":"globus://<endpoint>/<path>","auth_type":"globus_transfer","auth_params":{"local_endpoint":"","transfer_token":""}}]"#;
    let credentials = Home::with(KEYCHAIN, template).load().unwrap();
    assert_eq!(credentials.warnings(), [""; 0]);
    assert!(credentials.for_url(&url("https://hostname/path")).is_none());
}

/// A token of the form of a JWT with some claims.
fn jwt(claims: &str) -> String {
    use base64::Engine;
    let encode = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}.c2ln", encode(r#"{"alg":"RS256"}"#), encode(claims))
}

#[test]
fn a_token_tells_its_end_if_it_is_a_jwt() {
    let end =
        |token: &str| one(&self::token("https://h/", token)).for_url(&url("https://h/")).unwrap().expires();
    let expected = Utc.timestamp_opt(1_900_000_000, 0).unwrap();
    assert_eq!(end(&jwt(r#"{"sub":"ü","exp":1900000000}"#)), Some(expected));
    assert_eq!(end(&jwt(r#"{"exp":1900000000.75}"#)), Some(expected));
    for other in [
        "opaque".to_owned(),
        "a.b".into(),
        "a.b.c".into(),
        "..".into(),
        jwt("{}"),
        jwt("[1]"),
        jwt("not json"),
        jwt(r#"{"exp":"soon"}"#),
        jwt(r#"{"exp":null}"#),
        jwt(r#"{"exp":1e300}"#),
        jwt(r#"{"exp":-1e300}"#),
        format!("{}.more", jwt(r#"{"exp":1900000000}"#)),
    ] {
        assert_eq!(end(&other), None, "{other}");
    }
}

#[test]
fn a_token_may_have_its_end_beside_it() {
    let expected = Utc.timestamp_opt(1_900_000_000, 0).single();
    for number in ["1900000000", r#""1900000000""#] {
        let credentials = one(&format!(
            r#"{{"uri":"https://h/","auth_type":"bearer-token","auth_params":{{"token":"T","expires_at_seconds":{number}}}}}"#
        ));
        assert_eq!(credentials.for_url(&url("https://h/")).unwrap().expires(), expected);
        let home =
            Home::with(DERIVA, format!(r#"{{"h":{{"bearer-token":"T","expires_at_seconds":{number}}}}}"#));
        assert_eq!(home.load().unwrap().for_url(&url("https://h/")).unwrap().expires(), expected);
    }
}

#[test]
fn the_hint_says_how_to_renew() {
    let cookie = |pair: &str| {
        format!(r#"{{"uri":"https://c/","auth_type":"cookie","auth_params":{{"cookies":["{pair}"]}}}}"#)
    };
    let home = keychain(&[token("https://h/", "T"), cookie("a=1"), token("https://h:8443", "T")]);
    let hint = |home: &Home, to: &str| home.load().unwrap().for_url(&url(to)).unwrap().refresh_hint(&url(to));
    let plain = hint(&home, "https://h/data/x");
    assert!(plain.starts_with("renew entry 1 of ") && plain.ends_with("keychain.json"), "{plain}");
    assert!(hint(&home, "https://c/x").starts_with("renew entry 2 of "));
    for service in ["hatrac", "ermrest", "deriva", "authn"] {
        let command = "deriva-globus-auth-utils login --host h";
        assert_eq!(hint(&home, &format!("https://h/{service}/x")), command);
    }
    assert_eq!(hint(&home, "https://h:8443/hatrac"), "deriva-globus-auth-utils login --host h:8443");
    assert_eq!(
        hint(&keychain(&[cookie("webauthn=1")]), "https://c/x"),
        "deriva-globus-auth-utils login --host c"
    );
    let odd = keychain(&[token("https://a;b/", "T")]);
    assert_eq!(hint(&odd, "https://a;b/hatrac/"), "log in to the host anew with deriva-globus-auth-utils");
    let home = Home::with(DERIVA, r#"{"D":{"cookie":"webauthn=x"},"e":{"username":"u","password":"p"}}"#)
        .and(NETRC, "machine n login u password p")
        .set("DBAG_TOKEN", "T")
        .set("DBAG_TOKEN_HOST", "v");
    assert_eq!(hint(&home, "https://d/x"), "deriva-globus-auth-utils login --host d");
    assert!(hint(&home, "https://e/x").starts_with("correct the entry for e in "));
    assert!(hint(&home, "https://n/x").starts_with("correct the entry for n in "));
    assert_eq!(hint(&home, "https://v/x"), "set DBAG_TOKEN to a new token");
}
