#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/error.h"
#include "capabilities/keyvalue/drivers/dynamodb/places.h"
#include "io/task.h"
#include "remote/aws/sigv4.h"
#include "remote/http/service.h"

namespace weft::keyvalue::dynamodb {

// Requests of one loop that are under way at once.
inline constexpr std::size_t kAtOnceMax = 64;
// Of one answer: DynamoDB's own bound is 16 MB, before base64.
inline constexpr std::size_t kAnswerBytesMax = std::size_t{24} << 20;
// How often a request is sent at most that the server says is too much just now, and what lies
// between: doubled each time, half of it by chance.
inline constexpr unsigned kRefusalsMax = 10;
inline constexpr std::chrono::milliseconds kRefusedFirst{25};
inline constexpr std::chrono::milliseconds kRefusedLongest{1'000};
// How often a request is sent at most whose answer does not come, where that is safe.
inline constexpr unsigned kLossesMax = 2;

// The table's key, as it has to be.
inline constexpr std::string_view kBucketAttribute = "bucket";
inline constexpr std::string_view kKeyAttribute = "key";

// What an operator sets: see the README of this folder.
struct Settings {
  std::string scheme = "https";
  std::string host;  // With a port that is not the scheme's own.
  std::string table;
  std::string region = "us-east-1";
  std::string prefix = "weft";
  remote::aws::Credentials credentials = {};
  std::string ca_file = {};
  std::chrono::milliseconds timeout{5'000};
  // What the clients see of the server. Shared by them; null where nobody wants to know.
  std::shared_ptr<remote::Health> health = nullptr;
};

// What came of a request.
struct Reply {
  boost::json::object body;
  bool refused_by_condition = false;  // Nothing was written: its condition does not hold.
  bool in_doubt = false;              // An attempt before this one may have been carried out.
};

// Pauses that grow, for what the server wants to be asked for later.
class Backoff {
 public:
  // Waits for the next one. False, at once, where it would end behind the deadline, and where
  // there have been kRefusalsMax.
  Task<bool> wait(Loop& loop, Deadline deadline);

 private:
  unsigned count_ = 0;
};

// One loop's requests to one table. Shared by the loop's buckets and by what they have under way.
class Client {
 public:
  enum class Kind : std::uint8_t {
    kRead,         // Changes nothing, so that it may be sent again.
    kConditional,  // May be sent again: its condition does not hold once it has been carried out.
    kWrite,        // Not to be sent again unless it was surely not carried out.
  };
  // Makes a request's body, once it is its turn.
  using Body = std::function<std::string()>;

  Client(Loop& loop, std::shared_ptr<const Settings> settings);
  Client(const Client&) = delete;

  Loop& loop() { return service_->loop(); }
  const Settings& settings() const { return *settings_; }

  // Asks for an operation of the API. Of an error that leaves open whether a write was carried out
  // the message says so.
  Task<Reply> call(std::string operation, Kind kind, Body body, Deadline deadline);
  // Whether the table is there, has the key that it has to have, and lets us see that.
  Task<void> reach(Deadline deadline);

  // A number that no value has had: never 0, never the same twice.
  std::uint64_t new_version();

 private:
  struct Attempt;

  Task<Attempt> attempt(std::string operation, Kind kind, std::span<const Bytes> body,
                        Deadline deadline);
  Task<std::string> read_all(remote::HttpResponse& response, Deadline deadline);
  Attempt read_answer(unsigned status, std::string_view text) const;
  Error told(unsigned status, std::string_view type, std::string_view message) const;

  std::shared_ptr<const Settings> settings_;
  std::shared_ptr<remote::HttpService> service_;  // Shared with the responses.
  remote::aws::Signer signer_;
  Places places_;
  std::random_device random_;
};

// What is not as it should be in an answer.
Error wrong_answer();
// A member of that kind, or null.
const boost::json::object* object_in(const boost::json::object& object, std::string_view name);
std::string_view text_in(const boost::json::object& object, std::string_view name);

}  // namespace weft::keyvalue::dynamodb
