//! `docs/bgp.md` speaks of fields, files and tests: they are there.

use std::path::Path;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What stands between backquotes, in the order of the page.
fn quoted(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2)
}

/// A word such as `rib/policy/tests` or `wire/open.rs`.
fn is_path(word: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_/.".contains(c);
    word.contains('/') && word.chars().all(good)
}

#[test]
fn the_page_of_rfcs_names_fields_and_files_that_are_there() {
    let (page, fields) = (read("docs/bgp.md"), read("docs/resources.md"));
    let (mut known, mut missing) = (0, Vec::new());
    for word in quoted(&page) {
        let field = word.strip_prefix("spec.").map(|rest| {
            let name = rest.split([':', ' ']).next().unwrap_or_default();
            fields.contains(&format!("`spec.{name}`"))
        });
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = is_path(word)
            .then(|| root.join(word).exists() || root.join("bgpd/proto/src").join(word).exists());
        match field.or(file) {
            Some(true) => known += 1,
            Some(false) => missing.push(word),
            None => {}
        }
    }
    assert!(
        missing.is_empty(),
        "docs/bgp.md names what is not there: {missing:?}"
    );
    assert!(
        known > 40,
        "only {known} were looked for: the page or this test has changed"
    );
}

#[test]
fn its_sections_are_where_its_links_lead() {
    let page = read("docs/bgp.md");
    let anchor = |title: &str| -> String {
        let kept = title
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() })
            .collect()
    };
    let titles: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(anchor)
        .collect();
    let links: Vec<&str> = page
        .split("](#")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    assert!(links.len() > 10, "{links:?}");
    for link in links {
        assert!(
            titles.iter().any(|title| title == link),
            "no section {link}: {titles:?}"
        );
    }
}
