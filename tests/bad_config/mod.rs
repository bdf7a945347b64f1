//! A wrong configuration is refused with its place, and never takes down what runs.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use crate::support::{check, eventually, kernel, pair, roadbed, stays, view};

fn validate(file: &Path) -> Output {
    Command::new(roadbed())
        .arg("validate")
        .arg(file)
        .output()
        .expect("roadbed runs")
}

#[test]
fn validate_names_file_line_column_and_field() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("wrong.yaml");
    let good = pair::resources(2, "CrossSubnet");
    std::fs::write(&file, &good).expect("write the file");
    let done = validate(&file);
    assert!(done.status.success(), "{done:?}");

    let wrong = good
        .replace("vxlanMode: CrossSubnet", "vxlanMode: Crosssubnet")
        .replace("asNumber", "asNumbr");
    std::fs::write(&file, &wrong).expect("write the file");
    let done = validate(&file);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    for (word, field) in [("Crosssubnet", "spec.vxlanMode"), ("asNumbr", "spec.asNumbr")] {
        let (line, column) = place(&wrong, word);
        let start = format!("{}:{line}:{column}: {field}: ", file.display());
        assert!(
            said.lines().any(|l| l.starts_with(&start)),
            "no line starts with {start:?} in:\n{said}"
        );
    }
    assert!(
        said.contains("CrossSubnet") && said.contains("asNumber"),
        "it says what would be right:\n{said}"
    );
}

/// Line and column of a word, from 1.
fn place(text: &str, word: &str) -> (usize, usize) {
    let found = text
        .lines()
        .enumerate()
        .find_map(|(n, line)| Some((n + 1, line.find(word)? + 1)));
    found.expect("the word is there")
}

#[test]
fn a_file_that_is_not_there_is_one_clear_line() {
    let done = validate(Path::new("/nonexistent/resources.yaml"));
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        said.contains("/nonexistent/resources.yaml") && said.lines().count() == 1,
        "{said}"
    );
}

#[test]
fn a_wrong_agent_file_ends_the_agent_with_its_place() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("agent.yaml");
    std::fs::write(&file, "nodeName: n1\ndatastore: { knid: file }\n").expect("write the file");
    let done = Command::new(roadbed())
        .arg("agent")
        .arg("--config")
        .arg(&file)
        .output()
        .expect("roadbed runs");
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        said.contains(&format!("{}:2:", file.display())) && said.contains("datastore.knid"),
        "{said}"
    );
}

#[test]
fn a_bad_edit_keeps_the_last_good_state_and_a_good_one_applies() {
    let fabric = pair::wire("badedit", 2).up();
    eventually("the session of the nodes", || view::converged(&fabric, "n1", 1));
    eventually("the route to the other node", || {
        kernel::route(&fabric, "n1", "10.244.2.0/24")
    });
    let revision = view::status(&fabric, "n1")
        .expect("the agent answers")
        .datastore
        .revision;

    let good = pair::resources(2, "CrossSubnet");
    for bad in [
        good.replace("192.0.2.12/24", "192.0.2.312/24"),
        good.replace("spec: {", "spec: {{"),
        String::new(),
    ] {
        fabric.edit("n1", &bad);
        eventually("the agent says that the edit is refused", || {
            let status = view::status(&fabric, "n1")?;
            let told = status
                .problems
                .iter()
                .any(|p| p.part == "config" && p.message.contains("/etc/roadbed/cluster"));
            check(status.datastore.state == "stale" && told, || {
                format!("{status:?}")
            })
        });
        stays(Duration::from_secs(1), "the last good state", || {
            kernel::route(&fabric, "n1", "10.244.1.0/24")?;
            kernel::route(&fabric, "n1", "10.244.2.0/24")?;
            view::established(&fabric, "n1", &pair::address(2)).map(drop)
        });
        // Back to good before the next mistake, so that each of them is seen by itself.
        fabric.edit("n1", &good);
        eventually("the agent is content again", || {
            let status = view::status(&fabric, "n1")?;
            let content =
                status.datastore.state == "ok" && status.problems.iter().all(|p| p.part != "config");
            check(content, || format!("{status:?}"))
        });
    }

    fabric.edit(
        "n1",
        &good.replace("10.244.1.0/24", "10.244.1.0/24, 10.244.101.0/24"),
    );
    eventually("the good edit in the kernel", || {
        kernel::route(&fabric, "n1", "10.244.101.0/24")
    });
    eventually("the good edit at the other node", || {
        kernel::route(&fabric, "n2", "10.244.101.0/24")
    });
    let status = view::status(&fabric, "n1").expect("the agent answers");
    assert!(
        status.datastore.state == "ok" && status.datastore.revision > revision,
        "{status:?}"
    );
    let peer = view::established(&fabric, "n1", &pair::address(2)).expect("the session is up");
    assert_eq!(peer.flaps, 0, "{peer:?}");
}
