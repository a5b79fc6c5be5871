// Shows that a folder that is swapped under its name, as Kubernetes does it, is seen at the next
// read, and that one file can stand for a secret of another name.
#include "capabilities/secrets/drivers/folder.h"

#include <gtest/gtest.h>

#include <fstream>

#include "capabilities/test_folder.h"
#include "io/loop.h"

namespace weft::secrets {
namespace {

namespace fs = std::filesystem;

class FolderTest : public ::testing::Test {
 protected:
  std::string read(Source& source, std::string_view name) {
    auto value = wait_for(loop_, source, name, Deadline::after(std::chrono::seconds(30)));
    return value ? std::string(value->reveal()) : "failed: " + value.error().message();
  }

  TestFolder folder_;
  Loop loop_;
  std::shared_ptr<Pool> pool_ = std::make_shared<Pool>(Pool::Options{.threads = 1});
};

TEST_F(FolderTest, a_swapped_link_is_seen) {
  fs::path mount = folder_.path();
  for (const char* version : {"..1", "..2"}) {
    fs::create_directory(mount / version);
    std::ofstream(mount / version / "key") << "value of " << version;
  }
  fs::create_symlink("..1", mount / "..data");
  fs::create_symlink("..data/key", mount / "key");
  auto source = folder_source(mount, "", pool_);
  EXPECT_EQ(read(*source, "key"), "value of ..1");
  fs::create_symlink("..2", mount / "..data_tmp");
  fs::rename(mount / "..data_tmp", mount / "..data");
  EXPECT_EQ(read(*source, "key"), "value of ..2");
}

TEST_F(FolderTest, one_file_stands_for_any_name) {
  std::ofstream(folder_.path() / "tls.key") << "hunter2\n";
  auto source = folder_source(folder_.path(), "tls.key", pool_);
  EXPECT_EQ(read(*source, "payment-key"), "hunter2");
}

TEST_F(FolderTest, a_folder_that_is_not_there_is_told_when_it_is_opened) {
  auto source = folder_source(folder_.path() / "none", "", pool_);
  auto opened = source->open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().message(), "there is no folder " + (folder_.path() / "none").string());
}

TEST_F(FolderTest, a_file_that_is_too_long_is_refused) {
  std::ofstream(folder_.path() / "key") << std::string(kValueBytesMax + 1, 'a');
  auto source = folder_source(folder_.path(), "", pool_);
  auto value = wait_for(loop_, *source, "key", Deadline::after(std::chrono::seconds(30)));
  EXPECT_EQ(value.error().code(), Errc::kLimit);
}

}  // namespace
}  // namespace weft::secrets
