// Shows whose key is in which group, by folders of files as `openssl` and `ssh-keygen` write them.
#include "node/policy/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "capabilities/test_folder.h"
#include "node/object/key_file.h"

namespace weft::node {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

PublicKey key_of(char letter) {
  return SigningKey::from_seed(Secret(std::string(SigningKey::kSeedBytes, letter)))->public_key();
}

class GroupsTest : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) const {
    std::filesystem::path path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }

  TestFolder folder_;
  Problems problems_;
};

TEST_F(GroupsTest, AKeyIsInTheGroupsWhoseFoldersHaveIt) {
  write("friends/alice.pem", public_key_pem(key_of('a')));
  write("friends/README", "no key");
  write("lab/all.pub",
        openssh_line(key_of('b'), "bob") + "\n" + openssh_line(key_of('a'), "alice") + "\n");
  std::filesystem::create_directories(folder_.path() / "empty");
  auto groups = Groups::read(folder_.path(), problems_);
  ASSERT_TRUE(groups) << problems_.text();
  EXPECT_THAT(groups->names(), ::testing::ElementsAre("empty", "friends", "lab"));
  EXPECT_EQ(groups->keys(), 2u);
  EXPECT_EQ(groups->of(key_of('a')).size(), 2u);
  EXPECT_EQ(groups->in("friends", key_of('a'))->name, "alice");
  EXPECT_EQ(groups->in("friends", key_of('b')), nullptr);
  // The audience says which; without one it is the first by name.
  EXPECT_EQ(groups->choose(key_of('a'), Audience::anyone())->group, "friends");
  EXPECT_EQ(groups->choose(key_of('a'), Audience::of_group("lab"))->group, "lab");
  EXPECT_EQ(groups->choose(key_of('b'), Audience::of_group("friends")), nullptr);
  EXPECT_EQ(groups->choose(key_of('x'), Audience::anyone()), nullptr);
}

TEST_F(GroupsTest, AFolderThatIsNotThereHasNoGroups) {
  auto groups = Groups::read(folder_.path() / "absent", problems_);
  ASSERT_TRUE(groups);
  EXPECT_TRUE(groups->names().empty());
}

TEST_F(GroupsTest, EverythingThatIsWrongIsTold) {
  write("friends/broken.pem", "hello");
  write("friends/open.pem", public_key_pem(key_of('a')));
  ASSERT_EQ(::chmod((folder_.path() / "friends/open.pem").c_str(), 0666), 0);
  write("strangers/a.pem", public_key_pem(key_of('a')));
  write("stray.pem", public_key_pem(key_of('a')));
  EXPECT_FALSE(Groups::read(folder_.path(), problems_));
  std::string text = problems_.text();
  EXPECT_EQ(problems_.errors(), 4u) << text;
  EXPECT_THAT(text, HasSubstr("broken.pem"));
  EXPECT_THAT(text, HasSubstr("chmod o-w"));
  EXPECT_THAT(text, HasSubstr("no group is called strangers"));
  EXPECT_THAT(text, HasSubstr("it is a key that is in no group"));
}

// A bill calls keys in no group, and what it does not list, by names that no group may have.
TEST_F(GroupsTest, NoFolderTakesTheNamesOfABill) {
  for (std::string name : {"(none)", "(others)"}) {
    EXPECT_FALSE(trust_key(folder_.path(), name, "alice", key_of('a')));
    write(name + "/a.pem", public_key_pem(key_of('a')));
  }
  EXPECT_FALSE(Groups::read(folder_.path(), problems_));
  EXPECT_EQ(problems_.errors(), 2u) << problems_.text();
}

TEST_F(GroupsTest, TrustAddsAKeyAndReplacesNone) {
  auto path = trust_key(folder_.path(), "friends", "alice", key_of('a'));
  ASSERT_TRUE(path) << path.error().message();
  EXPECT_TRUE(trust_key(folder_.path(), "friends", "alice", key_of('a')));
  auto other = trust_key(folder_.path(), "friends", "alice", key_of('b'));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), Errc::kConflict);
  for (std::string_view bad : {"", "..", "../x", "a/b", ".hidden", "strangers"}) {
    EXPECT_FALSE(trust_key(folder_.path(), bad, "alice", key_of('a'))) << bad;
    EXPECT_FALSE(trust_key(folder_.path(), "friends", bad, key_of('a'))) << bad;
  }
  auto groups = Groups::read(folder_.path(), problems_);
  ASSERT_TRUE(groups) << problems_.text();
  EXPECT_EQ(groups->in("friends", key_of('a'))->name, "alice");
  EXPECT_EQ(groups->keys(), 1u);
}

// A key where no node looks for it is trusted by nobody: what cannot be meant is refused.
TEST_F(GroupsTest, TheFolderOfGroupsIsNoOther) {
  fs::path node = folder_.path() / "attic";
  fs::create_directories(node / "groups" / "friends");
  EXPECT_TRUE(check_groups_folder(node / "groups", "friends"));
  std::ofstream(node / "node.toml").close();
  EXPECT_TRUE(check_groups_folder(node / "groups", "friends"));
  EXPECT_TRUE(check_groups_folder(folder_.path() / "new", "friends"));
  auto itself = check_groups_folder(node, "friends");
  ASSERT_FALSE(itself);
  EXPECT_NE(itself.error().message().find("attic/groups friends"), std::string::npos);
  for (const char* one : {"groups/friends", "groups/friends/", "groups/others"}) {
    EXPECT_FALSE(check_groups_folder(node / one, "friends")) << one;
  }
  auto slip = check_groups_folder(folder_.path() / "atic" / "groups", "friends");
  ASSERT_FALSE(slip);
  EXPECT_EQ(slip.error().code(), Errc::kNotFound);
}

}  // namespace
}  // namespace weft::node
