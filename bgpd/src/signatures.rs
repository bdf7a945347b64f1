//! Segments that the kernel has dropped for their TCP MD5 signature (RFC 2385), and what that says of passwords.
//!
//! Nobody is told of such a segment: at both ends it looks as if the other one did not answer. The kernel counts them, for the
//! whole network namespace and not by peer (`TcpExt` of /proc/net/netstat); a count that grows while a peer does not
//! answer is worth a word beside the error.

use std::fs::read_to_string;

/// Counters of the namespace of this thread.
const COUNTERS: &str = "/proc/thread-self/net/netstat";

/// The counters as they were last seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signatures {
    /// A signature was expected and there was none (`TCPMD5NotFound`).
    missing: u64,
    /// There was one and none was expected (`TCPMD5Unexpected`).
    unexpected: u64,
    /// It was not that of our password (`TCPMD5Failure`).
    wrong: u64,
}

impl Signatures {
    /// The counters now; zero where the kernel has none.
    pub fn look() -> Self {
        read_to_string(COUNTERS)
            .map(|text| read(&text))
            .unwrap_or_default()
    }

    /// What has been dropped since the last look, in words.
    pub fn hint(&mut self) -> Option<&'static str> {
        let now = Self::look();
        let before = std::mem::replace(self, now);
        judge(&before, &now)
    }
}

fn judge(before: &Signatures, now: &Signatures) -> Option<&'static str> {
    if now.wrong > before.wrong {
        Some(
            "segments with a wrong TCP MD5 signature were dropped meanwhile: is the password the same at both ends?",
        )
    } else if now.missing > before.missing {
        Some("segments without a TCP MD5 signature were dropped meanwhile: has the peer a password for us?")
    } else if now.unexpected > before.unexpected {
        Some(
            "segments with a TCP MD5 signature were dropped meanwhile: the peer has a password, and we have none",
        )
    } else {
        None
    }
}

/// A line of names, and a line of numbers.
fn read(text: &str) -> Signatures {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("TcpExt: "));
    let (names, numbers) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut seen = Signatures::default();
    for (name, number) in names.split_whitespace().zip(numbers.split_whitespace()) {
        let counter = match name {
            "TCPMD5NotFound" => &mut seen.missing,
            "TCPMD5Unexpected" => &mut seen.unexpected,
            "TCPMD5Failure" => &mut seen.wrong,
            _ => continue,
        };
        *counter = number.parse().unwrap_or_default();
    }
    seen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_grows_is_put_into_words() {
        let text = "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure X\n\
                    TcpExt: 9 1 2 3 4\nIpExt: InNoRoutes\nIpExt: 7\n";
        let before = read(text);
        let (missing, unexpected, wrong) = (1, 2, 3);
        assert_eq!(
            before,
            Signatures {
                missing,
                unexpected,
                wrong
            }
        );
        let hint = |now: Signatures| judge(&before, &now).unwrap_or("nothing");
        assert_eq!(hint(before), "nothing");
        assert!(hint(Signatures { wrong: 4, ..before }).contains("same at both ends"));
        let without = Signatures { missing: 2, ..before };
        assert!(hint(without).contains("has the peer a password"));
        let with = Signatures {
            unexpected: 3,
            ..before
        };
        assert!(hint(with).contains("we have none"));
        assert_eq!(read(""), Signatures::default());
    }
}
