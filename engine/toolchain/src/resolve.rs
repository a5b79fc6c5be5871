//! WIT as files name it: a folder or a file, with the standard packages at hand.

use std::path::Path;

use anyhow::{Context, Result, bail};
use wit_parser::{InterfaceId, PackageId, Resolve, WorldId};

use crate::standard::push_standard;

/// A parsed WIT path.
pub struct Wit {
    pub(crate) resolve: Resolve,
    /// The package the path itself holds.
    pub(crate) package: PackageId,
}

impl Wit {
    /// Reads `path`: a WIT file, a folder with an optional `deps` folder, or a WIT package in binary
    /// form. Packages of WASI 0.2 and 0.3 need not be in `deps`.
    pub fn read(path: &Path) -> Result<Wit> {
        let mut alone = Resolve::default();
        alone.all_features = true;
        // A path that brings every package it names is taken at its word, so that its own copy of a
        // standard package wins.
        if let Ok((package, _)) = alone.push_path(path) {
            return Ok(Wit {
                resolve: alone,
                package,
            });
        }
        let mut resolve = Resolve::default();
        resolve.all_features = true;
        push_standard(&mut resolve)?;
        match resolve.push_path(path) {
            Ok((package, _)) => Ok(Wit { resolve, package }),
            Err(e) => {
                let text = resolve.render_error(&e);
                bail!("cannot read the WIT at {}: {text}", path.display())
            }
        }
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
            format!(
                "there is no interface {name}; the package has: {}",
                known.join(", ")
            )
        })
    }

    /// The world of that name; without a name, the package's only one.
    pub(crate) fn world(&self, name: Option<&str>) -> Result<WorldId> {
        self.resolve
            .select_world(&[self.package], name)
            .map_err(|e| e.context("choosing a world"))
    }
}
