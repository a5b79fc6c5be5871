#pragma once

#include <cstdint>
#include <memory>
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

}  // namespace weft::messaging::jetstream
