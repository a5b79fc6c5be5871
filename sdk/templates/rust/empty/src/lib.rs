//! What wit/world.wit offers.

wit_bindgen::generate!({ world: "greeter", path: "wit" });

use exports::example::greeter::greetings::Guest;

struct Greeter;

impl Guest for Greeter {
    fn greet(name: String) -> String {
        format!("Hello, {name}!")
    }
}

export!(Greeter);
