//! The parameters of a verb, from the environment (specification, "Parameters").

use std::ffi::OsString;

use crate::args::Args;
use crate::error::CniError;

/// How the environment is read: by a function, so that tests have one of their own.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The verbs that we know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Add,
    Del,
    Check,
    Version,
}

/// What ADD and DEL are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    pub container_id: String,
    pub ifname: String,
    /// Empty only for DEL, where the runtime has lost the namespace already.
    pub netns: String,
    pub args: Args,
}

/// `CNI_COMMAND`.
pub fn command(env: Lookup<'_>) -> Result<Command, CniError> {
    match text(env, "CNI_COMMAND")?.as_str() {
        "ADD" => Ok(Command::Add),
        "DEL" => Ok(Command::Del),
        "CHECK" => Ok(Command::Check),
        "VERSION" => Ok(Command::Version),
        "" => Err(CniError::env("CNI_COMMAND is not set")),
        other => Err(CniError::env(format!(
            "CNI_COMMAND is {other:?}; this plugin knows ADD, DEL and VERSION"
        ))),
    }
}

/// The other variables. DEL gets along without a namespace, and with arguments that ADD would refuse: what
/// cannot be understood then was not set up either.
pub fn parameters(env: Lookup<'_>, command: Command) -> Result<Parameters, CniError> {
    let container_id = text(env, "CNI_CONTAINERID")?;
    if !is_name(&container_id) {
        return Err(wrong(
            "CNI_CONTAINERID",
            &container_id,
            "letters, digits, '.', '_' and '-', a letter or digit first",
        ));
    }
    let ifname = text(env, "CNI_IFNAME")?;
    if !is_ifname(&ifname) {
        return Err(wrong(
            "CNI_IFNAME",
            &ifname,
            "an interface name of at most 15 characters",
        ));
    }
    let netns = text(env, "CNI_NETNS")?;
    if command == Command::Del {
        let args = text(env, "CNI_ARGS")
            .and_then(|raw| Args::parse(&raw))
            .unwrap_or_default();
        return Ok(Parameters {
            container_id,
            ifname,
            netns,
            args,
        });
    }
    if !netns.starts_with('/') {
        return Err(wrong(
            "CNI_NETNS",
            &netns,
            "an absolute path of a network namespace",
        ));
    }
    let args = Args::parse(&text(env, "CNI_ARGS")?)?;
    Ok(Parameters {
        container_id,
        ifname,
        netns,
        args,
    })
}

fn text(env: Lookup<'_>, key: &str) -> Result<String, CniError> {
    let value = env(key).unwrap_or_default();
    value
        .into_string()
        .map_err(|_| CniError::env(format!("{key} is not valid UTF-8")))
}

fn wrong(key: &str, value: &str, right: &str) -> CniError {
    match value {
        "" => CniError::env(format!("{key} is not set; it has to be {right}")),
        _ => CniError::env(format!("{key} is {value:?}; it has to be {right}")),
    }
}

/// The form that the specification asks of container ids and network names.
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(allowed)
}

fn is_ifname(text: &str) -> bool {
    let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    !text.is_empty() && text.len() <= 15 && text != "." && text != ".." && !text.contains(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(command: Command, set: &[(&str, &str)]) -> Result<Parameters, CniError> {
        let good = [
            ("CNI_CONTAINERID", "c1"),
            ("CNI_IFNAME", "eth0"),
            ("CNI_NETNS", "/run/netns/x"),
        ];
        let find = |key: &str| {
            let all = set.iter().chain(&good);
            all.into_iter()
                .find(|(k, _)| *k == key)
                .map(|(_, v)| OsString::from(v))
        };
        parameters(&find, command)
    }

    #[test]
    fn what_the_specification_requires_is_required() {
        assert!(read(Command::Add, &[]).is_ok());
        for (key, value) in [
            ("CNI_CONTAINERID", ""),
            ("CNI_CONTAINERID", "-x"),
            ("CNI_CONTAINERID", "a/b"),
            ("CNI_IFNAME", ""),
            ("CNI_IFNAME", "a name"),
            ("CNI_IFNAME", "much-too-long-name"),
            ("CNI_NETNS", ""),
            ("CNI_NETNS", "relative"),
            ("CNI_ARGS", "no-equals-sign"),
        ] {
            let error = read(Command::Add, &[(key, value)]).unwrap_err();
            assert_eq!(error.code as u32, 4, "{key}");
            assert!(error.message.contains(key), "{}", error.message);
        }
    }

    #[test]
    fn del_works_with_less() {
        let parameters = read(Command::Del, &[("CNI_NETNS", ""), ("CNI_ARGS", "nonsense")]).unwrap();
        assert_eq!(parameters.netns, "");
        assert!(read(Command::Del, &[("CNI_CONTAINERID", "")]).is_err());
    }

    #[test]
    fn verbs_are_known_or_refused() {
        let of = |verb: &str| command(&|_| Some(OsString::from(verb)));
        assert_eq!(of("ADD"), Ok(Command::Add));
        assert_eq!(of("VERSION"), Ok(Command::Version));
        assert_eq!(of("add").unwrap_err().code as u32, 4);
        assert_eq!(command(&|_| None).unwrap_err().code as u32, 4);
    }
}
