//! `dbag plan`, selections, shards, packed bags and mirrors: what is done of a bag, by whom, and where to.

use crate::support::{HandBag, Reply, Sandbox, Server, hex_sha256, tree};

/// A holey bag of files of three lengths in two tables, on a server that knows them all.
pub(crate) struct Case {
    pub(crate) sandbox: Sandbox,
    pub(crate) server: Server,
}

const FILES: [(&str, usize); 6] = [
    ("data/asset/1-AAA1/Image/a.png", 10),
    ("data/asset/1-AAA3/Image/b.png", 2000),
    ("data/asset/1-AAA5/Image/c c.png", 100_000),
    ("data/asset/1-AAA7/Scan/d.dcm", 300),
    ("data/asset/1-AAA9/Scan/e.dcm", 0),
    ("data/asset/Scan/1-AAAB/f.dcm", 5_000_000),
];

pub(crate) fn body(number: usize) -> Vec<u8> {
    crate::support::noise(FILES[number].1, number as u64)
}

impl Case {
    pub(crate) fn new() -> Self {
        let server = Server::start(|path, _| {
            let number = path.trim_start_matches("/f/").parse::<usize>().ok();
            number.map_or(Reply::Status(404, String::new()), |number| Reply::Body(body(number)))
        });
        let sandbox = Sandbox::new();
        let mut bag = HandBag::new("1.0", &[("notes.txt", "notes")]);
        for (number, (path, length)) in FILES.iter().enumerate() {
            bag = bag
                .add("manifest-sha256.txt", &format!("{}  {path}\n", hex_sha256(&body(number))))
                .add("fetch.txt", &format!("{}/f/{number}\t{length}\t{path}\n", server.url()));
        }
        bag.zip(&sandbox.path("bag.zip"));
        Self { sandbox, server }
    }

    fn plan(&self, more: &[&str]) -> serde_json::Value {
        self.sandbox.dbag(&[&["plan", "bag.zip", "--json"], more].concat()).expect(0).json()
    }

    /// How many files of the list are in a folder.
    fn there(&self, folder: &str) -> Vec<usize> {
        let found = tree(&self.sandbox.path(folder));
        (0..FILES.len()).filter(|number| found.get(FILES[*number].0) == Some(&body(*number))).collect()
    }
}

#[test]
fn a_plan_says_what_would_be_fetched_and_asks_nobody() {
    let case = Case::new();
    let plan = case.plan(&["--shards", "2", "--files"]);
    assert_eq!(plan["payload_files"], 7);
    assert_eq!(plan["fetch"], serde_json::json!({"files": 6, "bytes": 5_102_310}));
    assert_eq!(plan["hosts"][0]["host"], case.server.url());
    // Seven payload files and three tag files; the bag, data, asset, five records each with a table, one the other way round.
    assert_eq!(plan["inodes"], 7 + 3 + 3 + 5 * 2 + 2);
    let shares: u64 = plan["shards"]
        .as_array()
        .unwrap()
        .iter()
        .map(|shard| shard["fetch"]["files"].as_u64().unwrap())
        .sum();
    assert_eq!(shares, 6);
    assert_eq!(plan["files"].as_array().unwrap().len(), 6);
    assert!(case.server.requests().is_empty());

    case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out", "--table", "Image"]).expect(0);
    let plan = case.plan(&["--to", "out"]);
    assert_eq!((plan["present"]["files"].as_u64(), plan["fetch"]["files"].as_u64()), (Some(3), Some(3)));
    let plan = case.plan(&[]);
    assert_eq!((plan["cached"]["files"].as_u64(), plan["fetch"]["files"].as_u64()), (Some(3), Some(3)));
    assert_eq!(case.plan(&["--no-cache"])["cached"]["files"], 0);
}

#[test]
fn what_can_t_be_had_is_said_before_anything_is_tried() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[])
        .add("manifest-sha256.txt", &format!("{0}  data/a\n{0}  data/b\n", hex_sha256(b"hello")))
        .add("fetch.txt", "ftp://example.org/a\t5\tdata/a\n")
        .write(&sandbox.path("bag"));
    let output = sandbox.dbag(&["plan", "bag"]).expect(1);
    for part in ["data/a: dbag can't fetch ftp: URLs", "data/b: it is neither in"] {
        assert!(output.stdout.contains(part), "{output:?}");
    }
}

#[test]
fn what_can_t_be_had_offline_is_not_to_be_fetched() {
    let case = Case::new();
    case.sandbox.dbag(&["materialize", "bag.zip", "--to", "first", "--table", "Image"]).expect(0);
    let names = |number: usize| FILES[number].0;
    case.sandbox.write(&format!("mirror/{}", names(3)), body(3));
    let plan = ["plan", "bag.zip", "--offline", "--from", "mirror", "--shards", "1", "--files", "--json"];
    let plan = case.sandbox.dbag(&plan).expect(1).json();
    assert_eq!(
        (plan["cached"]["files"].as_u64(), plan["fetch"]["files"].as_u64()),
        (Some(3), Some(1)),
        "{plan}"
    );
    assert_eq!(
        (plan["impossible_files"].as_u64(), plan["shards"][0]["fetch"]["files"].as_u64()),
        (Some(2), Some(1))
    );
    let lost: Vec<&str> =
        plan["impossible"].as_array().unwrap().iter().map(|lost| lost["path"].as_str().unwrap()).collect();
    assert_eq!(lost, [names(4), names(5)]);
    let places: Vec<&str> =
        plan["files"].as_array().unwrap().iter().map(|file| file["where"].as_str().unwrap()).collect();
    assert_eq!(places, ["cached", "cached", "cached", "remote", "nowhere", "nowhere"]);
    let output = case.sandbox.dbag(&["plan", "bag.zip", "--offline", "--no-cache"]).expect(1);
    assert!(
        output.stdout.contains("dbag works offline") && output.stdout.contains("5 files like it"),
        "{output:?}"
    );
    // Materialize says the same.
    let report =
        case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out", "--offline", "--json"]).expect(4);
    assert_eq!(report.json()["failures"][0]["reason"], plan["impossible"][0]["reason"]);
}

#[test]
fn a_mirror_is_one_line_of_a_plan_whatever_folders_are_in_it() {
    let case = Case::new();
    for (number, (path, _)) in FILES.iter().enumerate() {
        case.sandbox.write(&format!("mirror/{path}"), body(number));
    }
    let hosts = case.plan(&["--from", "mirror"])["hosts"].clone();
    assert_eq!(hosts, serde_json::json!([{"host": "mirror", "files": 6, "bytes": 5_102_310}]));
}

#[test]
fn a_line_without_a_url_is_called_so_by_plan_and_materialize() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[])
        .add("manifest-sha256.txt", &format!("{}  data/a\n", hex_sha256(b"hello")))
        .add("fetch.txt", "http://\t5\tdata/a\n")
        .write(&sandbox.path("bag"));
    for (command, code) in [("plan", 1), ("materialize", 3)] {
        let output = sandbox.dbag(&[command, "bag"]).expect(code);
        assert!(output.stdout.contains("it is not a URL"), "{output:?}");
    }
}

#[test]
fn a_selection_takes_what_it_says_and_the_rest_is_no_failure() {
    let cases: [(&[&str], &[usize]); 9] = [
        (&["--table", "Image"], &[0, 1, 2]),
        (&["--table", "domain:Scan"], &[3, 4, 5]),
        (&["--table", "Scan", "--table", "Image", "--max-bytes", "3000"], &[0, 1, 3, 4]),
        (&["--rid", "1-aaa3", "--rid", "1-AAAB"], &[1, 5]),
        (&["--fetch-filter", "length<=300"], &[0, 3, 4]),
        (&["--fetch-filter", "length>0", "--fetch-filter", "length < 301"], &[0, 3]),
        (&["--fetch-filter", r"filename=~/[ab]\.png$"], &[0, 1]),
        (&["--fetch-filter", "filename$*dcm", "--fetch-filter", "url!*f/4"], &[3, 5]),
        (&["--fetch-filter", "filename==data/asset/1-AAA5/Image/c c.png"], &[2]),
    ];
    for (arguments, expected) in cases {
        let case = Case::new();
        let command = [&["materialize", "bag.zip", "--to", "out", "--json"], arguments].concat();
        let report = case.sandbox.dbag(&command).expect(0).json();
        assert_eq!(case.there("out"), expected, "{arguments:?}");
        assert_eq!(report["left_files"].as_u64(), Some(6 - expected.len() as u64), "{arguments:?}");
        assert_eq!(report["whole"].as_bool(), Some(false));
        case.sandbox.dbag(&["verify", "out"]).expect(4);
        case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out"]).expect(0);
        case.sandbox.dbag(&["verify", "out"]).expect(0);
    }
}

#[test]
fn a_selection_of_nothing_is_a_mistake() {
    let case = Case::new();
    let run = |arguments: &[&str]| case.sandbox.dbag(&[&["materialize", "bag.zip"], arguments].concat());
    run(&["--table", "Imag"]).expect(2).says(&["--table Imag", "Image", "Scan"]);
    run(&["--fetch-filter", "size>1"]).expect(2);
    run(&["--fetch-filter", "filename"]).expect(2);
    run(&["--fetch-filter", "length>many"]).expect(2);
    run(&["--from", "nowhere"]).expect(2).says(&["nowhere"]);
    run(&["--shard", "3/2"]).expect(2).says(&["3/2"]);
    run(&["--shard", "auto"]).expect(2).says(&["SLURM_ARRAY_TASK_ID"]);
    assert!(case.server.requests().is_empty() && !case.sandbox.path("bag").exists());
}

#[test]
fn shards_share_a_bag_out_and_a_finish_says_when_all_of_it_is_there() {
    let case = Case::new();
    let finish =
        |code| case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out", "--finish"]).expect(code);
    let mut seen = Vec::new();
    for shard in ["1/3", "3/3"] {
        case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out", "--shard", shard]).expect(0);
        seen.push(case.there("out"));
    }
    assert!(seen[0].len() < seen[1].len() && seen[1].len() < FILES.len(), "{seen:?}");
    let before = case.server.requests().len();
    assert!(finish(4).stdout.contains("not there yet"));
    assert_eq!(case.server.requests().len(), before, "a finish fetches nothing");
    // The last task takes its share from the scheduler, and none twice.
    let mut last = case.sandbox.command(&["materialize", "bag.zip", "--to", "out", "--shard", "auto"]);
    last.env("SLURM_ARRAY_TASK_ID", "2").env("SLURM_ARRAY_TASK_COUNT", "3").env("SLURM_ARRAY_TASK_MIN", "1");
    case.sandbox.run(&mut last).expect(0);
    finish(0);
    assert_eq!(case.server.requests().len(), FILES.len());
    case.sandbox.dbag(&["verify", "out"]).expect(0);
}

#[test]
fn a_finish_of_nothing_makes_nothing() {
    let case = Case::new();
    let finish = ["materialize", "bag.zip", "--to", "out", "--finish"];
    case.sandbox.dbag(&finish).expect(4).says(&["nothing is there", "out"]);
    assert!(!case.sandbox.path("out").exists());
    fs_err::create_dir(case.sandbox.path("out")).unwrap();
    case.sandbox.dbag(&finish).expect(4).says(&["nothing is there", "out"]);
    assert!(tree(&case.sandbox.path("out")).is_empty());
    let error = case.sandbox.dbag(&["materialize", "bag.zip", "--finish", "--json"]).expect(4).json();
    assert_eq!(error["error"]["kind"], "unfinished");
    assert!(!case.sandbox.path("bag").exists());
}

#[test]
fn a_packed_bag_is_one_file_that_every_reader_reads() {
    let case = Case::new();
    case.sandbox.dbag(&["materialize", "bag.zip", "--pack", "whole.zip"]).expect(0);
    case.sandbox.dbag(&["verify", "whole.zip"]).expect(0);
    case.sandbox.dbag(&["materialize", "bag.zip", "--pack", "whole.zip"]).expect(2).says(&["whole.zip"]);
    let mut zip = zip::ZipArchive::new(fs_err::File::open(case.sandbox.path("whole.zip")).unwrap()).unwrap();
    let whole = fs_err::read(case.sandbox.path("whole.zip")).unwrap();
    for (number, (path, length)) in FILES.iter().enumerate() {
        let entry = zip.by_name(&format!("bag/{path}")).unwrap();
        let start = usize::try_from(entry.data_start().unwrap()).unwrap();
        assert_eq!(start % if *length >= 65_536 { 4096 } else { 64 }, 0, "{path}");
        assert!(whole[start..start + length] == body(number), "{path}");
    }
    // Out of the cache the same bytes again; nothing is left beside it.
    let requests = case.server.requests().len();
    case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out"]).expect(0);
    case.sandbox.dbag(&["materialize", "bag.zip", "--pack", "again.zip", "--offline"]).expect(0);
    assert!(fs_err::read(case.sandbox.path("again.zip")).unwrap() == whole);
    // And out of folders that list their files in other orders.
    for (folder, backwards) in [("one/bag", false), ("two/bag", true)] {
        let mut files: Vec<(String, Vec<u8>)> = tree(&case.sandbox.path("out")).into_iter().collect();
        if backwards {
            files.reverse();
        }
        files.iter().for_each(|(name, body)| drop(case.sandbox.write(&format!("{folder}/{name}"), body)));
        let out = format!("{}.zip", folder.replace('/', "-"));
        case.sandbox.dbag(&["materialize", folder, "--pack", &out, "--offline"]).expect(0);
        assert!(fs_err::read(case.sandbox.path(&out)).unwrap() == whole, "{folder}");
    }
    assert_eq!(case.server.requests().len(), 2 * requests);
    let names = fs_err::read_dir(case.sandbox.path(".")).unwrap();
    assert!(names.map(Result::unwrap).all(|entry| !entry.file_name().to_string_lossy().contains("partial")));
}

#[test]
fn a_packed_bag_that_lacks_a_file_is_not_made_and_goes_on_later() {
    let case = Case::new();
    let left = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_there = std::sync::Arc::clone(&left);
    let server = Server::start(move |path, _| {
        let number: usize = path.trim_start_matches("/f/").parse().unwrap();
        let absent = number == 2 && !is_there.load(std::sync::atomic::Ordering::SeqCst);
        if absent { Reply::Status(404, String::new()) } else { Reply::Body(body(number)) }
    });
    let mut bag = HandBag::new("1.0", &[]);
    for (number, (path, _)) in FILES.iter().enumerate() {
        bag = bag
            .add("manifest-sha256.txt", &format!("{}  {path}\n", hex_sha256(&body(number))))
            .add("fetch.txt", &format!("{}/f/{number}\t-\t{path}\n", server.url()));
    }
    bag.write(&case.sandbox.path("unsaid"));
    case.sandbox.dbag(&["materialize", "unsaid", "--pack", "whole.zip"]).expect(3);
    assert!(!case.sandbox.path("whole.zip").exists());
    left.store(true, std::sync::atomic::Ordering::SeqCst);
    case.sandbox.dbag(&["materialize", "unsaid", "--pack", "whole.zip"]).expect(0);
    case.sandbox.dbag(&["verify", "whole.zip"]).expect(0);
}

#[test]
fn files_come_from_a_folder_named_in_any_way_and_only_if_they_are_right() {
    let case = Case::new();
    case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out"]).expect(0);
    let copy = |name: &str, place: &dyn Fn(usize) -> String| {
        for (number, _) in FILES.iter().enumerate() {
            case.sandbox.write(&format!("{name}/{}", place(number)), body(number));
        }
    };
    copy("bagcopy", &|number| FILES[number].0.to_owned());
    copy("payload", &|number| FILES[number].0.trim_start_matches("data/").to_owned());
    copy("store", &|number| {
        let digest = hex_sha256(&body(number));
        format!("{}/{digest}", &digest[..2])
    });
    copy("wget", &|number| format!("127.0.0.1/f/{number}"));
    copy("flat", &|number| FILES[number].0.rsplit('/').next().unwrap().to_owned());
    let before = case.server.requests().len();
    for from in ["bagcopy", "payload", "store", "wget", "flat"] {
        let to = format!("from-{from}");
        let command = ["materialize", "bag.zip", "--to", &to, "--from", from, "--offline", "--no-cache"];
        case.sandbox.dbag(&command).expect(0);
        assert_eq!(case.there(&to).len(), FILES.len(), "{from}");
    }
    assert_eq!(case.server.requests().len(), before);
    // One that has the right length and other bytes is not taken.
    case.sandbox.write("flat/a.png", [0; 10]);
    let command = ["materialize", "bag.zip", "--to", "last", "--from", "flat", "--no-cache"];
    let report = case.sandbox.dbag(&[&command[..], &["--json"]].concat()).expect(0).json();
    assert_eq!(report["fetched_files"], 6);
    assert_eq!(case.server.requests().len(), before + 1);
}

#[test]
fn files_come_from_a_mirror() {
    let case = Case::new();
    let mirror = Server::start(|path, _| {
        let number = path.strip_prefix("/mirror/f/").and_then(|number| number.parse::<usize>().ok());
        number.map_or(Reply::Status(404, String::new()), |number| Reply::Body(body(number)))
    });
    let from = format!("{}/mirror", mirror.url());
    case.sandbox.dbag(&["materialize", "bag.zip", "--to", "out", "--from", &from, "--no-cache"]).expect(0);
    assert!(case.server.requests().is_empty());
    assert_eq!(case.there("out").len(), FILES.len());
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_cleanly_and_the_next_run_goes_on() {
    let case = Case::new();
    let slow = Server::with(|request| {
        let number: usize = request.path.trim_start_matches("/f/").parse().unwrap();
        Reply::file(body(number), Some("v1")).drip(8 << 10, std::time::Duration::from_millis(20))
    });
    let mut bag = HandBag::new("1.0", &[]);
    for (number, (path, length)) in FILES.iter().enumerate() {
        bag = bag
            .add("manifest-sha256.txt", &format!("{}  {path}\n", hex_sha256(&body(number))))
            .add("fetch.txt", &format!("{}/f/{number}\t{length}\t{path}\n", slow.url()));
    }
    bag.write(&case.sandbox.path("slow"));
    let mut command = case.sandbox.command(&["materialize", "slow", "--connections", "2"]);
    command.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let child = command.spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let kill = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output: crate::support::Output = child.wait_with_output().unwrap().into();
    let output = output.expect(4);
    assert!(output.stderr.contains("interrupted") && output.stderr.contains("same command"), "{output:?}");
    assert!(!case.there("slow").is_empty(), "what was whole stays");
    case.sandbox.dbag(&["materialize", "slow"]).expect(0);
    assert_eq!(case.there("slow").len(), FILES.len());
}

#[test]
fn a_rate_is_kept_and_progress_told() {
    let case = Case::new();
    let began = std::time::Instant::now();
    let output = case
        .sandbox
        .dbag(&["materialize", "bag.zip", "--to", "out", "--limit-rate", "2MB", "--progress", "json"])
        .expect(0);
    let seconds = began.elapsed().as_secs_f64();
    // 5.1 MB at 2 MB a second.
    assert!(seconds > 2.0, "{seconds}");
    let last: serde_json::Value = serde_json::from_str(output.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((last["progress"].as_str(), last["files"].as_u64()), (Some("fetching"), Some(6)));
    assert_eq!((last["bytes"].as_u64(), last["retries"].as_u64()), (Some(5_102_310), Some(0)));
}
