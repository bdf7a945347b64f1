use super::*;

const EMPTY: &str = "# Title\n<!-- cells: begin -->\n<!-- cells: end -->\nmore\n<!-- measured: begin -->\nold\n<!-- measured: end -->\nend\n";

fn records() -> Vec<Record> {
    let of = |make: Make, feature: &Feature| Record {
        make,
        feature: *feature,
        outcome: match make {
            Make::Exabgp => Outcome::NotThere("it keeps no routes".to_owned()),
            _ => Outcome::Works,
        },
        version: format!("{make} 1.2"),
        detail: "in 3 ms".to_owned(),
    };
    let makes = |feature| Make::ALL.into_iter().map(move |make| of(make, feature));
    Feature::ALL.iter().flat_map(makes).collect()
}

#[test]
fn a_page_that_was_written_is_what_the_run_saw() {
    let page = written(EMPTY, &records()).expect("all is there");
    assert!(page.starts_with("# Title\n") && page.contains("\nmore\n") && page.ends_with("end\n"));
    assert!(!page.contains("\nold\n") && page.contains("in 3 ms"));
    assert_eq!(check(&page, &records()), Ok(()));
    assert_eq!(written(&page, &records()).as_deref(), Ok(page.as_str()));
    assert_eq!(page.matches("no: it keeps no routes").count(), Feature::ALL.len());
}

#[test]
fn versions_and_figures_may_differ_but_cells_may_not() {
    let page = written(EMPTY, &records()).expect("all is there");
    let mut other = records();
    other.iter_mut().for_each(|r| {
        r.version = "2".to_owned();
        r.detail = "in 4 ms".to_owned();
    });
    assert_eq!(check(&page, &other), Ok(()));
    other[0].outcome = Outcome::NotThere("lost".to_owned());
    let Err(Complaint::Different { page, run }) = check(&page, &other) else {
        panic!("it does not see the difference");
    };
    assert_eq!((page.len(), run.len()), (1, 1), "{page:?} {run:?}");
}

#[test]
fn a_cell_without_a_record_is_refused() {
    let mut few = records();
    let gone = few.remove(3);
    let missing = Complaint::Missing(vec![(gone.make, gone.feature)]);
    assert_eq!(check(EMPTY, &few), Err(missing));
}

#[test]
fn records_come_back_from_their_files() {
    let folder = tempfile::tempdir().expect("a folder");
    for record in records().iter().rev() {
        crate::write(folder.path(), record).expect("written");
    }
    assert_eq!(crate::all(folder.path()).expect("read"), records());
    assert!(crate::all(&folder.path().join("none")).expect("none").is_empty());
}
