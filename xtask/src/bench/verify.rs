//! `cargo xtask bench verify` and `verify-scale`: verifying beside bdbag, bagit-python and OpenSSL.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::payload::{make_bag, tiny_bag, without_md5, zipped};
use super::plot::{Line, svg};
use super::{Entrant, build, command, compare, entrant, header};

/// The payloads: number of files, octets of each, and what to call them.
const PAYLOADS: [(usize, usize, &str); 3] = [
    (4, 600_000_000, "4 files of 600 MB"),
    (20_000, 50_000, "20,000 files of 50 kB"),
    (100_000, 1_000, "100,000 files of 1 kB"),
];

/// The programs that are compared.
struct Tools {
    dbag: PathBuf,
    bagit: PathBuf,
    bdbag: PathBuf,
}

impl Tools {
    fn new(root: &Path, venv: &Path) -> Self {
        Self {
            dbag: root.join("target/release/dbag"),
            bagit: venv.join("bin/bagit.py"),
            bdbag: venv.join("bin/bdbag"),
        }
    }

    fn dbag<'a>(&'a self, bag: &'a Path, arguments: &'a [&'a str]) -> Entrant<'a> {
        entrant("dbag verify", move |_| Ok(command(&self.dbag, &[&["verify"], arguments].concat(), bag)))
    }

    fn bagit<'a>(&'a self, bag: &'a Path) -> Entrant<'a> {
        entrant("bagit.py --validate --processes 2", move |_| {
            Ok(command(&self.bagit, &["--quiet", "--validate", "--processes", "2"], bag))
        })
    }

    fn bdbag<'a>(&'a self, bag: &'a Path) -> Entrant<'a> {
        entrant("bdbag --validate full", move |_| {
            Ok(command(&self.bdbag, &["--quiet", "--validate", "full"], bag))
        })
    }
}

/// The plain floor: nothing but hashing, with two processes of OpenSSL, once for each algorithm.
fn openssl<'a>(bag: &'a Path, algorithms: &'a [&'a str]) -> Entrant<'a> {
    entrant("find | xargs -P2 openssl dgst, each algorithm", move |_| {
        let hash: Vec<String> = algorithms
            .iter()
            // One file a process where there are few, so that both have work.
            .map(|algorithm| {
                format!("find data -type f -print0 | xargs -0 -P2 -n \"$1\" openssl dgst -{algorithm} -r")
            })
            .collect();
        let mut shell = Command::new("sh");
        let share = if few_files(bag) { "1" } else { "500" };
        shell.args(["-ec", &hash.join("; "), "sh", share]).current_dir(bag);
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        Ok(shell)
    })
}

fn few_files(bag: &Path) -> bool {
    let manifest = fs_err::read_to_string(bag.join("manifest-sha256.txt")).unwrap_or_default();
    manifest.lines().count() < 100
}

/// Every payload, as a folder and as a zip archive; and SHA-256 alone where that is all that counts.
pub fn bench(root: &Path, venv: &Path) -> Result<(), String> {
    build(root)?;
    let tools = Tools::new(root, venv);
    header();
    for (files, length, name) in PAYLOADS {
        let bag = root.join(format!("target/bench/verify-{files}x{length}"));
        make_bag(&bag, files, length, venv)?;
        let both = &["md5", "sha256"];
        let entrants = [tools.dbag(&bag, &[]), openssl(&bag, both), tools.bagit(&bag), tools.bdbag(&bag)];
        compare(&format!("{name}, md5 + sha256"), files, &entrants)?;
        let sha256 = without_md5(&bag)?;
        compare(
            &format!("{name}, sha256"),
            files,
            &[tools.dbag(&sha256, &[]), openssl(&sha256, &["sha256"])],
        )?;
        let zip = zipped(&bag, venv)?;
        compare(
            &format!("{name} in a zip, md5 + sha256"),
            files,
            &[tools.dbag(&zip, &[]), tools.bdbag(&zip)],
        )?;
    }
    Ok(())
}

/// How time and memory grow with the number of files, and the plot of it.
pub fn scale(root: &Path, venv: &Path) -> Result<(), String> {
    build(root)?;
    let tools = Tools::new(root, venv);
    let kinds: [(&str, &[&str], bool); 4] = [
        ("full, folder", &["--level", "full"], false),
        ("full, zip", &["--level", "full"], true),
        ("structure, folder", &["--level", "structure"], false),
        ("structure, zip", &["--level", "structure"], true),
    ];
    let mut lines: Vec<Line> =
        kinds.iter().map(|(name, _, _)| Line { name: format!("dbag: {name}"), points: Vec::new() }).collect();
    lines.push(Line { name: "bagit.py, 2 processes".into(), points: Vec::new() });
    println!("| files | what | median s | µs a file | peak memory, MB |\n|---|---|---|---|---|");
    for files in [1_000, 10_000, 100_000, 1_000_000] {
        let (folder, zip) = tiny_bag(root, files, venv)?;
        for ((name, arguments, in_zip), line) in kinds.iter().zip(&mut lines) {
            let bag = if *in_zip { &zip } else { &folder };
            let (time, memory) = measure(&tools.dbag, &[&["verify"], *arguments].concat(), bag, venv)?;
            row(files, &format!("dbag verify, {name}"), time, memory);
            line.points.push((files as f64, time.as_secs_f64()));
        }
        // Beyond, it takes minutes.
        if files <= 100_000 {
            let arguments = ["--quiet", "--validate", "--processes", "2"];
            let (time, memory) = measure(&tools.bagit, &arguments, &folder, venv)?;
            row(files, "bagit.py --validate --processes 2", time, memory);
            if let Some(line) = lines.last_mut() {
                line.points.push((files as f64, time.as_secs_f64()));
            }
        }
    }
    let plot =
        svg("Time to verify against number of files", "files in the bag", (1e3, 1e-3), (1e6, 1e2), &lines);
    fs_err::write(root.join("docs/verify-scale.svg"), plot).map_err(|error| error.to_string())
}

fn row(files: usize, name: &str, time: Duration, memory: u64) {
    let seconds = time.as_secs_f64();
    println!(
        "| {files} | `{name}` | {seconds:.3} | {:.1} | {:.0} |",
        seconds / files as f64 * 1e6,
        memory as f64 / 1e3
    );
}

/// Median time of three runs, and the most memory that one took, in kB, as the system tells the parent.
fn measure(program: &Path, arguments: &[&str], bag: &Path, venv: &Path) -> Result<(Duration, u64), String> {
    let script = "
import resource, statistics, subprocess, sys, time
times = []
for _ in range(4):
    start = time.perf_counter()
    subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    times.append(time.perf_counter() - start)
print(statistics.median(times[1:]), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
";
    let output = Command::new(venv.join("bin/python"))
        .args(["-c", script])
        .arg(program)
        .args(arguments)
        .arg(bag)
        .output()
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let parsed = text.split_once(' ').and_then(|(seconds, memory)| {
        Some((Duration::from_secs_f64(seconds.trim().parse().ok()?), memory.trim().parse().ok()?))
    });
    parsed.ok_or_else(|| format!("{}: {}", program.display(), String::from_utf8_lossy(&output.stderr)))
}
