//! Claims: small files that say who works on what, so that processes that share a cache or a destination share the
//! work too. They only save duplicate work: whoever ignores one, or takes over one that was not dead, does no harm.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::folder::{make_folder, make_in};
use super::owner::{LEASE, Life, Owner};

/// A claim that says nobody's name is respected for this long: as long as writing one may take.
const UNREADABLE: Duration = Duration::from_secs(5);

/// The claims of one run in one folder.
pub(crate) struct Claims {
    folder: PathBuf,
    owner: Owner,
    /// What a claim of this run holds: the owner as JSON.
    text: Arc<[u8]>,
    held: Arc<Mutex<Vec<PathBuf>>>,
}

/// A claim that is held until it is dropped.
pub(crate) struct Claim {
    path: PathBuf,
    text: Arc<[u8]>,
    held: Arc<Mutex<Vec<PathBuf>>>,
}

impl Claims {
    pub(crate) fn at(folder: &Path, owner: &Owner) -> io::Result<Self> {
        make_folder(folder)?;
        let text = serde_json::to_vec(owner)?.into();
        Ok(Self { folder: folder.to_owned(), owner: owner.clone(), text, held: Arc::default() })
    }

    /// Claims a piece of work; `None` where someone who may be alive has it, and gave a sign of life lately: a process
    /// may be suspended and never wake.
    pub(crate) fn take(&self, name: &str) -> io::Result<Option<Claim>> {
        self.take_if(name, |life, path| life == Life::Dead || self.is_older(path, LEASE))
    }

    /// Claims what only one may write to: a process of this machine that is there keeps it, however long it is silent.
    pub(crate) fn take_alone(&self, name: &str) -> io::Result<Option<Claim>> {
        let is_free = |life, path: &Path| match life {
            Life::Alive => false,
            Life::Dead => true,
            Life::Elsewhere => self.is_older(path, LEASE),
        };
        self.take_if(name, is_free)
    }

    fn take_if(&self, name: &str, is_free: impl Fn(Life, &Path) -> bool) -> io::Result<Option<Claim>> {
        let path = self.folder.join(name);
        if self.create(&path)? {
            return Ok(Some(self.hold(path)));
        }
        let text = match fs_err::read(&path) {
            Ok(text) => text,
            // It was given up just now; whoever comes next takes it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let is_free = match serde_json::from_slice(&text) {
            Ok(owner) => is_free(Owner::life(&owner), &path),
            // A full disk, or a run that was killed just then, may leave one that nobody will ever finish.
            Err(_) => self.is_older(&path, UNREADABLE),
        };
        if !is_free {
            return Ok(None);
        }
        Ok((self.clear(&path, &text)? && self.create(&path)?).then(|| self.hold(path)))
    }

    fn hold(&self, path: PathBuf) -> Claim {
        lock(&self.held).push(path.clone());
        Claim { path, text: Arc::clone(&self.text), held: Arc::clone(&self.held) }
    }

    /// Who has a claim, in words; `None` where nobody is known to.
    pub(crate) fn holder(&self, name: &str) -> Option<String> {
        let owner: Owner = serde_json::from_slice(&fs_err::read(self.folder.join(name)).ok()?).ok()?;
        Some(owner.shown())
    }

    /// Writes the claim; false where there is one. It appears whole: of half a claim nobody could say that its owner is
    /// dead.
    fn create(&self, path: &Path) -> io::Result<bool> {
        make_in(&self.folder, || self.create_once(path))
    }

    fn create_once(&self, path: &Path) -> io::Result<bool> {
        if path.exists() {
            return Ok(false);
        }
        let whole = path.with_extension(format!("{}.new", self.owner.tag()));
        let linked = fs_err::write(&whole, &*self.text).map(|()| fs_err::hard_link(&whole, path));
        // On a full disk there may be half of it.
        let removed = fs_err::remove_file(&whole);
        match linked? {
            Ok(()) => removed.map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            // There are no links here.
            Err(_) => write_new(path, &self.text),
        }
    }

    /// Takes a dead claim away. Renaming decides between several who try; one who finds in hand what is not the
    /// claim that it saw gives it back.
    fn clear(&self, path: &Path, seen: &[u8]) -> io::Result<bool> {
        let mine = self.folder.join(format!("{}.dead", self.owner.tag()));
        let clear = || {
            fs_err::rename(path, &mine)?;
            if fs_err::read(&mine).is_ok_and(|text| text == seen) {
                return fs_err::remove_file(&mine).map(|()| true);
            }
            fs_err::rename(&mine, path).map(|()| false)
        };
        match clear() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            other => other,
        }
    }

    /// Whether a claim's last sign of life is too long ago, by the clock of the file system that both stand on.
    fn is_older(&self, path: &Path, limit: Duration) -> bool {
        let age = || -> io::Result<Duration> {
            let modified = fs_err::metadata(path)?.modified()?;
            Ok(now_in(&self.folder, &self.owner)?.duration_since(modified).unwrap_or_default())
        };
        age().is_ok_and(|age| age > limit)
    }

    /// Gives a sign of life for every claim that is held.
    pub(crate) fn beat(&self) {
        let held = lock(&self.held).clone();
        held.iter().for_each(|path| beat(path));
    }
}

/// Writes a file; false where there is one.
fn write_new(path: &Path, text: &[u8]) -> io::Result<bool> {
    match fs_err::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            let written = io::Write::write_all(&mut file, text);
            if written.is_err() {
                // Others would wait for what nobody is at.
                let _ = fs_err::remove_file(path);
            }
            written.map(|()| true)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// The time by the clock of the file system of a folder, which may not be this machine's.
pub(crate) fn now_in(folder: &Path, owner: &Owner) -> io::Result<SystemTime> {
    let path = folder.join(format!("{}.clock", owner.tag()));
    make_in(folder, || fs_err::write(&path, ""))?;
    let now = fs_err::metadata(&path)?.modified();
    fs_err::remove_file(&path)?;
    now
}

/// Gives a sign of life through a file's time of change. One that can't be given costs duplicate work, no more.
pub(crate) fn beat(path: &Path) {
    if let Ok(file) = fs_err::OpenOptions::new().append(true).open(path) {
        let _ = file.file().set_modified(SystemTime::now());
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.held).retain(|path| *path != self.path);
        // If this process slept for long, another may have it now.
        if fs_err::read(&self.path).is_ok_and(|text| *text == *self.text) {
            let _ = fs_err::remove_file(&self.path);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_held_by_one_and_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (Owner::new(), Owner::new());
        let (a, b) = (Claims::at(folder.path(), &a).unwrap(), Claims::at(folder.path(), &b).unwrap());
        let held = a.take("x").unwrap().unwrap();
        assert!(b.take("x").unwrap().is_none());
        assert!(b.take("y").unwrap().is_some());
        drop(held);
        assert!(b.take("x").unwrap().is_some());
    }

    #[test]
    fn a_folder_that_another_run_took_away_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let work = folder.path().join("work");
        let claims = Claims::at(&work, &Owner::new()).unwrap();
        fs_err::remove_dir(&work).unwrap();
        assert!(claims.take("x").unwrap().is_some());
        fs_err::remove_dir(&work).unwrap();
        assert!(now_in(&work, &Owner::new()).is_ok());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_claim_of_a_dead_process_is_taken_over_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let owner = Owner::new();
        let mut dead = serde_json::to_value(&owner).unwrap();
        dead["pid"] = child.id().into();
        fs_err::write(folder.path().join("x"), dead.to_string()).unwrap();
        let claims = Claims::at(folder.path(), &owner).unwrap();
        assert!(claims.take("x").unwrap().is_some());
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
    }

    fn make_old(path: &Path, age: Duration) {
        let file = fs_err::OpenOptions::new().append(true).open(path).unwrap();
        file.file().set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn the_claim_of_a_process_that_sleeps_is_taken_over_and_not_given_up_by_it() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = [(); 2].map(|()| Claims::at(folder.path(), &Owner::new()).unwrap());
        let (asleep, alone) = (a.take("x").unwrap().unwrap(), a.take_alone("y").unwrap().unwrap());
        make_old(&asleep.path, LEASE + Duration::from_secs(2));
        make_old(&alone.path, LEASE + Duration::from_secs(2));
        let taken = b.take("x").unwrap().unwrap();
        assert!(b.take_alone("y").unwrap().is_none());
        drop(asleep);
        assert!(taken.path.exists());
        let pid = std::process::id().to_string();
        assert!(a.holder("x").unwrap().contains(&pid) && a.holder("z").is_none());
    }

    #[test]
    fn a_claim_from_elsewhere_is_respected_until_it_expires() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::new();
        let mut elsewhere = serde_json::to_value(&owner).unwrap();
        elsewhere["host"] = "elsewhere".into();
        let texts = [elsewhere.to_string(), "{ half a cl".into(), String::new()];
        for (text, limit) in texts.into_iter().zip([LEASE, UNREADABLE, UNREADABLE]) {
            let path = folder.path().join("x");
            fs_err::write(&path, text).unwrap();
            let claims = Claims::at(folder.path(), &owner).unwrap();
            assert!(claims.take("x").unwrap().is_none());
            make_old(&path, limit + Duration::from_secs(2));
            assert!(claims.take("x").unwrap().is_some());
        }
    }
}
