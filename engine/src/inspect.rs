//! What a file holds, told without compiling it.

use crate::bridge::ffi::{InspectedFunction, Inspection, Producer};
use crate::program::{component_bytes, is_wasi, kind_of, uses_async};
use crate::task::guarded;
use wasmtime::Result;

/// What is wrong in the bytes is a part of the answer.
pub fn inspect_program(bytes: &[u8]) -> Result<Inspection> {
    guarded(|| {
        let mut found = Inspection {
            kind: kind_of([].into_iter()),
            producers: weft_toolchain::producers(bytes)
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
