//! The WASI packages that ship inside the Wasmtime crates, and what bindings for Go import, as
//! `build.rs` found them.

use std::path::Path;

use anyhow::{Context, Result};
use wit_parser::{Resolve, UnresolvedPackageGroup};

include!(concat!(env!("OUT_DIR"), "/standard.rs"));

/// Writes the standard packages under `folder`: one folder a generation, one file a package.
pub fn write_standard(folder: &Path) -> Result<()> {
    for (version, name, text) in STANDARD {
        let folder = folder.join(format!("wasi-{version}"));
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// The generations of WASI at hand, oldest first.
pub(crate) fn standard_versions() -> Vec<&'static str> {
    let mut versions: Vec<&str> = STANDARD.iter().map(|(version, ..)| *version).collect();
    versions.dedup();
    versions
}

/// Adds one generation of WASI to `resolve`, so that WIT which names it needs no copies of it.
pub(crate) fn push_standard(resolve: &mut Resolve, version: &str) -> Result<()> {
    let files = STANDARD.iter().filter(|(v, ..)| *v == version);
    let mut groups = files
        .map(|(_, name, text)| {
            let path = format!("wasi-{version}/{name}");
            UnresolvedPackageGroup::parse(&path, text)
                .map_err(|(_, e)| anyhow::anyhow!("{path}: {e}"))
        })
        .collect::<Result<Vec<_>>>()?;
    let first = groups.remove(0);
    resolve.push_groups(first, groups)?;
    Ok(())
}
