//! The parameters of a verb, from the environment (specification, "Parameters").

use std::ffi::OsString;

use crate::args::Args;
use crate::error::CniError;

/// How the environment is read: by a function, so that tests have one of their own.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The verbs of the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    Add,
    Del,
    Check,
    Gc,
    Status,
    Version,
}

/// What ADD, DEL and CHECK are about. GC, STATUS and VERSION have no parameters but their name.
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
        "GC" => Ok(Command::Gc),
        "STATUS" => Ok(Command::Status),
        "VERSION" => Ok(Command::Version),
        "" => Err(CniError::env(
            "CNI_COMMAND is not set: this is a CNI plugin, which a container runtime starts",
        )),
        other => Err(CniError::env(format!(
            "CNI_COMMAND is {other:?}; this plugin knows ADD, DEL, CHECK, GC, STATUS and VERSION"
        ))),
    }
}

/// The other variables of ADD and CHECK.
///
/// # Errors
/// Code 4; the message names every variable that is wrong, as the specification asks.
pub fn parameters(env: Lookup<'_>) -> Result<Parameters, CniError> {
    let mut wrong = Vec::new();
    let (container_id, ifname) = attachment(env, &mut wrong);
    let netns = named(env, "CNI_NETNS", &mut wrong, NETNS);
    refuse(wrong)?;
    let args = Args::parse(&text(env, "CNI_ARGS")?)?;
    Ok(Parameters {
        container_id,
        ifname,
        netns,
        args,
    })
}

/// Those of DEL. It gets along without a namespace, and with arguments that ADD would refuse: what could not be
/// understood was not set up either.
pub fn parameters_of_del(env: Lookup<'_>) -> Result<Parameters, CniError> {
    let mut wrong = Vec::new();
    let (container_id, ifname) = attachment(env, &mut wrong);
    refuse(wrong)?;
    Ok(Parameters {
        container_id,
        ifname,
        netns: text(env, "CNI_NETNS").unwrap_or_default(),
        args: Args::default(),
    })
}

/// What a variable has to be, and the test for it.
type Rule = (fn(&str) -> bool, &'static str);

const CONTAINER: Rule = (
    is_name,
    "letters, digits, '.', '_' and '-', a letter or digit first",
);
const IFNAME: Rule = (is_ifname, "an interface name of at most 15 characters");
const NETNS: Rule = (
    |path| path.starts_with('/'),
    "an absolute path of a network namespace",
);

fn attachment(env: Lookup<'_>, wrong: &mut Vec<String>) -> (String, String) {
    let container_id = named(env, "CNI_CONTAINERID", wrong, CONTAINER);
    let ifname = named(env, "CNI_IFNAME", wrong, IFNAME);
    (container_id, ifname)
}

fn named(env: Lookup<'_>, key: &str, wrong: &mut Vec<String>, (good, right): Rule) -> String {
    match text(env, key) {
        Ok(value) if good(&value) => return value,
        Ok(value) if value.is_empty() => wrong.push(format!("{key} is not set; it has to be {right}")),
        Ok(value) => wrong.push(format!("{key} is {value:?}; it has to be {right}")),
        Err(error) => wrong.push(error.message),
    }
    String::new()
}

fn refuse(wrong: Vec<String>) -> Result<(), CniError> {
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(CniError::env(wrong.join("; "))),
    }
}

fn text(env: Lookup<'_>, key: &str) -> Result<String, CniError> {
    let value = env(key).unwrap_or_default();
    value
        .into_string()
        .map_err(|_| CniError::env(format!("{key} is not valid UTF-8")))
}

/// The form that the specification asks of container ids and network names.
pub fn is_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(allowed)
}

/// The form that the specification asks of interface names.
pub fn is_ifname(text: &str) -> bool {
    let bad = |c: char| c == '/' || c == ':' || c.is_whitespace() || c.is_control();
    !text.is_empty() && text.len() <= 15 && text != "." && text != ".." && !text.contains(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup<'a>(set: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        let good = [
            ("CNI_CONTAINERID", "c1"),
            ("CNI_IFNAME", "eth0"),
            ("CNI_NETNS", "/run/netns/x"),
        ];
        move |key| {
            let found = set.iter().chain(&good).find(|(k, _)| *k == key);
            found.map(|(_, v)| OsString::from(v))
        }
    }

    #[test]
    fn what_the_specification_requires_is_required() {
        assert!(parameters(&lookup(&[])).is_ok());
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
            let error = parameters(&lookup(&[(key, value)])).unwrap_err();
            assert_eq!(error.code as u32, 4, "{key}");
            assert!(error.message.contains(key), "{}", error.message);
        }
    }

    #[test]
    fn an_error_names_every_variable_that_is_wrong() {
        let error = parameters(&|_| None).unwrap_err();
        for key in ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS"] {
            assert!(error.message.contains(key), "{}", error.message);
        }
    }

    #[test]
    fn del_works_with_less() {
        let less = [("CNI_NETNS", ""), ("CNI_ARGS", "nonsense")];
        assert_eq!(parameters_of_del(&lookup(&less)).unwrap().netns, "");
        assert!(parameters_of_del(&lookup(&[("CNI_CONTAINERID", "")])).is_err());
    }

    #[test]
    fn verbs_are_known_or_refused() {
        let of = |verb: &str| command(&|_| Some(OsString::from(verb)));
        assert_eq!(of("ADD"), Ok(Command::Add));
        assert_eq!(of("GC"), Ok(Command::Gc));
        assert_eq!(of("STATUS"), Ok(Command::Status));
        assert_eq!(of("add").unwrap_err().code as u32, 4);
        assert_eq!(command(&|_| None).unwrap_err().code as u32, 4);
    }
}
