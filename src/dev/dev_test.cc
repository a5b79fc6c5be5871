// Shows what the builder makes of compilers' files and folders' changes, and that templates are
// written whole or not at all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "dev/compile_jobs.h"
#include "dev/component_file.h"
#include "dev/process.h"
#include "dev/sdk_folder.h"
#include "dev/templates.h"
#include "dev/tools.h"
#include "dev/watch.h"

namespace weft {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
namespace fs = std::filesystem;

// A folder that is gone at the end of the test.
class DevTest : public ::testing::Test {
 protected:
  DevTest() {
    std::string name = (fs::temp_directory_path() / "weft-dev-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  ~DevTest() override {
    std::error_code problem;
    fs::remove_all(folder_, problem);
  }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

TEST_F(DevTest, depfiles_name_what_an_object_was_made_of) {
  EXPECT_THAT(depfile_inputs("out.o: main.cc \\\n  a\\ b.h /usr/x.h\n"),
              ElementsAre("main.cc", "a b.h", "/usr/x.h"));
  EXPECT_THAT(depfile_inputs("out.o:\n"), IsEmpty());
}

TEST_F(DevTest, a_program_gives_its_output_and_exit_code) {
  auto result = run_process({"/bin/sh", "-c", "pwd; echo bad >&2; exit 3"}, {.folder = folder_});
  ASSERT_TRUE(result) << result.error().message();
  EXPECT_EQ(result->exit_code, 3);
  EXPECT_EQ(result->output, folder_ + "\nbad\n");
  EXPECT_EQ(run_process({"no-such-program-at-all"}).error().code(), Errc::kNotFound);
}

TEST_F(DevTest, a_program_that_takes_too_long_is_killed) {
  auto result =
      run_process({"/bin/sh", "-c", "exec sleep 600"}, {.time_max = std::chrono::seconds(0)});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::kTimeout);
}

TEST_F(DevTest, a_job_runs_again_when_its_source_or_its_words_changed) {
  ASSERT_TRUE(write_file(path("in"), "1"));
  auto job = [&](const std::string& mark) {
    return CompileJob{{"/bin/sh", "-c",
                       "cp " + path("in") + " " + path("out") + "; echo out: " + path("in") +
                           " > " + path("out.d") + "; # " + mark},
                      "in",
                      path("out")};
  };
  EXPECT_TRUE(run_compile_jobs({job("a")})->ran);
  EXPECT_FALSE(run_compile_jobs({job("a")})->ran);
  EXPECT_TRUE(run_compile_jobs({job("b")})->ran);
  ASSERT_TRUE(write_file(path("in"), "2"));
  fs::last_write_time(path("in"), fs::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_TRUE(run_compile_jobs({job("b")})->ran);
  EXPECT_EQ(*read_file(path("out")), "2");
}

TEST_F(DevTest, a_job_that_fails_tells_what_it_said) {
  auto result = run_compile_jobs({{{"/bin/sh", "-c", "echo wrong; exit 1"}, "a", path("a")},
                                  {{"/bin/sh", "-c", "exit 2"}, "b", path("b")}});
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("wrong"));
  EXPECT_THAT(result.error().message(), HasSubstr("b: the compiler ended with 2"));
}

TEST_F(DevTest, a_snapshot_tells_changes_of_contents_and_leaves_builds_out) {
  ASSERT_TRUE(write_file(path("src/main.cc"), "one"));
  ASSERT_TRUE(write_file(path("out.wasm"), "made"));
  auto before = Snapshot::of(folder_, {path("out.wasm")});
  ASSERT_TRUE(write_file(path("out.wasm"), "made again"));
  ASSERT_TRUE(write_file(path("build/x.o"), "x"));
  ASSERT_TRUE(write_file(path("src/main.cc"), "one"));
  EXPECT_EQ(Snapshot::of(folder_, {path("out.wasm")}).difference(before), "");
  ASSERT_TRUE(write_file(path("src/main.cc"), "two"));
  EXPECT_EQ(Snapshot::of(folder_, {path("out.wasm")}).difference(before), path("src/main.cc"));
}

TEST_F(DevTest, a_watch_tells_changes_also_in_new_folders) {
  std::mutex mutex;
  std::condition_variable told;
  int changes = 0;
  auto watch = Watch::start(folder_, [&] {
    std::lock_guard hold(mutex);
    ++changes;
    told.notify_all();
  });
  ASSERT_TRUE(watch) << watch.error().message();
  auto wait = [&](int count) {
    std::unique_lock hold(mutex);
    return told.wait_for(hold, std::chrono::seconds(20), [&] { return changes >= count; });
  };
  fs::create_directory(path("new"));
  ASSERT_TRUE(wait(1));
  ASSERT_TRUE(write_file(path("new/file"), "x"));
  EXPECT_TRUE(wait(2));
}

TEST_F(DevTest, the_sdk_is_unpacked_once_and_knows_its_packages) {
  auto sdk = SdkFolder::open(folder_);
  ASSERT_TRUE(sdk) << sdk.error().message();
  EXPECT_TRUE(fs::exists(sdk->headers() + "/weft/http.h"));
  // Objects come in streams of WASI 0.2, which the world of 0.3 does not have.
  EXPECT_THAT(sdk->packages(sdk->world("http")), SizeIs(6));
  EXPECT_THAT(sdk->packages(sdk->world("http-p2")), SizeIs(7));
  ASSERT_TRUE(write_file(path("w.wit"), "import wasi:keyvalue/store@0.2.0-draft2;"));
  EXPECT_THAT(sdk->packages(path("w.wit")),
              ElementsAre(sdk->path() + "/wit/keyvalue-draft2/keyvalue.wit"));
  ASSERT_TRUE(write_file(path("w.wit"), "export wasmcloud:messaging/handler@0.2.0;"));
  EXPECT_THAT(sdk->packages(path("w.wit")),
              ElementsAre(sdk->path() + "/wit/messaging-wasmcloud/messaging.wit"));
  ASSERT_TRUE(write_file(path("w.wit"), "export wasmcloud:messaging/handler@0.3.0;"));
  EXPECT_THAT(sdk->packages(path("w.wit")),
              ElementsAre(sdk->path() + "/wit/messaging-wasmcloud-streams/messaging.wit"));
  EXPECT_EQ(SdkFolder::open(folder_)->path(), sdk->path());
}

TEST_F(DevTest, a_template_is_written_with_the_name_filled_in) {
  EXPECT_THAT(template_languages(), Contains("cpp"));
  auto files = make_app({.language = "c++", .kind = "http", .name = "shop", .parent = folder_});
  ASSERT_TRUE(files) << files.error().message();
  EXPECT_THAT(*read_file(path("shop/weft.toml")), HasSubstr("name = \"shop\""));
  EXPECT_EQ(make_app({.language = "cpp", .name = "shop", .parent = folder_}).error().code(),
            Errc::kConflict);
}

TEST_F(DevTest, what_there_is_no_template_for_is_refused_before_anything_is_written) {
  EXPECT_THAT(make_app({.language = "cobol", .name = "x", .parent = folder_}).error().message(),
              HasSubstr("there are: c, cpp"));
  EXPECT_THAT(make_app({.language = "cpp", .kind = "gui", .name = "x", .parent = folder_})
                  .error()
                  .message(),
              HasSubstr("it has: command, cron, empty, http, lock, message, sensor"));
  EXPECT_THAT(make_app({.language = "cpp", .name = "No", .parent = folder_}).error().message(),
              HasSubstr("is no name of an app"));
  EXPECT_TRUE(fs::is_empty(folder_));
}

// A PATH of its own for as long as the test.
class DevPathTest : public DevTest {
 protected:
  DevPathTest() : before_(std::getenv("PATH")) { setenv("PATH", folder_.c_str(), 1); }
  ~DevPathTest() override { setenv("PATH", before_.c_str(), 1); }
  void add(const std::string& program, const std::string& script) {
    ASSERT_TRUE(write_file(path(program), "#!/bin/sh\n" + script));
    fs::permissions(path(program), fs::perms::owner_all);
  }

 private:
  std::string before_;
};

TEST_F(DevPathTest, a_missing_or_old_tool_is_told_with_what_brings_it) {
  EXPECT_THAT(check_go().error().message(), HasSubstr("go is not installed: install Go 1.25"));
  add("go", "echo go1.19.8\n");
  EXPECT_THAT(check_go().error().message(), HasSubstr("go1.19.8 is too old for WebAssembly"));
  add("go", "echo go1.26.1\n");
  EXPECT_TRUE(check_go());
  EXPECT_THAT(check_rust().error().message(), HasSubstr("cargo is not installed"));
  EXPECT_THAT(check_rust().error().message(), HasSubstr("rustup target add wasm32-wasip2"));
  add("cargo", "");
  EXPECT_THAT(check_rust().error().message(), HasSubstr("rustc is not installed"));
  add("rustc", "");
  EXPECT_TRUE(check_rust());
}

TEST_F(DevTest, what_is_a_component_already_is_taken_as_it_is) {
  std::string component("\0asm\x0d\0\1\0", 8);
  ASSERT_TRUE(write_file(path("made"), component));
  EXPECT_TRUE(write_component(path("made"), path("out")).value());
  EXPECT_EQ(*read_file(path("out")), component);
  EXPECT_FALSE(write_component(path("made"), path("out")).value());
}

TEST_F(DevTest, a_core_module_that_says_no_world_and_is_no_command_is_refused) {
  ASSERT_TRUE(write_file(path("made"), std::string("\0asm\1\0\0\0\7garbage", 16)));
  auto made = write_component(path("made"), path("out"));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), Errc::kInvalid);
  EXPECT_FALSE(fs::exists(path("out")));
}

}  // namespace
}  // namespace weft
