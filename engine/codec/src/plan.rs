//! Types compiled into plans: what lifting and lowering walk instead of Wasmtime's type tables.
//!
//! A program's types never change, so that each is compiled once, at its first use, and kept for as
//! long as the program lives. Lift methods get nothing but the context and the type: the plan is
//! found through a per-thread cache of programs and a table by tuple index.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};
use wasmtime::component::__internal::wasmtime_environ::component::{
    TypeFutureTableIndex, TypeResourceTableIndex, TypeStreamTableIndex, TypeTupleIndex,
};
use wasmtime::component::__internal::{ComponentTypes, InterfaceType};
use wasmtime::{Result, bail, format_err};

/// How deep types may nest. Wasmtime's own validation stops at 100.
const DEPTH_MAX: usize = 128;
/// Programs whose plans a thread finds without a lock.
const NEAR_PROGRAMS: usize = 64;
/// Of a type that does not fit 16 core values.
pub(crate) const NOT_FLAT: u8 = u8::MAX;

/// One type, with everything resolved that its values need to be walked. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub op: Op,
    /// In linear memory.
    pub size: u32,
    pub align: u32,
    /// The fewest bytes a value is encoded in.
    pub least: u32,
    /// Core values, or NOT_FLAT.
    pub flat: u8,
    /// Whether a value is all in one place: no pointers and no handles in it.
    pub solid: bool,
    /// Whether a value's bytes mean the same anywhere: no handles in it.
    pub plain: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Bool,
    S8,
    U8,
    S16,
    U16,
    S32,
    U32,
    S64,
    U64,
    F32,
    F64,
    Char,
    String,
    /// A map is a list of pairs.
    List(Arc<Node>),
    Fixed(Arc<Node>, u32),
    /// Records and tuples.
    Fields(Arc<[Field]>),
    /// Variants, options and results.
    Variant(Arc<Variant>),
    Enum {
        count: u32,
        tag: Tag,
    },
    Flags {
        count: u32,
    },
    Own(TypeResourceTableIndex),
    Borrow(TypeResourceTableIndex),
    Stream(TypeStreamTableIndex, Payload),
    Future(TypeFutureTableIndex, Payload),
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub offset: u32,
    pub node: Node,
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub tag: Tag,
    pub payload: u32,
    /// Whether the case is encoded as one byte, 0 or 1 (option, result), and not as a number.
    pub bit: bool,
    pub cases: Box<[Option<Node>]>,
}

/// How wide a discriminant is in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tag {
    One,
    Two,
    Four,
}

/// What a stream or a future carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Payload {
    Unit,
    /// Of streams only: a future of one byte is a `Value`.
    Bytes,
    Value,
    /// A value that handles, streams or futures can be in.
    Handles,
}

impl Payload {
    fn of(node: &Node) -> Payload {
        if node.plain { Payload::Value } else { Payload::Handles }
    }
}

/// The plans of one program.
pub(crate) struct Program {
    types: Arc<ComponentTypes>,
    /// By tuple index, in rows that double in length and never move.
    rows: [OnceLock<Row>; 28],
    known: Mutex<HashMap<InterfaceType, Node>>,
}

type Row = Box<[OnceLock<Result<Node, String>>]>;

static PROGRAMS: Mutex<Programs> = Mutex::new(Programs { all: Vec::new(), sweep_at: 64 });

struct Programs {
    all: Vec<Arc<Program>>,
    sweep_at: usize,
}

thread_local! {
    static NEAR: RefCell<[Option<Arc<Program>>; NEAR_PROGRAMS]> =
        const { RefCell::new([const { None }; NEAR_PROGRAMS]) };
}

/// Frees the plans of programs that are gone. Called when a program is unloaded; also done now and
/// then while new ones come.
pub fn sweep() {
    PROGRAMS.lock().unwrap().sweep();
    NEAR.with(|near| near.borrow_mut().fill(None));
}

impl Programs {
    fn sweep(&mut self) {
        // A program nobody but its plan refers to can be referred to by nobody any more.
        self.all.retain(|program| Arc::strong_count(&program.types) > 1);
        self.sweep_at = (self.all.len() * 2).max(64);
    }
}

/// The plans of the program with these types. `shared` is the owner of `types`.
#[inline]
pub(crate) fn program<'a>(
    types: &'a ComponentTypes,
    shared: impl FnOnce() -> Arc<ComponentTypes>,
) -> &'a Program {
    let address = std::ptr::from_ref(types).addr();
    let slot = (address >> 4 ^ address >> 10) % NEAR_PROGRAMS;
    let found = NEAR.with(|near| match &near.borrow()[slot] {
        Some(program) if std::ptr::eq(&*program.types, types) => Some(Arc::as_ptr(program)),
        _ => None,
    });
    let program = found.unwrap_or_else(|| {
        let program = find(shared());
        let pointer = Arc::as_ptr(&program);
        NEAR.with(|near| near.borrow_mut()[slot] = Some(program));
        pointer
    });
    // SAFETY: PROGRAMS holds the program while anyone but it refers to `types`, as the caller does
    // for 'a: callers get `types` from a component that is alive, never from a Program.
    unsafe { &*program }
}

#[cold]
pub(crate) fn find(types: Arc<ComponentTypes>) -> Arc<Program> {
    let mut programs = PROGRAMS.lock().unwrap();
    if let Some(found) = programs.all.iter().find(|p| Arc::ptr_eq(&p.types, &types)) {
        return found.clone();
    }
    if programs.all.len() >= programs.sweep_at {
        programs.sweep();
    }
    let rows = [const { OnceLock::new() }; 28];
    let program = Arc::new(Program { types, rows, known: Mutex::default() });
    programs.all.push(program.clone());
    program
}

impl Program {
    #[inline]
    pub fn tuple(&self, ty: InterfaceType) -> Result<&Node> {
        let InterfaceType::Tuple(index) = ty else { bail!("parameters that are not a tuple") };
        // Row r holds 2^(r+3) tuples, from 2^(r+3) - 8 on.
        let place = u64::from(index.as_u32()) + 8;
        let row = place.ilog2() - 3;
        let entry = &self.rows[row as usize]
            .get_or_init(|| (0..8usize << row).map(|_| OnceLock::new()).collect())
            [(place - (8 << row)) as usize];
        match entry.get_or_init(|| self.compile_tuple(index)) {
            Ok(node) => Ok(node),
            Err(message) => Err(format_err!("{message}")),
        }
    }

    fn compile_tuple(&self, index: TypeTupleIndex) -> Result<Node, String> {
        self.node(InterfaceType::Tuple(index)).map_err(|error| format!("{error:#}"))
    }

    /// Any type's plan; slower than `tuple`.
    pub fn node(&self, ty: InterfaceType) -> Result<Node> {
        Compiler { types: &self.types, known: &mut self.known.lock().unwrap() }.node(ty, 0)
    }
}

struct Compiler<'a> {
    types: &'a ComponentTypes,
    known: &'a mut HashMap<InterfaceType, Node>,
}

impl Compiler<'_> {
    fn node(&mut self, ty: InterfaceType, depth: usize) -> Result<Node> {
        if let Some(node) = self.known.get(&ty) {
            return Ok(node.clone());
        }
        if depth > DEPTH_MAX {
            bail!("types nested more than {DEPTH_MAX} deep");
        }
        let (op, least, solid, plain) = self.op(ty, depth + 1)?;
        let abi = self.types.canonical_abi(&ty);
        let flat = abi.flat_count.unwrap_or(NOT_FLAT);
        let node = Node { op, size: abi.size32, align: abi.align32, least, flat, solid, plain };
        self.known.insert(ty, node.clone());
        Ok(node)
    }

    /// The operation, the fewest encoded bytes, `solid` and `plain`.
    fn op(&mut self, ty: InterfaceType, depth: usize) -> Result<(Op, u32, bool, bool)> {
        let types = self.types;
        Ok(match ty {
            InterfaceType::Bool => (Op::Bool, 1, true, true),
            InterfaceType::S8 => (Op::S8, 1, true, true),
            InterfaceType::U8 => (Op::U8, 1, true, true),
            InterfaceType::S16 => (Op::S16, 1, true, true),
            InterfaceType::U16 => (Op::U16, 1, true, true),
            InterfaceType::S32 => (Op::S32, 1, true, true),
            InterfaceType::U32 => (Op::U32, 1, true, true),
            InterfaceType::S64 => (Op::S64, 1, true, true),
            InterfaceType::U64 => (Op::U64, 1, true, true),
            InterfaceType::Float32 => (Op::F32, 4, true, true),
            InterfaceType::Float64 => (Op::F64, 8, true, true),
            InterfaceType::Char => (Op::Char, 1, true, true),
            InterfaceType::String => (Op::String, 1, false, true),
            InterfaceType::List(list) => {
                let element = self.node(types[list].element, depth)?;
                let plain = element.plain;
                (Op::List(Arc::new(element)), 1, false, plain)
            }
            InterfaceType::Map(map) => {
                let map = &types[map];
                let key = self.node(map.key, depth)?;
                let value = self.node(map.value, depth)?;
                let (least, solid, plain) = sum([&key, &value]);
                let fields = [
                    Field { offset: 0, node: key },
                    Field { offset: map.value_offset32, node: value },
                ];
                let entry = Node {
                    op: Op::Fields(Arc::new(fields)),
                    size: map.entry_abi.size32,
                    align: map.entry_abi.align32,
                    least,
                    flat: NOT_FLAT,
                    solid,
                    plain,
                };
                (Op::List(Arc::new(entry)), 1, false, plain)
            }
            InterfaceType::FixedLengthList(list) => {
                let list = &types[list];
                let element = self.node(list.element, depth)?;
                let least = element.least.saturating_mul(list.size);
                let (solid, plain) = (element.solid, element.plain);
                (Op::Fixed(Arc::new(element), list.size), least, solid, plain)
            }
            InterfaceType::Record(record) => {
                self.fields(types[record].fields.iter().map(|field| field.ty), depth)?
            }
            InterfaceType::Tuple(tuple) => {
                self.fields(types[tuple].types.iter().copied(), depth)?
            }
            InterfaceType::Variant(variant) => {
                let variant = &types[variant];
                let cases = variant.cases.values().copied().collect::<Vec<_>>();
                self.variant(&cases, variant.info.payload_offset32, false, depth)?
            }
            InterfaceType::Option(option) => {
                let option = &types[option];
                let cases = [None, Some(option.ty)];
                self.variant(&cases, option.info.payload_offset32, true, depth)?
            }
            InterfaceType::Result(result) => {
                let result = &types[result];
                let cases = [result.ok, result.err];
                self.variant(&cases, result.info.payload_offset32, true, depth)?
            }
            InterfaceType::Enum(names) => {
                let count = u32::try_from(types[names].names.len())?;
                (Op::Enum { count, tag: Tag::of(count as usize) }, 1, true, true)
            }
            InterfaceType::Flags(names) => {
                let count = u32::try_from(types[names].names.len())?;
                (Op::Flags { count }, count.div_ceil(8), true, true)
            }
            InterfaceType::Own(table) => (Op::Own(table), 1, false, false),
            InterfaceType::Borrow(table) => (Op::Borrow(table), 1, false, false),
            InterfaceType::Stream(table) => {
                let payload = match types[types[table].ty].payload {
                    None => Payload::Unit,
                    Some(InterfaceType::U8) => Payload::Bytes,
                    Some(ty) => Payload::of(&self.node(ty, depth)?),
                };
                (Op::Stream(table, payload), 1, false, false)
            }
            InterfaceType::Future(table) => {
                let payload = match types[types[table].ty].payload {
                    None => Payload::Unit,
                    Some(ty) => Payload::of(&self.node(ty, depth)?),
                };
                (Op::Future(table, payload), 1, false, false)
            }
            InterfaceType::ErrorContext(_) => {
                bail!(
                    "error-context cannot cross between a component and weft: \
                       return a result with an error type of the interface's own"
                )
            }
        })
    }

    fn fields(
        &mut self,
        fields: impl Iterator<Item = InterfaceType>,
        depth: usize,
    ) -> Result<(Op, u32, bool, bool)> {
        let mut end = 0;
        let mut placed = Vec::new();
        for ty in fields {
            let offset = self.types.canonical_abi(&ty).next_field32(&mut end);
            placed.push(Field { offset, node: self.node(ty, depth)? });
        }
        let (least, solid, plain) = sum(placed.iter().map(|field| &field.node));
        Ok((Op::Fields(placed.into()), least, solid, plain))
    }

    fn variant(
        &mut self,
        cases: &[Option<InterfaceType>],
        payload: u32,
        bit: bool,
        depth: usize,
    ) -> Result<(Op, u32, bool, bool)> {
        let cases = cases
            .iter()
            .map(|case| case.map(|ty| self.node(ty, depth)).transpose())
            .collect::<Result<Box<[_]>>>()?;
        let least = cases.iter().map(|case| case.as_ref().map_or(0, |node| node.least)).min();
        let solid = cases.iter().flatten().all(|node| node.solid);
        let plain = cases.iter().flatten().all(|node| node.plain);
        let variant = Variant { tag: Tag::of(cases.len()), payload, bit, cases };
        Ok((Op::Variant(Arc::new(variant)), least.unwrap_or(0).saturating_add(1), solid, plain))
    }
}

fn sum<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> (u32, bool, bool) {
    nodes.into_iter().fold((0u32, true, true), |(least, solid, plain), node| {
        (least.saturating_add(node.least), solid && node.solid, plain && node.plain)
    })
}

impl Tag {
    fn of(cases: usize) -> Tag {
        match cases {
            0..=0x100 => Tag::One,
            0x101..=0x1_0000 => Tag::Two,
            _ => Tag::Four,
        }
    }
}

#[cfg(test)]
mod tests {
    //! Shows that plans are found again, and freed with their program.
    use super::*;
    use wasmtime::Engine;
    use wasmtime::component::Component;

    fn types(component: &Component) -> Arc<ComponentTypes> {
        component.component_type().instance_type().types.clone()
    }

    fn known() -> Vec<*const ComponentTypes> {
        PROGRAMS.lock().unwrap().all.iter().map(|p| Arc::as_ptr(&p.types)).collect()
    }

    #[test]
    fn plans_live_as_long_as_their_program() {
        let engine = Engine::default();
        let text = r#"(component (import "f" (func (param "a" string) (param "b" (list u8)))))"#;
        let first = Component::new(&engine, text).unwrap();
        let first_types = types(&first);
        let found = std::ptr::from_ref(program(&first_types, || first_types.clone()));
        assert_eq!(found, std::ptr::from_ref(program(&first_types, || panic!("not near"))));
        assert_eq!(found, Arc::as_ptr(&find(first_types.clone())));

        // More programs than a thread keeps near, and more than wait for a sweep.
        let mut gone = Vec::new();
        for _ in 0..NEAR_PROGRAMS + 10 {
            let component = Component::new(&engine, text).unwrap();
            let types = types(&component);
            program(&types, || types.clone()).tuple(InterfaceType::Tuple(tuple(&types))).unwrap();
            gone.push(types);
        }
        let addresses = gone.iter().map(Arc::as_ptr).collect::<Vec<_>>();
        let kept = known();
        assert!(addresses.iter().all(|types| kept.contains(types)));
        gone.clear();
        sweep();
        let kept = known();
        assert!(!addresses.iter().any(|types| kept.contains(types)));
        assert!(kept.contains(&Arc::as_ptr(&first_types)));
        assert_eq!(found, std::ptr::from_ref(program(&first_types, || first_types.clone())));
    }

    fn tuple(types: &ComponentTypes) -> TypeTupleIndex {
        use wasmtime::component::__internal::wasmtime_environ::component::TypeFuncIndex;
        types[TypeFuncIndex::from_u32(0)].params
    }

    /// Types that share their parts spell out to tens of thousands of leaves; plans share them too.
    #[test]
    fn shared_types_share_their_plans() {
        let engine = Engine::default();
        let mut text = String::from("(component (type $t0 (list u8))");
        for level in 1..=15 {
            let before = level - 1;
            text += &format!("(type $t{level} (list (tuple $t{before} $t{before})))");
        }
        text += r#"(import "f" (func (param "a" $t15))))"#;
        let component = Component::new(&engine, &text).unwrap();
        let types = types(&component);
        let plans = program(&types, || types.clone());
        let node = plans.tuple(InterfaceType::Tuple(tuple(&types))).unwrap();
        assert_eq!((node.size, node.flat, node.plain), (8, 2, true));
        assert!(plans.known.lock().unwrap().len() < 100);
    }
}
