//! `cargo xtask bench import`: tables beside `sqlite3 .import`, folders beside `cp` and `sha256sum`.

use std::fmt::Write as _;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::payload::make_files;
use super::{Entrant, build, compare, entrant, header, remove};
use crate::run;

/// Rows of the table, and files of the folder with the octets of each.
const ROWS: usize = 1_000_000;
const FILES: (usize, usize) = (20_000, 50_000);

/// A table of ten columns and a folder of small files, each into a new workspace. `sqlite3` writes to a table of the same
/// columns and key; `cp` and `sha256sum` together do what must be done at least. A part of it by name: `table`,
/// `folder`; then, for a small trial, by how much less.
pub fn bench(root: &Path, part: Option<&str>, divisor: usize) -> Result<(), String> {
    build(root)?;
    let stage = Stage { folder: root.join("target/bench/import"), dbag: root.join("target/release/dbag") };
    fs_err::create_dir_all(&stage.folder).map_err(|error| error.to_string())?;
    header();
    if part.is_none_or(|part| part == "table") {
        stage.table(ROWS / divisor)?;
    }
    if part.is_none_or(|part| part == "folder") {
        stage.files(FILES.0 / divisor, FILES.1)?;
    }
    Ok(())
}

struct Stage {
    folder: PathBuf,
    dbag: PathBuf,
}

impl Stage {
    fn table(&self, rows: usize) -> Result<(), String> {
        let csv = self.folder.join(format!("rows-{rows}.csv"));
        make_rows(&csv, rows)?;
        let entrants =
            [self.dbag("dbag import", csv.clone(), &["--table", "T", "--key", "id"]), self.sqlite3(&csv)];
        compare(&format!("CSV, {rows} rows of 10 columns"), rows, &entrants).map(drop)
    }

    fn files(&self, files: usize, length: usize) -> Result<(), String> {
        let folder = self.folder.join(format!("files-{files}x{length}"));
        make_files(&folder, files, length)?;
        let copy = self.folder.join("copy");
        let plain = entrant("cp -r, sha256sum", |_| {
            remove(&copy)?;
            let mut shell = Command::new("sh");
            let script =
                "cp -r \"$1\" \"$2\" && find \"$1\" -type f -print0 | xargs -0 sha256sum && sync -f \"$2\"";
            shell.args(["-ec", script, "sh"]).arg(&folder).arg(&copy);
            shell.stdout(Stdio::null()).stderr(Stdio::null());
            Ok(shell)
        });
        let entrants = [
            self.dbag("dbag import", folder.clone(), &["--table", "F"]),
            self.dbag("dbag import --in-place", folder.clone(), &["--table", "F", "--in-place"]),
            plain,
        ];
        compare(&format!("folder, {files} files of {length} bytes"), files, &entrants).map(drop)
    }

    /// An import into a new workspace.
    fn dbag<'a>(&'a self, name: &'a str, path: PathBuf, more: &'a [&'a str]) -> Entrant<'a> {
        entrant(name, move |_| {
            let lab = self.folder.join("lab");
            remove(&lab)?;
            let mut init = Command::new(&self.dbag);
            run(init.arg("init").arg(&lab).stdout(Stdio::null()))?;
            let mut import = Command::new(&self.dbag);
            import.arg("import").arg(&path).args(more).args(["--progress", "none"]).current_dir(&lab);
            import.stdout(Stdio::null()).stderr(Stdio::null());
            Ok(import)
        })
    }

    fn sqlite3<'a>(&'a self, csv: &'a Path) -> Entrant<'a> {
        entrant("sqlite3 .import", move |_| {
            let database = self.folder.join("plain.sqlite");
            remove(&database)?;
            let mut sqlite3 = Command::new("sqlite3");
            sqlite3.arg(&database).arg(
                "CREATE TABLE T (id INTEGER NOT NULL UNIQUE, subject TEXT, visit INTEGER, age INTEGER, score REAL, \
                 label TEXT, date TEXT, flag TEXT, note TEXT, ratio REAL)",
            );
            sqlite3.arg(format!(".import --csv --skip 1 \"{}\" T", csv.display()));
            sqlite3.stdout(Stdio::null()).stderr(Stdio::null());
            Ok(sqlite3)
        })
    }
}

/// A table as laboratories have them: numbers, texts, dates and flags. The same at every run.
fn make_rows(path: &Path, rows: usize) -> Result<(), String> {
    if path.exists() {
        return Ok(());
    }
    let partial = path.with_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::new(fs_err::File::create(&partial)?);
        writeln!(out, "id,subject,visit,age,score,label,date,flag,note,ratio")?;
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let mut line = String::new();
        for id in 0..rows {
            line.clear();
            let (subject, visit, letter) =
                (id / 2, id % 2, char::from(b'a' + u8::try_from(id % 26).unwrap_or(0)));
            let (age, score, ratio) = (random(80), random(1_000_000), random(1_000_000));
            let (month, day) = (id % 12 + 1, id % 28 + 1);
            let flag = if random(2) == 0 { "t" } else { "f" };
            let label = letter.to_string().repeat(6);
            let _ = writeln!(
                line,
                "{id},S{subject:06},{visit},{age},0.{score:06},{label},2026-{month:02}-{day:02},{flag},\
                 some words about row {id},{}.{:04}",
                ratio / 10_000,
                ratio % 10_000
            );
            out.write_all(line.as_bytes())?;
        }
        out.flush()?;
        fs_err::rename(&partial, path)
    };
    write().map_err(|error| error.to_string())
}
