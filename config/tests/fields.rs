//! The table of fields against the readers, and against the manual that is made from it.
//!
//! `docs/resources.md` is written by this test with `UPDATE_DOCS=1`, and compared without.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use config::agent_file::{KEYS, variable};
use config::fields::{COMMON, Class, Field, ResourceKind, of, table_path};
use config::{Problem, Severity, Source, load};

fn problems(text: String) -> Vec<Problem> {
    load(&[Source {
        name: "f".to_owned(),
        text,
    }])
    .problems
}

/// A document with one field set to the given value.
fn document(kind: ResourceKind, path: &str, value: &str) -> String {
    let mut text = format!("apiVersion: projectcalico.org/v3\nkind: {}\n", kind.name());
    if !path.starts_with("metadata") {
        text += "metadata: { name: default }\n";
    }
    let path = path.replace('*', "exportV4");
    let parts: Vec<&str> = path.split('.').collect();
    let mut indent = 0;
    let mut item = "";
    for (depth, part) in parts.iter().enumerate() {
        let end = if depth + 1 == parts.len() {
            format!(" {value}")
        } else {
            String::new()
        };
        let name = part.trim_end_matches("[]");
        text += &format!("{}{item}{name}:{end}\n", "  ".repeat(indent));
        // What comes next is inside the first item of a list, or inside this mapping.
        indent += if item.is_empty() { 1 } else { 2 };
        item = if part.ends_with("[]") { "- " } else { "" };
    }
    text
}

fn fields(kind: ResourceKind) -> impl Iterator<Item = &'static Field> {
    let dispatch = |field: &&Field| !matches!(field.path, "apiVersion" | "kind");
    COMMON.iter().filter(dispatch).chain(of(kind))
}

/// A value that no field can have: whoever reads the field must complain about it, at it or inside.
const ABSURD: &str = "{ no-such-thing: [ [ 1 ] ] }";

#[test]
fn every_supported_field_is_read() {
    for kind in ResourceKind::ALL {
        for field in fields(kind).filter(|field| matches!(field.class, Class::Supported | Class::Ours)) {
            let problems = problems(document(kind, field.path, ABSURD));
            let complained = problems
                .iter()
                .any(|p| p.is_error() && table_path(kind, &p.field).starts_with(field.path));
            assert!(complained, "{} {}: {problems:?}", kind.name(), field.path);
        }
    }
}

#[test]
fn every_ignored_field_gives_a_warning_and_no_error() {
    for kind in ResourceKind::ALL {
        for field in fields(kind).filter(|field| matches!(field.class, Class::Ignored(_))) {
            let problems = problems(document(kind, field.path, "{ a: 1 }"));
            let at = field
                .path
                .strip_prefix("metadata.")
                .map_or(field.path, |_| "metadata");
            let warned = problems
                .iter()
                .any(|p| p.severity == Severity::Warning && p.field == at);
            let refused = problems.iter().any(|p| p.is_error() && p.field == field.path);
            assert!(warned && !refused, "{} {}: {problems:?}", kind.name(), field.path);
        }
    }
}

#[test]
fn every_refused_field_is_named_unless_it_says_nothing() {
    for kind in ResourceKind::ALL {
        for field in fields(kind) {
            let Class::Refused { harmless, why } = field.class else {
                continue;
            };
            let named = |value: &str| {
                problems(document(kind, field.path, value))
                    .iter()
                    .any(|p| p.field == field.path)
            };
            let loud = problems(document(kind, field.path, "something"));
            assert!(
                loud.iter().any(|p| p.field == field.path && p.message == why),
                "{}: {loud:?}",
                field.path
            );
            for quiet in ["", "~", "false", "[]", "{}", "''"].iter().chain(harmless) {
                assert!(!named(quiet), "{}: {quiet}", field.path);
            }
        }
    }
}

fn class(field: &Field) -> (&'static str, String) {
    match field.class {
        Class::Supported => ("supported", field.about.to_owned()),
        Class::Ours => ("ours", field.about.to_owned()),
        Class::Ignored(why) => ("ignored, warning", format!("{why}.")),
        Class::Refused { harmless: [], why } => ("error", format!("{why}.")),
        Class::Refused { harmless, why } => ("error", format!("{why}. Fine: `{}`.", harmless.join("`, `"))),
    }
}

fn table(manual: &mut String, fields: &[Field]) {
    manual.push_str("| field | class | |\n|---|---|---|\n");
    for field in fields {
        let (class, about) = class(field);
        let _ = writeln!(
            manual,
            "| `{}` | {class} | {} |",
            field.path,
            about.replace('|', "\\|")
        );
    }
}

fn about(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::BgpConfiguration => "Settings of BGP for all nodes. There is one, named `default`.",
        ResourceKind::IpPool => {
            "A range of pod addresses: who gets addresses from it, in which blocks nodes own it, and how packets to \
             it are carried between nodes. Where blocks of it are owned, its range must keep holding them, its \
             `blockSize` stays, and it is not deleted; growing it, disabling it and changing whom it serves is \
             always possible."
        }
        ResourceKind::BgpPeer => "A peering beyond the mesh of the nodes.",
        ResourceKind::Node => {
            "One node: its addresses, AS number and labels. With `kind: kubernetes`, nodes of Kubernetes are read too."
        }
        ResourceKind::BgpFilter => {
            "Which routes pass to and from peers, and what is changed on them. `*` in this table is one of \
             `exportV4`, `importV4`, `exportV6` and `importV6`: their rules are alike."
        }
        ResourceKind::IpReservation => "Addresses that no pod gets.",
        ResourceKind::IpamConfig => {
            "How nodes claim blocks and give out addresses, for all pools. There is one, named `default`; \
             `kind: IPAMConfig` is read as the same."
        }
    }
}

fn manual() -> String {
    let mut manual = String::from(
        "# Resources and settings, field by field\n\n\
         Made from the tables in `config/src/fields` and `config/src/agent_file`; a test keeps it true.\n\n\
         Documents of `roadbed.dev/v1` and of Calico's `projectcalico.org/v3` are read alike, also inside lists \
         (`kind: IPPoolList` with `items`). The classes:\n\n\
         - **supported**: read, with Calico's name and, where nothing else is said, its meaning.\n\
         - **ours**: read; Calico does not have it.\n\
         - **ignored, warning**: accepted; changes nothing.\n\
         - **error**: named and refused, because it would change forwarding and is not done. Values that say the \
         same as leaving the field out (nothing, `false`, empty, and those listed) are fine.\n\n\
         A field that is not listed is an error too, with a guess at what was meant.\n",
    );
    manual.push_str("\n## Every kind\n\n");
    table(&mut manual, COMMON);
    for kind in ResourceKind::ALL {
        let _ = write!(manual, "\n## {}\n\n{}\n\n", kind.name(), about(kind));
        table(&mut manual, of(kind));
    }
    manual.push_str(
        "\n## Selectors\n\n\
         `nodeSelector` and `peerSelector` are written in Calico's language: `all()`, `has(rack)`, `rack == 'r1'`, \
         `rack != 'r1'`, `rack in {'r1', 'r2'}`, `rack not in {'r3'}`, `rack contains 'r'`, `rack starts with 'r'`, \
         `rack ends with '1'`, joined with `&&`, `||`, `!` and parentheses. A label that is absent fulfils `!=` and \
         `not in`. A Kubernetes-style `key=value` is an error.\n\n\
         ## Rules across resources\n\n\
         Pools do not overlap; aggregates lie between their pool and its blocks in size. With `kind: file`, every Node \
         that a pool serves lists its `podCIDRs` (or `[]`), for there is no one who shares out; with etcd and Kubernetes \
         they are optional. Each lies in a pool and belongs to one node. No two nodes share an address. A node's peers \
         have different addresses, and the filters that they name are there. Ranges of services meet no pool for pods; one \
         that holds the address of a node gives a warning. A reservation outside every pool gives a \
         warning. Names are unique for each kind. A file without a single resource does not replace a good one: it is \
         what a truncated file looks like.\n\n\
         ## Limits\n\n\
         A document has at most 1 MiB, a file 32 MiB, a source a million values with its aliases written out, 32 \
         levels of nesting and 1024 keys in a mapping; what has more is refused as a whole and the last good state is \
         kept. A list inside a list is an error, and so is an alias that refers to itself. Of more than 1000 mistakes \
         in one file the rest is counted.\n\n\
         ## The agent file\n\n\
         `/etc/roadbed/agent.yaml`. The variable wins over the file; lists are comma-separated.\n\n\
         | key | variable | |\n|---|---|---|\n",
    );
    for (key, about) in KEYS {
        let _ = writeln!(manual, "| `{key}` | `{}` | {about} |", variable(key));
    }
    manual
}

#[test]
fn the_manual_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/resources.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, manual()).expect("writable");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == manual(),
        "docs/resources.md is not what the tables say: run with UPDATE_DOCS=1"
    );
}
