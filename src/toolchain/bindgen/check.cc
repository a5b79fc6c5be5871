#include <fmt/format.h>

#include "toolchain/bindgen/parts.h"

namespace weft::bindgen {

Result<void> check_served(const Types& types, const Interface& interface) {
  for (const Function& function : interface.functions) {
    for (const Member& param : function.params) {
      if (types.lends_stream(*param.type)) {
        return failure(Errc::kUnsupported,
                       fmt::format("{}, {}: parameter {} lends a stream of wasi:io, which does not "
                                   "cross: pass it as own",
                                   interface.name, function.name, param.name));
      }
      std::string spelled = types.spell(*param.type, Form::kView);
      std::size_t lent = spelled.find('*');
      bool simple =
          spelled.ends_with('*') ||
          (spelled.ends_with("*>") &&
           (spelled.starts_with("::std::vector<") || spelled.starts_with("::std::optional<")) &&
           spelled.find('<') == spelled.rfind('<'));
      if (lent != spelled.npos && !simple) {
        return failure(Errc::kUnsupported,
                       fmt::format("{}, {}: parameter {} lends resources in a way that is not "
                                   "served: pass borrow<T>, or a list or an option of it",
                                   interface.name, function.name, param.name));
      }
    }
  }
  for (const Type& type : interface.types) {
    for (const Member& member : type.members) {
      if (member.type && types.spell(*member.type, Form::kOwned).find('*') != std::string::npos) {
        return failure(Errc::kUnsupported,
                       fmt::format("{}: {}.{} lends a resource inside a named type, which is not "
                                   "served",
                                   interface.name, type.name, member.name));
      }
    }
  }
  return {};
}

}  // namespace weft::bindgen
