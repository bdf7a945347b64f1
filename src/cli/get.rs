//! `roadbed get KIND [NAME]`: resources as the datastore has them.

use anyhow::{Context, bail};
use config::fields::ResourceKind;
use datastore::{Item, Key, Space};
use serde_json::{Value, json};
use store::change::value_of;

use super::kinds;
use super::output::{self, Format, table};
use super::settings::{Settings, block_on};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    settings: Settings,
    /// Kind of the resources: by name, in the plural, or short; `all` for every kind.
    kind: String,
    /// The name of one.
    name: Option<String>,
    /// Output: a table for people, or json or yaml: the resources themselves, fit to be applied again.
    #[arg(short, long, value_enum, default_value_t = Format::Table)]
    output: Format,
}

pub fn run(args: &Args) -> anyhow::Result<()> {
    let kinds = kinds::parse(&args.kind)?;
    let items = match &args.name {
        Some(name) => vec![one(args, kinds::parse_one(&args.kind)?, name)?],
        None => {
            let mut items = block_on(async {
                let store = store::connect(&args.settings.load()?.datastore).await?;
                Ok(store.list(Space::Resources).await?.items)
            })?;
            items.retain(|item| matches!(&item.key, Key::Resource(kind, _) if kinds.contains(kind)));
            items
        }
    };
    let values = items
        .iter()
        .map(|item| value_of(&item.value).with_context(|| format!("{} is not one document", item.key)))
        .collect::<anyhow::Result<Vec<Value>>>()?;
    match (args.output, values.as_slice()) {
        (Format::Table, _) => output::print(args.output, &values, |values| text(&items, values)),
        (_, [value]) if args.name.is_some() => output::print(args.output, value, |_| String::new()),
        // As kubectl gives it, and as `apply` reads it.
        _ => {
            let list = json!({ "apiVersion": "v1", "kind": "List", "items": values });
            output::print(args.output, &list, |_| String::new())
        }
    }
}

fn one(args: &Args, kind: ResourceKind, name: &str) -> anyhow::Result<Item> {
    let key = Key::resource(kind, name);
    let (found, described) = block_on(async {
        let store = store::connect(&args.settings.load()?.datastore).await?;
        Ok((store.get(&key).await?, store.describe()))
    })?;
    match found {
        Some(item) => Ok(item),
        None => bail!(
            "{key} is not in {described}; `roadbed get {}` lists what is",
            kind.name()
        ),
    }
}

/// One table for each kind.
fn text(items: &[Item], values: &[Value]) -> String {
    let of_kind = |kind: ResourceKind| {
        let rows: Vec<Vec<String>> = (items.iter().zip(values))
            .filter(|(item, _)| matches!(item.key, Key::Resource(of, _) if of == kind))
            .map(|(item, value)| row(kind, &item.key.name(), value))
            .collect();
        let header: Vec<&str> = std::iter::once("name")
            .chain(columns(kind).iter().map(|(title, _)| *title))
            .collect();
        (!rows.is_empty()).then(|| format!("{}\n{}", kind.name(), table(&header, rows)))
    };
    let tables: Vec<String> = ResourceKind::ALL.into_iter().filter_map(of_kind).collect();
    match tables.is_empty() {
        true => "no resources".to_owned(),
        false => tables.join("\n\n"),
    }
}

/// The columns of a kind: title, and the field or the fields of which the first that is there is shown.
fn columns(kind: ResourceKind) -> &'static [(&'static str, &'static [&'static str])] {
    match kind {
        ResourceKind::BgpConfiguration => &[
            ("as", &["spec.asNumber"]),
            ("mesh", &["spec.nodeToNodeMeshEnabled"]),
            ("port", &["spec.listenPort"]),
        ],
        ResourceKind::IpPool => &[
            ("cidr", &["spec.cidr"]),
            ("block size", &["spec.blockSize"]),
            ("vxlan", &["spec.vxlanMode"]),
            ("ipip", &["spec.ipipMode"]),
            ("disabled", &["spec.disabled"]),
            ("nodes", &["spec.nodeSelector"]),
        ],
        ResourceKind::BgpPeer => &[
            ("nodes", &["spec.node", "spec.nodeSelector"]),
            ("peer", &["spec.peerIP", "spec.peerSelector"]),
            ("as", &["spec.asNumber"]),
            ("filters", &["spec.filters"]),
        ],
        ResourceKind::Node => &[
            ("ipv4", &["spec.bgp.ipv4Address"]),
            ("ipv6", &["spec.bgp.ipv6Address"]),
            ("as", &["spec.bgp.asNumber"]),
            ("pod cidrs", &["spec.podCIDRs"]),
            ("labels", &["metadata.labels"]),
        ],
        ResourceKind::BgpFilter => &[
            ("import v4", &["spec.importV4"]),
            ("export v4", &["spec.exportV4"]),
            ("import v6", &["spec.importV6"]),
            ("export v6", &["spec.exportV6"]),
        ],
        ResourceKind::IpReservation => &[("cidrs", &["spec.reservedCIDRs"])],
        ResourceKind::IpamConfig => &[
            ("strict affinity", &["spec.strictAffinity"]),
            ("max blocks", &["spec.maxBlocksPerHost"]),
        ],
    }
}

fn row(kind: ResourceKind, name: &str, value: &Value) -> Vec<String> {
    let cell = |fields: &[&str]| {
        let found = fields.iter().find_map(|field| {
            let pointer = format!("/{}", field.replace('.', "/"));
            value.pointer(&pointer).filter(|found| !found.is_null())
        });
        found.map_or_else(|| "-".to_owned(), short)
    };
    let cells = columns(kind).iter().map(|(_, fields)| cell(fields));
    std::iter::once(name.to_owned()).chain(cells).collect()
}

/// A value in a cell: lists with commas, mappings as `a=b`, rules as how many they are.
fn short(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().any(Value::is_object) => format!("{} rules", items.len()),
        Value::Array(items) => items.iter().map(short).collect::<Vec<_>>().join(","),
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{key}={}", short(value)));
            pairs.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datastore::{Incarnation, Version};

    use super::*;

    fn item(kind: ResourceKind, name: &str, text: &str) -> (Item, Value) {
        let item = Item {
            key: Key::resource(kind, name),
            value: Arc::from(text),
            version: Version::new("1"),
            incarnation: Incarnation::new("1"),
        };
        let value = value_of(text).expect("one document");
        (item, value)
    }

    #[test]
    fn each_kind_has_its_table() {
        let (items, values): (Vec<_>, Vec<_>) = [
            item(ResourceKind::IpPool, "pods", "spec: {cidr: 10.0.0.0/16, blockSize: 26}"),
            item(
                ResourceKind::Node,
                "a",
                "metadata: {labels: {rack: r1, zone: z}}\nspec: {bgp: {asNumber: 1.10}, podCIDRs: [10.0.1.0/24, 10.0.2.0/24]}",
            ),
        ]
        .into_iter()
        .unzip();
        let said = text(&items, &values);
        assert_eq!(
            said,
            "IPPool\nNAME  CIDR         BLOCK SIZE  VXLAN  IPIP  DISABLED  NODES\n\
             pods  10.0.0.0/16  26          -      -     -         -\n\n\
             Node\nNAME  IPV4  IPV6  AS    POD CIDRS                LABELS\n\
             a     -     -     1.10  10.0.1.0/24,10.0.2.0/24  rack=r1,zone=z"
        );
        assert_eq!(text(&[], &[]), "no resources");
    }
}
