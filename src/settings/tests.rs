use super::*;
use std::collections::HashMap;

struct Case {
    folder: tempfile::TempDir,
    environment: HashMap<String, OsString>,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        fs_err::create_dir_all(home.join(".config/dbag")).unwrap();
        fs_err::create_dir_all(folder.path().join("project/below")).unwrap();
        let environment = HashMap::from([("HOME".to_owned(), home.into_os_string())]);
        Self { folder, environment }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn user(self, text: &str) -> Self {
        fs_err::write(self.path("home/.config/dbag/config.toml"), text).unwrap();
        self
    }

    fn project(self, text: &str) -> Self {
        fs_err::write(self.path("project/dbag.toml"), text).unwrap();
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    fn load_with(&self, flags: Overrides) -> Result<Settings, SettingsError> {
        let environment = |name: &str| self.environment.get(name).cloned();
        Settings::load(flags, &environment, &self.path("project/below"))
    }

    fn load(&self) -> Settings {
        self.load_with(Overrides::default()).unwrap()
    }

    fn error(&self) -> String {
        self.load_with(Overrides::default()).unwrap_err().to_string()
    }
}

#[test]
fn nothing_set_gives_the_defaults() {
    let case = Case::new();
    let settings = case.load();
    assert_eq!(settings.cache.value, Some(case.path("home/.cache/dbag")));
    assert_eq!(settings.cache.origin, Origin::Default);
    assert_eq!(settings.offline.value, Some(false));
    assert_eq!((settings.connections.value, settings.link.value), (Some(64), Some(LinkMode::Auto)));
    assert_eq!((settings.limit_rate.value, settings.keychain.value), (None, None));
    let case = case.variable("XDG_CACHE_HOME", "/scratch/me");
    assert_eq!(case.load().cache.value, Some("/scratch/me/dbag".into()));
}

#[test]
fn each_source_wins_over_those_after_it() {
    let case = Case::new().user("[settings]\nconnections = 2\nlimit-rate = \"1MB\"\n");
    assert_eq!(case.load().connections.value, Some(2));
    assert_eq!(case.load().connections.origin, Origin::File(case.path("home/.config/dbag/config.toml")));
    let case = case.project("[settings]\nconnections = 3\n");
    assert_eq!(case.load().connections.value, Some(3));
    assert_eq!(case.load().connections.origin, Origin::File(case.path("project/dbag.toml")));
    assert_eq!(case.load().limit_rate.value, Some(1_000_000));
    let case = case.variable("DBAG_CONNECTIONS", "4");
    assert_eq!(case.load().connections.origin.to_string(), "DBAG_CONNECTIONS");
    let settings = case.load_with(Overrides { connections: Some(5), ..Overrides::default() }).unwrap();
    assert_eq!(
        (settings.connections.value, settings.connections.origin.to_string()),
        (Some(5), "--connections".into())
    );
    let case = case.variable("DBAG_CONNECTIONS", "");
    assert_eq!(case.load().connections.value, Some(3), "an empty variable is none");
}

#[test]
fn relative_paths_are_those_of_their_file_or_of_the_folder() {
    let case =
        Case::new().user("[settings]\nca-cert = \"lab.pem\"\n").project("[settings]\ncache = \"cache\"\n");
    let settings = case.load();
    assert_eq!(settings.ca_cert.value, Some(case.path("home/.config/dbag/lab.pem")));
    assert_eq!(settings.cache.value, Some(case.path("project/cache")));
    let case = case.variable("DBAG_CACHE", "mine");
    assert_eq!(case.load().cache.value, Some(case.path("project/below/mine")));
}

#[test]
fn every_form_is_read() {
    let case = Case::new()
        .variable("DBAG_OFFLINE", "1")
        .variable("DBAG_LINK", "copy")
        .variable("DBAG_S3_ENDPOINT", "https://s3.example.org")
        .variable("DBAG_S3_REGION", "us-west-2");
    let settings = case.load();
    assert_eq!((settings.offline.value, settings.link.value), (Some(true), Some(LinkMode::Copy)));
    assert_eq!(settings.s3_endpoint.value.map(String::from).as_deref(), Some("https://s3.example.org/"));
    assert_eq!(settings.s3_region.value.as_ref().map(Region::as_str), Some("us-west-2"));
    let case = Case::new().user("[settings]\noffline = true\nlimit-rate = 5000\n");
    assert_eq!((case.load().offline.value, case.load().limit_rate.value), (Some(true), Some(5000)));
}

#[test]
fn what_is_wrong_is_told_with_its_file_and_line() {
    let cases = [
        ("[settings]\nconnections = 0\n", "line 2: connections must be a number from 1 to 256, and is 0"),
        (
            "[settings]\n\nlink = \"soft\"\n",
            "line 3: link must be auto, reflink, hard or copy, and is \"soft\"",
        ),
        ("[settings]\noffline = \"perhaps\"\n", "offline must be true or false"),
        ("[settings]\ncache = 7\n", "cache must be a path, and is 7"),
        (
            "[settings]\nlimit-rate = [1]\n",
            "limit-rate must be a size such as \"10MB\", and is of type array",
        ),
        ("[settings]\nconnection = 4\n", "line 2: connection is no setting; the settings are cache, offline"),
        ("cache = \"x\"\n", "line 1: cache must stand below the line [settings]"),
        ("settings = 1\n", "settings must be a table"),
        ("\n[setings]\ncache = \"x\"\n", "line 2: setings is nothing that dbag knows; settings stand below"),
        ("[settings]\noffline = \"yes\"\n", "line 2: offline must be true or false, and is \"yes\""),
        ("[settings]\nconnections = \"5\"\n", "connections must be a number from 1 to 256, and is \"5\""),
        ("[settings]\ncache = \"$SCRATCH/x\"\n", "cache begins with $SCRATCH, which dbag does not look up"),
        ("[settings]\nca-cert = \"~lab/x\"\n", "ca-cert begins with ~lab, which dbag does not look up"),
        ("[settings]\ncache = \n", "line 2: "),
        ("[settings]\ns3-region = \"x.evil.example/\"\n", "s3-region must be a region's name"),
        ("[settings]\ns3-endpoint = \"https://me:secret@x\"\n", "s3-endpoint must be an http or https URL"),
    ];
    for (text, part) in cases {
        let case = Case::new().user(text);
        let error = case.error();
        let file = case.path("home/.config/dbag/config.toml");
        assert!(error.starts_with(file.to_str().unwrap()) && error.contains(part), "{error}");
        assert!(!error.contains('\n') && !error.contains("secret"), "{error}");
    }
    let error = Case::new().variable("DBAG_LINK", "soft").error();
    assert_eq!(error, "the environment: DBAG_LINK must be auto, reflink, hard or copy, and is \"soft\"");
}

#[test]
fn a_folder_s_file_can_t_say_where_credentials_are_or_go() {
    for key in ["keychain", "ca-cert", "s3-endpoint"] {
        let text = format!("[settings]\n{key} = \"https://evil.example\"\n");
        let error = Case::new().project(&text).error();
        assert!(error.contains(&format!("line 2: {key} may not be set in a dbag.toml")), "{error}");
        Case::new().user(&text).load();
    }
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let case = Case::new();
    fs_err::write(case.path("project/dbag.toml"), b"[settings]\n\xff").unwrap();
    assert!(case.error().contains("it is not UTF-8"));
    fs_err::write(case.path("project/dbag.toml"), vec![b' '; (1 << 20) + 1]).unwrap();
    assert!(case.error().contains("too long"));
}

#[test]
fn what_is_wrong_in_a_file_is_told_also_where_something_stronger_hides_it() {
    let case = Case::new().user("[settings]\noffline = \"yes\"\n").project("[settings]\noffline = true\n");
    let error = case.variable("DBAG_OFFLINE", "yes").error();
    assert!(error.contains("config.toml, line 2: offline must be true or false"), "{error}");
}

#[test]
fn a_path_may_begin_at_home_and_a_relative_folder_of_the_system_is_none() {
    let case = Case::new().user("[settings]\ncache = \"~/lab/cache\"\nca-cert = \"a/~/b\"\n");
    let settings = case.load();
    assert_eq!(settings.cache.value, Some(case.path("home/lab/cache")));
    assert_eq!(settings.ca_cert.value, Some(case.path("home/.config/dbag/a/~/b")));
    let case = case.variable("DBAG_CACHE", "~");
    assert_eq!(case.load().cache.value, Some(case.path("home")));
    let case = Case::new().variable("XDG_CACHE_HOME", "caches").variable("XDG_CONFIG_HOME", "configuration");
    let case = case.user("[settings]\nconnections = 7\n");
    let settings = case.load();
    assert_eq!(
        (settings.cache.value, settings.connections.value),
        (Some(case.path("home/.cache/dbag")), Some(7))
    );
}
