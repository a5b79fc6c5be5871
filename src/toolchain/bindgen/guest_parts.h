#pragma once

#include <string>
#include <string_view>

#include "toolchain/bindgen/description.h"
#include "toolchain/bindgen/guest_function.h"
#include "toolchain/bindgen/text.h"
#include "toolchain/bindgen/types.h"

namespace weft::bindgen {

// The parts of a guest's bindings, each in a source file of its own. `number` makes the names of
// core functions different ones.

// The functions of an interface on one side of the world: none where the world does not import it,
// or export it.
std::vector<const Function*> functions_of(const Types& types, const Interface& interface);

// guest_imports.cc: functions and classes that call the host.
void write_imported_class(Text& out, const Types& types, const Interface& interface,
                          const Type& resource);
void write_import_header(Text& out, const Types& types, const Interface& interface);
void write_import_source(Text& out, const Types& types, const Interface& interface, int& number);

// guest_exports.cc: what the guest implements, and the core functions that the host calls.
void write_exported_class(Text& out, const Types& types, const Interface& interface,
                          const Type& resource);
void write_export_header(Text& out, const Types& types, const Interface& interface);
void write_export_source(Text& out, const Types& types, const Interface& interface, int& number);

// guest_abi.cc: how the named types of one side lie in memory; how streams and futures are made,
// read and written.
void write_abi(Text& out, const Types& types, const Interface& interface, const Type& type);
Result<void> write_pipes(Text& out, const Description& description, int& number);
// The world as bytes of a section that becomes part of the component.
void write_component_type(Text& out, const World& world);

// An attribute of a core function that the host gives, or that it calls.
std::string import_attribute(std::string_view module, std::string_view name);
std::string export_attribute(std::string_view name);
// "wasi:io/streams@0.2.0#" before the name of a function that is exported; nothing for the world's.
std::string export_prefix(const Interface& interface);

}  // namespace weft::bindgen
