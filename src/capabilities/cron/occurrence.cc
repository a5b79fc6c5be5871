#include "capabilities/cron/occurrence.h"

#include <expected>
#include <memory>
#include <string>
#include <utility>

#include "door/values.h"
#include "remote/called_back.h"

namespace weft::cron {

Task<void> call_handler(HandlerCalls& calls, Occurrence occurrence) {
  using Returned = std::expected<void, std::string>;
  // Shared with a call that may end after this task.
  auto returned = std::make_shared<Returned>();
  CO_TRY_VOID(co_await remote::called_back<void>([&](auto done) {
    calls.call(
        0, [occurrence](Writer& out) { out.write(occurrence); },
        [returned](Reader& in) { *returned = in.read<Returned>(); }, std::move(done));
  }));
  if (!*returned) co_return failure(Errc::kTrap, returned->error());
  co_return Result<void>();
}

}  // namespace weft::cron
