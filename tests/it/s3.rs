//! `s3://` URLs over TLS, at a server that checks every signature.

use std::process::Command;

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s::{S3Result, s3_error};

use crate::support::{Output, Remote, Sandbox, Server, Speaks, tls_ca};

const MIB: usize = 1 << 20;
const KEY: &str = "lent-key";
const SECRET: &str = "SECRET/lent+";
const TOKEN: &str = "SECRET.session+token==";

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
