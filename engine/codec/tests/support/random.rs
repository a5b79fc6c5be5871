//! Types and values at random, from a seed.

use super::Ty;
use rand::{Rng, rngs::SmallRng};
use wasmtime::component::Val;

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|index| format!("{prefix}{index}")).collect()
}

fn scalar(rng: &mut SmallRng) -> Ty {
    match rng.random_range(0..13) {
        0 => Ty::Bool,
        1 => Ty::S8,
        2 => Ty::U8,
        3 => Ty::S16,
        4 => Ty::U16,
        5 => Ty::S32,
        6 => Ty::U32,
        7 => Ty::S64,
        8 => Ty::U64,
        9 => Ty::F32,
        10 => Ty::F64,
        11 => Ty::Char,
        _ => Ty::String,
    }
}

fn key(rng: &mut SmallRng) -> Ty {
    loop {
        match scalar(rng) {
            Ty::F32 | Ty::F64 => {}
            ty => return ty,
        }
    }
}

pub fn ty(rng: &mut SmallRng, depth: u32) -> Ty {
    if depth == 0 || rng.random_bool(0.35) {
        return scalar(rng);
    }
    let inner = |rng: &mut SmallRng| ty(rng, depth - 1);
    match rng.random_range(0..11) {
        0 | 1 => Ty::List(inner(rng).into()),
        2 => {
            let count = rng.random_range(1..5);
            Ty::Fixed(inner(rng).into(), count)
        }
        3 => {
            let key = key(rng);
            Ty::Map(key.into(), inner(rng).into())
        }
        4 => {
            let count = rng.random_range(1..6);
            Ty::Record(names("f", count).into_iter().map(|name| (name, inner(rng))).collect())
        }
        5 => {
            let count = rng.random_range(1..5);
            Ty::Tuple((0..count).map(|_| inner(rng)).collect())
        }
        6 => {
            let count = if rng.random_bool(0.03) { 300 } else { rng.random_range(1..6) };
            let mut case = |name| (name, rng.random_bool(0.7).then(|| inner(rng)));
            let mut cases = names("c", count.min(6)).into_iter().map(&mut case).collect::<Vec<_>>();
            cases.extend((6..count).map(|index| (format!("c{index}"), None)));
            Ty::Variant(cases)
        }
        7 => {
            let count = if rng.random_bool(0.1) { 300 } else { rng.random_range(1..6) };
            Ty::Enum(names("e", count))
        }
        8 => Ty::Option(inner(rng).into()),
        9 => {
            let ok = rng.random_bool(0.8).then(|| inner(rng).into());
            let err = rng.random_bool(0.8).then(|| inner(rng).into());
            Ty::Result(ok, err)
        }
        _ => Ty::Flags(names("b", rng.random_range(1..=32))),
    }
}

/// A number of any magnitude: uniform bits would all be long.
fn bits(rng: &mut SmallRng) -> u64 {
    let bits = rng.random::<u64>() >> rng.random_range(0..64);
    if rng.random() { bits } else { bits.wrapping_neg() }
}

fn string(rng: &mut SmallRng) -> String {
    let length = if rng.random_bool(0.05) { 300 } else { rng.random_range(0..12) };
    (0..length).map(|_| char_of(rng)).collect()
}

fn char_of(rng: &mut SmallRng) -> char {
    match rng.random_range(0..5) {
        0 => rng.random(),
        1 => rng.random_range('\u{80}'..'\u{800}'),
        _ => rng.random_range('\0'..'\u{80}'),
    }
}

pub fn value(rng: &mut SmallRng, of: &Ty) -> Val {
    let mut boxed = |ty: &Option<Box<Ty>>| ty.as_ref().map(|ty| Box::new(value(rng, ty)));
    match of {
        Ty::Result(ok, err) => {
            let (ok, err) = (boxed(ok), boxed(err));
            return Val::Result(if rng.random() { Ok(ok) } else { Err(err) });
        }
        _ => {}
    }
    match of {
        Ty::Bool => Val::Bool(rng.random()),
        Ty::S8 => Val::S8(bits(rng) as i8),
        Ty::U8 => Val::U8(bits(rng) as u8),
        Ty::S16 => Val::S16(bits(rng) as i16),
        Ty::U16 => Val::U16(bits(rng) as u16),
        Ty::S32 => Val::S32(bits(rng) as i32),
        Ty::U32 => Val::U32(bits(rng) as u32),
        Ty::S64 => Val::S64(bits(rng) as i64),
        Ty::U64 => Val::U64(bits(rng)),
        // Any float but a NaN, of which one stands for all.
        Ty::F32 => Val::Float32(match f32::from_bits(rng.random()) {
            float if float.is_nan() => f32::NAN,
            float => float,
        }),
        Ty::F64 => Val::Float64(match f64::from_bits(rng.random()) {
            float if float.is_nan() => f64::NAN,
            float => float,
        }),
        Ty::Char => Val::Char(char_of(rng)),
        Ty::String => Val::String(string(rng)),
        Ty::List(ty) => {
            let count = if rng.random_bool(0.05) { 100 } else { rng.random_range(0..5) };
            Val::List((0..count).map(|_| value(rng, ty)).collect())
        }
        Ty::Fixed(ty, count) => Val::FixedLengthList((0..*count).map(|_| value(rng, ty)).collect()),
        Ty::Map(key, ty) => {
            let count = rng.random_range(0..4);
            Val::Map((0..count).map(|_| (value(rng, key), value(rng, ty))).collect())
        }
        Ty::Record(fields) => {
            Val::Record(fields.iter().map(|(name, ty)| (name.clone(), value(rng, ty))).collect())
        }
        Ty::Tuple(types) => Val::Tuple(types.iter().map(|ty| value(rng, ty)).collect()),
        Ty::Variant(cases) => {
            let (name, ty) = &cases[rng.random_range(0..cases.len())];
            Val::Variant(name.clone(), ty.as_ref().map(|ty| value(rng, ty).into()))
        }
        Ty::Enum(names) => Val::Enum(names[rng.random_range(0..names.len())].clone()),
        Ty::Option(ty) => Val::Option(rng.random_bool(0.7).then(|| value(rng, ty).into())),
        Ty::Flags(names) => Val::Flags(names.iter().filter(|_| rng.random()).cloned().collect()),
        Ty::Result(..) => unreachable!(),
    }
}
