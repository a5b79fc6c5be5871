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
    (func (export "realloc") (param $old i32) (param $old-size i32) (param $align i32) (param $new i32)
          (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.sub (local.get $align) (i32.const 1)))
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

/// `run` calls an `async` import with the async ABI: parameters from memory where there are more than four
/// core values, and the result always to memory. `run` therefore takes a list with one tuple of the
/// parameters, or else the parameters, and returns a list with the one result.
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
  (func $run async {func} (canon lift (core func $i "run") async (callback (core func $i "callback"))
    (memory $memory) (realloc $realloc)))
  (export "run" (func $run)))"#
    )
    .unwrap();
    text.out
}
