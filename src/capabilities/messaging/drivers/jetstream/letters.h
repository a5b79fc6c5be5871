#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capabilities/messaging/drivers/jetstream/stream.h"

// Dead letters in a stream of their own, which is made with the first of them.
namespace weft::messaging::jetstream {

// Keeps the letter of the message with that number. Without its data where the server takes no
// message of that size.
void keep_letter(Stream& stream, DeadLetter letter, std::uint64_t number, Deadline deadline,
                 Stream::Done done);
// The first of them, at most `most`.
Answer<std::vector<DeadLetter>> letters(const std::shared_ptr<Stream>& stream, Request request,
                                        std::size_t most);

// Of those that come again, the numbers as messages: beyond those that any stream gives.
inline constexpr std::uint64_t kReplayed = std::uint64_t{1} << 63;
// As Broker::replay.
Answer<void> replay_letter(const std::shared_ptr<Stream>& stream, Request request,
                           std::string group, std::uint64_t number);
// It was handled, and is among the dead letters no more.
void erase_letter(const std::shared_ptr<Stream>& stream, std::string group, std::uint64_t number);

}  // namespace weft::messaging::jetstream
