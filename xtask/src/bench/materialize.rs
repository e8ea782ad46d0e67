//! `cargo xtask bench materialize`: fetching beside bdbag, from an nginx of our own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::payload::make_files;
use super::{build, command, compare, entrant};
use crate::run;

/// One payload on the server, and a bag that refers to it.
struct Payload {
    files: usize,
    length: usize,
    algorithms: &'static [(&'static str, &'static str)],
}

const BOTH: &[(&str, &str)] = &[("md5", "md5sum"), ("sha256", "sha256sum")];
const SHA256: &[(&str, &str)] = &[("sha256", "sha256sum")];
const SMALL: Payload = Payload { files: 5_000, length: 42_000, algorithms: BOTH };
const LARGE: Payload = Payload { files: 4, length: 600_000_000, algorithms: SHA256 };
const MANY: Payload = Payload { files: 100_000, length: 1_000, algorithms: SHA256 };

/// Compares `dbag materialize` (which verifies) with bdbag on small files, with curl and openssl on large ones, with itself
/// where there is nothing to do or all is in the cache, and with one request after the other on a slow line. A part of
/// it by name: `small`, `large`, `again`, `slow-line`.
pub fn bench(root: &Path, venv: &Path, part: Option<&str>) -> Result<(), String> {
    build(root)?;
    let folder = root.join("target/bench/materialize");
    let dbag = root.join("target/release/dbag");
    super::header();
    let chosen = |name| part.is_none_or(|part| part == name);
    if chosen("small") {
        small(&folder, &dbag, &venv.join("bin/bdbag"))?;
    }
    if chosen("large") {
        large(&folder, &dbag)?;
    }
    if chosen("again") {
        again(&folder, &dbag)?;
    }
    if chosen("slow-line") {
        slow_line(&folder, &dbag)?;
    }
    Ok(())
}

/// The server of a payload, its holey bag, and fresh copies of it.
struct Stage {
    server: Nginx,
    site: PathBuf,
    holey: PathBuf,
    work: PathBuf,
}

impl Stage {
    fn new(folder: &Path, payload: &Payload) -> Result<Self, String> {
        let site = folder.join(format!("site-{}x{}", payload.files, payload.length));
        let server = Nginx::start(folder, &site)?;
        make_files(&site, payload.files, payload.length)?;
        let holey = folder.join("holey");
        make_holey(&holey, &site, payload, &server.url)?;
        // A copy for each run, deleted only at the end: ext4 searches long for inodes where many were just freed.
        let work = folder.join("work");
        let _ = fs_err::remove_dir_all(&work);
        fs_err::create_dir_all(&work).map_err(|error| error.to_string())?;
        Ok(Self { server, site, holey, work })
    }

    fn fresh(&self, name: &str, round: usize) -> Result<PathBuf, String> {
        let copy = self.work.join(format!("{name}-{round}"));
        run(Command::new("cp").arg("-r").arg(&self.holey).arg(&copy)).map(|()| copy)
    }

    /// dbag with a cache of its own, or with none.
    fn dbag(&self, dbag: &Path, arguments: &[&str], bag: &Path, cache: &str) -> Command {
        let mut command = command(dbag, arguments, bag);
        command.env("DBAG_CACHE", self.work.join(cache));
        command
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs_err::remove_dir_all(&self.work);
    }
}

fn small(folder: &Path, dbag: &Path, bdbag: &Path) -> Result<(), String> {
    let stage = Stage::new(folder, &SMALL)?;
    let entrants = [
        entrant("dbag materialize", |round| {
            Ok(stage.dbag(dbag, &["materialize"], &stage.fresh("dbag", round)?, &format!("cache-{round}")))
        }),
        entrant("dbag materialize --no-cache", |round| {
            Ok(command(dbag, &["materialize", "--no-cache"], &stage.fresh("plain", round)?))
        }),
        entrant("bdbag --resolve-fetch all", |round| {
            Ok(command(bdbag, &["--quiet", "--resolve-fetch", "all"], &stage.fresh("bdbag", round)?))
        }),
        entrant("bdbag --resolve-fetch all, then --validate full", |round| {
            let script = "\"$0\" --quiet --resolve-fetch all \"$1\" && \"$0\" --quiet --validate full \"$1\"";
            let mut shell = Command::new("sh");
            shell.args(["-c", script]).arg(bdbag).arg(stage.fresh("both", round)?);
            Ok(shell)
        }),
    ];
    compare("5,000 remote files of 42 kB, md5 + sha256", SMALL.files, &entrants)?;
    let warm = [
        entrant("dbag materialize, all in the cache", |round| {
            Ok(stage.dbag(dbag, &["materialize", "--offline"], &stage.fresh("warm", round)?, "cache-1"))
        }),
        entrant("cp -rl of as many files", |round| {
            let mut copy = Command::new("cp");
            copy.arg("-rl").arg(&stage.site).arg(stage.work.join(format!("links-{round}")));
            Ok(copy)
        }),
    ];
    compare("the same, warm cache", SMALL.files, &warm)?;
    Ok(())
}

fn large(folder: &Path, dbag: &Path) -> Result<(), String> {
    let stage = Stage::new(folder, &LARGE)?;
    let entrants = [
        entrant("dbag materialize", |round| {
            let _ = fs_err::remove_dir_all(stage.work.join("large"));
            fs_err::rename(stage.fresh("large", round)?, stage.work.join("large"))
                .map_err(|e| e.to_string())?;
            Ok(command(dbag, &["materialize", "--no-cache"], &stage.work.join("large")))
        }),
        entrant("curl of each, then openssl dgst -sha256", |round| {
            let to = stage.work.join("curl");
            let _ = fs_err::remove_dir_all(&to);
            fs_err::create_dir_all(&to).map_err(|error| error.to_string())?;
            let _ = round;
            let script = "cd \"$0\" && for i in 0 1 2 3; do curl -s -o $i.bin \"$1/00$i/000000$i.bin\" || exit 1; done \
                && openssl dgst -sha256 *.bin > /dev/null";
            let mut shell = Command::new("sh");
            shell.args(["-c", script]).arg(&to).arg(&stage.server.url);
            Ok(shell)
        }),
    ];
    compare("4 remote files of 600 MB, sha256", LARGE.files, &entrants)?;
    Ok(())
}

fn again(folder: &Path, dbag: &Path) -> Result<(), String> {
    let stage = Stage::new(folder, &MANY)?;
    let bag = stage.fresh("again", 0)?;
    run(&mut stage.dbag(dbag, &["materialize"], &bag, "cache"))?;
    let entrants =
        [entrant("dbag materialize, run again", |_| Ok(stage.dbag(dbag, &["materialize"], &bag, "cache")))];
    compare("100,000 files that are there", MANY.files, &entrants)?;
    Ok(())
}

/// As many files as 20 ms for each request let curl fetch in some ten seconds, and ten times as many for dbag.
fn slow_line(folder: &Path, dbag: &Path) -> Result<(), String> {
    let mut stage = Stage::new(folder, &SMALL)?;
    let line = SlowLine::start(&stage.server.url, Duration::from_millis(20))?;
    make_holey(&stage.holey, &stage.site, &SMALL, &line.url)?;
    stage.server.url.clone_from(&line.url);
    let list = stage.work.join("curl.txt");
    let urls: String = (0..SMALL.files)
        .map(|index| {
            format!("url = \"{}/{:03}/{index:07}.bin\"\noutput = /dev/null\n", line.url, index % 500)
        })
        .collect();
    fs_err::write(&list, urls).map_err(|error| error.to_string())?;
    let entrants = [
        entrant("dbag materialize", |round| {
            Ok(command(dbag, &["materialize", "--no-cache"], &stage.fresh("slow", round)?))
        }),
        entrant("curl, one after the other on one connection, nothing kept", |_| {
            let mut curl = Command::new("curl");
            curl.args(["-s", "-K"]).arg(&list);
            Ok(curl)
        }),
    ];
    compare("5,000 remote files of 42 kB, 20 ms of latency", SMALL.files, &entrants)?;
    Ok(())
}

/// Passes connections on, every request some time later.
struct SlowLine {
    url: String,
}

impl SlowLine {
    fn start(server: &str, latency: Duration) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let server = server.trim_start_matches("http://").to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(upstream) = TcpStream::connect(&server) else { return };
                let _ = (client.set_nodelay(true), upstream.set_nodelay(true));
                let (Ok(mut from), Ok(mut to)) = (client.try_clone(), upstream.try_clone()) else { return };
                std::thread::spawn(move || {
                    let mut buffer = [0; 16 << 10];
                    while let Ok(n @ 1..) = from.read(&mut buffer) {
                        std::thread::sleep(latency);
                        if to.write_all(&buffer[..n]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(std::net::Shutdown::Both);
                });
                std::thread::spawn(move || std::io::copy(&mut &upstream, &mut &client));
            }
        });
        Ok(Self { url: format!("http://127.0.0.1:{port}") })
    }
}

/// The same files as references: a bag of nothing but tag files.
fn make_holey(bag: &Path, site: &Path, payload: &Payload, url: &str) -> Result<(), String> {
    let Payload { files, length, algorithms } = *payload;
    let _ = fs_err::remove_dir_all(bag);
    let io = |error: std::io::Error| error.to_string();
    fs_err::create_dir_all(bag.join("data")).map_err(io)?;
    fs_err::write(bag.join("bagit.txt"), "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")
        .map_err(io)?;
    let length = length.div_ceil(8) * 8;
    let names: Vec<String> = (0..files).map(|index| format!("{:03}/{index:07}.bin", index % 500)).collect();
    let fetch: String = names.iter().map(|name| format!("{url}/{name}\t{length}\tdata/{name}\n")).collect();
    fs_err::write(bag.join("fetch.txt"), fetch).map_err(io)?;
    for (algorithm, program) in algorithms {
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
