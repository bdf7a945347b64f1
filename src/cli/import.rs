//! `roadbed import calico`: an existing Calico datastore is read, and what would carry over is printed. Nothing is
//! changed there or here; `--write` makes a file of resources that `roadbed apply` takes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use config::{Datastore, EtcdSettings, KubernetesSettings};
use store::calico::{self, Judgement, Report, Verdict};

use super::output::{self, Format, table};
use super::settings::{Settings, block_on};

/// What is read.
#[derive(Debug, clap::Subcommand)]
pub enum Import {
    /// Read Calico's datastore, in etcd or Kubernetes: what carries over, what does not, and why. Changes nothing.
    ///
    /// Without flags, the datastore of the agent file is read.
    Calico(Args),
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Calico's etcd (its datastore type etcdv3): URLs, comma-separated.
    #[arg(long, value_delimiter = ',', conflicts_with = "kubeconfig")]
    etcd_endpoints: Vec<String>,
    /// CA certificates that etcd's certificate is checked against, as PEM.
    #[arg(long, requires = "etcd_endpoints")]
    ca_file: Option<PathBuf>,
    /// Client certificate for etcd, as PEM.
    #[arg(long, requires_all = ["etcd_endpoints", "key_file"])]
    cert_file: Option<PathBuf>,
    /// Key of the client certificate, as PEM.
    #[arg(long, requires_all = ["etcd_endpoints", "cert_file"])]
    key_file: Option<PathBuf>,
    /// User of etcd; the right to read /calico/ is enough.
    #[arg(long, requires_all = ["etcd_endpoints", "password_file"])]
    username: Option<String>,
    /// File with the password of that user.
    #[arg(long, requires_all = ["etcd_endpoints", "username"])]
    password_file: Option<PathBuf>,
    /// Calico's Kubernetes (its datastore type kubernetes): the kubeconfig; its current context is used.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// Write the documents that carry over to this file, as roadbed.dev/v1; `-` for standard output. A file that is
    /// there is not replaced.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
    /// Output: text for people, or json or yaml with stable field names.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

pub fn run(Import::Calico(args): &Import) -> anyhow::Result<()> {
    let snapshot = match source(args)? {
        Datastore::Etcd(etcd) => block_on(async { Ok(calico::read_etcd(&etcd).await?) })?,
        Datastore::Kubernetes(kubernetes) => {
            block_on(async { Ok(calico::read_kubernetes(&kubernetes).await?) })?
        }
        Datastore::File { .. } => bail!(
            "the agent's datastore is a file, which Calico has not: give --etcd-endpoints or --kubeconfig"
        ),
    };
    let report = Report::new(&snapshot);
    if let Some(path) = &args.write {
        write(path, &report.yaml())?;
        if path.as_os_str() == "-" {
            return Ok(());
        }
    }
    output::print(args.output, &report, |report| text(report, args.write.as_deref()))
}

/// Which datastore is read: that of the flags, or that of the agent.
fn source(args: &Args) -> anyhow::Result<Datastore> {
    if !args.etcd_endpoints.is_empty() {
        return Ok(Datastore::Etcd(EtcdSettings {
            ca_file: args.ca_file.clone(),
            cert_file: args.cert_file.clone(),
            key_file: args.key_file.clone(),
            username: args.username.clone(),
            password_file: args.password_file.clone(),
            ..EtcdSettings::new(args.etcd_endpoints.clone())
        }));
    }
    if args.kubeconfig.is_some() {
        return Ok(Datastore::Kubernetes(KubernetesSettings {
            kubeconfig: args.kubeconfig.clone(),
        }));
    }
    Ok(args.settings.load()?.datastore)
}

fn write(path: &Path, yaml: &str) -> anyhow::Result<()> {
    if path.as_os_str() == "-" {
        return std::io::stdout()
            .write_all(yaml.as_bytes())
            .context("cannot write to standard output");
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    let file = options.open(path).and_then(|mut file| {
        file.write_all(yaml.as_bytes())?;
        file.sync_all()
    });
    match file {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!(
                "{} is there already: remove it, or give another name",
                path.display()
            )
        }
        other => other.with_context(|| format!("cannot write {}", path.display())),
    }
}

/// The report for people.
fn text(report: &Report, written: Option<&Path>) -> String {
    let mut text = format!("Calico in {}\n", report.source);
    documents(&mut text, report);
    others(&mut text, report);
    blocks(&mut text, report);
    if !report.unreadable.is_empty() {
        section(&mut text, "Not readable");
        let rows = report
            .unreadable
            .iter()
            .map(|entry| vec![entry.key.clone(), entry.why.clone()]);
        line(&mut text, &table(&["key", "why"], rows));
    }
    section(&mut text, "What is different");
    report
        .notes
        .iter()
        .for_each(|note| line(&mut text, &format!("- {note}")));
    end(&mut text, report, written);
    text
}

fn section(text: &mut String, title: &str) {
    line(text, &format!("\n{title}"));
}

/// Writing to a text cannot fail.
fn line(text: &mut String, words: &str) {
    let _ = writeln!(text, "{words}");
}

fn documents(text: &mut String, report: &Report) {
    let titles = [
        (Verdict::CarriesOver, "Carries over as it is"),
        (
            Verdict::WithWarnings,
            "Carries over, but some of it does nothing in Roadbed",
        ),
        (Verdict::DoesNot, "Does not carry over"),
    ];
    for (verdict, title) in titles {
        let these: Vec<&Judgement> = report.documents.iter().filter(|j| j.verdict == verdict).collect();
        if these.is_empty() {
            continue;
        }
        section(text, &format!("{title}: {}", these.len()));
        if verdict == Verdict::CarriesOver {
            let mut kinds: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            these
                .iter()
                .for_each(|j| kinds.entry(&j.kind).or_default().push(&j.name));
            let rows = kinds
                .into_iter()
                .map(|(kind, names)| vec![kind.to_owned(), some(&names)]);
            line(text, &table(&["kind", "names"], rows));
            continue;
        }
        // The same remark about many documents is said once.
        let mut remarks: BTreeMap<(&str, &str, &str, &str), Vec<&str>> = BTreeMap::new();
        for judgement in &these {
            for remark in judgement
                .remarks
                .iter()
                .filter(|r| r.stops || verdict != Verdict::DoesNot)
            {
                let key = (
                    judgement.kind.as_str(),
                    remark.field.as_str(),
                    remark.message.as_str(),
                    remark.advice.as_str(),
                );
                remarks.entry(key).or_default().push(&judgement.name);
            }
        }
        let rows = remarks
            .into_iter()
            .map(|((kind, field, message, advice), names)| {
                vec![
                    kind.to_owned(),
                    some(&names),
                    or_dash(field),
                    with_advice(message, advice),
                ]
            });
        line(text, &table(&["kind", "names", "field", "why"], rows));
    }
}

fn others(text: &mut String, report: &Report) {
    for (lost, title) in [(true, "Not done by Roadbed"), (false, "Left behind without loss")] {
        let these: Vec<_> = report.others.iter().filter(|other| other.lost == lost).collect();
        if !these.is_empty() {
            section(text, title);
            let rows = these.iter().map(|other| {
                vec![
                    other.kind.clone(),
                    other.count.to_string(),
                    other.names.join(", "),
                    with_advice(&other.why, &other.advice),
                ]
            });
            line(text, &table(&["kind", "count", "such as", "why"], rows));
        }
    }
    if !report.felix.is_empty() {
        section(text, "Settings of Felix that mean something");
        let rows = report.felix.iter().map(|setting| {
            vec![
                setting.resource.clone(),
                setting.field.clone(),
                setting.value.clone(),
                with_advice(&setting.message, &setting.advice),
            ]
        });
        line(text, &table(&["resource", "field", "value", "Roadbed"], rows));
    }
}

fn blocks(text: &mut String, report: &Report) {
    let ipam = &report.ipam;
    if ipam.blocks + ipam.affinities == 0 {
        return;
    }
    section(
        text,
        &format!(
            "Blocks: {} of {} would be kept",
            ipam.takeover.blocks, ipam.blocks
        ),
    );
    let rows = ipam.pools.iter().map(|pool| {
        vec![
            if pool.pool.is_empty() {
                "(no pool)".to_owned()
            } else {
                pool.pool.clone()
            },
            output::dash(&pool.cidr),
            output::dash(&pool.block_size.map(|size| format!("/{size}"))),
            pool.blocks.to_string(),
            pool.fitting.to_string(),
            pool.addresses.pods.to_string(),
            pool.addresses.tunnels.to_string(),
            (pool.addresses.services + pool.addresses.other).to_string(),
        ]
    });
    line(
        text,
        &table(
            &[
                "pool", "range", "size", "blocks", "kept", "pods", "tunnels", "others",
            ],
            rows,
        ),
    );
    line(text, "");
    let rows = ipam.nodes.iter().map(|node| {
        let name = if node.exists {
            node.node.clone()
        } else {
            format!("{} (no such node)", node.node)
        };
        vec![
            name,
            node.blocks.to_string(),
            node.affinities.to_string(),
            node.addresses.pods.to_string(),
            node.addresses.tunnels.to_string(),
            node.borrowed.to_string(),
        ]
    });
    line(
        text,
        &table(
            &["node", "blocks", "affinities", "pods", "tunnels", "borrows"],
            rows,
        ),
    );
    let keep = &ipam.takeover;
    line(text, "");
    line(
        text,
        &format!(
            "A takeover would keep the addresses of {} pods ({} of them lent between nodes); {} would be started anew, and {} \
         tunnel addresses given back.",
            keep.pods + keep.pods_borrowed,
            keep.pods_borrowed,
            keep.pods_left,
            keep.tunnels_returned
        ),
    );
    if !ipam.troubles.is_empty() {
        line(text, "");
        let rows = ipam.troubles.iter().map(|trouble| {
            let in_the_way = if trouble.stops { "yes" } else { "no" };
            vec![
                trouble.block.to_string(),
                in_the_way.to_owned(),
                with_advice(&trouble.message, &trouble.advice),
            ]
        });
        line(text, &table(&["block", "in the way", "what is so"], rows));
    }
}

fn end(text: &mut String, report: &Report, written: Option<&Path>) {
    let sum = &report.summary;
    let carried = sum.carry_over + sum.with_warnings;
    line(text, "");
    if let Some(path) = written {
        line(
            text,
            &format!(
                "{carried} documents are in {}, for `roadbed apply` to etcd or Kubernetes.",
                path.display()
            ),
        );
    }
    if sum.complete {
        line(text, &format!("Everything carries over: {carried} documents."));
        return;
    }
    let parts = [
        (sum.do_not, "documents"),
        (sum.lost, "resources of kinds that Roadbed does not do"),
        (sum.felix, "settings of Felix"),
        (sum.blocks_left, "blocks"),
        (sum.unreadable, "values that cannot be read"),
    ];
    let parts: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{what}: {n}"))
        .collect();
    line(
        text,
        &format!(
            "Not everything carries over: {carried} documents do. What does not: {}.",
            parts.join(", ")
        ),
    );
}

/// Some names, and how many more.
fn some(names: &[&str]) -> String {
    const SHOWN: usize = 4;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn or_dash(text: &str) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text.to_owned()
    }
}

fn with_advice(message: &str, advice: &str) -> String {
    if advice.is_empty() {
        message.to_owned()
    } else {
        format!("{message}; {advice}")
    }
}
