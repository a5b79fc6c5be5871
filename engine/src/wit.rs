//! WIT packages, told to C++ as the bindings generator reads them.

use crate::task::guarded;
use std::path::{Path, PathBuf};
use wasmtime::Result;
use weft_toolchain::{Adapter, Wit, adapt_module, componentize, describe};

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

/// Bindings for a guest in `folder`: for C, guest.h, guest.c and guest_component_type.o; for Go
/// when `module` names the Go module that has `folder`.
pub fn guest_bindings(
    path: &str,
    more: &Vec<String>,
    world: &str,
    module: &str,
    folder: &str,
) -> Result<()> {
    guarded(|| {
        let more: Vec<PathBuf> = more.iter().map(PathBuf::from).collect();
        let world = Some(world).filter(|name| !name.is_empty());
        let folder = Path::new(folder);
        Wit::read(Path::new(path), &more)
            .and_then(|wit| match module {
                "" => weft_toolchain::guest_bindings(wit, world, folder),
                _ => weft_toolchain::go_bindings(wit, world, module, folder),
            })
            .map_err(|error| wasmtime::format_err!("{error:#}"))
    })
}

/// Makes the component `out` of the core module at `path`. Without an adapter's name, with the one
/// that fits.
pub fn make_component(path: &str, adapter: &str, out: &str) -> Result<()> {
    guarded(|| {
        let module = std::fs::read(path)?;
        let component = match Adapter::from_name(adapter) {
            Some(adapter) => componentize(&module, adapter),
            None => adapt_module(&module),
        };
        let component = component.map_err(|error| wasmtime::format_err!("{error:#}"))?;
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
