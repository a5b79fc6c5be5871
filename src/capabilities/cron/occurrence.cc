#include "capabilities/cron/occurrence.h"

#include <expected>
#include <memory>
#include <string>
#include <utility>

#include "door/values.h"
#include "remote/called_back.h"

namespace weft::cron {

Task<void> call_handler(HandlerCalls& calls, RunCount runs, Occurrence occurrence) {
  using Returned = std::expected<void, std::string>;
  // Shared with a call that may end after this task.
  auto returned = std::make_shared<Returned>();
  runs.begin();
  Result<void> outcome = co_await remote::called_back<void>([&](auto done) {
    calls.call(
        0, [occurrence](Writer& out) { out.write(occurrence); },
        [returned](Reader& in) { *returned = in.read<Returned>(); }, std::move(done));
  });
  if (outcome && !*returned) outcome = failure(Errc::kInternal, returned->error());
  runs.end(outcome);
  co_return outcome;
}

}  // namespace weft::cron
