//! Core modules into components.

use anyhow::{Context, Result, bail};
use wasi_preview1_component_adapter_provider as adapters;
use wasmparser::{Encoding, Parser, Payload};
use wit_component::ComponentEncoder;

/// What joins a module written for WASI 0.1 to the interfaces of WASI 0.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    None,
    Command,
    Reactor,
    Proxy,
}

impl Adapter {
    /// The adapter of that name, as the command line spells it.
    pub fn from_name(name: &str) -> Option<Adapter> {
        Some(match name {
            "none" => Adapter::None,
            "command" => Adapter::Command,
            "reactor" => Adapter::Reactor,
            "proxy" => Adapter::Proxy,
            _ => return None,
        })
    }

    fn module(self) -> Option<&'static [u8]> {
        match self {
            Adapter::None => None,
            Adapter::Command => Some(adapters::WASI_SNAPSHOT_PREVIEW1_COMMAND_ADAPTER),
            Adapter::Reactor => Some(adapters::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
            Adapter::Proxy => Some(adapters::WASI_SNAPSHOT_PREVIEW1_PROXY_ADAPTER),
        }
    }
}

/// Makes a component of a core module that carries its own component type, or none when the adapter
/// brings one.
pub fn componentize(module: &[u8], adapter: Adapter) -> Result<Vec<u8>> {
    let mut encoder = ComponentEncoder::default();
    encoder.module(module).context("the core module cannot be read")?;
    if let Some(bytes) = adapter.module() {
        encoder.adapter(adapters::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, bytes)?;
    }
    encoder.validate(true).encode().context("the core module does not make a component")
}

/// Whether `bytes` start as a core module does (and not as a component).
pub fn is_core_module(bytes: &[u8]) -> bool {
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding, .. })) => encoding == Encoding::Module,
        _ => false,
    }
}

/// Adapts a module written for WASI 0.1 at load time: a command when it exports `_start`, and
/// otherwise a reactor.
pub fn adapt_module(module: &[u8]) -> Result<Vec<u8>> {
    if !is_core_module(module) {
        bail!("this is not a core module");
    }
    let adapter = match exports_start(module)? {
        true => Adapter::Command,
        false => Adapter::Reactor,
    };
    componentize(module, adapter)
}

fn exports_start(module: &[u8]) -> Result<bool> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ExportSection(exports) = payload.context("the module is malformed")? {
            for export in exports {
                if export.context("the module is malformed")?.name == "_start" {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}
