#include <fmt/format.h>

#include <boost/json.hpp>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/thread_name.h"
#include "capabilities/config/source.h"
#include "door/codec.h"
#include "io/loop.h"
#include "remote/base64.h"
#include "remote/etcd/client.h"
#include "remote/etcd/watch.h"

namespace weft::config {
namespace {

namespace json = boost::json;
using remote::etcd::Client;
using remote::etcd::Watch;

// After a read that failed, where something has changed.
constexpr std::chrono::milliseconds kReadAgain{1'000};

// What a range of all keys holds, and the revision that it is of.
struct Read {
  Values values;
  std::uint64_t revision = 0;
};

Result<Read> read_range(const json::object& answer, const std::string& prefix) {
  Read read;
  if (const json::object* header = remote::etcd::object_in(answer, "header")) {
    read.revision = remote::etcd::number_in(*header, "revision");
  }
  const json::array* found = remote::etcd::array_in(answer, "kvs");
  if (found == nullptr) return read;
  if (found->size() > kSourceKeysMax) {
    return failure(Errc::kLimit,
                   fmt::format("etcd: {} has more than {} keys", prefix, kSourceKeysMax));
  }
  std::size_t bytes = 0;
  for (const json::value& each : *found) {
    const json::object* kv = each.if_object();
    if (kv == nullptr) return failure(Errc::kCorrupt, "etcd: a key that is no object");
    TRY(Bytes key, remote::etcd::bytes_in(*kv, "key"));
    TRY(Bytes value, remote::etcd::bytes_in(*kv, "value"));
    std::string name(as_text(key));
    if (!name.starts_with(prefix)) return failure(Errc::kCorrupt, "etcd: a key of somebody else's");
    bytes += key.size() + value.size();
    if (name.size() - prefix.size() > kKeyBytesMax || value.size() > kValueBytesMax ||
        bytes > kSourceBytesMax) {
      return failure(Errc::kLimit,
                     fmt::format("etcd: below {} a key has at most {} bytes, a value {} and all {}",
                                 prefix, kKeyBytesMax, kValueBytesMax, kSourceBytesMax));
    }
    if (!is_utf8(name) || !is_utf8(as_text(value))) {
      return failure(Errc::kCorrupt, fmt::format("etcd: a value below {} is not UTF-8", prefix));
    }
    read.values.insert_or_assign(name.substr(prefix.size()), std::string(as_text(value)));
  }
  return read;
}

// Reads and watches on a thread of its own, which begins with the first read.
class EtcdSource final : public Source {
 public:
  EtcdSource(remote::etcd::Settings settings, std::string prefix)
      : settings_(std::make_shared<const remote::etcd::Settings>(std::move(settings))),
        prefix_(std::move(prefix)) {}

  ~EtcdSource() override {
    loop_.stop();
    if (thread_.joinable()) thread_.join();
  }

  Result<void> open() override {
    if (thread_.joinable()) return {};
    std::promise<Result<void>> first;
    opened_ = &first;
    thread_ = std::thread([this] { run(); });
    Result<void> opened = first.get_future().get();
    if (!opened) {
      loop_.stop();
      thread_.join();
    }
    return opened;
  }

  std::optional<std::string> get(std::string_view key) const override {
    ValuesNow values;
    {
      std::lock_guard hold(mutex_);
      values = values_;
    }
    if (values == nullptr) return std::nullopt;
    auto found = values->find(key);
    if (found == values->end()) return std::nullopt;
    return found->second;
  }

 private:
  // Everything from here on runs on the thread.
  void run() {
    name_thread("weft-config");
    {
      Timer again(loop_, [this] { read(); });
      again_ = &again;
      client_ = std::make_shared<Client>(loop_, settings_);
      loop_.post([this] { read(); });
      loop_.run();
      watch_.reset();
      client_.reset();
    }
  }

  void read() {
    std::string body = fmt::format(
        R"({{"key":"{}","range_end":"{}","limit":"{}"}})", remote::base64(as_bytes(prefix_)),
        remote::base64(as_bytes(remote::etcd::end_of_prefix(prefix_))), kSourceKeysMax + 1);
    client_->ask("kv/range", std::move(body), Deadline::after(settings_->timeout * 2),
                 Client::Repeat::kYes, [this](Result<json::object> answer) {
                   if (!answer) return take(std::unexpected(std::move(answer).error()));
                   take(read_range(*answer, prefix_));
                 });
  }

  void take(Result<Read> read) {
    if (opened_ != nullptr) {
      auto* opened = std::exchange(opened_, nullptr);
      if (!read) return opened->set_value(std::unexpected(std::move(read).error()));
      put(std::move(read->values));
      watch(read->revision);
      return opened->set_value({});
    }
    std::string problem = read ? "" : read.error().message();
    if (!problem.empty() && problem != told_) {
      log::warn("config", problem + ": the values from before hold");
    }
    told_ = std::move(problem);
    if (!read) return again_->arm(Deadline::after(kReadAgain));
    if (put(std::move(read->values))) {
      log::info("config", "values have changed", {{"etcd", prefix_}});
    }
  }

  // What has changed is read anew with all the rest: its values belong together.
  void watch(std::uint64_t revision) {
    watch_ = std::make_unique<Watch>(
        client_, prefix_, remote::etcd::end_of_prefix(prefix_), revision,
        Watch::Listener{[this](std::vector<remote::etcd::Event>) { read(); }, [this] { read(); }});
  }

  bool put(Values values) {
    auto next = std::make_shared<const Values>(std::move(values));
    std::lock_guard hold(mutex_);
    if (values_ != nullptr && *values_ == *next) return false;
    values_ = std::move(next);
    return true;
  }

  const std::shared_ptr<const remote::etcd::Settings> settings_;  // Shared with the client.
  const std::string prefix_;
  Loop loop_;
  std::thread thread_;
  std::promise<Result<void>>* opened_ = nullptr;  // Until the first read is done.
  std::shared_ptr<Client> client_;                // Shared with the watch.
  std::unique_ptr<Watch> watch_;
  Timer* again_ = nullptr;
  std::string told_;
  mutable std::mutex mutex_;
  ValuesNow values_;  // Guarded.
};

}  // namespace

std::unique_ptr<Source> etcd_source(remote::etcd::Settings settings, std::string prefix) {
  return std::make_unique<EtcdSource>(std::move(settings), std::move(prefix));
}

}  // namespace weft::config
