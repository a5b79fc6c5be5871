#include "node/control/control_client.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <memory>

#include "node/wire/node_api.h"

namespace weft::node::control {
namespace {

constexpr long kConnectMs = 5'000;
constexpr long kAnswerMs = 120'000;  // A library is compiled within it.
constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 20;

struct FreeEasy {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;

Easy easy_for(const std::string& path, std::string_view method, std::string_view target) {
  Easy easy(curl_easy_init());
  curl_easy_setopt(easy.get(), CURLOPT_UNIX_SOCKET_PATH, path.c_str());
  curl_easy_setopt(easy.get(), CURLOPT_URL, fmt::format("http://localhost{}", target).c_str());
  curl_easy_setopt(easy.get(), CURLOPT_CUSTOMREQUEST, std::string(method).c_str());
  curl_easy_setopt(easy.get(), CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy.get(), CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  return easy;
}

Error not_reached(Easy& easy, const std::string& path, CURLcode code) {
  curl_off_t connected = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_CONNECT_TIME_T, &connected);
  if (connected > 0) {
    return Error(code == CURLE_OPERATION_TIMEDOUT ? Errc::kTimeout : Errc::kUnavailable,
                 fmt::format("{}: {}: the node may still be at it, or it was stopped", path,
                             curl_easy_strerror(code)));
  }
  if (::access(path.c_str(), W_OK) != 0 && errno == EACCES) {
    return Error(Errc::kDenied,
                 fmt::format("{}: this user may not use it: be the node's user or root, or in that "
                             "user's group and named in [control] of node.toml",
                             path));
  }
  return Error(Errc::kUnavailable,
               fmt::format("no node answers at {} ({}): start it with `weft node start`, or name "
                           "its folder with --dir or its socket with --socket",
                           path, curl_easy_strerror(code)));
}

Error refused(long status, const std::string& body) {
  boost::system::error_code bad;
  auto json = boost::json::parse(body, bad);
  std::string message = fmt::format("the node answers with {}", status);
  if (!bad && json.is_object()) {
    const auto* said = json.get_object().if_contains("message");
    if (said != nullptr && said->is_string()) message = std::string(said->get_string());
  }
  return Error(wire::code_of(static_cast<unsigned>(status)), std::move(message));
}

// What a callback of curl's hands on.
struct Taking {
  std::string text;
  const std::function<bool(std::string_view)>* take = nullptr;
  CURL* easy = nullptr;
  bool stopped = false;

  static std::size_t on_bytes(char* data, std::size_t size, std::size_t count, void* self) {
    auto& me = *static_cast<Taking*>(self);
    long status = 0;
    curl_easy_getinfo(me.easy, CURLINFO_RESPONSE_CODE, &status);
    std::string_view bytes(data, size * count);
    if (me.take != nullptr && status == 200) {
      me.stopped = !(*me.take)(bytes);
      return me.stopped ? 0 : bytes.size();
    }
    if (me.text.size() + bytes.size() > kAnswerBytesMax) return 0;
    me.text += bytes;
    return bytes.size();
  }
};

}  // namespace

Result<std::string> ask_control(const std::string& path, std::string_view method,
                                std::string_view target, std::string_view body) {
  Easy easy = easy_for(path, method, target);
  curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, kAnswerMs);
  if (method == "POST") {
    curl_easy_setopt(easy.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy.get(), CURLOPT_COPYPOSTFIELDS, body.empty() ? "" : body.data());
  }
  Taking taking{.text = {}, .take = nullptr, .easy = easy.get()};
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &Taking::on_bytes);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &taking);
  CURLcode code = curl_easy_perform(easy.get());
  if (code != CURLE_OK) return std::unexpected(not_reached(easy, path, code));
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 200) return std::move(taking.text);
  return std::unexpected(refused(status, taking.text));
}

Result<void> follow_control(const std::string& path, std::string_view target,
                            const std::function<bool(std::string_view)>& take) {
  Easy easy = easy_for(path, "GET", target);
  Taking taking{.text = {}, .take = &take, .easy = easy.get()};
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, &Taking::on_bytes);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &taking);
  CURLcode code = curl_easy_perform(easy.get());
  if (taking.stopped) return {};
  if (code != CURLE_OK) return std::unexpected(not_reached(easy, path, code));
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status == 200) return {};
  return std::unexpected(refused(status, taking.text));
}

}  // namespace weft::node::control
