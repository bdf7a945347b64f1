//! Which changes of a pool its allocations allow. Pure; the commands and the stores ask before they write.

use ipnet::IpNet;

use crate::intent::IpPool;

/// Whether a pool may become another one, given the claimed blocks of the cluster. Subnets that nodes are given
/// (`podCIDRs`) are not among them: they may have any size, and the checks across resources keep them in pools.
///
/// `old` is what is there, `new` what is wanted; none of either stands for a pool that is not there. A pool may
/// always grow, be disabled, or change whom it serves and how it is carried. While blocks of it are owned its range
/// must keep holding them, its block size and the size of its aggregates stay, and it cannot be deleted. A new
/// pool may not take in blocks whose size it would not give out.
///
/// # Errors
/// What stands against it, and what to do.
pub fn pool_change(old: Option<&IpPool>, new: Option<&IpPool>, blocks: &[IpNet]) -> Result<(), String> {
    let of = |pool: &IpPool| -> Vec<IpNet> {
        let inside = |block: &&IpNet| pool.cidr.contains(*block);
        blocks.iter().filter(inside).copied().collect()
    };
    match (old, new) {
        (None, None) => Ok(()),
        (Some(old), None) => match of(old).as_slice() {
            [] => Ok(()),
            owned => Err(format!(
                "pool {} cannot be deleted: {} of it {}; set disabled: true, and delete it when its pods are gone",
                old.name,
                some(owned),
                are_owned(owned)
            )),
        },
        (None, Some(new)) => fits(new, &of(new)),
        (Some(old), Some(new)) => {
            let owned = of(old);
            let left: Vec<IpNet> = (owned.iter().copied())
                .filter(|block| !new.cidr.contains(block))
                .collect();
            if !left.is_empty() {
                return Err(format!(
                    "pool {} cannot become {}: {} of {} {}; keep a range that holds them, or set disabled: true and \
                     wait until their pods are gone",
                    new.name,
                    new.cidr,
                    some(&left),
                    old.cidr,
                    are_owned(&left)
                ));
            }
            same_sizes(old, new, &owned)?;
            fits(new, &of(new))
        }
    }
}

fn same_sizes(old: &IpPool, new: &IpPool, owned: &[IpNet]) -> Result<(), String> {
    if owned.is_empty() {
        return Ok(());
    }
    if old.block_size != new.block_size {
        return Err(format!(
            "pool {} cannot change its blockSize from {} to {}: {} {}; make another pool, and set disabled: true here",
            new.name,
            old.block_size,
            new.block_size,
            some(owned),
            are_owned(owned)
        ));
    }
    // Without aggregates before, blocks of different racks may lie beside each other already; with them, dropping
    // the rule is harmless.
    if new.aggregate.is_some() && old.aggregate != new.aggregate {
        return Err(format!(
            "pool {} cannot change its aggregates: {} {}; make another pool, and set disabled: true here",
            new.name,
            some(owned),
            are_owned(owned)
        ));
    }
    Ok(())
}

/// Blocks that a pool would have are of its size.
fn fits(pool: &IpPool, blocks: &[IpNet]) -> Result<(), String> {
    let odd: Vec<IpNet> = (blocks.iter().copied())
        .filter(|block| block.prefix_len() != pool.block_size)
        .collect();
    if odd.is_empty() {
        return Ok(());
    }
    Err(format!(
        "pool {} with blocks of /{} would hold {} of another pool's size that {}; give it another range",
        pool.name,
        pool.block_size,
        some(&odd),
        are_owned(&odd)
    ))
}

/// The first few, and how many more.
fn some(blocks: &[IpNet]) -> String {
    let shown: Vec<String> = blocks.iter().take(3).map(ToString::to_string).collect();
    let more = blocks.len() - shown.len();
    let word = if blocks.len() == 1 { "block" } else { "blocks" };
    match more {
        0 => format!("{word} {}", shown.join(", ")),
        more => format!("{word} {} and {more} more", shown.join(", ")),
    }
}

fn are_owned(blocks: &[IpNet]) -> &'static str {
    if blocks.len() == 1 {
        "is owned by a node"
    } else {
        "are owned by nodes"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intent::AggregateRule;

    fn net(text: &str) -> IpNet {
        text.parse().expect("a prefix")
    }

    /// `cidr/blocksize`, with `+n` for aggregates of that length: `10.0.0.0/16 26`, `10.0.0.0/16 26+22`.
    fn pool(text: &str) -> Option<IpPool> {
        let (cidr, sizes) = text.split_once(' ')?;
        let (block, aggregate) = sizes.split_once('+').map_or((sizes, None), |(b, a)| (b, Some(a)));
        let mut pool = IpPool::new("pods", net(cidr));
        pool.block_size = block.parse().expect("a size");
        pool.aggregate = aggregate.map(|length| AggregateRule {
            node_label: "rack".to_owned(),
            prefix_len: length.parse().expect("a size"),
        });
        Some(pool)
    }

    #[test]
    fn what_blocks_allow() {
        let owned = ["10.0.4.0/26", "10.0.9.64/26"];
        let table: &[(&str, &str, &[&str], Option<&str>)] = &[
            // old, new, blocks, what stands against it
            ("", "", &owned, None),
            ("", "10.0.0.0/16 26", &[], None),
            ("", "10.0.0.0/16 26", &owned, None),
            ("", "10.0.0.0/16 27", &owned, Some("of another pool's size")),
            ("", "10.1.0.0/16 27", &owned, None),
            ("10.0.0.0/16 26", "", &[], None),
            ("10.0.0.0/16 26", "", &owned, Some("cannot be deleted")),
            ("10.1.0.0/16 26", "", &owned, None),
            ("10.0.0.0/16 26", "10.0.0.0/16 26", &owned, None),
            ("10.0.0.0/16 26", "10.0.0.0/12 26", &owned, None),
            ("10.0.0.0/16 26", "10.0.0.0/20 26", &owned, None),
            (
                "10.0.0.0/16 26",
                "10.0.0.0/21 26",
                &owned,
                Some("block 10.0.9.64/26 of 10.0.0.0/16 is owned"),
            ),
            (
                "10.0.0.0/16 26",
                "10.1.0.0/16 26",
                &owned,
                Some("blocks 10.0.4.0/26, 10.0.9.64/26 of"),
            ),
            ("10.0.0.0/16 26", "10.1.0.0/16 28", &[], None),
            (
                "10.0.0.0/16 26",
                "fd00::/64 122",
                &owned,
                Some("cannot become fd00::/64"),
            ),
            (
                "10.0.0.0/16 26",
                "10.0.0.0/16 27",
                &owned,
                Some("blockSize from 26 to 27"),
            ),
            ("10.0.0.0/16 26", "10.0.0.0/16 27", &[], None),
            ("10.0.0.0/16 26", "10.0.0.0/16 26+22", &owned, Some("aggregates")),
            ("10.0.0.0/16 26", "10.0.0.0/16 26+22", &[], None),
            (
                "10.0.0.0/16 26+22",
                "10.0.0.0/16 26+21",
                &owned,
                Some("aggregates"),
            ),
            ("10.0.0.0/16 26+22", "10.0.0.0/16 26", &owned, None),
            (
                "10.0.0.0/21 26",
                "10.0.0.0/16 26",
                &["10.0.4.0/26", "10.0.9.0/24"],
                Some("10.0.9.0/24 of another"),
            ),
        ];
        for (old, new, blocks, wanted) in table {
            let blocks: Vec<IpNet> = blocks.iter().map(|block| net(block)).collect();
            let said = pool_change(pool(old).as_ref(), pool(new).as_ref(), &blocks);
            match wanted {
                None => assert_eq!(said, Ok(()), "{old} -> {new}"),
                Some(part) => assert!(
                    said.as_ref().is_err_and(|said| said.contains(part)),
                    "{old} -> {new}: {said:?}"
                ),
            }
        }
    }

    #[test]
    fn whom_a_pool_serves_may_change_and_long_lists_are_cut() {
        let old = pool("10.0.0.0/16 26").expect("a pool");
        let new = IpPool {
            disabled: true,
            node_selector: "rack == 'r1'".parse().expect("a selector"),
            ..old.clone()
        };
        let blocks: Vec<IpNet> = (0..50).map(|n| net(&format!("10.0.{n}.0/26"))).collect();
        assert_eq!(pool_change(Some(&old), Some(&new), &blocks), Ok(()));
        let said = pool_change(Some(&old), None, &blocks).expect_err("refused");
        assert!(said.contains("10.0.2.0/26 and 47 more"), "{said}");
    }
}
