//! Places that are named on the command line and are not what they should be: each is told in one sentence, with the
//! exit code that says whose matter it is.

use crate::support::{HandBag, Remote, Sandbox, Server};

#[test]
fn where_nothing_can_be_made_is_a_matter_of_the_environment() {
    let sandbox = Sandbox::new();
    HandBag::new("1.0", &[("a", "1")]).zip(&sandbox.path("bag.zip"));
    sandbox.write("file", "no folder");
    for to in ["/proc/x", "/dev/null/x", "file/x"] {
        let output = sandbox.dbag(&["materialize", "bag.zip", "--to", to]);
        output.expect(3).says(&["nothing can be made in", to.strip_suffix("/x").unwrap()]);
    }
    sandbox.dbag(&["materialize", "bag.zip/x"]).expect(2).says(&["bag.zip/x does not exist"]);

    let remote = Remote::of(1, 10, 10);
    let server = Server::with(move |request| remote.reply(&request.path));
    Remote::of(1, 10, 10).bag(&server.url()).write(&sandbox.path("bag"));
    let run = |cache: &str| sandbox.dbag(&["materialize", "bag", "--cache", cache]).expect(3);
    run("/proc/cc").says(&["/proc/cc"]);
    run("file").says(&["/file is not a folder"]);
    sandbox.dbag(&["cache", "du", "--cache", "file"]).expect(3).says(&["/file is not a folder"]);
}
