use super::*;

fn netrc(text: &str) -> Credentials {
    let credentials = Home::with(NETRC, text).load().unwrap();
    assert_eq!(credentials.warnings(), [""; 0], "{text}");
    credentials
}

fn fault(text: &str) -> String {
    let error = Home::with(NETRC, text).load().unwrap_err().to_string();
    assert!(error.contains(".netrc "), "{error}");
    let (line, problem) = error.split_once(" of ").unwrap();
    format!("{line}: {}", problem.split_once(".netrc ").unwrap().1)
}

#[test]
fn a_machine_has_a_login_and_a_password() {
    let credentials = netrc(
        "machine Data.Lab.org\n\tlogin me\n\tpassword s3#cret\n\nmachine b login x account y password z",
    );
    assert_eq!(sent(&credentials, "https://data.lab.org/x"), Some(basic("me:s3#cret")));
    assert_eq!(sent(&credentials, "https://b/"), Some(basic("x:z")));
    let found = credentials.for_url(&url("https://b/")).map(Cow::into_owned).unwrap();
    assert_eq!(found.kind(), "basic");
    assert!(found.source().starts_with("the entry for b in line 5 of "), "{}", found.source());
}

#[test]
fn a_default_is_never_sent() {
    let credentials = netrc("default login anonymous password me@home\nmachine a login x password y");
    assert_eq!(sent(&credentials, "https://a/"), Some(basic("x:y")));
    for to in ["https://evil/", "http://localhost/", "https://anonymous/"] {
        assert_eq!(sent(&credentials, to), None);
        assert!(credentials.why_none(&url(to)).unwrap().starts_with("the default entry in line 1 of "));
    }
}

#[test]
fn a_macro_lasts_to_the_first_empty_line() {
    let credentials = netrc(
        "machine a login x password y\nmacdef init\nmachine evil login e password e\nput \"file\n\nmachine b login x password y\nmacdef last\nmachine c login x password y",
    );
    let gets: Vec<bool> =
        ["a", "evil", "b", "c"].map(|host| sent(&credentials, &format!("https://{host}/")).is_some()).into();
    assert_eq!(gets, [true, false, true, false]);
    assert!(
        sent(&netrc("macdef x\r\nget y\r\n\r\nmachine a login x password y\r\n"), "https://a/").is_some()
    );
}

#[test]
fn words_may_be_quoted() {
    let credentials =
        netrc(r#"machine "a" login "my name" password "q\"b\\ #c" machine b login "" password "machine""#);
    assert_eq!(sent(&credentials, "https://a/"), Some(basic("my name:q\"b\\ #c")));
    assert_eq!(sent(&credentials, "https://b/"), Some(basic(":machine")));
    let inside = netrc(r#"machine a login x"y password back\slash"#);
    assert_eq!(sent(&inside, "https://a/"), Some(basic(r#"x"y:back\slash"#)));
}

#[test]
fn a_comment_stands_where_a_keyword_could() {
    let credentials = netrc(
        "# machine x\n#machine a login no password no\nmachine a login #u password #p # login z\n#\n# end",
    );
    assert_eq!(sent(&credentials, "https://a/"), Some(basic("#u:#p")));
}

#[test]
fn the_first_of_equal_machines_counts() {
    let credentials = netrc("machine a login 1 password p machine A login 2 password p machine b login x");
    assert_eq!(sent(&credentials, "https://a/"), Some(basic("1:p")));
    // A login without a password is for programs that ask.
    assert_eq!(sent(&credentials, "https://b/"), None);
    assert_eq!(sent(&netrc("machine b password p"), "https://b/"), Some(basic(":p")));
    assert_eq!(sent(&netrc("machine ::1 login u password p"), "https://[::1]/"), Some(basic("u:p")));
}

#[test]
fn a_machine_that_is_no_host_is_not_used() {
    for name in ["https://h/", "h/p", "u@h", "a?b", "a#b", "a%2eb", "h:99999", "\"h h\"", "a\\b"] {
        let credentials = Home::with(NETRC, format!("\nmachine {name} login u password p")).load().unwrap();
        let [warning] = credentials.warnings() else { panic!("{name}") };
        assert!(
            warning.starts_with("line 2 of ") && warning.ends_with(" is not used: its machine is not a host")
        );
        assert_eq!(sent(&credentials, "https://h/"), None);
    }
}

#[test]
fn faults_are_named_by_line_and_not_quoted() {
    let word = "has a word that is no keyword of .netrc; a value with blanks needs quotes";
    assert_eq!(fault("machine a\nlogin u\npassword my secret\n"), format!("line 3: {word}"));
    assert_eq!(fault("{\"json\": 1}"), format!("line 1: {word}"));
    assert_eq!(fault("\"#quoted\""), format!("line 1: {word}"));
    assert_eq!(fault("\nlogin u"), "line 2: has a login before the first machine");
    assert_eq!(fault("machine a login u\npassword"), "line 2: ends after password, without its value");
    assert_eq!(fault("machine a login u\npassword \"abc\ndef\""), "line 2: has a quote that does not end");
    assert_eq!(fault("machine a password \"abc\\"), "line 1: has a quote that does not end");
    let control = "has a control character, such as a line break, in its user name or password";
    assert_eq!(fault("\n\nmachine a login u password \"a\\nb\""), format!("line 3: {control}"));
    assert_eq!(
        fault("machine a login u:v password b"),
        "line 1: has a colon in its user name, which HTTP can't send"
    );
}
