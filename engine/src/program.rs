//! Programs: a file made into a compiled component, what it imports and exports, and its links.

use crate::bridge::ffi::{
    ExportedFunction, ImportedFunction, ImportedResource, Limits, ProgramInfo, ProgramKind,
    WasiGrants,
};
use crate::door;
use crate::pipes::{self, Route};
use crate::runtime::{EngineKind, Runtime};
use crate::state::State;
use crate::task::guarded;
use std::collections::HashMap;
use std::sync::Arc;
use wasmtime::component::types::{Component as ComponentType, ComponentItem};
use wasmtime::component::{Component, InstancePre, Linker, ResourceType};
use wasmtime::{Engine, Result, error::Context as _};
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p3::bindings::ServicePre;

const WASM_PAGE: u64 = 64 << 10;

pub struct Program {
    pub(crate) engine: Engine,
    pub(crate) concurrent: bool,
    pub(crate) component: Component,
    kind: ProgramKind,
    pub(crate) imports: Vec<Import>,
    pub(crate) resources: Vec<Resource>,
    pub(crate) exports: Vec<Export>,
}

/// A function that the program imports, in the order of `ProgramInfo::functions`.
pub struct Import {
    pub interface: String,
    /// What is behind a plain name, where the component says so.
    pub implements: String,
    pub name: String,
    pub info: weft_codec::FuncInfo,
    pub wasi: bool,
}

/// A resource that the program imports. `id` tells it from the program's others.
pub struct Resource {
    pub interface: String,
    pub name: String,
    pub id: u32,
    pub ty: ResourceType,
    pub wasi: bool,
}

pub struct Export {
    pub interface: String,
    pub name: String,
    pub info: weft_codec::FuncInfo,
}

/// What runs when the program is started.
#[derive(Clone)]
pub enum Entry {
    Command02(wasmtime_wasi::p2::bindings::CommandPre<State>),
    Command03(wasmtime_wasi::p3::bindings::CommandPre<State>),
    Http02(ProxyPre<State>),
    Http03(ServicePre<State>),
    Library,
}

/// What every instance of a linked program shares.
#[derive(Clone)]
pub struct Shared {
    pub engine: Engine,
    pub concurrent: bool,
    pub pre: InstancePre<State>,
    pub entry: Entry,
    pub limits: Limits,
    pub grants: WasiGrants,
    pub component: Arc<str>,
    pub exports: Arc<[LinkedExport]>,
}

pub struct LinkedExport {
    pub interface: String,
    pub name: String,
    pub info: weft_codec::FuncInfo,
    /// How its handles cross, or why they cannot.
    pub route: core::result::Result<Option<Arc<Route>>, String>,
}

pub struct Linked {
    pub(crate) shared: Arc<Shared>,
}

impl Linked {
    pub fn concurrent(&self) -> bool {
        self.shared.concurrent
    }

    /// The same, for instances of other limits and grants. Cheap enough for each run.
    pub fn with(&self, limits: Limits, grants: WasiGrants) -> Box<Self> {
        Box::new(Self { shared: Arc::new(Shared { limits, grants, ..(*self.shared).clone() }) })
    }
}

/// A component, before it is compiled.
pub struct Source {
    bytes: Vec<u8>,
    concurrent: bool,
}

impl Source {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    pub fn concurrent(&self) -> bool {
        self.concurrent
    }
}

pub fn program_source(bytes: &[u8]) -> Result<Box<Source>> {
    guarded(|| {
        let bytes = component_bytes(bytes)?;
        let concurrent = uses_async(&bytes)?;
        Ok(Box::new(Source { bytes, concurrent }))
    })
}

pub fn program_compile(runtime: &Runtime, source: &Source, pooled: bool) -> Result<Box<Program>> {
    guarded(|| {
        let kind = EngineKind { concurrent: source.concurrent, pooled };
        let engine = runtime.engine(kind)?.clone();
        let component = Component::from_binary(&engine, &source.bytes)?;
        describe(engine, source.concurrent, component).map(Box::new)
    })
}

/// # Safety
/// The file is what `Program::artefact` gave, whole, and nobody changes it: it is code.
pub unsafe fn program_map(
    runtime: &Runtime,
    path: &str,
    concurrent: bool,
    pooled: bool,
) -> Result<Box<Program>> {
    guarded(|| {
        let engine = runtime.engine(EngineKind { concurrent, pooled })?.clone();
        // SAFETY: said above; Wasmtime checks that it is of this version and these settings.
        let component = unsafe { Component::deserialize_file(&engine, path)? };
        describe(engine, concurrent, component).map(Box::new)
    })
}

/// The bytes of a component: text is assembled, a WASI 0.1 module is adapted.
pub(crate) fn component_bytes(bytes: &[u8]) -> Result<Vec<u8>> {
    let bytes = if bytes.starts_with(b"\0asm") {
        bytes.to_vec()
    } else if bytes.starts_with(b"\x7fELF") {
        wasmtime::bail!(
            "it is a precompiled program: weft compiles for itself, give it the .wasm that it was \
             made from"
        );
    } else {
        let text = std::str::from_utf8(bytes).ok().filter(|text| looks_like_text(text));
        let Some(text) = text else {
            wasmtime::bail!("it is not WebAssembly: it begins neither with \\0asm nor with text");
        };
        wat::parse_str(text).map_err(|error| wasmtime::format_err!("{error}"))?
    };
    match bytes.get(4..8) {
        Some([1, 0, 0, 0]) => {
            uses_async(&bytes)?;
            weft_toolchain::adapt_module(&bytes)
                .map_err(|error| wasmtime::format_err!("adapting the WASI 0.1 module: {error:#}"))
        }
        Some([_, _, 1, 0]) => Ok(bytes),
        Some(_) => wasmtime::bail!("it is WebAssembly of a version that weft does not know"),
        None => wasmtime::bail!("it is cut off after {} bytes", bytes.len()),
    }
}

fn looks_like_text(text: &str) -> bool {
    let start = text.trim_start();
    start.starts_with('(') || start.starts_with(";;")
}

/// Whether a component uses the component model's async parts, or WASI 0.3; refuses what cannot
/// cross the door.
pub(crate) fn uses_async(bytes: &[u8]) -> Result<bool> {
    use wasmparser::{CanonicalFunction as F, CanonicalOption, Parser, Payload};
    let mut found = false;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.context("it is damaged or cut off")? {
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    let import = import.context("its imports are damaged")?;
                    found |= import.name.name.contains("@0.3.");
                }
            }
            Payload::ComponentTypeSection(types) => {
                for ty in types {
                    found |= is_async(&ty.context("its types are damaged")?);
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions {
                    found |= match function.context("its functions are damaged")? {
                        F::Lift { options, .. } | F::Lower { options, .. } => {
                            options.contains(&CanonicalOption::Async)
                        }
                        F::ResourceNew { .. } | F::ResourceDrop { .. } | F::ResourceRep { .. } => {
                            false
                        }
                        F::ErrorContextNew { .. }
                        | F::ErrorContextDebugMessage { .. }
                        | F::ErrorContextDrop => {
                            wasmtime::bail!(
                                "it uses error-context, which is not settled yet: build it \
                                 without"
                            )
                        }
                        _ => true,
                    };
                }
            }
            Payload::MemorySection(memories) => {
                for memory in memories {
                    if memory.is_ok_and(|memory| memory.memory64) {
                        wasmtime::bail!("it has a 64-bit memory: build it for wasm32");
                    }
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

/// Whether a type can only be named where there is concurrency.
fn is_async(ty: &wasmparser::ComponentType<'_>) -> bool {
    use wasmparser::{ComponentDefinedType as D, ComponentType as T};
    use wasmparser::{ComponentTypeDeclaration as C, InstanceTypeDeclaration as I};
    match ty {
        T::Defined(defined) => matches!(defined, D::Stream(_) | D::Future(_)),
        T::Func(func) => func.async_,
        T::Instance(parts) => parts.iter().any(|part| matches!(part, I::Type(ty) if is_async(ty))),
        T::Component(parts) => parts.iter().any(|part| matches!(part, C::Type(ty) if is_async(ty))),
        T::Resource { .. } => false,
    }
}

/// Packages that Wasmtime's own crates serve.
pub(crate) fn is_wasi(interface: &str) -> bool {
    ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"].iter().any(|package| {
        interface
            .strip_prefix("wasi:")
            .and_then(|rest| rest.strip_prefix(package))
            .is_some_and(|rest| rest.starts_with('/'))
    })
}

fn describe(engine: Engine, concurrent: bool, component: Component) -> Result<Program> {
    let ty = component.component_type();
    let mut imports = Vec::new();
    let mut resources = Vec::new();
    let mut types: Vec<ResourceType> = Vec::new();
    let names = resource_names(&ty, &engine);
    let name_of =
        |ty: ResourceType| names.get(&format!("{ty:?}")).cloned().unwrap_or("resource".into());
    for (interface, item) in ty.imports(&engine) {
        let wasi = is_wasi(interface);
        match item.ty {
            ComponentItem::ComponentInstance(instance) => {
                for (name, export) in instance.exports(&engine) {
                    match export.ty {
                        ComponentItem::ComponentFunc(func) => imports.push(Import {
                            interface: interface.into(),
                            implements: item.implements.unwrap_or_default().into(),
                            name: name.into(),
                            info: weft_codec::FuncInfo::new(&func, &ty, &name_of)
                                .with_context(|| format!("{interface}#{name}"))?,
                            wasi,
                        }),
                        ComponentItem::Resource(resource) => {
                            // An interface that uses another's resource imports the same one.
                            let known = types.iter().position(|each| *each == resource);
                            let id = known.unwrap_or_else(|| {
                                types.push(resource);
                                types.len() - 1
                            });
                            resources.push(Resource {
                                interface: interface.into(),
                                name: name.into(),
                                id: id as u32,
                                ty: resource,
                                wasi,
                            });
                        }
                        _ => {}
                    }
                }
            }
            ComponentItem::ComponentFunc(func) => imports.push(Import {
                interface: String::new(),
                implements: String::new(),
                name: interface.into(),
                info: weft_codec::FuncInfo::new(&func, &ty, &name_of)
                    .with_context(|| interface.to_string())?,
                wasi: false,
            }),
            ComponentItem::Type(_) => {}
            _ => wasmtime::bail!(
                "it imports {interface}, which is neither an interface nor a function: \
                 compose it first"
            ),
        }
    }
    let exports = exported_functions(&ty, &engine, &name_of)?;
    let kind = kind_of(exports.iter().map(|export| export.interface.as_str()));
    Ok(Program { engine, concurrent, component, kind, imports, resources, exports })
}

fn resource_names(ty: &ComponentType, engine: &Engine) -> HashMap<String, String> {
    let mut names = HashMap::new();
    for (_, item) in ty.imports(engine).chain(ty.exports(engine)) {
        if let ComponentItem::ComponentInstance(instance) = item.ty {
            for (name, export) in instance.exports(engine) {
                if let ComponentItem::Resource(resource) = export.ty {
                    names.entry(format!("{resource:?}")).or_insert(name.to_string());
                }
            }
        }
    }
    names
}

fn exported_functions(
    ty: &ComponentType,
    engine: &Engine,
    name_of: &dyn Fn(ResourceType) -> String,
) -> Result<Vec<Export>> {
    let mut exports = Vec::new();
    for (interface, item) in ty.exports(engine) {
        match item.ty {
            ComponentItem::ComponentInstance(instance) => {
                for (name, export) in instance.exports(engine) {
                    if let ComponentItem::ComponentFunc(func) = export.ty {
                        let info = weft_codec::FuncInfo::new(&func, ty, name_of)
                            .with_context(|| format!("{interface}#{name}"))?;
                        exports.push(Export {
                            interface: interface.into(),
                            name: name.into(),
                            info,
                        });
                    }
                }
            }
            ComponentItem::ComponentFunc(func) => {
                let info = weft_codec::FuncInfo::new(&func, ty, name_of)
                    .with_context(|| interface.to_string())?;
                exports.push(Export { interface: String::new(), name: interface.into(), info });
            }
            _ => {}
        }
    }
    Ok(exports)
}

pub(crate) fn kind_of<'a>(exports: impl Iterator<Item = &'a str> + Clone) -> ProgramKind {
    let has = |prefix: &str| exports.clone().any(|interface| interface.starts_with(prefix));
    if has("wasi:http/handler@0.3.") {
        ProgramKind::Http03
    } else if has("wasi:http/incoming-handler@0.2.") {
        ProgramKind::Http02
    } else if has("wasi:cli/run@0.3.") {
        ProgramKind::Command03
    } else if has("wasi:cli/run@0.2.") {
        ProgramKind::Command02
    } else {
        ProgramKind::Library
    }
}

impl Program {
    pub fn artefact(&self) -> Result<Vec<u8>> {
        guarded(|| self.component.serialize())
    }

    pub fn info(&self) -> ProgramInfo {
        ProgramInfo {
            kind: self.kind,
            functions: self
                .imports
                .iter()
                .map(|import| ImportedFunction {
                    interface: import.interface.clone(),
                    implements: import.implements.clone(),
                    name: import.name.clone(),
                    signature: import.info.signature.clone(),
                    is_async: import.info.is_async,
                    plain: import.info.plain,
                    wasi: import.wasi,
                })
                .collect(),
            resources: self
                .resources
                .iter()
                .map(|resource| ImportedResource {
                    interface: resource.interface.clone(),
                    name: resource.name.clone(),
                    wasi: resource.wasi,
                })
                .collect(),
            exports: self
                .exports
                .iter()
                .map(|export| ExportedFunction {
                    interface: export.interface.clone(),
                    name: export.name.clone(),
                    signature: export.info.signature.clone(),
                    is_async: export.info.is_async,
                    plain: export.info.plain,
                })
                .collect(),
        }
    }
}

/// Refuses a program that no instance of could be made within its limits.
fn fits(component: &Component, limits: &Limits) -> Result<()> {
    let Some(needs) = component.resources_required() else { return Ok(()) };
    let memory = needs.max_initial_memory_size.unwrap_or(0).saturating_mul(WASM_PAGE);
    if limits.memory_bytes != 0 && memory > limits.memory_bytes {
        wasmtime::bail!(
            "it begins with {memory} bytes of memory, its limit is {}: raise --memory",
            limits.memory_bytes
        );
    }
    let table = needs.max_initial_table_size.unwrap_or(0);
    if limits.table_elements != 0 && table > limits.table_elements {
        wasmtime::bail!(
            "it begins with {table} table elements, its limit is {}",
            limits.table_elements
        );
    }
    Ok(())
}

pub fn program_link(
    program: &Program,
    serve: &[bool],
    component: &str,
    limits: &Limits,
    grants: &WasiGrants,
) -> Result<Box<Linked>> {
    guarded(|| {
        let mut linker: Linker<State> = Linker::new(&program.engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
        if program.concurrent {
            wasmtime_wasi::p3::add_to_linker(&mut linker)?;
            wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
        }
        crate::sockets::guard(&mut linker, &grants.gate, program.concurrent)?;
        linker.allow_shadowing(false);
        door::add_to_linker(&mut linker, program, serve)?;
        fits(&program.component, limits)?;
        let pre = linker.instantiate_pre(&program.component)?;
        let entry = match program.kind {
            ProgramKind::Command02 => {
                Entry::Command02(wasmtime_wasi::p2::bindings::CommandPre::new(pre.clone())?)
            }
            ProgramKind::Command03 => {
                Entry::Command03(wasmtime_wasi::p3::bindings::CommandPre::new(pre.clone())?)
            }
            ProgramKind::Http02 => Entry::Http02(ProxyPre::new(pre.clone())?),
            ProgramKind::Http03 => Entry::Http03(ServicePre::new(pre.clone())?),
            _ => Entry::Library,
        };
        Ok(Box::new(Linked {
            shared: Arc::new(Shared {
                engine: program.engine.clone(),
                concurrent: program.concurrent,
                pre,
                entry,
                limits: limits.clone(),
                grants: grants.clone(),
                component: component.into(),
                exports: program
                    .exports
                    .iter()
                    .map(|e| LinkedExport {
                        interface: e.interface.clone(),
                        name: e.name.clone(),
                        info: e.info.clone(),
                        route: pipes::route(&e.info, &program.resources)
                            .map_err(|error| format!("{error:#}")),
                    })
                    .collect(),
            }),
        }))
    })
}
