// One endpoint over HTTP: requests to it, and their answers as they come.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "base/error.h"
#include "base/secret.h"
#include "door/stream.h"
#include "io/http_client/http_client.h"

class Exchange;

struct HttpAsk {
  std::string method = "GET";
  std::string path = {};  // Behind the endpoint's URL.
  std::string body = {};  // JSON; empty: none.
};

struct EndpointSettings {
  std::string url;
  weft::Secret key;  // Empty: none is sent.
  std::chrono::milliseconds first_byte{60'000};
  std::chrono::milliseconds idle{60'000};
};

// Lives on the loop, until the provider stops: what is under way then is broken off.
class Endpoint {
 public:
  Endpoint(weft::Loop& loop, EndpointSettings settings);
  Endpoint(const Endpoint&) = delete;
  ~Endpoint();

  // Asks, and returns when the head of the answer is there. The time-outs are the settings'.
  weft::Task<std::unique_ptr<Exchange>> ask(HttpAsk what);

 private:
  friend class Exchange;
  weft::HttpClient client_;
  const EndpointSettings settings_;
  std::unordered_set<Exchange*> running_;
};

// A request and its answer. Dropping it closes the request: the endpoint hears of that.
class Exchange final : private weft::HttpTransferListener {
 public:
  Exchange(Endpoint& endpoint, std::string body);
  Exchange(const Exchange&) = delete;
  ~Exchange() override;

  unsigned status() const { return status_; }
  // Seconds, where the answer says when to come again.
  std::optional<std::uint32_t> retry_after() const { return retry_after_; }

  // The next piece of the answer's body; empty at its end. What is not read waits at the endpoint.
  weft::Task<std::string> read();
  // All of it that is left. kLimit when that is more than `max`.
  weft::Task<std::string> read_all(std::size_t max);
  // What waits in `read`, and what reads later, gets kCancelled.
  void stop();

 private:
  friend class Endpoint;
  bool may_connect(const weft::IpAddress&) override { return true; }  // It is the operator's URL.
  std::int64_t read(std::span<std::uint8_t> room) override;
  void head(unsigned status, const weft::HttpHeaders& headers) override;
  bool has_room() override { return !closed_ && rest_.empty() && body_.writer.room() != 0; }
  void data(weft::BytesView bytes) override;
  void finished(const weft::HttpHeaders& trailers) override;
  void failed(weft::HttpProblem problem, const std::string& detail) override;
  void pass_on();

  Endpoint* endpoint_;  // Null: it has gone.
  std::unique_ptr<weft::HttpTransfer> transfer_;
  std::string sent_;
  std::size_t sent_count_ = 0;
  unsigned status_ = 0;
  std::optional<std::uint32_t> retry_after_;
  weft::Pipe::Ends head_;  // One item: it is there.
  weft::Pipe::Ends body_;
  std::string rest_;  // Came, and found no room: what curl hands over at once, at most.
  bool whole_ = false;
  std::optional<weft::Error> broken_;
  bool closed_ = false;  // Nothing goes into `body_` any more.
};
