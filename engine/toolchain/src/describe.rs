//! Interfaces as JSON, for the C++ bindings generator.

use std::collections::HashMap;

use anyhow::{Result, bail};
use serde_json::{Value, json};
use wit_component::{StringEncoding, metadata};
use wit_parser::{
    Function, FunctionKind, Handle, InterfaceId, PackageId, Resolve, Type, TypeDefKind, TypeId,
    TypeOwner, WorldId, WorldItem, WorldKey,
};

use crate::resolve::Wit;
use crate::signature::{follow, primitive, signature};

/// Describes `interfaces` (all of the package's own when none is named), and every interface they
/// use types of, each after those it uses. Worlds add the interfaces they import and export, and
/// their own functions as an interface `$root`. An empty name is the package's only world.
pub fn describe(wit: &Wit, interfaces: &[String], worlds: &[String]) -> Result<String> {
    let resolve = &wit.resolve;
    let mut wanted = Vec::new();
    for name in interfaces {
        wanted.push(wit.interface(name)?);
    }
    let mut names = HashMap::new();
    let mut sides = Vec::new();
    for name in worlds {
        let world = wit.world(Some(name.as_str()).filter(|name| !name.is_empty()))?;
        let all = resolve.worlds[world].imports.iter().chain(&resolve.worlds[world].exports);
        for (key, item) in all {
            if let WorldItem::Interface { id, .. } = item {
                wanted.push(*id);
                names.insert(*id, resolve.name_world_key(key));
            }
        }
        sides.push((world, world_sides(resolve, world)?));
    }
    if interfaces.is_empty() && worlds.is_empty() {
        wanted.extend(resolve.packages[wit.package].interfaces.values());
    }

    let mut order = Vec::new();
    for id in wanted {
        visit(resolve, id, &mut order);
    }
    let mut packages: Vec<String> = Vec::new();
    let mut described = Vec::new();
    for id in order {
        if let Some(package) = resolve.interfaces[id].package {
            let name = resolve.packages[package].name.to_string();
            if !packages.contains(&name) {
                packages.push(name);
            }
        }
        let name = names.remove(&id).unwrap_or_else(|| interface_name(resolve, id));
        described.push(Describer::new(resolve, Some(id), name).describe()?);
    }
    for (world, _) in &sides {
        described.extend(Describer::new(resolve, None, ROOT.to_string()).describe_root(*world)?);
    }
    let worlds: Vec<Value> = sides.into_iter().map(|(_, sides)| sides).collect();
    let all = json!({ "packages": packages, "interfaces": described, "worlds": worlds });
    Ok(serde_json::to_string_pretty(&all)?)
}

/// The interface that a world's own functions are described as.
const ROOT: &str = "$root";

/// What a world imports and exports by name, and how it is encoded in a guest's module.
fn world_sides(resolve: &Resolve, world: WorldId) -> Result<Value> {
    let encoded = metadata::encode(resolve, world, StringEncoding::UTF8, None, false)?;
    let world = &resolve.worlds[world];
    let name = |(key, item): (&WorldKey, &WorldItem)| match item {
        WorldItem::Interface { .. } => Some(resolve.name_world_key(key)),
        WorldItem::Function(_) => Some(ROOT.to_string()),
        WorldItem::Type { .. } => None,
    };
    Ok(json!({
        "name": world.name,
        "imports": world.imports.iter().filter_map(name).collect::<Vec<_>>(),
        "exports": world.exports.iter().filter_map(name).collect::<Vec<_>>(),
        "encoded": encoded.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    }))
}

/// Adds `id` to `order`, after the interfaces whose types it uses.
fn visit(resolve: &Resolve, id: InterfaceId, order: &mut Vec<InterfaceId>) {
    if order.contains(&id) {
        return;
    }
    for dependency in resolve.interface_direct_deps(id) {
        visit(resolve, dependency, order);
    }
    if !order.contains(&id) {
        order.push(id);
    }
}

fn interface_name(resolve: &Resolve, id: InterfaceId) -> String {
    let name = || resolve.interfaces[id].name.clone().unwrap_or_else(|| "anonymous".to_string());
    resolve.id_of(id).unwrap_or_else(name)
}

/// Numbers the types of one interface while it goes through them.
struct Describer<'a> {
    resolve: &'a Resolve,
    /// None: a world's own functions.
    interface: Option<InterfaceId>,
    name: String,
    numbers: HashMap<TypeId, usize>,
    types: Vec<Value>,
}

impl<'a> Describer<'a> {
    fn new(resolve: &'a Resolve, interface: Option<InterfaceId>, name: String) -> Self {
        Describer { resolve, interface, name, numbers: HashMap::new(), types: Vec::new() }
    }

    fn describe(mut self) -> Result<Value> {
        let interface = &self.resolve.interfaces[self.interface.expect("not a world")];
        // Named types first, in the order of the file.
        for id in interface.types.values() {
            self.number(*id);
        }
        let mut functions = Vec::new();
        for function in interface.functions.values() {
            functions.push(self.function(function)?);
        }
        let short = interface.name.clone().unwrap_or_else(|| self.name.clone());
        Ok(self.finish(interface.package, short, functions))
    }

    /// A world's own functions, those it imports before those it exports; None when it has none.
    fn describe_root(mut self, world: WorldId) -> Result<Option<Value>> {
        let world = &self.resolve.worlds[world];
        for item in world.imports.values() {
            if let WorldItem::Type { id, .. } = item {
                self.number(*id);
            }
        }
        let mut functions = Vec::new();
        let mut imported = 0;
        for (side, items) in [&world.imports, &world.exports].into_iter().enumerate() {
            for item in items.values() {
                if let WorldItem::Function(function) = item {
                    functions.push(self.function(function)?);
                    imported += 1 - side;
                }
            }
        }
        if functions.is_empty() && self.types.is_empty() {
            return Ok(None);
        }
        let mut value = self.finish(world.package, world.name.clone(), functions);
        value["imported"] = json!(imported);
        Ok(Some(value))
    }

    fn finish(self, package: Option<PackageId>, short: String, functions: Vec<Value>) -> Value {
        let package = package.map(|p| &self.resolve.packages[p].name);
        json!({
            "name": self.name,
            "package": package.map(|p| format!("{}:{}", p.namespace, p.name)),
            "interface": short,
            "version": package.and_then(|p| p.version.as_ref()).map(|v| v.to_string()),
            "types": self.types,
            "functions": functions,
        })
    }

    fn function(&mut self, function: &Function) -> Result<Value> {
        let (kind, resource) = match function.kind {
            FunctionKind::Freestanding | FunctionKind::AsyncFreestanding => ("free", None),
            FunctionKind::Method(r) | FunctionKind::AsyncMethod(r) => ("method", Some(r)),
            FunctionKind::Static(r) | FunctionKind::AsyncStatic(r) => ("static", Some(r)),
            FunctionKind::Constructor(r) => ("constructor", Some(r)),
            _ => bail!("{}: getters and setters are not served: {}", self.name, function.name),
        };
        let params = function.params.iter();
        let params = params.map(|p| json!({ "name": p.name, "type": self.ty(&p.ty) }));
        let params: Vec<Value> = params.collect();
        let result = function.result.as_ref().map(|ty| self.ty(ty));
        Ok(json!({
            "name": function.name,
            "kind": kind,
            "resource": resource.and_then(|r| self.resolve.types[r].name.clone()),
            "async": function.kind.is_async(),
            "params": params,
            "result": result,
            "signature": signature(self.resolve, function),
        }))
    }

    fn ty(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Id(id) => json!({ "id": self.number(*id) }),
            other => json!(primitive(other)),
        }
    }

    fn optional(&mut self, ty: &Option<Type>) -> Value {
        ty.as_ref().map_or(Value::Null, |ty| self.ty(ty))
    }

    /// The type's place in the list. A type comes after those it is made of.
    fn number(&mut self, id: TypeId) -> usize {
        if let Some(number) = self.numbers.get(&id) {
            return *number;
        }
        let mut value = self.definition(id);
        let number = self.types.len();
        let fields = value.as_object_mut().expect("a definition is an object");
        fields.insert("id".to_string(), json!(number));
        fields.insert("name".to_string(), json!(self.resolve.types[id].name));
        if !fields.contains_key("owner") {
            fields.insert("owner".to_string(), json!(self.name));
        }
        self.types.push(value);
        self.numbers.insert(id, number);
        number
    }

    fn definition(&mut self, id: TypeId) -> Value {
        let resolve = self.resolve;
        match &resolve.types[id].kind {
            TypeDefKind::Record(r) => {
                let fields = r.fields.iter();
                let fields = fields.map(|f| json!({ "name": f.name, "type": self.ty(&f.ty) }));
                json!({ "kind": "record", "fields": fields.collect::<Vec<_>>() })
            }
            TypeDefKind::Variant(v) => {
                let cases = v.cases.iter();
                let cases = cases.map(|c| json!({ "name": c.name, "type": self.optional(&c.ty) }));
                json!({ "kind": "variant", "cases": cases.collect::<Vec<_>>() })
            }
            TypeDefKind::Enum(e) => {
                let cases = e.cases.iter().map(|c| c.name.as_str());
                json!({ "kind": "enum", "cases": cases.collect::<Vec<_>>() })
            }
            TypeDefKind::Flags(f) => {
                let flags = f.flags.iter().map(|f| f.name.as_str());
                json!({ "kind": "flags", "flags": flags.collect::<Vec<_>>() })
            }
            TypeDefKind::Tuple(t) => {
                let types: Vec<Value> = t.types.iter().map(|ty| self.ty(ty)).collect();
                json!({ "kind": "tuple", "types": types })
            }
            TypeDefKind::Option(ty) => json!({ "kind": "option", "type": self.ty(ty) }),
            TypeDefKind::Result(r) => {
                let (ok, err) = (self.optional(&r.ok), self.optional(&r.err));
                json!({ "kind": "result", "ok": ok, "err": err })
            }
            TypeDefKind::List(ty) => json!({ "kind": "list", "type": self.ty(ty) }),
            TypeDefKind::FixedLengthList(ty, length) => {
                json!({ "kind": "fixed-list", "type": self.ty(ty), "length": length })
            }
            TypeDefKind::Map(key, value) => {
                let (key, value) = (self.ty(key), self.ty(value));
                json!({ "kind": "map", "key": key, "value": value })
            }
            TypeDefKind::Resource => json!({ "kind": "resource" }),
            TypeDefKind::Handle(Handle::Own(r)) => {
                json!({ "kind": "own", "resource": self.number(*r) })
            }
            TypeDefKind::Handle(Handle::Borrow(r)) => {
                json!({ "kind": "borrow", "resource": self.number(*r) })
            }
            TypeDefKind::Stream(ty) => json!({ "kind": "stream", "type": self.optional(ty) }),
            TypeDefKind::Future(ty) => json!({ "kind": "future", "type": self.optional(ty) }),
            TypeDefKind::Type(ty) => self.alias(ty),
            TypeDefKind::Unknown => unreachable!("resolved WIT has no unknown types"),
        }
    }

    /// `type a = b` carries its type; a `use` says whose type it is, what it is called there, and
    /// what kind of type that is in the end.
    fn alias(&mut self, ty: &Type) -> Value {
        let Type::Id(target) = ty else {
            return json!({ "kind": "alias", "type": self.ty(ty) });
        };
        let definition = &self.resolve.types[*target];
        let underlying = self.resolve.types[follow(self.resolve, *target)].kind.as_str();
        match definition.owner {
            TypeOwner::Interface(owner) if Some(owner) != self.interface => json!({
                "kind": "alias",
                "owner": interface_name(self.resolve, owner),
                "original": definition.name,
                "underlying": underlying,
                "type": Value::Null,
            }),
            _ => json!({
                "kind": "alias",
                "original": definition.name,
                "underlying": underlying,
                "type": self.ty(ty),
            }),
        }
    }
}
