//! The model's tests; those over real catalogs and bags read them from beside the repository, where they are.

mod build;
mod check;
mod json;
mod kinds;
mod order;
mod shapes;

use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use super::Model;

/// Something kept beside the repository; `None`, with a line that says so, where it is not there.
#[allow(clippy::print_stderr)]
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: {} is not there", path.display());
    None
}

/// The `/schema` documents of real catalogs, and those in real bags.
fn documents() -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for folder_name in ["schemas", "bags"] {
        let Some(folder) = shared(folder_name) else { continue };
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let bytes = fs_err::read(&path).unwrap();
            let is = |extension: &str| path.extension().is_some_and(|own| own == extension);
            if is("zip") {
                found.push((name, schema_in(bytes)));
            } else if is("json") && folder_name == "schemas" {
                found.push((name, bytes));
            }
        }
    }
    found
}

fn schema_in(bag: Vec<u8>) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bag)).unwrap();
    let mut names = archive.file_names().map(|name| name.unwrap().into_owned());
    let name = names.find(|name| name.ends_with("/data/schema.json")).unwrap();
    drop(names);
    let mut document = Vec::new();
    archive.by_name(&name).unwrap().read_to_end(&mut document).unwrap();
    document
}

fn catalog(name: &str) -> Option<Model> {
    let path = shared(&format!("schemas/{name}-catalog-schema.json"))?;
    Some(Model::from_json(&fs_err::read(path).unwrap()).unwrap())
}
