//! `cargo xtask bench materialize`: fetching beside bdbag, from an nginx of our own.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::payload::make_files;
use super::{build, command, compare, entrant};
use crate::run;

/// Compares `dbag materialize` (which verifies) with `bdbag --resolve-fetch all`, alone and with a validation after it.
pub fn bench(root: &Path, venv: &Path) -> Result<(), String> {
    build(root)?;
    let (files, length) = (5_000, 42_000);
    let folder = root.join("target/bench/materialize");
    let site = folder.join("site");
    let server = Nginx::start(&folder, &site)?;
    make_files(&site, files, length)?;
    let holey = folder.join("holey");
    make_holey(&holey, &site, files, length, &server.url)?;
    // A copy for each run, deleted only at the end: ext4 searches long for inodes where many were just freed.
    let work = folder.join("work");
    let _ = fs_err::remove_dir_all(&work);
    fs_err::create_dir_all(&work).map_err(|error| error.to_string())?;
    let fresh = |name: &str, round: usize| {
        let copy = work.join(format!("{name}-{round}"));
        run(Command::new("cp").arg("-r").arg(&holey).arg(&copy)).map(|()| copy)
    };
    let bdbag = venv.join("bin/bdbag");
    let dbag = root.join("target/release/dbag");
    let entrants = [
        entrant("dbag materialize", |round| Ok(command(&dbag, &["materialize"], &fresh("dbag", round)?))),
        entrant("bdbag --resolve-fetch all", |round| {
            Ok(command(&bdbag, &["--quiet", "--resolve-fetch", "all"], &fresh("bdbag", round)?))
        }),
        entrant("bdbag --resolve-fetch all, then --validate full", |round| {
            let script = "\"$0\" --quiet --resolve-fetch all \"$1\" && \"$0\" --quiet --validate full \"$1\"";
            let mut shell = Command::new("sh");
            shell.args(["-c", script]).arg(&bdbag).arg(fresh("both", round)?);
            Ok(shell)
        }),
    ];
    super::header();
    compare(&format!("{files} remote files of {length} B, nginx on loopback"), files, &entrants)?;
    fs_err::remove_dir_all(&work).map_err(|error| error.to_string())
}

/// The same files as references: a bag of nothing but tag files.
fn make_holey(bag: &Path, site: &Path, files: usize, length: usize, url: &str) -> Result<(), String> {
    let _ = fs_err::remove_dir_all(bag);
    let io = |error: std::io::Error| error.to_string();
    fs_err::create_dir_all(bag.join("data")).map_err(io)?;
    fs_err::write(bag.join("bagit.txt"), "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
        .map_err(io)?;
    let length = length.div_ceil(8) * 8;
    let names: Vec<String> = (0..files).map(|index| format!("{:03}/{index:07}.bin", index % 500)).collect();
    let fetch: String = names.iter().map(|name| format!("{url}/{name}\t{length}\tdata/{name}\n")).collect();
    fs_err::write(bag.join("fetch.txt"), fetch).map_err(io)?;
    for (algorithm, program) in [("md5", "md5sum"), ("sha256", "sha256sum")] {
        let mut manifest = String::new();
        for chunk in names.chunks(1000) {
            let output = Command::new(program).args(chunk).current_dir(site).output().map_err(io)?;
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                let (digest, name) =
                    line.split_once("  ").ok_or_else(|| format!("{program} printed {line:?}"))?;
                manifest.push_str(&format!("{digest}  data/{name}\n"));
            }
        }
        fs_err::write(bag.join(format!("manifest-{algorithm}.txt")), manifest).map_err(io)?;
    }
    Ok(())
}

/// An nginx of our own on a loopback port, stopped when dropped.
struct Nginx {
    process: Child,
    url: String,
}

impl Nginx {
    fn start(folder: &Path, site: &Path) -> Result<Self, String> {
        let io = |error: std::io::Error| format!("nginx (apt-get install nginx-light): {error}");
        fs_err::create_dir_all(site).map_err(io)?;
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_err(io)?.port();
        let config = folder.join("nginx.conf");
        let text = format!(
            "daemon off; pid {0}/nginx.pid; error_log {0}/error.log; worker_processes 2; user root;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; sendfile on; keepalive_requests 1000000;\n\
             server {{ listen 127.0.0.1:{port}; root {1}; }} }}\n",
            folder.display(),
            site.display()
        );
        fs_err::write(&config, text).map_err(io)?;
        let process =
            Command::new("nginx").arg("-c").arg(&config).stderr(Stdio::null()).spawn().map_err(io)?;
        let server = Self { process, url: format!("http://127.0.0.1:{port}") };
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(server);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Err(format!("nginx did not start; see {}/error.log", folder.display()))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
