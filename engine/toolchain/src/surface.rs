//! What a component shows of itself, read from its bytes without compiling them.

use anyhow::{Context, Result, bail};
use wasmparser::{KnownCustom, Parser, Payload, Validator, WasmFeatures};
use wit_component::WitPrinter;
use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{Resolve, WorldItem, WorldKey};

use crate::component::is_core_module;
use crate::signature::signature;

/// Makers that are told of one file; it may name any number.
const PRODUCERS_MAX: usize = 100;

/// A function that is imported or exported. Without a name: an interface that has types only.
pub struct Function {
    /// Empty for a function of the world itself.
    pub interface: String,
    pub name: String,
    pub signature: String,
}

pub struct Surface {
    pub imports: Vec<Function>,
    pub exports: Vec<Function>,
    /// The component's world, and the packages it uses.
    pub wit: String,
}

pub fn surface(component: &[u8]) -> Result<Surface> {
    if is_core_module(component) {
        bail!("it is a core module, and no component yet");
    }
    Validator::new_with_features(WasmFeatures::all()).validate_all(component)?;
    let DecodedWasm::Component(resolve, world) = decode(component)? else {
        bail!("it is a WIT package in binary form: there is nothing to run in it");
    };
    let main = resolve.worlds[world].package.context("its world has no package")?;
    let others: Vec<_> =
        resolve.packages.iter().map(|(id, _)| id).filter(|id| *id != main).collect();
    let mut printer = WitPrinter::default();
    printer.print(&resolve, main, &others)?;
    let world = &resolve.worlds[world];
    Ok(Surface {
        imports: functions(&resolve, world.imports.iter()),
        exports: functions(&resolve, world.exports.iter()),
        wit: printer.output.to_string(),
    })
}

fn functions<'a>(
    resolve: &Resolve,
    items: impl Iterator<Item = (&'a WorldKey, &'a WorldItem)>,
) -> Vec<Function> {
    let mut found = Vec::new();
    for (key, item) in items {
        let interface = resolve.name_world_key(key);
        match item {
            WorldItem::Function(function) => found.push(Function {
                interface: String::new(),
                name: function.name.clone(),
                signature: signature(resolve, function),
            }),
            WorldItem::Interface { id, .. } if resolve.interfaces[*id].functions.is_empty() => {
                found.push(Function { interface, name: String::new(), signature: String::new() })
            }
            WorldItem::Interface { id, .. } => {
                found.extend(resolve.interfaces[*id].functions.values().map(|function| Function {
                    interface: interface.clone(),
                    name: function.name.clone(),
                    signature: signature(resolve, function),
                }))
            }
            WorldItem::Type { .. } => {}
        }
    }
    found
}

/// Field (`language`, `sdk`, `processed-by`), name and version of what made a module or component
/// and those in it, each once.
pub fn producers(bytes: &[u8]) -> Vec<[String; 3]> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else { break };
        let Payload::CustomSection(section) = payload else { continue };
        let KnownCustom::Producers(fields) = section.as_known() else { continue };
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                let maker = [field.name, value.name, value.version].map(str::to_string);
                if found.len() < PRODUCERS_MAX && !found.contains(&maker) {
                    found.push(maker);
                }
            }
        }
    }
    found
}
