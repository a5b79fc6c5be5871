//! Guests, as text: components whose exports pass what they get to an import `echo`, and back.

use super::Ty;
use std::fmt::Write;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Core {
    I32,
    I64,
    F32,
    F64,
}

/// The core values of a type, as the canonical ABI flattens it.
pub fn flatten(ty: &Ty) -> Vec<Core> {
    match ty {
        Ty::S64 | Ty::U64 => vec![Core::I64],
        Ty::F32 => vec![Core::F32],
        Ty::F64 => vec![Core::F64],
        Ty::String | Ty::List(_) | Ty::Map(..) => vec![Core::I32; 2],
        Ty::Fixed(ty, count) => (0..*count).flat_map(|_| flatten(ty)).collect(),
        Ty::Record(fields) => fields.iter().flat_map(|(_, ty)| flatten(ty)).collect(),
        Ty::Tuple(types) => types.iter().flat_map(flatten).collect(),
        Ty::Variant(cases) => join(cases.iter().map(|(_, ty)| ty.as_ref())),
        Ty::Option(ty) => join([None, Some(&**ty)].into_iter()),
        Ty::Result(ok, err) => join([ok.as_deref(), err.as_deref()].into_iter()),
        _ => vec![Core::I32],
    }
}

fn join<'a>(cases: impl Iterator<Item = Option<&'a Ty>>) -> Vec<Core> {
    let mut joined = Vec::new();
    for case in cases.flatten() {
        for (index, core) in flatten(case).into_iter().enumerate() {
            match joined.get_mut(index) {
                None => joined.push(core),
                Some(old) if *old == core => {}
                Some(old) => {
                    let narrow = |core| matches!(core, Core::I32 | Core::F32);
                    *old = if narrow(*old) && narrow(core) { Core::I32 } else { Core::I64 };
                }
            }
        }
    }
    joined.insert(0, Core::I32);
    joined
}

fn cores(cores: &[Core]) -> String {
    let names = cores.iter().map(|core| match core {
        Core::I32 => "i32",
        Core::I64 => "i64",
        Core::F32 => "f32",
        Core::F64 => "f64",
    });
    names.collect::<Vec<_>>().join(" ")
}

/// Memory, an allocator that only goes up, and where results are put.
pub const LIBC: &str = r#"
  (core module $libc
    (memory (export "memory") 4)
    (global $next (mut i32) (i32.const 131072))
    (func (export "realloc")
          (param $old i32) (param $old-size i32) (param $align i32) (param $new i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and
        (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
        (i32.sub (i32.const 0) (local.get $align))))
      (global.set $next (i32.add (local.get $at) (local.get $new)))
      (block $fits
        (loop $grow
          (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
          (if (i32.eq (memory.grow (i32.const 16)) (i32.const -1)) (then (unreachable)))
          (br $grow)))
      (memory.copy (local.get $at) (local.get $old)
        (select (local.get $old-size) (local.get $new)
                (i32.lt_u (local.get $old-size) (local.get $new))))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))"#;

const RESULT_AT: u32 = 1024;

/// Component text in the making: types, each imported where the component model wants a name.
pub struct Text {
    pub out: String,
    count: u32,
}

impl Text {
    pub fn new() -> Text {
        Text { out: String::from("(component"), count: 0 }
    }

    fn define(&mut self, what: &str) -> String {
        self.count += 1;
        let name = format!("$t{}", self.count);
        write!(self.out, "\n  (type {name} {what})").unwrap();
        name
    }

    fn named(&mut self, what: &str) -> String {
        let name = self.define(what);
        let count = self.count;
        write!(self.out, "\n  (import \"t{count}\" (type $n{count} (eq {name})))").unwrap();
        format!("$n{count}")
    }

    /// A reference to the type.
    pub fn ty(&mut self, ty: &Ty) -> String {
        let optional = |text: &mut Text, ty: &Option<Box<Ty>>| ty.as_ref().map(|ty| text.ty(ty));
        match ty {
            Ty::Bool => "bool".into(),
            Ty::S8 => "s8".into(),
            Ty::U8 => "u8".into(),
            Ty::S16 => "s16".into(),
            Ty::U16 => "u16".into(),
            Ty::S32 => "s32".into(),
            Ty::U32 => "u32".into(),
            Ty::S64 => "s64".into(),
            Ty::U64 => "u64".into(),
            Ty::F32 => "f32".into(),
            Ty::F64 => "f64".into(),
            Ty::Char => "char".into(),
            Ty::String => "string".into(),
            Ty::List(ty) => {
                let ty = self.ty(ty);
                self.define(&format!("(list {ty})"))
            }
            Ty::Fixed(ty, count) => {
                let ty = self.ty(ty);
                self.define(&format!("(list {ty} {count})"))
            }
            Ty::Map(key, value) => {
                let (key, value) = (self.ty(key), self.ty(value));
                self.define(&format!("(map {key} {value})"))
            }
            Ty::Tuple(types) => {
                let types = types.iter().map(|ty| self.ty(ty)).collect::<Vec<_>>();
                self.define(&format!("(tuple {})", types.join(" ")))
            }
            Ty::Option(ty) => {
                let ty = self.ty(ty);
                self.define(&format!("(option {ty})"))
            }
            Ty::Result(ok, err) => {
                let ok = optional(self, ok).unwrap_or_default();
                let err = optional(self, err).map(|ty| format!("(error {ty})")).unwrap_or_default();
                self.define(&format!("(result {ok} {err})"))
            }
            Ty::Record(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, ty)| format!("(field \"{name}\" {})", self.ty(ty)))
                    .collect::<Vec<_>>();
                self.named(&format!("(record {})", fields.join(" ")))
            }
            Ty::Variant(cases) => {
                let cases = cases
                    .iter()
                    .map(|(name, ty)| {
                        let ty = ty.as_ref().map(|ty| self.ty(ty)).unwrap_or_default();
                        format!("(case \"{name}\" {ty})")
                    })
                    .collect::<Vec<_>>();
                self.named(&format!("(variant {})", cases.join(" ")))
            }
            Ty::Enum(names) => {
                let names = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>();
                self.named(&format!("(enum {})", names.join(" ")))
            }
            Ty::Flags(names) => {
                let names = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>();
                self.named(&format!("(flags {})", names.join(" ")))
            }
        }
    }

    /// `(param "p0" t) ... (result t)`
    pub fn func(&mut self, params: &[Ty], result: Option<&Ty>) -> String {
        let params = params.iter().map(|ty| self.ty(ty)).collect::<Vec<_>>();
        let mut text = String::new();
        for (index, ty) in params.iter().enumerate() {
            write!(text, " (param \"p{index}\" {ty})").unwrap();
        }
        if let Some(result) = result {
            let result = self.ty(result);
            write!(text, " (result {result})").unwrap();
        }
        text
    }
}

/// How the guest calls its import.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Import {
    Sync,
    /// Declared `async`, called as if it were not.
    AsyncTyped,
}

/// `run(params) -> result` calls `echo(params) -> result`, both with the sync ABI.
pub fn passing(params: &[Ty], result: Option<&Ty>, import: Import, options: &str) -> String {
    let mut text = Text::new();
    let func = text.func(params, result);
    let flat_params = params.iter().flat_map(flatten).collect::<Vec<_>>();
    let flat_result = result.map(flatten).unwrap_or_default();
    let params = if flat_params.len() > 16 { vec![Core::I32] } else { flat_params };
    let through_memory = flat_result.len() > 1;
    let mut import_params = params.clone();
    if through_memory {
        import_params.push(Core::I32);
    }
    let import_result = if through_memory { vec![] } else { flat_result.clone() };
    let export_result = if through_memory { vec![Core::I32] } else { flat_result };
    let gets = (0..params.len()).map(|index| format!("(local.get {index})")).collect::<String>();
    let (pointer, answer) = match through_memory {
        true => (format!("(i32.const {RESULT_AT})"), format!("(i32.const {RESULT_AT})")),
        false => Default::default(),
    };
    let is_async = if import == Import::AsyncTyped { "async" } else { "" };
    // Only a function declared async may wait for one.
    write!(
        text.out,
        r#"
  (import "echo" (func $echo {is_async} {func})){LIBC}
  (core func $echo-core (canon lower (func $echo) (memory $memory) (realloc $realloc) {options}))
  (core module $m
    (import "" "echo" (func $echo (param {}) (result {})))
    (func (export "run") (param {}) (result {})
      (call $echo {gets} {pointer}) {answer}))
  (core instance $i (instantiate $m (with "" (instance (export "echo" (func $echo-core))))))
  (func $run {is_async} {func}
    (canon lift (core func $i "run") (memory $memory) (realloc $realloc) {options}))
  (export "run" (func $run)))"#,
        cores(&import_params),
        cores(&import_result),
        cores(&params),
        cores(&export_result),
    )
    .unwrap();
    text.out
}

/// `run` calls an `async` import with the async ABI: parameters from memory where there are more
/// than four core values, and the result always to memory. `run` therefore takes a list with one
/// tuple of the parameters, or else the parameters, and returns a list with the one result.
pub fn async_lowered(params: &[Ty], result: Option<&Ty>) -> String {
    let mut text = Text::new();
    let func = text.func(params, result);
    let flat = params.iter().flat_map(flatten).collect::<Vec<_>>();
    let (run_params, gets, import_params) = if flat.len() > 4 {
        let list = Ty::List(Ty::Tuple(params.to_vec()).into());
        (vec![list], "(local.get 0)".to_string(), vec![Core::I32])
    } else {
        let gets = (0..flat.len()).map(|index| format!("(local.get {index})")).collect();
        (params.to_vec(), gets, flat)
    };
    let run_result = result.map(|ty| Ty::List(ty.clone().into()));
    let run = text.func(&run_params, run_result.as_ref());
    let run_core = run_params.iter().flat_map(flatten).collect::<Vec<_>>();
    let mut import_core = import_params;
    let (pointer, answer, run_result_core) = match result {
        Some(_) => {
            import_core.push(Core::I32);
            (format!("(i32.const {RESULT_AT})"), "(i32.const 512)", vec![Core::I32])
        }
        None => (String::new(), "", vec![]),
    };
    write!(
        text.out,
        r#"
  (import "echo" (func $echo async {func})){LIBC}
  (core func $echo-core
    (canon lower (func $echo) async (memory $memory) (realloc $realloc)))
  (core module $m
    (import "" "memory" (memory 0))
    (import "" "echo" (func $echo (param {}) (result i32)))
    (func (export "run") (param {}) (result {})
      (i32.store (i32.const 512) (i32.const {RESULT_AT}))
      (i32.store (i32.const 516) (i32.const 1))
      (if (i32.ne (call $echo {gets} {pointer}) (i32.const 2)) (then (unreachable)))
      {answer}))
  (core instance $i (instantiate $m (with "" (instance
    (export "echo" (func $echo-core)) (export "memory" (memory $memory))))))
  (func $run {run}
    (canon lift (core func $i "run") (memory $memory) (realloc $realloc)))
  (export "run" (func $run)))"#,
        cores(&import_core),
        cores(&run_core),
        cores(&run_result_core),
    )
    .unwrap();
    text.out
}

/// `run(value) -> value`, lifted with the async ABI: the value goes straight to `task.return`.
pub fn async_lifted(ty: &Ty) -> String {
    let mut text = Text::new();
    let func = text.func(std::slice::from_ref(ty), Some(ty));
    let result = text.ty(ty);
    let flat = flatten(ty);
    let flat = if flat.len() > 16 { vec![Core::I32] } else { flat };
    let gets = (0..flat.len()).map(|index| format!("(local.get {index})")).collect::<String>();
    let flat = cores(&flat);
    // The result's type is spelled out anew: it must be equal, not the same.
    write!(
        text.out,
        r#"{LIBC}
  (core func $return (canon task.return (result {result}) (memory $memory)))
  (core module $m
    (import "" "return" (func $return (param {flat})))
    (func (export "run") (param {flat}) (result i32) (call $return {gets}) (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) (unreachable)))
  (core instance $i (instantiate $m (with "" (instance (export "return" (func $return))))))
  (func $run async {func} (canon lift (core func $i "run")
    async (callback (core func $i "callback"))
    (memory $memory) (realloc $realloc)))
  (export "run" (func $run)))"#
    )
    .unwrap();
    text.out
}

/// Size and alignment of a type in a 32-bit memory.
pub fn layout(ty: &Ty) -> (u32, u32) {
    let fields = |types: &mut dyn Iterator<Item = &Ty>| {
        let (size, align) = types.map(layout).fold((0u32, 1), |(end, most), (size, align)| {
            (end.next_multiple_of(align) + size, most.max(align))
        });
        (size.next_multiple_of(align), align)
    };
    let cases = |count: usize, types: &mut dyn Iterator<Item = &Ty>| {
        let tag = if count <= 256 { 1 } else { 2 };
        let (size, align) = types
            .map(layout)
            .fold((0, tag), |(size, align), case| (size.max(case.0), align.max(case.1)));
        let align = align.max(tag);
        ((tag.next_multiple_of(align) + size).next_multiple_of(align), align)
    };
    // The payload starts where the strictest case wants it.
    match ty {
        Ty::Bool | Ty::S8 | Ty::U8 => (1, 1),
        Ty::S16 | Ty::U16 => (2, 2),
        Ty::S32 | Ty::U32 | Ty::F32 | Ty::Char => (4, 4),
        Ty::S64 | Ty::U64 | Ty::F64 => (8, 8),
        Ty::String | Ty::List(_) | Ty::Map(..) => (8, 4),
        Ty::Fixed(ty, count) => (layout(ty).0 * count, layout(ty).1),
        Ty::Record(types) => fields(&mut types.iter().map(|(_, ty)| ty)),
        Ty::Tuple(types) => fields(&mut types.iter()),
        Ty::Variant(types) => {
            cases(types.len(), &mut types.iter().filter_map(|(_, ty)| ty.as_ref()))
        }
        Ty::Enum(names) => cases(names.len(), &mut std::iter::empty()),
        Ty::Option(ty) => cases(2, &mut std::iter::once(&**ty)),
        Ty::Result(ok, err) => cases(2, &mut ok.iter().chain(err.iter()).map(|ty| &**ty)),
        Ty::Flags(names) => match names.len() {
            0..=8 => (1, 1),
            9..=16 => (2, 2),
            _ => (4, 4),
        },
    }
}

/// `read() -> list<T>` reads all of the stream that the import `give` returns; `write(list<T>)`
/// writes to a stream that it passes to the import `take`. `await() -> T` and `settle(T)` (as a
/// list of one) do the same with futures.
pub fn streaming(ty: &Ty) -> String {
    let mut text = Text::new();
    let item = text.ty(ty);
    let list = text.ty(&Ty::List(ty.clone().into()));
    let size = layout(ty).0;
    write!(
        text.out,
        r#"
  (type $stream (stream {item}))
  (type $future (future {item}))
  (import "give" (func $give (result $stream)))
  (import "take" (func $take (param "s" $stream)))
  (import "promise" (func $promise (result $future)))
  (import "hear" (func $hear (param "f" $future))){LIBC}
  (core func $give-core (canon lower (func $give)))
  (core func $take-core (canon lower (func $take)))
  (core func $promise-core (canon lower (func $promise)))
  (core func $hear-core (canon lower (func $hear)))
  (core func $new (canon stream.new $stream))
  (core func $read (canon stream.read $stream (memory $memory) (realloc $realloc)))
  (core func $write (canon stream.write $stream (memory $memory) (realloc $realloc)))
  (core func $drop-readable (canon stream.drop-readable $stream))
  (core func $drop-writable (canon stream.drop-writable $stream))
  (core func $future-new (canon future.new $future))
  (core func $future-read (canon future.read $future (memory $memory) (realloc $realloc)))
  (core func $future-write (canon future.write $future (memory $memory) (realloc $realloc)))
  (core func $future-drop-readable (canon future.drop-readable $future))
  (core func $future-drop-writable (canon future.drop-writable $future))
  (core module $m
    (import "" "memory" (memory 0))
    (import "" "give" (func $give (result i32)))
    (import "" "take" (func $take (param i32)))
    (import "" "promise" (func $promise (result i32)))
    (import "" "hear" (func $hear (param i32)))
    (import "" "new" (func $new (result i64)))
    (import "" "read" (func $read-some (param i32 i32 i32) (result i32)))
    (import "" "write" (func $write-some (param i32 i32 i32) (result i32)))
    (import "" "drop-readable" (func $drop-readable (param i32)))
    (import "" "drop-writable" (func $drop-writable (param i32)))
    (import "" "future-new" (func $future-new (result i64)))
    (import "" "future-read" (func $future-read (param i32 i32) (result i32)))
    (import "" "future-write" (func $future-write (param i32 i32) (result i32)))
    (import "" "future-drop-readable" (func $future-drop-readable (param i32)))
    (import "" "future-drop-writable" (func $future-drop-writable (param i32)))
    (func $list (param $count i32) (result i32)
      (i32.store (i32.const 512) (i32.const 4096))
      (i32.store (i32.const 516) (local.get $count))
      (i32.const 512))
    (func (export "read") (result i32)
      (local $s i32) (local $n i32) (local $status i32)
      (local.set $s (call $give))
      (loop $more
        (local.set $status (call $read-some (local.get $s)
          (i32.add (i32.const 4096) (i32.mul (local.get $n) (i32.const {size}))) (i32.const 16)))
        (if (i32.eq (local.get $status) (i32.const -1)) (then (unreachable)))
        (local.set $n (i32.add (local.get $n) (i32.shr_u (local.get $status) (i32.const 4))))
        (br_if $more (i32.eqz (i32.and (local.get $status) (i32.const 15)))))
      (call $drop-readable (local.get $s))
      (call $list (local.get $n)))
    (func (export "write") (param $at i32) (param $left i32)
      (local $ends i64) (local $w i32) (local $status i32)
      (local.set $ends (call $new))
      (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
      (call $take (i32.wrap_i64 (local.get $ends)))
      (block $done
        (loop $more
          (br_if $done (i32.eqz (local.get $left)))
          (local.set $status (call $write-some (local.get $w) (local.get $at) (local.get $left)))
          (br_if $done (i32.and (local.get $status) (i32.const 15)))
          (local.set $status (i32.shr_u (local.get $status) (i32.const 4)))
          (local.set $left (i32.sub (local.get $left) (local.get $status)))
          (local.set $at (i32.add (local.get $at) (i32.mul (local.get $status) (i32.const {size}))))
          (br $more)))
      (call $drop-writable (local.get $w)))
    (func (export "await") (result i32)
      (local $f i32)
      (local.set $f (call $promise))
      (if (call $future-read (local.get $f) (i32.const 4096)) (then (unreachable)))
      (call $future-drop-readable (local.get $f))
      (call $list (i32.const 1)))
    (func (export "settle") (param $at i32) (param i32)
      (local $ends i64) (local $w i32)
      (local.set $ends (call $future-new))
      (local.set $w (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
      (call $hear (i32.wrap_i64 (local.get $ends)))
      (if (call $future-write (local.get $w) (local.get $at)) (then (unreachable)))
      (call $future-drop-writable (local.get $w))))
  (core instance $i (instantiate $m (with "" (instance
    (export "memory" (memory $memory))
    (export "give" (func $give-core)) (export "take" (func $take-core))
    (export "promise" (func $promise-core)) (export "hear" (func $hear-core))
    (export "new" (func $new)) (export "read" (func $read)) (export "write" (func $write))
    (export "drop-readable" (func $drop-readable)) (export "drop-writable" (func $drop-writable))
    (export "future-new" (func $future-new)) (export "future-read" (func $future-read))
    (export "future-write" (func $future-write))
    (export "future-drop-readable" (func $future-drop-readable))
    (export "future-drop-writable" (func $future-drop-writable))))))
  (func (export "read") async (result {list})
    (canon lift (core func $i "read") (memory $memory) (realloc $realloc)))
  (func (export "write") async (param "items" {list})
    (canon lift (core func $i "write") (memory $memory) (realloc $realloc)))
  (func (export "await") async (result {list})
    (canon lift (core func $i "await") (memory $memory) (realloc $realloc)))
  (func (export "settle") async (param "items" {list})
    (canon lift (core func $i "settle") (memory $memory) (realloc $realloc))))"#
    )
    .unwrap();
    text.out
}
