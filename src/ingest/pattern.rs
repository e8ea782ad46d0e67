//! Patterns that tell values from a file's path: `{subject}/{visit}/{name}.png`.
//!
//! A placeholder `{name}` stands for one character or more, never `/`; `{name...}` may hold `/` too. `{}` and `{...}`
//! stand for what is not kept; `{*}` is another way to write `{}`. A name may come again, for the same text.
//! `{{` and `}}` are braces. All else stands for itself, in the same case. Where a path could be taken apart in
//! several ways, placeholders from the left on are as short as can be: `{a}_{b}` takes `x_y_z` for `x` and `y_z`.

use std::collections::HashSet;

/// Placeholders in a pattern at most.
const MOST: usize = 16;

/// Why a pattern was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum PatternError {
    #[error("the pattern is empty")]
    Empty,
    #[error(
        "the pattern {pattern:?} starts with '/'; paths are told from the folder on, such as {{subject}}/{{name}}.png"
    )]
    Absolute { pattern: String },
    #[error("the pattern {pattern:?} has the part {part:?}, which no path in a folder has")]
    Part { pattern: String, part: String },
    #[error("the pattern {pattern:?} has a {{ that is never closed; a brace itself is written {{{{")]
    Unclosed { pattern: String },
    #[error("the pattern {pattern:?} has a }} that nothing opens; a brace itself is written }}}}")]
    Unopened { pattern: String },
    #[error("{name:?} is no name for a placeholder: letters, digits and '_', the first no digit")]
    BadName { name: String },
    #[error(
        "{left} and {right} stand side by side in the pattern, so where one ends cannot be told; put a character between them"
    )]
    Adjacent { left: String, right: String },
    #[error("the placeholder {{{name}}} may hold '/' in one place of the pattern and not in another")]
    TwoKinds { name: String },
    #[error("the pattern has more than {MOST} placeholders")]
    TooMany,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// A placeholder: the name's index, whether it holds `/`.
    Hole {
        name: Option<usize>,
        crosses: bool,
    },
    /// A name that came before.
    Again {
        name: usize,
    },
}

/// A pattern of paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    pieces: Vec<Piece>,
    names: Vec<String>,
    /// The first piece after the last name that comes again: from there on, no piece depends on what names hold.
    free: usize,
}

impl PathPattern {
    /// Reads a pattern.
    pub fn parse(pattern: &str) -> Result<Self, PatternError> {
        check_parts(pattern)?;
        let mut parser = Parser { pattern, pieces: Vec::new(), names: Vec::new(), crosses: Vec::new() };
        let mut rest = pattern;
        while !rest.is_empty() {
            rest = parser.next(rest)?;
        }
        if parser.pieces.iter().filter(|piece| !matches!(piece, Piece::Literal(_))).count() > MOST {
            return Err(PatternError::TooMany);
        }
        let again = parser.pieces.iter().rposition(|piece| matches!(piece, Piece::Again { .. }));
        Ok(Self { pieces: parser.pieces, names: parser.names, free: again.map_or(0, |at| at + 1) })
    }

    /// The placeholders' names in order, each once.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// What the placeholders stand for in a path, in the order of [`PathPattern::names`]; `None` where the path is
    /// not of the pattern. The path is relative and `/`-separated.
    #[must_use]
    pub fn captures<'s>(&'s self, path: &'s str) -> Option<Vec<(&'s str, &'s str)>> {
        let mut found = vec![""; self.names.len()];
        let mut attempt = Attempt { pattern: self, path, dead: HashSet::new() };
        attempt.fits(0, 0, &mut found).then(|| self.names().zip(found).collect())
    }
}

/// Refuses what no relative path has.
fn check_parts(pattern: &str) -> Result<(), PatternError> {
    if pattern.is_empty() {
        return Err(PatternError::Empty);
    }
    if pattern.starts_with('/') {
        return Err(PatternError::Absolute { pattern: pattern.to_owned() });
    }
    match pattern.split('/').find(|part| matches!(*part, "" | "." | "..")) {
        Some(part) => Err(PatternError::Part { pattern: pattern.to_owned(), part: part.to_owned() }),
        None => Ok(()),
    }
}

struct Parser<'p> {
    pattern: &'p str,
    pieces: Vec<Piece>,
    names: Vec<String>,
    /// Of each name, whether it holds `/`.
    crosses: Vec<bool>,
}

impl Parser<'_> {
    /// Takes the next piece and gives what follows it.
    fn next<'r>(&mut self, rest: &'r str) -> Result<&'r str, PatternError> {
        for (doubled, brace) in [("{{", '{'), ("}}", '}')] {
            if let Some(rest) = rest.strip_prefix(doubled) {
                self.literal(&brace.to_string());
                return Ok(rest);
            }
        }
        if let Some(inner) = rest.strip_prefix('{') {
            let closed = inner.split_once('}').filter(|(inner, _)| !inner.contains('{'));
            let Some((inner, rest)) = closed else {
                return Err(PatternError::Unclosed { pattern: self.pattern.to_owned() });
            };
            self.hole(inner)?;
            return Ok(rest);
        }
        if rest.starts_with('}') {
            return Err(PatternError::Unopened { pattern: self.pattern.to_owned() });
        }
        let (literal, rest) = rest.split_at(rest.find(['{', '}']).unwrap_or(rest.len()));
        self.literal(literal);
        Ok(rest)
    }

    fn literal(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Literal(literal)) => literal.push_str(text),
            _ => self.pieces.push(Piece::Literal(text.to_owned())),
        }
    }

    /// Takes a placeholder by what stands between its braces.
    fn hole(&mut self, inner: &str) -> Result<(), PatternError> {
        let (name, crosses) = inner.strip_suffix("...").map_or((inner, false), |name| (name, true));
        let named = !matches!(name, "" | "*");
        let starts = |c: char| c.is_alphabetic() || c == '_';
        if named && !(name.starts_with(starts) && name.chars().all(|c| starts(c) || c.is_alphanumeric())) {
            return Err(PatternError::BadName { name: name.to_owned() });
        }
        if let Some(left) = self.pieces.last().and_then(|piece| self.shown(piece)) {
            return Err(PatternError::Adjacent { left, right: format!("{{{inner}}}") });
        }
        let known = self.names.iter().position(|known| known == name);
        let piece = match known {
            Some(known) if self.crosses[known] != crosses => {
                return Err(PatternError::TwoKinds { name: name.to_owned() });
            }
            Some(name) => Piece::Again { name },
            None if named => {
                self.names.push(name.to_owned());
                self.crosses.push(crosses);
                Piece::Hole { name: Some(self.names.len() - 1), crosses }
            }
            None => Piece::Hole { name: None, crosses },
        };
        self.pieces.push(piece);
        Ok(())
    }

    /// A placeholder as it was written; `None` for a literal.
    fn shown(&self, piece: &Piece) -> Option<String> {
        let (name, crosses) = match piece {
            Piece::Literal(_) => return None,
            Piece::Hole { name, crosses } => (name.map_or("", |name| &self.names[name]), *crosses),
            Piece::Again { name } => (self.names[*name].as_str(), self.crosses[*name]),
        };
        Some(format!("{{{name}{}}}", if crosses { "..." } else { "" }))
    }
}

/// One path that is tried.
struct Attempt<'s> {
    pattern: &'s PathPattern,
    path: &'s str,
    /// Pieces that do not fit from a byte of the path on, so that none is tried twice there.
    dead: HashSet<(usize, usize)>,
}

impl<'s> Attempt<'s> {
    /// Whether the pieces from `piece` on take all of the path from the byte `at` on.
    fn fits(&mut self, piece: usize, at: usize, found: &mut [&'s str]) -> bool {
        let (pattern, path) = (self.pattern, self.path);
        let Some(next) = pattern.pieces.get(piece) else { return at == path.len() };
        let rest = &path[at..];
        let prefix = |found: &[&'s str]| match next {
            Piece::Literal(literal) => Some(literal.len()).filter(|_| rest.starts_with(literal.as_str())),
            Piece::Again { name } => Some(found[*name].len()).filter(|_| rest.starts_with(found[*name])),
            Piece::Hole { .. } => None,
        };
        let Piece::Hole { name, crosses } = next else {
            return prefix(found).is_some_and(|length| self.fits(piece + 1, at + length, found));
        };
        if self.dead.contains(&(piece, at)) {
            return false;
        }
        let most = if *crosses { rest.len() } else { rest.find('/').unwrap_or(rest.len()) };
        let ends = rest.char_indices().map(|(start, c)| start + c.len_utf8()).take_while(|&end| end <= most);
        for end in ends {
            if let Some(name) = *name {
                found[name] = &rest[..end];
            }
            if self.fits(piece + 1, at + end, found) {
                return true;
            }
        }
        if piece >= pattern.free {
            self.dead.insert((piece, at));
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(pattern: &str, path: &str) -> Option<String> {
        let pattern = PathPattern::parse(pattern).unwrap();
        let captures = pattern.captures(path)?;
        Some(captures.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn paths_are_taken_apart() {
        for (pattern, path, captures) in [
            ("{subject}/{visit}/{name}.png", "S1/v2/a.b.png", Some("subject=S1 visit=v2 name=a.b")),
            ("{subject}/{name}.png", "S1/v2/a.png", None),
            ("{subject}/{name}.png", "S1/a.PNG", None),
            ("{subject}/{name}.png", "S1/.png", None),
            ("{a}_{b}", "x_y_z", Some("a=x b=y_z")),
            ("{a}_{b}.png", "x.png_y.png", Some("a=x.png b=y")),
            ("{dir...}/{name}", "a/b/c", Some("dir=a/b name=c")),
            ("{...}/{name}.{*}", "a/b/c.d", Some("name=c")),
            ("{s}/{s}_{n}.nii", "a_b/a_b_1.nii", Some("s=a_b n=1")),
            ("{s}/{s}_{n}.nii", "a/b_1.nii", None),
            ("x{{{a}}}", "x{1}", Some("a=1")),
            ("{größe}/é{b}", "1/é2", Some("größe=1 b=2")),
            ("all.csv", "all.csv", Some("")),
        ] {
            assert_eq!(shown(pattern, path).as_deref(), captures, "{pattern} {path}");
        }
    }

    #[test]
    fn patterns_that_cannot_be_meant_are_refused() {
        let error = |pattern: &str| PathPattern::parse(pattern).unwrap_err().to_string();
        assert_eq!(
            error("{a}{b...}/x"),
            "{a} and {b...} stand side by side in the pattern, so where one ends cannot be told; put a character \
             between them"
        );
        assert_eq!(
            error("{a"),
            "the pattern \"{a\" has a { that is never closed; a brace itself is written {{"
        );
        assert_eq!(
            error("a}"),
            "the pattern \"a}\" has a } that nothing opens; a brace itself is written }}"
        );
        assert!(error("{a b}").contains("\"a b\" is no name"));
        assert!(error("{1}").contains("no name"));
        assert!(error("/{a}").contains("starts with '/'"));
        assert!(error("a//{b}").contains("the part \"\""));
        assert!(error("../{b}").contains("the part \"..\""));
        assert!(error("{a...}/{a}").contains("{a}"));
        assert!(error(&"{}_".repeat(17)).contains("more than 16"));
        assert_eq!(error(""), "the pattern is empty");
    }

    #[test]
    fn a_path_that_nearly_fits_takes_no_time() {
        let pattern = PathPattern::parse(&format!("{}x", "{}_".repeat(16))).unwrap();
        assert_eq!(pattern.captures(&"_".repeat(300)), None);
    }

    proptest! {
        #[test]
        fn what_a_pattern_was_filled_with_is_found(values in proptest::collection::vec("[a-zé.]{1,4}", 3)) {
            let path = format!("{}/{}-{}.png", values[0], values[1], values[2]);
            let pattern = PathPattern::parse("{a}/{b}-{c}.png").unwrap();
            let found: Vec<&str> = pattern.captures(&path).unwrap().into_iter().map(|(_, value)| value).collect();
            prop_assert_eq!(found, values.iter().map(String::as_str).collect::<Vec<_>>());
        }

        #[test]
        fn never_panics(pattern in "[{}a/._*é]{0,12}", path in "[a/._é]{0,12}") {
            if let Ok(pattern) = PathPattern::parse(&pattern) {
                let _ = pattern.captures(&path);
            }
        }
    }
}
