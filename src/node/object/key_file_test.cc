// Shows that keys are read as `openssl` and `ssh-keygen` write them, and the other way round, that
// a new key is its owner's alone and overwrites nothing, and that no message has a key in it.
#include "node/object/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/check.h"

namespace weft::node {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class KeyFileTest : public ::testing::Test {
 protected:
  KeyFileTest() {
    std::string name = (std::filesystem::temp_directory_path() / "weft-test-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~KeyFileTest() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path at(std::string_view name) const { return folder_ / name; }
  void write(std::string_view name, std::string_view text, mode_t mode = 0600) const {
    std::ofstream(at(name)) << text;
    CHECK(::chmod(at(name).c_str(), mode) == 0);
  }
  std::string read(std::string_view name) const {
    std::ostringstream text;
    text << std::ifstream(at(name)).rdbuf();
    return text.str();
  }
  // In the folder; whether it ended well.
  bool shell(const std::string& command) const {
    return ::system(
               ("cd '" + folder_.string() + "' && { " + command + "; } >/dev/null 2>&1").c_str()) ==
           0;
  }

  std::filesystem::path folder_;
};

SigningKey key_of(char letter) {
  return *SigningKey::from_seed(Secret(std::string(SigningKey::kSeedBytes, letter)));
}

// Made by ssh-keygen 9.2, `-t ed25519 -N '' -C alice@here`, and with `-N secret`.
constexpr std::string_view kOpensshPrivate = R"(-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACCJ91RBKwRIY00xJ0GskTr92E6j0nc53tAqeFmu13hCtwAAAJD/ombn/6Jm
5wAAAAtzc2gtZWQyNTUxOQAAACCJ91RBKwRIY00xJ0GskTr92E6j0nc53tAqeFmu13hCtw
AAAEBgPS1ie7LVm2OzcYy9pbIU8w7KrdRSbxzZ7lctHi8RAIn3VEErBEhjTTEnQayROv3Y
TqPSdzne0Cp4Wa7XeEK3AAAACmFsaWNlQGhlcmUBAgM=
-----END OPENSSH PRIVATE KEY-----
)";
constexpr std::string_view kOpensshPublic =
    "ssh-ed25519 "
    "AAAAC3NzaC1lZDI1NTE5AAAAIIn3VEErBEhjTTEnQayROv3YTqPSdzne0Cp4Wa7XeEK3"
    " alice@here";
constexpr std::string_view kOpensshEncrypted = R"(-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHIAAAAGYmNyeXB0AAAAGAAAABC+jiy/4X
j9vSkDP19ydAGFAAAAEAAAAAEAAAAzAAAAC3NzaC1lZDI1NTE5AAAAICiQcyT3vU5fX6XJ
WbD2f3/LJC90QBI4/7u1RdhPR+bRAAAAkOf4DqfdGh65pdcPu1EMBubWC+NQxy1rPmJUYt
8/f3/Dv/0Rjx7ch8uUwMKXt9e1k5dSXVBh6ECF2zvnsWnnhI5Nifk4s8leTT14N8cVWqTc
s49joZVCqZ8fFhQGfw9kAuEbQ2MLGslkLdYuvajj4B8eVV3NfG0+3UykawWKi7wIfK7B3r
OtNAuDZXfgTYsxzw==
-----END OPENSSH PRIVATE KEY-----
)";

TEST_F(KeyFileTest, ANewKeyIsItsOwnersAloneAndOverwritesNothing) {
  mode_t before = ::umask(0);
  ASSERT_TRUE(write_new_key_file(at("node.key"), key_of('k')));
  ::umask(before);
  struct stat info{};
  ASSERT_EQ(::stat(at("node.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(read_key_file(at("node.key"))->public_key(), key_of('k').public_key());
  EXPECT_EQ(read_any_key_file(at("node.key"))->key, key_of('k').public_key());
  auto again = write_new_key_file(at("node.key"), key_of('x'));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::kConflict);
  EXPECT_EQ(read_key_file(at("node.key"))->public_key(), key_of('k').public_key());
  std::filesystem::create_symlink(at("target"), at("link"));
  EXPECT_FALSE(write_new_key_file(at("link"), key_of('x')));
  EXPECT_FALSE(std::filesystem::exists(at("target")));
}

TEST_F(KeyFileTest, AKeyThatOthersMayUseIsRefused) {
  ASSERT_TRUE(write_new_key_file(at("node.key"), key_of('k')));
  for (mode_t mode : {0640, 0604, 0620, 0610, 0666}) {
    ASSERT_EQ(::chmod(at("node.key").c_str(), mode), 0);
    auto key = read_key_file(at("node.key"));
    ASSERT_FALSE(key) << mode;
    EXPECT_EQ(key.error().code(), Errc::kDenied);
    EXPECT_THAT(key.error().message(), HasSubstr("chmod 600"));
  }
  ASSERT_EQ(::chmod(at("node.key").c_str(), 0400), 0);
  EXPECT_TRUE(read_key_file(at("node.key")));
}

TEST_F(KeyFileTest, PublicKeysReadBackInBothForms) {
  PublicKey key = key_of('k').public_key();
  auto pem = parse_public_keys(public_key_pem(key));
  ASSERT_TRUE(pem) << pem.error().message();
  EXPECT_EQ(pem->front().key, key);
  auto line = parse_public_keys(openssh_line(key, "alice@here\n and more") + "\n");
  ASSERT_TRUE(line) << line.error().message();
  EXPECT_EQ(line->front().key, key);
  EXPECT_EQ(line->front().comment, "alice@here and more");
  auto many = parse_public_keys("# friends\n\n" + openssh_line(key, "") + "\r\n" +
                                openssh_line(key_of('x').public_key(), "x"));
  ASSERT_TRUE(many) << many.error().message();
  EXPECT_EQ(many->size(), 2u);
  auto blocks = parse_public_keys(public_key_pem(key) + public_key_pem(key_of('x').public_key()));
  ASSERT_TRUE(blocks) << blocks.error().message();
  EXPECT_EQ(blocks->at(1).key, key_of('x').public_key());
}

TEST_F(KeyFileTest, ReadsWhatSshKeygenWrote) {
  auto key = parse_private_key(kOpensshPrivate);
  ASSERT_TRUE(key) << key.error().message();
  auto pub = parse_public_keys(kOpensshPublic);
  ASSERT_TRUE(pub) << pub.error().message();
  EXPECT_EQ(key->public_key(), pub->front().key);
  EXPECT_EQ(pub->front().comment, "alice@here");
  EXPECT_EQ(openssh_line(pub->front().key, "alice@here"), kOpensshPublic);
  auto encrypted = parse_private_key(kOpensshEncrypted);
  ASSERT_FALSE(encrypted);
  EXPECT_EQ(encrypted.error().code(), Errc::kUnsupported);
  EXPECT_THAT(encrypted.error().message(), HasSubstr("ssh-keygen -p -N ''"));
}

TEST_F(KeyFileTest, AgreesWithOpenssl) {
  if (!shell("openssl version")) GTEST_SKIP() << "openssl is not installed";
  ASSERT_TRUE(
      shell("umask 077; openssl genpkey -algorithm ed25519 -out a.key && "
            "openssl pkey -in a.key -pubout -out a.pem"));
  auto key = read_key_file(at("a.key"));
  ASSERT_TRUE(key) << key.error().message();
  EXPECT_EQ(read_public_key_file(at("a.pem"))->front().key, key->public_key());
  EXPECT_EQ(public_key_pem(key->public_key()), read("a.pem"));
  // And what is written here is what it writes.
  ASSERT_TRUE(write_new_key_file(at("b.key"), *key));
  EXPECT_EQ(read("b.key"), read("a.key"));

  ASSERT_TRUE(
      shell("umask 077; openssl pkey -in a.key -aes256 -passout pass:secret -out c.key; "
            "openssl genpkey -algorithm x25519 -out d.key; "
            "openssl pkey -in d.key -pubout -out d.pem"));
  auto encrypted = read_key_file(at("c.key"));
  ASSERT_FALSE(encrypted);
  EXPECT_EQ(encrypted.error().code(), Errc::kUnsupported);
  EXPECT_THAT(encrypted.error().message(), HasSubstr("openssl pkey -in OLD -out NEW"));
  EXPECT_EQ(read_key_file(at("d.key")).error().code(), Errc::kUnsupported);
  EXPECT_EQ(read_public_key_file(at("d.pem")).error().code(), Errc::kUnsupported);
}

TEST_F(KeyFileTest, AgreesWithSshKeygen) {
  if (!shell("command -v ssh-keygen")) GTEST_SKIP() << "ssh-keygen is not installed";
  ASSERT_TRUE(shell("ssh-keygen -q -t ed25519 -N '' -C 'bob at work' -f a"));
  auto key = read_key_file(at("a"));
  ASSERT_TRUE(key) << key.error().message();
  auto pub = read_public_key_file(at("a.pub"));
  ASSERT_TRUE(pub) << pub.error().message();
  EXPECT_EQ(pub->front().key, key->public_key());
  EXPECT_EQ(pub->front().comment, "bob at work");
  write("mine.pub", openssh_line(key->public_key(), "bob at work") + "\n");
  EXPECT_EQ(read("mine.pub"), read("a.pub"));
  EXPECT_TRUE(shell("ssh-keygen -l -f mine.pub"));
  ASSERT_TRUE(shell("ssh-keygen -q -t ecdsa -N '' -f e"));
  EXPECT_EQ(read_key_file(at("e")).error().code(), Errc::kUnsupported);
  EXPECT_EQ(read_public_key_file(at("e.pub")).error().code(), Errc::kUnsupported);
}

TEST_F(KeyFileTest, WhatIsNoKeyIsRefusedAndNotShown) {
  constexpr std::string_view kHidden = "b3BlbnNzaC1rZXkt";
  for (std::size_t size = 0; size < kOpensshPrivate.size(); size += 7) {
    auto key = parse_private_key(kOpensshPrivate.substr(0, size));
    ASSERT_FALSE(key) << size;
    EXPECT_THAT(key.error().message(), Not(HasSubstr(kHidden)));
  }
  auto as_public = parse_public_keys(kOpensshPrivate);
  ASSERT_FALSE(as_public);
  EXPECT_THAT(as_public.error().message(), HasSubstr("private key"));
  EXPECT_THAT(as_public.error().message(), Not(HasSubstr(kHidden)));
  for (std::string_view bad : {"", "hello", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-rsa AAAA",
                               "command=\"x\" ssh-ed25519 A",
                               "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                               "-----BEGIN PUBLIC KEY-----"}) {
    EXPECT_FALSE(parse_public_keys(bad)) << bad;
  }
  EXPECT_FALSE(parse_public_keys(public_key_pem(key_of('k').public_key()) +
                                 "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"));
  for (std::string_view bad :
       {"", "hello", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"}) {
    EXPECT_FALSE(parse_private_key(bad)) << bad;
  }
  EXPECT_EQ(read_key_file(folder_).error().code(), Errc::kInvalid);
  EXPECT_FALSE(read_key_file(at("absent")));
  write("long", std::string(kKeyFileBytesMax + 1, 'x'));
  EXPECT_EQ(read_key_file(at("long")).error().code(), Errc::kLimit);
}

}  // namespace
}  // namespace weft::node
