// Shows what node.toml and node.d say, that all that is wrong is told at once with its place, and
// that a new folder is one that a node can be started with.
#include "node/policy/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "capabilities/test_folder.h"
#include "node/object/key_file.h"
#include "node/policy/policy.h"

namespace weft::node {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class SettingsTest : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) const {
    std::filesystem::path path = folder_.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }

  TestFolder folder_;
  Problems problems_;
};

TEST_F(SettingsTest, AnEmptyFileIsAllDefaults) {
  auto settings = NodeSettings::parse("# nothing\n", "/etc/weft/node.toml", problems_);
  ASSERT_TRUE(settings) << problems_.text();
  EXPECT_FALSE(settings->name.empty());
  EXPECT_EQ(settings->listen.size(), 2u);
  EXPECT_EQ(settings->listen[0].port, kNodePort);
  EXPECT_EQ(settings->key, "/etc/weft/node.key");
  EXPECT_EQ(settings->state, "/etc/weft/state");
  EXPECT_EQ(settings->groups, "/etc/weft/groups");
  EXPECT_EQ(settings->control_socket, "/etc/weft/state/control.sock");
  EXPECT_TRUE(settings->discovery.on);
  EXPECT_TRUE(settings->total.memory_bytes);
  EXPECT_TRUE(settings->total.runs);
  // A stranger may do nothing, and not often.
  EXPECT_EQ(settings->strangers.may, Rights());
  EXPECT_EQ(settings->strangers.quota.rate.per_second, 10u);
  // Who is only in a folder may describe.
  EXPECT_EQ(settings->of_group("who").may.text(), "describe");
}

TEST_F(SettingsTest, EveryKeySaysWhatItSays) {
  auto settings = NodeSettings::parse(R"(
[node]
name = "attic"
listen = ["192.168.1.4", "[::1]:7000"]
key = "/keys/attic"
state = "/var/lib/weft"
groups = "trusted"
control = "/run/weft.sock"
discovery = { on = false, interfaces = ["eth0", "wlan0"] }
events = { retain = "1GiB" }
[rates]
address = { rate = 5, burst = 7 }
key = { rate = 3 }
[quota]
per = "1min"
cores = 2
cpu = "100s"
[group.friends]
may = ["run", "store"]
per = "10s"
cpu = "2s"
compile = "1s"
memory = "64MiB"
network-in = "1MiB"
network-out = 0
storage = "1GiB"
runs = 3
rate = 20
burst = 40
[strangers]
may = ["describe"]
)",
                                      "node.toml", problems_);
  ASSERT_TRUE(settings) << problems_.text();
  EXPECT_EQ(settings->name, "attic");
  EXPECT_EQ(settings->listen[0], (ListenAddress{"192.168.1.4", kNodePort}));
  EXPECT_EQ(settings->listen[1], (ListenAddress{"::1", 7000}));
  EXPECT_EQ(settings->key, "/keys/attic");
  EXPECT_EQ(settings->groups, "trusted");
  EXPECT_EQ(settings->control_socket, "/run/weft.sock");
  EXPECT_FALSE(settings->discovery.on);
  EXPECT_EQ(settings->events.retain_bytes, std::uint64_t{1} << 30);
  EXPECT_THAT(settings->discovery.interfaces, ::testing::ElementsAre("eth0", "wlan0"));
  EXPECT_EQ(settings->rates.address, (RateQuota{5, 7}));
  EXPECT_EQ(settings->rates.key, (RateQuota{3, 3}));
  // Two cores for a minute, or 100 s: the least.
  EXPECT_EQ(settings->total.cpu_ns_of_period(), 100'000'000'000u);
  EXPECT_EQ(settings->total.per, milliseconds(60'000));
  const GroupSettings& friends = settings->of_group("friends");
  EXPECT_EQ(friends.may.text(), "run, store");
  EXPECT_TRUE(friends.may.allow(Action::kResume));
  EXPECT_FALSE(friends.may.allow(Action::kFetch));
  EXPECT_EQ(friends.quota.network_out_bytes, 0u);
  EXPECT_EQ(friends.quota.compile_ns, 1'000'000'000u);
  EXPECT_EQ(friends.quota.runs, 3u);
  EXPECT_EQ(friends.quota.rate, (RateQuota{20, 40}));
  EXPECT_TRUE(settings->strangers.may.has(Right::kDescribe));
}

TEST_F(SettingsTest, ALogThatWouldBeNoneIsRefused) {
  EXPECT_FALSE(NodeSettings::parse("[node.events]\nretain = \"63MiB\"\n", "node.toml", problems_));
  EXPECT_THAT(problems_.text(), ::testing::HasSubstr("node.toml:2"));
  EXPECT_THAT(problems_.text(), ::testing::HasSubstr("write \"64MiB\" or more"));
}

TEST_F(SettingsTest, AServiceHasOneModule) {
  EXPECT_FALSE(
      NodeSettings::parse("[service.words]\nfil = \"words.wasm\"\n[service.none]\n"
                          "[service.both]\nfile = \"a.wasm\"\nlibrary = \"a\"\n",
                          "node.toml", problems_));
  EXPECT_THAT(problems_.text(), ::testing::HasSubstr("did you mean file?"));
  EXPECT_THAT(problems_.text(), ::testing::HasSubstr("[service.none] names no module"));
  EXPECT_THAT(problems_.text(), ::testing::HasSubstr("[service.both] names two modules"));
}

TEST_F(SettingsTest, EverythingThatIsWrongIsToldAtOnce) {
  EXPECT_FALSE(NodeSettings::parse(R"([node]
nmae = "attic"
name = "a b"
listen = ["somewhere"]
[group.friends]
may = ["rum"]
memory = "lots"
runs = -1
[group.strangers]
[group."a/b"]
[quota]
cpu = 5
perr = "1h"
[qouta]
)",
                                   "node.toml", problems_));
  std::string text = problems_.text();
  for (std::string_view each :
       {"node.toml:2:1: unknown key \"nmae\" in [node]: did you mean name?",
        "node.toml:3:8: node.name is \"a b\"", "node.toml:4:11: node.listen has \"somewhere\"",
        "node.toml:6:8: there is no right \"rum\": did you mean run?",
        "node.toml:7:10: group.friends.memory is \"lots\"", "node.toml:8:8: group.friends.runs",
        "node.toml:9:", "no group is called strangers",
        "node.toml:10:", "\"a/b\" is no name of a group", "node.toml:12:7: quota.cpu is 5",
        "node.toml:13:1: unknown key \"perr\"", "did you mean per?",
        "node.toml:14:", "unknown key \"qouta\": did you mean quota?"}) {
    EXPECT_THAT(text, HasSubstr(each));
  }
}

TEST_F(SettingsTest, AServiceIsLinkedToNodesWhereTheyAreAndMayKeepSomething) {
  auto settings = NodeSettings::parse(R"(
[service.chat]
file = "chat.wasm"
keyvalue = "4MiB"
[service.chat.links]
"acme:words/count" = "node:cellar"
"acme:dict/look-up" = { to = "node:attic", library = "acme:dict@1.2", deadline = "2s" }
)",
                                      "node.toml", problems_);
  ASSERT_TRUE(settings) << problems_.text();
  const ServiceSettings& chat = settings->service.at("chat");
  EXPECT_EQ(chat.keyvalue_bytes, 4u << 20);
  ASSERT_EQ(chat.links.size(), 2u);
  EXPECT_EQ(chat.links[0].name.text, "cellar");
  EXPECT_EQ(chat.links[1].library.text, "acme:dict@1.2");
  EXPECT_EQ(chat.links[1].deadline, std::chrono::seconds(2));

  EXPECT_FALSE(NodeSettings::parse(R"(
[service."../chat"]
file = "chat.wasm"
keyvalue = "4MiB"
[service.words]
file = "words.wasm"
keyvalue = "1KiB"
links."acme:a/b" = "component:c"
links."acme:d/e" = { to = "node:attic", library = "acme:d", how = "fetch" }
)",
                                   "node.toml", problems_));
  for (std::string_view each :
       {"[service.../chat] has keyvalue, and a name that no folder has",
        "node.toml:7:12: service.words.keyvalue",
        "service.words.links links to component c: a service is linked to nodes",
        "service.words.links fetches library acme:d of node attic: a service calls a library"}) {
    EXPECT_THAT(problems_.text(), HasSubstr(each));
  }
}

TEST_F(SettingsTest, FilesOfNodeDAreJoinedAndAConflictNamesBoth) {
  write("node.toml", "[group.friends]\nruns = 3\n");
  write("node.d/10-more.toml", "[group.friends]\nmemory = \"64MiB\"\n[group.lab]\nmay = []\n");
  write("node.d/.20-hidden.toml", "[nonsense]\n");
  write("node.d/README", "no toml");
  auto settings = NodeSettings::read(folder_.path(), problems_);
  ASSERT_TRUE(settings) << problems_.text();
  EXPECT_EQ(settings->of_group("friends").quota.runs, 3u);
  EXPECT_EQ(settings->of_group("friends").quota.memory_bytes, 64u << 20);
  EXPECT_EQ(settings->of_group("lab").may, Rights());

  write("node.d/20-other.toml", "[group.friends]\nruns = 4\n[group.lab]\nmay = [\"rum\"]\n");
  EXPECT_FALSE(NodeSettings::read(folder_.path(), problems_));
  EXPECT_THAT(problems_.text(), HasSubstr(at("node.d/20-other.toml") +
                                          ":2:1: group.friends.runs is written here and "
                                          "at " +
                                          at("node.toml") + ":2:1"));
}

TEST_F(SettingsTest, ANewFolderIsOneThatANodeCanBeStartedWith) {
  std::filesystem::path folder = folder_.path() / "new" / "node";
  ASSERT_TRUE(init_folder(folder));
  auto policy = Policy::read(folder, problems_);
  ASSERT_TRUE(policy) << problems_.text();
  EXPECT_EQ(problems_.errors(), 0u);
  EXPECT_TRUE(read_key_file(policy->settings.key));
  EXPECT_EQ(policy->groups.names(), std::vector<std::string>{"friends"});
  EXPECT_TRUE(policy->settings.of_group("friends").may.has(Right::kRun));
  struct stat info{};
  ASSERT_EQ(::stat((folder / "node.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);

  auto key = read_key_file(policy->settings.key)->public_key();
  auto again = init_folder(folder);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::kConflict);
  EXPECT_EQ(read_key_file(policy->settings.key)->public_key(), key);
}

// With every comment of one # before a key taken away, each value is the default.
TEST_F(SettingsTest, TheExampleNamesEveryKeyAndItsDefault) {
  std::string text(example_settings());
  std::string bare;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = text.find('\n', at);
    std::string line = text.substr(at, end - at);
    bool key = line.starts_with("# ") && line.find(" = ") != line.npos && line[2] >= 'a' &&
               line.find(' ', 2) == line.find(" = ");
    bare += (key ? line.substr(2) : line) + "\n";
    at = end + 1;
  }
  auto written = NodeSettings::parse(bare, "node.toml", problems_);
  ASSERT_TRUE(written) << problems_.text() << bare;
  auto plain = NodeSettings::parse(text, "node.toml", problems_);
  ASSERT_TRUE(plain) << problems_.text();
  EXPECT_EQ(written->rates.address, plain->rates.address);
  EXPECT_EQ(written->rates.key, plain->rates.key);
  EXPECT_EQ(written->listen, plain->listen);
  EXPECT_EQ(written->key, plain->key);
  EXPECT_EQ(written->control_socket, plain->control_socket);
  EXPECT_EQ(written->strangers.quota, plain->strangers.quota);
  EXPECT_EQ(written->total, plain->total);
  // Nothing is known that the example does not name.
  for (const auto& [table, keys] : problems_.keys()) {
    for (const std::string& key : keys) EXPECT_THAT(text, HasSubstr(key)) << table;
  }
}

}  // namespace
}  // namespace weft::node
