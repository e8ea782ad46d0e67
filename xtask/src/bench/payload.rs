//! What the benches work on: files, and bags of them, made once and kept in `target/bench`.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err::File;

use crate::run;

/// Files of bytes that do not compress, made once.
pub fn make_files(folder: &Path, files: usize, length: usize) -> Result<(), String> {
    if folder.join("done").exists() {
        return Ok(());
    }
    let io = |error: std::io::Error| error.to_string();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for index in 0..files {
        let folder = folder.join(format!("{:03}", index % 500));
        fs_err::create_dir_all(&folder).map_err(io)?;
        let mut out = BufWriter::new(File::create(folder.join(format!("{index:07}.bin"))).map_err(io)?);
        for _ in 0..length.div_ceil(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            out.write_all(&state.to_le_bytes()).map_err(io)?;
        }
    }
    File::create(folder.join("done")).map_err(io)?;
    Ok(())
}

/// A bag of such files, made by bagit.py, so that every tool reads another's work.
pub fn make_bag(bag: &Path, files: usize, length: usize, venv: &Path) -> Result<(), String> {
    if bag.join("bagit.txt").exists() {
        return Ok(());
    }
    make_files(bag, files, length)?;
    let _ = fs_err::remove_file(bag.join("done"));
    run(Command::new(venv.join("bin/bagit.py"))
        .args(["--quiet", "--md5", "--sha256", "--processes", "2"])
        .arg(bag))
}

/// The same bag with SHA-256 alone, its payload linked.
pub fn without_md5(bag: &Path) -> Result<PathBuf, String> {
    let copy = bag.with_file_name(format!("{}-sha256", name(bag)));
    if copy.join("bagit.txt").exists() {
        return Ok(copy);
    }
    run(Command::new("cp").arg("-al").arg(bag).arg(&copy))?;
    for file in ["manifest-md5.txt", "tagmanifest-md5.txt", "tagmanifest-sha256.txt"] {
        fs_err::remove_file(copy.join(file)).map_err(|error| error.to_string())?;
    }
    Ok(copy)
}

/// The bag as a zip archive beside it, deflated as bdbag does.
pub fn zipped(bag: &Path, venv: &Path) -> Result<PathBuf, String> {
    let zip = bag.with_extension("zip");
    if !zip.exists() {
        let script =
            "import shutil, sys; shutil.make_archive(sys.argv[1] + '.partial', 'zip', '.', sys.argv[1])";
        let folder = bag.parent().unwrap_or(bag);
        run(Command::new(venv.join("bin/python")).args(["-c", script, &name(bag)]).current_dir(folder))?;
        let partial = folder.join(format!("{}.partial.zip", name(bag)));
        fs_err::rename(partial, &zip).map_err(|error| error.to_string())?;
    }
    Ok(zip)
}

/// A bag of `files` tiny files in folders of a thousand, md5 and sha256, and the same as a zip archive.
pub fn tiny_bag(root: &Path, files: usize, venv: &Path) -> Result<(PathBuf, PathBuf), String> {
    let folder = root.join("target/bench");
    let bag = folder.join(format!("tiny-{files}"));
    let zip = folder.join(format!("tiny-{files}.zip"));
    if !zip.exists() {
        fs_err::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let script = root.join("xtask/src/bench/tiny_bag.py");
        run(Command::new(venv.join("bin/python")).arg(script).arg(files.to_string()).arg(&bag))?;
    }
    Ok((bag, zip))
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
