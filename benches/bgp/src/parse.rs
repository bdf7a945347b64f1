//! The receiver's reader: messages out of a stream, and routes out of UPDATEs. It trusts nothing, and knows nothing of what it
//! measures.

use anyhow::{Context, bail, ensure};

use crate::message::{HEADER, LARGEST};
use crate::route::{Attributes, Prefix};

/// The first message of the bytes: its type, its body, and how long it is. `None` where it is not complete yet.
pub fn message(bytes: &[u8]) -> anyhow::Result<Option<(u8, &[u8], usize)>> {
    let Some(header) = bytes.get(..HEADER) else {
        return Ok(None);
    };
    ensure!(
        header.iter().take(16).all(|byte| *byte == 0xff),
        "a message without its marker"
    );
    let length = usize::from(u16::from_be_bytes([header[16], header[17]]));
    ensure!(
        (HEADER..=LARGEST).contains(&length),
        "a message of {length} bytes"
    );
    Ok(bytes.get(HEADER..length).map(|body| (header[18], body, length)))
}

/// An UPDATE in its parts.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// Prefixes that are no longer reachable.
    pub withdrawn: &'a [u8],
    attributes: &'a [u8],
    /// Prefixes that have these attributes now.
    pub announced: &'a [u8],
}

/// The parts of the body of an UPDATE.
pub fn update(body: &[u8]) -> anyhow::Result<Update<'_>> {
    let (withdrawn, rest) = counted(body).context("the withdrawn routes of an UPDATE are cut off")?;
    let (attributes, announced) = counted(rest).context("the attributes of an UPDATE are cut off")?;
    Ok(Update {
        withdrawn,
        attributes,
        announced,
    })
}

fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_be_bytes(*bytes.first_chunk()?));
    bytes.get(2..)?.split_at_checked(length)
}

/// The prefixes of such a part.
pub fn prefixes(mut bytes: &[u8], mut each: impl FnMut(Prefix)) -> anyhow::Result<()> {
    while let [length, rest @ ..] = bytes {
        let octets = usize::from(*length).div_ceil(8);
        ensure!(
            octets <= 4 && octets <= rest.len(),
            "a prefix of {length} bits is cut off"
        );
        let mut address = [0; 4];
        address[..octets].copy_from_slice(&rest[..octets]);
        each(Prefix::around(u32::from_be_bytes(address), *length));
        bytes = &rest[octets..];
    }
    Ok(())
}

impl Update<'_> {
    /// Reads the attributes into a value that is used again and again.
    pub fn attributes(&self, out: &mut Attributes) -> anyhow::Result<()> {
        out.clear();
        let mut bytes = self.attributes;
        while let [flags, kind, rest @ ..] = bytes {
            let long = flags & 0x10 != 0;
            let (length, rest) = match rest {
                [high, low, rest @ ..] if long => (usize::from(u16::from_be_bytes([*high, *low])), rest),
                [length, rest @ ..] if !long => (usize::from(*length), rest),
                _ => bail!("attribute {kind} has no length"),
            };
            let (value, rest) = rest
                .split_at_checked(length)
                .with_context(|| format!("attribute {kind} is cut off"))?;
            read(*kind, value, out).with_context(|| format!("attribute {kind} has a wrong length"))?;
            bytes = rest;
        }
        ensure!(bytes.is_empty(), "half an attribute");
        Ok(())
    }
}

fn number(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}

fn numbers(value: &[u8], out: &mut Vec<u32>) -> Option<()> {
    let (all, rest) = value.as_chunks::<4>();
    out.extend(all.iter().map(|four| u32::from_be_bytes(*four)));
    rest.is_empty().then_some(())
}

fn read(kind: u8, value: &[u8], out: &mut Attributes) -> Option<()> {
    match kind {
        1 => out.origin = *value.first()?,
        2 => path(value, out)?,
        3 => out.next_hop = number(value)?,
        4 => out.med = Some(number(value)?),
        5 => out.local_pref = Some(number(value)?),
        6 => out.atomic = true,
        7 => out.aggregator = Some((number(value.get(..4)?)?, number(value.get(4..)?)?)),
        8 => numbers(value, &mut out.communities)?,
        9 => out.originator = Some(number(value)?),
        10 => numbers(value, &mut out.cluster_list)?,
        32 => {
            let (all, rest) = value.as_chunks::<12>();
            for twelve in all {
                let mut three = Vec::with_capacity(3);
                numbers(twelve, &mut three)?;
                out.large.push(three.try_into().ok()?);
            }
            rest.is_empty().then_some(())?;
        }
        _ => keep(kind, value, out),
    }
    Some(())
}

/// What has no field of its own.
fn keep(kind: u8, value: &[u8], out: &mut Attributes) {
    out.other.push(kind);
    out.other.extend(value);
}

fn path(mut value: &[u8], out: &mut Attributes) -> Option<()> {
    const SEQUENCE: u8 = 2;
    while let [kind, count, rest @ ..] = value {
        let (segment, rest) = rest.split_at_checked(4 * usize::from(*count))?;
        if *kind == SEQUENCE {
            numbers(segment, &mut out.path)?;
        } else {
            keep(2, value, out);
        }
        value = rest;
    }
    value.is_empty().then_some(())
}

#[cfg(test)]
mod tests;
