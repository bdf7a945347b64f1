//! The order in which kernel modules are loaded (pure): `modules.dep`, `modules.builtin` and `modules.alias`
//! of depmod(8), read by the host to fill an initial RAM disk and by the guest to load.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::Error;

/// The modules of one kernel.
#[derive(Debug, Default)]
pub(crate) struct Index {
    dir: PathBuf,
    /// By normal name: its file, and the files that it rests on.
    modules: BTreeMap<String, (String, Vec<String>)>,
    builtin: BTreeSet<String>,
    /// Patterns of names by which the kernel asks, with the module that serves them.
    aliases: Vec<(String, String)>,
}

impl Index {
    /// Reads the lists of a folder such as `/lib/modules/6.1.0`.
    pub fn read(dir: &Path) -> Result<Index, Error> {
        let text = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).map_err(Error::system(format!("read {}", path.display())))
        };
        let aliases = text("modules.alias").unwrap_or_default();
        Ok(Index::parse(
            dir,
            &text("modules.dep")?,
            &text("modules.builtin").unwrap_or_default(),
            &aliases,
        ))
    }

    fn parse(dir: &Path, dep: &str, builtin: &str, alias: &str) -> Index {
        let entries = dep.lines().filter_map(|line| line.split_once(':'));
        let modules = entries.map(|(file, rest)| {
            let needs = rest.split_whitespace().map(str::to_owned).collect();
            (name_of(file), (file.trim().to_owned(), needs))
        });
        let aliases = alias.lines().filter_map(|line| {
            let mut words = line.strip_prefix("alias ")?.split_whitespace();
            Some((normal(words.next()?), normal(words.next()?)))
        });
        Index {
            dir: dir.into(),
            modules: modules.collect(),
            builtin: builtin.lines().map(name_of).collect(),
            aliases: aliases.collect(),
        }
    }

    /// The files to load for these modules, what others rest on first, none twice.
    pub fn files<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<PathBuf>, Error> {
        let (mut order, mut seen) = (Vec::new(), BTreeSet::new());
        for name in names {
            let name = normal(name.as_ref());
            if self.modules.contains_key(&name) {
                self.add(&name, &mut order, &mut seen);
            } else if !self.builtin.contains(&name) {
                return Err(Error::NoModule {
                    name,
                    dir: self.dir.clone(),
                });
            }
        }
        Ok(order.into_iter().map(|file| self.dir.join(file)).collect())
    }

    /// What a module rests on, then the module. Some depmods list all of it, some only the next step.
    fn add<'a>(&'a self, name: &str, order: &mut Vec<&'a str>, seen: &mut BTreeSet<String>) {
        let Some((file, needs)) = self.modules.get(name) else {
            return;
        };
        if !seen.insert(name.to_owned()) {
            return;
        }
        // The nearest dependency is listed first: the last of the line is loaded first.
        for need in needs.iter().rev() {
            self.add(&name_of(need), order, seen);
        }
        order.push(file);
    }

    /// The modules that serve a name by which the kernel asks, as in `rtnl-link-ipip`; a module's own name too.
    pub fn serving(&self, asked: &str) -> Vec<String> {
        let asked = normal(asked);
        if self.modules.contains_key(&asked) {
            return vec![asked];
        }
        let matching = self
            .aliases
            .iter()
            .filter(|(pattern, _)| matches(pattern, &asked));
        matching.map(|(_, module)| module.clone()).collect()
    }
}

/// Hyphens and underscores are one to the kernel.
fn normal(name: &str) -> String {
    name.trim().replace('-', "_")
}

/// `kernel/net/ipv4/ipip.ko.xz` is `ipip`.
fn name_of(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or(file);
    normal(name.split(".ko").next().unwrap_or(name))
}

/// Shell patterns as far as modules.alias has them for what is no device: `*` alone.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    loop {
        if matches(rest, text) {
            return true;
        }
        let mut chars = text.chars();
        if chars.next().is_none() {
            return false;
        }
        text = chars.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> Index {
        Index::parse(
            Path::new("/m"),
            "kernel/net/ipv4/ip_tunnel.ko:\nkernel/net/ipv4/tunnel4.ko.xz:\n\
             kernel/net/ipv4/ipip.ko: kernel/net/ipv4/tunnel4.ko.xz kernel/net/ipv4/ip_tunnel.ko\n\
             kernel/net/a.ko: kernel/net/b.ko kernel/net/c.ko\nkernel/net/b.ko: kernel/net/c.ko\nkernel/net/c.ko:\n",
            "kernel/net/core/sock-diag.ko\n",
            "# comment\nalias rtnl-link-ipip ipip\nalias nft-expr-*-fib* b\nalias pci:v0*d0* c\n",
        )
    }

    #[test]
    fn what_a_module_rests_on_comes_first_and_once() {
        let files = index()
            .files(&["ipip", "a", "sock_diag", "b"])
            .expect("all are there");
        let names: Vec<String> = files.iter().map(|f| name_of(&f.display().to_string())).collect();
        assert_eq!(names, ["ip_tunnel", "tunnel4", "ipip", "c", "b", "a"]);
        assert!(files[0].starts_with("/m/kernel"), "{files:?}");
    }

    #[test]
    fn a_module_that_is_not_there_is_named() {
        let error = index().files(&["wireguard"]).expect_err("there is none");
        assert!(error.to_string().contains("no module wireguard"), "{error}");
    }

    #[test]
    fn the_kernels_own_names_lead_to_modules() {
        assert_eq!(index().serving("rtnl-link-ipip"), ["ipip"]);
        assert_eq!(index().serving("nft-expr-2-fib-x"), ["b"]);
        assert_eq!(index().serving("ip-tunnel"), ["ip_tunnel"]);
        assert!(index().serving("rtnl-link-vrf").is_empty());
        assert!(index().serving("rtnl-link-ipip2").is_empty());
    }
}
