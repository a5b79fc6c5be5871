//! What a file holds, told without compiling it.

use crate::bridge::ffi::{InspectedFunction, Inspection, Producer};
use crate::cache;
use crate::program::{component_bytes, is_wasi, kind_of, open, read, uses_async};
use crate::task::guarded;
use std::path::Path;
use wasmtime::Result;

/// Fails when the file cannot be read; what is wrong inside is a part of the answer.
pub fn inspect_file(path: &str) -> Result<Inspection> {
    guarded(|| {
        let bytes = read(open(Path::new(path))?)?;
        let mut found = Inspection {
            form: match bytes.get(..8) {
                Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => "module".into(),
                Some([0, b'a', b's', b'm', ..]) => "component".into(),
                _ => "text".into(),
            },
            kind: kind_of([].into_iter()),
            size: bytes.len() as u64,
            digest: cache::digest_of(&bytes),
            producers: weft_toolchain::producers(&bytes)
                .into_iter()
                .map(|[field, name, version]| Producer { field, name, version })
                .collect(),
            imports: Vec::new(),
            exports: Vec::new(),
            wit: String::new(),
            problem: String::new(),
        };
        let surface = component_bytes(bytes).and_then(|component| {
            uses_async(&component)?;
            weft_toolchain::surface(&component).map_err(|error| wasmtime::format_err!("{error:#}"))
        });
        match surface {
            Ok(surface) => {
                let function = |function: weft_toolchain::Function| InspectedFunction {
                    wasi: is_wasi(&function.interface),
                    interface: function.interface,
                    name: function.name,
                    signature: function.signature,
                };
                found.kind = kind_of(surface.exports.iter().map(|each| each.interface.as_str()));
                found.imports = surface.imports.into_iter().map(function).collect();
                found.exports = surface.exports.into_iter().map(function).collect();
                found.wit = surface.wit;
            }
            Err(error) => found.problem = format!("{error:#}"),
        }
        Ok(found)
    })
}
