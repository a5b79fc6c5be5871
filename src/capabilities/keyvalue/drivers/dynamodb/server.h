#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "capabilities/keyvalue/drivers/dynamodb/client.h"
#include "remote/testing/real_server.h"

namespace weft::keyvalue::dynamodb {

// Dynalite, which stands in for DynamoDB in tests: the same API on LevelDB, without transactions.
// It does not look at signatures, and never has too little capacity.

// Whether it is installed; scripts/setup.sh test does that.
bool has_server();

// With data that outlive it when it is killed.
std::vector<std::string> server_command(std::uint16_t port, const std::string& folder);

// One for all tests of a process.
remote::RealServer& shared_server();

// What a driver is given for a table.
Settings settings_for(std::uint16_t port, std::string table);
// What somebody else asks of the server: its answer, which has to be a success.
std::string ask(std::uint16_t port, const std::string& operation, const std::string& body);
// Makes a table with the key that the driver has to have.
void make_table(std::uint16_t port, const std::string& name);

}  // namespace weft::keyvalue::dynamodb
