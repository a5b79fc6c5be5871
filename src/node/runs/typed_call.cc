#include "node/runs/typed_call.h"

#include <fmt/format.h>

#include <vector>

#include "values/call_text.h"
#include "values/call_values.h"
#include "values/relocate.h"
#include "values/type.h"

namespace weft::node::runs {
namespace {

// Where nothing has a number: what has one was refused by its type.
class NoNumbers final : public Renumbering {
 public:
  Result<std::uint32_t> own(std::string_view, std::uint32_t) override { return none(); }
  Result<std::uint32_t> borrow(std::string_view, std::uint32_t) override { return none(); }
  Result<std::uint32_t> reader(PipeKind, std::uint32_t) override { return none(); }
  Result<std::uint32_t> writer(PipeKind, std::uint32_t) override { return none(); }

 private:
  static Result<std::uint32_t> none() {
    return failure(Errc::kInvalid, "there is no handle that could be meant");
  }
};

}  // namespace

Result<std::uint32_t> find_call(std::span<const ExportedFunction> exports,
                                std::string_view function, BytesView arguments) {
  TRY(CallText call, cut_call(function));
  if (call.arguments) {
    return failure(Errc::kInvalid, fmt::format("\"{}\" has its arguments in the name", function));
  }
  std::vector<FunctionName> known;
  known.reserve(exports.size());
  for (const ExportedFunction& each : exports) known.push_back({each.interface, each.name});
  TRY(std::size_t number, find_function(known, call.function));
  TRY(Signature signature, parse_signature(exports[number].signature));
  if (!is_plain(signature)) {
    return failure(Errc::kUnsupported,
                   fmt::format("{} is {}: only plain values cross between nodes",
                               known[number].text(), exports[number].signature));
  }
  NoNumbers numbers;
  Buffer unused;
  if (auto read = relocate_arguments(signature, arguments, numbers, unused); !read) {
    return failure(Errc::kInvalid,
                   fmt::format("the arguments are not those of {} {}: {}", known[number].text(),
                               exports[number].signature, read.error().message()));
  }
  return static_cast<std::uint32_t>(number);
}

}  // namespace weft::node::runs
