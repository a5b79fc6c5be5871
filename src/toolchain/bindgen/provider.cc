#include <fmt/format.h>

#include <set>

#include "toolchain/bindgen/bindgen.h"
#include "toolchain/bindgen/host_method.h"
#include "toolchain/bindgen/names.h"
#include "toolchain/bindgen/text.h"
#include "toolchain/bindgen/types.h"

namespace weft::bindgen {
namespace {

// The name of the class, of the variable and of the file: those of the interface, which is short.
std::string class_of(const Interface& interface) {
  return pascal_case(interface.interface);
}

// A method of a class that a person is to write, which for now says that it is not.
void write_method(Text& out, const Types& types, const Function& function) {
  out.line("  {} override {{", host_method(types, function));
  out.line("    return not_written_yet(\"{}\");", function.name);
  out.line("  }}");
}

std::string implementation(const Description& description, const Interface& interface) {
  Types types(description, interface, Side::kHost, Types::Names::kFull);
  Text out;
  std::string space = "::" + namespace_of(interface);
  std::string name = class_of(interface);
  out.line("// {}: what this provider does. weft bindgen wrote this once; it is yours.",
           interface.name);
  out.line();
  out.line("#pragma once");
  out.line();
  out.line("#include <string>");
  out.line();
  out.line("#include \"{}.h\"", path_of(interface));
  out.line();
  out.line("class {}Host final : public {}::Host {{", name, space);
  out.line(" public:");
  bool first = true;
  for (const Function& function : interface.functions) {
    if (function.kind == FunctionKind::kMethod) continue;
    if (!first) out.line();
    first = false;
    write_method(out, types, function);
  }
  out.line();
  out.line(" private:");
  out.line("  static weft::Error not_written_yet(std::string function) {{");
  out.line("    return {{weft::Errc::kUnsupported, function + \" is not written yet\"}};");
  out.line("  }}");
  out.line("}};");
  for (const Type& type : interface.types) {
    if (type.kind != Kind::kResource) continue;
    out.line();
    out.line("// A {} that a component has: destroyed when the component drops it.", type.name);
    out.line("class {0}{1} final : public {2}::{1} {{", name, pascal_case(type.name), space);
    out.line(" public:");
    for (const Function& function : interface.functions) {
      if (function.kind != FunctionKind::kMethod || function.resource != type.name) continue;
      write_method(out, types, function);
      out.line();
    }
    out.line(" private:");
    out.line("  static weft::Error not_written_yet(std::string function) {{");
    out.line("    return {{weft::Errc::kUnsupported, function + \" is not written yet\"}};");
    out.line("  }}");
    out.line("}};");
  }
  return out.take();
}

std::string main_source(const std::vector<const Interface*>& served) {
  Text out;
  out.line("// The provider: its interfaces, and what answers for them.");
  out.line();
  out.line("#include <memory>");
  out.line();
  for (const Interface* each : served) {
    out.line("#include \"{}_host.h\"", snake_case(each->interface));
  }
  out.line("#include \"weft/provider.h\"");
  out.line();
  out.line("int main(int argc, char** argv) {{");
  out.line("  using weft::provider::Interfaces;");
  out.line("  return weft::provider::serve(");
  out.line("      argc, argv, [](weft::provider::Setup&) -> weft::Result<Interfaces> {{");
  out.line("        Interfaces served;");
  for (const Interface* each : served) {
    std::string space = namespace_of(*each);
    out.line("        served.add<{0}::Binding>(", space);
    out.line("            {0}::kName, {0}::kFunctions, std::make_unique<{1}Host>());", space,
             class_of(*each));
  }
  out.line("        return served;");
  out.line("      }});");
  out.line("}}");
  return out.take();
}

std::string build_file(std::string_view name) {
  Text out;
  out.line("# Builds the provider against the SDK that weft installs:");
  out.line("#   cmake -B build && cmake --build build");
  out.line("cmake_minimum_required(VERSION 3.25)");
  out.line("project({} CXX)", name);
  out.line("set(CMAKE_CXX_STANDARD 23)");
  out.line("set(CMAKE_CXX_STANDARD_REQUIRED ON)");
  out.line("if(NOT CMAKE_BUILD_TYPE)");
  out.line("  set(CMAKE_BUILD_TYPE Release)");
  out.line("endif()");
  out.line("find_package(weft-provider REQUIRED)");
  out.line();
  out.line("# generated/ is written by `weft bindgen provider` each time; all else is yours.");
  out.line("add_executable({} main.cc generated/bindings.cc)", name);
  out.line("target_include_directories({} PRIVATE generated)", name);
  out.line("target_link_libraries({} PRIVATE weft::provider)", name);
  return out.take();
}

// Those that are named, or that the world exports, or all that have functions.
Result<std::vector<const Interface*>> served_by(const Description& description,
                                                const std::vector<std::string>& names) {
  std::vector<const Interface*> served;
  auto add = [&](const Interface* interface) {
    for (const Interface* each : served) {
      if (each == interface) return;
    }
    if (interface != nullptr && interface->name != kRoot) served.push_back(interface);
  };
  for (const std::string& name : names) {
    for (const Interface& each : description.interfaces) {
      if (each.name == name || each.interface == name) add(&each);
    }
  }
  for (const World& world : description.worlds) {
    for (const std::string& name : world.exports) add(description.find(name));
  }
  if (names.empty() && description.worlds.empty()) {
    std::string_view own = description.interfaces.empty()
                               ? std::string_view()
                               : std::string_view(description.interfaces.back().package);
    for (const Interface& each : description.interfaces) {
      if (each.package == own && !each.functions.empty()) add(&each);
    }
  }
  std::set<std::string> short_names;
  for (const Interface* each : served) {
    if (!short_names.insert(each->interface).second) {
      return failure(
          Errc::kUnsupported,
          fmt::format("two interfaces are called {}: make a provider for each", each->interface));
    }
  }
  if (served.empty()) {
    return failure(Errc::kInvalid,
                   "there is nothing to provide: name an --interface, or a --world that exports "
                   "one");
  }
  return served;
}

}  // namespace

Result<ProviderFiles> generate_provider(std::string_view input,
                                        const std::vector<std::string>& interfaces,
                                        std::string_view name) {
  TRY(Description description, parse_description(input));
  TRY(std::vector<const Interface*> served, served_by(description, interfaces));
  ProviderFiles files;
  TRY(files.generated, generate(input));
  std::string unit;
  for (GeneratedFile& file : files.generated) {
    if (file.path.ends_with(".cc")) unit += "#include \"" + file.path + "\"\n";
    file.path.insert(0, "generated/");
  }
  files.generated.push_back({"generated/bindings.cc", std::move(unit)});
  for (const Interface* each : served) {
    files.once.push_back(
        {snake_case(each->interface) + "_host.h", implementation(description, *each)});
  }
  files.once.push_back({"main.cc", main_source(served)});
  files.once.push_back({"CMakeLists.txt", build_file(name)});
  return files;
}

}  // namespace weft::bindgen
