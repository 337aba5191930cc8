// The bodies of notices, and of what receivers answer.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "notify/webhook.hpp"
#include "tandem/values.hpp"

namespace tandem::notify {

/// A phone is on line now, or is not any more (I-02).
struct PhoneOnline {
  std::string number;
  std::vector<std::string> dids;
  bool is_online = false;
  std::int64_t at_us = 0;  ///< Wall clock.
  SocketAddress local;     ///< Where its REGISTER arrived; port 0: not known.
  SocketAddress remote;    ///< Where it came from; the same.
  std::string product;     ///< User-Agent; "": none named.
};
[[nodiscard]] std::string phone_online_json(const PhoneOnline& notice);

/// `retCode` of an answer; nothing: it has none.
[[nodiscard]] std::optional<std::int64_t> return_code(std::string_view answer);

/// One line of a file of dead letters, without its end.
[[nodiscard]] std::string dead_letter_json(const DeadLetter& letter);

}  // namespace tandem::notify
