#pragma once

#include "toolchain/bindgen/description.h"
#include "toolchain/bindgen/text.h"
#include "toolchain/bindgen/types.h"

namespace weft::bindgen {

// The parts of the generated files, each in a source file of its own.

// types_header.cc: declarations, aliases, resources, records and their like, codecs.
void write_types(Text& out, const Types& types, const Interface& interface);
// codec_source.cc: how the named types are written and read.
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
