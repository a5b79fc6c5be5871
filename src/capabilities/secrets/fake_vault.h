#pragma once

#include <atomic>
#include <boost/json.hpp>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/http/test_support.h"

namespace weft::secrets {

// Not a Vault: what the driver asks of one, for tests. Answers reads of a KV engine of version 2,
// `secret`, with the shapes and status codes that Vault documents.
class FakeVault {
 public:
  static constexpr std::string_view kToken = "hvs.token-of-the-fake";

  std::string address() const {
    return "http://127.0.0.1:" + std::to_string(server_.server->port());
  }
  // The value of `key` at a path, as a string of JSON.
  void set(const std::string& path, const std::string& key, std::string_view value) {
    boost::json::object data;
    data[key] = boost::json::string_view(value.data(), value.size());
    set_data(path, boost::json::serialize(data));
  }
  void set_data(const std::string& path, std::string json) {
    std::lock_guard hold(mutex_);
    secrets_[path] = std::move(json);
  }
  void remove(const std::string& path) {
    std::lock_guard hold(mutex_);
    secrets_.erase(path);
  }
  // Answers everything with that status, or, kSilent, nothing; 0: as it should be.
  static constexpr int kSilent = -1;
  void answer_with(int status) { status_ = status; }
  // What it was asked, with each request's namespace.
  std::vector<std::string> asked() {
    std::lock_guard hold(mutex_);
    return asked_;
  }

 private:
  static void respond(HttpExchange& exchange, int status, std::string_view body) {
    static constexpr Header kHeaders[] = {{"content-type", "application/json"}};
    if (!exchange.begin_response(status, kHeaders, body.size())) return;
    exchange.write(as_bytes(body));
    exchange.finish();
  }

  void serve(HttpExchange::Ptr exchange) {
    constexpr std::string_view kPrefix = "/v1/secret/data/";
    std::string path(exchange->request().path);
    std::lock_guard hold(mutex_);
    asked_.push_back(path +
                     std::string(exchange->request().header("x-vault-namespace").value_or("")));
    if (status_ == kSilent) {
      silent_.push_back(std::move(exchange));
    } else if (status_ != 0) {
      respond(*exchange, status_, R"({"errors":["hunter2"]})");
    } else if (exchange->request().header("x-vault-token") != kToken) {
      respond(*exchange, 403, R"({"errors":["permission denied"]})");
    } else if (auto found =
                   secrets_.find(path.starts_with(kPrefix) ? path.substr(kPrefix.size()) : "/");
               found == secrets_.end()) {
      respond(*exchange, 404, R"({"errors":[]})");
    } else {
      respond(*exchange, 200,
              R"({"request_id":"1","lease_id":"","renewable":false,"data":{"data":)" +
                  found->second + R"(,"metadata":{"version":1,"destroyed":false}}})");
    }
  }

  std::mutex mutex_;
  // Guarded:
  std::map<std::string, std::string, std::less<>> secrets_;
  std::vector<std::string> asked_;
  std::vector<HttpExchange::Ptr> silent_;
  std::atomic<int> status_ = 0;
  http_test::TestServer server_{[this](HttpExchange::Ptr exchange) { serve(std::move(exchange)); }};

 public:
  ~FakeVault() {
    // What nobody answered goes on its own loop, while that still runs; a request that comes even
    // later is answered.
    status_ = 503;
    server_.loops.on_each([&](Loop&, std::size_t) { silent_.clear(); });
  }
};

}  // namespace weft::secrets
