// Shows what the engine says of programs it loads and refuses, that compiled programs are kept and
// only trusted when they are whole and ours, and that short address space is survived and told.

#include "engine/runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "capabilities/test_folder.h"
#include "engine/compile_cache.h"
#include "engine/test_guests.h"
#include "engine/testing.h"

namespace weft::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::uint64_t kMemory = std::uint64_t{64} << 20;

std::string refusal(const std::string& file) {
  Result<std::unique_ptr<Program>> program = runtime().load(file, kMemory);
  return program ? "it was loaded" : program.error().message();
}

// Each kind of program is told by what it exports.
TEST(Runtime, TellsKinds) {
  auto kind = [](const std::string& file) {
    return must(runtime().load(file, kMemory))->info().kind;
  };
  EXPECT_EQ(kind(guest("hello_p2")), ProgramKind::kHttp02);
  EXPECT_EQ(kind(guest("hello_p3")), ProgramKind::kHttp03);
  EXPECT_EQ(kind(guest("hello_command")), ProgramKind::kCommand02);
  EXPECT_EQ(kind(guest("module_p1")), ProgramKind::kCommand02);
  EXPECT_EQ(kind(guest("echo_iface")), ProgramKind::kLibrary);
}

// Imports and exports carry their interface, name, type and whether they are asynchronous.
TEST(Runtime, DescribesFunctions) {
  auto program = must(runtime().load(file_with("async.wat", kAsyncGuest), kMemory));
  const ProgramInfo& info = program->info();
  ASSERT_EQ(info.functions.size(), 2u);
  EXPECT_EQ(info.functions[0].interface, "test:torture/calls@1.0.0");
  EXPECT_EQ(info.functions[0].name, "later");
  EXPECT_TRUE(info.functions[0].is_async);
  EXPECT_FALSE(info.functions[1].is_async);
  EXPECT_TRUE(info.functions[1].plain);
  EXPECT_FALSE(info.functions[1].wasi);
  EXPECT_THAT(info.functions[1].signature, AllOf(HasSubstr("func"), HasSubstr("u32")));
  ASSERT_EQ(info.exports.size(), 3u);
  EXPECT_EQ(info.exports[0].name, "one");
  EXPECT_TRUE(info.exports[0].is_async);

  auto hoarder = must(runtime().load(file_with("hoarder.wat", kHoarderGuest), kMemory));
  EXPECT_FALSE(hoarder->info().functions[0].plain) << "a handle is in its result";
  EXPECT_EQ(hoarder->info().digest.size(), 64u);
}

// What is no program is refused in one message that names the file and the reason.
TEST(Runtime, RefusesWhatIsNoProgram) {
  EXPECT_THAT(refusal("/nowhere/x.wasm"),
              AllOf(HasSubstr("/nowhere/x.wasm"), HasSubstr("No such")));
  EXPECT_THAT(refusal("/"), HasSubstr("not a file"));
  std::string fifo = fs::path(file_with("text.wasm", "hello")).replace_filename("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_THAT(refusal(fifo), HasSubstr("not a file"))
      << "nobody writes to it: it is not waited for";
  EXPECT_THAT(refusal(file_with("text.wasm", "hello")), HasSubstr("not WebAssembly"));
  EXPECT_THAT(refusal(file_with("elf.wasm",
                                "\x7f"
                                "ELF...")),
              HasSubstr("precompiled"));
  EXPECT_THAT(refusal(file_with("short.wasm", std::string("\0asm\x0d\0", 6))),
              HasSubstr("cut off"));
  EXPECT_THAT(refusal(file_with("wrong.wat", "(component (import))")), HasSubstr("wrong.wat"));
  EXPECT_THAT(refusal(file_with("memory64.wat", "(component (core module (memory i64 1)))")),
              HasSubstr("64-bit memory"));

  std::ifstream in(guest("hello_p2"), std::ios::binary);
  std::string whole((std::istreambuf_iterator<char>(in)), {});
  EXPECT_THAT(refusal(file_with("half.wasm", whole.substr(0, whole.size() / 2))),
              HasSubstr("half.wasm"));
}

// An import that nobody serves is named when the program is linked.
TEST(Runtime, NamesWhatIsNotServed) {
  auto program = must(runtime().load(file_with("async.wat", kAsyncGuest), kMemory));
  auto linked = program->link({false, false}, "guest", {}, {});
  ASSERT_FALSE(linked.has_value());
  EXPECT_THAT(linked.error().message(), HasSubstr("test:torture/calls@1.0.0"));
}

class Cache : public ::testing::Test {
 protected:
  std::unique_ptr<Runtime> fresh() {
    return must(Runtime::create(
        {.instances_max = 8, .memory_slot_bytes = kMemory, .cache_folder = cache()}));
  }
  std::string cache() const { return folder_.path() / "compiled"; }
  std::vector<fs::path> artefacts() const {
    std::vector<fs::path> found;
    for (const auto& each : fs::directory_iterator(cache())) {
      if (each.path().extension() == ".cwasm") found.push_back(each.path());
    }
    return found;
  }
  bool load_cached() {
    return must(fresh()->load(file_with("cached.wat", kUnrulyGuest), kMemory))->info().cached;
  }

  TestFolder folder_;
};

// The second load of a program maps what the first one compiled; another file of the same content
// does too, and one of other content does not.
TEST_F(Cache, KeepsWhatWasCompiled) {
  EXPECT_FALSE(load_cached());
  EXPECT_TRUE(load_cached());
  EXPECT_EQ(artefacts().size(), 1u);
  auto runtime = fresh();
  EXPECT_TRUE(must(runtime->load(file_with("copy.wat", kUnrulyGuest), kMemory))->info().cached);
  EXPECT_FALSE(must(runtime->load(file_with("other.wat", kHoarderGuest), kMemory))->info().cached);
  EXPECT_EQ(fs::status(cache()).permissions(), fs::perms::owner_all);
}

// A file that changes is a new program, also when name and size stay.
TEST_F(Cache, SeesThatAFileChanged) {
  auto runtime = fresh();
  auto digest = [&](std::string_view content) {
    return must(runtime->load(file_with("changing.wat", content), kMemory))->info().digest;
  };
  std::string first = digest("(component (core module (func (export \"a\"))))");
  std::string second = digest("(component (core module (func (export \"b\"))))");
  EXPECT_NE(first, second);
}

// An artefact that is cut off, damaged at its head, of another version, or empty is made again.
TEST_F(Cache, MakesTornArtefactsAgain) {
  load_cached();
  ASSERT_EQ(artefacts().size(), 1u);
  fs::path path = artefacts().front();
  auto size = fs::file_size(path);

  fs::resize_file(path, size / 2);
  EXPECT_FALSE(load_cached());
  EXPECT_TRUE(load_cached()) << "it was made again, whole";

  fs::resize_file(path, 0);
  EXPECT_FALSE(load_cached());

  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.write("not what an artefact begins with", 32);
  }
  EXPECT_FALSE(load_cached());

  // Wasmtime writes its version into the artefact, after its length: another digit is another one.
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::size_t at = bytes.find(
      "\x02"
      "48");
  ASSERT_NE(at, std::string::npos);
  bytes[at + 1] = '3';
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  EXPECT_FALSE(load_cached());
  EXPECT_TRUE(load_cached());
}

// A bit that flips anywhere in an artefact is seen: it is made again, with one line in the log.
TEST_F(Cache, MakesDamagedArtefactsAgain) {
  load_cached();
  fs::path path = artefacts().front();
  auto size = fs::file_size(path);
  for (int part = 0; part < 8; ++part) {
    auto at = static_cast<std::streamoff>(size * part / 8 + 7);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(at);
    file.put(byte);
    file.close();
    ::testing::internal::CaptureStderr();
    EXPECT_FALSE(load_cached()) << "damaged at " << at;
    std::string said = ::testing::internal::GetCapturedStderr();
    EXPECT_THAT(said, AllOf(HasSubstr(path.string()), HasSubstr("damaged")));
    EXPECT_EQ(std::ranges::count(said, '\n'), 1);
    EXPECT_TRUE(load_cached()) << "it was made again, whole";
  }
}

// The folder is bounded: what was not used for longest leaves it, and what is used stays.
TEST_F(Cache, ForgetsWhatIsOldest) {
  load_cached();
  auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(1000);
  for (const auto& each : fs::directory_iterator(cache())) {
    fs::last_write_time(each.path(), long_ago);
  }
  EXPECT_TRUE(load_cached());
  for (std::size_t i = 0; i < CompileCache::kFilesMax + 500; ++i) {
    std::string path = cache() + "/old-" + std::to_string(i);
    std::ofstream(path) << "x";
    fs::last_write_time(path, long_ago + std::chrono::hours(1 + i % 500));
  }
  must(fresh()->load(file_with("other.wat", kHoarderGuest), kMemory));
  auto files = std::distance(fs::directory_iterator(cache()), {});
  constexpr auto kMost = static_cast<std::ptrdiff_t>(CompileCache::kFilesMax);
  EXPECT_LE(files, kMost + 1) << "one stamp is written after the last look";
  EXPECT_GT(files, kMost - 50);
  EXPECT_TRUE(load_cached());
  EXPECT_FALSE(fs::exists(cache() + "/old-0"));
  EXPECT_TRUE(fs::exists(cache() + "/old-499"));
}

// What others could have written is not run: neither a folder nor a file that they may write.
TEST_F(Cache, TrustsOnlyWhatIsOurs) {
  load_cached();
  fs::permissions(artefacts().front(), fs::perms::all);
  EXPECT_FALSE(load_cached()) << "others may write the artefact";
  fs::permissions(cache(), fs::perms::all);
  auto runtime = fresh();
  Result<std::unique_ptr<Program>> program =
      runtime->load(file_with("cached.wat", kUnrulyGuest), kMemory);
  std::string said = program ? runtime->fallback_note() : program.error().message();
  EXPECT_TRUE(!program || !(*program)->info().cached);
  EXPECT_THAT(said, AllOf(HasSubstr(cache()), HasSubstr("0700")));
}

// A link in the artefact's place is not followed.
TEST_F(Cache, FollowsNoLink) {
  load_cached();
  fs::path path = artefacts().front();
  fs::path elsewhere = folder_.path() / "elsewhere.cwasm";
  fs::rename(path, elsewhere);
  fs::create_symlink(elsewhere, path);
  EXPECT_FALSE(load_cached());
}

// Runs a command with little address space and prints what came of it.
[[noreturn]] void run_in_short_space() {
  rlimit limit{std::uint64_t{3} << 30, std::uint64_t{3} << 30};
  setrlimit(RLIMIT_AS, &limit);
  std::unique_ptr<Runtime> small = must(Runtime::create(
      {.instances_max = 1'000, .memory_slot_bytes = std::uint64_t{1} << 30, .cache_folder = {}}));
  Ground ground(*small);
  Stage stage(ground, guest("hello_command"));
  std::fprintf(stderr, "exit code %d; ", stage.command().outcome.exit_code);
  std::fprintf(stderr, "%s\n", small->fallback_note().c_str());
  _exit(0);
}

// In a process with little address space programs run on demand, and the runtime says so.
TEST(RuntimeDeathTest, FallsBackWhereAddressSpaceIsShort) {
#if __has_feature(address_sanitizer)
  GTEST_SKIP() << "the sanitizer's own memory does not fit";
#endif
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(run_in_short_space(), ::testing::ExitedWithCode(0),
              "exit code 0; .*address space is short");
}

}  // namespace
}  // namespace weft::testing
