#pragma once

#include <string>
#include <vector>

#include "capabilities/blobstore/drivers/s3/client.h"
#include "remote/testing/real_server.h"

namespace weft::blobstore::s3 {

// OpenStack Swift with its S3 interface, which checks signatures. For tests.
inline std::vector<std::string> server_command(std::uint16_t port, const std::string& folder) {
  return {"/usr/bin/python3", WEFT_SWIFT_SERVER, std::to_string(port), folder};
}

// One for all tests of a process.
inline remote::RealServer& shared_server() {
  static remote::RealServer server(server_command);
  return server;
}

// Its user's, for a bucket that is there.
Settings settings_for(std::uint16_t port, std::string bucket);
// What somebody else asks of the server: the body of the answer, whose status has to be a success.
std::string ask(std::uint16_t port, std::string method, std::string path,
                remote::aws::Fields query = {}, std::string body = {});
// Makes one that no test has used; returns its name.
std::string new_bucket(std::uint16_t port);

}  // namespace weft::blobstore::s3
