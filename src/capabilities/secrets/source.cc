#include "capabilities/secrets/source.h"

#include <fmt/format.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "door/codec.h"
#include "io/loop.h"
#include "io/timer.h"

namespace weft::secrets {

Result<void> check_name(std::string_view name) {
  if (name.empty()) return failure(Errc::kInvalid, "the name of a secret is empty");
  if (name.size() > kNameBytesMax) {
    return failure(Errc::kInvalid, fmt::format("the name of a secret has {} bytes: {} at most",
                                               name.size(), kNameBytesMax));
  }
  if (name.find('\0') != std::string_view::npos) {
    return failure(Errc::kInvalid, "the name of a secret has a zero byte in it");
  }
  return {};
}

Result<void> check_value(std::string_view name, std::string_view value) {
  if (value.size() <= kValueBytesMax) return {};
  return failure(Errc::kLimit, fmt::format("the secret {} is longer than {} bytes, which is too "
                                           "much for a secret",
                                           name, kValueBytesMax));
}

void drop_final_newline(std::string& value) {
  if (value.ends_with('\n') && is_utf8(value)) value.pop_back();
}

Result<Secret> wait_for(Loop& loop, Source& source, std::string_view name, Deadline deadline) {
  struct Wait {
    std::optional<Result<Secret>> outcome;
    bool over = false;
  };
  std::unique_ptr<Reader> reader;
  // Shared with the answer, which may come when nobody waits for it any more.
  auto wait = std::make_shared<Wait>();
  Timer timer(loop, [&loop] { loop.stop(); });
  // A reader is used on its loop alone.
  auto run = [&loop](Loop::Work work) {
    loop.post(std::move(work));
    loop.context().restart();
    loop.run();
  };
  run([&] {
    reader = source.reader(loop);
    timer.arm(deadline);
    auto settled = reader->get({loop, deadline}, name).settle([&loop, wait](Result<Secret> value) {
      if (wait->over) return Nothing();
      wait->outcome = std::move(value);
      loop.stop();
      return Nothing();
    });
  });
  wait->over = true;
  timer.disarm();
  run([&] {
    reader.reset();
    loop.stop();
  });
  if (wait->outcome) return *std::move(wait->outcome);
  return failure(Errc::kTimeout, fmt::format("the secret {} did not come in time", name));
}

}  // namespace weft::secrets
