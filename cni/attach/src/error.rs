//! Why a pod could not be plugged in, in words for the operator.

use std::io;
use std::path::PathBuf;

use ipnet::IpNet;

/// An attachment that failed. Nothing of it is left behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pod's namespace cannot be opened.
    #[error(
        "network namespace {}: {source}; has the pod gone already, or does the agent not see the runtime's \
         namespaces (mount /run/netns into it with propagation HostToContainer)?",
        .path.display()
    )]
    NoNetns {
        /// `CNI_NETNS`.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The path names something else.
    #[error("{} is not a network namespace; see CNI_NETNS of the container runtime", .path.display())]
    NotANetns {
        /// `CNI_NETNS`.
        path: PathBuf,
    },
    /// The path names the node's own namespace.
    #[error("{} is the node's own network namespace; a pod with hostNetwork needs no CNI", .path.display())]
    OwnNetns {
        /// `CNI_NETNS`.
        path: PathBuf,
    },
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The pod has an interface of that name that is not ours.
    #[error("the pod in {} already has an interface {ifname}; give this one another name", .path.display())]
    Exists {
        /// `CNI_IFNAME`.
        ifname: String,
        /// `CNI_NETNS`.
        path: PathBuf,
    },
    /// The pod has a default route through another interface.
    #[error("the pod in {} already has a default route through another interface; is {ifname} a second network?",
            .path.display())]
    OtherDefault {
        /// `CNI_IFNAME`.
        ifname: String,
        /// `CNI_NETNS`.
        path: PathBuf,
    },
    /// The pod has a route to a destination through another interface.
    #[error("the pod in {} already has a route to {destination} through another interface; take it from the routes \
             of {ifname}", .path.display())]
    OtherRoute {
        /// One of the routes asked for.
        destination: IpNet,
        /// `CNI_IFNAME`.
        ifname: String,
        /// `CNI_NETNS`.
        path: PathBuf,
    },
    /// The interface on the node is not a pod interface of ours.
    #[error("{0} is not a pod interface of ours and is left alone")]
    NotOurs(String),
    /// The kernel refused a step.
    #[error("cannot {step}: {source}")]
    Kernel {
        /// What was tried.
        step: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    /// Turns the kernel's refusal of a step into an error.
    pub(crate) fn at(step: impl Into<String>) -> impl FnOnce(io::Error) -> Error {
        let step = step.into();
        move |source| Error::Kernel { step, source }
    }
}
