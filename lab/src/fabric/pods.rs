//! Pods: plugged in and out by executing the CNI plugin as a container runtime does.
//!
//! Implements the runtime's side of the CNI specification 1.0.0: parameters in the environment, the network
//! configuration on stdin, the result or an error object on stdout, and error code 11 as "try again later".

use std::io::{Read, Write};
use std::net::IpAddr;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use serde_json::{Value, json};

use crate::error::Error;
use crate::fabric::record::{PodState, Record, last_lines};
use crate::fabric::run;

/// How long one call of the plugin may take.
const CALL: Duration = Duration::from_secs(60);

/// The specification's error code for "try again later".
const TRY_LATER: u32 = 11;

/// Plugs a pod in; retries as long as the plugin says "later", until the deadline.
pub fn add(record: &mut Record, pod: &str, deadline: Duration) -> Result<IpAddr, Error> {
    let start = Instant::now();
    let result = loop {
        match call(record, pod, "ADD") {
            Err(Error::Cni { code: TRY_LATER, .. }) if start.elapsed() < deadline => {
                std::thread::sleep(Duration::from_millis(200));
            }
            other => break other?,
        }
    };
    let address = first_address(&result).ok_or_else(|| Error::Cni {
        pod: pod.to_owned(),
        verb: "ADD".into(),
        code: 0,
        message: format!("its result has no address: {result}"),
    })?;
    let state = plug(record.node_mut(pod)?.pod.as_mut(), pod)?;
    state.address = Some(address);
    state.result = Some(result);
    record.save()?;
    Ok(address)
}

/// Plugs a pod out.
pub fn del(record: &mut Record, pod: &str) -> Result<(), Error> {
    call(record, pod, "DEL")?;
    let state = plug(record.node_mut(pod)?.pod.as_mut(), pod)?;
    state.address = None;
    state.result = None;
    record.save()
}

fn plug<T>(pod: Option<T>, name: &str) -> Result<T, Error> {
    pod.ok_or_else(|| Error::Request(format!("node {name} is no pod")))
}

fn call(record: &Record, pod: &str, verb: &str) -> Result<Value, Error> {
    let node = record.node(pod)?;
    let state = plug(node.pod.as_ref(), pod)?;
    let Some(plugin) = &record.state.cni else {
        return Err(Error::Request(format!(
            "lab {} was made without the CNI plugin",
            record.state.lab
        )));
    };
    let folder = plugin
        .parent()
        .map_or_else(String::new, |dir| dir.display().to_string());
    let arguments = format!(
        "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={}",
        state.pod_name
    );
    let mut child = run::spawn(record.node(&state.on)?, &[plugin], |command| {
        command
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", &state.container_id)
            .env("CNI_NETNS", &node.namespaces.net)
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", folder)
            .env("CNI_ARGS", arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        // A plugin that ends before it reads all of its input says why on its output.
        let _ = stdin.write_all(network(state, verb).to_string().as_bytes());
    }
    let done = finish(child).map_err(Error::system(format!("run the CNI plugin for pod {pod}")))?;
    answer(pod, verb, &done)
}

/// The network configuration; DEL gets the result of ADD back.
fn network(state: &PodState, verb: &str) -> Value {
    let mut network = json!({ "cniVersion": "1.0.0", "name": "roadbed", "type": "roadbed" });
    if let (Value::Object(network), Some(result), "DEL") = (&mut network, &state.result, verb) {
        network.insert("prevResult".into(), result.clone());
    }
    network
}

/// Collects a child's output, and kills it when it takes too long.
fn finish(mut child: Child) -> std::io::Result<Output> {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let reader = std::thread::spawn(move || {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let _ = out.as_mut().map(|s| s.read_to_end(&mut stdout));
        let _ = err.as_mut().map(|s| s.read_to_end(&mut stderr));
        (stdout, stderr)
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if start.elapsed() > CALL {
            child.kill()?;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let (stdout, stderr) = reader.join().unwrap_or_default();
    Ok(Output {
        status,
        stdout,
        stderr,
    })
}

fn answer(pod: &str, verb: &str, done: &Output) -> Result<Value, Error> {
    let value: Option<Value> = serde_json::from_slice(&done.stdout).ok();
    if done.status.success() && (verb != "ADD" || value.is_some()) {
        return Ok(value.unwrap_or(Value::Null));
    }
    let field = |name: &str| value.as_ref().and_then(|v| v.get(name));
    let text = |name: &str| field(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let code = field("code")
        .and_then(Value::as_u64)
        .and_then(|c| u32::try_from(c).ok())
        .unwrap_or(0);
    let message = match (text("msg"), text("details")) {
        (msg, _) if msg.is_empty() => {
            format!(
                "{}; it wrote: {}",
                done.status,
                last_lines(&String::from_utf8_lossy(&done.stderr))
            )
        }
        (msg, details) if details.is_empty() => msg,
        (msg, details) => format!("{msg}; {details}"),
    };
    Err(Error::Cni {
        pod: pod.to_owned(),
        verb: verb.to_owned(),
        code,
        message,
    })
}

fn first_address(result: &Value) -> Option<IpAddr> {
    let text = result.get("ips")?.get(0)?.get("address")?.as_str()?;
    text.parse::<IpNet>()
        .map(|net| net.addr())
        .or_else(|_| text.parse())
        .ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn done(code: i32, stdout: &str) -> Output {
        Output {
            status: ExitStatus::from_raw(code << 8),
            stdout: stdout.into(),
            stderr: b"boom\n".to_vec(),
        }
    }

    #[test]
    fn an_error_object_is_told_with_code_and_details() {
        let e = answer(
            "p",
            "ADD",
            &done(1, r#"{"code":11,"msg":"later","details":"no session"}"#),
        )
        .unwrap_err();
        assert_eq!(
            e.to_string(),
            "pod p: CNI ADD failed with code 11: later; no session"
        );
        let e = answer("p", "ADD", &done(2, "")).unwrap_err();
        assert!(e.to_string().contains("it wrote: boom"), "{e}");
    }

    #[test]
    fn the_address_is_the_first_of_the_result() {
        let result = answer("p", "ADD", &done(0, r#"{"ips":[{"address":"10.244.1.2/32"}]}"#)).unwrap();
        assert_eq!(first_address(&result), Some("10.244.1.2".parse().unwrap()));
        assert!(
            answer("p", "ADD", &done(0, "")).is_err(),
            "ADD without a result is no success"
        );
        assert!(answer("p", "DEL", &done(0, "")).is_ok());
    }
}
