#pragma once

#include <functional>

#include "toolchain/bindgen/description.h"
#include "toolchain/bindgen/text.h"
#include "toolchain/bindgen/types.h"

namespace weft::bindgen {

// The parts of the generated files, each in a source file of its own.

// check.cc: what the generated code cannot do, said before it is written.
Result<void> check_served(const Types& types, const Interface& interface);
// types_header.cc: declarations, aliases, resources, records and their like: those that are wanted,
// and `write_resource` for each resource.
void write_types(Text& out, const Types& types, const Interface& interface,
                 const std::function<bool(const Type&)>& wanted,
                 const std::function<void(const Type&)>& write_resource);
// codec_source.cc: an enum's to_string; how the named types are written and read.
void write_to_string(Text& out, const Type& type);
void write_codecs(Text& out, const Types& types, const Interface& interface);
// host.cc: the abstract classes of resources and of the interface, the table of functions and the
// provider that dispatches to them.
void write_resource_class(Text& out, const Types& types, const Interface& interface,
                          const Type& resource);
void write_host_header(Text& out, const Types& types, const Interface& interface);
void write_host_source(Text& out, const Types& types, const Interface& interface);
// client.cc: the typed caller.
void write_client_header(Text& out, const Types& types, const Interface& interface);
void write_client_source(Text& out, const Types& types, const Interface& interface);

}  // namespace weft::bindgen
