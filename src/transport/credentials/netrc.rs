//! `.netrc`: machines, each with a login and a password.
//!
//! The grammar is curl's: words between blanks, or in double quotes with `\"`, `\\`, `\n`, `\r` and `\t`; `#` begins a
//! comment where a keyword may stand; a `macdef` ends at the first empty line.

use std::path::Path;

use super::Entry;
use super::credential::{Authorization, Credential, Place};
use super::error::{CredentialError, shown};
use super::headers;
use super::scope::{Scope, Transfer};

/// What a file says.
#[derive(Default)]
pub(super) struct Netrc {
    pub(super) entries: Vec<Entry>,
    /// A `default` would go to any host that a bag names. It is never sent, and this sentence says so.
    pub(super) default: Option<String>,
}

/// Reads the file's text. What is left out adds a warning.
pub(super) fn parse(text: &str, path: &Path, warnings: &mut Vec<String>) -> Result<Netrc, CredentialError> {
    let wrong =
        |(line, problem): (usize, String)| CredentialError::Line { path: path.to_owned(), line, problem };
    let mut netrc = Netrc::default();
    for machine in machines(text).map_err(wrong)? {
        let Some(name) = &machine.name else {
            let problem = "is never sent, since it names no host";
            netrc.default =
                Some(format!("the default entry in line {} of {} {problem}", machine.line, shown(path)));
            continue;
        };
        let Some(password) = &machine.password else { continue };
        let Some(scope) = Scope::of_host(name, Transfer::HttpsOrLoopback) else {
            warnings.push(format!(
                "line {} of {} is not used: its machine is not a host",
                machine.line,
                shown(path)
            ));
            continue;
        };
        let user = machine.login.as_deref().unwrap_or_default();
        let headers = headers::basic(user, password).map_err(|problem| wrong((machine.line, problem)))?;
        let place = Place::Netrc { path: path.to_owned(), line: machine.line, host: scope.host() };
        let authorization = Authorization::Headers(headers);
        let credential = Credential { place, kind: "basic", authorization, expires: None };
        netrc.entries.push(Entry { scope, credential: Ok(credential) });
    }
    Ok(netrc)
}

/// One `machine`, or the `default`, which has no name.
struct Machine {
    name: Option<String>,
    line: usize,
    login: Option<String>,
    password: Option<String>,
}

/// The line of a fault, and the rest of a sentence about it.
type Fault = (usize, String);

fn machines(text: &str) -> Result<Vec<Machine>, Fault> {
    let mut machines = Vec::new();
    let mut words = Words { rest: text, line: 1 };
    while let Some(word) = words.next()? {
        let line = words.line;
        match word.text.as_str() {
            text if text.starts_with('#') && !word.quoted => words.skip_line(),
            "machine" => {
                let name = Some(words.value("machine")?);
                machines.push(Machine { name, line, login: None, password: None });
            }
            "default" => machines.push(Machine { name: None, line, login: None, password: None }),
            "macdef" => {
                words.value("macdef")?;
                words.skip_macro();
            }
            keyword @ ("login" | "user" | "password" | "account") => {
                let value = words.value(keyword)?;
                let machine = machines
                    .last_mut()
                    .ok_or_else(|| (line, format!("has a {keyword} before the first machine")))?;
                match keyword {
                    "login" | "user" => machine.login = Some(value),
                    "password" => machine.password = Some(value),
                    // Of FTP only.
                    _ => {}
                }
            }
            _ => {
                let hint = "has a word that is no keyword of .netrc; a value with blanks needs quotes";
                return Err((line, hint.into()));
            }
        }
    }
    Ok(machines)
}

struct Word {
    text: String,
    quoted: bool,
}

/// The words of a file, and the line of the last one.
struct Words<'t> {
    rest: &'t str,
    line: usize,
}

impl Words<'_> {
    fn next(&mut self) -> Result<Option<Word>, Fault> {
        let start = self.rest.trim_start();
        self.advance(self.rest.len() - start.len());
        if let Some(quoted) = self.rest.strip_prefix('"') {
            let (text, length) = unquote(quoted).map_err(|problem| (self.line, problem.to_owned()))?;
            self.advance(length + 1);
            return Ok(Some(Word { text, quoted: true }));
        }
        let word = self.rest.split(char::is_whitespace).next().unwrap_or_default();
        if word.is_empty() {
            return Ok(None);
        }
        let text = word.to_owned();
        self.advance(text.len());
        Ok(Some(Word { text, quoted: false }))
    }

    fn value(&mut self, keyword: &str) -> Result<String, Fault> {
        let line = self.line;
        let word = self.next()?;
        word.map(|word| word.text).ok_or_else(|| (line, format!("ends after {keyword}, without its value")))
    }

    fn skip_line(&mut self) {
        self.advance(self.rest.find('\n').map_or(self.rest.len(), |end| end + 1));
    }

    fn skip_macro(&mut self) {
        self.skip_line();
        while !self.rest.is_empty() {
            let empty = self.rest.lines().next().is_none_or(|line| line.trim().is_empty());
            self.skip_line();
            if empty {
                break;
            }
        }
    }

    fn advance(&mut self, octets: usize) {
        let (passed, rest) = self.rest.split_at(octets);
        self.line += passed.matches('\n').count();
        self.rest = rest;
    }
}

/// The value of a quoted word whose first quote is passed, and its length in octets with the last quote.
fn unquote(text: &str) -> Result<(String, usize), &'static str> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, at + 1)),
            '\n' => break,
            '\\' => match letters.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, 'r')) => value.push('\r'),
                Some((_, 't')) => value.push('\t'),
                Some((_, '\n')) | None => break,
                Some((_, other)) => value.push(other),
            },
            _ => value.push(letter),
        }
    }
    Err("has a quote that does not end")
}
