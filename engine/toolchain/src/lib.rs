//! What weft knows about programs before they run: their WIT, the bindings a guest is written
//! against, and how a core module becomes a component. No engine, no policy.

mod component;
mod describe;
mod guest;
mod resolve;
mod signature;
mod standard;
mod surface;

pub use component::{Adapter, adapt_module, componentize, is_core_module};
pub use describe::describe;
pub use guest::{go_bindings, guest_bindings};
pub use resolve::Wit;
pub use standard::write_standard;
pub use surface::{Function, Surface, producers, surface};
