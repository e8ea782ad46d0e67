//! Chores: `cargo xtask test`, `cargo xtask bench`, `cargo xtask docs`.

#![allow(clippy::print_stdout, clippy::print_stderr)]

mod bench;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Chores of the dbag repository:
  cargo xtask test [ARGS]             every test, with the Python peers that they need (ARGS go to cargo test)
  cargo xtask bench verify            dbag verify beside bdbag, bagit.py and openssl (10 GB in target/bench)
  cargo xtask bench verify-scale      how its time and memory grow with the number of files; draws the plot
  cargo xtask bench materialize [PART]  dbag materialize beside bdbag, curl and openssl (needs nginx, curl);
                                      PART: small, large, again, slow-line
  cargo xtask bench catalog           what the local catalog's past costs; draws the plot
  cargo xtask bench import [PART [N]]   dbag import beside sqlite3 .import, and beside cp and sha256sum (needs sqlite3);
                                      PART: table, folder; N: a payload N times smaller, to try it
  cargo xtask bench versions [N]      what a release, a diff and an export cost by size, draws the plot; then dbag export
                                      beside bdbag and sqlite3 (needs sqlite3); N: 100,000 rows or fewer, to try it
  cargo xtask docs                    write docs/cli.md anew
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test", more @ ..] => test(more),
        ["bench", "verify"] => make_venv().and_then(|venv| bench::verify::bench(&root(), &venv)),
        ["bench", "verify-scale"] => make_venv().and_then(|venv| bench::verify::scale(&root(), &venv)),
        ["bench", "catalog"] => bench::catalog::bench(&root()),
        ["bench", "materialize", part @ ..] if part.len() <= 1 => {
            make_venv().and_then(|venv| bench::materialize::bench(&root(), &venv, part.first().copied()))
        }
        ["bench", "import", more @ ..] if more.len() <= 2 => match more.get(1).unwrap_or(&"1").parse() {
            Ok(divisor) if divisor > 0 => bench::import::bench(&root(), more.first().copied(), divisor),
            _ => Err("bench import: N is a number from 1 on".to_owned()),
        },
        ["bench", "versions", more @ ..] if more.len() <= 1 => {
            match more.first().unwrap_or(&"100000").parse() {
                Ok(rows) if rows > 0 => {
                    make_venv().and_then(|venv| bench::versions::bench(&root(), &venv, rows))
                }
                _ => Err("bench versions: N is a number from 1 on".to_owned()),
            }
        }
        ["docs"] => run(cargo(&["test", "--release", "--test", "it", "docs::the_command_reference"])
            .env("DBAG_BLESS", "1")),
        _ => {
            print!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new(".")).to_owned()
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command to its end; anything but success is an error that names it.
fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}")) }
}

fn test(more: &[&str]) -> Result<(), String> {
    make_venv()?;
    run(cargo(&["test", "--release", "--workspace"]).args(more).env("DBAG_TEST_PEERS", "1"))
}

/// The Python virtual environment with the peers, made anew when the list of them changes.
fn make_venv() -> Result<PathBuf, String> {
    let venv = root().join("target/test-venv");
    let list = root().join("tests/python/requirements.txt");
    let wanted = read(&list)?;
    let mark = venv.join("requirements.txt");
    if read(&mark).is_ok_and(|installed| installed == wanted) {
        return Ok(venv);
    }
    println!("Installing the tests' Python peers into {}", venv.display());
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    run(Command::new(venv.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
        .arg(&list))?;
    fs_err::copy(&list, &mark).map_err(|error| error.to_string())?;
    Ok(venv)
}

fn read(path: &Path) -> Result<String, String> {
    fs_err::read_to_string(path).map_err(|error| error.to_string())
}
