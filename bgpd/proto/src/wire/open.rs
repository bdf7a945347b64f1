//! OPEN (RFC 4271 §4.2) with its optional parameters in both forms (RFC 5492, RFC 9072).

use super::capability::Capability;
use super::context::MAX_MESSAGE;
use super::frame::{self, HEADER_LEN};
use super::notification::Notification;
use super::reader::Reader;
use crate::types::RouterId;

const CAPABILITIES: u8 = 2;
/// As the first parameter's type it says that the extended form follows (RFC 9072 §2).
const EXTENDED: u8 = 255;
/// What an OPEN has room for: its fixed part and the extended form's heads take 10, 3 and 3 octets.
const MAX_CAPABILITIES: usize = MAX_MESSAGE - HEADER_LEN - 16;

/// The first message of each side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The two-octet AS field; [`Capability::FourOctetAs`] outranks it.
    pub asn: u16,
    /// Proposed hold time in seconds.
    pub hold_time: u16,
    /// BGP identifier.
    pub router_id: RouterId,
    /// What the speaker can do, in its order.
    pub capabilities: Vec<Capability>,
}

impl Open {
    /// Reads the body; values are judged by the session, here only the form.
    pub(super) fn decode(body: &[u8]) -> Result<Open, Notification> {
        let mut reader = Reader::new(body);
        let malformed = || Notification::open(0, Vec::new());
        let version = reader.u8().ok_or_else(malformed)?;
        if version != 4 {
            // RFC 4271 §6.2: the data is the version that we support.
            return Err(Notification::open(1, [0, 4]));
        }
        let asn = reader.u16().ok_or_else(malformed)?;
        let hold_time = reader.u16().ok_or_else(malformed)?;
        let router_id = RouterId(reader.array::<4>().ok_or_else(malformed)?.into());
        let capabilities = parameters(reader).ok_or_else(malformed)??;
        Ok(Open {
            asn,
            hold_time,
            router_id,
            capabilities,
        })
    }

    /// Appends the whole message; parameters of more than 255 octets go in the extended form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut list = Vec::new();
        for capability in &self.capabilities {
            capability.encode(&mut list);
        }
        frame::write_message(out, frame::OPEN, |out| {
            out.push(4);
            out.extend(self.asn.to_be_bytes());
            out.extend(self.hold_time.to_be_bytes());
            out.extend(self.router_id.0.octets());
            write_parameters(&list, out);
        });
    }
}

fn write_parameters(capabilities: &[u8], out: &mut Vec<u8>) {
    let size = capabilities.len();
    match (
        u8::try_from(size + 2),
        u16::try_from(size),
        u16::try_from(size + 3),
    ) {
        // More than a message can hold: say nothing rather than something broken.
        _ if size == 0 || size > MAX_CAPABILITIES => out.push(0),
        (Ok(total), _, _) if total < EXTENDED => {
            out.extend([total, CAPABILITIES, total - 2]);
            out.extend_from_slice(capabilities);
        }
        (_, Ok(size), Ok(total)) => {
            out.extend([EXTENDED, EXTENDED]);
            out.extend(total.to_be_bytes());
            out.push(CAPABILITIES);
            out.extend(size.to_be_bytes());
            out.extend_from_slice(capabilities);
        }
        // Never: MAX_CAPABILITIES and three more fit into 16 bits.
        _ => out.push(0),
    }
}

/// The capabilities in all parameters; `None` where lengths do not add up, an error for an unknown parameter.
fn parameters(mut reader: Reader<'_>) -> Option<Result<Vec<Capability>, Notification>> {
    let mut length = usize::from(reader.u8()?);
    let extended = length != 0 && reader.rest().first() == Some(&EXTENDED);
    if extended {
        reader.u8()?;
        length = usize::from(reader.u16()?);
    }
    if reader.len() != length {
        return None;
    }
    let mut capabilities = Vec::new();
    while !reader.is_empty() {
        let kind = reader.u8()?;
        let size = if extended {
            usize::from(reader.u16()?)
        } else {
            usize::from(reader.u8()?)
        };
        let value = reader.take(size)?;
        if kind != CAPABILITIES {
            return Some(Err(Notification::open(4, Vec::new())));
        }
        read_capabilities(value, &mut capabilities)?;
    }
    Some(Ok(capabilities))
}

/// Appends the capabilities of one parameter. A repeated one counts once (RFC 5492 §4).
fn read_capabilities(value: &[u8], capabilities: &mut Vec<Capability>) -> Option<()> {
    let mut reader = Reader::new(value);
    let mut seen: std::collections::HashSet<(u8, &[u8])> = std::collections::HashSet::new();
    while !reader.is_empty() {
        let code = reader.u8()?;
        let size = usize::from(reader.u8()?);
        let value = reader.take(size)?;
        if seen.insert((code, value)) {
            capabilities.push(Capability::decode(code, value));
        }
    }
    Some(())
}
