// Shows what static files are served, with which headers, and that nothing outside the folder is.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "io/http/test_support.h"
#include "triggers/http/static_file.h"
#include "triggers/http/static_handler.h"

namespace weft {
namespace {

using namespace http_test;
using ::testing::HasSubstr;

TEST(StaticFile, NamesFilesBelowTheFolder) {
  EXPECT_EQ(file_of("/assets/a.txt?x", 1), "a.txt");
  EXPECT_EQ(file_of("/assets/d/a%20b.txt", 1), "d/a b.txt");
  EXPECT_EQ(file_of("/assets/d/", 1), "d/");
  EXPECT_EQ(file_of("/assets/", 1), "");
  EXPECT_EQ(file_of("/assets", 1), "");
  EXPECT_EQ(file_of("/", 0), "");
  EXPECT_EQ(file_of("/favicon.ico", 0), "favicon.ico");
  EXPECT_EQ(file_of("/.well-known/x", 0), ".well-known/x");
  for (std::string_view path :
       {"/../x", "/a/../../x", "/%2e%2e/x", "/./x", "/a//b", "//x", "/.env", "/a/.git/config",
        "/a%2fb", "/a%00b", "/a%2", "/a%zz", "*", "", "/a/%2E./b"}) {
    EXPECT_EQ(file_of(path, 0), std::nullopt) << path;
  }
}

TEST(StaticFile, KnowsTypesAndDates) {
  EXPECT_EQ(content_type_of("a/b.HTML"), "text/html; charset=utf-8");
  EXPECT_EQ(content_type_of("x.wasm"), "application/wasm");
  EXPECT_EQ(content_type_of("x"), "application/octet-stream");
  EXPECT_EQ(http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  for (std::string_view text : {"", "yesterday", "Sun, 06 Foo 1994 08:49:37 GMT",
                                "Sun, 06 Nov 1994 28:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 CET"}) {
    EXPECT_EQ(parse_http_date(text), std::nullopt) << text;
  }
}

TEST(StaticFile, AnswersConditionsAndRanges) {
  struct stat file{};
  file.st_size = 100;
  file.st_mtim.tv_sec = 784111777;
  auto ask = [&](std::vector<Header> headers, std::string_view method = "GET") {
    RequestHead head;
    head.method = method;
    head.headers = headers;
    FileAnswer answer = answer_for(head, file, "\"tag\"");
    return fmt::format("{} {}+{}", answer.status, answer.offset, answer.size);
  };
  std::string_view date = "Sun, 06 Nov 1994 08:49:37 GMT";
  std::string_view before = "Sun, 06 Nov 1994 08:49:36 GMT";
  EXPECT_EQ(ask({}), "200 0+100");
  EXPECT_EQ(ask({{"if-none-match", "\"x\", W/\"tag\""}}), "304 0+0");
  EXPECT_EQ(ask({{"if-none-match", "*"}}), "304 0+0");
  EXPECT_EQ(ask({{"if-none-match", "\"x\""}, {"if-modified-since", date}}), "200 0+100");
  EXPECT_EQ(ask({{"if-modified-since", date}}), "304 0+0");
  EXPECT_EQ(ask({{"if-modified-since", before}}), "200 0+100");
  EXPECT_EQ(ask({{"range", "bytes=0-9"}}), "206 0+10");
  EXPECT_EQ(ask({{"range", "bytes=90-"}}), "206 90+10");
  EXPECT_EQ(ask({{"range", "bytes=90-1000"}}), "206 90+10");
  EXPECT_EQ(ask({{"range", "bytes=-30"}}), "206 70+30");
  EXPECT_EQ(ask({{"range", "bytes=-300"}}), "206 0+100");
  EXPECT_EQ(ask({{"range", "bytes=100-"}}), "416 0+0");
  EXPECT_EQ(ask({{"range", "bytes=-0"}}), "416 0+0");
  for (std::string_view range : {"bytes=9-1", "bytes=a-b", "bytes=1", "bytes=0-1,5-6", "lines=1-2",
                                 "bytes=", "bytes=99999999999999999999-"}) {
    EXPECT_EQ(ask({{"range", range}}), "200 0+100") << range;
  }
  EXPECT_EQ(ask({{"range", "bytes=0-9"}}, "HEAD"), "200 0+100");
  EXPECT_EQ(ask({{"range", "bytes=0-9"}, {"if-range", "\"tag\""}}), "206 0+10");
  EXPECT_EQ(ask({{"range", "bytes=0-9"}, {"if-range", "W/\"tag\""}}), "200 0+100");
  EXPECT_EQ(ask({{"range", "bytes=0-9"}, {"if-range", "\"old\""}}), "200 0+100");
  EXPECT_EQ(ask({{"range", "bytes=0-9"}, {"if-range", date}}), "206 0+10");
}

// A folder, beside a secret, served over a socket at /files.
class StaticServing : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = ::testing::TempDir() + "weft-static-XXXXXX";
    root = ::mkdtemp(path.data());
    std::filesystem::create_directories(root / "www/sub");
    put("secret.txt", "secret");
    put("www/a.txt", "0123456789");
    put("www/sub/index.html", "<p>sub");
    put("www/empty", "");
    put("www/.env", "secret");
    std::filesystem::create_symlink("../secret.txt", root / "www/out.txt");
    std::filesystem::create_symlink(root / "secret.txt", root / "www/absolute.txt");
    std::filesystem::create_symlink("a.txt", root / "www/in.txt");
    std::filesystem::create_directory_symlink("..", root / "www/up");
    ::mkfifo((root / "www/pipe").c_str(), 0600);
    auto opened = StaticFolder::open(root / "www");
    ASSERT_TRUE(opened);
    loops.on_each([&](Loop&, std::size_t) {
      handler = std::make_unique<StaticHandler>(*pool, *opened, "/files/...");
    });
    HttpHandler* handlers[] = {handler.get()};
    auto listening = HttpServer::listen(loops, handlers, {});
    ASSERT_TRUE(listening);
    server = std::move(*listening);
  }
  void TearDown() override {
    server.reset();
    loops.on_each([&](Loop&, std::size_t) { handler.reset(); });
    pool.reset();
    std::filesystem::remove_all(root);
  }
  void put(const std::string& name, std::string_view text) { std::ofstream(root / name) << text; }
  Response get(std::string_view path, std::string_view headers = "", std::string_view way = "GET") {
    Client client(*server);
    client.send(fmt::format("{} {} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{}\r\n", way, path,
                            headers));
    return client.read_response(way == "HEAD" ? Client::Body::kNone : Client::Body::kExpected);
  }

  std::filesystem::path root;
  Loops loops{{.count = 1, .started = {}, .stopping = {}}};
  std::unique_ptr<Pool> pool = std::make_unique<Pool>(Pool::Options{.threads = 2});
  std::unique_ptr<StaticHandler> handler;
  std::unique_ptr<HttpServer> server;
};

TEST_F(StaticServing, ServesFilesWithTheirHeaders) {
  Response file = get("/files/a.txt");
  EXPECT_EQ(file.status, 200);
  EXPECT_EQ(file.body, "0123456789");
  EXPECT_EQ(file.header("content-type"), "text/plain; charset=utf-8");
  EXPECT_EQ(file.header("x-content-type-options"), "nosniff");
  EXPECT_THAT(file.header("last-modified"), HasSubstr(" GMT"));
  std::string etag = file.header("etag");
  Response same = get("/files/a.txt", fmt::format("If-None-Match: {}\r\n", etag));
  EXPECT_EQ(same.status, 304);
  EXPECT_EQ(same.header("etag"), etag);
  Response part = get("/files/a.txt", "Range: bytes=2-4\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part.header("content-range"), "bytes 2-4/10");
  Response beyond = get("/files/a.txt", "Range: bytes=10-\r\n");
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.header("content-range"), "bytes */10");
  Response head = get("/files/a.txt", "", "HEAD");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "10");
  EXPECT_EQ(get("/files/empty").header("content-length"), "0");
  EXPECT_EQ(get("/files/in.txt").body, "0123456789");
  put("www/a.txt", "another text");
  EXPECT_EQ(get("/files/a.txt", fmt::format("If-None-Match: {}\r\n", etag)).status, 200);
}

TEST_F(StaticServing, ServesTheIndexOfAFolder) {
  EXPECT_EQ(get("/files/sub/").body, "<p>sub");
  EXPECT_EQ(get("/files/sub/").header("content-type"), "text/html; charset=utf-8");
  Response bare = get("/files/sub?x=1");
  EXPECT_EQ(bare.status, 301);
  EXPECT_EQ(bare.header("location"), "/files/sub/?x=1");
  EXPECT_EQ(get("/files/").status, 404);
  put("www/index.html", "<p>top");
  EXPECT_EQ(get("/files").body, "<p>top");
}

TEST_F(StaticServing, ServesNothingElse) {
  for (std::string_view path :
       {"/files/nothing", "/files/out.txt", "/files/absolute.txt", "/files/up/secret.txt",
        "/files/up/www/a.txt", "/files/pipe", "/files/.env", "/files/%2e%2e/secret.txt",
        "/files/../secret.txt", "/files/a.txt/", "/files//a.txt", "/files/a.txt/b"}) {
    Response response = get(path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(response.body, "Not Found\n") << path;
  }
  Response posted = get("/files/a.txt", "", "POST");
  EXPECT_EQ(posted.status, 405);
  EXPECT_EQ(posted.header("allow"), "GET, HEAD");
}

// A large file comes whole, in pieces and in part, also to a client that is slow to take it.
TEST_F(StaticServing, StreamsLargeFiles) {
  std::string text;
  for (std::size_t i = 0; text.size() < (8u << 20); ++i) text += fmt::format("{} ", i);
  put("www/large.bin", text);
  EXPECT_TRUE(get("/files/large.bin").body == text);
  EXPECT_TRUE(get("/files/large.bin", "Range: bytes=1000000-5000000\r\n").body ==
              text.substr(1'000'000, 4'000'001));
  EXPECT_TRUE(get("/files/large.bin", "Range: bytes=-10\r\n").body ==
              text.substr(text.size() - 10));
  // A client that goes away in the middle costs nothing but its own response.
  for (int i = 0; i < 20; ++i) {
    Client client(server->port(), 4096);
    client.send("GET /files/large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
    client.read_some();
  }
  EXPECT_EQ(get("/files/a.txt").status, 200);
}

// A file that shrinks while it is sent is not taken for whole.
TEST_F(StaticServing, BreaksOffAFileThatShrinks) {
  put("www/large.bin", std::string(32u << 20, 'x'));
  Client client(server->port(), 4096);
  client.send("GET /files/large.bin HTTP/1.1\r\nHost: a\r\n\r\n");
  client.read_some();
  std::filesystem::resize_file(root / "www/large.bin", 1000);
  EXPECT_FALSE(client.read_response().whole);
}

TEST(StaticFolder, NamesAFolderThatIsNotThere) {
  auto opened = StaticFolder::open("/nowhere/www");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Errc::kNotFound);
  EXPECT_THAT(opened.error().message(), HasSubstr("/nowhere/www"));
}

}  // namespace
}  // namespace weft
