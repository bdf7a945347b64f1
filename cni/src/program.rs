//! One binary, two programs: which one it is says the name that it is called by.

use std::ffi::OsStr;
use std::path::Path;

/// The program that a runtime or a plugin has called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `roadbed`: makes interfaces.
    Main,
    /// `roadbed-ipam`: gives addresses for the interfaces of other plugins.
    Ipam,
}

impl Program {
    /// By the file name of the path that it was started with: `-ipam` at its end, or before a suffix that begins
    /// with none of its letters, such as `.new` or `-0.2`.
    pub fn of(started_as: Option<&OsStr>) -> Program {
        let name = started_as.and_then(|path| Path::new(path).file_name());
        let name = name.unwrap_or_default().to_string_lossy();
        let ipam = name.match_indices("-ipam").any(|(at, mark)| {
            let after = name[at + mark.len()..].chars().next();
            after.is_none_or(|c| !c.is_alphanumeric())
        });
        if ipam { Program::Ipam } else { Program::Main }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides() {
        let of = |path: &str| Program::of(Some(OsStr::new(path)));
        for ipam in [
            "/opt/cni/bin/roadbed-ipam",
            "roadbed-ipam",
            "roadbed-ipam.new",
            "x-ipam-0.2",
        ] {
            assert_eq!(of(ipam), Program::Ipam, "{ipam}");
        }
        for main in [
            "/opt/cni/bin/roadbed",
            "roadbed-cni",
            "/roadbed-ipam/roadbed",
            "roadbed-ipamx",
            "",
        ] {
            assert_eq!(of(main), Program::Main, "{main}");
        }
        assert_eq!(Program::of(None), Program::Main);
    }
}
