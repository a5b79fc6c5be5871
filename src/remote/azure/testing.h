#pragma once

#include <string>
#include <vector>

#include "remote/azure/access.h"
#include "remote/azure/shared_key.h"
#include "remote/testing/real_server.h"

namespace weft::remote::azure {

// Whether Azurite is installed, which `scripts/setup.sh test` sees to where it can.
bool has_server();
// It keeps what it was told in memory, and puts it into its folder every few seconds and when it
// is told to end: a test that starts it again ends it by `stop`.
std::vector<std::string> server_command(std::uint16_t port, const std::string& folder);
// One for all tests of a process, which keeps everything in memory.
RealServer& shared_server();

// Of its account, for a container that is there.
Settings settings_for(std::uint16_t port, std::string container);
// Makes a container that no test of the process has used; returns its name.
std::string new_container(std::uint16_t port);
// What somebody else asks of a container: the body of the answer, whose status has to be a success.
// `name` may be empty: the container itself.
std::string ask(std::uint16_t port, std::string container, std::string method, std::string name,
                Fields query = {}, std::string body = {});

}  // namespace weft::remote::azure
