#include "app/link_layer_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "door/concurrency.h"
#include "door/retry.h"

namespace weft {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kEntriesMax = 1'000'000;

class LayerReader {
 public:
  LayerReader(TableReader& link, const std::string& where, Problems& problems)
      : link_(link), where_(where), problems_(problems) {}

  LinkLayerSettings read() {
    LinkLayerSettings settings;
    if (const TomlEntry* entry = link_.take_table("retry")) settings.retry = read_retry(*entry);
    if (const TomlEntry* entry = link_.take("concurrency")) {
      settings.concurrency = read_concurrency(*entry);
    }
    if (const TomlEntry* entry = link_.take_table("cache")) settings.cache = read_cache(*entry);
    return settings;
  }

 private:
  LinkLayerSettings::Retry read_retry(const TomlEntry& entry) {
    LinkLayerSettings::Retry retry;
    TableReader reader(entry.value, where_ + ".retry", problems_);
    retry.functions = read_functions(reader, "those that may run more than once for one call");
    if (auto attempts = reader.whole("attempts", 2, RetryLayer::kAttemptsMax)) {
      retry.attempts = static_cast<unsigned>(*attempts);
    }
    if (auto wait = reader.duration("wait", milliseconds(1), seconds(10))) retry.wait = *wait;
    retry.attempt_deadline = reader.duration("attempt-deadline", milliseconds(1));
    reader.finish();
    return retry;
  }

  LinkLayerSettings::Concurrency read_concurrency(const TomlEntry& entry) {
    LinkLayerSettings::Concurrency concurrency;
    if (entry.value.kind != TomlValue::Kind::kTable) {
      if (auto calls = link_.whole("concurrency", 1, ConcurrencyLimit::kCallsMax)) {
        concurrency.calls = *calls;
      }
      return concurrency;
    }
    TableReader reader(entry.value, where_ + ".concurrency", problems_);
    if (auto calls = reader.whole("calls", 1, ConcurrencyLimit::kCallsMax)) {
      concurrency.calls = *calls;
    } else if (entry.value.find("calls") == nullptr) {
      reader.missing("calls", "calls = 8, how many may be under way at once");
    }
    if (auto waiting = reader.whole("waiting", 0, ConcurrencyLimit::kWaitingMax)) {
      concurrency.waiting = *waiting;
    }
    reader.finish();
    return concurrency;
  }

  LinkLayerSettings::Cache read_cache(const TomlEntry& entry) {
    LinkLayerSettings::Cache cache;
    TableReader reader(entry.value, where_ + ".cache", problems_);
    cache.functions = read_functions(reader, "those whose result depends on their arguments alone");
    if (auto entries = reader.whole("entries", 1, kEntriesMax)) cache.entries = *entries;
    if (auto bytes = reader.size("size", 1 << 10, std::uint64_t{64} << 30)) cache.bytes = *bytes;
    cache.keep = reader.duration("for", milliseconds(1));
    reader.finish();
    return cache;
  }

  std::vector<Placed> read_functions(TableReader& reader, std::string_view which) {
    auto functions = reader.texts("functions", "[\"predict\"]");
    if (reader.table().find("functions") == nullptr) {
      reader.missing("functions", fmt::format("functions = [\"NAME\"], {}", which));
    }
    if (!functions) return {};
    if (functions->size() > LinkLayerSettings::kFunctionsMax) {
      const TomlEntry* entry = reader.table().find("functions");
      problems_.error(entry->value.place,
                      fmt::format("{} has {} functions", reader.where(), functions->size()),
                      fmt::format("name at most {}", LinkLayerSettings::kFunctionsMax));
      return {};
    }
    return *std::move(functions);
  }

  TableReader& link_;
  const std::string& where_;
  Problems& problems_;
};

}  // namespace

bool LinkLayerSettings::has(const std::vector<Placed>& functions, std::string_view name) {
  return std::ranges::find(functions, name, &Placed::text) != functions.end();
}

LinkLayerSettings LinkLayerSettings::read(TableReader& link, const std::string& where,
                                          Problems& problems) {
  return LayerReader(link, where, problems).read();
}

}  // namespace weft
