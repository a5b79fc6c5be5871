//! What must be known of a function before it is linked or called.

use crate::plan::find;
use crate::scan::{HandleKind, Plan, kinds};
use crate::values::{params_flat, results_flat, return_flat};
use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use wasmtime::component::__internal::wasmtime_environ::component::TypeResourceTableIndex;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, ComponentTypes, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::types::{Component, ComponentFunc};
use wasmtime::component::{ComponentNamedList, ComponentType, Lift, Lower, ResourceType, Type};
use wasmtime::{Result, ValRaw, bail};

/// A longer text of a signature is refused: shared types can spell out to any length.
const SIGNATURE_BYTES_MAX: usize = 1 << 20;

/// A function of a component, compiled.
#[derive(Clone)]
pub struct FuncInfo {
    /// Declared `async`: such an import needs `func_wrap_concurrent`, any other `func_wrap_async`.
    pub is_async: bool,
    /// N of `DynIn<N>`: 0 to 16; 0 where there are more, which then go through memory.
    pub params_flat: usize,
    /// M of `DynOut<M, _>`: 0 or 1; 0 where there are more.
    pub results_flat: usize,
    /// M of `DynRet<M>`: 0 to 16; 1 where there are more. Fits however the guest lifts it.
    pub return_flat: usize,
    /// Whether neither parameters nor results can hold a handle, so that their bytes may be passed
    /// on as they are.
    pub plain: bool,
    /// `func(bucket: borrow<bucket>, key: string) -> result<option<list<u8>>, error>`, with every
    /// type but resources spelled out.
    pub signature: String,
    pub params: Plan,
    pub results: Plan,
    /// The kinds of handles that can be in it.
    pub handles: Vec<HandleKind>,
    /// The resources in it, by the numbers that [`HandleKind`] has.
    pub resources: Vec<(u32, ResourceType)>,
}

impl FuncInfo {
    /// Of a function in the type of `component`; `names` names the resources in the signature.
    pub fn new(
        func: &ComponentFunc,
        component: &Component,
        names: &dyn Fn(ResourceType) -> String,
    ) -> Result<FuncInfo> {
        let instance = component.instance_type();
        func.typecheck::<Probe, Probe>(&instance)?;
        let found = PROBED.with(|probed| std::mem::take(&mut *probed.borrow_mut()));
        let [Some((types, params)), Some((_, results))] = found else {
            bail!("a function without a type");
        };
        let program = find(types);
        let plan = |ty| {
            let node = program.tuple(ty)?.clone();
            Ok::<_, wasmtime::Error>(Plan { node, _program: program.clone() })
        };
        let (params, results) = (plan(params)?, plan(results)?);
        let mut handles = Vec::new();
        kinds(&params.node, &mut handles)?;
        kinds(&results.node, &mut handles)?;
        let mut tables = Vec::new();
        for handle in &handles {
            match handle {
                HandleKind::Own(table) | HandleKind::Borrow(table) if !tables.contains(table) => {
                    tables.push(*table);
                }
                _ => {}
            }
        }
        Ok(FuncInfo {
            is_async: func.async_(),
            params_flat: params_flat(&params.node),
            results_flat: results_flat(&results.node),
            return_flat: return_flat(&results.node),
            plain: params.plain() && results.plain(),
            signature: signature(func, names)?,
            handles,
            resources: tables
                .into_iter()
                .map(|table| {
                    (table, instance.resource_type(TypeResourceTableIndex::from_u32(table)))
                })
                .collect(),
            params,
            results,
        })
    }
}

fn signature(func: &ComponentFunc, names: &dyn Fn(ResourceType) -> String) -> Result<String> {
    let mut text = Text { out: String::new(), names };
    if func.async_() {
        text.out.push_str("async ");
    }
    text.out.push_str("func(");
    for (index, (name, ty)) in func.params().enumerate() {
        text.separate(index);
        text.out.push_str(name);
        text.out.push_str(": ");
        text.ty(&ty)?;
    }
    text.out.push(')');
    for ty in func.results() {
        text.out.push_str(" -> ");
        text.ty(&ty)?;
    }
    Ok(text.out)
}

struct Text<'n> {
    out: String,
    names: &'n dyn Fn(ResourceType) -> String,
}

impl Text<'_> {
    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(", ");
        }
    }

    /// `head<first, second>`, with `_` for what is absent before something present.
    fn generic(&mut self, head: &str, types: &[Option<Type>]) -> Result<()> {
        self.out.push_str(head);
        let Some(last) = types.iter().rposition(Option::is_some) else {
            return Ok(());
        };
        self.out.push('<');
        for (index, ty) in types[..=last].iter().enumerate() {
            self.separate(index);
            match ty {
                Some(ty) => self.ty(ty)?,
                None => self.out.push('_'),
            }
        }
        self.out.push('>');
        Ok(())
    }

    fn names<'a>(&mut self, head: &str, names: impl Iterator<Item = &'a str>) {
        self.out.push_str(head);
        self.out.push('{');
        for (index, name) in names.enumerate() {
            self.separate(index);
            self.out.push_str(name);
        }
        self.out.push('}');
    }

    fn ty(&mut self, ty: &Type) -> Result<()> {
        if self.out.len() > SIGNATURE_BYTES_MAX {
            bail!("a signature of more than {SIGNATURE_BYTES_MAX} bytes");
        }
        match ty {
            Type::Bool => self.out.push_str("bool"),
            Type::S8 => self.out.push_str("s8"),
            Type::U8 => self.out.push_str("u8"),
            Type::S16 => self.out.push_str("s16"),
            Type::U16 => self.out.push_str("u16"),
            Type::S32 => self.out.push_str("s32"),
            Type::U32 => self.out.push_str("u32"),
            Type::S64 => self.out.push_str("s64"),
            Type::U64 => self.out.push_str("u64"),
            Type::Float32 => self.out.push_str("f32"),
            Type::Float64 => self.out.push_str("f64"),
            Type::Char => self.out.push_str("char"),
            Type::String => self.out.push_str("string"),
            Type::ErrorContext => self.out.push_str("error-context"),
            Type::List(list) => self.generic("list", &[Some(list.ty())])?,
            Type::FixedLengthList(list) => {
                self.out.push_str("list<");
                self.ty(&list.ty())?;
                self.out.push_str(&format!(", {}>", list.len()));
            }
            Type::Map(map) => self.generic("map", &[Some(map.key()), Some(map.value())])?,
            Type::Tuple(tuple) => {
                self.generic("tuple", &tuple.types().map(Some).collect::<Vec<_>>())?;
            }
            Type::Option(option) => self.generic("option", &[Some(option.ty())])?,
            Type::Result(result) => self.generic("result", &[result.ok(), result.err()])?,
            Type::Stream(stream) => self.generic("stream", &[stream.ty()])?,
            Type::Future(future) => self.generic("future", &[future.ty()])?,
            Type::Own(resource) => {
                let name = (self.names)(*resource);
                self.out.push_str(&format!("own<{name}>"));
            }
            Type::Borrow(resource) => {
                let name = (self.names)(*resource);
                self.out.push_str(&format!("borrow<{name}>"));
            }
            Type::Enum(cases) => self.names("enum", cases.names()),
            Type::Flags(flags) => self.names("flags", flags.names()),
            Type::Record(record) => {
                self.out.push_str("record{");
                for (index, field) in record.fields().enumerate() {
                    self.separate(index);
                    self.out.push_str(field.name);
                    self.out.push_str(": ");
                    self.ty(&field.ty)?;
                }
                self.out.push('}');
            }
            Type::Variant(variant) => {
                self.out.push_str("variant{");
                for (index, case) in variant.cases().enumerate() {
                    self.separate(index);
                    self.out.push_str(case.name);
                    if let Some(ty) = &case.ty {
                        self.out.push('(');
                        self.ty(ty)?;
                        self.out.push(')');
                    }
                }
                self.out.push('}');
            }
        }
        Ok(())
    }
}

type Probed = Option<(Arc<ComponentTypes>, InterfaceType)>;

thread_local! {
    static PROBED: RefCell<[Probed; 2]> = const { RefCell::new([None, None]) };
}

/// Learns the indices of a function's types, which the public types hide. Never lifted or lowered.
struct Probe;

// SAFETY: never used for a call.
unsafe impl ComponentType for Probe {
    type Lower = [ValRaw; 0];
    const ABI: CanonicalAbiInfo = CanonicalAbiInfo::ZERO;
    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        PROBED.with(|probed| {
            let probed = &mut *probed.borrow_mut();
            let place = usize::from(probed[0].is_some());
            probed[place] = Some((types.types.clone(), *ty));
        });
        Ok(())
    }
}
// SAFETY: never used for a call.
unsafe impl ComponentNamedList for Probe {}
// SAFETY: never used for a call.
unsafe impl Lift for Probe {
    fn linear_lift_from_flat(
        _cx: &mut LiftContext<'_>,
        _ty: InterfaceType,
        _source: &Self::Lower,
    ) -> Result<Self> {
        bail!("a probe")
    }
    fn linear_lift_from_memory(
        _cx: &mut LiftContext<'_>,
        _ty: InterfaceType,
        _bytes: &[u8],
    ) -> Result<Self> {
        bail!("a probe")
    }
}
// SAFETY: never used for a call.
unsafe impl Lower for Probe {
    fn linear_lower_to_flat<T>(
        &self,
        _cx: &mut LowerContext<'_, T>,
        _ty: InterfaceType,
        _target: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        bail!("a probe")
    }
    fn linear_lower_to_memory<T>(
        &self,
        _cx: &mut LowerContext<'_, T>,
        _ty: InterfaceType,
        _offset: usize,
    ) -> Result<()> {
        bail!("a probe")
    }
}
