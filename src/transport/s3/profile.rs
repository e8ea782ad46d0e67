//! The profiles that users keep in `~/.aws/credentials` and `~/.aws/config`.
//!
//! Reads both files, for one profile at a time, and writes neither. A line that can't be read is skipped, as other
//! tools do. Format: AWS SDKs and Tools Reference Guide, "Using shared config and credentials files".

use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;

use super::environment::Environment;

/// What the files say of a profile: in both together, as what they hold is told apart by its names.
#[derive(Default, PartialEq, Eq)]
pub(super) struct Profile(HashMap<String, String>);

impl Profile {
    /// Reads the profile of that name; `None` where neither file has it. The error is the reason.
    pub(super) fn read(environment: &Environment, name: &str) -> Result<Option<Self>, String> {
        let config = environment.file("AWS_CONFIG_FILE", ".aws/config");
        let credentials = environment.file("AWS_SHARED_CREDENTIALS_FILE", ".aws/credentials");
        let mut found = None;
        // The credentials file is read last, as its keys are the ones that count.
        for (path, prefixed) in [(config, true), (credentials, false)] {
            let text = path.map_or(Ok(None), |path| text(&path))?.unwrap_or_default();
            if let Some(settings) = section(&text, name, prefixed) {
                found.get_or_insert_with(Self::default).0.extend(settings);
            }
        }
        Ok(found)
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).filter(|value| !value.is_empty()).cloned()
    }
}

/// A file's text; `None` where there is no such file.
fn text(path: &Path) -> Result<Option<String>, String> {
    match fs_err::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// The settings of a profile in one file. In the config file its section is named `profile NAME`, or just `default`.
fn section(text: &str, profile: &str, prefixed: bool) -> Option<HashMap<String, String>> {
    let mut found: Option<HashMap<String, String>> = None;
    let mut inside = false;
    for line in text.trim_start_matches('\u{feff}').lines() {
        // An indented line belongs to the setting above it, of which none that is asked for has any.
        if line.starts_with([' ', '\t', '#', ';']) {
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            inside = header.split_once(']').is_some_and(|(name, _)| names(name, profile, prefixed));
            if inside {
                found.get_or_insert_default();
            }
        } else if let Some((name, value)) = line.split_once('=').filter(|_| inside) {
            let settings = found.get_or_insert_default();
            settings.insert(name.trim().to_ascii_lowercase(), without_comment(value).to_owned());
        }
    }
    found
}

/// Whether a section's header is that of a profile.
fn names(header: &str, profile: &str, prefixed: bool) -> bool {
    let header = header.trim();
    let name = match header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])) {
        Some(name) if prefixed => name.trim(),
        _ if !prefixed || header == "default" => header,
        _ => return false,
    };
    name.trim_matches(['"', '\'']) == profile
}

/// A value up to a comment, which begins with white space and a mark.
fn without_comment(value: &str) -> &str {
    let comment = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| value.find(mark)).min();
    value[..comment.unwrap_or(value.len())].trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(text: &str, profile: &str, prefixed: bool, name: &str) -> Option<String> {
        section(text, profile, prefixed).map(Profile).and_then(|profile| profile.get(name))
    }

    #[test]
    fn sections_are_named_otherwise_in_the_two_files() {
        let text = "[default]\nregion=a\n[profile work]\nregion = b\n[ profile 'at home' ]\nregion=c\n[bare]\nregion=d\n";
        assert_eq!(get(text, "default", true, "region"), Some("a".into()));
        assert_eq!(get(text, "work", true, "region"), Some("b".into()));
        assert_eq!(get(text, "at home", true, "region"), Some("c".into()));
        assert_eq!(get(text, "bare", true, "region"), None);
        assert_eq!(get(text, "bare", false, "region"), Some("d".into()));
        assert_eq!(get(text, "work", false, "region"), None);
    }

    #[test]
    fn comments_nested_settings_and_broken_lines_are_skipped() {
        let text = "\u{feff}# c\nregion = none\n[a]\nnonsense\n[unclosed\nregion = no\n[a]\nRegion = x # y\ns3 =\n  \
                    region = nested\nsecret = a#b;c=d/e+\nempty =\n";
        assert_eq!(get(text, "a", false, "region"), Some("x".into()));
        assert_eq!(get(text, "a", false, "secret"), Some("a#b;c=d/e+".into()));
        assert_eq!(get(text, "a", false, "empty"), None);
        assert_eq!(get(text, "b", false, "region"), None);
    }

    #[test]
    fn what_is_no_file_is_an_error_and_what_is_missing_is_none() {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::with(&[("AWS_CONFIG_FILE", "~/elsewhere")], home.path());
        assert!(Profile::read(&environment, "default").unwrap().is_none());
        fs_err::write(home.path().join("elsewhere"), "[default]\nregion = x\n").unwrap();
        let profile = Profile::read(&environment, "default").unwrap().unwrap();
        assert_eq!(profile.get("region"), Some("x".into()));
        fs_err::create_dir_all(home.path().join(".aws/credentials")).unwrap();
        assert!(Profile::read(&environment, "default").is_err());
    }
}
