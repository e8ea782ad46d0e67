//! `cargo xtask bench versions`: releases, diffs and exports by size; then an export beside bdbag and `sqlite3 | gzip`.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::payload::make_files;
use super::plot::{Line, svg};
use super::{Entrant, build, compare, entrant, header, library, remove};
use crate::run;

/// Octets of each asset. What is exported refers to them, so that they count for nothing.
const LENGTH: usize = 64;
const BASE_URL: &str = "https://data.example.org/scans";

/// Runs `benches/versions.rs` and draws its plot; then compares exports of so many assets.
pub fn bench(root: &Path, venv: &Path, assets: usize) -> Result<(), String> {
    let folder = root.join("target/bench/versions");
    let points = library("versions", &folder)?;
    let lines = ["export", "diff", "release"].map(|kind| Line {
        name: kind.into(),
        points: points.iter().filter(|(name, ..)| name == kind).map(|(_, x, y)| (*x, *y)).collect(),
    });
    let title = "Seconds to export a version, to compare two (1 % changed), to release (1,000 rows changed)";
    let plot = svg(title, "assets in the dataset", (1e3, 1e-4), (1e6, 1e2), &lines);
    fs_err::write(root.join("docs/versions-cost.svg"), plot).map_err(|error| error.to_string())?;

    build(root)?;
    let stage = Stage { folder: folder.join(assets.to_string()), dbag: root.join("target/release/dbag") };
    stage.make(assets)?;
    header();
    let bdbag = venv.join("bin/bdbag");
    let entrants = [stage.export(), stage.bdbag(&bdbag), stage.sqlite3()];
    compare(&format!("export of {assets} assets elsewhere"), assets, &entrants).map(drop)
}

/// A workspace with a released dataset, and the same assets as bdbag's list of remote files.
struct Stage {
    folder: PathBuf,
    dbag: PathBuf,
}

impl Stage {
    fn make(&self, assets: usize) -> Result<(), String> {
        let list = self.folder.join("remote.json");
        if list.exists() {
            return Ok(());
        }
        remove(&self.folder)?;
        let files = self.folder.join("files");
        make_files(&files, assets, LENGTH)?;
        let lab = self.folder.join("lab");
        let in_lab = |words: &[&str]| {
            let mut dbag = Command::new(&self.dbag);
            run(dbag.args(words).current_dir(&lab).stdout(Stdio::null()).stderr(Stdio::null()))
        };
        run(Command::new(&self.dbag).arg("init").arg(&lab).stdout(Stdio::null()))?;
        in_lab(&["import", "../files", "--table", "Scan", "--in-place"])?;
        in_lab(&["dataset", "create", "scans"])?;
        in_lab(&["dataset", "add", "scans", "--table", "Scan"])?;
        in_lab(&["release", "scans", "--major", "-m", "all"])?;
        // Last, so that what stopped half-way is made anew.
        remote_files(&list, assets).map_err(|error| error.to_string())
    }

    fn export(&self) -> Entrant<'_> {
        entrant("dbag export", |_| {
            let output = self.folder.join("dbag.zip");
            remove(&output)?;
            let mut export = Command::new(&self.dbag);
            export.args(["export", "scans@1.0.0", "--assets", "remote", "--base-url", BASE_URL]);
            export.args(["--progress", "none", "-o"]).arg(output).current_dir(self.folder.join("lab"));
            export.stdout(Stdio::null()).stderr(Stdio::null());
            Ok(export)
        })
    }

    /// A bag of the same references, without the tables.
    fn bdbag<'a>(&'a self, bdbag: &'a Path) -> Entrant<'a> {
        entrant("bdbag --remote-file-manifest --archiver zip", move |_| {
            let bag = self.folder.join("bdbag");
            remove(&bag)?;
            remove(&self.folder.join("bdbag.zip"))?;
            fs_err::create_dir_all(&bag).map_err(|error| error.to_string())?;
            let mut command = Command::new(bdbag);
            command.args(["--quiet", "--checksum", "md5", "--checksum", "sha256", "--archiver", "zip"]);
            command.arg("--remote-file-manifest").arg(self.folder.join("remote.json")).arg(bag);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            Ok(command)
        })
    }

    /// The floor: the rows of one table as they are now, quickly packed, without any reference or digest.
    fn sqlite3(&self) -> Entrant<'_> {
        entrant("sqlite3 -csv | gzip -1", |_| {
            let mut shell = Command::new("sh");
            let script = "sqlite3 -readonly -csv \"$1\" 'SELECT * FROM \"domain:Scan\" ORDER BY RID' | gzip -1 > \"$2\"";
            shell.args(["-ec", script, "sh"]).arg(self.folder.join("lab/.dbag/catalog.sqlite"));
            shell.arg(self.folder.join("rows.csv.gz")).stderr(Stdio::null());
            Ok(shell)
        })
    }
}

/// bdbag's list of remote files, with digests as long as true ones.
fn remote_files(list: &Path, assets: usize) -> std::io::Result<()> {
    let partial = list.with_extension("partial");
    let mut out = BufWriter::new(fs_err::File::create(&partial)?);
    for number in 0..assets {
        let start = if number == 0 { '[' } else { ',' };
        let half = (number as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let other = half.rotate_left(29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        writeln!(
            out,
            "{start}{{\"url\": \"{BASE_URL}/{number:07}\", \"length\": {LENGTH}, \"filename\": \"assets/{number:07}.bin\", \
             \"md5\": \"{half:016x}{other:016x}\", \"sha256\": \"{half:016x}{other:016x}{other:016x}{half:016x}\"}}"
        )?;
    }
    writeln!(out, "]")?;
    out.flush()?;
    fs_err::rename(&partial, list)
}
