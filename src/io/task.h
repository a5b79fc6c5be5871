#pragma once

#include <boost/asio/awaitable.hpp>

#include "base/error.h"

namespace weft {

// Work that waits: what drivers and servers are written as. Starts when it is awaited or handed to
// Loop::spawn, runs on one loop, takes its parameters by value.
template <class T = void>
using Task = boost::asio::awaitable<Result<T>>;

}  // namespace weft
