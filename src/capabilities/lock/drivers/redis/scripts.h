#pragma once

#include <string_view>

// What the server does in one step. A lock's key has the holder, its token and the number of its
// last renewal, and expires.
namespace weft::lock::redis {

// KEYS: the lock, the scope's token. ARGV: holder, milliseconds. Answers the token, or nothing
// where somebody else has it. A token is above every one before and not below the server's clock,
// so that it grows also where the counter was lost.
inline constexpr std::string_view kTake = R"(
local held = redis.call('GET', KEYS[1])
if held then
  local holder, token = string.match(held, '^(%x+) (%d+)')
  if holder == ARGV[1] then return token end
  return false
end
local time = redis.call('TIME')
local least = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if last < least then redis.call('SET', KEYS[2], string.format('%.0f', least)) end
redis.call('INCR', KEYS[2])
local token = redis.call('GET', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. token, 'PX', ARGV[2])
return token
)";

// KEYS: the lock. ARGV: holder, milliseconds, the renewal's number. One that its holder gave up may
// come after a later one, and changes nothing then.
inline constexpr std::string_view kRenew = R"(
local held = redis.call('GET', KEYS[1])
if not held then return 0 end
local holder, token, last = string.match(held, '^(%x+) (%d+) ?(%d*)$')
if holder ~= ARGV[1] then return 0 end
if tonumber(last) and tonumber(last) > tonumber(ARGV[3]) then return 1 end
redis.call('SET', KEYS[1], holder .. ' ' .. token .. ' ' .. ARGV[3], 'PX', ARGV[2])
return 1
)";

// KEYS: the lock. ARGV: holder.
inline constexpr std::string_view kRelease = R"(
local held = redis.call('GET', KEYS[1])
if not held or string.match(held, '^(%x+) ') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
)";

}  // namespace weft::lock::redis
