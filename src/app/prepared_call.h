#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "engine/runtime.h"
#include "values/call_text.h"
#include "values/type.h"

namespace weft {

// How a call is written, on the command line or for a running host.
struct CallForm {
  std::string function;   // pkg:name/iface#func(args)
  std::string arguments;  // With json: an array.
  bool json = false;
  std::string_view json_flag = "--json";  // What says so, for messages.
};

// One call that was written so: the function, by its number among those that are
// there, and its arguments.
struct PreparedCall {
  std::size_t number = 0;
  Type result;
  Bytes arguments;
};

// Takes the text apart; fails where arguments stand in the wrong place.
Result<CallText> read_call(const CallForm& form);
// `call` is of the same form. The error says what was expected and where, or which function may
// have been meant.
Result<PreparedCall> prepare_call(const CallForm& form, const CallText& call,
                                  std::span<const ExportedFunction> functions);
// Of a reply, as WAVE or JSON. Empty where there is no result, but for JSON, which has null.
Result<std::string> result_text(const PreparedCall& call, const CallForm& form, BytesView reply);

}  // namespace weft
