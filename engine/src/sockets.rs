//! What wasi:sockets may reach: Wasmtime's crate asks here for every address, and the C++ side has
//! the rules. Called on any thread.

use crate::bridge::ffi::{self, NetGate};
use crate::state::State;
use cxx::SharedPtr;
use std::net::{IpAddr, SocketAddr};
use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::WasiCtxBuilder;
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup as lookup02, network as network02};
use wasmtime_wasi::p2::{Network, TcpSocket, UdpSocket};
use wasmtime_wasi::p3::bindings::sockets::{ip_name_lookup as lookup03, types as types03};
use wasmtime_wasi::sockets::{self, SocketAddrUse, WasiSockets, WasiSocketsView};

// SAFETY: a gate is immutable but for its log, which locks (src/engine/net_gate.h).
unsafe impl Send for NetGate {}
unsafe impl Sync for NetGate {}

pub fn grant(wasi: &mut WasiCtxBuilder, gate: &SharedPtr<NetGate>) {
    // Which names may be looked up is asked in `guard`.
    wasi.allow_ip_name_lookup(true);
    let uses = ffi::gate_uses(gate);
    if !uses.tcp && !uses.udp {
        return;
    }
    wasi.allow_tcp(uses.tcp).allow_udp(uses.udp);
    let gate = gate.clone();
    wasi.socket_addr_check(move |address, reason| {
        let mut names = Vec::new();
        let verdict = ffi::gate_check(&gate, &query(address, reason), &mut names);
        if names.is_empty() {
            return Box::pin(std::future::ready(verdict));
        }
        let gate = gate.clone();
        // On a task of its own: what looks names up may not be shared between threads.
        let lookup = tokio::spawn(async move {
            for name in names {
                let Ok(found) = tokio::net::lookup_host((name.as_str(), address.port())).await
                else {
                    continue;
                };
                let wanted = address.ip().to_canonical();
                let led_here = found.into_iter().any(|each| each.ip().to_canonical() == wanted);
                if led_here && ffi::gate_check_named(&gate, &query(address, reason), &name) {
                    return true;
                }
            }
            ffi::gate_refuse(&gate, &query(address, reason));
            false
        });
        Box::pin(async move { lookup.await.unwrap_or(false) })
    });
}

/// Puts the rules before what meets no address: making a socket where none is granted, and looking
/// a name up.
pub fn guard(
    linker: &mut Linker<State>,
    gate: &SharedPtr<NetGate>,
    concurrent: bool,
) -> Result<()> {
    let uses = ffi::gate_uses(gate);
    linker.allow_shadowing(true);
    /// Lets the function of one generation that makes a socket refuse.
    macro_rules! refuse {
        ($interface:ident, $name:literal, $scheme:literal, $socket:ty, $types:ident) => {
            let gate = gate.clone();
            let refused = move |_: StoreContextMut<'_, State>, _: ($types::IpAddressFamily,)| {
                ffi::gate_refuse_sockets(&gate, $scheme);
                Ok((Err::<Resource<$socket>, _>($types::ErrorCode::AccessDenied),))
            };
            linker.instance($interface)?.func_wrap($name, refused)?;
        };
    }
    let (tcp, udp) =
        ("wasi:sockets/tcp-create-socket@0.2.12", "wasi:sockets/udp-create-socket@0.2.12");
    if !uses.tcp {
        refuse!(tcp, "create-tcp-socket", "tcp", TcpSocket, network02);
    }
    if !uses.udp {
        refuse!(udp, "create-udp-socket", "udp", UdpSocket, network02);
    }
    let for_names = gate.clone();
    linker.instance("wasi:sockets/ip-name-lookup@0.2.12")?.func_wrap(
        "resolve-addresses",
        move |mut store: StoreContextMut<'_, State>,
              (network, name): (Resource<Network>, String)| {
            if !ffi::gate_lookup(&for_names, &name) {
                return Ok((Err(network02::ErrorCode::AccessDenied),));
            }
            let mut view = store.data_mut().sockets();
            match lookup02::Host::resolve_addresses(&mut view, network, name) {
                Ok(stream) => Ok((Ok(stream),)),
                Err(error) => Ok((Err(error.downcast()?),)),
            }
        },
    )?;
    if !concurrent {
        return Ok(());
    }
    let types = "wasi:sockets/types@0.3.0";
    if !uses.tcp {
        refuse!(types, "[static]tcp-socket.create", "tcp", sockets::TcpSocket, types03);
    }
    if !uses.udp {
        refuse!(types, "[static]udp-socket.create", "udp", sockets::UdpSocket, types03);
    }
    let for_names = gate.clone();
    linker.instance("wasi:sockets/ip-name-lookup@0.3.0")?.func_wrap_concurrent(
        "resolve-addresses",
        move |accessor, (name,): (String,)| {
            let allowed = ffi::gate_lookup(&for_names, &name);
            Box::pin(async move {
                if !allowed {
                    return Ok((Err(lookup03::ErrorCode::AccessDenied),));
                }
                let view = accessor.with_getter::<WasiSockets>(|state| state.sockets());
                Ok((lookup03::HostWithStore::resolve_addresses(&view, name).await?,))
            })
        },
    )
}

fn query(address: SocketAddr, reason: SocketAddrUse) -> ffi::SocketQuery {
    let (ip, is_v4) = match address.ip() {
        IpAddr::V4(ip) => (ip.to_ipv6_mapped().octets(), true),
        IpAddr::V6(ip) => (ip.octets(), false),
    };
    let reason = match reason {
        SocketAddrUse::TcpBind => ffi::SocketUse::TcpBind,
        SocketAddrUse::TcpListen => ffi::SocketUse::TcpListen,
        SocketAddrUse::TcpAccept => ffi::SocketUse::TcpAccept,
        SocketAddrUse::TcpConnect => ffi::SocketUse::TcpConnect,
        SocketAddrUse::UdpBind => ffi::SocketUse::UdpBind,
        SocketAddrUse::UdpSend => ffi::SocketUse::UdpSend,
        SocketAddrUse::UdpReceive => ffi::SocketUse::UdpReceive,
    };
    ffi::SocketQuery { reason, ip, is_v4, port: address.port() }
}
