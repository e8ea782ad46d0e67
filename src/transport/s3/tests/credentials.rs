//! Which credentials, region and endpoint are chosen.

use std::path::Path;

use super::super::credentials::{Access, Keys, resolve};
use super::*;

/// What is chosen, in short.
fn chosen(access: &Access) -> String {
    match &access.keys {
        Keys::None => "none".into(),
        Keys::Pair(pair) => {
            format!("{} {} {}", pair.key_id, pair.secret_key, pair.token.as_deref().unwrap_or("-"))
        }
        Keys::WebIdentity { token_file, role, .. } => format!("web identity {token_file} {role}"),
        Keys::Task { path } => format!("task {path}"),
        Keys::Pod { url, token_file } => format!("pod {url} {token_file}"),
        Keys::Instance { endpoint } => format!("instance {endpoint:?}"),
    }
}

/// A home folder with a config file that says so.
fn home(config: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs_err::create_dir(home.path().join(".aws")).unwrap();
    fs_err::write(home.path().join(".aws/config"), config).unwrap();
    home
}

fn of(variables: &[(&str, &str)], home: &Path) -> Result<Access, String> {
    resolve(&S3Settings::default(), &Environment::with(variables, home), None)
}

const PROFILES: &str = "[default]\naws_access_key_id=dk\naws_secret_access_key=ds\naws_session_token=dt\nregion=r-1\n\
                        [profile other]\naws_access_key_id=ok\naws_secret_access_key=os\nendpoint_url=http://o:1/p/\n";

#[test]
fn the_first_of_the_chain_is_taken() {
    let (home, pair) = (home(PROFILES), [("AWS_ACCESS_KEY_ID", "ek"), ("AWS_SECRET_ACCESS_KEY", "es")]);
    let keychain = S3Keys { key: "kk".into(), secret: "ks".into(), ..S3Keys::default() };
    let resolved = |given, settings: &S3Settings, variables: &[(&str, &str)]| {
        chosen(&resolve(settings, &Environment::with(variables, home.path()), given).unwrap())
    };
    let settings = S3Settings::default();
    assert_eq!(resolved(Some(&keychain), &settings, &pair), "kk ks -");
    assert_eq!(resolved(None, &settings, &pair), "ek es -");
    assert_eq!(resolved(None, &settings, &[("AWS_ACCESS_KEY_ID", "half")]), "dk ds dt");
    assert_eq!(resolved(None, &settings, &[("AWS_PROFILE", "other")]), "ok os -");
    let asked = S3Keys { profile: Some("other".into()), ..S3Keys::default() };
    assert_eq!(resolved(Some(&asked), &settings, &pair), "ok os -");
    let anonymous = S3Settings { anonymous: true, ..settings };
    assert_eq!(resolved(Some(&keychain), &anonymous, &pair), "none");
}

#[test]
fn roles_come_after_keys_and_the_machine_only_where_it_is_asked_for() {
    let nobody = Path::new("/nonexistent");
    let mut variables = vec![
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("AWS_ROLE_ARN", "arn"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/c"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
    ];
    assert_eq!(chosen(&of(&variables, nobody).unwrap()), "web identity /token arn");
    assert_eq!(chosen(&of(&variables, home(PROFILES).path()).unwrap()), "dk ds dt");
    variables.remove(0);
    assert_eq!(chosen(&of(&variables, nobody).unwrap()), "task /v2/credentials/1");
    variables.remove(1);
    assert_eq!(chosen(&of(&variables, nobody).unwrap()), "pod http://127.0.0.1:9/c /token");
    assert_eq!(chosen(&of(&[], nobody).unwrap()), "none");

    let asking = S3Settings { instance_metadata: true, ..S3Settings::default() };
    let of = |variables: &[(&str, &str)]| {
        chosen(&resolve(&asking, &Environment::with(variables, nobody), None).unwrap())
    };
    assert_eq!(of(&[]), "instance None");
    assert_eq!(of(&[("AWS_EC2_METADATA_DISABLED", "True")]), "none");
    assert_eq!(
        of(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://[::1]:9/")]),
        "instance Some(\"http://[::1]:9\")"
    );
}

#[test]
fn a_profile_that_is_named_must_be_of_use() {
    let home =
        home("[default]\nsso_session = a\n[profile program]\ncredential_process = /bin/x\n[profile empty]\n");
    let access = of(&[], home.path()).unwrap();
    assert_eq!(chosen(&access), "none", "the data may be public");
    assert!(access.origin.contains("sso_session"), "{}", access.origin);
    let error = of(&[("AWS_PROFILE", "program")], home.path()).unwrap_err();
    assert!(error.contains("credential_process") && error.contains("program"), "{error}");
    assert!(of(&[("AWS_PROFILE", "missing")], home.path()).unwrap_err().contains("missing"));
    let keychain = |profile: &str| {
        let keys = S3Keys { profile: Some(profile.into()), ..S3Keys::default() };
        resolve(&S3Settings::default(), &Environment::with(&[], home.path()), Some(&keys)).unwrap_err()
    };
    assert!(keychain("empty").contains("has no keys"));
    assert!(keychain("missing").contains("missing"));
    let half = S3Keys { key: "k".into(), profile: Some("empty".into()), ..S3Keys::default() };
    let error =
        resolve(&S3Settings::default(), &Environment::with(&[], home.path()), Some(&half)).unwrap_err();
    assert!(error.contains("not both"), "{error}");
}

#[test]
fn a_profile_may_name_a_web_identity() {
    let home = home("[default]\nrole_arn = arn\nweb_identity_token_file = /t\n");
    assert_eq!(chosen(&of(&[], home.path()).unwrap()), "web identity /t arn");
}

#[test]
fn region_and_endpoint_are_the_nearest_ones() {
    let home = home(PROFILES);
    let place = |settings: &S3Settings, variables: &[(&str, &str)]| {
        let access = resolve(settings, &Environment::with(variables, home.path()), None).unwrap();
        (access.region, access.endpoint.unwrap_or_default())
    };
    let none = S3Settings::default();
    assert_eq!(place(&none, &[]), ("r-1".into(), String::new()));
    assert_eq!(place(&none, &[("AWS_PROFILE", "other")]), ("us-east-1".into(), "http://o:1/p".into()));
    let mut variables = vec![("AWS_DEFAULT_REGION", "r-2"), ("AWS_ENDPOINT_URL", "https://e:2")];
    assert_eq!(place(&none, &variables), ("r-2".into(), "https://e:2".into()));
    variables.extend([("AWS_REGION", "r-3"), ("AWS_ENDPOINT_URL_S3", "https://e:3")]);
    assert_eq!(place(&none, &variables), ("r-3".into(), "https://e:3".into()));
    let own = S3Settings { region: Some("r-4".into()), endpoint: Some("http://e:4".into()), ..none };
    assert_eq!(place(&own, &variables), ("r-4".into(), "http://e:4".into()));
}

#[test]
fn what_would_change_a_request_is_an_error_that_shows_nothing() {
    let nobody = Path::new("/nonexistent");
    for (name, value) in [
        ("AWS_REGION", "evil.example/hidden"),
        ("AWS_ENDPOINT_URL", "https://user:hidden@host"),
        ("AWS_ENDPOINT_URL", "ftp://hidden"),
        ("AWS_ENDPOINT_URL_S3", "hidden"),
        ("AWS_ENDPOINT_URL_S3", "https://host/?hidden"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "@hidden/"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/hidden and more"),
    ] {
        let error = of(&[(name, value)], nobody).unwrap_err();
        assert!(!error.contains("hidden"), "{name}: {error}");
    }
}
