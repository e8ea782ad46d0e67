use super::*;

#[test]
fn the_usual_files_are_those_of_the_tools() {
    let home = Home::new();
    let files = home.files();
    assert_eq!(files.keychain, Some(home.path(KEYCHAIN)));
    assert_eq!(files.cookies, Some(home.path(".bdbag")));
    assert_eq!(files.deriva, Some(home.path(DERIVA)));
    assert_eq!(files.netrc, Some(home.path(NETRC)));
    let files = home.set("DBAG_KEYCHAIN", "/k.json").set("NETRC", "/n").files();
    assert_eq!(files.keychain, Some("/k.json".into()));
    assert_eq!(files.netrc, Some("/n".into()));
    let empty = Home::new().set("DBAG_KEYCHAIN", "").set("NETRC", "");
    assert_eq!(empty.files().keychain, Some(empty.path(KEYCHAIN)));
    let homeless = CredentialFiles::from_environment(&|_| None, None);
    assert!(homeless.keychain.is_none() && homeless.netrc.is_none() && homeless.cookies.is_none());
}

#[test]
fn missing_and_blank_files_hold_nothing() {
    let credentials = Home::new().load().unwrap();
    assert!(credentials.warnings().is_empty() && credentials.for_url(&url("https://h/")).is_none());
    for blank in ["", " \n", "\u{feff}"] {
        let home = Home::with(KEYCHAIN, blank).and(DERIVA, blank).and(NETRC, blank).and(COOKIES, blank);
        assert!(home.load().unwrap().warnings().is_empty());
    }
    // Where a folder should be is a file.
    assert!(Home::with(".bdbag", "x").and(".deriva", "x").load().is_ok());
    assert!(Credentials::load(&CredentialFiles::default()).is_ok());
}

#[test]
fn a_file_that_a_variable_names_should_be_there() {
    let home = Home::new();
    let path = home.path("nothing.json");
    let credentials = home.set("DBAG_KEYCHAIN", path.clone()).load().unwrap();
    let expected = format!("DBAG_KEYCHAIN names a file that is not there: {}", error::shown(&path));
    assert_eq!(credentials.warnings(), [expected]);
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    let home = Home::with(KEYCHAIN, format!("\u{feff}[{}]", token("https://h/", "T")));
    assert!(home.load().unwrap().for_url(&url("https://h/")).is_some());
}

#[test]
fn what_is_no_text_is_an_error() {
    for path in [KEYCHAIN, DERIVA, NETRC, COOKIES] {
        let error = Home::with(path, b"\xff\xfesecret").load().unwrap_err().to_string();
        let name = path.rsplit('/').next().unwrap();
        assert!(error.ends_with(&format!("{name} is not UTF-8 text")), "{error}");
        let home = Home::new().and(path, "");
        fs_err::File::options().write(true).open(home.path(path)).unwrap().set_len((8 << 20) + 1).unwrap();
        let error = home.load().unwrap_err().to_string();
        assert!(error.ends_with("is larger than 8 MiB, so it holds no credentials"), "{error}");
    }
    let home = Home::new();
    fs_err::create_dir_all(home.path(NETRC)).unwrap();
    assert!(matches!(home.load(), Err(CredentialError::Unreadable(_))));
}

#[test]
#[cfg(unix)]
fn a_file_that_others_can_read_is_warned_of() {
    let cookie = "a.org\tFALSE\t/\tTRUE\t0\tx\t1";
    let texts = [(KEYCHAIN, "[]"), (DERIVA, "{}"), (NETRC, "machine a"), (COOKIES, cookie)];
    for (path, text) in texts {
        for mode in [0o640, 0o604, 0o644, 0o660] {
            let home = Home::with(path, text);
            set_mode(&home.path(path), mode);
            let shown = error::shown(&home.path(path));
            let expected = format!("{shown} holds secrets that other users can read; run: chmod 600 {shown}");
            assert_eq!(home.load().unwrap().warnings(), [expected]);
        }
        assert!(Home::with(path, text).load().unwrap().warnings().is_empty());
    }
}

#[test]
#[cfg(unix)]
fn a_folder_named_like_a_cookie_file_is_searched_and_links_to_folders_are_not() {
    let home = Home::with(".bdbag/my-cookies.txt/cookies.txt", "a.org\tFALSE\t/\tTRUE\t0\tx\t1");
    std::os::unix::fs::symlink(home.path(".bdbag"), home.path(".bdbag/loop-cookies.txt")).unwrap();
    std::os::unix::fs::symlink("nowhere", home.path(".bdbag/broken-cookies.txt")).unwrap();
    let credentials = home.load().unwrap();
    assert_eq!(sent(&credentials, "https://a.org/").as_deref(), Some("Cookie: x=1"));
}

#[test]
fn a_path_in_the_home_folder_is_shown_short() {
    let home = std::env::home_dir().unwrap();
    assert_eq!(error::shown(&home.join("x/y.json")), Path::new("~").join("x/y.json").display().to_string());
    assert_eq!(error::shown(Path::new("/elsewhere/y")), "/elsewhere/y");
}

#[test]
fn deriva_takes_a_token_before_a_cookie_before_a_password() {
    let all = r#""bearer-token":"T","cookie":"webauthn=C","username":"u","password":"p""#;
    let home = Home::with(
        DERIVA,
        format!(
            r#"{{"h":{{{all}}},"c":{{"cookie":"webauthn=C","username":"u","password":"p"}},"p:8443":{{"username":"u","password":"p"}},"none":{{}},"null":null}}"#
        ),
    );
    let credentials = home.load().unwrap();
    assert_eq!(credentials.warnings(), [""; 0]);
    let expected = ["Authorization: Bearer T", "X-Requested-With: XMLHttpRequest"];
    assert_eq!(headers(&credentials, "https://h/x").unwrap(), expected);
    assert_eq!(headers(&credentials, "https://C/x").unwrap(), ["Cookie: webauthn=C"]);
    let found = credentials.for_url(&url("https://p:8443/hatrac/x")).unwrap();
    let Authorization::Login(login) = found.authorization() else { panic!() };
    assert_eq!((login.url.as_str(), login.method), ("https://p:8443/authn/session", LoginMethod::Post));
    assert_eq!(lines(&login.form), ["username: u", "password: p"]);
    assert!(
        found.source().starts_with("the entry for p:8443 in ") && found.source().ends_with("credential.json")
    );
    assert!(credentials.for_url(&url("https://none/")).is_none());
}

#[test]
fn an_odd_record_of_deriva_is_not_used() {
    let unused = |text: &str| Home::with(DERIVA, text).load().unwrap().warnings().to_vec();
    for host in ["", "https://h", "h/p", "u@h", "h h", "h:x", "h?", "*", "<h>"] {
        let [warning] = &unused(&format!(r#"{{"x":{{}},"{host}":{{"cookie":"a=b"}}}}"#))[..] else {
            assert_eq!(host, "*", "a star is a name like another");
            continue;
        };
        assert!(
            warning.starts_with("entry 2 of ")
                && warning.ends_with("its key is not a host, or a host and a port")
        );
    }
    let half = unused(r#"{"h":{"username":"u"}}"#);
    assert!(half[0].ends_with(" is not used: it has no bearer-token, cookie, or username and password"));
}

#[test]
fn the_token_of_the_environment_goes_to_its_host_only() {
    let with = |token: &str, host: &str| Home::new().set("DBAG_TOKEN", token).set("DBAG_TOKEN_HOST", host);
    let credentials = with("T", "H:8443").load().unwrap();
    assert_eq!(sent(&credentials, "https://h:8443/x").as_deref(), Some("Authorization: Bearer T"));
    for to in ["https://h/", "http://h:8443/", "https://evil:8443/", "https://x.h:8443/"] {
        assert_eq!(sent(&credentials, to), None);
    }
    let found = credentials.for_url(&url("https://h:8443/")).unwrap();
    assert_eq!((found.kind(), found.source().as_str()), ("bearer token", "the bearer token in DBAG_TOKEN"));
    let alone = Home::new().set("DBAG_TOKEN", "T").load().unwrap();
    assert_eq!(
        alone.warnings(),
        ["DBAG_TOKEN is not used: DBAG_TOKEN_HOST does not say for which host it is"]
    );
    assert!(with("", "h").load().unwrap().warnings().is_empty());
    for (token, host, expected) in [
        ("T", "https://h", "the environment variable DBAG_TOKEN_HOST is not a host, or a host and a port"),
        (
            "SEC\nRET",
            "h",
            "the environment variable DBAG_TOKEN has a token with a character that no header can carry, such as a line break",
        ),
    ] {
        assert_eq!(with(token, host).load().unwrap_err().to_string(), expected);
    }
}
