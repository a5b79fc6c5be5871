#include "app/prepared_call.h"

#include <fmt/format.h>

#include <vector>

#include "values/json.h"
#include "values/wave.h"

namespace weft {
namespace {

// What crosses must have a text.
Result<void> check_plain(const Signature& signature) {
  auto refuse = [](std::string_view where, const std::string& handle) {
    return failure(Errc::kUnsupported,
                   fmt::format("{} has {} in it, and weft call takes and gives plain values only",
                               where, handle));
  };
  for (const auto& [name, type] : signature.parameters) {
    if (auto handle = find_handle(type))
      return refuse(fmt::format("argument \"{}\"", name), *handle);
  }
  if (auto handle = find_handle(signature.result)) return refuse("the result", *handle);
  return {};
}

}  // namespace

Result<CallText> read_call(const CallForm& form) {
  TRY(CallText call, cut_call(form.function));
  if (form.json && call.arguments) {
    return failure(Errc::kInvalid,
                   fmt::format("with {0} the arguments are an array after the function: write "
                               "{0} '{1}' '[...]'",
                               form.json_flag, call.function.text()));
  }
  if (!form.json && !form.arguments.empty()) {
    return failure(Errc::kInvalid,
                   fmt::format("\"{}\" follows the call: write the arguments into its brackets, or "
                               "use {} with an array of them",
                               form.arguments, form.json_flag));
  }
  return call;
}

Result<PreparedCall> prepare_call(const CallForm& form, const CallText& call,
                                  std::span<const ExportedFunction> functions) {
  std::vector<FunctionName> known;
  for (const ExportedFunction& each : functions) known.push_back({each.interface, each.name});
  TRY(std::size_t number, find_function(known, call.function));
  TRY(Signature signature, parse_signature(functions[number].signature));
  TRY_VOID(check_plain(signature));
  Result<Bytes> arguments;
  if (form.json) {
    arguments = arguments_from_json(signature, form.arguments.empty() ? "[]" : form.arguments);
  } else if (call.arguments) {
    arguments = arguments_from_wave(signature, form.function, *call.arguments);
  } else {
    arguments = arguments_from_wave(signature, "()");
  }
  if (!arguments) {
    return std::unexpected(std::move(arguments).error().within(known[number].text()));
  }
  return PreparedCall{number, std::move(signature.result), *std::move(arguments)};
}

Result<std::string> result_text(const PreparedCall& call, const CallForm& form, BytesView reply) {
  if (call.result.kind == Type::Kind::kNothing) return std::string(form.json ? "null" : "");
  return form.json ? value_to_json(call.result, reply) : value_to_wave(call.result, reply);
}

}  // namespace weft
