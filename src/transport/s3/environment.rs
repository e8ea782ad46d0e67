//! The process's environment as other AWS tools read it, held so that a test can have its own.

use std::path::PathBuf;

/// The value of a variable, where it has one.
type Variable = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Variables, and the user's home folder.
pub(crate) struct Environment {
    variable: Box<Variable>,
    home: Option<PathBuf>,
}

impl Environment {
    /// That of this process.
    pub(crate) fn of_process() -> Self {
        Self { variable: Box::new(|name| std::env::var(name).ok()), home: std::env::home_dir() }
    }

    /// One with nothing but these variables, and with this home folder.
    #[cfg(test)]
    pub(super) fn with(variables: &[(&str, &str)], home: &std::path::Path) -> Self {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables: std::collections::HashMap<_, _> = owned.collect();
        Self { variable: Box::new(move |name| variables.get(name).cloned()), home: Some(home.to_owned()) }
    }

    /// A variable that is set to more than nothing.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// A variable that is set to yes.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A file that a variable names, or that is below the home folder.
    pub(super) fn file(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        match self.get(variable) {
            Some(path) => match path.strip_prefix("~/") {
                Some(rest) => Some(self.home.as_ref()?.join(rest)),
                None => Some(path.into()),
            },
            None => Some(self.home.as_ref()?.join(below_home)),
        }
    }
}
