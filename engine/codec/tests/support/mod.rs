//! What the codec's tests share: types and values at random, an encoder of its own to hold the
//! codec against, and guests written for a type.
#![allow(dead_code)]

pub mod guest;
pub mod random;
pub mod text;

use wasmtime::component::Val;

#[derive(Clone, Debug, PartialEq)]
pub enum Ty {
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
    List(Box<Ty>),
    Fixed(Box<Ty>, u32),
    Map(Box<Ty>, Box<Ty>),
    Record(Vec<(String, Ty)>),
    Tuple(Vec<Ty>),
    Variant(Vec<(String, Option<Ty>)>),
    Enum(Vec<String>),
    Option(Box<Ty>),
    Result(Option<Box<Ty>>, Option<Box<Ty>>),
    Flags(Vec<String>),
}

fn unsigned(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 127) as u8;
        value >>= 7;
        if value == 0 {
            return out.push(low);
        }
        out.push(low + 128);
    }
}

fn signed(out: &mut Vec<u8>, value: i64) {
    let mut rest = i128::from(value);
    loop {
        let low = rest.rem_euclid(128) as u8;
        rest = (rest - i128::from(low)) / 128;
        let done = (rest == 0 && low < 64) || (rest == -1 && low >= 64);
        out.push(low + if done { 0 } else { 128 });
        if done {
            return;
        }
    }
}

/// The value's bytes as docs/ENCODING.md has them, written down a second time.
pub fn encode(ty: &Ty, value: &Val, out: &mut Vec<u8>) {
    match (ty, value) {
        (Ty::Bool, Val::Bool(v)) => out.push(u8::from(*v)),
        (Ty::S8, Val::S8(v)) => out.extend(v.to_le_bytes()),
        (Ty::U8, Val::U8(v)) => out.push(*v),
        (Ty::S16, Val::S16(v)) => signed(out, (*v).into()),
        (Ty::U16, Val::U16(v)) => unsigned(out, (*v).into()),
        (Ty::S32, Val::S32(v)) => signed(out, (*v).into()),
        (Ty::U32, Val::U32(v)) => unsigned(out, (*v).into()),
        (Ty::S64, Val::S64(v)) => signed(out, *v),
        (Ty::U64, Val::U64(v)) => unsigned(out, *v),
        (Ty::F32, Val::Float32(v)) => out.extend(v.to_le_bytes()),
        (Ty::F64, Val::Float64(v)) => out.extend(v.to_le_bytes()),
        (Ty::Char, Val::Char(v)) => out.extend(v.to_string().bytes()),
        (Ty::String, Val::String(v)) => {
            unsigned(out, v.len() as u64);
            out.extend(v.bytes());
        }
        (Ty::List(ty), Val::List(values)) => {
            unsigned(out, values.len() as u64);
            values.iter().for_each(|value| encode(ty, value, out));
        }
        (Ty::Fixed(ty, count), Val::FixedLengthList(values)) => {
            assert_eq!(*count as usize, values.len());
            values.iter().for_each(|value| encode(ty, value, out));
        }
        (Ty::Map(key, value), Val::Map(pairs)) => {
            unsigned(out, pairs.len() as u64);
            for (k, v) in pairs {
                encode(key, k, out);
                encode(value, v, out);
            }
        }
        (Ty::Record(fields), Val::Record(values)) => {
            for ((name, ty), (value_name, value)) in fields.iter().zip(values) {
                assert_eq!(name, value_name);
                encode(ty, value, out);
            }
        }
        (Ty::Tuple(types), Val::Tuple(values)) => {
            types.iter().zip(values).for_each(|(ty, value)| encode(ty, value, out));
        }
        (Ty::Variant(cases), Val::Variant(name, payload)) => {
            let case = cases.iter().position(|(n, _)| n == name).unwrap();
            unsigned(out, case as u64);
            if let (Some(ty), Some(value)) = (&cases[case].1, payload) {
                encode(ty, value, out);
            }
        }
        (Ty::Enum(cases), Val::Enum(name)) => {
            unsigned(out, cases.iter().position(|n| n == name).unwrap() as u64);
        }
        (Ty::Option(ty), Val::Option(value)) => {
            out.push(u8::from(value.is_some()));
            if let Some(value) = value {
                encode(ty, value, out);
            }
        }
        (Ty::Result(ok, err), Val::Result(value)) => {
            out.push(u8::from(value.is_err()));
            let (ty, value) = match value {
                Ok(value) => (ok, value),
                Err(value) => (err, value),
            };
            if let (Some(ty), Some(value)) = (ty, value) {
                encode(ty, value, out);
            }
        }
        (Ty::Flags(names), Val::Flags(set)) => {
            let mut bits = vec![0u8; names.len().div_ceil(8)];
            for name in set {
                let bit = names.iter().position(|n| n == name).unwrap();
                bits[bit / 8] |= 1 << (bit % 8);
            }
            out.extend(bits);
        }
        (ty, value) => panic!("{value:?} is no {ty:?}"),
    }
}

pub fn encoded<'a>(types: impl IntoIterator<Item = &'a Ty>, values: &[Val]) -> Vec<u8> {
    let mut out = Vec::new();
    types.into_iter().zip(values).for_each(|(ty, value)| encode(ty, value, &mut out));
    out
}

/// Runs a future that never waits for anything but itself.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..1_000_000 {
        if let std::task::Poll::Ready(value) = future.as_mut().poll(&mut cx) {
            return value;
        }
    }
    panic!("a future that does not end");
}

/// A future that is pending the first time.
pub async fn yield_once() {
    let mut first = true;
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return std::task::Poll::Pending;
        }
        std::task::Poll::Ready(())
    })
    .await;
}
