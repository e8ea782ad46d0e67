//! Benches: dbag beside its peers, in turn, in one run on one machine; what counts are the ratios.

pub mod catalog;
pub mod import;
pub mod materialize;
mod payload;
mod plot;
pub mod verify;
pub mod versions;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::{cargo, run};

/// Counted runs of each command; the median is shown.
const RUNS: usize = 3;

/// One command of a comparison, made anew for each round; what making it does is not counted.
struct Entrant<'a> {
    name: &'a str,
    command: Box<dyn Fn(usize) -> Result<Command, String> + 'a>,
}

/// The head of a table of comparisons.
fn header() {
    println!("| payload | tool | median s | files/s | times dbag |\n|---|---|---|---|---|");
}

fn entrant<'a>(name: &'a str, command: impl Fn(usize) -> Result<Command, String> + 'a) -> Entrant<'a> {
    Entrant { name, command: Box::new(command) }
}

fn command(program: &Path, arguments: &[&str], last: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(last).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs the entrants in turn, A B C A B C, after one warm-up, and prints a row for each. Gives the first one's median.
fn compare(payload: &str, files: usize, entrants: &[Entrant<'_>]) -> Result<Duration, String> {
    let mut times = vec![Vec::new(); entrants.len()];
    for round in 0..=RUNS {
        for (entrant, times) in entrants.iter().zip(&mut times) {
            let mut command = (entrant.command)(round)?;
            let started = Instant::now();
            run(&mut command)?;
            if round > 0 {
                times.push(started.elapsed());
            }
        }
    }
    let medians: Vec<Duration> = times
        .into_iter()
        .map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2]
        })
        .collect();
    for (entrant, median) in entrants.iter().zip(&medians) {
        let seconds = median.as_secs_f64();
        let ratio = seconds / medians[0].as_secs_f64();
        println!(
            "| {payload} | `{}` | {seconds:.2} | {:.0} | {ratio:.2} |",
            entrant.name,
            files as f64 / seconds
        );
    }
    Ok(medians[0])
}

/// Takes away what a round before left, if it did.
fn remove(path: &Path) -> Result<(), String> {
    let removed = if path.is_dir() { fs_err::remove_dir_all(path) } else { fs_err::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// Runs one of `benches/`, prints what it prints, and gives the points of its lines `plot NAME SIZE SECONDS`.
fn library(name: &str, folder: &Path) -> Result<Vec<(String, f64, f64)>, String> {
    fs_err::create_dir_all(folder).map_err(|error| error.to_string())?;
    let mut command = cargo(&["bench", "--quiet", "--bench", name]);
    let output = command.env("DBAG_BENCH_DIR", folder).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut points = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["plot", name, size, seconds] => {
                let point = size.parse().ok().zip(seconds.parse().ok());
                points.extend(point.map(|(size, seconds)| ((*name).to_owned(), size, seconds)));
            }
            _ => println!("{line}"),
        }
    }
    Ok(points)
}

fn build(root: &Path) -> Result<(), String> {
    run(Command::new(env!("CARGO")).args(["build", "--release", "--quiet"]).current_dir(root))
}
