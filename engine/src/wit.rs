//! WIT packages, told to C++ as the bindings generator reads them.

use crate::task::guarded;
use std::path::{Path, PathBuf};
use wasmtime::Result;
use weft_toolchain::{Adapter, Wit, componentize, describe};

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

/// C bindings for a guest: guest.h, guest.c and guest_component_type.o in `folder`.
pub fn guest_bindings(path: &str, more: &Vec<String>, world: &str, folder: &str) -> Result<()> {
    guarded(|| {
        let more: Vec<PathBuf> = more.iter().map(PathBuf::from).collect();
        let world = Some(world).filter(|name| !name.is_empty());
        Wit::read(Path::new(path), &more)
            .and_then(|wit| weft_toolchain::guest_bindings(wit, world, Path::new(folder)))
            .map_err(|error| wasmtime::format_err!("{error:#}"))
    })
}

/// Makes the component `out` of the core module at `path`.
pub fn make_component(path: &str, adapter: &str, out: &str) -> Result<()> {
    guarded(|| {
        let adapter = Adapter::from_name(adapter).expect("C++ names adapters that there are");
        let component = componentize(&std::fs::read(path)?, adapter)
            .map_err(|error| wasmtime::format_err!("{error:#}"))?;
        Ok(std::fs::write(out, component)?)
    })
}

/// The packages of WASI as files: `folder`/wasi-0.2.12/http.wit.
pub fn write_standard_wit(folder: &str) -> Result<()> {
    guarded(|| {
        weft_toolchain::write_standard(Path::new(folder))
            .map_err(|error| wasmtime::format_err!("{error:#}"))
    })
}
