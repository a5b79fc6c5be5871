//! WIT packages, told to C++ as the bindings generator reads them.

use crate::task::guarded;
use std::path::{Path, PathBuf};
use wasmtime::Result;
use weft_toolchain::{Wit, describe};

/// The interfaces of the WIT at `path` as JSON: those named, what the worlds named export, or all
/// of its main package. `more` are packages that it uses and does not bring.
pub fn describe_wit(
    path: &str,
    more: &Vec<String>,
    interfaces: &Vec<String>,
    worlds: &Vec<String>,
) -> Result<String> {
    guarded(|| {
        let more: Vec<PathBuf> = more.iter().map(PathBuf::from).collect();
        Wit::read(Path::new(path), &more)
            .and_then(|wit| describe(&wit, interfaces, worlds))
            .map_err(|error| wasmtime::format_err!("{error:#}"))
    })
}
