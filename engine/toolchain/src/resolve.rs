//! WIT as files name it: a folder or a file, with the standard packages at hand.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use wit_parser::{InterfaceId, PackageId, Resolve, WorldId};

use crate::standard::{push_standard, standard_versions};

/// A parsed WIT path.
pub struct Wit {
    pub(crate) resolve: Resolve,
    /// The package the path itself holds.
    pub(crate) package: PackageId,
}

impl Wit {
    /// Reads `path`: a WIT file, a folder with an optional `deps` folder, or a package in binary
    /// form. Packages at `more` come before it. WASI 0.2 and 0.3 need to be in none of these.
    pub fn read(path: &Path, more: &[PathBuf]) -> Result<Wit> {
        // The fewest packages that do are taken: bindings carry versions in their names only where
        // a package is there twice, and a path's own copy of a standard package wins.
        let versions = standard_versions();
        let mut choices: Vec<&[&str]> = vec![&[]];
        choices.extend(versions.iter().map(std::slice::from_ref));
        choices.push(&versions);
        let mut complaint = String::new();
        for choice in choices {
            let mut resolve = Resolve::default();
            resolve.all_features = true;
            for version in choice {
                push_standard(&mut resolve, version)?;
            }
            let mut paths = more.iter().map(PathBuf::as_path).chain([path]);
            match paths.try_fold(None, |_, path| resolve.push_path(path).map(|(id, _)| Some(id))) {
                Ok(package) => {
                    return Ok(Wit { resolve, package: package.expect("one path") });
                }
                Err(e) => complaint = resolve.render_error(&e),
            }
        }
        bail!("cannot read the WIT at {}: {complaint}", path.display())
    }

    /// The interface of that full name ("wasi:keyvalue/store@0.2.0-draft"), or of that short name
    /// in the path's own package.
    pub(crate) fn interface(&self, name: &str) -> Result<InterfaceId> {
        if let Some(id) = self.resolve.packages[self.package].interfaces.get(name) {
            return Ok(*id);
        }
        let mut all = self.resolve.interfaces.iter();
        let found = all.find(|(id, _)| self.resolve.id_of(*id).as_deref() == Some(name));
        found.map(|(id, _)| id).with_context(|| {
            let known = self.resolve.packages[self.package].interfaces.values();
            let known: Vec<String> = known.filter_map(|id| self.resolve.id_of(*id)).collect();
            format!("there is no interface {name}; the package has: {}", known.join(", "))
        })
    }

    /// The world of that name; without a name, the package's only one.
    pub(crate) fn world(&self, name: Option<&str>) -> Result<WorldId> {
        self.resolve.select_world(&[self.package], name).map_err(|e| e.context("choosing a world"))
    }
}
