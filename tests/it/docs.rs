//! The documents are true: the commands in them run, and the reference is the program's own.

use std::path::Path;
use std::process::Command;

use crate::support::Sandbox;

fn document(name: &str) -> String {
    fs_err::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The shell blocks of a Markdown document that follow a line `<!-- test: NAME -->`.
fn blocks(text: &str, name: &str) -> String {
    let mut script = String::new();
    for part in text.split(&format!("<!-- test: {name} -->\n```sh\n")).skip(1) {
        script.push_str(part.split("```").next().unwrap());
    }
    assert!(!script.is_empty(), "no block {name}");
    script
}

#[test]
fn the_command_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let reference = dbag::cli::reference();
    if std::env::var_os("DBAG_BLESS").is_some() {
        fs_err::write(&path, &reference).unwrap();
    }
    assert!(
        fs_err::read_to_string(path).unwrap() == reference,
        "docs/cli.md is out of date; run cargo xtask docs"
    );
}

#[test]
fn every_finding_is_documented() {
    let text = document("docs/verify.md");
    for (_, code, meaning) in dbag::bag::Code::ALL {
        let row = format!("| `{code}` | {} |", meaning.trim());
        assert!(text.contains(&row), "docs/verify.md lacks {row}");
    }
}

#[test]
fn every_fault_of_a_workspace_is_documented() {
    let text = document("docs/fsck.md");
    for (code, meaning) in dbag::catalog::Fault::CODES {
        let row = format!("| `{code}` | {meaning} |");
        assert!(text.contains(&row), "docs/fsck.md lacks {row}");
    }
}

#[test]
fn every_setting_is_documented() {
    let text = document("docs/configuration.md");
    for setting in dbag::settings::Settings::DESCRIBED {
        let dbag::settings::Described { key, variable, sources, default, meaning } = *setting;
        let project = if sources == dbag::settings::Sources::All { "yes" } else { "no" };
        let row = format!("| `{key}` | `{variable}` | {meaning} | {default} | {project} |");
        assert!(text.contains(&row), "docs/configuration.md lacks {row}");
    }
}

#[test]
fn the_quick_start_works_to_the_letter() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let script = blocks(&document("README.md"), "quick start").replace("8765", &port);
    let output = run(&script);
    assert!(output.stdout.contains("complete and valid"), "{output:?}");
    assert!(output.stdout.contains("digits@1.1.0"), "{output:?}");
}

#[test]
fn the_guide_to_the_workspace_works_to_the_letter() {
    let output = run(&blocks(&document("docs/catalog.md"), "a lab"));
    assert!(output.stdout.contains("All is right"), "{output:?}");
    assert!(output.stdout.contains("digits-test              40 members"), "{output:?}");
}

#[test]
fn the_guide_to_versions_works_to_the_letter() {
    let output = run(&blocks(&document("docs/versioning.md"), "versions"));
    for told in ["study@1.1.0", "Nothing differs", "dbag.lock fits", "held by the versions", "All is right"] {
        assert!(output.stdout.contains(told), "{told}: {output:?}");
    }
}

/// Runs a script in an empty folder, with the dbag of this build.
fn run(script: &str) -> crate::support::Output {
    let sandbox = Sandbox::new();
    let folder = Path::new(env!("CARGO_BIN_EXE_dbag")).parent().unwrap().to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    fs_err::create_dir(sandbox.path("empty")).unwrap();
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]).env("PATH", path).current_dir(sandbox.path("empty"));
    sandbox.run(&mut bash).expect(0)
}
