//! Options of TCP sockets that no crate of sockets has: the key of TCP MD5 signatures (RFC 2385), and the smallest TTL
//! that is let in (RFC 5082).
//!
//! Kernel interface: `TCP_MD5SIG` and `TCP_MD5SIG_EXT` with `struct tcp_md5sig` (linux/tcp.h), `IP_MINTTL` (ip(7)),
//! `IPV6_MINHOPCOUNT` (linux/in6.h).

use bgpd_proto::types::Secret;
use ipnet::IpNet;
use nix::errno::Errno;
use nix::sys::socket::{setsockopt, sockopt::SetStruct};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;

/// The longest key that the kernel takes (`TCP_MD5SIG_MAXKEYLEN`), in octets.
pub const MAX_KEY: usize = 80;

/// `TCP_MD5SIG_EXT` of linux/tcp.h.
const TCP_MD5SIG_EXT: libc::c_int = 32;

/// `TCP_MD5SIG_FLAG_PREFIX`: the address is that of a network.
const FLAG_PREFIX: u8 = 1;

/// Octets of `struct tcp_md5sig`: an address (`sockaddr_storage`), flags, prefix length, length of the key, interface, key.
const MD5SIG: usize = 128 + 1 + 1 + 2 + 4 + MAX_KEY;

#[derive(Clone, Copy)]
struct Md5Key;
nix::setsockopt_impl!(
    Md5Key,
    libc::IPPROTO_TCP,
    TCP_MD5SIG_EXT,
    [u8; MD5SIG],
    SetStruct<[u8; MD5SIG]>
);

#[derive(Clone, Copy)]
struct MinTtl;
nix::setsockopt_impl!(
    MinTtl,
    libc::IPPROTO_IP,
    libc::IP_MINTTL,
    libc::c_int,
    SetStruct<libc::c_int>
);

#[derive(Clone, Copy)]
struct MinHopCount;
nix::setsockopt_impl!(
    MinHopCount,
    libc::IPPROTO_IPV6,
    libc::IPV6_MINHOPCOUNT,
    libc::c_int,
    SetStruct<libc::c_int>
);

/// Sets the key of all peers inside `net`, or takes it away. The socket must be of the same family. A more special
/// network goes before a more general one.
pub fn set_key(socket: &impl AsFd, net: IpNet, key: Option<&Secret>) -> io::Result<()> {
    let octets = key.map(Secret::reveal).unwrap_or_default();
    if octets.len() > MAX_KEY {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "the password for {net} has {} octets, and {MAX_KEY} are possible",
                octets.len()
            ),
        ));
    }
    match setsockopt(socket, Md5Key, &md5sig(net.trunc(), octets)) {
        Ok(()) => Ok(()),
        // There was none.
        Err(Errno::ENOENT) if octets.is_empty() => Ok(()),
        Err(error) => Err(io::Error::new(
            io::Error::from(error).kind(),
            format!("cannot set the TCP MD5 key for {net}: {error}"),
        )),
    }
}

/// Lets in no packet with a TTL smaller than `min`.
pub fn set_min_ttl(socket: &impl AsFd, remote: IpAddr, min: u8) -> io::Result<()> {
    let min = libc::c_int::from(min);
    let done = match remote {
        IpAddr::V4(_) => setsockopt(socket, MinTtl, &min),
        IpAddr::V6(_) => setsockopt(socket, MinHopCount, &min),
    };
    Ok(done?)
}

/// `struct tcp_md5sig` for a network. Without a key it means that there is to be none.
fn md5sig(net: IpNet, key: &[u8]) -> [u8; MD5SIG] {
    let mut value = [0; MD5SIG];
    let (family, at, address) = match net.network() {
        IpAddr::V4(v4) => (libc::AF_INET, 4, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6, 8, v6.octets().to_vec()),
    };
    // Both families are far below the limit of `sa_family_t`.
    value[..2].copy_from_slice(&(family as u16).to_ne_bytes());
    value[at..at + address.len()].copy_from_slice(&address);
    value[128] = FLAG_PREFIX;
    value[129] = net.prefix_len();
    // At most 80, as checked.
    value[130..132].copy_from_slice(&(key.len() as u16).to_ne_bytes());
    value[136..136 + key.len()].copy_from_slice(key);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structure_is_that_of_the_kernel() {
        assert_eq!(MD5SIG, 216);
        let value = md5sig("192.0.2.0/24".parse().unwrap(), b"key");
        assert_eq!(value[..8], [2, 0, 0, 0, 192, 0, 2, 0]);
        assert_eq!(value[128..140], [1, 24, 3, 0, 0, 0, 0, 0, b'k', b'e', b'y', 0]);
        let value = md5sig("2001:db8::1/128".parse().unwrap(), b"");
        assert_eq!(value[..2], [10, 0]);
        assert_eq!(value[8..12], [0x20, 0x01, 0x0d, 0xb8]);
        assert_eq!(value[23], 1);
        assert_eq!(value[128..132], [1, 128, 0, 0]);
    }

    #[test]
    fn the_kernel_takes_keys_and_gives_them_up_and_says_what_it_does_not_take() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let net = "192.0.2.0/24".parse().unwrap();
        set_key(&socket, net, Some(&Secret::new(*b"swordfish"))).unwrap();
        set_key(&socket, net, Some(&Secret::new([7; MAX_KEY]))).unwrap();
        set_key(&socket, net, None).unwrap();
        set_key(&socket, net, None).unwrap();
        let long = set_key(&socket, net, Some(&Secret::new([7; MAX_KEY + 1]))).unwrap_err();
        assert!(long.to_string().contains("81 octets"), "{long}");
        let other = set_key(
            &socket,
            "2001:db8::/64".parse().unwrap(),
            Some(&Secret::new([7; 8])),
        );
        assert!(
            other.unwrap_err().to_string().contains("2001:db8::/64"),
            "the other family"
        );
        set_min_ttl(&socket, "192.0.2.1".parse().unwrap(), 255).unwrap();
    }
}
