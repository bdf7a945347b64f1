//! The CRI as the kubelet speaks it: gRPC over containerd's socket (`runtime.v1`), in the kubelet's order: the
//! sandbox, its status, containers in it; at the end the containers, the sandbox stopped, the sandbox removed.
//!
//! All calls block. A client may be shared by threads.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use k8s_cri::v1 as cri;
use k8s_cri::v1::image_service_client::ImageServiceClient;
use k8s_cri::v1::runtime_service_client::RuntimeServiceClient;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

use crate::config::IMAGE;
use crate::error::Error;
use crate::pod::{Pod, namespaces};

/// How long the runtime may take for one call; the kubelet gives it two minutes.
const CALL: Duration = Duration::from_secs(60);

/// What a program inside a container wrote, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Exit code.
    pub code: i32,
}

/// The addresses of a sandbox: what becomes `status.podIPs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// `ip`: `status.podIP`.
    pub first: IpAddr,
    /// `additionalIps`.
    pub further: Vec<IpAddr>,
}

/// A connection to the CRI.
#[derive(Debug)]
pub struct Client {
    tokio: Runtime,
    channel: Channel,
    cgroup_parent: String,
}

impl Client {
    /// Connects when the first call is made.
    pub(crate) fn new(socket: &Path, cgroup_parent: &str) -> Result<Client, Error> {
        let what = || format!("speak gRPC on {}", socket.display());
        let tokio = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::system(what()))?;
        let endpoint = Endpoint::from_shared(format!("unix://{}", socket.display()));
        let endpoint = endpoint.map_err(|e| Error::system(what())(std::io::Error::other(e)))?;
        let channel = {
            let _inside = tokio.enter();
            endpoint.timeout(CALL).connect_lazy()
        };
        Ok(Client {
            tokio,
            channel,
            cgroup_parent: cgroup_parent.to_owned(),
        })
    }

    fn runtime(&self) -> RuntimeServiceClient<Channel> {
        RuntimeServiceClient::new(self.channel.clone())
    }

    /// `Version`: the runtime's name and version, such as `containerd 1.6.20`.
    pub fn version(&self) -> Result<String, Error> {
        let request = cri::VersionRequest { version: "v1".into() };
        let answer = self.tokio.block_on(self.runtime().version(request));
        let answer = answer.map_err(Error::refused("Version"))?.into_inner();
        Ok(format!("{} {}", answer.runtime_name, answer.runtime_version))
    }

    /// `Status`: the condition `NetworkReady`, or why the network is not ready.
    pub fn network_ready(&self) -> Result<Result<(), String>, Error> {
        let request = cri::StatusRequest { verbose: false };
        let answer = self.tokio.block_on(self.runtime().status(request));
        let answer = answer.map_err(Error::refused("Status"))?.into_inner();
        let conditions = answer.status.unwrap_or_default().conditions;
        let network = conditions.into_iter().find(|c| c.r#type == "NetworkReady");
        Ok(match network {
            Some(condition) if condition.status => Ok(()),
            Some(condition) => Err(condition.message),
            None => Err("there is no such condition".to_owned()),
        })
    }

    /// `ImageStatus`: whether the image of this crate is there.
    pub fn has_image(&self) -> Result<bool, Error> {
        let mut images = ImageServiceClient::new(self.channel.clone());
        let request = cri::ImageStatusRequest {
            image: Some(image()),
            verbose: false,
        };
        let answer = self.tokio.block_on(images.image_status(request));
        let answer = answer.map_err(Error::refused("ImageStatus"))?;
        Ok(answer.into_inner().image.is_some())
    }

    /// `RunPodSandbox`: the sandbox with its network. Returns its id.
    pub fn run_pod(&self, pod: &Pod) -> Result<String, Error> {
        let request = cri::RunPodSandboxRequest {
            config: Some(pod.sandbox(&self.cgroup_parent)),
            runtime_handler: String::new(),
        };
        let answer = self.tokio.block_on(self.runtime().run_pod_sandbox(request));
        let answer = answer.map_err(Error::refused("RunPodSandbox"))?;
        Ok(answer.into_inner().pod_sandbox_id)
    }

    /// `StopPodSandbox`: the sandbox's processes end, its network goes.
    pub fn stop_pod(&self, id: &str) -> Result<(), Error> {
        let request = cri::StopPodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let answer = self.tokio.block_on(self.runtime().stop_pod_sandbox(request));
        answer.map(drop).map_err(Error::refused("StopPodSandbox"))
    }

    /// `RemovePodSandbox`: the sandbox with its containers is forgotten.
    pub fn remove_pod(&self, id: &str) -> Result<(), Error> {
        let request = cri::RemovePodSandboxRequest {
            pod_sandbox_id: id.to_owned(),
        };
        let answer = self.tokio.block_on(self.runtime().remove_pod_sandbox(request));
        answer.map(drop).map_err(Error::refused("RemovePodSandbox"))
    }

    /// `ListPodSandbox`: ids of all sandboxes, ready or not.
    pub fn pods(&self) -> Result<Vec<String>, Error> {
        let request = cri::ListPodSandboxRequest { filter: None };
        let answer = self.tokio.block_on(self.runtime().list_pod_sandbox(request));
        let answer = answer.map_err(Error::refused("ListPodSandbox"))?;
        Ok(answer.into_inner().items.into_iter().map(|pod| pod.id).collect())
    }

    /// `PodSandboxStatus`: the addresses.
    pub fn addresses(&self, id: &str) -> Result<Addresses, Error> {
        let (network, _) = self.status(id)?;
        let unreadable = |text: &str| Error::Program {
            what: format!("the status of sandbox {id}"),
            output: format!("`{text}` is not an address"),
        };
        let parse = |text: &str| text.parse().map_err(|_| unreadable(text));
        Ok(Addresses {
            first: parse(&network.ip)?,
            further: (network.additional_ips.iter().map(|a| parse(&a.ip))).collect::<Result<_, _>>()?,
        })
    }

    /// `PodSandboxStatus`, verbose: path of the sandbox's network namespace and what the CNI plugins answered.
    pub fn network(&self, id: &str) -> Result<(String, serde_json::Value), Error> {
        let (_, info) = self.status(id)?;
        let spaces = info
            .pointer("/runtimeSpec/linux/namespaces")
            .and_then(|v| v.as_array());
        let network = spaces
            .into_iter()
            .flatten()
            .find(|space| space["type"] == "network");
        let path = network
            .and_then(|space| space["path"].as_str())
            .unwrap_or_default();
        let result = info.get("cniResult").cloned().unwrap_or_default();
        Ok((path.to_owned(), result))
    }

    fn status(&self, id: &str) -> Result<(cri::PodSandboxNetworkStatus, serde_json::Value), Error> {
        let request = cri::PodSandboxStatusRequest {
            pod_sandbox_id: id.to_owned(),
            verbose: true,
        };
        let answer = self.tokio.block_on(self.runtime().pod_sandbox_status(request));
        let answer = answer.map_err(Error::refused("PodSandboxStatus"))?.into_inner();
        let network = answer.status.and_then(|s| s.network).unwrap_or_default();
        let info = answer.info.get("info").map(String::as_str).unwrap_or("{}");
        Ok((network, serde_json::from_str(info).unwrap_or_default()))
    }

    /// `CreateContainer` and `StartContainer`: a program of the image inside the pod. Returns the container's id.
    pub fn start_container(&self, sandbox: &str, pod: &Pod, command: &[&str]) -> Result<String, Error> {
        let config = cri::ContainerConfig {
            metadata: Some(cri::ContainerMetadata {
                name: "main".to_owned(),
                attempt: 0,
            }),
            image: Some(image()),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            linux: Some(cri::LinuxContainerConfig {
                security_context: Some(cri::LinuxContainerSecurityContext {
                    namespace_options: Some(namespaces()),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let request = cri::CreateContainerRequest {
            pod_sandbox_id: sandbox.to_owned(),
            config: Some(config),
            sandbox_config: Some(pod.sandbox(&self.cgroup_parent)),
        };
        let answer = self.tokio.block_on(self.runtime().create_container(request));
        let answer = answer.map_err(Error::refused("CreateContainer"))?;
        let id = answer.into_inner().container_id;
        let request = cri::StartContainerRequest {
            container_id: id.clone(),
        };
        let answer = self.tokio.block_on(self.runtime().start_container(request));
        answer.map_err(Error::refused("StartContainer"))?;
        Ok(id)
    }

    /// `ExecSync`: a command inside a container, to its end.
    pub fn exec(&self, container: &str, command: &[&str]) -> Result<Exec, Error> {
        let request = cri::ExecSyncRequest {
            container_id: container.to_owned(),
            cmd: command.iter().map(|word| (*word).to_owned()).collect(),
            timeout: 30,
        };
        let answer = self.tokio.block_on(self.runtime().exec_sync(request));
        let answer = answer.map_err(Error::refused("ExecSync"))?.into_inner();
        Ok(Exec {
            stdout: String::from_utf8_lossy(&answer.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&answer.stderr).into_owned(),
            code: answer.exit_code,
        })
    }
}

fn image() -> cri::ImageSpec {
    cri::ImageSpec {
        image: IMAGE.to_owned(),
        ..Default::default()
    }
}
