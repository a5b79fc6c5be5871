// Shows a server at a Unix socket: who asks is known by the kernel's word, on every loop; a socket
// that was left behind is replaced, one that is in use or is something else is not.
#include <curl/curl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/check.h"
#include "io/http/server.h"
#include "io/loop.h"

namespace weft {
namespace {

namespace fs = std::filesystem;

// Says who asks.
class Mirror final : public HttpHandler {
 public:
  void handle(HttpExchange::Ptr exchange) override {
    std::string peer(exchange->peer());
    EXPECT_TRUE(exchange->begin_response(200, {}, peer.size()));
    exchange->write(as_bytes(peer));
    exchange->finish();
  }
};

class UnixServer : public ::testing::Test {
 protected:
  UnixServer() : loops_({.count = 2, .started = {}, .stopping = {}}) {
    std::string name = (fs::temp_directory_path() / "weft-unix-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~UnixServer() override { fs::remove_all(folder_); }

  Result<std::unique_ptr<HttpServer>> listen(const fs::path& path) {
    HttpHandler* handlers[] = {&mirror_, &mirror_};
    return HttpServer::listen(loops_, handlers, {.addresses = {{.path = path.string()}}});
  }
  static std::string ask(const fs::path& path) {
    std::string text;
    CURL* easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, path.c_str());
    curl_easy_setopt(easy, CURLOPT_URL, "http://localhost/");
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, 20L);
    curl_easy_setopt(
        easy, CURLOPT_WRITEFUNCTION, +[](char* data, size_t size, size_t count, void* into) {
          static_cast<std::string*>(into)->append(data, size * count);
          return size * count;
        });
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &text);
    CURLcode code = curl_easy_perform(easy);
    curl_easy_cleanup(easy);
    return code == CURLE_OK ? text : curl_easy_strerror(code);
  }

  fs::path folder_;
  Loops loops_;
  Mirror mirror_;
};

TEST_F(UnixServer, KnowsWhoAsks) {
  fs::path path = folder_ / "weft.sock";
  auto server = listen(path);
  ASSERT_TRUE(server.has_value()) << server.error().message();
  EXPECT_EQ((*server)->url(), "unix:" + path.string());
  struct stat mode{};
  ASSERT_EQ(::stat(path.c_str(), &mode), 0);
  EXPECT_EQ(mode.st_mode & 0777, 0660u);
  std::string mine = "unix:uid=" + std::to_string(getuid()) + ",gid=" + std::to_string(getgid()) +
                     ",pid=" + std::to_string(getpid());
  for (int i = 0; i < 16; ++i) EXPECT_EQ(ask(path), mine);
  server->reset();
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(UnixServer, TakesAPlaceThatNobodyHas) {
  fs::path path = folder_ / "weft.sock";
  {
    auto first = listen(path);
    ASSERT_TRUE(first.has_value());
    auto second = listen(path);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code(), Errc::kConflict);
    EXPECT_TRUE(ask(path).starts_with("unix:uid="));
    fs::rename(path, folder_ / "left");
  }
  ASSERT_TRUE(fs::exists(folder_ / "left"));
  EXPECT_TRUE(listen(folder_ / "left").has_value());
  std::ofstream(folder_ / "file") << "mine";
  auto refused = listen(folder_ / "file");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::kConflict);
  EXPECT_TRUE(fs::exists(folder_ / "file"));
  EXPECT_EQ(listen(folder_ / std::string(200, 'x')).error().code(), Errc::kInvalid);
  EXPECT_FALSE(listen(folder_ / "no" / "such").has_value());
}

}  // namespace
}  // namespace weft
