//! What a runtime asks of a CNI plugin, word for word: a shell script in the plugin's place writes down the
//! environment and the input of each call and then becomes the plugin.

use std::path::Path;

use serde_json::Value;

/// One call of a plugin.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// `CNI_COMMAND`.
    pub command: String,
    /// `CNI_CONTAINERID`.
    pub container_id: String,
    /// `CNI_NETNS`; empty where the runtime has none any more.
    pub netns: String,
    /// `CNI_IFNAME`.
    pub ifname: String,
    /// `CNI_ARGS`.
    pub args: String,
    /// The network configuration on standard input.
    pub config: Value,
}

/// The script. One call is one line, written in one go, so that calls at the same time do not mix.
pub(crate) fn recorder(program: &Path, log: &Path) -> String {
    format!(
        "#!/bin/sh\n\
         config=$(cat)\n\
         line=$(printf '%s' \"$config\" | tr '\\n' ' ')\n\
         printf '%s|%s|%s|%s|%s|%s\\n' \"$CNI_COMMAND\" \"$CNI_CONTAINERID\" \"$CNI_NETNS\" \"$CNI_IFNAME\" \
         \"$CNI_ARGS\" \"$line\" >> '{log}'\n\
         printf '%s' \"$config\" | exec '{program}'\n",
        log = log.display(),
        program = program.display(),
    )
}

/// The calls that are written down, in their order.
pub(crate) fn read(log: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Call> {
    let mut fields = line.splitn(6, '|').map(str::to_owned);
    let mut next = || fields.next();
    Some(Call {
        command: next()?,
        container_id: next()?,
        netns: next()?,
        ifname: next()?,
        args: next()?,
        config: serde_json::from_str(&next()?).unwrap_or(Value::Null),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_script_writes_the_call_down_and_hands_it_on() {
        let dir = tempfile::tempdir().unwrap();
        let (script, log) = (dir.path().join("plugin"), dir.path().join("log"));
        std::fs::write(&script, recorder(Path::new("/bin/cat"), &log)).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let config = "{\n  \"name\": \"pods\"\n}";
        let mut child = Command::new(&script)
            .env("CNI_COMMAND", "DEL")
            .env("CNI_CONTAINERID", "c1")
            .env("CNI_NETNS", "")
            .env("CNI_IFNAME", "eth0")
            .env("CNI_ARGS", "A=b;C=d")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(config.as_bytes()).unwrap();
        let done = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&done.stdout), config);
        let expected = Call {
            command: "DEL".into(),
            container_id: "c1".into(),
            netns: String::new(),
            ifname: "eth0".into(),
            args: "A=b;C=d".into(),
            config: serde_json::json!({ "name": "pods" }),
        };
        assert_eq!(read(&log), [expected]);
    }
}
