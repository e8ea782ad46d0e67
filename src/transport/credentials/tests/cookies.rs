use super::*;
use chrono::TimeZone;

fn jar(text: &str) -> Credentials {
    let credentials = Home::with(COOKIES, text).load().unwrap();
    assert_eq!(credentials.warnings(), [""; 0]);
    credentials
}

fn cookie(credentials: &Credentials, to: &str) -> Option<String> {
    sent(credentials, to).map(|line| line.strip_prefix("Cookie: ").unwrap().to_owned())
}

#[test]
fn cookies_go_to_their_host_and_path() {
    let credentials = jar(
        "# Netscape HTTP Cookie File\r\n\r\nA.org\tFALSE\t/\tTRUE\t0\tsid\tone\r\n#HttpOnly_a.org\tFALSE\t/p\tFALSE\t\tdeep\ttwo\r\n# a.org\tFALSE\t/\tTRUE\t0\tno\tno\r\n",
    );
    assert_eq!(cookie(&credentials, "https://a.org/x").as_deref(), Some("sid=one"));
    assert_eq!(cookie(&credentials, "https://a.org/p/x").as_deref(), Some("deep=two; sid=one"));
    assert_eq!(cookie(&credentials, "https://a.org/pq").as_deref(), Some("sid=one"));
    assert_eq!(cookie(&credentials, "https://a.org/p/..%2fx").as_deref(), Some("sid=one"));
    for to in [
        "https://b.a.org/",
        "https://a.org.evil/",
        "https://xa.org/",
        "https://a.org:8443/",
        "https://evil/?a.org",
        "s3://a.org/",
    ] {
        assert_eq!(cookie(&credentials, to), None, "{to}");
    }
    let found = credentials.for_url(&url("https://a.org/")).unwrap();
    assert_eq!((found.kind(), found.expires()), ("cookie", None));
    assert!(
        found.source().starts_with("the cookies for a.org in ") && found.source().ends_with("cookies.txt")
    );
    assert!(
        found.refresh_hint(&url("https://a.org/")).starts_with("export the cookies of a new login into ")
    );
}

#[test]
fn a_domain_cookie_goes_to_hosts_below_but_never_to_a_whole_top_domain() {
    let credentials = jar(
        ".a.org\tTRUE\t/\tTRUE\t0\tx\t1\n.org\tTRUE\t/\tTRUE\t0\ty\t1\n127.0.0.1\tTRUE\t/\tTRUE\t0\tz\t1\n.b.org\tFALSE\t/\tTRUE\t0\tw\t1\n",
    );
    for to in ["https://a.org/", "https://b.a.org/", "https://c.b.A.org/"] {
        assert_eq!(cookie(&credentials, to).as_deref(), Some("x=1"), "{to}");
    }
    for to in [
        "https://xa.org/",
        "https://c.org/",
        "https://x.b.org/",
        "https://127.0.0.1.a.com/",
        "https://a.org.com/",
    ] {
        assert_eq!(cookie(&credentials, to), None, "{to}");
    }
    assert_eq!(cookie(&credentials, "https://b.org/").as_deref(), Some("w=1"));
}

#[test]
fn no_cookie_goes_in_clear_over_a_network() {
    let credentials = jar(
        "a.org\tFALSE\t/\tTRUE\t0\tx\t1\na.org\tFALSE\t/\tFALSE\t0\ty\t1\nlocalhost\tFALSE\t/\tFALSE\t0\tz\t1\n",
    );
    assert_eq!(cookie(&credentials, "http://a.org/"), None);
    assert!(
        credentials.why_none(&url("http://a.org/")).unwrap().ends_with("cookies.txt is sent over https only")
    );
    assert_eq!(cookie(&credentials, "http://localhost/").as_deref(), Some("z=1"));
}

#[test]
fn a_cookie_ends() {
    let ahead = Utc::now().timestamp() + 3600;
    let text = format!(
        "a.org\tFALSE\t/\tTRUE\t1000000000\told\t1\na.org\tFALSE\t/\tTRUE\t{ahead}.5\tnew\t2\na.org\tFALSE\t/\tTRUE\t99999999999999999\tfar\t3\nb.org\tFALSE\t/\tTRUE\t-1\tgone\t4\nb.org\tFALSE\t/\tTRUE\t-1e300\tgone\t4\n"
    );
    let credentials = jar(&text);
    assert_eq!(cookie(&credentials, "https://a.org/").as_deref(), Some("new=2; far=3"));
    let found = credentials.for_url(&url("https://a.org/")).unwrap();
    assert_eq!(found.expires(), Utc.timestamp_opt(ahead, 0).single());
    assert_eq!(cookie(&credentials, "https://b.org/"), None);
    let why = credentials.why_none(&url("https://b.org/")).unwrap();
    assert!(why.starts_with("the cookie for b.org in ") && why.ends_with("has expired"), "{why}");
}

#[test]
fn all_files_below_the_folder_are_merged() {
    let line = |name: &str, value: &str| format!("a.org\tFALSE\t/\tTRUE\t0\t{name}\t{value}\n");
    let home = Home::with(".bdbag/a-cookies.txt", line("x", "1"))
        .and(".bdbag/sub/deeper/cookies.txt", line("x", "2") + &line("y", "3"))
        .and(".bdbag/notes.txt", "not cookies")
        .and(".bdbag/cookies.txt.old", "not cookies");
    let credentials = home.load().unwrap();
    // The later one of a name and path counts.
    assert_eq!(cookie(&credentials, "https://a.org/").as_deref(), Some("x=2; y=3"));
    let source = credentials.for_url(&url("https://a.org/")).unwrap().source();
    assert!(source.contains("sub") && !source.contains("a-cookies"), "{source}");
}

#[test]
fn an_empty_value_may_have_lost_its_tab() {
    assert_eq!(cookie(&jar("a.org\tFALSE\t/\tTRUE\t0\tx"), "https://a.org/").as_deref(), Some("x="));
    assert_eq!(cookie(&jar("a.org\tFALSE\t/\tTRUE\t0\tx\t"), "https://a.org/").as_deref(), Some("x="));
}

#[test]
fn a_malformed_line_is_named() {
    for (line, problem) in [
        ("SECRET", "does not have the seven fields of a cookie"),
        ("a.org FALSE / TRUE 0 x SECRET", "does not have the seven fields of a cookie"),
        ("a.org\tFALSE\t/\tTRUE\t0\tx\tSECRET\tmore", "does not have the seven fields of a cookie"),
        ("a.org\tmaybe\t/\tTRUE\t0\tx\tSECRET", "has a flag that is neither TRUE nor FALSE"),
        ("a.org\tFALSE\t/\t1\t0\tx\tSECRET", "has a flag that is neither TRUE nor FALSE"),
        ("a.org\tFALSE\t/\tTRUE\tsoon\tx\tSECRET", "has an expiry that is not a number of seconds"),
        ("a.org\tFALSE\t/\tTRUE\tnan\tx\tSECRET", "has an expiry that is not a number of seconds"),
        ("a/b\tFALSE\t/\tTRUE\t0\tx\tSECRET", "has a host or path that no URL can have"),
        ("\tFALSE\t/\tTRUE\t0\tx\tSECRET", "has a host or path that no URL can have"),
        ("a.org\tFALSE\t/a/../b\tTRUE\t0\tx\tSECRET", "has a host or path that no URL can have"),
        ("a.org\tFALSE\t/\tTRUE\t0\t\tSECRET", "has a cookie that is not name=value"),
        (
            "a.org\tFALSE\t/\tTRUE\t0\tx\tSEC\rRET",
            "has a cookie with a character that no header can carry, such as a line break",
        ),
        (
            "a.org\tFALSE\t/\tTRUE\t0\tx\tSECRÉT",
            "has a cookie with a character that no header can carry, such as a line break",
        ),
    ] {
        let error = Home::with(COOKIES, format!("\n{line}\n")).load().unwrap_err().to_string();
        assert!(
            error.starts_with("line 2 of ") && error.ends_with(&format!("cookies.txt {problem}")),
            "{error}"
        );
        assert!(!error.contains("SEC"), "{error}");
    }
}
