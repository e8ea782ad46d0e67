//! `s3://` URLs over TLS, at a server that checks every signature, and keys that a service lends for a token (AWS STS).

use std::process::Command;

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};

use crate::support::{Output, Remote, Reply, Request, Sandbox, Server, Speaks, tls_ca};

const MIB: usize = 1 << 20;
const KEY: &str = "lent-key";
const SECRET: &str = "SECRET/lent+";
const TOKEN: &str = "SECRET.session+token==";
const ROLE: &str = "arn:aws:iam::123456789012:role/reader";
const IDENTITY: &str = "SECRET.identity.token";

/// Lets in who shows a session's token too.
struct Doorkeeper;

#[async_trait::async_trait]
impl S3Access for Doorkeeper {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let token = context.headers().get("x-amz-security-token").and_then(|value| value.to_str().ok());
        match (context.credentials(), token) {
            (Some(_), Some(TOKEN)) => Ok(()),
            _ => Err(s3_error!(AccessDenied, "no signature, or no session")),
        }
    }
}

/// A bucket `lab` with files, and a bag in a sandbox that refers to them.
struct Case {
    sandbox: Sandbox,
    remote: Remote,
    server: Server,
}

impl Case {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let remote = Remote::of(20, 5000, 40 * MIB);
        for name in remote.names() {
            sandbox.write(&format!("buckets/lab/{name}"), remote.body(name));
        }
        let files = s3s_fs::FileSystem::new(sandbox.path("buckets")).unwrap();
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        builder.set_access(Doorkeeper);
        let speaks = Speaks { protocols: &["http/1.1"], streams: None };
        let server = Server::set_up().host("localhost").speaking(speaks).serve(builder.build());
        remote.bag("s3://lab").write(&sandbox.path("bag"));
        Self { sandbox, remote, server }
    }

    /// Materializes the bag with these variables.
    fn run(&self, variables: &[(&str, &str)], trusting: bool) -> Output {
        let (endpoint, ca) = (self.server.url(), tls_ca());
        let mut arguments = vec!["materialize", "bag"];
        if trusting {
            arguments.extend(["--ca-cert", ca.to_str().unwrap()]);
        }
        let mut command: Command = self.sandbox.command(&arguments);
        std::env::vars().filter(|(name, _)| name.starts_with("AWS_")).for_each(|(name, _)| {
            command.env_remove(name);
        });
        command.env("DBAG_S3_ENDPOINT", endpoint);
        let output = self.sandbox.run(command.envs(variables.iter().copied()));
        assert!(!format!("{output:?}").contains("SECRET"), "{output:?}");
        output
    }

    /// Asserts that the run failed with one line about the files, which holds every one of `parts`.
    #[track_caller]
    fn assert_told(&self, output: Output, parts: &[&str]) {
        let output = output.expect(3);
        let lines: Vec<&str> = output.stdout.lines().collect();
        assert_eq!(lines.len(), 2, "one line about the files and one about the bag: {output:#?}");
        for part in parts {
            assert!(lines[0].contains(part), "{part:?} is not in {output:#?}");
        }
        assert_eq!(self.remote.assert_right(&self.sandbox.path("bag")), 0);
    }
}

#[test]
fn objects_come_over_tls_where_its_authority_is_trusted() {
    let case = Case::new();
    let keys = [("AWS_ACCESS_KEY_ID", KEY), ("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_SESSION_TOKEN", TOKEN)];
    case.assert_told(case.run(&keys, false), &["certificate", "not trusted", "--ca-cert", "s3://lab/"]);
    case.assert_told(case.run(&keys[..2], true), &["403", "AccessDenied", "the environment's keys"]);
    case.run(&keys, true).expect(0);
    case.remote.assert_complete(&case.sandbox.path("bag"));
}

/// A service that lends the keys to whoever shows the token of that identity.
fn sts() -> Server {
    Server::set_up().host("localhost").tls().start(|request: &Request| {
        let url = url::Url::parse(&format!("https://sts{}", request.path)).unwrap();
        let asked = |name: &str| {
            url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        };
        let shown = ["Action", "RoleArn", "WebIdentityToken"].map(|name| asked(name).unwrap_or_default());
        if request.method != "POST" || shown != ["AssumeRoleWithWebIdentity", ROLE, IDENTITY] {
            let body = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>";
            return Reply::Page(400, String::new(), body.as_bytes().into());
        }
        let body = format!(
            "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{KEY}</AccessKeyId>\
             <SecretAccessKey>{SECRET}</SecretAccessKey><SessionToken>{TOKEN}</SessionToken>\
             <Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
             </AssumeRoleWithWebIdentityResponse>"
        );
        Reply::Page(200, String::new(), body.into_bytes().into())
    })
}

#[test]
fn keys_are_lent_for_the_token_of_a_web_identity() {
    let (case, sts) = (Case::new(), sts());
    let token = case.sandbox.write("token", IDENTITY);
    let (token, sts_url) = (token.to_str().unwrap(), sts.url());
    let service = ("AWS_ENDPOINT_URL_STS", sts_url.as_str());
    let variables = |role| [("AWS_WEB_IDENTITY_TOKEN_FILE", token), ("AWS_ROLE_ARN", role), service];
    let whose = "the keys of the web identity's role could not be had";

    case.assert_told(case.run(&variables(ROLE), false), &[whose, "certificate", "not trusted"]);
    let refused = case.run(&variables("arn:aws:iam::1:role/other"), true);
    case.assert_told(refused, &[whose, "400", "InvalidIdentityToken"]);
    let missing = [("AWS_WEB_IDENTITY_TOKEN_FILE", "nowhere"), ("AWS_ROLE_ARN", ROLE), service];
    case.assert_told(case.run(&missing, true), &[whose, "nowhere"]);

    let before = sts.requests().len();
    case.run(&variables(ROLE), true).expect(0);
    case.remote.assert_complete(&case.sandbox.path("bag"));
    assert_eq!(sts.requests().len(), before + 1, "they are asked for once");
}

#[test]
fn a_profile_may_name_the_web_identity() {
    let (case, sts) = (Case::new(), sts());
    let token = case.sandbox.write("token", IDENTITY);
    let profile = format!("[default]\nrole_arn = {ROLE}\nweb_identity_token_file = {}\n", token.display());
    case.sandbox.write("home/.aws/config", profile);
    case.run(&[("AWS_ENDPOINT_URL_STS", &sts.url())], true).expect(0);
    case.remote.assert_complete(&case.sandbox.path("bag"));
}
