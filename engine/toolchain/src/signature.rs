//! The canonical text of a function's type: structural, so that two declarations of one shape have
//! one text. The codec prints the same text from a loaded component.

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind, TypeId};

/// `func(self: borrow<bucket>, key: string) -> result<option<list<u8>>, variant{...}>`
pub fn signature(resolve: &Resolve, function: &Function) -> String {
    let mut out = String::from(if function.kind.is_async() { "async func(" } else { "func(" });
    let params = function.params.iter().map(|p| format!("{}: {}", p.name, text(resolve, &p.ty)));
    out.push_str(&params.collect::<Vec<_>>().join(", "));
    out.push(')');
    if let Some(result) = &function.result {
        out.push_str(" -> ");
        out.push_str(&text(resolve, result));
    }
    out
}

/// The type's own name for a primitive, or nothing.
pub fn primitive(ty: &Type) -> Option<&'static str> {
    Some(match ty {
        Type::Bool => "bool",
        Type::U8 => "u8",
        Type::U16 => "u16",
        Type::U32 => "u32",
        Type::U64 => "u64",
        Type::S8 => "s8",
        Type::S16 => "s16",
        Type::S32 => "s32",
        Type::S64 => "s64",
        Type::F32 => "f32",
        Type::F64 => "f64",
        Type::Char => "char",
        Type::String => "string",
        Type::ErrorContext => "error-context",
        Type::Id(_) => return None,
    })
}

/// The type an alias stands for in the end.
pub fn follow(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let TypeDefKind::Type(Type::Id(next)) = resolve.types[id].kind {
        id = next;
    }
    id
}

fn resource_name(resolve: &Resolve, id: TypeId) -> &str {
    resolve.types[follow(resolve, id)].name.as_deref().expect("a resource has a name")
}

fn text(resolve: &Resolve, ty: &Type) -> String {
    let id = match ty {
        Type::Id(id) => *id,
        other => return primitive(other).expect("not an id").to_string(),
    };
    let one = |ty: &Type| text(resolve, ty);
    let optional = |name: &str, ty: &Option<Type>| match ty {
        Some(ty) => format!("{name}<{}>", one(ty)),
        None => name.to_string(),
    };
    let braces = |name: &str, items: Vec<String>| format!("{name}{{{}}}", items.join(", "));
    match &resolve.types[id].kind {
        TypeDefKind::Type(ty) => one(ty),
        TypeDefKind::Record(r) => {
            let fields = r.fields.iter().map(|f| format!("{}: {}", f.name, one(&f.ty)));
            braces("record", fields.collect())
        }
        TypeDefKind::Variant(v) => {
            let cases = v.cases.iter().map(|c| match &c.ty {
                Some(ty) => format!("{}({})", c.name, one(ty)),
                None => c.name.clone(),
            });
            braces("variant", cases.collect())
        }
        TypeDefKind::Enum(e) => braces("enum", e.cases.iter().map(|c| c.name.clone()).collect()),
        TypeDefKind::Flags(f) => braces("flags", f.flags.iter().map(|f| f.name.clone()).collect()),
        TypeDefKind::Tuple(t) => {
            format!("tuple<{}>", t.types.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Option(ty) => format!("option<{}>", one(ty)),
        TypeDefKind::Result(r) => match (&r.ok, &r.err) {
            (None, None) => "result".to_string(),
            (Some(ok), None) => format!("result<{}>", one(ok)),
            (None, Some(err)) => format!("result<_, {}>", one(err)),
            (Some(ok), Some(err)) => format!("result<{}, {}>", one(ok), one(err)),
        },
        TypeDefKind::List(ty) => format!("list<{}>", one(ty)),
        TypeDefKind::FixedLengthList(ty, length) => format!("list<{}, {length}>", one(ty)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", one(key), one(value)),
        TypeDefKind::Handle(Handle::Own(r)) => format!("own<{}>", resource_name(resolve, *r)),
        TypeDefKind::Handle(Handle::Borrow(r)) => {
            format!("borrow<{}>", resource_name(resolve, *r))
        }
        // A resource named where a value stands is owned.
        TypeDefKind::Resource => format!("own<{}>", resource_name(resolve, id)),
        TypeDefKind::Stream(ty) => optional("stream", ty),
        TypeDefKind::Future(ty) => optional("future", ty),
        TypeDefKind::Unknown => unreachable!("resolved WIT has no unknown types"),
    }
}
