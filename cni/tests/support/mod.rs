//! The plugin as a runtime starts it, and a socket that answers in the agent's place.

// Helpers of tests may unwrap as tests do; not every test file needs all of them.
#![allow(clippy::unwrap_used, dead_code)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What a call left behind.
#[derive(Debug)]
pub struct Done {
    /// Exit status 0.
    pub ok: bool,
    /// stdout as it is.
    pub stdout: String,
    /// stderr as it is.
    pub stderr: String,
}

impl Done {
    /// stdout as JSON; nothing where nothing was printed.
    pub fn json(&self) -> Option<Value> {
        let text = (!self.stdout.is_empty()).then_some(&self.stdout)?;
        Some(serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {self:?}")))
    }

    /// The code of the error object, checked for the form that the specification gives it.
    #[track_caller]
    pub fn code(&self) -> u64 {
        assert!(!self.ok, "{self:?}");
        let error = self.json().unwrap_or_else(|| panic!("no error object: {self:?}"));
        for key in ["cniVersion", "msg", "details"] {
            assert!(error[key].is_string(), "{key}: {error}");
        }
        assert!(!error["msg"].as_str().unwrap().is_empty(), "{error}");
        assert_eq!(error.as_object().unwrap().len(), 4, "{error}");
        error["code"].as_u64().unwrap_or_else(|| panic!("{error}"))
    }

    /// A success that prints nothing.
    #[track_caller]
    pub fn nothing(&self) {
        assert!(self.ok && self.stdout.is_empty(), "{self:?}");
    }

    /// A success that prints a result.
    #[track_caller]
    pub fn result(&self) -> Value {
        assert!(self.ok, "{self:?}");
        self.json().unwrap_or_else(|| panic!("no result: {self:?}"))
    }
}

/// One call of the plugin.
#[derive(Debug, Clone)]
pub struct Call {
    name: &'static str,
    env: BTreeMap<&'static str, String>,
    stdin: String,
}

impl Call {
    /// A call with every variable that runtimes set, and no configuration.
    pub fn new(verb: &str) -> Call {
        let env = [
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", "c1"),
            ("CNI_IFNAME", "eth0"),
            ("CNI_NETNS", "/run/netns/x"),
            ("CNI_PATH", "/opt/cni/bin"),
            (
                "CNI_ARGS",
                "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0",
            ),
        ];
        Call {
            name: "roadbed",
            env: env.map(|(key, value)| (key, value.to_owned())).into(),
            stdin: String::new(),
        }
    }

    /// Under another name: argv[0].
    pub fn named(mut self, name: &'static str) -> Call {
        self.name = name;
        self
    }

    pub fn set(mut self, key: &'static str, value: impl Into<String>) -> Call {
        self.env.insert(key, value.into());
        self
    }

    pub fn unset(mut self, key: &str) -> Call {
        self.env.remove(key);
        self
    }

    pub fn stdin(mut self, stdin: impl ToString) -> Call {
        self.stdin = stdin.to_string();
        self
    }

    pub fn run(&self) -> Done {
        let mut child = Command::new(env!("CARGO_BIN_EXE_roadbed-cni"))
            .arg0(self.name)
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(self.stdin.as_bytes()).unwrap();
        drop(stdin);
        let output = child.wait_with_output().unwrap();
        Done {
            ok: output.status.success(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A folder with the socket and the agent's state.
pub struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("agent.sock")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// The network configuration of the main plugin.
    pub fn conf(&self, version: &str) -> Value {
        json!({
            "cniVersion": version, "name": "pods", "type": "roadbed",
            "socket": self.socket(), "stateDir": self.state_dir(),
        })
    }

    /// That of a plugin that delegates to ours.
    pub fn bridge(&self, version: &str) -> Value {
        json!({
            "cniVersion": version, "name": "lan", "type": "bridge", "bridge": "br0", "isGateway": true,
            "ipam": { "type": "roadbed-ipam", "socket": self.socket(), "stateDir": self.state_dir() },
        })
    }

    /// DELs that wait.
    pub fn waiting(&self) -> Vec<config::api::queue::Pending> {
        config::api::queue::pending(&config::api::queue::folder(&self.state_dir())).unwrap()
    }

    /// Answers as many connections as there are answers, one after the other; what was asked comes back.
    pub fn answer(&self, answers: Vec<String>) -> JoinHandle<Vec<Asked>> {
        serve(&self.socket(), answers)
    }
}

/// How long a stand-in waits for the plugin to call.
const DEADLINE: Duration = Duration::from_secs(30);

/// The next connection; a plugin that does not call is a failure, not a test that hangs.
fn accept(listener: &UnixListener) -> UnixStream {
    let end = Instant::now() + DEADLINE;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                return stream;
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock && Instant::now() < end => {
                std::thread::sleep(Duration::from_millis(1));
            }
            Err(e) => panic!("the plugin has not called: {e}"),
        }
    }
}

/// Answers connections on a socket that is made now.
pub fn serve(socket: &Path, answers: Vec<String>) -> JoinHandle<Vec<Asked>> {
    let listener = UnixListener::bind(socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let each = answers.into_iter().map(|answer| {
            let mut stream = accept(&listener);
            let asked = read(&mut stream);
            // A plugin that has given up is not there to hear it.
            let _ = stream.write_all(answer.as_bytes());
            asked
        });
        each.collect()
    })
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /v1/cni/add`.
    pub what: String,
    /// Its body; null where there is none.
    pub body: Value,
}

fn read(stream: &mut UnixStream) -> Asked {
    let mut bytes = Vec::new();
    let mut one = [0; 1];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut one).unwrap();
        bytes.push(one[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    Asked {
        what: head.split(" HTTP/").next().unwrap().to_owned(),
        body: match body.is_empty() {
            true => Value::Null,
            false => serde_json::from_slice(&body).unwrap(),
        },
    }
}

/// An answer of HTTP.
pub fn http(status: u16, body: &Value) -> String {
    format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n\r\n{body}")
}

/// A refusal of the agent's.
pub fn refusal(status: u16, kind: &str, message: &str) -> String {
    http(
        status,
        &json!({ "kind": kind, "message": message, "action": "do this" }),
    )
}

/// What the agent answers to ADD.
pub fn added() -> Value {
    json!({
        "hostInterface": { "name": "rb0123456789a", "mac": "02:00:00:00:00:01" },
        "podInterface": { "name": "eth0", "mac": "02:00:00:00:00:02" },
        "addresses": [
            { "address": "10.244.1.5/32", "gateway": "169.254.1.1" },
            { "address": "2001:db8::5/128", "gateway": "fe80::1" },
        ],
        "routes": [
            { "dst": "169.254.1.1/32" }, { "dst": "0.0.0.0/0", "gw": "169.254.1.1" },
            { "dst": "::/0", "gw": "fe80::1" },
        ],
        "mtu": 1450,
    })
}

/// What the agent answers to ADD of the IPAM plugin.
pub fn leased() -> Value {
    json!({ "addresses": [{ "address": "10.244.1.5/26", "gateway": "10.244.1.1" }] })
}
